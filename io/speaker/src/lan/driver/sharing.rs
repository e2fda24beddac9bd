//! The driver's side of vips that several nodes share: a [`Group`] per interface.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::task::Context;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use steelyard_host::links::Link;
use steelyard_host::random;
use steelyard_layer2::VipChange;
use steelyard_membership::{Cause, Config, Event, Input, OwnerCandidate, SegmentLegacy};
use tokio::sync::oneshot;

use super::{Driver, HandingOn, MANY, Placement};
use crate::lan::group::{Group, Marked, Wish};
use crate::lan::membership::{Keeper, Kept, Membership};
use crate::lan::metrics::Totals;
use crate::lan::options::NoSpeaker;
use crate::lan::port::Happened;
use crate::lan::shared::Command;
use crate::lan::status::{EventKind, Member, Ownership, Sharing, VipState};
use crate::lan::vip::Vip;

/// Round trips and the like are told anew so often; what happens is told at once.
const REFRESH: Duration = Duration::from_secs(5);
/// With few vips it is looked so often whether anything else became different, as who is ready to
/// take over.
const GLANCE: Duration = Duration::from_millis(500);

/// All groups, and what they have in common.
pub(super) struct Shares {
    membership: Membership,
    config: Config,
    kept: Kept,
    keeper: Keeper,
    unwritten: bool,
    /// By number of the interface.
    groups: BTreeMap<u32, Group>,
    /// What another process of this node had there, until a group goes on with it.
    inherited: BTreeMap<u32, SegmentLegacy>,
    /// Who waits until we left.
    leaving: Vec<oneshot::Sender<()>>,
    has_left: bool,
    told: Option<Instant>,
    looked: Option<Instant>,
}

impl Shares {
    pub(super) fn begin(membership: &Membership) -> Result<Self, NoSpeaker> {
        let (config, kept) = membership.begin().map_err(NoSpeaker::Keep)?;
        Ok(Self {
            membership: membership.clone(),
            config,
            kept,
            keeper: Keeper::default(),
            unwritten: false,
            groups: BTreeMap::new(),
            inherited: BTreeMap::new(),
            leaving: Vec::new(),
            has_left: false,
            told: None,
            looked: None,
        })
    }

    /// Goes on with what another process of this node had.
    pub(super) fn inherit(&mut self, segments: BTreeMap<u32, SegmentLegacy>) {
        self.inherited = segments;
    }

    /// What another process of this node goes on with.
    pub(super) fn legacy(&self, now: Instant) -> BTreeMap<u32, SegmentLegacy> {
        let told = |(index, group): (&u32, &Group)| Some((*index, group.segment.legacy(now)?));
        self.groups.iter().filter_map(told).collect()
    }

    fn close_sockets(&mut self) {
        self.groups.values_mut().for_each(Group::close_socket);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let groups = self.groups.values().filter_map(|it| it.segment.deadline());
        let told = self.told.map(|at| at + REFRESH);
        groups.chain(told).chain(self.looked.map(|at| at + self.glance())).min()
    }

    /// Between two looks at all vips.
    fn glance(&self) -> Duration {
        let vips: usize = self.groups.values().map(|group| group.since.len()).sum();
        if vips < MANY { GLANCE } else { REFRESH }
    }

    /// What we answer for on an interface.
    pub(super) fn owned(&self, index: u32) -> Option<&Marked> {
        self.groups.get(&index).map(|it| &it.owned)
    }

    pub(super) fn lose(&mut self, now: Instant, index: u32) {
        if let Some(group) = self.groups.get_mut(&index) {
            group.lose(now);
        }
    }

    /// A port heard another host.
    pub(super) fn hear_anything(&mut self, now: Instant, index: u32) {
        if let Some(group) = self.groups.get_mut(&index) {
            group.segment.handle(now, Input::Heard);
        }
    }

    /// What a port heard about a vip.
    pub(super) fn hear(&mut self, now: Instant, index: u32, vip: IpAddr, happened: &Happened) {
        let Some(group) = self.groups.get_mut(&index) else { return };
        match happened {
            Happened::Answered(by, mark) => {
                let mark = mark.map(|it| it.0);
                group.segment.handle(now, Input::Answered { vip, by: by.0, mark });
            }
            Happened::Changed(VipChange::Contested { rival, mark }) => {
                let mark = mark.map(|it| it.0);
                group.segment.handle(now, Input::Rival { vip, by: rival.0, mark });
            }
            Happened::Changed(_) => {}
        }
    }

    /// Whether anything is to be done before frames are looked at: something is due, or other
    /// nodes said something.
    pub(super) fn poll_hear(
        &mut self,
        now: Instant,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> bool {
        let mut groups = self.groups.values_mut();
        if groups.any(|group| group.segment.deadline().is_some_and(|at| at <= now)) {
            return true;
        }
        let mut heard = false;
        for group in self.groups.values_mut() {
            heard |= group.poll_hear(now, context, buffer);
        }
        heard
    }

    /// Whether a subnet of an interface, which can carry heartbeats, holds the address of a peer.
    fn meets_peers(&self, link: &Link) -> bool {
        let here = |peer: &SocketAddr| link.subnet_of(peer.ip()).is_some();
        let carries = link.up && !link.loopback && !link.enslaved;
        carries && self.membership.peers.iter().any(here)
    }

    /// Begins a group on an interface; whether it could. Each is a start of its own, with a salt
    /// and an epoch of its own: machines count their datagrams from one, so that two under the
    /// same session would seal two texts with one nonce.
    fn open(&mut self, now: Instant, link: &Link) -> bool {
        match random::bytes() {
            Ok(salt) => self.config.salt = salt,
            Err(error) => {
                tracing::error!(%error, "no randomness: nothing is shared on {}", link.name);
                return false;
            }
        }
        self.config.epoch += 1;
        self.kept.start = self.config.epoch;
        self.unwritten = true;
        let group = match self.inherited.remove(&link.index) {
            Some(legacy) => Group::resume(now, link, &self.config, &legacy),
            None => Group::new(now, link, &self.config),
        };
        self.groups.insert(link.index, group);
        true
    }

    /// This node stops now.
    pub(super) fn stop(&mut self, now: Instant) {
        self.groups.values_mut().for_each(|group| group.stop(now));
    }

    /// Tells those that wait until we left, once we did; what is announced must be told before.
    pub(super) fn release(&mut self) {
        if self.leaving.is_empty() || !self.groups.values().all(|group| group.left) {
            return;
        }
        self.has_left = true;
        for done in self.leaving.drain(..) {
            // Whoever waited may have given up.
            let _ = done.send(());
        }
    }

    /// Counts what metrics tell.
    fn count(&mut self, told: &[(Option<IpAddr>, EventKind)], totals: &mut Totals) {
        let shared = totals.shared.get_or_insert_default();
        for (_, kind) in told {
            match kind {
                EventKind::Owner { change, .. } if change.cause == Some(Cause::Failover) => {
                    shared.failovers += 1;
                    shared.failover_time += change.silence.unwrap_or_default();
                }
                EventKind::Shared {
                    event: Event::Defended { .. } | Event::Refused { .. }, ..
                } => {
                    shared.conflicts += 1;
                }
                _ => {}
            }
        }
        for (why, count) in self.groups.values_mut().flat_map(|it| it.segment.take_refused()) {
            *shared.refused.entry(why).or_default() += count;
        }
    }

    fn write(&mut self) {
        let Some(path) = self.membership.kept.clone().filter(|_| self.unwritten) else { return };
        self.unwritten = false;
        let write = self.keeper.order(&self.kept, path.clone());
        // Others know the epoch as well: it is not worth a silence while the disk is slow.
        drop(tokio::task::spawn_blocking(move || {
            if let Err(error) = write() {
                tracing::warn!(%error, "epochs are not kept in {}", path.display());
            }
        }));
    }

    /// Gives back memory that was taken while much happened.
    pub(super) fn pack(&mut self) {
        self.kept.epochs = std::mem::take(&mut self.kept.epochs).into_iter().collect();
        self.groups.values_mut().for_each(Group::pack);
    }

    /// Nodes, by interface.
    fn members(&self, now: Instant) -> Vec<Member> {
        let members = |group: &Group| {
            let interface: Arc<str> = group.name.as_str().into();
            let members = group.segment.members(now).into_iter();
            members.map(move |status| Member { interface: Arc::clone(&interface), status })
        };
        self.groups.values().flat_map(members).collect()
    }

    /// Who owns which vip, by interface.
    fn vips(&self) -> impl Iterator<Item = Ownership> {
        self.groups.values().flat_map(|group| {
            let interface: Arc<str> = group.name.as_str().into();
            group.segment.vips().map(move |status| {
                let since = group.since.get(&status.vip);
                Ownership {
                    interface: Arc::clone(&interface),
                    since: since.map(|since| since.0),
                    why: since.map(|since| Arc::clone(&since.1)),
                    status,
                }
            })
        })
    }

    fn tell_all(&mut self, now: Instant, input: &Input<'_>) {
        for group in self.groups.values_mut() {
            group.segment.handle(now, input.clone());
        }
    }
}

impl Driver {
    /// Does what the groups want done.
    pub(super) fn share(&mut self, now: Instant) {
        let Some(shares) = &mut self.shares else { return };
        let mut told = Vec::new();
        for (index, group) in &mut shares.groups {
            let formers = self.options.formers.as_deref();
            let gateways = self.routes.gateways.iter().filter(|it| it.link == Some(*index));
            group.gateways = gateways.map(|it| it.address).collect();
            for wish in group.work(now, self.ports.get_mut(index), formers) {
                match wish {
                    Wish::Keep(vip, epoch) => {
                        shares.kept.epochs.insert(vip, epoch);
                        shares.unwritten = true;
                    }
                    Wish::Moved(vip, change) => {
                        let interface = group.name.clone();
                        told.push((Some(vip), EventKind::Owner { interface, change }));
                    }
                    Wish::Tell(event) => {
                        let (vip, interface) = (vip_of(&event), group.name.clone());
                        told.push((vip, EventKind::Shared { interface, event }));
                    }
                }
            }
        }
        shares.write();
        shares.count(&told, &mut self.shared.totals.lock().unwrap_or_else(PoisonError::into_inner));
        let due = shares.told.is_none_or(|at| now >= at + REFRESH) || !told.is_empty();
        if due || shares.looked.is_none_or(|at| now >= at + shares.glance()) {
            shares.looked = Some(now);
            let members = shares.members(now);
            self.stale |= !told.is_empty();
            let changed = self.shared.sharing.send_if_modified(|old| {
                let are_same = old.owns_just(shares.vips())
                    && if due { old.members == members } else { old.knows_much_like(&members) };
                if !are_same {
                    let mut vips: Vec<Ownership> = shares.vips().collect();
                    vips.shrink_to_fit();
                    *old = Arc::new(Sharing { members, vips });
                }
                !are_same
            });
            if due || changed {
                shares.told = Some(now);
            }
        }
        for (vip, kind) in told {
            // Written before the first frame that says so, and never put together with others: so
            // that what is captured on a wire can be held against it.
            if let (Some(vip), EventKind::Owner { change, .. }) = (vip, &kind)
                && let Some(owner) = &change.owner
            {
                tracing::debug!(%vip, epoch = change.epoch, %owner, "claim");
            }
            self.report(vip, kind);
        }
    }

    /// Tells each group which vips are on its interface.
    pub(super) fn share_out(
        &mut self,
        now: Instant,
        wanted: &[Arc<Vip>],
        links: &[Link],
        placed: &BTreeMap<IpAddr, Placement>,
    ) {
        let Some(shares) = &mut self.shares else { return };
        let mut vips: BTreeMap<u32, BTreeMap<IpAddr, Arc<[OwnerCandidate]>>> = BTreeMap::new();
        let mut known: BTreeMap<_, Arc<[OwnerCandidate]>> = BTreeMap::new();
        let candidate = |(name, score): &(Arc<str>, u32)| OwnerCandidate {
            name: Arc::clone(name),
            score: *score,
        };
        for vip in wanted {
            let candidates = known
                .entry(&vip.candidates)
                .or_insert_with(|| vip.candidates.iter().map(candidate).collect());
            for index in placed.get(&vip.address).into_iter().flatten().flat_map(|it| it.iter()) {
                vips.entry(*index).or_default().insert(vip.address, candidates.clone());
            }
        }
        shares.groups.retain(|index, _| links.iter().any(|link| link.index == *index));
        let own = links.iter().flat_map(|link| &link.addresses).map(IpNet::addr);
        let own: Arc<BTreeSet<IpAddr>> = Arc::new(own.collect());
        for link in links {
            let vips = vips.remove(&link.index).unwrap_or_default();
            // Where the others are, we are one of them, whether or not we may answer for anything:
            // they count us.
            let is_theirs = shares.meets_peers(link);
            if vips.is_empty() && !is_theirs && !shares.groups.contains_key(&link.index) {
                continue;
            }
            if shares.has_left {
                return;
            }
            if !shares.groups.contains_key(&link.index) && !shares.open(now, link) {
                continue;
            }
            let group = shares.groups.get_mut(&link.index).expect("there, or just opened");
            group.own = Arc::clone(&own);
            group.set(now, link, &vips, &shares.membership.peers);
        }
    }

    /// How a vip stands that this node does not answer for.
    pub(super) fn elsewhere(&self, vip: IpAddr, indexes: &[u32]) -> VipState {
        let Some(shares) = &self.shares else { return VipState::Probing };
        let mut groups = indexes.iter().filter_map(|index| shares.groups.get(index));
        let owner = groups.find_map(|group| group.segment.owner(vip));
        VipState::Elsewhere { owner }
    }

    /// Whether a vip that was ours is another node's now.
    pub(super) fn is_handed_over(&self, vip: IpAddr) -> bool {
        let Some(shares) = &self.shares else { return false };
        let mut owners = shares.groups.values().filter_map(|group| group.segment.owner(vip));
        owners.any(|owner| *owner != *shares.membership.name)
    }

    pub(super) fn obey(&mut self, command: Command) {
        let now = steelyard_host::clock::now();
        match command {
            Command::HandOn(told) => {
                self.handing_on = HandingOn::Begun;
                let legacy = self.legacy();
                // The other process listens in their place.
                self.shares.iter_mut().for_each(Shares::close_sockets);
                let _ = told.send(legacy);
                return;
            }
            Command::GoOn => {
                self.handing_on = HandingOn::No;
                let groups = self.shares.iter_mut().flat_map(|it| it.groups.values_mut());
                groups.for_each(|it| it.segment.go_on());
                return;
            }
            Command::LetGo => return self.handing_on = HandingOn::Done,
            _ => {}
        }
        let Some(shares) = &mut self.shares else {
            // Nobody to leave anything to.
            if let Command::Leave(done) = command {
                let _ = done.send(());
            }
            return;
        };
        match command {
            Command::Leave(done) => {
                shares.leaving.push(done);
                shares.tell_all(now, &Input::Leave);
            }
            Command::HandOn(_) | Command::GoOn | Command::LetGo => {}
            Command::Rebalance => shares.tell_all(now, &Input::Rebalance),
            Command::Keys(keys) => {
                shares.tell_all(now, &Input::Keys(&keys));
                shares.config.keys = keys;
            }
            Command::Peers { peers, quorum } => {
                shares.tell_all(now, &Input::Quorum(quorum));
                (shares.config.quorum, shares.membership.quorum) = (quorum, quorum);
                shares.membership.peers = peers;
                self.reconcile();
            }
        }
    }
}

/// Which vip an event is about; none where it concerns a node.
fn vip_of(event: &Event) -> Option<IpAddr> {
    match event {
        Event::Owner { vip, .. }
        | Event::Took { vip, .. }
        | Event::Lost { vip, .. }
        | Event::Refused { vip, .. }
        | Event::Defended { vip, .. } => Some(*vip),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use steelyard_host::{clock, links};
    use steelyard_membership::{Key, Keyring};

    use super::*;

    #[test]
    fn each_group_is_a_start_of_its_own() {
        let keys = Keyring::new(Key::new([1; 32]));
        let mut shares = Shares::begin(&Membership::new("a", keys)).unwrap();
        let link = links::list().unwrap().remove(0);
        let mut sessions = BTreeSet::new();
        for _ in 0..3 {
            assert!(shares.open(clock::now(), &link));
            sessions.insert((shares.config.epoch, shares.config.salt));
            assert_eq!(shares.kept.start, shares.config.epoch);
        }
        let epochs: BTreeSet<u64> = sessions.iter().map(|it| it.0).collect();
        let salts: BTreeSet<[u8; 16]> = sessions.iter().map(|it| it.1).collect();
        assert_eq!((epochs.len(), salts.len()), (3, 3));
    }
}
