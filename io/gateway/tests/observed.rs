//! What is told of requests, by what their route and their entry point say: a line in the access
//! log, metrics, a trace.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use steelyard_gateway::{AccessLog, EntryTerms, GatewayOptions, HeaderLabel, LogFormat, Tracing};
use steelyard_http::{RequestSpan, SpanCounts, SpanSink};
use steelyard_model::routing::backend::Internal;
use steelyard_model::routing::observability::Observability;
use steelyard_model::routing::route::Destination;
use support::filtering::{change, uses};
use support::{
    Client, Server, TemporaryFile, eventually, gateway_with, get, one_worker, route, routing,
    scrape,
};

const DEFAULT: Observability =
    Observability { access_logs: None, metrics: None, tracing: None, detailed: None };
const NOTHING: Observability = Observability::all(false);
const ALL: Observability = Observability::all(true);
const NO_LINES: Observability = Observability { access_logs: Some(false), ..DEFAULT };
const NO_METRICS: Observability = Observability { metrics: Some(false), ..DEFAULT };
const NO_TRACES: Observability = Observability { tracing: Some(false), ..DEFAULT };

/// What an entry point says, what a route says, what is said of the program's own services, and
/// what is told: of a route, of another one with a filter, of one to a service of the program's
/// own, and of a request that no route takes. Each is a line, a count and a trace.
type Row = (Observability, Observability, Observability, [[bool; 3]; 4]);

const YES: [bool; 3] = [true; 3];
const NO: [bool; 3] = [false; 3];
const ROWS: [Row; 9] = [
    (DEFAULT, DEFAULT, NOTHING, [YES, YES, NO, YES]),
    (DEFAULT, DEFAULT, ALL, [YES, YES, YES, YES]),
    (DEFAULT, NOTHING, ALL, [NO, NO, NO, YES]),
    (NOTHING, DEFAULT, ALL, [NO, NO, NO, NO]),
    (NOTHING, ALL, ALL, [YES, YES, YES, NO]),
    (DEFAULT, NO_LINES, NOTHING, [[false, true, true], [false, true, true], NO, YES]),
    (DEFAULT, NO_METRICS, NOTHING, [[true, false, true], [true, false, true], NO, YES]),
    (DEFAULT, NO_TRACES, NOTHING, [[true, true, false], [true, true, false], NO, YES]),
    (
        NO_LINES,
        NO_METRICS,
        NO_TRACES,
        [[false, false, true], [false, false, true], [false, false, false], [false, true, true]],
    ),
];

/// Keeps what was asked for.
#[derive(Default)]
struct Spans(Mutex<Vec<String>>);

impl SpanSink for Spans {
    fn take(&self, span: RequestSpan) {
        self.0.lock().unwrap().push(span.target);
    }

    fn counts(&self) -> SpanCounts {
        SpanCounts { sent: 0, dropped: 0 }
    }
}

#[test]
fn what_is_told_hangs_on_route_and_entry_point() {
    let server = Server::echo("s");
    // The log is written within a second: all of them wait for it at once.
    std::thread::scope(|scope| {
        for (index, row) in ROWS.into_iter().enumerate() {
            let endpoint = server.address;
            scope.spawn(move || comes_to(index, row, endpoint));
        }
    });
}

fn comes_to(index: usize, (point, of_route, internals, expected): Row, endpoint: SocketAddr) {
    let routes = ["plain", "filtered", "own", "last"].map(|it| route(it, it, "/", &[endpoint]));
    let file = TemporaryFile::new(&format!("observed-{index}"));
    let path = Some(file.0.clone());
    let access_log = Some(AccessLog { path, format: LogFormat::Json, ..AccessLog::default() });
    let spans = Arc::<Spans>::default();
    let tracing = Some(Tracing {
        sink: spans.clone(),
        sample_rate: 1.0,
        request_lines: Vec::new(),
        response_lines: Vec::new(),
    });
    let terms = EntryTerms { observability: point, ..EntryTerms::default() };
    let options = GatewayOptions { access_log, tracing, internals, ..one_worker(terms) };
    let (gateway, address) = gateway_with(&routes, options);
    let mut map = routing(&routes);
    for name in ["plain", "filtered", "own"] {
        change(&mut map, name, |route| route.observability = of_route);
    }
    change(&mut map, "filtered", |route| route.uses = uses(&[("edit", "observed")]));
    change(&mut map, "own", |route| route.to = Destination::Backend(Internal::Noop.into()));
    change(&mut map, "last", |route| route.observability = ALL);
    gateway.apply(&map, 2);
    for (name, status) in [("plain", 200), ("filtered", 200), ("own", 503), ("none", 404)] {
        assert_eq!(get(address, name, &format!("/{name}")).status(), status);
    }
    // What is told of the last one comes behind all else.
    assert_eq!(get(address, "last", "/last").status(), 200);
    eventually("all is told", || file.text().contains("/last"));
    let (log, metrics) = (file.text(), scrape(&gateway));
    let spans = std::mem::take(&mut *spans.0.lock().unwrap());
    for (at, name) in ["plain", "filtered", "own", "none"].into_iter().enumerate() {
        let is_counted = match name {
            "none" => metrics.contains("traefik_entrypoint_requests_total{code=\"404\""),
            name => metrics.lines().any(|line| {
                line.starts_with("traefik_router_requests_total") && line.contains(name)
            }),
        };
        let told = [
            log.contains(&format!("\"/{name}\"")),
            is_counted,
            spans.contains(&format!("/{name}")),
        ];
        assert_eq!(told, expected[at], "row {index}, {name}: {log}\n{spans:?}");
    }
}

/// Counts of requests say what their lines say, for routes with filters and without, and of what no
/// route takes; what clients write is told apart so often and no more, over all cores.
#[test]
fn counts_are_told_apart_by_lines() {
    let server = Server::echo("s");
    let label =
        |label: &str, header: &str| HeaderLabel { label: label.into(), header: header.into() };
    let header_labels = [label("team", "X-Team"), label("agent", "User-Agent")].into();
    let options = GatewayOptions { workers: 2, header_labels, ..GatewayOptions::default() };
    let routes = ["plain", "filtered"].map(|it| route(it, it, "/", &[server.address]));
    let (gateway, address) = gateway_with(&routes, options);
    let mut map = routing(&routes);
    change(&mut map, "filtered", |route| route.uses = uses(&[("edit", "observed")]));
    gateway.apply(&map, 2);
    let ask = |host: &str, lines: &str| {
        let mut client = Client::connect(address);
        client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n")).receive().status()
    };
    for (host, status) in [("plain", 200), ("filtered", 200), ("none", 404)] {
        assert_eq!(ask(host, "x-team: a\r\nUser-Agent: u\"\r\nX-Team: b\r\n"), status);
        assert_eq!(ask(host, ""), status);
    }
    assert_eq!(ask("plain", "bad line\r\n"), 400);
    let counted = |of: &str, labels: &str| -> u64 {
        let text = scrape(&gateway);
        let of = text.lines().filter(|line| line.starts_with(of) && line.contains(labels));
        of.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
    };
    let [point, router, service] =
        ["entrypoint", "router", "service"].map(|it| format!("traefik_{it}_requests_total{{"));
    eventually("all is counted", || counted(&point, "") == 7);
    let [said, silent] = ["team=\"a\",agent=\"u\\\"\"", "team=\"\",agent=\"\""];
    assert_eq!([&point, &router, &service].map(|of| counted(of, said)), [3, 2, 2]);
    assert_eq!([&point, &router, &service].map(|of| counted(of, silent)), [4, 2, 2]);
    assert!(!scrape(&gateway).contains("duration_seconds_count{code=\"200\",team"));
    for number in 0..400 {
        assert_eq!(ask("plain", &format!("X-Team: {number}\r\n")), 200);
    }
    eventually("all is counted", || counted(&point, "") == 407);
    let text = scrape(&gateway);
    let is_its = |line: &&str| line.starts_with(&*service) && line.contains("plain");
    let teams = text.lines().filter(is_its);
    assert_eq!(teams.count(), 257, "{text}");
    assert_eq!(counted(&service, "team=\"other\",agent=\"other\""), 400 - 254);
    gateway.apply(&routing(&routes[1..]), 3);
    eventually("what is gone is forgotten", || counted(&router, "") == 2);
    assert_eq!(counted(&point, ""), 407, "counters do not fall");
}
