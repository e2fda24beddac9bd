//! The lock file as the engine keeps it: written by one machine, followed by the others.

use anyhow::Result;
use steelyard_model::Holdings;

use super::Engine;
use crate::lock_file;

impl Engine {
    /// Reads what the lock's writer wrote; whether that is something new.
    pub(super) fn follow_lock(&mut self) -> bool {
        let Some(path) = self.settings.lock.as_ref().filter(|_| self.follows()) else {
            return false;
        };
        let stamp = lock_file::stamp(path);
        if stamp.is_some() && stamp == self.lock {
            return false;
        }
        let trouble = match lock_file::read(path) {
            Ok(Ok(_)) if stamp.is_none() && !self.held.0.is_empty() => "it is not there".to_owned(),
            Ok(Ok(held)) => {
                (self.lock, self.lock_trouble) = (stamp, None);
                let is_news = held != self.held;
                self.held = held;
                return is_news;
            }
            // Half of it may have come over the network.
            Ok(Err(found)) => found.message.clone(),
            Err(error) => format!("{error:#}"),
        };
        self.miss_lock(format!("{}: {trouble}", path.display()));
        false
    }

    /// Says once what is the matter with the lock file.
    pub(super) fn miss_lock(&mut self, trouble: String) {
        let trouble = format!("{trouble}; the lock of before stays in force");
        if self.lock_trouble.as_ref() != Some(&trouble) {
            tracing::warn!("{trouble}");
            self.lock_trouble = Some(trouble);
            self.publish();
        }
    }

    /// A lock file that came after the start, with the share it is on, says who has what, as long
    /// as nobody holds anything by ours.
    pub(super) fn recall_lock(&mut self) -> Result<()> {
        let is_open = self.held.0.is_empty() && !self.follows();
        let Some(path) = self.settings.lock.as_ref().filter(|_| is_open) else { return Ok(()) };
        let stamp = lock_file::stamp(path);
        if stamp.is_none() || stamp == self.lock {
            return Ok(());
        }
        self.held = lock_file::read(path)?.map_err(|found| anyhow::anyhow!("{}", found.message))?;
        Ok(())
    }

    /// Writes `held`, unless it is what we wrote and the file is as we left it.
    pub(super) fn write_lock(&mut self, held: &Holdings) -> Result<()> {
        let Some(path) = self.settings.lock.as_ref().filter(|_| !self.follows()) else {
            return Ok(());
        };
        let is_ours = self.lock.is_some() && self.lock == lock_file::stamp(path);
        if is_ours && *held == self.held {
            return Ok(());
        }
        self.lock = None;
        lock_file::write(path, held)?;
        self.lock = lock_file::stamp(path);
        if self.lock_trouble.take().is_some() {
            self.publish();
        }
        Ok(())
    }
}
