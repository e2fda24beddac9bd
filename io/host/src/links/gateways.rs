//! The routers that this host sends to what is beyond its subnets: the gateways of the default
//! routes in the main table.

use std::io;
use std::net::IpAddr;

use super::LinkError;
use crate::netlink::{self, Netlink, Request, attributes, number};

/// A default gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gateway {
    /// Its address.
    pub address: IpAddr,
    /// Number of the interface that leads to it, where the route says.
    pub link: Option<u32>,
}

// linux/rtnetlink.h
pub(super) const NEW_ROUTE: u16 = 24;
pub(super) const DELETE_ROUTE: u16 = 25;
const GET_ROUTE: u16 = 26;
const TABLE_MAIN: u8 = 254;
const UNICAST: u8 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_MULTIPATH: u16 = 9;
const RTA_VIA: u16 = 18;
/// Length of `rtmsg`, and of `rtnexthop`.
const ROUTE_HEADER: usize = 12;
const HOP_HEADER: usize = 8;
const NO_FAMILY: [i32; 2] = [libc::EAFNOSUPPORT, libc::EOPNOTSUPP];

/// All default gateways, sorted. Only the main table is looked at: others are for some packets.
pub fn gateways() -> Result<Vec<Gateway>, LinkError> {
    let dump = || -> io::Result<Vec<Gateway>> {
        let mut netlink = Netlink::open(libc::NETLINK_ROUTE)?;
        netlink.filter_in_kernel();
        let mut found = Vec::new();
        for family in [libc::AF_INET, libc::AF_INET6] {
            let mut header = [0; ROUTE_HEADER];
            header[0] = u8::try_from(family).expect("families are small");
            header[4] = TABLE_MAIN;
            let request = Request::new(GET_ROUTE, netlink::DUMP, &header);
            let outcome = netlink.ask(request, |kind, body| {
                if kind == NEW_ROUTE && is_default(body) {
                    read(body, &mut found);
                }
            });
            let is_off = |error: &io::Error| {
                error.raw_os_error().is_some_and(|code| NO_FAMILY.contains(&code))
            };
            outcome.or_else(|error| if is_off(&error) { Ok(()) } else { Err(error) })?;
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    };
    dump().map_err(LinkError::Gateways)
}

/// Whether a route's message is about everywhere, and in the main table.
pub(super) fn is_default(body: &[u8]) -> bool {
    matches!(body, [_, 0, _, _, TABLE_MAIN, ..])
}

/// Whether a route's message is about a subnet of this host, and in the main table: neither a
/// single address nor what another router leads to.
pub(super) fn is_of_a_subnet(body: &[u8]) -> bool {
    let &[family, bits, _, _, TABLE_MAIN, _, _, UNICAST, ..] = body else { return false };
    let whole = if i32::from(family) == libc::AF_INET { 32 } else { 128 };
    let led = |kind| matches!(kind, RTA_GATEWAY | RTA_MULTIPATH | RTA_VIA);
    let rest = body.get(ROUTE_HEADER..).unwrap_or_default();
    bits < whole && !attributes(rest).any(|it| led(it.kind))
}

/// An `rtmsg` with its attributes.
pub(super) fn read(body: &[u8], found: &mut Vec<Gateway>) {
    let rest = body.get(ROUTE_HEADER..).unwrap_or_default();
    let mut link = None;
    for attribute in attributes(rest).filter(|it| it.kind == RTA_OIF) {
        link = number(attribute.value);
    }
    for attribute in attributes(rest) {
        if attribute.kind == RTA_MULTIPATH {
            read_hops(attribute.value, found);
        } else {
            let address = gateway(attribute.kind, attribute.value);
            found.extend(address.map(|address| Gateway { address, link }));
        }
    }
}

/// A sequence of `rtnexthop`, each with its attributes.
fn read_hops(mut hops: &[u8], found: &mut Vec<Gateway>) {
    while let Some(header) = hops.first_chunk::<HOP_HEADER>() {
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let Some(parts) = hops.get(HOP_HEADER..length) else { return };
        let link = number(&header[4..]);
        for attribute in attributes(parts) {
            let address = gateway(attribute.kind, attribute.value);
            found.extend(address.map(|address| Gateway { address, link }));
        }
        hops = hops.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
}

fn gateway(kind: u16, value: &[u8]) -> Option<IpAddr> {
    match kind {
        RTA_GATEWAY => netlink::address(value),
        // The family, then an address of it: a gateway of the other family.
        RTA_VIA => netlink::address(value.get(2..)?),
        _ => None,
    }
}
