//! The processes of a laboratory: `up` and the echo servers, each in its namespace.
//!
//! They get a process group of their own, so that Ctrl-C reaches only the laboratory, which then
//! ends them in order; and the kernel kills them when the laboratory dies by any other way.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use super::console::Console;
use steelyard_terminal::Style;

/// A running process; killed when dropped.
#[derive(Debug)]
pub(super) struct Child {
    name: String,
    process: tokio::process::Child,
}

/// Turns the current process into `command`, in `namespace`, to die with its parent.
pub(super) fn inside(namespace: &str, command: &[OsString]) -> anyhow::Result<ExitCode> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let error = Command::new("ip").args(["netns", "exec", namespace]).args(command).exec();
    Err(error).context("cannot run `ip netns exec`")
}

impl Child {
    /// Runs this program with `arguments` in `namespace`; each line it prints is said behind
    /// `name`.
    pub(super) fn start<S: AsRef<OsStr>>(
        name: &str,
        namespace: &str,
        arguments: &[S],
        console: &Console,
    ) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program's file")?;
        let mut command = tokio::process::Command::new(&program);
        command.args(["lab", "inside", namespace]).arg(&program).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process =
            command.process_group(0).kill_on_drop(true).spawn().with_context(|| name.to_owned())?;
        if let Some(output) = process.stdout.take() {
            tokio::spawn(relay(name.to_owned(), output, console.clone()));
        }
        if let Some(output) = process.stderr.take() {
            tokio::spawn(relay(name.to_owned(), output, console.clone()));
        }
        Ok(Self { name: name.to_owned(), process })
    }

    /// Its end, as a sentence.
    pub(super) async fn ended(&mut self) -> String {
        match self.process.wait().await {
            Ok(status) => format!("{} ended: {status}", self.name),
            Err(error) => format!("{} is lost: {error}", self.name),
        }
    }

    /// Its end, as a sentence, if it has ended.
    pub(super) fn has_ended(&mut self) -> Option<String> {
        match self.process.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.to_string()),
            Err(error) => Some(format!("it is lost: {error}")),
        }
    }

    /// Sends a signal, unless it has ended.
    pub(super) fn signal(&self, signal: Signal) {
        // Not waited for yet, so the number is still its own.
        let pid = self.process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, signal);
        }
    }

    /// Kills it, and waits until it is gone.
    pub(super) async fn kill(&mut self) {
        let _ = self.process.kill().await;
    }

    /// Asks it to end, and kills it after `patience`.
    pub(super) async fn stop(mut self, patience: Duration) {
        self.signal(Signal::TERM);
        if tokio::time::timeout(patience, self.process.wait()).await.is_err() {
            steelyard_terminal::complain(&format!(
                "{} does not end by itself and is killed",
                self.name
            ));
            let _ = self.process.kill().await;
        }
    }
}

async fn relay(name: String, output: impl AsyncRead + Unpin, console: Console) {
    let prefix = Style::Faint.paint(&format!("{name} |"), console.color());
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        console.say(&format!("{prefix} {line}\n"));
    }
}
