//! What is still under way when a gateway, or one of its listeners, has ended for long enough: it
//! is cut off, its client is told where that can be, and the log and a counter say so.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use steelyard_gateway::{AccessLog, Bind, Gateway, GatewayOptions, LogFormat, Timeouts};
use support::filtering::{change, uses};
use support::h2::{Raw, frame, get};
use support::{
    Client, PATIENCE, Received, Server, TemporaryFile, eventually, gateway, gateway_with, route,
    routing, scrape,
};

/// An endpoint for each way to be under way, and a gateway that logs.
struct World {
    _servers: [Server; 3],
    gateway: Gateway,
    address: SocketAddr,
    file: TemporaryFile,
}

/// Clients of it, each in the middle of something.
struct Clients {
    waiting: Client,
    filtered: Client,
    reading: Client,
    switched: Client,
    many: Raw,
}

impl World {
    fn start(name: &str, timeouts: Timeouts) -> Self {
        let silent =
            Server::start(|mut stream, _| while matches!(stream.read(&mut [0; 64]), Ok(1..)) {});
        let half = Server::start(|mut stream, _| {
            let _ = Received::read(&mut std::io::BufReader::new(stream.try_clone().unwrap()));
            stream.write_all(b"HTTP/1.1 203 X\r\nContent-Length: 9\r\n\r\nabc").unwrap();
            while matches!(stream.read(&mut [0; 64]), Ok(1..)) {}
        });
        let switching = Server::start(|mut stream, _| {
            let _ = Received::read(&mut std::io::BufReader::new(stream.try_clone().unwrap()));
            let head = "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello";
            stream.write_all(head.as_bytes()).unwrap();
            while matches!(stream.read(&mut [0; 64]), Ok(1..)) {}
        });
        let file = TemporaryFile::new(name);
        let access_log = Some(AccessLog {
            path: Some(file.0.clone()),
            format: LogFormat::Json,
            ..AccessLog::default()
        });
        let options =
            GatewayOptions { workers: 1, access_log, timeouts, ..GatewayOptions::default() };
        let routes = [
            route("silent", "a", "/", &[silent.address]),
            route("filtered", "filtered", "/", &[silent.address]),
            route("half", "half", "/", &[half.address]),
            route("switching", "switching", "/", &[switching.address]),
        ];
        let (gateway, address) = gateway_with(&routes, options);
        let mut map = routing(&routes);
        change(&mut map, "filtered", |route| route.uses = uses(&[("body=100", name)]));
        gateway.apply(&map, 2);
        Self { _servers: [silent, half, switching], gateway, address, file }
    }

    fn clients(&self) -> Clients {
        let [mut waiting, mut filtered, mut reading, mut switched] =
            [(); 4].map(|()| Client::connect(self.address));
        waiting.send("GET /waiting HTTP/1.1\r\nHost: a\r\n\r\n");
        // A filter waits for all of it.
        filtered.send("POST / HTTP/1.1\r\nHost: filtered\r\nContent-Length: 9\r\n\r\nhalf");
        reading.send("GET / HTTP/1.1\r\nHost: half\r\n\r\n");
        switched.send(
            "GET / HTTP/1.1\r\nHost: switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        );
        for (client, last) in [(&mut reading, &b"abc"[..]), (&mut switched, b"hello")] {
            let mut seen = Vec::new();
            while !seen.ends_with(last) {
                let mut byte = [0];
                client.reader.read_exact(&mut byte).unwrap();
                seen.extend_from_slice(&byte);
            }
        }
        let mut many = Raw::connect(self.address, &[]);
        many.send([get(1, true), get(3, true)].concat());
        // It has taken both when it answers what came behind them.
        many.send(frame(6, 0, 0, &[7; 8]));
        while many.next().expect("it is answered").0 != 6 {}
        let in_flight = || {
            let text = scrape(&self.gateway);
            let lines =
                text.lines().filter(|it| it.starts_with("steelyard_endpoint_requests_in_flight"));
            lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum::<u64>()
        };
        // The filtered one has no endpoint.
        eventually("all are under way", || in_flight() == 5);
        Clients { waiting, filtered, reading, switched, many }
    }
}

impl Clients {
    /// All are told what happens, as far as they can be.
    fn are_told(mut self) {
        let answer = self.waiting.receive();
        assert_eq!((answer.status(), answer.header("connection")), (503, Some("close")));
        assert!(answer.text().contains("no longer listens there"), "{}", answer.text());
        for client in [&mut self.filtered, &mut self.reading, &mut self.switched] {
            let mut rest = Vec::new();
            let ended = client.reader.read_to_end(&mut rest);
            assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
        }
        let mut heads = 0;
        while heads < 2 {
            // Which it is the log says.
            let (kind, ..) = self.many.next().expect("streams are answered");
            heads += usize::from(kind == 1);
        }
    }
}

const WHY: &str = "\"msg\":\"the gateway ends, or no longer listens there\"";

/// What the log has of those that were cut off, by status.
fn logged(file: &TemporaryFile) -> Vec<u16> {
    let text = file.text();
    let lines = text.lines().filter(|line| line.contains(WHY));
    let status = |line: &str| {
        let rest = line.split("\"DownstreamStatus\":").nth(1).unwrap();
        rest.split(',').next().unwrap().parse().unwrap()
    };
    let mut all: Vec<u16> = lines.map(status).collect();
    all.sort_unstable();
    all
}

const ALL: [u16; 6] = [101, 203, 503, 503, 503, 503];

#[test]
fn what_a_drain_cuts_off_is_told_and_logged() {
    let world = World::start("cut-drain", Timeouts::default());
    let clients = world.clients();
    world.gateway.drain(Duration::from_millis(100));
    assert_eq!(logged(&world.file), ALL, "{}", world.file.text());
    clients.are_told();
}

#[test]
fn a_listener_that_is_gone_does_not_wait_for_ever() {
    let closed_listener = Duration::from_millis(200);
    let world = World::start("cut-listener", Timeouts { closed_listener, ..Timeouts::default() });
    let clients = world.clients();
    world.gateway.listen(&[]);
    clients.are_told();
    eventually("all are logged", || logged(&world.file) == ALL);
    let counted = "steelyard_request_faults_total{cause=\"cut-off\",entrypoint=\"web\"} 6\n";
    assert!(scrape(&world.gateway).contains(counted), "{}", scrape(&world.gateway));
}

/// A listener that others took the place of has no effect on who is served by another one.
#[test]
fn who_is_connected_elsewhere_goes_on() {
    let closed_listener = Duration::ZERO;
    let server = Server::echo("s");
    let timeouts = Timeouts { closed_listener, ..Timeouts::default() };
    let options = GatewayOptions { workers: 1, timeouts, ..GatewayOptions::default() };
    let (gateway, first) = gateway_with(&[route("r", "*", "/", &[server.address])], options);
    let elsewhere = SocketAddr::from(([127, 0, 0, 2], 0));
    let binds = [support::web(0), Bind { address: elsewhere, ..support::web(0) }];
    let second = *gateway.listen(&binds)[1].1.as_ref().unwrap();
    let mut client = Client::connect(second);
    assert_eq!(client.get("a", "/").status(), 200);
    gateway.listen(&binds[1..]);
    assert!(TcpStream::connect(first).is_err());
    // What a core does once a second was done.
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        assert_eq!(client.get("a", "/").status(), 200);
    }
}

/// A client that was told to leave, and neither says that it heard it nor stops asking.
#[test]
fn who_is_told_to_leave_and_asks_on_is_left() {
    let server = Server::echo("s");
    let (gateway, address) = gateway(&[route("r", "*", "/", &[server.address])]);
    let mut raw = Raw::connect(address, &[]);
    raw.send(get(1, true));
    while raw.next().expect("it is answered").0 > 1 {}
    gateway.wind_down();
    let mut reading = Raw(raw.0.try_clone().unwrap());
    let heard = std::thread::spawn(move || {
        let mut refused = 0;
        while let Some((kind, ..)) = reading.next() {
            refused += usize::from(kind == 3);
        }
        refused
    });
    let (began, mut stream) = (Instant::now(), 3);
    while raw.send(get(stream, true)) {
        assert!(began.elapsed() < PATIENCE, "it goes on and on");
        stream += 2;
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(heard.join().unwrap() > 0, "what came late may be asked for elsewhere");
}
