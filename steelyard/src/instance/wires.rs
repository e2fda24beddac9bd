//! Between parts that do not know each other: the speaker says for which vips the forwarder takes
//! packets in, and to whom it passes them on; and all are counted.

use std::net::IpAddr;

use steelyard_forward::{Intake, Meter, Pass, Passing};
use steelyard_gateway::Gateway;
use steelyard_kube::Standings;
use steelyard_metrics::Exposition;
use steelyard_speaker::{Former, Formers, Gate, Speaker};

use super::process;
use crate::hands::descriptors::Rooms;
use crate::tell::followed;

/// What a scrape gets.
pub(super) fn expose(
    (gateway, meter): (Option<&Gateway>, Option<&Meter>),
    rooms: &Rooms,
    speaker: Option<&Speaker>,
    standings: Option<&Standings>,
) -> String {
    let mut out = Exposition::default();
    if let Some(gateway) = gateway {
        gateway.expose(&mut out);
    }
    if let Some(meter) = meter {
        meter.expose(&mut out);
    }
    rooms.expose(&mut out);
    process::expose(gateway.is_some_and(Gateway::serves_nginx), &mut out);
    if let Some(speaker) = speaker {
        speaker.expose(&mut out);
    }
    if let Some(standings) = standings {
        followed::expose(standings, &mut out);
    }
    out.into_text()
}

/// Has the forwarder pass packets as the speaker says.
#[derive(Debug)]
pub(super) struct Passes(pub(super) Passing);

impl Formers for Passes {
    fn pass(&self, all: &[Former]) {
        let pass = |it: &Former| Pass { vip: it.vip, to: it.address, link: it.link };
        self.0.pass(&all.iter().map(pass).collect::<Vec<_>>());
    }

    fn forget(&self, vips: &[IpAddr]) {
        self.0.forget(vips);
    }
}

/// Has the forwarder take packets in as the speaker says.
#[derive(Debug)]
pub(super) struct Takes(pub(super) Intake);

impl Gate for Takes {
    fn open(&self, vips: &[IpAddr]) {
        self.0.open(vips);
    }

    fn close(&self, vips: &[IpAddr]) {
        self.0.close(vips);
    }

    fn hand_over(&self, vips: &[IpAddr]) {
        self.0.linger(vips);
    }
}
