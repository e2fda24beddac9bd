//! The files as last read, in the order given: of two objects with one name the first counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_model::Diagnostic;

use super::key::Key;
use crate::load::load;
use crate::object::Object;
use crate::source::{ReadLimits, Source, SourceText};

/// How files are read.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) limits: ReadLimits,
    /// Files that were read for a decision about them, until the next update.
    ahead: BTreeMap<Arc<str>, File>,
}

/// A file as last read. Cheap to clone.
#[derive(Clone)]
pub(super) struct File {
    pub(super) source: Source,
    pub(super) content: Arc<Content>,
}

/// What is in a file.
pub(super) struct Content {
    /// By key; of one name in order of the text.
    objects: Vec<(Key, Object)>,
    /// What is wrong with the text.
    diagnostics: Vec<Diagnostic>,
    /// Some document could not be read as an object.
    pub(super) is_broken: bool,
}

/// What differs between the files and those of before.
#[derive(Default)]
pub(super) struct Edit {
    /// Files that are not there any more, and former versions of those that changed.
    pub(super) gone: Vec<File>,
    /// Files that are new or changed.
    pub(super) come: Vec<File>,
    /// Whether files that did not change come in another order.
    pub(super) is_reordered: bool,
}

impl Reading {
    /// Reads a file that may be taken in by the next update.
    pub(super) fn look_ahead(&mut self, source: &Source) -> File {
        let file = self.read(source);
        self.ahead.insert(source.name.clone(), file.clone());
        file
    }

    fn read(&self, source: &Source) -> File {
        if let Some(known) = self.ahead.get(&source.name).filter(|file| file.is_of(source)) {
            return known.clone();
        }
        let loaded = load(source, &self.limits);
        let mut objects: Vec<(Key, Object)> =
            loaded.objects.into_iter().map(|object| (Key::of(&object), object)).collect();
        objects.sort_by(|(a, _), (b, _)| a.cmp(b));
        let (diagnostics, is_broken) = (loaded.diagnostics, loaded.broken);
        let content = Content { objects, diagnostics, is_broken };
        File { source: source.clone(), content: Arc::new(content) }
    }

    /// Makes `files` those of `sources`, reading only what changed.
    pub(super) fn update(&mut self, files: &mut Vec<File>, sources: &[Source]) -> Edit {
        let same = |(file, source): &(&File, &Source)| file.is_of(source);
        let head = files.iter().zip(sources).take_while(same).count();
        let (old, new) = (&files[head..], &sources[head..]);
        let tail = old.iter().rev().zip(new.iter().rev()).take_while(same).count();
        let (old, new) = (head..files.len() - tail, &new[..new.len() - tail]);
        let mut edit = Edit::default();
        let mut before: BTreeMap<Arc<str>, (usize, File)> = BTreeMap::new();
        for (position, file) in files[old.clone()].iter().enumerate() {
            before.insert(file.source.name.clone(), (position, file.clone()));
        }
        let mut last = 0;
        let now: Vec<File> = new
            .iter()
            .map(|source| match before.remove(&source.name) {
                Some((position, file)) if file.is_of(source) => {
                    edit.is_reordered |= position < last;
                    last = position;
                    file
                }
                changed => {
                    let file = self.read(source);
                    edit.gone.extend(changed.map(|(_, file)| file));
                    edit.come.push(file.clone());
                    file
                }
            })
            .collect();
        edit.gone.extend(before.into_values().map(|(_, file)| file));
        files.splice(old, now);
        self.ahead.clear();
        edit
    }
}

impl Content {
    /// Whether there is no object in it.
    pub(super) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The names in it, in order, each as often as it is there.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.objects.iter().map(|(key, _)| key)
    }

    /// The objects of one name, in order of the text.
    pub(super) fn named(&self, key: &Key) -> impl Iterator<Item = &Object> {
        let first = self.objects.partition_point(|(other, _)| other < key);
        let from = self.objects[first..].iter().take_while(move |(other, _)| other == key);
        from.map(|(_, object)| object)
    }

    /// Whether the same objects are written in both, at the same places.
    pub(super) fn has_objects_of(&self, other: &Self) -> bool {
        self.objects == other.objects
    }
}

impl File {
    /// Its bytes, also where they are those of before; none where it only stands for a place.
    pub(super) fn bytes(&self) -> Option<&Arc<[u8]>> {
        match &self.source.text {
            SourceText::Kept(bytes, _) if bytes.is_empty() => None,
            SourceText::Bytes(bytes) | SourceText::Kept(bytes, _) => Some(bytes),
            SourceText::TooLarge(_) | SourceText::Failed(_) => None,
        }
    }

    /// What is wrong with its text.
    pub(super) fn told(&self) -> Vec<Diagnostic> {
        self.content.diagnostics.clone()
    }

    /// Whether it is what `source` says.
    fn is_of(&self, source: &Source) -> bool {
        let is_read = matches!(source.text, SourceText::Bytes(_) | SourceText::Kept(..));
        is_read && self.source.is_same(source)
    }
}
