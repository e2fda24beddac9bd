//! Running processes, with everything they print.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

use crate::wait;

/// How long the last lines of a process that has ended may be on their way.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A process in the background; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    printed: Arc<Mutex<String>>,
    readers: [JoinHandle<()>; 2],
    is_hushed: bool,
}

impl Running {
    /// Starts `command`, without input.
    pub fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
        let printed = Arc::new(Mutex::new(String::new()));
        let readers = [
            collect(child.stdout.take().context("standard output is piped")?, &printed),
            collect(child.stderr.take().context("standard error is piped")?, &printed),
        ];
        Ok(Self { child, printed, readers, is_hushed: false })
    }

    /// Everything it printed so far, both streams, line by line.
    pub fn printed(&self) -> String {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it printed is not shown at its end.
    pub fn hush(&mut self) {
        self.is_hushed = true;
    }

    /// Waits until it has printed `part`; fails when it ends before.
    pub fn wait_for(&mut self, part: &str) -> Result<()> {
        let mut ended = None;
        let waited = wait::until(&format!("{part:?}"), || {
            // Looked at first: what it printed before its end counts.
            ended = self.child.try_wait().ok().flatten();
            self.printed().contains(part) || ended.is_some()
        });
        if waited.is_err() || !self.printed().contains(part) {
            bail!("no {part:?} (ended: {ended:?}) in what it printed:\n{}", self.printed());
        }
        Ok(())
    }

    /// Its process id.
    pub fn pid(&self) -> Result<Pid> {
        Pid::from_raw(i32::try_from(self.child.id())?).context("a process id is positive")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(self.pid()?, signal)?)
    }

    /// Stops it where it stands; none of its threads goes on when this returns.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)?;
        let folder = format!("/proc/{}/task", self.pid()?.as_raw_nonzero());
        wait::until("a process to stand still", || stands_still(&folder).unwrap_or(false))
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end, and until what it printed is read. Who it started may hold its output
    /// open for longer, which is not waited for.
    pub fn wait_for_end(&mut self) -> Result<ExitStatus> {
        let ended =
            wait::until_some("the end of a process", || self.child.try_wait().ok().flatten())
                .with_context(|| self.printed())?;
        let limit = Instant::now() + LAST_WORDS;
        while !self.readers.iter().all(JoinHandle::is_finished) && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(ended)
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait_for_end()
    }

    /// Kills it without a warning, and waits until it is gone.
    pub fn kill(&mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.wait_for_end().map(drop)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if self.is_hushed {
            return;
        }
        // Shown only when the test fails.
        print!("--- printed by process {}\n{}---\n", self.child.id(), self.printed());
    }
}

/// Runs `command` to its end; its output as text when it succeeds, an error with all of it else.
pub fn run(mut command: Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?}: {}\n{text}{errors}", output.status);
    }
    Ok(text)
}

fn collect(stream: impl Read + Send + 'static, printed: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let printed = printed.clone();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(lines.read_until(b'\n', &mut line), Ok(length) if length > 0) {
            let mut printed = printed.lock().unwrap_or_else(PoisonError::into_inner);
            printed.push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}

/// Whether all threads in a folder of them are stopped.
fn stands_still(folder: &str) -> Result<bool> {
    for thread in std::fs::read_dir(folder)? {
        let line = std::fs::read_to_string(thread?.path().join("stat"))?;
        // Behind its name, which may have any character in it.
        let state = line.rsplit(')').next().unwrap_or_default().trim_start().chars().next();
        if state != Some('T') {
            return Ok(false);
        }
    }
    Ok(true)
}
