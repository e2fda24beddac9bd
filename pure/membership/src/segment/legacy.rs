//! A node's part that another process of the same node goes on with: the same start, the same
//! claims, the same count of datagrams. So nobody else notices, and nothing is claimed, probed or
//! listened for.
//!
//! Only what another process could not come to know in time is in it. No nonce is used twice: who
//! told it sends nothing from then on, unless it goes on itself ([`Segment::go_on`]), far beyond
//! whatever the other one may have counted to.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Phase, Segment};
use crate::claim::Claim;
use crate::config::Config;
use crate::id::NodeId;
use crate::roster::{Acquaintance, Peer};
use crate::seal::{Sealer, Session};
use crate::wire::State;

/// Datagrams that a process can send before anybody says that it failed; many times as many.
const BEYOND: u64 = 1 << 32;

/// What another process of this node goes on with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SegmentLegacy {
    epoch: u64,
    salt: [u8; 16],
    counter: u64,
    /// Milliseconds since the start.
    age: u64,
    rebalance: u64,
    claims: Vec<ToldClaim>,
    /// What this node answers for, by which epoch.
    owned: Vec<(IpAddr, u64)>,
    /// Who handed over which vip, by which start of its.
    formers: Vec<(IpAddr, u64, u64)>,
    peers: Vec<ToldPeer>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ToldClaim {
    vip: IpAddr,
    epoch: u64,
    owner: u64,
    revision: u32,
    released: bool,
    standbys: Vec<u64>,
}

/// A node that is heard. Times are milliseconds ago.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ToldPeer {
    name: String,
    address: SocketAddr,
    epoch: u64,
    salt: [u8; 16],
    /// The highest count of its datagrams.
    counter: u64,
    is_up: bool,
    newest_key: bool,
    heard: u64,
    /// What it said last, by its own clock, and when.
    last: Option<(u32, u64)>,
}

impl SegmentLegacy {
    /// Vips that this node answers for.
    pub fn owned(&self) -> impl Iterator<Item = IpAddr> {
        self.owned.iter().map(|(vip, _)| *vip)
    }
}

impl Segment {
    /// What another process of this node may go on with, who is told it alone; none while this one
    /// answers for nothing, or is about to. Nothing may be sent from then on.
    pub fn legacy(&self, now: Instant) -> Option<SegmentLegacy> {
        if self.phase != Phase::Up {
            return None;
        }
        let Session { epoch, salt } = self.sealer.session();
        let owned = self.ownership.owned();
        Some(SegmentLegacy {
            epoch,
            salt,
            counter: self.sealer.counter(),
            age: millis(now, self.start),
            rebalance: self.rebalance,
            claims: self.ownership.table.iter().map(|(vip, it)| ToldClaim::of(vip, it)).collect(),
            owned: owned.filter_map(|vip| Some((vip, self.ownership.epoch(vip)?))).collect(),
            formers: self.ownership.origins(),
            peers: self.roster.peers.iter().filter_map(|it| self.told(now, it)).collect(),
        })
    }

    fn told(&self, now: Instant, (id, peer): (&NodeId, &Peer)) -> Option<ToldPeer> {
        let (session, counter) = self.opener.heard_of(*id)?;
        if !peer.established || session.epoch != peer.epoch {
            return None;
        }
        Some(ToldPeer {
            name: peer.name.as_ref()?.to_string(),
            address: peer.address?,
            epoch: session.epoch,
            salt: session.salt,
            counter,
            // Who is anything else says so with its next heartbeat.
            is_up: peer.state == State::Up,
            newest_key: peer.newest_key,
            heard: millis(now, peer.direct?),
            last: peer.last().map(|(sent, at)| (sent, millis(now, at))),
        })
    }

    /// Goes on in the place of the process that told `legacy`, which says nothing any more.
    pub fn resume(now: Instant, config: &Config, legacy: &SegmentLegacy) -> Self {
        let SegmentLegacy { epoch, salt, counter, age, rebalance, .. } = *legacy;
        let mut it = Self::new(now, config);
        it.sealer = Sealer::resumed(config.keys.clone(), Session { epoch, salt }, counter);
        it.start = ago(now, age);
        it.rebalance = rebalance;
        it.phase = Phase::Up;
        for peer in &legacy.peers {
            let id = NodeId::of(&peer.name);
            let session = Session { epoch: peer.epoch, salt: peer.salt };
            it.opener.remember(id, session, peer.counter);
            it.names.insert(id, peer.name.as_str().into());
            it.roster.remember(now, id, &peer.acquaintance(now, session));
        }
        let claims = legacy.claims.iter().map(|it| (it.vip, it.claim()));
        it.ownership.resume(claims, &legacy.owned, &legacy.formers);
        it
    }

    /// Goes on after all: nobody else does, who was told the legacy. Whether nobody answered for
    /// so long that it has to listen first is noticed as ever.
    pub fn go_on(&mut self) {
        self.sealer.skip(BEYOND);
    }
}

impl ToldClaim {
    fn of(vip: IpAddr, claim: &Claim) -> Self {
        let Claim { epoch, owner, revision, released, ref standbys } = *claim;
        let standbys = standbys.iter().map(|it| it.bits()).collect();
        Self { vip, epoch, owner: owner.bits(), revision, released, standbys }
    }

    fn claim(&self) -> Claim {
        Claim {
            epoch: self.epoch,
            owner: NodeId::from_bits(self.owner),
            revision: self.revision,
            released: self.released,
            standbys: self.standbys.iter().map(|it| NodeId::from_bits(*it)).collect(),
        }
    }
}

impl ToldPeer {
    fn acquaintance(&self, now: Instant, session: Session) -> Acquaintance {
        Acquaintance {
            name: self.name.as_str().into(),
            address: self.address,
            epoch: session.epoch,
            tag: session.tag(),
            state: if self.is_up { State::Up } else { State::Starting },
            newest_key: self.newest_key,
            heard: ago(now, self.heard),
            last: self.last.map(|(sent, before)| (sent, ago(now, before))),
        }
    }
}

fn millis(now: Instant, then: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(then).as_millis()).unwrap_or(u64::MAX)
}

fn ago(now: Instant, millis: u64) -> Instant {
    now.checked_sub(Duration::from_millis(millis)).unwrap_or(now)
}
