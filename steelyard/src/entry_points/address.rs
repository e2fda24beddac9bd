//! Where an entry point listens.

use std::net::{IpAddr, SocketAddr};

use steelyard_model::Protocol;

/// An `address` as Traefik writes it: `[HOST]:PORT[/tcp|/udp]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// The host; none is every address of this machine.
    pub host: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
}

/// # Errors
/// A sentence about a text that is no address.
pub(super) fn parse_address(text: &str) -> Result<ListenAddress, String> {
    let wrong = || format!("{text:?} is not an address: write :80 or 192.0.2.1:80 or [::1]:53/udp");
    let (plain, protocol) = match text.rsplit_once('/') {
        Some((plain, "tcp")) => (plain, Protocol::Tcp),
        Some((plain, "udp")) => (plain, Protocol::Udp),
        _ => (text, Protocol::Tcp),
    };
    if let Some(port) = plain.strip_prefix(':') {
        let port = port.parse().map_err(|_| wrong())?;
        return Ok(ListenAddress { host: None, port, protocol });
    }
    let address: SocketAddr = plain.parse().map_err(|_| wrong())?;
    Ok(ListenAddress { host: Some(address.ip()), port: address.port(), protocol })
}
