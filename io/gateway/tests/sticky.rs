//! Who was somewhere goes there again: cookies of endpoints and of every choice above them, on
//! real sockets, and by HTTP/2.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use steelyard_gateway::Gateway;
use steelyard_model::routing::backend::{
    Algorithm, Backend, CanaryAffinity, CanaryChoice, CanaryValue, Edge, Endpoints, HashKey,
    SameSite, Sticky, StickySecurity, StickyValue,
};
use steelyard_model::routing::id::BackendId;
use steelyard_model::routing::route::Destination;
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{EndpointState, ObjectRef, Provenance};
use support::filtering::{change, edge, leaf, put_backend, using};
use support::h2::{ask, connect, request, run};
use support::{Client, Received, Served, Server, gateway, ok, route, routing};

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Five servers; the route `app` leads to as many of them as a test says.
struct Herd {
    servers: [Server; 5],
    gateway: Gateway,
    address: SocketAddr,
    generation: u64,
}

impl Herd {
    fn new() -> Self {
        let (gateway, address) = gateway(&[]);
        Self {
            servers: NAMES.map(|name| Server::answering(move |_| ok(name))),
            gateway,
            address,
            generation: 1,
        }
    }

    fn app(&self, endpoints: &[(usize, EndpointState)]) -> Served {
        let addresses: Vec<SocketAddr> =
            endpoints.iter().map(|(at, _)| self.servers[*at].address).collect();
        let mut app = route("app", "app", "/", &addresses);
        for (endpoint, (_, state)) in app.services[0].endpoints.iter_mut().zip(endpoints) {
            endpoint.state = *state;
        }
        app
    }

    fn apply(&mut self, map: &RoutingMap) {
        self.generation += 1;
        self.gateway.apply(map, self.generation);
    }

    /// The endpoints of `app` are these, with this cookie.
    fn stick(&mut self, endpoints: &[(usize, EndpointState)], sticky: &Sticky) {
        let mut map = routing(&[self.app(endpoints)]);
        amend(&mut map, "app", |leaf| leaf.sticky = Some(Box::new(sticky.clone())));
        self.apply(&map);
    }
}

fn amend(map: &mut RoutingMap, name: &str, change: impl FnOnce(&mut Endpoints)) {
    let id = BackendId::from(leaf(name));
    let mut node = (**map.backends.get(&id).unwrap()).clone();
    let Backend::Endpoints(leaf) = &mut node.backend else { panic!("a leaf") };
    change(leaf);
    map.backends.insert(id, Arc::new(node));
}

/// A client that keeps its cookies.
struct Browser {
    client: Client,
    cookies: BTreeMap<String, String>,
    /// `Set-Cookie` lines of the last answer.
    set: Vec<String>,
}

impl Browser {
    fn new(herd: &Herd) -> Self {
        Self { client: Client::connect(herd.address), cookies: BTreeMap::new(), set: Vec::new() }
    }

    fn get(&mut self) -> String {
        self.get_with("")
    }

    fn get_with(&mut self, lines: &str) -> String {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        let cookies = pairs.collect::<Vec<_>>().join("; ");
        let cookies =
            if cookies.is_empty() { cookies } else { format!("Cookie: x=y; {cookies}\r\n") };
        let head = format!("GET / HTTP/1.1\r\nHost: app\r\n{cookies}{lines}\r\n");
        let answer = self.client.send(head).receive();
        self.take(&answer);
        if answer.status() == 200 { answer.text() } else { answer.status().to_string() }
    }

    fn take(&mut self, answer: &Received) {
        let lines = answer.head.lines().filter_map(|line| line.strip_prefix("Set-Cookie: "));
        self.set = lines.map(str::to_owned).collect();
        for line in &self.set {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.into(), value.into());
        }
    }
}

use EndpointState::{Ready, Terminating};

#[test]
fn one_cookie_is_set_and_leads_back_by_every_protocol() {
    let mut herd = Herd::new();
    let sticky = Sticky {
        path: Some("/foo".into()),
        domain: Some("a.b".into()),
        max_age: Some(42),
        http_only: true,
        secure: StickySecurity::Secure,
        same_site: Some(SameSite::None),
        ..Sticky::named("lb")
    };
    herd.stick(&[(0, Ready), (1, Ready), (2, Ready)], &sticky);
    let mut found = BTreeSet::new();
    for _ in 0..6 {
        let mut browser = Browser::new(&herd);
        let who = browser.get();
        let at = NAMES.iter().position(|name| *name == who).unwrap();
        let value = word(herd.servers[at].address);
        let rest = "; Path=/foo; Domain=a.b; Max-Age=42; HttpOnly; Secure; SameSite=None";
        assert_eq!(browser.set, [format!("lb={value}{rest}")]);
        for _ in 0..5 {
            assert_eq!((browser.get(), browser.set.len()), (who.clone(), 0));
        }
        let cookie = format!("lb={}", browser.cookies["lb"]);
        run(async {
            let mut sender = connect(herd.address).await;
            let mut asked = request("GET", "/");
            *asked.uri_mut() = "http://app/".parse().unwrap();
            asked.headers_mut().insert("cookie", cookie.parse().unwrap());
            for _ in 0..3 {
                let answer = ask(&mut sender, asked.clone(), b"").await.unwrap();
                assert_eq!((answer.text(), answer.headers.get("set-cookie")), (who.clone(), None));
            }
            asked.headers_mut().insert("cookie", "lb=unknown".parse().unwrap());
            let answer = ask(&mut sender, asked, b"").await.unwrap();
            assert!(answer.headers.get("set-cookie").unwrap().to_str().unwrap().starts_with("lb="));
        });
        found.insert(who);
    }
    assert_eq!(found.len(), 3, "who has no cookie goes to any");
}

/// What a cookie says of an endpoint.
fn word(address: SocketAddr) -> Box<str> {
    steelyard_balance::sticky::value_for(&format!("http://{address}"))
}

/// Cookies of older versions of Traefik lead back too, and are written anew.
#[test]
fn what_older_ones_wrote_is_understood_and_replaced() {
    let mut herd = Herd::new();
    herd.stick(&[(0, Ready), (1, Ready)], &Sticky::named("lb"));
    let url = format!("http://{}", herd.servers[1].address);
    for old in steelyard_balance::sticky::older_values(&url) {
        let mut browser = Browser::new(&herd);
        browser.cookies.insert("lb".into(), old.into());
        assert_eq!(browser.get(), "b");
        assert_eq!(browser.set, [format!("lb={}; Path=/", word(herd.servers[1].address))]);
        assert_eq!((browser.get(), browser.set.len()), ("b".into(), 0));
    }
}

/// More endpoints, fewer, one on its way out, one that refuses.
#[test]
fn it_lasts_as_long_as_its_endpoint_answers() {
    let mut herd = Herd::new();
    let sticky = Sticky::named("lb");
    herd.stick(&[(0, Ready), (1, Ready)], &sticky);
    let mut browsers: Vec<Browser> = (0..4).map(|_| Browser::new(&herd)).collect();
    let homes: Vec<String> = browsers.iter_mut().map(Browser::get).collect();
    assert_eq!(homes.iter().filter(|home| *home == "a").count(), 2);
    herd.stick(&[(2, Ready), (1, Ready), (3, Ready), (0, Ready)], &sticky);
    for (browser, home) in browsers.iter_mut().zip(&homes) {
        assert_eq!((browser.get(), browser.set.len()), (home.clone(), 0), "more are there");
    }
    herd.stick(&[(2, Ready), (1, Ready), (0, Terminating)], &sticky);
    for (browser, home) in browsers.iter_mut().zip(&homes) {
        assert_eq!((browser.get(), browser.set.len()), (home.clone(), 0), "one goes");
    }
    for _ in 0..8 {
        assert_ne!(Browser::new(&herd).get(), "a", "and gets nobody new");
    }
    herd.stick(&[(2, Ready), (1, Ready)], &sticky);
    for (browser, home) in browsers.iter_mut().zip(&homes) {
        let who = browser.get();
        assert_eq!(who == *home, home == "b");
        assert_eq!(browser.set.len(), usize::from(home == "a"), "another one is told of");
        assert_eq!((browser.get(), browser.set.len()), (who, 0));
    }
    // One that takes no connection is no home either, and whoever takes over says so.
    let mut map = routing(&[route("app", "app", "/", &[support::dead(), herd.servers[4].address])]);
    let dead = map.endpoint_sets.values().next().unwrap().endpoints[0].0.clone();
    amend(&mut map, "app", |leaf| leaf.sticky = Some(Box::new(sticky.clone())));
    herd.apply(&map);
    let steelyard_model::Host::Ip(ip) = dead.host else { panic!("an address") };
    let mut browser = Browser::new(&herd);
    browser.cookies.insert("lb".into(), word((ip, dead.port).into()).into());
    assert_eq!((browser.get(), browser.set.len()), ("e".into(), 1));
    assert_eq!((browser.get(), browser.set.len()), ("e".into(), 0));
}

fn to(name: &str, weight: u32) -> Edge {
    edge(&leaf(name), weight, &[])
}

fn pools(herd: &Herd) -> RoutingMap {
    let mut routes = vec![route("app", "app", "/", &[])];
    let all = NAMES.iter().zip(&herd.servers);
    routes.extend(all.map(|(name, server)| route(name, name, "/", &[server.address])));
    let mut map = routing(&routes);
    change(&mut map, "app", |route| route.to = Destination::Backend("root".into()));
    map
}

/// Each level has its own cookie, also where filters stand on the way.
#[test]
fn weighted_choices_stick_on_every_level() {
    let mut herd = Herd::new();
    for filter in [&[][..], &[("edit", "sticky")]] {
        let mut map = pools(&herd);
        let inner = Backend::Weighted {
            edges: vec![to("a", 1), to("b", 1)],
            sticky: Some(Sticky::named("in")),
        };
        put_backend(&mut map, "inner", inner);
        let root = Backend::Weighted {
            edges: vec![edge("inner", 1, filter), to("c", 1)],
            sticky: Some(Sticky::named("out")),
        };
        put_backend(&mut map, "root", root);
        amend(&mut map, "c", |leaf| leaf.sticky = Some(Box::new(Sticky::named("own"))));
        herd.apply(&using(map, &[], &[]));
        let mut counts = BTreeMap::new();
        for _ in 0..8 {
            let mut browser = Browser::new(&herd);
            let who = browser.get();
            let names: Vec<&str> = browser.cookies.keys().map(String::as_str).collect();
            assert_eq!(names, if who == "c" { ["out", "own"] } else { ["in", "out"] });
            for _ in 0..3 {
                assert_eq!((browser.get(), browser.set.len()), (who.clone(), 0));
            }
            *counts.entry(who).or_insert(0) += 1;
        }
        let expected = [("a", 2), ("b", 2), ("c", 4)].map(|(who, count)| (who.to_owned(), count));
        assert_eq!(counts, BTreeMap::from(expected));
    }
}

#[test]
fn canaries_go_by_header_cookie_and_weight_and_keep_who_was_there() {
    let mut herd = Herd::new();
    let by = |weight| CanaryChoice {
        header: Some(("x-canary".into(), CanaryValue::AlwaysOrNever)),
        cookie: Some("canary".into()),
        weight,
    };
    let canary = |herd: &Herd, weight, affinity| {
        let mut map = pools(herd);
        let root = Backend::Canary {
            main: to("a", 1),
            canary: Box::new(to("b", 1)),
            by: Box::new(by(weight)),
            affinity,
            place: Box::new(Provenance::new(&ObjectRef::new("Ingress", "a", "b").into(), "")),
        };
        put_backend(&mut map, "root", root);
        for name in ["a", "b"] {
            let sticky =
                Sticky { says: StickyValue::Endpoint, http_only: true, ..Sticky::named("route") };
            amend(&mut map, name, |leaf| leaf.sticky = Some(Box::new(sticky)));
        }
        map
    };
    let map = canary(&herd, (30, 100), CanaryAffinity::Sticky);
    herd.apply(&map);
    let firsts: Vec<String> = (0..100).map(|_| Browser::new(&herd).get()).collect();
    assert_eq!(firsts.iter().filter(|who| *who == "b").count(), 30);
    let mut browser = Browser::new(&herd);
    assert_eq!(browser.get_with("X-Canary: always\r\n"), "b");
    assert!(browser.set.iter().all(|line| line.ends_with("; Path=/; HttpOnly")));
    assert!(browser.cookies["route"].contains('|'), "which backend, and which endpoint");
    for _ in 0..10 {
        assert_eq!((browser.get(), browser.set.len()), ("b".into(), 0));
    }
    assert_eq!(browser.get_with("X-Canary: never\r\n"), "b", "who was there stays there");
    for (value, who) in [("always", "b"), ("never", "a")] {
        let mut browser = Browser::new(&herd);
        browser.cookies.insert("canary".into(), value.into());
        assert_eq!(browser.get(), who);
        assert_eq!(browser.get_with("X-Canary: other\r\n"), who);
    }
    let map = canary(&herd, (0, 100), CanaryAffinity::Legacy);
    herd.apply(&map);
    assert_eq!((browser.get(), browser.get_with("X-Canary: always\r\n")), ("a".into(), "b".into()));
}

/// nginx's `balanced`: a key, which leads to the same one while all are there, and moves few when
/// others come.
#[test]
fn a_key_leads_to_the_same_endpoint() {
    let mut herd = Herd::new();
    let sticky = Sticky { says: StickyValue::Key, ..Sticky::named("key") };
    herd.stick(&[(0, Ready), (1, Ready), (2, Ready), (3, Ready)], &sticky);
    let mut browsers: Vec<Browser> = (0..40).map(|_| Browser::new(&herd)).collect();
    let homes: Vec<String> = browsers.iter_mut().map(Browser::get).collect();
    assert_eq!(homes.iter().collect::<BTreeSet<_>>().len(), 4);
    for (browser, home) in browsers.iter_mut().zip(&homes) {
        assert_eq!((browser.get(), browser.set.len()), (home.clone(), 0));
    }
    herd.stick(&[(0, Ready), (1, Ready), (2, Ready), (3, Ready), (4, Ready)], &sticky);
    for (browser, home) in browsers.iter_mut().zip(&homes) {
        let who = browser.get();
        assert!((who == *home || who == "e") && browser.set.is_empty(), "{who} {home}");
    }
}

#[test]
fn hashes_lead_what_has_one_key_to_one_endpoint() {
    let mut herd = Herd::new();
    let all = [(0, Ready), (1, Ready), (2, Ready), (3, Ready), (4, Ready)];
    let header = Box::new(HashKey::Header("x-user".into()));
    for algorithm in [Algorithm::Maglev(header.clone()), Algorithm::Rendezvous(header)] {
        let mut map = routing(&[herd.app(&all)]);
        amend(&mut map, "app", |leaf| leaf.algorithm = algorithm);
        herd.apply(&map);
        let mut browser = Browser::new(&herd);
        let mut ask = |user: usize| browser.get_with(&format!("X-User: {user}\r\n"));
        let homes: Vec<String> = (0..50).map(&mut ask).collect();
        assert_eq!(homes.iter().collect::<BTreeSet<_>>().len(), 5);
        assert_eq!((0..50).map(&mut ask).collect::<Vec<_>>(), homes);
        // Who has no key goes anywhere.
        let anywhere: BTreeSet<String> = (0..50).map(|_| browser.get()).collect();
        assert!(anywhere.len() > 2);
    }
}

/// 10,000 requests, by weight and by each algorithm: nobody has more or less than it should.
#[test]
fn requests_are_spread_as_asked() {
    let mut herd = Herd::new();
    let all = [(0, Ready), (1, Ready), (2, Ready), (3, Ready), (4, Ready)];
    for (algorithm, weights) in [
        (Algorithm::RoundRobin, [1, 2, 3, 4, 0]),
        (Algorithm::TwoChoices, [1; 5]),
        (Algorithm::Least, [1; 5]),
        (Algorithm::LeastTime, [1; 5]),
        (Algorithm::PeakEwma, [1; 5]),
    ] {
        let mut map = routing(&[herd.app(&all)]);
        amend(&mut map, "app", |leaf| leaf.algorithm = algorithm.clone());
        let id = map.endpoint_sets.keys().next().unwrap().clone();
        let mut set = (**map.endpoint_sets.get(&id).unwrap()).clone();
        for ((_, weight), wanted) in set.endpoints.iter_mut().zip(weights) {
            *weight = wanted;
        }
        map.endpoint_sets.insert(id, Arc::new(set));
        herd.apply(&map);
        let mut browser = Browser::new(&herd);
        let mut counts = BTreeMap::new();
        for _ in 0..2_000 {
            *counts.entry(browser.get()).or_insert(0_u32) += 1;
        }
        assert_eq!(counts.values().sum::<u32>(), 2_000);
        // By time it is as time says: see `who_answers_late_gets_less`.
        if matches!(algorithm, Algorithm::LeastTime | Algorithm::PeakEwma) {
            continue;
        }
        let total: u32 = weights.iter().sum();
        for (name, weight) in NAMES.iter().zip(weights) {
            let (expected, count) =
                (2_000 * weight / total, counts.get(*name).copied().unwrap_or(0));
            let slack = if algorithm == Algorithm::RoundRobin { 1 } else { 120 };
            assert!(count.abs_diff(expected) <= slack, "{algorithm:?}: {counts:?}");
        }
    }
}

/// Whose endpoint takes no connection is served by another one, and either comes back later or
/// stays there (nginx's `session-cookie-change-on-failure`).
#[test]
fn who_was_served_by_another_one_stays_there_where_that_is_asked() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for stays_on_failure in [true, false] {
        let mut herd = Herd::new();
        let addresses = [herd.servers[0].address, herd.servers[1].address, nobody];
        let sticky = Sticky { says: StickyValue::Key, stays_on_failure, ..Sticky::named("key") };
        let mut map = routing(&[route("app", "app", "/", &addresses)]);
        amend(&mut map, "app", |leaf| leaf.sticky = Some(Box::new(sticky)));
        herd.apply(&map);
        let mut changed = 0;
        for key in 0..40 {
            let mut browser = Browser::new(&herd);
            browser.cookies.insert("key".into(), format!("{key:016x}"));
            let who = browser.get();
            assert!(["a", "b"].contains(&&*who), "{who}");
            if !browser.set.is_empty() {
                changed += 1;
                assert_eq!((browser.get(), browser.set.len()), (who, 0), "the new key leads there");
            }
        }
        assert_eq!(changed > 0, !stays_on_failure, "{changed} keys were changed");
    }
}
