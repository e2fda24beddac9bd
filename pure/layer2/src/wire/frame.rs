//! A whole Ethernet frame.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::ip::{FRAGMENT, ICMP, ICMPV6, Ipv4, Ipv6, Payload};
use super::{
    Arp, Echo, Fragment, Mac, Malformed, NeighborMessage, checksum, neighbor, take, take_u16,
};

const ARP: u16 = 0x0806;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// An untagged Ethernet frame that a speaker hears or says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EtherFrame<'a> {
    /// Who sent it.
    pub source: Mac,
    /// Whom it is for.
    pub destination: Mac,
    /// What it holds.
    pub body: FrameBody<'a>,
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameBody<'a> {
    /// ARP.
    Arp(Arp),
    /// Neighbor discovery. The hop limit is 255 both ways.
    Neighbor {
        /// Whence.
        source: Ipv6Addr,
        /// Whither.
        destination: Ipv6Addr,
        /// The message.
        message: NeighborMessage,
    },
    /// A `ping` over IPv4.
    Echo4 {
        /// Whence.
        source: Ipv4Addr,
        /// Whither.
        destination: Ipv4Addr,
        /// The message.
        echo: Echo<'a>,
    },
    /// A `ping` over IPv6.
    Echo6 {
        /// Whence.
        source: Ipv6Addr,
        /// Whither.
        destination: Ipv6Addr,
        /// The message.
        echo: Echo<'a>,
    },
    /// A piece of ICMP over IPv4.
    Piece4 {
        /// Whence.
        source: Ipv4Addr,
        /// Whither.
        destination: Ipv4Addr,
        /// The piece.
        piece: Fragment<'a>,
    },
    /// A piece of ICMPv6.
    Piece6 {
        /// Whence.
        source: Ipv6Addr,
        /// Whither.
        destination: Ipv6Addr,
        /// The piece.
        piece: Fragment<'a>,
    },
}

impl<'a> EtherFrame<'a> {
    /// Reads a frame as it came off the wire, without its check sequence.
    pub fn parse(mut bytes: &'a [u8]) -> Result<Self, Malformed> {
        let destination = Mac(*take(&mut bytes)?);
        let source = Mac(*take(&mut bytes)?);
        let body = match take_u16(&mut bytes)? {
            ARP => Arp::parse(bytes).map(FrameBody::Arp),
            IPV4 => parse_ipv4(bytes),
            IPV6 => parse_ipv6(bytes),
            _ => Err(Malformed::Foreign),
        }?;
        if source.is_station() {
            Ok(Self { source, destination, body })
        } else {
            Err(Malformed::Address)
        }
    }

    /// The bytes to send, without padding and check sequence, which the hardware adds.
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        out.extend(self.destination.0);
        out.extend(self.source.0);
        match &self.body {
            FrameBody::Arp(arp) => {
                out.extend(ARP.to_be_bytes());
                arp.emit(&mut out);
            }
            FrameBody::Echo4 { source, destination, echo } => {
                let mut message = Vec::with_capacity(8 + echo.payload.len());
                echo.emit_v4(&mut message);
                emit_icmp(*source, *destination, Payload::Whole(&message), &mut out);
            }
            FrameBody::Piece4 { source, destination, piece } => {
                emit_icmp(*source, *destination, Payload::Fragment(*piece), &mut out);
            }
            FrameBody::Piece6 { source, destination, piece } => {
                let (source, destination) = (*source, *destination);
                let (next_header, payload) = (FRAGMENT, &*piece.emit_v6(ICMPV6));
                out.extend(IPV6.to_be_bytes());
                Ipv6 { source, destination, next_header, hop_limit: 64, payload }.emit(&mut out);
            }
            FrameBody::Echo6 { source, destination, echo } => {
                let mut message = Vec::with_capacity(8 + echo.payload.len());
                echo.emit_v6(*source, *destination, &mut message);
                emit_icmpv6(*source, *destination, 64, &message, &mut out);
            }
            FrameBody::Neighbor { source, destination, message: neighbor } => {
                let mut message = Vec::with_capacity(32);
                neighbor.emit(*source, *destination, &mut message);
                emit_icmpv6(*source, *destination, 255, &message, &mut out);
            }
        }
        out
    }
}

fn parse_ipv4(packet: &[u8]) -> Result<FrameBody<'_>, Malformed> {
    let packet = Ipv4::parse(packet)?;
    if packet.protocol != ICMP {
        return Err(Malformed::Foreign);
    }
    let (source, destination) = (packet.source, packet.destination);
    Ok(match packet.payload {
        Payload::Whole(message) => {
            FrameBody::Echo4 { source, destination, echo: Echo::parse_v4(message)? }
        }
        Payload::Fragment(piece) => {
            FrameBody::Piece4 { source, destination, piece: piece.check()? }
        }
    })
}

fn parse_ipv6(packet: &[u8]) -> Result<FrameBody<'_>, Malformed> {
    let Ipv6 { source, destination, next_header, hop_limit, payload } = Ipv6::parse(packet)?;
    if next_header == FRAGMENT {
        let (next_header, piece) = Fragment::parse_v6(payload)?;
        if next_header != ICMPV6 {
            return Err(Malformed::Foreign);
        }
        return Ok(FrameBody::Piece6 { source, destination, piece: piece.check()? });
    }
    if next_header != ICMPV6 {
        return Err(Malformed::Foreign);
    }
    if checksum::icmpv6(source, destination, payload) != 0 {
        return Err(Malformed::Checksum);
    }
    match payload.first() {
        Some(&(neighbor::SOLICITATION | neighbor::ADVERTISEMENT)) if hop_limit != 255 => {
            Err(Malformed::HopLimit)
        }
        Some(&(neighbor::SOLICITATION | neighbor::ADVERTISEMENT)) => {
            let message = NeighborMessage::parse(payload, source, destination)?;
            Ok(FrameBody::Neighbor { source, destination, message })
        }
        _ => {
            let echo = Echo::parse_v6(payload)?;
            Ok(FrameBody::Echo6 { source, destination, echo })
        }
    }
}

fn emit_icmp(source: Ipv4Addr, destination: Ipv4Addr, payload: Payload<'_>, out: &mut Vec<u8>) {
    out.extend(IPV4.to_be_bytes());
    Ipv4 { source, destination, protocol: ICMP, payload }.emit(out);
}

fn emit_icmpv6(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    hop_limit: u8,
    payload: &[u8],
    out: &mut Vec<u8>,
) {
    out.extend(IPV6.to_be_bytes());
    Ipv6 { source, destination, next_header: ICMPV6, hop_limit, payload }.emit(out);
}
