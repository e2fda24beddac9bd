//! Handshakes that are none, never end, or come to nothing: each is counted by its cause, and
//! another client is served meanwhile.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "tls_attacks/hellos.rs"]
mod hellos;
mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{AlertDescription, ClientConfig, ClientConnection};
use steelyard_gateway::{Gateway, GatewayOptions, Timeouts};
use support::tls::*;
use support::*;

/// A gateway with one route, and a client that believes it.
struct Scene {
    gateway: Gateway,
    address: SocketAddr,
    authority: Authority,
    client: Arc<ClientConfig>,
    _server: Server,
}

impl Scene {
    fn new(options: GatewayOptions) -> Self {
        let authority = Authority::new("ca");
        let server = Server::echo("one");
        let routes = [route("one", "a.test", "/", &[server.address])];
        let map = secure(&routes, &[authority.certificate("a", &["a.test"])]);
        let (gateway, address) = secure_gateway(&map, options);
        let client = Arc::new(authority.client());
        Self { gateway, address, authority, client, _server: server }
    }

    fn one() -> Self {
        Self::new(GatewayOptions { workers: 1, ..GatewayOptions::default() })
    }

    /// Somebody else is served.
    fn serves(&self) {
        let mut secured = Secured::connect(self.address, "a.test", &self.client);
        assert_eq!(secured.get("a.test", "/").who(), "one");
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// How many connections came to nothing for this cause.
    fn failed(&self, cause: &str) -> u64 {
        let text = scrape(&self.gateway);
        let of = |family: &str, label: &str| {
            let line = format!("{family}{{{label}=\"{cause}\",entrypoint=\"websecure\"}} ");
            let count = text.lines().find_map(|it| it.strip_prefix(&*line));
            count.map_or(0, |count| count.parse::<u64>().unwrap())
        };
        of("steelyard_tls_handshake_failures_total", "cause")
            + of("steelyard_connections_turned_away_total", "cause")
            + of("steelyard_connections_made_room_total", "awaited")
    }

    fn eventually_failed(&self, cause: &str, count: u64) {
        let end = Instant::now() + PATIENCE;
        while self.failed(cause) < count {
            assert!(Instant::now() < end, "{cause}: {} of {count}", self.failed(cause));
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The first message of a client.
fn hello() -> Vec<u8> {
    let authority = Authority::new("ca");
    let name = "a.test".try_into().unwrap();
    let mut connection = ClientConnection::new(Arc::new(authority.client()), name).unwrap();
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).unwrap();
    bytes
}

/// Whether the other side has ended the connection.
fn is_ended(mut stream: TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn garbage_ends_at_once() {
    let scene = Scene::one();
    let mut broken = hello();
    broken.truncate(60);
    broken.extend([0xff; 400]);
    for (count, bytes) in
        [&b"\x16\x02\x00\x00\x05"[..], b"\x16\x03\x01\xff\xff", &broken].into_iter().enumerate()
    {
        let mut stream = scene.connect();
        stream.write_all(bytes).unwrap();
        assert!(is_ended(stream));
        scene.eventually_failed("client-hello", count as u64 + 1);
    }
    // A server's message in the place of the client's second one.
    let mut stream = scene.connect();
    stream.write_all(&hello()).unwrap();
    stream.write_all(b"\x16\x03\x03\x00\x04\x02\x00\x00\x00").unwrap();
    assert!(is_ended(stream));
    scene.eventually_failed("malformed", 1);
    scene.serves();
}

#[test]
fn what_is_no_handshake_is_a_request() {
    let scene = Scene::one();
    let mut client = Client::connect(scene.address);
    let answer = client.get("a.test", "/");
    assert_eq!(answer.status(), 404);
    assert!(answer.text().contains("it is for TLS"), "{}", answer.text());
    scene.serves();
}

#[test]
fn a_first_message_comes_byte_by_byte() {
    let scene = Scene::one();
    let mut stream = scene.connect();
    stream.set_nodelay(true).unwrap();
    for byte in hello() {
        stream.write_all(&[byte]).unwrap();
    }
    let mut first = [0];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(first[0], 22, "a handshake goes on");
    stream.shutdown(Shutdown::Write).unwrap();
    scene.eventually_failed("client-gone", 1);
}

#[test]
fn a_first_message_has_an_end() {
    let scene = Scene::one();
    let mut stream = scene.connect();
    // A message of 16 MiB, in records.
    let record = |first: &[u8]| {
        let mut bytes = vec![22, 3, 1, 0x40, 0];
        bytes.extend_from_slice(first);
        bytes.resize(5 + 0x4000, 0);
        bytes
    };
    let _ = stream.write_all(&record(&[1, 0xff, 0xff, 0xff]));
    let _ = stream.write_all(&record(&[]));
    assert!(is_ended(stream));
    scene.eventually_failed("client-hello", 1);
    scene.serves();
}

#[test]
fn who_takes_too_long_ends() {
    let timeouts = Timeouts { handshake: Duration::from_millis(300), ..Timeouts::default() };
    let scene = Scene::new(GatewayOptions { workers: 1, timeouts, ..GatewayOptions::default() });
    let (silent, mut slow, mut half) = (scene.connect(), scene.connect(), scene.connect());
    slow.write_all(&hello()[..7]).unwrap();
    half.write_all(&hello()).unwrap();
    scene.serves();
    scene.eventually_failed("timeout", 3);
    for stream in [silent, slow, half] {
        assert!(is_ended(stream));
    }
}

/// As many as one process may have open: those that have taken longest make room.
#[test]
fn thousands_of_half_open_handshakes_keep_nobody_out() {
    const MANY: usize = 10_000;
    let scene = Scene::one();
    let first = hello();
    let mut all = Vec::with_capacity(MANY);
    for number in 0..MANY {
        let mut stream = TcpStream::connect(scene.address).unwrap();
        if number % 2 == 0 {
            let _ = stream.write_all(&first);
        }
        all.push(stream);
        if number % 500 == 499 {
            scene.serves();
        }
    }
    // Who has just come has a moment to say something.
    let end = Instant::now() + PATIENCE;
    let line = "traefik_open_connections{entrypoint=\"websecure\",protocol=\"TCP\"} ";
    loop {
        scene.serves();
        let text = scrape(&scene.gateway);
        let open = text.lines().find_map(|it| it.strip_prefix(line)).unwrap();
        if open.parse::<usize>().unwrap() <= 1_100 {
            break;
        }
        assert!(Instant::now() < end, "{open} are open");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(scene.failed("opening") > 1_000);
}

/// TLS 1.2 has it, and no server needs it (RFC 9325 §3.5).
#[test]
fn nobody_renegotiates() {
    let scene = Scene::one();
    let mut openssl = Command::new("openssl")
        .args(["s_client", "-tls1_2", "-servername", "a.test", "-connect"])
        .arg(scene.address.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = openssl.stdin.take().unwrap();
    input.write_all(b"R\n").unwrap();
    input.flush().unwrap();
    let end = Instant::now() + PATIENCE;
    while openssl.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "it has not ended");
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = openssl.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("RENEGOTIATING"), "{said}");
    assert!(!output.status.success(), "{said}");
    scene.serves();
}

/// What somebody on the way may do to a record, and the alerts that tell of it: of what is too long
/// rustls has one or the other.
const CHANGES: [(Change, &[AlertDescription]); 3] = [
    (|record| [&record[..record.len() - 1], &[record[record.len() - 1] ^ 1]].concat(), MAC),
    (|record| resized(record, record.len() - HEAD - 1), MAC),
    (
        |record| resized(record, 0x4900),
        &[AlertDescription::RecordOverflow, AlertDescription::DecodeError],
    ),
];
type Change = fn(&[u8]) -> Vec<u8>;
const MAC: &[AlertDescription] = &[AlertDescription::BadRecordMac];
const HEAD: usize = 5;

/// The same record with a content of this length.
fn resized(record: &[u8], length: usize) -> Vec<u8> {
    let mut changed = record.to_vec();
    changed.resize(HEAD + length, 0);
    changed[3..HEAD].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
    changed
}

/// The last record of the client's next flight is another one.
fn send_changed(connection: &mut ClientConnection, stream: &mut TcpStream, at: usize) {
    let (mut flight, mut last) = (Vec::new(), 0);
    while connection.wants_write() {
        connection.write_tls(&mut flight).unwrap();
    }
    let end =
        |at: usize| at + HEAD + usize::from(u16::from_be_bytes([flight[at + 3], flight[at + 4]]));
    while end(last) < flight.len() {
        last = end(last);
    }
    let changed = CHANGES[at].0(&flight[last..]);
    // Who has heard enough does not take all of it.
    let _ = stream.write_all(&[&flight[..last], &changed].concat());
}

/// The alert that ends it.
fn heard(connection: &mut ClientConnection, stream: &mut TcpStream) -> Option<AlertDescription> {
    loop {
        if connection.read_tls(stream).ok()? == 0 {
            return None;
        }
        match connection.process_new_packets() {
            Ok(_) => {}
            Err(rustls::Error::AlertReceived(alert)) => return Some(alert),
            Err(_) => return None,
        }
    }
}

/// Records that were changed on their way: the last of a handshake, and what is said after it.
#[test]
fn changed_records_are_noticed() {
    let scene = Scene::one();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = Arc::new(scene.authority.client_of(&[version]));
        for (at, (_, alerts)) in CHANGES.iter().enumerate() {
            for is_late in [false, true] {
                let mut stream = scene.connect();
                let name = "a.test".try_into().unwrap();
                let mut connection = ClientConnection::new(config.clone(), name).unwrap();
                connection.write_tls(&mut stream).unwrap();
                // Until its second flight is ready.
                while !connection.wants_write() {
                    connection.read_tls(&mut stream).unwrap();
                    connection.process_new_packets().unwrap();
                }
                if is_late {
                    while connection.is_handshaking() || connection.wants_write() {
                        connection.complete_io(&mut stream).unwrap();
                    }
                    connection.writer().write_all(b"GET / HTTP/1.1\r\n").unwrap();
                }
                send_changed(&mut connection, &mut stream, at);
                let heard = heard(&mut connection, &mut stream);
                let is_told = heard.is_some_and(|it| alerts.contains(&it));
                assert!(is_told, "{version:?}, {at}, {is_late}: {heard:?}");
            }
        }
    }
    // Each handshake is counted, and what was cut off after one is no handshake.
    scene.eventually_failed("malformed", 6);
    scene.serves();
}

/// What is cut off is not the whole: an end needs a farewell.
#[test]
fn who_leaves_without_a_word_has_not_sent_all() {
    let scene = Scene::one();
    let mut secured = Secured::connect(scene.address, "a.test", &scene.client);
    let stream = secured.reader.get_mut();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nabc").unwrap();
    stream.sock.shutdown(Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(!String::from_utf8_lossy(&rest).contains("one\nPOST"), "no endpoint was asked for it");
    scene.serves();
}
