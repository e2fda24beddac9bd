//! The hosts of one ladder.

use std::sync::Arc;

use crate::candidate::Candidate;
use crate::names::Names;
use crate::necessary::{HostKey, Place};
use crate::shards::{Shards, Turn};
use crate::table::paths::Paths;
use crate::table::slot::Slot;
use steelyard_model::routing::subject::Subject;

/// Most labels before a wildcard's suffix that are recognised as too many.
const MAX_LABELS: usize = 8;

/// The routes of one ladder by the host that they need.
#[derive(Debug)]
pub(crate) struct Hosts<T> {
    exact: Shards<Paths<T>>,
    suffixes: Shards<Paths<T>>,
    any: Arc<Paths<T>>,
    /// No suffix has more labels; a bound, which removals leave as it is.
    deepest: usize,
    /// Those of `exact`.
    names: Names,
}

impl<T: Candidate> Hosts<T> {
    pub(crate) fn insert(&mut self, place: &Place, one: &Arc<T>) {
        if let HostKey::Suffix(suffix) = &place.host {
            self.deepest = self.deepest.max(labels(suffix));
        }
        self.change(&place.host, |paths| paths.insert(&place.path, one, place.left));
    }

    pub(crate) fn remove(&mut self, place: &Place, one: &T) {
        self.change(&place.host, |paths| paths.remove(&place.path, one));
    }

    fn change(&mut self, host: &HostKey, change: impl FnOnce(&mut Paths<T>)) {
        match host {
            HostKey::Any => change(Arc::make_mut(&mut self.any)),
            HostKey::Suffix(suffix) => _ = self.suffixes.change(suffix, change),
            HostKey::Exact(name) => match self.exact.change(name, change) {
                Turn::Came => self.names.insert(name),
                Turn::Stayed => {}
                Turn::Went => self.names.remove(name),
            },
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
        if !self.suffixes.is_empty() {
            self.visit_suffixes(host, subject, see);
        }
        self.any.visit(subject, see);
    }

    /// Shows some places of routes for `host`, or nearly, whatever their paths: a number that does
    /// not grow.
    pub(crate) fn sample<'t>(&'t self, host: &str, see: &mut impl FnMut(&'t Slot<T>)) {
        self.sample_own(host, see);
        if !self.suffixes.is_empty() {
            let suffixes = std::iter::successors(Some(host), |host| Some(host.split_once('.')?.1));
            for suffix in suffixes.skip(1).take(MAX_LABELS) {
                self.suffixes.get(suffix).into_iter().for_each(|paths| paths.sample(see));
            }
        }
        self.any.sample(see);
    }

    /// The same of the host's own routes alone.
    pub(crate) fn sample_own<'t>(&'t self, host: &str, see: &mut impl FnMut(&'t Slot<T>)) {
        self.exact.get(host).into_iter().for_each(|paths| paths.sample(see));
    }

    /// Hosts with routes of their own whose names may be meant by `host`: a constant number.
    pub(crate) fn similar(&self, host: &str) -> Vec<&str> {
        self.names.around(host)
    }

    fn visit_suffixes<'t>(
        &'t self,
        host: &str,
        subject: &impl Subject,
        see: &mut impl FnMut(&'t Slot<T>),
    ) {
        for dot in memchr::memrchr_iter(b'.', host.as_bytes()).take(self.deepest) {
            if let Some(paths) = self.suffixes.get(&host[dot + 1..]) {
                paths.visit(subject, see);
            }
        }
    }
}

fn labels(suffix: &str) -> usize {
    memchr::memchr_iter(b'.', suffix.as_bytes()).count() + 1
}

impl<T> Default for Hosts<T> {
    fn default() -> Self {
        let (exact, suffixes) = (Shards::default(), Shards::default());
        Self { exact, suffixes, any: Arc::default(), deepest: 0, names: Names::default() }
    }
}

impl<T> Clone for Hosts<T> {
    fn clone(&self) -> Self {
        Self {
            exact: self.exact.clone(),
            suffixes: self.suffixes.clone(),
            any: self.any.clone(),
            deepest: self.deepest,
            names: self.names.clone(),
        }
    }
}
