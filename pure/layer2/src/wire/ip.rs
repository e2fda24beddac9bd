//! IPv4 and IPv6 headers, as far as an echo and neighbor discovery need them.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Fragment, Malformed, checksum, take, take_u16};

/// Protocol number of ICMP.
pub(super) const ICMP: u8 = 1;
/// Next header number of ICMPv6.
pub(super) const ICMPV6: u8 = 58;
/// Next header number of the header that a piece has.
pub(super) const FRAGMENT: u8 = 44;

/// An IPv4 packet or a piece of one. Options are read over and never written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ipv4<'a> {
    pub(super) source: Ipv4Addr,
    pub(super) destination: Ipv4Addr,
    pub(super) protocol: u8,
    pub(super) payload: Payload<'a>,
}

/// What an IPv4 packet holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload<'a> {
    Whole(&'a [u8]),
    Fragment(Fragment<'a>),
}

/// An IPv6 packet without extension headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ipv6<'a> {
    pub(super) source: Ipv6Addr,
    pub(super) destination: Ipv6Addr,
    pub(super) next_header: u8,
    pub(super) hop_limit: u8,
    pub(super) payload: &'a [u8],
}

/// The multicast group on which neighbors ask for `address` (RFC 4291 §2.7.1).
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

impl<'a> Ipv4<'a> {
    pub(super) fn parse(packet: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = packet;
        let [version, _] = *take::<2>(&mut rest)?;
        let total = usize::from(take_u16(&mut rest)?);
        let header = usize::from(version & 0xf) * 4;
        if version >> 4 != 4 || header < 20 || total < header {
            return Err(Malformed::Field);
        }
        // Ethernet pads short packets: what follows `total` is not part of it.
        let packet = packet.get(..total).ok_or(Malformed::Truncated)?;
        let (head, payload) = packet.split_at(header);
        if checksum::internet(&[head]) != 0 {
            return Err(Malformed::Checksum);
        }
        let identification = u32::from(take_u16(&mut rest)?);
        let place = take_u16(&mut rest)?;
        let [_time_to_live, protocol, _, _] = *take::<4>(&mut rest)?;
        Ok(Self {
            source: Ipv4Addr::from(*take::<4>(&mut rest)?),
            destination: Ipv4Addr::from(*take::<4>(&mut rest)?),
            protocol,
            payload: match place & 0x3fff {
                0 => Payload::Whole(payload),
                _ => {
                    let (offset, more) = ((place & 0x1fff) << 3, place & 0x2000 != 0);
                    Payload::Fragment(Fragment { identification, offset, more, bytes: payload })
                }
            },
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        let (identification, place, payload) = match &self.payload {
            // Don't fragment; then the identification says nothing (RFC 6864 §4.1).
            Payload::Whole(payload) => (0, 0x4000, *payload),
            Payload::Fragment(piece) => (piece.identification, piece.place_v4(), piece.bytes),
        };
        let total = u16::try_from(20 + payload.len()).expect("one frame's worth of payload");
        let mut header = [0; 20];
        header[0] = 0x45;
        header[2..4].copy_from_slice(&total.to_be_bytes());
        header[4..6].copy_from_slice(&identification.to_be_bytes()[2..]);
        header[6..8].copy_from_slice(&place.to_be_bytes());
        header[8] = 64;
        header[9] = self.protocol;
        header[12..16].copy_from_slice(&self.source.octets());
        header[16..20].copy_from_slice(&self.destination.octets());
        let checksum = checksum::internet(&[&header]);
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
        out.extend(header);
        out.extend(payload);
    }
}

impl<'a> Ipv6<'a> {
    pub(super) fn parse(packet: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = packet;
        let [version, _, _, _] = *take::<4>(&mut rest)?;
        let length = usize::from(take_u16(&mut rest)?);
        let [next_header, hop_limit] = *take::<2>(&mut rest)?;
        if version >> 4 != 6 {
            return Err(Malformed::Field);
        }
        Ok(Self {
            source: Ipv6Addr::from(*take::<16>(&mut rest)?),
            destination: Ipv6Addr::from(*take::<16>(&mut rest)?),
            next_header,
            hop_limit,
            payload: rest.get(..length).ok_or(Malformed::Truncated)?,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        let length = u16::try_from(self.payload.len()).expect("one frame's worth of payload");
        out.extend([0x60, 0, 0, 0]);
        out.extend(length.to_be_bytes());
        out.extend([self.next_header, self.hop_limit]);
        out.extend(self.source.octets());
        out.extend(self.destination.octets());
        out.extend(self.payload);
    }
}

impl<'a> Fragment<'a> {
    /// Reads the payload of an IPv6 packet whose next header is [`FRAGMENT`], and the number of
    /// the header behind it.
    pub(super) fn parse_v6(mut payload: &'a [u8]) -> Result<(u8, Self), Malformed> {
        let [next_header, _] = *take::<2>(&mut payload)?;
        let place = take_u16(&mut payload)?;
        let identification = u32::from_be_bytes(*take::<4>(&mut payload)?);
        let (offset, more) = (place & !7, place & 1 != 0);
        Ok((next_header, Self { identification, offset, more, bytes: payload }))
    }

    pub(super) fn emit_v6(&self, next_header: u8) -> Vec<u8> {
        let mut out = vec![next_header, 0];
        out.extend(self.place_v6().to_be_bytes());
        out.extend(self.identification.to_be_bytes());
        out.extend(self.bytes);
        out
    }
}
