//! Policy routing: our `ip rule`, the private table it leads to, and where an address would be
//! routed. Over rtnetlink, so the program `ip` is not needed.
//!
//! Invariants: only rules with our priority, mark and table, and only routes of our table, are
//! ever deleted; so leftovers of a killed process are recognised by these numbers alone.

mod watch;

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Socket, Type};
use steelyard_firewall::{OtherRule, RuleAction};

use crate::netlink::{self, Netlink, Request, attributes};

pub use self::watch::{Detours, RuleWatch};

/// What our rule says: packets with this mark bit are looked up in this table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkRule {
    /// The mark bit; it is its own mask.
    pub mark: u32,
    /// Number of the routing table.
    pub table: u32,
    /// Order among rules; small is early.
    pub priority: u32,
}

/// Rules and routes of the network namespace it was opened in. Calls block, for microseconds.
#[derive(Debug)]
pub struct Routing {
    netlink: Netlink,
}

/// Where packets to an address go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// It is an address of this host.
    Local,
    /// Through an interface.
    Out {
        /// A route for this address alone, without a gateway, through a veth: the link of a pod.
        pod_link: bool,
        /// The interface, by number.
        link: u32,
    },
    /// There is no route.
    Nowhere,
}

/// What the kernel refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action}: {source}")]
pub struct RoutingError {
    action: &'static str,
    source: io::Error,
}

const FAMILIES: [u8; 2] = [2, 10];
const NEW_ROUTE: u16 = 24;
const DELETE_ROUTE: u16 = 25;
const GET_ROUTE: u16 = 26;
const NEW_RULE: u16 = 32;
const DELETE_RULE: u16 = 33;
const GET_RULE: u16 = 34;
const GET_LINK: u16 = 18;
const ROUTE_DESTINATION: u16 = 1;
const ROUTE_SOURCE: u16 = 2;
const ROUTE_INPUT: u16 = 3;
const ROUTE_INTERFACE: u16 = 4;
const ROUTE_GATEWAY: u16 = 5;
const ROUTE_MULTIPATH: u16 = 9;
const ROUTE_TABLE: u16 = 15;
const ROUTE_MARK: u16 = 16;
const ROUTE_VIA: u16 = 18;
const RULE_PRIORITY: u16 = 6;
const RULE_MARK: u16 = 10;
const RULE_TABLE: u16 = 15;
const RULE_MASK: u16 = 16;
const LINK_DETAILS: u16 = 18;
const LINK_KIND: u16 = 1;
const KIND_UNICAST: u8 = 1;
const KIND_LOCAL: u8 = 2;
const SCOPE_UNIVERSE: u8 = 0;
const SCOPE_HOST: u8 = 254;
const SCOPE_ANY: u8 = 255;
const BY_STATIC: u8 = 4;
const TO_TABLE: u8 = 1;
/// The rules that every host has: priority and table.
const USUAL: [(u32, u32); 3] = [(0, 255), (32766, 254), (32767, 253)];
/// Nobody is spoken to there.
const DISCARD: u16 = 9;
/// `RTM_F_FIB_MATCH`: answer with the table's entry, not with a route made of it.
const FIB_MATCH: u32 = 0x2000;
/// Length of `rtmsg` and of `fib_rule_hdr`.
const ROUTE_HEADER: usize = 12;
const LINK_HEADER: usize = 16;
/// The kernel gives `lo` this index in every namespace.
const LOOPBACK: u32 = 1;

impl Routing {
    /// Opens a netlink socket in the calling thread's network namespace.
    pub fn open() -> Result<Self, RoutingError> {
        let netlink = Netlink::open(libc::NETLINK_ROUTE).map_err(refused("open netlink"))?;
        let mut routing = Self { netlink };
        // The kernel names the port with the first answer, and who watches for others' changes has
        // to know it before anything is changed.
        let _ = routing.is_bridge(LOOPBACK);
        Ok(routing)
    }

    /// The port of netlink that others see its changes come from; none where the kernel never
    /// answered.
    pub fn port(&self) -> Option<u32> {
        self.netlink.port()
    }

    /// Adds the rule for both families, where it is not there yet. A host without IPv6 gets the
    /// IPv4 one only.
    pub fn add_rule(&mut self, rule: MarkRule) -> Result<(), RoutingError> {
        for family in FAMILIES {
            let flags = netlink::CREATE | netlink::EXCLUSIVE;
            match self.netlink.change(rule_request(NEW_RULE, flags, family, rule)) {
                Err(error) if is(&error, &[libc::EEXIST]) => {}
                Err(error) if family != FAMILIES[0] && is(&error, NO_FAMILY) => {}
                outcome => outcome.map_err(refused("add the ip rule"))?,
            }
        }
        Ok(())
    }

    /// Deletes the rule, however often it is there; returns how often it was.
    pub fn delete_rule(&mut self, rule: MarkRule) -> Result<usize, RoutingError> {
        let mut deleted = 0;
        for family in FAMILIES {
            loop {
                match self.netlink.change(rule_request(DELETE_RULE, 0, family, rule)) {
                    Ok(()) => deleted += 1,
                    Err(error) if is(&error, GONE) || is(&error, NO_FAMILY) => break,
                    Err(error) => return Err(refused("delete the ip rule")(error)),
                }
            }
        }
        Ok(deleted)
    }

    /// Makes packets to `address` that are looked up in `table` be delivered on this host, where
    /// it is not so already.
    pub fn add_local(&mut self, table: u32, address: IpAddr) -> Result<(), RoutingError> {
        self.netlink
            .change(local_request(table, address))
            .map_err(refused("add a route to the private table"))
    }

    /// Undoes [`Routing::add_local`], whatever others made of that route.
    pub fn delete_route(&mut self, table: u32, address: IpAddr) -> Result<(), RoutingError> {
        match self.netlink.change(any_request(table, address)) {
            Err(error) if is(&error, GONE) => Ok(()),
            outcome => outcome.map_err(refused("delete a route of the private table")),
        }
    }

    /// The addresses with a route of their own in `table`, of whatever kind.
    pub fn addresses(&mut self, table: u32) -> Result<Vec<IpAddr>, RoutingError> {
        let mut found = Vec::new();
        for family in FAMILIES {
            let mut header = [0; ROUTE_HEADER];
            header[0] = family;
            let request = Request::new(GET_ROUTE, netlink::DUMP, &header);
            let outcome = self.netlink.ask(request, |_, body| {
                let route = Route::read(body);
                if let Some(route) = route
                    && route.table == table
                {
                    found.extend(
                        route.destination.filter(|it| family_and_bits(*it).1 == route.bits),
                    );
                }
            });
            match outcome {
                Err(error) if is(&error, NO_FAMILY) => {}
                outcome => outcome.map_err(refused("list routes"))?,
            }
        }
        Ok(found)
    }

    /// Where packets to `address` go.
    pub fn path(&mut self, address: IpAddr) -> Result<Path, RoutingError> {
        let mut header = [0; ROUTE_HEADER];
        (header[0], header[1]) = family_and_bits(address);
        header[8..].copy_from_slice(&FIB_MATCH.to_ne_bytes());
        let request = Request::new(GET_ROUTE, 0, &header).address(ROUTE_DESTINATION, address);
        let mut answer = None;
        match self.netlink.ask(request, |_, body| answer = Route::read(body)) {
            Err(error) if is(&error, UNREACHABLE) => return Ok(Path::Nowhere),
            outcome => outcome.map_err(refused("look up a route"))?,
        }
        let Some(route) = answer else { return Ok(Path::Nowhere) };
        Ok(match (route.kind, route.interface) {
            (KIND_LOCAL, _) => Path::Local,
            (KIND_UNICAST, Some(interface)) => {
                let alone = route.bits == header[1] && !route.gateway;
                Path::Out { pod_link: alone && self.is(interface, b"veth")?, link: interface }
            }
            (KIND_UNICAST, None) => Path::Out { pod_link: false, link: 0 },
            _ => Path::Nowhere,
        })
    }

    /// Whether a packet with `mark` from `from` to `address`, coming in by an interface, would be
    /// delivered on this host.
    pub fn is_delivered(
        &mut self,
        address: IpAddr,
        mark: u32,
        from: IpAddr,
        interface: u32,
    ) -> Result<bool, RoutingError> {
        let mut header = [0; ROUTE_HEADER];
        (header[0], header[1]) = family_and_bits(address);
        header[2] = header[1];
        let request = Request::new(GET_ROUTE, 0, &header)
            .address(ROUTE_DESTINATION, address)
            .address(ROUTE_SOURCE, from)
            .number(ROUTE_INPUT, interface)
            .number(ROUTE_MARK, mark);
        let mut answer = None;
        match self.netlink.ask(request, |_, body| answer = Route::read(body)) {
            Err(error) if is(&error, UNREACHABLE) => Ok(false),
            outcome => {
                outcome.map_err(refused("look up a route"))?;
                Ok(answer.is_some_and(|route| route.kind == KIND_LOCAL))
            }
        }
    }

    /// Rules of `address`'s family, in their order, but for `ours` and those that every host has.
    pub fn others(
        &mut self,
        address: IpAddr,
        ours: MarkRule,
    ) -> Result<Vec<OtherRule>, RoutingError> {
        let mut header = [0; ROUTE_HEADER];
        header[0] = family_and_bits(address).0;
        let mut found = Vec::new();
        let outcome =
            self.netlink.ask(Request::new(GET_RULE, netlink::DUMP, &header), |_, body| {
                found.extend(read_rule(body).filter(|rule| !is_usual(*rule, ours)));
            });
        outcome.map_err(refused("list rules"))?;
        Ok(found)
    }

    /// Whether what a listener at `vip` answers is sent to a client at `to`: asked by a socket that
    /// sends nothing.
    pub fn is_answered(vip: IpAddr, to: IpAddr) -> Result<bool, RoutingError> {
        let try_it = || -> io::Result<()> {
            let vip = SocketAddr::new(vip, 0);
            let socket = Socket::new(Domain::for_address(vip), Type::DGRAM, None)?;
            match vip {
                SocketAddr::V4(_) => socket.set_ip_transparent_v4(true)?,
                SocketAddr::V6(_) => socket.set_ip_transparent_v6(true)?,
            }
            socket.bind(&vip.into())?;
            socket.connect(&SocketAddr::new(to, DISCARD).into())
        };
        match try_it() {
            Ok(()) => Ok(true),
            Err(error) if is(&error, UNREACHABLE) => Ok(false),
            Err(error) => Err(refused("look up a way back")(error)),
        }
    }

    /// Whether an interface is a bridge.
    pub fn is_bridge(&mut self, interface: u32) -> Result<bool, RoutingError> {
        self.is(interface, b"bridge")
    }

    fn is(&mut self, interface: u32, kind: &[u8]) -> Result<bool, RoutingError> {
        let mut header = [0; LINK_HEADER];
        header[4..8].copy_from_slice(&interface.to_ne_bytes());
        let mut is_so = false;
        let request = Request::new(GET_LINK, 0, &header);
        let outcome = self.netlink.ask(request, |_, body| {
            let parts = attributes(body.get(LINK_HEADER..).unwrap_or_default());
            is_so = parts
                .filter(|part| part.kind == LINK_DETAILS)
                .flat_map(|details| attributes(details.value))
                .any(|detail| detail.kind == LINK_KIND && detail.value.starts_with(kind));
        });
        outcome.map_err(refused("look at an interface"))?;
        Ok(is_so)
    }
}

impl RoutingError {
    /// Whether privileges are what is missing.
    pub fn is_denied(&self) -> bool {
        is(&self.source, &[libc::EPERM, libc::EACCES])
    }
}

const GONE: &[i32] = &[libc::ENOENT, libc::ESRCH, libc::ENODEV];
const NO_FAMILY: &[i32] = &[libc::EAFNOSUPPORT, libc::EOPNOTSUPP];
const UNREACHABLE: &[i32] =
    &[libc::ENETUNREACH, libc::EHOSTUNREACH, libc::EACCES, libc::EINVAL, libc::EAFNOSUPPORT];

fn is(error: &io::Error, codes: &[i32]) -> bool {
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

fn refused(action: &'static str) -> impl Fn(io::Error) -> RoutingError {
    move |source| RoutingError { action, source }
}

fn family_and_bits(address: IpAddr) -> (u8, u8) {
    if address.is_ipv4() { (FAMILIES[0], 32) } else { (FAMILIES[1], 128) }
}

fn rule_request(kind: u16, flags: u16, family: u8, rule: MarkRule) -> Request {
    let mut header = [0; ROUTE_HEADER];
    header[0] = family;
    header[7] = TO_TABLE;
    Request::new(kind, flags, &header)
        .number(RULE_PRIORITY, rule.priority)
        .number(RULE_MARK, rule.mark)
        .number(RULE_MASK, rule.mark)
        .number(RULE_TABLE, rule.table)
}

/// A `fib_rule_hdr` with its attributes.
fn read_rule(body: &[u8]) -> Option<OtherRule> {
    let header: &[u8; ROUTE_HEADER] = body.first_chunk()?;
    let (mut priority, mut table) = (0, u32::from(header[4]));
    for attribute in attributes(&body[ROUTE_HEADER..]) {
        match attribute.kind {
            RULE_PRIORITY => priority = netlink::number(attribute.value)?,
            RULE_TABLE => table = netlink::number(attribute.value)?,
            _ => {}
        }
    }
    let action = match header[7] {
        TO_TABLE => RuleAction::Lookup(table),
        6 => RuleAction::Blackhole,
        7 => RuleAction::Unreachable,
        8 => RuleAction::Prohibit,
        _ => RuleAction::Other,
    };
    Some(OtherRule { priority, action })
}

fn is_usual(rule: OtherRule, ours: MarkRule) -> bool {
    let RuleAction::Lookup(table) = rule.action else { return false };
    stands_for(rule, ours) || USUAL.contains(&(rule.priority, table))
}

/// Whether it stands where `ours` does, and leads where that does.
fn stands_for(rule: OtherRule, ours: MarkRule) -> bool {
    rule.priority == ours.priority && rule.action == RuleAction::Lookup(ours.table)
}

/// For the deletion of whichever route there is.
fn any_request(table: u32, address: IpAddr) -> Request {
    let mut header = [0; ROUTE_HEADER];
    (header[0], header[1]) = family_and_bits(address);
    header[6] = SCOPE_ANY;
    Request::new(DELETE_ROUTE, 0, &header)
        .address(ROUTE_DESTINATION, address)
        .number(ROUTE_TABLE, table)
}

fn local_request(table: u32, address: IpAddr) -> Request {
    let mut header = [0; ROUTE_HEADER];
    (header[0], header[1]) = family_and_bits(address);
    (header[5], header[7]) = (BY_STATIC, KIND_LOCAL);
    header[6] = if address.is_ipv4() { SCOPE_HOST } else { SCOPE_UNIVERSE };
    Request::new(NEW_ROUTE, netlink::CREATE | netlink::REPLACE, &header)
        .address(ROUTE_DESTINATION, address)
        .number(ROUTE_INTERFACE, LOOPBACK)
        .number(ROUTE_TABLE, table)
}

/// What we look at in an entry of a routing table.
struct Route {
    bits: u8,
    kind: u8,
    table: u32,
    destination: Option<IpAddr>,
    interface: Option<u32>,
    gateway: bool,
}

impl Route {
    fn read(body: &[u8]) -> Option<Self> {
        let header: &[u8; ROUTE_HEADER] = body.first_chunk()?;
        let mut route = Self {
            bits: header[1],
            kind: header[7],
            table: u32::from(header[4]),
            destination: None,
            interface: None,
            gateway: false,
        };
        for attribute in attributes(&body[ROUTE_HEADER..]) {
            match attribute.kind {
                ROUTE_DESTINATION => route.destination = netlink::address(attribute.value),
                ROUTE_INTERFACE => route.interface = netlink::number(attribute.value),
                ROUTE_TABLE => route.table = netlink::number(attribute.value)?,
                ROUTE_GATEWAY | ROUTE_VIA | ROUTE_MULTIPATH => route.gateway = true,
                _ => {}
            }
        }
        Some(route)
    }
}

#[cfg(test)]
mod tests;
