//! Network interfaces, their addresses and the routers behind them: what there is now, and when to
//! look again.
//!
//! Level-triggered: [`Monitor::changed`] says little more than that something changed, [`list`] and
//! [`routes()`] say what is. So a notification lost in a storm costs nothing. Over rtnetlink; all
//! belong to the namespace of the thread that calls.
mod monitor;
mod routes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::netlink::{self, Netlink, Request, attributes, number};

pub use self::monitor::{Changes, Monitor};
pub use self::routes::{NextHop, OwnRoute, Routes, routes};

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number, unique while it exists.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its Ethernet address, where it has one.
    pub mac: Option<[u8; 6]>,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// Switched on.
    pub up: bool,
    /// Able to carry frames right now: its cable is plugged in, and it is not dormant.
    pub carrier: bool,
    /// Plugged in, but something must happen first, as signing in to the network (IEEE 802.1X).
    pub dormant: bool,
    /// How often its cable was plugged in or out, wrapping.
    pub carrier_changes: u32,
    /// Knows broadcast.
    pub broadcast: bool,
    /// Speaks ARP.
    pub arp: bool,
    /// The loopback interface.
    pub loopback: bool,
    /// Part of a bridge, bond or the like, which takes its frames. A VRF's part is none: it keeps
    /// its own addresses.
    pub enslaved: bool,
    /// The bridge, bond or VRF that it is part of, by number.
    pub master: Option<u32>,
    /// Its addresses, each with the prefix of its subnet. Without those that turned out to be
    /// duplicates.
    pub addresses: Vec<IpNet>,
}

/// Why interfaces cannot be listed or watched.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The kernel refused the list.
    #[error("cannot list network interfaces")]
    List(#[source] io::Error),
    /// The kernel refused the list of routes.
    #[error("cannot list routes")]
    Routes(#[source] io::Error),
    /// The kernel refused notifications.
    #[error("cannot watch network interfaces")]
    Watch(#[source] io::Error),
}

/// What the kernel tells of interfaces in files.
const SYSFS: &str = "/sys/class/net";

// linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_MASTER: u16 = 10;
const IFLA_OPERSTATE: u16 = 16;
const IF_OPER_DORMANT: u8 = 5;
const IFLA_LINKINFO: u16 = 18;
const IFLA_CARRIER_CHANGES: u16 = 35;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const IFA_F_DADFAILED: u32 = 0x08;
/// Temporary, optimistic, duplicate, deprecated, tentative: not to be relied on for long.
const IFA_F_FLEETING: u32 = 0x01 | 0x04 | 0x08 | 0x20 | 0x40;

/// All interfaces, by number. Blocks for well under a millisecond on ordinary hosts.
pub fn list() -> Result<Vec<Link>, LinkError> {
    let dump = || -> io::Result<Vec<Link>> {
        let mut netlink = Netlink::open(libc::NETLINK_ROUTE)?;
        let mut links = BTreeMap::new();
        netlink.ask(Request::new(RTM_GETLINK, netlink::DUMP, &[0; 16]), |kind, body| {
            let link = (kind == RTM_NEWLINK).then(|| read_link(body)).flatten();
            links.extend(link.map(|link| (link.index, link)));
        })?;
        netlink.ask(Request::new(RTM_GETADDR, netlink::DUMP, &[0; 8]), |kind, body| {
            let address = (kind == RTM_NEWADDR).then(|| read_address(body)).flatten();
            if let Some((index, address)) = address
                && let Some(link) = links.get_mut(&index)
            {
                link.addresses.push(address);
            }
        })?;
        Ok(links.into_values().collect())
    };
    dump().map_err(LinkError::List)
}

/// Addresses that last, each with its interface's number: none of those that RFC 8981 makes for a
/// while, and none that is on its way in or out.
pub fn lasting() -> Result<Vec<(u32, IpNet)>, LinkError> {
    let dump = || -> io::Result<Vec<(u32, IpNet)>> {
        let mut found = Vec::new();
        let mut netlink = Netlink::open(libc::NETLINK_ROUTE)?;
        netlink.ask(Request::new(RTM_GETADDR, netlink::DUMP, &[0; 8]), |kind, body| {
            let is_fleeting = address_flags(body).is_none_or(|flags| flags & IFA_F_FLEETING != 0);
            let address = (kind == RTM_NEWADDR && !is_fleeting).then(|| read_address(body));
            found.extend(address.flatten());
        })?;
        Ok(found)
    };
    dump().map_err(LinkError::List)
}

/// The flags of an `ifaddrmsg` with its attributes.
fn address_flags(body: &[u8]) -> Option<u32> {
    let (header, rest) = body.split_at_checked(8)?;
    let told = attributes(rest).find(|it| it.kind == IFA_FLAGS);
    match told {
        Some(flags) => number(flags.value),
        None => Some(u32::from(header[2])),
    }
}

/// Whether the interface of that name is a Wi-Fi station or access point.
pub fn is_wireless(name: &str) -> bool {
    // A name is no path: `..` is no interface.
    !name.contains('/') && std::path::Path::new(SYSFS).join(name).join("phy80211").exists()
}

impl Link {
    /// Whether one of its subnets holds `address`; the longest prefix that does.
    pub fn subnet_of(&self, address: IpAddr) -> Option<IpNet> {
        let holds = |net: &&IpNet| net.contains(&address);
        self.addresses.iter().filter(holds).max_by_key(|net| net.prefix_len()).copied()
    }

    /// Whether `address` is one of its own.
    pub fn has(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|own| own.addr() == address)
    }
}

/// An `ifinfomsg` with its attributes.
fn read_link(body: &[u8]) -> Option<Link> {
    let (header, rest) = body.split_at_checked(16)?;
    let flags = number(&header[8..])?.cast_signed();
    let mut link = Link {
        index: number(&header[4..])?,
        name: String::new(),
        mac: None,
        mtu: 0,
        up: flags & libc::IFF_UP != 0,
        carrier: flags & libc::IFF_RUNNING != 0,
        dormant: false,
        carrier_changes: 0,
        broadcast: flags & libc::IFF_BROADCAST != 0,
        arp: flags & libc::IFF_NOARP == 0,
        loopback: flags & libc::IFF_LOOPBACK != 0,
        enslaved: false,
        master: None,
        addresses: Vec::new(),
    };
    let mut in_vrf = false;
    for attribute in attributes(rest) {
        match attribute.kind {
            IFLA_IFNAME => link.name = text(attribute.value),
            IFLA_ADDRESS => link.mac = attribute.value.try_into().ok(),
            IFLA_MTU => link.mtu = number(attribute.value)?,
            IFLA_MASTER => link.master = number(attribute.value).filter(|index| *index > 0),
            IFLA_OPERSTATE => link.dormant = attribute.value == [IF_OPER_DORMANT],
            IFLA_CARRIER_CHANGES => link.carrier_changes = number(attribute.value)?,
            IFLA_LINKINFO => {
                let mut kinds = attributes(attribute.value);
                in_vrf = kinds
                    .any(|kind| kind.kind == IFLA_INFO_SLAVE_KIND && text(kind.value) == "vrf");
            }
            _ => {}
        }
    }
    link.enslaved = link.master.is_some() && !in_vrf;
    Some(link)
}

/// An `ifaddrmsg` with its attributes: interface and address.
fn read_address(body: &[u8]) -> Option<(u32, IpNet)> {
    let (header, rest) = body.split_at_checked(8)?;
    let (prefix, index) = (header[1], number(&header[4..])?);
    let mut flags = u32::from(header[2]);
    let (mut local, mut peer) = (None, None);
    for attribute in attributes(rest) {
        match attribute.kind {
            IFA_LOCAL => local = netlink::address(attribute.value),
            IFA_ADDRESS => peer = netlink::address(attribute.value),
            IFA_FLAGS => flags = number(attribute.value)?,
            _ => {}
        }
    }
    if flags & IFA_F_DADFAILED != 0 {
        return None;
    }
    // On a point-to-point link the two differ; IPv6 has only the second.
    Some((index, IpNet::new(local.or(peer)?, prefix).ok()?))
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).trim_end_matches('\0').to_owned()
}
