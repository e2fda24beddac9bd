//! Filters that ask others, on real sockets: who is asked may do anything, and nobody passes by it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufReader, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use steelyard_gateway::{Gateway, GatewayOptions};
use steelyard_model::routing::asked::AskedUrl;
use steelyard_model::routing::filter::access::{AskedAuth, AskedCache, AskedManner};
use steelyard_model::routing::filter::content::ErrorPages;
use steelyard_model::routing::filter::limit::RetryRule;
use steelyard_model::routing::filter::{Filter, FilterNode, Use};
use steelyard_model::routing::world::RoutingMap;
use support::filtering::{change, echoed, leaf, put_filters};
use support::{
    Client, Received, Server, dead, eventually, gateway_with, get, h2, ok, route, routing, scrape,
};

/// A gateway on one core whose route at host `a` uses `filter`; host `free` uses nothing, and the
/// backend of the route `aside` is there to be asked.
fn gateway_of(filter: Filter, endpoint: SocketAddr, aside: SocketAddr) -> (Gateway, SocketAddr) {
    let options = GatewayOptions { workers: 1, ..GatewayOptions::default() };
    let routes = [
        route("main", "a", "/", &[endpoint]),
        route("free", "free", "/", &[endpoint]),
        route("aside", "aside", "/", &[aside]),
    ];
    let (gateway, address) = gateway_with(&routes, options);
    gateway.apply(&using(routing(&routes), filter), 2);
    (gateway, address)
}

fn using(mut map: RoutingMap, filter: Filter) -> RoutingMap {
    let node = FilterNode { id: "asks".into(), place: None, filter };
    map.filters.insert(node.id.clone(), Arc::new(node));
    change(&mut map, "main", |route| {
        route.uses = vec![Use { filter: "asks".into(), state: "asks".into() }];
    });
    map
}

fn auth() -> AskedAuth {
    AskedAuth {
        address: AskedUrl::read("http://auth.test/verify").unwrap(),
        backend: leaf("aside").as_str().into(),
        patience: Duration::from_secs(20),
        trusts_forwarded: false,
        response_headers: vec!["X-User".into()],
        response_headers_regex: None,
        request_headers: Vec::new(),
        tls: None,
        max_response: None,
        cookies: Vec::new(),
        user_header: None,
        forwards_body: false,
        max_body: None,
        keeps_location: false,
        keeps_method: false,
        sign_in: None,
        manner: AskedManner::Traefik,
        cache: None,
    }
}

fn asks(auth: AskedAuth) -> Filter {
    Filter::ForwardAuth(Box::new(auth))
}

fn pages() -> Filter {
    Filter::ErrorPages(Box::new(ErrorPages {
        statuses: vec![(500, 599)],
        rewrites: vec![((503, 503), 500)],
        backend: leaf("aside").as_str().into(),
        query: "/{originalStatus}/{status}".into(),
        request_headers: None,
        told: None,
        spares_backends: false,
        stands_in: false,
    }))
}

/// One that reads a request and says this, and then keeps silent or closes.
fn saying(raw: Vec<u8>, closes: bool) -> Server {
    Server::start(move |stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        if Received::read(&mut reader).is_some() {
            // Who is told too much hangs up before the end.
            _ = (&stream).write_all(&raw);
            if !closes {
                _ = reader.read(&mut [0]);
            }
        }
    })
}

#[test]
fn whatever_is_answered_lets_nobody_in_but_2xx() {
    let endpoint = Server::echo("s");
    let large = |size: usize| {
        let head = format!("HTTP/1.1 200 OK\r\nX-User: root\r\nContent-Length: {size}\r\n\r\n");
        [head.into_bytes(), vec![b'x'; size]].concat()
    };
    let lines = |size: usize| {
        let line = format!("X-Line: {}\r\n", "x".repeat(size));
        format!("HTTP/1.1 200 OK\r\nX-User: root\r\n{}\r\n", line.repeat(80)).into_bytes()
    };
    let text = |text: &str| text.as_bytes().to_vec();
    for (what, raw, closes, status) in [
        ("lets in", text("HTTP/1.1 204 No\r\nX-User: ann\r\n\r\n"), false, 200),
        (
            "in chunks",
            text(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-User: ann\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            ),
            false,
            200,
        ),
        (
            "after others",
            text(
                "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 Hint\r\nX-User: root\r\n\r\nHTTP/1.1 200 OK\r\nX-User: ann\r\nContent-Length: 0\r\n\r\n",
            ),
            false,
            200,
        ),
        ("until it closes", text("HTTP/1.1 200 OK\r\nX-User: ann\r\n\r\nhi"), true, 200),
        ("says no", text("HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno"), false, 401),
        (
            "leads",
            text("HTTP/1.1 302 To\r\nLocation: /verify\r\nContent-Length: 0\r\n\r\n"),
            false,
            302,
        ),
        (
            "switches",
            text("HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
            false,
            500,
        ),
        ("closes at once", Vec::new(), true, 500),
        ("closes in its head", text("HTTP/1.1 200 OK\r\nX-Us"), true, 500),
        ("closes in its body", text("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"), true, 500),
        ("is no HTTP", text("hello\r\n\r\n"), false, 500),
        (
            "says two lengths",
            text("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
            false,
            500,
        ),
        ("large", large(3 << 20), false, 401),
        ("many lines", lines(2048), false, 500),
    ] {
        let server = saying(raw, closes);
        let (_gateway, address) = gateway_of(asks(auth()), endpoint.address, server.address);
        let request = "GET / HTTP/1.1\r\nHost: a\r\nX-User: root\r\nx_user: root\r\nConnection: \
                       X-User\r\n\r\n";
        let answer = Client::connect(address).send(request).receive();
        assert_eq!(answer.status(), status, "{what}: {}", answer.text());
        if status == 200 {
            let text = answer.text();
            assert_eq!(text.to_ascii_lowercase().matches("user: ").count(), 1, "{text}");
            assert_eq!(echoed(&text, "x-user"), Some("ann"), "{text}");
        }
        if status == 302 {
            assert_eq!(answer.header("location"), Some("http://auth.test/verify"));
            assert_eq!(server.accepted.load(Ordering::SeqCst), 1, "it is not followed");
        }
    }
}

#[test]
fn who_never_answers_is_not_waited_for() {
    let (endpoint, server) = (Server::echo("s"), saying(Vec::new(), false));
    let short = AskedAuth { patience: Duration::from_millis(200), ..auth() };
    let (gateway, address) = gateway_of(asks(short), endpoint.address, server.address);
    assert_eq!(get(address, "a", "/").status(), 500);
    assert_eq!(endpoint.accepted.load(Ordering::SeqCst), 0);
    let counted = "steelyard_filter_asks_total{filter=\"forward-auth\",outcome=\"late\"} 1";
    eventually("it is counted", || scrape(&gateway).contains(counted));
    let (gateway, address) = gateway_of(asks(auth()), endpoint.address, dead());
    assert_eq!(get(address, "a", "/").status(), 500);
    let counted = "steelyard_filter_asks_total{filter=\"forward-auth\",outcome=\"away\"} 1";
    eventually("it is counted", || scrape(&gateway).contains(counted));
}

/// A server that hears and says nothing, and how many connections it has.
fn silent() -> (Server, Arc<AtomicUsize>) {
    let open = Arc::new(AtomicUsize::new(0));
    let count = open.clone();
    let server = Server::start(move |mut stream, _| {
        count.fetch_add(1, Ordering::SeqCst);
        while stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {}
        count.fetch_sub(1, Ordering::SeqCst);
    });
    (server, open)
}

/// Others are served meanwhile, and nothing is left once the clients are gone.
#[test]
fn who_waits_for_an_answer_is_in_nobodys_way() {
    let (server, open) = silent();
    let endpoint = Server::echo("s");
    let (_gateway, address) = gateway_of(asks(auth()), endpoint.address, server.address);
    let waiting: Vec<Client> = (0..200)
        .map(|_| {
            let mut client = Client::connect(address);
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            client
        })
        .collect();
    eventually("all are asked about", || open.load(Ordering::SeqCst) == 200);
    assert_eq!(get(address, "free", "/").status(), 200);
    drop(waiting);
    eventually("nobody is asked about", || open.load(Ordering::SeqCst) == 0);
}

/// Bodies that wait for an answer have 64 MiB of a core's memory, and who comes then is told so.
/// What is kept only to be sent again passes on then, and is not sent again.
#[test]
fn bodies_that_wait_have_so_much_room() {
    let (server, open) = silent();
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let endpoint = Server::answering(move |request| {
        count.fetch_add(1, Ordering::SeqCst);
        let size = request.body.len().to_string();
        format!("HTTP/1.1 503 No\r\nContent-Length: {}\r\n\r\n{size}", size.len()).into_bytes()
    });
    let routes = [
        route("main", "a", "/", &[endpoint.address]),
        route("again", "again", "/", &[endpoint.address]),
        route("aside", "aside", "/", &[server.address]),
    ];
    let mut map = routing(&routes);
    let retry = RetryRule {
        attempts: 2,
        timeout: None,
        interval: None,
        max_body: None,
        statuses: vec![(503, 503)],
        is_by_status_alone: false,
        is_for_all_methods: true,
    };
    put_filters(&mut map, "again", vec![Filter::Retry(retry)]);
    let options = GatewayOptions { workers: 1, ..GatewayOptions::default() };
    let (gateway, address) = gateway_with(&routes, options);
    gateway.apply(&using(map, asks(AskedAuth { forwards_body: true, ..auth() })), 2);
    let body = "x".repeat(4_000_000);
    let post = |host: &str| {
        let length = body.len();
        let mut client = Client::connect(address);
        let head = format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n");
        client.send(head).send(&body);
        client
    };
    let attempts = || {
        sent.store(0, Ordering::SeqCst);
        assert_eq!(post("again").receive().text(), "4000000");
        sent.load(Ordering::SeqCst)
    };
    eventually("it is in force", || attempts() == 2);
    let waiting: Vec<Client> = (0..16).map(|_| post("a")).collect();
    eventually("all are asked about", || open.load(Ordering::SeqCst) == 16);
    assert_eq!(post("a").receive().status(), 503);
    assert_eq!(attempts(), 1);
    drop(waiting);
    eventually("nobody is asked about", || open.load(Ordering::SeqCst) == 0);
    let _again = post("a");
    eventually("there is room again", || open.load(Ordering::SeqCst) == 1);
    assert_eq!(attempts(), 2);
}

/// The answers of those who are asked, which clients do not take, have 64 MiB of a core's memory:
/// who is one too many gets what it would have got without them.
#[test]
fn answers_that_nobody_takes_have_so_much_room() {
    let page = "x".repeat(1_000_000);
    let server = Server::answering(move |_| ok(&page));
    let endpoint =
        Server::answering(|_| b"HTTP/1.1 503 Down\r\nContent-Length: 4\r\n\r\ndown".to_vec());
    let (gateway, address) = gateway_of(pages(), endpoint.address, server.address);
    let lengths = h2::run(async {
        let mut sender = h2::connect(address).await;
        let mut coming = Vec::new();
        for _ in 0..90 {
            sender = sender.ready().await.unwrap();
            coming.push(sender.send_request(h2::request("GET", "/"), true).unwrap().0);
        }
        let (mut held, mut lengths) = (Vec::new(), Vec::new());
        for response in coming {
            let response = response.await.unwrap();
            assert_eq!(response.status(), 500);
            lengths.push(response.headers()["content-length"].to_str().unwrap().to_owned());
            // Nothing of it is taken.
            held.push(response);
        }
        lengths
    });
    let large = lengths.iter().filter(|it| *it == "1000000").count();
    let small = lengths.iter().filter(|it| *it == "4").count();
    assert!((60..=68).contains(&large) && large + small == 90, "{large} large, {small} small");
    let counted = "steelyard_filter_asks_total{filter=\"error-pages\",outcome=\"no-room\"}";
    eventually("it is counted", || scrape(&gateway).contains(counted));
    eventually("there is room again", || get(address, "a", "/").text().len() == 1_000_000);
}

#[test]
fn an_answer_that_counts_for_a_while_outlives_a_reload() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let server = Server::answering(move |request| {
        count.fetch_add(1, Ordering::SeqCst);
        let user = request.header("cookie").unwrap_or("nobody");
        format!("HTTP/1.1 204 No\r\nX-User: {user}\r\n\r\n").into_bytes()
    });
    let endpoint = Server::echo("s");
    let durations = vec![((200, 299), Duration::from_secs(60))];
    let cache = Some(AskedCache { lines: vec!["Cookie".into()], durations });
    let filter = asks(AskedAuth { cache, ..auth() });
    let (gateway, address) = gateway_of(filter.clone(), endpoint.address, server.address);
    let user = |name: &str| {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {name}\r\n\r\n");
        let text = Client::connect(address).send(request).receive().text();
        assert_eq!(echoed(&text, "x-user"), Some(name), "{text}");
    };
    for name in ["ann", "ann", "bob", "ann", "bob"] {
        user(name);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    let routes = [
        route("main", "a", "/", &[endpoint.address]),
        route("aside", "aside", "/", &[server.address]),
    ];
    gateway.apply(&using(routing(&routes), filter), 3);
    eventually("the reload", || get(address, "free", "/").status() == 404);
    user("ann");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[test]
fn errors_are_answered_with_the_page_that_another_one_has() {
    let endpoint = Server::answering(|request| match request.head.contains("/down") {
        true => b"HTTP/1.1 503 Down\r\nX-Own: 1\r\nContent-Length: 4\r\n\r\ndown".to_vec(),
        false => ok("up"),
    });
    let server = Server::answering(|request| ok(request.head.lines().next().unwrap_or_default()));
    let (_gateway, address) = gateway_of(pages(), endpoint.address, server.address);
    let mut client = Client::connect(address);
    for _ in 0..2 {
        let answer = client.get("a", "/down");
        assert_eq!((answer.status(), answer.text().as_str()), (500, "GET /503/500 HTTP/1.1"));
        assert_eq!(answer.header("x-own"), None);
        assert_eq!(client.get("a", "/").text(), "up");
    }
    let (_gateway, address) = gateway_of(pages(), endpoint.address, dead());
    let answer = get(address, "a", "/down");
    assert_eq!((answer.status(), answer.text().as_str()), (500, "down"));
    // What the gateway itself says when no endpoint is there.
    let (_gateway, address) = gateway_of(pages(), dead(), server.address);
    let answer = get(address, "a", "/");
    assert_eq!((answer.status(), answer.text().as_str()), (502, "GET /502/502 HTTP/1.1"));
}
