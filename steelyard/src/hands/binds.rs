//! Where entry points listen.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use steelyard_forward::Forwarder;
use steelyard_gateway::{Bind, Binding, Gateway, Sockets};
use steelyard_lending::LentPlace;
use steelyard_model::Protocol;
use steelyard_model::routing::entry_point::{EntryPoint, OWN, PLAIN};
use steelyard_plan::Serve;

use crate::entry_points::StaticOptions;
use crate::mind::Decided;

/// On the gateway's vips that may be this node's; not on those that are the machine's own. The
/// forwarder knows for which of them packets can be led to another port.
pub(crate) async fn at_vips(decided: &Decided, forwarder: Option<&Forwarder>) -> Vec<Bind> {
    let ours = decided.plan.node.serve.values().filter(|vip| !decided.own.contains(&vip.address));
    let ours: Vec<_> = ours.collect();
    let vips = ours.iter().map(|vip| vip.address).collect();
    let led = match forwarder {
        Some(forwarder) => forwarder.led(vips).await,
        None => BTreeSet::new(),
    };
    on_vips(&ours, &led)
}

/// Where a loan is served.
pub(crate) fn lent(place: &LentPlace) -> Bind {
    let LentPlace { entry_point, address } = place.clone();
    Bind { entry_point, protocol: Protocol::Tcp, address, binding: Binding::Lent }
}

/// On the gateway's vips: none of them is a local address. Packets for those in `led` are led to
/// where its listener is.
fn on_vips(ours: &[&Serve], led: &BTreeSet<IpAddr>) -> Vec<Bind> {
    let mut binds = Vec::new();
    for vip in ours {
        for (protocol, port, entry_point) in &vip.ports {
            let (entry_point, protocol) = (entry_point.clone(), *protocol);
            let address = SocketAddr::new(vip.address, *port);
            // Datagrams are heard where they are sent to.
            let is_led = led.contains(&vip.address) && protocol == Protocol::Tcp;
            let binding = if is_led { Binding::Led } else { Binding::Vip };
            binds.push(Bind { entry_point, protocol, address, binding });
        }
    }
    binds
}

/// Entry points that objects ask for, and the address that they are at, where it is one: that of
/// the plain one for requests.
#[derive(Default)]
pub(crate) struct AskedPoints {
    points: Vec<Arc<EntryPoint>>,
    host: Option<IpAddr>,
}

/// Those of all entry points that objects ask for.
pub(crate) fn asked_for<'p>(
    points: impl Iterator<Item = &'p Arc<EntryPoint>>,
    fixed: &StaticOptions,
) -> AskedPoints {
    let points = points.filter(|point| point.place.is_some()).cloned().collect();
    AskedPoints { points, host: fixed.address(PLAIN.name).and_then(|it| it.host) }
}

/// On every address of this machine, unless an entry point says otherwise.
pub(crate) fn on_host(fixed: &StaticOptions, ports: (u16, u16), asked: AskedPoints) -> Vec<Bind> {
    let everywhere = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    on(fixed, ports, asked, (everywhere, everywhere))
}

/// On loopback only, unless an entry point says otherwise.
pub(crate) fn on_loopback(
    fixed: &StaticOptions,
    ports: (u16, u16),
    asked: AskedPoints,
) -> Vec<Bind> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let everywhere = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    on(fixed, ports, asked, (loopback, everywhere))
}

/// Where the program's own services are where everything else is at vips: no Service has a port for
/// them, as a rule.
pub(crate) fn of_own(fixed: &StaticOptions, ports: (u16, u16), at_vips: &[Bind]) -> Vec<Bind> {
    if at_vips.iter().any(|bind| bind.entry_point == OWN) {
        return Vec::new();
    }
    let mut own = on_loopback(fixed, ports, AskedPoints::default());
    own.retain(|bind| bind.entry_point == OWN);
    own
}

/// Default entry points on `hosts`; those that the user placed without a host on `placed`. `ports`
/// are those of `web` and `websecure`, unless moved.
fn on(
    fixed: &StaticOptions,
    ports: (u16, u16),
    asked: AskedPoints,
    (hosts, placed): ([IpAddr; 2], [IpAddr; 2]),
) -> Vec<Bind> {
    let mut binds = Vec::new();
    let mut open = |entry_point: &EntryPoint, addresses: Vec<IpAddr>| {
        binds.extend(addresses.into_iter().map(|host| Bind {
            entry_point: entry_point.id.to_string(),
            protocol: entry_point.protocol,
            address: SocketAddr::new(host, entry_point.port),
            binding: Binding::Host,
        }));
    };
    for entry_point in fixed.entry_points(ports) {
        let addresses = match fixed.address(entry_point.id.as_str()) {
            Some(given) => given.host.map_or_else(|| placed.to_vec(), |host| vec![host]),
            None => hosts.to_vec(),
        };
        open(&entry_point, addresses);
    }
    for entry_point in asked.points {
        open(&entry_point, asked.host.map_or_else(|| hosts.to_vec(), |host| vec![host]));
    }
    binds
}

/// Where clients reach a listener whose socket is bound to `socket`.
pub(crate) fn reached(bind: &Bind, socket: SocketAddr) -> SocketAddr {
    match bind.binding {
        Binding::Host => socket,
        Binding::Vip | Binding::Led | Binding::Lent => bind.address,
    }
}

/// Opens (by `open`) and closes listeners until they are `wanted`. A machine without IPv6 is no
/// failure as long as IPv4 listens.
pub(crate) fn listen(
    gateway: &Gateway,
    wanted: &[Bind],
    open: impl Fn(&Bind, usize) -> io::Result<(SocketAddr, Sockets)>,
) -> Vec<(Bind, Result<SocketAddr, String>)> {
    let outcome = gateway.listen_by(wanted, open);
    let works = outcome.iter().any(|(_, result)| result.is_ok());
    let no_ipv6 = |bind: &Bind, error: &io::Error| {
        let missing = [libc_code::EADDRNOTAVAIL, libc_code::EAFNOSUPPORT];
        bind.address.is_ipv6() && error.raw_os_error().is_some_and(|code| missing.contains(&code))
    };
    outcome
        .into_iter()
        .filter(|(bind, result)| !(works && result.as_ref().is_err_and(|e| no_ipv6(bind, e))))
        .map(|(bind, result)| (bind, result.map_err(|error| error.to_string())))
        .collect()
}

/// errno(3), the same on every Linux we build for.
mod libc_code {
    pub(crate) const EAFNOSUPPORT: i32 = 97;
    pub(crate) const EADDRNOTAVAIL: i32 = 99;
}
