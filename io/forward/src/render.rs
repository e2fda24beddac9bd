//! The nftables ruleset as a value, and as text. Pure.
//!
//! Invariants: everything is in one table of ours; per packet one lookup in a map, whatever the
//! number of vips; the base chains never change after the table is made, so that a later batch
//! touches only what differs. `change(a → b)` leaves the kernel as `replace(b)` would.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use steelyard_model::{Family, Protocol};

use crate::carry::{Decision, Way};
use crate::desired::VipPort;
use crate::passing;

/// What the table holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ruleset {
    /// Vips delivered on this host: their packets get our mark.
    served: BTreeSet<IpAddr>,
    /// Every vip: what is neither listened on nor translated ends in the guard chain.
    vips: BTreeSet<IpAddr>,
    /// Endpoints that see the client's own address; all others see ours.
    direct: BTreeSet<IpAddr>,
    /// Ports a transparent listener takes.
    listening: BTreeSet<VipPort>,
    /// Ports that are translated, and to what.
    translated: BTreeMap<VipPort, Vec<SocketAddr>>,
}

/// Name of the table and the mark bit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) table: String,
    pub(crate) mark: u32,
}

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

impl Ruleset {
    /// The table for `decision`. `listening` are the ports that somebody really listens on.
    pub(crate) fn new(decision: &Decision, listening: BTreeSet<VipPort>) -> Self {
        let translated = decision.ports.iter().filter_map(|port| match &port.way {
            Way::Translate(endpoints) => Some((port.key, endpoints.clone())),
            _ => None,
        });
        Self {
            served: listening.iter().map(|key| key.address).collect(),
            vips: decision.vips.clone(),
            direct: decision.direct.clone(),
            translated: translated.collect(),
            listening,
        }
    }

    /// Vips delivered on this host; each needs a route in the private table.
    pub(crate) fn served(&self) -> &BTreeSet<IpAddr> {
        &self.served
    }

    /// Where a translated port goes.
    pub(crate) fn translated(&self) -> &BTreeMap<VipPort, Vec<SocketAddr>> {
        &self.translated
    }

    /// Ports a transparent listener takes.
    pub(crate) fn listening(&self) -> &BTreeSet<VipPort> {
        &self.listening
    }

    /// The batch that makes the table from nothing, whatever was there.
    pub(crate) fn replace(&self, frame: &Frame) -> String {
        let mut text = frame.delete();
        text.push_str(&frame.skeleton());
        text.push_str(&self.change(&Self::default(), frame));
        text
    }

    /// The batch that leads from `old` to this; empty where nothing differs.
    pub(crate) fn change(&self, old: &Self, frame: &Frame) -> String {
        let mut batch = Batch { text: String::new(), table: &frame.table };
        for family in FAMILIES {
            let of = |all: &BTreeSet<IpAddr>| -> BTreeSet<String> {
                let same = all.iter().filter(|address| Family::of(**address) == family);
                same.map(ToString::to_string).collect()
            };
            batch.set(family, "served", &of(&old.served), &of(&self.served));
            batch.set(family, "vips", &of(&old.vips), &of(&self.vips));
            batch.set(family, "direct", &of(&old.direct), &of(&self.direct));
            let keys = |all: &BTreeSet<VipPort>| -> BTreeSet<String> {
                let same = all.iter().filter(|key| Family::of(key.address) == family);
                same.map(|key| element(*key)).collect()
            };
            batch.set(family, "listening", &keys(&old.listening), &keys(&self.listening));
        }
        for key in old.translated.keys().filter(|key| !self.translated.contains_key(key)) {
            batch.close(*key);
        }
        for (key, endpoints) in &self.translated {
            let before = old.translated.get(key);
            if before != Some(endpoints) {
                batch.translate(*key, endpoints, before.is_none());
            }
        }
        batch.text
    }
}

impl Frame {
    /// The batch that removes the table, if it is there.
    pub(crate) fn delete(&self) -> String {
        let table = &self.table;
        // Adding first makes deleting what is not there no error.
        format!("add table inet {table}\ndelete table inet {table}\n")
    }

    /// Sets, maps and base chains, all empty.
    fn skeleton(&self) -> String {
        let mark = self.mark;
        let mut text = format!("table inet {} {{\n", self.table);
        for (suffix, kind) in [("4", "ipv4_addr"), ("6", "ipv6_addr")] {
            for name in ["served", "vips", "direct"] {
                let _ = writeln!(text, "  set {name}{suffix} {{ type {kind}; }}");
            }
            let key = format!("type {kind} . inet_proto . inet_service");
            let _ = writeln!(text, "  set listening{suffix} {{ {key}; }}");
            let _ = writeln!(text, "  map ports{suffix} {{ {key} : verdict; }}");
        }
        let (passed, doubtful) = (passing::going_out("accept"), passing::in_doubt("drop"));
        text.push_str(
            &CHAINS
                .replace("MARK", &format!("{mark:#x}"))
                .replace("PASSED", &passed)
                .replace("DOUBTFUL", &doubtful),
        );
        text.push_str("}\n");
        text
    }
}

/// Base chains. Priorities: mangle is -150, dstnat -100; the guard at -90 thus sees a vip only
/// where nothing translated it. What connection tracking takes for invalid (a late retransmission)
/// is not translated either: a reset would break its connection, which is sound.
/// Masquerading leaves `lo` alone: there we are both ends.
const CHAINS: &str = "  chain mark_in {
    type filter hook prerouting priority mangle; policy accept;
    DOUBTFUL
    ip daddr @served4 meta mark set meta mark or MARK
    ip6 daddr @served6 meta mark set meta mark or MARK
  }
  chain mark_out {
    type route hook output priority mangle; policy accept;
    PASSED
    ip daddr @served4 meta mark set meta mark or MARK
    ip6 daddr @served6 meta mark set meta mark or MARK
  }
  chain translate {
    ip daddr . meta l4proto . th dport vmap @ports4
    ip6 daddr . meta l4proto . th dport vmap @ports6
  }
  chain translate_in {
    type nat hook prerouting priority dstnat; policy accept;
    jump translate
  }
  chain translate_out {
    type nat hook output priority -100; policy accept;
    jump translate
  }
  chain masquerade_out {
    type nat hook postrouting priority srcnat; policy accept;
    oif \"lo\" accept
    ct status dnat ct original ip daddr @vips4 ip daddr != @direct4 masquerade
    ct status dnat ct original ip daddr @vips4 ip saddr @direct4 masquerade
    ct status dnat ct original ip6 daddr @vips6 ip6 daddr != @direct6 masquerade
    ct status dnat ct original ip6 daddr @vips6 ip6 saddr @direct6 masquerade
  }
  chain guard {
    icmp type { destination-unreachable, time-exceeded, parameter-problem } accept
    icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept
    ct state invalid drop
    meta l4proto tcp reject with tcp reset
    drop
  }
  chain guard_in {
    type filter hook prerouting priority -90; policy accept;
    ip daddr . meta l4proto . th dport @listening4 accept
    ip6 daddr . meta l4proto . th dport @listening6 accept
    ip daddr @vips4 goto guard
    ip6 daddr @vips6 goto guard
  }
  chain guard_out {
    type filter hook output priority -90; policy accept;
    PASSED
    ip daddr . meta l4proto . th dport @listening4 accept
    ip6 daddr . meta l4proto . th dport @listening6 accept
    meta l4proto != tcp accept
    ct state invalid accept
    ip daddr @vips4 reject with tcp reset
    ip6 daddr @vips6 reject with tcp reset
  }
";

struct Batch<'a> {
    text: String,
    table: &'a str,
}

impl Batch<'_> {
    fn line(&mut self, verb: &str, rest: &str) {
        // Writing to a String cannot fail.
        let (what, rest) = rest.split_once(' ').expect("a line names what it is about");
        let _ = writeln!(self.text, "{verb} {what} inet {} {rest}", self.table);
    }

    fn set(&mut self, family: Family, name: &str, old: &BTreeSet<String>, new: &BTreeSet<String>) {
        let name = format!("{name}{}", suffix(family));
        for (verb, from, without) in [("delete", old, new), ("add", new, old)] {
            let elements: Vec<&str> = from.difference(without).map(String::as_str).collect();
            if !elements.is_empty() {
                self.line(verb, &format!("element {name} {{ {} }}", elements.join(", ")));
            }
        }
    }

    fn translate(&mut self, key: VipPort, endpoints: &[SocketAddr], new: bool) {
        let chain = chain(key);
        self.line("add", &format!("chain {chain}"));
        self.line("flush", &format!("chain {chain}"));
        self.line("add", &format!("rule {chain} {}", translation(key, endpoints)));
        if new {
            let map = format!("ports{}", suffix(Family::of(key.address)));
            let element = element(key);
            self.line("add", &format!("element {map} {{ {element} : goto {chain} }}"));
        }
    }

    fn close(&mut self, key: VipPort) {
        let map = format!("ports{}", suffix(Family::of(key.address)));
        self.line("delete", &format!("element {map} {{ {} }}", element(key)));
        self.line("flush", &format!("chain {}", chain(key)));
        self.line("delete", &format!("chain {}", chain(key)));
    }
}

fn translation(key: VipPort, endpoints: &[SocketAddr]) -> String {
    let protocol = protocol(key.protocol);
    let family = if key.address.is_ipv4() { "ip" } else { "ip6" };
    let target = match endpoints {
        [only] => only.to_string(),
        several => {
            let choices: Vec<String> = several
                .iter()
                .enumerate()
                .map(|(turn, at)| format!("{turn} : {} . {}", at.ip(), at.port()))
                .collect();
            format!("numgen inc mod {} map {{ {} }}", several.len(), choices.join(", "))
        }
    };
    format!("meta l4proto {protocol} dnat {family} to {target}")
}

fn element(key: VipPort) -> String {
    format!("{} . {} . {}", key.address, protocol(key.protocol), key.port)
}

/// A chain's name may hold letters, digits, `_`, `.` and `-`, and begins with a letter.
fn chain(key: VipPort) -> String {
    let address = key.address.to_string().replace(':', "-");
    format!("{}_{address}_{}", protocol(key.protocol), key.port)
}

fn suffix(family: Family) -> char {
    match family {
        Family::V4 => '4',
        Family::V6 => '6',
    }
}

fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    }
}

#[cfg(test)]
mod tests;
