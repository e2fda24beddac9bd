//! Counters of one core. Plain cells: only their own core writes them, and a scrape asks the core
//! for a copy.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use steelyard_metrics::MOST_BOUNDS;
use steelyard_model::Protocol;

use crate::tell::carried::{Carried, CarriedDatagrams, TcpCount, TcpTotals, UdpCount, UdpTotals};
use crate::tell::headed::HeadedValues;
use crate::tell::nginx_totals::{NginxFinished, NginxTotals};
use crate::up::tally::EndpointTotals;
use crate::wire::secured::Secured;

/// What tells one series of requests from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Labels {
    pub(crate) entry_point: Arc<str>,
    /// Route and service, where the request got so far.
    pub(crate) router: Option<Arc<str>>,
    pub(crate) service: Option<Arc<str>>,
    /// From [`code_label`].
    pub(crate) code: u16,
    pub(crate) method: &'static str,
    pub(crate) protocol: &'static str,
}

/// The same, borrowed: a request that is counted leaves no trace in reference counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LabelsRef<'a> {
    pub(crate) entry_point: &'a Arc<str>,
    pub(crate) router: Option<&'a Arc<str>>,
    pub(crate) service: Option<&'a Arc<str>>,
    pub(crate) code: u16,
    pub(crate) method: &'static str,
    pub(crate) protocol: &'static str,
}

/// What tells one series of requests over TLS from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TlsLabels {
    pub(crate) entry_point: Arc<str>,
    pub(crate) router: Option<Arc<str>>,
    pub(crate) service: Option<Arc<str>>,
    pub(crate) cipher: &'static str,
    pub(crate) version: &'static str,
}

/// Counts of one series.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) requests: u64,
    /// Per bucket, not cumulative.
    pub(crate) buckets: [u64; MOST_BOUNDS],
    pub(crate) seconds: f64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

/// An entry point, and a service where it is known.
type ByService = (Arc<str>, Arc<str>);

/// An entry point, and what is open there.
type OpenAt = (Arc<str>, Protocol);

/// What is counted of handshakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum HandshakeEnd {
    /// It came to its end.
    Held,
    /// So it did, and went on with an earlier session.
    Resumed,
    /// It came to nothing, for this cause.
    Failed(&'static str),
}

/// Entry point, and what is counted.
type Handshaken = (Arc<str>, HandshakeEnd);

/// All counters of one core.
#[derive(Default)]
pub(crate) struct Counters {
    series: RefCell<HashMap<Labels, Rc<Counted>>>,
    /// Connections that were taken in, ever.
    pub(crate) accepted: Cell<u64>,
    open: RefCell<HashMap<OpenAt, Rc<Cell<i64>>>>,
    pub(crate) retries: RefCell<HashMap<Arc<str>, u64>>,
    copies: RefCell<HashMap<&'static str, u64>>,
    asked: RefCell<HashMap<Asked, u64>>,
    refused: RefCell<HashMap<&'static str, u64>>,
    unspent: RefCell<HashMap<Arc<str>, u64>>,
    room: RefCell<HashMap<(Arc<str>, &'static str), u64>>,
    tcp: RefCell<HashMap<ByService, TcpCount>>,
    udp: RefCell<HashMap<ByService, UdpCount>>,
    turned_away: RefCell<HashMap<(Arc<str>, &'static str), u64>>,
    floods: RefCell<HashMap<(Arc<str>, &'static str), u64>>,
    faults: RefCell<HashMap<(Arc<str>, &'static str), u64>>,
    handshakes: RefCell<HashMap<Handshaken, u64>>,
    secured: RefCell<HashMap<TlsLabels, u64>>,
    headed: RefCell<HashMap<(Labels, HeadedValues), u64>>,
    /// Requests that no route took, by what they asked for, where that is wanted.
    strays: RefCell<HashMap<Stray, StrayTotals>>,
}

/// A request that no route took: its host, method and status.
pub(crate) type Stray = (Arc<str>, &'static str, u16);

/// What is counted of them.
pub(crate) type StrayTotals = Box<(Totals, NginxTotals)>;

/// So many of them are counted apart on a core, since clients choose what they ask for; the others
/// as of one host.
const MOST_STRAYS: usize = 1_000;
/// That host.
const ALL_OTHERS: &str = "_";

/// What is counted of one series.
#[derive(Debug, Default)]
struct Counted {
    totals: RefCell<Totals>,
    /// And what ingress-nginx counts besides, of routes in its words.
    nginx: RefCell<Option<Box<NginxTotals>>>,
}

/// Where connections stand, and how many there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConnectionCounts {
    pub(crate) accepted: u64,
    /// Of which a request is read.
    pub(crate) reading: u64,
    /// Which are answered.
    pub(crate) writing: u64,
    /// Which wait for a request.
    pub(crate) waiting: u64,
}

/// Kind of a filter, and what came of its question.
type Asked = (&'static str, &'static str);

/// The series a route used lately: found without hashing.
#[derive(Default)]
pub(crate) struct RouteSeries {
    recent: RefCell<Vec<(Labels, Rc<Counted>)>>,
}

/// A copy of a core's counters.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    pub(crate) series: Vec<(Labels, Totals)>,
    /// What ingress-nginx counts besides, of routes in its words.
    pub(crate) nginx: Vec<(Labels, NginxTotals)>,
    pub(crate) connections: ConnectionCounts,
    pub(crate) open: Vec<(OpenAt, i64)>,
    pub(crate) retries: Vec<(Arc<str>, u64)>,
    pub(crate) copies: Vec<(&'static str, u64)>,
    /// Questions of filters, by what came of them.
    pub(crate) asked: Vec<(Asked, u64)>,
    /// Requests that filters refused, by their kind.
    pub(crate) refused: Vec<(&'static str, u64)>,
    /// Requests that were not tried again since too many were, by service.
    pub(crate) unspent: Vec<(Arc<str>, u64)>,
    /// Connections that made room, by entry point and what was awaited of them.
    pub(crate) room: Vec<((Arc<str>, &'static str), u64)>,
    /// Connections of TCP routes, by entry point and service.
    pub(crate) tcp: Vec<(ByService, TcpTotals)>,
    /// Sessions of UDP routes, by the same.
    pub(crate) udp: Vec<(ByService, UdpTotals)>,
    /// Connections that ended before their first request, by entry point and cause.
    pub(crate) turned_away: Vec<((Arc<str>, &'static str), u64)>,
    /// Connections that were ended for flooding, by entry point and what with.
    pub(crate) floods: Vec<((Arc<str>, &'static str), u64)>,
    /// Requests that went wrong, by entry point and cause.
    pub(crate) faults: Vec<((Arc<str>, &'static str), u64)>,
    /// Requests over TLS.
    pub(crate) secured: Vec<(TlsLabels, u64)>,
    /// Requests by their lines, where that is asked for.
    pub(crate) headed: Vec<((Labels, HeadedValues), u64)>,
    /// Handshakes, by entry point and why they came to nothing.
    pub(crate) handshakes: Vec<(Handshaken, u64)>,
    /// Requests that no route took.
    pub(crate) strays: Vec<(Stray, StrayTotals)>,
    /// Endpoints, by address.
    pub(crate) endpoints: Vec<(Arc<str>, EndpointTotals)>,
}

/// One finished request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finished {
    pub(crate) duration: Duration,
    /// The bucket of that.
    pub(crate) bucket: Option<usize>,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

/// Most series remembered per route; a few codes and methods cover nearly all requests.
const MAX_RECENT: usize = 8;

impl Counters {
    /// Counts a request that never got to a route.
    pub(crate) fn count(&self, labels: &LabelsRef<'_>, finished: Finished) {
        self.cell(labels.owned()).add(finished, None);
    }

    /// Counts a request that no route took by the host it is for.
    pub(crate) fn count_stray(
        &self,
        host: &str,
        labels: &LabelsRef<'_>,
        finished: Finished,
        nginx: &NginxFinished,
    ) {
        let mut all = self.strays.borrow_mut();
        let code = code_label(labels.code);
        let key = (Arc::from(host.to_ascii_lowercase()), labels.method, code);
        let key = match all.len() < MOST_STRAYS || all.contains_key(&key) {
            true => key,
            false => (ALL_OTHERS.into(), labels.method, code),
        };
        let (totals, more) = &mut **all.entry(key).or_default();
        finished.add(totals);
        more.count(nginx);
    }

    /// Counts a request to a route.
    pub(crate) fn count_routed(
        &self,
        route: &RouteSeries,
        labels: &LabelsRef<'_>,
        finished: Finished,
        nginx: Option<&NginxFinished>,
    ) {
        let mut recent = route.recent.borrow_mut();
        if let Some((_, cell)) = recent.iter().find(|(known, _)| labels.is_same_cell(known)) {
            cell.add(finished, nginx);
            return;
        }
        let owned = labels.owned();
        let cell = self.cell(owned.clone());
        cell.add(finished, nginx);
        if recent.len() == MAX_RECENT {
            recent.remove(0);
        }
        recent.push((owned, cell));
    }

    /// Another attempt for a request to `service`.
    pub(crate) fn count_retry(&self, service: &Arc<str>) {
        *self.retries.borrow_mut().entry(service.clone()).or_default() += 1;
    }

    /// A copy of a request came to this.
    pub(crate) fn count_copy(&self, outcome: &'static str) {
        *self.copies.borrow_mut().entry(outcome).or_default() += 1;
    }

    /// A filter of this kind has asked, and this came of it.
    pub(crate) fn count_asked(&self, filter: &'static str, outcome: &'static str) {
        *self.asked.borrow_mut().entry((filter, outcome)).or_default() += 1;
    }

    /// A filter of this kind has refused a request.
    pub(crate) fn count_refused(&self, filter: &'static str) {
        *self.refused.borrow_mut().entry(filter).or_default() += 1;
    }

    /// A request to `service` is not tried again, since too many were.
    pub(crate) fn count_unspent(&self, service: &Arc<str>) {
        *self.unspent.borrow_mut().entry(service.clone()).or_default() += 1;
    }

    /// A connection at `entry_point` makes room for others.
    pub(crate) fn count_room(&self, entry_point: &Arc<str>, awaited: &'static str) {
        *self.room.borrow_mut().entry((entry_point.clone(), awaited)).or_default() += 1;
    }

    /// An endpoint of `service` takes a connection of a TCP route, which counts what it carries.
    pub(crate) fn count_tcp(&self, entry_point: &Arc<str>, service: &Arc<str>) -> Rc<Carried> {
        let mut tcp = self.tcp.borrow_mut();
        let counted = tcp.entry((entry_point.clone(), service.clone())).or_default();
        counted.connections += 1;
        counted.carried.clone()
    }

    /// A session with an endpoint of `service` begins, which counts what it carries.
    pub(crate) fn count_session(
        &self,
        entry_point: &Arc<str>,
        service: &Arc<str>,
    ) -> Rc<CarriedDatagrams> {
        let mut udp = self.udp.borrow_mut();
        let counted = udp.entry((entry_point.clone(), service.clone())).or_default();
        counted.sessions += 1;
        counted.carried.clone()
    }

    /// A connection at `entry_point` ends before its first request.
    pub(crate) fn count_turned_away(&self, entry_point: &Arc<str>, cause: &'static str) {
        *self.turned_away.borrow_mut().entry((entry_point.clone(), cause)).or_default() += 1;
    }

    /// A connection at `entry_point` is ended since its client floods it.
    pub(crate) fn count_flood(&self, entry_point: &Arc<str>, kind: &'static str) {
        *self.floods.borrow_mut().entry((entry_point.clone(), kind)).or_default() += 1;
    }

    /// A request at `entry_point` came to nothing, or not to its end.
    pub(crate) fn count_fault(&self, entry_point: &Arc<str>, cause: &'static str) {
        *self.faults.borrow_mut().entry((entry_point.clone(), cause)).or_default() += 1;
    }

    /// A handshake at `entry_point` is over, and came to nothing for a reason if there is one.
    pub(crate) fn count_handshake(&self, entry_point: &Arc<str>, end: HandshakeEnd) {
        *self.handshakes.borrow_mut().entry((entry_point.clone(), end)).or_default() += 1;
    }

    /// Counts a request over TLS.
    pub(crate) fn count_secured(&self, labels: &LabelsRef<'_>, tls: &Secured) {
        let labels = TlsLabels {
            entry_point: labels.entry_point.clone(),
            router: labels.router.cloned(),
            service: labels.service.cloned(),
            cipher: tls.cipher,
            version: tls.version,
        };
        *self.secured.borrow_mut().entry(labels).or_default() += 1;
    }

    /// Counts a request by what its lines say.
    pub(crate) fn count_headed(&self, labels: &LabelsRef<'_>, values: HeadedValues) {
        *self.headed.borrow_mut().entry((labels.owned(), values)).or_default() += 1;
    }

    /// The gauge of open connections, or sessions, of an entry point.
    pub(crate) fn open_at(&self, entry_point: &Arc<str>, protocol: Protocol) -> Rc<Cell<i64>> {
        self.open.borrow_mut().entry((entry_point.clone(), protocol)).or_default().clone()
    }

    /// Forgets routes and services that are gone. What was counted for them stays counted for the
    /// entry point (and the service), of which counters never fall.
    pub(crate) fn forget(&self, routes: &HashSet<String>, services: &HashSet<String>) {
        if routes.is_empty() && services.is_empty() {
            return;
        }
        let is_gone = |name: &Option<Arc<str>>, gone: &HashSet<String>| {
            name.as_deref().is_some_and(|name| gone.contains(name))
        };
        let is_of_gone =
            |of: &Labels| is_gone(&of.router, routes) || is_gone(&of.service, services);
        let without_gone = |mut of: Labels| {
            of.router = of.router.filter(|name| !routes.contains(&**name));
            of.service = of.service.filter(|name| !services.contains(&**name));
            of
        };
        let mut series = self.series.borrow_mut();
        let concerned: Vec<_> = series.extract_if(|labels, _| is_of_gone(labels)).collect();
        for (labels, cell) in concerned {
            let sum = series.entry(without_gone(labels)).or_default();
            sum.totals.borrow_mut().add(&cell.totals.borrow());
        }
        let mut headed = self.headed.borrow_mut();
        let concerned: Vec<_> = headed.extract_if(|(labels, _), _| is_of_gone(labels)).collect();
        for ((labels, values), count) in concerned {
            *headed.entry((without_gone(labels), values)).or_default() += count;
        }
        self.retries.borrow_mut().retain(|name, _| !services.contains(&**name));
        self.unspent.borrow_mut().retain(|name, _| !services.contains(&**name));
        self.tcp.borrow_mut().retain(|(_, name), _| !services.contains(&**name));
        self.udp.borrow_mut().retain(|(_, name), _| !services.contains(&**name));
        let mut secured = self.secured.borrow_mut();
        let concerned = secured.extract_if(|labels, _| {
            is_gone(&labels.router, routes) || is_gone(&labels.service, services)
        });
        let concerned: Vec<(TlsLabels, u64)> = concerned.collect();
        for (mut labels, count) in concerned {
            labels.router = labels.router.filter(|name| !routes.contains(&**name));
            labels.service = labels.service.filter(|name| !services.contains(&**name));
            *secured.entry(labels).or_default() += count;
        }
    }

    pub(crate) fn sample(&self) -> Sample {
        let series = self.series.borrow();
        let open = self.open.borrow();
        let (retries, room) = (self.retries.borrow(), self.room.borrow());
        let (tcp, udp) = (self.tcp.borrow(), self.udp.borrow());
        let turned_away = self.turned_away.borrow();
        let floods = self.floods.borrow();
        let faults = self.faults.borrow();
        let (handshakes, secured) = (self.handshakes.borrow(), self.secured.borrow());
        let headed = self.headed.borrow();
        Sample {
            series: series.iter().map(|(of, cell)| (of.clone(), *cell.totals.borrow())).collect(),
            nginx: series
                .iter()
                .filter_map(|(of, cell)| Some((of.clone(), cell.nginx()?)))
                .collect(),
            connections: ConnectionCounts {
                accepted: self.accepted.get(),
                ..ConnectionCounts::default()
            },
            open: open.iter().map(|(name, cell)| (name.clone(), cell.get())).collect(),
            retries: retries.iter().map(|(name, count)| (name.clone(), *count)).collect(),
            asked: self.asked.borrow().iter().map(|(key, count)| (*key, *count)).collect(),
            refused: self.refused.borrow().iter().map(|(key, count)| (*key, *count)).collect(),
            copies: self.copies.borrow().iter().map(|(key, count)| (*key, *count)).collect(),
            unspent: self.unspent.borrow().iter().map(|(it, count)| (it.clone(), *count)).collect(),
            room: room.iter().map(|(key, count)| (key.clone(), *count)).collect(),
            tcp: tcp.iter().map(|(key, counted)| (key.clone(), counted.totals())).collect(),
            udp: udp.iter().map(|(key, counted)| (key.clone(), counted.totals())).collect(),
            turned_away: turned_away.iter().map(|(key, count)| (key.clone(), *count)).collect(),
            floods: floods.iter().map(|(key, count)| (key.clone(), *count)).collect(),
            faults: faults.iter().map(|(key, count)| (key.clone(), *count)).collect(),
            secured: secured.iter().map(|(key, count)| (key.clone(), *count)).collect(),
            headed: headed.iter().map(|(key, count)| (key.clone(), *count)).collect(),
            handshakes: handshakes.iter().map(|(key, count)| (key.clone(), *count)).collect(),
            strays: self
                .strays
                .borrow()
                .iter()
                .map(|(it, all)| (it.clone(), all.clone()))
                .collect(),
            endpoints: Vec::new(),
        }
    }

    fn cell(&self, labels: Labels) -> Rc<Counted> {
        self.series.borrow_mut().entry(labels).or_default().clone()
    }
}

impl LabelsRef<'_> {
    fn owned(self) -> Labels {
        Labels {
            entry_point: self.entry_point.clone(),
            router: self.router.cloned(),
            service: self.service.cloned(),
            code: code_label(self.code),
            method: self.method,
            protocol: self.protocol,
        }
    }

    /// Equality for labels of the same route and core, where equal names are the same allocation
    /// nearly always; when they are not, the slow path finds the series all the same.
    fn is_same_cell(&self, other: &Labels) -> bool {
        let same = |a: Option<&Arc<str>>, b: Option<&Arc<str>>| match (a, b) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        code_label(self.code) == other.code
            && std::ptr::eq(self.method, other.method)
            && std::ptr::eq(self.protocol, other.protocol)
            && Arc::ptr_eq(self.entry_point, &other.entry_point)
            && same(self.service, other.service.as_ref())
            && same(self.router, other.router.as_ref())
    }
}

impl Counted {
    fn add(&self, finished: Finished, nginx: Option<&NginxFinished>) {
        finished.add(&mut self.totals.borrow_mut());
        if let Some(more) = nginx {
            self.nginx.borrow_mut().get_or_insert_default().count(more);
        }
    }

    fn nginx(&self) -> Option<NginxTotals> {
        self.nginx.borrow().as_deref().copied()
    }
}

impl ConnectionCounts {
    pub(crate) fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.reading += other.reading;
        self.writing += other.writing;
        self.waiting += other.waiting;
    }
}

impl Finished {
    fn add(self, totals: &mut Totals) {
        totals.requests += 1;
        totals.seconds += self.duration.as_secs_f64();
        totals.bytes_in += self.bytes_in;
        totals.bytes_out += self.bytes_out;
        if let Some(bucket) = self.bucket {
            totals.buckets[bucket] += 1;
        }
    }
}

impl Totals {
    pub(crate) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.seconds += other.seconds;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        for (bucket, count) in self.buckets.iter_mut().zip(other.buckets) {
            *bucket += count;
        }
    }
}

/// A status as a label: those in use, and the class (1 to 9) of any other, so that endpoints
/// cannot make series.
fn code_label(status: u16) -> u16 {
    match status {
        // Registered (RFC 9110 §16.2), and what well-known servers and frameworks add.
        0 | 100..=104 | 200..=208 | 226 | 300..=308 | 400..=426 | 428 | 429 | 431 | 444 | 451 => {
            status
        }
        494..=499 | 500..=511 | 520..=530 | 598 | 599 => status,
        other => other / 100,
    }
}

/// A label from [`code_label`] as text, without allocating: there are only so many.
pub(crate) fn code_text(label: u16) -> &'static str {
    static TEXT: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(|| {
        let text = |label: u16| match label {
            1..=9 => format!("{label}xx"),
            label => label.to_string(),
        };
        (0..600).map(text).collect()
    });
    TEXT.get(usize::from(label)).map_or("0", String::as_str)
}

/// The method as a label: a closed set, so that clients cannot make series (Traefik's word for
/// the rest).
pub(crate) fn method_label(method: &str) -> &'static str {
    const KNOWN: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("EXTENSION_METHOD")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use steelyard_metrics::BucketBounds;

    use super::*;

    #[test]
    fn an_endpoint_cannot_make_series() {
        let labels: BTreeSet<&str> = (100..=999).map(|code| code_text(code_label(code))).collect();
        assert!(labels.len() < 120, "{}", labels.len());
        for (status, label) in
            [(200, "200"), (404, "404"), (499, "499"), (299, "2xx"), (599, "599"), (999, "9xx")]
        {
            assert_eq!(code_text(code_label(status)), label);
        }
        let (counters, route) = (Counters::default(), RouteSeries::default());
        let (web, name) = ("web".into(), "r".into());
        let (duration, bucket) = (Duration::ZERO, Some(0));
        let finished = Finished { duration, bucket, bytes_in: 0, bytes_out: 0 };
        for code in (100..=999).chain(100..=999) {
            let (method, protocol) = ("GET", "http");
            let router = Some(&name);
            let labels =
                LabelsRef { entry_point: &web, router, service: router, code, method, protocol };
            counters.count_routed(&route, &labels, finished, None);
        }
        let sample = counters.sample();
        assert_eq!(sample.series.len(), labels.len());
        assert_eq!(sample.series.iter().map(|(_, totals)| totals.requests).sum::<u64>(), 1800);
    }

    fn labels<'a>(
        entry_point: &'a Arc<str>,
        router: Option<&'a Arc<str>>,
        service: Option<&'a Arc<str>>,
    ) -> LabelsRef<'a> {
        LabelsRef { entry_point, router, service, code: 200, method: "GET", protocol: "http" }
    }

    fn finished(milliseconds: u64, bytes: u64) -> Finished {
        let duration = Duration::from_millis(milliseconds);
        let bucket = BucketBounds::default().bucket(duration);
        Finished { duration, bucket, bytes_in: bytes, bytes_out: 10 * bytes }
    }

    #[test]
    fn requests_are_summed() {
        let (counters, web) = (Counters::default(), "web".into());
        for (milliseconds, bytes) in [(50, 3), (200, 4), (60_000, 5), (100, 6)] {
            counters.count(&labels(&web, None, None), finished(milliseconds, bytes));
        }
        let mut totals = counters.sample().series[0].1;
        let all = |it: &Totals| (it.requests, it.bytes_in, it.bytes_out, it.buckets[..4].to_vec());
        assert_eq!(all(&totals), (4, 18, 180, vec![2, 1, 0, 0]));
        assert!((totals.seconds - 60.35).abs() < 1e-9, "{}", totals.seconds);
        let other = totals;
        totals.add(&other);
        assert_eq!(all(&totals), (8, 36, 360, vec![4, 2, 0, 0]));
        assert!((totals.seconds - 120.7).abs() < 1e-9, "{}", totals.seconds);
    }

    /// A series of a route is looked for once.
    #[test]
    fn a_route_knows_its_series() {
        let counters = Counters::default();
        let [web, name, service] = ["web", "r", "s"].map(Arc::<str>::from);
        for (router, service) in [(Some(&name), Some(&service)), (Some(&name), None), (None, None)]
        {
            let route = RouteSeries::default();
            for _ in 0..3 {
                counters.count_routed(&route, &labels(&web, router, service), finished(1, 1), None);
            }
            assert_eq!(route.recent.borrow().len(), 1, "{router:?} {service:?}");
            counters.count_routed(&route, &labels(&web, router, Some(&web)), finished(1, 1), None);
            assert_eq!(route.recent.borrow().len(), 2, "another service");
        }
    }

    #[test]
    fn what_is_gone_is_forgotten_and_nothing_else() {
        let [web, r1, r2, s1, s2] = ["web", "r1", "r2", "s1", "s2"].map(Arc::<str>::from);
        let set = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect();
        for (routes, services, left, retried) in [
            (&[][..], &[][..], &["r1 s1", "r1 s2", "r2 s2"][..], &["s1", "s2"][..]),
            (&["r1"], &[], &["- s1", "- s2", "r2 s2"], &["s1", "s2"]),
            (&[], &["s1"], &["r1 -", "r1 s2", "r2 s2"], &["s2"]),
            (&["r1"], &["s2"], &["- -", "- s1", "r2 -"], &["s1"]),
        ] {
            let counters = Counters::default();
            for (router, service) in [(&r1, &s1), (&r1, &s2), (&r2, &s2)] {
                counters.count(&labels(&web, Some(router), Some(service)), finished(1, 1));
            }
            counters.count_retry(&s1);
            counters.count_retry(&s2);
            counters.forget(&set(routes), &set(services));
            let sample = counters.sample();
            let shown = |name: &Option<Arc<str>>| name.as_deref().unwrap_or("-").to_owned();
            let series = sample.series.iter();
            let names =
                series.map(|(it, _)| format!("{} {}", shown(&it.router), shown(&it.service)));
            let names: BTreeSet<String> = names.collect();
            assert_eq!(names, left.iter().map(|it| (*it).to_owned()).collect());
            let names: BTreeSet<&str> = sample.retries.iter().map(|(name, _)| &**name).collect();
            assert_eq!(names, retried.iter().copied().collect());
            assert_eq!(sample.series.iter().map(|(_, it)| it.requests).sum::<u64>(), 3);
        }
    }
}
