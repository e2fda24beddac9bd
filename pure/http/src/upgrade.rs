//! Protocols that a connection may switch to (RFC 9110 §7.8).
//!
//! After a switch bytes pass unread, so only what is known to be meant for one endpoint is let
//! through. Not here: `h2c` and `TLS`, with which a client would speak past all routing.

use crate::list::tokens;

/// A set of protocols that may pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upgrades(u8);

/// In the spelling we write, with who speaks it: browsers; Docker and Podman (`attach`, `exec`);
/// `kubectl` and kubelets; Tailscale's relays; its control server and Headscale.
const KNOWN: [&str; 5] = ["websocket", "tcp", "SPDY/3.1", "DERP", "tailscale-control-protocol"];

impl Upgrades {
    /// Nothing to switch to.
    pub const NONE: Self = Self(0);

    /// `websocket`.
    pub const WEBSOCKET: Self = Self(1);

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// Whether all of `other` are among these.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Adds those of an Upgrade line that may pass.
    pub(crate) fn add_known(&mut self, value: &[u8]) {
        self.0 |= tokens(value).filter_map(bit).fold(0, |all, bit| all | bit);
    }

    /// The one protocol of an answer; `None` when it is another, or not one.
    pub(crate) fn one(value: &[u8]) -> Option<Self> {
        let mut tokens = tokens(value);
        let only = tokens.next().filter(|_| tokens.next().is_none())?;
        bit(only).map(Self)
    }

    /// Whether it is one protocol.
    pub(crate) fn is_one(self) -> bool {
        self.0.is_power_of_two()
    }

    /// Appends the lines that ask for, or agree to, these.
    pub(crate) fn push_lines(self, out: &mut Vec<u8>) {
        let mut before: &[u8] = b"Connection: upgrade\r\nUpgrade: ";
        for (at, protocol) in KNOWN.iter().enumerate() {
            if self.0 & (1 << at) != 0 {
                out.extend_from_slice(before);
                out.extend_from_slice(protocol.as_bytes());
                before = b", ";
            }
        }
        if !self.is_empty() {
            out.extend_from_slice(b"\r\n");
        }
    }
}

fn bit(token: &[u8]) -> Option<u8> {
    KNOWN.iter().position(|known| token.eq_ignore_ascii_case(known.as_bytes())).map(|at| 1 << at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass() {
        for (value, lines) in [
            ("websocket", "Connection: upgrade\r\nUpgrade: websocket\r\n"),
            ("websocket, WebSocket", "Connection: upgrade\r\nUpgrade: websocket\r\n"),
            ("h2c, WebSocket", "Connection: upgrade\r\nUpgrade: websocket\r\n"),
            ("spdy/3.1, tcp", "Connection: upgrade\r\nUpgrade: tcp, SPDY/3.1\r\n"),
            ("h2c", ""),
            ("TLS/1.0", ""),
            ("websocket/13", ""),
            ("", ""),
        ] {
            let mut upgrades = Upgrades::NONE;
            upgrades.add_known(value.as_bytes());
            let mut out = Vec::new();
            upgrades.push_lines(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), lines, "{value}");
        }
        assert_eq!(Upgrades::one(b"WebSocket"), Some(Upgrades::WEBSOCKET));
        assert_eq!(Upgrades::one(b"websocket, tcp"), None);
        assert_eq!(Upgrades::one(b"h2c"), None);
    }
}
