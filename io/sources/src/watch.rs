//! Watching: a thread that waits for the kernel to tell of changes, looks again, and hands over
//! the whole new sight when it differs.
//!
//! - A change is looked at a few milliseconds after the last sign of it, so that one save is seen
//!   once; a file still being written is waited for a little longer, and looked at again when it
//!   is complete.
//! - Folders are watched, not files: editors replace files, and a ConfigMap swaps a link.
//! - The kernel tells nothing of changes made elsewhere (NFS), so everything is looked at every
//!   [`POLL`] as well; when it cannot watch at all, every [`POLL_ALONE`].
//! - A look may hang (a share whose server is gone), so it has a thread of its own, and another one
//!   says so.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, Event, EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use steelyard_manifest::{ReadLimits, Sight};
use tokio::sync::mpsc;

use crate::attention::{Attention, LONG};
use crate::shelf::Shelf;
use crate::{ReadError, demand};

/// How often everything is looked at without a sign of change.
const POLL: Duration = Duration::from_secs(2);
/// The same, when the kernel cannot tell of changes.
const POLL_ALONE: Duration = Duration::from_millis(500);
/// How often it is looked whether a look hangs.
const TURN: Duration = Duration::from_secs(1);
/// Quiet this long after a sign of change means that it is over.
const QUIET: Duration = Duration::from_millis(3);
/// The same, while a file is written and not yet closed.
const QUIET_OPEN: Duration = Duration::from_millis(25);
/// A change that never ends is looked at this often.
const PATIENCE: Duration = Duration::from_millis(30);

/// Changes to watched files. Dropping it ends the watch.
#[derive(Debug)]
pub struct FolderWatch {
    changes: mpsc::Receiver<Sight>,
    wake: Sender<Wake>,
}

/// Reads everything under `paths`, and goes on watching it. No change between the two is missed.
/// Where the first look hangs, nothing was seen yet.
pub fn watch(paths: &[PathBuf]) -> Result<(Sight, FolderWatch), ReadError> {
    demand(paths)?;
    let (wake, woken) = channel();
    Ok(start(Watching::new(paths.to_vec(), wake.clone()), wake, woken))
}

/// What keeps watching, in its own thread.
pub(crate) struct Watching {
    pub(crate) watcher: Option<RecommendedWatcher>,
    paths: Vec<PathBuf>,
    shelf: Shelf,
    watched: BTreeMap<PathBuf, (u64, u64)>,
}

/// Why the thread is woken.
pub(crate) enum Wake {
    /// The kernel tells of a change.
    Event(Event),
    /// Nobody listens any more.
    Stop,
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
    pub(crate) fn new(paths: Vec<PathBuf>, wake: Sender<Wake>) -> Self {
        let tell = move |event: notify::Result<Event>| match event {
            Ok(event) => drop(wake.send(Wake::Event(event))),
            Err(error) => tracing::debug!(%error, "watching files"),
        };
        let watcher = notify::recommended_watcher(tell)
            .inspect_err(|error| tracing::warn!(%error, "cannot watch files; polling them instead"))
            .ok();
        let shelf = Shelf::new(ReadLimits::default().file_bytes);
        Self { paths, shelf, watcher, watched: BTreeMap::new() }
    }

    fn run(&mut self, woken: &Receiver<Wake>, seen: &SyncSender<Sight>) {
        let poll = if self.watcher.is_some() { POLL } else { POLL_ALONE };
        let mut last = None;
        loop {
            let sight = self.look();
            if last.as_ref() != Some(&sight) {
                if seen.send(sight.clone()).is_err() {
                    return;
                }
                last = Some(sight);
            }
            if !wait(woken, poll, &self.shelf) {
                return;
            }
        }
    }

    /// Reads what changed. Folders are watched before they are read for good, so that nothing
    /// falls between.
    fn look(&mut self) -> Sight {
        loop {
            let look = self.shelf.read(&self.paths);
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

/// Waits for a change to be over, or until it is time to look anyway; false means stop.
fn wait(woken: &Receiver<Wake>, poll: Duration, shelf: &Shelf) -> bool {
    let mut open = BTreeSet::new();
    let mut deadline = Instant::now() + poll;
    let mut first = None;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true; // also when signs keep coming
        }
        match woken.recv_timeout(left) {
            Err(RecvTimeoutError::Timeout) => return true,
            Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            Ok(Wake::Event(event)) if is_change(&event, shelf) => {
                note_writing(&event, &mut open);
                let now = Instant::now();
                let quiet = if open.is_empty() { QUIET } else { QUIET_OPEN };
                deadline = (now + quiet).min(*first.get_or_insert(now) + PATIENCE);
            }
            Ok(Wake::Event(_)) => {}
        }
    }
}

/// Whether something may differ after it: not our own reading, nor a log being written beside.
fn is_change(event: &Event, shelf: &Shelf) -> bool {
    let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
    match event.kind {
        EventKind::Modify(ModifyKind::Data(_)) => event.paths.iter().any(|path| shelf.minds(path)),
        kind if kind == written => event.paths.iter().any(|path| shelf.minds(path)),
        EventKind::Access(_) => false,
        _ => true,
    }
}

/// Keeps in `open` the files that are being written.
fn note_writing(event: &Event, open: &mut BTreeSet<PathBuf>) {
    for path in &event.paths {
        if matches!(event.kind, EventKind::Modify(ModifyKind::Data(_))) {
            open.insert(path.clone());
        } else if !matches!(event.kind, EventKind::Modify(ModifyKind::Metadata(_))) {
            open.remove(path);
        }
    }
}
