//! All that is said of objects, each where it is written.
//!
//! Who says something may say something else later; and what is said of an object moves with it.
//! Neither derives anything again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steelyard_manifest::{Key, Teller};
use steelyard_model::{Diagnostic, Diagnostics, ObjectRef};

use crate::objects::{Finder, Objects};
use crate::tables::cell::Cell;

/// Who says something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Voice {
    /// Whoever sent objects.
    Source(Teller),
    /// Lowering, of an object.
    Object(Key),
    /// Why an older version of an object is in force.
    Kept(Key),
    /// The derivation of a cell.
    Cell(Cell),
}

/// What each says.
#[derive(Clone, Default)]
pub(crate) struct Told {
    said: BTreeMap<Voice, Vec<Said>>,
    /// Who says something of an object that has to be placed.
    about: BTreeMap<ObjectRef, BTreeSet<Voice>>,
    /// Findings that are said more than once, and how often besides.
    again: BTreeMap<Arc<Diagnostic>, usize>,
    /// All findings, each once.
    pub(crate) all: Diagnostics,
}

/// A finding, placed.
#[derive(Clone)]
struct Said {
    found: Arc<Diagnostic>,
    /// Whether its place is where its object is.
    is_placed: bool,
}

impl Told {
    /// Lets `voices` say this in the place of what they said before.
    pub(crate) fn say(&mut self, voices: Vec<(Voice, Vec<Diagnostic>)>, objects: &Objects) {
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        let mut finder = objects.finder();
        for (voice, findings) in voices {
            let before = self.said.remove(&voice).unwrap_or_default();
            self.forget(&voice, &before);
            gone.extend(before.into_iter().map(|said| said.found));
            if findings.is_empty() {
                continue;
            }
            let said: Vec<Said> =
                findings.into_iter().map(|found| Said::new(found, &mut finder)).collect();
            come.extend(said.iter().map(|said| said.found.clone()));
            let placed = said.iter().filter(|said| said.is_placed);
            for object in placed.filter_map(|said| said.found.object.as_ref()) {
                self.about.entry(object.clone()).or_default().insert(voice.clone());
            }
            self.said.insert(voice, said);
        }
        self.replace(gone, come);
    }

    /// Places what is said of objects that are somewhere else now.
    pub(crate) fn place_again<'a>(
        &mut self,
        moved: impl Iterator<Item = &'a ObjectRef>,
        objects: &Objects,
    ) {
        let about = moved.filter_map(|object| self.about.get(object));
        let voices: BTreeSet<Voice> = about.flatten().cloned().collect();
        let unplaced = |said: &Said| {
            let location = said.found.location.clone().filter(|_| !said.is_placed);
            Diagnostic { location, ..Diagnostic::clone(&said.found) }
        };
        let again = voices.into_iter().map(|voice| {
            let said = self.said[&voice].iter().map(unplaced).collect();
            (voice, said)
        });
        self.say(again.collect(), objects);
    }

    /// Lets cells say nothing.
    pub(crate) fn silence_cells(&mut self, objects: &Objects) {
        let cells = self.said.keys().filter(|voice| matches!(voice, Voice::Cell(_)));
        let silent = cells.map(|cell| (cell.clone(), Vec::new())).collect();
        self.say(silent, objects);
    }

    fn forget(&mut self, voice: &Voice, said: &[Said]) {
        for object in said.iter().filter_map(|said| said.found.object.as_ref()) {
            if let Some(voices) = self.about.get_mut(object) {
                voices.remove(voice);
                if voices.is_empty() {
                    self.about.remove(object);
                }
            }
        }
    }

    fn replace(&mut self, gone: Vec<Arc<Diagnostic>>, come: Vec<Arc<Diagnostic>>) {
        let mut differs: BTreeMap<Arc<Diagnostic>, isize> = BTreeMap::new();
        come.into_iter().for_each(|found| *differs.entry(found).or_default() += 1);
        gone.into_iter().for_each(|found| *differs.entry(found).or_default() -= 1);
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        for (found, change) in differs {
            let is_there = self.all.contains(&found);
            let besides = self.again.remove(&found).unwrap_or(0);
            let before = usize::from(is_there) + besides;
            let now = before.checked_add_signed(change).expect("what goes was there");
            if now > 1 {
                self.again.insert(found.clone(), now - 1);
            }
            match (is_there, now > 0) {
                (true, false) => gone.push(found),
                (false, true) => come.push(found),
                _ => {}
            }
        }
        self.all.change(gone, come);
    }
}

impl Said {
    fn new(mut found: Diagnostic, finder: &mut Finder<'_>) -> Self {
        let is_placed = found.location.is_none();
        if is_placed {
            found.location = finder.place(&found);
        }
        Self { found: Arc::new(found), is_placed }
    }
}

#[cfg(test)]
mod tests {
    use steelyard_model::Severity;

    use super::*;

    #[test]
    fn a_finding_that_two_say_is_there_until_neither_does() {
        let object = ObjectRef::new("Service", "default", "a");
        let code = crate::codes::POOL_OVERLAP;
        let found = Diagnostic::new(Severity::Error, code, &object, "", "message", "help");
        let voice = |name: &str| Voice::Source(Teller::File(name.into()));
        let mut told = Told::default();
        let objects = Objects::default();
        let mut say = |name: &str, said: &[&Diagnostic]| {
            let said = said.iter().copied().cloned().collect();
            told.say(vec![(voice(name), said)], &objects);
            told.all.len()
        };
        assert_eq!(say("a", &[&found, &found]), 1);
        assert_eq!(say("b", &[&found]), 1);
        assert_eq!(say("a", &[&found]), 1);
        assert_eq!(say("a", &[]), 1);
        assert_eq!(say("b", &[]), 0);
        assert!(told.again.is_empty() && told.about.is_empty() && told.said.is_empty());
    }
}
