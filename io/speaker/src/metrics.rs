//! Counters as Prometheus text. Names that MetalLB has are MetalLB's, so that dashboards go on.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use steelyard_layer2::{Counters, Ignored};
use steelyard_membership::Refused;

use crate::status::Sharing;

/// What was counted since the start, vips that are ours now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) vips: BTreeMap<IpAddr, Counters>,
    pub(crate) ignored: Ignored,
    /// Frames that an interface did not take.
    pub(crate) unsent: u64,
    /// None where no other node shares vips.
    pub(crate) shared: Option<Shared>,
}

/// What was counted among the nodes that share vips.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared {
    /// Vips that this node took from owners that were not heard any more.
    pub(crate) failovers: u64,
    /// How long those were without an owner, together.
    pub(crate) failover_time: Duration,
    /// Times that a machine which is no member had one of the vips.
    pub(crate) conflicts: u64,
    pub(crate) refused: BTreeMap<Refused, u64>,
}

type Column = (&'static str, &'static str, fn(&Counters) -> u64);

const COLUMNS: [Column; 5] = [
    (
        "metallb_layer2_requests_received",
        "ARP requests and neighbor solicitations received for the address",
        |it| it.requests,
    ),
    ("metallb_layer2_responses_sent", "Answers to them", |it| it.responses),
    ("metallb_layer2_gratuitous_sent", "Unasked announcements of the address, in frames", |it| {
        it.gratuitous
    }),
    ("steelyard_layer2_echo_replies_total", "Pings answered for the address", |it| it.echoes),
    (
        "steelyard_layer2_conflicts_total",
        "Frames in which another machine claimed the address",
        |it| it.conflicts,
    ),
];

impl Totals {
    pub(crate) fn render(&self) -> String {
        let mut out = String::new();
        for (name, help, value) in COLUMNS {
            header(&mut out, name, help);
            for (vip, counters) in &self.vips {
                line(&mut out, name, &format!("ip=\"{vip}\""), value(counters));
            }
        }
        let name = "steelyard_layer2_ignored_frames_total";
        header(&mut out, name, "Frames heard that led to nothing, by reason");
        for (reason, count) in self.ignored.iter() {
            line(&mut out, name, &format!("reason=\"{}\"", reason.as_str()), count);
        }
        let name = "steelyard_layer2_unsent_frames_total";
        header(&mut out, name, "Frames that an interface did not take");
        writeln!(out, "{name} {}", self.unsent).expect("strings take all");
        if let Some(shared) = &self.shared {
            shared.render(&mut out);
        }
        out
    }
}

impl Shared {
    fn render(&self, out: &mut String) {
        let name = "steelyard_failovers_total";
        header(out, name, "Addresses taken over from nodes that were not heard any more");
        writeln!(out, "{name} {}", self.failovers).expect("strings take all");
        let name = "steelyard_failover_seconds";
        let seconds = self.failover_time.as_secs_f64();
        writeln!(
            out,
            "# HELP {name} From the owner's last heartbeat due to the announcement by this node\n\
             # TYPE {name} summary\n{name}_sum {seconds}\n{name}_count {}",
            self.failovers
        )
        .expect("strings take all");
        let name = "steelyard_vip_conflicts_total";
        header(out, name, "Times that a machine which is no member had one of the addresses");
        writeln!(out, "{name} {}", self.conflicts).expect("strings take all");
        let name = "steelyard_heartbeats_refused_total";
        header(out, name, "Datagrams on the port of heartbeats that were not taken, by reason");
        for why in Refused::ALL {
            let count = self.refused.get(&why).copied().unwrap_or_default();
            line(out, name, &format!("reason=\"{}\"", why.as_str()), count);
        }
    }
}

/// Round trips and owners as they stand.
pub(crate) fn render_sharing(sharing: &Sharing) -> String {
    let mut out = String::new();
    if sharing.members.is_empty() {
        return out;
    }
    let name = "steelyard_heartbeat_rtt_seconds";
    gauge(&mut out, name, "Round trip of heartbeats");
    for member in &sharing.members {
        if let Some(round_trip) = member.status.round_trip {
            let (name, interface) = (&member.status.name, &member.interface);
            let labels = format!("peer=\"{name}\",interface=\"{interface}\"");
            writeln!(out, "{name}{{{labels}}} {}", round_trip.as_secs_f64())
                .expect("strings take all");
        }
    }
    let name = "steelyard_vip_owner";
    gauge(&mut out, name, "1 for the node that owns the address, as this node knows");
    for vip in &sharing.vips {
        if let Some(owner) = &vip.status.owner {
            let (ip, interface) = (vip.status.vip, &vip.interface);
            let labels = format!("ip=\"{ip}\",node=\"{owner}\",interface=\"{interface}\"");
            line(&mut out, name, &labels, 1);
        }
    }
    out
}

fn header(out: &mut String, name: &str, help: &str) {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter").expect("strings take all");
}

fn gauge(out: &mut String, name: &str, help: &str) {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge").expect("strings take all");
}

fn line(out: &mut String, name: &str, label: &str, value: u64) {
    writeln!(out, "{name}{{{label}}} {value}").expect("strings take all");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_metallbs() {
        let mut totals = Totals { unsent: 4, ..Totals::default() };
        let counters =
            Counters { requests: 3, responses: 2, gratuitous: 10, ..Counters::default() };
        totals.vips.insert("10.1.1.100".parse().unwrap(), counters);
        let text = totals.render();
        for expected in [
            "# TYPE metallb_layer2_requests_received counter\n",
            "\nmetallb_layer2_requests_received{ip=\"10.1.1.100\"} 3\n",
            "\nmetallb_layer2_responses_sent{ip=\"10.1.1.100\"} 2\n",
            "\nmetallb_layer2_gratuitous_sent{ip=\"10.1.1.100\"} 10\n",
            "\nsteelyard_layer2_conflicts_total{ip=\"10.1.1.100\"} 0\n",
            "\nsteelyard_layer2_ignored_frames_total{reason=\"checksum\"} 0\n",
            "\nsteelyard_layer2_unsent_frames_total 4\n",
        ] {
            assert!(text.contains(expected), "{expected} is not in:\n{text}");
        }
    }
}
