//! The nftables ruleset as a value, and as text. Pure.
//!
//! Invariants: everything is in one table of ours; per packet a lookup or two in a map, whatever
//! the number of vips; the base chains never change after the table is made, so that a later batch
//! touches only what differs. `change(a → b)` leaves the kernel as `replace(b)` would.
//!
//! A port with one endpoint is an element of a map, and only one with a choice has a chain of its
//! own: `nft` looks at all chains there are before it changes anything, and at no element. Ports
//! of as many endpoints could share a chain (`numgen inc mod 3` as part of a map's key): then they
//! would share its turns too, and of two ports that clients visit one after the other (80 and 443
//! of a Service with two endpoints) each would always lead to the same one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use steelyard_model::{Family, Protocol, Sorted};

use crate::carry::{Carriage, Decision, PortDecision};
use crate::desired::VipPort;
use crate::hooks::MARKED_AT;
use crate::observed::Why;
use crate::pass_table;

/// What the table holds. Clones share what did not change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VipTable {
    /// Vips delivered on this host: their packets get our mark.
    served: Sorted<IpAddr, ()>,
    /// Every vip: what is neither listened on nor translated ends in the guard chain.
    vips: Sorted<IpAddr, ()>,
    /// Endpoints that see the client's own address; all others see ours.
    direct: Sorted<IpAddr, ()>,
    /// The address of ours that an endpoint sees. One that is not in here sees whichever the kernel
    /// takes.
    sources: Sorted<IpAddr, IpAddr>,
    /// Ports a transparent listener takes, and the port at the vip where it is.
    listening: Sorted<VipPort, u16>,
    /// Ports that are translated, and to what.
    translated: Sorted<VipPort, Vec<SocketAddr>>,
    /// Ports whose packets are counted where they are translated: also while nothing is, so that a
    /// port that has lost its last endpoint goes on from its count.
    counted: Sorted<VipPort, ()>,
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
    /// Whether elements of sets can count (Linux 5.7, nftables 0.9.5).
    pub counts: bool,
}

/// Names of the sets whose elements count, without the suffix of the family: flows that began (of
/// ports that are translated now), and packets either way.
pub const COUNTED: [&str; 3] = [BEGUN_FLOWS, "came", "went"];
const BEGUN_FLOWS: &str = "begun";

impl VipTable {
    /// The table for `decision`. `listening` are the ports that somebody really listens on, `busy`
    /// the vips with connections to listeners that may be closed.
    pub fn new(
        decision: &Decision,
        listening: BTreeMap<VipPort, u16>,
        busy: &BTreeSet<IpAddr>,
    ) -> Self {
        Self::default().after(&Decision::default(), decision, listening, busy)
    }

    /// The same, where this is the table for the decision `before`, at the cost of what differs.
    pub fn after(
        &self,
        before: &Decision,
        decision: &Decision,
        listening: BTreeMap<VipPort, u16>,
        busy: &BTreeSet<IpAddr>,
    ) -> Self {
        let mut served = decision.served.clone();
        // Connections go on also where nobody listens any more.
        let others = listening.keys().map(|key| key.address).chain(busy.iter().copied());
        let others = others.filter(|vip| !decision.served.contains_key(vip));
        served.change(others.map(|vip| (vip, Some(()))).collect::<Vec<_>>());
        Self {
            served,
            vips: decision.vips.clone(),
            direct: decision.direct.clone(),
            sources: decision.sources.clone(),
            translated: after(&self.translated, before, decision, translation),
            counted: after(&self.counted, before, decision, count),
            listening: listening.into_iter().collect(),
        }
    }

    /// Vips delivered on this host; each needs a route in the private table.
    pub fn served(&self) -> &Sorted<IpAddr, ()> {
        &self.served
    }

    /// Where a translated port goes.
    pub fn translated(&self) -> &Sorted<VipPort, Vec<SocketAddr>> {
        &self.translated
    }

    /// Ports whose packets are counted where they are translated.
    pub fn counted(&self) -> &Sorted<VipPort, ()> {
        &self.counted
    }

    /// Whether a port of `old` is not translated any more: what was counted of it goes.
    pub fn takes_from(&self, old: &Self) -> bool {
        let differing = self.translated.differing(&old.translated);
        differing.into_iter().any(|key| !self.translated.contains_key(key))
    }

    /// Ports a transparent listener takes, and where it is.
    pub fn listening(&self) -> &Sorted<VipPort, u16> {
        &self.listening
    }

    /// The batch that makes the table from nothing, whatever was there.
    pub fn replace(&self, frame: &TableFrame) -> String {
        let mut text = frame.delete();
        text.push_str(&frame.skeleton());
        text.push_str(&self.change(&Self::default(), frame));
        text
    }

    /// The batch that leads from `old` to this, at the cost of what differs; empty where nothing
    /// does.
    pub fn change(&self, old: &Self, frame: &TableFrame) -> String {
        let mut batch = Batch::new(&frame.table);
        batch.set("served", &old.served, &self.served);
        batch.set("vips", &old.vips, &self.vips);
        batch.set("direct", &old.direct, &self.direct);
        for address in self.sources.differing(&old.sources) {
            let of = |all: &Sorted<IpAddr, IpAddr>| {
                all.get(address).map(|source| (address.to_string(), source.to_string()))
            };
            batch.map("sources", Family::of(*address), of(&old.sources), of(&self.sources));
        }
        for key in self.listening.differing(&old.listening) {
            batch.listen(*key, old.listening.get(key).copied(), self.listening.get(key).copied());
        }
        for key in self.counted.differing(&old.counted).into_iter().filter(|_| frame.counts) {
            for set in COUNTED.into_iter().filter(|it| *it != BEGUN_FLOWS) {
                batch.count(set, *key, self.counted.contains_key(key));
            }
        }
        for key in self.translated.differing(&old.translated) {
            let [was, is] = [old, self].map(|it| it.translated.contains_key(key));
            if frame.counts && was != is {
                batch.count(BEGUN_FLOWS, *key, is);
            }
            batch.translate(*key, old.translated.get(key), self.translated.get(key));
        }
        batch.into_text()
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
            let address =
                format!("type {kind} . inet_proto . inet_service : {kind} . inet_service");
            let _ = writeln!(text, "  map only{suffix} {{ {address}; }}");
            let _ = writeln!(text, "  map ports{suffix} {{ {key} : verdict; }}");
            for name in COUNTED.into_iter().filter(|_| self.counts) {
                let _ = writeln!(text, "  set {name}{suffix} {{ {key}; counter; }}");
            }
        }
        let passed = pass_table::going_out("accept");
        let lead = if self.leads { LEAD } else { "" };
        let (begin, count) = if self.counts { (COUNT_FLOWS, COUNT_PACKETS) } else { ("", "") };
        text.push_str(
            &CHAINS
                .replace("    LEAD\n", lead)
                .replace("    COUNT_FLOWS\n", begin)
                .replace("  COUNT_PACKETS\n", count)
                .replace("    SERVED_BEGUN\n", SERVED_BEGUN)
                .replace("    SERVED_LIVE\n", SERVED_LIVE)
                .replace("BEGUN", BEGUN)
                .replace("LAST", &MARKED_AT.to_string())
                .replace("MARK", &format!("{mark:#x}"))
                .replace("PASSED", &passed),
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
    COUNT_FLOWS
    meta l4proto { tcp, udp } ip daddr @live4 \
dnat ip to ip daddr . meta l4proto . th dport map @only4
    meta l4proto { tcp, udp } ip6 daddr @live6 \
dnat ip6 to ip6 daddr . meta l4proto . th dport map @only6
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
  COUNT_PACKETS
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

/// The first packet of a flow, and no other, is seen where it is translated.
const COUNT_FLOWS: &str = "    ip daddr @live4 ip daddr . meta l4proto . th dport @begun4
    ip6 daddr @live6 ip6 daddr . meta l4proto . th dport @begun6
";

/// Packets of translated flows, either way, by what the client asked for; each is seen once: on its
/// way in, or out where it is this host's own (over `lo` it is both). What a packet says of its
/// port has been translated by then, and nft knows the type of the original only beside its
/// protocol.
const COUNT_PACKETS: &str = "  chain came {
    meta l4proto tcp ct original ip daddr . meta l4proto . ct original proto-dst @came4 return
    meta l4proto udp ct original ip daddr . meta l4proto . ct original proto-dst @came4 return
    meta l4proto tcp ct original ip6 daddr . meta l4proto . ct original proto-dst @came6 return
    meta l4proto udp ct original ip6 daddr . meta l4proto . ct original proto-dst @came6
  }
  chain went {
    meta l4proto tcp ct original ip daddr . meta l4proto . ct original proto-dst @went4 return
    meta l4proto udp ct original ip daddr . meta l4proto . ct original proto-dst @went4 return
    meta l4proto tcp ct original ip6 daddr . meta l4proto . ct original proto-dst @went6 return
    meta l4proto udp ct original ip6 daddr . meta l4proto . ct original proto-dst @went6
  }
  chain count_in {
    type filter hook prerouting priority -95; policy accept;
    iif \"lo\" return
    ct status dnat ct direction original goto came
    ct status dnat ct direction reply goto went
  }
  chain count_out {
    type filter hook output priority -95; policy accept;
    ct status dnat ct direction original goto came
    ct status dnat ct direction reply goto went
  }
";

/// A table by port for `decision`, where `table` is the one for the decision `before`, at the cost
/// of what differs.
fn after<V: Clone + PartialEq>(
    table: &Sorted<VipPort, V>,
    before: &Decision,
    decision: &Decision,
    row: impl Fn(&PortDecision) -> Option<(VipPort, V)>,
) -> Sorted<VipPort, V> {
    let differing = decision.ports.differing(&before.ports);
    let of = |decision: &Decision| -> Vec<(VipPort, V)> {
        let ports = differing.iter().filter_map(|wish| decision.ports.get(*wish));
        ports.flat_map(|ports| ports.iter()).filter_map(&row).collect()
    };
    // Of a port that goes from one to the other, what comes counts.
    let gone = of(before).into_iter().map(|(key, _)| (key, None));
    let come = of(decision).into_iter().map(|(key, value)| (key, Some(value)));
    let mut table = table.clone();
    table.change(gone.chain(come));
    table
}

/// Whether a port's flows are counted: where the kernel may come to translate them.
fn count(port: &PortDecision) -> Option<(VipPort, ())> {
    match &port.way {
        Carriage::Translate(_)
        | Carriage::InProcess(..)
        | Carriage::Not(Why::NoEndpoints | Why::Circle | Why::Closed) => Some((port.key, ())),
        Carriage::Deliver(_) | Carriage::Not(_) => None,
    }
    .filter(|_| port.service.is_some())
}

/// Where a port is translated to. One that somebody else has is not ours to say anything of.
fn translation(port: &PortDecision) -> Option<(VipPort, Vec<SocketAddr>)> {
    match &port.way {
        Carriage::Translate(endpoints) => Some((port.key, endpoints.clone())),
        _ => None,
    }
}

/// Lines of a batch: whole ones, and elements that are joined to one line for each set.
struct Batch<'a> {
    table: &'a str,
    gone: BTreeMap<String, Vec<String>>,
    come: BTreeMap<String, Vec<String>>,
    /// Before elements come, and after they are gone.
    made: String,
    closed: String,
}

impl<'a> Batch<'a> {
    fn new(table: &'a str) -> Self {
        let (gone, come, made, closed) = Default::default();
        Self { table, gone, come, made, closed }
    }

    /// What leads nowhere any more goes first; a chain is there before something leads to it, and
    /// while something does.
    fn into_text(self) -> String {
        let mut text = String::new();
        for (verb, sets) in [("delete", &self.gone), ("add", &self.come)] {
            if verb == "add" {
                text.push_str(&self.closed);
                text.push_str(&self.made);
            }
            for (set, elements) in sets {
                // Writing to a String cannot fail.
                let elements = elements.join(", ");
                let _ = writeln!(text, "{verb} element inet {} {set} {{ {elements} }}", self.table);
            }
        }
        text
    }

    fn set(&mut self, name: &str, old: &Sorted<IpAddr, ()>, new: &Sorted<IpAddr, ()>) {
        for address in new.differing(old) {
            let set = format!("{name}{}", suffix(Family::of(*address)));
            let sets = if new.contains_key(address) { &mut self.come } else { &mut self.gone };
            sets.entry(set).or_default().push(address.to_string());
        }
    }

    /// What a map has at a key, before and now.
    fn map(
        &mut self,
        name: &str,
        family: Family,
        old: Option<(String, String)>,
        new: Option<(String, String)>,
    ) {
        if old == new {
            return;
        }
        let map = format!("{name}{}", suffix(family));
        if let Some((key, _)) = old {
            self.gone.entry(map.clone()).or_default().push(key);
        }
        if let Some((key, value)) = new {
            self.come.entry(map).or_default().push(format!("{key} : {value}"));
        }
    }

    /// Where somebody listens for a port, before and now.
    fn listen(&mut self, key: VipPort, old: Option<u16>, new: Option<u16>) {
        let family = Family::of(key.address);
        if old.is_some() != new.is_some() {
            let sets = if new.is_some() { &mut self.come } else { &mut self.gone };
            let set = format!("listening{}", suffix(family));
            sets.entry(set).or_default().push(element(key));
        }
        let elsewhere = |at: Option<u16>| at.filter(|at| *at != key.port);
        let led = |at: Option<u16>| elsewhere(at).map(|at| (element(key), at.to_string()));
        self.map("led", family, led(old), led(new));
        // As which port a listener of datagrams answers.
        let answers = |at: Option<u16>| {
            let at = elsewhere(at).filter(|_| key.protocol == Protocol::Udp)?;
            Some((format!("{} . {at}", key.address), key.port.to_string()))
        };
        self.map("answers", family, answers(old), answers(new));
    }

    /// A port is counted from now on, or no more.
    fn count(&mut self, set: &str, key: VipPort, is_counted: bool) {
        let sets = if is_counted { &mut self.come } else { &mut self.gone };
        let set = format!("{set}{}", suffix(Family::of(key.address)));
        sets.entry(set).or_default().push(element(key));
    }

    /// Where a port is translated to, before and now.
    fn translate(
        &mut self,
        key: VipPort,
        old: Option<&Vec<SocketAddr>>,
        new: Option<&Vec<SocketAddr>>,
    ) {
        let family = Family::of(key.address);
        let only = |to: Option<&Vec<SocketAddr>>| match to.map(Vec::as_slice) {
            Some([to]) => Some((element(key), format!("{} . {}", to.ip(), to.port()))),
            _ => None,
        };
        self.map("only", family, only(old), only(new));
        let choice = |to: Option<&Vec<SocketAddr>>| to.is_some_and(|to| to.len() > 1);
        let leads = |to| choice(to).then(|| (element(key), format!("goto {}", chain(key))));
        self.map("ports", family, leads(old), leads(new));
        let (chain, table) = (chain(key), self.table);
        match new.filter(|_| choice(new)) {
            Some(endpoints) => {
                let rule = in_turn(key, endpoints);
                let _ = writeln!(self.made, "add chain inet {table} {chain}");
                let _ = writeln!(self.made, "flush chain inet {table} {chain}");
                let _ = writeln!(self.made, "add rule inet {table} {chain} {rule}");
            }
            None if choice(old) => {
                let _ = writeln!(self.closed, "flush chain inet {table} {chain}");
                let _ = writeln!(self.closed, "delete chain inet {table} {chain}");
            }
            None => {}
        }
    }
}

fn in_turn(key: VipPort, endpoints: &[SocketAddr]) -> String {
    let protocol = protocol(key.protocol);
    let family = if key.address.is_ipv4() { "ip" } else { "ip6" };
    let choice = |(turn, at): (usize, &SocketAddr)| format!("{turn} : {} . {}", at.ip(), at.port());
    let choices: Vec<String> = endpoints.iter().enumerate().map(choice).collect();
    let target = format!("numgen inc mod {} map {{ {} }}", endpoints.len(), choices.join(", "));
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
