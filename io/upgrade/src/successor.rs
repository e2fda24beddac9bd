//! The process that takes the place of another one, seen from either.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use rustix::process::geteuid;
use steelyard_host::user_of_peer;
use tokio::process::{Child, Command};

use crate::line::ProcessLine;

/// Tells a process that its standard input is a [`ProcessLine`] to the one it takes over from.
const SIGN: &str = "STEELYARD_TAKES_OVER";

/// It, as the one that started it has it; killed when dropped, unless it [`Successor::stays`].
#[derive(Debug)]
pub struct Successor {
    child: Child,
    stays: bool,
}

impl Successor {
    /// Starts it.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn start(program: &Path, arguments: &[OsString]) -> io::Result<(Self, ProcessLine)> {
        let (line, theirs) = ProcessLine::pair()?;
        let mut command = Command::new(program);
        command.args(arguments).env(SIGN, "1").stdin(Stdio::from(theirs));
        let child = command.spawn()?;
        Ok((Self { child, stays: false }, line))
    }

    /// Its number.
    pub fn process(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When that cannot be known.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// It has taken over, and lives on whatever becomes of this process.
    pub fn stays(mut self) {
        self.stays = true;
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if !self.stays {
            // It may have ended by itself.
            let _ = self.child.start_kill();
        }
    }
}

/// The line to the process that this one takes over from; none where it begins. To be called once,
/// at the start and inside a runtime.
///
/// # Errors
/// When it is told to take over by somebody who is not the same user.
pub fn predecessor() -> io::Result<Option<ProcessLine>> {
    if std::env::var_os(SIGN).is_none() {
        return Ok(None);
    }
    let input = std::io::stdin();
    // Set for a process of an earlier one, which has nothing to give.
    if rustix::net::sockopt::socket_type(&input).is_err() {
        return Ok(None);
    }
    let user = user_of_peer(&input)?;
    if user != geteuid().as_raw() {
        let why = format!("{SIGN} is set, but by user {user}");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    ProcessLine::new(input.as_fd().try_clone_to_owned()?).map(Some)
}
