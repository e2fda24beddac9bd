//! ARP for IPv4 over Ethernet (RFC 826, with the names of RFC 5227 §1.1 for its uses).

use std::net::Ipv4Addr;

use super::{Mac, Malformed, Mark, take, take_u16};

/// Hardware type Ethernet, protocol type IPv4, their address lengths.
const ETHERNET_IPV4: [u8; 6] = [0, 1, 0x08, 0x00, 6, 4];

/// An ARP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// Asks or answers.
    pub operation: Operation,
    /// Who sends it.
    pub sender_mac: Mac,
    /// The address that the sender says it has; unspecified in a probe.
    pub sender_ip: Ipv4Addr,
    /// In an answer, who asked.
    pub target_mac: Mac,
    /// The address asked for, or of who asked.
    pub target_ip: Ipv4Addr,
    /// For those who share addresses with the sender.
    pub mark: Option<Mark>,
}

/// What an ARP packet does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Who has `target_ip`?
    Request,
    /// `sender_ip` is at `sender_mac`.
    Reply,
}

impl Arp {
    /// Asks who has `target`, as `sender` at `mac`: who answers learns that too.
    pub fn question(mac: Mac, sender: Ipv4Addr, target: Ipv4Addr) -> Self {
        Self { sender_ip: sender, ..Self::probe(mac, target) }
    }

    /// Asks whether anybody has `vip`, without teaching anybody anything (RFC 5227 §1.1).
    pub fn probe(mac: Mac, vip: Ipv4Addr) -> Self {
        Self {
            operation: Operation::Request,
            sender_mac: mac,
            sender_ip: Ipv4Addr::UNSPECIFIED,
            target_mac: Mac::ZERO,
            target_ip: vip,
            mark: None,
        }
    }

    /// Tells everybody that `vip` is at `mac`. Some listeners heed only requests, some only
    /// replies, so both forms are sent.
    pub fn announcement(operation: Operation, mac: Mac, vip: Ipv4Addr, mark: Option<Mark>) -> Self {
        let target_mac = match operation {
            Operation::Request => Mac::ZERO,
            Operation::Reply => Mac::BROADCAST,
        };
        Self { operation, sender_mac: mac, sender_ip: vip, target_mac, target_ip: vip, mark }
    }

    /// The answer to this request: the address asked for is at `mac`.
    pub fn answer(&self, mac: Mac, mark: Option<Mark>) -> Self {
        Self {
            operation: Operation::Reply,
            sender_mac: mac,
            sender_ip: self.target_ip,
            target_mac: self.sender_mac,
            target_ip: self.sender_ip,
            mark,
        }
    }

    /// Whether it asks without having an address of its own (RFC 5227 §1.1).
    pub fn is_probe(&self) -> bool {
        self.operation == Operation::Request && self.sender_ip.is_unspecified()
    }

    pub(super) fn parse(mut bytes: &[u8]) -> Result<Self, Malformed> {
        let bytes = &mut bytes;
        if take::<6>(bytes)? != &ETHERNET_IPV4 {
            return Err(Malformed::Field);
        }
        let operation = match take_u16(bytes)? {
            1 => Operation::Request,
            2 => Operation::Reply,
            _ => return Err(Malformed::Foreign),
        };
        let arp = Self {
            operation,
            sender_mac: Mac(*take(bytes)?),
            sender_ip: Ipv4Addr::from(*take::<4>(bytes)?),
            target_mac: Mac(*take(bytes)?),
            target_ip: Ipv4Addr::from(*take::<4>(bytes)?),
            mark: Mark::behind(bytes),
        };
        // Nobody can be a group: answering there would be answering everybody.
        if arp.sender_mac.is_station() { Ok(arp) } else { Err(Malformed::Address) }
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.extend(ETHERNET_IPV4);
        out.extend(match self.operation {
            Operation::Request => [0, 1],
            Operation::Reply => [0, 2],
        });
        out.extend(self.sender_mac.0);
        out.extend(self.sender_ip.octets());
        out.extend(self.target_mac.0);
        out.extend(self.target_ip.octets());
        self.mark.iter().for_each(|mark| out.extend(mark.0));
    }
}
