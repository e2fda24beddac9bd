//! What is asked of a process from outside.

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that mean something to us.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    reopen: Signal,
    upgrade: Signal,
}

/// What one of them asks for.
pub(crate) enum Wish {
    /// Open log files again.
    Reopen,
    /// Have a new process take the place of this one.
    Upgrade,
    /// End; why.
    Stop(&'static str),
}

impl Signals {
    pub(crate) fn new() -> Result<Self> {
        let open = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: open(SignalKind::interrupt())?,
            terminate: open(SignalKind::terminate())?,
            hangup: open(SignalKind::hangup())?,
            reopen: open(SignalKind::user_defined1())?,
            upgrade: open(SignalKind::user_defined2())?,
        })
    }

    /// Waits until we are asked to end, and says why.
    pub(crate) async fn stop(&mut self) -> &'static str {
        loop {
            if let Wish::Stop(why) = self.next().await {
                return why;
            }
        }
    }

    /// The same, when it does not matter why.
    pub(crate) async fn again(&mut self) {
        self.stop().await;
    }

    /// Waits for the next. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.interrupt.recv() => Wish::Stop("interrupted"),
            _ = self.terminate.recv() => Wish::Stop("asked to end"),
            _ = self.hangup.recv() => Wish::Stop("the terminal is gone"),
            _ = self.reopen.recv() => Wish::Reopen,
            _ = self.upgrade.recv() => Wish::Upgrade,
        }
    }
}
