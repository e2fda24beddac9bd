//! Who is who: nodes by a number that everybody works out alike from the name.

use std::fmt;
use std::net::IpAddr;

/// A node's number: 64 bits of its name's hash. Short enough to be in every datagram; two nodes of
/// one cluster that share it are told so ([`Event::NameTaken`](crate::Event::NameTaken)).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u64);

impl NodeId {
    /// The number of the node called `name`: FNV-1a, its bits mixed once more.
    pub fn of(name: &str) -> Self {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(mix(hash))
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }
}

/// An address as numbers to be hashed.
pub(crate) fn halves(address: IpAddr) -> [u64; 2] {
    match address {
        IpAddr::V4(it) => [u64::from(it.to_bits()), 4],
        IpAddr::V6(it) => {
            let [a, b, c, d, e, f, g, h] = it.segments().map(u64::from);
            [a << 48 | b << 32 | c << 16 | d, e << 48 | f << 32 | g << 16 | h]
        }
    }
}

/// The finaliser of MurmurHash3: every bit in reaches every bit out.
pub(crate) fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
