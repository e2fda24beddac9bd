//! Membership in multicast groups, counted by the kernel per socket and gone with it.
//!
//! Twofold: the hardware must let the group's frames in, and a switch that listens for membership
//! reports (RFC 4541) must forward them. The second also does the first, but not where IPv6 is
//! switched off on the interface.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv6Addr;

use socket2::{Domain, Socket, Type};

use crate::socket;

/// Groups that one packet socket listens to.
#[derive(Debug)]
pub(super) struct Groups {
    index: u32,
    /// Each takes as many memberships as the kernel lets it have.
    reporters: Vec<Socket>,
    /// Who reports which group, by place in `reporters`; none where nobody can.
    joined: BTreeMap<Ipv6Addr, Option<usize>>,
}

impl Groups {
    pub(super) fn new(index: u32) -> Self {
        Self { index, reporters: Vec::new(), joined: BTreeMap::new() }
    }

    pub(super) fn join(&mut self, socket: &Socket, group: Ipv6Addr) -> io::Result<()> {
        if self.joined.contains_key(&group) {
            return Ok(());
        }
        let name = libc::PACKET_ADD_MEMBERSHIP;
        socket::set_option(socket, libc::SOL_PACKET, name, &self.hardware(group))?;
        let reported = self.report(group);
        self.joined.insert(group, reported.as_ref().ok().copied());
        reported.map(drop)
    }

    pub(super) fn leave(&mut self, socket: &Socket, group: Ipv6Addr) -> io::Result<()> {
        let Some(reporter) = self.joined.remove(&group) else { return Ok(()) };
        if let Some(at) = reporter {
            self.reporters[at].leave_multicast_v6(&group, self.index)?;
        }
        let name = libc::PACKET_DROP_MEMBERSHIP;
        socket::set_option(socket, libc::SOL_PACKET, name, &self.hardware(group))
    }

    pub(super) fn lift_hardware_filter(&self, socket: &Socket) -> io::Result<()> {
        let everything = libc::packet_mreq {
            mr_ifindex: self.index.cast_signed(),
            mr_type: u16::try_from(libc::PACKET_MR_PROMISC).expect("types are small"),
            mr_alen: 0,
            mr_address: [0; 8],
        };
        let name = libc::PACKET_ADD_MEMBERSHIP;
        socket::set_option(socket, libc::SOL_PACKET, name, &everything)
    }

    /// Has membership reports sent, by the last reporter or, when it is full, by a new one.
    fn report(&mut self, group: Ipv6Addr) -> io::Result<usize> {
        if let Some(last) = self.reporters.last()
            && last.join_multicast_v6(&group, self.index).is_ok()
        {
            return Ok(self.reporters.len() - 1);
        }
        let reporter = Socket::new(Domain::IPV6, Type::DGRAM, None)?;
        reporter.join_multicast_v6(&group, self.index)?;
        self.reporters.push(reporter);
        Ok(self.reporters.len() - 1)
    }

    fn hardware(&self, group: Ipv6Addr) -> libc::packet_mreq {
        let [.., a, b, c, d] = group.octets();
        libc::packet_mreq {
            mr_ifindex: self.index.cast_signed(),
            mr_type: u16::try_from(libc::PACKET_MR_MULTICAST).expect("types are small"),
            mr_alen: 6,
            mr_address: [0x33, 0x33, a, b, c, d, 0, 0],
        }
    }
}
