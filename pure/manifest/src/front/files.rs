//! The files as last read, in the order given: of two objects with one name the first counts.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use steelyard_model::Diagnostic;

use crate::dynamic::DynamicPlaces;
use crate::key::Key;
use crate::load::load_with;
use crate::object::{Object, Soundness};
use crate::source::{ReadLimits, Source, SourceText};
use crate::spot::Text;
use crate::words::Words;
use crate::written::{Extract, Written};

/// How files are read.
pub(super) struct Reading<T: Extract> {
    pub(super) limits: ReadLimits,
    /// What is no manifest, but dynamic configuration.
    pub(super) dynamic: DynamicPlaces,
    /// How objects are.
    pub(super) how: T::How,
    /// Files that were read for a decision about them, until the next update.
    ahead: BTreeMap<Arc<str>, File<T>>,
    words: Words,
}

/// A file as last read. Cheap to clone.
pub(super) struct File<T> {
    /// Its bytes, and how they are read: of thousands, once with what the objects have.
    text: Arc<Text>,
    pub(super) content: Arc<Content<T>>,
}

/// What is in a file.
pub(super) struct Content<T> {
    /// By key; of one name in order of the text.
    objects: Box<[Arc<T>]>,
    /// What is wrong with the text.
    diagnostics: Box<[Diagnostic]>,
    /// Some document could not be read as an object.
    pub(super) is_broken: bool,
    /// The file could be read to its end now, or before.
    was_whole: bool,
    /// Names that the file had before it broke, and that are not read of it now: what they name may
    /// stand in its last good version, as long as nothing has been read without them.
    stood: Box<[Key]>,
}

/// Files by name.
pub(super) type ByName<'a, T> = HashMap<&'a str, &'a T, BuildHasherDefault<DefaultHasher>>;

/// What differs between the files and those of before.
pub(super) struct Edit<T> {
    /// Files that are not there any more, and former versions of those that changed.
    pub(super) gone: Vec<File<T>>,
    /// Files that are new or changed.
    pub(super) come: Vec<File<T>>,
    /// Whether files that did not change come in another order.
    pub(super) is_reordered: bool,
}

impl<T: Extract> Reading<T> {
    /// Reads a file that may be taken in by the next update, in the place of `former`.
    pub(super) fn look_ahead(&mut self, source: &Source, former: Option<&File<T>>) -> File<T> {
        let file = self.read(source, former);
        self.ahead.insert(source.name.clone(), file.clone());
        file
    }

    fn read(&mut self, source: &Source, former: Option<&File<T>>) -> File<T> {
        if let Some(known) = self.ahead.get(&source.name).filter(|file| file.is_of(source)) {
            return known.clone();
        }
        let is_dynamic = self.dynamic.holds(&source.name);
        let text = Text::of(source, &self.limits, is_dynamic);
        let mut loaded = load_with(&mut self.words, &text);
        let is_known = |object: &&Object| object.soundness != Soundness::Nameless;
        let mut stood = Box::default();
        if let Some(former) = former.filter(|_| loaded.broken) {
            let here: BTreeSet<Key> = loaded.objects.iter().filter(is_known).map(Key::of).collect();
            let lost = former.content.standing().filter(|key| !here.contains(key));
            stood = lost.cloned().collect::<Box<[Key]>>();
        }
        // What stands may be what it is that cannot be named.
        let stands = |kind: &str| stood.iter().any(|key| *key.reference.kind == *kind);
        loaded.objects.retain(|it| is_known(&it) || !stands(&it.reference.kind));
        // Each tree goes before the next object is extracted.
        let objects = loaded.objects.into_iter().map(|object| {
            let written = Written::of(&object);
            let known = former.and_then(|file| file.content.named(&written.key).next());
            let known = known.filter(|known| known.written().is_like(&written));
            match known.and_then(|known| known.moved(&written)) {
                Some(moved) => Arc::new(moved),
                None => Arc::new(T::of(&object, &self.how)),
            }
        });
        let mut objects: Box<[Arc<T>]> = objects.collect();
        objects.sort_by(|a, b| a.written().key.cmp(&b.written().key));
        let (diagnostics, is_broken) = (loaded.diagnostics.into(), loaded.broken);
        let was_whole = !is_broken || former.is_some_and(|former| former.content.was_whole);
        let content = Content { objects, diagnostics, is_broken, was_whole, stood };
        File { text, content: Arc::new(content) }
    }

    /// Puts files that were looked at ahead in the places of former ones.
    pub(super) fn replace(
        &mut self,
        files: &mut [File<T>],
        fresh: Vec<(usize, File<T>)>,
    ) -> Edit<T> {
        let mut edit = Edit { gone: Vec::new(), come: Vec::new(), is_reordered: false };
        for (place, file) in fresh {
            edit.come.push(file.clone());
            edit.gone.push(std::mem::replace(&mut files[place], file));
        }
        self.ahead.clear();
        edit
    }

    /// Makes `files` those of `sources`, reading only what changed.
    pub(super) fn update(&mut self, files: &mut Vec<File<T>>, sources: &[Source]) -> Edit<T> {
        let same = |(file, source): &(&File<T>, &Source)| file.is_of(source);
        let head = files.iter().zip(sources).take_while(same).count();
        let (old, new) = (&files[head..], &sources[head..]);
        let tail = old.iter().rev().zip(new.iter().rev()).take_while(same).count();
        let (old, new) = (head..files.len() - tail, &new[..new.len() - tail]);
        let mut edit = Edit { gone: Vec::new(), come: Vec::new(), is_reordered: false };
        let mut before: BTreeMap<Arc<str>, (usize, File<T>)> = BTreeMap::new();
        for (position, file) in files[old.clone()].iter().enumerate() {
            before.insert(file.source().name.clone(), (position, file.clone()));
        }
        let mut last = 0;
        let now: Vec<File<T>> = new
            .iter()
            .map(|source| match before.remove(&source.name) {
                Some((position, file)) if file.is_of(source) => {
                    edit.is_reordered |= position < last;
                    last = position;
                    file
                }
                changed => {
                    let file = self.read(source, changed.as_ref().map(|(_, file)| file));
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

impl<T: Extract> Default for Reading<T> {
    fn default() -> Self {
        let (limits, dynamic, how, ahead, words) = Default::default();
        Self { limits, dynamic, how, ahead, words }
    }
}

impl<T> Clone for File<T> {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), content: self.content.clone() }
    }
}

impl<T: Extract> Content<T> {
    /// Whether there is no object in it, nor of it.
    pub(super) fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.stood.is_empty()
    }

    /// Whether it could never be read to its end.
    pub(super) fn is_unread(&self) -> bool {
        self.is_broken && !self.was_whole
    }

    /// The names in it, and those that it had before it broke.
    pub(super) fn standing(&self) -> impl Iterator<Item = &Key> {
        let named = self.objects.iter().map(|object| object.written());
        let named = named.filter(|written| written.soundness != Soundness::Nameless);
        named.map(|written| &written.key).chain(&self.stood)
    }

    /// The names in it, in order, each as often as it is there.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.objects.iter().map(|object| &object.written().key)
    }

    /// The objects of one name, in order of the text.
    pub(super) fn named(&self, key: &Key) -> impl Iterator<Item = &Arc<T>> {
        let first = self.objects.partition_point(|other| other.written().key < *key);
        self.objects[first..].iter().take_while(move |other| other.written().key == *key)
    }

    /// Whether the same objects are written in both, at the same places.
    pub(super) fn has_objects_of(&self, other: &Self) -> bool {
        let written = self.objects.iter().map(|object| object.written());
        written.eq(other.objects.iter().map(|object| object.written()))
    }
}

impl<T> File<T> {
    /// The file itself.
    pub(super) fn source(&self) -> &Source {
        &self.text.source
    }

    /// Its bytes, also where they are those of before; none where it only stands for a place.
    pub(super) fn bytes(&self) -> Option<&Arc<[u8]>> {
        match &self.source().text {
            SourceText::Kept(kept) if kept.bytes.is_empty() => None,
            text => text.bytes(),
        }
    }

    /// What is wrong with its text.
    pub(super) fn told(&self) -> Vec<Diagnostic> {
        self.content.diagnostics.to_vec()
    }

    /// Whether an object of this name may be in it though it was not read: it is broken, and had it
    /// before, or was never whole and names it.
    pub(super) fn may_have(&self, key: &Key) -> bool
    where
        T: Extract,
    {
        let Content { is_broken, was_whole, stood, .. } = &*self.content;
        let names_it = || self.bytes().is_some_and(|text| names(text, &key.reference.name));
        *is_broken && if *was_whole { stood.contains(key) } else { names_it() }
    }

    /// Whether it is what `source` says.
    pub(super) fn is_of(&self, source: &Source) -> bool {
        source.text.bytes().is_some() && self.source().is_same(source)
    }
}

/// Whether a text has `name` in it, and not as a part of another one.
fn names(text: &[u8], name: &str) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    memchr::memmem::find_iter(text, name).any(|at| {
        let before = text[..at].last();
        !before.is_some_and(is_part) && !text.get(at + name.len()).is_some_and(is_part)
    })
}
