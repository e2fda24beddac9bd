//! Which pool has an address.

use std::net::IpAddr;

use steelyard_model::Family;

use super::PoolState;

/// All ranges of all pools by first address.
#[derive(Clone, Debug, Default)]
pub(super) struct RangeIndex {
    ranges: Vec<Entry>,
    /// Whether ranges overlap. They should not; if they do, lookups look at all of them.
    overlapping: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    family: Family,
    start: IpAddr,
    end: IpAddr,
    pool: usize,
    /// Which of the pool's ranges of this family.
    range: usize,
}

impl RangeIndex {
    pub(super) fn new(all: &[PoolState]) -> Self {
        let mut ranges = Vec::new();
        for (pool, state) in all.iter().enumerate() {
            for family in [Family::V4, Family::V6] {
                let of_family = state.pool.ranges.iter().filter(|range| range.family() == family);
                ranges.extend(of_family.enumerate().map(|(range, addresses)| Entry {
                    family,
                    start: addresses.start(),
                    end: addresses.end(),
                    pool,
                    range,
                }));
            }
        }
        ranges.sort_unstable();
        let overlap =
            |pair: &[Entry]| pair[0].family == pair[1].family && pair[1].start <= pair[0].end;
        let overlapping = ranges.windows(2).any(overlap);
        Self { ranges, overlapping }
    }

    /// Pool and range of `address`; several if pools overlap.
    pub(super) fn find(&self, address: IpAddr) -> impl Iterator<Item = (usize, usize)> {
        let key = (Family::of(address), address);
        let after = self.ranges.partition_point(|entry| (entry.family, entry.start) <= key);
        let from = if self.overlapping { 0 } else { after.saturating_sub(1) };
        let has_it = move |entry: &&Entry| entry.family == key.0 && address <= entry.end;
        self.ranges[from..after].iter().filter(has_it).map(|entry| (entry.pool, entry.range))
    }
}
