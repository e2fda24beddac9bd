//! Requests as parts of traces: what endpoints are told, and what a collector would be.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use steelyard_gateway::{Gateway, GatewayOptions, Tracing};
use steelyard_http::{InnerSpan, RequestSpan, SpanCounts, SpanSink};
use support::filtering::{Uses, change, using};
use support::{
    Client, Received, Server, dead, eventually, gateway_with, ok, route, routing, scrape,
};

const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
const PARENT: u64 = 0x00f0_67aa_0ba9_02b7;
const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// Keeps what it is told.
#[derive(Default)]
struct Told(Mutex<Vec<RequestSpan>>);

impl SpanSink for Told {
    fn take(&self, span: RequestSpan) {
        self.0.lock().unwrap().push(span);
    }

    fn counts(&self) -> SpanCounts {
        SpanCounts { sent: self.0.lock().unwrap().len() as u64, dropped: 7 }
    }
}

impl Told {
    /// The only one, once it is there.
    #[track_caller]
    fn one(&self) -> RequestSpan {
        eventually("it is told", || !self.0.lock().unwrap().is_empty());
        let mut all = std::mem::take(&mut *self.0.lock().unwrap());
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    fn is_silent(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

/// A gateway that traces a share of its requests to one endpoint.
fn tracing(
    sample_rate: f64,
    endpoint: SocketAddr,
    uses: Uses<'_>,
) -> (Gateway, SocketAddr, Arc<Told>) {
    let told = Arc::<Told>::default();
    let [request_lines, response_lines] = [vec!["x-team".into()], vec!["x-own".into()]];
    let sink = told.clone();
    let tracing = Some(Tracing { sink, sample_rate, request_lines, response_lines });
    let options = GatewayOptions { workers: 1, tracing, ..GatewayOptions::default() };
    let routes = [route("main", "a", "/", &[endpoint])];
    let (gateway, address) = gateway_with(&routes, options);
    gateway.apply(&using(routing(&routes), &[], uses), 2);
    (gateway, address, told)
}

/// An endpoint that answers with the lines about traces that it was sent.
fn mirror() -> Server {
    Server::answering(|asked: &Received| {
        let line = |name: &str| asked.header(name).unwrap_or("none").to_owned();
        ok(&format!("{} {}", line("traceparent"), line("tracestate")))
    })
}

fn ask(address: SocketAddr, lines: &str) -> String {
    let mut client = Client::connect(address);
    client.send(format!("GET /path?secret=1 HTTP/1.1\r\nHost: a\r\nUser-Agent: u\r\n{lines}\r\n"));
    client.receive().text()
}

const WITH_AND_WITHOUT: [Uses<'_>; 2] = [&[], &[("edit", "told")]];

#[test]
fn an_endpoint_is_told_whose_part_of_the_trace_asks_it() {
    for uses in WITH_AND_WITHOUT {
        let server = mirror();
        let (_gateway, address, told) = tracing(0.0, server.address, uses);
        let seen = ask(address, &format!("TraceParent: {SAMPLED}\r\nTraceState: a=b\r\n"));
        let span = told.one();
        assert_eq!((span.trace, span.parent, span.status), (TRACE, Some(PARENT), 200));
        let attempt = span.attempt.expect("an endpoint was asked");
        assert_eq!(seen, format!("00-{TRACE:032x}-{:016x}-01 a=b", attempt.span));
        assert_ne!(attempt.span, span.span);
        assert_eq!(attempt.endpoint, server.address.to_string());
        assert!(attempt.after <= span.duration);
        assert_eq!((&*span.method, &*span.target, &*span.host), ("GET", "/path?secret=1", "a"));
        assert_eq!((&*span.entry_point, &*span.user_agent), ("web", "u"));
        assert!(span.router.is_some() && attempt.service.is_some());
    }
}

#[test]
fn a_trace_begins_here_where_none_came() {
    let server = mirror();
    let (gateway, address, told) = tracing(1.0, server.address, &[]);
    for lines in ["", "traceparent: nonsense\r\ntracestate: a=b\r\n"] {
        let seen = ask(address, lines);
        let span = told.one();
        let attempt = span.attempt.expect("an endpoint was asked");
        assert_eq!(seen, format!("00-{:032x}-{:016x}-01 none", span.trace, attempt.span));
        assert_eq!(span.parent, None);
    }
    ask(address, "");
    eventually("it is told", || !told.is_silent());
    let text = scrape(&gateway);
    assert!(text.contains("steelyard_traced_requests_total{outcome=\"sent\"} 1\n"), "{text}");
    assert!(text.contains("steelyard_traced_requests_total{outcome=\"dropped\"} 7\n"), "{text}");
}

#[test]
fn what_is_not_traced_passes_as_it_came() {
    let server = mirror();
    for (rate, line) in [(1.0, UNSAMPLED), (0.0, UNSAMPLED), (0.0, "nonsense")] {
        let (_gateway, address, told) = tracing(rate, server.address, &[]);
        let seen = ask(address, &format!("traceparent: {line}\r\ntracestate: a=b\r\n"));
        assert_eq!(seen, format!("{line} a=b"));
        assert!(told.is_silent());
    }
}

#[test]
fn what_no_endpoint_answers_is_told_with_why() {
    let (_gateway, address, told) = tracing(1.0, dead(), &[]);
    ask(address, "");
    let span = told.one();
    assert_eq!((span.status, span.why.is_some()), (502, true), "{span:?}");
    let mut client = Client::connect(address);
    client.send("GET / HTTP/1.1\r\nHost: elsewhere\r\n\r\n").receive();
    let span = told.one();
    assert_eq!((span.status, span.router, span.attempt), (404, None, None));
}

/// Lines that are named are told of, as clients send and get them, with all their values; others
/// are not.
#[test]
fn lines_that_are_named_are_told_of() {
    let server = Server::answering(|_: &Received| {
        b"HTTP/1.1 200 OK\r\nX-Own: 1\r\nX-Secret: s\r\nContent-Length: 2\r\n\r\nok".to_vec()
    });
    for uses in WITH_AND_WITHOUT {
        let (_gateway, address, told) = tracing(1.0, server.address, uses);
        ask(address, "X-Team: a\r\nCookie: c\r\nx-team: b\r\n");
        let captured = told.one().captured;
        let pair = |name: &str, values: &[&str]| {
            (name.to_owned(), values.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>())
        };
        let expected = [
            pair("http.request.header.x-team", &["a", "b"]),
            pair("http.response.header.x-own", &["1"]),
        ];
        assert_eq!(captured, expected, "{uses:?}");
    }
}

/// Filters that a request passes, where its route wants them told: one that waits, one that does
/// not, and one that answers.
#[test]
fn a_detailed_trace_tells_what_is_passed_and_when() {
    let server = mirror();
    let names = |span: &RequestSpan| -> Vec<String> {
        let name = |it: &InnerSpan| format!("{} {}", it.name, it.about[0].1);
        span.inner.iter().map(name).collect()
    };
    let (router, service) = ("Router default-main-0@ingress", "Service default-main-80@ingress");
    for (uses, expected) in [
        (&[][..], &[router, service][..]),
        (
            &[("edit", "one"), ("sleep=20", "two"), ("edit", "three")],
            &[
                router,
                "Middleware trial:edit",
                "Middleware trial:sleep=20",
                "Middleware trial:edit",
                service,
            ],
        ),
        (
            &[("edit", "one"), ("answer=403", "two"), ("edit", "three")],
            &[router, "Middleware trial:edit", "Middleware trial:answer=403"],
        ),
    ] {
        let (gateway, address, told) = tracing(1.0, server.address, uses);
        ask(address, "");
        assert_eq!(told.one().inner, [], "nobody asks for more");
        let mut map = using(routing(&[route("main", "a", "/", &[server.address])]), &[], uses);
        change(&mut map, "main", |it| it.observability.detailed = Some(true));
        gateway.apply(&map, 3);
        ask(address, "");
        let span = told.one();
        assert_eq!(names(&span), expected, "{uses:?}");
        let after: Vec<Duration> = span.inner.iter().map(|it| it.after).collect();
        assert!(after.is_sorted() && after.iter().all(|it| *it <= span.duration), "{after:?}");
        let ids: BTreeSet<u64> = span.inner.iter().map(|it| it.span).collect();
        assert_eq!(ids.len(), span.inner.len());
        if uses.iter().any(|(deed, _)| deed.starts_with("sleep")) {
            assert!(after[3] > after[2], "who waits takes its time: {after:?}");
        }
    }
}
