//! The addresses of one pool and family: which are used, which is the first free one.
//!
//! Usable addresses of a range are numbered from 0 without holes (`avoidBuggyIPs` takes out .0
//! and .255 before numbering), so "first free" is a look at one [`Intervals`]. A /64 costs what a
//! /24 costs; a full range is answered without looking at its addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use steelyard_model::{AddressRange, Family, Pool};

use crate::intervals::Intervals;

/// From this many addresses in one range a pool counts as endless.
const ENDLESS_RANGE: u128 = 1 << 62;
/// Usable addresses in 256 when .0 and .255 are left out.
const USABLE_OF_256: u128 = 254;

/// Place of an address in a [`Space`]: range, then number in the range. Ordered as handed out.
pub(crate) type Position = (usize, u128);

/// All addresses of a family in a pool.
#[derive(Clone, Debug)]
pub(crate) struct Space {
    /// One for each entry as written; then those of network addresses, which come last.
    ranges: Vec<RangeSpace>,
    /// Which of `ranges` has the network address of an entry, by entry.
    networks: BTreeMap<usize, usize>,
    /// Ranges that have a free address.
    open: BTreeSet<usize>,
    /// What is kept from everybody, and nobody has.
    reserved: BTreeSet<Position>,
    /// Addresses in use.
    pub(crate) assigned: u64,
    /// All usable addresses; `i64::MAX` stands for practically endless.
    pub(crate) capacity: u64,
}

#[derive(Clone, Debug)]
struct RangeSpace {
    numbering: Numbering,
    used: Intervals,
}

/// Numbers the usable addresses of a range from 0 to `last`; none if all are left out.
#[derive(Clone, Debug)]
struct Numbering {
    family: Family,
    start: u128,
    /// Last number.
    last: Option<u128>,
    /// `avoidBuggyIPs` on IPv4.
    leaving_out: bool,
}

impl Space {
    /// Everything free.
    pub(crate) fn new(pool: &Pool, family: Family) -> Self {
        let mut ranges = Vec::new();
        let mut networks = Vec::new();
        let written = pool.ranges.iter().filter(|range| range.family() == family);
        for (entry, range) in written.enumerate() {
            let (network, rest) = without_network(range);
            ranges.push(RangeSpace::new(&rest, pool.avoid_buggy_ips));
            networks.extend(network.map(|it| (entry, it)));
        }
        let at_the_end = |(entry, range)| {
            ranges.push(RangeSpace::new(&range, pool.avoid_buggy_ips));
            (entry, ranges.len() - 1)
        };
        let networks = networks.into_iter().map(at_the_end).collect();
        let has_some = |(_, range): &(usize, &RangeSpace)| range.numbering.last.is_some();
        let open = ranges.iter().enumerate().filter(has_some).map(|(index, _)| index).collect();
        let capacity = ranges.iter().fold(0, |sum: u64, range| sum.saturating_add(range.size()));
        let endless = i64::MAX.unsigned_abs();
        let (reserved, capacity) = (BTreeSet::new(), capacity.min(endless));
        Self { ranges, networks, open, reserved, assigned: 0, capacity }
    }

    /// The place of `address` in an entry; none if it is not there or left out.
    pub(crate) fn position(&self, entry: usize, address: IpAddr) -> Option<Position> {
        let network = self.networks.get(&entry).copied();
        let number = |range: usize| Some((range, self.ranges[range].numbering.number(address)?));
        number(entry).or_else(|| number(network?))
    }

    /// The address at a position of this space.
    pub(crate) fn address(&self, (range, number): Position) -> IpAddr {
        self.ranges[range].numbering.address(number)
    }

    /// The first free address: ranges as written, within a range lowest first; a network address
    /// only where nothing else is free.
    pub(crate) fn first_free(&self) -> Option<Position> {
        let &range = self.open.first()?;
        let number = self.ranges[range].first_free().expect("open ranges have a free address");
        Some((range, number))
    }

    /// Marks a position as used.
    pub(crate) fn take(&mut self, position: Position) {
        if self.fill(position) || self.reserved.remove(&position) {
            self.assigned += 1;
        }
    }

    /// Keeps a free position from everybody.
    pub(crate) fn reserve(&mut self, position: Position) {
        if self.fill(position) {
            self.reserved.insert(position);
        }
    }

    /// Whether it was free.
    fn fill(&mut self, (range, number): Position) -> bool {
        let space = &mut self.ranges[range];
        let was_free = space.used.insert(number);
        if space.first_free().is_none() {
            self.open.remove(&range);
        }
        was_free
    }

    /// Marks a position as free.
    pub(crate) fn release(&mut self, (range, number): Position) {
        if self.ranges[range].used.remove(number) {
            self.assigned -= 1;
            self.open.insert(range);
        }
    }

    /// Whether there is a free address.
    pub(crate) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// How many addresses are kept from everybody, and had by nobody.
    pub(crate) fn reserved(&self) -> u64 {
        u64::try_from(self.reserved.len()).expect("they are in memory")
    }

    /// Addresses that can be given yet.
    pub(crate) fn available(&self) -> u64 {
        self.capacity.saturating_sub(self.assigned).saturating_sub(self.reserved())
    }
}

/// An IPv4 entry that begins with an address ending in .0 very likely begins with that of a
/// network, which hosts and routers treat as no host's: that address, and the rest. In an entry of
/// one or two addresses it is like any other (RFC 3021).
fn without_network(range: &AddressRange) -> (Option<AddressRange>, AddressRange) {
    let (start, end) = (to_number(range.start()), to_number(range.end()));
    if range.family() != Family::V4 || start % 256 != 0 || end - start < 2 {
        return (None, *range);
    }
    let part = |from, to| {
        let address = |number| from_number(Family::V4, number);
        AddressRange::new(address(from), address(to)).expect("in order, as the whole is")
    };
    (Some(part(start, start)), part(start + 1, end))
}

impl RangeSpace {
    fn new(range: &AddressRange, avoid_buggy: bool) -> Self {
        Self { numbering: Numbering::new(range, avoid_buggy), used: Intervals::default() }
    }

    fn first_free(&self) -> Option<u128> {
        self.used.first_absent(self.numbering.last?)
    }

    fn size(&self) -> u64 {
        let Some(last) = self.numbering.last else { return 0 };
        if last >= ENDLESS_RANGE - 1 {
            return i64::MAX.unsigned_abs();
        }
        u64::try_from(last + 1).expect("smaller than 2^62")
    }
}

impl Numbering {
    fn new(range: &AddressRange, avoid_buggy: bool) -> Self {
        let family = range.family();
        let leaving_out = avoid_buggy && family == Family::V4;
        let (start, end) = (to_number(range.start()), to_number(range.end()));
        let last = if leaving_out {
            (usable_below(end + 1) - usable_below(start)).checked_sub(1)
        } else {
            Some(end - start)
        };
        Self { family, start, last, leaving_out }
    }

    fn number(&self, address: IpAddr) -> Option<u128> {
        let (number, last) = (to_number(address), self.last?);
        if Family::of(address) != self.family || number < self.start {
            return None;
        }
        let below = |number| if self.leaving_out { usable_below(number) } else { number };
        let position = below(number) - below(self.start);
        let left_out = self.leaving_out && matches!(number % 256, 0 | 255);
        (position <= last && !left_out).then_some(position)
    }

    fn address(&self, number: u128) -> IpAddr {
        if !self.leaving_out {
            return from_number(self.family, self.start + number);
        }
        let nth = usable_below(self.start) + number;
        from_number(self.family, nth / USABLE_OF_256 * 256 + 1 + nth % USABLE_OF_256)
    }
}

/// How many IPv4 addresses below `number` end neither in .0 nor in .255.
fn usable_below(number: u128) -> u128 {
    number / 256 * USABLE_OF_256 + (number % 256).saturating_sub(1).min(USABLE_OF_256)
}

/// An address as a number, comparable within its family.
pub(crate) fn to_number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

fn from_number(family: Family, number: u128) -> IpAddr {
    match family {
        Family::V4 => {
            let number = u32::try_from(number).expect("positions of IPv4 ranges are IPv4");
            IpAddr::V4(Ipv4Addr::from(number))
        }
        Family::V6 => IpAddr::V6(Ipv6Addr::from(number)),
    }
}

#[cfg(test)]
mod tests;
