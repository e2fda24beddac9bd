//! Named network namespaces: whole hosts, as far as the network goes, on one machine.
//!
//! For the laboratory and for tests, not for the data path. A [`Namespace`] made here is deleted
//! when it is dropped; [`Segment`] is a LAN of them. Set-up goes through iproute2's `ip`, so that
//! what stands can be looked at (and cleaned up) with the tool everybody knows.
//!
//! Invariant: no thread of the caller ever changes its namespace; code that must run inside one
//! runs on a thread of its own ([`Namespace::run`]), and what that thread spawns stays inside.

mod segment;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Command, Output};

pub use segment::Segment;

/// Where iproute2 keeps names of namespaces.
const NAMES: &str = "/run/netns";

/// A named network namespace.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    /// Whether dropping it deletes it.
    owned: bool,
}

/// Why something about a namespace did not work.
#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    /// The program is not there, or could not be started.
    #[error("cannot run `{command}`")]
    Start {
        /// The command line.
        command: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The program ran and failed.
    #[error("`{command}` failed: {message}")]
    Failed {
        /// The command line.
        command: String,
        /// What it printed on standard error.
        message: String,
    },
    /// There is no such namespace, or it cannot be entered.
    #[error("cannot enter the network namespace {name}")]
    Enter {
        /// Its name.
        name: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A kernel setting could not be written.
    #[error("cannot set {key} in the network namespace {name}")]
    Setting {
        /// Namespace.
        name: String,
        /// Which setting, as in `net.ipv4.ip_forward`.
        key: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Why namespaces cannot be used here, as words to print; none when they can.
///
/// Tests skip by this: it looks for privileges and for `ip`, and changes nothing.
pub fn unavailable() -> Option<String> {
    if !is_root() {
        return Some("not root".to_owned());
    }
    match Command::new("ip").arg("-V").output() {
        Ok(_) => None,
        Err(error) => Some(format!("the program `ip` (Debian: iproute2) does not run: {error}")),
    }
}

/// Names of the namespaces on this machine, sorted.
pub fn list() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(NAMES) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Runs `ip` in the namespace of the caller.
pub fn ip(arguments: &[&str]) -> Result<String, NetnsError> {
    let mut command = Command::new("ip");
    command.args(arguments);
    checked(command)
}

/// Joins two namespaces by a virtual cable; both ends are up afterwards.
pub fn cable(a: (&Namespace, &str), b: (&Namespace, &str)) -> Result<(), NetnsError> {
    let ((a, a_name), (b, b_name)) = (a, b);
    a.ip(&["link", "add", a_name, "type", "veth", "peer", "name", b_name, "netns", b.name()])?;
    a.ip(&["link", "set", a_name, "up"])?;
    b.ip(&["link", "set", b_name, "up"])?;
    Ok(())
}

impl Namespace {
    /// Makes a namespace (in place of one of that name left over from before) with `lo` up.
    ///
    /// IPv6 addresses in it are usable at once: the kernel's own duplicate address detection is
    /// off, for interfaces that come later too.
    pub fn create(name: &str) -> Result<Self, NetnsError> {
        if PathBuf::from(NAMES).join(name).exists() {
            ip(&["netns", "del", name])?;
        }
        ip(&["netns", "add", name])?;
        let namespace = Self { name: name.to_owned(), owned: true };
        namespace.ip(&["link", "set", "lo", "up"])?;
        for scope in ["all", "default"] {
            namespace.set(&format!("net.ipv6.conf.{scope}.accept_dad"), "0")?;
        }
        Ok(namespace)
    }

    /// Refers to a namespace that something else made and will delete.
    pub fn existing(name: &str) -> Result<Self, NetnsError> {
        let namespace = Self { name: name.to_owned(), owned: false };
        namespace.open()?;
        Ok(namespace)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Lets it live on after this value: something else deletes it.
    pub fn keep(mut self) {
        self.owned = false;
    }

    /// Deletes it now, telling of failure.
    pub fn delete(mut self) -> Result<(), NetnsError> {
        self.owned = false;
        ip(&["netns", "del", &self.name]).map(drop)
    }

    /// Runs `ip` inside.
    pub fn ip(&self, arguments: &[&str]) -> Result<String, NetnsError> {
        let mut all = vec!["-n", self.name.as_str()];
        all.extend(arguments);
        ip(&all)
    }

    /// Writes a kernel setting inside, as `sysctl -w KEY=VALUE` does.
    pub fn set(&self, key: &str, value: &str) -> Result<(), NetnsError> {
        let path = format!("/proc/sys/{}", key.replace('.', "/"));
        self.run(|| std::fs::write(&path, value))?.map_err(|source| NetnsError::Setting {
            name: self.name.clone(),
            key: key.to_owned(),
            source,
        })
    }

    /// A command that will run inside.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Runs a program inside to its end; its output whatever its status.
    pub fn output(&self, program: &str, arguments: &[&str]) -> Result<Output, NetnsError> {
        let mut command = self.command(program);
        command.args(arguments);
        command.output().map_err(|source| NetnsError::Start { command: shown(&command), source })
    }

    /// Runs `work` inside, on a thread of its own, and waits for it. Sockets that it makes and
    /// threads that it starts belong to this namespace for good.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, NetnsError> {
        let file = self.open()?;
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| enter(&file).map(|()| work()));
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
        .map_err(|source| NetnsError::Enter { name: self.name.clone(), source })
    }

    fn open(&self) -> Result<File, NetnsError> {
        File::open(PathBuf::from(NAMES).join(&self.name))
            .map_err(|source| NetnsError::Enter { name: self.name.clone(), source })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if self.owned
            && let Err(error) = ip(&["netns", "del", &self.name])
        {
            tracing::warn!(name = self.name, %error, "network namespace left behind");
        }
    }
}

/// Moves the calling thread into the namespace that `file` stands for.
#[allow(unsafe_code, reason = "the standard library has no setns")]
fn enter(file: &File) -> io::Result<()> {
    // SAFETY: setns takes an open file descriptor and a flag, touches no memory of ours, and
    // affects only the calling thread.
    let result = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[allow(unsafe_code, reason = "the standard library does not tell the user id")]
fn is_root() -> bool {
    // SAFETY: geteuid takes nothing, touches no memory and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

fn checked(mut command: Command) -> Result<String, NetnsError> {
    let output = command
        .output()
        .map_err(|source| NetnsError::Start { command: shown(&command), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(NetnsError::Failed { command: shown(&command), message })
}

fn shown(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}
