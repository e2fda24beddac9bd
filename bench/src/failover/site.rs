//! A laboratory with three nodes that share one address, whoever makes them share it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use steelyard_host::netns::{self, Namespace};
use steelyard_lab::watch::Target;
use steelyard_tests::lab::Lab;

use super::act::Act;
use super::fault;
use super::names::{HOST, NODES, VIP, namespace};
use crate::interrupt;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(15);

/// Nodes that share one address.
pub(super) trait Site {
    /// The laboratory they are in.
    fn lab(&self) -> &Lab;

    /// The owner, when all nodes agree on it and the others stand by.
    fn settled(&mut self) -> Option<String>;

    /// A node other than `victim` that has the address.
    fn holder(&mut self, victim: &str) -> Option<String>;

    /// The process that announces on a node.
    fn announcer(&self, node: &str) -> Result<Pid>;

    /// Brings a node back that was struck by what is no matter of the wire.
    fn restart(&mut self, act: Act, node: &str) -> Result<()>;

    /// How things are, for who has to find out why they are so.
    fn described(&mut self) -> String;

    /// What the client asks.
    fn target(&self) -> Target {
        let vip = VIP.parse().expect("an address");
        Target {
            address: (std::net::IpAddr::V4(vip), 80).into(),
            host: HOST.into(),
            path: "/".into(),
        }
    }

    /// Does it; the moment before.
    fn strike(&mut self, act: Act, node: &str) -> Result<Instant> {
        let pids = match act {
            Act::Leave => vec![self.announcer(node)?],
            Act::LeaveTwo => vec![self.announcer(node)?, self.announcer(beside(node))?],
            Act::Crash | Act::Stop | Act::Unheard | Act::HalfHeard => pids(self.lab(), node)?,
            _ => Vec::new(),
        };
        let port = port(self.lab(), node)?;
        fault::prepare(self.lab(), act, &port)?;
        let before = Instant::now();
        match act {
            Act::Crash | Act::Unheard | Act::HalfHeard => signal(&pids, Signal::KILL),
            Act::Stop => signal(&pids, Signal::STOP),
            Act::Leave | Act::LeaveTwo => signal(&pids, Signal::TERM),
            Act::Link => plug(self.lab(), &port, "down")?,
            Act::Deaf | Act::Dark => fault::strike(self.lab(), act, &port)?,
            Act::Address => fault::readdress(self.lab(), node, fault::OTHER)?,
            Act::Replug => fault::replug(self.lab(), node, &port)?,
        }
        Ok(before)
    }

    /// Undoes it.
    fn revive(&mut self, act: Act, node: &str) -> Result<()> {
        match act {
            Act::Link => plug(self.lab(), &port(self.lab(), node)?, "up"),
            Act::Stop => {
                signal(&pids(self.lab(), node)?, Signal::CONT);
                Ok(())
            }
            Act::Crash | Act::Leave => self.restart(act, node),
            Act::LeaveTwo => {
                self.restart(act, node)?;
                self.restart(act, beside(node))
            }
            Act::Unheard | Act::HalfHeard => {
                fault::mend(self.lab())?;
                self.restart(act, node)
            }
            Act::Deaf => fault::mend(self.lab()),
            Act::Dark | Act::Replug => Ok(()),
            Act::Address => fault::readdress(self.lab(), node, fault::OTHER),
        }
    }
}

/// The node after this one.
fn beside(node: &str) -> &'static str {
    let at = NODES.iter().position(|it| *it == node).unwrap_or_default();
    NODES[(at + 1) % NODES.len()]
}

/// Waits until `look` finds something; no longer than is reasonable, and not when interrupted.
pub(super) fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if interrupt::is_set() {
            bail!("interrupted");
        }
        if Instant::now() > deadline {
            bail!("waited {} s for {what}", PATIENCE.as_secs());
        }
        std::thread::sleep(PAUSE);
    }
}

/// Every process on a node.
pub(super) fn pids(lab: &Lab, node: &str) -> Result<Vec<Pid>> {
    let text = netns::ip(&["netns", "pids", &namespace(lab, node)])?;
    let pids = text.split_whitespace().map(|pid| pid.parse().ok().and_then(Pid::from_raw));
    pids.map(|pid| pid.context("a process id is a positive number")).collect()
}

/// Signals those that are still there.
pub(super) fn signal(pids: &[Pid], signal: Signal) {
    for &pid in pids {
        let _ = kill_process(pid, signal);
    }
}

/// The bridge's port that a node is plugged into: what its interface says is at the other end.
fn port(lab: &Lab, node: &str) -> Result<String> {
    let shown = netns::ip(&["-n", &namespace(lab, node), "-o", "link", "show", "eth0"])?;
    let index = shown.split_once("eth0@if").and_then(|(_, rest)| rest.split_once(':'));
    let (index, _) = index.with_context(|| format!("no cable at {shown}"))?;
    let all = netns::ip(&["-n", &lab.namespace("switch"), "-o", "link", "show"])?;
    let line = all.lines().find_map(|line| line.strip_prefix(&format!("{index}: ")));
    let name = line.and_then(|line| line.split(['@', ':']).next());
    Ok(name.with_context(|| format!("no port {index} in {all}"))?.to_owned())
}

fn plug(lab: &Lab, port: &str, state: &str) -> Result<()> {
    Namespace::existing(&lab.namespace("switch"))?.ip(&["link", "set", port, state])?;
    Ok(())
}
