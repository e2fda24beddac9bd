//! Neighbor solicitation and advertisement (RFC 4861 §4.3, §4.4; checks of §7.1).

use std::net::Ipv6Addr;

use super::mark::{OPTION as MARK_OPTION, UNITS as MARK_UNITS};
use super::{Mac, Malformed, Mark, checksum, take};

/// Type of a solicitation.
pub(super) const SOLICITATION: u8 = 135;
/// Type of an advertisement.
pub(super) const ADVERTISEMENT: u8 = 136;
const SOURCE_LINK: u8 = 1;
const TARGET_LINK: u8 = 2;
const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

/// Either message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeighborMessage {
    /// Who has this address?
    Solicitation(Solicitation),
    /// This address is here.
    Advertisement(Advertisement),
}

/// Who has `target`?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Solicitation {
    /// The address asked for.
    pub target: Ipv6Addr,
    /// Link-layer address of who asks, where it says so: an asker that only checks that we are
    /// still there (unicast) need not.
    pub source_link: Option<Mac>,
}

/// `target` is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertisement {
    /// The address.
    pub target: Ipv6Addr,
    /// The sender is a router.
    pub router: bool,
    /// It answers a solicitation sent by an address.
    pub solicited: bool,
    /// What the listener remembers is to be replaced.
    pub replace: bool,
    /// Link-layer address of the target.
    pub target_link: Option<Mac>,
    /// For those who share addresses with the sender.
    pub mark: Option<Mark>,
}

impl NeighborMessage {
    /// Reads a message whose checksum and hop limit are checked already.
    pub(super) fn parse(
        mut message: &[u8],
        source: Ipv6Addr,
        destination: Ipv6Addr,
    ) -> Result<Self, Malformed> {
        let [kind, code, _, _, flags, _, _, _] = *take::<8>(&mut message)?;
        let target = Ipv6Addr::from(*take::<16>(&mut message)?);
        if code != 0 {
            return Err(Malformed::Field);
        }
        if target.is_multicast() {
            return Err(Malformed::Address);
        }
        match kind {
            SOLICITATION => {
                let source_link = link_option(message, SOURCE_LINK)?;
                Solicitation { target, source_link }.checked(source, destination)
            }
            ADVERTISEMENT => {
                let advertisement = Advertisement {
                    target,
                    router: flags & ROUTER != 0,
                    solicited: flags & SOLICITED != 0,
                    replace: flags & OVERRIDE != 0,
                    target_link: link_option(message, TARGET_LINK)?,
                    mark: mark_option(message),
                };
                advertisement.checked(destination)
            }
            _ => Err(Malformed::Foreign),
        }
    }

    pub(super) fn emit(&self, source: Ipv6Addr, destination: Ipv6Addr, out: &mut Vec<u8>) {
        let start = out.len();
        let (kind, flags, target, option) = match self {
            Self::Solicitation(it) => (SOLICITATION, 0, it.target, it.source_link),
            Self::Advertisement(it) => (ADVERTISEMENT, it.flags(), it.target, it.target_link),
        };
        out.extend([kind, 0, 0, 0, flags, 0, 0, 0]);
        out.extend(target.octets());
        if let Some(mac) = option {
            let number = if kind == SOLICITATION { SOURCE_LINK } else { TARGET_LINK };
            out.extend([number, 1]);
            out.extend(mac.0);
        }
        if let Self::Advertisement(Advertisement { mark: Some(mark), .. }) = self {
            out.extend([MARK_OPTION, MARK_UNITS]);
            out.extend(mark.0);
        }
        let checksum = checksum::icmpv6(source, destination, &out[start..]);
        out[start + 2..start + 4].copy_from_slice(&checksum.to_be_bytes());
    }
}

impl Solicitation {
    /// An asker without an address (duplicate address detection) asks the target's group and
    /// names no link-layer address (RFC 4861 §7.1.1).
    fn checked(
        self,
        source: Ipv6Addr,
        destination: Ipv6Addr,
    ) -> Result<NeighborMessage, Malformed> {
        let group = super::solicited_node(self.target);
        if source.is_multicast() || (destination != group && destination != self.target) {
            return Err(Malformed::Address);
        }
        if source.is_unspecified() && (destination != group || self.source_link.is_some()) {
            return Err(Malformed::Address);
        }
        Ok(NeighborMessage::Solicitation(self))
    }
}

impl Advertisement {
    /// One sent to a group answers nobody (RFC 4861 §7.1.2).
    fn checked(self, destination: Ipv6Addr) -> Result<NeighborMessage, Malformed> {
        if destination.is_multicast() && self.solicited {
            return Err(Malformed::Field);
        }
        Ok(NeighborMessage::Advertisement(self))
    }

    fn flags(&self) -> u8 {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        flag(self.router, ROUTER) | flag(self.solicited, SOLICITED) | flag(self.replace, OVERRIDE)
    }
}

/// The first link-layer address option of that number; all options must have a length.
fn link_option(mut options: &[u8], wanted: u8) -> Result<Option<Mac>, Malformed> {
    let mut found = None;
    while let [number, units, ..] = *options {
        let length = usize::from(units) * 8;
        if length == 0 || length > options.len() {
            return Err(Malformed::Options);
        }
        let (option, rest) = options.split_at(length);
        if number == wanted && found.is_none() {
            let mac = Mac(*take(&mut &option[2..])?);
            if units != 1 || !mac.is_station() {
                return Err(Malformed::Options);
            }
            found = Some(mac);
        }
        options = rest;
    }
    if options.is_empty() { Ok(found) } else { Err(Malformed::Options) }
}

/// The first mark among options that add up.
fn mark_option(mut options: &[u8]) -> Option<Mark> {
    while let [number, units, ..] = *options {
        let (option, rest) = options.split_at_checked(usize::from(units.max(1)) * 8)?;
        if (number, units) == (MARK_OPTION, MARK_UNITS) {
            return option[2..].first_chunk().map(|bytes| Mark(*bytes));
        }
        options = rest;
    }
    None
}
