//! What a responder says unasked: probes and announcements.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Instant;

use super::{Output, Responder};
use crate::pace::{Announcement, Form};
use crate::wire::{
    Advertisement, Arp, EtherFrame, FrameBody, Mac, Mark, NeighborMessage, Operation, Solicitation,
};

/// Every node on the link (RFC 4291 §2.7.1).
pub(super) const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

impl Responder {
    pub(super) fn probe(&mut self, vip: IpAddr) {
        let mac = self.config.mac;
        match vip {
            IpAddr::V4(vip) => self.say(Mac::BROADCAST, FrameBody::Arp(Arp::probe(mac, vip))),
            IpAddr::V6(vip) => {
                let group = crate::wire::solicited_node(vip);
                let body = FrameBody::Neighbor {
                    source: Ipv6Addr::UNSPECIFIED,
                    destination: group,
                    message: NeighborMessage::Solicitation(Solicitation {
                        target: vip,
                        source_link: None,
                    }),
                };
                self.say(Mac::of_group(group), body);
            }
        }
    }

    /// Asks a host whether it is there, and lets it know who asks.
    pub(super) fn ask(&mut self, who: IpAddr, sender: IpAddr) {
        let mac = self.config.mac;
        match (who, sender) {
            (IpAddr::V4(who), IpAddr::V4(sender)) => {
                self.say(Mac::BROADCAST, FrameBody::Arp(Arp::question(mac, sender, who)));
            }
            (IpAddr::V6(who), IpAddr::V6(sender)) => {
                let group = crate::wire::solicited_node(who);
                let message = NeighborMessage::Solicitation(Solicitation {
                    target: who,
                    source_link: Some(mac),
                });
                let body = FrameBody::Neighbor { source: sender, destination: group, message };
                self.say(Mac::of_group(group), body);
            }
            _ => {}
        }
    }

    /// Sends the announcement whose turn it is, if there is one.
    pub(super) fn announce_next(&mut self, now: Instant) {
        let vips = &self.vips;
        let answers = |vip: IpAddr| vips.get(&vip).is_some_and(crate::vip::Vip::answers);
        let Some(Announcement { vip, form }) = self.announcements.pop(now, answers) else {
            return;
        };
        let (mac, mark) = (self.config.mac, self.marks.get(&vip).copied());
        match vip {
            IpAddr::V4(address) => {
                // The one that RFC 5227 §2.3 names goes first.
                let operation = match form {
                    Form::First => Operation::Request,
                    Form::Second => Operation::Reply,
                };
                let arp = Arp::announcement(operation, mac, address, mark);
                self.say(Mac::BROADCAST, FrameBody::Arp(arp));
            }
            IpAddr::V6(address) => {
                let body = advertisement(address, ALL_NODES, (mac, mark), false);
                self.say(Mac::of_group(ALL_NODES), body);
            }
        }
        self.count(vip).gratuitous += 1;
    }

    pub(super) fn say(&mut self, destination: Mac, body: FrameBody<'_>) {
        let frame = EtherFrame { source: self.config.mac, destination, body };
        self.outputs.push_back(Output::Transmit(frame.emit()));
    }
}

/// An advertisement of `vip`, sent by it. It always replaces what the listener remembers: after a
/// vip moved, the old owner's address must not linger.
pub(super) fn advertisement(
    vip: Ipv6Addr,
    to: Ipv6Addr,
    (mac, mark): (Mac, Option<Mark>),
    solicited: bool,
) -> FrameBody<'static> {
    let message = Advertisement {
        target: vip,
        router: false,
        solicited,
        replace: true,
        target_link: Some(mac),
        mark,
    };
    FrameBody::Neighbor {
        source: vip,
        destination: to,
        message: NeighborMessage::Advertisement(message),
    }
}
