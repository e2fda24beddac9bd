//! A look at a few files: those that the kernel named.
//!
//! It comes to what a look at everything would come to, or to nothing: where a sign may concern
//! more than the file it names (a folder, a link, a given path), or where files hang on each other
//! (something cannot be seen or read, or there is no room), everything has to be looked at.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use steelyard_manifest::{Sight, Source};

use crate::shelf::{MAX_TOTAL, Shelf};
use crate::version::{Stamp, Version};
use crate::walk::{MAX_FILES, is_hidden, is_manifest, shown};

/// What there is now in a place that the kernel named.
enum Now {
    File(Stamp),
    Nothing,
}

impl Shelf {
    /// What is seen after the files `named` may have changed, and nothing else. None when all of it
    /// is to be looked at.
    pub(crate) fn glance(&mut self, named: &BTreeSet<PathBuf>) -> Option<Sight> {
        self.attention.begin();
        let is_seen = self.scene.is_whole() && named.iter().all(|path| self.heed(path).is_some());
        self.attention.rest();
        is_seen.then(|| self.scene.sight.clone())
    }

    fn heed(&mut self, path: &Path) -> Option<()> {
        self.attention.turn_to(&shown(path));
        let now = now(path)?;
        if self.scene.tied.contains(path) {
            return None;
        }
        let place = self.files.get(path).map(|kept| kept.place);
        match (place, now) {
            (Some(place), Now::File(stamp)) => self.change(place, path, stamp),
            _ if self.scene.is_crooked || self.scene.turns.contains(path) => None,
            (Some(place), Now::Nothing) => self.leave(place, path),
            (None, Now::File(stamp)) if is_manifest(path) => self.come(path, stamp),
            (None, _) => Some(()),
        }
    }

    /// A file that is known may have something else in it.
    fn change(&mut self, place: usize, path: &Path, stamp: Stamp) -> Option<()> {
        let version = self.read_one(path, stamp)?;
        Arc::make_mut(&mut self.scene.sight.sources)[place].text = version.text.clone();
        self.keep(path, place, version);
        Some(())
    }

    /// A file comes to a folder that has some: of one without any, more is to be asked.
    fn come(&mut self, path: &Path, stamp: Stamp) -> Option<()> {
        let (real, name) = self.scene.top.as_ref()?;
        let Ok(below) = path.strip_prefix(real) else { return Some(()) };
        if is_hidden(path.file_name()?) {
            return Some(());
        }
        let name: Arc<str> = name.join(below).to_str()?.into();
        let sources = &self.scene.sight.sources;
        let place = sources.partition_point(|it| Path::new(&*it.name) < Path::new(&*name));
        if sources.len() >= MAX_FILES || !self.is_beside_others(&name, place) {
            return None;
        }
        let version = self.read_one(path, stamp)?;
        self.move_from(place, |place| place + 1);
        let source = Source::of(name, version.text.clone());
        Arc::make_mut(&mut self.scene.sight.sources).insert(place, source);
        self.keep(path, place, version);
        Some(())
    }

    /// A file leaves a folder that has others.
    fn leave(&mut self, place: usize, path: &Path) -> Option<()> {
        self.scene.top.as_ref()?;
        let kept = self.files.remove(path)?;
        self.scene.total -= kept.version.length();
        let sources = Arc::make_mut(&mut self.scene.sight.sources);
        let Source { name, .. } = sources.remove(place);
        self.move_from(place, |place| place - 1);
        self.is_beside_others(&name, place).then_some(())
    }

    /// Whether there are other files in the folder of the file `name`, or deeper. Its place is
    /// before that of `place`, and they come one after the other.
    fn is_beside_others(&self, name: &str, place: usize) -> bool {
        let Some(folder) = Path::new(name).parent() else { return false };
        let sources = &self.scene.sight.sources;
        let before = place.checked_sub(1).and_then(|before| sources.get(before));
        let mut beside = before.into_iter().chain(sources.get(place));
        beside.any(|other| Path::new(&*other.name).starts_with(folder))
    }

    /// Files from `first` on have another place.
    fn move_from(&mut self, first: usize, to: impl Fn(usize) -> usize) {
        for kept in self.files.values_mut().filter(|kept| kept.place >= first) {
            kept.place = to(kept.place);
        }
    }

    /// The file at `path`. None where it cannot be read, or there is no room for it.
    fn read_one(&mut self, path: &Path, stamp: Stamp) -> Option<Version> {
        let earlier = self.files.get(path).map(|kept| &kept.version);
        let version = Version::of(path, stamp, earlier, self.limit).ok()?;
        self.scene.total -= earlier.map_or(0, Version::length);
        self.scene.total += version.length();
        (self.scene.total <= MAX_TOTAL).then_some(version)
    }
}

/// None where it is something else than a file, or cannot be asked.
fn now(path: &Path) -> Option<Now> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Some(Now::File(Stamp::of(&metadata))),
        Err(error) if error.kind() == ErrorKind::NotFound => Some(Now::Nothing),
        _ => None,
    }
}
