//! Listening sockets: one per worker and address, sharing the port (`SO_REUSEPORT`). Of UDP the
//! kernel leads a client to the same one as long as there are as many.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;

use socket2::{Domain, Socket, Type};
use steelyard_model::Protocol;

use crate::options::{Bind, Binding};

/// As long a queue as the kernel allows (it cuts this to `somaxconn`).
const BACKLOG: i32 = 65_535;

/// What is listened by.
#[derive(Debug)]
pub enum Sockets {
    /// Connections come in by these.
    Tcp(Vec<TcpListener>),
    /// Datagrams come in by these, one for each worker.
    Udp(Vec<UdpSocket>),
}

/// Opens `count` sockets on the same address. Port 0 is chosen once for all.
///
/// The first one shares its port with nobody while it begins to listen: another process that
/// would share it, and silently get half of the connections, is found however close the race is.
/// Only then may ours join it. Ours are closed before their address is bound again.
///
/// # Errors
/// When the address cannot be bound, or somebody else listens there.
pub fn open(bind: &Bind, count: usize) -> io::Result<(SocketAddr, Sockets)> {
    let (address, sockets) = open_all(bind, count)?;
    let sockets = sockets.into_iter();
    Ok((
        address,
        match bind.protocol {
            Protocol::Udp => Sockets::Udp(sockets.map(UdpSocket::from).collect()),
            Protocol::Tcp | Protocol::Sctp => {
                Sockets::Tcp(sockets.map(TcpListener::from).collect())
            }
        },
    ))
}

/// Sockets of this address that another process opened, as [`open`] would have them.
///
/// # Errors
/// When they are of no use.
pub fn adopt(bind: &Bind, sockets: Vec<OwnedFd>) -> io::Result<(SocketAddr, Sockets)> {
    let sockets: Vec<Socket> = sockets.into_iter().map(Socket::from).collect();
    let first = sockets.first().ok_or_else(|| io::Error::other("there are no sockets"))?;
    let address = first.local_addr()?.as_socket();
    let address = address.ok_or_else(|| io::Error::other("it is no IP socket"))?;
    for socket in &sockets {
        socket.set_nonblocking(true)?;
        if bind.protocol != Protocol::Udp {
            socket.set_tcp_nodelay(true)?;
        }
    }
    let sockets = sockets.into_iter();
    let sockets = match bind.protocol {
        Protocol::Udp => Sockets::Udp(sockets.map(UdpSocket::from).collect()),
        Protocol::Tcp | Protocol::Sctp => Sockets::Tcp(sockets.map(TcpListener::from).collect()),
    };
    Ok((address, sockets))
}

fn open_all(bind: &Bind, count: usize) -> io::Result<(SocketAddr, Vec<Socket>)> {
    let first = unbound(bind)?;
    listen(&first, bind.socket())?;
    first.set_reuse_port(true)?;
    let address = first.local_addr()?.as_socket().expect("it was bound to an IP address");
    let mut sockets = vec![first];
    while sockets.len() < count {
        let next = unbound(bind)?;
        next.set_reuse_port(true)?;
        listen(&next, address)?;
        sockets.push(next);
    }
    Ok((address, sockets))
}

fn listen(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if socket.r#type()? == Type::DGRAM {
        socket.set_nonblocking(true)?;
        return socket.bind(&address.into());
    }
    // Accepted connections inherit it, which saves a system call each.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)
}

fn unbound(bind: &Bind) -> io::Result<Socket> {
    let domain = Domain::for_address(bind.address);
    let socket = match bind.protocol {
        // Its port is nobody's but ours: there is no state of it that could linger.
        Protocol::Udp => Socket::new(domain, Type::DGRAM, None)?,
        Protocol::Tcp | Protocol::Sctp => {
            let socket = Socket::new(domain, Type::STREAM, None)?;
            socket.set_reuse_address(true)?;
            socket
        }
    };
    if bind.address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if bind.binding != Binding::Host {
        match bind.address {
            SocketAddr::V4(_) => socket.set_ip_transparent_v4(true)?,
            SocketAddr::V6(_) => socket.set_ip_transparent_v6(true)?,
        }
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{Ipv4Addr, TcpStream};
    use std::sync::Barrier;

    use super::*;

    fn bind(port: u16) -> Bind {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Bind {
            entry_point: "web".to_owned(),
            protocol: Protocol::Tcp,
            address,
            binding: Binding::Host,
        }
    }

    /// As when two processes find the port free at the same moment.
    #[test]
    fn of_several_that_want_a_port_at_once_one_gets_it() {
        const RIVALS: usize = 4;
        let (address, _) = open(&bind(0), 1).unwrap();
        for round in 0..300 {
            let protocol = [Protocol::Tcp, Protocol::Udp][round % 2];
            let start = Barrier::new(RIVALS);
            let rival = || {
                start.wait();
                open(&Bind { protocol, ..bind(address.port()) }, 2)
            };
            let outcomes: Vec<_> = std::thread::scope(|scope| {
                let rivals = [(); RIVALS].map(|()| scope.spawn(rival));
                rivals.map(|it| it.join().unwrap()).into()
            });
            let won = outcomes.iter().filter(|it| it.is_ok()).count();
            assert!(won <= 1, "{won} share the port in round {round}");
            let refused = outcomes.iter().filter_map(|it| it.as_ref().err());
            assert!(refused.into_iter().all(|it| it.kind() == ErrorKind::AddrInUse));
        }
    }

    #[test]
    fn all_listeners_of_a_port_get_connections() {
        let (address, Sockets::Tcp(listeners)) = open(&bind(0), 3).unwrap() else {
            panic!("it is of TCP");
        };
        let mut accepted = [0; 3];
        for _ in 0..200 {
            let _client = TcpStream::connect(address).unwrap();
            let at = (0..3).find(|at| listeners[*at].accept().is_ok());
            accepted[at.expect("one of them has it")] += 1;
        }
        assert!(accepted.iter().all(|it| *it > 0), "{accepted:?}");
    }
}
