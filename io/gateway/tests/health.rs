//! Endpoints that are asked whether they are well, and what becomes of those that are not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeSet;
use std::io::{BufReader, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use steelyard_gateway::EndpointFitness;
use steelyard_model::routing::backend::{Algorithm, Backend, Sticky, StickySecurity, StickyValue};
use steelyard_model::routing::care::{Care, CheckProbe, HttpProbe, PassiveCheck};
use steelyard_model::routing::route::Destination;
use support::care::*;
use support::filtering::{change, edge, leaf, put_backend};
use support::*;

fn who(address: SocketAddr, count: usize) -> BTreeSet<String> {
    let mut client = Client::connect(address);
    (0..count).map(|_| client.get("a", "/").who()).collect()
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

/// It serves, and says that it is not well: it gets nothing, until it says something else. What is
/// known survives a reload; when all say so, nobody is asked.
#[test]
fn who_says_that_it_is_not_well_gets_nothing() {
    log::keep();
    let patients = [Patient::new("one"), Patient::new("two")];
    let [one, two] = patients.each_ref().map(|it| it.server.address);
    let routes = [route("app", "*", "/", &[one, two])];
    let mut map = routing(&routes);
    look_after(&mut map, "app", by_path());
    let (gateway, address) = gateway(&[]);
    gateway.apply(&map, 2);
    eventually("both are asked at once", || patients.iter().all(|it| asked(it) > 0));
    assert_eq!(who(address, 4), set(["one", "two"]));
    assert_eq!(
        (told(&gateway, "app", one).since, state(&gateway, "app", one)),
        (None, EndpointFitness::Up)
    );
    patients[0].says.store(500, Ordering::SeqCst);
    eventually("it is heard", || state(&gateway, "app", one) == EndpointFitness::Down);
    assert_eq!(who(address, 4), set(["two"]));
    let report = told(&gateway, "app", one);
    assert_eq!(&*report.last_failure.unwrap().1, "it answered 500 to the check");
    assert!(report.since.is_some() && report.is_checked);
    let metrics = scrape(&gateway);
    for (endpoint, up) in [(one, 0), (two, 1)] {
        let service = "service=\"default-app-80@ingress\"";
        let line =
            format!("traefik_service_server_up{{{service},url=\"http://{endpoint}\"}} {up}\n");
        assert!(metrics.contains(&line), "{line} in\n{metrics}");
    }
    let before = asked(&patients[0]);
    gateway.apply(&map, 3);
    let mut map = routing(&[routes[0].clone(), route("new", "new", "/", &[two])]);
    look_after(&mut map, "app", by_path());
    gateway.apply(&map, 4);
    assert_eq!(who(address, 4), set(["two"]), "a reload forgets nothing");
    eventually("it is asked on", || asked(&patients[0]) > before + 2);
    patients[1].says.store(503, Ordering::SeqCst);
    eventually("none is well", || state(&gateway, "app", two) == EndpointFitness::Down);
    let answer = get(address, "a", "/");
    assert!(answer.status() == 503 && answer.text().contains("every endpoint fails its check"));
    patients[0].says.store(204, Ordering::SeqCst);
    eventually("one is well again", || get(address, "a", "/").status() == 200);
    assert_eq!(who(address, 4), set(["one"]));
    let text = log::text();
    let said = |what: &str| {
        let about = format!("endpoint={one}");
        text.lines().filter(|it| it.contains(what) && it.contains(&about)).count()
    };
    assert_eq!((said("fails its check"), said("is well again")), (1, 1), "{text}");
}

fn asked(patient: &Patient) -> usize {
    patient.asked.load(Ordering::SeqCst)
}

/// What is asked of an endpoint in which way, and what is made of its answer.
#[test]
fn endpoints_are_asked_as_it_is_written() {
    static SERVING: LazyLock<Arc<AtomicU16>> = LazyLock::new(|| Arc::new(AtomicU16::new(1)));
    static NOT_SERVING: LazyLock<Arc<AtomicU16>> = LazyLock::new(|| Arc::new(AtomicU16::new(2)));
    let says = |status: &'static str| Server::answering(move |_| plain(status));
    let hanging = Server::start(|stream, _| {
        let mut reader = BufReader::new(stream);
        while Received::read(&mut reader).is_some() {}
    });
    let half = Server::start(|mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let _ = Received::read(&mut reader);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le");
    });
    let endless = Server::answering(|_| {
        let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n".to_vec();
        answer.resize(200_000, b'x');
        answer
    });
    let leading = Server::answering(|request| match request.head.contains(" /health ") {
        true => b"HTTP/1.1 302 X\r\nLocation: /to\r\nContent-Length: 0\r\n\r\n".to_vec(),
        false => plain("404 X"),
    });
    let strict = Server::answering(|request| {
        let lines = ["HEAD /health?x HTTP/1.1", "Host: b", "X-Who: it"];
        let is_it = lines.iter().all(|line| request.head.lines().any(|it| it == *line));
        plain(if is_it { "207 X" } else { "400 X" })
    });
    let path = || HttpProbe::get("/health");
    let http = |probe: HttpProbe| checked(CheckProbe::Http(probe));
    let connect = |send: &str, expect: &str| {
        checked(CheckProbe::Connect { send: send.into(), expect: expect.into() })
    };
    let mut elsewhere = http(path());
    let patient = Patient::new("patient");
    elsewhere.check.as_mut().unwrap().port = Some(patient.server.address.port());
    let given = HttpProbe {
        path: "/health?x".into(),
        method: "HEAD".into(),
        hostname: Some("b".into()),
        headers: vec![("X-Who".into(), "it".into())],
        status: Some(207),
        ..path()
    };
    let asks_grpc = || checked(CheckProbe::Grpc { authority: None });
    let cases: Vec<(&str, Server, Care, Option<&str>)> = vec![
        ("ok", says("200 X"), http(path()), None),
        ("redirect", says("304 X"), http(path()), None),
        ("error", says("400 X"), http(path()), Some("it answered 400 to the check")),
        ("other", says("201 X"), http(HttpProbe { status: Some(200), ..path() }), Some("201")),
        ("hangs", hanging, http(path()), Some("did not answer the check within 500ms")),
        ("half", half, http(path()), Some("closed the connection before it answered")),
        ("endless", endless, http(path()), None),
        ("leads", leading, http(path()), Some("it answered 404")),
        ("given", strict, http(given), None),
        ("elsewhere", says("500 X"), elsewhere, None),
        ("serves", grpc(&SERVING), asks_grpc(), None),
        ("not", grpc(&NOT_SERVING), asks_grpc(), Some("does not say by gRPC that it serves")),
        ("says", talking("yes "), connect("ping", "yes ping"), None),
        ("else", talking("no "), connect("ping", "yes"), Some("says something else")),
        ("takes", talking(""), connect("", ""), None),
    ];
    let mut routes: Vec<Served> =
        cases.iter().map(|(name, server, ..)| route(name, name, "/", &[server.address])).collect();
    let gone = dead();
    routes.push(route("gone", "gone", "/", &[gone]));
    let mut map = routing(&routes);
    for (name, _, care, _) in &cases {
        look_after(&mut map, name, care.clone());
    }
    look_after(&mut map, "gone", connect("", ""));
    let (gateway, _) = gateway(&[]);
    gateway.apply(&map, 2);
    let refused = ("gone", gone, Some("the endpoint does not take connections"));
    let all = cases.iter().map(|(name, server, _, why)| (*name, server.address, *why));
    for (name, endpoint, why) in all.chain([refused]) {
        let Some(why) = why else { continue };
        eventually(name, || state(&gateway, name, endpoint) == EndpointFitness::Down);
        let failure = told(&gateway, name, endpoint).last_failure.unwrap().1;
        assert!(failure.contains(why), "{name}: {failure}");
    }
    for (name, server, ..) in cases.iter().filter(|it| it.3.is_none()) {
        let report = told(&gateway, name, server.address);
        assert_eq!((report.state, report.last_failure), (EndpointFitness::Up, None), "{name}");
    }
}

fn plain(status: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

/// Nobody is asked whom no backend asks any more, and connections to those who are asked are kept.
#[test]
fn who_is_gone_is_asked_no_more_and_connections_stay() {
    let patient = Patient::new("one");
    let mut map = routing(&[route("app", "*", "/", &[patient.server.address])]);
    look_after(&mut map, "app", by_path());
    let (gateway, _) = gateway(&[]);
    gateway.apply(&map, 2);
    eventually("it is asked again and again", || asked(&patient) > 5);
    assert_eq!(patient.server.accepted.load(Ordering::SeqCst), 1);
    gateway.apply(&routing(&[]), 3);
    let quiet = || {
        let before = asked(&patient);
        std::thread::sleep(Duration::from_millis(200));
        asked(&patient) == before
    };
    eventually("nobody asks it", quiet);
}

/// Without any option: who takes no connections is asked last, by all backends that look after it
/// alike; it is told, and a reload keeps it.
#[test]
fn who_takes_no_connections_is_asked_last() {
    let (gone, alive) = (dead(), Server::echo("alive"));
    let endpoints = [gone, alive.address];
    let routes = [route("app", "a", "/", &endpoints), route("too", "b", "/", &endpoints)];
    let (gateway, address) = gateway(&routes);
    let retries = |name: &str| {
        let metrics = scrape(&gateway);
        let line =
            format!("traefik_service_retries_total{{service=\"default-{name}-80@ingress\"}} ");
        let count = metrics.lines().find_map(|it| it.strip_prefix(&line).map(str::to_owned));
        count.map_or(0, |count| count.parse::<u32>().unwrap())
    };
    let mut client = Client::connect(address);
    eventually("it is asked twice", || {
        assert_eq!(client.get("a", "/").who(), "alive");
        retries("app") == 2
    });
    assert_eq!(state(&gateway, "app", gone), EndpointFitness::Shunned);
    assert_eq!(state(&gateway, "too", gone), EndpointFitness::Shunned);
    gateway.apply(&routing(&routes), 2);
    for host in ["a", "b"].repeat(4) {
        assert_eq!(client.get(host, "/").who(), "alive");
    }
    // For a second: what took longer may have asked it once more.
    assert!(retries("app") <= 3 && retries("too") <= 1);
    let failure = told(&gateway, "too", gone).last_failure.unwrap().1;
    assert!(failure.contains("refused"), "{failure}");
}

/// Where all fail, all are asked: who is told that nobody is there may be told wrong.
#[test]
fn when_all_are_shunned_all_are_asked() {
    let free = dead();
    let (_gateway, address) = gateway(&[route("app", "*", "/", &[free])]);
    for _ in 0..4 {
        assert_eq!(get(address, "a", "/").status(), 502);
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let other = route("app", "*", "/", &[free, listener.local_addr().unwrap()]);
    drop(listener);
    let (_gateway, address) = gateway(&[other]);
    for _ in 0..4 {
        assert_eq!(get(address, "a", "/").status(), 502, "both are asked");
    }
}

/// Traefik's option: answers of 500 and more count, and it is for as long as is written.
#[test]
fn who_answers_500_is_out_for_a_while() {
    let failing = Patient::new("failing");
    let server = Server::answering(|_| plain("500 X"));
    let window = Duration::from_millis(400);
    let passive = Some(PassiveCheck { window, failures: 2 });
    let mut map = routing(&[route("app", "*", "/", &[server.address, failing.server.address])]);
    look_after(&mut map, "app", Care { passive, ..Care::default() });
    let (gateway, address) = gateway(&[]);
    gateway.apply(&map, 2);
    let mut client = Client::connect(address);
    let statuses = |client: &mut Client, count: usize| {
        let all = (0..count).map(|_| client.get("a", "/").status());
        all.filter(|status| *status == 500).count()
    };
    let began = std::time::Instant::now();
    let errors = statuses(&mut client, 12);
    assert!(errors == 2 || began.elapsed() > window, "{errors}");
    eventually("it gets requests again", || statuses(&mut client, 2) > 0);
}

/// Whatever chooses: who is down gets nothing, by a cookie neither; and a failover leads on.
#[test]
fn nothing_leads_to_who_is_down() {
    let patients = [Patient::new("one"), Patient::new("two")];
    let [one, two] = patients.each_ref().map(|it| it.server.address);
    let (gateway, address) = gateway(&[]);
    let cookie = Sticky {
        cookie: "c".into(),
        says: StickyValue::Server,
        path: None,
        domain: None,
        max_age: None,
        expires: None,
        http_only: false,
        secure: StickySecurity::default(),
        same_site: None,
        spares_old: false,
        stays_on_failure: false,
    };
    let mut generation = 1;
    let mut apply = |algorithm: &Algorithm, slow_start: Option<Duration>| {
        let mut map = routing(&[route("app", "*", "/", &[one, two])]);
        look_after(&mut map, "app", Care { slow_start, ..by_path() });
        let id = leaf("app").into();
        let mut node = (**map.backends.get(&id).unwrap()).clone();
        let Backend::Endpoints(endpoints) = &mut node.backend else { panic!("a leaf") };
        endpoints.algorithm = algorithm.clone();
        endpoints.sticky = Some(Box::new(cookie.clone()));
        map.backends.insert(id, Arc::new(node));
        generation += 1;
        gateway.apply(&map, generation);
    };
    let to_one = || {
        let mut client = Client::connect(address);
        let mut found = std::iter::repeat_with(|| client.get("a", "/"));
        let answer = found.find(|answer| answer.who() == "one").unwrap();
        answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
    };
    let by = |cookie: &str| {
        let ask = format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n");
        Client::connect(address).send(ask).receive()
    };
    apply(&Algorithm::RoundRobin, None);
    let cookie_of_one = to_one();
    assert_eq!(by(&cookie_of_one).who(), "one");
    patients[0].says.store(500, Ordering::SeqCst);
    eventually("it is heard", || state(&gateway, "app", one) == EndpointFitness::Down);
    let moved = by(&cookie_of_one);
    assert!(moved.who() == "two" && moved.header("set-cookie").is_some(), "{moved:?}");
    for algorithm in [
        Algorithm::RoundRobin,
        Algorithm::TwoChoices,
        Algorithm::Least,
        Algorithm::LeastTime,
        Algorithm::PeakEwma,
        Algorithm::Maglev(Box::default()),
        Algorithm::Rendezvous(Box::default()),
    ] {
        apply(&algorithm, None);
        assert_eq!(who(address, 8), set(["two"]), "{algorithm:?}");
        assert_eq!(by(&cookie_of_one).who(), "two", "{algorithm:?}");
    }
    // Slow start is another way to look after them: it is asked anew.
    apply(&Algorithm::RoundRobin, Some(Duration::from_secs(600)));
    eventually("it is heard", || state(&gateway, "app", one) == EndpointFitness::Down);
    patients[0].says.store(200, Ordering::SeqCst);
    eventually("it is well again", || state(&gateway, "app", one) == EndpointFitness::Up);
    let mut client = Client::connect(address);
    let few = (0..44).filter(|_| client.get("a", "/").who() == "one").count();
    assert!((3..=6).contains(&few), "a tenth of its share: {few} of 44");
    patients[0].says.store(500, Ordering::SeqCst);
    let mut map = routing(&[route("app", "*", "/", &[one]), route("other", "other", "/", &[two])]);
    look_after(&mut map, "app", by_path());
    let (primary, fallback) = (edge(&leaf("app"), 1, &[]), edge(&leaf("other"), 1, &[]));
    let failover =
        Backend::Failover { primary, fallback: fallback.into(), statuses: vec![], replay: None };
    put_backend(&mut map, "failover", failover);
    change(&mut map, "app", |route| route.to = Destination::Backend("failover".into()));
    gateway.apply(&map, 99);
    eventually("it is heard", || state(&gateway, "app", one) == EndpointFitness::Down);
    assert_eq!(who(address, 4), set(["two"]));
}
