//! The one thread that writes the access log.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

/// The way to the writer.
#[derive(Clone)]
pub(crate) struct Lines {
    to: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

/// The writer's thread; it ends when every [`Lines`] is gone.
pub(crate) struct Writer {
    pub(crate) lines: Lines,
    pub(crate) thread: JoinHandle<()>,
}

enum Message {
    Lines(Vec<u8>),
    Reopen,
}

enum Output {
    Stdout,
    File(PathBuf, File),
}

/// Buffers that may wait for the writer: some megabytes.
const WAITING: usize = 64;

impl Writer {
    /// Starts writing to `path`, or to standard output.
    pub(crate) fn start(path: Option<&Path>) -> io::Result<Self> {
        let output = match path {
            None => Output::Stdout,
            Some(path) => Output::File(path.to_owned(), open(path)?),
        };
        let (to, messages) = sync_channel(WAITING);
        let lines = Lines { to, lost: Arc::default() };
        let lost = lines.lost.clone();
        let thread = std::thread::Builder::new()
            .name("gateway-log".into())
            .spawn(move || run(output, &messages, &lost))?;
        Ok(Self { lines, thread })
    }
}

impl Lines {
    /// Hands lines over; drops them when the writer is too far behind.
    pub(crate) fn send(&self, lines: Vec<u8>) {
        if let Err(TrySendError::Full(Message::Lines(lines))) =
            self.to.try_send(Message::Lines(lines))
        {
            let count = lines.iter().filter(|byte| **byte == b'\n').count() as u64;
            self.lost.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Opens the file again: it was moved away by log rotation.
    pub(crate) fn reopen(&self) {
        let _ = self.to.send(Message::Reopen);
    }
}

fn run(mut output: Output, messages: &Receiver<Message>, lost: &AtomicU64) {
    while let Ok(message) = messages.recv() {
        let outcome = match message {
            Message::Lines(lines) => output.write(&lines),
            Message::Reopen => output.reopen(),
        };
        if let Err(error) = outcome {
            tracing::error!(%error, "cannot write the access log");
        }
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "the access log could not keep up");
        }
    }
}

impl Output {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(lines)?;
                out.flush()
            }
            Self::File(_, file) => file.write_all(lines),
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        if let Self::File(path, file) = self {
            *file = open(path)?;
        }
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    // Who asked for what is not for everybody on the machine.
    OpenOptions::new().create(true).append(true).mode(0o640).open(path)
}
