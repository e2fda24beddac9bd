//! Echo request and reply (RFC 792, RFC 4443 §4): what `ping` sends. The two families differ only
//! in type numbers and in what the checksum covers.

use std::net::Ipv6Addr;

use super::{Malformed, checksum, take, take_u16};

/// An echo message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo<'a> {
    /// Asks or answers.
    pub direction: EchoKind,
    /// The asker's own number.
    pub identifier: u16,
    /// Counts the asker's requests.
    pub sequence: u16,
    /// Comes back as it was sent.
    pub payload: &'a [u8],
}

/// What an echo message does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EchoKind {
    /// Wants an answer.
    Request,
    /// Is one.
    Reply,
}

impl<'a> Echo<'a> {
    /// The answer to this request.
    pub fn answer(&self) -> Self {
        Self { direction: EchoKind::Reply, ..*self }
    }

    /// Reads the message of an IPv4 packet.
    pub(crate) fn parse_v4(message: &'a [u8]) -> Result<Self, Malformed> {
        if checksum::internet(&[message]) != 0 {
            return Err(Malformed::Checksum);
        }
        Self::parse(message, |kind| match kind {
            8 => Some(EchoKind::Request),
            0 => Some(EchoKind::Reply),
            _ => None,
        })
    }

    /// Reads the message of an IPv6 packet whose checksum is checked already.
    pub(super) fn parse_v6(message: &'a [u8]) -> Result<Self, Malformed> {
        Self::parse(message, |kind| match kind {
            128 => Some(EchoKind::Request),
            129 => Some(EchoKind::Reply),
            _ => None,
        })
    }

    /// Reads the message of an IPv6 packet.
    pub(crate) fn parse_checked_v6(
        source: Ipv6Addr,
        destination: Ipv6Addr,
        message: &'a [u8],
    ) -> Result<Self, Malformed> {
        if checksum::icmpv6(source, destination, message) != 0 {
            return Err(Malformed::Checksum);
        }
        Self::parse_v6(message)
    }

    pub(crate) fn emit_v4(&self, out: &mut Vec<u8>) {
        let start = self.emit(out, if self.direction == EchoKind::Request { 8 } else { 0 });
        let checksum = checksum::internet(&[&out[start..]]);
        out[start + 2..start + 4].copy_from_slice(&checksum.to_be_bytes());
    }

    pub(crate) fn emit_v6(&self, source: Ipv6Addr, destination: Ipv6Addr, out: &mut Vec<u8>) {
        let start = self.emit(out, if self.direction == EchoKind::Request { 128 } else { 129 });
        let checksum = checksum::icmpv6(source, destination, &out[start..]);
        out[start + 2..start + 4].copy_from_slice(&checksum.to_be_bytes());
    }

    fn parse(
        mut message: &'a [u8],
        direction: impl Fn(u8) -> Option<EchoKind>,
    ) -> Result<Self, Malformed> {
        let [kind, code, _, _] = *take::<4>(&mut message)?;
        let direction = direction(kind).ok_or(Malformed::Foreign)?;
        if code != 0 {
            return Err(Malformed::Field);
        }
        Ok(Self {
            direction,
            identifier: take_u16(&mut message)?,
            sequence: take_u16(&mut message)?,
            payload: message,
        })
    }

    /// Writes it with a checksum of zero; returns where it starts.
    fn emit(&self, out: &mut Vec<u8>, kind: u8) -> usize {
        let start = out.len();
        out.extend([kind, 0, 0, 0]);
        out.extend(self.identifier.to_be_bytes());
        out.extend(self.sequence.to_be_bytes());
        out.extend(self.payload);
        start
    }
}
