//! What the kernel tells of others' doings, kept until it is seen to.
//!
//! It is read by who waits for it, and by who is about to set what is ours and wants to know how
//! that stands. What one of them reads is not lost for the other.

use std::io;

use steelyard_host::kernel_watch::{Doings, KernelWatch};

#[derive(Debug)]
pub(crate) struct Lookout<W: KernelWatch> {
    /// None where the kernel does not tell.
    watch: Option<W>,
    /// What was not seen to yet.
    seen: W::Doings,
    /// Something was read, and who waits was not told.
    is_news: bool,
}

impl<W: KernelWatch> Lookout<W> {
    pub(crate) fn new(opened: io::Result<W>) -> Self {
        let late = |error: &io::Error| {
            tracing::debug!(%error, "changes to {} are noticed late", W::OF);
        };
        let watch = opened.inspect_err(late).ok();
        Self { watch, seen: W::Doings::default(), is_news: false }
    }

    /// None where the kernel does not tell.
    pub(crate) fn watch(&mut self) -> Option<&mut W> {
        self.watch.as_mut()
    }

    /// What comes through this port of netlink is ours from now on.
    pub(crate) fn is_own(&mut self, port: u32) {
        self.watch.iter_mut().for_each(|watch| watch.is_own(port));
    }

    /// Waits until others did something; whether what is ours is to be set again. What they did is
    /// kept, so nothing is lost when the wait is given up.
    pub(crate) async fn stirred(&mut self) -> bool {
        while !self.is_news {
            self.await_telling().await;
            self.read();
        }
        self.is_news = false;
        self.seen.touches()
    }

    /// Waits until a change of ours `is_so`; forever where the kernel does not tell.
    pub(crate) async fn until_own(&mut self, is_so: impl Fn(&W) -> bool) {
        while !self.watch.as_ref().is_some_and(&is_so) {
            self.await_telling().await;
            self.read_after_own();
        }
    }

    async fn await_telling(&mut self) {
        let readable = match &self.watch {
            Some(watch) => watch.readable().await,
            None => std::future::pending().await,
        };
        if let Err(error) = readable {
            self.give_up(&error);
        }
    }

    /// What is seen to from now on.
    pub(crate) fn take(&mut self) -> W::Doings {
        self.read();
        std::mem::take(&mut self.seen)
    }

    /// Reads all that there is right after a change of ours. What could not be followed is most
    /// likely that, and wakes nobody: all would be set again, and could not be followed again.
    pub(crate) fn read_after_own(&mut self) {
        let doings = self.doings();
        self.is_news |= doings != W::Doings::default() && !doings.is_lost();
        self.seen.merge(doings);
    }

    fn read(&mut self) {
        let doings = self.doings();
        self.is_news |= doings != W::Doings::default();
        self.seen.merge(doings);
    }

    fn doings(&mut self) -> W::Doings {
        match self.watch.as_mut().map(W::read) {
            Some(Ok(doings)) => doings,
            Some(Err(error)) => {
                self.give_up(&error);
                W::Doings::default()
            }
            None => W::Doings::default(),
        }
    }

    fn give_up(&mut self, error: &io::Error) {
        tracing::warn!(%error, "changes to {} are noticed late", W::OF);
        self.watch = None;
    }
}
