//! Requests through filters: a frame of every kind on real sockets.

mod support;

use std::io::{BufReader, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use steelyard_filters::trial::{diary, release};
use steelyard_gateway::{AccessLog, Gateway, GatewayOptions, LogFormat};
use steelyard_model::routing::filter::Use;
use support::filtering::{Uses, echoed, told, using};
use support::{
    Client, Received, Server, TemporaryFile, dead, eventually, gateway_with, get, ok, route,
    routing, smuggle,
};

/// A gateway whose route, and whose listener, have these uses.
struct Filtering {
    gateway: Gateway,
    address: SocketAddr,
}

/// The route `/` leads to `endpoints`; another one, nowhere, has the backend `aside`.
fn filtering_with(
    options: GatewayOptions,
    endpoints: &[SocketAddr],
    aside: &[SocketAddr],
    listener: Uses<'_>,
    uses: Uses<'_>,
) -> Filtering {
    let routes = [route("main", "a", "/", endpoints), route("aside", "aside", "/", aside)];
    let (gateway, address) = gateway_with(&routes, options);
    gateway.apply(&using(routing(&routes), listener, uses), 2);
    Filtering { gateway, address }
}

fn filtering(endpoint: SocketAddr, uses: Uses<'_>) -> Filtering {
    let options = GatewayOptions { workers: 1, ..GatewayOptions::default() };
    filtering_with(options, &[endpoint], &[], &[], uses)
}

fn post(address: SocketAddr, body: &str) -> Received {
    let length = body.len();
    let request = format!("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}");
    Client::connect(address).send(request).receive()
}

#[test]
fn heads_are_changed_on_both_ways_in_order() {
    let server = Server::echo("s");
    let it = filtering(
        server.address,
        &[("edit", "edit-1"), ("redirect", "edit-2"), ("edit", "edit-3")],
    );
    let mut client = Client::connect(it.address);
    for _ in 0..2 {
        let answer = client.get("a", "/x?q=1");
        let text = answer.text();
        assert!(text.contains("PATCH /elsewhere?q=1 HTTP/1.1"), "{text}");
        assert_eq!(echoed(&text, "host"), Some("other.test"));
        assert_eq!(echoed(&text, "x-forwarded-host"), Some("a"));
        let marks = |text: &str| text.matches("X-Trial: ").count();
        assert_eq!((marks(&text), marks(&answer.head)), (2, 2), "{text} {}", answer.head);
        assert!(answer.head.find("edit-3") < answer.head.find("edit-1"), "inside out");
    }
    assert_eq!(server.accepted.load(Ordering::SeqCst), 1, "the connection was used again");
    let twice = ["enter", "leave 200 by backend", "done Finished"].repeat(2);
    told("edit-1", &twice);
    told("edit-3", &twice);
}

#[test]
fn who_answers_keeps_the_connection_and_the_endpoint_hears_nothing() {
    let server = Server::echo("s");
    let it =
        filtering(server.address, &[("edit", "ans-1"), ("answer=401", "ans-2"), ("edit", "ans-3")]);
    let mut client = Client::connect(it.address);
    for _ in 0..2 {
        let answer = client.get("a", "/");
        assert_eq!((answer.status(), answer.text().as_str()), (401, "answered"));
        assert_eq!(answer.header("x-by"), Some("ans-2"));
        assert_eq!(answer.header("x-trial"), Some("ans-1"));
    }
    let head = client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = Received::read_to(&mut head.reader, true).unwrap();
    assert_eq!((head.status(), head.header("content-length")), (401, Some("8")));
    // The body of who is answered is not read.
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
    let answer = client.receive();
    assert_eq!((answer.status(), answer.header("connection")), (401, Some("close")));
    assert!(client.is_closed());
    assert_eq!(server.accepted.load(Ordering::SeqCst), 0);
    assert_eq!(diary("ans-1")[..3], ["enter", "leave 401 by 1", "done Finished"]);
    assert!(diary("ans-3").is_empty());
}

#[test]
fn statuses_and_their_bodies_fit() {
    for (raw, deed, status, length, body) in [
        (
            &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"[..],
            "status=404",
            404,
            Some("2"),
            "hi",
        ),
        (
            b"HTTP/1.1 200 OK\r\nX-Own: 1\r\nContent-Length: 2\r\n\r\nhi",
            "status=204",
            204,
            None,
            "",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            "replace=404",
            404,
            Some("8"),
            "replaced",
        ),
        (b"HTTP/1.1 204 X\r\nX-Own: 1\r\n\r\n", "status=200", 200, Some("0"), ""),
    ] {
        let server = Server::answering(move |_| raw.to_vec());
        let it = filtering(server.address, &[(deed, "fit")]);
        let mut client = Client::connect(it.address);
        for _ in 0..2 {
            let answer = client.get("a", "/");
            let got = (answer.status(), answer.header("content-length"), answer.text());
            assert_eq!(got, (status, length, body.to_owned()), "{deed}");
            let is_own = String::from_utf8_lossy(raw).contains("X-Own");
            assert_eq!(answer.header("x-own").is_some(), is_own, "{deed}");
        }
    }
}

#[test]
fn sleep_passes_on_both_ways() {
    let server = Server::echo("s");
    let it = filtering(server.address, &[("sleep=20", "sleep")]);
    assert_eq!(get(it.address, "a", "/").status(), 200);
    told("sleep", &["enter", "leave 200 by backend", "done Finished"]);
}

#[test]
fn the_whole_body_is_had_and_goes_on() {
    let server = Server::echo("s");
    let it = filtering(server.address, &[("body=10", "body")]);
    let mut client = Client::connect(it.address);
    // With its head, after it, in chunks, none, and when it is asked for.
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    let text = client.receive().text();
    assert_eq!((echoed(&text, "x-found"), text.ends_with("\nabc")), (Some("abc"), true), "{text}");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nab\r\n");
    client.send("1\r\nc\r\n0\r\n\r\n");
    let text = client.receive().text();
    assert_eq!(echoed(&text, "content-length"), Some("3"), "{text}");
    assert_eq!((echoed(&text, "x-found"), text.ends_with("\nabc")), (Some("abc"), true), "{text}");
    assert_eq!(client.get("a", "/").status(), 200);
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.receive().status(), 100);
    let text = client.send("xyz").receive().text();
    assert_eq!(echoed(&text, "x-found"), Some("xyz"), "{text}");
    assert_eq!(echoed(&text, "expect"), None, "it was asked for once: {text}");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n01234567890");
    let answer = client.receive();
    assert_eq!((answer.status(), answer.header("connection")), (413, None), "all of it was read");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n01234567890");
    assert_eq!(client.receive().status(), 413, "before the rest has come");
    assert!(client.is_closed());
}

#[test]
fn a_body_that_is_none_is_answered_through_the_frames() {
    let server = Server::echo("s");
    let it = filtering(server.address, &[("edit", "bad-1"), ("body=10", "bad-2")]);
    let mut client = Client::connect(it.address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n");
    let answer = client.receive();
    assert_eq!((answer.status(), answer.header("x-trial")), (400, Some("bad-1")));
    assert!(client.is_closed());
    told("bad-2", &["enter", "leave 400 by gateway", "done Finished"]);
}

/// Answers 503 twice, then echoes.
fn stubborn() -> (Server, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let server = Server::answering(move |request| {
        if counted.fetch_add(1, Ordering::SeqCst) < 2 {
            return b"HTTP/1.1 503 X\r\nContent-Length: 4\r\n\r\nbusy".to_vec();
        }
        ok(&format!("{}\n{}", request.head, request.text()))
    });
    (server, count)
}

#[test]
fn again_runs_what_is_inside_anew_with_the_same_body() {
    let body = "0123456789".repeat(10_000);
    for (size, status, attempts) in [(100_000, 200, 3), (99_999, 503, 1)] {
        let (server, count) = stubborn();
        let (outer, inner) = (format!("again-{size}"), format!("again-in-{size}"));
        let again = format!("again={size}");
        let it = filtering(
            server.address,
            &[(again.as_str(), outer.as_str()), ("edit", inner.as_str())],
        );
        let answer = post(it.address, &body);
        assert_eq!((answer.status(), count.load(Ordering::SeqCst)), (status, attempts));
        if status == 200 {
            let text = answer.text();
            assert_eq!(text.matches("X-Trial").count(), 1, "the edit is made anew");
            assert!(text.ends_with(&body));
        }
        let is_over = || diary(&inner).last().is_some_and(|it| it == "done Finished");
        eventually("it is over", is_over);
        let told = diary(&inner);
        assert_eq!(told.iter().filter(|it| *it == "done Replaced").count(), attempts - 1);
    }
}

#[test]
fn again_without_a_body_and_after_faults() {
    let (server, _) = stubborn();
    let it = filtering(server.address, &[("again=0", "again-none")]);
    assert_eq!(get(it.address, "a", "/").status(), 200);
    assert_eq!(server.accepted.load(Ordering::SeqCst), 1, "dropped responses cost no connection");
    let it = filtering(dead(), &[("again=0", "again-dead")]);
    assert_eq!(get(it.address, "a", "/").status(), 502);
    let all = ["enter", "again", "again", "again", "leave 502 by gateway", "done Finished"];
    told("again-dead", &all);
}

#[test]
fn bodies_are_changed_on_both_ways() {
    let server = Server::answering(|request| ok(&request.text()));
    let it = filtering(server.address, &[("mark", "<1>"), ("mark", "<2>")]);
    let mut client = Client::connect(it.address);
    for _ in 0..2 {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
        std::thread::yield_now();
        client.send("cd");
        let answer = client.receive();
        assert_eq!(answer.header("content-length"), None);
        let plain = answer.text().replace("<1>", "").replace("<2>", "");
        assert_eq!((plain.as_str(), answer.text().matches("<1>").count() > 1), ("abcd", true));
    }
    assert_eq!(server.accepted.load(Ordering::SeqCst), 1);
    let head = client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = Received::read_to(&mut head.reader, true).unwrap();
    assert_eq!((head.status(), head.header("content-length")), (200, None));
    // HTTP/1.0 gets it to the end of the connection.
    let mut old = Client::connect(it.address);
    old.send("POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nz");
    let answer = old.receive();
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(answer.text().ends_with('z') && old.is_closed());
}

#[test]
fn large_bodies_are_changed_as_they_come() {
    let server = Server::answering(|request| ok(&request.text()));
    let it = filtering(server.address, &[("mark", "~")]);
    let body = "0123456789".repeat(300_000);
    let answer = post(it.address, &body);
    assert_eq!(answer.text().replace('~', ""), body);
}

#[test]
fn pieces_wait_until_they_may_go_on() {
    let server = Server::echo("s");
    let it = filtering(server.address, &[("slow=20", "slow")]);
    let mut client = Client::connect(it.address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
    eventually("the first piece came", || diary("slow").len() > 1);
    let text = client.send("cd").receive().text();
    assert!(text.ends_with("abcd"), "{text}");
}

#[test]
fn who_fails_at_a_body_answers_or_ends_the_connection() {
    let server = Server::answering(|request| ok(&request.text()));
    let it = filtering(server.address, &[("edit", "fail-0"), ("fail-in=422", "fail-1")]);
    let answer = post(it.address, "abc");
    assert_eq!((answer.status(), answer.header("x-trial")), (422, Some("fail-0")));
    let mut client = Client::connect(it.address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
    eventually("the head is inside", || {
        diary("fail-1").iter().filter(|it| *it == "enter").count() > 1
    });
    assert_eq!(client.send("ab").receive().status(), 422);
    let it = filtering(server.address, &[("fail-out=501", "fail-2")]);
    assert_eq!(post(it.address, "abc").status(), 501);
    // What is said already cannot be taken back.
    let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
    let may_go_on = std::sync::Mutex::new(may_go_on);
    let server = Server::start(move |mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        Received::read(&mut reader);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").unwrap();
        may_go_on.lock().unwrap().recv().unwrap();
        let _ = stream.write_all(b"hi");
    });
    let it = filtering(server.address, &[("fail-out=501", "fail-3")]);
    let mut client = Client::connect(it.address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = support::head(&mut client.reader).unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    go_on.send(()).unwrap();
    assert!(client.is_closed(), "without an end of the body");
    told("fail-3", &["enter", "leave 200 by backend", "done Aborted"]);
}

#[test]
fn a_frame_asks_a_backend() {
    let server = Server::echo("s");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let aside = Server::answering(move |request| {
        count.fetch_add(1, Ordering::SeqCst);
        assert!(request.head.starts_with("POST /fetched?x=1 HTTP/1.1\r\nHost: fetch.test\r\n"));
        assert_eq!(
            (request.header("x-asked-for"), request.text().as_str()),
            (Some("/who"), "letter")
        );
        ok("fetched")
    });
    let options = || GatewayOptions { workers: 1, ..GatewayOptions::default() };
    let uses: Uses<'_> = &[("fetch=default/aside:80@ingress", "fetch")];
    let it = filtering_with(options(), &[server.address], &[aside.address], &[], uses);
    for _ in 0..3 {
        let text = get(it.address, "a", "/who").text();
        assert_eq!(echoed(&text, "x-found"), Some("fetched"), "{text}");
    }
    assert_eq!((asked.load(Ordering::SeqCst), aside.accepted.load(Ordering::SeqCst)), (3, 1));
    for nobody in [&[][..], &[dead()]] {
        let it = filtering_with(options(), &[server.address], nobody, &[], uses);
        assert_eq!(get(it.address, "a", "/who").status(), 502);
    }
    // Too large for what the frame allows.
    let large = Server::answering(|_| ok(&"x".repeat(1001)));
    let it = filtering_with(options(), &[server.address], &[large.address], &[], uses);
    assert_eq!(get(it.address, "a", "/who").status(), 413);
}

#[test]
fn work_is_done_elsewhere() {
    let server = Server::echo("s");
    let it = filtering(server.address, &[("work", "work")]);
    let text = get(it.address, "a", "/").text();
    assert!(echoed(&text, "x-found").is_some_and(|it| it.starts_with("gateway-work-")), "{text}");
    let it = filtering(server.address, &[("panic", "panic"), ("work", "work-2")]);
    for _ in 0..3 {
        assert_eq!(get(it.address, "a", "/").status(), 502, "threads outlive it");
    }
}

#[test]
fn one_of_all_finds_out_what_is_shared() {
    let server = Server::echo("s");
    let options = GatewayOptions { workers: 2, ..GatewayOptions::default() };
    let it = filtering_with(options, &[server.address], &[], &[], &[("shared", "flight")]);
    let asking = |_| {
        let address = it.address;
        std::thread::spawn(move || get(address, "a", "/").text())
    };
    let clients = Vec::from_iter((0..8).map(asking));
    let count = |what: &str| diary("flight").iter().filter(|it| *it == what).count();
    eventually("all have come", || count("enter") == 8);
    release("flight");
    for client in clients {
        let text = client.join().unwrap();
        assert_eq!(echoed(&text, "x-found"), Some("found"), "{text}");
    }
    // Who had come, but not asked yet, may have been too late.
    assert!(count("leads") <= 2, "{} of 8 found it out", count("leads"));
}

#[test]
fn a_leader_that_ends_hands_over() {
    let server = Server::echo("s");
    let it = filtering(server.address, &[("shared", "handover")]);
    let mut lost = Client::connect(it.address);
    lost.send("GET / HTTP/1.1\r\nHost: a\r\nX-Lost: 1\r\n\r\n");
    let count = |what: &str| diary("handover").iter().filter(|it| *it == what).count();
    eventually("it leads", || count("leads") == 1);
    let mut next = Client::connect(it.address);
    next.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("another one has come", || count("enter") == 2);
    release("handover");
    assert_eq!(lost.receive().status(), 500);
    let text = next.receive().text();
    assert_eq!((echoed(&text, "x-found"), count("leads")), (Some("found"), 2), "{text}");
}

#[test]
fn the_end_is_told_once_also_when_the_client_leaves() {
    let server = Server::start(|mut stream, _| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    for (deed, name) in
        [("sleep=60000", "gone-sleep"), ("edit", "gone-wait"), ("body=99", "gone-body")]
    {
        let it = filtering(server.address, &[(deed, name)]);
        let mut client = Client::connect(it.address);
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab");
        eventually("it is under way", || !diary(name).is_empty());
        let stream = socket2::SockRef::from(client.reader.get_ref());
        stream.set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        eventually("it is over", || diary(name).last().is_some_and(|it| it == "done Aborted"));
        drop(it);
        let ends = diary(name).iter().filter(|it| it.starts_with("done")).count();
        assert_eq!(ends, 1, "{name}: {:?}", diary(name));
    }
}

#[test]
fn the_end_is_told_when_the_gateway_stops() {
    let server = Server::echo("s");
    let it = filtering(server.address, &[("sleep=60000", "stop")]);
    let mut client = Client::connect(it.address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is under way", || !diary("stop").is_empty());
    it.gateway.drain(Duration::ZERO);
    told("stop", &["enter", "done Aborted"]);
}

#[test]
fn a_tunnel_passes_frames_but_no_body_hooks() {
    let server = Server::start(|mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let head = support::head(&mut reader).unwrap();
        assert!(head.contains("X-Trial: tunnel-1\r\n"), "{head}");
        let switch = "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
        stream.write_all(switch.as_bytes()).unwrap();
        let mut bytes = [0; 4];
        reader.read_exact(&mut bytes).unwrap();
        stream.write_all(&bytes).unwrap();
    });
    let uses: Uses<'_> = &[("edit", "tunnel-1"), ("mark", "tunnel-2"), ("again=9", "tunnel-3")];
    let it = filtering(server.address, uses);
    let mut client = Client::connect(it.address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    let head = support::head(&mut client.reader).unwrap();
    assert!(head.starts_with("HTTP/1.1 101") && head.contains("X-Trial: tunnel-1\r\n"), "{head}");
    client.send("ping");
    let mut bytes = Vec::new();
    client.reader.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"ping");
    drop(client);
    eventually("it is over", || diary("tunnel-1").len() == 3);
    told("tunnel-1", &["enter", "leave 101 by backend", "done Closed"]);
}

#[test]
fn listeners_wrap_what_has_no_route_and_no_sense() {
    let options = GatewayOptions { workers: 1, ..GatewayOptions::default() };
    let it = filtering_with(options, &[], &[], &[("edit", "listener")], &[("edit", "of-route")]);
    let mut client = Client::connect(it.address);
    let answer = client.get("nobody", "/");
    assert_eq!((answer.status(), answer.header("x-trial")), (404, Some("listener")));
    let answer = client.get("a", "/");
    assert_eq!((answer.status(), answer.header("x-trial")), (503, Some("of-route")), "inside out");
    let answer = client.send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").receive();
    assert_eq!((answer.status(), answer.header("x-trial")), (400, Some("listener")));
    assert!(client.is_closed());
    let done = diary("listener").iter().filter(|it| *it == "done Finished").count();
    assert_eq!(done, 3);
}

#[test]
fn what_is_not_built_is_refused() {
    let server = Server::echo("s");
    let it = filtering(server.address, &[]);
    assert_eq!(get(it.address, "a", "/").status(), 200);
    let routes = [route("main", "a", "/", &[server.address])];
    let mut map = routing(&routes);
    let (id, mut it_is) =
        map.routes.iter().map(|(id, it)| (id.clone(), (**it).clone())).next().unwrap();
    it_is.uses = vec![Use { filter: "unknown".into(), state: "x".into() }];
    map.routes.insert(id, Arc::new(it_is));
    it.gateway.apply(&map, 3);
    assert_eq!(get(it.address, "a", "/").status(), 503);
}

#[test]
fn pipelined_requests_pass_in_order() {
    let server = Server::answering(|request| ok(&request.text()));
    for deed in ["mark", "edit", "body=99", "again=99"] {
        let it = filtering(server.address, &[(deed, "~")]);
        let mut client = Client::connect(it.address);
        let all = (0..9).map(|n| {
            let body = format!("body {n}");
            let length = body.len();
            format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
        });
        client.send(all.collect::<String>());
        for n in 0..9 {
            assert_eq!(client.receive().text().replace('~', ""), format!("body {n}"), "{deed}");
        }
    }
}

/// It answers when it has read a head, and then reads the body.
#[test]
fn bodies_in_hand_swallow_no_request_of_others() {
    let server = Server::start(|stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream;
        while let Some(head) = support::head(&mut reader) {
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            if writer.write_all(&ok(&path)).is_err() {
                return;
            }
            let length = echoed(&head, "content-length").map_or(0, |it| it.parse().unwrap());
            let _ = std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink());
        }
    });
    for deed in ["edit", "again=1000", "replace=404"] {
        let it = filtering(server.address, &[(deed, "")]);
        smuggle(it.address, "/mine", |answer| {
            answer.text() == "/mine" || answer.text() == "replaced"
        });
    }
}

#[test]
fn who_the_client_is_is_logged_and_no_longer_than_it_is_true() {
    let server = Server::echo("s");
    for (format, named, unnamed) in [
        (LogFormat::Common, " - a\\x20b\\\"c [", " - - ["),
        (LogFormat::Json, r#""ClientUsername":"a b\"c""#, r#""ClientUsername":"-""#),
    ] {
        let file = TemporaryFile::new(&format!("users-{format:?}"));
        let access_log =
            Some(AccessLog { path: Some(file.0.clone()), format, ..AccessLog::default() });
        let options = GatewayOptions { workers: 1, access_log, ..GatewayOptions::default() };
        let uses: Uses<'_> = &[("user=a b\"c", "user")];
        let it = filtering_with(options, &[server.address], &[], &[], uses);
        let mut client = Client::connect(it.address);
        assert_eq!(client.get("a", "/").status(), 200);
        assert_eq!(client.get("nobody", "/").status(), 404);
        it.gateway.drain(Duration::from_secs(1));
        let text = file.text();
        let lines = Vec::from_iter(text.lines());
        assert!(lines[0].contains(named) && lines[1].contains(unnamed), "{text}");
    }
}

#[test]
fn how_much_smaller_a_response_became_is_logged() {
    let server = Server::echo("s");
    let file = TemporaryFile::new("ratio");
    let access_log = Some(AccessLog {
        path: Some(file.0.clone()),
        format: LogFormat::Json,
        ..AccessLog::default()
    });
    let options = GatewayOptions { workers: 1, access_log, ..GatewayOptions::default() };
    let it = filtering_with(options, &[server.address], &[], &[], &[("ratio", "ratio")]);
    let mut client = Client::connect(it.address);
    assert_eq!(client.get("a", "/").status(), 200);
    assert_eq!(client.get("nobody", "/").status(), 404);
    it.gateway.drain(Duration::from_secs(1));
    let text = file.text();
    let lines = Vec::from_iter(text.lines());
    assert!(lines[0].contains(r#""GzipRatio":2.5,"OriginContentSize":10,"#), "{text}");
    assert!(!lines[1].contains("GzipRatio"), "{text}");
}
