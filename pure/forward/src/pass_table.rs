//! How packets of older flows are told that are passed on to a vip's former owner: by their TTL.
//!
//! A packet is passed on [`HOPS`] times at most, however owners point at each other: its TTL is set
//! to a count, which each kernel lowers. Without a count left it is treated as if nobody had passed
//! it. The tables that do so are of the name that ours have, families `ip` and `ip6` (`dup` is not
//! to be had in `inet`).

use std::ops::RangeInclusive;

/// How often a packet is passed on.
const HOPS: u8 = 3;
/// The highest TTL of a packet that may not be passed on any more. Counted down to it. Systems
/// begin at 64, 128 or 255, and nobody is 60 hops away: packets of the network itself have other
/// ones.
const SPENT: u8 = 161;
/// Above what packets of the network begin with that come near.
const FEWEST: u8 = 129;
/// The same for packets that fit to no flow, but may be of one that ended here under the same
/// ports: where they are not known either they are dropped, since a reset may hit a sound flow.
const DOUBTFUL_SPENT: u8 = 171;

/// Counts of packets that may be passed on once more; a packet is given the highest.
pub const COUNTS: RangeInclusive<u8> = SPENT + 1..=SPENT + HOPS;
/// The same of packets in doubt.
pub const DOUBTFUL_COUNTS: RangeInclusive<u8> = DOUBTFUL_SPENT + 1..=DOUBTFUL_SPENT + HOPS;
/// What packets have that were passed on often enough: also those that who did not know them
/// forwarded afterwards.
pub const SPENT_COUNTS: [RangeInclusive<u8>; 2] =
    [FEWEST..=SPENT, SPENT + HOPS + 1..=DOUBTFUL_SPENT];
/// Those of them. They would go round until they look as if nobody had passed them.
pub const STRAY: RangeInclusive<u8> = FEWEST..=SPENT - 1;
/// What packets in doubt have that were passed on.
pub const IN_DOUBT: RangeInclusive<u8> = SPENT + HOPS + 1..=DOUBTFUL_SPENT + HOPS - 1;

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
