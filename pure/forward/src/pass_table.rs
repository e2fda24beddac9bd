//! The tables that pass packets of older flows on to a vip's former owner, as text.
//!
//! They are tables `ip` and `ip6` of our name (`dup` is not to be had in `inet`), and come before
//! anything else of ours sees the packet. A packet is passed on [`HOPS`] times at most, however
//! owners point at each other: its TTL is set to a count, which the kernel lowers each time.
//! Without a count left it is treated as if nobody had passed it.

use std::fmt::Write;

/// How often a packet is passed on.
const HOPS: u8 = 3;
/// The TTL of a packet that may not be passed on any more. Counted down to it. Systems begin at 64,
/// 128 or 255, and nobody is 60 hops away: packets of the network itself have other ones.
const SPENT: u8 = 161;
/// The same for packets that fit to no flow, but may be of one that ended here under the same
/// ports: where they are not known either they are dropped, since a reset may hit a sound flow.
const DOUBTFUL_SPENT: u8 = 171;

/// The batch that makes the tables, empty, whatever was there.
pub fn tables(table: &str) -> String {
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
pub fn delete(table: &str) -> String {
    let one = |family| format!("add table {family} {table}\ndelete table {family} {table}\n");
    one("ip") + &one("ip6")
}

/// What is passed on leaves this host as it came: matches such packets where packets of this host
/// go out. Connection tracking has not seen them, and they have a TTL out of the count.
pub fn going_out(rule: &str) -> String {
    let last = SPENT + HOPS - 1;
    let doubtful = DOUBTFUL_SPENT + HOPS - 1;
    let counts = format!("{{ {SPENT}-{last}, {DOUBTFUL_SPENT}-{doubtful} }}");
    format!(
        "ct state untracked ip ttl {counts} {rule}
    ct state untracked ip6 hoplimit {counts} {rule}"
    )
}

/// What was passed to this host in doubt, and is of no flow that is known here.
pub fn in_doubt(rule: &str) -> String {
    let last = DOUBTFUL_SPENT + HOPS - 1;
    let unknown = "ct state { new, invalid } tcp flags & syn == 0";
    format!(
        "ip daddr @vips4 ip ttl {DOUBTFUL_SPENT}-{last} {unknown} {rule}
    ip6 daddr @vips6 ip6 hoplimit {DOUBTFUL_SPENT}-{last} {unknown} {rule}"
    )
}
