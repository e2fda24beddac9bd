//! What filters keep: by the key of their uses, on all cores, over reloads, and until no route has
//! it any more.

mod support;

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use steelyard_gateway::{Gateway, GatewayOptions};
use steelyard_model::routing::backend::Backend;
use steelyard_model::routing::filter::Use;
use steelyard_model::routing::route::Destination;
use steelyard_model::routing::world::RoutingMap;
use support::filtering::{change, edge, leaf, put_backend, using};
use support::{Client, Served, Server, gateway, gateway_with, get, route, routing};

/// What a use counts under this key.
fn counting(key: &str) -> Vec<Use> {
    vec![Use { filter: "trial:count".into(), state: key.into() }]
}

fn counted(address: SocketAddr, host: &str) -> u64 {
    let answer = get(address, host, "/");
    answer.header("x-count").map_or(0, |count| count.parse().expect("a number"))
}

struct Counting {
    server: Server,
    gateway: Gateway,
    address: SocketAddr,
    generation: u64,
}

impl Counting {
    fn new() -> Self {
        let (gateway, address) = gateway(&[]);
        Self { server: Server::echo("s"), gateway, address, generation: 1 }
    }

    /// Routes by host, each with its key, if it has one.
    fn map(&self, routes: &[(&str, Option<&str>)]) -> RoutingMap {
        let served: Vec<Served> =
            routes.iter().map(|(name, _)| route(name, name, "/", &[self.server.address])).collect();
        let mut map = routing(&served);
        for (name, key) in routes {
            change(&mut map, name, |it| it.uses = key.map(counting).unwrap_or_default());
        }
        map
    }

    fn apply(&mut self, map: &RoutingMap) {
        self.generation += 1;
        self.gateway.apply(map, self.generation);
    }
}

#[test]
fn what_is_kept_goes_on_over_reloads_and_goes_with_its_route() {
    let mut it = Counting::new();
    let (with, without) = (it.map(&[("a", Some("k"))]), it.map(&[("b", None)]));
    it.apply(&with);
    assert_eq!([counted(it.address, "a"), counted(it.address, "a")], [1, 2]);
    // The same route as another object in memory, another route beside it, other endpoints.
    let same = it.map(&[("a", Some("k")), ("b", None)]);
    it.apply(&same);
    assert_eq!(counted(it.address, "a"), 3);
    let mut moved = it.map(&[("a", Some("k"))]);
    change(&mut moved, "a", |route| route.to = Destination::Backend("other".into()));
    put_backend(
        &mut moved,
        "other",
        Backend::Weighted { edges: vec![edge(&leaf("a"), 1, &[])], sticky: None },
    );
    it.apply(&moved);
    assert_eq!(counted(it.address, "a"), 4);
    it.apply(&without);
    assert_eq!(get(it.address, "a", "/").status(), 404);
    it.apply(&with);
    assert_eq!(counted(it.address, "a"), 1, "it went with its route");
}

/// Also where no core looked in between, and the route is the same in memory.
#[test]
fn what_went_and_came_begins_anew_unseen_by_any_request() {
    let mut it = Counting::new();
    let (with, without) = (it.map(&[("a", Some("k"))]), it.map(&[("b", None)]));
    for round in 0..5 {
        it.apply(&with);
        assert_eq!([counted(it.address, "a"), counted(it.address, "a")], [1, 2], "{round}");
        it.apply(&without);
    }
}

#[test]
fn uses_of_one_key_count_together() {
    let mut it = Counting::new();
    it.apply(&it.map(&[("a", Some("shared")), ("b", Some("shared")), ("c", Some("own"))]));
    let counts = ["a", "b", "c", "a", "c"].map(|host| counted(it.address, host));
    assert_eq!(counts, [1, 2, 1, 3, 2]);
    // It is there as long as any of them is.
    it.apply(&it.map(&[("b", Some("shared"))]));
    assert_eq!(counted(it.address, "b"), 4);
    it.apply(&it.map(&[("c", Some("shared"))]));
    assert_eq!(counted(it.address, "c"), 5, "from one route to another in one step");
}

#[test]
fn listeners_and_edges_keep_theirs() {
    let mut it = Counting::new();
    let mut on_edge = it.map(&[("a", None), ("b", None)]);
    put_backend(
        &mut on_edge,
        "over",
        Backend::Weighted { edges: vec![edge(&leaf("a"), 1, &[("count", "edge")])], sticky: None },
    );
    change(&mut on_edge, "a", |route| route.to = Destination::Backend("over".into()));
    let on_listener = using(it.map(&[("a", None)]), &[("count", "listener")], &[]);
    let none = it.map(&[("a", None)]);
    for _ in 0..2 {
        it.apply(&on_edge);
        assert_eq!([counted(it.address, "a"), counted(it.address, "a")], [1, 2]);
        it.apply(&none);
        it.apply(&on_edge);
        assert_eq!([counted(it.address, "a"), counted(it.address, "a")], [1, 2]);
        assert_eq!(counted(it.address, "b"), 0);
        it.apply(&on_listener);
        assert_eq!([counted(it.address, "a"), counted(it.address, "nobody")], [1, 2]);
        it.apply(&none);
        it.apply(&on_listener);
        assert_eq!([counted(it.address, "nobody"), counted(it.address, "a")], [1, 2]);
    }
}

#[test]
fn all_cores_count_together() {
    let server = Server::echo("s");
    let options = GatewayOptions { workers: 4, ..GatewayOptions::default() };
    let (gateway, address) = gateway_with(&[], options);
    let mut map = routing(&[route("a", "a", "/", &[server.address])]);
    change(&mut map, "a", |it| it.uses = counting("cores"));
    for round in 0_u64..3 {
        gateway.apply(&map, 2 * round + 2);
        let mut clients: Vec<Client> = (0..16).map(|_| Client::connect(address)).collect();
        let counts = clients.iter_mut().map(|client| {
            let answer = client.get("a", "/");
            answer.header("x-count").unwrap().parse::<u64>().unwrap()
        });
        assert_eq!(counts.max(), Some(16), "{round}");
        gateway.apply(&routing(&[]), 2 * round + 3);
    }
    assert!(server.accepted.load(Ordering::SeqCst) > 0);
}
