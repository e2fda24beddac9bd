//! The one thread that writes the access log. It may block for ever (a pipe that nobody reads, a
//! disk that hangs): nobody waits for it for longer than a moment.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

/// The way to the writer.
#[derive(Clone)]
pub(crate) struct Lines {
    to: SyncSender<Message>,
    lost: Arc<AtomicU64>,
    reopen: Arc<AtomicBool>,
}

/// The writer's thread; it ends when every [`Lines`] is gone.
pub(crate) struct Writer {
    pub(crate) lines: Lines,
    /// Disconnected when the thread has ended.
    ended: Receiver<()>,
}

enum Message {
    Lines(Vec<u8>),
    Reopen,
}

/// Where lines go. A pipe is opened by the writer: that waits until somebody reads it.
struct Output {
    path: Option<PathBuf>,
    file: Option<File>,
}

/// Whether writing fails: what goes on is said once.
#[derive(Debug, Default)]
struct Failing(bool);

/// What is to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Say {
    Fails,
    Works,
}

/// Buffers that may wait for the writer: some megabytes.
const WAITING: usize = 64;

/// How long the last lines may take.
const PATIENCE: Duration = Duration::from_secs(1);

impl Writer {
    /// Starts writing to `path`, or to standard output.
    pub(crate) fn start(path: Option<&Path>) -> io::Result<Self> {
        let mut output = Output { path: path.map(Path::to_owned), file: None };
        if !output.is_pipe() {
            output.open()?;
        }
        let (to, messages) = sync_channel(WAITING);
        let (alive, ended) = sync_channel(0);
        let lines = Lines { to, lost: Arc::default(), reopen: Arc::default() };
        let (lost, reopen) = (lines.lost.clone(), lines.reopen.clone());
        std::thread::Builder::new().name("gateway-log".into()).spawn(move || {
            let _alive = alive;
            run(output, &messages, &lost, &reopen);
        })?;
        Ok(Self { lines, ended })
    }

    /// Waits until the last lines are written, for a moment. Nobody else may hold [`Lines`].
    pub(crate) fn finish(self) {
        drop(self.lines);
        if self.ended.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!("the access log does not take its last lines");
        }
    }
}

impl Lines {
    /// Hands lines over; drops them when the writer is too far behind.
    pub(crate) fn send(&self, lines: Vec<u8>) {
        if let Err(TrySendError::Full(Message::Lines(lines))) =
            self.to.try_send(Message::Lines(lines))
        {
            self.lost.fetch_add(count(&lines), Ordering::Relaxed);
        }
    }

    /// Opens the file again: it was moved away by log rotation.
    pub(crate) fn reopen(&self) {
        self.reopen.store(true, Ordering::Relaxed);
        // A writer that is busy finds the flag.
        let _ = self.to.try_send(Message::Reopen);
    }
}

fn run(mut output: Output, messages: &Receiver<Message>, lost: &AtomicU64, reopen: &AtomicBool) {
    let mut failing = Failing::default();
    while let Ok(message) = messages.recv() {
        if reopen.swap(false, Ordering::Relaxed) {
            failing.tell(&output.reopen());
        }
        let Message::Lines(lines) = message else { continue };
        let outcome = output.write(&lines);
        failing.tell(&outcome);
        if outcome.is_err() {
            lost.fetch_add(count(&lines), Ordering::Relaxed);
            continue;
        }
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "the access log could not keep up");
        }
    }
}

fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}

impl Failing {
    fn tell(&mut self, outcome: &io::Result<()>) {
        match (self.note(outcome.is_err()), outcome) {
            (Some(Say::Fails), Err(error)) => {
                tracing::error!(%error, "cannot write the access log");
            }
            (Some(_), _) => tracing::info!("the access log is written again"),
            (None, _) => {}
        }
    }

    /// What is worth saying now.
    fn note(&mut self, fails: bool) -> Option<Say> {
        let before = std::mem::replace(&mut self.0, fails);
        match (before, fails) {
            (false, true) => Some(Say::Fails),
            (true, false) => Some(Say::Works),
            _ => None,
        }
    }
}

impl Output {
    fn is_pipe(&self) -> bool {
        let path = self.path.as_deref();
        path.and_then(|path| path.metadata().ok()).is_some_and(|it| it.file_type().is_fifo())
    }

    fn open(&mut self) -> io::Result<&mut File> {
        let file = match &self.path {
            // Who asked for what is not for everybody on the machine.
            Some(path) => OpenOptions::new().create(true).append(true).mode(0o640).open(path)?,
            // Not through the lock that everything else that prints waits for.
            None => File::from(io::stdout().as_fd().try_clone_to_owned()?),
        };
        Ok(self.file.insert(file))
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.write_all(lines),
            None => self.open()?.write_all(lines),
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        if self.path.is_some() {
            self.open()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_said_once() {
        let mut failing = Failing::default();
        let said = [false, true, true, true, false, false, true].map(|it| failing.note(it));
        let (fails, works) = (Some(Say::Fails), Some(Say::Works));
        assert_eq!(said, [None, fails, None, None, works, None, fails]);
    }
}
