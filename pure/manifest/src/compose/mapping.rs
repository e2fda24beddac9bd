//! A mapping that is not closed yet: unique keys, and `<<`.
//!
//! Of a key that is written twice the first counts, for whoever is to find out what was meant; what
//! stands at the others is kept apart.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::codes;
use crate::fault::Fault;
use crate::tree::{Entry, Lead, Mark, Node, Value};

/// Mappings up to this size are searched for a repeated key, larger ones keep a set.
const SMALL: usize = 16;
/// Keys and values so far; a scalar is a key where none is pending.
#[derive(Default)]
pub(super) struct OpenMap {
    entries: Vec<Entry>,
    /// Those whose keys are there already, each once.
    again: Vec<Entry>,
    /// Keys of `entries`, once there are many.
    seen: BTreeSet<Arc<str>>,
    pending: Pending,
    merged: Vec<Node>,
}

#[derive(Default)]
enum Pending {
    #[default]
    Nothing,
    Key(Arc<str>, Mark, Lead),
    /// One that is there already.
    Again(Arc<str>, Mark, Lead),
    Merge,
}

impl OpenMap {
    /// A collection cannot be a key.
    pub(super) fn expect_value(&self, mark: Mark) -> Result<(), Fault> {
        if matches!(self.pending, Pending::Nothing) { Err(bad_key(mark)) } else { Ok(()) }
    }

    /// The next key or value; a value `at_key` has the place of its key. What is wrong with a key
    /// that is there already.
    pub(super) fn add(&mut self, mut node: Node, at_key: bool) -> Result<Option<Fault>, Fault> {
        let (is_again, key, mark, lead) = match std::mem::take(&mut self.pending) {
            Pending::Nothing => return self.key(&node),
            Pending::Merge => {
                self.merged.push(node);
                return Ok(None);
            }
            Pending::Key(key, mark, lead) => (false, key, mark, lead),
            Pending::Again(key, mark, lead) => (true, key, mark, lead),
        };
        if at_key {
            node.mark = mark;
        }
        let entry = Entry { key, mark, lead, node };
        match is_again {
            false => self.entries.push(entry),
            true if self.again.iter().all(|it| it.key != entry.key) => self.again.push(entry),
            true => {}
        }
        Ok(None)
    }

    fn key(&mut self, node: &Node) -> Result<Option<Fault>, Fault> {
        let mark = node.mark;
        let (text, plain, lead) = match &node.resolved().value {
            Value::Scalar { text, plain, lead } => (text, *plain, *lead),
            _ => return Err(bad_key(mark)),
        };
        if plain && &**text == "<<" {
            self.pending = Pending::Merge;
            return Ok(None);
        }
        let key: Arc<str> = Arc::from(&**text);
        if self.has(&key) {
            let fault = duplicate_key(&key, mark, self.mark_of(&key));
            self.pending = Pending::Again(key, mark, lead);
            return Ok(Some(fault));
        }
        if self.entries.len() == SMALL {
            self.seen = self.entries.iter().map(|entry| entry.key.clone()).collect();
        }
        if self.entries.len() >= SMALL {
            self.seen.insert(key.clone());
        }
        self.pending = Pending::Key(key, mark, lead);
        Ok(None)
    }

    fn has(&self, key: &Arc<str>) -> bool {
        if self.entries.len() <= SMALL {
            self.entries.iter().any(|entry| entry.key == *key)
        } else {
            self.seen.contains(key)
        }
    }

    fn mark_of(&self, key: &Arc<str>) -> Option<Mark> {
        self.entries.iter().find(|entry| entry.key == *key).map(|entry| entry.mark)
    }

    /// What stands at keys that are there already.
    pub(super) fn again(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.again)
    }

    /// The entries, with those of merged mappings that are not set here; the first of them wins.
    pub(super) fn close(mut self) -> Result<Vec<Entry>, Fault> {
        if self.merged.is_empty() {
            return Ok(self.entries);
        }
        let mut keys: BTreeSet<Arc<str>> =
            self.entries.iter().map(|entry| entry.key.clone()).collect();
        for merged in std::mem::take(&mut self.merged) {
            let items = match &merged.resolved().value {
                Value::Map(_) => std::slice::from_ref(&merged),
                Value::List(items) => items,
                _ => return Err(bad_merge(&merged)),
            };
            for item in items {
                let Value::Map(entries) = &item.resolved().value else {
                    return Err(bad_merge(item));
                };
                let new = entries.iter().filter(|entry| keys.insert(entry.key.clone()));
                self.entries.extend(new.cloned());
            }
        }
        Ok(self.entries)
    }
}

fn duplicate_key(key: &str, mark: Mark, first: Option<Mark>) -> Fault {
    let first = first.map_or(0, |first| first.line);
    Fault {
        mark,
        code: codes::DUPLICATE_KEY,
        message: format!("the key `{key}` is written twice in this mapping, first in line {first}"),
        help: "keep one of the two; a `---` line may be missing between two objects".to_owned(),
    }
}

fn bad_key(mark: Mark) -> Fault {
    Fault {
        mark,
        code: codes::YAML_SYNTAX,
        message: "this key is not a word".to_owned(),
        help: "write keys as plain words, as in `name: web`".to_owned(),
    }
}

fn bad_merge(node: &Node) -> Fault {
    Fault {
        mark: node.mark,
        code: codes::YAML_SYNTAX,
        message: format!("`<<` merges mappings, but this is {}", node.described()),
        help: "name the anchor of a mapping: `<<: *anchor`".to_owned(),
    }
}
