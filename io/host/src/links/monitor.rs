//! Notifications of the kernel, reduced to whether it is worth looking.
#![allow(unsafe_code, reason = "libc's netlink address has private padding")]

use std::collections::BTreeSet;
use std::io::{self, Read};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::io::unix::AsyncFd;

use super::{LinkError, RTM_NEWADDR, RTM_NEWLINK, gateways};
use crate::netlink::{self, attributes, number};
use crate::socket;

/// Tells when interfaces, addresses or default gateways changed.
#[derive(Debug)]
pub struct Monitor {
    socket: AsyncFd<Socket>,
}

/// What [`list`](super::list) does not tell of a change.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Changes {
    /// Interfaces that are somewhere else now, though nothing about them changed: another cable of
    /// a bond is in use, or the virtual machine that they belong to moved. Switches have to be
    /// told.
    pub moved: BTreeSet<u32>,
}

// linux/rtnetlink.h, linux/if_link.h
const RTM_DELLINK: u16 = 17;
const RTM_DELADDR: u16 = 21;
const IFLA_EVENT: u16 = 44;
const EVENT_BONDING_FAILOVER: u32 = 3;
const EVENT_NOTIFY_PEERS: u32 = 4;

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
    pub async fn changed(&self) -> Result<Changes, LinkError> {
        loop {
            let mut ready = self.socket.readable().await.map_err(LinkError::Watch)?;
            let changes = self.read_all()?;
            ready.clear_ready();
            if let Some(changes) = changes {
                return Ok(changes);
            }
        }
    }

    /// Reads all that is there; none where it is nothing that matters.
    fn read_all(&self) -> Result<Option<Changes>, LinkError> {
        let mut buffer = [0; 8192];
        let (mut matters, mut changes) = (false, Changes::default());
        loop {
            match self.socket.get_ref().read(&mut buffer) {
                Ok(length) => matters |= note(&buffer[..length], &mut changes),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // More changes than fit: all the more reason to look.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => matters = true,
                Err(error) => return Err(LinkError::Watch(error)),
            }
        }
        Ok(matters.then_some(changes))
    }
}

/// Takes note of messages that tell of changes; whether any matters.
pub(super) fn note(messages: &[u8], changes: &mut Changes) -> bool {
    let mut matters = false;
    for (kind, body) in netlink::messages(messages) {
        matters |= match kind {
            RTM_NEWLINK | RTM_DELLINK | RTM_NEWADDR | RTM_DELADDR => true,
            // Where containers come and go, so do routes.
            gateways::NEW_ROUTE | gateways::DELETE_ROUTE => gateways::is_default(body),
            _ => false,
        };
        changes.moved.extend((kind == RTM_NEWLINK).then(|| moved(body)).flatten());
    }
    matters
}

/// The interface of an `ifinfomsg`, if the message says that it moved.
fn moved(body: &[u8]) -> Option<u32> {
    let (header, rest) = body.split_at_checked(16)?;
    let has_moved = attributes(rest)
        .filter(|it| it.kind == IFLA_EVENT)
        .any(|it| matches!(number(it.value), Some(EVENT_BONDING_FAILOVER | EVENT_NOTIFY_PEERS)));
    number(&header[4..]).filter(|_| has_moved)
}

/// The address of those who want to know of changes to links, addresses and routes.
fn changes() -> SockAddr {
    let groups = libc::RTMGRP_LINK
        | libc::RTMGRP_IPV4_IFADDR
        | libc::RTMGRP_IPV6_IFADDR
        | libc::RTMGRP_IPV4_ROUTE
        | libc::RTMGRP_IPV6_ROUTE;
    // SAFETY: no field of it is a reference or an enum; all zeros is a valid value.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = u16::try_from(libc::AF_NETLINK).expect("families are small");
    address.nl_groups = groups.cast_unsigned();
    socket::address(address)
}
