//! What a frame means to a responder, and what it says back.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Instant;

use super::say::{ALL_NODES, advertisement};
use super::{CHECK, Responder, is_unicast};
use crate::counters::Unused;
use crate::vip::{Claim, Vip};
use crate::wire::{
    Advertisement, Arp, EtherFrame, FrameBody, Mac, NeighborMessage, Operation, Solicitation,
};

impl Responder {
    pub(super) fn on_frame(&mut self, now: Instant, bytes: &[u8]) {
        if let Err(reason) = self.hear(now, bytes) {
            self.ignored.count(reason);
        }
    }

    fn hear(&mut self, now: Instant, bytes: &[u8]) -> Result<(), Unused> {
        let frame = EtherFrame::parse(bytes).map_err(Unused::Malformed)?;
        // What this host itself wants to know, it does not ask the LAN.
        if frame.source == self.config.mac || self.siblings.contains(&frame.source) {
            return Err(Unused::OwnFrame);
        }
        self.note_host(&frame.body);
        let for_us = frame.destination == self.config.mac;
        if !for_us && !frame.destination.is_group() {
            return Err(Unused::OtherStation);
        }
        match frame.body {
            FrameBody::Arp(arp) => self.on_arp(now, arp, !for_us),
            FrameBody::Neighbor { source, destination: _, message } => match message {
                NeighborMessage::Solicitation(it) => {
                    self.on_solicitation(now, (frame.source, source), it, !for_us)
                }
                NeighborMessage::Advertisement(it) => self.on_advertisement(now, frame.source, it),
            },
            // A ping to everybody is nobody's in particular.
            _ if !for_us => Err(Unused::OtherStation),
            body => self.on_ping(now, frame.source, body),
        }
    }

    /// Who speaks as a vip, in a question or an answer, claims it; who asks for it without an
    /// address of its own probes it; everybody else who asks is told.
    fn on_arp(&mut self, now: Instant, arp: Arp, to_all: bool) -> Result<(), Unused> {
        if self.listens_for(arp.sender_ip.into()) {
            self.on_claim(now, arp.sender_ip.into(), (arp.sender_mac, arp.mark), Claim::Has);
            return Ok(());
        }
        let vip = IpAddr::V4(arp.target_ip);
        if arp.is_probe() && self.listens_for(vip) {
            self.on_claim(now, vip, (arp.sender_mac, None), Claim::Probes);
        }
        if arp.operation != Operation::Request || !self.knows(vip) {
            return Err(Unused::OtherAddress);
        }
        self.asked(vip)?;
        let mark = self.marks.get(&vip).copied();
        self.reply(vip, arp.sender_mac, FrameBody::Arp(arp.answer(self.config.mac, mark)));
        if to_all && !arp.is_probe() {
            self.check(now, vip);
        }
        self.count(vip).responses += 1;
        Ok(())
    }

    /// RFC 4861 §7.2.3, §7.2.4; for an asker without an address (duplicate address detection) the
    /// answer goes to all nodes.
    fn on_solicitation(
        &mut self,
        now: Instant,
        (sender, source): (Mac, Ipv6Addr),
        solicitation: Solicitation,
        to_all: bool,
    ) -> Result<(), Unused> {
        let Solicitation { target, source_link } = solicitation;
        let asker = source_link.unwrap_or(sender);
        if self.knows(source.into()) {
            self.on_claim(now, source.into(), (asker, None), Claim::Has);
            return Ok(());
        }
        let vip = IpAddr::V6(target);
        if source.is_unspecified() && self.listens_for(vip) {
            self.on_claim(now, vip, (sender, None), Claim::Probes);
        }
        if !self.knows(vip) {
            return Err(Unused::OtherAddress);
        }
        self.asked(vip)?;
        let (mac, mark) = (self.config.mac, self.marks.get(&vip).copied());
        if source.is_unspecified() {
            if !self.to_all.allow(now) {
                return Err(Unused::TooOften);
            }
            let body = advertisement(target, ALL_NODES, (mac, mark), false);
            self.reply(vip, Mac::of_group(ALL_NODES), body);
        } else {
            self.reply(vip, asker, advertisement(target, source, (mac, mark), true));
            if to_all {
                self.check(now, vip);
            }
        }
        self.count(vip).responses += 1;
        Ok(())
    }

    fn on_advertisement(
        &mut self,
        now: Instant,
        sender: Mac,
        advertisement: Advertisement,
    ) -> Result<(), Unused> {
        let vip = IpAddr::V6(advertisement.target);
        if !self.listens_for(vip) {
            return Err(Unused::OtherAddress);
        }
        let other = advertisement.target_link.unwrap_or(sender);
        self.on_claim(now, vip, (other, advertisement.mark), Claim::Has);
        Ok(())
    }

    /// Somebody asks everybody for a vip of ours: another who shares it may answer as well.
    fn check(&mut self, now: Instant, vip: IpAddr) {
        let due = self.checked.get(&vip).is_none_or(|at| now >= *at + CHECK);
        if due && self.marks.contains_key(&vip) && self.checks.allow(now) {
            self.checked.insert(vip, now);
            self.probe(vip);
        }
    }

    /// Takes note of who speaks, by an address that it can be asked at.
    fn note_host(&mut self, body: &FrameBody<'_>) {
        let said: Option<IpAddr> = match body {
            FrameBody::Arp(arp) => Some(arp.sender_ip.into()),
            FrameBody::Neighbor { source, .. } => Some((*source).into()),
            _ => None,
        };
        let host = said.filter(|it| is_unicast(*it) && !self.listens_for(*it));
        self.heard.note(host);
    }

    /// Counts a question for a vip; answers go on only while it is announced.
    fn asked(&mut self, vip: IpAddr) -> Result<(), Unused> {
        self.count(vip).requests += 1;
        if self.answers(vip) { Ok(()) } else { Err(Unused::NotAnnounced) }
    }

    pub(super) fn reply(&mut self, vip: IpAddr, to: Mac, body: FrameBody<'_>) {
        debug_assert!(self.answers(vip), "only announced vips answer");
        self.say(to, body);
    }

    pub(super) fn knows(&self, address: IpAddr) -> bool {
        self.vips.contains_key(&address)
    }

    /// Whether it matters who has it.
    fn listens_for(&self, address: IpAddr) -> bool {
        self.knows(address) || self.probed.contains_key(&address)
    }

    pub(super) fn answers(&self, vip: IpAddr) -> bool {
        self.vips.get(&vip).is_some_and(Vip::answers)
    }

    pub(super) fn count(&mut self, vip: IpAddr) -> &mut crate::counters::Counters {
        self.counters.entry(vip).or_default()
    }
}
