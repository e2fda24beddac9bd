//! What routes tell of addresses: the routers that this host sends to, and what it takes for its
//! own although no interface has it.

use std::io;
use std::net::IpAddr;

use ipnet::IpNet;

use super::LinkError;
use crate::netlink::{self, Netlink, Request, attributes, number};

/// All that matters of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    /// The next hops, of any table, sorted.
    pub gateways: Vec<NextHop>,
    /// What is delivered on this host: its addresses, and what somebody made local by a route
    /// (`ip route add local`); also the addresses of routers as such (RFC 4291 §2.6.1).
    pub own: Vec<OwnRoute>,
}

/// Addresses that are delivered on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnRoute {
    /// Which.
    pub net: IpNet,
    /// Number of the interface that has them; that of `lo` where none does.
    pub link: u32,
}

/// A router that packets are sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NextHop {
    /// Its address.
    pub address: IpAddr,
    /// Number of the interface that leads to it, where the route says.
    pub link: Option<u32>,
    /// Whether it is the way to everywhere.
    pub is_default: bool,
}

// linux/rtnetlink.h
pub(super) const NEW_ROUTE: u16 = 24;
pub(super) const DELETE_ROUTE: u16 = 25;
const GET_ROUTE: u16 = 26;
const TABLE_MAIN: u8 = 254;
const TABLE_LOCAL: u8 = 255;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_MULTIPATH: u16 = 9;
const RTA_VIA: u16 = 18;
const KIND_UNICAST: u8 = 1;
const KIND_LOCAL: u8 = 2;
const KIND_ANYCAST: u8 = 4;
/// Length of `rtmsg`, and of `rtnexthop`.
const ROUTE_HEADER: usize = 12;
const HOP_HEADER: usize = 8;
const NO_FAMILY: [i32; 2] = [libc::EAFNOSUPPORT, libc::EOPNOTSUPP];

/// What there is now.
pub fn routes() -> Result<Routes, LinkError> {
    let dump = || -> io::Result<Routes> {
        let mut netlink = Netlink::open(libc::NETLINK_ROUTE)?;
        let mut found = Routes::default();
        for family in [libc::AF_INET, libc::AF_INET6] {
            let mut header = [0; ROUTE_HEADER];
            header[0] = u8::try_from(family).expect("families are small");
            let request = Request::new(GET_ROUTE, netlink::DUMP, &header);
            let outcome = netlink.ask(request, |kind, body| {
                if kind == NEW_ROUTE {
                    found.read(body);
                }
            });
            let is_off = |error: &io::Error| {
                error.raw_os_error().is_some_and(|code| NO_FAMILY.contains(&code))
            };
            outcome.or_else(|error| if is_off(&error) { Ok(()) } else { Err(error) })?;
        }
        // Of one that is both, the first is the default one.
        found.gateways.sort_unstable_by_key(|it| (it.address, it.link, !it.is_default));
        found.gateways.dedup_by_key(|it| (it.address, it.link));
        found.own.sort_unstable();
        Ok(found)
    };
    dump().map_err(LinkError::Routes)
}

/// Whether a route's message is worth looking at once: it is about everywhere, by halves where a
/// tunnel covers the default route so, about what is this host's own, or about one of its subnets.
/// Routes to some places come and go where containers do.
pub(super) fn is_urgent(body: &[u8]) -> bool {
    matches!(body, [_, 0 | 1, ..]) || is_own(body) || is_of_a_subnet(body)
}

/// Whether a route's message is about a subnet of this host, and in the main table: neither a
/// single address nor what another router leads to.
fn is_of_a_subnet(body: &[u8]) -> bool {
    let &[family, bits, _, _, TABLE_MAIN, _, _, KIND_UNICAST, ..] = body else { return false };
    let whole = if i32::from(family) == libc::AF_INET { 32 } else { 128 };
    let led = |kind| matches!(kind, RTA_GATEWAY | RTA_MULTIPATH | RTA_VIA);
    let rest = body.get(ROUTE_HEADER..).unwrap_or_default();
    bits < whole && !attributes(rest).any(|it| led(it.kind))
}

fn is_own(body: &[u8]) -> bool {
    matches!(body, [_, _, _, _, TABLE_LOCAL, _, _, KIND_LOCAL | KIND_ANYCAST, ..])
}

impl Routes {
    /// An `rtmsg` with its attributes.
    pub(super) fn read(&mut self, body: &[u8]) {
        let rest = body.get(ROUTE_HEADER..).unwrap_or_default();
        let is_default = body.get(1) == Some(&0);
        let (mut link, mut to) = (None, None);
        for attribute in attributes(rest) {
            match attribute.kind {
                RTA_OIF => link = number(attribute.value),
                RTA_DST => to = netlink::address(attribute.value),
                _ => {}
            }
        }
        if is_own(body) {
            let net = to.and_then(|to| IpNet::new(to, body[1]).ok());
            self.own.extend(net.map(|net| OwnRoute { net, link: link.unwrap_or_default() }));
            return;
        }
        for attribute in attributes(rest) {
            if attribute.kind == RTA_MULTIPATH {
                read_hops(attribute.value, is_default, &mut self.gateways);
            } else {
                let address = gateway(attribute.kind, attribute.value);
                self.gateways.extend(address.map(|address| NextHop { address, link, is_default }));
            }
        }
    }
}

/// A sequence of `rtnexthop`, each with its attributes.
fn read_hops(mut hops: &[u8], is_default: bool, found: &mut Vec<NextHop>) {
    while let Some(header) = hops.first_chunk::<HOP_HEADER>() {
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let Some(parts) = hops.get(HOP_HEADER..length) else { return };
        let link = number(&header[4..]);
        for attribute in attributes(parts) {
            let address = gateway(attribute.kind, attribute.value);
            found.extend(address.map(|address| NextHop { address, link, is_default }));
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
