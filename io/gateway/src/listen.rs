//! Listening sockets: one per worker and address, sharing the port (`SO_REUSEPORT`).

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::options::Bind;

/// As long a queue as the kernel allows (it cuts this to `somaxconn`).
const BACKLOG: i32 = 65_535;

/// Opens `count` listeners on the same address. Port 0 is chosen once for all.
pub(crate) fn open(bind: &Bind, count: usize) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    refuse_foreign(bind)?;
    let first = socket(bind, bind.address)?;
    let address = first.local_addr()?;
    let mut listeners = vec![first];
    while listeners.len() < count {
        listeners.push(socket(bind, address)?);
    }
    Ok((address, listeners))
}

/// Another process that also shares its port would silently get half of the connections: a
/// socket that does not share finds it. Ours are closed before their address is bound again.
fn refuse_foreign(bind: &Bind) -> io::Result<()> {
    if bind.address.port() == 0 {
        return Ok(());
    }
    let probe = unbound(bind)?;
    probe.bind(&bind.address.into())?;
    probe.listen(1)
}

fn socket(bind: &Bind, address: SocketAddr) -> io::Result<TcpListener> {
    let socket = unbound(bind)?;
    socket.set_reuse_port(true)?;
    // Accepted connections inherit it, which saves a system call each.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn unbound(bind: &Bind) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(bind.address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if bind.address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if bind.transparent {
        match bind.address {
            SocketAddr::V4(_) => socket.set_ip_transparent_v4(true)?,
            SocketAddr::V6(_) => socket.set_ip_transparent_v6(true)?,
        }
    }
    Ok(socket)
}
