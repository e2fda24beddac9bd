//! The hosts of one ladder.
//!
//! Hosts lie in shards, so that a change copies one shard and not the whole table.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use crate::candidate::Candidate;
use crate::necessary::{HostKey, PathKey};
use crate::table::paths::{Map, Paths};
use crate::table::slot::Slot;
use steelyard_model::routing::subject::Subject;

/// How many shards a map of hosts has once it has any.
const SHARDS: usize = 256;

/// The routes of one ladder by the host that they need.
#[derive(Debug)]
pub(crate) struct Hosts<T> {
    exact: Shards<T>,
    suffixes: Shards<T>,
    any: Arc<Paths<T>>,
    /// No suffix has more labels; a bound, which removals leave as it is.
    deepest: usize,
}

/// Names, spread over maps of which a change copies one.
#[derive(Debug)]
struct Shards<T> {
    shards: Vec<Arc<Map<Arc<Paths<T>>>>>,
    len: usize,
}

impl<T: Candidate> Hosts<T> {
    pub(crate) fn insert(&mut self, host: &HostKey, path: &PathKey, one: &Arc<T>) {
        match host {
            HostKey::Any => Arc::make_mut(&mut self.any).insert(path, one),
            HostKey::Exact(name) => self.exact.change(name, |paths| paths.insert(path, one)),
            HostKey::Suffix(suffix) => {
                self.deepest = self.deepest.max(labels(suffix));
                self.suffixes.change(suffix, |paths| paths.insert(path, one));
            }
        }
    }

    pub(crate) fn remove(&mut self, host: &HostKey, path: &PathKey, one: &T) {
        match host {
            HostKey::Any => Arc::make_mut(&mut self.any).remove(path, one),
            HostKey::Exact(name) => self.exact.change(name, |paths| paths.remove(path, one)),
            HostKey::Suffix(suffix) => {
                self.suffixes.change(suffix, |paths| paths.remove(path, one));
            }
        }
    }

    /// Shows each place at which a route for `host` and the path of `subject` may stand.
    pub(crate) fn visit<'t>(
        &'t self,
        host: &str,
        subject: &impl Subject,
        see: &mut impl FnMut(&'t Slot<T>),
    ) {
        if let Some(paths) = self.exact.get(host) {
            paths.visit(subject, see);
        }
        if self.suffixes.len > 0 {
            self.visit_suffixes(host, subject, see);
        }
        self.any.visit(subject, see);
    }

    fn visit_suffixes<'t>(
        &'t self,
        host: &str,
        subject: &impl Subject,
        see: &mut impl FnMut(&'t Slot<T>),
    ) {
        let dots = memchr::memrchr_iter(b'.', host.as_bytes()).take(self.deepest);
        for dot in dots.filter(|dot| *dot > 0) {
            if let Some(paths) = self.suffixes.get(&host[dot + 1..]) {
                paths.visit(subject, see);
            }
        }
    }
}

impl<T: Candidate> Shards<T> {
    fn get(&self, name: &str) -> Option<&Paths<T>> {
        if self.len == 0 {
            return None;
        }
        self.shards[shard_of(name)].get(name).map(|paths| &**paths)
    }

    /// Changes the paths of `name`, which come and go with their last candidate.
    fn change(&mut self, name: &Arc<str>, change: impl FnOnce(&mut Paths<T>)) {
        if self.shards.is_empty() {
            self.shards = vec![Arc::default(); SHARDS];
        }
        let shard = Arc::make_mut(&mut self.shards[shard_of(name)]);
        let before = shard.len();
        let paths = shard.entry(name.clone()).or_default();
        let paths = Arc::make_mut(paths);
        change(paths);
        if paths.is_empty() {
            shard.remove(name);
        }
        self.len = self.len + shard.len() - before;
    }
}

fn labels(suffix: &str) -> usize {
    memchr::memchr_iter(b'.', suffix.as_bytes()).count() + 1
}

fn shard_of(name: &str) -> usize {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(name);
    // Not the low bits, by which the maps spread.
    usize::from(hash.to_be_bytes()[2])
}

impl<T> Default for Hosts<T> {
    fn default() -> Self {
        let (exact, suffixes) = (Shards::default(), Shards::default());
        Self { exact, suffixes, any: Arc::default(), deepest: 0 }
    }
}

impl<T> Clone for Hosts<T> {
    fn clone(&self) -> Self {
        Self {
            exact: self.exact.clone(),
            suffixes: self.suffixes.clone(),
            any: self.any.clone(),
            deepest: self.deepest,
        }
    }
}

impl<T> Default for Shards<T> {
    fn default() -> Self {
        Self { shards: Vec::new(), len: 0 }
    }
}

impl<T> Clone for Shards<T> {
    fn clone(&self) -> Self {
        Self { shards: self.shards.clone(), len: self.len }
    }
}
