//! Counters as Prometheus text. Names that MetalLB has are MetalLB's, so that dashboards go on.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;

use steelyard_layer2::{Counters, Ignored};

/// What was counted since the start, vips that are ours now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) vips: BTreeMap<IpAddr, Counters>,
    pub(crate) ignored: Ignored,
    /// Frames that an interface did not take.
    pub(crate) unsent: u64,
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
        out
    }
}

fn header(out: &mut String, name: &str, help: &str) {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter").expect("strings take all");
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
