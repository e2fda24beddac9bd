//! Files as a source of changes by object.
//!
//! What is between files and objects is decided here, and nobody after it knows of files but as
//! places: their order, objects of one name (the first counts), files that cannot be read to their
//! end, and what cannot be seen, which is not gone ([`doubt`]). It does not judge what an object
//! means.

mod changes;
mod doubt;
mod files;
mod in_place;
mod owed;
mod start;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use steelyard_model::Sorted;

use crate::build::Builds;
use crate::dynamic::DynamicPlaces;
use crate::key::Key;
use crate::place::duplicate;
use crate::sight::Sight;
use crate::source::Source;
use crate::written::Extract;
pub use changes::{ObjectChanges, Teller};
pub use doubt::Awaited;
use doubt::Doubt;
use files::{Edit, File, Reading};
use start::Start;

/// The files as they stand, and where each object is; of each, what is extracted.
pub struct Front<T: Extract> {
    /// Folders of which other tools make objects.
    builds: Builds,
    reading: Reading<T>,
    doubt: Doubt,
    files: Vec<File<T>>,
    /// Each object with each file that it is in.
    places: Sorted<(Key, Arc<str>), ()>,
    /// Names that are there more than once.
    repeated: BTreeSet<Key>,
    /// Files that could not be read to their end.
    broken: BTreeSet<Arc<str>>,
    start: Start,
}

impl<T: Extract> Default for Front<T> {
    fn default() -> Self {
        Self {
            builds: Builds::default(),
            reading: Reading::default(),
            doubt: Doubt::default(),
            files: Vec::new(),
            places: Sorted::default(),
            repeated: BTreeSet::new(),
            broken: BTreeSet::new(),
            start: Start::default(),
        }
    }
}

impl<T: Extract> Front<T> {
    /// Of files whose objects are read so.
    pub fn reading(how: T::How) -> Self {
        let mut front = Self::default();
        front.reading.how = how;
        front
    }

    /// Some of the files are Traefik's dynamic configuration: before any is taken in.
    #[must_use]
    pub fn with_dynamic(mut self, places: DynamicPlaces) -> Self {
        self.reading.dynamic = places;
        self
    }

    /// There must be manifests somewhere: before the first one is seen, that there is none is not
    /// taken as an answer.
    pub fn expect_manifests(&mut self) {
        self.doubt.expects = true;
    }

    /// Takes in what stands after a look at `now`: what could not be seen is not gone, and a loss
    /// is believed when it has stood for a moment. Also the losses that are not believed yet.
    pub fn follow(&mut self, sight: &Sight, now: Instant) -> (ObjectChanges<T>, Awaited) {
        self.start.is_followed = true;
        if let Some(edit) = self.edit_in_place(sight) {
            return (self.take(&edit), Awaited::default());
        }
        let settled = self.doubt.settle(sight, &self.files, &mut self.reading, now);
        (self.update(&settled.sources), settled.awaited)
    }

    /// Takes `sources` as the complete set of files, reading only what changed.
    pub fn update(&mut self, sources: &[Source]) -> ObjectChanges<T> {
        let sources = self.builds.without_material(sources, &self.reading.limits);
        let edit = self.reading.update(&mut self.files, &sources);
        self.take(&edit)
    }

    /// What comes of it for objects.
    fn take(&mut self, edit: &Edit<T>) -> ObjectChanges<T> {
        let mut changes = ObjectChanges::default();
        let mut concerned = BTreeSet::new();
        let gone = edit.gone.iter().flat_map(|file| places(file, None));
        let come = edit.come.iter().flat_map(|file| places(file, Some(())));
        self.places.change(gone.chain(come));
        for file in &edit.gone {
            self.leave(file, &mut concerned);
            changes.told.insert(Teller::File(file.source().name.clone()), Vec::new());
        }
        for file in &edit.come {
            self.enter(file, &mut concerned);
            let (teller, mut told) = (Teller::File(file.source().name.clone()), file.told());
            told.extend(self.start.never_read(file));
            changes.told.insert(teller, told);
        }
        if self.start.has_left(edit) {
            for file in self.files.iter().filter(|file| file.content.is_unread()) {
                let mut told = file.told();
                told.extend(self.start.inherited(file));
                changes.told.insert(Teller::File(file.source().name.clone()), told);
            }
        }
        self.start.goes_on(&self.broken, self.files.is_empty());
        if edit.is_reordered {
            concerned.extend(self.repeated.iter().cloned());
        }
        let new: BTreeMap<&str, &File<T>> =
            edit.come.iter().map(|file| (&*file.source().name, file)).collect();
        let mut order = None;
        for key in concerned {
            let holders = self.holders(&key, &new, &mut order);
            let mut objects = holders.iter().flat_map(|file| file.content.named(&key));
            let first = objects.next().cloned();
            let others = objects.map(|other| {
                let first: &Arc<T> = first.as_ref().expect("there is one before the others");
                duplicate(first.written(), other.written())
            });
            let said: Vec<_> = others.collect();
            let was_repeated = match said.is_empty() {
                true => self.repeated.remove(&key),
                false => !self.repeated.insert(key.clone()),
            };
            if was_repeated || !said.is_empty() {
                changes.told.insert(Teller::Name(key.clone()), said);
            }
            changes.objects.push((key, first));
        }
        changes.broken.clone_from(&self.broken);
        changes
    }

    fn leave(&mut self, file: &File<T>, concerned: &mut BTreeSet<Key>) {
        self.broken.remove(&file.source().name);
        concerned.extend(file.content.keys().cloned());
    }

    fn enter(&mut self, file: &File<T>, concerned: &mut BTreeSet<Key>) {
        if file.content.is_broken {
            self.broken.insert(file.source().name.clone());
        }
        concerned.extend(file.content.keys().cloned());
    }

    /// The files that a name is in, in their order, which is looked at only where it counts.
    fn holders(
        &self,
        key: &Key,
        new: &BTreeMap<&str, &File<T>>,
        order: &mut Option<BTreeMap<Arc<str>, usize>>,
    ) -> Vec<File<T>> {
        let first = (key.clone(), Arc::from(""));
        let places = self.places.starting_at(&first).map(|(place, ())| place);
        let places = places.take_while(|(other, _)| other == key);
        let names: Vec<&Arc<str>> = places.map(|(_, file)| file).collect();
        if let [only] = *names
            && let Some(file) = new.get(&**only)
        {
            return vec![File::clone(file)];
        }
        if names.is_empty() {
            return Vec::new();
        }
        let order = order.get_or_insert_with(|| {
            let files = self.files.iter().enumerate();
            files.map(|(place, file)| (file.source().name.clone(), place)).collect()
        });
        let mut places: Vec<usize> = names.iter().map(|name| order[*name]).collect();
        places.sort_unstable();
        places.into_iter().map(|place| self.files[place].clone()).collect()
    }
}

/// What becomes of the places of a file's objects.
fn places<T: Extract>(
    file: &File<T>,
    to: Option<()>,
) -> impl Iterator<Item = ((Key, Arc<str>), Option<()>)> {
    file.content.keys().map(move |key| ((key.clone(), file.source().name.clone()), to))
}
