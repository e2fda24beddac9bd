//! Requests on a real socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    Admin, AdminOptions, HealthOptions, LiveParts, Overview, Published, StartError, View, serve,
    serve_health,
};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Far more than any answer takes.
const BOUND: Duration = Duration::from_secs(10);

/// A served view.
struct Served {
    admin: Admin,
    published: Arc<Published>,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

/// A file with a token, removed afterwards.
struct TokenFile(PathBuf);

impl Served {
    fn new(listen: &str, token: Option<&TokenFile>) -> Self {
        let metrics = Arc::new(|| "up 1\n".to_owned());
        let rebalance = Arc::new(|| true);
        let published = Published::new(LiveParts { metrics, rebalance, ..LiveParts::default() });
        let token_file = token.map(|file| file.0.clone());
        let options =
            AdminOptions { listen: listen.parse().unwrap(), token_file, ..AdminOptions::default() };
        let admin = serve(&options, published.clone()).unwrap();
        Self { admin, published }
    }

    /// Health and metrics alone.
    fn health(path: &str) -> Self {
        let metrics = Arc::new(|| "up 1\n".to_owned());
        let published = Published::new(LiveParts { metrics, ..LiveParts::default() });
        let AdminOptions { places, inherited, waits, .. } = AdminOptions::default();
        let listen = ([0, 0, 0, 0], 0).into();
        let options = HealthOptions { listen, path: path.to_owned(), places, inherited, waits };
        let admin = serve_health(&options, published.clone()).unwrap();
        Self { admin, published }
    }

    fn loopback() -> Self {
        Self::new("127.0.0.1:0", None)
    }

    /// Off loopback as far as the rules go; still only reached through loopback.
    fn everywhere(token: Option<&TokenFile>) -> Self {
        Self::new("0.0.0.0:0", token)
    }

    fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.admin.address().port()).into()
    }

    /// Sends a head (`\n` stands for `\r\n`), and reads until the connection closes.
    fn raw(&self, head: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        let head = format!("{head}\nConnection: close\n\n").replace('\n', "\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    fn get(&self, path: &str) -> Answer {
        self.raw(&format!("GET {path} HTTP/1.1\nHost: localhost"))
    }

    /// Opens the stream and skips its head.
    fn stream(&self) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream.write_all(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut reader = BufReader::new(stream);
        let head = until(&mut reader, "\r\n");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        reader
    }
}

impl Answer {
    fn json(&self) -> Value {
        assert!(self.head.contains("content-type: application/json"), "{}", self.head);
        serde_json::from_str(&self.body).unwrap()
    }
}

impl TokenFile {
    fn new(content: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("steelyard-admin-token-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Lines up to and without the line `end`.
fn until(reader: &mut impl BufRead, end: &str) -> String {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "ended after {text:?}");
        if line == end {
            return text;
        }
        text.push_str(&line);
    }
}

/// The data of the next event of a chunked stream.
fn next_event(reader: &mut impl BufRead) -> Value {
    let text = until(reader, "\n");
    assert!(text.contains("event: publish\n"), "{text:?}");
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    serde_json::from_str(data).unwrap()
}

fn view(generation: u64) -> View {
    let overview =
        Overview { version: "1.2.3".into(), node: "node-a".into(), ..Overview::default() };
    View {
        generation,
        unready: Vec::new().into(),
        overview: serde_json::to_value(overview).unwrap().into(),
        services: json!([{ "namespace": "default", "name": "web", "addresses": ["192.0.2.1"] }])
            .into(),
        ..View::default()
    }
}

#[test]
fn health_is_told_and_nothing_else() {
    for (path, own) in [("/healthz", 200), ("/health", 200), ("/metrics", 200), ("/{a}", 404)] {
        let served = Served::health(path);
        served.published.publish(view(1));
        assert_eq!(served.get("/healthz").status, 200, "{path}");
        assert_eq!(served.get("/metrics").body, "up 1\n", "{path}");
        assert_eq!(served.get("/readyz").status, 200, "{path}");
        assert_eq!(served.get(path).status, own, "{path}");
        for other in ["/", "/api/v1/overview", "/page.js", "/stop"] {
            assert_eq!(served.get(other).status, 404, "{other}");
        }
        assert_eq!(served.raw("POST /healthz HTTP/1.1\nHost: localhost\n").status, 405);
        served.published.end();
        let ends = [("/healthz", 500), ("/health", if own == 200 { 500 } else { 404 })];
        let ends = ends.into_iter().filter(|(it, _)| *it == "/healthz" || *it == path);
        ends.for_each(|(path, status)| assert_eq!(served.get(path).status, status, "{path}"));
        assert_eq!(served.get("/metrics").status, 200);
    }
}

#[test]
fn every_path_has_its_status_and_type() {
    let served = Served::loopback();
    served.published.publish(view(1));
    let cases = [
        ("GET /", 200, "text/html; charset=utf-8"),
        ("HEAD /", 200, "text/html; charset=utf-8"),
        ("GET /page.css", 200, "text/css; charset=utf-8"),
        ("GET /page.js", 200, "text/javascript; charset=utf-8"),
        ("GET /icon.svg", 200, "image/svg+xml"),
        ("GET /metrics", 200, "text/plain; version=0.0.4; charset=utf-8"),
        ("GET /healthz", 200, "text/plain; charset=utf-8"),
        ("GET /readyz", 200, "text/plain; charset=utf-8"),
        ("HEAD /readyz", 200, "text/plain; charset=utf-8"),
        ("GET /api/v1/overview", 200, "application/json"),
        ("HEAD /api/v1/overview", 200, "application/json"),
        ("GET /api/v1/requests?n=1", 200, "application/json"),
        ("GET /api/v1/requests/unknown", 404, "application/json"),
        ("GET /api/v1/nothing", 404, "application/json"),
        ("GET /api/v1/services/", 404, "application/json"),
        ("GET /api/v1/%2e%2e", 404, "application/json"),
        ("GET /api", 404, "application/json"),
        ("GET /../Cargo.toml", 404, "text/plain; charset=utf-8"),
        ("POST /api/v1/services", 405, "application/json"),
        ("DELETE /api/v1/stream", 405, "application/json"),
        ("PUT /", 405, "text/plain; charset=utf-8"),
        ("OPTIONS /api/v1/services", 405, "application/json"),
    ];
    for (request, status, kind) in cases {
        let answer = served.raw(&format!("{request} HTTP/1.1\nHost: localhost"));
        assert_eq!(answer.status, status, "{request}");
        assert!(
            answer.head.contains(&format!("content-type: {kind}\r\n")),
            "{request}: {}",
            answer.head
        );
        assert_eq!(answer.body.is_empty(), request.starts_with("HEAD"), "{request}");
        assert_eq!(
            answer.head.contains("allow: get,head"),
            status == 405,
            "{request}: {}",
            answer.head
        );
        assert_secured(&answer);
    }
}

fn assert_secured(answer: &Answer) {
    let headers = [
        "content-security-policy: default-src 'none'; script-src 'self'; ",
        "x-content-type-options: nosniff",
        "x-frame-options: deny",
        "referrer-policy: no-referrer",
        "cache-control: no-",
    ];
    for header in headers {
        assert!(answer.head.contains(header), "{header} not in {}", answer.head);
    }
    assert!(!answer.head.contains("access-control"), "{}", answer.head);
}

#[test]
fn every_resource_is_told_as_published() {
    let served = Served::loopback();
    for name in crate::view::RESOURCES {
        let value = served.get(&format!("/api/v1/{name}")).json();
        assert!(if name == "overview" { value.is_object() } else { value == json!([]) }, "{name}");
    }
    let mut published = view(7);
    published.unready = vec!["10.0.0.1 is not announced".into()].into();
    served.published.publish(published);
    assert_eq!(served.get("/api/v1/services").json()[0]["addresses"], json!(["192.0.2.1"]));
    let overview = served.get("/api/v1/overview").json();
    assert_eq!(overview["generation"], 7);
    assert_eq!(overview["ready"], false);
    assert_eq!(overview["reasons"], json!(["10.0.0.1 is not announced"]));
    assert_eq!(overview["version"], "1.2.3");
    assert_eq!(overview["entryPoints"], json!([]));
    assert_eq!(overview["endpoints"], json!({ "ready": 0, "total": 0 }));
    let error = served.get("/api/v1/nothing").json();
    assert!(error["error"].as_str().unwrap().contains("overview, services, "), "{error}");
}

#[test]
fn ready_says_why_not() {
    let served = Served::loopback();
    assert_eq!(served.get("/healthz").status, 200);
    let starting = served.get("/readyz");
    assert_eq!((starting.status, starting.body.as_str()), (503, "starting\n"));
    served.published.publish(View { unready: vec!["a".into(), "b".into()].into(), ..view(1) });
    assert_eq!(served.get("/readyz").body, "a\nb\n");
    served.published.publish(View { notes: vec!["c".into(), "d".into()].into(), ..view(1) });
    let ready = served.get("/readyz");
    assert_eq!((ready.status, &*ready.body), (200, "ok\nnote: c\nnote: d\n"));
    served.published.publish(view(2));
    assert_eq!(served.get("/readyz").status, 200);
    assert_eq!(served.get("/metrics").body, "up 1\n");
    served.published.publish(View { gauges: "now 2\n".to_owned().into(), ..view(3) });
    assert_eq!(served.get("/metrics").body, "up 1\nnow 2\n");
}

#[test]
fn on_loopback_the_host_must_be_this_machine() {
    let served = Served::loopback();
    let own = [
        "Host: localhost",
        "Host: localhost:1234",
        "Host: LocalHost.",
        "Host: 127.0.0.1:9180",
        "Host: [::1]:9180",
        "Host: [::1]",
        "Host: steelyard.localhost:9180",
    ];
    let foreign = [
        "Host: evil.example",
        "Host: evil.example:9180",
        "Host: localhost.evil.example",
        "Host: 127.0.0.1.evil.example",
        "Host: 10.0.0.1",
        "Host: notlocalhost",
        "Host: ",
        "Host: localhost\nHost: evil.example",
        "Host: [::2]:9180",
        "Host: \u{7f}",
    ];
    for host in own {
        assert_eq!(
            served.raw(&format!("GET /api/v1/overview HTTP/1.1\n{host}")).status,
            200,
            "{host}"
        );
    }
    for host in foreign {
        for path in ["/api/v1/overview", "/api/v1/stream", "/", "/metrics", "/nothing"] {
            let answer = served.raw(&format!("GET {path} HTTP/1.1\n{host}"));
            assert!(matches!(answer.status, 400 | 403), "{path} {host:?}: {}", answer.status);
        }
    }
    let absolute = served.raw("GET http://evil.example/api/v1/overview HTTP/1.1\nHost: localhost");
    assert_eq!(absolute.status, 403);
    assert_eq!(served.raw("GET /healthz HTTP/1.0").status, 200);
}

#[test]
fn off_loopback_without_a_token_only_metrics_and_health_are_told() {
    let served = Served::everywhere(None);
    for path in ["/metrics", "/healthz"] {
        assert_eq!(served.raw(&format!("GET {path} HTTP/1.1\nHost: any.example")).status, 200);
    }
    assert_eq!(served.get("/readyz").status, 503);
    for path in ["/", "/page.js", "/api/v1/overview", "/api/v1/stream", "/api", "/nothing"] {
        let answer = served.get(path);
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.body.contains("--admin-token-file"), "{path}: {}", answer.body);
    }
}

#[test]
fn with_a_token_the_api_wants_it() {
    let file = TokenFile::new(&format!("  {TOKEN}\n"));
    for served in [Served::everywhere(Some(&file)), Served::new("127.0.0.1:0", Some(&file))] {
        let ask = |path: &str, header: &str| {
            served.raw(&format!("GET {path} HTTP/1.1\nHost: localhost{header}")).status
        };
        let right = format!("\nAuthorization: Bearer {TOKEN}");
        let wrong = [
            String::new(),
            "\nAuthorization: Bearer ".to_owned(),
            "\nAuthorization: Bearer".to_owned(),
            format!("\nAuthorization: Basic {TOKEN}"),
            format!("\nAuthorization: {TOKEN}"),
            format!("\nAuthorization: Bearer {}", &TOKEN[1..]),
            format!("\nAuthorization: Bearer {TOKEN}0"),
            format!("\nAuthorization: Bearer {}", TOKEN.to_uppercase()),
            "\nAuthorization: Bearer \u{fc}".to_owned(),
            "\nX-Steelyard-Token: ".to_owned(),
            format!("\nX-Steelyard-Token: {TOKEN}0"),
            format!("\nX-Steelyard-Token: Bearer {TOKEN}"),
        ];
        assert_eq!(ask("/api/v1/overview", &right), 200);
        assert_eq!(ask("/api/v1/overview", &right.to_lowercase()), 200);
        // Behind an API server, which takes the usual header for itself.
        assert_eq!(ask("/api/v1/overview", &format!("\nX-Steelyard-Token: {TOKEN}")), 200);
        for header in wrong {
            for path in ["/api/v1/overview", "/api/v1/stream", "/api/v1/nothing", "/api"] {
                assert_eq!(ask(path, &header), 401, "{path} {header:?}");
            }
        }
        for path in ["/", "/page.js", "/metrics", "/healthz"] {
            assert_eq!(ask(path, ""), 200, "{path}");
        }
        assert!(served.get("/api/v1/overview").head.contains("www-authenticate: bearer"));
    }
}

#[test]
fn the_stream_tells_each_publication_and_the_state_at_first() {
    let served = Served::loopback();
    served.published.publish(view(1));
    let mut readers = [served.stream(), served.stream()];
    for reader in &mut readers {
        assert_eq!(next_event(reader), json!({ "generation": 1, "ready": true }));
    }
    for generation in 2..5 {
        served.published.publish(View { unready: vec!["x".into()].into(), ..view(generation) });
        for reader in &mut readers {
            let want = json!({ "generation": generation, "ready": false });
            assert_eq!(next_event(reader), want);
        }
    }
}

#[test]
fn a_reader_that_does_not_read_holds_nobody_up() {
    let served = Served::loopback();
    let mut slow = served.stream();
    for generation in 1..=50_000 {
        served.published.publish(view(generation));
    }
    assert_eq!(served.get("/api/v1/overview").json()["generation"], 50_000);
    loop {
        if next_event(&mut slow)["generation"] == 50_000 {
            break;
        }
    }
}

#[test]
fn streams_are_bounded_and_freed() {
    let served = Served::loopback();
    let mut open: Vec<_> = (0..64).map(|_| served.stream()).collect();
    assert_eq!(served.get("/api/v1/stream").status, 503);
    assert_eq!(served.get("/api/v1/overview").status, 200);
    open.clear();
    served.published.publish(view(1)); // writing finds out that they are gone
    let deadline = std::time::Instant::now() + BOUND;
    let stream = loop {
        let mut stream = TcpStream::connect(served.address()).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream.write_all(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        if status.ends_with(b"200") {
            break stream;
        }
        assert!(std::time::Instant::now() < deadline, "no stream became free");
    };
    drop(stream);
}

#[test]
fn stopping_closes_everything_at_once() {
    let served = Served::loopback();
    let mut stream = served.stream();
    let address = served.address();
    drop(served);
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest); // an end or a reset, but no waiting
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn what_keeps_it_from_starting_is_said() {
    let published = Published::new(LiveParts::default());
    let start = |listen: SocketAddr, token_file: Option<PathBuf>| {
        serve(&AdminOptions { listen, token_file, ..AdminOptions::default() }, published.clone())
            .unwrap_err()
    };
    let served = Served::loopback();
    let taken = start(served.address(), None);
    assert!(taken.to_string().contains("give another with --admin"), "{taken}");
    let any = "127.0.0.1:0".parse().unwrap();
    assert!(matches!(start(any, Some("/nowhere".into())), StartError::TokenFile { .. }));
    let weak = TokenFile::new("short\n");
    assert!(matches!(start(any, Some(weak.0.clone())), StartError::WeakToken { .. }));
}

#[test]
fn orders_are_taken_from_the_own_origin_or_with_the_token_only() {
    let served = Served::loopback();
    let host = served.address();
    let post = |more: &str| {
        served
            .raw(&format!("POST /api/v1/rebalance HTTP/1.1\nHost: {host}{more}\nContent-Length: 0"))
    };
    assert_eq!(post("").status, 403);
    assert_eq!(post(&format!("\nOrigin: http://{host}")).status, 202);
    for foreign in [
        "http://evil.example",
        "null",
        "https://127.0.0.1",
        "http://127.0.0.1:1",
        &format!("http://{host}\nOrigin: http://{host}"),
        &format!("http://{host}\nSec-Fetch-Site: cross-site"),
    ] {
        assert_eq!(post(&format!("\nOrigin: {foreign}")).status, 403, "{foreign}");
    }
    // A name that was made to lead here is no name of ours, whatever origin comes with it.
    let rebound = "POST /api/v1/rebalance HTTP/1.1\nHost: evil.example\nContent-Length: 0\n\
                   Origin: http://evil.example";
    assert_eq!(served.raw(rebound).status, 403);
    let get = served.raw(&format!("GET /api/v1/rebalance HTTP/1.1\nHost: {host}"));
    assert_eq!(get.status, 405);
}
