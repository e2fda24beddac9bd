//! Counters of all cores, summed and written under Traefik's names.

pub(crate) mod nginx;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::AddAssign;
use std::sync::Arc;

use steelyard_http::SpanCounts;
use steelyard_metrics::{BucketBounds, Distribution, Exposition, MetricFamily, table};
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::world::RoutingMap;

use crate::options::{HeaderLabel, MetricViews};
use crate::tell::headed::HeadedValues;
use crate::tell::metrics::{HandshakeEnd, Labels, Sample, TlsLabels, Totals, code_text};
use crate::up::tally::EndpointTotals;

/// What is known of configurations.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reloads {
    pub(crate) total: u64,
    /// Seconds since 1970.
    pub(crate) last_success: u64,
}

/// One of the three views on the same series.
struct View<const N: usize> {
    requests: &'static MetricFamily<N>,
    durations: &'static MetricFamily<N>,
    request_bytes: &'static MetricFamily<N>,
    response_bytes: &'static MetricFamily<N>,
    /// Its label values, in the families' order; `None` when the series is not of this view.
    values: fn(&Labels) -> Option<[&str; N]>,
}

const ENTRY_POINTS: View<4> = View {
    requests: &table::ENTRY_POINT_REQUESTS,
    durations: &table::ENTRY_POINT_DURATIONS,
    request_bytes: &table::ENTRY_POINT_REQUEST_BYTES,
    response_bytes: &table::ENTRY_POINT_RESPONSE_BYTES,
    values: |it| Some([code_text(it.code), &it.entry_point, it.method, it.protocol]),
};

const ROUTERS: View<5> = View {
    requests: &table::ROUTER_REQUESTS,
    durations: &table::ROUTER_DURATIONS,
    request_bytes: &table::ROUTER_REQUEST_BYTES,
    response_bytes: &table::ROUTER_RESPONSE_BYTES,
    values: |it| {
        let service = it.service.as_deref().unwrap_or_default();
        Some([code_text(it.code), it.method, it.protocol, it.router.as_deref()?, service])
    },
};

const SERVICES: View<4> = View {
    requests: &table::SERVICE_REQUESTS,
    durations: &table::SERVICE_DURATIONS,
    request_bytes: &table::SERVICE_REQUEST_BYTES,
    response_bytes: &table::SERVICE_RESPONSE_BYTES,
    values: |it| Some([code_text(it.code), it.method, it.protocol, it.service.as_deref()?]),
};

/// What became of traced requests.
pub(crate) fn expose_spans(counts: SpanCounts, out: &mut Exposition) {
    let mut traced = out.family(&table::TRACED);
    traced.put([&"sent"], counts.sent);
    traced.put([&"dropped"], counts.dropped);
}

/// How many lines of the access log were dropped.
pub(crate) fn expose_log(lost: u64, out: &mut Exposition) {
    out.family(&table::LOG_LOST).put([], lost);
}

/// Handshakes, and requests over TLS.
fn expose_tls(samples: &[Sample], views: MetricViews, out: &mut Exposition) {
    let handshakes = sums(samples, |sample| &sample.handshakes);
    for (family, shown) in [
        (&table::HANDSHAKES, HandshakeEnd::Held),
        (&table::HANDSHAKES_RESUMED, HandshakeEnd::Resumed),
    ] {
        let mut family = out.family(family);
        for ((entry_point, _), count) in handshakes.iter().filter(|((_, end), _)| *end == shown) {
            family.put([entry_point], *count);
        }
    }
    let mut failures = out.family(&table::HANDSHAKE_FAILURES);
    for ((entry_point, end), count) in &handshakes {
        if let HandshakeEnd::Failed(cause) = end {
            failures.put([cause, entry_point], *count);
        }
    }
    let secured = sums(samples, |sample| &sample.secured);
    let all = |values: &dyn Fn(&TlsLabels) -> Option<Vec<Arc<str>>>| {
        let mut sums = BTreeMap::<(Vec<Arc<str>>, &str, &str), u64>::new();
        for (labels, count) in &secured {
            if let Some(values) = values(labels) {
                *sums.entry((values, labels.cipher, labels.version)).or_default() += count;
            }
        }
        sums
    };
    if views.entry_points {
        let mut series = out.family(&table::ENTRY_POINT_TLS_REQUESTS);
        for ((values, cipher, version), count) in all(&|it| Some(vec![it.entry_point.clone()])) {
            series.put([&values[0], &cipher, &version], count);
        }
    }
    if views.routers {
        let mut series = out.family(&table::ROUTER_TLS_REQUESTS);
        let values =
            |it: &TlsLabels| Some(vec![it.router.clone()?, it.service.clone().unwrap_or_default()]);
        for ((values, cipher, version), count) in all(&values) {
            series.put([&values[0], &values[1], &cipher, &version], count);
        }
    }
    if views.services {
        let mut series = out.family(&table::SERVICE_TLS_REQUESTS);
        for ((values, cipher, version), count) in all(&|it| Some(vec![it.service.clone()?])) {
            series.put([&values[0], &cipher, &version], count);
        }
    }
}

/// Until when certificates are valid.
pub(crate) fn expose_certificates(routing: &RoutingMap, out: &mut Exposition) {
    // One that several Secrets hold, as wildcards are copied into many namespaces, is one series.
    let mut all = BTreeMap::new();
    for certificate in routing.certificates.values() {
        let names = certificate.names.iter().filter_map(|name| match name {
            HostPattern::Exact(name) => Some(name.to_string()),
            HostPattern::Label(suffix) => Some(format!("*.{suffix}")),
            HostPattern::Labels(_) | HostPattern::Any => None,
        });
        let mut names: Vec<String> =
            names.chain(certificate.addresses.iter().map(ToString::to_string)).collect();
        names.sort();
        let until = certificate.validity.1;
        all.insert((&certificate.subject, names.join(","), &certificate.serial), until);
    }
    let mut series = out.family(&table::CERTIFICATES);
    for ((subject, names, serial), until) in all {
        series.put([subject, &names, serial], until);
    }
}

/// What signers say of certificates that ask for it.
pub(crate) fn expose_staples((taken, none): (u64, u64), lacking: usize, out: &mut Exposition) {
    out.family(&table::OCSP_ANSWERS).put([&"taken"], taken).put([&"none"], none);
    out.family(&table::OCSP_LACKING).put([], lacking);
}

/// What is counted beside the views: what went wrong, and each endpoint.
fn expose_rest(samples: &[Sample], bounds: &BucketBounds, out: &mut Exposition) {
    let mut faults = out.family(&table::REQUEST_FAULTS);
    for ((entry_point, cause), count) in sums(samples, |sample| &sample.faults) {
        faults.put([cause, entry_point], count);
    }
    let endpoints = sums(samples, |sample| &sample.endpoints);
    let mut durations = out.family(&table::ENDPOINT_DURATIONS);
    for (endpoint, EndpointTotals { buckets, requests, seconds, .. }) in &endpoints {
        let bounds = bounds.as_slice();
        let of = Distribution { bounds, buckets, count: *requests, sum: *seconds };
        durations.histogram([endpoint], of);
    }
    let mut in_flight = out.family(&table::ENDPOINT_IN_FLIGHT);
    for (endpoint, totals) in &endpoints {
        in_flight.put([endpoint], totals.in_flight);
    }
    let mut connects = out.family(&table::ENDPOINT_CONNECTS);
    for (endpoint, totals) in &endpoints {
        connects.summary([endpoint], totals.connect_seconds, totals.connects);
    }
    let mut failures = out.family(&table::ENDPOINT_CONNECT_FAULTS);
    for (endpoint, totals) in &endpoints {
        failures.put([endpoint], totals.failures);
    }
}

/// What TCP routes carry.
fn expose_tcp(samples: &[Sample], out: &mut Exposition) {
    let tcp = sums(samples, |sample| &sample.tcp);
    let mut connections = out.family(&table::TCP_CONNECTIONS);
    for ((entry_point, service), totals) in &tcp {
        connections.put([entry_point, service], totals.connections);
    }
    let mut bytes = out.family(&table::TCP_BYTES);
    for ((entry_point, service), totals) in &tcp {
        bytes.put([&"in", entry_point, service], totals.bytes_in);
        bytes.put([&"out", entry_point, service], totals.bytes_out);
    }
}

/// What UDP routes carry.
fn expose_udp(samples: &[Sample], out: &mut Exposition) {
    let udp = sums(samples, |sample| &sample.udp);
    let mut sessions = out.family(&table::UDP_SESSIONS);
    for ((entry_point, service), totals) in &udp {
        sessions.put([entry_point, service], totals.sessions);
    }
    let mut datagrams = out.family(&table::UDP_DATAGRAMS);
    for ((entry_point, service), totals) in &udp {
        datagrams.put([&"in", entry_point, service], totals.came.0);
        datagrams.put([&"out", entry_point, service], totals.went.0);
    }
    let mut bytes = out.family(&table::UDP_BYTES);
    for ((entry_point, service), totals) in &udp {
        bytes.put([&"in", entry_point, service], totals.came.1);
        bytes.put([&"out", entry_point, service], totals.went.1);
    }
}

/// Everything a scrape gets.
pub(crate) fn expose(
    samples: &[Sample],
    reloads: Reloads,
    (views, labels): (MetricViews, &[HeaderLabel]),
    bounds: &BucketBounds,
    out: &mut Exposition,
) {
    out.family(&table::CONFIG_RELOADS).put([], reloads.total);
    out.family(&table::CONFIG_LAST_RELOAD).put([], reloads.last_success);
    let mut open = out.family(&table::OPEN_CONNECTIONS);
    for ((entry_point, protocol), count) in sums(samples, |sample| &sample.open) {
        open.put([entry_point, protocol], count);
    }
    if views.entry_points {
        ENTRY_POINTS.expose(samples, labels, bounds, out);
    }
    if views.routers {
        ROUTERS.expose(samples, labels, bounds, out);
    }
    if views.services {
        SERVICES.expose(samples, labels, bounds, out);
    }
    expose_tls(samples, views, out);
    expose_rest(samples, bounds, out);
    let mut unspent = out.family(&table::RETRIES_WITHHELD);
    for (service, count) in sums(samples, |sample| &sample.unspent) {
        unspent.put([service], count);
    }
    let mut retries = out.family(&table::SERVICE_RETRIES);
    for (service, count) in sums(samples, |sample| &sample.retries) {
        retries.put([service], count);
    }
    let mut asked = out.family(&table::FILTER_ASKS);
    for ((filter, outcome), count) in sums(samples, |sample| &sample.asked) {
        asked.put([filter, outcome], count);
    }
    let mut refused = out.family(&table::FILTER_REFUSALS);
    for (filter, count) in sums(samples, |sample| &sample.refused) {
        refused.put([filter], count);
    }
    let mut copies = out.family(&table::COPIED_REQUESTS);
    for (outcome, count) in sums(samples, |sample| &sample.copies) {
        copies.put([outcome], count);
    }
    let mut room = out.family(&table::MADE_ROOM);
    for ((entry_point, awaited), count) in sums(samples, |sample| &sample.room) {
        room.put([awaited, entry_point], count);
    }
    expose_tcp(samples, out);
    expose_udp(samples, out);
    let mut turned_away = out.family(&table::TURNED_AWAY);
    for ((entry_point, cause), count) in sums(samples, |sample| &sample.turned_away) {
        turned_away.put([cause, entry_point], count);
    }
    let mut floods = out.family(&table::FLOODED);
    for ((entry_point, kind), count) in sums(samples, |sample| &sample.floods) {
        floods.put([entry_point, kind], count);
    }
}

/// What all cores have counted, by what it is of.
fn sums<'s, K: Ord, N: Copy + Default + AddAssign + 's>(
    samples: &'s [Sample],
    part: fn(&Sample) -> &[(K, N)],
) -> BTreeMap<&'s K, N> {
    let mut sums = BTreeMap::<&K, N>::new();
    for (key, count) in samples.iter().flat_map(part) {
        *sums.entry(key).or_default() += *count;
    }
    sums
}

impl<const N: usize> View<N> {
    fn expose(
        &self,
        samples: &[Sample],
        labels: &[HeaderLabel],
        bounds: &BucketBounds,
        out: &mut Exposition,
    ) {
        let mut sums = BTreeMap::<[&str; N], Totals>::new();
        for (labels, totals) in samples.iter().flat_map(|sample| &sample.series) {
            if let Some(values) = (self.values)(labels) {
                sums.entry(values).or_default().add(totals);
            }
        }
        if labels.is_empty() {
            put(out, self.requests, &sums, |totals| totals.requests);
        } else {
            self.expose_headed(samples, labels, out);
        }
        let mut durations = out.family(self.durations);
        for (values, Totals { buckets, requests, seconds, .. }) in &sums {
            let bounds = bounds.as_slice();
            let of = Distribution { bounds, buckets, count: *requests, sum: *seconds };
            durations.histogram(shown(values), of);
        }
        put(out, self.request_bytes, &sums, |totals| totals.bytes_in);
        put(out, self.response_bytes, &sums, |totals| totals.bytes_out);
    }
}

impl<const N: usize> View<N> {
    /// Counts of requests that are told apart by their lines.
    fn expose_headed(&self, samples: &[Sample], labels: &[HeaderLabel], out: &mut Exposition) {
        let mut sums = BTreeMap::<([&str; N], &HeadedValues), u64>::new();
        for ((of, said), count) in samples.iter().flat_map(|sample| &sample.headed) {
            if let Some(values) = (self.values)(of) {
                *sums.entry((values, said)).or_default() += count;
            }
        }
        let mut series = out.family(self.requests);
        for ((values, said), count) in sums {
            let more: Vec<_> = labels.iter().map(|it| &*it.label).zip(said.each()).collect();
            series.put_beside(shown(&values), &more, count);
        }
    }
}

fn put<const N: usize>(
    out: &mut Exposition,
    family: &MetricFamily<N>,
    sums: &BTreeMap<[&str; N], Totals>,
    number: fn(&Totals) -> u64,
) {
    let mut series = out.family(family);
    for (values, totals) in sums {
        series.put(shown(values), number(totals));
    }
}

fn shown<'v, const N: usize>(values: &'v [&str; N]) -> [&'v dyn Display; N] {
    values.each_ref().map(|value| value as &dyn Display)
}

#[cfg(test)]
mod tests {
    use steelyard_metrics::MOST_BOUNDS;

    use super::*;
    use steelyard_model::Protocol;

    use crate::tell::carried::{TcpTotals, UdpTotals};
    use crate::tell::metrics::ConnectionCounts;

    fn sample(router: Option<&str>, code: u16, requests: u64) -> Sample {
        let labels = Labels {
            entry_point: "web".into(),
            router: router.map(Into::into),
            service: router.map(|_| "s\"\\\n".into()),
            code,
            method: "GET",
            protocol: "http",
        };
        let mut buckets = [0; MOST_BOUNDS];
        buckets[..2].copy_from_slice(&[requests, 1]);
        let totals =
            Totals { requests: requests + 2, buckets, seconds: 0.5, bytes_in: 3, bytes_out: 4 };
        let counted = labels.clone();
        let said = HeadedValues::of(&["a\"", ""]);
        Sample {
            series: vec![(labels, totals)],
            open: vec![(("web".into(), Protocol::Tcp), 2)],
            retries: vec![("s".into(), 1)],
            copies: vec![("answered", 4)],
            asked: vec![(("forward-auth", "late"), 5)],
            refused: vec![("basic-auth", 2)],
            unspent: vec![("s".into(), 2)],
            room: vec![(("web".into(), "progress"), 1)],
            tcp: vec![(
                ("web".into(), "db".into()),
                TcpTotals { connections: 1, bytes_in: 5, bytes_out: 7 },
            )],
            udp: vec![(
                ("dns".into(), "db".into()),
                UdpTotals { sessions: 1, came: (2, 30), went: (4, 50) },
            )],
            turned_away: vec![(("web".into(), "timeout"), 1)],
            floods: vec![(("web".into(), "ping"), 2)],
            faults: vec![(("web".into(), "connect"), 2)],
            handshakes: vec![
                (("web".into(), HandshakeEnd::Held), 3),
                (("web".into(), HandshakeEnd::Resumed), 2),
                (("web".into(), HandshakeEnd::Failed("timeout")), 1),
            ],
            secured: vec![(
                TlsLabels {
                    entry_point: "web".into(),
                    router: router.map(Into::into),
                    service: router.map(|_| "s".into()),
                    cipher: "TLS_AES_128_GCM_SHA256",
                    version: "1.3",
                },
                2,
            )],
            headed: vec![((counted, said), requests)],
            strays: Vec::new(),
            nginx: Vec::new(),
            connections: ConnectionCounts::default(),
            endpoints: vec![(
                "10.0.0.1:80".into(),
                EndpointTotals { in_flight: 1, connects: 2, ..EndpointTotals::default() },
            )],
        }
    }

    #[test]
    fn cores_are_summed_and_values_escaped() {
        let samples = [sample(Some("r"), 200, 5), sample(Some("r"), 200, 7), sample(None, 404, 1)];
        let mut out = Exposition::default();
        let reloads = Reloads { total: 2, last_success: 1_700_000_000 };
        let bounds = BucketBounds::default();
        expose(&samples, reloads, (MetricViews::default(), &[]), &bounds, &mut out);
        let text = out.into_text();
        for expected in [
            "traefik_config_reloads_total 2\n",
            "traefik_config_last_reload_success 1700000000\n",
            "traefik_open_connections{entrypoint=\"web\",protocol=\"TCP\"} 6\n",
            "# TYPE traefik_entrypoint_requests_total counter\n",
            "traefik_entrypoint_requests_total{code=\"200\",entrypoint=\"web\",method=\"GET\",protocol=\"http\"} 16\n",
            "traefik_entrypoint_requests_total{code=\"404\",entrypoint=\"web\",method=\"GET\",protocol=\"http\"} 3\n",
            "traefik_router_requests_total{code=\"200\",method=\"GET\",protocol=\"http\",router=\"r\",service=\"s\\\"\\\\\\n\"} 16\n",
            "traefik_service_responses_bytes_total{code=\"200\",method=\"GET\",protocol=\"http\",service=\"s\\\"\\\\\\n\"} 8\n",
            "le=\"0.1\"} 12\n",
            "le=\"0.3\"} 14\n",
            "le=\"5\"} 14\n",
            "le=\"+Inf\"} 16\n",
            "traefik_service_retries_total{service=\"s\"} 3\n",
            "steelyard_service_retries_withheld_total{service=\"s\"} 6\n",
            "steelyard_filter_asks_total{filter=\"forward-auth\",outcome=\"late\"} 15\n",
            "steelyard_filter_refusals_total{filter=\"basic-auth\"} 6\n",
            "traefik_entrypoint_requests_tls_total{entrypoint=\"web\",tls_cipher=\"TLS_AES_128_GCM_SHA256\",tls_version=\"1.3\"} 6\n",
            "traefik_router_requests_tls_total{router=\"r\",service=\"s\",tls_cipher=\"TLS_AES_128_GCM_SHA256\",tls_version=\"1.3\"} 4\n",
            "traefik_service_requests_tls_total{service=\"s\",tls_cipher=\"TLS_AES_128_GCM_SHA256\",tls_version=\"1.3\"} 4\n",
            "steelyard_tls_handshakes_total{entrypoint=\"web\"} 9\n",
            "steelyard_tls_handshakes_resumed_total{entrypoint=\"web\"} 6\n",
            "steelyard_tls_handshake_failures_total{cause=\"timeout\",entrypoint=\"web\"} 3\n",
            "steelyard_request_faults_total{cause=\"connect\",entrypoint=\"web\"} 6\n",
            "steelyard_endpoint_requests_in_flight{endpoint=\"10.0.0.1:80\"} 3\n",
            "steelyard_endpoint_connect_seconds_count{endpoint=\"10.0.0.1:80\"} 6\n",
            "steelyard_connections_made_room_total{awaited=\"progress\",entrypoint=\"web\"} 3\n",
            "steelyard_tcp_connections_total{entrypoint=\"web\",service=\"db\"} 3\n",
            "steelyard_tcp_bytes_total{direction=\"out\",entrypoint=\"web\",service=\"db\"} 21\n",
            "steelyard_udp_sessions_total{entrypoint=\"dns\",service=\"db\"} 3\n",
            "steelyard_udp_datagrams_total{direction=\"in\",entrypoint=\"dns\",service=\"db\"} 6\n",
            "steelyard_udp_bytes_total{direction=\"out\",entrypoint=\"dns\",service=\"db\"} 150\n",
            "steelyard_connections_turned_away_total{cause=\"timeout\",entrypoint=\"web\"} 3\n",
            "steelyard_connections_flooded_total{entrypoint=\"web\",kind=\"ping\"} 6\n",
        ] {
            assert!(text.contains(expected), "{expected} in\n{text}");
        }
        assert!(!text.contains("router=\"\""));
        let views = MetricViews { routers: false, ..MetricViews::default() };
        let mut out = Exposition::default();
        expose(&samples, reloads, (views, &[]), &BucketBounds::default(), &mut out);
        let text = out.into_text();
        assert!(!text.contains("traefik_router_") && text.contains("traefik_service_"));
    }

    /// Counts are told apart by what lines say; times and bytes are not.
    #[test]
    fn labels_of_lines_stand_beside_the_others() {
        let label = |name: &str| HeaderLabel { label: name.into(), header: "x".into() };
        let labels = [label("team"), label("agent")];
        let samples = [sample(Some("r"), 200, 5), sample(Some("r"), 200, 7)];
        let (bounds, mut out) = (BucketBounds::default(), Exposition::default());
        let views = (MetricViews::default(), &labels[..]);
        expose(&samples, Reloads::default(), views, &bounds, &mut out);
        let text = out.into_text();
        for expected in [
            "traefik_entrypoint_requests_total{code=\"200\",entrypoint=\"web\",method=\"GET\",protocol=\"http\",team=\"a\\\"\",agent=\"\"} 12\n",
            "traefik_router_requests_total{code=\"200\",method=\"GET\",protocol=\"http\",router=\"r\",service=\"s\\\"\\\\\\n\",team=\"a\\\"\",agent=\"\"} 12\n",
            "traefik_router_responses_bytes_total{code=\"200\",method=\"GET\",protocol=\"http\",router=\"r\",service=\"s\\\"\\\\\\n\"} 8\n",
        ] {
            assert!(text.contains(expected), "{expected} in\n{text}");
        }
    }
}
