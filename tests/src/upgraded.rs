//! Processes that took over from another one: nobody's children, so they are ended by their number.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::wait;

/// How an instance is upgraded, and what came of it; all of that is ended when dropped.
#[derive(Debug)]
pub struct Upgrades {
    state: PathBuf,
    /// Processes that took over, the last one last.
    pub processes: Vec<Pid>,
}

impl Upgrades {
    /// Of the instance that keeps its state there.
    pub fn of(state: &Path) -> Self {
        Self { state: state.to_owned(), processes: Vec::new() }
    }

    /// `steelyard upgrade` with these options, as a command.
    pub fn command(&self, options: &[&str]) -> Command {
        let mut command = crate::binary::command(["upgrade", "--state-dir"]);
        command.arg(&self.state).args(options);
        command
    }

    /// Has a new process take over; its number.
    pub fn once(&mut self) -> Result<Pid> {
        let output = self.command(&[]).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{output:?}");
        let number = said.split(' ').nth(1).context("a number")?.parse()?;
        let process = Pid::from_raw(number).context("a process id is positive")?;
        self.processes.push(process);
        Ok(process)
    }

    /// What is said of one that fails.
    pub fn fails(&self, options: &[&str]) -> Result<String> {
        let output = self.command(options).output()?;
        ensure!(output.status.code() == Some(1), "{output:?}");
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Waits until all but the last have ended.
    pub fn wait_for_former(&self) -> Result<()> {
        let former = self.processes.split_last().map_or(&[][..], |(_, former)| former);
        wait::until("former processes to end", || {
            former.iter().all(|it| test_kill_process(*it).is_err())
        })
    }

    /// Asks the last one to end, and waits until it has.
    pub fn stop(mut self) -> Result<()> {
        self.wait_for_former()?;
        let last = self.processes.pop().context("nobody took over")?;
        kill_process(last, Signal::TERM)?;
        self.processes.clear();
        let ended = wait::until("the end", || test_kill_process(last).is_err());
        if ended.is_err() {
            self.processes.push(last);
        }
        ended
    }
}

impl Drop for Upgrades {
    fn drop(&mut self) {
        let own = std::fs::canonicalize(crate::binary::steelyard()).ok();
        for process in self.processes.drain(..) {
            // Its number may be somebody else's by now.
            let exe = format!("/proc/{}/exe", process.as_raw_nonzero());
            if std::fs::canonicalize(exe).ok() == own {
                let _ = kill_process(process, Signal::KILL);
            }
        }
    }
}
