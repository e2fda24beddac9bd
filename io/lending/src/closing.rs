//! Closing what others sent, or have too. The last one to close a descriptor may have to wait, for
//! as long as whoever made it likes: `SO_LINGER` of socket(7), files of a server that is silent. So
//! it is done by a thread of its own, in whose way nobody else is.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

/// So many wait to be closed, and nothing more is taken in.
const MANY: usize = 256;

/// The thread, which ends with the last of those who have it.
#[derive(Clone, Debug)]
pub(crate) struct Closer {
    to: Sender<OwnedFd>,
    waiting: Arc<AtomicUsize>,
}

impl Closer {
    /// Starts it.
    ///
    /// # Errors
    /// When there is no place for a thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (to, from) = channel::<OwnedFd>();
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = waiting.clone();
        let close = move || {
            for descriptor in from {
                drop(descriptor);
                left.fetch_sub(1, Ordering::Relaxed);
            }
        };
        std::thread::Builder::new().name("closing".to_owned()).spawn(close)?;
        Ok(Self { to, waiting })
    }

    /// Whether somebody lets it wait, with whom there is nothing to be talked about.
    pub(crate) fn is_behind(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > MANY
    }

    fn close(&self, descriptor: OwnedFd) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // The thread ends only when nobody sends any more.
        let _ = self.to.send(descriptor);
    }
}

/// Descriptors that are not ours alone.
#[derive(Debug)]
pub(crate) struct Shared {
    all: Vec<OwnedFd>,
    closer: Closer,
}

impl Shared {
    pub(crate) fn new(all: Vec<OwnedFd>, closer: &Closer) -> Self {
        Self { all, closer: closer.clone() }
    }

    pub(crate) fn all(&self) -> &[OwnedFd] {
        &self.all
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.all.drain(..).for_each(|it| self.closer.close(it));
    }
}
