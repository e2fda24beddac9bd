//! A route whose filters are folded into one walk serves as one where each of them is a frame: the
//! same goes to the endpoint, and the same to the client, whatever comes of it.

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use steelyard_filters::{Memory, Recipe};
use steelyard_gateway::{Gateway, GatewayOptions};
use steelyard_model::routing::backend::Backend;
use steelyard_model::routing::filter::content::{HeaderRules, SecurityHeaders};
use steelyard_model::routing::filter::limit::{Counted, InFlightLimit};
use steelyard_model::routing::filter::{Filter, RegexRedirection, Rewrite, Use};
use steelyard_model::routing::pattern::Expression;
use steelyard_model::routing::route::Destination;
use support::filtering::{change, edge, leaf, put_backend, put_filters};
use support::{Client, Received, Server, dead, gateway_with, ok, route, routing};

/// Requests to a host `H`. What has its body in chunks has lines behind it.
const REQUESTS: [&str; 12] = [
    "GET /app/x HTTP/1.1\r\nHost: H\r\nX_From: me\r\nX-From: me\r\nAccept: */*\r\n\r\n",
    "GET /app/x?q=1 HTTP/1.1\r\nHost: H\r\nX-Forwarded-Prefix: /a\r\nCookie: a=b\r\n\r\n",
    "GET /app/x?q=1;r=2 HTTP/1.1\r\nHost: H\r\n\r\n",
    "GET /app../x HTTP/1.1\r\nHost: H\r\n\r\n",
    "GET /other HTTP/1.0\r\nHost: H\r\n\r\n",
    "HEAD /app/x HTTP/1.1\r\nHost: H\r\n\r\n",
    "POST /app/x HTTP/1.1\r\nHost: H\r\nContent-Length: 3\r\n\r\nabc",
    "POST /app/x HTTP/1.1\r\nHost: H\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nB: 2\r\n\r\n",
    "GET /app/x HTTP/1.1\r\nHost: H\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "GET /app/gone HTTP/1.1\r\nHost: H\r\n\r\n",
    "GET /old/x HTTP/1.1\r\nHost: H\r\n\r\n",
    "GET /app/x HTTP/1.1\r\nHost: H\r\nConnection: close\r\n\r\n",
];

fn filters() -> Vec<Filter> {
    let lines = |lines: &[(&str, &str)]| {
        let lines = lines.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        lines.collect::<BTreeMap<_, _>>()
    };
    let security = SecurityHeaders {
        frame_deny: true,
        no_sniff: true,
        sts_always: true,
        ..Default::default()
    };
    vec![
        Filter::Headers(Box::new(HeaderRules {
            request: lines(&[("X-From", "outside"), ("Cookie", "")]),
            response: lines(&[("X-Replica", ""), ("X-Served-By", "us")]),
            security,
            ..HeaderRules::default()
        })),
        Filter::Rewrite(Rewrite::StripPrefix(vec!["/app".into()])),
        Filter::RedirectRegex(RegexRedirection {
            expression: Expression::new("^http://./old/(.*)").expect("an expression"),
            replacement: "http://new.test/$1".into(),
            is_permanent: false,
        }),
    ]
}

/// Shows what it was asked, or that it is gone, or switches protocols.
fn answer(request: &Received) -> Vec<u8> {
    if request.header("upgrade").is_some() {
        return b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                 X-Replica: 1\r\n\r\n"
            .to_vec();
    }
    if request.head.contains("/gone ") {
        return b"HTTP/1.1 304 Not Modified\r\nX-Replica: 1\r\nX-Frame-Options: a\r\n\r\n".to_vec();
    }
    let mut answer = ok(&format!("{}\n{}", request.head, request.text()));
    if request.head.starts_with("HEAD ") {
        let end = answer.windows(4).position(|it| it == b"\r\n\r\n").expect("a head");
        answer.truncate(end + 4);
    }
    answer
}

/// The lines of a message, in no order, and what else there is of it.
fn told(address: SocketAddr, request: &str, host: &str) -> (Vec<String>, String) {
    let mut client = Client::connect(address);
    client.send(request.replace("Host: H", &format!("Host: {host}")));
    let is_head = request.starts_with("HEAD ");
    let answer = Received::read_to(&mut client.reader, is_head).expect("an answer");
    let own = |text: &str| text.replace(&format!(": {host}\r\n"), ": H\r\n");
    let plain = |line: &str| !line.starts_with("Date: ") && !line.starts_with("X-Request-Id: ");
    let head = own(&answer.head);
    let mut lines: Vec<String> =
        head.lines().filter(|line| plain(line)).map(str::to_owned).collect();
    lines[1..].sort();
    (lines, own(&answer.text()))
}

/// Two routes to the same endpoint: one where all is folded, and one that has a frame more, which
/// lets everybody in.
fn both(endpoint: SocketAddr) -> (Gateway, SocketAddr) {
    let routes = [route("main", "a", "/", &[endpoint]), route("other", "b", "/", &[endpoint])];
    let options = GatewayOptions { workers: 1, ..GatewayOptions::default() };
    let (gateway, address) = gateway_with(&routes, options);
    let mut map = routing(&routes);
    let all = InFlightLimit { amount: 1_000, of: Counted::Host, status: 429 };
    put_filters(&mut map, "main", filters());
    put_filters(&mut map, "other", filters().into_iter().chain([Filter::InFlight(all)]).collect());
    gateway.apply(&map, 2);
    (gateway, address)
}

#[test]
fn what_is_folded_is_served_as_by_frames() {
    let server = Server::answering(answer);
    for (endpoint, expected) in [(server.address, 200), (dead(), 502)] {
        let (_gateway, address) = both(endpoint);
        for request in REQUESTS {
            let [folded, framed] = ["a", "b"].map(|host| told(address, request, host));
            assert_eq!(folded, framed, "{request}");
        }
        let (lines, text) = told(address, REQUESTS[0], "a");
        assert!(lines[0].starts_with(&format!("HTTP/1.1 {expected} ")), "{lines:?}");
        assert!(lines.contains(&"X-Served-By: us".to_owned()), "{lines:?}");
        if expected == 200 {
            assert!(text.starts_with("GET /x HTTP/1.1\r\n"), "{text}");
            assert!(text.contains("X-From: outside\r\n") && !text.contains(": me\r\n"), "{text}");
        }
    }
}

/// A choice that is more than one among endpoints is made once for each request: nobody's turn is
/// taken in vain, whatever the edges use.
#[test]
fn whose_turn_it_is_is_asked_once() {
    let [one, two] = ["one", "two"].map(Server::echo);
    let routes =
        [route("main", "a", "/", &[one.address]), route("other", "b", "/", &[two.address])];
    let options = GatewayOptions { workers: 1, ..GatewayOptions::default() };
    let (gateway, address) = gateway_with(&routes, options);
    for (on_edge, version) in [(&[][..], 2), (&[("edit", "folded-edge")], 3)] {
        let mut map = routing(&routes);
        put_filters(&mut map, "main", filters());
        let edges = vec![edge(&leaf("main"), 1, &[]), edge(&leaf("other"), 1, on_edge)];
        put_backend(&mut map, "both", Backend::Weighted { edges, sticky: None });
        change(&mut map, "main", |route| route.to = Destination::Backend("both".into()));
        gateway.apply(&map, version);
        let mut client = Client::connect(address);
        let found: Vec<String> = (0..20).map(|_| client.get("a", "/app/x").who()).collect();
        let count = |name: &str| found.iter().filter(|it| *it == name).count();
        assert_eq!([count("one"), count("two")], [10, 10], "{on_edge:?} {found:?}");
    }
}

/// Else the test above would compare frames with frames.
#[test]
fn one_of_them_is_folded_and_the_other_is_not() {
    let usage = Use { filter: "it".into(), state: "it".into() };
    let mut memory = Memory::seeded(1);
    let mut recipe = |filter: &Filter| Recipe::of(&usage, Some(filter), &mut memory).unwrap();
    let mut recipes: Vec<Recipe> = filters().iter().map(&mut recipe).collect();
    assert!(Recipe::folded(&recipes).is_some());
    let all = InFlightLimit { amount: 1_000, of: Counted::Host, status: 429 };
    recipes.push(recipe(&Filter::InFlight(all)));
    assert!(Recipe::folded(&recipes).is_none());
}
