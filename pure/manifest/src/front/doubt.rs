//! What stands of the files: between what a look saw and what is taken in.
//!
//! Cannot see is not gone, and neither is what is being saved (docs/edits.md):
//!
//! - What lies under a place that was not seen stands as it was last seen, for as long as that is
//!   so.
//! - A file that cannot be read stands as it was.
//! - A loss is believed when it has stood unchanged for a moment: 2 seconds ([`MOMENT`]), or
//!   5 where nothing is left ([`EMPTY_MOMENT`]). A loss is an object that no file has any more, or
//!   a file that ends earlier than before. What a file had before it broke counts as what it has.
//! - What may be in a broken file, since that had it before, or was never whole and names it, is
//!   not lost elsewhere before the file is mended or gone: it may have moved there.
//! - What a file of dynamic configuration names stands as long as that file does for one of these
//!   reasons (`owed.rs`).
//!
//! All else is taken in at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::files::{ByName, Content, File, Reading};
use super::owed::owed;
use crate::key::Key;
use crate::sight::{Sight, Unseen, is_under};
use crate::source::{Lapse, Source, SourceText};
use crate::written::Extract;

/// How long a loss has to stand.
const MOMENT: Duration = Duration::from_secs(2);
/// The same, for a file or a folder that has nothing in it any more: whoever renders manifests
/// empties it first, and fills it when done.
const EMPTY_MOMENT: Duration = Duration::from_secs(5);
/// A loss that changes all the time is believed after this long.
const LONGEST: Duration = Duration::from_secs(30);

/// What is waited for.
#[derive(Default)]
pub(super) struct Doubt {
    waiting: BTreeMap<Arc<str>, Waiting>,
    /// There must be manifests somewhere; until the first one is seen.
    pub(super) expects: bool,
}

/// The files that stand.
pub(super) struct Settled {
    pub(super) sources: Vec<Source>,
    pub(super) awaited: Awaited,
}

/// Losses that are not believed yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Awaited {
    /// When the next one will be: then the same sight comes to something else.
    pub due: Option<Instant>,
    /// The files of which the former version stands until then, with all that is in it.
    pub files: Vec<Arc<str>>,
}

/// A loss that is not believed yet.
struct Waiting {
    /// What the file has now; none when it is not there.
    now: Option<SourceText>,
    /// When it was first seen so.
    since: Instant,
    /// When it first was not as it stands.
    first: Instant,
    patience: Duration,
}

/// A file with less in it than stands, or other content that may be a part of it.
struct Loss<'a, T> {
    former: &'a File<T>,
    /// As it is now; none when it is not there.
    fresh: Option<File<T>>,
    /// Whether it ends earlier than before.
    ends_early: bool,
    /// Whether nothing is left: of the file, or of the folder it was in.
    is_empty: bool,
    /// It has stood for its moment.
    is_believed: bool,
}

/// How much less there is in a file that was read again.
pub(super) struct Less {
    ends_early: bool,
}

impl Doubt {
    /// Whether nothing is waited for.
    pub(super) fn is_calm(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What stands of `files` after a look.
    pub(super) fn settle<T: Extract>(
        &mut self,
        sight: &Sight,
        files: &[File<T>],
        reading: &mut Reading<T>,
        now: Instant,
    ) -> Settled {
        self.expects &= sight.sources.is_empty();
        let known: ByName<'_, File<T>> = files
            .iter()
            .filter(|file| file.bytes().is_some())
            .map(|file| (&*file.source().name, file))
            .collect();
        let seen: ByName<'_, Source> = sight.sources.iter().map(|it| (&*it.name, it)).collect();
        let losses = self.losses(sight, files, &seen, reading, now);
        let held = held(&losses, &elsewhere(sight, &known, &losses, reading));
        let waited_for = held.iter().filter(|loss| !loss.is_believed).copied();
        self.wait_for(waited_for, now);
        let held: BTreeMap<Arc<str>, Source> = held
            .into_iter()
            .map(|loss| (loss.former.source().name.clone(), loss.stands()))
            .collect();
        let mut sources: Vec<Source> =
            taken(sight, &known).map(|source| stand_in(source, &known, &held)).collect();
        let stands =
            |file: &File<T>| held.get(&file.source().name).cloned().or_else(|| hidden(sight, file));
        let owed = owed(files, &seen, stands, reading);
        put_back(&mut sources, files, &seen, |file| {
            let is_owed = || owed.contains(&file.source().name);
            stands(file).or_else(|| is_owed().then(|| file.source().clone()))
        });
        sources.extend(self.places(sight, &known, &held));
        let due = self.waiting.values().map(Waiting::due).min();
        let files = self.waiting.keys().cloned().collect();
        Settled { sources, awaited: Awaited { due, files } }
    }

    /// The files of which there is less than stands.
    fn losses<'a, T: Extract>(
        &self,
        sight: &Sight,
        files: &'a [File<T>],
        seen: &ByName<'_, Source>,
        reading: &mut Reading<T>,
        now: Instant,
    ) -> Vec<Loss<'a, T>> {
        let emptied: Vec<&Arc<str>> = sight.empty_folders().collect();
        let loss = |former: &'a File<T>| {
            let name = &*former.source().name;
            let bytes = former.bytes()?;
            let (fresh, ends_early, is_empty) = match seen.get(name) {
                Some(Source { text: SourceText::Bytes(new), .. }) if new == bytes => return None,
                Some(source @ Source { text: SourceText::Bytes(_), .. }) => {
                    let fresh = reading.look_ahead(source, Some(former));
                    let Less { ends_early } = loss(former, &fresh)?;
                    // One that others name is an object whatever is in it.
                    let is_blanked = former.source().is_named && is_blank(&fresh);
                    let has_less = fresh.content.is_empty() && may_hold(former);
                    let is_empty = is_blanked || has_less;
                    (Some(fresh), ends_early, is_empty)
                }
                Some(_) => return None,
                None if sight.may_hide(name) => return None,
                None => (None, false, emptied.iter().any(|folder| is_under(name, folder))),
            };
            let known = self.waiting.get(name);
            let text = fresh.as_ref().map(|fresh| &fresh.source().text);
            let is_believed = known.is_some_and(|it| it.is_over(text, now));
            Some(Loss { former, fresh, ends_early, is_empty, is_believed })
        };
        files.iter().filter_map(loss).collect()
    }

    /// Waits for `held`, and nothing else.
    fn wait_for<'l, 'a: 'l, T: Extract + 'a>(
        &mut self,
        held: impl Iterator<Item = &'l Loss<'a, T>>,
        now: Instant,
    ) {
        let mut before = std::mem::take(&mut self.waiting);
        for loss in held {
            let name = &loss.former.source().name;
            let text = loss.fresh.as_ref().map(|fresh| fresh.source().text.clone());
            let patience = if loss.is_empty { EMPTY_MOMENT } else { MOMENT };
            let waiting = match before.remove(name) {
                Some(known) if known.now == text => Waiting { patience, ..known },
                Some(known) => Waiting { now: text, since: now, patience, ..known },
                None => Waiting { now: text, since: now, first: now, patience },
            };
            self.waiting.insert(name.clone(), waiting);
        }
    }

    /// Places that were not seen, or that hold nothing any more, each as a file with the reason.
    fn places<T: Extract>(
        &self,
        sight: &Sight,
        known: &ByName<'_, File<T>>,
        held: &BTreeMap<Arc<str>, Source>,
    ) -> Vec<Source> {
        let unseen = sight.unseen.iter().filter(|unseen| !known.contains_key(&*unseen.name));
        let mut places: Vec<Source> = unseen.map(Unseen::source).collect();
        for name in sight.empty_folders() {
            let lapse = match held.keys().any(|file| is_under(file, name)) {
                true => Lapse::Emptied,
                false if self.expects => Lapse::NothingYet,
                false => continue,
            };
            places.push(Source::of(name.clone(), SourceText::kept(Arc::default(), lapse)));
        }
        places
    }
}

impl Waiting {
    fn due(&self) -> Instant {
        (self.since + self.patience).min(self.first + LONGEST)
    }

    /// Whether the loss is believed at `now`, when this is the text.
    fn is_over(&self, text: Option<&SourceText>, now: Instant) -> bool {
        let is_same = self.now.as_ref() == text;
        self.first + LONGEST <= now || is_same && self.due() <= now
    }
}

impl<T: Extract> Loss<'_, T> {
    /// Its file as it stands.
    fn stands(&self) -> Source {
        let bytes = self.former.bytes().expect("a file is only lost when it had something").clone();
        let text = match &self.fresh {
            Some(fresh) if is_blank(fresh) => SourceText::kept(bytes, Lapse::Emptied),
            Some(_) if self.ends_early => SourceText::kept(bytes, Lapse::EndsEarly),
            Some(_) if self.is_empty => SourceText::kept(bytes, Lapse::Emptied),
            _ => SourceText::Bytes(bytes),
        };
        self.former.source().with(text)
    }

    /// Whether it takes something away that is not in `present`.
    fn counts(&self, present: &BTreeSet<&Key>) -> bool {
        let is_lost = || self.former.content.standing().any(|key| !present.contains(key));
        let is_left = self.fresh.as_ref().is_some_and(|fresh| !is_blank(fresh));
        !is_left && self.former.content.is_broken || is_lost()
    }

    /// Whether what it takes away may be in one of these, though it was not read.
    fn may_be_in(&self, elsewhere: &[File<T>], present: &BTreeSet<&Key>) -> bool {
        let mut lost = self.former.content.standing().filter(|key| !present.contains(key));
        lost.any(|key| elsewhere.iter().any(|file| file.may_have(key)))
    }
}

/// What is lost in a file that was read again; none when it has all that it had.
pub(super) fn loss<T: Extract>(former: &File<T>, fresh: &File<T>) -> Option<Less> {
    let is_same = fresh.content.has_objects_of(&former.content);
    let stands = !former.content.is_empty();
    let ends_early = stands && !is_same && ends_early(former.bytes()?, fresh.bytes()?);
    let is_unknown = is_blank(fresh) && may_hold(former);
    let is_loss = ends_early || is_unknown || !keeps_all(&fresh.content, &former.content);
    is_loss.then_some(Less { ends_early })
}

/// Whether anything is in a file, or may be.
fn may_hold<T: Extract>(file: &File<T>) -> bool {
    file.content.is_broken || !file.content.is_empty()
}

/// Whether nothing of `former` is missing, or the mistake in `fresh` may be why it is, and the last
/// good version stays in force: then what all other files have makes no difference.
fn keeps_all<T: Extract>(fresh: &Content<T>, former: &Content<T>) -> bool {
    fresh.is_broken || former.standing().all(|key| fresh.named(key).next().is_some())
}

/// The losses that are real and not believed yet, given what there is `elsewhere`: what is lost in
/// one file and found in another has only moved.
fn held<'l, 'a, T: Extract>(
    losses: &'l [Loss<'a, T>],
    elsewhere: &[File<T>],
) -> Vec<&'l Loss<'a, T>> {
    let mut is_held: Vec<bool> =
        losses.iter().map(|loss| loss.ends_early && !loss.is_believed).collect();
    loop {
        let fresh = losses.iter().zip(&is_held).filter_map(|(loss, is_held)| match is_held {
            true => Some(loss.former),
            false => loss.fresh.as_ref(),
        });
        let present: BTreeSet<&Key> =
            elsewhere.iter().chain(fresh).flat_map(|it| it.content.keys()).collect();
        let more = losses.iter().zip(&is_held).map(|(loss, is_held)| {
            let counts = || !loss.is_believed && loss.counts(&present);
            *is_held || counts() || loss.may_be_in(elsewhere, &present)
        });
        let more: Vec<bool> = more.collect();
        if more == is_held {
            break;
        }
        is_held = more;
    }
    losses.iter().zip(is_held).filter(|(_, is_held)| *is_held).map(|(loss, _)| loss).collect()
}

/// What is in all files that stand apart from `losses`; nothing where that makes no difference.
fn elsewhere<T: Extract>(
    sight: &Sight,
    known: &ByName<'_, File<T>>,
    losses: &[Loss<'_, T>],
    reading: &mut Reading<T>,
) -> Vec<File<T>> {
    if losses.is_empty() {
        return Vec::new();
    }
    let lost: BTreeSet<&str> = losses.iter().map(|loss| &*loss.former.source().name).collect();
    let hidden = known.values().filter(|file| hidden(sight, file).is_some());
    let mut all: Vec<File<T>> = hidden.copied().cloned().collect();
    for source in sight.sources.iter().filter(|source| !lost.contains(&*source.name)) {
        let former = known.get(&*source.name).copied();
        all.push(match (&source.text, former) {
            (SourceText::Bytes(new), Some(file)) if file.bytes() == Some(new) => file.clone(),
            (SourceText::Bytes(_), _) => reading.look_ahead(source, former),
            (_, Some(file)) => file.clone(),
            (_, None) => continue,
        });
    }
    all
}

/// The files seen, without new ones where there are more than are read: those that stand come
/// first.
fn taken<'s, T>(sight: &'s Sight, known: &ByName<'_, File<T>>) -> impl Iterator<Item = &'s Source> {
    let mut room = sight.most().map_or(usize::MAX, |most| most.saturating_sub(known.len()));
    sight.sources.iter().filter(move |source| {
        let is_known = known.contains_key(&*source.name);
        let fits = is_known || room > 0;
        room -= usize::from(fits && !is_known);
        fits
    })
}

/// A file that was seen, as it stands.
fn stand_in<T>(
    source: &Source,
    known: &ByName<'_, File<T>>,
    held: &BTreeMap<Arc<str>, Source>,
) -> Source {
    if let Some(held) = held.get(&source.name) {
        return held.clone();
    }
    let lapse = match &source.text {
        SourceText::Failed(reason) => Lapse::Failed(reason.clone()),
        SourceText::TooLarge(bytes) => Lapse::TooLarge(*bytes),
        SourceText::Bytes(_) | SourceText::Kept(..) => return source.clone(),
    };
    match known.get(&*source.name).and_then(|file| file.bytes()) {
        Some(bytes) => source.with(SourceText::kept(bytes.clone(), lapse)),
        None => source.clone(),
    }
}

/// A file that was not seen, as it stands where it may be there all the same.
fn hidden<T>(sight: &Sight, file: &File<T>) -> Option<Source> {
    let Source { name, .. } = file.source();
    let bytes = file.bytes()?.clone();
    let itself = sight.unseen.iter().find(|unseen| unseen.name == *name);
    let text = match itself {
        Some(unseen) => SourceText::kept(bytes, Lapse::Failed(unseen.why.to_string().into())),
        None if sight.may_hide(name) => SourceText::Bytes(bytes),
        None => return None,
    };
    Some(file.source().with(text))
}

/// Puts files that are not `seen` but stand where they were among the others: of two objects with
/// one name the first counts.
fn put_back<T>(
    sources: &mut Vec<Source>,
    files: &[File<T>],
    seen: &ByName<'_, Source>,
    stands: impl Fn(&File<T>) -> Option<Source>,
) {
    let mut after: BTreeMap<Option<Arc<str>>, Vec<Source>> = BTreeMap::new();
    let mut last = None;
    for file in files {
        if seen.contains_key(&*file.source().name) {
            last = Some(file.source().name.clone());
        } else if let Some(source) = stands(file) {
            after.entry(last.clone()).or_default().push(source);
        }
    }
    if after.is_empty() {
        return;
    }
    let first = after.remove(&None).unwrap_or_default();
    let seen = std::mem::take(sources);
    sources.extend(first);
    for source in seen {
        let next = after.remove(&Some(source.name.clone()));
        sources.push(source);
        sources.extend(next.into_iter().flatten());
    }
}

fn is_blank<T>(file: &File<T>) -> bool {
    file.bytes().is_none_or(|bytes| bytes.iter().all(u8::is_ascii_whitespace))
}

/// Whether `new` may be a part of a text that is being written in the place of `old`.
fn ends_early(old: &[u8], new: &[u8]) -> bool {
    let is_cut = new.len() < old.len() && old.starts_with(new);
    is_cut || old.ends_with(b"\n") && !new.ends_with(b"\n")
}
