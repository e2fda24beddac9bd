//! How things stand, for people.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Phase, Segment};
use crate::ownership::Role;
use crate::seal::Refused;

/// State of a node that is silent, since another one has its name and started later.
pub const NAME_TAKEN: &str = "name-taken";

/// A node of the segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// Its name.
    pub name: Arc<str>,
    /// Where it is; none for this node itself, and for those of whom only others tell.
    pub address: Option<SocketAddr>,
    /// `starting`, `listening`, `up`, `no-quorum`, `leaving`, `gone`; `missing` while it is not
    /// heard; of this node also `deaf` and `name-taken`.
    pub state: &'static str,
    /// Whether it is this node.
    pub this: bool,
    /// There and back.
    pub round_trip: Option<Duration>,
    /// Since it was last heard by this node.
    pub heard: Option<Duration>,
}

/// A vip of the segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimStatus {
    /// The vip.
    pub vip: IpAddr,
    /// Who owns it, as far as this node knows.
    pub owner: Option<Arc<str>>,
    /// Of that claim; 0 without any.
    pub epoch: u64,
    /// Who takes over, first one first.
    pub standbys: Vec<Arc<str>>,
    /// What this node does: `standing-by`, `waiting`, `probing`, `owner`.
    pub role: &'static str,
}

impl Segment {
    /// All nodes, this one first, then by name.
    pub fn members(&self, now: Instant) -> Vec<MemberStatus> {
        let this = MemberStatus {
            name: Arc::clone(&self.name),
            address: None,
            state: match self.phase {
                Phase::Deaf => "deaf",
                Phase::Doubled => NAME_TAKEN,
                _ => self.state().as_str(),
            },
            this: true,
            round_trip: None,
            heard: None,
        };
        let others = self.roster.peers.iter().map(|(id, peer)| MemberStatus {
            name: self.name(*id),
            address: peer.address,
            state: if peer.present { peer.state.as_str() } else { "missing" },
            this: false,
            round_trip: peer.rtt,
            heard: peer.direct.map(|at| now.saturating_duration_since(at)),
        });
        let mut all: Vec<MemberStatus> = others.collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all.insert(0, this);
        all
    }

    /// All vips, by address.
    pub fn vips(&self) -> impl Iterator<Item = ClaimStatus> {
        let status = move |(vip, role): (IpAddr, &Role)| {
            let claim = self.ownership.table.get(vip);
            let standbys = claim.map(|it| it.standbys.as_slice()).unwrap_or_default();
            ClaimStatus {
                vip,
                owner: self.owner(vip),
                epoch: claim.map_or(0, |it| it.epoch),
                standbys: standbys.iter().map(|it| self.name(*it)).collect(),
                role: match role {
                    Role::Bystander => "standing-by",
                    Role::Vacant(_) => "waiting",
                    Role::Probing { .. } => "probing",
                    Role::Owner(_) => "owner",
                },
            }
        };
        self.ownership.roles().map(status)
    }

    /// Who owns a vip, as far as this node knows.
    pub fn owner(&self, vip: IpAddr) -> Option<Arc<str>> {
        let claim = self.ownership.table.get(vip).filter(|it| !it.released)?;
        Some(self.name(claim.owner))
    }

    /// Whether this node answers for a vip.
    pub fn owns(&self, vip: IpAddr) -> bool {
        self.ownership.owns(vip)
    }

    /// Datagrams that were not taken since the last call, by reason.
    pub fn take_refused(&mut self) -> BTreeMap<Refused, u64> {
        std::mem::take(&mut self.refused)
    }
}
