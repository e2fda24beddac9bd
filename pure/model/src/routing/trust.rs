//! Whose word is taken.

use std::net::IpAddr;

use ipnet::IpNet;

/// Whose word is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Nobody's.
    #[default]
    Nobody,
    /// That of peers in these ranges.
    Ranges(Vec<IpNet>),
    /// Everybody's (`insecure`).
    Everybody,
}

impl Trust {
    /// Whether the word of `peer` is taken.
    pub fn covers(&self, peer: IpAddr) -> bool {
        match self {
            Self::Nobody => false,
            Self::Ranges(ranges) => {
                let peer = peer.to_canonical();
                ranges.iter().any(|range| range.contains(&peer))
            }
            Self::Everybody => true,
        }
    }
}
