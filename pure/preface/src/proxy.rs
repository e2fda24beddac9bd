//! The PROXY protocol, versions 1 and 2 (HAProxy's `proxy-protocol.txt`): in front of all else, a
//! load balancer says where the connection comes from that it passes on.
//!
//! A header is read only where one is to be: whether that is so, and whose word is taken, is the
//! caller's business (an entry point's trusted ranges).

use std::net::{IpAddr, SocketAddr};

use steelyard_model::routing::transport::ProxyVersion;

use crate::crc32c;
use crate::fields::{Fields, Short};

mod v1;

/// What a header of version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Bytes of a header of version 2 before its addresses.
const HEAD: usize = 16;

/// The most bytes that may follow them: addresses, and what else a sender tells (TLVs).
const MOST: usize = 4096;

/// Kinds of TLVs (§2.2): a checksum of the header, and what is only there to fill it up.
const CHECKSUM: u8 = 0x03;

/// Source and destination of a connection, of the same family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    /// Who connected, and to which address; none where the sender speaks for itself (its own
    /// health check), or does not know: then the socket's own count.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
}

/// Why what came is no header. Nothing of the connection may be used then (§2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyFault {
    /// The first bytes are something else.
    #[error("no PROXY header")]
    Missing,
    /// It is longer than one may be.
    #[error("a PROXY header that is too long")]
    TooLong,
    /// It is none of either version.
    #[error("a PROXY header that cannot be read")]
    Malformed,
    /// Its checksum is another.
    #[error("a PROXY header whose checksum is wrong")]
    Checksum,
}

impl ProxyHeader {
    /// Reads the header that `bytes` begin with, and how many of them it has; none if that takes
    /// more of them.
    ///
    /// # Errors
    /// When it will not become a header however much follows.
    pub fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, ProxyFault> {
        if bytes.starts_with(SIGNATURE) {
            return v2(bytes);
        }
        if SIGNATURE.starts_with(bytes) {
            return Ok(None);
        }
        v1::read(bytes)
    }

    /// A header for a connection from `source` to `destination`. Where one of them is IPv4 and the
    /// other is not, both are written as IPv6.
    pub fn write(version: ProxyVersion, source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
        let (source, destination) = (canonical(source), canonical(destination));
        let (source, destination) = match (source, destination) {
            (SocketAddr::V4(_), SocketAddr::V4(_)) => (source, destination),
            _ => (mapped(source), mapped(destination)),
        };
        match version {
            ProxyVersion::V1 => v1::write(source, destination),
            ProxyVersion::V2 => write_v2(source, destination),
        }
    }
}

fn v2(bytes: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyFault> {
    let Some(head) = bytes.get(..HEAD) else {
        return Ok(None);
    };
    let (version_command, family) = (head[12], head[13]);
    let length = usize::from(u16::from_be_bytes([head[14], head[15]]));
    if length > MOST {
        return Err(ProxyFault::TooLong);
    }
    let is_local = match version_command {
        0x20 => true,
        0x21 => false,
        _ => return Err(ProxyFault::Malformed),
    };
    let Some(header) = bytes.get(..HEAD + length) else { return Ok(None) };
    if is_local {
        // Whatever family it names, and whatever it has behind that, is to be passed over (§2.2).
        return Ok(Some((ProxyHeader { addresses: None }, header.len())));
    }
    let mut fields = Fields(&header[HEAD..]);
    let addresses = match family {
        0x11 | 0x12 => Some(addresses::<4>(&mut fields)?),
        0x21 | 0x22 => Some(addresses::<16>(&mut fields)?),
        // Unix sockets, and what nobody told.
        0x31 | 0x32 => {
            fields.bytes(216)?;
            None
        }
        // Without a family nobody says where addresses end and TLVs begin.
        0x00 => return Ok(Some((ProxyHeader { addresses: None }, header.len()))),
        _ => return Err(ProxyFault::Malformed),
    };
    check(header, fields)?;
    Ok(Some((ProxyHeader { addresses }, header.len())))
}

/// Goes through the TLVs behind the addresses, and holds a checksum among them against the whole.
fn check(header: &[u8], mut fields: Fields<'_>) -> Result<(), ProxyFault> {
    while !fields.is_empty() {
        let kind = fields.u8()?;
        let value = fields.after_u16()?;
        if kind != CHECKSUM {
            continue;
        }
        let told: [u8; 4] = value.try_into().map_err(|_| ProxyFault::Malformed)?;
        // It is made with zeros in its own place.
        let end = header.len() - fields.0.len();
        let own = end - told.len()..end;
        let bytes = header.iter().enumerate();
        let without = bytes.map(|(at, byte)| if own.contains(&at) { 0 } else { *byte });
        if crc32c::checksum(without) != u32::from_be_bytes(told) {
            return Err(ProxyFault::Checksum);
        }
    }
    Ok(())
}

/// Both addresses, then both ports.
fn addresses<const N: usize>(fields: &mut Fields<'_>) -> Result<(SocketAddr, SocketAddr), Short>
where
    [u8; N]: Into<IpAddr>,
{
    let (source, destination) = (fields.array::<N>()?.into(), fields.array::<N>()?.into());
    let ports = (fields.u16()?, fields.u16()?);
    Ok((SocketAddr::new(source, ports.0), SocketAddr::new(destination, ports.1)))
}

fn write_v2(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    let (family, length) = if source.is_ipv4() { (0x11, 12) } else { (0x21, 36) };
    header.extend([0x21, family, 0, length]);
    for address in [source, destination] {
        match address.ip() {
            IpAddr::V4(ip) => header.extend(ip.octets()),
            IpAddr::V6(ip) => header.extend(ip.octets()),
        }
    }
    for address in [source, destination] {
        header.extend(address.port().to_be_bytes());
    }
    header
}

/// IPv4 that came by an IPv6 socket is IPv4.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn mapped(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
        SocketAddr::V6(_) => address,
    }
}

impl From<Short> for ProxyFault {
    fn from(_: Short) -> Self {
        Self::Malformed
    }
}
