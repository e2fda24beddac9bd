//! Names and passwords on real sockets, while somebody guesses them: who else is served, over
//! HTTP/1.1 and HTTP/2, and what a reload changes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use socket2::{Domain, Socket, Type};
use steelyard_gateway::{Gateway, GatewayOptions};
use steelyard_model::routing::filter::access::{PasswordAuth, PasswordManner};
use steelyard_model::routing::filter::{Filter, FilterNode, Use};
use steelyard_model::routing::world::RoutingMap;
use support::filtering::{change, echoed};
use support::{Client, Received, Server, gateway_with, get, h2, route, routing};

/// `secret` and `other`, at a cost of 10, and `secret` at one of 12.
const SECRET: &str = "$2y$10$v6V64IjS2pv01d80wA2tIO6T2TCF0FIWNZdjf3f4aQy/Cf/afcYSO";
const OTHER: &str = "$2y$10$KJMCclFQsHyqlT55NUlthOF7gOYQ1mzX.FRkMugddo/OOQdnbtjxO";
const SLOWLY: &str = "$2y$12$4Kqvx7hifFZDLbIZjm8kWeKhgNSc63LBNYTk3KUBLFvrx5HjZtcAi";

/// Wrong passwords, and from how many clients.
const GUESSES: usize = 10_000;
const CLIENTS: u8 = 40;
/// How long who is let in may wait for an answer meanwhile.
const PATIENCE: Duration = Duration::from_secs(3);

/// A gateway that asks for passwords at `/`, and for nothing at `/open`.
struct Guarded {
    gateway: Gateway,
    address: SocketAddr,
    map: RoutingMap,
}

impl Guarded {
    fn new(endpoint: SocketAddr, users: &[(&str, &str)]) -> Self {
        let routes =
            [route("main", "*", "/", &[endpoint]), route("open", "*", "/open", &[endpoint])];
        let options = GatewayOptions { workers: 2, ..GatewayOptions::default() };
        let (gateway, address) = gateway_with(&routes, options);
        let mut it = Self { gateway, address, map: routing(&routes) };
        it.apply(users, 2);
        it
    }

    fn apply(&mut self, users: &[(&str, &str)], version: u64) {
        let filter = Filter::BasicAuth(PasswordAuth {
            users: users.iter().map(|(name, hash)| format!("{name}:{hash}").into()).collect(),
            realm: "house".into(),
            removes_header: true,
            user_header: Some("X-User".into()),
            manner: PasswordManner::Traefik,
        });
        let node = FilterNode { id: "auth".into(), place: None, filter };
        self.map.filters.insert("auth".into(), Arc::new(node));
        change(&mut self.map, "main", |route| {
            route.uses = vec![Use { filter: "auth".into(), state: "auth".into() }];
        });
        self.gateway.apply(&self.map, version);
    }

    fn ask(&self, name: &str, password: &str) -> Received {
        Client::connect(self.address).send(request(name, password)).receive()
    }
}

fn request(name: &str, password: &str) -> String {
    let said = base64(&format!("{name}:{password}"));
    format!("GET / HTTP/1.1\r\nHost: a\r\nx_user: root\r\nAuthorization: Basic {said}\r\n\r\n")
}

fn base64(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Bytes that this process has in memory.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// A client of its own address.
fn from(client: u8, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let own = SocketAddrV4::new(Ipv4Addr::new(127, 0, 1, client), 0);
    socket.bind(&own.into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}

/// Ten thousand wrong passwords, of one user and of many: nobody gets in, most are told that there
/// are too many, and meanwhile who was let in before still is, and who needs no password is served.
#[test]
fn who_guesses_keeps_nobody_else_waiting() {
    let server = Server::echo("s");
    let it = Guarded::new(server.address, &[("ann", SECRET), ("ben", SLOWLY)]);
    assert_eq!(it.ask("ann", "secret").status(), 200);
    let before = resident();
    let (left, counts) = (AtomicUsize::new(GUESSES), [(); 3].map(|()| AtomicUsize::new(0)));
    std::thread::scope(|scope| {
        for client in 1..=CLIENTS {
            let (left, counts, address) = (&left, &counts, it.address);
            scope.spawn(move || {
                let stream = from(client, address);
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                loop {
                    let number = left.fetch_sub(1, Ordering::Relaxed);
                    if number == 0 || number > GUESSES {
                        left.store(0, Ordering::Relaxed);
                        return;
                    }
                    let many = format!("user-{number}");
                    let name = if number % 2 == 0 { "ann" } else { &many };
                    let guess = request(name, &format!("guess-{number}"));
                    (&stream).write_all(guess.as_bytes()).unwrap();
                    let status = Received::read(&mut reader).unwrap().status();
                    let at = [401, 429, 503].iter().position(|it| *it == status);
                    counts[at.expect("nobody gets in")].fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut known = Client::connect(it.address);
        while left.load(Ordering::Relaxed) > 0 {
            let began = Instant::now();
            assert_eq!(known.send(request("ann", "secret")).receive().status(), 200);
            assert_eq!(get(it.address, "a", "/open").status(), 200);
            assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
        }
    });
    let [wrong, of_one, of_all] = counts.map(AtomicUsize::into_inner);
    assert!(of_one + of_all > wrong, "{wrong} {of_one} {of_all}");
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more");
    // What was waited for is over: who comes now is verified.
    assert_eq!(it.ask("ben", "secret").status(), 200);
}

#[test]
fn what_a_client_says_is_taken_once_over_http1_and_http2() {
    let server = Server::echo("s");
    let it = Guarded::new(server.address, &[("ann", SECRET)]);
    let answer = it.ask("ann", "secret");
    assert_eq!(answer.status(), 200);
    assert_eq!(echoed(&answer.text(), "x-user"), Some("ann"));
    assert_eq!(echoed(&answer.text(), "x_user"), None);
    assert_eq!(echoed(&answer.text(), "authorization"), None);
    let answer = it.ask("ann", "wrong");
    assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"house\""));
    assert_eq!((answer.status(), answer.text().as_str()), (401, "401 Unauthorized\n"));
    let good = format!("Basic {}", base64("ann:secret"));
    let twice = request("ann", "secret").replace("\r\n\r\n", "\r\nauthorization: Basic x\r\n\r\n");
    assert_eq!(Client::connect(it.address).send(twice).receive().status(), 401);
    h2::run(async {
        let mut connection = h2::connect(it.address).await;
        for (values, status) in [
            (&[good.as_str()][..], 200),
            (&[good.as_str(), good.as_str()], 401),
            (&["Basic x", good.as_str()], 401),
            (&[], 401),
        ] {
            let mut request = h2::request("GET", "/");
            for value in values {
                request.headers_mut().append("authorization", value.parse().unwrap());
            }
            request.headers_mut().insert("x_user", "root".parse().unwrap());
            let whole = h2::ask(&mut connection, request, b"").await.unwrap();
            assert_eq!(whole.status, status, "{values:?}");
        }
    });
}

/// A password that is verified while users change counts for who it was, and no longer.
#[test]
fn a_reload_in_the_midst_leaves_no_old_password() {
    let server = Server::echo("s");
    let mut it = Guarded::new(server.address, &[("ann", SLOWLY)]);
    let mut client = Client::connect(it.address);
    client.send(request("ann", "secret"));
    it.apply(&[("ann", OTHER)], 3);
    let status = client.receive().status();
    assert!([200, 401].contains(&status), "{status}");
    assert_eq!(it.ask("ann", "secret").status(), 401);
    assert_eq!(it.ask("ann", "other").status(), 200);
    // A connection that is open goes by what is in force, too.
    assert_eq!(client.send(request("ann", "secret")).receive().status(), 401);
}
