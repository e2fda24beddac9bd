//! Counts and forgets entries of the kernel's connection tracking table, over netlink (ctnetlink).
//!
//! Forgetting is needed for UDP only: a client that keeps its source port is otherwise sent to the
//! endpoint its first datagram went to for as long as it keeps sending, also when that endpoint is
//! gone. What the kernel sends is read with bounds checks; what cannot be read is passed over.

use std::io;
use std::net::SocketAddr;

use crate::netlink::{self, Netlink, Request, attributes};

/// One tracked flow, as far as translation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackedFlow {
    /// IP protocol number; 17 is UDP.
    pub protocol: u8,
    /// Who began it.
    pub client: SocketAddr,
    /// Where the client sent to: a vip.
    pub destination: SocketAddr,
    /// Who answers: the endpoint, or `destination` where nothing is translated.
    pub answering: SocketAddr,
    /// Of TCP: both sides may still speak, or one of them.
    pub is_open: bool,
    /// Of TCP: nobody answered yet.
    pub is_unanswered: bool,
}

/// IP protocol number of UDP.
pub const UDP: u8 = 17;
/// IP protocol number of TCP.
pub const TCP: u8 = 6;

const FAMILY_HEADER: usize = 4;
const GET: u16 = (1 << 8) | 1;
const DELETE: u16 = (1 << 8) | 2;
const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const PROTOCOL: u16 = 4;
/// From the SYN's answer to the first end of both: linux/netfilter/nf_conntrack_tcp.h.
const OPEN: std::ops::RangeInclusive<u8> = 2..=5;
const SYN_SENT: u8 = 1;
const ID: u16 = 12;
const ZONE: u16 = 18;

/// Shows all flows. Blocks; wants CAP_NET_ADMIN.
pub fn each(mut show: impl FnMut(&TrackedFlow)) -> io::Result<()> {
    let mut netlink = Netlink::open(libc::NETLINK_NETFILTER)?;
    for family in [2, 10] {
        let request = Request::new(GET, netlink::DUMP, &[family, 0, 0, 0]);
        netlink.ask(request, |_, body| {
            let entry = parse(body.get(FAMILY_HEADER..).unwrap_or_default());
            entry.iter().for_each(|(flow, _)| show(flow));
        })?;
    }
    Ok(())
}

/// How many flows `wanted` picks. Blocks; wants CAP_NET_ADMIN.
pub fn count(wanted: impl Fn(&TrackedFlow) -> bool) -> io::Result<usize> {
    let mut netlink = Netlink::open(libc::NETLINK_NETFILTER)?;
    let mut count = 0;
    for family in [2, 10] {
        let request = Request::new(GET, netlink::DUMP, &[family, 0, 0, 0]);
        netlink.ask(request, |_, body| {
            let entry = parse(body.get(FAMILY_HEADER..).unwrap_or_default());
            count += usize::from(entry.is_some_and(|(flow, _)| wanted(&flow)));
        })?;
    }
    Ok(count)
}

/// Deletes the flows that `doomed` picks and returns how many went. Blocks; wants CAP_NET_ADMIN.
pub fn delete(doomed: impl Fn(&TrackedFlow) -> bool) -> io::Result<usize> {
    let mut netlink = Netlink::open(libc::NETLINK_NETFILTER)?;
    let mut picked = Vec::new();
    for family in [2, 10] {
        let request = Request::new(GET, netlink::DUMP, &[family, 0, 0, 0]);
        netlink.ask(request, |_, body| {
            let entry = parse(body.get(FAMILY_HEADER..).unwrap_or_default());
            picked.extend(entry.filter(|(flow, _)| doomed(flow)).map(|(_, name)| (family, name)));
        })?;
    }
    let mut gone = 0;
    for (family, name) in picked {
        match netlink.change(Request::new(DELETE, 0, &[family, 0, 0, 0]).raw(&name)) {
            Ok(()) => gone += 1,
            // It ended by itself meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(gone)
}

/// The flow, and the attributes that name it in a delete request.
fn parse(body: &[u8]) -> Option<(TrackedFlow, Vec<u8>)> {
    let (mut original, mut reply, mut name) = (None, None, Vec::new());
    let mut state = None;
    for attribute in attributes(body) {
        match attribute.kind {
            TUPLE_ORIGINAL => original = tuple(attribute.value),
            TUPLE_REPLY => reply = tuple(attribute.value),
            PROTOCOL => state = tcp_state(attribute.value),
            _ => {}
        }
        if matches!(attribute.kind, TUPLE_ORIGINAL | ID | ZONE) {
            name.extend(attribute.whole);
        }
    }
    let (protocol, client, destination) = original?;
    let (_, answering, _) = reply?;
    let is_open = state.is_some_and(|it| OPEN.contains(&it));
    let is_unanswered = state == Some(SYN_SENT);
    Some((TrackedFlow { protocol, client, destination, answering, is_open, is_unanswered }, name))
}

fn tcp_state(bytes: &[u8]) -> Option<u8> {
    let tcp = attributes(bytes).find(|part| part.kind == 1)?;
    let state = attributes(tcp.value).find(|part| part.kind == 1)?;
    state.value.first().copied()
}

/// Protocol, source and destination of one direction.
fn tuple(bytes: &[u8]) -> Option<(u8, SocketAddr, SocketAddr)> {
    let (mut from, mut to, mut protocol, mut from_port, mut to_port) = (None, None, None, 0, 0);
    for group in attributes(bytes) {
        for part in attributes(group.value) {
            match (group.kind, part.kind) {
                (1, 1 | 3) => from = netlink::address(part.value),
                (1, 2 | 4) => to = netlink::address(part.value),
                (2, 1) => protocol = part.value.first().copied(),
                (2, 2) => from_port = u16::from_be_bytes(*part.value.first_chunk()?),
                (2, 3) => to_port = u16::from_be_bytes(*part.value.first_chunk()?),
                _ => {}
            }
        }
    }
    Some((protocol?, SocketAddr::new(from?, from_port), SocketAddr::new(to?, to_port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len() + 4).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn direction(kind: u16, from: [u8; 4], from_port: u16, to: [u8; 4], to_port: u16) -> Vec<u8> {
        let ip = [attribute(1, &from), attribute(2, &to)].concat();
        let ports = [
            attribute(1, &[UDP]),
            attribute(2, &from_port.to_be_bytes()),
            attribute(3, &to_port.to_be_bytes()),
        ]
        .concat();
        let nested = [attribute(0x8000 | 1, &ip), attribute(0x8000 | 2, &ports)].concat();
        attribute(0x8000 | kind, &nested)
    }

    fn entry() -> Vec<u8> {
        [
            direction(TUPLE_ORIGINAL, [10, 0, 0, 5], 4000, [10, 0, 0, 100], 53),
            direction(TUPLE_REPLY, [10, 1, 0, 2], 5353, [10, 0, 0, 11], 4000),
            attribute(3, &[0, 0, 0, 8]),
            attribute(ID, &[1, 2, 3, 4]),
            attribute(0x8000 | PROTOCOL, &attribute(0x8001, &attribute(1, &[3]))),
        ]
        .concat()
    }

    #[test]
    fn a_translated_flow_is_read() {
        let (flow, name) = parse(&entry()).unwrap();
        assert_eq!(flow.protocol, UDP);
        assert!(flow.is_open);
        assert_eq!(flow.client, "10.0.0.5:4000".parse().unwrap());
        assert_eq!(flow.destination, "10.0.0.100:53".parse().unwrap());
        assert_eq!(flow.answering, "10.1.0.2:5353".parse().unwrap());
        let named: Vec<u16> = attributes(&name).map(|part| part.kind).collect();
        assert_eq!(named, [TUPLE_ORIGINAL, ID], "what a delete request names");
    }

    #[test]
    fn cut_or_scrambled_bytes_never_panic() {
        let whole = entry();
        for end in 0..whole.len() {
            let _ = parse(&whole[..end]);
            let mut scrambled = whole.clone();
            scrambled[end] ^= 0xff;
            let _ = parse(&scrambled);
        }
    }
}
