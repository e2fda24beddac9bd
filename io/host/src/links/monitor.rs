//! Notifications of the kernel, reduced to whether it is worth looking.

use std::collections::BTreeSet;

use super::{LinkError, RTM_NEWADDR, RTM_NEWLINK, routes};
use crate::netlink::{attributes, number};
use crate::notices::Notices;

/// Tells when interfaces, addresses, default gateways, the routes to subnets or what is local
/// changed.
#[derive(Debug)]
pub struct Monitor {
    notices: Notices,
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
/// Links, addresses and routes.
const GROUPS: u32 = (libc::RTMGRP_LINK
    | libc::RTMGRP_IPV4_IFADDR
    | libc::RTMGRP_IPV6_IFADDR
    | libc::RTMGRP_IPV4_ROUTE
    | libc::RTMGRP_IPV6_ROUTE)
    .cast_unsigned();

impl Monitor {
    /// Starts to watch. Must be called on a thread that runs a tokio runtime.
    pub fn open() -> Result<Self, LinkError> {
        let notices = Notices::open(libc::NETLINK_ROUTE, GROUPS).map_err(LinkError::Watch)?;
        Ok(Self { notices })
    }

    /// Waits until something changed since the last call (or since [`Monitor::open`]). Changes
    /// that follow each other at once count as one. Nothing is lost when the wait is given up.
    pub async fn changed(&self) -> Result<Changes, LinkError> {
        loop {
            self.notices.readable().await.map_err(LinkError::Watch)?;
            if let Some(changes) = self.read_all()? {
                return Ok(changes);
            }
        }
    }

    /// Reads all that is there; none where it is nothing that matters.
    fn read_all(&self) -> Result<Option<Changes>, LinkError> {
        let (mut matters, mut changes) = (false, Changes::default());
        let read = self.notices.read(|kind, _, body| matters |= note(kind, body, &mut changes));
        // More changes than fit: all the more reason to look.
        matters |= read.map_err(LinkError::Watch)?;
        Ok(matters.then_some(changes))
    }
}

/// Takes note of a message that tells of a change; whether it matters.
pub(super) fn note(kind: u16, body: &[u8], changes: &mut Changes) -> bool {
    changes.moved.extend((kind == RTM_NEWLINK).then(|| moved(body)).flatten());
    match kind {
        RTM_NEWLINK | RTM_DELLINK | RTM_NEWADDR | RTM_DELADDR => true,
        // Where containers come and go, so do routes; and routers have many by others.
        routes::NEW_ROUTE | routes::DELETE_ROUTE => routes::is_urgent(body),
        _ => false,
    }
}

/// The interface of an `ifinfomsg`, if the message says that it moved.
fn moved(body: &[u8]) -> Option<u32> {
    let (header, rest) = body.split_at_checked(16)?;
    let has_moved = attributes(rest)
        .filter(|it| it.kind == IFLA_EVENT)
        .any(|it| matches!(number(it.value), Some(EVENT_BONDING_FAILOVER | EVENT_NOTIFY_PEERS)));
    number(&header[4..]).filter(|_| has_moved)
}
