//! Trees of backends: who takes a request is counted on real sockets.

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use steelyard_gateway::Gateway;
use steelyard_model::routing::backend::{Backend, Edge, RefusalReason};
use steelyard_model::routing::filter::Use;
use steelyard_model::routing::route::Destination;
use steelyard_model::routing::world::RoutingMap;
use support::filtering::{Uses, change, edge, leaf, put_backend, using};
use support::{Client, Server, gateway, get, ok, route, routing};

/// The route `app` leads to the backend `root`; `a`, `b` and `c` are servers, `down` has none.
struct Orchard {
    servers: [Server; 3],
    gateway: Gateway,
    address: SocketAddr,
    generation: u64,
}

const NAMES: [&str; 3] = ["a", "b", "c"];

impl Orchard {
    fn new() -> Self {
        let (gateway, address) = gateway(&[]);
        let servers = NAMES.map(|name| Server::answering(move |_| ok(name)));
        Self { servers, gateway, address, generation: 1 }
    }

    fn map(&self) -> RoutingMap {
        let mut routes = vec![route("app", "app", "/", &[]), route("down", "down", "/", &[])];
        let leaves = NAMES.iter().zip(&self.servers);
        routes.extend(leaves.map(|(name, server)| route(name, name, "/", &[server.address])));
        let mut map = routing(&routes);
        change(&mut map, "app", |route| route.to = Destination::Backend("root".into()));
        map
    }

    fn apply(&mut self, root: Backend, others: &[(&str, Backend)]) {
        let mut map = self.map();
        put_backend(&mut map, "root", root);
        for (id, backend) in others {
            put_backend(&mut map, id, backend.clone());
        }
        self.generation += 1;
        self.gateway.apply(&map, self.generation);
    }

    /// How many of so many requests are answered how: by name, or with which status.
    fn counts(&self, requests: usize) -> BTreeMap<String, usize> {
        let mut client = Client::connect(self.address);
        let mut counts = BTreeMap::new();
        for _ in 0..requests {
            let answer = client.get("app", "/");
            let who =
                if answer.status() == 200 { answer.text() } else { answer.status().to_string() };
            *counts.entry(who).or_default() += 1;
        }
        counts
    }

    #[track_caller]
    fn check(&self, requests: usize, expected: &[(&str, usize)]) {
        let expected = expected.iter().map(|(who, count)| ((*who).to_owned(), *count)).collect();
        assert_eq!(self.counts(requests), expected);
    }
}

fn to(name: &str, weight: u32) -> Edge {
    edge(&leaf(name), weight, &[])
}

fn weighted(edges: Vec<Edge>) -> Backend {
    Backend::Weighted { edges, sticky: None }
}

#[test]
fn weights_of_nested_backends_are_counted() {
    let mut it = Orchard::new();
    let inner = weighted(vec![to("b", 1), to("c", 2), to("down", 9)]);
    it.apply(weighted(vec![to("a", 3), edge("inner", 3, &[])]), &[("inner", inner)]);
    it.check(18, &[("a", 9), ("b", 3), ("c", 6)]);
    it.check(10_008, &[("a", 5_004), ("b", 1_668), ("c", 3_336)]);
    it.apply(weighted(vec![to("a", 0), to("down", 5), to("b", 1)]), &[]);
    it.check(4, &[("b", 4)]);
    it.apply(weighted(vec![to("down", 1), to("a", 0)]), &[]);
    it.check(2, &[("503", 2)]);
    it.apply(weighted(Vec::new()), &[]);
    it.check(2, &[("503", 2)]);
}

#[test]
fn an_edge_that_is_refused_has_its_share_and_its_status() {
    let mut it = Orchard::new();
    let map = it.map();
    let place = map.routes.values().next().unwrap().place.clone();
    let refused = |status, why: fn(_) -> RefusalReason| Backend::Refused {
        status,
        why: why(place.clone()),
        instead_of: None,
    };
    let root = weighted(vec![to("a", 3), edge("lost", 1, &[])]);
    it.apply(root.clone(), &[("lost", refused(500, RefusalReason::Reference))]);
    it.check(20, &[("500", 5), ("a", 15)]);
    it.apply(root.clone(), &[("lost", refused(503, RefusalReason::Restriction))]);
    it.check(20, &[("503", 5), ("a", 15)]);
    // What is not there, without a word of the dialect for it, has no share.
    it.apply(root.clone(), &[("lost", refused(503, RefusalReason::Reference))]);
    it.check(8, &[("a", 8)]);
    it.apply(root, &[]);
    it.check(8, &[("a", 8)]);
    // On the way through a filter it is the same.
    it.apply(
        weighted(vec![to("a", 3), edge("lost", 1, &[("edit", "lost")])]),
        &[("lost", refused(500, RefusalReason::Reference))],
    );
    it.check(20, &[("500", 5), ("a", 15)]);
}

/// Each with what it uses, and in its share.
#[test]
fn one_backend_may_stand_on_many_edges() {
    let mut it = Orchard::new();
    let answering = |status: &'static str, name: &'static str| -> Edge {
        let on_it: Uses<'_> = &[(status, name)];
        edge(&leaf("a"), 1, on_it)
    };
    let root =
        weighted(vec![to("a", 2), answering("answer=401", "e1"), answering("answer=403", "e2")]);
    it.apply(root, &[]);
    it.check(16, &[("401", 4), ("403", 4), ("a", 8)]);
}

#[test]
fn a_filter_may_answer_before_a_turn_is_taken() {
    let it = Orchard::new();
    let mut map = it.map();
    put_backend(&mut map, "root", weighted(vec![to("a", 1), to("b", 1)]));
    it.gateway.apply(&using(map.clone(), &[], &[("answer=401", "before")]), 2);
    it.check(3, &[("401", 3)]);
    it.gateway.apply(&map, 3);
    assert_eq!(get(it.address, "app", "/").text(), "a");
}

#[test]
fn one_client_goes_the_same_way_by_the_highest_random_weight() {
    let mut it = Orchard::new();
    let edges = || vec![to("a", 1), to("b", 1), to("c", 1), to("down", 1_000_000)];
    it.apply(Backend::Rendezvous { edges: edges() }, &[]);
    let counts = it.counts(9);
    let (first, count) = counts.first_key_value().unwrap();
    assert_eq!(*count, 9);
    let rest = edges().into_iter().filter(|edge| edge.backend.as_str() != leaf(first)).collect();
    it.apply(Backend::Rendezvous { edges: rest }, &[]);
    let others = it.counts(9);
    assert_eq!((others.len(), others.contains_key(first)), (1, false));
}

#[test]
fn backends_that_lead_in_a_circle_end() {
    let mut it = Orchard::new();
    let root = weighted(vec![edge("again", 1, &[])]);
    it.apply(root, &[("again", weighted(vec![edge("root", 1, &[]), edge("again", 1, &[])]))]);
    it.check(3, &[("503", 3)]);
    let again = weighted(vec![edge("root", 1, &[]), to("a", 1)]);
    it.apply(weighted(vec![edge("again", 1, &[])]), &[("again", again)]);
    let counts = it.counts(20);
    assert!(counts.keys().all(|who| ["a", "503"].contains(&who.as_str())), "{counts:?}");
    assert!(counts["a"] > 15, "{counts:?}");
}

/// They may restrict, so that nobody is served as if they did not.
#[test]
fn kinds_that_are_not_built_are_refused() {
    let mut it = Orchard::new();
    let uses = vec![Use { filter: "unknown".into(), state: "x".into() }];
    it.apply(weighted(vec![Edge { uses, ..to("a", 1) }]), &[]);
    it.check(2, &[("503", 2)]);
    assert!(it.servers.iter().all(|server| server.accepted.load(Ordering::SeqCst) == 0));
}

/// A filter's own request is let in by nobody else's filters.
#[test]
fn filters_ask_nobody_who_is_behind_filters() {
    let it = Orchard::new();
    let mut map = it.map();
    let on_it: Uses<'_> = &[("answer=401", "guard")];
    put_backend(&mut map, "guarded", weighted(vec![edge(&leaf("a"), 1, on_it)]));
    put_backend(&mut map, "open", weighted(vec![to("b", 1)]));
    put_backend(&mut map, "root", weighted(vec![to("c", 1)]));
    for (filter, answer) in [("fetch=guarded", 502), ("fetch=open", 200)] {
        it.gateway.apply(&using(map.clone(), &[], &[(filter, "asks")]), 2);
        assert_eq!(get(it.address, "app", "/").status(), answer, "{filter}");
    }
    assert_eq!(it.servers[0].accepted.load(Ordering::SeqCst), 0);
    assert_eq!(it.servers[1].accepted.load(Ordering::SeqCst), 1);
}
