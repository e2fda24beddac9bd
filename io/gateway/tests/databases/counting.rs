//! Rate limits that gateways share, counted by a real Redis: in plain, and over TLS with a name, a
//! password and a database. Without it nobody passes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steelyard_gateway::{Gateway, GatewayOptions};
use steelyard_model::routing::asked::AskedUrl;
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::limit::{Counted, RateLimit, RedisStore};
use steelyard_model::routing::transport::{OriginTls, Roots, Transport};

use super::redis::Redis;
use super::support::filtering::{leaf, put_filters};
use super::support::tls::Authority;
use super::support::*;
use super::{free, is_there};

impl Redis {
    /// TLS to it, by who is believed and which name it has.
    fn secure(&self, ca: &str) -> Transport {
        let pem = std::fs::read_to_string(self.daemon.folder.path(ca)).unwrap();
        let tls = OriginTls {
            server_name: Some("redis.test".into()),
            roots: Roots::Pem(pem.into()),
            ..OriginTls::default()
        };
        Transport { id: "redis-tls".into(), tls: Some(tls), ..Transport::bytes() }
    }
}

fn store() -> RedisStore {
    RedisStore {
        servers: vec![(AskedUrl::server("redis:6379", false).unwrap(), (&*leaf("redis")).into())],
        credentials: None,
        tls: None,
        database: 0,
        pool: 2,
        idle: 0,
        active: 0,
        read: Some(Duration::from_millis(300)),
        write: Some(Duration::from_secs(3)),
        dial: Some(Duration::from_secs(3)),
    }
}

/// A gateway whose route at host `a` lets five in, and then one a minute.
struct Limited {
    gateway: Gateway,
    at: SocketAddr,
    _endpoint: Server,
}

impl Limited {
    fn statuses(&self, count: usize) -> Vec<u16> {
        (0..count).map(|_| self.get().status()).collect()
    }

    fn get(&self) -> Received {
        get(self.at, "a", "/")
    }

    fn counts(&self, what: &str) {
        let counted = format!("steelyard_filter_{what}");
        eventually(&counted, || scrape(&self.gateway).contains(&counted));
    }
}

fn limited(server: SocketAddr, transport: Transport, store: RedisStore) -> Limited {
    limited_by(&[server], transport, store)
}

/// The same with several servers that count.
fn limited_by(servers: &[SocketAddr], transport: Transport, mut store: RedisStore) -> Limited {
    let endpoint = Server::echo("s");
    let mut routes = vec![route("main", "a", "/", &[endpoint.address])];
    store.servers.clear();
    for (at, server) in servers.iter().enumerate() {
        let name = format!("redis-{at}");
        routes.push(route(&name, &name, "/", &[*server]));
        let url = AskedUrl::server("redis:6379", false).unwrap();
        store.servers.push((url, (&*leaf(&name)).into()));
    }
    let options = GatewayOptions { workers: 1, ..GatewayOptions::default() };
    let (gateway, at) = gateway_with(&routes, options);
    let mut map = routing(&routes);
    routes[1..].iter().for_each(|it| speak(&mut map, &it.name, transport.clone()));
    let limit = RateLimit {
        average: 1,
        period: Duration::from_mins(1),
        burst: 5,
        of: Counted::Client(Default::default()),
        redis: Some(store),
        status: 429,
        page: Default::default(),
    };
    put_filters(&mut map, "main", vec![Filter::RateLimit(Box::new(limit))]);
    gateway.apply(&map, 2);
    Limited { gateway, at, _endpoint: endpoint }
}

#[test]
fn gateways_share_what_redis_counts() {
    if !is_there("redis-server") {
        return;
    }
    let redis = Redis::start("shared");
    let first = limited(redis.plainly, Transport::bytes(), store());
    let second = limited(redis.plainly, Transport::bytes(), store());
    assert_eq!(first.statuses(2), [200; 2]);
    // Its memory of scripts may go at any time.
    redis.told(&["script", "flush"]);
    assert_eq!(second.statuses(2), [200; 2]);
    assert_eq!(first.statuses(2), [200, 429], "five in all");
    let refused = second.get();
    assert_eq!(refused.status(), 429);
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((50..=61).contains(&seconds), "{seconds}");
    assert_eq!(redis.told(&["keys", "*"]), "rate:filter-0:127.0.0.1");
    let ttl: u64 = redis.told(&["ttl", "rate:filter-0:127.0.0.1"]).parse().unwrap();
    assert!((300..=361).contains(&ttl), "it is kept until it is full: {ttl}");
    first.counts("asks_total{filter=\"rate-limit\",outcome=\"answered\"} 4");
    first.counts("refusals_total{filter=\"rate-limit\"} 1");
    redis.told(&["flushall"]);
    assert_eq!(first.statuses(6), [200, 200, 200, 200, 200, 429]);
}

/// Several servers may be a cluster, of which one has the key, wherever it stands in the list.
#[test]
fn a_cluster_counts_where_the_key_is() {
    if !is_there("redis-server") {
        return;
    }
    let bus = [free(), free()].map(|it| it.port().to_string());
    let [first, second] = [("one", &bus[0]), ("two", &bus[1])].map(|(name, port)| {
        let options = ["--cluster-enabled", "yes", "--cluster-port", port];
        Redis::start_with(&format!("cluster-{name}"), &options)
    });
    first.told(&["cluster", "addslotsrange", "0", "8191"]);
    second.told(&["cluster", "addslotsrange", "8192", "16383"]);
    let port = second.plainly.port().to_string();
    first.told(&["cluster", "meet", "127.0.0.1", &port, &bus[1]]);
    for node in [&first, &second] {
        eventually("the cluster stands", || {
            let said = node.told(&["cluster", "info"]);
            said.contains("cluster_state:ok") && said.contains("cluster_slots_assigned:16384")
        });
    }
    let (here, there) = (first.plainly, second.plainly);
    let all = [[here, there], [there, here]]
        .map(|servers| limited_by(&servers, Transport::bytes(), store()));
    let statuses: Vec<u16> = (0..6).map(|turn| all[turn % 2].get().status()).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429], "five in all");
    // Who names one alone is let in by the one that has the key, and by nobody else.
    let mut alone = [here, there].map(|it| limited(it, Transport::bytes(), store()).get().status());
    alone.sort_unstable();
    assert_eq!(alone, [429, 500]);
}

#[test]
fn without_redis_nobody_passes() {
    if !is_there("redis-server") {
        return;
    }
    let redis = Redis::start("away");
    let of_redis = limited(redis.plainly, Transport::bytes(), store());
    assert_eq!(of_redis.get().status(), 200);
    redis.signal("-STOP");
    let begun = Instant::now();
    let status = of_redis.get().status();
    redis.signal("-CONT");
    assert_eq!(status, 500);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    of_redis.counts("asks_total{filter=\"rate-limit\",outcome=\"late\"} 1");
    assert_eq!(of_redis.get().status(), 200, "it is asked again");
    let of_nobody = limited(dead(), Transport::bytes(), store());
    assert_eq!(of_nobody.get().status(), 500);
    of_nobody.counts("asks_total{filter=\"rate-limit\",outcome=\"away\"} 1");
    // Whoever is no Redis says nothing that is believed.
    let other = Server::answering(|_| ok("+OK"));
    assert_eq!(limited(other.address, Transport::bytes(), store()).get().status(), 500);
}

#[test]
fn redis_knows_who_asks_and_is_known() {
    if !is_there("redis-server") {
        return;
    }
    let redis = Redis::start("known");
    let by = |name: &str, password: &str| RedisStore {
        credentials: Some((Arc::from(name), Arc::from(password))),
        database: 3,
        ..store()
    };
    let secure = || redis.secure("ca.pem");
    assert_eq!(limited(redis.securely, secure(), by("ann", "secret")).statuses(2), [200; 2]);
    assert_eq!(redis.told(&["-n", "3", "dbsize"]), "1");
    assert_eq!(redis.told(&["dbsize"]), "0");
    let wrong = limited(redis.securely, secure(), by("ann", "wrong"));
    assert_eq!(wrong.get().status(), 500);
    wrong.counts("asks_total{filter=\"rate-limit\",outcome=\"refused\"} 1");
    // Somebody else's certificate.
    let other = Authority::new("other").pem();
    std::fs::write(redis.daemon.folder.path("other.pem"), other).unwrap();
    let unknown = limited(redis.securely, redis.secure("other.pem"), by("ann", "secret"));
    assert_eq!(unknown.get().status(), 500);
    // Of a password alone, whose it is goes without saying.
    redis.told(&["acl", "setuser", "default", "resetpass", ">alone", "on"]);
    assert_eq!(limited(redis.plainly, Transport::bytes(), by("", "alone")).get().status(), 200);
    assert_eq!(limited(redis.plainly, Transport::bytes(), store()).get().status(), 500);
}
