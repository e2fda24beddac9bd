//! What was counted, put into its families of `steelyard_metrics`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use steelyard_layer2::{Counters, Ignored};
use steelyard_membership::Refused;
use steelyard_metrics::{Exposition, MetricFamily, table};

use crate::lan::status::Sharing;

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

/// A family with a series for each vip.
type PerVip = (&'static MetricFamily<1>, fn(&Counters) -> u64);

const PER_VIP: [PerVip; 5] = [
    (&table::LAYER2_REQUESTS, |it| it.requests),
    (&table::LAYER2_RESPONSES, |it| it.responses),
    (&table::LAYER2_GRATUITOUS, |it| it.gratuitous),
    (&table::ECHO_REPLIES, |it| it.echoes),
    (&table::LAYER2_CONFLICTS, |it| it.conflicts),
];

impl Totals {
    pub(crate) fn expose(&self, out: &mut Exposition) {
        for (family, value) in PER_VIP {
            let mut series = out.family(family);
            for (vip, counters) in &self.vips {
                series.put([vip], value(counters));
            }
        }
        let mut ignored = out.family(&table::IGNORED_FRAMES);
        for (reason, count) in self.ignored.iter() {
            ignored.put([&reason.as_str()], count);
        }
        out.family(&table::UNSENT_FRAMES).put([], self.unsent);
        if let Some(shared) = &self.shared {
            shared.expose(out);
        }
    }
}

impl Shared {
    fn expose(&self, out: &mut Exposition) {
        let seconds = self.failover_time.as_secs_f64();
        out.family(&table::FAILOVERS).put([], self.failovers);
        out.family(&table::FAILOVER_TIME).summary([], seconds, self.failovers);
        out.family(&table::VIP_CONFLICTS).put([], self.conflicts);
        let mut refused = out.family(&table::HEARTBEATS_REFUSED);
        for why in Refused::ALL {
            let count = self.refused.get(&why).copied().unwrap_or_default();
            refused.put([&why.as_str()], count);
        }
    }
}

/// Round trips and owners as they stand.
pub(crate) fn expose_sharing(sharing: &Sharing, out: &mut Exposition) {
    if sharing.members.is_empty() {
        return;
    }
    let mut round_trips = out.family(&table::HEARTBEAT_ROUND_TRIP);
    for member in &sharing.members {
        if let Some(round_trip) = member.status.round_trip {
            round_trips.put([&member.status.name, &member.interface], round_trip.as_secs_f64());
        }
    }
    let mut owners = out.family(&table::VIP_OWNER);
    for vip in &sharing.vips {
        if let Some(owner) = &vip.status.owner {
            owners.put([&vip.status.vip, owner, &vip.interface], 1);
        }
    }
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
        let mut out = Exposition::default();
        totals.expose(&mut out);
        let text = out.into_text();
        for expected in [
            "# TYPE metallb_layer2_requests_received untyped\n",
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
