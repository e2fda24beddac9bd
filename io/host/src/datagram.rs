//! Datagrams to and from the other nodes of one network segment, by IPv4 and IPv6.
//!
//! A [`SegmentSocket`] hears only what arrives on its interface, and sends only there. Its
//! multicast groups are link-local and of the range for experiments (RFC 4727 §2.4.1, §2.4.2):
//! no router forwards them, and switches that snoop let them through (RFC 4541 §2.1.2). Without
//! IPv6 on the interface there is only IPv4, and the other way round.

use std::io::{self, Read};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockRef, Socket, Type};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

/// Where multicast datagrams go by IPv4.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 254);
/// Where multicast datagrams go by IPv6.
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x114);
/// Room for what comes while the thread waits for its turn.
const RECEIVE_BUFFER: usize = 1024 * 1024;

/// A socket on one interface.
#[derive(Debug)]
pub struct SegmentSocket {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    port: u16,
}

/// Why there are no datagrams on an interface.
#[derive(Debug, thiserror::Error)]
#[error("cannot exchange datagrams on {interface}, port {port}")]
pub struct DatagramError {
    /// The interface.
    pub interface: String,
    /// The port.
    pub port: u16,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl SegmentSocket {
    /// Opens it, in the namespace of the calling thread, which runs a tokio runtime.
    pub fn open(interface: &str, index: u32, port: u16) -> Result<Self, DatagramError> {
        let v4 = open_v4(interface, index, port);
        let v6 = open_v6(interface, index, port);
        match (v4, v6) {
            (Err(source), Err(_)) => {
                Err(DatagramError { interface: interface.to_owned(), port, source })
            }
            (v4, v6) => Ok(Self { v4: v4.ok(), v6: v6.ok(), port }),
        }
    }

    /// Sends a datagram to one node. That it may be lost is the network's nature: what the system
    /// does not take is lost as well.
    pub fn send(&self, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        let socket = if to.is_ipv4() { &self.v4 } else { &self.v6 };
        let Some(socket) = socket else { return Err(io::ErrorKind::AddrNotAvailable.into()) };
        // Not tokio's way: that refuses before the runtime has seen the new socket once.
        SockRef::from(socket).send_to(bytes, &to.into()).map(drop)
    }

    /// Sends a datagram to every node that listens; whether it went out either way.
    pub fn send_to_all(&self, bytes: &[u8]) -> bool {
        let v4 = self.send((GROUP_V4, self.port).into(), bytes);
        let v6 = self.send((GROUP_V6, self.port).into(), bytes);
        v4.is_ok() || v6.is_ok()
    }

    /// Waits for the next datagram; its length and sender. What does not fit is cut off. Errors
    /// that the network reports about what was sent are left out.
    pub fn poll_receive(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<(usize, SocketAddr)> {
        for socket in [&self.v4, &self.v6].into_iter().flatten() {
            // A refused port of a dead node comes back as an error each: a few at most.
            for _ in 0..16 {
                let mut space = ReadBuf::new(buffer);
                match socket.poll_recv_from(context, &mut space) {
                    Poll::Ready(Ok(from)) if !from.ip().is_unspecified() => {
                        return Poll::Ready((space.filled().len(), from));
                    }
                    // From a host without an address: nobody could answer.
                    Poll::Ready(_) => {}
                    Poll::Pending => break,
                }
            }
        }
        Poll::Pending
    }

    /// Drops all that has come and was not received.
    pub fn drain(&self) {
        let mut buffer = [0; 1];
        for socket in [&self.v4, &self.v6].into_iter().flatten() {
            // No more than the buffer in the kernel can hold.
            for _ in 0..RECEIVE_BUFFER {
                match (&*SockRef::from(socket)).read(&mut buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Ok(_) | Err(_) => {}
                }
            }
        }
    }
}

fn open_v4(interface: &str, index: u32, port: u16) -> io::Result<UdpSocket> {
    let socket = open(Domain::IPV4, interface)?;
    socket.set_multicast_loop_v4(false)?;
    socket.set_multicast_ttl_v4(1)?;
    socket.join_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(index))?;
    finish(socket, (Ipv4Addr::UNSPECIFIED, port).into())
}

fn open_v6(interface: &str, index: u32, port: u16) -> io::Result<UdpSocket> {
    let socket = open(Domain::IPV6, interface)?;
    socket.set_only_v6(true)?;
    socket.set_multicast_loop_v6(false)?;
    socket.set_multicast_hops_v6(1)?;
    socket.set_multicast_if_v6(index)?;
    socket.join_multicast_v6(&GROUP_V6, index)?;
    finish(socket, (Ipv6Addr::UNSPECIFIED, port).into())
}

fn open(domain: Domain, interface: &str) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    Ok(socket)
}

fn finish(socket: Socket, address: SocketAddr) -> io::Result<UdpSocket> {
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;
    use crate::links;
    use crate::netns::{self, Segment};

    const PORT: u16 = 9181;

    fn socket() -> SegmentSocket {
        let links = links::list().unwrap();
        let link = links.iter().find(|link| link.name == "eth0").unwrap();
        SegmentSocket::open(&link.name, link.index, PORT).unwrap()
    }

    #[test]
    fn hosts_of_a_segment_find_each_other() {
        if let Some(reason) = netns::unavailable() {
            return eprintln!("skipped: hosts_of_a_segment_find_each_other: {reason}");
        }
        let segment = Segment::create(&format!("sy-dgram-{}", std::process::id())).unwrap();
        for addresses in [["10.9.0.1/24", "10.9.0.2/24"], ["fd09::1/64", "fd09::2/64"]] {
            let [a, b] = [0, 1].map(|n| segment.host(&format!("h{n}"), &[addresses[n]]).unwrap());
            let (told, heard) = std::sync::mpsc::channel();
            let runtime =
                || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    a.run(|| {
                        runtime().block_on(async {
                            let socket = socket();
                            let mut buffer = [0; 100];
                            let hear = poll_fn(|context| socket.poll_receive(context, &mut buffer));
                            let hear = tokio::time::timeout(Duration::from_secs(20), hear);
                            let (length, from) = hear.await.unwrap();
                            assert_eq!(&buffer[..length], b"hello");
                            socket.send(from, b"welcome").unwrap();
                        });
                    })
                    .unwrap();
                });
                b.run(|| {
                    runtime().block_on(async {
                        let socket = socket();
                        let mut buffer = [0; 100];
                        for _ in 0..200 {
                            socket.send_to_all(b"hello");
                            let hear = poll_fn(|context| socket.poll_receive(context, &mut buffer));
                            let hear = tokio::time::timeout(Duration::from_millis(100), hear);
                            if let Ok((length, _)) = hear.await {
                                told.send(buffer[..length].to_vec()).unwrap();
                                return;
                            }
                        }
                    });
                })
                .unwrap();
            });
            assert_eq!(heard.try_recv().unwrap(), b"welcome", "{addresses:?}");
        }
    }
}
