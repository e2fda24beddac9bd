//! The items of a list and the entries of a mapping, one after the other.

use std::slice::Iter;
use std::str::Split;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess};
use steelyard_model::suggest::nearest;

use super::Cursor;
use crate::read::problem::Error;
use crate::read::trail::Trail;
use crate::tree::{Entry, Node, Value};

/// The items of a list.
pub(super) struct Items<'t, 'de> {
    of: Cursor<'t, 'de>,
    items: Iter<'de, Node>,
    index: usize,
}

/// The entries of a mapping; of a struct only those it has, `fields`.
pub(super) struct Entries<'t, 'de> {
    of: Cursor<'t, 'de>,
    all: &'de [Entry],
    entries: Iter<'de, Entry>,
    fields: Option<&'static [&'static str]>,
    /// The one that is read, and its name as the type has it.
    current: Option<(&'de str, &'de Entry)>,
}

/// The items of a list that is written as one text, with commas between them.
pub(super) struct Words<'de>(Option<Split<'de, char>>);

impl<'de> Words<'de> {
    pub(super) fn of(text: &'de str) -> Self {
        Self((!text.trim().is_empty()).then(|| text.split(',')))
    }
}

impl<'de> SeqAccess<'de> for Words<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(word) = self.0.as_mut().and_then(Iterator::next) else { return Ok(None) };
        let word = seed.deserialize(BorrowedStrDeserializer::<Error>::new(word.trim()));
        // What is more than a word is not written so.
        word.map(Some).map_err(|_| Error::wants("a list"))
    }
}

impl<'t, 'de> Items<'t, 'de> {
    pub(super) fn new(of: Cursor<'t, 'de>, items: &'de [Node]) -> Self {
        Self { of, items: items.iter(), index: 0 }
    }
}

impl<'t, 'de> Entries<'t, 'de> {
    pub(super) fn new(
        of: Cursor<'t, 'de>,
        entries: &'de [Entry],
        fields: Option<&'static [&'static str]>,
    ) -> Self {
        Self { of, all: entries, entries: entries.iter(), fields, current: None }
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        for item in self.items.by_ref() {
            let trail = Trail::Index(self.of.trail, self.index);
            self.index += 1;
            if !self.of.session.is_set_aside(item) {
                return self.of.below(item, &trail, false, seed).map(Some);
            }
        }
        Ok(None)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

impl<'de> Entries<'_, 'de> {
    /// What the type calls this entry, if it takes it; says so where it does not know it.
    fn taken(&self, entry: &'de Entry) -> Option<&'de str> {
        let session = self.of.session;
        if session.is_set_aside(&entry.node) {
            return None;
        }
        let Some(fields) = self.fields else { return Some(&entry.key) };
        let is_folded = |it: &&str| session.is_of_traefik && it.eq_ignore_ascii_case(&entry.key);
        let own = fields.iter().copied().find(|it| **it == *entry.key);
        let own = own.or_else(|| fields.iter().copied().find(is_folded));
        if own.is_some() {
            // Of a name that stands there in two spellings the first is meant.
            if session.mends && own.is_some_and(|own| self.is_again(entry, own)) {
                return None;
            }
            let is_there = !matches!(entry.node.resolved().value, Value::Null);
            return own.filter(|_| is_there);
        }
        if session.mends {
            return self.meant(&entry.key, fields);
        }
        let always = self.of.trail.always();
        if session.strict && !always.contains(&&*entry.key) {
            let mut known: Vec<&'static str> = fields.to_vec();
            known.extend(always.iter().filter(|field| !fields.contains(field)));
            session.unknown_field(entry, self.of.trail, &known);
        }
        None
    }
}

impl Entries<'_, '_> {
    /// Whether an entry before this one is the same field.
    fn is_again(&self, entry: &Entry, own: &str) -> bool {
        let before = self.all.iter().take_while(|it| !std::ptr::eq(*it, entry));
        let is_it = |it: &Entry| it.key.eq_ignore_ascii_case(own);
        before.into_iter().any(|it| is_it(it) && !matches!(it.node.resolved().value, Value::Null))
    }

    /// The field that an unknown one is likely to be, unless that one is there too.
    fn meant(&self, key: &str, fields: &'static [&'static str]) -> Option<&'static str> {
        let meant = nearest(key, fields.iter().copied())?;
        let is_there = self.all.iter().any(|entry| entry.key.eq_ignore_ascii_case(meant));
        (!is_there).then_some(meant)
    }
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.current = loop {
            let Some(entry) = self.entries.next() else { break None };
            if let Some(name) = self.taken(entry) {
                break Some((name, entry));
            }
        };
        match self.current {
            Some((name, _)) => seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        let (_, entry) = self.current.take().expect("serde asks for a value after its key");
        let trail = Trail::Key(self.of.trail, &entry.key);
        self.of.below(&entry.node, &trail, self.fields.is_none(), seed)
    }
}
