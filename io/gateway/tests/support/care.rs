//! Endpoints that are looked after, and some that need it.

use std::io::{BufReader, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use steelyard_gateway::{EndpointFitness, EndpointReport, Gateway};
use steelyard_model::routing::backend::Backend;
use steelyard_model::routing::care::{Care, CheckProbe, HealthCheck, HttpProbe};
use steelyard_model::routing::id::BackendId;
use steelyard_model::routing::world::RoutingMap;

use super::{Received, Server, ok};

/// The endpoints of this route are looked after so.
pub(crate) fn look_after(map: &mut RoutingMap, name: &str, care: Care) {
    let id = BackendId::from(format!("default/{name}:80@ingress"));
    let mut node = (**map.backends.get(&id).unwrap()).clone();
    if let Backend::Endpoints(leaf) = &mut node.backend {
        leaf.care = Arc::new(care);
    }
    map.backends.insert(id, Arc::new(node));
}

/// Asked so often, as fast as a test can wait for.
pub(crate) fn checked(probe: CheckProbe) -> Care {
    let interval = Duration::from_millis(50);
    let timeout = Duration::from_millis(500);
    let check =
        HealthCheck { interval, unhealthy_interval: interval, timeout, ..HealthCheck::new(probe) };
    Care { check: Some(check), ..Care::default() }
}

/// Asked for `/health`.
pub(crate) fn by_path() -> Care {
    checked(CheckProbe::Http(HttpProbe::get("/health")))
}

/// What is told of one endpoint of the backend of a route.
pub(crate) fn told(gateway: &Gateway, name: &str, endpoint: SocketAddr) -> EndpointReport {
    let (backend, endpoint) = (format!("default-{name}-80@ingress"), endpoint.to_string());
    let mut all = gateway.endpoints().into_iter();
    all.find(|it| it.backend == backend && it.endpoint == endpoint).unwrap()
}

pub(crate) fn state(gateway: &Gateway, name: &str, endpoint: SocketAddr) -> EndpointFitness {
    told(gateway, name, endpoint).state
}

/// A server that says by `/health` whatever it is told to, and serves all the same.
pub(crate) struct Patient {
    pub(crate) server: Server,
    /// The status of `/health`.
    pub(crate) says: Arc<AtomicU16>,
    /// How often that was asked.
    pub(crate) asked: Arc<AtomicUsize>,
}

impl Patient {
    pub(crate) fn new(name: &'static str) -> Self {
        let says = Arc::new(AtomicU16::new(200));
        let asked = Arc::<AtomicUsize>::default();
        let (told, count) = (says.clone(), asked.clone());
        let server = Server::answering(move |request: &Received| {
            if !request.head.contains(" /health ") {
                return ok(name);
            }
            count.fetch_add(1, Ordering::SeqCst);
            let status = told.load(Ordering::SeqCst);
            format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n").into_bytes()
        });
        Self { server, says, asked }
    }
}

/// Takes connections and requests, counts these, and ends the connection without an answer, by a
/// reset where it is told to.
pub(crate) fn breaking(resets: bool) -> (Server, Arc<AtomicUsize>) {
    let count = Arc::<AtomicUsize>::default();
    let counted = count.clone();
    let server = Server::start(move |stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        if Received::read(&mut reader).is_some() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        if resets {
            let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
    });
    (server, count)
}

/// Answers the health service of gRPC with a status, over HTTP/2.
pub(crate) fn grpc(status: &'static Arc<AtomicU16>) -> Server {
    Server::start(move |stream, _| {
        stream.set_nonblocking(true).unwrap();
        stream.set_read_timeout(None).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let stream = tokio::net::TcpStream::from_std(stream).unwrap();
            let Ok(mut connection) = h2::server::handshake(stream).await else { return };
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                let is_it = request.uri().path() == "/grpc.health.v1.Health/Check";
                let head = http::Response::builder().header("content-type", "application/grpc");
                let mut body = respond.send_response(head.body(()).unwrap(), false).unwrap();
                let serving = u8::try_from(status.load(Ordering::SeqCst)).unwrap();
                let message = bytes::Bytes::from(vec![0, 0, 0, 0, 2, 8, serving]);
                body.send_data(message, false).unwrap();
                let mut trailers = http::HeaderMap::new();
                trailers.insert("grpc-status", if is_it { "0" } else { "12" }.parse().unwrap());
                body.send_trailers(trailers).unwrap();
            }
        });
    })
}

/// Says `greeting`, and what it hears.
pub(crate) fn talking(greeting: &'static str) -> Server {
    Server::start(move |mut stream, _| {
        let mut heard = [0; 4];
        if stream.read_exact(&mut heard).is_ok() {
            let _ = stream.write_all(greeting.as_bytes());
            let _ = stream.write_all(&heard);
        }
    })
}
