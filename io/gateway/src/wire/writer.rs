//! The one thread that writes the access log. It may block for ever (a pipe that nobody reads, a
//! disk that hangs): nobody waits for it for longer than a moment.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// The way to the writer.
#[derive(Clone)]
pub(crate) struct Lines {
    to: SyncSender<Message>,
    backlog: Arc<Backlog>,
    reopen: Arc<AtomicBool>,
}

/// How far the writer is behind.
#[derive(Debug, Default)]
struct Backlog {
    /// Lines that wait to be written, and how many may.
    waiting: AtomicU64,
    most: Option<u64>,
    /// Lines that were dropped, and how many of them have not been spoken of.
    lost: AtomicU64,
    unsaid: AtomicU64,
}

/// The ways to writers, by place: a file, or standard output where there is none.
pub(crate) type LogWays = BTreeMap<Option<Arc<str>>, Lines>;

/// The writer's thread; it ends when every [`Lines`] is gone.
pub(crate) struct Writer {
    pub(crate) lines: Lines,
    /// Disconnected when the thread has ended.
    ended: Receiver<()>,
}

enum Message {
    /// Lines, and how many.
    Lines(Vec<u8>, u64),
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
    /// Starts writing to `path`, or to standard output. Where it is told how many lines may wait,
    /// no more do, but for those that come at once.
    pub(crate) fn start(path: Option<&Path>, most: Option<u64>) -> io::Result<Self> {
        let mut output = Output { path: path.map(Path::to_owned), file: None };
        if !output.is_pipe() {
            output.open()?;
        }
        let (to, messages) = sync_channel(WAITING);
        let (alive, ended) = sync_channel(0);
        let backlog = Arc::new(Backlog { most, ..Backlog::default() });
        let lines = Lines { to, backlog, reopen: Arc::default() };
        let (backlog, reopen) = (lines.backlog.clone(), lines.reopen.clone());
        std::thread::Builder::new().name("gateway-log".into()).spawn(move || {
            let _alive = alive;
            run(output, &messages, &backlog, &reopen);
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
    /// Hands `count` lines over; drops them when the writer is too far behind.
    pub(crate) fn send(&self, lines: Vec<u8>, count: u64) {
        let waiting = self.backlog.waiting.fetch_add(count, Ordering::Relaxed);
        let is_full = self.backlog.most.is_some_and(|most| waiting > 0 && waiting + count > most);
        // Whose writer is gone has none to wait for.
        if is_full || self.to.try_send(Message::Lines(lines, count)).is_err() {
            self.backlog.done(count);
            self.backlog.lose(count);
        }
    }

    /// Whether both lead to the same writer.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.backlog, &other.backlog)
    }

    /// How many were dropped so far.
    pub(crate) fn lost(&self) -> u64 {
        self.backlog.lost.load(Ordering::Relaxed)
    }

    /// Opens the file again: it was moved away by log rotation.
    pub(crate) fn reopen(&self) {
        self.reopen.store(true, Ordering::Relaxed);
        // A writer that is busy finds the flag.
        let _ = self.to.try_send(Message::Reopen);
    }
}

impl Backlog {
    fn done(&self, count: u64) {
        self.waiting.fetch_sub(count, Ordering::Relaxed);
    }

    fn lose(&self, count: u64) {
        self.lost.fetch_add(count, Ordering::Relaxed);
        self.unsaid.fetch_add(count, Ordering::Relaxed);
    }
}

fn run(mut output: Output, messages: &Receiver<Message>, backlog: &Backlog, reopen: &AtomicBool) {
    let mut failing = Failing::default();
    while let Ok(message) = messages.recv() {
        if reopen.swap(false, Ordering::Relaxed) {
            failing.tell(&output.reopen());
        }
        let Message::Lines(lines, count) = message else { continue };
        let outcome = output.write(&lines);
        failing.tell(&outcome);
        backlog.done(count);
        if outcome.is_err() {
            backlog.lose(count);
            continue;
        }
        let lost = backlog.unsaid.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "the access log could not keep up");
        }
    }
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

    #[derive(Clone, Default)]
    struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        /// What is said while this is done.
        fn of<T>(done: impl FnOnce() -> T) -> (T, String) {
            let log = Self::default();
            let to = log.clone();
            let subscriber =
                tracing_subscriber::fmt().with_writer(move || to.clone()).with_ansi(false).finish();
            let outcome = tracing::subscriber::with_default(subscriber, done);
            let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
            (outcome, text)
        }
    }

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("writer-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// A disk that is full, and has room again.
    #[test]
    fn what_was_lost_is_counted_and_said() {
        let folder = Folder::new("lost");
        let path = folder.0.join("log");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let (to, messages) = sync_channel(WAITING);
        let (backlog, reopen) = (Arc::<Backlog>::default(), Arc::<AtomicBool>::default());
        let lines = Lines { to, backlog: backlog.clone(), reopen: reopen.clone() };
        let output = Output { path: Some(path.clone()), file: None };
        let writes = backlog.clone();
        let thread =
            std::thread::spawn(move || Log::of(|| run(output, &messages, &writes, &reopen)).1);
        lines.send(b"one\ntwo\n".to_vec(), 2);
        let started = std::time::Instant::now();
        while lines.lost() < 2 {
            assert!(started.elapsed() < Duration::from_secs(9), "lines are counted");
            std::thread::yield_now();
        }
        assert_eq!(lines.lost(), 2);
        std::fs::remove_file(&path).unwrap();
        lines.reopen();
        lines.send(b"three\n".to_vec(), 1);
        lines.send(b"four\n".to_vec(), 1);
        drop(lines);
        let said = thread.join().unwrap();
        for words in ["cannot write the access log", "is written again", "could not keep up lost=2"]
        {
            assert_eq!(said.matches(words).count(), 1, "{words} in {said}");
        }
        assert_eq!(said.matches("could not keep up").count(), 1, "{said}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\nfour\n");
        let (lost, waiting) = (&backlog.lost, &backlog.waiting);
        assert_eq!([lost, waiting].map(|it| it.load(Ordering::Relaxed)), [2, 0]);
    }

    /// Nobody reads: so many lines wait, and the others are dropped and counted.
    #[test]
    fn no_more_wait_than_may() {
        let (to, messages) = sync_channel(WAITING);
        let backlog = Arc::new(Backlog { most: Some(3), ..Backlog::default() });
        let lines = Lines { to, backlog, reopen: Arc::default() };
        for (sent, lost) in [(4, 0), (1, 1), (2, 3)] {
            lines.send(b"x\n".repeat(sent), sent as u64);
            assert_eq!(lines.lost(), lost, "{sent}");
        }
        drop(messages);
        lines.send(b"8\n".to_vec(), 1);
        assert_eq!(lines.lost(), 4, "its writer is gone");
    }

    #[test]
    fn the_end_waits_for_the_last_lines() {
        let folder = Folder::new("end");
        let path = folder.0.join("log");
        let ((), said) = Log::of(|| {
            let writer = Writer::start(Some(&path), None).unwrap();
            for _ in 0..32 {
                writer.lines.send(vec![b'x'; 1 << 20], 1);
            }
            writer.finish();
        });
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 32 << 20);
        assert_eq!(said, "");
    }
}
