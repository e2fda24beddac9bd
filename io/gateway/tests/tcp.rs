//! Connections of TCP routes: where they go, what is carried, and how they end.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use steelyard_gateway::{EntryTerms, Gateway, GatewayOptions, Timeouts};
use steelyard_model::routing::filter::access::{AllowedClients, Networks};
use steelyard_model::routing::filter::{Filter, FilterNode, Use};
use steelyard_model::routing::id::FilterId;
use steelyard_model::routing::transport::{ProxyVersion, Transport};
use steelyard_model::routing::trust::Trust;
use steelyard_model::routing::world::RoutingMap;
use support::tcp::*;
use support::*;

/// First flights that clients sent, and the server name in each.
const GO: (&str, &str) =
    (include_str!("../../../pure/preface/src/tests/hellos/go.hex"), "git.homelab.local");
const CHROMIUM: (&str, &str) =
    (include_str!("../../../pure/preface/src/tests/hellos/chromium.hex"), "photos.homelab.local");
const NAMELESS: &str = include_str!("../../../pure/preface/src/tests/hellos/openssl-no-name.hex");
const SSL_REQUEST: &[u8] = &[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
const GSS_REQUEST: &[u8] = &[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30];

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(char::is_ascii_hexdigit).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn exactly(mut stream: &TcpStream, count: usize) -> Vec<u8> {
    let mut all = vec![0; count];
    stream.read_exact(&mut all).unwrap();
    all
}

fn to_end(mut stream: &TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    all
}

/// Whether it ended, and not in order.
fn is_reset(mut stream: &TcpStream) -> bool {
    let read = stream.read_to_end(&mut Vec::new());
    read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

fn counted(gateway: &Gateway, family: &str, labels: &str) -> u64 {
    let metrics = scrape(gateway);
    let begin = format!("{family}{{{labels}}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&begin));
    line.map_or(0, |count| count.parse().unwrap())
}

fn turned_away(gateway: &Gateway, cause: &str) -> u64 {
    let labels = format!("cause=\"{cause}\",entrypoint=\"web\"");
    counted(gateway, "steelyard_connections_turned_away_total", &labels)
}

/// Says its name, then what it hears.
fn echo(name: &'static str) -> Server {
    Server::start(move |mut stream, _| {
        let _ = stream.write_all(name.as_bytes());
        let mut from = stream.try_clone().unwrap();
        let _ = std::io::copy(&mut from, &mut stream);
        let _ = stream.shutdown(Shutdown::Write);
    })
}

#[test]
fn who_speaks_second_is_not_waited_for() {
    let server = echo("ready");
    let (gateway, address) = tcp_gateway(&[plain("db", &[server.address])], Default::default());
    let mut client = connect(address);
    assert_eq!(exactly(&client, 5), b"ready");
    client.write_all(b"hello").unwrap();
    assert_eq!(exactly(&client, 5), b"hello");
    let of = "entrypoint=\"web\",service=\"default-db-1@tcp\"";
    assert_eq!(counted(&gateway, "steelyard_tcp_connections_total", of), 1);
    for (direction, bytes) in [("in", 5), ("out", 10)] {
        let labels = format!("direction=\"{direction}\",{of}");
        assert_eq!(counted(&gateway, "steelyard_tcp_bytes_total", &labels), bytes);
    }
}

#[test]
fn each_way_ends_by_itself() {
    let server = Server::start(|mut stream, _| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(format!("{} bytes", all.len()).as_bytes()).unwrap();
    });
    let (_gateway, address) = tcp_gateway(&[plain("a", &[server.address])], Default::default());
    let mut client = connect(address);
    client.write_all(&vec![b'x'; 300_000]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(to_end(&client), b"300000 bytes");
    // And the other way round.
    let server = Server::start(|mut stream, _| {
        stream.write_all(b"that is all").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"thank you");
    });
    let (_gateway, address) = tcp_gateway(&[plain("a", &[server.address])], Default::default());
    let mut client = connect(address);
    assert_eq!(to_end(&client), b"that is all");
    client.write_all(b"thank you").unwrap();
}

#[test]
fn much_goes_both_ways_at_once_and_comes_as_it_was() {
    let server = echo("");
    let (_gateway, address) = tcp_gateway(&[plain("a", &[server.address])], Default::default());
    let client = connect(address);
    let all: Vec<u8> = (0_u32..8 * 1024 * 1024).flat_map(u32::to_le_bytes).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (&client).write_all(&all).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        });
        assert!(to_end(&client) == all);
    });
}

#[test]
fn handshakes_go_by_server_name_as_they_came() {
    let (git, photos, any) = (echo("git"), echo("pho"), echo("any"));
    let routes = [
        passed_on("git", GO.1, &[git.address]),
        passed_on("photos", CHROMIUM.1, &[photos.address]),
        passed_on("any", "*", &[any.address]),
    ];
    let (_gateway, address) = tcp_gateway(&routes, Default::default());
    for (hex, name) in [(GO.0, b"git"), (CHROMIUM.0, b"pho"), (NAMELESS, b"any")] {
        let flight = bytes(hex);
        for size in [flight.len(), 400, 1] {
            let mut client = connect(address);
            flight.chunks(size).for_each(|piece| client.write_all(piece).unwrap());
            assert_eq!(exactly(&client, 3), name);
            assert_eq!(exactly(&client, flight.len()), flight, "in pieces of {size}");
        }
        // In many records, and with more behind.
        let in_records = flight[5..].chunks(50).flat_map(|piece| {
            let length = u16::try_from(piece.len()).unwrap().to_be_bytes();
            [&[22, 3, 1], &length[..], piece].concat()
        });
        let all: Vec<u8> = in_records.chain(*b"more").collect();
        let mut client = connect(address);
        client.write_all(&all).unwrap();
        assert_eq!((exactly(&client, 3), exactly(&client, all.len())), (name.to_vec(), all));
    }
}

#[test]
fn plain_tls_and_http_share_a_port() {
    let (tls, db, web) = (echo("tls"), echo("ssh"), Server::echo("one"));
    let routes =
        [passed_on("tls", GO.1, &[tls.address]), plain("db", &[db.address]).from("127.0.0.0/24")];
    let (gateway, address) = tcp_gateway(&routes, Default::default());
    let mut client = connect(address);
    client.write_all(&bytes(GO.0)).unwrap();
    assert_eq!(exactly(&client, 3), b"tls");
    let mut client = connect(address);
    client.write_all(b"SSH").unwrap();
    assert_eq!(exactly(&client, 6), b"sshSSH");
    // Who is not meant by its route speaks HTTP.
    let routes =
        [passed_on("tls", GO.1, &[tls.address]), plain("db", &[db.address]).from("10.0.0.0/8")];
    gateway.apply(&with_tcp(routing(&[route("w", "*", "/", &[web.address])]), &routes), 3);
    assert_eq!(get(address, "a", "/").who(), "one");
    let mut slowly = Client::connect(address);
    for byte in b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" {
        slowly.send([*byte]);
    }
    assert_eq!(slowly.receive().who(), "one");
    assert_eq!(slowly.get("a", "/").who(), "one");
}

#[test]
fn what_begins_a_handshake_and_is_none_ends_and_is_counted() {
    let server = echo("tls");
    let flight = bytes(GO.0);
    let mut garbled = flight.clone();
    garbled[43] = 0xff; // The session's id is as long as this.
    let no_hello = [22, 3, 1, 0, 4, 2, 0, 0, 0];
    let too_long = [22, 3, 1, 0, 4, 1, 0xff, 0, 0];
    for (came, alert) in [(&garbled[..], 50), (&no_hello, 10), (&too_long, 50)] {
        let (gateway, address) =
            tcp_gateway(&[passed_on("a", "*", &[server.address])], Default::default());
        let mut client = connect(address);
        client.write_all(came).unwrap();
        assert_eq!(to_end(&client), [21, 3, 3, 0, 2, 2, alert]);
        assert_eq!(turned_away(&gateway, "client-hello"), 1);
    }
    let handshake = Duration::from_millis(200);
    let timeouts = Timeouts { handshake, ..Timeouts::default() };
    let options = GatewayOptions { timeouts, ..GatewayOptions::default() };
    let (gateway, address) = tcp_gateway(&[passed_on("a", "*", &[server.address])], options);
    for begun in [&b""[..], &flight[..1], &flight[..100], &SSL_REQUEST[..5]] {
        let mut client = connect(address);
        client.write_all(begun).unwrap();
        assert!(is_reset(&client));
    }
    assert_eq!(turned_away(&gateway, "timeout"), 4);
    assert_eq!(server.accepted.load(std::sync::atomic::Ordering::SeqCst), 0);
}

/// A server that speaks as one of Postgres does, and says what it got.
fn postgres(agrees: u8) -> Server {
    Server::start(move |mut stream, _| {
        let request = exactly(&stream, 8);
        assert_eq!(request, SSL_REQUEST);
        stream.write_all(&[agrees]).unwrap();
        let mut from = stream.try_clone().unwrap();
        let _ = std::io::copy(&mut from, &mut stream);
    })
}

#[test]
fn postgres_is_asked_for_tls_in_its_clients_name() {
    let (git, other) = (postgres(b'S'), postgres(b'S'));
    let routes =
        [passed_on("git", GO.1, &[git.address]), passed_on("other", "*", &[other.address])];
    let (_gateway, address) = tcp_gateway(&routes, Default::default());
    for (begin, answers) in [(&[SSL_REQUEST][..], &b"S"[..]), (&[GSS_REQUEST, SSL_REQUEST], b"NS")]
    {
        for (hex, server) in [(GO.0, &git), (NAMELESS, &other)] {
            let before = server.accepted.load(std::sync::atomic::Ordering::SeqCst);
            let mut client = connect(address);
            for (request, answer) in begin.iter().zip(answers) {
                request.iter().for_each(|it| client.write_all(&[*it]).unwrap());
                assert_eq!(exactly(&client, 1), [*answer]);
            }
            client.write_all(&bytes(hex)).unwrap();
            assert_eq!(exactly(&client, bytes(hex).len()), bytes(hex));
            assert_eq!(server.accepted.load(std::sync::atomic::Ordering::SeqCst), before + 1);
        }
    }
}

#[test]
fn a_postgres_without_tls_gets_nothing_of_its_client() {
    let server = postgres(b'N');
    let (gateway, address) =
        tcp_gateway(&[passed_on("a", "*", &[server.address])], Default::default());
    let mut client = connect(address);
    client.write_all(SSL_REQUEST).unwrap();
    assert_eq!(exactly(&client, 1), b"S");
    client.write_all(&bytes(GO.0)).unwrap();
    assert!(is_reset(&client));
    assert_eq!(turned_away(&gateway, "endpoint-without-tls"), 1);
    // Nor is plain text behind a granted wish anybody's.
    let mut client = connect(address);
    client.write_all(&[SSL_REQUEST, &b"\0\0\0\x09\0\x03\0\0\0"[..]].concat()).unwrap();
    assert_eq!(to_end(&client), [b'S', 21, 3, 3, 0, 2, 2, 10]);
    assert_eq!(turned_away(&gateway, "client-hello"), 1);
    // Who asks over and over is answered once: it is nobody's client.
    let mut client = connect(address);
    client.write_all(&GSS_REQUEST.repeat(1000)).unwrap();
    assert!(to_end(&client).starts_with(b"NHTTP/1.1 400 Bad Request\r\n"));
}

/// Where no TLS is served to it, a client of Postgres asks its server.
#[test]
fn postgres_in_plain_text_is_its_servers_business() {
    let server = postgres(b'N');
    let (_gateway, address) = tcp_gateway(&[plain("a", &[server.address])], Default::default());
    let mut client = connect(address);
    client.write_all(SSL_REQUEST).unwrap();
    assert_eq!(exactly(&client, 1), b"N");
}

#[test]
fn another_endpoint_is_tried_and_nobody_is_told_by_a_reset() {
    let server = echo("ready");
    let (gateway, address) =
        tcp_gateway(&[plain("a", &[dead(), server.address, dead()])], Default::default());
    for _ in 0..6 {
        assert_eq!(exactly(&connect(address), 5), b"ready");
    }
    gateway.apply(&with_tcp(routing(&[]), &[plain("a", &[dead(), dead()])]), 3);
    assert!(is_reset(&connect(address)));
    assert_eq!(turned_away(&gateway, "connect"), 1);
    gateway.apply(&with_tcp(routing(&[]), &[plain("a", &[])]), 4);
    assert!(is_reset(&connect(address)));
    assert_eq!(turned_away(&gateway, "no-endpoints"), 1);
    // What is spoken to it is not what comes.
    gateway
        .apply(&with_tcp(routing(&[]), &[plain("a", &[server.address]).by(Transport::plain())]), 5);
    assert!(is_reset(&connect(address)));
    assert_eq!(turned_away(&gateway, "refused"), 1);
}

/// Where none of many takes connections, what is tried again and again would be load on whoever
/// comes back.
#[test]
fn attempts_have_a_budget() {
    const CLIENTS: u64 = 200;
    let all = [(); 4].map(|()| dead());
    let (gateway, address) = tcp_gateway(&[plain("a", &all)], Default::default());
    let began = std::time::Instant::now();
    for _ in 0..CLIENTS {
        assert!(is_reset(&connect(address)));
    }
    let of = |family| counted(&gateway, family, "service=\"default-a-1@tcp\"");
    let retries = of("traefik_service_retries_total");
    let most = 100 + CLIENTS * 15 / 100 + 20 * (began.elapsed().as_secs() + 1);
    assert!((100..=most).contains(&retries), "{retries} of {most}");
    // Who was denied one more attempt had no other.
    assert!(of("steelyard_service_retries_withheld_total") >= CLIENTS - retries);
}

#[test]
fn endpoints_are_told_where_a_connection_comes_from() {
    let server = Server::start(|mut stream, _| {
        let mut from = stream.try_clone().unwrap();
        let _ = std::io::copy(&mut from, &mut stream);
    });
    let sends = |version| {
        let transport = Transport { proxy_protocol: Some(version), ..Transport::bytes() };
        [plain("a", &[server.address]).by(transport)]
    };
    let (gateway, address) = tcp_gateway(&sends(ProxyVersion::V1), Default::default());
    let mut client = connect(address);
    client.write_all(b"x").unwrap();
    let (own, to) = (client.local_addr().unwrap(), address.port());
    let expected = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {} {to}\r\nx", own.port());
    assert_eq!(exactly(&client, expected.len()), expected.as_bytes());
    gateway.apply(&with_tcp(routing(&[]), &sends(ProxyVersion::V2)), 3);
    let mut client = connect(address);
    client.write_all(b"x").unwrap();
    let ports = [client.local_addr().unwrap().port(), to].map(u16::to_be_bytes).concat();
    let head = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01";
    let expected = [&head[..], &ports, b"x"].concat();
    assert_eq!(exactly(&client, expected.len()), expected);
    // What was told to us is told on.
    let proxied = Arc::new(Trust::Everybody);
    let options = one_worker(EntryTerms { proxied, ..EntryTerms::default() });
    let (_gateway, address) = tcp_gateway(&sends(ProxyVersion::V1), options);
    let header = b"PROXY TCP6 2001:db8::7 2001:db8::8 4711 443\r\n";
    let mut client = connect(address);
    client.write_all(&[&header[..], b"x"].concat()).unwrap();
    assert_eq!(exactly(&client, header.len() + 1), [&header[..], b"x"].concat());
}

#[test]
fn who_is_silent_for_too_long_is_ended_by_a_reset() {
    let server = echo("ready");
    let idle = Some(Duration::from_millis(200));
    let brief = Transport { idle, ..Transport::bytes() };
    let routes = [plain("a", &[server.address]).by(brief)];
    let (_gateway, address) = tcp_gateway(&routes, Default::default());
    let client = connect(address);
    assert_eq!(exactly(&client, 5), b"ready");
    assert!(is_reset(&client));
    // Once one side has closed it, by another measure.
    let silent = Server::start(|stream, _| drop(to_end(&stream)));
    let waits = Server::start(|mut stream, _| {
        let _ = stream.read_to_end(&mut Vec::new());
        let _ = stream.read(&mut [0]);
        std::thread::sleep(PATIENCE);
    });
    let brief = Transport { half_closed: idle, ..Transport::bytes() };
    for (server, is_cut) in [(&silent, false), (&waits, true)] {
        let routes = [plain("a", &[server.address]).by(brief.clone())];
        let (_gateway, address) = tcp_gateway(&routes, Default::default());
        let client = connect(address);
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(is_reset(&client), is_cut);
    }
}

#[test]
fn what_an_endpoint_breaks_off_is_broken_off() {
    let server = Server::start(|mut stream, _| {
        stream.write_all(b"the first half").unwrap();
        let _ = stream.read(&mut [0]);
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    let (_gateway, address) = tcp_gateway(&[plain("a", &[server.address])], Default::default());
    let mut client = connect(address);
    assert_eq!(exactly(&client, 14), b"the first half");
    client.write_all(b"x").unwrap();
    assert!(is_reset(&client));
}

/// Who says what there is to say and leaves is heard to the end, whatever is said to it meanwhile.
#[test]
fn what_was_said_comes_whole_also_of_who_is_gone() {
    const SIZE: usize = 1024 * 1024;
    let (leave, left) = std::sync::mpsc::channel::<()>();
    let (told, came) = std::sync::mpsc::channel::<std::io::Result<usize>>();
    let left = std::sync::Mutex::new(left);
    let server = Server::start(move |mut stream, _| {
        left.lock().unwrap().recv().unwrap();
        for _ in 0..20 {
            let _ = stream.write_all(b"are you there?");
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut all = Vec::new();
        told.send(stream.read_to_end(&mut all).map(|_| all.len())).unwrap();
    });
    let (_gateway, address) = tcp_gateway(&[plain("a", &[server.address])], Default::default());
    let mut client = connect(address);
    client.write_all(&vec![b'x'; SIZE]).unwrap();
    drop(client);
    leave.send(()).unwrap();
    assert_eq!(came.recv_timeout(PATIENCE).unwrap().unwrap(), SIZE);
}

#[test]
fn connections_outlive_their_route_and_are_waited_for_at_the_end() {
    let server = echo("ready");
    let (gateway, address) = tcp_gateway(&[plain("a", &[server.address])], Default::default());
    let mut client = connect(address);
    assert_eq!(exactly(&client, 5), b"ready");
    gateway.apply(&routing(&[]), 3);
    client.write_all(b"still").unwrap();
    assert_eq!(exactly(&client, 5), b"still");
    std::thread::scope(|scope| {
        let draining = scope.spawn(|| gateway.drain(PATIENCE));
        eventually("nobody listens", || TcpStream::connect(address).is_err());
        client.write_all(b"there").unwrap();
        assert_eq!(exactly(&client, 5), b"there");
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(to_end(&client), b"");
        draining.join().unwrap();
    });
    // Who does not come to an end is not waited for without one.
    let (gateway, address) = tcp_gateway(&[plain("a", &[server.address])], Default::default());
    let client = connect(address);
    assert_eq!(exactly(&client, 5), b"ready");
    gateway.drain(Duration::from_millis(100));
    assert!(is_reset(&client), "it is no orderly end");
}

#[test]
fn what_is_carried_is_cut_off_when_its_listener_is_gone_for_so_long() {
    let server = echo("ready");
    let closed_listener = Duration::from_millis(200);
    let timeouts = Timeouts { closed_listener, ..Timeouts::default() };
    let options = GatewayOptions { workers: 1, timeouts, ..GatewayOptions::default() };
    let (gateway, address) = tcp_gateway(&[plain("a", &[server.address])], options);
    let mut client = connect(address);
    assert_eq!(exactly(&client, 5), b"ready");
    client.write_all(b"still").unwrap();
    assert_eq!(exactly(&client, 5), b"still");
    gateway.listen(&[]);
    assert!(is_reset(&client), "it is no orderly end");
    let of = "cause=\"cut-off\",entrypoint=\"web\"";
    eventually("it is counted", || counted(&gateway, "steelyard_request_faults_total", of) == 1);
}

/// More than may be under way at a time: the longest make room, and others are served meanwhile.
#[test]
fn handshakes_that_do_not_go_on_keep_nobody_out() {
    let server = echo("git");
    let (gateway, address) =
        tcp_gateway(&[passed_on("a", "*", &[server.address])], Default::default());
    let flight = bytes(GO.0);
    steelyard_host::descriptors::raise().unwrap();
    let mut crowd = Vec::new();
    for _ in 0..3_000 {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&flight[..700]).unwrap();
        crowd.push(stream);
    }
    let open = || {
        let mut client = connect(address);
        client.write_all(&flight).unwrap();
        assert_eq!(exactly(&client, 3), b"git");
        counted(&gateway, "traefik_open_connections", "entrypoint=\"web\",protocol=\"TCP\"")
    };
    eventually("no more than may", || open() <= 1_026);
}

/// A program of somebody else's, ended with the test.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn openssl_talks_to_openssl_by_server_name() {
    let openssl = |arguments: &str| {
        let mut command = Command::new("openssl");
        command.args(arguments.split_whitespace());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn()
    };
    if openssl("version").is_err() {
        eprintln!("skipped: there is no openssl");
        return;
    }
    let [key, certificate] = ["tcp-key", "tcp-certificate"].map(TemporaryFile::new);
    let [key, certificate] = [&key, &certificate].map(|it| it.0.display().to_string());
    let make = format!(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=a \
         -keyout {key} -out {certificate}"
    );
    assert!(openssl(&make).unwrap().wait().unwrap().success());
    // An address that is free, to be listened at by somebody else.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    drop(listener);
    let serve = format!("s_server -accept {server} -cert {certificate} -key {key} -rev -quiet");
    let _server = Peer(openssl(&serve).unwrap());
    eventually("it listens", || TcpStream::connect(server).is_ok());
    let routes = [passed_on("a", "a.example", &[server]), passed_on("b", "b.example", &[dead()])];
    let (gateway, address) = tcp_gateway(&routes, Default::default());
    for version in ["-tls1_3", "-tls1_2"] {
        let ask = format!("s_client -connect {address} -servername A.example -quiet {version}");
        let mut client = Peer(openssl(&ask).unwrap());
        let mut says = client.0.stdin.take().unwrap();
        says.write_all(b"steelyard\n").unwrap();
        let mut answer = [0; 10];
        client.0.stdout.take().unwrap().read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"drayleets\n");
    }
    let ask = format!("s_client -connect {address} -servername b.example -quiet");
    assert!(!openssl(&ask).unwrap().wait().unwrap().success());
    assert_eq!(turned_away(&gateway, "connect"), 1);
}

/// The route `name` of [`with_tcp`] uses these filters.
fn gated(map: &mut RoutingMap, name: &str, filters: Vec<Filter>) {
    let mut uses = Vec::new();
    for (number, filter) in filters.into_iter().enumerate() {
        let id = FilterId::from(format!("gate-{number}"));
        uses.push(Use { filter: id.clone(), state: id.as_str().into() });
        map.filters.insert(id.clone(), Arc::new(FilterNode { id, place: None, filter }));
    }
    let id = format!("default/{name}/0@tcp").into();
    let mut route = (**map.routes.get(&id).unwrap()).clone();
    route.uses = uses;
    map.routes.insert(id, Arc::new(route));
}

fn allowing(range: &str) -> Filter {
    let ranges = Networks::parse(&[range]).unwrap();
    let (source, page) = Default::default();
    Filter::AllowAddresses(AllowedClients { ranges, source, status: 403, page })
}

/// Who is not let in has reached no endpoint, also not by a handshake that would be passed on.
#[test]
fn only_some_addresses_are_let_in() {
    let (server, passed) = (echo("ready"), echo("passed"));
    let routes = [plain("db", &[server.address]), passed_on("web", GO.1, &[passed.address])];
    for (range, is_in) in [("127.0.0.0/8", true), ("10.0.0.0/8", false)] {
        let (gateway, address) = gateway_with(&[], Default::default());
        let mut map = with_tcp(routing(&[]), &routes[1..]);
        gated(&mut map, "web", vec![allowing(range)]);
        gateway.apply(&map, 2);
        let mut client = connect(address);
        client.write_all(&bytes(GO.0)).unwrap();
        if is_in {
            assert_eq!(exactly(&client, 6), b"passed");
        } else {
            assert!(is_reset(&client));
            assert_eq!(passed.accepted.load(Ordering::SeqCst), 1, "the other one's");
            assert_eq!(turned_away(&gateway, "address"), 1);
        }
        let mut map = with_tcp(routing(&[]), &routes[..1]);
        gated(&mut map, "db", vec![allowing(range)]);
        gateway.apply(&map, 3);
        let client = connect(address);
        match is_in {
            true => assert_eq!(exactly(&client, 5), b"ready"),
            false => assert!(is_reset(&client)),
        }
    }
    assert_eq!(server.accepted.load(Ordering::SeqCst), 1);
}

/// One budget for all cores, which a reload leaves as it is: connections of before it count.
#[test]
fn so_many_connections_of_an_address_are_let_in_at_once() {
    let server = echo("ready");
    let options = GatewayOptions { workers: 4, ..GatewayOptions::default() };
    let (gateway, address) = gateway_with(&[], options);
    let mut map = with_tcp(routing(&[]), &[plain("db", &[server.address])]);
    gated(&mut map, "db", vec![Filter::InFlightConnections(3)]);
    gateway.apply(&map, 2);
    let enter = || {
        let client = connect(address);
        let mut greeting = [0; 5];
        (&client).read_exact(&mut greeting).ok().map(|()| client)
    };
    let mut held: Vec<_> = (0..3).map(|_| enter().unwrap()).collect();
    for _ in 0..8 {
        assert!(enter().is_none());
    }
    gateway.apply(&map, 3);
    assert!(enter().is_none(), "those of before count");
    gated(&mut map, "db", vec![Filter::InFlightConnections(4)]);
    gateway.apply(&map, 4);
    held.push(enter().unwrap());
    assert!(enter().is_none());
    held.truncate(2);
    eventually("who has gone leaves room", || enter().is_some());
    assert!(turned_away(&gateway, "in-flight") >= 10);
}

/// However many come and go beyond the limit, and however they go, no place is lost.
#[test]
fn no_place_is_lost_to_those_who_go() {
    let server = echo("ready");
    let options = GatewayOptions { workers: 2, ..GatewayOptions::default() };
    let (gateway, address) = gateway_with(&[], options);
    let mut map = with_tcp(routing(&[]), &[plain("db", &[server.address])]);
    gated(&mut map, "db", vec![Filter::InFlightConnections(2)]);
    gateway.apply(&map, 2);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for number in 0..500 {
                    let client = connect(address);
                    if (number + thread) % 3 == 0 {
                        socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
                    }
                    if number % 2 == 0 {
                        let _ = (&client).read(&mut [0; 5]);
                    }
                }
            });
        }
    });
    let both = || {
        let clients = [connect(address), connect(address)];
        clients.iter().all(|mut client| client.read_exact(&mut [0; 5]).is_ok())
    };
    eventually("both places are free", both);
}

/// What is for requests, and what is not there, closes a route of connections.
#[test]
fn a_route_with_what_is_no_filter_of_connections_is_closed() {
    let server = echo("ready");
    let (gateway, address) = gateway_with(&[], Default::default());
    let mut map = with_tcp(routing(&[]), &[plain("db", &[server.address])]);
    gated(&mut map, "db", vec![Filter::ContentType]);
    gateway.apply(&map, 2);
    assert!(is_reset(&connect(address)));
    assert_eq!(server.accepted.load(Ordering::SeqCst), 0);
}
