//! Filters that limit, ask again and make smaller, on real sockets: what clients see, over HTTP/1.1
//! and HTTP/2, and what outlives a configuration.

mod support;

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use steelyard_gateway::{Gateway, GatewayOptions};
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::content::{Compression, ContentCoding, EncodedCharacters};
use steelyard_model::routing::filter::limit::{
    BodyBuffers, CircuitBreaker, Counted, InFlightLimit, RateLimit, RetryRule,
};
use steelyard_model::routing::filter::token::{TokenAuth, TokenKeys};
use steelyard_model::routing::world::RoutingMap;
use support::filtering::{echoed, put_filters};
use support::held::HeldServer;
use support::{Client, Received, Server, gateway_with, get, h2, ok, route, routing};

/// A gateway whose route `/` has these filters, the first outermost.
struct Limiting {
    gateway: Gateway,
    address: SocketAddr,
    map: RoutingMap,
}

impl Limiting {
    fn new(endpoint: SocketAddr, filters: Vec<Filter>) -> Self {
        let routes = [route("main", "*", "/", &[endpoint])];
        let options = GatewayOptions { workers: 2, ..GatewayOptions::default() };
        let (gateway, address) = gateway_with(&routes, options);
        let mut it = Self { gateway, address, map: routing(&routes) };
        it.apply(filters, 2);
        it
    }

    fn apply(&mut self, filters: Vec<Filter>, version: u64) {
        put_filters(&mut self.map, "main", filters);
        self.gateway.apply(&self.map, version);
    }
}

fn rate(average: u64, burst: u64) -> Filter {
    let of = Counted::Header("x-key".into());
    let period = Duration::from_secs(3600);
    Filter::RateLimit(Box::new(RateLimit {
        average,
        period,
        burst,
        of,
        redis: None,
        status: 429,
        page: Default::default(),
    }))
}

fn keyed(address: SocketAddr, key: &str) -> Received {
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Key: {key}\r\n\r\n");
    Client::connect(address).send(request).receive()
}

/// Each source has its own budget, one for all cores, which a reload does not fill again.
#[test]
fn a_rate_is_one_for_all_cores_and_outlives_a_reload() {
    let server = Server::echo("s");
    let mut it = Limiting::new(server.address, vec![rate(1, 4)]);
    let statuses = |key: &str, count: usize| -> Vec<u16> {
        (0..count).map(|_| keyed(it.address, key).status()).collect()
    };
    assert_eq!(statuses("a", 3), [200, 200, 200]);
    assert_eq!(statuses("b", 1), [200]);
    it.apply(vec![rate(1, 4)], 3);
    let last: Vec<u16> = (0..2).map(|_| keyed(it.address, "a").status()).collect();
    assert_eq!(last, [200, 429]);
    let answer = keyed(it.address, "a");
    assert_eq!(answer.text(), "Too Many Requests");
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((3500..=3600).contains(&seconds), "{seconds}");
    assert_eq!(keyed(it.address, "b").status(), 200);
    // HTTP/2 has no budget of its own.
    h2::run(async {
        let mut connection = h2::connect(it.address).await;
        let mut request = h2::request("GET", "/");
        request.headers_mut().insert("x-key", "a".parse().unwrap());
        let whole = h2::ask(&mut connection, request, b"").await.unwrap();
        assert_eq!((whole.status, whole.text().as_str()), (429, "Too Many Requests"));
    });
}

/// As many as may be at once; who is turned away has not reached the endpoint, and who is cut off
/// leaves room.
#[test]
fn requests_at_once_are_counted_until_they_end() {
    let held = HeldServer::start("late");
    let limit = || {
        Filter::InFlight(InFlightLimit {
            amount: 2,
            of: Counted::Host,
            status: 429,
            page: Default::default(),
        })
    };
    let it = Limiting::new(held.server.address, vec![limit()]);
    let ask = || {
        let mut client = Client::connect(it.address);
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client
    };
    let (mut first, second) = (ask(), ask());
    support::eventually("both are in", || held.server.accepted.load(Ordering::SeqCst) == 2);
    assert_eq!(get(it.address, "a", "/").status(), 429);
    drop(second);
    let mut third = None;
    support::eventually("there is room again", || {
        let mut client = ask();
        client.reader.get_ref().set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let is_in = client.reader.get_mut().read(&mut [0; 1]).is_err();
        client.reader.get_ref().set_read_timeout(Some(support::PATIENCE)).unwrap();
        third = is_in.then_some(client);
        is_in
    });
    held.release();
    assert_eq!(first.receive().text(), "late");
    assert_eq!(third.unwrap().receive().text(), "late");
    assert_eq!(get(it.address, "a", "/").status(), 200);
}

/// Nobody is asked while the breaker is open.
#[test]
fn a_breaker_keeps_requests_from_who_fails() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let server = Server::answering(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        b"HTTP/1.1 500 X\r\nContent-Length: 2\r\n\r\nno".to_vec()
    });
    let breaker = Filter::CircuitBreaker(CircuitBreaker {
        expression: "ResponseCodeRatio(500, 600, 0, 600) > 0.5".into(),
        check_period: Duration::from_millis(1),
        fallback: Duration::from_secs(60),
        recovery: Duration::from_secs(10),
        status: 418,
    });
    let it = Limiting::new(server.address, vec![breaker]);
    support::eventually("it opens", || get(it.address, "a", "/").status() == 418);
    let before = asked.load(Ordering::SeqCst);
    let answer = get(it.address, "a", "/");
    assert_eq!((answer.status(), answer.text().as_str()), (418, "I'm a teapot"));
    assert_eq!(asked.load(Ordering::SeqCst), before);
}

fn retries(statuses: Vec<(u16, u16)>) -> Filter {
    Filter::Retry(RetryRule {
        attempts: 3,
        timeout: None,
        interval: Some(Duration::from_millis(5)),
        max_body: Some(100),
        statuses,
        is_by_status_alone: false,
        is_for_all_methods: false,
    })
}

fn posted(address: SocketAddr, method: &str, body: &str) -> Received {
    let length = body.len();
    let request =
        format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}");
    Client::connect(address).send(request).receive()
}

/// A request is asked again with its body, as often as may be, and no more.
#[test]
fn requests_are_asked_again_after_a_status() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let server = Server::answering(move |request| match count.fetch_add(1, Ordering::SeqCst) {
        2 => ok(&request.text()),
        _ => b"HTTP/1.1 503 X\r\nContent-Length: 4\r\n\r\nbusy".to_vec(),
    });
    let it = Limiting::new(server.address, vec![retries(vec![(503, 503)])]);
    let long = "x".repeat(101);
    for (method, body, status, attempts) in [
        ("PUT", "whole", 200, 3),
        ("GET", "", 200, 3),
        // It may have been done, or cannot be sent again.
        ("POST", "whole", 503, 1),
        ("PUT", &long, 503, 1),
    ] {
        asked.store(0, Ordering::SeqCst);
        let answer = posted(it.address, method, body);
        let got = (answer.status(), asked.load(Ordering::SeqCst));
        assert_eq!(got, (status, attempts), "{method} {}", body.len());
        assert!(status == 503 || answer.text() == body);
    }
}

/// Who is not there at first, and then is: also what may change something is sent, once.
#[test]
fn an_endpoint_that_comes_late_is_found() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let terms = Filter::Retry(RetryRule {
        attempts: 200,
        timeout: None,
        interval: Some(Duration::from_millis(50)),
        max_body: Some(100),
        statuses: Vec::new(),
        is_by_status_alone: false,
        is_for_all_methods: false,
    });
    let it = Limiting::new(address, vec![terms]);
    let to = it.address;
    let asking = std::thread::spawn(move || posted(to, "POST", "now"));
    let failed = || support::scrape(&it.gateway).contains("connect");
    support::eventually("it was asked in vain", failed);
    let listener = std::net::TcpListener::bind(address).unwrap();
    let (stream, _) = listener.accept().unwrap();
    let mut reader = std::io::BufReader::new(stream);
    let request = Received::read(&mut reader).unwrap();
    assert!(request.head.starts_with("POST / "), "{}", request.head);
    reader.get_mut().write_all(&ok(&request.text())).unwrap();
    let answer = asking.join().unwrap();
    assert_eq!((answer.status(), answer.text().as_str()), (200, "now"));
}

#[test]
fn large_bodies_are_refused_on_both_ways() {
    let server = Server::answering(|request| match request.header("x-large") {
        Some(_) => ok(&"y".repeat(2000)),
        None => ok(&request.body.len().to_string()),
    });
    let terms = |retry: Option<&str>| {
        Filter::Buffers(BodyBuffers {
            max_request: 1000,
            mem_request: 100,
            max_response: 1000,
            mem_response: 100,
            retry: retry.map(Into::into),
        })
    };
    for retry in [None, Some("IsNetworkError() && Attempts() < 2")] {
        let it = Limiting::new(server.address, vec![terms(retry)]);
        for (size, status) in [(0, 200), (100, 200), (1000, 200), (1001, 413)] {
            let answer = posted(it.address, "POST", &"x".repeat(size));
            assert_eq!(answer.status(), status, "{size} {retry:?}");
            if status == 200 {
                assert_eq!(answer.text(), size.to_string());
            }
        }
        let chunked = |size: usize| {
            let body = "x".repeat(size);
            let request = format!(
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                 {size:x}\r\n{body}\r\n0\r\n\r\n"
            );
            Client::connect(it.address).send(request).receive().status()
        };
        assert_eq!((chunked(100), chunked(1001)), (200, 413), "{retry:?}");
        let request = "GET / HTTP/1.1\r\nHost: a\r\nX-Large: 1\r\n\r\n";
        assert_eq!(Client::connect(it.address).send(request).receive().status(), 500);
    }
}

fn compression() -> Filter {
    Filter::Compress(Box::new(Compression {
        excluded: vec!["image/png".into()],
        included: Vec::new(),
        smallest: 100,
        encodings: vec![ContentCoding::Gzip, ContentCoding::Brotli, ContentCoding::Zstd],
        default: None,
        is_nginx: false,
    }))
}

fn accepting(address: SocketAddr, coding: &str, path: &str) -> Received {
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding}\r\n\r\n");
    Client::connect(address).send(request).receive()
}

#[test]
fn responses_are_made_smaller_as_the_client_takes_them() {
    let server = Server::answering(|request| {
        let line = request.head.lines().next().unwrap_or_default();
        let kind = if line.contains("/picture") { "image/png" } else { "text/plain" };
        let size = if line.contains("/small") { 5 } else { 5000 };
        let body = "steelyard ".repeat(size / 5);
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    });
    let it = Limiting::new(server.address, vec![compression()]);
    for (coding, path, expected) in [
        ("gzip", "/", Some("gzip")),
        ("br", "/", Some("br")),
        ("zstd", "/", Some("zstd")),
        ("gzip", "/picture", None),
        ("gzip", "/small", None),
        ("identity", "/", None),
    ] {
        let answer = accepting(it.address, coding, path);
        assert_eq!(answer.header("content-encoding"), expected, "{coding} {path}");
        let whole = |body: &[u8]| String::from_utf8_lossy(body).starts_with("steelyard steelyard");
        match expected {
            Some(_) => {
                assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
                assert!(answer.body.len() < 500, "{coding}: {}", answer.body.len());
            }
            None => {
                assert!(answer.header("content-length").is_some(), "{coding} {path}");
                assert!(path == "/small" || whole(&answer.body));
            }
        }
    }
    h2::run(async {
        let mut connection = h2::connect(it.address).await;
        let mut request = h2::request("GET", "/");
        request.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
        let whole = h2::ask(&mut connection, request, b"").await.unwrap();
        assert_eq!(whole.headers.get("content-encoding").unwrap(), "gzip");
        assert!(whole.body.len() < 500 && whole.headers.get("content-length").is_none());
    });
}

/// What comes piece by piece goes on so.
#[test]
fn a_stream_is_made_smaller_and_not_held_back() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let server = Server::start(move |mut stream, _| {
        let mut reader = std::io::BufReader::new(stream.try_clone().unwrap());
        let Some(_) = Received::read(&mut reader) else { return };
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                    Transfer-Encoding: chunked\r\n\r\n";
        stream.write_all(format!("{head}8\r\ndata: 1\n\r\n").as_bytes()).unwrap();
        // Whoever waits for the first has it before there is a second.
        _ = wait.lock().unwrap().recv();
        stream.write_all(b"8\r\ndata: 2\n\r\n0\r\n\r\n").unwrap();
    });
    let it = Limiting::new(server.address, vec![compression()]);
    let mut client = Client::connect(it.address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    let head = support::head(&mut client.reader).unwrap();
    assert!(head.contains("gzip"), "{head}");
    let mut first = [0; 8];
    client.reader.read_exact(&mut first).unwrap();
    go.send(()).unwrap();
    let mut rest = Vec::new();
    while !rest.ends_with(b"0\r\n\r\n") {
        let mut byte = [0];
        client.reader.read_exact(&mut byte).unwrap();
        rest.push(byte[0]);
    }
}

#[test]
fn a_path_with_an_encoded_slash_is_refused() {
    let server = Server::echo("s");
    let none = Filter::EncodedCharacters(EncodedCharacters::default());
    let it = Limiting::new(server.address, vec![none]);
    let status = |path: &str| get(it.address, "a", path).status();
    assert_eq!((status("/a/b"), status("/a%2Fb"), status("/a%2fb")), (200, 400, 400));
}

/// A token by a public key; what it says is told to the endpoint, and what the client says is not.
#[test]
fn who_has_no_token_is_not_let_in() {
    let server = Server::echo("s");
    let key = "-----BEGIN PUBLIC KEY-----\n\
               MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
               -----END PUBLIC KEY-----\n";
    let auth = TokenAuth {
        keys: TokenKeys::Public(key.into()),
        parameter: None,
        claims: None,
        user: None,
        told: vec![("X-User".into(), steelyard_model::routing::claims::ClaimPath::read("sub"))],
        is_passed_on: false,
    };
    let it = Limiting::new(server.address, vec![Filter::Token(Box::new(auth))]);
    let answer = get(it.address, "a", "/");
    assert_eq!((answer.status(), answer.header("www-authenticate")), (401, Some("Bearer")));
    // RFC 8037's key has signed the payload of RFC 7515's appendix A.4: it is no object of claims.
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
                 hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let request = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nx_user: root\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    let answer = Client::connect(it.address).send(request).receive();
    let expected = (401, Some("Bearer error=\"invalid_token\""));
    assert_eq!((answer.status(), answer.header("www-authenticate")), expected);
    assert_eq!(server.accepted.load(Ordering::SeqCst), 0);
    assert_eq!(echoed(&answer.text(), "x-user"), None);
}

/// The same over HTTP/2: what is refused, asked again, answered in somebody's place, and what comes
/// before and behind a response.
#[test]
fn streams_pass_what_limits_and_asks_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let server = Server::answering(move |request| {
        let head = request.head.lines().next().unwrap_or_default().to_owned();
        let before = count.fetch_add(1, Ordering::SeqCst);
        match () {
            () if head.contains("/down") => {
                b"HTTP/1.1 500 X\r\nContent-Length: 2\r\n\r\nno".to_vec()
            }
            () if head.contains("/large") => ok(&"y".repeat(2000)),
            () if head.contains("/busy") && before < 2 => {
                b"HTTP/1.1 503 X\r\nContent-Length: 4\r\n\r\nbusy".to_vec()
            }
            () if head.contains("/hint") => {
                b"HTTP/1.1 103 Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: \
                  chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 2\r\n\r\n"
                    .to_vec()
            }
            () => ok(&request.text()),
        }
    });
    let buffers = Filter::Buffers(BodyBuffers {
        max_request: 1000,
        mem_request: 100,
        max_response: 1000,
        mem_response: 100,
        retry: None,
    });
    let breaker = Filter::CircuitBreaker(CircuitBreaker {
        expression: "ResponseCodeRatio(500, 501, 0, 600) > 0.5".into(),
        check_period: Duration::from_millis(1),
        fallback: Duration::from_secs(60),
        recovery: Duration::from_secs(10),
        status: 418,
    });
    let it = Limiting::new(server.address, vec![buffers, retries(vec![(503, 503)])]);
    h2::run(async {
        let mut connection = h2::connect(it.address).await;
        for (method, path, size, status, attempts) in [
            ("PUT", "/busy", 10, 200, 3),
            ("POST", "/busy", 10, 503, 1),
            // It is too long to be kept, and so to be sent again.
            ("PUT", "/busy", 200, 503, 1),
            ("PUT", "/", 1000, 200, 1),
            ("PUT", "/", 1001, 413, 0),
            ("GET", "/large", 0, 500, 1),
        ] {
            asked.store(0, Ordering::SeqCst);
            let body = "x".repeat(size);
            let asking = h2::ask(&mut connection, h2::request(method, path), body.as_bytes());
            let whole = asking.await.unwrap();
            let case = format!("{method} {path} {size}");
            assert_eq!((whole.status, asked.load(Ordering::SeqCst)), (status, attempts), "{case}");
            assert!(status != 200 || whole.text() == body, "{case}");
        }
        let mut sender = connection.clone().ready().await.unwrap();
        let (mut response, _) = sender.send_request(h2::request("GET", "/hint"), true).unwrap();
        let hint = std::future::poll_fn(|cx| response.poll_informational(cx)).await;
        assert_eq!(hint.unwrap().unwrap().headers()["link"], "<a>");
        let whole = h2::whole(response.await.unwrap()).await.unwrap();
        assert_eq!((whole.status, whole.text().as_str()), (200, "ok"));
        assert_eq!(whole.trailers.unwrap()["x-sum"], "2");
    });
    let it = Limiting::new(server.address, vec![breaker]);
    h2::run(async {
        let mut connection = h2::connect(it.address).await;
        let mut last = 0;
        for _ in 0..1000 {
            let asking = h2::ask(&mut connection, h2::request("GET", "/down"), b"");
            last = asking.await.unwrap().status;
            if last == 418 {
                break;
            }
        }
        assert_eq!(last, 418, "it opens");
        let before = asked.load(Ordering::SeqCst);
        let whole = h2::ask(&mut connection, h2::request("GET", "/"), b"").await.unwrap();
        assert_eq!((whole.status, whole.text().as_str()), (418, "I'm a teapot"));
        assert_eq!(asked.load(Ordering::SeqCst), before);
    });
}
