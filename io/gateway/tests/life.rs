//! A gateway's life: new configurations, new addresses, counters, the end.

mod support;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use steelyard_gateway::{Bind, Binding, Gateway, GatewayOptions};
use support::*;

#[test]
fn a_thousand_requests_over_a_hundred_configurations() {
    let (one, two) = (Server::echo("one"), Server::echo("two"));
    let tables = [one.address, two.address].map(|to| vec![route("app", "*", "/", &[to])]);
    let (gateway, address) =
        gateway_with(&tables[0], GatewayOptions { workers: 2, ..GatewayOptions::default() });
    let stop = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(move || {
                    let mut client = Client::connect(address);
                    (0..250).filter(|_| client.get("a", "/").status() == 200).count()
                })
            })
            .collect();
        let applying = scope.spawn(|| {
            let mut generation = 1;
            while !stop.load(Ordering::SeqCst) || generation < 100 {
                generation += 1;
                gateway.apply(&routing(&tables[generation % 2]), generation as u64);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let answered: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
        stop.store(true, Ordering::SeqCst);
        applying.join().unwrap();
        assert_eq!(answered, 1000);
    });
    gateway.apply(&routing(&tables[1]), 7);
    assert_eq!(get(address, "a", "/").who(), "two");
    assert_eq!(gateway.generation(), 7);
}

#[test]
fn turns_go_on_over_a_reload() {
    let servers = [Server::echo("one"), Server::echo("two")];
    let routes = [route("app", "*", "/", &servers.each_ref().map(|server| server.address))];
    let (gateway, address) = gateway(&routes);
    let mut client = Client::connect(address);
    let mut before = client.get("a", "/").who();
    for generation in 2..8 {
        gateway.apply(&routing(&routes), generation);
        let now = client.get("a", "/").who();
        assert_ne!(now, before, "a reload does not start over with the first endpoint");
        before = now;
    }
}

#[test]
fn listeners_come_and_go() {
    let backend = Server::echo("one");
    let (gateway, first) = gateway_with(
        &[route("one", "*", "/", &[backend.address])],
        GatewayOptions { workers: 2, ..GatewayOptions::default() },
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let outcomes = gateway.listen(&[web(0), web(port)]);
    assert_eq!(outcomes[0].1.as_ref().unwrap(), &first, "what is open stays as it is");
    assert_eq!(outcomes[1].1.as_ref().unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    drop(taken);
    let mut kept = Client::connect(first);
    assert_eq!(kept.get("a", "/").status(), 200);
    let outcomes = gateway.listen(&[web(port)]);
    assert_eq!(outcomes[0].1.as_ref().unwrap().port(), port, "tried again");
    assert!(std::net::TcpStream::connect(first).is_err(), "the first is closed");
    assert!(kept.is_closed(), "and so are its waiting connections");
    assert_eq!(get(*outcomes[0].1.as_ref().unwrap(), "a", "/").status(), 200);
}

#[test]
fn both_families_and_foreign_addresses() {
    let backend = Server::echo("one");
    let (gateway, _) = gateway(&[route("one", "*", "/", &[backend.address])]);
    let at = |address: &str, binding| Bind {
        entry_point: "web".into(),
        protocol: steelyard_model::Protocol::Tcp,
        address: address.parse().unwrap(),
        binding,
    };
    let binds = [
        at("[::1]:0", Binding::Host),
        at("203.0.113.7:0", Binding::Vip),
        at("203.0.113.7:0", Binding::Host),
    ];
    let outcomes = gateway.listen(&binds);
    let text = get(*outcomes[0].1.as_ref().unwrap(), "[::1]:81", "/").text();
    assert!(text.contains("X-Forwarded-For: ::1\r\n"), "{text}");
    // Without privileges the kernel refuses the option.
    if let Err(error) = &outcomes[1].1 {
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
    }
    let error = outcomes[2].1.as_ref().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrNotAvailable, "not the host's own");
}

#[test]
fn two_gateways_do_not_share_a_port() {
    let (_first, address) = gateway(&[]);
    let second = steelyard_gateway::Gateway::start(GatewayOptions::default()).unwrap();
    let outcomes = second.listen(&[web(address.port())]);
    assert_eq!(outcomes[0].1.as_ref().unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn draining_lets_requests_finish() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let backend = Server::answering(move |_| {
        released.lock().unwrap().recv().unwrap();
        ok("late")
    });
    let (gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
    let mut busy = Client::connect(address);
    busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut idle = Client::connect(address);
    assert_eq!(idle.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").receive().status(), 200);
    eventually("the request is under way", || backend.accepted.load(Ordering::SeqCst) == 1);
    std::thread::scope(|scope| {
        let draining = scope.spawn(|| gateway.drain(PATIENCE));
        eventually("it does not listen", || std::net::TcpStream::connect(address).is_err());
        assert!(idle.is_closed(), "who waits for nothing is sent away");
        release.send(()).unwrap();
        let response = busy.receive();
        assert_eq!(
            (response.who().as_str(), response.header("connection")),
            ("late", Some("close"))
        );
        assert!(busy.is_closed());
        draining.join().unwrap();
    });
}

/// Sixteen clients ask on and on, each at its own pace, while `end` happens. All learn of the end
/// from an answer, and lose no request by it.
fn all_are_told(end: impl FnOnce(&Gateway, SocketAddr)) {
    let backend = Server::echo("one");
    let options = GatewayOptions { workers: 2, ..GatewayOptions::default() };
    let (gateway, address) = gateway_with(&[route("one", "*", "/", &[backend.address])], options);
    let begun = std::sync::Barrier::new(17);
    std::thread::scope(|scope| {
        for pace in 0..16 {
            let begun = &begun;
            scope.spawn(move || {
                let mut client = Client::connect(address);
                assert_eq!(client.get("a", "/").status(), 200);
                begun.wait();
                loop {
                    let answer = client.get("a", "/");
                    assert_eq!(answer.status(), 200);
                    if answer.header("connection") == Some("close") {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(pace));
                }
                assert!(client.is_closed());
            });
        }
        begun.wait();
        end(&gateway, address);
    });
}

#[test]
fn who_is_busy_is_told_and_not_cut_off() {
    all_are_told(|gateway, _| gateway.drain(PATIENCE));
    all_are_told(|gateway, address| {
        gateway.wind_down();
        eventually("answers end their connections", || {
            get(address, "a", "/").header("connection") == Some("close")
        });
    });
}

#[test]
fn who_is_idle_is_sent_away_without_a_reset() {
    let (gateway, address) = gateway(&[]);
    let mut idle = std::net::TcpStream::connect(address).unwrap();
    idle.set_read_timeout(Some(PATIENCE)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| gateway.drain(PATIENCE));
        assert_eq!(idle.read(&mut [0]).unwrap(), 0, "our side is closed");
        // What was on its way when we closed is read: no reset comes back.
        for _ in 0..10 {
            idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            assert_eq!(idle.read(&mut [0]).unwrap(), 0);
        }
        drop(idle);
    });
}

#[test]
fn draining_ends_in_time() {
    let backend = Server::start(|stream, _| {
        let mut reader = std::io::BufReader::new(stream);
        while Received::read(&mut reader).is_some() {}
    });
    let (gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
    let mut stuck = Client::connect(address);
    stuck.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request is under way", || backend.accepted.load(Ordering::SeqCst) == 1);
    gateway.drain(Duration::from_millis(50));
    assert_eq!(stuck.receive().status(), 503);
    assert!(stuck.is_closed());
}

/// Whatever a client or an endpoint is at: the end comes within the limit.
#[test]
fn draining_ends_in_time_whatever_blocks() {
    let endless = Server::start(|mut stream, _| {
        let _ = Received::read(&mut std::io::BufReader::new(stream.try_clone().unwrap()));
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        while stream.write_all(&[b'x'; 64 * 1024]).is_ok() {}
    });
    let switching = Server::start(|mut stream, _| {
        let _ = Received::read(&mut std::io::BufReader::new(stream.try_clone().unwrap()));
        let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                    Upgrade: websocket\r\n\r\nhello";
        stream.write_all(head.as_bytes()).unwrap();
        while matches!(stream.read(&mut [0; 64]), Ok(1..)) {}
    });
    let silent =
        Server::start(|mut stream, _| while matches!(stream.read(&mut [0; 64]), Ok(1..)) {});
    let (gateway, address) = gateway(&[
        route("endless", "endless", "/", &[endless.address]),
        route("switching", "switching", "/", &[switching.address]),
        route("silent", "silent", "/", &[silent.address]),
    ]);
    let connect = |text: &str| {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    };
    let mut never_reads = connect("GET / HTTP/1.1\r\nHost: endless\r\n\r\n");
    let mut tunnel = connect(
        "GET / HTTP/1.1\r\nHost: switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    let half_body = connect("POST / HTTP/1.1\r\nHost: silent\r\nContent-Length: 9\r\n\r\nhalf");
    let half_head = connect("GET / HTTP/1.1\r\nHost: sil");
    never_reads.read_exact(&mut [0; 12]).unwrap();
    let mut switched = Vec::new();
    while !switched.ends_with(b"hello") {
        let mut byte = [0];
        tunnel.read_exact(&mut byte).unwrap();
        switched.extend_from_slice(&byte);
    }
    eventually("the body is on its way", || silent.accepted.load(Ordering::SeqCst) == 1);
    std::thread::scope(|scope| {
        let draining = scope.spawn(|| gateway.drain(Duration::from_millis(300)));
        eventually("it ends", || draining.is_finished());
    });
    drop((never_reads, tunnel, half_body, half_head));
}

#[test]
fn requests_are_counted() {
    let backend = Server::echo("one");
    let (gateway, address) = gateway(&[route("one", "a", "/", &[backend.address])]);
    let mut client = Client::connect(address);
    for _ in 0..3 {
        client.get("a", "/");
    }
    client.get("b", "/");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello").receive();
    let expected = [
        "traefik_entrypoint_requests_total{code=\"200\",entrypoint=\"web\",method=\"GET\",protocol=\"http\"} 3",
        "traefik_entrypoint_requests_total{code=\"404\",entrypoint=\"web\",method=\"GET\",protocol=\"http\"} 1",
        "traefik_router_requests_total{code=\"200\",method=\"GET\",protocol=\"http\",router=\"default-one-0@ingress\",service=\"default-one-80@ingress\"} 3",
        "traefik_service_requests_bytes_total{code=\"200\",method=\"POST\",protocol=\"http\",service=\"default-one-80@ingress\"} 5",
        "traefik_open_connections{entrypoint=\"web\",protocol=\"TCP\"} 1",
        "traefik_config_reloads_total 1",
    ];
    let mut metrics = String::new();
    eventually("the last request is counted", || {
        metrics = scrape(&gateway);
        expected.iter().all(|line| metrics.lines().any(|found| found == *line))
    });
    drop(client);
    eventually("the connection is not counted any more", || {
        scrape(&gateway)
            .contains("traefik_open_connections{entrypoint=\"web\",protocol=\"TCP\"} 0\n")
    });
}

/// Whose turn it is does not hang on when a core looks at its configuration.
#[test]
fn reloads_between_two_requests_forget_no_turns() {
    let servers = [Server::echo("a"), Server::echo("b"), Server::echo("c")];
    let app = route("app", "*", "/", &servers.each_ref().map(|server| server.address));
    let other = route("other", "other", "/", &[servers[0].address]);
    let (gateway, address) = gateway(std::slice::from_ref(&app));
    let mut asked = Vec::new();
    for round in 0..6 {
        asked.push(get(address, "a", "/").who());
        // The first takes another route in, the second takes it out again, unseen by any request.
        gateway.apply(&routing(&[app.clone(), other.clone()]), 2 * round + 2);
        gateway.apply(&routing(std::slice::from_ref(&app)), 2 * round + 3);
    }
    assert_eq!(asked, ["a", "b", "c", "a", "b", "c"]);
}

/// A change of endpoints is taken in by who is in use already, and turns go on.
#[test]
fn endpoints_change_under_a_route_that_does_not() {
    let servers = [Server::echo("a"), Server::echo("b"), Server::echo("c")];
    let mut app = route("app", "*", "/", &servers.each_ref().map(|server| server.address));
    let (gateway, address) = gateway(std::slice::from_ref(&app));
    assert_eq!(get(address, "a", "/").who(), "a");
    app.services[0].endpoints.remove(2);
    gateway.apply(&routing(std::slice::from_ref(&app)), 2);
    assert_eq!(["b", "a", "b"], [(); 3].map(|()| get(address, "a", "/").who()));
    app.services[0].endpoints.clear();
    gateway.apply(&routing(std::slice::from_ref(&app)), 3);
    assert_eq!(get(address, "a", "/").status(), 503);
    // What goes and comes again starts anew.
    gateway.apply(&routing(&[]), 4);
    assert_eq!(get(address, "a", "/").status(), 404);
    gateway.apply(&routing(&[route("app", "*", "/", &[servers[2].address])]), 5);
    assert_eq!(get(address, "a", "/").who(), "c");
}

/// Series of routes and Services that are gone are given up; what they counted is not.
#[test]
fn series_of_removed_routes_do_not_stay() {
    let server = Server::echo("a");
    let routes = ["one", "two"].map(|name| route(name, name, "/", &[server.address]));
    let (gateway, address) = gateway(&routes);
    for host in ["one", "one", "two"] {
        assert_eq!(get(address, host, "/").status(), 200);
    }
    let count = |metrics: &str, name: &str| -> u64 {
        let lines = metrics.lines().filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
    };
    let entry_point = "traefik_entrypoint_requests_total{";
    eventually("all are counted", || count(&scrape(&gateway), entry_point) == 3);
    gateway.apply(&routing(&routes[1..]), 2);
    let metrics = scrape(&gateway);
    assert!(!metrics.contains("default-one-"), "{metrics}");
    assert_eq!(count(&metrics, entry_point), 3);
    assert_eq!(count(&metrics, "traefik_router_requests_total{"), 1);
    assert_eq!(count(&metrics, "traefik_service_requests_total{"), 1);
    assert_eq!(get(address, "two", "/").status(), 200);
    eventually("the other goes on", || {
        count(&scrape(&gateway), "traefik_router_requests_total{") == 2
    });
    assert_eq!(count(&scrape(&gateway), entry_point), 4);
}

/// Requests that would take hours do not keep a gateway that is in a hurry.
#[test]
fn who_is_in_a_hurry_waits_for_no_request() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let backend = Server::answering(move |_| {
        let _ = released.lock().unwrap().recv();
        ok("late")
    });
    let (gateway, address) = gateway(&[route("one", "*", "/", &[backend.address])]);
    let mut client = Client::connect(address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request is under way", || backend.accepted.load(Ordering::SeqCst) == 1);
    std::thread::scope(|scope| {
        let draining = scope.spawn(|| gateway.drain(Duration::from_secs(3600)));
        eventually("it does not listen", || std::net::TcpStream::connect(address).is_err());
        gateway.hurry();
        eventually("it ends", || draining.is_finished());
    });
    assert_eq!(client.receive().status(), 503);
    assert!(client.is_closed());
    drop(release);
}

/// A gateway that is gone has no sockets left.
#[test]
fn nothing_listens_when_a_gateway_is_dropped() {
    for _ in 0..20 {
        let (gateway, address) = gateway(&[]);
        drop(gateway);
        assert!(std::net::TcpStream::connect(address).is_err());
    }
}
