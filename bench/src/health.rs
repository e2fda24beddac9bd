//! `bench health`: what it takes to ask a thousand endpoints whether they are well, and how much
//! worse retries make an outage, and a backend that has become slow.
//!
//! The gateway runs in this process, with routes made by hand. What asking takes is the time of the
//! one thread that does; all endpoints are one server, at an address of loopback each.

mod slowed;

use std::cmp::Reverse;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use steelyard_gateway::{Bind, Binding, EndpointFitness, Gateway, GatewayOptions};
use steelyard_model::routing::backend::{
    Algorithm, Backend, BackendNode, EndpointOrigin, EndpointSet, Endpoints,
};
use steelyard_model::routing::care::{Care, CheckProbe, HealthCheck, HttpProbe};
use steelyard_model::routing::entry_point::EntryPoint;
use steelyard_model::routing::rank::{HostSpecificity, Ladder, PathSpecificity, Rank, Specificity};
use steelyard_model::routing::route::{Destination, Manner, Route, RouteKind};
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::transport::Transport;
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{
    Endpoint, EndpointState, FieldPath, Host, NamespacedName, ObjectRef, Protocol, Provenance,
};

use crate::results::{self, Row, median};

/// What to measure.
pub(crate) struct Options {
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
    pub(crate) output: PathBuf,
}

/// So many endpoints are asked.
const MANY: u16 = 1_000;

/// So many are broken.
const BROKEN: usize = 10;

/// Measures, and writes the rows.
pub(crate) fn run(options: &Options) -> Result<()> {
    let length = Duration::from_secs_f64(options.seconds);
    let (mut asking, mut outage) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        asking.push(share_of_a_core(length)?);
        outage.push(attempts(length)?);
        eprintln!("{:?} % of a core, {:?} attempts for a request", asking, outage);
    }
    let rounds = options.rounds;
    let (slowed, told) = slowed::row(rounds, length)?;
    let rows = vec![
        Row::alone(
            "1,000 endpoints, each asked once a second",
            "% core",
            median(asking),
            3.0,
            rounds,
        ),
        Row::alone("all endpoints broken, attempts", "/request", median(outage), 1.2, rounds),
        slowed,
    ];
    results::write_with_notes(&options.output, rows, vec![told])
}

/// How much of a core asking takes, in hundredths.
fn share_of_a_core(length: Duration) -> Result<f64> {
    let port = serve(|mut reader, mut stream| {
        while read_head(&mut reader).is_some() {
            if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
                return;
            }
        }
    })?;
    let addresses = (0..MANY).map(|number| {
        let [high, low] = number.to_be_bytes();
        SocketAddr::from(([127, 1, high, low.max(1)], port))
    });
    let addresses: std::collections::BTreeSet<SocketAddr> = addresses.collect();
    let second = Duration::from_secs(1);
    let check = HealthCheck {
        interval: second,
        unhealthy_interval: second,
        ..HealthCheck::new(CheckProbe::Http(HttpProbe::get("/health")))
    };
    let care = Care { check: Some(check), ..Care::default() };
    let gateway = Gateway::start(GatewayOptions { workers: 1, ..GatewayOptions::default() })?;
    gateway.apply(&routing(addresses, care, Algorithm::RoundRobin), 1);
    // Past the first question of each, and the connections that it takes.
    std::thread::sleep(Duration::from_secs(2));
    let (began, before) = (Instant::now(), asking_time()?);
    std::thread::sleep(length);
    let share = (asking_time()? - before) as f64 / began.elapsed().as_nanos() as f64;
    let up = gateway.endpoints().iter().filter(|it| it.state == EndpointFitness::Up).count();
    ensure!(up + 8 > usize::from(MANY), "{up} endpoints are well");
    Ok(share * 100.0)
}

/// Nanoseconds of the thread that asks.
fn asking_time() -> Result<u64> {
    for task in fs::read_dir("/proc/self/task")? {
        let path = task?.path();
        if fs::read_to_string(path.join("comm"))?.trim() == "gateway-checks" {
            let text = fs::read_to_string(path.join("schedstat"))?;
            return text.split(' ').next().context("no time")?.parse().context("no time");
        }
    }
    anyhow::bail!("nobody asks")
}

/// How many attempts a request comes to where each fails once it is made.
fn attempts(length: Duration) -> Result<f64> {
    let count = Arc::<AtomicU64>::default();
    let counted = count.clone();
    let port = serve(move |mut reader, _| {
        if read_head(&mut reader).is_some() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    })?;
    let addresses = (1..=BROKEN).map(|number| {
        SocketAddr::from(([127, 2, 0, u8::try_from(number).unwrap_or(u8::MAX)], port))
    });
    let gateway = Gateway::start(GatewayOptions { workers: 2, ..GatewayOptions::default() })?;
    gateway.apply(&routing(addresses, Care::default(), Algorithm::RoundRobin), 1);
    let bind = Bind {
        entry_point: "web".into(),
        protocol: Protocol::Tcp,
        address: (Ipv4Addr::LOCALHOST, 0).into(),
        binding: Binding::Host,
    };
    let address = gateway.listen(&[bind]).remove(0).1?;
    let mut stream = TcpStream::connect(address)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut ask = || -> Result<()> {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")?;
        read_head(&mut reader).context("no answer")
    };
    // What may be done again at first, whatever is asked, is no part of it.
    for _ in 0..500 {
        ask()?;
    }
    let before = count.load(Ordering::Relaxed);
    let (began, mut requests) = (Instant::now(), 0);
    while began.elapsed() < length {
        ask()?;
        requests += 1;
    }
    Ok((count.load(Ordering::Relaxed) - before) as f64 / f64::from(requests))
}

/// Serves each connection in a thread of its own, at every address of loopback; the port.
fn serve(serve: impl Fn(BufReader<TcpStream>, TcpStream) + Send + Sync + 'static) -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let (port, serve) = (listener.local_addr()?.port(), Arc::new(serve));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = serve.clone();
            let small = std::thread::Builder::new().stack_size(64 * 1024);
            let _ = small.spawn(move || {
                if let Ok(reading) = stream.try_clone() {
                    serve(BufReader::with_capacity(1_024, reading), stream);
                }
            });
        }
    });
    Ok(port)
}

/// A message, with its body if its length is said.
fn read_head(reader: &mut BufReader<TcpStream>) -> Option<()> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()
}

fn routing(
    addresses: impl IntoIterator<Item = SocketAddr>,
    care: Care,
    algorithm: Algorithm,
) -> RoutingMap {
    let mut map = RoutingMap::default();
    let web = EntryPoint::new("web", 80);
    for listener in web.listeners() {
        map.listeners.insert(listener.id.clone(), Arc::new(listener));
    }
    let endpoint = |address: SocketAddr| {
        let host = Host::Ip(address.ip());
        (
            Endpoint {
                host,
                port: address.port(),
                state: EndpointState::Ready,
                node: None,
                zones: None,
            },
            1,
        )
    };
    let service = NamespacedName::new("default", "app");
    let endpoints = addresses.into_iter().map(endpoint).collect();
    let origin = EndpointOrigin::Service(service, 80);
    let set = EndpointSet { id: "app".into(), origin, endpoints, elsewhere: Vec::new() };
    let transport = Transport::plain();
    let leaf = Endpoints {
        care: Arc::new(care),
        algorithm,
        ..Endpoints::in_turn(set.id.clone(), transport.id.clone())
    };
    let backend = Backend::Endpoints(leaf);
    let node = BackendNode { id: "app".into(), place: None, service: None, backend };
    let object = Arc::new(ObjectRef::new("Route", "default", "app"));
    let path = PathSpecificity::Length(Reverse(0));
    let route = Route {
        id: "default/app/0@bench".into(),
        place: Provenance { object, field: FieldPath::root() },
        kind: RouteKind::Http,
        listeners: vec![web.plain_listener()],
        rank: Rank {
            ladder: Ladder::Specific,
            number: 0,
            specific: Specificity::new(HostSpecificity::Any, path),
            provider: 0,
            created: None,
            object: "app".into(),
            index: 0,
        },
        rule: Arc::new(Rule::All(Vec::new())),
        uses: Vec::new(),
        to: Destination::Backend(node.id.clone()),
        timeouts: None,
        manner: Manner::Traefik,
        tls_policy: None,
        observability: steelyard_model::routing::observability::Observability::default(),
    };
    map.entry_points.insert(web.id.clone(), Arc::new(web));
    map.endpoint_sets.insert(set.id.clone(), Arc::new(set));
    map.transports.insert(transport.id.clone(), Arc::new(transport));
    map.backends.insert(node.id.clone(), Arc::new(node));
    map.routes.insert(route.id.clone(), Arc::new(route));
    map
}
