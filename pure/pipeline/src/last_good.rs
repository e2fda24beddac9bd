//! Last good versions: an edit with a mistake changes nothing but what is said about it.
//!
//! A version that asks for something that is not honoured is not a mistake in this sense: it is
//! taken at once, so that a restriction it adds closes its routes.
//!
//! Where no version is known that has no mistake, something that answers nobody stands in for what
//! has rules that can be read: what it names is not to be led elsewhere, where more may pass.
//!
//! A batch is derived with what is written; an object that the join refuses goes back to the
//! version that was in force before, and it is derived again. Within a batch none goes forth
//! again, so that ends. With the next batch what is written is tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steelyard_manifest::Key;
use steelyard_model::{Diagnostic, Location, ObjectRef, Severity};

use crate::codes;
use crate::joined::Joined;
use crate::objects::{LoweredObject, Objects};
use crate::tables::cell::Tag;

/// Which version of each object is in force: the one that is written, or else.
#[derive(Clone, Default)]
pub(crate) struct InForce {
    /// Older versions, where what is written has a mistake or cannot be seen.
    kept: BTreeMap<Key, Arc<LoweredObject>>,
    /// What the join said of versions that it refused, and in whose place an older one is.
    taken_back: BTreeMap<Key, Vec<Diagnostic>>,
    /// Objects that count for nothing: faulty, or refused, without an older version.
    unfit: BTreeSet<Key>,
    /// Those of them that the join refused.
    refused: BTreeSet<Key>,
    /// Pools that count, or not, since the last batch.
    unsettled: BTreeSet<Key>,
}

/// What becomes of objects: a new version, or (none) gone.
pub(crate) type Lowered = Vec<(Key, Option<Arc<LoweredObject>>)>;

/// Versions that were in force before a batch, without a mistake.
type Good = BTreeMap<Key, Option<Arc<LoweredObject>>>;

impl InForce {
    /// Takes a batch in and derives what hangs on it. The objects of which another version may be
    /// in force, or for another reason.
    pub(crate) fn take(
        &mut self,
        objects: &mut Objects,
        lowered: Lowered,
        broken: &BTreeSet<Arc<str>>,
        joined: &mut Joined,
    ) -> BTreeSet<Key> {
        let mut concerned: BTreeSet<Key> = lowered.iter().map(|(key, _)| key.clone()).collect();
        concerned.extend(self.taken_back.keys().cloned());
        let unseen = self.kept.keys().filter(|key| objects.get(key).is_none());
        concerned.extend(unseen.cloned());
        let good = |key: &Key| self.good(key, objects).cloned();
        let good: Good = concerned.iter().map(|key| (key.clone(), good(key))).collect();
        let before = concerned.iter().map(|key| (key.clone(), self.chosen(key, objects).cloned()));
        let before: Good = before.collect();
        self.taken_back.clear();
        objects.change(lowered);
        for key in std::mem::take(&mut self.unsettled) {
            if !concerned.contains(&key) {
                self.put(&key, objects, !self.unfit.contains(&key), joined);
            }
        }
        for (key, good) in &good {
            self.choose(key, good.as_ref(), objects, broken);
            let chosen = self.chosen(key, objects);
            let is_same = chosen.zip(good.as_ref()).is_some_and(|(a, b)| a.is_like(b));
            let name = chosen.and_then(|it| it.name());
            if let Some(former) = before[key].as_ref().and_then(|it| it.name())
                && name.as_ref() != Some(&former)
            {
                joined.set(&former, None, false);
            }
            self.put(key, objects, is_same, joined);
        }
        joined.run();
        while self.take_back(&good, objects, joined) {
            joined.run();
        }
        self.remember(&concerned, objects, joined);
        concerned
    }

    /// The version in force, or faulty without another one.
    fn chosen<'a>(&'a self, key: &Key, objects: &'a Objects) -> Option<&'a Arc<LoweredObject>> {
        self.kept.get(key).or_else(|| objects.get(key))
    }

    /// The version in force, if it counts.
    fn good<'a>(&'a self, key: &Key, objects: &'a Objects) -> Option<&'a Arc<LoweredObject>> {
        self.chosen(key, objects).filter(|_| !self.unfit.contains(key))
    }

    /// Chooses what is written, or where it has a mistake or cannot be seen what is good.
    fn choose(
        &mut self,
        key: &Key,
        good: Option<&Arc<LoweredObject>>,
        objects: &Objects,
        broken: &BTreeSet<Arc<str>>,
    ) {
        let kept = good.filter(|good| match objects.get(key) {
            Some(written) => written.is_faulty(),
            None => broken.contains(good.written.file()),
        });
        match kept {
            Some(good) => _ = self.kept.insert(key.clone(), good.clone()),
            None => _ = self.kept.remove(key),
        }
    }

    fn put(&self, key: &Key, objects: &Objects, is_established: bool, joined: &mut Joined) {
        let Some(chosen) = self.chosen(key, objects) else { return };
        if let Some(name) = chosen.name() {
            let is_established = is_established && name.0 == Tag::Pool;
            joined.set(&name, Some(chosen.counting().clone()), is_established);
        }
    }

    /// Puts back the last good version of objects that the join refused as a whole. Whether there
    /// were any.
    fn take_back(&mut self, good: &Good, objects: &Objects, joined: &mut Joined) -> bool {
        let mut refused: BTreeMap<Key, Vec<Diagnostic>> = BTreeMap::new();
        for found in joined.refusals() {
            let Some(key) = self.key_of(found, objects) else { continue };
            refused.entry(key).or_default().push(found.clone());
        }
        let mut any = false;
        for (key, said) in refused {
            let Some(Some(good)) = good.get(&key) else { continue };
            let is_held = self.chosen(&key, objects).is_some_and(|now| now.is_like(good));
            if is_held || self.taken_back.contains_key(&key) {
                continue;
            }
            any = true;
            self.kept.insert(key.clone(), good.clone());
            self.put(&key, objects, true, joined);
            // What is derived then does not see the mistake any more.
            self.taken_back.insert(key, said);
        }
        any
    }

    /// Takes note of what counts for nothing.
    fn remember(&mut self, concerned: &BTreeSet<Key>, objects: &Objects, joined: &Joined) {
        let refused: BTreeSet<Key> =
            joined.refusals().filter_map(|found| self.key_of(found, objects)).collect();
        let before = std::mem::replace(&mut self.refused, refused);
        let differing = self.refused.symmetric_difference(&before);
        let touched: BTreeSet<Key> = concerned.iter().chain(differing).cloned().collect();
        for key in touched {
            let chosen = self.chosen(&key, objects);
            let is_faulty = chosen.is_some_and(|it| it.is_faulty());
            if is_faulty || chosen.is_some() && self.refused.contains(&key) {
                self.unfit.insert(key.clone());
            } else {
                self.unfit.remove(&key);
            }
            if &*key.reference.kind == "IPAddressPool" {
                self.unsettled.insert(key);
            }
        }
    }

    /// The object that a finding is about.
    fn key_of(&self, found: &Diagnostic, objects: &Objects) -> Option<Key> {
        let object = found.object.as_ref()?;
        let written = objects.named(object).next().map(|(key, _)| key);
        let unseen = || self.kept.keys().find(|key| *key.reference == *object);
        written.or_else(unseen).cloned()
    }

    /// Why an older version of an object is in force; nothing where none is.
    pub(crate) fn why_kept(&self, key: &Key, objects: &Objects) -> Vec<Diagnostic> {
        let Some(good) = self.kept.get(key) else {
            let written = objects.get(key).filter(|it| it.is_stood_in_for());
            return written.map(|it| closed(&it.written.key.reference)).into_iter().collect();
        };
        let mut said = self.taken_back.get(key).cloned().unwrap_or_default();
        said.push(kept(
            &good.written.key.reference,
            good.written.file(),
            objects.get(key).is_some(),
        ));
        said
    }
}

fn closed(reference: &ObjectRef) -> Diagnostic {
    let so = match &*reference.kind {
        "TLSOption" | "tls-options" => "no handshake is held by it",
        _ => "what its rules name is answered 503, and led nowhere else",
    };
    let message =
        format!("{reference} has a mistake, and no version of it without one is known: {so}");
    let help = "mend what is said about it; it is served as soon as it is right";
    Diagnostic::new(Severity::Warning, codes::CLOSED_UNTIL_MENDED, reference, "", message, help)
}

fn kept(reference: &ObjectRef, file: &Arc<str>, is_there: bool) -> Diagnostic {
    let what = if is_there { "it has a mistake" } else { "its file has a mistake" };
    let mut found = Diagnostic::new(
        Severity::Warning,
        codes::LAST_GOOD_KEPT,
        reference,
        "",
        format!("{what}, so the version of {reference} before this edit stays in force"),
        "mend what is said about it; the new version is taken as soon as it is right",
    );
    if !is_there {
        found.location = Some(Location { file: file.clone(), line: 1, column: 1, width: 0 });
    }
    found
}
