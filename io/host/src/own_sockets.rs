//! Sockets of this process that trust whoever is on this machine: its admin interface on loopback,
//! and listeners there that show the program's own services.
//!
//! The gateway and the forwarder connect on behalf of whoever may write a Service, and of their
//! clients; to these sockets they would be somebody on this machine. So they never connect to them,
//! whatever led there: a number, a name, or what stands for this machine (`0.0.0.0`, `::`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use arc_swap::ArcSwap;

/// The sockets, as far as they are known now: they may be opened after whoever connects has
/// started.
#[derive(Clone, Debug, Default)]
pub struct OwnSockets(Arc<ArcSwap<Known>>);

#[derive(Clone, Debug, Default)]
struct Known {
    /// Those that are there until the process ends.
    told: Vec<SocketAddr>,
    /// Those that come and go.
    shown: Vec<SocketAddr>,
}

/// Nobody connects there: it is a socket of its own process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is an interface of this program for this machine alone")]
pub struct OwnSocket;

impl OwnSockets {
    /// Says which sockets this process listens on for as long as it is there. Those that are not on
    /// loopback are open to others in any case, and know that.
    pub fn tell(&self, all: impl IntoIterator<Item = SocketAddr>) {
        let told = on_loopback(all);
        self.0.rcu(|known| Known { told: told.clone(), shown: known.shown.clone() });
    }

    /// Says which listeners show what is for this machine alone, from now on.
    pub fn show(&self, all: impl IntoIterator<Item = SocketAddr>) {
        let shown = on_loopback(all);
        if self.0.load().shown != shown {
            self.0.rcu(|known| Known { told: known.told.clone(), shown: shown.clone() });
        }
    }

    /// Whether a connection to `address` comes to one of them.
    pub fn holds(&self, address: SocketAddr) -> bool {
        let reached = reached(address);
        // As a rule an endpoint is elsewhere.
        if !reached.ip().is_loopback() {
            return false;
        }
        let known = self.0.load();
        let mut own = known.told.iter().chain(&known.shown);
        own.any(|it| it.ip() == reached.ip() && it.port() == reached.port())
    }
}

fn on_loopback(all: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let trusting = all.into_iter().filter(|it| it.ip().to_canonical().is_loopback());
    trusting.map(reached).collect()
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

    #[test]
    fn listeners_come_and_go() {
        let own = OwnSockets::default();
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        own.tell([at("127.0.0.1:9180")]);
        own.show([at("127.0.0.1:8080"), at("10.0.0.1:8081"), at("[::1]:8080")]);
        let held = |own: &OwnSockets| {
            ["127.0.0.1:9180", "0.0.0.0:8080", "[::1]:8080", "10.0.0.1:8081"]
                .map(|it| own.holds(at(it)))
        };
        assert_eq!(held(&own), [true, true, true, false]);
        own.show([]);
        assert_eq!(held(&own), [true, false, false, false]);
    }
}
