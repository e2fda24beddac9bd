//! Sockets.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::object::Provenance;
use crate::routing::id::EntryPointId;
use crate::service::Protocol;

/// A socket: static options, vips and Gateways each make some. Two owners of one socket are a
/// finding of the join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryPoint {
    /// `web`.
    pub id: EntryPointId,
    /// Addresses to listen on; none means all of the host's.
    pub addresses: Vec<IpAddr>,
    /// Port.
    pub port: u16,
    /// TCP (HTTP, TLS and plain TCP routes share it) or UDP.
    pub protocol: Protocol,
    /// Who may say, by a PROXY protocol header, where a connection comes from.
    pub proxy_protocol: Trust,
    /// Whose forwarded headers are believed.
    pub forwarded: Trust,
    /// What asks for it; none for one that is built in or a static option.
    pub place: Option<Provenance>,
}

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
