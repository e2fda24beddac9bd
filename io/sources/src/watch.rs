//! Watching: a thread that waits for the kernel to tell of changes, looks again, and hands over
//! the whole new sight when it differs.
//!
//! - A change is looked at a few milliseconds after the last sign of it, so that one save is seen
//!   once; a file still being written is waited for a little longer, and looked at again when it
//!   is complete.
//! - Where the kernel names files, these are looked at and nothing else ([`Shelf::glance`]).
//! - Folders are watched, not files: editors replace files, and a ConfigMap swaps a link.
//! - The kernel tells nothing of changes made elsewhere (NFS), and not of each change when there
//!   are too many, so everything is looked at every [`POLL`] as well; when it cannot watch at all,
//!   every [`POLL_ALONE`].
//! - A look may hang (a share whose server is gone), so it has a thread of its own, and another one
//!   says so.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use notify::event::Event;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use steelyard_manifest::{ReadLimits, Sight};
use tokio::sync::mpsc;

use crate::attention::{Attention, LONG};
use crate::shelf::Shelf;
use crate::signs::{Signs, Wake, is_reading, wait};
use crate::{ReadError, SourceRoots, demand};

/// How often everything is looked at, whatever the kernel names.
const POLL: Duration = Duration::from_secs(2);
/// The same, when the kernel cannot tell of changes.
const POLL_ALONE: Duration = Duration::from_millis(500);
/// How often it is looked whether a look hangs.
const TURN: Duration = Duration::from_secs(1);

/// Changes to watched files. Dropping it ends the watch.
#[derive(Debug)]
pub struct FolderWatch {
    changes: mpsc::Receiver<Sight>,
    wake: Sender<Wake>,
}

/// Reads everything under `roots`, and goes on watching it. No change between the two is missed.
/// Where the first look hangs, nothing was seen yet.
pub fn watch(roots: &SourceRoots) -> Result<(Sight, FolderWatch), ReadError> {
    demand(roots)?;
    let (wake, woken) = channel();
    Ok(start(Watching::new(roots.clone(), wake.clone()), wake, woken))
}

/// What keeps watching, in its own thread.
pub(crate) struct Watching {
    pub(crate) watcher: Option<RecommendedWatcher>,
    /// How often everything is looked at.
    pub(crate) poll: Duration,
    roots: SourceRoots,
    shelf: Shelf,
    watched: BTreeMap<PathBuf, (u64, u64)>,
}

pub(crate) fn start(
    mut watching: Watching,
    wake: Sender<Wake>,
    woken: Receiver<Wake>,
) -> (Sight, FolderWatch) {
    let attention = watching.shelf.attention.clone();
    let (seen, looks) = sync_channel(0);
    let (changed, changes) = mpsc::channel(1);
    let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
    thread("sources").spawn(move || watching.run(&woken, &seen)).expect("a thread can be started");
    let mut teller = Teller { looks, attention, seen: Sight::default(), has_looked: false };
    let first = loop {
        match teller.next() {
            // Nothing was seen, and nothing is said to hang: there is time.
            Some(sight) if sight == Sight::default() && !teller.has_looked => {}
            Some(sight) => break sight,
            None => break Sight::default(),
        }
    };
    let told = first.clone();
    thread("sources-told")
        .spawn(move || teller.run(told, &changed))
        .expect("a thread can be started");
    (first, FolderWatch { changes, wake })
}

/// Hands sights over, and says when a look hangs.
struct Teller {
    looks: Receiver<Sight>,
    attention: Attention,
    /// By the last look that ended.
    seen: Sight,
    has_looked: bool,
}

impl Teller {
    /// What is to be said after the next look, or after a moment without one. None when the looking
    /// has ended.
    fn next(&mut self) -> Option<Sight> {
        match self.looks.recv_timeout(TURN) {
            Ok(sight) => (self.seen, self.has_looked) = (sight, true),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
        let sight = self.seen.clone();
        Some(match self.attention.held_up() {
            Some(place) => sight.held_up(place, LONG),
            None => sight,
        })
    }

    fn run(mut self, mut told: Sight, changed: &mpsc::Sender<Sight>) {
        while let Some(sight) = self.next() {
            if sight != told && changed.blocking_send(sight.clone()).is_err() {
                return;
            }
            told = sight;
            if changed.is_closed() {
                return;
            }
        }
    }
}

impl FolderWatch {
    /// The next sight of everything that differs from the one before. Cancel-safe. A slow reader
    /// misses those in between, never the last. None when the watching has ended.
    pub async fn changed(&mut self) -> Option<Sight> {
        self.changes.recv().await
    }
}

impl Drop for FolderWatch {
    fn drop(&mut self) {
        let _ = self.wake.send(Wake::Stop);
    }
}

impl Watching {
    pub(crate) fn new(roots: SourceRoots, wake: Sender<Wake>) -> Self {
        let tell = move |event: notify::Result<Event>| match event {
            Ok(event) if is_reading(&event) => {}
            Ok(event) => drop(wake.send(Wake::Event(event))),
            Err(error) => tracing::debug!(%error, "watching files"),
        };
        let watcher = notify::recommended_watcher(tell)
            .inspect_err(|error| tracing::warn!(%error, "cannot watch files; polling them instead"))
            .ok();
        let shelf = Shelf::new(ReadLimits::default().file_bytes);
        let poll = if watcher.is_some() { POLL } else { POLL_ALONE };
        Self { poll, roots, shelf, watcher, watched: BTreeMap::new() }
    }

    fn run(&mut self, woken: &Receiver<Wake>, seen: &SyncSender<Sight>) {
        let mut last = None;
        let mut signs = Signs::all();
        let mut next = Instant::now();
        loop {
            let named = signs.named.unwrap_or_default();
            let is_due = named.is_empty() || next <= Instant::now();
            let glance = if is_due { None } else { self.shelf.glance(&named) };
            let sight = glance.unwrap_or_else(|| {
                self.forget(&named);
                let sight = self.look();
                next = Instant::now() + self.poll;
                sight
            });
            if last.as_ref() != Some(&sight) {
                if seen.send(sight.clone()).is_err() {
                    return;
                }
                last = Some(sight);
            }
            match wait(woken, next, &self.shelf) {
                Some(come) => signs = come,
                None => return,
            }
        }
    }

    /// Folders that may have gone and come back are not watched any more, even where they are the
    /// same to the eye: the number of a removed one is given to the next.
    fn forget(&mut self, named: &BTreeSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else { return };
        let is_named = |folder: &PathBuf| named.iter().any(|named| folder.starts_with(named));
        for (folder, _) in self.watched.extract_if(.., |folder, _| is_named(folder)) {
            let _ = watcher.unwatch(&folder); // the kernel may have dropped it already
        }
    }

    /// Looks at everything. Folders are watched before they are read for good, so that nothing
    /// falls between.
    fn look(&mut self) -> Sight {
        loop {
            let look = self.shelf.read(&self.roots);
            if !self.follow(&look.folders) {
                return look.sight;
            }
        }
    }

    /// Watches exactly `folders`; whether there was a new one.
    fn follow(&mut self, folders: &BTreeSet<PathBuf>) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        let identity = |folder: &Path| folder.metadata().map(|found| (found.dev(), found.ino()));
        let is_gone = |folder: &PathBuf, known: &mut (u64, u64)| {
            !folders.contains(folder) || identity(folder).ok() != Some(*known)
        };
        for (folder, _) in self.watched.extract_if(.., is_gone) {
            let _ = watcher.unwatch(&folder); // the kernel may have dropped it already
        }
        let mut is_new = false;
        for folder in folders {
            if self.watched.contains_key(folder) {
                continue;
            }
            let Ok(identity) = identity(folder) else { continue };
            self.watched.insert(folder.clone(), identity);
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => is_new = true,
                Err(error) => tracing::warn!(%error, "cannot watch a folder; polling it instead"),
            }
        }
        is_new
    }
}
