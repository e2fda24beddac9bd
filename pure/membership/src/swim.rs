//! Who is there, where there are too many for everybody to send heartbeats to everybody: SWIM, by
//! `foca`, which this module alone knows.
//!
//! It tells members apart by number and start; where they are, and that they are who they say, is
//! its caller's. Its timers and its chance are ours.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut};
use foca::{Config, Foca, Header, Identity, Member, Message, Notification, Runtime, Timer};
use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::id::NodeId;

/// The membership machine of one node.
pub(crate) struct Swim {
    foca: Foca<Id, Codec, SmallRng, foca::NoCustomBroadcast>,
    wanted: Wanted,
    timers: BTreeMap<(Instant, u64), Timer<Id>>,
    count: u64,
    up: BTreeSet<NodeId>,
}

/// One start of a member; `again` counts how often it had to say that it is alive after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id {
    pub(crate) node: NodeId,
    pub(crate) epoch: u64,
    again: u32,
}

/// What foca wants done.
#[derive(Default)]
struct Wanted {
    send: VecDeque<(NodeId, Vec<u8>)>,
    timers: Vec<(Duration, Timer<Id>)>,
    changes: VecDeque<(NodeId, bool)>,
}

#[derive(Clone, Copy)]
struct Codec;

/// A message that makes no sense.
#[derive(Debug)]
pub(crate) struct Garbled;

impl Id {
    pub(crate) fn new(node: NodeId, epoch: u64) -> Self {
        Self { node, epoch, again: 0 }
    }
}

impl Identity for Id {
    type Addr = NodeId;

    fn renew(&self) -> Option<Self> {
        Some(Self { again: self.again.wrapping_add(1), ..*self })
    }

    fn addr(&self) -> NodeId {
        self.node
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        (self.epoch, self.again) > (adversary.epoch, adversary.again)
    }
}

impl Swim {
    /// `nodes` is about how many there are, `packet` the most bytes of a message.
    pub(crate) fn new(id: Id, nodes: u32, packet: usize, seed: u64) -> Self {
        let nodes = NonZeroU32::new(nodes).unwrap_or(NonZeroU32::MIN);
        let config = Config {
            max_packet_size: packet.try_into().expect("more than zero"),
            notify_down_members: true,
            ..Config::new_lan(nodes)
        };
        Self {
            foca: Foca::new(id, config, SmallRng::seed_from_u64(seed), Codec),
            wanted: Wanted::default(),
            timers: BTreeMap::new(),
            count: 0,
            up: BTreeSet::new(),
        }
    }

    /// Tells a node that was found another way that we are here.
    pub(crate) fn announce(&mut self, now: Instant, to: Id) {
        if !self.up.contains(&to.node) {
            // It fails only for want of a good configuration, which ours is.
            let _ = self.foca.announce(to, &mut self.wanted);
            self.settle(now);
        }
    }

    /// Takes in a message. What is garbled changes nothing.
    pub(crate) fn handle(&mut self, now: Instant, bytes: &[u8]) -> bool {
        let good = self.foca.handle_data(bytes, &mut self.wanted).is_ok();
        self.settle(now);
        good
    }

    pub(crate) fn on_time(&mut self, now: Instant) {
        while let Some(entry) = self.timers.first_entry()
            && entry.key().0 <= now
        {
            // A timer that no longer matters is refused, and that is all.
            let _ = self.foca.handle_timer(entry.remove(), &mut self.wanted);
            self.settle(now);
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.timers.first_key_value().map(|((at, _), _)| *at)
    }

    /// A message to send.
    pub(crate) fn poll_send(&mut self) -> Option<(NodeId, Vec<u8>)> {
        self.wanted.send.pop_front()
    }

    /// A node that came (true) or went.
    pub(crate) fn poll_change(&mut self) -> Option<(NodeId, bool)> {
        self.wanted.changes.pop_front()
    }

    fn settle(&mut self, now: Instant) {
        for (after, timer) in self.wanted.timers.drain(..) {
            self.count += 1;
            self.timers.insert((now + after, self.count), timer);
        }
        for (node, up) in &self.wanted.changes {
            if *up {
                self.up.insert(*node);
            } else {
                self.up.remove(node);
            }
        }
    }
}

impl std::fmt::Debug for Swim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Swim").field("up", &self.up).finish_non_exhaustive()
    }
}

impl Runtime<Id> for Wanted {
    fn notify(&mut self, notification: Notification<'_, Id>) {
        match notification {
            Notification::MemberUp(id) => self.changes.push_back((id.node, true)),
            Notification::MemberDown(id) => self.changes.push_back((id.node, false)),
            _ => {}
        }
    }

    fn send_to(&mut self, to: Id, data: &[u8]) {
        self.send.push_back((to.node, data.to_vec()));
    }

    fn submit_after(&mut self, event: Timer<Id>, after: Duration) {
        self.timers.push((after, event));
    }
}

const ID: usize = 20;

fn put_id(id: &Id, buffer: &mut impl BufMut) {
    buffer.put_u64(id.node.bits());
    buffer.put_u64(id.epoch);
    buffer.put_u32(id.again);
}

fn get_id(buffer: &mut impl Buf) -> Result<Id, Garbled> {
    if buffer.remaining() < ID {
        return Err(Garbled);
    }
    let node = NodeId::from_bits(buffer.get_u64());
    Ok(Id { node, epoch: buffer.get_u64(), again: buffer.get_u32() })
}

fn get_u8(buffer: &mut impl Buf) -> Result<u8, Garbled> {
    buffer.try_get_u8().map_err(|_| Garbled)
}

impl foca::Codec<Id> for Codec {
    type Error = Garbled;

    fn encode_header(
        &mut self,
        header: &Header<Id>,
        mut buffer: impl BufMut,
    ) -> Result<(), Garbled> {
        let (kind, number, about) = match &header.message {
            Message::Ping(number) => (0, *number, None),
            Message::Ack(number) => (1, *number, None),
            Message::PingReq { target, probe_number } => (2, *probe_number, Some(target)),
            Message::IndirectPing { origin, probe_number } => (3, *probe_number, Some(origin)),
            Message::IndirectAck { target, probe_number } => (4, *probe_number, Some(target)),
            Message::ForwardedAck { origin, probe_number } => (5, *probe_number, Some(origin)),
            Message::Announce => (6, 0, None),
            Message::Feed => (7, 0, None),
            Message::Gossip => (8, 0, None),
            Message::Broadcast => (9, 0, None),
            Message::TurnUndead => (10, 0, None),
        };
        if buffer.remaining_mut() < 3 * ID + 4 {
            return Err(Garbled);
        }
        put_id(&header.src, &mut buffer);
        buffer.put_u16(header.src_incarnation);
        put_id(&header.dst, &mut buffer);
        buffer.put_u8(kind);
        buffer.put_u8(number);
        about.into_iter().for_each(|id| put_id(id, &mut buffer));
        Ok(())
    }

    fn decode_header(&mut self, mut buffer: impl Buf) -> Result<Header<Id>, Garbled> {
        let src = get_id(&mut buffer)?;
        let src_incarnation = buffer.try_get_u16().map_err(|_| Garbled)?;
        let dst = get_id(&mut buffer)?;
        let kind = get_u8(&mut buffer)?;
        let probe_number = get_u8(&mut buffer)?;
        let message = match kind {
            0 => Message::Ping(probe_number),
            1 => Message::Ack(probe_number),
            2 => Message::PingReq { target: get_id(&mut buffer)?, probe_number },
            3 => Message::IndirectPing { origin: get_id(&mut buffer)?, probe_number },
            4 => Message::IndirectAck { target: get_id(&mut buffer)?, probe_number },
            5 => Message::ForwardedAck { origin: get_id(&mut buffer)?, probe_number },
            6 => Message::Announce,
            7 => Message::Feed,
            8 => Message::Gossip,
            9 => Message::Broadcast,
            10 => Message::TurnUndead,
            _ => return Err(Garbled),
        };
        Ok(Header { src, src_incarnation, dst, message })
    }

    fn encode_member(
        &mut self,
        member: &Member<Id>,
        mut buffer: impl BufMut,
    ) -> Result<(), Garbled> {
        if buffer.remaining_mut() < ID + 3 {
            return Err(Garbled);
        }
        put_id(member.id(), &mut buffer);
        buffer.put_u16(member.incarnation());
        buffer.put_u8(match member.state() {
            foca::State::Alive => 0,
            foca::State::Suspect => 1,
            foca::State::Down => 2,
        });
        Ok(())
    }

    fn decode_member(&mut self, mut buffer: impl Buf) -> Result<Member<Id>, Garbled> {
        let id = get_id(&mut buffer)?;
        let incarnation = buffer.try_get_u16().map_err(|_| Garbled)?;
        let state = match get_u8(&mut buffer)? {
            0 => foca::State::Alive,
            1 => foca::State::Suspect,
            2 => foca::State::Down,
            _ => return Err(Garbled),
        };
        Ok(Member::new(id, incarnation, state))
    }
}

impl std::fmt::Display for Garbled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a message that makes no sense")
    }
}

impl std::error::Error for Garbled {}
