//! Commands for a running laboratory that hand over to another program.

use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::addressed::addressed;
use super::certified;
use super::state::{self, Claim, Role, State};
use super::world::{Reader, World};

/// How long a laboratory may take to end.
const DOWN_PATIENCE: Duration = Duration::from_secs(30);

/// `lab exec HOST COMMAND…`.
pub(super) fn exec(lab: &str, host: &str, command: &[OsString]) -> anyhow::Result<ExitCode> {
    let state = State::attach(lab)?;
    become_inside(&state.host(host)?.namespace, command)
}

/// `lab curl URL…`: host names of routes lead to the gateway, others are left to curl.
pub(super) fn curl(lab: &str, read: Reader, args: &[OsString]) -> anyhow::Result<ExitCode> {
    let state = State::attach(lab)?;
    let world = World::read(read, &state.paths, &state.lock)?;
    let own: Vec<IpAddr> = state.first(Role::Node)?.addresses.clone();
    let mut command: Vec<OsString> = ["curl", "--noproxy", "*"].map(OsString::from).to_vec();
    command.push("--cacert".into());
    command.push(certified::ca_file(&state.folder).into());
    for (host, port) in args.iter().filter_map(|arg| addressed(arg)) {
        let vips = world.vips_of(&host, &own);
        if !vips.is_empty() {
            command.push("--resolve".into());
            command.push(format!("{host}:{port}:{}", shown(&vips)).into());
        }
    }
    command.extend(args.iter().cloned());
    become_inside(&state.first(Role::Client)?.namespace, &command)
}

/// `lab down`.
pub(super) fn down(lab: &str) -> anyhow::Result<ExitCode> {
    if !state::is_claimed(lab) {
        // Taking the claim removes what a killed one left.
        return Claim::take(lab).map(|_| ExitCode::SUCCESS);
    }
    let pid = Pid::from_raw(State::attach(lab)?.pid).context("the state file names no process")?;
    kill_process(pid, Signal::TERM).context("cannot end the laboratory")?;
    let deadline = Instant::now() + DOWN_PATIENCE;
    while state::is_claimed(lab) {
        if Instant::now() > deadline {
            bail!("the laboratory (process {pid:?}) does not end; kill it and run this again");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(ExitCode::SUCCESS)
}

fn become_inside<S: AsRef<OsStr>>(namespace: &str, command: &[S]) -> anyhow::Result<ExitCode> {
    let error = Command::new("ip").args(["netns", "exec", namespace]).args(command).exec();
    Err(error).context("cannot run `ip netns exec`")
}

/// As curl's `--resolve` wants addresses: `10.1.1.100,[fd00::100]`.
fn shown(addresses: &[IpAddr]) -> String {
    let shown: Vec<String> = addresses
        .iter()
        .map(|address| match address {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        })
        .collect();
    shown.join(",")
}
