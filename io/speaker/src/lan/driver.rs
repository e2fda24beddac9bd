//! The thread's one loop: decides which vip is answered for on which interface, and keeps the
//! responders, the links and whoever listens to us in step.
//!
//! Everything is decided anew ([`Driver::reconcile`]) whenever the vips or the interfaces change;
//! between that, frames and timers go straight to the responders.

mod handing_on;
mod sharing;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};

use steelyard_host::links::{self, Changes, Link, Monitor, Routes};
use steelyard_host::packet::PacketSocket;
use steelyard_host::rule::{Path, Routing};
use steelyard_host::{clock, memory};
use steelyard_layer2::wire::Mac;
use steelyard_layer2::{ConflictPolicy, Input, Phase, VipChange};

use crate::lan::gate::Keeper;
use crate::lan::group::Marked;
use crate::lan::interface::{self, Host, NoInterface};
use crate::lan::log::Log;
use crate::lan::options::{NoSpeaker, SpeakerOptions};
use crate::lan::port::{Happened, Heard, Port};
use crate::lan::shared::Shared;
use crate::lan::status::{EventKind, SpeakerEvent, VipState, VipStatus};
use crate::lan::vip::Vip;
use handing_on::HandingOn;
use sharing::Shares;

/// An interface whose address is replaced by another is without any for a moment. What is answered
/// for there stays as it is for so long.
const LACK: Duration = Duration::from_secs(1);
/// Number of the loopback interface in every network namespace.
const LOOPBACK: u32 = 1;
/// Everything is looked at again at least this often, should a notification have been lost.
const RESYNC: Duration = Duration::from_secs(10);
/// So many vips are told about all at once, and then no more often than each [`PAUSE`].
const MANY: usize = 100;
const PAUSE: Duration = Duration::from_millis(20);
/// How long after vips changed memory that it left over is given back.
const CALM: Duration = Duration::from_secs(4);
/// The largest frame that is answered: beyond it nothing of ours is found.
const BUFFER: usize = 66 * 1024;

/// The state of the loop.
pub(crate) struct Driver {
    options: SpeakerOptions,
    shared: Shared,
    monitor: Monitor,
    /// By number of the interface.
    ports: BTreeMap<u32, Port>,
    /// With whom vips are shared; none has them all to itself.
    shares: Option<Shares>,
    /// Where each of our vips is answered for.
    placed: BTreeMap<IpAddr, Placement>,
    /// As last seen.
    routes: Routes,
    /// How often the cables of what is part of an interface were in or out, by the interface.
    parts: BTreeMap<u32, u32>,
    gate: Option<Keeper>,
    /// Vips that no other host on any network of this one can have.
    nowhere: BTreeSet<IpAddr>,
    log: Log,
    /// Another process of this node goes on, or may.
    handing_on: HandingOn,
    /// What another process announced, until it is placed here.
    inherited: BTreeSet<IpAddr>,
    /// Since when an interface lacks the subnet of vips that are answered for on it.
    lacking: Option<Instant>,
    /// What was last told of each, by address.
    told: Arc<[VipStatus]>,
    told_at: Instant,
    looked: Instant,
    /// Something happened that may have changed how a vip stands.
    stale: bool,
    /// When that was told last, while memory may be left over of it.
    stirred: Option<Instant>,
}

/// Most vips are on the same interfaces, which lie in memory once.
type Placement = Result<Arc<[u32]>, Box<NoInterface>>;
/// How often a vip is answered for, and on which interfaces.
type Stand = (VipState, Arc<[Arc<str>]>);
/// An interface, by itself and as all there are.
type Named = (Arc<str>, Arc<[Arc<str>]>);

impl Driver {
    /// Must be called on the thread that will run it, inside its runtime.
    pub(crate) fn open(mut options: SpeakerOptions, shared: Shared) -> Result<Self, NoSpeaker> {
        // Told now rather than with the first vip: without raw frames nothing works.
        drop(PacketSocket::open(LOOPBACK)?);
        let monitor = Monitor::open()?;
        links::list()?;
        let shares = options.membership.as_ref().map(Shares::begin).transpose()?;
        if shares.is_some() {
            // Whether a vip is kept against a rival is for its owners to say.
            options.timing.policy = ConflictPolicy::Report;
        }
        let gate = options.gate.clone().map(Keeper::new);
        Ok(Self {
            shares,
            options,
            shared,
            monitor,
            ports: BTreeMap::new(),
            placed: BTreeMap::new(),
            routes: Routes::default(),
            parts: BTreeMap::new(),
            gate,
            nowhere: BTreeSet::new(),
            log: Log::default(),
            handing_on: HandingOn::No,
            inherited: BTreeSet::new(),
            lacking: None,
            told: Arc::default(),
            told_at: clock::now(),
            looked: clock::now(),
            stale: true,
            stirred: None,
        })
    }

    /// Until the handle is dropped.
    pub(crate) async fn run(mut self) {
        let mut buffer = vec![0; BUFFER];
        loop {
            if self.handing_on != HandingOn::No && self.stands_still(&mut buffer).await {
                return;
            }
            let now = clock::now();
            self.share(now);
            self.work(now);
            if self.stale && self.tell_at() <= now {
                self.stale = false;
                self.tell(now);
            }
            self.log.write(now);
            if self.stirred.is_some_and(|at| at + CALM <= now) {
                self.pack();
            }
            if !self.stale {
                self.shares.iter_mut().for_each(Shares::release);
            }
            let wake = self.deadline().saturating_duration_since(clock::now());
            tokio::select! {
                changed = self.shared.wanted.changed() => {
                    if changed.is_err() {
                        self.shares.iter_mut().for_each(|it| it.stop(clock::now()));
                        return;
                    }
                    self.reconcile();
                }
                changed = self.monitor.changed() => {
                    let changes = match changed {
                        Ok(changes) => changes,
                        Err(error) => {
                            tracing::warn!(%error, "changes of interfaces are noticed late");
                            tokio::time::sleep(Duration::from_millis(100)).await;
                            Changes::default()
                        }
                    };
                    self.reconcile();
                    self.announce_again(&changes.moved);
                }
                Some(command) = self.shared.commands.recv() => self.obey(command),
                lost = hear(&mut self.ports, &mut self.shares, &mut buffer) => {
                    if let Some(index) = lost {
                        self.lose(index);
                        self.reconcile();
                    }
                }
                () = tokio::time::sleep(wake) => {
                    let lacks = self.lacking.is_some_and(|since| since + LACK <= clock::now());
                    if lacks || self.looked + RESYNC <= clock::now() {
                        self.reconcile();
                    }
                }
            }
        }
    }

    /// When something is to be done without anything coming in.
    fn deadline(&self) -> Instant {
        let ports = self.ports.values().filter_map(Port::deadline);
        let shares = self.shares.iter().filter_map(Shares::deadline);
        let telling = self.stale.then(|| self.tell_at());
        let lacking = self.lacking.map(|since| since + LACK);
        let packing = self.stirred.map(|at| at + CALM);
        let own = telling.into_iter().chain(self.log.deadline()).chain(lacking).chain(packing);
        ports.chain(shares).chain(own).fold(self.looked + RESYNC, Instant::min)
    }

    /// When it may be told how the vips stand. Of many that change one after the other, not each
    /// is worth telling about all.
    fn tell_at(&self) -> Instant {
        self.told_at + if self.told.len() < MANY { Duration::ZERO } else { PAUSE }
    }

    /// Does what the responders want done, and counts.
    fn work(&mut self, now: Instant) {
        self.keep_gate(now);
        let mut events = Vec::new();
        let mut totals = self.shared.totals.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, port) in &mut self.ports {
            if port.responder.take_heard()
                && let Some(shares) = &mut self.shares
            {
                shares.hear_anything(now, *index);
            }
            for (vip, happened) in port.work(now) {
                if let Some(shares) = &mut self.shares {
                    shares.hear(now, *index, vip, &happened);
                }
                let name = port.name.clone();
                events.extend(event(happened, name, port.mac).map(|event| (vip, event)));
            }
            for (vip, counters) in port.responder.take_counters() {
                totals.vips.entry(vip).or_default().add(&counters);
            }
            totals.ignored.add(&port.responder.take_ignored());
            totals.unsent += std::mem::take(&mut port.unsent);
        }
        drop(totals);
        self.stale |= !events.is_empty();
        for (vip, kind) in events {
            self.report(vip, kind);
        }
    }

    /// Has packets for vips taken in, as far as they are ours now. What is about to be announced
    /// is announced by the responders already; their frames are not sent yet.
    fn keep_gate(&mut self, now: Instant) {
        let Some(gate) = &mut self.gate else { return };
        for port in self.ports.values_mut() {
            port.responder.handle(now, Input::Time);
        }
        let seen = self.ports.iter().map(|(index, port)| (*index, port.responder.turns()));
        if !gate.notices(seen.collect()) {
            return;
        }
        let mut open: BTreeSet<IpAddr> = self.announced(now).map(|(vip, _)| vip).collect();
        open.extend(&self.nowhere);
        let mut gate = self.gate.take();
        gate.iter_mut().for_each(|gate| gate.keep(open.clone(), |vip| self.is_handed_over(vip)));
        self.gate = gate;
    }

    /// Decides anew which vip is answered for where. Running it twice changes nothing more.
    fn reconcile(&mut self) {
        let now = clock::now();
        self.looked = now;
        self.stale = true;
        let wanted = Arc::clone(&self.shared.wanted.borrow_and_update());
        let links = match links::list() {
            Ok(links) => links,
            Err(error) => return tracing::warn!(%error, "interfaces stay as they were"),
        };
        match links::routes() {
            Ok(routes) => self.routes = routes,
            Err(error) => tracing::warn!(%error, "gateways are taken to be as they were"),
        }
        self.notice_cables(&links);
        let before: Vec<(IpAddr, u32)> = self.announced(now).collect();
        let names: BTreeMap<u32, String> =
            self.ports.iter().map(|(index, port)| (*index, port.name.clone())).collect();
        let mut placed = self.place(&wanted, &links);
        self.bear_lack(now, &links, &mut placed);
        self.share_out(now, &wanted, &links, &placed);
        self.equip(now, &links, &mut placed);
        self.inherited.clear();
        // What a port was opened for may be waiting.
        self.share(now);
        for (vip, index) in before {
            let phase = self.ports.get(&index).and_then(|port| port.responder.phase(now, vip));
            if !matches!(phase, Some(Phase::Announced { .. })) {
                self.report(vip, EventKind::Withdrawn { interface: names[&index].clone() });
            }
        }
        let is_news =
            |(vip, placement): &(&IpAddr, &Placement)| self.placed.get(vip) != Some(placement);
        let refused: Vec<(IpAddr, NoInterface)> = placed
            .iter()
            .filter(is_news)
            .filter_map(|(vip, placement)| {
                Some((*vip, NoInterface::clone(placement.as_ref().err()?)))
            })
            .collect();
        for (vip, why) in refused {
            self.report(vip, EventKind::NoInterface(why));
        }
        let mut totals = self.shared.totals.lock().unwrap_or_else(PoisonError::into_inner);
        totals.vips.retain(|vip, _| placed.contains_key(vip));
        drop(totals);
        self.nowhere = match self.shares {
            // What others can have, and with whom that is settled, is not known to be ours.
            Some(_) => BTreeSet::new(),
            None => interface::nowhere(&links, &placed),
        };
        self.placed = placed;
        self.gate.iter_mut().for_each(|gate| gate.stale = true);
    }

    /// A cable that was out and is in again may be in another LAN: what stood there begins anew.
    /// Where it is one of several, as of a bridge or bond, the LAN is told where we are now.
    fn notice_cables(&mut self, links: &[Link]) {
        let is_other =
            |link: &&Link| self.ports.get(&link.index).is_some_and(|port| port.was_unplugged(link));
        let others: Vec<u32> = links.iter().filter(is_other).map(|link| link.index).collect();
        others.into_iter().for_each(|index| self.lose(index));
        let mut parts: BTreeMap<u32, u32> = BTreeMap::new();
        for link in links.iter().filter(|link| link.enslaved) {
            let changes = parts.entry(link.master.unwrap_or_default()).or_default();
            *changes = changes.wrapping_add(link.carrier_changes);
        }
        let before = std::mem::replace(&mut self.parts, parts);
        let moved = self
            .parts
            .iter()
            .filter(|(index, changes)| before.get(index).is_some_and(|before| before != *changes));
        let moved: BTreeSet<u32> = moved.map(|(index, _)| *index).collect();
        self.announce_again(&moved);
    }

    fn announce_again(&mut self, interfaces: &BTreeSet<u32>) {
        for (_, port) in self.ports.iter_mut().filter(|(index, _)| interfaces.contains(index)) {
            port.announce_again(clock::now());
        }
    }

    fn place(&self, wanted: &[Arc<Vip>], links: &[Link]) -> BTreeMap<IpAddr, Placement> {
        let SpeakerOptions { interfaces, exclude, .. } = &self.options;
        let routing = RefCell::new(Routing::open().ok());
        let route = |vip: IpAddr| match routing.borrow_mut().as_mut()?.path(vip) {
            Ok(Path::Out { link, .. }) => Some(link),
            _ => None,
        };
        let mut known: BTreeSet<Arc<[u32]>> = BTreeSet::new();
        let place = |vip: &Arc<Vip>| {
            let current: &[u32] = match self.placed.get(&vip.address) {
                Some(Ok(current)) => current,
                _ => &[],
            };
            let host = Host { links, routes: &self.routes, route: &route };
            let chosen = interface::choose(host, vip, interfaces, exclude, current);
            let numbers = |links: Vec<&Link>| {
                let numbers: Vec<u32> = links.iter().map(|link| link.index).collect();
                let numbers = known.get(&*numbers).cloned().unwrap_or_else(|| numbers.into());
                known.insert(Arc::clone(&numbers));
                numbers
            };
            (vip.address, chosen.map(numbers).map_err(Box::new))
        };
        wanted.iter().map(place).collect()
    }

    /// Leaves vips where they are whose interface is as before, but for a subnet that holds them.
    fn bear_lack(
        &mut self,
        now: Instant,
        links: &[Link],
        placed: &mut BTreeMap<IpAddr, Placement>,
    ) {
        let stands = |index: &u32| {
            let link = links.iter().find(|link| link.index == *index);
            self.ports.contains_key(index) && link.is_some_and(|link| link.up && link.carrier)
        };
        let mut lack = false;
        for (vip, placement) in placed {
            let lost = placement.as_ref().is_err_and(|why| why.is_no_subnet());
            let before = self.placed.get(vip).and_then(|it| it.as_ref().ok());
            let before = before.filter(|it| lost && it.iter().all(stands));
            let Some(before) = before else { continue };
            lack = true;
            if self.lacking.is_none_or(|since| now < since + LACK) {
                *placement = Ok(before.clone());
            }
        }
        self.lacking = if lack { self.lacking.or(Some(now)) } else { None };
        // It was borne long enough.
        self.lacking = self.lacking.filter(|since| now < *since + LACK);
    }

    /// Opens, tells and closes ports, so that they are as `placed` says. What cannot be opened is
    /// taken out of it.
    fn equip(&mut self, now: Instant, links: &[Link], placed: &mut BTreeMap<IpAddr, Placement>) {
        let used: BTreeSet<u32> =
            placed.values().flatten().flat_map(|it| it.iter()).copied().collect();
        let siblings: BTreeSet<Mac> = links.iter().filter_map(|link| link.mac.map(Mac)).collect();
        self.ports.retain(|index, _| used.contains(index));
        let nothing = Marked::new();
        for index in used {
            let link = links.iter().find(|link| link.index == index).expect("chosen among them");
            let is_here = |(_, it): &(&IpAddr, &Placement)| it.iter().any(|it| it.contains(&index));
            let here = |placed: &BTreeMap<IpAddr, Placement>| -> BTreeSet<IpAddr> {
                placed.iter().filter(is_here).map(|(vip, _)| *vip).collect()
            };
            match (Self::port(&mut self.ports, &self.options, link), &self.shares) {
                (Ok(port), Some(shares)) => {
                    let owned = shares.owned(index).unwrap_or(&nothing);
                    port.set(now, link, &siblings, Input::Cleared(owned));
                }
                (Ok(port), None) => {
                    let here = here(placed);
                    let inherited = &self.inherited;
                    for vip in here.iter().filter(|vip| inherited.contains(vip)) {
                        port.responder.handle(now, Input::Take(*vip, None));
                    }
                    port.set(now, link, &siblings, Input::Vips(&here));
                }
                (Err(why), _) => {
                    for vip in here(placed) {
                        refuse(placed.get_mut(&vip).expect("placed there"), index, &why);
                    }
                }
            }
        }
    }

    fn port<'a>(
        ports: &'a mut BTreeMap<u32, Port>,
        options: &SpeakerOptions,
        link: &Link,
    ) -> Result<&'a mut Port, NoInterface> {
        use std::collections::btree_map::Entry;
        match ports.entry(link.index) {
            Entry::Occupied(port) => Ok(port.into_mut()),
            Entry::Vacant(place) => match Port::open(link, options.timing, options.echo) {
                Ok(port) => Ok(place.insert(port)),
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    let error = cause.unwrap_or_else(|| error.to_string());
                    Err(NoInterface::Refused { interface: link.name.clone(), error })
                }
            },
        }
    }

    /// The interface went down or away, however shortly: what stood there begins anew.
    fn lose(&mut self, index: u32) {
        let lost = self.ports.remove(&index);
        if let Some(shares) = &mut self.shares {
            shares.lose(clock::now(), index);
        }
        let Some(lost) = lost else { return };
        let announced: Vec<IpAddr> = lost.announced(clock::now()).collect();
        for vip in announced {
            let interface = lost.name.clone();
            self.report(vip, EventKind::Withdrawn { interface });
        }
    }

    /// What is answered for: vip and interface.
    fn announced(&self, now: Instant) -> impl Iterator<Item = (IpAddr, u32)> {
        let ports = self.ports.iter();
        ports.flat_map(move |(index, port)| port.announced(now).map(move |vip| (vip, *index)))
    }

    /// Publishes how the vips stand, if that changed.
    fn tell(&mut self, now: Instant) {
        self.told_at = now;
        let mut known = self.told.iter();
        // That nothing changed takes no memory to see.
        let is_same =
            self.stands(now).all(|it| known.next() == Some(&it)) && known.next().is_none();
        if is_same {
            return;
        }
        let told: Arc<[VipStatus]> = self.stands(now).collect();
        self.shared.status.send_replace(Arc::clone(&told));
        self.told = told;
        self.stirred = (self.told.len() >= MANY).then_some(now);
    }

    /// How each vip stands, by address.
    fn stands(&self, now: Instant) -> impl Iterator<Item = VipStatus> {
        let named = |port: &Port| -> Named {
            let name: Arc<str> = port.name.as_str().into();
            (Arc::clone(&name), [name].into())
        };
        let names: Vec<Named> = self.ports.values().map(named).collect();
        self.placed.iter().map(move |(vip, placement)| {
            let unplaced = || match placement {
                Err(why) => (VipState::NoInterface(why.clone()), Arc::default()),
                Ok(indexes) => (self.elsewhere(*vip, indexes), Arc::default()),
            };
            let (state, interfaces) = self.stand(now, *vip, &names).unwrap_or_else(unplaced);
            let old = self.told.binary_search_by(|it| it.address.cmp(vip)).ok();
            let since = match old.map(|at| &self.told[at]) {
                Some(old) if same(&old.state, &state) && old.interfaces == interfaces => old.since,
                _ => SystemTime::now(),
            };
            VipStatus { address: *vip, state, interfaces, since }
        })
    }

    /// Gives back memory that was taken while much happened: thousands of vips come one by one.
    fn pack(&mut self) {
        self.stirred = None;
        self.ports.values_mut().for_each(|port| port.responder.pack());
        self.shares.iter_mut().for_each(Shares::pack);
        let mut totals = self.shared.totals.lock().unwrap_or_else(PoisonError::into_inner);
        totals.vips = std::mem::take(&mut totals.vips).into_iter().collect();
        drop(totals);
        memory::give_back();
    }

    /// The best state of a vip that is at a port, and the interfaces on which it has that; `names`
    /// are those of the ports.
    fn stand(&self, now: Instant, vip: IpAddr, names: &[Named]) -> Option<Stand> {
        let mut stand: Option<Stand> = None;
        for (port, (name, alone)) in self.ports.values().zip(names) {
            let Some(phase) = port.responder.phase(now, vip) else { continue };
            let state = state(phase);
            match &mut stand {
                Some((best, names)) if best.rank() == state.rank() => {
                    *names = names.iter().chain([name]).cloned().collect();
                }
                Some((best, _)) if best.rank() < state.rank() => {}
                _ => stand = Some((state, Arc::clone(alone))),
            }
        }
        stand
    }

    fn report(&mut self, address: impl Into<Option<IpAddr>>, kind: EventKind) {
        let event = SpeakerEvent { at: SystemTime::now(), address: address.into(), kind };
        self.log.take(&event);
        // Nobody listening is no fault.
        let _ = self.shared.events.send(event);
    }
}

/// Waits until something came in; the interface that was lost, if one was. Frames have to wait for
/// what other nodes say, and for what is due: who was stopped may own nothing any more.
async fn hear(
    ports: &mut BTreeMap<u32, Port>,
    shares: &mut Option<Shares>,
    buffer: &mut [u8],
) -> Option<u32> {
    poll_fn(|context| {
        if shares.as_mut().is_some_and(|it| it.poll_hear(clock::now(), context, buffer)) {
            return Poll::Ready(None);
        }
        let mut heard = Poll::Pending;
        for (index, port) in ports.iter_mut() {
            match port.poll_hear(context, buffer) {
                Poll::Pending => {}
                Poll::Ready(Heard::Something) => heard = Poll::Ready(None),
                Poll::Ready(Heard::Lost) => return Poll::Ready(Some(*index)),
            }
        }
        heard
    })
    .await
}

/// Takes one interface out of a placement; without any left, it failed for that reason.
fn refuse(placement: &mut Placement, index: u32, why: &NoInterface) {
    if let Ok(indexes) = placement {
        let left: Arc<[u32]> = indexes.iter().copied().filter(|it| *it != index).collect();
        *placement = if left.is_empty() { Err(Box::new(why.clone())) } else { Ok(left) };
    }
}

fn state(phase: Phase) -> VipState {
    match phase {
        Phase::Probing => VipState::Probing,
        Phase::Announced { rival } => VipState::Announced { rival },
        Phase::Conflicted { rival } => VipState::Conflict { rival },
    }
}

/// Whether two states are the same thing going on.
fn same(a: &VipState, b: &VipState) -> bool {
    a.rank() == b.rank()
}

fn event(happened: Happened, interface: String, mac: Mac) -> Option<EventKind> {
    let Happened::Changed(change) = happened else { return None };
    Some(match change {
        VipChange::Announced => EventKind::Announced { interface, mac },
        VipChange::Taken { rival } => EventKind::Taken { interface, rival },
        VipChange::Defended { rival } => EventKind::Defended { interface, rival },
        VipChange::Yielded { rival } => EventKind::Yielded { interface, rival },
        // Told by the owners, once they decided.
        VipChange::Contested { .. } => return None,
    })
}
