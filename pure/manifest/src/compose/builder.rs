//! The unfinished tree of one document.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use granit_parser::{Event, ScalarStyle, Span, StructureStyle, Tag};

use super::{Fault, mark_of};
use crate::codes;
use crate::source::Limits;
use crate::tree::{Entry, Mark, Node, Plain, Value};

/// Mappings up to this size are searched for a repeated key, larger ones keep a set.
const SMALL: usize = 16;
/// This much text counts as one more value of the budget.
const TEXT_UNIT: usize = 64;

pub(super) struct Builder {
    stack: Vec<Frame>,
    root: Option<Node>,
    anchors: BTreeMap<usize, Anchored>,
    /// Values so far, those of aliases unfolded, over all documents of the file.
    spent: usize,
    limits: Limits,
}

/// A collection that is not closed yet.
struct Frame {
    mark: Mark,
    block: bool,
    anchor: usize,
    spent_before: usize,
    height: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map(OpenMap),
}

#[derive(Default)]
struct OpenMap {
    entries: Vec<Entry>,
    /// Keys of `entries`, once there are many.
    seen: BTreeSet<Arc<str>>,
    pending: Pending,
    merged: Vec<Node>,
}

#[derive(Default)]
enum Pending {
    #[default]
    Nothing,
    Key(Arc<str>, Mark),
    Merge,
}

struct Anchored {
    node: Arc<Node>,
    /// Its values, unfolded.
    weight: usize,
    height: usize,
}

/// A complete value on its way into the tree.
struct Done {
    node: Node,
    height: usize,
    /// Shown at its key, because it is empty or starts on a later line.
    at_key: bool,
}

impl Builder {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { stack: Vec::new(), root: None, anchors: BTreeMap::new(), spent: 0, limits: *limits }
    }

    /// Ready for the next document.
    pub(super) fn reset(&mut self) {
        self.stack.clear();
        self.anchors.clear();
        self.root = None;
    }

    /// The document; none for an empty one.
    pub(super) fn finish(&mut self) -> Option<Node> {
        self.anchors.clear();
        let empty = |node: &Node| node.scalar() == Some(Plain::Null);
        self.root.take().filter(|node| !empty(node))
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.spent > self.limits.nodes
    }

    pub(super) fn push(&mut self, event: &Event<'_>, span: Span) -> Result<(), Fault> {
        let mark = mark_of(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.spend(1 + text.len() / TEXT_UNIT, mark)?;
                let value = scalar(text, *style, tag.as_deref());
                let below = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let at_key = below || (span.is_empty() && matches!(value, Value::Null));
                let node = Node { mark, value };
                self.complete(Done { node, height: 0, at_key }, *anchor, 1 + text.len() / TEXT_UNIT)
            }
            Event::SequenceStart(style, anchor, _) => {
                self.open(mark, *style, *anchor, Content::List(Vec::new()))
            }
            Event::MappingStart(style, anchor, _) => {
                self.open(mark, *style, *anchor, Content::Map(OpenMap::default()))
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(*anchor, mark),
            _ => Ok(()),
        }
    }

    fn open(
        &mut self,
        mark: Mark,
        style: StructureStyle,
        anchor: usize,
        content: Content,
    ) -> Result<(), Fault> {
        let spent_before = self.spent;
        self.spend(1, mark)?;
        self.deepen(1, mark)?;
        if let Some(Frame { content: Content::Map(map), .. }) = self.stack.last()
            && matches!(map.pending, Pending::Nothing)
        {
            return Err(bad_key(mark));
        }
        let block = style == StructureStyle::Block;
        self.stack.push(Frame { mark, block, anchor, spent_before, height: 1, content });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        let frame = self.stack.pop().expect("the parser closes only what it opened");
        let value = match frame.content {
            Content::List(items) => Value::List(items),
            Content::Map(map) => Value::Map(map.close()?),
        };
        let weight = self.spent - frame.spent_before;
        let node = Node { mark: frame.mark, value };
        let done = Done { node, height: frame.height, at_key: frame.block };
        self.complete(done, frame.anchor, weight)
    }

    fn alias(&mut self, anchor: usize, mark: Mark) -> Result<(), Fault> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(Fault {
                mark,
                code: codes::YAML_TOO_COMPLEX,
                message: "this alias stands inside the value that it repeats".to_owned(),
                help: "write out the value instead of the alias".to_owned(),
            });
        };
        let (weight, height) = (anchored.weight, anchored.height);
        let node = Node { mark, value: Value::Shared(anchored.node.clone()) };
        self.spend(weight, mark)?;
        self.deepen(height, mark)?;
        self.add(Done { node, height, at_key: false })
    }

    fn complete(&mut self, mut done: Done, anchor: usize, weight: usize) -> Result<(), Fault> {
        if anchor != 0 {
            let mark = done.node.mark;
            let node = Arc::new(done.node);
            let height = done.height;
            self.anchors.insert(anchor, Anchored { node: node.clone(), weight, height });
            done.node = Node { mark, value: Value::Shared(node) };
        }
        self.add(done)
    }

    fn add(&mut self, done: Done) -> Result<(), Fault> {
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(done.node);
            return Ok(());
        };
        frame.height = frame.height.max(done.height + 1);
        match &mut frame.content {
            Content::List(items) => items.push(done.node),
            Content::Map(map) => map.add(done)?,
        }
        Ok(())
    }

    fn spend(&mut self, nodes: usize, mark: Mark) -> Result<(), Fault> {
        self.spent = self.spent.saturating_add(nodes);
        if !self.is_exhausted() {
            return Ok(());
        }
        Err(Fault {
            mark,
            code: codes::YAML_TOO_COMPLEX,
            message: format!(
                "the file has more than {} values, those that aliases repeat included; nothing \
                 from here on is read",
                self.limits.nodes
            ),
            help: "split the file into smaller ones, and use fewer aliases of aliases".to_owned(),
        })
    }

    fn deepen(&self, levels: usize, mark: Mark) -> Result<(), Fault> {
        if self.stack.len() + levels <= self.limits.depth {
            return Ok(());
        }
        Err(too_deep(mark, self.limits.depth))
    }
}

impl OpenMap {
    fn add(&mut self, mut done: Done) -> Result<(), Fault> {
        match std::mem::take(&mut self.pending) {
            Pending::Nothing => self.key(&done.node),
            Pending::Merge => {
                self.merged.push(done.node);
                Ok(())
            }
            Pending::Key(key, mark) => {
                if done.at_key {
                    done.node.mark = mark;
                }
                self.entries.push(Entry { key, mark, node: done.node });
                Ok(())
            }
        }
    }

    fn key(&mut self, node: &Node) -> Result<(), Fault> {
        let mark = node.mark;
        let (text, plain) = match &node.resolved().value {
            Value::Scalar { text, plain } => (text, *plain),
            _ => return Err(bad_key(mark)),
        };
        if plain && &**text == "<<" {
            self.pending = Pending::Merge;
            return Ok(());
        }
        let key: Arc<str> = Arc::from(&**text);
        if self.has(&key) {
            return Err(duplicate_key(&key, mark, self.mark_of(&key)));
        }
        if self.entries.len() == SMALL {
            self.seen = self.entries.iter().map(|entry| entry.key.clone()).collect();
        }
        if self.entries.len() >= SMALL {
            self.seen.insert(key.clone());
        }
        self.pending = Pending::Key(key, mark);
        Ok(())
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

    /// The entries, with those of merged mappings that are not set here; the first of them wins.
    fn close(mut self) -> Result<Vec<Entry>, Fault> {
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

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let string = tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
    let other = tag.and_then(Tag::core_suffix).is_some() && !string;
    let plain = (style == ScalarStyle::Plain && !string) || other;
    if plain && Plain::of(text) == Plain::Null {
        return Value::Null;
    }
    Value::Scalar { text: text.into(), plain }
}

pub(super) fn too_deep(mark: Mark, depth: usize) -> Fault {
    Fault {
        mark,
        code: codes::YAML_TOO_COMPLEX,
        message: format!("mappings and lists are nested more than {depth} levels deep here"),
        help: "no Kubernetes object is that deep: check the indentation and the brackets"
            .to_owned(),
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
