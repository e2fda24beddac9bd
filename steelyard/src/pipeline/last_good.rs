//! Last good versions: an edit with a mistake changes nothing but what is said about it.
//!
//! A version that asks for something that is not honoured is not a mistake in this sense: it is
//! taken at once, so that a restriction it adds closes its routes.

use std::collections::BTreeSet;
use std::sync::Arc;

use steelyard_model::{Diagnostic, Item, Location, NamespacedName, ObjectRef, Severity};

use steelyard_plan::Absent;
use steelyard_plan::resolve::codes as codes_of_join;

use super::joined::Changes;
use super::objects::{Key, LoweredObject, Objects};
use crate::codes;

/// The objects as they are written now.
pub(super) struct Current {
    pub(super) objects: Objects,
    /// Files that could not be read to their end: what is missing in them is not gone.
    pub(super) broken: Vec<Arc<str>>,
}

/// For each object the version that counts.
pub(super) struct Chosen {
    objects: Objects,
    /// What to say about versions that were not taken.
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// The version of each object that was last in force without a mistake.
#[derive(Default)]
pub(super) struct LastGood(Objects);

impl Current {
    /// Services whose objects cannot be used; all, when a file could not be read to its end.
    pub(super) fn absent(&self) -> Absent {
        if !self.broken.is_empty() {
            return Absent::KeepAll;
        }
        let services = self.objects.of_kind("Service").filter(|(_, lowered)| lowered.is_faulty());
        Absent::Keep(services.map(|(key, _)| key.reference.id()).collect())
    }
}

impl LastGood {
    /// Picks the new version of each object, or its last good one where the new has a mistake.
    pub(super) fn choose(&self, current: &Current) -> Chosen {
        let mut chosen = Chosen { objects: current.objects.clone(), diagnostics: Vec::new() };
        for (key, good) in self.0.iter() {
            match current.objects.get(key) {
                Some(now) if now.is_faulty() => chosen.keep(good),
                None if current.broken.contains(&good.object.file) => chosen.keep(good),
                _ => {}
            }
        }
        chosen
    }

    /// Pools that stay as they are: what is new has to give way to them.
    pub(super) fn unchanged_pools(&self, chosen: &Chosen) -> BTreeSet<NamespacedName> {
        let same = |(key, good): &(&Key, &Arc<LoweredObject>)| {
            chosen.objects.get(key).is_some_and(|now| now.items == good.items)
        };
        let pools = self.0.of_kind("IPAddressPool").filter(same);
        let items = pools.flat_map(|(_, good)| &good.items);
        let pools = items.filter_map(|item| match &**item {
            Item::Pool(pool) => Some(pool.id.clone()),
            _ => None,
        });
        pools.collect()
    }

    fn of(&self, object: &ObjectRef) -> Option<&Arc<LoweredObject>> {
        self.0.named(object).next().map(|(_, good)| good)
    }

    /// Takes in an edit without mistakes.
    pub(super) fn change(&mut self, changes: Changes) {
        self.0.change(changes);
    }
}

impl Chosen {
    pub(super) fn items(&self) -> impl Iterator<Item = Arc<Item>> {
        self.objects.values().flat_map(|lowered| lowered.items.iter().cloned())
    }

    /// Puts back the last good version of objects that the join refused as a whole. Whether there
    /// were any.
    pub(super) fn take_back(&mut self, last: &LastGood, joined: &[Diagnostic]) -> bool {
        let refused: Vec<(&Diagnostic, Arc<LoweredObject>)> = joined
            .iter()
            .filter(|diagnostic| refuses_object(diagnostic))
            .filter_map(|diagnostic| Some((diagnostic, last.of(diagnostic.object.as_ref()?)?)))
            .filter(|(_, good)| !self.holds(good))
            .map(|(diagnostic, good)| (diagnostic, good.clone()))
            .collect();
        for (diagnostic, good) in &refused {
            // The join that follows does not see the mistake any more.
            self.diagnostics.push((*diagnostic).clone());
            if !self.holds(good) {
                self.keep(good);
            }
        }
        !refused.is_empty()
    }

    /// What is good now, for the next change: objects that are not there any more are forgotten.
    pub(super) fn remember(self, joined: &[Diagnostic]) -> LastGood {
        let refused: Vec<&ObjectRef> = joined
            .iter()
            .filter(|diagnostic| refuses_object(diagnostic))
            .filter_map(|diagnostic| diagnostic.object.as_ref())
            .collect();
        let unfit = self
            .objects
            .iter()
            .filter(|(key, lowered)| lowered.is_faulty() || refused.contains(&&*key.reference));
        let unfit: Changes = unfit.map(|(key, _)| (key.clone(), None)).collect();
        let mut good = self.objects;
        good.change(unfit);
        LastGood(good)
    }

    fn holds(&self, good: &Arc<LoweredObject>) -> bool {
        let now = self.objects.get(&Key::of(&good.object));
        now.is_some_and(|now| Arc::ptr_eq(now, good))
    }

    fn keep(&mut self, good: &Arc<LoweredObject>) {
        let reference = &good.object.reference;
        let key = Key::of(&good.object);
        let is_there = self.objects.get(&key).is_some();
        let what = if is_there { "it has a mistake" } else { "its file has a mistake" };
        let mut diagnostic = Diagnostic::new(
            Severity::Warning,
            codes::LAST_GOOD_KEPT,
            reference,
            "",
            format!("{what}, so the version of {reference} before this edit stays in force"),
            "mend what is said about it; the new version is taken as soon as it is right",
        );
        if !is_there {
            diagnostic.location =
                Some(Location { file: good.object.file.clone(), line: 1, column: 1 });
        }
        self.diagnostics.push(diagnostic);
        self.objects.change([(key, Some(good.clone()))]);
    }
}

/// Findings of the join after which an object does not count at all.
pub(super) fn refuses_object(diagnostic: &Diagnostic) -> bool {
    diagnostic.is_error() && codes_of_join::REFUSE_OBJECT.contains(&diagnostic.code)
}
