//! Packets of flows that began at a vip's former owner go back to it.
//!
//! After a planned change of owner the clients' packets come here, also those of flows that the
//! former owner has in its sockets or in its connection tracking. What belongs to no flow known
//! here is passed to it on the segment; it answers the client directly. New flows (a SYN) stay
//! here, and so do other protocols than TCP, in which old and new cannot be told apart.
//!
//! It is done in the kernel, by tables `ip` and `ip6` of our name (`dup` is not to be had in
//! `inet`), before anything else of ours sees the packet. A packet is passed on [`HOPS`] times at
//! most, however owners point at each other: its TTL is set to a count, which the kernel lowers
//! each time. Without a count left it is treated as if nobody had passed it.
//!
//! Not for takeovers: a dead owner has no flows. Each entry ends by itself after [`LONGEST`].

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use steelyard_host::nft_set::{Filling, Sets, Value};
use steelyard_model::Family;

/// A vip whose older flows are at another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The vip.
    pub vip: IpAddr,
    /// That node's address on the segment, of the same family.
    pub to: IpAddr,
    /// The interface to the segment, by number.
    pub link: u32,
}

/// Says which vips have flows at former owners. Its clones are the same; for any thread of the
/// network namespace that the forwarder is in. Where the kernel cannot pass packets it does
/// nothing.
#[derive(Clone, Debug, Default)]
pub struct Passing {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// None while there are no tables.
    sets: Option<Sets>,
    table: String,
    entries: BTreeMap<IpAddr, Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    to: IpAddr,
    link: u32,
    until: Instant,
}

/// Flows that last longer break: who takes every packet that is not known here for one of a former
/// owner must not do so for ever.
const LONGEST: Duration = Duration::from_secs(3600);
/// How often a packet is passed on.
const HOPS: u8 = 3;
/// The TTL of a packet that may not be passed on any more. Counted down to it. Systems begin at 64,
/// 128 or 255, and nobody is 60 hops away: packets of the network itself have other ones.
const SPENT: u8 = 161;
/// The same for packets that fit to no flow, but may be of one that ended here under the same
/// ports: where they are not known either they are dropped, since a reset may hit a sound flow.
const DOUBTFUL_SPENT: u8 = 171;

impl Passing {
    /// From now on these are passed, and where they went before does not count. Takes effect
    /// before it returns, within a fraction of a millisecond.
    pub fn pass(&self, all: &[Pass]) {
        self.change(|entries| {
            let until = Instant::now() + LONGEST;
            let entry = |it: &Pass| (it.vip, Entry { to: it.to, link: it.link, until });
            entries.extend(all.iter().map(entry));
        });
    }

    /// From now on these are not passed.
    pub fn forget(&self, vips: &[IpAddr]) {
        self.change(|entries| entries.retain(|vip, _| !vips.contains(vip)));
    }

    /// There are tables of this name from now on.
    ///
    /// Returns the port of netlink that it writes through.
    pub(crate) fn begin(&self, table: &str) -> io::Result<Option<u32>> {
        let sets = Some(Sets::open()?);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.sets = sets;
        state.table = table.to_owned();
        state.write()?;
        Ok(state.sets.as_ref().and_then(Sets::port))
    }

    /// The tables are about to go.
    pub(crate) fn end(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).sets = None;
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<IpAddr, Entry>)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state.entries);
        if let Err(error) = state.write() {
            tracing::warn!(%error, "flows that began at a former owner may break");
        }
    }
}

impl State {
    /// States all of it: whatever was there before, and however often.
    fn write(&mut self) -> io::Result<()> {
        let now = Instant::now();
        self.entries.retain(|_, entry| now < entry.until);
        let Some(sets) = &mut self.sets else { return Ok(()) };
        let mut fillings = Vec::new();
        for family in FAMILIES {
            let same = |(vip, entry): &(&IpAddr, &Entry)| {
                Family::of(**vip) == family && Family::of(entry.to) == family
            };
            let same = self.entries.iter().filter(same);
            let all = |value: fn(&Entry) -> Value| {
                let until = |entry: &Entry| Some(entry.until - now);
                same.clone().map(|(vip, entry)| (*vip, value(entry), until(entry))).collect()
            };
            let table = &self.table;
            let filling = |set, elements| Filling { family: family.into(), table, set, elements };
            fillings.push(filling("passed", all(|_| Value::None)));
            fillings.push(filling("former", all(|entry| Value::Address(entry.to))));
            fillings.push(filling("link", all(|entry| Value::Link(entry.link))));
        }
        sets.fill(&fillings)
    }
}

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// The batch that makes the tables, empty, whatever was there.
pub(crate) fn tables(table: &str) -> String {
    let mut text = delete(table);
    for (family, errors) in [
        ("ip", "icmp type { destination-unreachable, time-exceeded, parameter-problem }"),
        (
            "ip6",
            "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, \
             parameter-problem }",
        ),
    ] {
        let (address, ttl) =
            if family == "ip" { ("ipv4_addr", "ip ttl") } else { ("ipv6_addr", "ip6 hoplimit") };
        let (first, most) = (SPENT + 1, SPENT + HOPS);
        let (doubtful_first, doubtful_most) = (DOUBTFUL_SPENT + 1, DOUBTFUL_SPENT + HOPS);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "table {family} {table} {{
  set passed {{ type {address}; flags timeout; }}
  map former {{ type {address} : {address}; flags timeout; }}
  map link {{ type {address} : iface_index; flags timeout; }}
  chain pass {{
    type filter hook prerouting priority -155; policy accept;
    {family} daddr @passed {ttl} != {{ {SPENT}, {DOUBTFUL_SPENT} }} jump pass_unknown
  }}
  chain pass_unknown {{
    ct state new tcp flags & (syn | rst) == 0 goto pass_sure
    ct state invalid tcp flags & syn == 0 goto pass_doubtful
    ct state invalid {errors} goto pass_sure
  }}
  chain pass_sure {{
    {ttl} != {{ {first}-{most}, {doubtful_first}-{doubtful_most} }} {ttl} set {most}
    goto pass_on
  }}
  chain pass_doubtful {{
    {ttl} != {doubtful_first}-{doubtful_most} {ttl} set {doubtful_most}
    goto pass_on
  }}
  chain pass_on {{
    dup to {family} daddr map @former device {family} daddr map @link
    drop
  }}
}}
"
        );
    }
    text
}

/// The batch that removes the tables, if they are there.
pub(crate) fn delete(table: &str) -> String {
    let one = |family| format!("add table {family} {table}\ndelete table {family} {table}\n");
    one("ip") + &one("ip6")
}

/// What is passed on leaves this host as it came: matches such packets where packets of this host
/// go out. Connection tracking has not seen them, and they have a TTL out of the count.
pub(crate) fn going_out(rule: &str) -> String {
    let last = SPENT + HOPS - 1;
    let doubtful = DOUBTFUL_SPENT + HOPS - 1;
    let counts = format!("{{ {SPENT}-{last}, {DOUBTFUL_SPENT}-{doubtful} }}");
    format!(
        "ct state untracked ip ttl {counts} {rule}
    ct state untracked ip6 hoplimit {counts} {rule}"
    )
}

/// What was passed to this host in doubt, and is of no flow that is known here.
pub(crate) fn in_doubt(rule: &str) -> String {
    let last = DOUBTFUL_SPENT + HOPS - 1;
    let unknown = "ct state { new, invalid } tcp flags & syn == 0";
    format!(
        "ip daddr @vips4 ip ttl {DOUBTFUL_SPENT}-{last} {unknown} {rule}
    ip6 daddr @vips6 ip6 hoplimit {DOUBTFUL_SPENT}-{last} {unknown} {rule}"
    )
}
