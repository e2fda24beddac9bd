//! Clients and a backend of UDP in one thread: each client sends its window, and the next one when
//! that has come back, or is late.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// When what has not come back is lost.
const LATE: Duration = Duration::from_millis(20);

struct Client {
    socket: UdpSocket,
    /// How many of its window are under way, and since when.
    owed: usize,
    sent: Instant,
}

/// So many clients, each with a window of so many datagrams of so many bytes, for so long. How many
/// datagrams the proxy at `to` carried, both ways.
pub(super) fn exchange(
    (to, backend): (SocketAddr, SocketAddr),
    (clients, window, size): (usize, usize, usize),
    seconds: f64,
) -> Result<u64> {
    let server = UdpSocket::bind(backend).with_context(|| format!("cannot listen on {backend}"))?;
    server.set_nonblocking(true)?;
    let clients = (0..clients).map(|_| client(to)).collect::<Result<Vec<_>>>();
    let (mut clients, payload) = (clients?, vec![b'x'; size]);
    let (mut room, mut carried) = ([0; 2_048], 0);
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    while Instant::now() < end {
        for client in &mut clients {
            while take(|| client.socket.recv(&mut room))? {
                client.owed = client.owed.saturating_sub(1);
                carried += 2;
            }
            if client.owed == 0 || client.sent.elapsed() > LATE {
                (client.owed, client.sent) = (window, Instant::now());
                for _ in 0..window {
                    take(|| client.socket.send(&payload))?;
                }
            }
        }
        let mut came = true;
        while came {
            came = take(|| {
                let (length, from) = server.recv_from(&mut room)?;
                server.send_to(&room[..length], from)
            })?;
        }
    }
    ensure!(carried > 0, "no datagram comes back");
    Ok(carried)
}

fn client(to: SocketAddr) -> Result<Client> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(to)?;
    socket.set_nonblocking(true)?;
    Ok(Client { socket, owed: 0, sent: Instant::now() })
}

/// Whether something was done.
fn take(mut what: impl FnMut() -> std::io::Result<usize>) -> Result<bool> {
    match what() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error.into()),
    }
}
