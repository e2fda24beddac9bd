//! The folder of a running laboratory, and what other commands must know to attach to it.
//!
//! `/run/steelyard-lab/NAME/` holds manifests, lock and `state.json`; beside it `NAME.claim` is
//! locked by the process that runs it. The lock dies with the process, so a laboratory is running
//! exactly when its claim is locked; what stands beside a free claim is left over.

use std::fs::{File, TryLockError};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use steelyard_host::private;

use super::build;

/// Where laboratories keep their folders.
const HOME: &str = "/run/steelyard-lab";
/// Another command may hold the claim for a moment, to look.
const CLAIM_TRIES: u32 = 10;
const CLAIM_PAUSE: Duration = Duration::from_millis(50);

/// The right to run the laboratory of this name; dropping it removes the folder.
#[derive(Debug)]
pub(super) struct Claim {
    name: String,
    folder: PathBuf,
    /// Holds the lock.
    _file: File,
}

/// What attaching commands read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The process that runs it.
    pub(super) pid: i32,
    /// Its folder.
    pub(super) folder: PathBuf,
    /// Everything `up` reads.
    pub(super) paths: Vec<PathBuf>,
    /// The lock `up` keeps.
    pub(super) lock: PathBuf,
    /// All hosts: client, router, visitor, nodes, pods.
    pub(super) hosts: Vec<HostEntry>,
}

/// A host of the laboratory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HostEntry {
    /// As drawn.
    pub(super) name: String,
    /// Its network namespace.
    pub(super) namespace: String,
    /// What it is.
    pub(super) role: Role,
    /// Its address on the LAN's wire.
    pub(super) mac: Option<String>,
    /// Its addresses.
    pub(super) addresses: Vec<IpAddr>,
}

/// What a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    /// Where requests come from.
    Client,
    /// Between the LAN and the visitor.
    Router,
    /// Where requests from another subnet come from.
    Visitor,
    /// May answer for addresses.
    Node,
    /// Plays a replica.
    Pod,
}

impl Claim {
    /// Takes the name, and removes what an earlier laboratory of that name left.
    pub(super) fn take(name: &str) -> anyhow::Result<Self> {
        private::folder(Path::new(HOME)).with_context(|| format!("cannot make {HOME}"))?;
        let path = claim_path(name);
        let file = private::open(&path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        if !lock(&file)? {
            let pid = State::read(name).map_or_else(|_| "?".to_owned(), |it| it.pid.to_string());
            bail!(
                "a laboratory named {name:?} is running already (process {pid}); end it with \
                 `sudo steelyard lab{} down`, or give this one another --name",
                super::named(name)
            );
        }
        let folder = folder(name);
        let claim = Self { name: name.to_owned(), folder, _file: file };
        claim.clear()?;
        private::folder(&claim.folder).context("cannot make its folder")?;
        Ok(claim)
    }

    /// Its folder, empty at first.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Lets other commands attach.
    pub(super) fn publish(&self, state: &State) -> anyhow::Result<()> {
        let path = self.folder.join("state.json");
        Ok(private::replace(&path, &serde_json::to_vec_pretty(state)?)?)
    }

    fn clear(&self) -> anyhow::Result<()> {
        let swept = build::sweep(&self.name).context("cannot remove an earlier laboratory")?;
        if swept > 0 {
            steelyard_terminal::complain(&format!(
                "removed {swept} network namespaces that an earlier laboratory left"
            ));
        }
        match std::fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
        let _ = std::fs::remove_file(claim_path(&self.name));
        let _ = std::fs::remove_file(log_path(&self.name));
        // Stays while other laboratories have something in it.
        let _ = std::fs::remove_dir(HOME);
    }
}

impl State {
    /// The running laboratory of this name.
    pub(super) fn attach(name: &str) -> anyhow::Result<Self> {
        if !is_claimed(name) {
            bail!(
                "no laboratory named {name:?} is running; start one with `sudo steelyard lab{}`",
                super::named(name)
            );
        }
        Self::read(name).context("the laboratory is still starting; try again in a moment")
    }

    /// The host of this name: client, then nodes, then pods.
    pub(super) fn host(&self, name: &str) -> anyhow::Result<&HostEntry> {
        if let Some(host) = self.hosts.iter().find(|host| host.name == name) {
            return Ok(host);
        }
        let names: Vec<&str> = self.hosts.iter().map(|host| host.name.as_str()).collect();
        bail!("there is no host {name:?} in the laboratory; there are {}", names.join(", "))
    }

    /// The first host of a role.
    pub(super) fn first(&self, role: Role) -> anyhow::Result<&HostEntry> {
        self.hosts.iter().find(|host| host.role == role).context("the state file names no hosts")
    }

    fn read(name: &str) -> anyhow::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(folder(name).join("state.json"))?)?)
    }
}

/// Whether a process runs the laboratory of this name.
pub(super) fn is_claimed(name: &str) -> bool {
    match File::open(claim_path(name)) {
        Ok(file) => file.try_lock_shared().is_err(),
        Err(_) => false,
    }
}

/// Where a laboratory in the background writes its output, empty.
pub(super) fn create_log(name: &str) -> anyhow::Result<(PathBuf, File)> {
    private::folder(Path::new(HOME)).with_context(|| format!("cannot make {HOME}"))?;
    let path = log_path(name);
    let file = private::open(&path).with_context(|| path.display().to_string())?;
    file.set_len(0)?;
    Ok((path, file))
}

fn log_path(name: &str) -> PathBuf {
    Path::new(HOME).join(format!("{name}.log"))
}

fn folder(name: &str) -> PathBuf {
    Path::new(HOME).join(name)
}

fn claim_path(name: &str) -> PathBuf {
    Path::new(HOME).join(format!("{name}.claim"))
}

fn lock(file: &File) -> anyhow::Result<bool> {
    for _ in 0..CLAIM_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => std::thread::sleep(CLAIM_PAUSE),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
    Ok(false)
}
