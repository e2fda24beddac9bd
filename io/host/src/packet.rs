//! Raw frames of one interface: those that concern who has which address, and pings.
//!
//! A [`PacketSocket`] hears ARP, neighbor solicitations and advertisements, echo requests and
//! pieces of ICMP that arrive on its interface, untagged, for this station, a group or everybody. A
//! filter in the kernel drops all else, also what this host sends. It interprets nothing.
//!
//! Invariants: nothing is heard before the filter stands; closing the socket leaves nothing
//! behind, memberships included.

mod filter;
mod groups;
#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::Ipv6Addr;
use std::task::{Context, Poll, ready};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::unix::AsyncFd;

use self::groups::Groups;
use crate::socket;

/// linux/if_packet.h, since Linux 4.20.
const PACKET_IGNORE_OUTGOING: i32 = 23;
/// Room for a burst of questions while the thread waits for its turn.
const RECEIVE_BUFFER: usize = 512 * 1024;

/// A socket for raw frames on one interface.
#[derive(Debug)]
pub struct PacketSocket {
    socket: AsyncFd<Socket>,
    groups: Groups,
}

/// Why frames of an interface cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PacketError {
    /// The privilege is missing.
    #[error("raw frames need the capability CAP_NET_RAW")]
    Privilege,
    /// The interface is gone, or does not carry Ethernet frames.
    #[error("cannot open a packet socket on interface number {index}")]
    Open {
        /// The interface.
        index: u32,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl PacketSocket {
    /// Opens a socket in the namespace of the calling thread, which runs a tokio runtime.
    pub fn open(index: u32) -> Result<Self, PacketError> {
        let open = || -> io::Result<Self> {
            // Protocol 0 hears nothing: the filter is in place before `bind` sets another.
            let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking(), None)?;
            socket.attach_filter(&filter::program())?;
            socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
            // The filter drops what we send as well; this spares its run on kernels that know it.
            let _ = socket::set_option(&socket, libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, &1_i32);
            socket.bind(&all_frames(index))?;
            Ok(Self { socket: socket::register(socket)?, groups: Groups::new(index) })
        };
        open().map_err(|source| match source.kind() {
            io::ErrorKind::PermissionDenied => PacketError::Privilege,
            _ => PacketError::Open { index, source },
        })
    }

    /// Waits for the next frame; its length. What does not fit into `buffer` is cut off. Nothing
    /// is lost when the wait is given up. An interface that goes down says so once, as an error.
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|context| self.poll_receive(context, buffer)).await
    }

    /// The same, for callers that wait for several sockets. Only the last caller is woken.
    pub fn poll_receive(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.socket.poll_read_ready(context))?;
            if let Ok(result) = ready.try_io(|socket| socket.get_ref().read(buffer)) {
                return Poll::Ready(result);
            }
        }
    }

    /// The next frame, if one is there already.
    pub fn try_receive(&self, buffer: &mut [u8]) -> Option<usize> {
        self.socket.get_ref().read(buffer).ok()
    }

    /// Sends a frame as it is, when the interface takes it.
    pub async fn send(&self, frame: &[u8]) -> io::Result<()> {
        poll_fn(|context| self.poll_send(context, frame)).await
    }

    /// The same, for callers that wait for several sockets. Only the last caller is woken.
    pub fn poll_send(&self, context: &mut Context<'_>, frame: &[u8]) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.socket.poll_write_ready(context))?;
            if let Ok(result) = ready.try_io(|socket| socket.get_ref().write(frame)) {
                return Poll::Ready(result.map(drop));
            }
        }
    }

    /// Has the hardware let in frames for other stations too, as long as this socket lives; they
    /// are not heard. The firmware of some Wi-Fi cards holds back broadcasts otherwise: it answers
    /// ARP itself, for addresses that it knows.
    pub fn lift_hardware_filter(&self) -> io::Result<()> {
        self.groups.lift_hardware_filter(self.socket.get_ref())
    }

    /// Listens to a multicast group, and lets switches and the hardware know.
    pub fn join(&mut self, group: Ipv6Addr) -> io::Result<()> {
        self.groups.join(self.socket.get_ref(), group)
    }

    /// No longer listens to it.
    pub fn leave(&mut self, group: Ipv6Addr) -> io::Result<()> {
        self.groups.leave(self.socket.get_ref(), group)
    }
}

/// The address that stands for every frame of one interface.
fn all_frames(index: u32) -> SockAddr {
    socket::address(libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).expect("families are small"),
        sll_protocol: u16::try_from(libc::ETH_P_ALL).expect("protocols have 16 bits").to_be(),
        sll_ifindex: index.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    })
}
