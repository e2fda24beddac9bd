//! Who has which address, written down: the lock file, which one machine writes and others follow.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Result, anyhow};
use steelyard_model::Holdings;

use super::{Applied, Doing, Hand};
use crate::lock_file::{self, Stamp};
use crate::mind::Decided;

/// The lock file, as this machine keeps it.
pub(crate) struct Assignments {
    /// None: in memory only.
    path: Option<PathBuf>,
    /// Whether another machine writes it.
    follows: bool,
    /// The file, as we left it or as it was when we last read it.
    stamp: Option<Stamp>,
    held: Holdings,
    /// Something was written: what is not cannot be done without from then on.
    is_begun: bool,
    standing: LockStanding,
}

/// How the lock file stands. Its clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct LockStanding(Arc<Mutex<(bool, Option<String>)>>);

impl LockStanding {
    /// Whether the last edit waits for it to be writable.
    pub(crate) fn is_waiting(&self) -> bool {
        self.lock().0
    }

    /// Why it is not followed, or cannot be written; the one of before stays in force.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.lock().1.clone()
    }

    /// The last edit waits, or does not any more.
    pub(crate) fn wait(&self, is_waiting: bool) {
        self.lock().0 = is_waiting;
    }

    fn set_trouble(&self, trouble: Option<String>) {
        self.lock().1 = trouble;
    }

    fn lock(&self) -> MutexGuard<'_, (bool, Option<String>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Assignments {
    /// As the file says, if there is one.
    ///
    /// # Errors
    /// When it cannot be read: addresses would move.
    pub(crate) fn read(path: Option<PathBuf>, follows: bool) -> Result<Self> {
        let held = match &path {
            Some(path) => lock_file::read(path)?.map_err(|found| {
                let at = found.location.as_ref().map(ToString::to_string).unwrap_or_default();
                anyhow!("{at}: {}; {}", found.message, found.help)
            })?,
            None => Holdings::default(),
        };
        let (stamp, is_begun, standing) = Default::default();
        Ok(Self { path, follows, stamp, held, is_begun, standing })
    }

    /// Who has which address.
    pub(crate) fn held(&self) -> &Holdings {
        &self.held
    }

    pub(crate) fn standing(&self) -> &LockStanding {
        &self.standing
    }

    /// Reads what the lock's writer wrote; whether that is something new.
    pub(crate) fn follow(&mut self) -> bool {
        let Some(path) = self.path.as_ref().filter(|_| self.follows) else { return false };
        let stamp = lock_file::stamp(path);
        if stamp.is_some() && stamp == self.stamp {
            return false;
        }
        let trouble = match lock_file::read(path) {
            Ok(Ok(_)) if stamp.is_none() && !self.held.0.is_empty() => "it is not there".to_owned(),
            Ok(Ok(held)) => {
                self.stamp = stamp;
                self.standing.set_trouble(None);
                let is_news = held != self.held;
                self.held = held;
                return is_news;
            }
            // Half of it may have come over the network.
            Ok(Err(found)) => found.message.clone(),
            Err(error) => format!("{error:#}"),
        };
        let trouble = format!("{}: {trouble}", path.display());
        self.miss(&trouble);
        false
    }

    /// Says once what is the matter with the lock file.
    fn miss(&self, trouble: &str) {
        let trouble = format!("{trouble}; the lock of before stays in force");
        if self.standing.trouble().as_ref() != Some(&trouble) {
            tracing::warn!("{trouble}");
            self.standing.set_trouble(Some(trouble));
        }
    }

    /// A lock file that came after the start, with the share it is on, says who has what, as long
    /// as nobody holds anything by ours.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn recall(&mut self) -> Result<()> {
        let is_open = self.held.0.is_empty() && !self.follows;
        let Some(path) = self.path.as_ref().filter(|_| is_open) else { return Ok(()) };
        let stamp = lock_file::stamp(path);
        if stamp.is_none() || stamp == self.stamp {
            return Ok(());
        }
        self.held = lock_file::read(path)?.map_err(|found| anyhow!("{}", found.message))?;
        Ok(())
    }

    /// Writes what is held again where somebody removed the file. When it cannot be written, the
    /// next edit says so.
    pub(crate) fn mend(&mut self) {
        let _ = self.write(&self.held.clone());
    }

    /// Writes `held`, unless it is what we wrote and the file is as we left it.
    fn write(&mut self, held: &Holdings) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let is_ours = self.stamp.is_some() && self.stamp == lock_file::stamp(path);
        if self.follows || is_ours && *held == self.held {
            return Ok(());
        }
        self.stamp = None;
        lock_file::write(path, held)?;
        self.stamp = lock_file::stamp(path);
        self.standing.set_trouble(None);
        Ok(())
    }

    fn assign(&mut self, held: &Holdings) -> Result<()> {
        if let Err(error) = self.write(held) {
            if !self.is_begun || *held != self.held {
                return Err(error);
            }
            // Nothing changes hands, so nothing waits: its folder may be out of sight.
            self.miss(&format!("{error:#}"));
        }
        if !self.follows {
            self.held.clone_from(held);
        }
        self.is_begun = true;
        self.standing.wait(false);
        Ok(())
    }
}

impl Hand for Assignments {
    fn apply<'a>(
        &'a mut self,
        decided: &'a Arc<Decided>,
        _: &'a mut Applied,
    ) -> Doing<'a, Result<()>> {
        Box::pin(std::future::ready(self.assign(&decided.plan.held)))
    }
}
