//! Events of a cluster → changes by object.
//!
//! Only what differs goes on: an object that was sent again, be it by a list that begins anew, is
//! no change. What an API server does not say is not gone; it is gone when a list without it has
//! come to its end, or the API server said so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steelyard_model::ObjectRef;

use super::{ClusterEvent, ClusterObject, Verb, refusal};
use crate::front::{ObjectChanges, Teller};
use crate::key::Key;
use crate::origin::CLUSTER;
use crate::watched::Selection;
use crate::words::Words;
use crate::written::{Extract, Written};

/// The objects of a cluster as last heard; of each, what is extracted.
pub struct ClusterFront<T: Extract> {
    /// What has to be listed before anything can be decided, and was not yet.
    awaited: BTreeSet<Selection>,
    /// What was listed before, and is being listed again.
    renewed: BTreeSet<Selection>,
    known: BTreeMap<Key, Arc<T>>,
    /// What differs since it was last asked.
    changed: BTreeMap<Key, Option<Arc<T>>>,
    refused: BTreeMap<Selection, Verb>,
    /// Of which there is something else to say since it was last asked.
    said: BTreeSet<Selection>,
    words: Words,
    /// How objects are read.
    how: T::How,
}

impl<T: Extract> ClusterFront<T> {
    /// Of a cluster of which nothing is known, whose objects are read so; before `awaited` have
    /// been listed, what is there is not all there is.
    pub fn new(awaited: impl IntoIterator<Item = Selection>, how: T::How) -> Self {
        Self {
            awaited: awaited.into_iter().collect(),
            renewed: BTreeSet::new(),
            known: BTreeMap::new(),
            changed: BTreeMap::new(),
            refused: BTreeMap::new(),
            said: BTreeSet::new(),
            words: Words::default(),
            how,
        }
    }

    /// Whether all that has to be has been listed once.
    pub fn is_complete(&self) -> bool {
        self.awaited.is_empty()
    }

    /// What has to be listed yet.
    pub fn awaited(&self) -> impl Iterator<Item = &Selection> {
        self.awaited.iter()
    }

    /// Whether something is being listed again: of that, what is known may be of two times, part of
    /// it seen anew and part not yet.
    pub fn is_renewing(&self) -> bool {
        !self.renewed.is_empty()
    }

    /// Waits for one more.
    pub fn await_also(&mut self, watch: Selection) {
        self.awaited.insert(watch);
    }

    /// Whether there is anything to send on.
    pub fn has_news(&self) -> bool {
        !self.changed.is_empty() || !self.said.is_empty()
    }

    /// Takes note of what was heard. Each tree goes before the next object is extracted.
    pub fn hear(&mut self, events: impl IntoIterator<Item = ClusterEvent>) {
        for event in events {
            match event {
                ClusterEvent::Written(object) => self.write(*object),
                ClusterEvent::Gone { key, uid } => self.lose(&key, &uid),
                ClusterEvent::Anew(watch) => _ = self.renewed.insert(watch),
                ClusterEvent::Listed { watch, present } => {
                    self.lose_others(&watch, &present);
                    self.settle(&watch);
                }
                ClusterEvent::Absent(watch) | ClusterEvent::Unwatched(watch) => {
                    self.lose_others(&watch, &BTreeSet::new());
                    self.settle(&watch);
                }
                ClusterEvent::Refused { watch, verb } => {
                    self.renewed.remove(&watch);
                    if self.refused.insert(watch.clone(), verb) != Some(verb) {
                        self.said.insert(watch);
                    }
                }
            }
        }
    }

    /// What differs since the last time.
    pub fn changes(&mut self) -> ObjectChanges<T> {
        let told = std::mem::take(&mut self.said).into_iter().map(|watch| {
            let said = self.refused.get(&watch).map(|verb| refusal(&watch, *verb));
            (Teller::Selection(watch), said.into_iter().collect())
        });
        let broken = (!self.is_complete()).then(|| CLUSTER.clone());
        let changed = std::mem::take(&mut self.changed);
        if changed.len() * 2 > self.known.len() {
            // They came in order, one by one, which leaves hardly more than half of a map used.
            self.known = std::mem::take(&mut self.known).into_iter().collect();
        }
        ObjectChanges {
            told: told.collect(),
            objects: changed.into_iter().collect(),
            broken: broken.into_iter().collect(),
        }
    }

    fn settle(&mut self, watch: &Selection) {
        self.awaited.remove(watch);
        self.renewed.remove(watch);
        if self.refused.remove(watch).is_some() {
            self.said.insert(watch.clone());
        }
    }

    fn write(&mut self, sent: ClusterObject) {
        let mut object = sent.object;
        object.reference = self.words.named(object.reference);
        object.api_version = self.words.word(object.api_version);
        object.group = self.words.word(object.group);
        let written = Written::of(&object);
        let key = written.key.clone();
        let former = self.known.get(&key).filter(|former| former.written().is_like(&written));
        let extracted = match former {
            Some(former) if former.written().is_same_object(&written) => return,
            Some(former) => former.moved(&written),
            None => None,
        };
        let extracted = Arc::new(extracted.unwrap_or_else(|| T::of(&object, &self.how)));
        self.known.insert(key.clone(), extracted.clone());
        self.changed.insert(key, Some(extracted));
    }

    fn lose(&mut self, key: &Key, uid: &str) {
        let is_it = |it: &Arc<T>| it.written().origin().is_some_and(|origin| origin.uid() == uid);
        if self.known.get(key).is_some_and(is_it) {
            self.forget(key.clone());
        }
    }

    fn lose_others(&mut self, watch: &Selection, present: &BTreeSet<Key>) {
        let namespace = watch.reach.namespace.clone().unwrap_or_default();
        let name = watch.reach.name.clone().unwrap_or_default();
        let first = Key::first(Arc::new(ObjectRef::new(watch.kind.kind, namespace, name)));
        let of_kind = self.known.range(first..).map(|(key, _)| key);
        let of_kind = of_kind.take_while(|key| *key.reference.kind == *watch.kind.kind);
        let reached = of_kind.filter(|key| {
            *key.group == *watch.kind.group
                && watch.reach.holds(&key.reference.namespace, &key.reference.name)
        });
        let gone: Vec<Key> = reached.filter(|key| !present.contains(key)).cloned().collect();
        gone.into_iter().for_each(|key| self.forget(key));
    }

    fn forget(&mut self, key: Key) {
        self.known.remove(&key);
        self.changed.insert(key, None);
    }
}
