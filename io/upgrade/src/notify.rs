//! What systemd is told of a service (sd_notify(3)): a datagram to the socket that
//! `NOTIFY_SOCKET` names.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use steelyard_host::clock;

/// Tells it: `READY=1` and the like, one on a line. Nothing happens where nobody asked to be told.
pub fn notify(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send(path.as_bytes(), state) {
        tracing::warn!(%error, "systemd is not told: {}", state.replace('\n', ", "));
    }
}

/// How it is told that a reload begins: it wants to know when.
pub fn reloading() -> String {
    format!("RELOADING=1\nMONOTONIC_USEC={}", clock::monotonic_micros())
}

fn send(path: &[u8], state: &str) -> io::Result<()> {
    let address = match path.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}
