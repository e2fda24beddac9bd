//! What the kernel tells of, waited for until it is over.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, Event, EventKind, ModifyKind};

use crate::shelf::Shelf;

/// Quiet this long after a sign of change means that it is over.
const QUIET: Duration = Duration::from_millis(3);
/// The same, while a file is written and not yet closed.
const QUIET_OPEN: Duration = Duration::from_millis(25);
/// A change that never ends is looked at this often.
const PATIENCE: Duration = Duration::from_millis(30);

/// Why the thread is woken.
pub(crate) enum Wake {
    /// The kernel tells of a change.
    Event(Event),
    /// Nobody listens any more.
    Stop,
}

/// Where something may have changed.
pub(crate) struct Signs {
    /// The files that the kernel named; none where it may be anywhere.
    pub(crate) named: Option<BTreeSet<PathBuf>>,
}

impl Signs {
    pub(crate) fn all() -> Self {
        Self { named: None }
    }

    fn add(&mut self, event: &Event) {
        let is_named = !event.need_rescan() && !event.paths.is_empty();
        match &mut self.named {
            Some(named) if is_named => named.extend(event.paths.iter().cloned()),
            _ => *self = Self::all(),
        }
    }
}

/// Waits for a change to be over, or until it is time to look anyway; none means stop.
pub(crate) fn wait(woken: &Receiver<Wake>, next: Instant, shelf: &Shelf) -> Option<Signs> {
    let mut open = BTreeSet::new();
    let mut deadline = next;
    let mut first = None;
    let mut signs = Signs { named: Some(BTreeSet::new()) };
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Some(signs); // also when signs keep coming
        }
        match woken.recv_timeout(left) {
            Err(RecvTimeoutError::Timeout) => return Some(signs),
            Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return None,
            Ok(Wake::Event(event)) if is_change(&event, shelf) => {
                note_writing(&event, &mut open);
                signs.add(&event);
                let now = Instant::now();
                let quiet = if open.is_empty() { QUIET } else { QUIET_OPEN };
                deadline = (now + quiet).min(*first.get_or_insert(now) + PATIENCE);
            }
            Ok(Wake::Event(_)) => {}
        }
    }
}

/// A file that was written is closed.
const WRITTEN: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));

/// Whether somebody reads, as a look does itself: of thousands of files there is a sign of each,
/// and nobody takes it away before the look is over.
pub(crate) fn is_reading(event: &Event) -> bool {
    matches!(event.kind, EventKind::Access(_)) && event.kind != WRITTEN
}

/// Whether something may differ after it: not by a log that is being written beside.
fn is_change(event: &Event, shelf: &Shelf) -> bool {
    match event.kind {
        EventKind::Modify(ModifyKind::Data(_)) | WRITTEN => {
            event.paths.iter().any(|path| shelf.minds(path))
        }
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
