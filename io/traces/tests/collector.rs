//! What a collector gets, read by OpenTelemetry's own definitions.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use steelyard_http::{AttemptSpan, InnerSpan, RequestSpan, SpanCounts, SpanSink};
use steelyard_traces::{Exporter, TraceOptions, TraceStartError};

const PATIENCE: Duration = Duration::from_secs(30);

/// A request as a collector got it: its head, and what was in it.
type Got = (String, ExportTraceServiceRequest);

/// A collector that answers each request with `status`.
fn collector(status: &'static str) -> (SocketAddr, Receiver<Got>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (to, got) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.expect("a connection"));
            while let Some((head, body)) = message(&mut reader) {
                let body = ExportTraceServiceRequest::decode(&*body).expect("protobuf");
                let _ = to.send((head, body));
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                reader.get_mut().write_all(answer.as_bytes()).expect("answered");
            }
        }
    });
    (address, got)
}

fn message(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    let mut body = vec![0; length.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn options(address: SocketAddr) -> TraceOptions {
    TraceOptions {
        endpoint: format!("http://{address}/v1/traces"),
        service_name: "edge".into(),
        resource: BTreeMap::from([("k8s.node.name".into(), "node-a".into())]),
        headers: BTreeMap::from([("authorization".into(), "Bearer t".into())]),
        attributes: BTreeMap::from([("team".into(), "edge".into())]),
        safe_query: vec!["page".into()],
    }
}

fn request(status: u16) -> RequestSpan {
    RequestSpan {
        trace: 7,
        span: 8,
        parent: Some(9),
        started: SystemTime::UNIX_EPOCH + Duration::from_secs(100),
        duration: Duration::from_millis(30),
        method: "GET".into(),
        target: "/path?secret=1&page=2".into(),
        host: "a.example".into(),
        user_agent: "u".into(),
        client: ([192, 0, 2, 1], 4711).into(),
        entry_point: "web".into(),
        router: Some("default-web-0@ingress".into()),
        status,
        bytes: (1, 2),
        why: None,
        captured: vec![("http.request.header.x-team".into(), vec!["a".into(), "b".into()])],
        attempt: Some(AttemptSpan {
            span: 10,
            service: Some("default-web-80".into()),
            endpoint: "192.0.2.2:8080".into(),
            after: Duration::from_millis(10),
            retries: 2,
        }),
        inner: Vec::new(),
    }
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<&str, String> {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|it| it.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    attributes.iter().map(|it| (&*it.key, text(&it.value))).collect()
}

fn spans(got: &ExportTraceServiceRequest) -> Vec<&Span> {
    let resources = got.resource_spans.iter().flat_map(|it| &it.scope_spans);
    resources.flat_map(|it| &it.spans).collect()
}

fn eventually(exporter: &Exporter, counts: SpanCounts) {
    let start = std::time::Instant::now();
    while exporter.counts() != counts {
        assert!(start.elapsed() < PATIENCE, "{:?}", exporter.counts());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_request_is_two_spans() {
    let (address, got) = collector("200 OK");
    let exporter = Exporter::start(&options(address)).expect("it starts");
    exporter.take(request(200));
    let (head, body) = got.recv_timeout(PATIENCE).expect("it comes");
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nauthorization: bearer t\r\n"), "{head}");
    let resource = body.resource_spans[0].resource.as_ref().expect("who tells");
    let resource = texts(&resource.attributes);
    assert_eq!((&*resource["service.name"], &*resource["k8s.node.name"]), ("edge", "node-a"));
    let [served, asked] = spans(&body)[..] else { panic!("{body:?}") };
    let milliseconds =
        |it: &Span| [it.start_time_unix_nano, it.end_time_unix_nano].map(|at| at / 1_000_000);
    let id = |id: u64| id.to_be_bytes().to_vec();
    assert_eq!(
        (&*served.name, &served.span_id, &served.parent_span_id),
        ("EntryPoint", &id(8), &id(9))
    );
    assert_eq!(
        (&*asked.name, &asked.span_id, &asked.parent_span_id),
        ("ReverseProxy", &id(10), &id(8))
    );
    assert_eq!(milliseconds(served), [100_000, 100_030]);
    assert_eq!(milliseconds(asked), [100_010, 100_030]);
    for span in [served, asked] {
        assert_eq!(span.trace_id, 7_u128.to_be_bytes());
        let said = texts(&span.attributes);
        assert_eq!((&*said["url.path"], &*said["http.response.status_code"]), ("/path", "200"));
        let (query, team) = (&*said["url.query"], &*said["team"]);
        assert_eq!((query, team), ("secret=REDACTED&page=2", "edge"));
        assert_eq!(span.status.as_ref().map(|it| it.code), Some(0));
    }
    assert_eq!((served.kind, asked.kind), (2, 3));
    let lines = served.attributes.iter().find(|it| it.key == "http.request.header.x-team");
    assert!(format!("{lines:?}").contains("\"b\""), "each line: {lines:?}");
    let (served, asked) = (texts(&served.attributes), texts(&asked.attributes));
    for (name, value) in [
        ("entry_point", "web"),
        ("client.address", "192.0.2.1"),
        ("client.port", "4711"),
        ("server.address", "a.example"),
        ("http.request.body.size", "1"),
        ("http.response.body.size", "2"),
        ("traefik.router.name", "default-web-0@ingress"),
    ] {
        assert_eq!(served[name], value, "{name}");
    }
    for (name, value) in [
        ("network.peer.address", "192.0.2.2:8080"),
        ("traefik.service.name", "default-web-80"),
        ("http.request.resend_count", "2"),
    ] {
        assert_eq!(asked[name], value, "{name}");
    }
    eventually(&exporter, SpanCounts { sent: 1, dropped: 0 });
}

/// What it went through, each within the one before, and the endpoint within all.
#[test]
fn a_detailed_request_is_a_span_for_each_step() {
    let (address, got) = collector("200 OK");
    let exporter = Exporter::start(&options(address)).expect("it starts");
    let inner = |span, name, attribute, value: &str, after| InnerSpan {
        span,
        name,
        about: vec![(attribute, value.to_owned())],
        after: Duration::from_millis(after),
    };
    let steps = vec![
        inner(11, "Router", "traefik.router.name", "r", 0),
        inner(12, "RateLimiterType", "traefik.middleware.name", "few", 1),
        inner(13, "Service", "traefik.service.name", "s", 5),
    ];
    exporter.take(RequestSpan { inner: steps, ..request(200) });
    let (_, body) = got.recv_timeout(PATIENCE).expect("it comes");
    let all = spans(&body);
    let id = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
    let told = all.iter().map(|it| {
        let after = it.start_time_unix_nano / 1_000_000 - 100_000;
        (&*it.name, id(&it.span_id), id(&it.parent_span_id), it.kind, after)
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            ("EntryPoint", 8, 9, 2, 0),
            ("Router", 11, 8, 1, 0),
            ("RateLimiterType", 12, 11, 1, 1),
            ("Service", 13, 12, 1, 5),
            ("ReverseProxy", 10, 13, 3, 10),
        ]
    );
    let about = texts(&all[2].attributes);
    assert_eq!((&*about["traefik.middleware.name"], &*about["team"]), ("few", "edge"));
}

#[test]
fn what_failed_is_an_error() {
    let (address, got) = collector("200 OK");
    let exporter = Exporter::start(&options(address)).expect("it starts");
    exporter.take(RequestSpan { why: Some("no endpoint is ready"), attempt: None, ..request(503) });
    let (_, body) = got.recv_timeout(PATIENCE).expect("it comes");
    let [served] = spans(&body)[..] else { panic!("{body:?}") };
    let status = served.status.clone().expect("a status");
    assert_eq!((status.code, &*status.message), (2, "no endpoint is ready"));
    assert_eq!(texts(&served.attributes)["error.type"], "no endpoint is ready");
}

/// Nobody waits for a collector, and what it does not take is counted.
#[test]
fn what_does_not_arrive_is_counted() {
    let (address, got) = collector("400 Bad Request");
    let exporter = Exporter::start(&options(address)).expect("it starts");
    exporter.take(request(200));
    got.recv_timeout(PATIENCE).expect("it comes");
    eventually(&exporter, SpanCounts { sent: 0, dropped: 1 });
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let exporter = Exporter::start(&options(silent.local_addr().expect("one"))).expect("it starts");
    (0..10_000).for_each(|_| exporter.take(request(200)));
    assert!(exporter.counts().dropped >= 10_000 - 4096 - 256 - 1, "{:?}", exporter.counts());
}

/// What waits at the end is sent.
#[test]
fn the_end_loses_nothing() {
    let (address, got) = collector("200 OK");
    let exporter = Exporter::start(&options(address)).expect("it starts");
    (0..300).for_each(|_| exporter.take(RequestSpan { attempt: None, ..request(200) }));
    drop(exporter);
    let told: usize = got.try_iter().map(|(_, body)| spans(&body).len()).sum();
    assert_eq!(told, 300);
}

#[test]
fn what_is_no_collector_is_refused() {
    for endpoint in ["collector:4318", "ftp://a/b", "http://a", "http://a/", "http:// a/b", ""] {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let options = TraceOptions { endpoint: endpoint.into(), ..options(address) };
        let outcome = Exporter::start(&options);
        assert!(matches!(outcome, Err(TraceStartError::Endpoint(_))), "{endpoint}");
    }
}
