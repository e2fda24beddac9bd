//! The other nodes of the segment: where they are, when they were last heard, and what follows.
//!
//! A node is *present* while it was heard within the dead time, by us or by somebody whom we hear:
//! heartbeats tell whom their sender hears, and how long ago. So one lost datagram, or a cut
//! between two nodes that others bridge, moves nothing. Hearsay tells only of direct hearing: it
//! cannot go round in circles.
//!
//! A node is *established* once a datagram of it named our own session: then it is no recording,
//! and both ways were open.
//!
//! Beyond a full mesh not everybody is heard all the time: there a node from whom we want no
//! heartbeats is present as long as it says hello, unless SWIM says that it is down.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::id::NodeId;
use crate::wire::{Beat, Echo, Heard, MAX_HEARD, State, micros, millis};

/// Nodes remembered at most.
const MAX_PEERS: usize = 1024;
/// A node that was not heard for so long is forgotten.
const MEMORY: Duration = Duration::from_secs(600);

/// All other nodes.
#[derive(Debug)]
pub(crate) struct Roster {
    pub(crate) me: NodeId,
    pub(crate) peers: BTreeMap<NodeId, Peer>,
    /// Whether SWIM's word counts.
    pub(crate) swim: bool,
    /// Somebody came, went or changed since this was last cleared.
    pub(crate) changed: bool,
    /// A way to a node opened that may have been cut, since this was last cleared.
    pub(crate) healed: bool,
    dead: Duration,
    /// How long a hello counts beyond a full mesh.
    pub(crate) greeting: Duration,
    /// How long a node must have said that it hears nobody before that is believed.
    deaf: Duration,
    /// Nobody is missed before: our own timer ran late.
    hold: Option<Instant>,
    /// When somebody's absence may be noticed.
    check: Option<Instant>,
}

/// What another process of ours knew of a node that it heard.
#[derive(Debug)]
pub(crate) struct Acquaintance {
    pub(crate) name: Arc<str>,
    pub(crate) address: SocketAddr,
    pub(crate) epoch: u64,
    pub(crate) tag: u32,
    pub(crate) state: State,
    pub(crate) newest_key: bool,
    /// When it was heard last, and heard us.
    pub(crate) heard: Instant,
    /// What it said last, and when that came.
    pub(crate) last: Option<(u32, Instant)>,
}

/// What became of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    Came,
    Missing,
    Left,
}

/// Another node.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Not known of whom only others told.
    pub(crate) name: Option<Arc<str>>,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) epoch: u64,
    pub(crate) tag: u32,
    pub(crate) state: State,
    /// It was seen to use our newest key.
    pub(crate) newest_key: bool,
    pub(crate) established: bool,
    pub(crate) present: bool,
    /// Present, but hears nobody: what it says of itself is old.
    pub(crate) deaf: bool,
    /// When any good datagram of it came.
    pub(crate) seen: Instant,
    /// When it was last heard by ourselves, established.
    pub(crate) direct: Option<Instant>,
    /// The same, by anybody.
    evidence: Option<Instant>,
    alone: Option<Instant>,
    /// When it last heard us, as it says.
    mutual: Option<Instant>,
    /// It and we heard each other until then.
    open: Option<Instant>,
    /// It was missed since it started.
    lapsed: bool,
    /// What it said last, and when that came.
    last: Option<(u32, Instant)>,
    pub(crate) rtt: Option<Duration>,
    /// It wants heartbeats until then.
    pub(crate) wants: Option<Instant>,
    /// We want heartbeats of it, since then. Only beyond a full mesh.
    pub(crate) wanted: Option<Instant>,
    /// When it last said hello.
    pub(crate) greeted: Option<Instant>,
    /// Number and source of that datagram; none once it was heard by the other family as well.
    pub(crate) hello: Option<(u64, SocketAddr)>,
    /// It was missed, and nothing of it came since.
    pub(crate) missed: bool,
    /// SWIM says that it is down.
    pub(crate) down: bool,
    pub(crate) digest: u64,
    /// Since when it believes other claims than we do.
    pub(crate) differs: Option<Instant>,
    /// Claims to send, and how often still.
    pub(crate) pending: BTreeMap<IpAddr, u8>,
    pub(crate) replied: Option<Instant>,
    /// When our claims were last told to it unheard.
    pub(crate) repeated: Option<Instant>,
}

impl Roster {
    pub(crate) fn new(me: NodeId, dead: Duration, interval: Duration) -> Self {
        Self {
            me,
            peers: BTreeMap::new(),
            swim: false,
            changed: false,
            healed: false,
            dead,
            greeting: dead,
            deaf: dead + interval * 2,
            hold: None,
            check: None,
        }
    }

    /// The node by that number, made if there is room for it.
    pub(crate) fn entry(&mut self, now: Instant, id: NodeId) -> Option<&mut Peer> {
        if id == self.me {
            return None;
        }
        if self.peers.len() >= MAX_PEERS && !self.peers.contains_key(&id) {
            // Who is not there makes room: the one who was silent for the longest time.
            let absent = self.peers.iter().filter(|(_, it)| !it.present);
            let oldest = absent.min_by_key(|(_, it)| it.seen).map(|(id, _)| *id)?;
            self.peers.remove(&oldest);
        }
        Some(self.peers.entry(id).or_insert_with(|| Peer::new(now)))
    }

    /// Takes over what another process of ours knew.
    pub(crate) fn remember(&mut self, now: Instant, id: NodeId, known: &Acquaintance) {
        let (dead, heard) = (self.dead, Some(known.heard));
        let Some(peer) = self.entry(now, id) else { return };
        peer.name = Some(Arc::clone(&known.name));
        peer.address = Some(known.address);
        (peer.epoch, peer.tag, peer.state) = (known.epoch, known.tag, known.state);
        (peer.newest_key, peer.established) = (known.newest_key, true);
        peer.present = now < known.heard + dead;
        (peer.seen, peer.direct, peer.evidence, peer.mutual) = (known.heard, heard, heard, heard);
        peer.open = heard.map(|at| at + dead * 2);
        peer.last = known.last;
        // Until its next heartbeat tells.
        peer.wants = Some(now + dead * 2);
        self.check_at(now);
    }

    /// Who answers for what it owns and may be given more.
    pub(crate) fn able(&self, id: NodeId) -> bool {
        let able = |it: &Peer| it.present && it.state == State::Up && !it.deaf;
        id == self.me || self.peers.get(&id).is_some_and(able)
    }

    /// Who will soon be able.
    pub(crate) fn starting(&self, id: NodeId) -> bool {
        self.peers.get(&id).is_some_and(|it| it.present && it.state == State::Starting)
    }

    /// Who answers for what it owns.
    pub(crate) fn serves(&self, id: NodeId) -> bool {
        let serves =
            |it: &Peer| it.present && matches!(it.state, State::Up | State::Leaving) && !it.deaf;
        self.peers.get(&id).is_some_and(serves)
    }

    /// Who is there, whenever it started.
    pub(crate) fn is_present(&self, id: NodeId) -> bool {
        self.peers.get(&id).is_some_and(|it| it.present)
    }

    /// Who is still there by the same start, with the flows that it has.
    pub(crate) fn carries(&self, id: NodeId, start: u64) -> bool {
        self.peers.get(&id).is_some_and(|it| it.present && it.epoch == start)
    }

    /// Whether we hear no other node ourselves.
    pub(crate) fn hears_nobody(&self, now: Instant) -> bool {
        !self.peers.values().any(|it| it.is_fresh(now, self.dead))
    }

    /// Nodes that count for a quorum, without us: they and we hear each other; beyond a full mesh,
    /// they are present.
    pub(crate) fn heard(&self, now: Instant) -> usize {
        if self.swim {
            return self.peers.values().filter(|it| it.present && it.established).count();
        }
        // What they say of us is one heartbeat old, and may be lost as well.
        let mutual = |it: &&Peer| it.mutual.is_some_and(|at| now < at + self.dead * 2);
        self.peers.values().filter(|it| it.is_fresh(now, self.dead)).filter(mutual).count()
    }

    /// Whether somebody was heard within `time` with whom neither we spoke, nor anybody whom we
    /// hear: of what that one owns we may know nothing.
    pub(crate) fn has_strangers(&self, now: Instant, time: Duration) -> bool {
        let told_of = |it: &Peer| it.evidence.is_some_and(|at| now < at + self.dead);
        let strange = |it: &Peer| it.address.is_some() && !it.established && !told_of(it);
        self.peers.values().any(|it| strange(it) && now < it.seen + time)
    }

    /// Takes note of a heartbeat by an established node.
    pub(crate) fn hear(&mut self, now: Instant, from: NodeId, beat: &Beat) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let as_before = peer.present && !peer.deaf && !beat.alone && peer.state == beat.state;
        if peer.state != State::Gone && peer.state != beat.state {
            peer.state = beat.state;
            self.changed = true;
        }
        peer.direct = Some(now);
        peer.evidence = Some(now);
        peer.digest = beat.digest;
        let held = beat.echo.map(|it| Duration::from_micros(u64::from(it.held)));
        peer.mutual = held.and_then(|held| now.checked_sub(held)).max(peer.mutual);
        self.healed |= peer.opens(now, self.dead) && !self.swim;
        peer.alone = beat.alone.then(|| peer.alone.unwrap_or(now));
        peer.wants = beat.wants.then(|| now + self.dead * 2);
        for heard in &beat.heard {
            self.hear_of(now, heard);
        }
        // Else its absence can only be later than what is to be checked already.
        if !as_before {
            self.check_at(now);
        }
    }

    fn hear_of(&mut self, now: Instant, heard: &Heard) {
        let age = Duration::from_millis(u64::from(heard.age));
        let dead = self.dead;
        let Some(at) = now.checked_sub(age).filter(|_| age < dead) else { return };
        let Some(peer) = self.entry(now, heard.node) else { return };
        if heard.epoch < peer.epoch {
            return;
        }
        let restarted = heard.epoch > peer.epoch;
        if restarted {
            peer.restarted(heard.epoch, 0);
        }
        let newer = peer.evidence.is_none_or(|known| at > known);
        if newer {
            peer.evidence = Some(at);
            peer.missed = false;
        }
        // What we hear ourselves is not older than what others tell of it, whatever age that has
        // in milliseconds: else an old state goes round and round. Only nobody comes back from the
        // last one.
        let believed = heard.state == State::Gone || !peer.is_fresh(now, dead);
        let changes = newer && believed && peer.state != State::Gone && peer.state != heard.state;
        if changes {
            peer.state = heard.state;
        }
        let matters = restarted || changes || !peer.present;
        self.changed |= changes;
        if matters {
            self.check_at(now);
        }
    }

    /// Whom we hear ourselves, most recently heard first: one more than a heartbeat has room for,
    /// as nobody is told of itself.
    pub(crate) fn tell(&self, now: Instant) -> Vec<Heard> {
        let told = self.peers.iter().filter(|(_, it)| it.established);
        let mut heard: Vec<Heard> = told
            .filter(|(_, it)| it.is_fresh(now, self.dead) || it.state == State::Gone)
            .filter_map(|(id, it)| {
                let age = millis(now.saturating_duration_since(it.direct?));
                Some(Heard { node: *id, epoch: it.epoch, state: it.state, age })
            })
            .collect();
        heard.sort_by_key(|heard| heard.age);
        heard.truncate(MAX_HEARD + 1);
        heard
    }

    /// Our own timer ran late: what others sent meanwhile was not read yet.
    pub(crate) fn hold(&mut self, until: Instant) {
        self.hold = Some(until);
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.check
    }

    /// Something changed that [`Roster::review`] is to see.
    pub(crate) fn check_at(&mut self, at: Instant) {
        self.check = Some(self.check.map_or(at, |check| check.min(at)));
    }

    /// Notices who came and who went.
    pub(crate) fn review(&mut self, now: Instant, mut tell: impl FnMut(NodeId, Passage)) {
        if self.check.is_none_or(|check| now < check) {
            return;
        }
        let holding = self.hold.is_some_and(|hold| now < hold);
        let mut check: Option<Instant> = self.hold.filter(|_| holding);
        for (id, peer) in &mut self.peers {
            let greeting = self.swim.then_some(self.greeting);
            let ends = peer.presence_ends(now, self.dead, greeting);
            let present = ends.is_some() || (holding && peer.present && peer.state != State::Gone);
            let deaf = peer.alone.map(|since| since + self.deaf).filter(|_| present);
            let was = (peer.present, peer.deaf);
            (peer.present, peer.deaf) = (present, deaf.is_some_and(|at| now >= at));
            self.changed |= was != (peer.present, peer.deaf);
            if was.0 != present {
                peer.missed |= !present;
                // Beyond a full mesh only that tells of ways that open again.
                self.healed |= present && peer.lapsed && self.swim;
                peer.lapsed |= !present;
                tell(*id, peer.passage());
            }
            let due = [ends, deaf.filter(|at| now < *at)];
            check = due.into_iter().flatten().chain(check).min();
        }
        self.peers.retain(|_, it| it.present || now < it.seen + MEMORY);
        self.check = check;
    }
}

impl Peer {
    fn new(now: Instant) -> Self {
        Self {
            name: None,
            address: None,
            epoch: 0,
            tag: 0,
            state: State::Starting,
            newest_key: false,
            established: false,
            present: false,
            deaf: false,
            seen: now,
            direct: None,
            evidence: None,
            alone: None,
            mutual: None,
            open: None,
            lapsed: false,
            last: None,
            rtt: None,
            wants: None,
            wanted: None,
            greeted: None,
            missed: false,
            down: false,
            digest: 0,
            differs: None,
            pending: BTreeMap::new(),
            replied: None,
            repeated: None,
            hello: None,
        }
    }

    /// It started anew: nothing that it said before holds.
    pub(crate) fn restarted(&mut self, epoch: u64, tag: u32) {
        self.epoch = epoch;
        self.tag = tag;
        self.newest_key = false;
        self.established = false;
        self.direct = None;
        self.evidence = None;
        self.alone = None;
        self.mutual = None;
        self.open = None;
        self.lapsed = false;
        self.last = None;
        self.wants = None;
        self.down = false;
        self.differs = None;
        self.state = State::Starting;
    }

    /// Whether we heard it ourselves within `dead`.
    pub(crate) fn is_fresh(&self, now: Instant, dead: Duration) -> bool {
        self.direct.is_some_and(|at| now < at + dead) && self.state != State::Gone
    }

    /// Until when it is present, if it is. `greeting` is how long a hello counts, where not
    /// everybody sends heartbeats to everybody; from whom we want some, they are on their way.
    fn presence_ends(
        &self,
        now: Instant,
        dead: Duration,
        greeting: Option<Duration>,
    ) -> Option<Instant> {
        if self.state == State::Gone {
            return None;
        }
        let heard = self.evidence.map(|at| at + dead).filter(|end| now < *end);
        let Some(greeting) = greeting.filter(|_| !self.missed) else { return heard };
        let greeted = self.greeted.map(|at| at + greeting).filter(|end| now < *end && !self.down);
        let coarse = match self.wanted {
            Some(since) => greeted.map(|_| since + dead).filter(|end| now < *end),
            None => greeted,
        };
        heard.max(coarse)
    }

    /// Takes note of whether it and we hear each other; true if we did not until now, and it did
    /// not only just start: its neighbours may know another owner than ours.
    fn opens(&mut self, now: Instant, dead: Duration) -> bool {
        let until = self.mutual.map(|at| at + dead * 2).filter(|until| now < *until);
        let Some(until) = until else { return false };
        match self.open.replace(until) {
            Some(before) => now >= before,
            None => self.state != State::Starting,
        }
    }

    fn passage(&self) -> Passage {
        match (self.present, self.state) {
            (true, _) => Passage::Came,
            (false, State::Gone) => Passage::Left,
            (false, _) => Passage::Missing,
        }
    }

    /// Takes note of when a datagram was sent, and of the way it tells about.
    pub(crate) fn time(&mut self, now: Instant, beat: &Beat, clock: u32) {
        self.last = Some((beat.sent, now));
        let Some(echo) = beat.echo.filter(|_| self.established) else { return };
        let there_and_back = Duration::from_millis(u64::from(clock.wrapping_sub(echo.sent)));
        let held = Duration::from_micros(u64::from(echo.held));
        // Anything longer is a count that wrapped around.
        if there_and_back < Duration::from_secs(10) {
            self.rtt = Some(there_and_back.saturating_sub(held));
        }
    }

    /// A claim was sent to it once more.
    pub(crate) fn told(&mut self, vip: IpAddr) {
        if let Some(times) = self.pending.get_mut(&vip) {
            *times -= 1;
            if *times == 0 {
                self.pending.remove(&vip);
            }
        }
    }

    /// What it said last, and when that came.
    pub(crate) fn last(&self) -> Option<(u32, Instant)> {
        self.last
    }

    /// What shows it that we heard it.
    pub(crate) fn echo(&self, now: Instant) -> Option<Echo> {
        let (sent, at) = self.last?;
        let held = micros(now.saturating_duration_since(at));
        Some(Echo { epoch: self.epoch, tag: self.tag, sent, held })
    }
}
