//! Network interfaces and their addresses: what there is now, and when to look again.
//!
//! Level-triggered: [`Monitor::changed`] says only that something changed, [`list`] says what is.
//! So a notification lost in a storm costs nothing. Over rtnetlink; both belong to the namespace
//! of the thread that calls.
#![allow(unsafe_code, reason = "libc's netlink address has private padding")]

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::IpAddr;

use ipnet::IpNet;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::io::unix::AsyncFd;

use crate::netlink::{self, Netlink, Request, attributes, number};
use crate::socket;

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
    /// Able to carry frames right now: its cable is plugged in.
    pub carrier: bool,
    /// Knows broadcast.
    pub broadcast: bool,
    /// Speaks ARP.
    pub arp: bool,
    /// The loopback interface.
    pub loopback: bool,
    /// Part of a bridge, bond or the like, which takes its frames. A VRF's part is none: it keeps
    /// its own addresses.
    pub enslaved: bool,
    /// Its addresses, each with the prefix of its subnet. Without those that turned out to be
    /// duplicates.
    pub addresses: Vec<IpNet>,
}

/// Tells when interfaces or addresses changed.
#[derive(Debug)]
pub struct Monitor {
    socket: AsyncFd<Socket>,
}

/// Why interfaces cannot be listed or watched.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The kernel refused the list.
    #[error("cannot list network interfaces")]
    List(#[source] io::Error),
    /// The kernel refused notifications.
    #[error("cannot watch network interfaces")]
    Watch(#[source] io::Error),
}

// linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const IFA_F_DADFAILED: u32 = 0x08;

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

impl Monitor {
    /// Starts to watch. Must be called on a thread that runs a tokio runtime.
    pub fn open() -> Result<Self, LinkError> {
        let open = || -> io::Result<Self> {
            let protocol = Some(Protocol::from(libc::NETLINK_ROUTE));
            let kind = Type::RAW.nonblocking();
            let socket = Socket::new(Domain::from(libc::AF_NETLINK), kind, protocol)?;
            socket.bind(&changes())?;
            Ok(Self { socket: socket::register(socket)? })
        };
        open().map_err(LinkError::Watch)
    }

    /// Waits until something changed since the last call (or since [`Monitor::open`]). Changes
    /// that follow each other at once count as one. Nothing is lost when the wait is given up.
    pub async fn changed(&self) -> Result<(), LinkError> {
        let mut ready = self.socket.readable().await.map_err(LinkError::Watch)?;
        let mut buffer = [0; 8192];
        loop {
            match self.socket.get_ref().read(&mut buffer) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // More changes than fit: all the more reason to look.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                Err(error) => return Err(LinkError::Watch(error)),
            }
        }
        ready.clear_ready();
        Ok(())
    }
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

/// The address of those who want to know of changes to links and addresses.
fn changes() -> SockAddr {
    let groups = libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR;
    // SAFETY: no field of it is a reference or an enum; all zeros is a valid value.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = u16::try_from(libc::AF_NETLINK).expect("families are small");
    address.nl_groups = groups.cast_unsigned();
    socket::address(address)
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
        broadcast: flags & libc::IFF_BROADCAST != 0,
        arp: flags & libc::IFF_NOARP == 0,
        loopback: flags & libc::IFF_LOOPBACK != 0,
        enslaved: false,
        addresses: Vec::new(),
    };
    let mut in_vrf = false;
    for attribute in attributes(rest) {
        match attribute.kind {
            IFLA_IFNAME => link.name = text(attribute.value),
            IFLA_ADDRESS => link.mac = attribute.value.try_into().ok(),
            IFLA_MTU => link.mtu = number(attribute.value)?,
            IFLA_MASTER => link.enslaved = true,
            IFLA_LINKINFO => {
                let mut kinds = attributes(attribute.value);
                in_vrf = kinds
                    .any(|kind| kind.kind == IFLA_INFO_SLAVE_KIND && text(kind.value) == "vrf");
            }
            _ => {}
        }
    }
    link.enslaved &= !in_vrf;
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
