//! What on this host keeps a client's packets from a port, although we lead them there.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use steelyard_firewall::OtherRule;
use steelyard_firewall::{Hindrance, Packet};

/// Separated by commas.
fn listed(f: &mut fmt::Formatter<'_>, rules: &[OtherRule]) -> fmt::Result {
    for (at, rule) in rules.iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        write!(f, "{comma}{rule}")?;
    }
    Ok(())
}

/// One finding. [`fmt::Display`] says what is so, [`Obstacle::help`] what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// A rule of another firewall.
    Firewall {
        /// Which, and what it does.
        found: Hindrance,
        /// What to do about it.
        mend: String,
    },
    /// Rules of iptables-legacy are in force, and nobody can read them.
    UnreadTables,
    /// `ip rule`s that are asked before ours lead packets elsewhere.
    PolicyRule {
        /// Which.
        rules: Vec<OtherRule>,
    },
    /// An `ip rule`, or a route that one leads to, refuses what is answered to clients.
    NoWayBack {
        /// Where the answers come from.
        vip: IpAddr,
        /// Rules that it may be.
        rules: Vec<OtherRule>,
    },
    /// This interface takes no packets that are to be forwarded, though the host forwards others.
    LinkForwardsNot(String),
    /// Frames of this bridge pass through the host's firewall, which translates them as a bridge:
    /// back through the port they came by they cannot go.
    BridgeFilter(String),
}

impl Obstacle {
    /// Whether it is so for every client. Otherwise it may be.
    pub fn is_certain(&self) -> bool {
        match self {
            Self::Firewall { found, .. } => found.is_certain,
            Self::UnreadTables => false,
            Self::PolicyRule { .. }
            | Self::NoWayBack { .. }
            | Self::LinkForwardsNot(_)
            | Self::BridgeFilter(_) => true,
        }
    }

    /// What `found` does to `packet`.
    pub(crate) fn firewall(found: Hindrance, packet: &Packet) -> Self {
        Self::Firewall { mend: found.mend(packet), found }
    }

    /// What to do about it: one sentence, no trailing period.
    pub fn help(&self) -> Cow<'static, str> {
        match self {
            Self::Firewall { mend, .. } => mend.clone().into(),
            Self::UnreadTables => {
                "install iptables, so that they can be read, or see with `iptables-legacy -S` what \
                 they are and delete them"
                    .into()
            }
            Self::PolicyRule { rules } => {
                let Some(rule) = rules.first() else { return "".into() };
                let OtherRule { priority, .. } = *rule;
                let moved = OtherRule { priority: 100, ..*rule };
                format!(
                    "move the rule behind ours: find it with `ip rule show priority {priority}`, \
                     add it again with `{moved}`, and delete it with `ip rule del priority \
                     {priority}`"
                )
                .into()
            }
            Self::NoWayBack { vip, rules } => {
                let family = if vip.is_ipv4() { "" } else { " -6" };
                let first = rules.iter().map(|rule| rule.priority).min().unwrap_or_default();
                let before = first.saturating_sub(1).max(1);
                format!("run `ip{family} rule add priority {before} from {vip} lookup main`").into()
            }
            Self::LinkForwardsNot(link) => format!(
                "run `sysctl -w net.ipv4.conf.{}.forwarding=1` if the kernel shall forward",
                link.replace('.', "/")
            )
            .into(),
            Self::BridgeFilter(_) => "run `sysctl -w net.bridge.bridge-nf-call-iptables=0 \
                 net.bridge.bridge-nf-call-ip6tables=0` if the kernel shall forward"
                .into(),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Firewall { found, .. } => found.fmt(f),
            Self::UnreadTables => f.write_str(
                "rules of iptables-legacy are in force here and cannot be read: they may drop what \
                 clients send to it",
            ),
            Self::PolicyRule { rules } => {
                f.write_str("packets for it are led elsewhere by an ip rule before ours: ")?;
                listed(f, rules)
            }
            Self::NoWayBack { rules, .. } => {
                f.write_str("what clients are answered is refused by an ip rule or its routes: ")?;
                listed(f, rules)
            }
            Self::LinkForwardsNot(link) => {
                write!(f, "the interface {link} takes no packets that are to be forwarded")
            }
            Self::BridgeFilter(link) => write!(
                f,
                "frames of the bridge {link} pass through the host's firewall, which cannot send \
                 them back to the bridge"
            ),
        }
    }
}
