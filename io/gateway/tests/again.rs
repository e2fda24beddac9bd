//! Requests that are sent again: how often, and to whom, on real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::BufReader;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use steelyard_gateway::{Gateway, GatewayOptions};
use steelyard_model::routing::backend::{Algorithm, Backend, Endpoints, Sticky};
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::limit::RetryRule;
use steelyard_model::routing::id::BackendId;
use steelyard_model::routing::world::RoutingMap;
use support::filtering::{leaf, put_filters};
use support::{Client, Received, Server, gateway_with, ok, route, routing};

/// A server, and how many requests it has got.
struct Asked {
    server: Server,
    requests: Arc<AtomicUsize>,
}

impl Asked {
    /// Reads a request, and closes.
    fn closing() -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let count = requests.clone();
        let server = Server::start(move |stream, _| {
            // Counted before it is closed.
            let mut reader = BufReader::new(stream);
            if Received::read(&mut reader).is_some() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { server, requests }
    }

    /// Answers each with its status.
    fn saying(status: &'static str) -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let count = requests.clone();
        let server = Server::answering(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").into_bytes()
        });
        Self { server, requests }
    }

    fn take(&self) -> usize {
        self.requests.swap(0, Ordering::SeqCst)
    }
}

fn again(attempts: u32, statuses: &[u16]) -> RetryRule {
    RetryRule {
        attempts,
        timeout: None,
        interval: None,
        max_body: Some(100),
        statuses: statuses.iter().map(|it| (*it, *it)).collect(),
        is_by_status_alone: false,
        is_for_all_methods: false,
    }
}

/// A gateway whose route `/` leads to these endpoints, by way of a filter.
fn passing(
    endpoints: &[SocketAddr],
    filter: Option<RetryRule>,
    change: impl FnOnce(&mut Endpoints),
) -> (Gateway, SocketAddr) {
    let routes = [route("main", "*", "/", endpoints)];
    let options = GatewayOptions { workers: 1, ..GatewayOptions::default() };
    let (gateway, address) = gateway_with(&routes, options);
    let mut map = routing(&routes);
    put_filters(&mut map, "main", filter.into_iter().map(Filter::Retry).collect());
    amend(&mut map, change);
    gateway.apply(&map, 2);
    (gateway, address)
}

fn amend(map: &mut RoutingMap, change: impl FnOnce(&mut Endpoints)) {
    let id = BackendId::from(leaf("main"));
    let mut node = (**map.backends.get(&id).unwrap()).clone();
    let Backend::Endpoints(endpoints) = &mut node.backend else { panic!("a leaf") };
    change(endpoints);
    map.backends.insert(id, Arc::new(node));
}

fn asked(address: SocketAddr, method: &str, lines: &str) -> Received {
    let head = format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n{lines}\r\n");
    Client::connect(address).send(head).receive()
}

/// Where a filter says how often, that is how often in all; else each endpoint is asked once, if
/// what is asked for may be asked for twice.
#[test]
fn who_got_a_request_gets_it_as_often_as_the_filter_says() {
    let servers = [Asked::closing(), Asked::closing()];
    let addresses = [0, 1].map(|at| servers[at].server.address);
    let all = |attempts| RetryRule { is_for_all_methods: true, ..again(attempts, &[]) };
    for (filter, method, expected) in [
        (None, "GET", 2),
        (None, "POST", 1),
        (Some(again(1, &[])), "GET", 1),
        (Some(again(1, &[])), "DELETE", 1),
        (Some(again(3, &[])), "GET", 3),
        (Some(again(3, &[503])), "PUT", 3),
        (Some(again(3, &[])), "POST", 1),
        (Some(all(3)), "POST", 3),
    ] {
        let said = format!("{filter:?} {method}");
        let (_gateway, address) = passing(&addresses, filter, |_| {});
        assert_eq!(asked(address, method, "").status(), 502, "{said}");
        assert_eq!(servers.iter().map(Asked::take).sum::<usize>(), expected, "{said}");
    }
}

/// Also where the choice would fall on the same one again; who is alone is asked again.
#[test]
fn who_has_failed_is_asked_last() {
    let (failing, well) = (Asked::saying("500 No"), Asked::saying("200 OK"));
    let addresses = [failing.server.address, well.server.address];
    for algorithm in [Algorithm::RoundRobin, Algorithm::PeakEwma, Algorithm::Least] {
        let said = format!("{algorithm:?}");
        let set = |it: &mut Endpoints| it.algorithm = algorithm;
        let (_gateway, address) = passing(&addresses, Some(again(3, &[500])), set);
        for _ in 0..6 {
            assert_eq!(asked(address, "GET", "").status(), 200, "{said}");
        }
        assert_eq!(well.take(), 6, "{said}");
        assert!(failing.take() <= 6, "{said}: at most once by each request");
    }
    let (_gateway, address) = passing(&addresses[..1], Some(again(3, &[500])), |_| {});
    assert_eq!((asked(address, "GET", "").status(), failing.take()), (500, 3));
}

/// A cookie leads elsewhere once its endpoint has failed, unless it is one that stays.
#[test]
fn a_cookie_leads_elsewhere_when_its_endpoint_has_failed() {
    let failing = Asked::saying("500 No");
    let well = Server::answering(|_| ok("well"));
    let addresses = [failing.server.address, well.address];
    let word = steelyard_balance::sticky::value_for(&format!("http://{}", addresses[0]));
    for (stays_on_failure, status, count) in [(false, 200, 1), (true, 500, 3)] {
        let sticky = Sticky { stays_on_failure, ..Sticky::named("lb") };
        let set = |it: &mut Endpoints| it.sticky = Some(Box::new(sticky));
        let (_gateway, address) = passing(&addresses, Some(again(3, &[500])), set);
        let answer = asked(address, "GET", &format!("Cookie: lb={word}\r\n"));
        assert_eq!((answer.status(), failing.take()), (status, count));
        assert_eq!(answer.header("set-cookie").is_some(), !stays_on_failure);
    }
}
