//! What came of it: how each port of each vip is carried, and why not better.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

use steelyard_model::{Family, NamespacedName};

use crate::desired::VipPort;
use crate::obstacle::Obstacle;

/// The state after an apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// One per port that was desired, in the order they were named.
    pub ports: Vec<PortStatus>,
    /// Endpoints that refuse connections or do not answer, among those that are asked
    /// (`vitals`): the kernel sends them nothing while others of their port answer.
    pub silent: BTreeSet<SocketAddr>,
    /// Why packets are carried as before what was desired last; none where they are not.
    pub refused: Option<Why>,
}

/// How one port is carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortStatus {
    /// Which port.
    pub key: VipPort,
    /// Whose it is; none for the gateway's own vips.
    pub service: Option<NamespacedName>,
    /// How.
    pub carried: Carried,
    /// What keeps clients' packets from it all the same.
    pub obstacle: Option<Obstacle>,
}

/// How packets to a port of a vip travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried {
    /// Delivered on this host to the gateway's listener.
    Delivered,
    /// Translated in the kernel by nftables.
    Nftables {
        /// Over how many endpoints it is spread.
        endpoints: usize,
    },
    /// By a forwarder of this process.
    InProcess {
        /// Where it listens: the vip itself, or a loopback port without privileges.
        listen: SocketAddr,
        /// Why not in the kernel.
        why: Why,
    },
    /// As before what was desired last, which the kernel did not take.
    Before {
        /// Why.
        why: Why,
    },
    /// Not at all.
    Not {
        /// Why.
        why: Why,
    },
}

/// Why something is not carried in the best way. [`fmt::Display`] says what is so, [`Why::help`]
/// what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is no usable endpoint.
    NoEndpoints,
    /// It restricts who may connect, which is not honoured.
    Closed,
    /// Its endpoints lead back to it.
    Circle,
    /// The process was started without privileges.
    Unprivileged,
    /// It has fewer privileges than it takes; what failed.
    Denied(String),
    /// The program `nft` is not installed.
    NftMissing,
    /// The kernel or nft refused, or broke off; what it said.
    Refused(String),
    /// Packets to the vip cannot be made to arrive here; what the kernel said.
    Undeliverable(String),
    /// The host forwards no packets of this family, and `--ip-forward` was not given.
    ForwardingOff(Family),
    /// The same, and it could not be turned on; what the system said.
    ForwardingLocked(String),
    /// Packets that are forwarded meet this.
    Obstacle(Box<Obstacle>),
    /// This endpoint is on loopback, which packets from outside may not be sent to.
    LoopbackEndpoint(SocketAddr),
    /// The endpoints have the other address family.
    OtherFamily,
    /// Another Service of the same vip has the port.
    Taken,
    /// The protocol is not forwarded.
    UnsupportedProtocol,
    /// No socket could be opened; what the system said.
    Listen(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEndpoints => f.write_str("it has no ready endpoint"),
            Self::Closed => f.write_str(
                "it restricts who may connect, which is not honoured, so nobody is let in",
            ),
            Self::Circle => f.write_str("its endpoints lead back to it"),
            Self::Unprivileged => f.write_str("steelyard runs without privileges"),
            Self::Denied(what) => write!(f, "steelyard lacks the privilege CAP_NET_ADMIN: {what}"),
            Self::NftMissing => f.write_str("the program `nft` is not installed"),
            Self::Refused(what) => write!(f, "the kernel's packet filter cannot be set: {what}"),
            Self::Undeliverable(what) => {
                write!(f, "this host cannot be made to take packets for the address: {what}")
            }
            Self::ForwardingOff(family) => write!(f, "this host forwards no {family} packets"),
            Self::ForwardingLocked(what) => {
                write!(f, "forwarding of packets cannot be turned on: {what}")
            }
            Self::Obstacle(obstacle) => obstacle.fmt(f),
            Self::LoopbackEndpoint(endpoint) => {
                write!(f, "the endpoint {endpoint} is on loopback")
            }
            Self::OtherFamily => f.write_str("its endpoints have the other address family"),
            Self::Taken => f.write_str("another Service has this port of the same address"),
            Self::UnsupportedProtocol => f.write_str("the protocol SCTP is not forwarded"),
            Self::Listen(error) => write!(f, "its port cannot be opened: {error}"),
        }
    }
}

impl Why {
    /// What to do about it: one sentence, no trailing period.
    pub fn help(&self) -> Cow<'static, str> {
        match self {
            Self::Obstacle(obstacle) => obstacle.help(),
            other => other.fixed_help().into(),
        }
    }

    fn fixed_help(&self) -> &'static str {
        match self {
            Self::NoEndpoints => {
                "start a Pod that its selector matches, or name endpoints in the annotation \
                 steelyard.dev/endpoints"
            }
            Self::Closed => "restrict it where packets come from, and remove the restriction here",
            Self::Circle => "name as endpoints what really answers",
            Self::Unprivileged | Self::Denied(_) => {
                "run steelyard as root, or give it the capabilities NET_ADMIN and NET_RAW"
            }
            Self::NftMissing => {
                "install nftables (Debian and Ubuntu: apt-get install nftables; Fedora: dnf \
                 install nftables; Alpine: apk add nftables) and start steelyard again"
            }
            Self::Refused(_) => {
                "run `nft list ruleset` as root and see whether this kernel has nf_tables with NAT"
            }
            Self::Undeliverable(_) => {
                "turn the address family on (for IPv6: sysctl net.ipv6.conf.all.disable_ipv6=0 and \
                 net.ipv6.conf.lo.disable_ipv6=0), or give the Service no such address"
            }
            Self::ForwardingOff(_) => {
                "start steelyard with --ip-forward, or turn forwarding on with sysctl, so that the \
                 kernel forwards and clients are spared a copy"
            }
            Self::ForwardingLocked(_) => {
                "turn net.ipv4.ip_forward and net.ipv6.conf.all.forwarding on where that is \
                 allowed (for a container: on its host), so that clients are spared a copy"
            }
            Self::Obstacle(_) => "",
            Self::LoopbackEndpoint(_) => {
                "let the program listen on an address of the host if the kernel shall forward"
            }
            Self::OtherFamily => {
                "give the endpoints addresses of the vip's family if the kernel shall forward"
            }
            Self::Taken => "give one of the Services another port or another address",
            Self::UnsupportedProtocol => "use TCP or UDP",
            Self::Listen(_) => {
                "see with `ss -lnp` which program has the port on all addresses, and bind it to \
                 one address"
            }
        }
    }
}

/// Something of the host that was changed at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostChange {
    /// What, as an administrator would look for it.
    pub what: String,
    /// What happens to it at exit.
    pub at_exit: AtExit,
}

/// What happens to a [`HostChange`] at exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtExit {
    /// Undone; after a kill, by the next start.
    Undone,
    /// Left as it is.
    Left,
}

impl fmt::Display for HostChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_exit = match self.at_exit {
            AtExit::Undone => "undone at exit",
            AtExit::Left => "left at exit",
        };
        write!(f, "{} ({at_exit})", self.what)
    }
}

#[cfg(test)]
mod tests {
    use steelyard_firewall::{OtherRule, RuleAction};

    use super::*;

    #[test]
    fn each_reason_says_what_is_so_and_what_to_do() {
        let text = || "because".to_owned();
        let endpoint: SocketAddr = "127.0.0.1:80".parse().unwrap();
        let rules = vec![OtherRule { priority: 10, action: RuleAction::Lookup(254) }];
        let reasons = [
            Why::NoEndpoints,
            Why::Closed,
            Why::Circle,
            Why::Unprivileged,
            Why::Denied(text()),
            Why::NftMissing,
            Why::Refused(text()),
            Why::Undeliverable(text()),
            Why::ForwardingOff(Family::V6),
            Why::ForwardingLocked(text()),
            Why::Obstacle(Box::new(Obstacle::UnreadTables)),
            Why::Obstacle(Box::new(Obstacle::LinkForwardsNot("eth0".to_owned()))),
            Why::Obstacle(Box::new(Obstacle::BridgeFilter("br0".to_owned()))),
            Why::Obstacle(Box::new(Obstacle::PolicyRule { rules: rules.clone() })),
            Why::Obstacle(Box::new(Obstacle::NoWayBack { vip: endpoint.ip(), rules })),
            Why::LoopbackEndpoint(endpoint),
            Why::OtherFamily,
            Why::Taken,
            Why::UnsupportedProtocol,
            Why::Listen(text()),
        ];
        for why in reasons {
            for sentence in [why.to_string(), why.help().into_owned()] {
                assert!(sentence.len() > 10 && !sentence.ends_with('.'), "{why:?}: {sentence}");
                assert!(!sentence.contains("  "), "{why:?}: {sentence}");
            }
        }
    }
}
