//! The same counters under ingress-nginx's names, for routes of its class: nothing more is counted,
//! and there are as many series as there are routes, whatever clients ask for, unless hosts that
//! nobody has are to be told apart, of which there are so many at most.

use std::collections::BTreeMap;

use steelyard_metrics::{BucketBounds, Distribution, Exposition, MetricFamily, table};
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::route::{Manner, Route, RouteKind};
use steelyard_model::routing::world::RoutingMap;

use super::{Reloads, put, shown};
use crate::tell::metrics::{Sample, Totals, code_text};

/// Names and values of a family's labels.
const LABELS: usize = 8;

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
        Self { host, ingress: &object.name, namespace: &object.namespace, path }
    }
}

/// Writes them, where its class serves.
pub(crate) fn expose(
    samples: &[Sample],
    reloads: Reloads,
    routing: &RoutingMap,
    bounds: &BucketBounds,
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
    let mut sums = BTreeMap::<[&str; LABELS], Totals>::new();
    for (labels, totals) in samples.iter().flat_map(|sample| &sample.series) {
        let route = labels.router.as_deref().and_then(|name| names.get(name));
        let Some(Names { host, ingress, namespace, path }) = route else { continue };
        let service = labels.service.as_deref().and_then(|name| services.get(name).copied());
        let (method, code) = (labels.method, code_text(labels.code));
        let service = service.unwrap_or_default();
        let values = ["", host, ingress, method, namespace, path, service, code];
        sums.entry(values).or_default().add(totals);
    }
    for ((host, method, code), totals) in samples.iter().flat_map(|sample| &sample.strays) {
        let values = ["", host, "", method, "", "", "", code_text(*code)];
        sums.entry(values).or_default().add(totals);
    }
    process(samples, out);
    put(out, &table::NGINX_REQUESTS, &sums, |totals| totals.requests);
    let mut durations = out.family(&table::NGINX_DURATIONS);
    for (values, Totals { buckets, requests, seconds, .. }) in &sums {
        let bounds = bounds.as_slice();
        let of = Distribution { bounds, buckets, count: *requests, sum: *seconds };
        durations.histogram(shown(values), of);
    }
    sizes(out, &table::NGINX_REQUEST_SIZES, &sums, |totals| totals.bytes_in);
    sizes(out, &table::NGINX_RESPONSE_SIZES, &sums, |totals| totals.bytes_out);
    sizes(out, &table::NGINX_BYTES_SENT, &sums, |totals| totals.bytes_out);
    out.family(&table::NGINX_SUCCESS).put([], reloads.total);
    out.family(&table::NGINX_RELOADED).put([], 1);
    out.family(&table::NGINX_RELOADED_AT).put([], reloads.last_success);
    expiry(routing, out);
}

/// What dashboards of ingress-nginx show of its processes, as far as there is such a thing.
fn process(samples: &[Sample], out: &mut Exposition) {
    let open = samples.iter().flat_map(|sample| &sample.open).map(|(_, count)| count).sum::<i64>();
    out.family(&table::NGINX_CONNECTIONS).put([&"active"], open);
    let series = samples.iter().flat_map(|sample| &sample.series);
    let requests = series.map(|(_, totals)| totals.requests).sum::<u64>();
    out.family(&table::NGINX_PROCESS_REQUESTS).put([], requests);
}

fn sizes(
    out: &mut Exposition,
    family: &MetricFamily<LABELS>,
    sums: &BTreeMap<[&str; LABELS], Totals>,
    bytes: fn(&Totals) -> u64,
) {
    let mut series = out.family(family);
    for (values, totals) in sums {
        #[allow(clippy::cast_precision_loss, reason = "a sum that is written as it is added up")]
        series.summary(shown(values), bytes(totals) as f64, totals.requests);
    }
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
