//! Addresses that no Service is given, since a machine of the network has them as its own.
//!
//! Whoever answers for such an address beside its machine takes the machine off the network. What
//! a Service has already stays with it, as everything does; it is told, and nobody answers for it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::Pool;

/// Who has an address as its own. Of several the first counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occupant {
    /// The node of this name, as its Node object says.
    Node(Arc<str>),
    /// The machine that decides.
    ThisMachine,
    /// One of those that it shares addresses with.
    Peer,
}

/// Addresses of pools that somebody has as its own, by address. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reserved(Arc<BTreeMap<IpAddr, Occupant>>);

impl Reserved {
    /// Those of `known` that `pools` have: of others it makes no difference who has them. Costs as
    /// much as there are ranges and addresses found, not as much as pools or `known` hold.
    pub fn of_pools(pools: &[Pool], known: &BTreeMap<IpAddr, Occupant>) -> Self {
        let ranges = pools.iter().flat_map(|pool| &pool.ranges);
        let found = ranges.flat_map(|range| known.range(range.start()..=range.end()));
        Self(Arc::new(found.map(|(address, occupant)| (*address, occupant.clone())).collect()))
    }

    /// Who has `address` as its own.
    pub fn occupant(&self, address: IpAddr) -> Option<&Occupant> {
        self.0.get(&address)
    }

    /// All of them, in order.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.0.keys().copied()
    }
}

/// `node a`
impl fmt::Display for Occupant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(name) => write!(f, "node {name}"),
            Self::ThisMachine => f.write_str("this machine"),
            Self::Peer => f.write_str("a machine that shares addresses with this one"),
        }
    }
}
