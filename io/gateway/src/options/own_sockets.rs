//! Sockets of this process that trust whoever is on this machine: its admin interface on loopback.
//!
//! The gateway connects on behalf of whoever may write a Service, and of their clients; to these
//! sockets it would be somebody on this machine. So it never connects to them, whatever led there:
//! a number, a name, or what stands for this machine (`0.0.0.0`, `::`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

/// The sockets, once they are known: they may be opened after the gateway has started, and before
/// it begins.
#[derive(Clone, Debug, Default)]
pub struct OwnSockets(Arc<OnceLock<Box<[SocketAddr]>>>);

/// The gateway does not connect there: it is a socket of its own process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is an interface of this program for this machine alone")]
pub(crate) struct OwnSocket;

impl OwnSockets {
    /// Says which sockets this process listens on. Those that are not on loopback are open to
    /// others in any case, and know that. Counts once.
    pub fn tell(&self, all: impl IntoIterator<Item = SocketAddr>) {
        let trusting = all.into_iter().filter(|it| it.ip().to_canonical().is_loopback());
        let _ = self.0.set(trusting.map(reached).collect());
    }

    /// Whether a connection to `address` comes to one of them.
    pub(crate) fn holds(&self, address: SocketAddr) -> bool {
        let own = self.0.get().map(|own| &**own).unwrap_or_default();
        let reached = reached(address);
        own.iter().any(|it| it.ip() == reached.ip() && it.port() == reached.port())
    }
}

/// Where the kernel leads who connects to `address`: to loopback, where that names nobody.
fn reached(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip().to_canonical() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_to_an_own_socket_is_known() {
        let own = OwnSockets::default();
        let is_held = |own: &OwnSockets, text: &str| own.holds(text.parse().expect(text));
        assert!(!is_held(&own, "127.0.0.1:9180"), "nothing is known yet");
        own.tell(["127.0.0.1:9180", "[::1]:9181", "0.0.0.0:9182"].map(|it| it.parse().unwrap()));
        for (address, expected) in [
            ("127.0.0.1:9180", true),
            ("0.0.0.0:9180", true),
            ("[::ffff:127.0.0.1]:9180", true),
            ("[::ffff:0.0.0.0]:9180", true),
            ("127.0.0.2:9180", false),
            ("[::1]:9180", false),
            ("10.0.0.1:9180", false),
            ("127.0.0.1:9181", false),
            ("[::1]:9181", true),
            ("[::1%1]:9181", true),
            ("[::]:9181", true),
            ("127.0.0.1:9182", false),
        ] {
            assert_eq!(is_held(&own, address), expected, "{address}");
        }
    }
}
