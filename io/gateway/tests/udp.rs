//! Sessions of UDP routes: where they go, what is carried, whence answers come, and how they end.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use steelyard_gateway::{Bind, Binding, EntryTerms, Gateway, GatewayOptions, Timeouts};
use steelyard_host::netns::{self, Namespace};
use steelyard_host::places::Places;
use steelyard_model::Protocol;
use steelyard_model::routing::entry_point::{EntryPoint, NginxSocket};
use steelyard_model::routing::nginx_log::{LogEscape, LogText, NginxLog};
use steelyard_model::routing::world::RoutingMap;
use support::tcp::*;
use support::*;

/// A server that answers each datagram by its name and what came, and knows whom it heard.
struct Answering {
    address: SocketAddr,
    heard: Arc<std::sync::Mutex<BTreeSet<SocketAddr>>>,
    ends: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Answering {
    fn start(name: &'static str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        let (address, ends) = (socket.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let heard = Arc::<std::sync::Mutex<BTreeSet<SocketAddr>>>::default();
        let (told, ending) = (heard.clone(), ends.clone());
        let thread = std::thread::spawn(move || {
            let mut room = vec![0; 65_536];
            while !ending.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut room) else { continue };
                told.lock().unwrap().insert(from);
                let answer = [name.as_bytes(), &room[..length]].concat();
                let _ = socket.send_to(&answer, from);
            }
        });
        Self { address, heard, ends, thread: Some(thread) }
    }

    fn heard(&self) -> usize {
        self.heard.lock().unwrap().len()
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

fn gateway(routes: &[TcpServed], options: GatewayOptions, at: &str) -> (Gateway, SocketAddr) {
    of_map(&udp_routing(routes), options, at)
}

fn of_map(map: &RoutingMap, options: GatewayOptions, at: &str) -> (Gateway, SocketAddr) {
    let gateway = Gateway::start(options).unwrap();
    gateway.apply(map, 1);
    let bind = Bind {
        entry_point: DNS.into(),
        protocol: Protocol::Udp,
        address: at.parse().unwrap(),
        binding: Binding::Host,
    };
    let address = gateway.listen(&[bind]).remove(0).1.unwrap();
    (gateway, address)
}

fn silent(quiet: Duration) -> BTreeMap<String, Arc<EntryTerms>> {
    let terms = EntryTerms { udp_silent: Some(quiet), ..EntryTerms::default() };
    [(DNS.to_owned(), Arc::new(terms))].into()
}

/// With one worker, and sessions that may be silent for long.
fn patient() -> GatewayOptions {
    let timeouts = Timeouts { udp_silent: Duration::from_mins(5), ..Timeouts::default() };
    GatewayOptions { workers: 1, timeouts, ..GatewayOptions::default() }
}

fn client(to: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((IpAddr::from([127, 0, 0, 1]), 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    // Who is connected hears nobody else.
    socket.connect(to).unwrap();
    socket
}

fn ask(client: &UdpSocket, what: &[u8]) -> Vec<u8> {
    client.send(what).unwrap();
    hear(client)
}

fn hear(client: &UdpSocket) -> Vec<u8> {
    let mut room = vec![0; 65_536];
    let length = client.recv(&mut room).unwrap();
    room.truncate(length);
    room
}

fn value(gateway: &Gateway, series: &str) -> u64 {
    let metrics = scrape(gateway);
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0, |count| count.parse().unwrap())
}

fn open(gateway: &Gateway) -> u64 {
    value(gateway, "traefik_open_connections{entrypoint=\"dns\",protocol=\"UDP\"}")
}

/// Where ingress-nginx's ConfigMap says so, sessions end after so many answers, and are told of.
#[test]
fn sessions_end_by_their_answers_and_are_logged() {
    let servers = [Answering::start("a"), Answering::start("b")];
    let endpoints = servers.each_ref().map(|it| it.address);
    let file = TemporaryFile::new("udp-log");
    let format = "$protocol $status $bytes_received $bytes_sent $upstream_addr $server_port";
    let (text, _) = LogText::read(format, LogEscape::Usual).unwrap();
    let path = file.0.to_str().map(Into::into);
    let log = NginxLog { path, text, skips: Vec::new(), has_strays: false, is_asked: true };
    let mut map = udp_routing(&[datagrams("db", &endpoints)]);
    let socket =
        NginxSocket { log: Some(Arc::new(log)), answers: Some(2), ..NginxSocket::default() };
    let point = EntryPoint {
        protocol: Protocol::Udp,
        nginx: Some(Arc::new(socket)),
        ..EntryPoint::new(DNS, 53)
    };
    map.entry_points.insert(point.id.clone(), Arc::new(point));
    let (gateway, address) = of_map(&map, patient(), "127.0.0.1:0");
    let client = client(address);
    let served: Vec<u8> = (0..5).map(|_| ask(&client, b"x")[0]).collect();
    assert_eq!(served, b"aabba");
    eventually("two are over", || open(&gateway) == 1);
    gateway.drain(Duration::from_secs(1));
    let [a, b] = endpoints;
    let over = format!("UDP 200 2 4 {a} 53\nUDP 200 2 4 {b} 53\n");
    eventually("lines", || file.text().starts_with(&over));
}

#[test]
fn a_session_stays_with_its_endpoint_and_datagrams_come_as_they_were() {
    let servers = [Answering::start("a"), Answering::start("b")];
    let endpoints = servers.each_ref().map(|it| it.address);
    let (gateway, address) = gateway(&[datagrams("db", &endpoints)], patient(), "127.0.0.1:0");
    let clients = [(); 4].map(|()| client(address));
    let mut served = Vec::new();
    for client in &clients {
        let first = ask(client, b"x");
        for length in [0, 1, 1_400, 9_000, 60_000] {
            let what = vec![b'y'; length];
            assert_eq!(ask(client, &what), [&first[..1], &what].concat());
        }
        served.push(first[0]);
    }
    assert_eq!(served, b"abab");
    assert_eq!(servers.each_ref().map(Answering::heard), [2, 2]);
    let of = "entrypoint=\"dns\",service=\"default-db-1@tcp\"";
    assert_eq!(value(&gateway, &format!("steelyard_udp_sessions_total{{{of}}}")), 4);
    for (family, into, out) in [("datagrams", 24, 24), ("bytes", 4 * 70_402, 4 * 70_408)] {
        for (direction, expected) in [("in", into), ("out", out)] {
            let series = format!("steelyard_udp_{family}_total{{direction=\"{direction}\",{of}}}");
            assert_eq!(value(&gateway, &series), expected, "{series}");
        }
    }
    assert_eq!(open(&gateway), 4);
}

/// Both ways at once, as a tunnel's: in bursts, of which each datagram stays what it was.
#[test]
fn bursts_go_both_ways() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let endpoint = server.local_addr().unwrap();
    let (_gateway, address) = gateway(&[datagrams("vpn", &[endpoint])], patient(), "127.0.0.1:0");
    let client = client(address);
    client.send(b"hello").unwrap();
    let mut room = vec![0; 2_000];
    let (_, session) = server.recv_from(&mut room).unwrap();
    let datagram = |round: u32, number: u32| {
        let mut all = vec![0; if number == 31 { 700 } else { 1_300 }];
        all[..8].copy_from_slice(&[round.to_be_bytes(), number.to_be_bytes()].concat());
        all
    };
    let all = |round| (0..32).map(move |number| datagram(round, number)).collect::<Vec<_>>();
    for round in 0..50 {
        for sent in all(round) {
            client.send(&sent).unwrap();
            server.send_to(&sent, session).unwrap();
        }
        for expected in all(round) {
            let (length, from) = server.recv_from(&mut room).unwrap();
            assert_eq!((from, &room[..length]), (session, &expected[..]));
        }
        assert!(all(round).iter().all(|expected| hear(&client) == *expected));
    }
}

/// On a host with several addresses, by a port that listens at all of them.
#[test]
fn answers_come_from_the_address_that_was_asked() {
    let server = Answering::start("a");
    for (at, addresses) in
        [("0.0.0.0:0", &["127.0.0.1", "127.0.0.2", "127.9.9.9"][..]), ("[::]:0", &["::1"])]
    {
        let (_gateway, address) = gateway(&[datagrams("a", &[server.address])], patient(), at);
        for own in addresses {
            let own: IpAddr = own.parse().unwrap();
            let any = if own.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
            let client = UdpSocket::bind(any).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            client.connect((own, address.port())).unwrap();
            assert_eq!(ask(&client, b"who"), b"awho", "{own}");
        }
    }
}

/// At an address that is none of the host's: packets for it are led here, and answers leave by it.
#[test]
fn an_address_that_is_not_the_hosts_own_answers() {
    if let Some(why) = netns::unavailable() {
        eprintln!("skipped: {why}");
        return;
    }
    let make = |role: &str| Namespace::create(&format!("udp-vip-{role}")).unwrap();
    let (outside, node) = (make("client"), make("node"));
    netns::cable((&outside, "eth0"), (&node, "eth0")).unwrap();
    for (family, ours, theirs, vip) in [
        ("-4", "10.9.0.1/24", "10.9.0.2/24", "10.8.0.53"),
        ("-6", "fd09::1/64", "fd09::2/64", "fd08::53"),
    ] {
        let flags: &[&str] = if family == "-6" { &["nodad"] } else { &[] };
        let add = |own| [&[family, "address", "add", own, "dev", "eth0"], flags].concat();
        node.ip(&add(ours)).unwrap();
        outside.ip(&add(theirs)).unwrap();
        let by = ours.split('/').next().unwrap();
        outside.ip(&[family, "route", "add", vip, "via", by]).unwrap();
        // Not in the tables by which the host knows its own addresses.
        node.ip(&[family, "rule", "add", "iif", "eth0", "lookup", "99"]).unwrap();
        node.ip(&[family, "route", "add", "local", vip, "dev", "lo", "table", "99"]).unwrap();
    }
    for vip in ["10.8.0.53", "fd08::53"] {
        let vip: IpAddr = vip.parse().unwrap();
        let bind = |binding| Bind {
            entry_point: DNS.into(),
            protocol: Protocol::Udp,
            address: (vip, 53).into(),
            binding,
        };
        let (_server, gateway) = node
            .run(|| {
                let server = Answering::start("a");
                let gateway = Gateway::start(patient()).unwrap();
                gateway.apply(&udp_routing(&[datagrams("a", &[server.address])]), 1);
                let listen = |binding| gateway.listen(&[bind(binding)]).remove(0).1;
                assert!(listen(Binding::Host).is_err(), "it is not the host's own");
                listen(Binding::Vip).unwrap();
                (server, gateway)
            })
            .unwrap();
        let answers = outside.run(|| {
            let any = if vip.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            [(); 3].map(|()| {
                let client = UdpSocket::bind(any).unwrap();
                client.set_read_timeout(Some(PATIENCE)).unwrap();
                // Only what comes from there is heard.
                client.connect((vip, 53)).unwrap();
                client.send(b"who").unwrap();
                hear(&client)
            })
        });
        assert_eq!(answers.unwrap(), [(); 3].map(|()| b"awho".to_vec()), "{vip}");
        assert_eq!(open(&gateway), 3);
    }
}

#[test]
fn sessions_outlive_reloads_that_do_not_concern_them() {
    let (a, b) = (Answering::start("a"), Answering::start("b"));
    let routes = |endpoints: &[SocketAddr]| udp_routing(&[datagrams("db", endpoints)]);
    let (gateway, address) = gateway(&[datagrams("db", &[a.address])], patient(), "127.0.0.1:0");
    let client = client(address);
    assert_eq!(ask(&client, b"1"), b"a1");
    for generation in 2..6 {
        let other = datagrams("other", &[b.address]).from("10.0.0.0/8");
        let mut map = routes(&[b.address, a.address]);
        if generation % 2 == 0 {
            other.put_into(&mut map);
        }
        gateway.apply(&map, generation);
        assert_eq!(ask(&client, b"2"), b"a2");
    }
    assert_eq!(a.heard(), 1, "it is the same session");
    // Its endpoint goes, then its route.
    gateway.apply(&routes(&[b.address]), 6);
    assert_eq!(ask(&client, b"3"), b"b3");
    gateway.apply(&udp_routing(&[]), 7);
    client.send(b"4").unwrap();
    let lost = "steelyard_connections_turned_away_total{cause=\"no-route\",entrypoint=\"dns\"}";
    eventually("it is lost", || value(&gateway, lost) == 1);
    assert_eq!(open(&gateway), 0);
}

#[test]
fn an_endpoint_that_refuses_is_left() {
    let server = Answering::start("a");
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let routes = [datagrams("db", &[nobody, server.address])];
    let (gateway, address) = gateway(&routes, patient(), "127.0.0.1:0");
    let client = client(address);
    client.send(b"lost").unwrap();
    let refused = "steelyard_connections_turned_away_total{cause=\"connect\",entrypoint=\"dns\"}";
    eventually("it is refused", || value(&gateway, refused) == 1);
    assert_eq!(ask(&client, b"x"), b"ax");
    assert_eq!(open(&gateway), 1);
}

#[test]
fn silence_ends_sessions_and_answers_do_not_let_them_be_silent() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let endpoint = server.local_addr().unwrap();
    let quiet = Duration::from_millis(200);
    let options = GatewayOptions { terms: silent(quiet), ..patient() };
    let (gateway, address) = gateway(&[datagrams("a", &[endpoint])], options, "127.0.0.1:0");
    let (talking, silent) = (client(address), client(address));
    talking.send(b"x").unwrap();
    let (_, session) = server.recv_from(&mut [0; 9]).unwrap();
    silent.send(b"x").unwrap();
    server.recv_from(&mut [0; 9]).unwrap();
    let end = Instant::now() + 5 * quiet;
    while Instant::now() < end {
        server.send_to(b"still here", session).unwrap();
        assert_eq!(hear(&talking), b"still here");
        std::thread::sleep(quiet / 10);
    }
    assert_eq!(open(&gateway), 1);
    eventually("both are over", || open(&gateway) == 0);
}

/// As a tunnel of WireGuard's: a peer is known by the index in its datagrams, is answered where it
/// was heard last, and either side speaks unasked. Who changes its network has another port, and
/// what it leaves behind ends.
#[test]
fn tunnels_last_while_their_clients_roam() {
    const ROAMS: u64 = 2;
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let endpoint = server.local_addr().unwrap();
    let quiet = Duration::from_secs(1);
    let options = GatewayOptions { terms: silent(quiet), ..patient() };
    let (gateway, address) = gateway(&[datagrams("a", &[endpoint])], options, "127.0.0.1:0");
    let mut heard_at = std::collections::BTreeMap::new();
    for roam in 0..ROAMS {
        let clients = [7, 8].map(|index: u8| (index, client(address)));
        let left = heard_at.clone();
        let end = Instant::now() + 2 * quiet;
        while Instant::now() < end {
            for (index, client) in &clients {
                // What keeps the way open, and what the server says meanwhile.
                client.send(&[*index, b'k']).unwrap();
                let mut came = [0; 2];
                let (_, from) = server.recv_from(&mut came).unwrap();
                assert_eq!(came, [*index, b'k']);
                heard_at.insert(*index, from);
                for number in 0..3 {
                    server.send_to(&[*index, number], from).unwrap();
                    assert_eq!(hear(client), [*index, number]);
                }
            }
            std::thread::sleep(quiet / 20);
        }
        assert!(heard_at.iter().all(|(index, at)| left.get(index) != Some(at)), "{roam}");
        eventually("what was left behind is over", || open(&gateway) == 2);
    }
    let sessions = "steelyard_udp_sessions_total{entrypoint=\"dns\",service=\"default-a-1@tcp\"}";
    assert_eq!(value(&gateway, sessions), 2 * ROAMS, "and each has lasted");
}

/// Whoever sends: the memory is bounded, and who came last is served.
#[test]
fn a_new_session_has_a_place_and_the_oldest_gives_it() {
    let server = Answering::start("a");
    // A quarter of the places is for sessions.
    let places = Places::new(12);
    let options = GatewayOptions { places: places.clone(), ..patient() };
    let (gateway, address) = gateway(&[datagrams("db", &[server.address])], options, "127.0.0.1:0");
    let clients = [(); 5].map(|()| client(address));
    for client in &clients[..3] {
        assert_eq!(ask(client, b"x"), b"ax");
    }
    // The first is the newest now.
    assert_eq!(ask(&clients[0], b"y"), b"ay");
    for client in &clients[3..] {
        assert_eq!(ask(client, b"x"), b"ax");
    }
    assert_eq!(open(&gateway), 3);
    let room = "steelyard_connections_made_room_total{awaited=\"datagram\",entrypoint=\"dns\"}";
    assert_eq!(value(&gateway, room), 2);
    assert_eq!(ask(&clients[0], b"z"), b"az");
    assert_eq!((server.heard(), open(&gateway)), (5, 3), "the first kept its session");
    // Whoever sends from as many ports as there are keeps no connection out.
    for _ in 0..100 {
        assert_eq!(ask(&client(address), b"x"), b"ax");
    }
    assert_eq!((open(&gateway), places.taken()), (3, 3));
    // Nor does it end the session of who was heard again after an answer, as nobody is who sends
    // from an address that is not its own.
    let begun = server.heard();
    assert_eq!((ask(&clients[0], b"z"), server.heard()), (b"az".to_vec(), begun));
}

/// Each core has a part of the clients, and knows them again.
#[test]
fn cores_share_clients() {
    let server = Answering::start("a");
    let options = GatewayOptions { workers: 4, ..patient() };
    let (gateway, address) = gateway(&[datagrams("db", &[server.address])], options, "127.0.0.1:0");
    let clients: Vec<UdpSocket> = (0..40).map(|_| client(address)).collect();
    for _ in 0..3 {
        assert!(clients.iter().all(|client| ask(client, b"x") == b"ax"));
    }
    assert_eq!((server.heard(), open(&gateway)), (40, 40));
}

/// Sessions go on while the gateway ends, for as long as it may take; the port is free then.
#[test]
fn what_is_under_way_is_waited_for_at_the_end() {
    let server = Answering::start("a");
    let quiet = Duration::from_millis(300);
    let options = GatewayOptions { terms: silent(quiet), ..patient() };
    let (gateway, address) = gateway(&[datagrams("db", &[server.address])], options, "127.0.0.1:0");
    let (old, new) = (client(address), client(address));
    assert_eq!(ask(&old, b"x"), b"ax");
    std::thread::scope(|scope| {
        let ending = scope.spawn(|| gateway.drain(PATIENCE));
        new.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        // From some moment on nobody new is taken in.
        eventually("it ends", || {
            let fresh = client(address);
            fresh.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            assert_eq!(ask(&old, b"y"), b"ay");
            let _ = fresh.send(b"x");
            fresh.recv(&mut [0; 9]).is_err()
        });
        assert_eq!(ask(&old, b"z"), b"az");
        assert!(!ending.is_finished());
    });
    let outcome = old.send(b"x").and_then(|_| old.recv(&mut [0; 9]));
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    UdpSocket::bind(address).unwrap();
}

/// Real queries and a real server, by UDP routes.
#[test]
fn dig_is_answered() {
    let (Ok(_), Ok(_)) = (which("dnsmasq"), which("dig")) else {
        eprintln!("skipped: dig_is_answered: there is no dnsmasq, or no dig");
        return;
    };
    let endpoint = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let port = format!("--port={}", endpoint.port());
    let mut server = Command::new("dnsmasq")
        .args(["--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", &port])
        .args(["--listen-address=127.0.0.1", "--bind-interfaces", "--user="])
        .args(["--address=/home.test/192.0.2.7"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (_gateway, address) = gateway(&[datagrams("dns", &[endpoint])], patient(), "127.0.0.1:0");
    let answered = || {
        let at = [format!("@{}", address.ip()), format!("-p{}", address.port())];
        let mut dig = Command::new("dig");
        dig.args(at).args(["+short", "+tries=1", "+time=1", "a.home.test"]);
        let output = dig.output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim() == "192.0.2.7"
    };
    eventually("an answer", answered);
    let _ = server.kill();
    let _ = server.wait();
}

fn which(program: &str) -> Result<(), ()> {
    let found = Command::new("which").arg(program).stdout(Stdio::null()).status();
    found.is_ok_and(|it| it.success()).then_some(()).ok_or(())
}
