//! Real sockets for tests: backends that do as they are told, clients that send raw bytes, and
//! tables of routes. Everything is on loopback and ends with its owner.

#![allow(dead_code, reason = "each test file uses its part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub(crate) mod backends;
pub(crate) mod care;
pub(crate) mod filtering;
pub(crate) mod h2;
pub(crate) mod held;
pub(crate) mod log;
pub(crate) mod odd;
pub(crate) mod tcp;
pub(crate) mod tls;

use std::cmp::Reverse;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use steelyard_gateway::{Bind, Binding, EntryTerms, Gateway, GatewayOptions};
use steelyard_metrics::Exposition;
use steelyard_model::routing::backend::{
    Backend, BackendNode, Edge, EndpointOrigin, EndpointSet, Endpoints, RefusalReason,
};
use steelyard_model::routing::entry_point::{BUILT_IN, BuiltIn, PLAIN};
use steelyard_model::routing::id::{BackendId, EndpointSetId, RouteId};
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::observability::Observability;
use steelyard_model::routing::pattern::{HostPattern, PathPattern, PathShape};
use steelyard_model::routing::rank::{HostSpecificity, Ladder, PathSpecificity, Rank, Specificity};
use steelyard_model::routing::route::{Destination, Manner, Route, RouteKind};
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::transport::Transport;
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{
    Endpoint, EndpointState, FieldPath, Host, NamespacedName, ObjectRef, Provenance,
};

/// What a scrape gets.
pub(crate) fn scrape(gateway: &Gateway) -> String {
    let mut out = Exposition::default();
    gateway.expose(&mut out);
    out.into_text()
}

/// No answer takes longer than this, or the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A route of a test, as far as it matters.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) name: String,
    pub(crate) host: HostPattern,
    path: PathShape,
    pub(crate) manner: Manner,
    pub(crate) services: Vec<Shared>,
    is_refused: bool,
}

/// A Service that a route of a test leads to.
#[derive(Clone)]
pub(crate) struct Shared {
    name: String,
    pub(crate) weight: u32,
    pub(crate) endpoints: Vec<Endpoint>,
}

/// A route to the endpoints, for every host (`*`) or one, by prefix.
pub(crate) fn route(name: &str, host: &str, path: &str, endpoints: &[SocketAddr]) -> Served {
    let endpoint = |address: &SocketAddr| Endpoint {
        host: Host::Ip(address.ip()),
        port: address.port(),
        state: EndpointState::Ready,
        node: None,
        zones: None,
    };
    let endpoints = endpoints.iter().map(endpoint).collect();
    Served {
        name: name.into(),
        host: if host == "*" { HostPattern::Any } else { HostPattern::Exact(host.into()) },
        path: PathShape::elements(path),
        manner: Manner::Traefik,
        services: vec![Shared { name: name.into(), weight: 1, endpoints }],
        is_refused: false,
    }
}

/// The same, but access is restricted in a way that is not honoured.
pub(crate) fn refused(name: &str, host: &str, path: &str, endpoints: &[SocketAddr]) -> Served {
    Served { is_refused: true, ..route(name, host, path, endpoints) }
}

/// All of them, at the built-in entry points.
pub(crate) fn routing(routes: &[Served]) -> RoutingMap {
    let mut routing = RoutingMap::default();
    for entry_point in BUILT_IN.map(BuiltIn::entry_point) {
        for listener in entry_point.listeners() {
            routing.listeners.insert(listener.id.clone(), Arc::new(listener));
        }
    }
    let transport = Transport::plain();
    routing.transports.insert(transport.id.clone(), Arc::new(transport));
    routes.iter().for_each(|route| route.put_into(&mut routing));
    routing
}

impl Served {
    fn put_into(&self, routing: &mut RoutingMap) {
        let leaves: Vec<Edge> = self.services.iter().map(|it| it.put_into(routing)).collect();
        let backend = match leaves.as_slice() {
            _ if self.is_refused => Some(Backend::Refused {
                status: 503,
                why: RefusalReason::Restriction(self.place()),
                instead_of: None,
            }),
            [_] => None,
            _ => Some(Backend::Weighted { edges: leaves.clone(), sticky: None }),
        };
        let to = match backend {
            None => leaves[0].backend.clone(),
            Some(backend) => put_backend(routing, &format!("{}#own", self.name), backend),
        };
        let conditions = match &self.host {
            HostPattern::Any => Vec::new(),
            host => vec![Rule::One(Matcher::Host(host.clone()))],
        };
        let path = Rule::One(Matcher::Path(PathPattern::normal(self.path.clone())));
        let id = RouteId::from(format!("default/{}/0@ingress", self.name));
        let route = Route {
            id: id.clone(),
            place: self.place(),
            kind: RouteKind::Http,
            listeners: vec![PLAIN.entry_point().default_listener()],
            rank: self.rank(),
            rule: Arc::new(Rule::All(conditions.into_iter().chain([path]).collect())),
            uses: Vec::new(),
            to: Destination::Backend(to),
            timeouts: None,
            manner: self.manner,
            tls_policy: None,
            observability: Observability::default(),
        };
        routing.routes.insert(id, Arc::new(route));
    }

    fn place(&self) -> Provenance {
        let object = Arc::new(ObjectRef::new("Ingress", "default", self.name.as_str()));
        Provenance { object, field: FieldPath::root() }
    }

    fn rank(&self) -> Rank {
        let host = match &self.host {
            HostPattern::Any => HostSpecificity::Any,
            _ => HostSpecificity::Exact,
        };
        let length = u16::try_from(self.path.len()).unwrap();
        Rank {
            ladder: Ladder::Specific,
            number: 0,
            specific: Specificity::new(host, PathSpecificity::Length(Reverse(length))),
            provider: 0,
            created: None,
            object: self.name.as_str().into(),
            index: 0,
        }
    }
}

impl Shared {
    fn put_into(&self, routing: &mut RoutingMap) -> Edge {
        let set = EndpointSetId::from(format!("default/{}:80", self.name));
        let service = NamespacedName::new("default", self.name.as_str());
        let endpoints = self.endpoints.iter().map(|it| (it.clone(), 1)).collect();
        let origin = EndpointOrigin::Service(service, 80);
        let made = EndpointSet { id: set.clone(), origin, endpoints, elsewhere: Vec::new() };
        routing.endpoint_sets.insert(set.clone(), Arc::new(made));
        let leaf = Backend::Endpoints(Endpoints::in_turn(set, Transport::plain().id));
        let backend = put_backend(routing, &format!("default/{}:80@ingress", self.name), leaf);
        Edge { backend, weight: self.weight, uses: Vec::new() }
    }
}

fn put_backend(routing: &mut RoutingMap, id: &str, backend: Backend) -> BackendId {
    let id = BackendId::from(id);
    let node = BackendNode { id: id.clone(), place: None, service: None, backend };
    routing.backends.insert(id.clone(), Arc::new(node));
    id
}

/// HTTP/2 is spoken to the endpoints of this route.
pub(crate) fn speak_http2(map: &mut RoutingMap, name: &str) {
    speak(map, name, Transport::h2c());
}

/// The endpoints of this route are spoken to so.
pub(crate) fn speak(map: &mut RoutingMap, name: &str, transport: Transport) {
    let id = BackendId::from(format!("default/{name}:80@ingress"));
    let mut node = (**map.backends.get(&id).unwrap()).clone();
    if let Backend::Endpoints(leaf) = &mut node.backend {
        leaf.transport = transport.id.clone();
    }
    map.backends.insert(id, Arc::new(node));
    map.transports.insert(transport.id.clone(), Arc::new(transport));
}

/// A gateway with one worker on a free port, which speaks HTTP/2 to the endpoints of its routes.
pub(crate) fn gateway_to_http2(routes: &[Served]) -> (Gateway, SocketAddr) {
    let (gateway, address) = gateway(&[]);
    let mut map = routing(routes);
    routes.iter().for_each(|route| speak_http2(&mut map, &route.name));
    gateway.apply(&map, 2);
    (gateway, address)
}

/// A gateway with one worker on a free port.
pub(crate) fn gateway(routes: &[Served]) -> (Gateway, SocketAddr) {
    gateway_with(routes, GatewayOptions { workers: 1, ..GatewayOptions::default() })
}

/// One worker, and these terms at `web`.
pub(crate) fn one_worker(terms: EntryTerms) -> GatewayOptions {
    let terms = [("web".to_owned(), Arc::new(terms))].into();
    GatewayOptions { workers: 1, terms, ..GatewayOptions::default() }
}

/// A gateway with these options on a free port.
pub(crate) fn gateway_with(routes: &[Served], options: GatewayOptions) -> (Gateway, SocketAddr) {
    let gateway = Gateway::start(options).unwrap();
    gateway.apply(&routing(routes), 1);
    let mut outcomes = gateway.listen(&[web(0)]);
    let address = outcomes.remove(0).1.unwrap();
    (gateway, address)
}

/// The entry point `web` on loopback.
pub(crate) fn web(port: u16) -> Bind {
    Bind {
        entry_point: "web".into(),
        protocol: steelyard_model::Protocol::Tcp,
        address: (Ipv4Addr::LOCALHOST, port).into(),
        binding: Binding::Host,
    }
}

/// An address nobody listens on, and nobody else gets while the test runs.
pub(crate) fn dead() -> SocketAddr {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    socket.bind(&any.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    std::mem::forget(socket);
    address
}

/// A server that hands each connection to a function, each in a thread of its own.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// How many connections it took.
    pub(crate) accepted: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn start(serve: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let (serve, count, stopped) = (Arc::new(serve), accepted.clone(), stop.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { return };
                let index = count.fetch_add(1, Ordering::SeqCst);
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let serve = serve.clone();
                std::thread::spawn(move || serve(stream, index));
            }
        });
        Self { address, accepted, stop }
    }

    /// Answers every request, over and over, with what `answer` makes of it.
    pub(crate) fn answering(answer: impl Fn(&Received) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::start(move |stream, _| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut writer = stream;
            while let Some(request) = Received::read(&mut reader) {
                if writer.write_all(&answer(&request)).is_err() {
                    return;
                }
            }
        })
    }

    /// Answers with its name and what it received.
    pub(crate) fn echo(name: &'static str) -> Self {
        Self::answering(move |request| ok(&format!("{name}\n{}\n{}", request.head, request.text())))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// A message as it came: head without the empty line, and body with chunks taken apart.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Received {
    /// The next message; `None` at the end of the connection.
    pub(crate) fn read(reader: &mut impl BufRead) -> Option<Self> {
        Self::read_to(reader, false)
    }

    /// The next response; that to HEAD has no body.
    pub(crate) fn read_to(reader: &mut impl BufRead, was_head: bool) -> Option<Self> {
        let mut head = String::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        let mut received = Self { head, body: Vec::new() };
        let status = received.status();
        let bodiless = was_head || status == 204 || status == 304 || (100..200).contains(&status);
        if bodiless {
            return Some(received);
        }
        if received.header("transfer-encoding").is_some() {
            received.read_chunks(reader)?;
        } else if let Some(length) = received.header("content-length") {
            received.body = vec![0; length.parse().unwrap()];
            reader.read_exact(&mut received.body).ok()?;
        } else if status != 0 {
            reader.read_to_end(&mut received.body).ok()?;
        }
        Some(received)
    }

    fn read_chunks(&mut self, reader: &mut impl BufRead) -> Option<()> {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let size = usize::from_str_radix(line.trim().split(';').next()?, 16).ok()?;
            let start = self.body.len();
            self.body.resize(start + size, 0);
            reader.read_exact(&mut self.body[start..]).ok()?;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).ok()?;
                if line == "\r\n" {
                    break;
                }
                let is_trailer = size == 0 && line.contains(": ") && line.ends_with("\r\n");
                assert!(is_trailer, "a chunk (or the body) ends with an empty line: {line:?}");
            }
            if size == 0 {
                return Some(());
            }
        }
    }

    /// The status of a response, 0 for a request.
    pub(crate) fn status(&self) -> u16 {
        let status = self.head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        status.map_or(0, |status| status.parse().unwrap())
    }

    /// The value of a header line.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut found = lines.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.trim())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The first line of the body: the name of the backend that echoed.
    pub(crate) fn who(&self) -> String {
        self.text().lines().next().unwrap_or_default().into()
    }
}

/// A connection to the gateway.
pub(crate) struct Client {
    pub(crate) reader: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { reader: BufReader::new(stream) }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.reader.get_mut().write_all(bytes.as_ref()).unwrap();
        self
    }

    pub(crate) fn receive(&mut self) -> Received {
        Received::read(&mut self.reader).expect("a response")
    }

    /// A GET on this connection.
    pub(crate) fn get(&mut self, host: &str, path: &str) -> Received {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).receive()
    }

    /// Whether the other side has closed and nothing more comes.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        match self.reader.read(&mut byte) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

/// A GET on a connection of its own.
pub(crate) fn get(address: SocketAddr, host: &str, path: &str) -> Received {
    Client::connect(address).get(host, path)
}

/// A head with its empty line; the body is left where it is.
pub(crate) fn head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

/// Uploads that are answered before they are read, full of requests that nobody makes, of sizes
/// around what sockets hold; behind each of them somebody asks for something, which must be what
/// is answered.
pub(crate) fn smuggle(address: SocketAddr, path: &str, is_it: impl Fn(&Received) -> bool) {
    let evil = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for round in 1..=25 {
        let size = round * 160_000;
        let body = evil.repeat(size / evil.len() + 1);
        let mut attacker = Client::connect(address);
        attacker.send(format!("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"));
        let stream = attacker.reader.get_ref();
        stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
        let _ = (&*stream).write_all(&body.as_bytes()[..size]);
        let mut early = Received::read(&mut attacker.reader);
        assert!(early.take().is_some_and(|it| it.status() != 0), "after {size}");
        let mut victims = [(); 2].map(|()| Client::connect(address));
        for victim in &mut victims {
            victim.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        }
        for victim in &mut victims {
            let answer = victim.receive();
            assert!(is_it(&answer), "after {size} bytes: {answer:?}");
        }
    }
}

/// A plain response.
pub(crate) fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A file that is gone when the test is over.
pub(crate) struct TemporaryFile(pub(crate) PathBuf);

impl TemporaryFile {
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("steelyard-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(&self.0).unwrap_or_default()
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Waits until `condition` holds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
