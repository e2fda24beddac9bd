//! Pings for vips: every size that an interface carries, and those that come in pieces.
//!
//! An answer goes back in pieces no larger than the question's: as the way there carries them, so
//! does, nearly always, the way back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use super::{Responder, is_unicast};
use crate::counters::Unused;
use crate::reassembly::{Key, Whole};
use crate::wire::{Echo, EchoKind, Fragment, FrameBody, Mac};

/// Bytes of an echo's own header.
const ECHO_HEADER: usize = 8;
/// Bytes of the header that a piece has in IPv6.
const PIECE_HEADER: usize = 8;

/// Where a ping goes from and to.
#[derive(Clone, Copy)]
enum Ends {
    V4(Ipv4Addr, Ipv4Addr),
    V6(Ipv6Addr, Ipv6Addr),
}

impl Responder {
    pub(super) fn on_ping(
        &mut self,
        now: Instant,
        sender: Mac,
        body: FrameBody<'_>,
    ) -> Result<(), Unused> {
        match body {
            FrameBody::Echo4 { source, destination, echo } => {
                self.on_echo(now, sender, Ends::V4(source, destination), &echo)
            }
            FrameBody::Echo6 { source, destination, echo } => {
                self.on_echo(now, sender, Ends::V6(source, destination), &echo)
            }
            FrameBody::Piece4 { source, destination, piece } => {
                self.on_piece(now, sender, Ends::V4(source, destination), &piece)
            }
            FrameBody::Piece6 { source, destination, piece } => {
                self.on_piece(now, sender, Ends::V6(source, destination), &piece)
            }
            FrameBody::Arp(_) | FrameBody::Neighbor { .. } => Err(Unused::OtherAddress),
        }
    }

    fn on_echo(
        &mut self,
        now: Instant,
        sender: Mac,
        ends: Ends,
        echo: &Echo<'_>,
    ) -> Result<(), Unused> {
        if echo.direction != EchoKind::Request {
            return Err(Unused::OtherAddress);
        }
        if ends.header() + ECHO_HEADER + echo.payload.len() > self.config.echo_bytes {
            return Err(Unused::TooLarge);
        }
        self.admit(now, ends)?;
        self.reply(ends.to(), sender, ends.back().echo(echo.answer()));
        self.count(ends.to()).echoes += 1;
        Ok(())
    }

    fn on_piece(
        &mut self,
        now: Instant,
        sender: Mac,
        ends: Ends,
        piece: &Fragment<'_>,
    ) -> Result<(), Unused> {
        self.admit(now, ends)?;
        let (source, destination) = (ends.from(), ends.to());
        let key = Key { source, destination, identification: piece.identification };
        match self.pieces.take(now, key, piece)? {
            Some(whole) => self.on_whole(sender, ends, piece.identification, &whole),
            None => Ok(()),
        }
    }

    fn on_whole(
        &mut self,
        sender: Mac,
        ends: Ends,
        identification: u32,
        whole: &Whole,
    ) -> Result<(), Unused> {
        let echo = ends.read(&whole.message).map_err(Unused::Malformed)?;
        if echo.direction != EchoKind::Request {
            return Err(Unused::OtherAddress);
        }
        let back = ends.back();
        let message = back.write(&echo.answer());
        let most = self.config.echo_bytes.saturating_sub(ends.header() + PIECE_HEADER) & !7;
        let size = whole.largest.min(most).max(PIECE_HEADER);
        // The asker's number tells its packets apart, and so it does our answers to them.
        let count = message.len().div_ceil(size);
        for (turn, bytes) in message.chunks(size).enumerate() {
            let offset = u16::try_from(turn * size).expect("no packet is longer");
            let more = turn + 1 < count;
            let piece = Fragment { identification, offset, more, bytes };
            self.reply(ends.to(), sender, back.piece(piece));
        }
        self.count(ends.to()).echoes += 1;
        Ok(())
    }

    /// Whether pings of theirs are answered at all, and now.
    fn admit(&mut self, now: Instant, ends: Ends) -> Result<(), Unused> {
        let (vip, from) = (ends.to(), ends.from());
        if !self.config.echo || !self.knows(vip) {
            return Err(Unused::OtherAddress);
        }
        if !self.answers(vip) {
            return Err(Unused::NotAnnounced);
        }
        // Replies to a forged sender must not become a storm, nor go to ourselves.
        if !is_unicast(from) || from.is_loopback() || self.knows(from) {
            return Err(Unused::BadSender);
        }
        if self.echoes.allow(now) { Ok(()) } else { Err(Unused::TooOften) }
    }
}

impl Ends {
    fn from(self) -> IpAddr {
        match self {
            Self::V4(from, _) => from.into(),
            Self::V6(from, _) => from.into(),
        }
    }

    fn to(self) -> IpAddr {
        self.back().from()
    }

    fn back(self) -> Self {
        match self {
            Self::V4(from, to) => Self::V4(to, from),
            Self::V6(from, to) => Self::V6(to, from),
        }
    }

    /// Bytes of the IP header.
    fn header(self) -> usize {
        match self {
            Self::V4(..) => 20,
            Self::V6(..) => 40,
        }
    }

    fn echo(self, echo: Echo<'_>) -> FrameBody<'_> {
        match self {
            Self::V4(source, destination) => FrameBody::Echo4 { source, destination, echo },
            Self::V6(source, destination) => FrameBody::Echo6 { source, destination, echo },
        }
    }

    fn piece(self, piece: Fragment<'_>) -> FrameBody<'_> {
        match self {
            Self::V4(source, destination) => FrameBody::Piece4 { source, destination, piece },
            Self::V6(source, destination) => FrameBody::Piece6 { source, destination, piece },
        }
    }

    fn read(self, message: &[u8]) -> Result<Echo<'_>, crate::wire::Malformed> {
        match self {
            Self::V4(..) => Echo::parse_v4(message),
            Self::V6(from, to) => Echo::parse_checked_v6(from, to, message),
        }
    }

    fn write(self, echo: &Echo<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(ECHO_HEADER + echo.payload.len());
        match self {
            Self::V4(..) => echo.emit_v4(&mut out),
            Self::V6(from, to) => echo.emit_v6(from, to, &mut out),
        }
        out
    }
}
