//! Address pools.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::labels::Labels;
use crate::object::{NamespacedName, ObjectRef};
use crate::selector::Selector;
use crate::service::Family;

/// A valid IPAddressPool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// `namespace/name`; users refer to it by name alone.
    pub id: NamespacedName,
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// `metadata.labels`, for advertisements' selectors.
    pub labels: Labels,
    /// `spec.addresses` in order, one entry each; never empty.
    pub ranges: Vec<AddressRange>,
    /// Those of `ranges`, by index, that are written as a CIDR of IPv4-mapped IPv6
    /// (`::ffff:10.0.0.0/120`): MetalLB compares that length with those of IPv4 prefixes.
    pub mapped: Vec<usize>,
    /// `spec.autoAssign`: false gives addresses on explicit request only.
    pub auto_assign: bool,
    /// `spec.avoidBuggyIPs`: IPv4 addresses that end in .0 or .255 are left out.
    pub avoid_buggy_ips: bool,
    /// `spec.serviceAllocation`.
    pub allocation: Option<ServiceAllocation>,
}

/// Which Services a pool is for, and how early it is tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceAllocation {
    /// Lower comes first, negative ones too; 0 (unset) comes last.
    pub priority: i64,
    /// Names of namespaces.
    pub namespaces: Vec<String>,
    /// Namespaces by label, in addition.
    pub namespace_selectors: Vec<Selector>,
    /// Services by label.
    pub service_selectors: Vec<Selector>,
}

/// One entry of `spec.addresses`: all addresses from `start` to `end`, both included.
/// Invariant: one family, `start <= end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddressRange {
    start: IpAddr,
    end: IpAddr,
}

impl AddressRange {
    /// The addresses from `start` to `end`; none if the families differ or the order is reversed.
    pub fn new(start: IpAddr, end: IpAddr) -> Option<Self> {
        (Family::of(start) == Family::of(end) && start <= end).then_some(Self { start, end })
    }

    /// First address.
    pub fn start(&self) -> IpAddr {
        self.start
    }

    /// Last address.
    pub fn end(&self) -> IpAddr {
        self.end
    }

    /// Family of all its addresses.
    pub fn family(&self) -> Family {
        Family::of(self.start)
    }

    /// Whether `address` is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        Family::of(address) == self.family() && self.start <= address && address <= self.end
    }

    /// The fewest CIDR prefixes that make it up, in order: network address and length.
    pub fn prefixes(&self) -> Vec<(IpAddr, u8)> {
        let (bits, number, address): (u32, _, fn(u128) -> IpAddr) = match (self.start, self.end) {
            (IpAddr::V4(start), IpAddr::V4(end)) => {
                let number = (u128::from(start.to_bits()), u128::from(end.to_bits()));
                (32, number, |bits| {
                    Ipv4Addr::from(u32::try_from(bits).expect("within an IPv4 range")).into()
                })
            }
            (IpAddr::V6(start), IpAddr::V6(end)) => {
                (128, (start.to_bits(), end.to_bits()), |bits| Ipv6Addr::from(bits).into())
            }
            _ => unreachable!("both ends of a range are of one family"),
        };
        let (mut start, end) = number;
        let mut prefixes = Vec::new();
        loop {
            let room = end - start;
            // The largest block that begins here: aligned, and not beyond the end.
            let fits = if room == u128::MAX { 128 } else { (room + 1).ilog2() };
            let host = start.trailing_zeros().min(bits).min(fits);
            prefixes.push((address(start), u8::try_from(bits - host).expect("at most 128")));
            let last = start + (u128::MAX.checked_shr(128 - host).unwrap_or(0));
            if last == end {
                return prefixes;
            }
            start = last + 1;
        }
    }

    /// Whether the two share an address.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.family() == other.family() && self.start <= other.end && other.start <= self.end
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.start == self.end {
            self.start.fmt(f)
        } else {
            write!(f, "{}-{}", self.start, self.end)
        }
    }
}

impl Pool {
    /// Whether `address` belongs to it (left-out addresses do not).
    pub fn contains(&self, address: IpAddr) -> bool {
        self.ranges.iter().any(|range| range.contains(address)) && !self.leaves_out(address)
    }

    /// Whether `avoidBuggyIPs` keeps `address` from use.
    pub fn leaves_out(&self, address: IpAddr) -> bool {
        let IpAddr::V4(v4) = address else { return false };
        self.avoid_buggy_ips && matches!(v4.octets()[3], 0 | 255)
    }
}

#[cfg(test)]
mod tests {
    use super::AddressRange;

    #[test]
    fn a_range_as_prefixes() {
        for (start, end, expected) in [
            ("10.0.0.0", "10.0.0.255", "10.0.0.0/24"),
            ("10.0.0.7", "10.0.0.7", "10.0.0.7/32"),
            ("0.0.0.0", "255.255.255.255", "0.0.0.0/0"),
            ("10.0.0.1", "10.0.0.6", "10.0.0.1/32 10.0.0.2/31 10.0.0.4/31 10.0.0.6/32"),
            ("255.255.255.254", "255.255.255.255", "255.255.255.254/31"),
            ("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"),
            ("fd00::1", "fd00::2", "fd00::1/128 fd00::2/128"),
            ("fd00::", "fd00::ffff", "fd00::/112"),
        ] {
            let range = AddressRange::new(start.parse().unwrap(), end.parse().unwrap()).unwrap();
            let prefixes = range.prefixes().into_iter();
            let texts: Vec<_> =
                prefixes.map(|(address, length)| format!("{address}/{length}")).collect();
            assert_eq!(texts.join(" "), expected);
        }
    }
}
