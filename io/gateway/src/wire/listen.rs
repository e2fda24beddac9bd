//! Listening sockets: one per worker and address, sharing the port (`SO_REUSEPORT`).

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::options::{Bind, Binding};

/// As long a queue as the kernel allows (it cuts this to `somaxconn`).
const BACKLOG: i32 = 65_535;

/// Opens `count` listeners on the same address. Port 0 is chosen once for all.
///
/// The first one shares its port with nobody while it begins to listen: another process that
/// would share it, and silently get half of the connections, is found however close the race is.
/// Only then may ours join it. Ours are closed before their address is bound again.
///
/// # Errors
/// When the address cannot be bound, or somebody else listens there.
pub fn open(bind: &Bind, count: usize) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    let first = unbound(bind)?;
    listen(&first, bind.socket())?;
    first.set_reuse_port(true)?;
    let first = TcpListener::from(first);
    let address = first.local_addr()?;
    let mut listeners = vec![first];
    while listeners.len() < count {
        let next = unbound(bind)?;
        next.set_reuse_port(true)?;
        listen(&next, address)?;
        listeners.push(next.into());
    }
    Ok((address, listeners))
}

fn listen(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    // Accepted connections inherit it, which saves a system call each.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)
}

fn unbound(bind: &Bind) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(bind.address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
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
        Bind { entry_point: "web".to_owned(), address, binding: Binding::Host }
    }

    /// As when two processes find the port free at the same moment.
    #[test]
    fn of_several_that_want_a_port_at_once_one_gets_it() {
        const RIVALS: usize = 4;
        let (address, _) = open(&bind(0), 1).unwrap();
        for round in 0..300 {
            let start = Barrier::new(RIVALS);
            let rival = || {
                start.wait();
                open(&bind(address.port()), 2)
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
        let (address, listeners) = open(&bind(0), 3).unwrap();
        let mut accepted = [0; 3];
        for _ in 0..200 {
            let _client = TcpStream::connect(address).unwrap();
            let at = (0..3).find(|at| listeners[*at].accept().is_ok());
            accepted[at.expect("one of them has it")] += 1;
        }
        assert!(accepted.iter().all(|it| *it > 0), "{accepted:?}");
    }
}
