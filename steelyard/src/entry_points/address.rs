//! Where an entry point listens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

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

impl ListenAddress {
    /// Whether only one of the two can be listened at: `[::]` is every address of IPv4 as well.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let is_all = |it: &Self| it.host.is_none_or(|host| host == Ipv6Addr::UNSPECIFIED);
        let covers = |one: &Self, two: &Self| {
            is_all(one)
                || one.host == two.host
                || one.host == Some(Ipv4Addr::UNSPECIFIED.into())
                    && two.host.is_some_and(|host| host.is_ipv4())
        };
        let is_one = self.port == other.port && self.port != 0 && self.protocol == other.protocol;
        is_one && (covers(self, other) || covers(other, self))
    }
}

/// # Errors
/// A sentence about a text that is no address.
pub(super) fn parse_address(text: &str) -> Result<ListenAddress, String> {
    let wrong = || format!("{text:?} is not an address: write :80 or 192.0.2.1:80 or [::1]:53/udp");
    let (plain, protocol) = match text.rsplit_once('/') {
        Some((plain, of)) if of.eq_ignore_ascii_case("tcp") => (plain, Protocol::Tcp),
        Some((plain, of)) if of.eq_ignore_ascii_case("udp") => (plain, Protocol::Udp),
        _ => (text, Protocol::Tcp),
    };
    if let Some(port) = plain.strip_prefix(':') {
        let port = port.parse().map_err(|_| wrong())?;
        return Ok(ListenAddress { host: None, port, protocol });
    }
    // Of all names it alone is the same everywhere.
    let local = plain.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("localhost"));
    if let Some((_, port)) = local {
        let port = port.parse().map_err(|_| wrong())?;
        return Ok(ListenAddress { host: Some(Ipv4Addr::LOCALHOST.into()), port, protocol });
    }
    let address: SocketAddr = plain.parse().map_err(|_| wrong())?;
    Ok(ListenAddress { host: Some(address.ip()), port: address.port(), protocol })
}
