//! What is inside a sealed datagram: a heartbeat, a hello (a heartbeat to whoever listens), or a
//! message of SWIM.
//!
//! All numbers are big-endian. Decoding is total and bounded: it allocates no more than a small
//! multiple of the datagram, and refuses what is cut short, has something behind its end, or holds
//! a value that means nothing.

mod bytes;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use self::bytes::{Reader, Writer};
use crate::claim::{Claim, MAX_EPOCH, STANDBYS};
use crate::id::NodeId;

/// Content beyond this is left for the next datagram: with seal, UDP and IPv6 headers it stays
/// below 1,420 bytes, which fit where there is a tunnel below as well.
pub(crate) const BUDGET: usize = 1300;
/// Longest name of a node, as in Kubernetes.
pub(crate) const MAX_NAME: usize = 253;
/// Nodes that a heartbeat tells of.
pub(crate) const MAX_HEARD: usize = 24;

/// Addresses told with offers.
pub(crate) const MAX_ADDRESSES: usize = 2;
/// Bytes of an offer, at most.
pub(crate) const OFFER: usize = 17 + 8;

/// A datagram's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The sender's name.
    pub(crate) sender: String,
    pub(crate) body: Body,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// To everybody on the segment: I am here.
    Hello(Beat),
    /// To one node.
    Beat(Beat),
    /// For the SWIM machine.
    Swim(Vec<u8>),
}

/// What a node says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum State {
    /// It started, and does not answer for anything before it knows who does.
    #[default]
    Starting,
    /// It was asleep, and does not answer for anything before it knows who does.
    Fenced,
    /// It answers for what it owns.
    Up,
    /// It sees too few nodes to answer for anything.
    NoQuorum,
    /// It hands over what it owns, and takes nothing.
    Leaving,
    /// It stopped.
    Gone,
}

/// A heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Beat {
    pub(crate) state: State,
    /// The sender wants heartbeats back.
    pub(crate) wants: bool,
    /// The sender hears nobody.
    pub(crate) alone: bool,
    /// When it was sent, in milliseconds of the sender's.
    pub(crate) sent: u32,
    /// What the receiver said last: shows that it was heard, and how long the way is.
    pub(crate) echo: Option<Echo>,
    /// Of all claims that the sender believes.
    pub(crate) digest: u64,
    /// How many times owners were to be spread anew.
    pub(crate) rebalance: u64,
    /// Whom the sender hears.
    pub(crate) heard: Vec<Heard>,
    /// Vips that the receiver is to take over, with the epoch of the sender's claim.
    pub(crate) offers: Vec<(IpAddr, u64)>,
    /// Where packets of their older flows are taken, one of each family at most. Told with offers
    /// only.
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) claims: Vec<(IpAddr, Claim)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Echo {
    pub(crate) epoch: u64,
    /// Of the salt.
    pub(crate) tag: u32,
    pub(crate) sent: u32,
    /// How long ago that came, in microseconds.
    pub(crate) held: u32,
}

/// A node that the sender hears itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) node: NodeId,
    pub(crate) epoch: u64,
    pub(crate) state: State,
    /// Milliseconds since; what does not fit is cut off.
    pub(crate) age: u16,
}

/// The content makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

const HELLO: u8 = 1;
const BEAT: u8 = 2;
const SWIM: u8 = 3;
const WANTS: u8 = 1;
const ALONE: u8 = 2;
const ECHO: u8 = 4;

impl Message {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (kind, beat) = match &self.body {
            Body::Hello(beat) => (HELLO, Ok(beat)),
            Body::Beat(beat) => (BEAT, Ok(beat)),
            Body::Swim(bytes) => (SWIM, Err(bytes)),
        };
        let room = self.sender.len() + beat.map_or_else(Vec::len, Beat::size);
        let mut out = Writer::with_room(room);
        out.u8(kind);
        out.count(self.sender.len());
        out.bytes(self.sender.as_bytes());
        match beat {
            Ok(beat) => beat.encode(&mut out),
            Err(bytes) => out.bytes(bytes),
        }
        out.finish()
    }

    pub(crate) fn decode(content: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(content);
        let kind = reader.u8()?;
        let length = usize::from(reader.u8()?);
        let name = std::str::from_utf8(reader.bytes(length)?).map_err(|_| Malformed)?;
        if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(Malformed);
        }
        let body = match kind {
            HELLO => Body::Hello(Beat::decode(&mut reader)?),
            BEAT => Body::Beat(Beat::decode(&mut reader)?),
            SWIM => Body::Swim(reader.rest().to_vec()),
            _ => return Err(Malformed),
        };
        reader.end()?;
        Ok(Self { sender: name.to_owned(), body })
    }
}

impl Beat {
    fn encode(&self, out: &mut Writer) {
        out.u8(self.state as u8);
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        out.u8(flag(self.wants, WANTS) | flag(self.alone, ALONE) | flag(self.echo.is_some(), ECHO));
        out.u32(self.sent);
        if let Some(echo) = self.echo {
            out.u64(echo.epoch);
            out.u32(echo.tag);
            out.u32(echo.sent);
            out.u32(echo.held);
        }
        out.u64(self.digest);
        out.u64(self.rebalance);
        out.count(self.heard.len());
        for heard in &self.heard {
            out.u64(heard.node.bits());
            out.u64(heard.epoch);
            out.u8(heard.state as u8);
            out.u16(heard.age);
        }
        out.count(self.offers.len());
        for (vip, epoch) in &self.offers {
            out.address(*vip);
            out.u64(*epoch);
        }
        if !self.offers.is_empty() {
            out.count(self.addresses.len());
            self.addresses.iter().for_each(|address| out.address(*address));
        }
        out.count(self.claims.len());
        for (vip, claim) in &self.claims {
            out.address(*vip);
            encode_claim(claim, out);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let state = State::decode(reader.u8()?)?;
        let flags = reader.u8()?;
        if flags & !(WANTS | ALONE | ECHO) != 0 {
            return Err(Malformed);
        }
        let mut beat = Self {
            state,
            wants: flags & WANTS != 0,
            alone: flags & ALONE != 0,
            sent: reader.u32()?,
            ..Self::default()
        };
        if flags & ECHO != 0 {
            let (epoch, tag) = (reader.u64()?, reader.u32()?);
            beat.echo = Some(Echo { epoch, tag, sent: reader.u32()?, held: reader.u32()? });
        }
        beat.digest = reader.u64()?;
        beat.rebalance = reader.u64()?;
        for _ in 0..reader.u8()? {
            let (node, epoch) = (NodeId::from_bits(reader.u64()?), reader.u64()?);
            let state = State::decode(reader.u8()?)?;
            beat.heard.push(Heard { node, epoch, state, age: reader.u16()? });
        }
        for _ in 0..reader.u8()? {
            beat.offers.push((reader.address()?, reader.u64()?));
        }
        let addresses = if beat.offers.is_empty() { 0 } else { usize::from(reader.u8()?) };
        if addresses > MAX_ADDRESSES {
            return Err(Malformed);
        }
        for _ in 0..addresses {
            beat.addresses.push(reader.address()?);
        }
        for _ in 0..reader.u8()? {
            beat.claims.push((reader.address()?, decode_claim(reader)?));
        }
        Ok(beat)
    }

    /// Bytes that it takes, at most.
    pub(crate) fn size(&self) -> usize {
        let claims: usize = self.claims.iter().map(|(_, claim)| claim_size(claim)).sum();
        let addresses = 1 + MAX_ADDRESSES * 17;
        64 + addresses + self.heard.len() * 19 + self.offers.len() * OFFER + claims
    }
}

/// Bytes that a claim takes in a datagram, at most.
pub(crate) fn claim_size(claim: &Claim) -> usize {
    17 + 8 + 8 + 4 + 2 + claim.standbys.len() * 8
}

fn encode_claim(claim: &Claim, out: &mut Writer) {
    out.u64(claim.epoch);
    out.u64(claim.owner.bits());
    out.u32(claim.revision);
    out.u8(u8::from(claim.released));
    out.count(claim.standbys.len());
    claim.standbys.iter().for_each(|standby| out.u64(standby.bits()));
}

fn decode_claim(reader: &mut Reader<'_>) -> Result<Claim, Malformed> {
    let epoch = reader.u64()?;
    let owner = NodeId::from_bits(reader.u64()?);
    let revision = reader.u32()?;
    let released = match reader.u8()? {
        0 => false,
        1 => true,
        _ => return Err(Malformed),
    };
    let count = usize::from(reader.u8()?);
    if count > STANDBYS || epoch > MAX_EPOCH {
        return Err(Malformed);
    }
    let mut standbys = Vec::with_capacity(count);
    for _ in 0..count {
        standbys.push(NodeId::from_bits(reader.u64()?));
    }
    Ok(Claim { epoch, owner, revision, released, standbys })
}

impl State {
    fn decode(value: u8) -> Result<Self, Malformed> {
        let all =
            [Self::Starting, Self::Fenced, Self::Up, Self::NoQuorum, Self::Leaving, Self::Gone];
        all.get(usize::from(value)).copied().ok_or(Malformed)
    }

    /// One word for people.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Fenced => "listening",
            Self::Up => "up",
            Self::NoQuorum => "no-quorum",
            Self::Leaving => "leaving",
            Self::Gone => "gone",
        }
    }
}

/// Milliseconds as sent: what does not fit is cut off.
pub(crate) fn millis(time: Duration) -> u16 {
    u16::try_from(time.as_millis()).unwrap_or(u16::MAX)
}

/// Microseconds as sent: what does not fit is cut off.
pub(crate) fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}
