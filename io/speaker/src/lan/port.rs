//! One interface: a responder on a packet socket.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::task::{Context, Poll};
use std::time::Instant;

use steelyard_host::clock;
use steelyard_host::links::{self, Link};
use steelyard_host::packet::{PacketError, PacketSocket};
use steelyard_layer2::wire::{Mac, Mark};
use steelyard_layer2::{Config, Input, Output, Phase, Responder, Timing, VipChange};

/// Frames taken off one socket before others have their turn.
const BATCH: usize = 64;

/// One interface that is answered on.
pub(crate) struct Port {
    pub(crate) name: String,
    pub(crate) mac: Mac,
    pub(crate) responder: Responder,
    socket: PacketSocket,
    /// How often its cable was in or out when it was opened.
    carrier_changes: u32,
    /// A frame that the interface did not take yet. Nothing else is done meanwhile.
    stuck: Option<Vec<u8>>,
    /// Frames that it refused for good.
    pub(crate) unsent: u64,
}

/// What happened to a vip.
pub(crate) enum Happened {
    Changed(VipChange),
    /// A machine answered a probe, and said this beside.
    Answered(Mac, Option<Mark>),
}

/// What became of waiting.
pub(crate) enum Heard {
    /// Frames came in, or the interface takes some again.
    Something,
    /// The interface went down or away: the port is of no use any more.
    Lost,
}

impl Port {
    pub(crate) fn open(link: &Link, timing: Timing, echo: bool) -> Result<Self, PacketError> {
        let socket = PacketSocket::open(link.index)?;
        if links::is_wireless(&link.name)
            && let Err(error) = socket.lift_hardware_filter()
        {
            tracing::warn!(interface = link.name, %error, "the card may hold back questions");
        }
        let mac = Mac(link.mac.unwrap_or_default());
        let mut config = Config::new(mac);
        config.timing = timing;
        config.echo = echo;
        config.echo_bytes = usize::try_from(link.mtu).unwrap_or(usize::MAX);
        // Machines differ in their addresses, so they differ in when they try again.
        config.seed = mac.0.iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte));
        let responder = Responder::new(config);
        let (name, carrier_changes) = (link.name.clone(), link.carrier_changes);
        Ok(Self { name, mac, responder, socket, carrier_changes, stuck: None, unsent: 0 })
    }

    /// Whether its cable was out since it was opened, however shortly: it may be in another LAN.
    pub(crate) fn was_unplugged(&self, link: &Link) -> bool {
        self.carrier_changes != link.carrier_changes
    }

    /// What it answers for.
    pub(crate) fn announced(&self, now: Instant) -> impl Iterator<Item = IpAddr> {
        let phases = self.responder.phases(now);
        let announced = phases.filter(|(_, phase)| matches!(phase, Phase::Announced { .. }));
        announced.map(|(vip, _)| vip)
    }

    /// Tells the LAN again where all is that it answers for.
    pub(crate) fn announce_again(&mut self, now: Instant) {
        let announced: Vec<IpAddr> = self.announced(now).collect();
        for vip in announced {
            self.responder.handle(now, Input::Announce(vip));
        }
    }

    /// Tells it what it is for now.
    pub(crate) fn set(
        &mut self,
        now: Instant,
        link: &Link,
        siblings: &BTreeSet<Mac>,
        vips: Input<'_>,
    ) {
        self.name.clone_from(&link.name);
        self.mac = Mac(link.mac.unwrap_or_default());
        self.responder.handle(now, Input::Mac(self.mac));
        self.responder.handle(now, Input::Siblings(siblings));
        self.responder.handle(now, vips);
    }

    /// When it wants attention without any frame.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.stuck.is_some() { None } else { self.responder.deadline() }
    }

    /// Does all that the responder wants done, as far as the interface goes along; what happened.
    pub(crate) fn work(&mut self, now: Instant) -> Vec<(IpAddr, Happened)> {
        let mut happened = Vec::new();
        while self.stuck.is_none()
            && let Some(output) = self.responder.poll(now)
        {
            match output {
                Output::Transmit(frame) => self.send(frame),
                Output::Changed(vip, change) => happened.push((vip, Happened::Changed(change))),
                Output::Join(group) => self.note("join", group, |it| it.join(group)),
                Output::Answered(vip, by, mark) => {
                    happened.push((vip, Happened::Answered(by, mark)));
                }
                Output::Leave(group) => self.note("leave", group, |it| it.leave(group)),
            }
        }
        happened
    }

    /// Waits for frames, and hands them to the responder.
    pub(crate) fn poll_hear(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Heard> {
        if let Some(frame) = self.stuck.take() {
            match self.socket.poll_send(context, &frame) {
                // Nor is anything heard: answers would only pile up.
                Poll::Pending => {
                    self.stuck = Some(frame);
                    return Poll::Pending;
                }
                Poll::Ready(Ok(())) => return Poll::Ready(Heard::Something),
                Poll::Ready(Err(_)) => {
                    self.unsent += 1;
                    return Poll::Ready(Heard::Something);
                }
            }
        }
        let length = match self.socket.poll_receive(context, buffer) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(length)) => length,
            Poll::Ready(Err(_)) => return Poll::Ready(Heard::Lost),
        };
        let now = clock::now();
        let mut next = Some(length);
        for _ in 0..BATCH {
            let Some(length) = next else { break };
            self.responder.handle(now, Input::Frame(&buffer[..length]));
            next = self.socket.try_receive(buffer);
        }
        Poll::Ready(Heard::Something)
    }

    /// Drops all that has come and was not taken, and all that was to be said about it.
    pub(crate) fn drain(&mut self, now: Instant) {
        let mut buffer = [0; 1];
        // No more than the buffer in the kernel can hold.
        for _ in 0..1 << 16 {
            if self.socket.try_receive(&mut buffer).is_none() {
                break;
            }
        }
        self.stuck = None;
        while let Some(output) = self.responder.poll(now) {
            if let Output::Leave(group) = output {
                self.note("leave", group, |it| it.leave(group));
            }
        }
    }

    /// Where a group cannot be joined, IPv6 is off on the interface and nobody can be reached by
    /// it, or only the switch was not told, which may forward all the same. So it is no failure.
    fn note(
        &mut self,
        what: &str,
        group: Ipv6Addr,
        act: impl FnOnce(&mut PacketSocket) -> io::Result<()>,
    ) {
        if let Err(error) = act(&mut self.socket) {
            tracing::debug!(interface = self.name, %group, %error, "cannot {what} a group");
        }
    }

    fn send(&mut self, frame: Vec<u8>) {
        let mut context = Context::from_waker(std::task::Waker::noop());
        match self.socket.poll_send(&mut context, &frame) {
            Poll::Pending => self.stuck = Some(frame),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => self.unsent += 1,
        }
    }
}
