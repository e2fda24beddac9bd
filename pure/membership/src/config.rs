//! What a segment's machine is made with.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::seal::Keyring;

/// How this node takes part on one segment.
#[derive(Clone, Debug)]
pub struct Config {
    /// This node's name.
    pub name: Arc<str>,
    /// Higher than at any earlier start of this node: the time in milliseconds, or one more than
    /// what was kept. Should it not be, peers say so, and it is raised.
    pub epoch: u64,
    /// Fresh randomness. With the epoch it makes this start's key, so no nonce is used twice.
    pub salt: [u8; 16],
    /// Spreads what nodes choose at random.
    pub seed: u64,
    /// What seals the datagrams.
    pub keys: Keyring,
    /// Highest epoch of each vip, as [`Output::Keep`](crate::Output::Keep) had them kept.
    pub kept: BTreeMap<IpAddr, u64>,
    /// Waits.
    pub timing: HeartbeatTiming,
    /// Up to this many nodes everybody sends heartbeats to everybody; beyond it SWIM says who is
    /// there.
    pub mesh: usize,
    /// With this many nodes configured, only a side with more than half of them answers.
    pub quorum: Option<usize>,
    /// What to do about a machine that is none of us and claims our vip.
    pub policy: Policy,
    /// Whether a first owner is the one with the fewest vips; otherwise candidates come as listed.
    pub balance: bool,
    /// How long flows outlive the process that answered for their vip, once its node is not heard
    /// any more or has left: where the kernel carries them by itself. Zero: they end with it.
    pub flows_stay: Duration,
}

/// Waits and counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartbeatTiming {
    /// Between two heartbeats.
    pub interval: Duration,
    /// Heartbeats that may be missing.
    pub misses: u32,
    /// Questions before a takeover.
    pub probes: u32,
    /// Wait after each.
    pub probe_interval: Duration,
    /// Between two multicast hellos.
    pub hello: Duration,
    /// At most one defence of a vip in this time (RFC 5227 §1.1, DEFEND_INTERVAL).
    pub defend: Duration,
}

/// What to do when another machine claims our vip (RFC 5227 §2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Policy {
    /// Announce it once more, and keep it (c).
    #[default]
    Defend,
    /// Give it up; who takes it over asks first, and finds that machine.
    Withdraw,
}

/// A node that may own a vip.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnerCandidate {
    /// Its name.
    pub name: Arc<str>,
    /// How much it is preferred.
    pub score: u32,
}

impl Config {
    /// What suits a LAN of a few nodes.
    pub fn new(name: &str, keys: Keyring) -> Self {
        Self {
            name: name.into(),
            epoch: 1,
            salt: [0; 16],
            seed: 0,
            keys,
            kept: BTreeMap::new(),
            timing: HeartbeatTiming::default(),
            mesh: 16,
            quorum: None,
            policy: Policy::default(),
            balance: true,
            flows_stay: Duration::ZERO,
        }
    }
}

impl Default for HeartbeatTiming {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(100),
            misses: 5,
            probes: 2,
            probe_interval: Duration::from_millis(25),
            hello: Duration::from_secs(1),
            defend: Duration::from_secs(10),
        }
    }
}

impl HeartbeatTiming {
    /// The fastest that is sensible on an ordinary LAN.
    pub fn fast() -> Self {
        Self { interval: Duration::from_millis(50), misses: 3, ..Self::default() }
    }

    /// Silence after which a node counts as dead.
    pub fn dead(&self) -> Duration {
        self.interval * self.misses.max(2)
    }
}
