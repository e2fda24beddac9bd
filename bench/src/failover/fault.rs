//! Faults beyond one node's end, and who says that it has the address meanwhile.

use std::net::{IpAddr, Ipv4Addr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use steelyard_host::netns::{self, Namespace};
use steelyard_tests::capture::Capture;
use steelyard_tests::lab::Lab;

use super::act::Act;
use super::names::{VIP, namespace};

/// An address of a node's own that it does not have at first.
pub(super) const OTHER: &str = "10.1.1.77/24";
/// Longer than any dead time: by then all that follows from heartbeats has happened.
const UNHEARD: Duration = Duration::from_millis(1200);
const DARK: Duration = Duration::from_secs(2);
const TABLE: &str = "bench";

/// What is wrong before the moment that counts.
pub(super) fn prepare(lab: &Lab, act: Act, port: &str) -> Result<()> {
    let (rule, wait) = match act {
        Act::Unheard => ("udp dport 9181 drop".to_owned(), UNHEARD),
        Act::HalfHeard => (format!("iifname {port} udp dport 9181 drop"), UNHEARD),
        Act::Dark => ("drop".to_owned(), DARK),
        _ => return Ok(()),
    };
    drop_frames(lab, &rule)?;
    std::thread::sleep(wait);
    Ok(())
}

/// What is wrong, or no longer is, from the moment that counts.
pub(super) fn strike(lab: &Lab, act: Act, port: &str) -> Result<()> {
    match act {
        Act::Deaf => drop_frames(lab, &format!("oifname {port} drop")),
        _ => mend(lab),
    }
}

/// No frame is dropped any more.
pub(super) fn mend(lab: &Lab) -> Result<()> {
    nft(lab, &format!("delete table bridge {TABLE}"))
}

fn drop_frames(lab: &Lab, rule: &str) -> Result<()> {
    let chain = "type filter hook forward priority -1";
    nft(lab, &format!("table bridge {TABLE} {{\nchain forward {{\n{chain}\n{rule}\n}}\n}}\n"))
}

fn nft(lab: &Lab, batch: &str) -> Result<()> {
    let output = Namespace::existing(&lab.namespace("switch"))?.output("nft", &[batch])?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Replaces a node's own IPv4 address by `other`, or by the one that it had.
pub(super) fn readdress(lab: &Lab, node: &str, other: &str) -> Result<()> {
    let host = Namespace::existing(&namespace(lab, node))?;
    let own = lab.show()?["nodes"]
        .as_array()
        .and_then(|nodes| nodes.iter().position(|it| it["name"] == *node))
        .context("no such node")?;
    let first = format!("10.1.1.{}/24", 2 + own);
    let shown =
        String::from_utf8(host.output("ip", &["-4", "-o", "addr", "show", "eth0"])?.stdout)?;
    let now = shown.split_whitespace().nth(3).context("no address")?;
    let new = if now == other { first.as_str() } else { other };
    host.ip(&["addr", "del", now, "dev", "eth0"])?;
    host.ip(&["addr", "add", new, "dev", "eth0"])?;
    host.ip(&["route", "replace", "default", "via", "10.1.1.1"])?;
    Ok(())
}

/// Deletes a node's interface, and plugs one of the same name and address in at once.
pub(super) fn replug(lab: &Lab, node: &str, port: &str) -> Result<()> {
    let (inside, switch) = (namespace(lab, node), lab.namespace("switch"));
    let host = Namespace::existing(&inside)?;
    let text = |output: std::process::Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let mac = text(host.output("cat", &["/sys/class/net/eth0/address"])?);
    let shown = text(host.output("ip", &["-4", "-o", "addr", "show", "eth0"])?);
    let address = shown.split_whitespace().nth(3).context("no address")?;
    let routes = text(host.output("ip", &["-4", "route", "show"])?);
    host.ip(&["link", "del", "eth0"])?;
    let plug = ["-n", &switch, "link", "add", port, "type", "veth", "peer", "name", "eth0"];
    netns::ip(&[&plug[..], &["address", mac.trim(), "netns", &inside]].concat())?;
    netns::ip(&["-n", &switch, "link", "set", port, "master", "br0", "up"])?;
    host.ip(&["link", "set", "eth0", "up"])?;
    host.ip(&["addr", "add", address, "dev", "eth0"])?;
    for route in routes.lines().filter(|line| line.contains(" via ")) {
        let words = route.split_whitespace().take_while(|it| !["proto", "metric"].contains(it));
        host.ip(&["route", "replace"].into_iter().chain(words).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// Hears at the client who says that it has the address, and makes sure that it is said.
pub(super) struct Witness {
    capture: Capture,
    asks: Child,
}

impl Witness {
    pub(super) fn start(client: &str) -> Result<Self> {
        let capture = Capture::start(client)?;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", client, "arping", "-q", "-W", "0.02", "-I", "eth0", VIP]);
        let asks = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self { capture, asks })
    }

    /// How long at most a node said so still after another had begun to, since `act`.
    pub(super) fn longest_double(&self, act: Instant) -> Duration {
        let vip: IpAddr = VIP.parse::<Ipv4Addr>().expect("an address").into();
        let since = SystemTime::now() - act.elapsed();
        let heard = self.capture.heard();
        let (before, after): (Vec<_>, Vec<_>) =
            heard.iter().filter(|it| it.address == vip).partition(|it| it.at < since);
        // Who says so, since when each; the last one last.
        let mut turns: Vec<(&str, SystemTime)> = Vec::new();
        let mut longest = Duration::ZERO;
        for frame in before.last().into_iter().chain(&after) {
            match turns.iter().position(|(mac, _)| *mac == frame.mac) {
                None => turns.push((&frame.mac, frame.at)),
                Some(at) => {
                    let next = turns.get(at + 1).map(|(_, began)| frame.at.duration_since(*began));
                    longest = longest.max(next.and_then(Result::ok).unwrap_or_default());
                }
            }
        }
        longest
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.asks.kill();
        let _ = self.asks.wait();
    }
}
