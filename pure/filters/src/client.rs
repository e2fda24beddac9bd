//! Whose address counts: that of the client, or one of those that proxies before us have written.
//!
//! What those have written is believed as far as the entry point believes them: of others no
//! `X-Forwarded-For` comes here.

use std::net::{IpAddr, Ipv6Addr};

use steelyard_http::Head;
use steelyard_model::routing::filter::access::{ClientPlace, ClientSource};

/// The address that counts; none where proxies have written fewer, or something else.
pub(crate) fn address(source: &ClientSource, peer: IpAddr, head: &dyn Head) -> Option<IpAddr> {
    let found = match &source.from {
        ClientPlace::Peer => Some(peer.to_canonical()),
        ClientPlace::Depth(depth) => hop(head, |at, _| at == *depth),
        ClientPlace::Excluding(networks) => {
            hop(head, |_, address| address.is_none_or(|it| !networks.contains(it)))
        }
    };
    // One that others have named is taken as it is, as by Traefik.
    let is_whole = matches!(source.from, ClientPlace::Excluding(_));
    found.map(|address| masked(address, source.ipv6_subnet.filter(|_| !is_whole)))
}

/// The first hop from the right, counted from 1, that is wanted.
fn hop(head: &dyn Head, is_it: impl Fn(usize, Option<IpAddr>) -> bool) -> Option<IpAddr> {
    let mut hops: Vec<Option<IpAddr>> = Vec::new();
    head.each(&mut |name, value| {
        if name.eq_ignore_ascii_case("x-forwarded-for") {
            hops.extend(value.split(|byte| *byte == b',').map(parsed));
        }
    });
    let mut from_right = hops.into_iter().rev().zip(1..);
    from_right.find(|(address, at)| is_it(*at, *address)).and_then(|(address, _)| address)
}

fn parsed(text: &[u8]) -> Option<IpAddr> {
    str::from_utf8(text).ok()?.trim().parse::<IpAddr>().ok().map(|it| it.to_canonical())
}

/// Of an address of IPv6 the first bits.
fn masked(address: IpAddr, bits: Option<u8>) -> IpAddr {
    match (address, bits) {
        (IpAddr::V6(address), Some(bits)) => {
            let mask = u128::MAX.checked_shl(u32::from(128 - bits.min(128))).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
        (address, _) => address,
    }
}

#[cfg(test)]
mod tests {
    use steelyard_model::routing::filter::access::Networks;

    use super::*;
    use crate::Response;

    #[test]
    fn whose_address_counts() {
        let excluding = |nets: &[&str]| ClientPlace::Excluding(Networks::parse(nets).unwrap());
        for (from, lines, expected) in [
            (ClientPlace::Peer, &["1.1.1.1"][..], Some("9.9.9.9")),
            (ClientPlace::Depth(1), &["1.1.1.1, 2.2.2.2"], Some("2.2.2.2")),
            (ClientPlace::Depth(2), &["1.1.1.1, 2.2.2.2"], Some("1.1.1.1")),
            (ClientPlace::Depth(2), &["1.1.1.1", "2.2.2.2"], Some("1.1.1.1")),
            (ClientPlace::Depth(3), &["1.1.1.1, 2.2.2.2"], None),
            (ClientPlace::Depth(1), &[], None),
            (ClientPlace::Depth(1), &["1.1.1.1, unknown"], None),
            (ClientPlace::Depth(1), &["::ffff:1.2.3.4"], Some("1.2.3.4")),
            (excluding(&["10.0.0.0/8"]), &["1.1.1.1, 10.0.0.1"], Some("1.1.1.1")),
            (excluding(&["10.0.0.0/8"]), &["6.6.6.6, 1.1.1.1, 10.0.0.1"], Some("1.1.1.1")),
            // Who writes nonsense is not looked past.
            (excluding(&["10.0.0.0/8"]), &["1.1.1.1, nobody, 10.0.0.1"], None),
            (excluding(&["10.0.0.1"]), &["10.0.0.1"], None),
        ] {
            let mut head = Response::of(200);
            let line = |value: &&str| ("X-Forwarded-For".into(), value.as_bytes().into());
            head.lines.extend(lines.iter().map(line));
            let source = ClientSource { from, ipv6_subnet: None };
            let found = address(&source, "9.9.9.9".parse().unwrap(), &head);
            assert_eq!(found, expected.map(|it| it.parse().unwrap()), "{source:?} {lines:?}");
        }
    }

    #[test]
    fn of_ipv6_as_many_bits_count_as_are_asked_for() {
        for (bits, expected) in [
            (None, "2001:db8:1:2:3::4"),
            (Some(64), "2001:db8:1:2::"),
            (Some(48), "2001:db8:1::"),
            (Some(128), "2001:db8:1:2:3::4"),
        ] {
            let source = ClientSource { from: ClientPlace::Peer, ipv6_subnet: bits };
            let peer = "2001:db8:1:2:3::4".parse().unwrap();
            let found = address(&source, peer, &Response::of(200));
            assert_eq!(found, Some(expected.parse().unwrap()), "{bits:?}");
        }
    }
}
