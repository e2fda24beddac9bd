//! Subnets around pools, and the addresses in them that nothing else has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use steelyard_model::AddressRange;

/// A subnet is widened until it has this many addresses outside the pools.
const ROOM: usize = 32;

/// The smallest usual subnet (/24, /64) that holds `range` and leaves room for hosts.
pub(super) fn around(range: AddressRange, pools: &[AddressRange]) -> IpNet {
    let usual = if range.start().is_ipv4() { 24 } else { 64 };
    let mut subnet = of(range.start(), usual);
    let roomy = |subnet: IpNet| free(subnet, pools).take(ROOM).count() == ROOM;
    while !(subnet.contains(&range.end()) && roomy(subnet)) {
        match subnet.supernet() {
            Some(wider) => subnet = wider,
            None => break,
        }
    }
    subnet
}

/// The subnet of this prefix length that `address` is in.
pub(super) fn of(address: IpAddr, prefix: u8) -> IpNet {
    let net = match address {
        IpAddr::V4(v4) => IpNet::V4(Ipv4Net::new_assert(v4, prefix)),
        IpAddr::V6(v6) => IpNet::V6(Ipv6Net::new_assert(v6, prefix)),
    };
    net.trunc()
}

/// Host addresses of `subnet` outside `taken`, ascending. The first is left for a router.
pub(super) fn free(subnet: IpNet, taken: &[AddressRange]) -> impl Iterator<Item = IpAddr> + '_ {
    let last = number(subnet.broadcast());
    let mut next = number(subnet.network()) + 2;
    let v4 = subnet.network().is_ipv4();
    std::iter::from_fn(move || {
        loop {
            let candidate = (next < last).then(|| address(next, v4))?;
            match taken.iter().find(|range| range.contains(candidate)) {
                Some(range) => next = number(range.end()) + 1,
                None => {
                    next += 1;
                    return Some(candidate);
                }
            }
        }
    })
}

/// A range of one address.
pub(super) fn single(address: IpAddr) -> AddressRange {
    AddressRange::new(address, address).expect("an address is not after itself")
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// `number` is one that [`number`] made of an address of that family.
fn address(number: u128, v4: bool) -> IpAddr {
    if v4 {
        let number = u32::try_from(number).expect("an IPv4 address has 32 bits");
        IpAddr::V4(Ipv4Addr::from(number))
    } else {
        IpAddr::V6(Ipv6Addr::from(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> AddressRange {
        let (start, end) = text.split_once('-').unwrap_or((text, text));
        AddressRange::new(start.parse().unwrap(), end.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_subnet_holds_the_pool_and_leaves_room() {
        for (pool, subnet) in [
            ("10.1.1.100-10.1.1.150", "10.1.1.0/24"),
            ("10.1.1.250-10.1.2.5", "10.1.0.0/22"),
            ("203.0.113.0-203.0.113.255", "203.0.112.0/23"),
            ("fd00:1::100-fd00:1::1ff", "fd00:1::/64"),
            ("fd00:1::-fd00:1::ffff:ffff:ffff:ffff", "fd00:1::/63"),
        ] {
            let pool = range(pool);
            assert_eq!(around(pool, &[pool]).to_string(), subnet, "{pool}");
        }
    }

    #[test]
    fn free_addresses_leave_out_router_pools_and_broadcast() {
        let taken = [range("10.0.0.3-10.0.0.4"), range("10.0.0.6")];
        let found: Vec<_> =
            free("10.0.0.0/29".parse().unwrap(), &taken).map(|a| a.to_string()).collect();
        assert_eq!(found, ["10.0.0.2", "10.0.0.5"]);
    }
}
