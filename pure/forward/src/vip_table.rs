//! The nftables ruleset as a value, and as text. Pure.
//!
//! Invariants: everything is in one table of ours; per packet one lookup in a map, whatever the
//! number of vips; the base chains never change after the table is made, so that a later batch
//! touches only what differs. `change(a → b)` leaves the kernel as `replace(b)` would.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use steelyard_model::{Family, Protocol};

use crate::carry::{Carriage, Decision};
use crate::desired::VipPort;
use crate::hooks::MARKED_AT;
use crate::pass_table;

/// What the table holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VipTable {
    /// Vips delivered on this host: their packets get our mark.
    served: BTreeSet<IpAddr>,
    /// Every vip: what is neither listened on nor translated ends in the guard chain.
    vips: BTreeSet<IpAddr>,
    /// Endpoints that see the client's own address; all others see ours.
    direct: BTreeSet<IpAddr>,
    /// The address of ours that an endpoint sees. One that is not in here sees whichever the kernel
    /// takes.
    sources: BTreeMap<IpAddr, IpAddr>,
    /// Ports a transparent listener takes, and the port at the vip where it is.
    listening: BTreeMap<VipPort, u16>,
    /// Ports that are translated, and to what.
    translated: BTreeMap<VipPort, Vec<SocketAddr>>,
}

/// What stays as it is while the table stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFrame {
    /// Its name.
    pub table: String,
    /// The mark bit.
    pub mark: u32,
    /// Whether the kernel can lead packets to listeners at other ports (`nft_tproxy`).
    pub leads: bool,
}

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

impl VipTable {
    /// The table for `decision`. `listening` are the ports that somebody really listens on, `busy`
    /// the vips with connections to listeners that may be closed.
    pub fn new(
        decision: &Decision,
        listening: BTreeMap<VipPort, u16>,
        busy: &BTreeSet<IpAddr>,
    ) -> Self {
        // Connections go on also where nobody listens any more.
        let kept = busy.iter().chain(&decision.served).copied();
        let translated = decision.ports.iter().filter_map(|port| match &port.way {
            Carriage::Translate(endpoints) => Some((port.key, endpoints.clone())),
            _ => None,
        });
        Self {
            served: listening.keys().map(|key| key.address).chain(kept).collect(),
            vips: decision.vips.clone(),
            direct: decision.direct.clone(),
            sources: decision.sources.clone(),
            translated: translated.collect(),
            listening,
        }
    }

    /// Vips delivered on this host; each needs a route in the private table.
    pub fn served(&self) -> &BTreeSet<IpAddr> {
        &self.served
    }

    /// Where a translated port goes.
    pub fn translated(&self) -> &BTreeMap<VipPort, Vec<SocketAddr>> {
        &self.translated
    }

    /// Ports a transparent listener takes, and where it is.
    pub fn listening(&self) -> &BTreeMap<VipPort, u16> {
        &self.listening
    }

    /// The batch that makes the table from nothing, whatever was there.
    pub fn replace(&self, frame: &TableFrame) -> String {
        let mut text = frame.delete();
        text.push_str(&frame.skeleton());
        text.push_str(&self.change(&Self::default(), frame));
        text
    }

    /// The batch that leads from `old` to this; empty where nothing differs.
    pub fn change(&self, old: &Self, frame: &TableFrame) -> String {
        let mut batch = Batch { text: String::new(), table: &frame.table };
        for family in FAMILIES {
            let of = |all: &BTreeSet<IpAddr>| -> BTreeSet<String> {
                let same = all.iter().filter(|address| Family::of(**address) == family);
                same.map(ToString::to_string).collect()
            };
            batch.set(family, "served", &of(&old.served), &of(&self.served));
            batch.set(family, "vips", &of(&old.vips), &of(&self.vips));
            batch.set(family, "direct", &of(&old.direct), &of(&self.direct));
            let (before, now) = (texts(&old.sources, family), texts(&self.sources, family));
            batch.map(family, "sources", &before, &now);
            let keys = |all: &BTreeMap<VipPort, u16>| -> BTreeSet<String> {
                let same = all.keys().filter(|key| Family::of(key.address) == family);
                same.map(|key| element(*key)).collect()
            };
            batch.set(family, "listening", &keys(&old.listening), &keys(&self.listening));
            for (name, pairs) in [("led", led as Pairs), ("answers", answers as Pairs)] {
                batch.map(
                    family,
                    name,
                    &pairs(&old.listening, family),
                    &pairs(&self.listening, family),
                );
            }
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

impl TableFrame {
    /// The batch that removes the table, if it is there.
    pub fn delete(&self) -> String {
        let table = &self.table;
        // Adding first makes deleting what is not there no error.
        format!("add table inet {table}\ndelete table inet {table}\n")
    }

    /// Sets, maps and base chains, all empty.
    fn skeleton(&self) -> String {
        let mark = self.mark;
        let mut text = format!("table inet {} {{\n", self.table);
        for (suffix, kind) in [("4", "ipv4_addr"), ("6", "ipv6_addr")] {
            let key = format!("type {kind} . inet_proto . inet_service");
            let _ = writeln!(text, "  set live{suffix} {{ type {kind}; flags timeout; }}");
            for name in ["served", "vips", "direct"] {
                let _ = writeln!(text, "  set {name}{suffix} {{ type {kind}; }}");
            }
            let _ = writeln!(text, "  map sources{suffix} {{ type {kind} : {kind}; }}");
            let _ = writeln!(text, "  map led{suffix} {{ {key} : inet_service; }}");
            let port = format!("type {kind} . inet_service : inet_service");
            let _ = writeln!(text, "  map answers{suffix} {{ {port}; }}");
            let _ = writeln!(text, "  set listening{suffix} {{ {key}; }}");
            let _ = writeln!(text, "  map ports{suffix} {{ {key} : verdict; }}");
        }
        let (passed, doubtful) = (pass_table::going_out("accept"), pass_table::in_doubt("drop"));
        let lead = if self.leads { LEAD } else { "" };
        text.push_str(
            &CHAINS
                .replace("    LEAD\n", lead)
                .replace("    SERVED_BEGUN\n", SERVED_BEGUN)
                .replace("    SERVED_LIVE\n", SERVED_LIVE)
                .replace("BEGUN", BEGUN)
                .replace("LAST", &MARKED_AT.to_string())
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
///
/// Nothing is done about a vip that is not live (intake.rs), but for flows that began while it was:
/// those of listeners are known by the mark of their connection, translated ones by connection
/// tracking itself. Datagrams are not: which of them are of one flow nobody can tell.
///
/// A listener is bound to another port of the vip. TCP sockets made by it have the port that the
/// client asked for all the same (tproxy); datagrams get it on their way out, before connection
/// tracking (raw is -300) takes them for a flow of their own.
const CHAINS: &str = "  chain deliver {
    meta mark set meta mark or MARK
    ct mark set ct mark or MARK
    LEAD
  }
  chain mark_in {
    type filter hook prerouting priority mangle; policy accept;
    DOUBTFUL
    SERVED_BEGUN
    ip daddr @live4 ip daddr @served4 goto deliver
    ip6 daddr @live6 ip6 daddr @served6 goto deliver
  }
  chain deliver_out {
    meta mark set meta mark or MARK
    ct mark set ct mark or MARK
  }
  chain mark_out {
    type route hook output priority mangle; policy accept;
    PASSED
    SERVED_BEGUN
    ip daddr @live4 ip daddr @served4 goto deliver_out
    ip6 daddr @live6 ip6 daddr @served6 goto deliver_out
  }
  chain mark_in_last {
    type filter hook prerouting priority LAST; policy accept;
    SERVED_BEGUN
    SERVED_LIVE
  }
  chain mark_out_last {
    type route hook output priority LAST; policy accept;
    PASSED
    SERVED_BEGUN
    SERVED_LIVE
  }
  chain answer_out {
    type filter hook output priority raw; policy accept;
    udp sport set ip saddr . udp sport map @answers4
    udp sport set ip6 saddr . udp sport map @answers6
  }
  chain translate {
    ip daddr @live4 ip daddr . meta l4proto . th dport vmap @ports4
    ip6 daddr @live6 ip6 daddr . meta l4proto . th dport vmap @ports6
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
    ct status dnat ct original ip daddr @live4 ip daddr != @direct4 masquerade
    ct status dnat ct original ip daddr @live4 ip saddr @direct4 masquerade
    ct status dnat ct original ip6 daddr @live6 ip6 daddr != @direct6 snat ip6 to ip6 daddr map @sources6
    ct status dnat ct original ip6 daddr @live6 ip6 saddr @direct6 snat ip6 to ip6 daddr map @sources6
    ct status dnat ct original ip6 daddr @live6 ip6 daddr != @direct6 masquerade
    ct status dnat ct original ip6 daddr @live6 ip6 saddr @direct6 masquerade
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
    ip daddr @served4 BEGUN accept
    ip6 daddr @served6 BEGUN accept
    ip daddr . meta l4proto . th dport @listening4 accept
    ip6 daddr . meta l4proto . th dport @listening6 accept
    ip daddr @live4 goto guard
    ip6 daddr @live6 goto guard
  }
  chain guard_out {
    type filter hook output priority -90; policy accept;
    PASSED
    ip daddr @served4 BEGUN accept
    ip6 daddr @served6 BEGUN accept
    ip daddr . meta l4proto . th dport @listening4 accept
    ip6 daddr . meta l4proto . th dport @listening6 accept
    meta l4proto != tcp accept
    ct state invalid accept
    ip daddr @live4 reject with tcp reset
    ip6 daddr @live6 reject with tcp reset
  }
";

/// Packets of a flow that began while its vip was live, and errors about it.
const BEGUN: &str = "meta l4proto != udp ct state { established, related } ct direction original \
                     ct mark and MARK == MARK";

/// A listener's: led to it, whether or not its vip is live now.
const SERVED_BEGUN: &str = "    ip daddr @served4 BEGUN meta mark set meta mark or MARK return
    ip6 daddr @served6 BEGUN meta mark set meta mark or MARK return
";

/// The same of every packet, while its vip is live.
const SERVED_LIVE: &str = "    ip daddr @live4 ip daddr @served4 meta mark set meta mark or MARK
    ip6 daddr @live6 ip6 daddr @served6 meta mark set meta mark or MARK
";

/// Without a listener there the packet goes on to the vip's own port.
const LEAD: &str = "    meta l4proto { tcp, udp } \
tproxy ip to ip daddr:ip daddr . meta l4proto . th dport map @led4
    meta l4proto { tcp, udp } \
tproxy ip6 to ip6 daddr:ip6 daddr . meta l4proto . th dport map @led6
";

/// Pairs that a map is to hold, by key.
type Pairs = fn(&BTreeMap<VipPort, u16>, Family) -> BTreeMap<String, String>;

fn texts(all: &BTreeMap<IpAddr, IpAddr>, family: Family) -> BTreeMap<String, String> {
    let same = all.iter().filter(|(key, _)| Family::of(**key) == family);
    same.map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

/// Where packets to a port go.
fn led(listening: &BTreeMap<VipPort, u16>, family: Family) -> BTreeMap<String, String> {
    let led = listening.iter().filter(|(key, at)| key.port != **at);
    let same = led.filter(|(key, _)| Family::of(key.address) == family);
    same.map(|(key, at)| (element(*key), at.to_string())).collect()
}

/// As which port a listener answers.
fn answers(listening: &BTreeMap<VipPort, u16>, family: Family) -> BTreeMap<String, String> {
    let led = listening.iter().filter(|(key, at)| key.port != **at);
    let same = led.filter(|(key, _)| Family::of(key.address) == family);
    let datagrams = same.filter(|(key, _)| key.protocol == Protocol::Udp);
    let pair =
        |(key, at): (&VipPort, &u16)| (format!("{} . {at}", key.address), key.port.to_string());
    datagrams.map(pair).collect()
}

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

    fn map(
        &mut self,
        family: Family,
        name: &str,
        old: &BTreeMap<String, String>,
        new: &BTreeMap<String, String>,
    ) {
        let name = format!("{name}{}", suffix(family));
        let gone = old.iter().filter(|(key, value)| new.get(*key) != Some(value));
        let gone: Vec<&str> = gone.map(|(key, _)| key.as_str()).collect();
        let come = new.iter().filter(|(key, value)| old.get(*key) != Some(value));
        let come: Vec<String> = come.map(|(key, value)| format!("{key} : {value}")).collect();
        if !gone.is_empty() {
            self.line("delete", &format!("element {name} {{ {} }}", gone.join(", ")));
        }
        if !come.is_empty() {
            self.line("add", &format!("element {name} {{ {} }}", come.join(", ")));
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
