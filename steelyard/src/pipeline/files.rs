//! The files as last read, in the order given: of two objects with one name the first counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_dialects::{LowerOptions, lower};
use steelyard_manifest::{Limits, Loaded, Object, Source, SourceText, load};
use steelyard_model::Diagnostic;

use super::objects::{Key, LoweredObject};

/// How files are understood.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) lower: LowerOptions,
    pub(super) limits: Limits,
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
    pub(super) loaded: Loaded,
    /// What each object became; of two with one name the first.
    pub(super) lowered: BTreeMap<Key, Arc<LoweredObject>>,
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
    pub(super) fn look_ahead(&mut self, source: &Source, former: Option<&File>) -> File {
        let file = self.read(source, former);
        self.ahead.insert(source.name.clone(), file.clone());
        file
    }

    /// Reads a file; objects that stand in its former version as they do now are not lowered again.
    fn read(&self, source: &Source, former: Option<&File>) -> File {
        if let Some(known) = self.ahead.get(&source.name).filter(|file| file.is_of(source)) {
            return known.clone();
        }
        let loaded = load(source, &self.limits);
        let mut lowered: BTreeMap<Key, Arc<LoweredObject>> = BTreeMap::new();
        for object in &loaded.objects {
            let key = Key::of(object);
            let known = former.and_then(|former| former.content.lowered.get(&key));
            let known = known.filter(|known| known.object == *object).cloned();
            lowered
                .entry(key)
                .or_insert_with(|| known.unwrap_or_else(|| Arc::new(self.lower(object))));
        }
        File { source: source.clone(), content: Arc::new(Content { loaded, lowered }) }
    }

    fn lower(&self, object: &Object) -> LoweredObject {
        let lowered = lower(object, &self.lower);
        let items = lowered.items.into_iter().map(Arc::new).collect();
        LoweredObject { object: object.clone(), items, diagnostics: lowered.diagnostics }
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
                    let former = changed.map(|(_, file)| file);
                    let file = self.read(source, former.as_ref());
                    edit.gone.extend(former);
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
        self.loaded.objects.is_empty()
    }

    /// What reading and lowering have to say.
    pub(super) fn said(&self) -> impl Iterator<Item = Diagnostic> {
        let of_objects = self.lowered.values().flat_map(|lowered| &lowered.diagnostics);
        self.loaded.diagnostics.iter().chain(of_objects).cloned()
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

    /// Whether it is what `source` says.
    fn is_of(&self, source: &Source) -> bool {
        let is_read = matches!(source.text, SourceText::Bytes(_) | SourceText::Kept(..));
        is_read && self.source == *source
    }
}

impl Edit {
    /// All versions of files that it concerns.
    pub(super) fn files(&self) -> impl Iterator<Item = &File> {
        self.gone.iter().chain(&self.come)
    }
}
