//! What a frame means to a responder, and what it says back.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Instant;

use super::Responder;
use super::say::{ALL_NODES, advertisement};
use crate::counters::Unused;
use crate::vip::{Claim, Vip};
use crate::wire::{Advertisement, Arp, Body, Frame, Mac, Neighbor, Operation, Solicitation};

impl Responder {
    pub(super) fn on_frame(&mut self, now: Instant, bytes: &[u8]) {
        if let Err(reason) = self.hear(now, bytes) {
            self.ignored.count(reason);
        }
    }

    fn hear(&mut self, now: Instant, bytes: &[u8]) -> Result<(), Unused> {
        let frame = Frame::parse(bytes).map_err(Unused::Malformed)?;
        // What this host itself wants to know, it does not ask the LAN.
        if frame.source == self.config.mac || self.siblings.contains(&frame.source) {
            return Err(Unused::OwnFrame);
        }
        let for_us = frame.destination == self.config.mac;
        if !for_us && !frame.destination.is_group() {
            return Err(Unused::OtherStation);
        }
        match frame.body {
            Body::Arp(arp) => self.on_arp(now, arp),
            Body::Neighbor { source, destination: _, message } => match message {
                Neighbor::Solicitation(it) => self.on_solicitation(now, frame.source, source, it),
                Neighbor::Advertisement(it) => self.on_advertisement(now, frame.source, it),
            },
            // A ping to everybody is nobody's in particular.
            _ if !for_us => Err(Unused::OtherStation),
            body => self.on_ping(now, frame.source, body),
        }
    }

    /// Who speaks as a vip, in a question or an answer, claims it; who asks for it without an
    /// address of its own probes it; everybody else who asks is told.
    fn on_arp(&mut self, now: Instant, arp: Arp) -> Result<(), Unused> {
        if self.listens_for(arp.sender_ip.into()) {
            self.on_claim(now, arp.sender_ip.into(), arp.sender_mac, Claim::Has);
            return Ok(());
        }
        let vip = IpAddr::V4(arp.target_ip);
        if arp.operation != Operation::Request || !self.knows(vip) {
            return Err(Unused::OtherAddress);
        }
        if arp.is_probe() {
            self.on_claim(now, vip, arp.sender_mac, Claim::Probes);
        }
        self.asked(vip)?;
        self.reply(vip, arp.sender_mac, Body::Arp(arp.answer(self.config.mac)));
        self.count(vip).responses += 1;
        Ok(())
    }

    /// RFC 4861 §7.2.3, §7.2.4; for an asker without an address (duplicate address detection) the
    /// answer goes to all nodes.
    fn on_solicitation(
        &mut self,
        now: Instant,
        sender: Mac,
        source: Ipv6Addr,
        solicitation: Solicitation,
    ) -> Result<(), Unused> {
        let Solicitation { target, source_link } = solicitation;
        let asker = source_link.unwrap_or(sender);
        if self.knows(source.into()) {
            self.on_claim(now, source.into(), asker, Claim::Has);
            return Ok(());
        }
        let vip = IpAddr::V6(target);
        if !self.knows(vip) {
            return Err(Unused::OtherAddress);
        }
        if source.is_unspecified() {
            self.on_claim(now, vip, sender, Claim::Probes);
        }
        self.asked(vip)?;
        let mac = self.config.mac;
        if source.is_unspecified() {
            if !self.to_all.allow(now) {
                return Err(Unused::TooOften);
            }
            let body = advertisement(target, ALL_NODES, mac, false);
            self.reply(vip, Mac::of_group(ALL_NODES), body);
        } else {
            self.reply(vip, asker, advertisement(target, source, mac, true));
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
        self.on_claim(now, vip, other, Claim::Has);
        Ok(())
    }

    /// Counts a question for a vip; answers go on only while it is announced.
    fn asked(&mut self, vip: IpAddr) -> Result<(), Unused> {
        self.count(vip).requests += 1;
        if self.answers(vip) { Ok(()) } else { Err(Unused::NotAnnounced) }
    }

    pub(super) fn reply(&mut self, vip: IpAddr, to: Mac, body: Body<'_>) {
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
