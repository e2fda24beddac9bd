//! What few requests might do to others by way of filters and of routes that lead to routes: take
//! all there is, leave something behind, or get at somebody else's bytes.

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use steelyard_filters::trial::{diary, release};
use steelyard_gateway::{Gateway, GatewayOptions};
use steelyard_model::routing::filter::limit::BodyBuffers;
use steelyard_model::routing::filter::token::{TokenAuth, TokenKeys};
use steelyard_model::routing::filter::{Filter, RegexRedirection};
use steelyard_model::routing::pattern::Expression;
use steelyard_model::routing::world::RoutingMap;
use support::filtering::{Uses, adopt, change, put_filters, uses, using};
use support::{
    Client, Received, Server, eventually, gateway, gateway_with, get, ok, route, routing, scrape,
};

/// A filter that asks the gateway itself, by a route that has the same filter, comes to an end.
#[test]
fn a_circle_by_way_of_a_filter_ends() {
    let server = Server::echo("s");
    let (gateway, address) = gateway(&[]);
    let routes =
        [route("main", "*", "/", &[server.address]), route("aside", "aside", "/", &[address])];
    for (generation, (listener, on_route)) in [
        (&[][..], &[("fetch=default/aside:80@ingress", "circle")][..]),
        (&[("fetch=default/aside:80@ingress", "circle")], &[]),
    ]
    .into_iter()
    .enumerate()
    {
        gateway.apply(&using(routing(&routes), listener, on_route), generation as u64 + 2);
        let before = diary("circle").len();
        let text = get(address, "a", "/").text();
        assert!(text.starts_with("s\n"), "{text}");
        eventually("all have ended", || {
            let told = diary("circle");
            let count =
                |what: &str| told[before..].iter().filter(|it| it.starts_with(what)).count();
            count("enter") > 0 && count("enter") == count("done")
        });
        let entered = diary("circle")[before..].iter().filter(|it| *it == "enter").count();
        assert!(entered <= 4, "{entered}");
    }
}

/// A gateway whose route at host `a` uses a filter.
fn through(filter: Filter, endpoint: &Server) -> (Gateway, SocketAddr) {
    let routes = [route("main", "a", "/", &[endpoint.address])];
    let (gateway, address) = gateway(&routes);
    let mut map = routing(&routes);
    put_filters(&mut map, "main", vec![filter]);
    gateway.apply(&map, 2);
    (gateway, address)
}

/// A megabyte that is to be a token, and as many cookies as a head has room for, and more.
#[test]
fn large_tokens_and_many_cookies_are_refused_by_their_size() {
    let endpoint = Server::echo("s");
    let filter = Filter::Token(Box::new(TokenAuth {
        keys: TokenKeys::Secret((*b"a secret of sufficient length for this").into()),
        parameter: Some("token".into()),
        claims: None,
        user: None,
        told: Vec::new(),
        is_passed_on: false,
    }));
    let (_gateway, address) = through(filter, &endpoint);
    let large = "eyJhbGciOiJub25lIn0.".repeat(50_000);
    let fits = "eyJhbGciOiJub25lIn0.".repeat(100);
    let cookies = "a=b; ".repeat(5_000);
    let begun = Instant::now();
    for (target, line, status) in [
        ("/", format!("Authorization: Bearer {large}"), 431),
        ("/", format!("Authorization: Bearer {fits}"), 401),
        (&*format!("/?token={large}"), "X: y".into(), 414),
        (&*format!("/?token={fits}"), "X: y".into(), 401),
        ("/", format!("Cookie: {cookies}"), 401),
        ("/", format!("Cookie: {}", cookies.repeat(100)), 431),
    ] {
        let mut client = Client::connect(address);
        let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n");
        // It may be refused before all of it is written.
        let _ = client.reader.get_mut().write_all(head.as_bytes());
        let answer = Received::read(&mut client.reader).expect("an answer");
        assert_eq!(answer.status(), status, "{} {}", target.len(), line.len());
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

/// What unpacks to more is counted as it comes, and goes on as it came.
#[test]
fn packed_bodies_stay_packed() {
    let endpoint = Server::echo("s");
    let buffers = BodyBuffers {
        max_request: 1_000,
        mem_request: 1_000,
        max_response: 0,
        mem_response: 1_000,
        retry: None,
    };
    let (_gateway, address) = through(Filter::Buffers(buffers), &endpoint);
    for (size, status) in [(1_000, 200), (1_001, 413)] {
        let body = [&[0x1f, 0x8b, 8, 0][..], &vec![b'x'; size - 4]].concat();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: {size}\r\n\r\n"
        );
        let answer = Client::connect(address).send([head.as_bytes(), &body].concat()).receive();
        assert_eq!(answer.status(), status, "{size}");
        assert_eq!(answer.body.ends_with(&vec![b'x'; size - 4]), status == 200);
    }
}

/// What a path brings into a redirection ends no line and leads to no other site.
#[test]
fn redirections_lead_where_they_are_written_to() {
    let endpoint = Server::echo("s");
    let filter = Filter::RedirectRegex(RegexRedirection {
        expression: Expression::new("^http://a/(.*)").expect("an expression"),
        replacement: "https://a.test/$1".into(),
        is_permanent: false,
    });
    let (_gateway, address) = through(filter, &endpoint);
    for path in ["/%0d%0aSet-Cookie:%20a=b", "//evil.test", "/@evil.test", "/\\evil.test"] {
        let answer = get(address, "a", path);
        let to = answer.header("location").unwrap_or_default();
        assert!(answer.status() == 302 && to.starts_with("https://a.test/"), "{path} {to}");
        assert_eq!(answer.header("set-cookie"), None, "{path}");
    }
}

/// An expression that would take what a machine has is none, and none takes more time than its
/// text is long.
#[test]
fn expressions_cost_what_they_weigh() {
    assert!(Expression::new("((a{100}){100}){100}").is_err());
    let nested = Expression::new("^(a+)+$").expect("an expression");
    let begun = Instant::now();
    assert!(!nested.is_found_in(&format!("{}b", "a".repeat(100_000))));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

/// Every way to go through filters.
const WAYS: &[(&str, Uses<'_>)] = &[
    ("edit", &[("edit", "cut-edit")]),
    ("body", &[("body=64", "cut-body")]),
    ("sleep", &[("sleep=3", "cut-sleep")]),
    ("fetch", &[("fetch=default/aside:80@ingress", "cut-fetch")]),
    ("work", &[("work", "cut-work")]),
    ("shared", &[("shared", "cut-shared")]),
    ("again", &[("again=64", "cut-again"), ("edit", "cut-again-in")]),
    ("mark", &[("mark", "cut-mark"), ("body=64", "cut-mark-in")]),
    ("slow", &[("slow=1", "cut-slow")]),
    ("replace", &[("replace=404", "cut-replace")]),
    ("fail-in", &[("edit", "cut-fail"), ("fail-in=422", "cut-fail-in")]),
    ("fail-out", &[("fail-out=501", "cut-fail-out")]),
    ("answer", &[("edit", "cut-answer"), ("answer=401", "cut-answer-in")]),
];

/// A route for each way, of which each leads to another with the same uses, to the same server.
fn every_way(server: SocketAddr) -> RoutingMap {
    let mut routes =
        vec![route("aside", "aside", "/", &[server]), route("plain", "plain", "/", &[server])];
    for (host, _) in WAYS {
        routes.push(route(host, host, "/", &[]));
        routes.push(route(&format!("{host}-child"), "*", "/", &[server]));
    }
    let mut map = routing(&routes);
    for (host, on_it) in WAYS {
        adopt(&mut map, host, &[&format!("{host}-child")]);
        change(&mut map, host, |route| route.uses = uses(on_it));
        change(&mut map, &format!("{host}-child"), |route| route.uses = uses(on_it));
    }
    map
}

fn open_connections(gateway: &Gateway) -> i64 {
    let metrics = scrape(gateway);
    let line = metrics.lines().find(|line| line.starts_with("traefik_open_connections{"));
    let count = line.and_then(|line| line.rsplit_once(' ')?.1.parse().ok());
    count.expect("it is counted")
}

/// How somebody leaves.
#[derive(Clone, Copy, Debug)]
enum Leaving {
    Closes,
    Resets,
    HalfCloses,
}

fn leave(stream: TcpStream, how: Leaving) {
    match how {
        Leaving::Closes => drop(stream),
        Leaving::Resets => {
            socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("it is set");
        }
        Leaving::HalfCloses => {
            let _ = stream.shutdown(Shutdown::Write);
            let mut rest = Vec::new();
            let _ = std::io::Read::read_to_end(&mut &stream, &mut rest);
        }
    }
}

/// Clients leave at every point of a request, and of what is answered: nothing stays of them, each
/// frame is told its end, and who asks meanwhile gets what is theirs.
#[test]
fn whoever_leaves_at_any_point_leaves_nothing() {
    let count = AtomicUsize::new(0);
    let server = Server::answering(move |request| {
        // Some of them are to be asked again.
        match count.fetch_add(1, Ordering::SeqCst) % 5 {
            0 => b"HTTP/1.1 503 X\r\nContent-Length: 4\r\n\r\nbusy".to_vec(),
            _ => ok(&format!("{}\n{}", request.head, request.text())),
        }
    });
    release("cut-shared");
    let (gateway, address) =
        gateway_with(&[], GatewayOptions { workers: 2, ..GatewayOptions::default() });
    gateway.apply(&every_way(server.address), 2);
    let is_over = Arc::new(AtomicBool::new(false));
    let victims: Vec<_> = (0..2)
        .map(|who| {
            let is_over = is_over.clone();
            std::thread::spawn(move || {
                let mut round = 0;
                while !is_over.load(Ordering::SeqCst) {
                    round += 1;
                    let host = ["plain", "edit", "body", "mark"][round % 4];
                    let mine = format!("v{who}x{round}x");
                    let mut client = Client::connect(address);
                    for part in 0..3 {
                        let body = format!("{mine}{part}");
                        let length = body.len();
                        client.send(format!(
                            "POST /{body} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n{body}"
                        ));
                        let answer = client.receive();
                        let text = answer.text();
                        assert!(text.contains(&body) || answer.status() == 503, "{body}: {text}");
                        assert!(!text.contains("evil"), "{body}: {text}");
                    }
                }
            })
        })
        .collect();
    for (host, _) in WAYS {
        let request = format!(
            "POST /evil HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n\
             4\r\nevil\r\n6\r\n/evil?\r\n0\r\n\r\nGET /evil HTTP/1.1\r\nHost: {host}\r\n\r\n"
        );
        for (at, how) in (0..=request.len())
            .step_by(7)
            .zip([Leaving::Closes, Leaving::Resets, Leaving::HalfCloses].into_iter().cycle())
        {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(&request.as_bytes()[..at]).unwrap();
            if at % 2 == 0 {
                // In the middle of what is done about it.
                std::thread::yield_now();
            }
            leave(stream, how);
        }
        // And while the answer comes.
        for lines in 0..4 {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            (0..lines).for_each(|_| drop(reader.read_line(&mut line)));
            drop(reader);
            leave(stream, Leaving::Resets);
        }
    }
    is_over.store(true, Ordering::SeqCst);
    victims.into_iter().for_each(|victim| victim.join().unwrap());
    eventually("all have left", || open_connections(&gateway) == 0);
    let mut open = BTreeMap::new();
    let names = WAYS.iter().flat_map(|(_, all)| all.iter().map(|(_, name)| *name));
    eventually("every frame is told its end", || {
        open.clear();
        for name in names.clone() {
            let told = diary(name);
            let count = |what: &str| told.iter().filter(|it| it.starts_with(what)).count();
            if count("enter") != count("done") {
                open.insert(name, (count("enter"), count("done")));
            }
        }
        open.is_empty()
    });
    drop(gateway);
}

/// An endpoint answers before it has read the body, which comes in every possible pair of parts:
/// the next attempt gets all of it, in order.
#[test]
fn another_attempt_in_the_middle_of_a_body_gets_all_of_it() {
    let server = Server::start(|stream, index| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream;
        if index % 2 == 0 {
            let mut head = String::new();
            while reader.read_line(&mut head).is_ok_and(|count| count > 2) {}
            let _ = writer
                .write_all(b"HTTP/1.1 503 X\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy");
            let _ = writer.shutdown(Shutdown::Write);
            while Received::read(&mut reader).is_some() {}
            return;
        }
        if let Some(request) = Received::read(&mut reader) {
            let _ = writer.write_all(&ok(&request.text()));
        }
    });
    let (gateway, address) = gateway(&[]);
    let body: String = ('a'..='z').collect();
    for (generation, on_it) in [
        &[("again=100", "half-1")][..],
        &[("again=100", "half-2"), ("mark", "")],
        &[("mark", ""), ("again=100", "half-3"), ("edit", "half-3")],
        &[("again=100", "half-4"), ("body=100", "half-4-in")],
    ]
    .into_iter()
    .enumerate()
    {
        let map = using(routing(&[route("main", "a", "/", &[server.address])]), &[], on_it);
        gateway.apply(&map, generation as u64 + 2);
        let name = on_it.iter().find(|(deed, _)| deed.starts_with("again")).unwrap().1;
        for at in 0..=body.len() {
            let agains = || diary(name).iter().filter(|it| *it == "again").count();
            let before = agains();
            let mut client = Client::connect(address);
            client.send(
                "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 26\r\n\r\n",
            );
            client.send(&body[..at]);
            if !on_it.iter().any(|(deed, _)| deed.starts_with("body")) && at % 2 == 0 {
                eventually("it is answered early", || agains() > before || at == body.len());
            }
            client.send(&body[at..]);
            let answer = client.receive();
            assert_eq!((answer.status(), answer.text()), (200, body.clone()), "{on_it:?} {at}");
        }
    }
}

/// A body of single bytes takes about as much room as its bytes, wherever it waits.
#[test]
fn a_body_byte_by_byte_is_had_whole() {
    let server = Server::answering(|request| ok(&request.text()));
    let (gateway, address) = gateway(&[]);
    let on_it: Uses<'_> = &[("again=100000", "bytes-1"), ("body=100000", "bytes-2")];
    gateway.apply(&using(routing(&[route("main", "a", "/", &[server.address])]), &[], on_it), 2);
    let body = "0123456789".repeat(500);
    let mut client = Client::connect(address);
    client.send("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for byte in body.chars() {
        client.send(format!("1\r\n{byte}\r\n"));
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.receive().text(), body);
}

/// Writes until nothing is taken for a while, or so much was. How much was taken.
fn stuff(mut to: &TcpStream, most: usize) -> usize {
    to.set_write_timeout(Some(Duration::from_millis(300))).expect("it is set");
    let part = vec![b'x'; 64 * 1024];
    let mut taken = 0;
    while taken < most {
        match to.write(&part) {
            Ok(count) => taken += count,
            Err(_) => break,
        }
    }
    taken
}

/// What the other side does not take is not read, whatever filters have the body in hand.
#[test]
fn bodies_in_hand_are_no_larger_than_what_is_on_its_way() {
    const LARGE: usize = 64 * 1024 * 1024;
    let ways: [Uses<'_>; 3] = [
        &[("mark", "flow-1"), ("again=1000", "flow-2"), ("mark", "flow-3")],
        &[("slow=1", "flow-4")],
        &[("edit", "flow-5")],
    ];
    for on_it in ways {
        // An endpoint that takes nothing of an upload.
        let held = std::sync::Mutex::new(Vec::new());
        let server = Server::start(move |stream, _| held.lock().expect("held").push(stream));
        let (gateway, address) = gateway(&[]);
        let map = using(routing(&[route("main", "a", "/", &[server.address])]), &[], on_it);
        gateway.apply(&map, 2);
        let mut client = Client::connect(address);
        client.send(format!("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {LARGE}\r\n\r\n"));
        let taken = stuff(client.reader.get_ref(), LARGE);
        assert!(taken < LARGE / 2, "{on_it:?} takes {taken} bytes in");
        // A client that takes nothing of an answer.
        let (tell, told) = std::sync::mpsc::channel();
        let tell = std::sync::Mutex::new(tell);
        let server = Server::start(move |stream, _| {
            let mut reader = BufReader::new(stream.try_clone().expect("a copy"));
            let _ = Received::read(&mut reader);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n");
            let _ = (&stream).write_all(head.as_bytes());
            let _ = tell.lock().expect("told").send(stuff(&stream, LARGE));
        });
        let map = using(routing(&[route("main", "a", "/", &[server.address])]), &[], on_it);
        gateway.apply(&map, 3);
        let mut client = Client::connect(address);
        client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
        let taken = told.recv().expect("it is told");
        assert!(taken < LARGE / 2, "{on_it:?} takes {taken} bytes out");
        drop(client);
    }
}

/// An endpoint ends at every point of its response: who asked gets all of it, or cannot take what
/// came for that, and who comes next gets its own.
#[test]
fn whatever_an_endpoint_leaves_unsaid_is_nobodys_answer() {
    const WHOLE: &str = "all of what was to be said";
    let responses: Vec<String> = [
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{WHOLE}", WHOLE.len()),
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{WHOLE}\r\n0\r\n\r\n",
            WHOLE.len()
        ),
    ]
    .into();
    let cuts: Arc<std::sync::Mutex<(String, Leaving)>> =
        Arc::new(std::sync::Mutex::new((String::new(), Leaving::Closes)));
    let told = cuts.clone();
    let server = Server::start(move |stream, _| {
        let mut reader = BufReader::new(stream.try_clone().expect("a copy"));
        while let Some(request) = Received::read(&mut reader) {
            if !request.head.contains("/cut") {
                if (&stream).write_all(&ok(&format!("whole {}", request.head))).is_err() {
                    return;
                }
                continue;
            }
            let (text, how) = told.lock().expect("told").clone();
            let _ = (&stream).write_all(text.as_bytes());
            if matches!(how, Leaving::Resets) {
                socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("set");
            }
            return;
        }
    });
    release("cut-shared");
    let (gateway, address) = gateway(&[]);
    gateway.apply(&every_way(server.address), 2);
    for (host, _) in WAYS {
        for response in &responses {
            for at in (0..response.len()).step_by(11).chain([response.len()]) {
                let how = if at % 2 == 0 { Leaving::Closes } else { Leaving::Resets };
                *cuts.lock().expect("told") = (response[..at].to_owned(), how);
                let mut client = Client::connect(address);
                client.send(format!("GET /cut HTTP/1.1\r\nHost: {host}\r\n\r\n"));
                if let Some(answer) = Received::read(&mut client.reader)
                    && answer.status() == 200
                {
                    let text = answer.text().replace("cut-mark-in", "").replace("cut-mark", "");
                    assert_eq!(text, WHOLE, "{host} {at} {how:?}");
                }
                let next = get(address, "plain", "/next").text();
                assert!(next.starts_with("whole GET /next "), "{host} {at} {how:?}: {next}");
            }
        }
    }
    eventually("all have left", || open_connections(&gateway) == 0);
}
