//! Who has which address in a cluster: one LAN, on it the control plane, the nodes and a client,
//! and behind each node its pods. Both families everywhere.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use steelyard_host::netns::{Namespace, Segment};

/// The client's number on the LAN, who is also everybody's default router.
const CLIENT: u8 = 1;
/// The control plane's.
const CONTROL: u8 = 10;
/// All pods', and all Services'.
pub(super) const PODS: [&str; 2] = ["10.244.0.0/16", "fd00:244::/32"];
pub(super) const SERVICES: [&str; 2] = ["10.96.0.0/16", "fd00:96::/112"];
/// The API server's Service has the first one.
pub(super) const API_SERVICE: [&str; 2] = ["10.96.0.1", "fd00:96::1"];

/// Addresses of a host on the LAN, by its number.
pub(super) fn addresses(number: u8) -> [String; 2] {
    [format!("10.2.0.{number}"), format!("fd00:2::{number}")]
}

/// Where the API server is.
pub(super) fn control() -> [String; 2] {
    addresses(CONTROL)
}

/// Number of the host that the node of this number is, counted from one.
pub(super) fn host_number(node: u8) -> u8 {
    CONTROL + node
}

/// Ranges of a node's pods.
pub(super) fn pods(node: u8) -> [String; 2] {
    [format!("10.244.{node}.0/24"), format!("fd00:244:{node}::/48")]
}

/// Plugs a client in.
pub(super) fn client(segment: &Segment) -> Result<Namespace> {
    host(segment, "client", CLIENT)
}

/// Plugs in the host of the control plane, which can reach all pods.
pub(super) fn control_host(segment: &Segment, nodes: u8) -> Result<Namespace> {
    let host = host(segment, "control", CONTROL)?;
    route(&host, (1..=nodes).collect())?;
    Ok(host)
}

/// Plugs in the host of a node, which can reach the pods of all others; others than those see its
/// pods under its own address.
pub(super) fn node(segment: &Segment, name: &str, node: u8, nodes: u8) -> Result<Namespace> {
    let host = host(segment, name, host_number(node))?;
    route(&host, (1..=nodes).filter(|other| *other != node).collect())?;
    masquerade(&host, node)?;
    Ok(host)
}

fn host(segment: &Segment, name: &str, number: u8) -> Result<Namespace> {
    let [four, six] = addresses(number);
    let host = segment.host(name, &[&format!("{four}/24"), &format!("{six}/64")])?;
    // A host keeps its hardware address when it is switched off and on.
    host.ip(&["link", "set", "eth0", "address", &format!("02:00:00:00:02:{number:02x}")])?;
    if number != CLIENT {
        let [four, six] = addresses(CLIENT);
        host.ip(&["route", "add", "default", "via", &four])?;
        host.ip(&["-6", "route", "add", "default", "via", &six])?;
    }
    Ok(host)
}

fn route(host: &Namespace, nodes: Vec<u8>) -> Result<()> {
    for node in nodes {
        for (range, router) in pods(node).iter().zip(addresses(host_number(node))) {
            let family = if range.contains(':') { "-6" } else { "-4" };
            host.ip(&[family, "route", "add", range, "via", &router])?;
        }
    }
    Ok(())
}

fn masquerade(host: &Namespace, node: u8) -> Result<()> {
    let [four, six] = pods(node);
    let [all_four, all_six] = PODS;
    let rules = format!(
        "table inet pods {{
          chain leaving {{
            type nat hook postrouting priority srcnat
            ip saddr {four} ip daddr != {all_four} masquerade
            ip6 saddr {six} ip6 daddr != {all_six} masquerade
          }}
        }}"
    );
    let mut nft = host.command("nft");
    feed(nft.args(["-f", "-"]), &rules)
}

/// Runs a command that reads `text`.
fn feed(command: &mut Command, text: &str) -> Result<()> {
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().context("standard input is piped")?;
    std::io::Write::write_all(&mut input, text.as_bytes())?;
    drop(input);
    let status = child.wait()?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
