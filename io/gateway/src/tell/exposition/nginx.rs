//! The same counters under ingress-nginx's names, for routes of its class: nothing more is counted,
//! and there are as many series as there are routes, whatever clients ask for, unless hosts that
//! nobody has are to be told apart, of which there are so many at most.

use std::collections::BTreeMap;

use steelyard_metrics::{Exposition, MetricFamily, table};
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::route::{Manner, Route, RouteKind};
use steelyard_model::routing::world::RoutingMap;

use super::{Reloads, shown};
use crate::options::NginxMetrics;
use crate::tell::metrics::{ConnectionCounts, Labels, Sample, Totals, code_text};
use crate::tell::nginx_totals::{Measure, NginxTotals};

/// Names and values of a family's labels.
const LABELS: usize = 8;

/// Its histograms, and what they measure.
const MEASURES: [(&MetricFamily<LABELS>, Measure); 7] = [
    (&table::NGINX_DURATIONS, Measure::RequestTime),
    (&table::NGINX_RESPONSE_DURATIONS, Measure::ResponseTime),
    (&table::NGINX_HEADER_DURATIONS, Measure::HeaderTime),
    (&table::NGINX_CONNECT_DURATIONS, Measure::ConnectTime),
    (&table::NGINX_REQUEST_SIZES, Measure::RequestLength),
    (&table::NGINX_RESPONSE_SIZES, Measure::ResponseLength),
    (&table::NGINX_BYTES_SENT, Measure::BytesSent),
];

/// Values of labels.
type Values<'v> = [&'v str; LABELS];

/// What ingress-nginx says of a route: host, Ingress, namespace, path.
struct Names<'r> {
    host: String,
    ingress: &'r str,
    namespace: &'r str,
    path: String,
}

impl<'r> Names<'r> {
    fn of(route: &'r Route) -> Self {
        let object = &route.place.object;
        let host = match route.rule.host() {
            HostPattern::Any => "_".to_owned(),
            host => host.to_string(),
        };
        let path = route.rule.path().map_or_else(|| "/".to_owned(), |it| it.shape.to_string());
        // As it is written, where the host makes expressions of paths.
        let path = path.strip_prefix("(?i)^").map(str::to_owned).unwrap_or(path);
        Self { host, ingress: &object.name, namespace: &object.namespace, path }
    }
}

/// Writes them, where its class serves.
pub(crate) fn expose(
    samples: &[Sample],
    reloads: Reloads,
    routing: &RoutingMap,
    options: &NginxMetrics,
    out: &mut Exposition,
) {
    if routing.entry_points.values().all(|point| point.nginx.is_none()) {
        return;
    }
    let routes = routing.routes.values();
    let its = routes.filter(|it| it.manner == Manner::Nginx && it.kind == RouteKind::Http);
    let names: BTreeMap<String, Names<'_>> =
        its.map(|route| (route.id.traefik_name(), Names::of(route))).collect();
    let services = routing.backends.values().filter_map(|node| {
        let (service, _) = node.service.as_ref()?;
        Some((node.id.traefik_name(), &*service.name))
    });
    let services: BTreeMap<String, &str> = services.collect();
    let status = |code| if options.tells_classes { class_of(code) } else { code_text(code) };
    let values_of = |labels: &Labels| {
        let Names { host, ingress, namespace, path } = names.get(labels.router.as_deref()?)?;
        let service = labels.service.as_deref().and_then(|name| services.get(name).copied());
        let service = service.unwrap_or_default();
        let host = if options.tells_hosts { host } else { "" };
        Some(["", host, ingress, labels.method, namespace, path, service, status(labels.code)])
    };
    let mut sums = BTreeMap::<Values<'_>, (Totals, NginxTotals)>::new();
    for (labels, totals) in samples.iter().flat_map(|sample| &sample.series) {
        let Some(values) = values_of(labels) else { continue };
        sums.entry(values).or_default().0.add(totals);
    }
    for (labels, totals) in samples.iter().flat_map(|sample| &sample.nginx) {
        let Some(values) = values_of(labels) else { continue };
        sums.entry(values).or_default().1.add(totals);
    }
    for ((host, method, code), both) in samples.iter().flat_map(|sample| &sample.strays) {
        let values = ["", host, "", method, "", "", "", status(*code)];
        let sums = sums.entry(values).or_default();
        sums.0.add(&both.0);
        sums.1.add(&both.1);
    }
    process(samples, out);
    let is_told = |name: &str| options.excluded.iter().all(|it| **it != *name);
    if is_told(table::NGINX_REQUESTS.name) {
        let mut series = out.family(&table::NGINX_REQUESTS);
        for (values, (totals, _)) in &sums {
            series.put(shown(values), totals.requests);
        }
    }
    for (family, measure) in MEASURES.into_iter().filter(|(it, _)| is_told(it.name)) {
        let mut series = out.family(family);
        for (values, (_, totals)) in &sums {
            if let Some(of) = totals.told(measure, options) {
                series.histogram(shown(values), of);
            }
        }
    }
    if is_told(table::NGINX_SUCCESS.name) {
        out.family(&table::NGINX_SUCCESS).put([], reloads.total);
    }
    out.family(&table::NGINX_RELOADED).put([], 1);
    out.family(&table::NGINX_RELOADED_AT).put([], reloads.last_success);
    expiry(routing, out);
}

/// A status, as [`code_text`] has it, by its class.
fn class_of(code: u16) -> &'static str {
    match code {
        1..=9 => code_text(code),
        code => code_text(code / 100),
    }
}

/// What dashboards of ingress-nginx show of its processes, as far as there is such a thing.
fn process(samples: &[Sample], out: &mut Exposition) {
    let NginxConnections { active, accepted, requests, reading, writing, waiting } =
        connections(samples);
    let mut states = out.family(&table::NGINX_CONNECTIONS);
    let all =
        [("active", active), ("reading", reading), ("waiting", waiting), ("writing", writing)];
    for (state, count) in all {
        states.put([&state], count);
    }
    let mut ever = out.family(&table::NGINX_CONNECTIONS_EVER);
    ever.put([&"accepted"], accepted);
    ever.put([&"handled"], accepted);
    out.family(&table::NGINX_PROCESS_REQUESTS).put([], requests);
}

/// Connections of clients, as nginx tells of them (`stub_status`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NginxConnections {
    /// Those that are open.
    pub active: u64,
    /// How many there were.
    pub accepted: u64,
    /// How many requests there were.
    pub requests: u64,
    /// Of which a request is read.
    pub reading: u64,
    /// Which are answered.
    pub writing: u64,
    /// Which wait for a request.
    pub waiting: u64,
}

/// How many connections all cores have.
pub(crate) fn connections(samples: &[Sample]) -> NginxConnections {
    let mut all = ConnectionCounts::default();
    samples.iter().for_each(|sample| all.add(sample.connections));
    let series = samples.iter().flat_map(|sample| &sample.series);
    let requests = series.map(|(_, totals)| totals.requests).sum();
    let ConnectionCounts { accepted, reading, writing, waiting } = all;
    let active = reading + writing + waiting;
    NginxConnections { active, accepted, requests, reading, writing, waiting }
}

/// Until when certificates are valid, by the hosts that they are for.
fn expiry(routing: &RoutingMap, out: &mut Exposition) {
    let mut all = BTreeMap::new();
    for certificate in routing.certificates.values() {
        let object = certificate.place.as_ref().map(|place| &place.object);
        let (namespace, secret) = object.map_or(("", ""), |it| (&*it.namespace, &*it.name));
        for host in &certificate.names {
            all.insert((host.to_string(), namespace, secret), certificate.validity.1);
        }
    }
    let mut series = out.family(&table::NGINX_EXPIRY);
    for ((host, namespace, secret), until) in all {
        series.put([&host, &namespace, &secret], until);
    }
}
