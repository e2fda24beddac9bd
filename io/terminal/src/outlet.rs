//! Standard output and standard error of commands that run for long: a thread writes them.
//!
//! A pipe that nobody reads, a terminal that is held (Ctrl-S) or a journal that hangs takes nothing
//! any more, perhaps for ever. Whoever has something to say must not wait for that: a worker of the
//! gateway would answer nobody, a machine that shares addresses would be taken for dead.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// What may wait to be written: log lines, or pages of a summary.
const WAITING: usize = 1024;
/// How long the last of it may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a full queue is tried at the end.
const AGAIN: Duration = Duration::from_millis(10);

/// The outlets of this process, once a command wants them.
static OUTLETS: OnceLock<[Outlet; 2]> = OnceLock::new();

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

/// The way to one writer.
struct Outlet {
    to: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

enum Message {
    Text(Vec<u8>),
    /// Everything before this was written when it is dropped.
    End(#[expect(dead_code, reason = "its end is the message")] SyncSender<()>),
}

/// From now on what is written to `Stream` waits for nobody.
///
/// # Errors
/// When no thread is to be had.
pub fn detach() -> io::Result<()> {
    let outlets = [
        Outlet::start("stdout", |text| write(&mut io::stdout(), text))?,
        Outlet::start("stderr", |text| write(&mut io::stderr(), text))?,
    ];
    // Who was first stays; the threads of this one end.
    let _ = OUTLETS.set(outlets);
    Ok(())
}

/// Writes `text` as it is. Where that fails nobody hears it, and the work goes on.
pub(super) fn say(stream: Stream, text: &[u8]) {
    match OUTLETS.get() {
        Some([out, err]) => match stream {
            Stream::Out => out.say(text),
            Stream::Err => err.say(text),
        },
        None => drop(match stream {
            Stream::Out => write(&mut io::stdout(), text),
            Stream::Err => write(&mut io::stderr(), text),
        }),
    }
}

/// Waits until everything is written, for a moment.
pub fn finish() {
    let until = Instant::now() + PATIENCE;
    for outlet in OUTLETS.get().into_iter().flatten() {
        outlet.finish(until);
    }
}

fn write(to: &mut impl Write, text: &[u8]) -> io::Result<()> {
    to.write_all(text)?;
    to.flush()
}

impl Outlet {
    fn start(
        name: &str,
        write: impl Fn(&[u8]) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let (to, messages) = sync_channel(WAITING);
        let lost = Arc::<AtomicU64>::default();
        let outlet = Self { to, lost: lost.clone() };
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || run(&messages, &lost, write))?;
        Ok(outlet)
    }

    fn say(&self, text: &[u8]) {
        if self.to.try_send(Message::Text(text.to_owned())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn finish(&self, until: Instant) {
        let (end, ended) = sync_channel(0);
        let mut message = Message::End(end);
        while let Err(TrySendError::Full(back)) = self.to.try_send(message) {
            if Instant::now() >= until {
                return;
            }
            message = back;
            std::thread::sleep(AGAIN);
        }
        // Nothing is ever sent: it is disconnected, or time is up.
        let _ = ended.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

fn run(messages: &Receiver<Message>, lost: &AtomicU64, write: impl Fn(&[u8]) -> io::Result<()>) {
    while let Ok(message) = messages.recv() {
        let Message::Text(text) = message else { continue };
        if write(&text).is_err() {
            continue;
        }
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "what was said could not be written in time");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn who_speaks_waits_for_no_reader() {
        let (go_on, held) = channel::<()>();
        let held = Mutex::new(held);
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let outlet = {
            let written = written.clone();
            Outlet::start("held", move |text| {
                // Disconnected: nobody holds it any more.
                let _ = held.lock().unwrap().recv();
                written.lock().unwrap().extend_from_slice(text);
                Ok(())
            })
            .unwrap()
        };
        for _ in 0..WAITING + 10 {
            outlet.say(b"x");
        }
        assert!(outlet.lost.load(Ordering::Relaxed) >= 9, "one is being written");
        outlet.finish(Instant::now());
        assert!(written.lock().unwrap().is_empty());
        drop(go_on);
        outlet.finish(Instant::now() + Duration::from_secs(60));
        assert!(written.lock().unwrap().len() >= WAITING);
        assert_eq!(outlet.lost.load(Ordering::Relaxed), 0, "it was told");
    }
}
