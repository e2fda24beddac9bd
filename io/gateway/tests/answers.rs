//! What the gateway says itself to requests that pass filters.

mod support;

use std::collections::BTreeSet;
use std::io::BufReader;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use socket2::{Domain, Socket, Type};
use steelyard_gateway::{AccessLog, Gateway, GatewayOptions, LogFormat};
use steelyard_model::routing::backend::{Backend, Edge};
use steelyard_model::routing::filter::{Filter, FilterNode, Use};
use steelyard_model::routing::listener::Listener;
use steelyard_model::routing::route::Destination;
use steelyard_model::routing::transport::Transport;
use support::filtering::{Uses, again, change, edge, leaf, put_backend, uses, using};
use support::{
    Client, Received, Server, TemporaryFile, dead, eventually, gateway, gateway_with, get, ok,
    route, routing,
};

/// A gateway whose route to `endpoints` has these uses.
fn filtering(endpoints: &[SocketAddr], uses: Uses<'_>) -> (Gateway, SocketAddr) {
    let routes = [route("main", "a", "/", endpoints)];
    let (gateway, address) = gateway(&routes);
    gateway.apply(&using(routing(&routes), &[], uses), 2);
    (gateway, address)
}

#[test]
fn the_last_answer_says_so() {
    let (gateway, address) = filtering(&[], &[("answer=401", "last")]);
    for (request, closes) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", true),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", true),
        ("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", true),
    ] {
        let answer = Client::connect(address).send(request).receive();
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.header("connection") == Some("close"), closes, "{request}");
    }
    gateway.wind_down();
    eventually("each answer is the last", || {
        get(address, "a", "/").header("connection") == Some("close")
    });
}

/// Whoever changes bodies changes those that no endpoint sent, too.
#[test]
fn bodies_of_our_own_pass_the_frames() {
    let (_gateway, address) = filtering(&[], &[("mark", "ours")]);
    let answer = get(address, "a", "/");
    assert_eq!(answer.status(), 503);
    assert!(answer.text().starts_with("ours"), "{}", answer.text());
    assert!(answer.text().contains("no endpoint is ready"));
    let (_gateway, address) = filtering(&[], &[("edit", "as-it-is")]);
    assert!(get(address, "a", "/").text().starts_with("503 "));
}

/// A method that a filter has left alone is done once where it must be.
#[test]
fn what_is_not_idempotent_is_sent_once_behind_filters_too() {
    for (method, tries) in [("POST", 1), ("GET", 2)] {
        let closing = || {
            Server::start(|stream, _| {
                let _ = Received::read(&mut BufReader::new(stream));
            })
        };
        let servers = [closing(), closing()];
        let all = servers.each_ref().map(|server| server.address);
        let (_gateway, address) = filtering(&all, &[("edit", "once")]);
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(Client::connect(address).send(request).receive().status(), 502);
        let tried: usize = servers.iter().map(|it| it.accepted.load(Ordering::SeqCst)).sum();
        assert_eq!(tried, tries, "{method}");
    }
}

/// Another attempt is made after the endpoint's mistake, not after the client's.
#[test]
fn attempts_are_made_again_for_what_the_client_has_no_part_in() {
    let (_gateway, address) = filtering(&[dead()], &[("again=9", "again-dead")]);
    assert_eq!(get(address, "a", "/").status(), 502);
    assert!(again("again-dead") > 0);
    let server = Server::echo("s");
    let (_gateway, address) = filtering(&[server.address], &[("again=9", "again-bad")]);
    let bad = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nnone\r\n";
    assert_eq!(Client::connect(address).send(bad).receive().status(), 400);
    assert_eq!(again("again-bad"), 0);
}

/// A body that a filter has in hand goes on in the framing it came in.
#[test]
fn framings_stay_where_nothing_is_changed() {
    let server = Server::echo("s");
    let (_gateway, address) = filtering(&[server.address], &[("again=99", "framing")]);
    for (request, framing) in [
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "Content-Length: 3"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "",
        ),
    ] {
        let (head, rest) = request.split_at(request.len() - 2);
        let mut client = Client::connect(address);
        client.send(head);
        // Once another request is answered, this much was read.
        assert_eq!(get(address, "a", "/").status(), 200);
        let answer = client.send(rest).receive();
        assert_eq!(answer.status(), 200, "{request}");
        let text = answer.text();
        assert!(text.contains(framing) && text.ends_with("abc"), "{text}");
    }
}

/// A client is asked for its body only where it waits for that and nothing of it came.
#[test]
fn who_expects_to_be_asked_is_asked_once() {
    let server = Server::echo("s");
    let (_gateway, address) = filtering(&[server.address], &[("body=99", "asked")]);
    for (lines, body, is_asked) in [
        ("Expect: 100-continue\r\nContent-Length: 3\r\n", "", true),
        ("Expect: 100-continue\r\nContent-Length: 3\r\n", "a", false),
        ("Content-Length: 3\r\n", "", false),
    ] {
        let mut client = Client::connect(address);
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}"));
        if is_asked {
            assert_eq!(client.receive().status(), 100);
        } else {
            // Once another request is answered, this much was read.
            assert_eq!(get(address, "a", "/").status(), 200);
        }
        let answer = client.send(&"abc"[body.len()..]).receive();
        assert_eq!(answer.status(), 200, "{lines} {body}");
        assert!(answer.text().ends_with("abc"));
    }
}

/// Who leaves in the middle of a body that a filter wants whole is gone.
#[test]
fn a_client_that_ends_in_its_body_is_gone() {
    let file = TemporaryFile::new("ends-in-body");
    let access_log = Some(AccessLog {
        path: Some(file.0.clone()),
        format: LogFormat::Json,
        ..AccessLog::default()
    });
    let options = GatewayOptions { workers: 1, access_log, ..GatewayOptions::default() };
    let routes = [route("main", "a", "/", &[dead()])];
    let (gateway, address) = gateway_with(&routes, options);
    gateway.apply(&using(routing(&routes), &[], &[("body=99", "ends")]), 2);
    let mut client = Client::connect(address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    client.reader.get_ref().shutdown(Shutdown::Write).unwrap();
    assert!(client.is_closed());
    eventually("it is logged", || file.text().contains("\"DownstreamStatus\":499,"));
}

/// Answers to HEAD have no body, and none is logged.
#[test]
fn no_bytes_are_logged_that_were_not_sent() {
    let all: [Uses<'_>; 2] = [&[], &[("edit", "unsent")]];
    for (at, uses) in all.into_iter().enumerate() {
        let file = TemporaryFile::new(&format!("unsent-{at}"));
        let access_log = Some(AccessLog {
            path: Some(file.0.clone()),
            format: LogFormat::Json,
            ..AccessLog::default()
        });
        let options = GatewayOptions { workers: 1, access_log, ..GatewayOptions::default() };
        let routes = [route("main", "a", "/", &[])];
        let (gateway, address) = gateway_with(&routes, options);
        gateway.apply(&using(routing(&routes), &[], uses), 2);
        let mut client = Client::connect(address);
        let answer = client.get("a", "/");
        let head = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
        let bare = Received::read_to(&mut client.send(head).reader, true).unwrap();
        assert_eq!(answer.header("content-length"), bare.header("content-length"));
        eventually("both are logged", || file.text().lines().count() == 2);
        let text = file.text();
        let sizes = [answer.body.len(), 0].map(|it| format!("\"DownstreamContentSize\":{it},"));
        for (line, size) in text.lines().zip(sizes) {
            assert!(line.contains(&size), "{size} in {line}");
        }
    }
}

/// What a listener uses is for those who come in there.
#[test]
fn of_all_listeners_the_one_that_was_asked_wraps() {
    let server = Server::answering(|_| ok("s"));
    let routes = [route("main", "a", "/", &[server.address])];
    let (gateway, address) = gateway(&routes);
    let mut map = routing(&routes);
    let web = map.listeners.get(&"web".into()).unwrap().clone();
    let all: Vec<Arc<Listener>> = map.listeners.values().cloned().collect();
    for it in all.iter().filter(|it| it.id.as_str() != "web") {
        let other = Listener { uses: uses(&[("answer=418", "others")]), ..(**it).clone() };
        map.listeners.insert(it.id.clone(), Arc::new(other));
    }
    let asked = Listener { uses: uses(&[("edit", "asked")]), ..(*web).clone() };
    let elsewhere = Listener {
        id: "aaa".into(),
        entry_point: "aaa".into(),
        uses: uses(&[("answer=418", "elsewhere")]),
        ..(*web).clone()
    };
    map.listeners.insert(asked.id.clone(), Arc::new(asked));
    map.listeners.insert(elsewhere.id.clone(), Arc::new(elsewhere));
    change(&mut map, "main", |route| route.listeners.insert(0, "aaa".into()));
    gateway.apply(&map, 2);
    for (host, status) in [("a", 200), ("nobody", 404)] {
        let answer = get(address, host, "/");
        assert_eq!((answer.status(), answer.header("x-trial")), (status, Some("asked")));
    }
    // A change of what it uses counts at once, for routes that stay as they are.
    let answering = Listener { uses: uses(&[("answer=418", "asked")]), ..(*web).clone() };
    map.listeners.insert(answering.id.clone(), Arc::new(answering));
    gateway.apply(&map, 3);
    for host in ["a", "nobody"] {
        assert_eq!(get(address, host, "/").status(), 418, "{host}");
    }
}

/// Clients are told apart by their addresses.
#[test]
fn not_all_clients_go_the_same_way_by_the_highest_random_weight() {
    let servers = ["a", "b"].map(Server::echo);
    let routes = [
        route("main", "a", "/", &[servers[0].address]),
        route("second", "z", "/", &[servers[1].address]),
    ];
    let (gateway, address) = gateway(&routes);
    let mut map = routing(&routes);
    let edges = ["main", "second"].map(|name| edge(&leaf(name), 1, &[])).into();
    put_backend(&mut map, "hashed", Backend::Rendezvous { edges });
    change(&mut map, "main", |route| route.to = Destination::Backend("hashed".into()));
    gateway.apply(&map, 2);
    let ways: BTreeSet<String> = (2..60)
        .map(|host| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.bind(&SocketAddr::from(([127, 0, 0, host], 0)).into()).unwrap();
            socket.connect(&address.into()).unwrap();
            Client { reader: BufReader::new(socket.into()) }.get("a", "/").who()
        })
        .collect();
    assert_eq!(ways, ["a".to_owned(), "b".to_owned()].into());
}

/// A change of a filter counts at once for edges that stay as they are.
#[test]
fn filters_of_edges_change_under_them() {
    let server = Server::echo("s");
    let routes = [route("main", "a", "/", &[server.address])];
    let (gateway, address) = gateway(&routes);
    let mut map = routing(&routes);
    let on_it = vec![Use { filter: "allow".into(), state: "allow".into() }];
    let edges = vec![Edge { uses: on_it, ..edge(&leaf("main"), 1, &[]) }];
    put_backend(&mut map, "weighted", Backend::Weighted { edges, sticky: None });
    change(&mut map, "main", |route| route.to = Destination::Backend("weighted".into()));
    for (generation, (range, status)) in
        [("10.0.0.0/8", 403), ("127.0.0.0/8", 200), ("10.0.0.0/8", 403)].into_iter().enumerate()
    {
        let filter = Filter::AllowAddresses(vec![range.parse().unwrap()].into());
        let node = FilterNode { id: "allow".into(), place: None, filter };
        map.filters.insert("allow".into(), Arc::new(node));
        gateway.apply(&map, generation as u64 + 2);
        assert_eq!(get(address, "a", "/").status(), status, "{range}");
    }
}

/// Turns among edges go on where another edge comes.
#[test]
fn turns_among_edges_outlive_a_change_of_them() {
    let servers = ["a", "b", "c"].map(Server::echo);
    let names = ["main", "second", "third"];
    let routes: Vec<_> = names
        .iter()
        .zip(&servers)
        .map(|(name, server)| {
            route(name, if *name == "main" { "a" } else { "z" }, "/", &[server.address])
        })
        .collect();
    let (gateway, address) = gateway(&routes);
    let mut map = routing(&routes);
    change(&mut map, "main", |route| route.to = Destination::Backend("weighted".into()));
    for (generation, (edges, who)) in [(2, "a"), (3, "b")].into_iter().enumerate() {
        let edges = names[..edges].iter().map(|name| edge(&leaf(name), 1, &[])).collect();
        put_backend(&mut map, "weighted", Backend::Weighted { edges, sticky: None });
        gateway.apply(&map, generation as u64 + 2);
        assert_eq!(get(address, "a", "/").who(), who);
    }
}

/// Where no body is sent nobody is asked about one.
#[test]
fn an_answer_without_a_body_passes_no_body_hooks() {
    let (_gateway, address) =
        filtering(&[], &[("fail-out=500", "no-body"), ("answer=204", "no-body")]);
    assert_eq!(get(address, "a", "/").status(), 204);
}

/// Endpoints that went and come again are taken, by a backend that stayed.
#[test]
fn a_set_that_comes_again_is_found() {
    let server = Server::echo("s");
    let routes = [route("main", "a", "/", &[server.address])];
    let (gateway, address) = gateway(&routes);
    let whole = routing(&routes);
    let mut without = whole.clone();
    without.endpoint_sets.remove(&"default/main:80".into());
    for (generation, (map, status)) in
        [(&whole, 200), (&without, 503), (&whole, 200)].into_iter().enumerate()
    {
        gateway.apply(map, generation as u64 + 2);
        assert_eq!(get(address, "a", "/").status(), status);
    }
}

/// A change of how endpoints are asked counts at once, for backends that stay as they are.
#[test]
fn transports_change_under_backends() {
    let server = Server::echo("s");
    let routes = [route("main", "a", "/", &[server.address])];
    let (gateway, address) = gateway(&routes);
    let plain = routing(&routes);
    let mut other = plain.clone();
    // It speaks none.
    let secure = Transport { id: Transport::plain().id, ..Transport::https() };
    other.transports.insert(secure.id.clone(), Arc::new(secure));
    for (generation, (map, status)) in
        [(&plain, 200), (&other, 502), (&plain, 200)].into_iter().enumerate()
    {
        gateway.apply(map, generation as u64 + 2);
        assert_eq!(get(address, "a", "/").status(), status);
    }
}
