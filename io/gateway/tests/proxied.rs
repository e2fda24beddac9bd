//! Connections that begin with a header of the PROXY protocol: whom it is believed, and what
//! becomes of those that are none.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use steelyard_gateway::{AccessLog, EntryTerms, Gateway, GatewayOptions, Timeouts};
use steelyard_model::routing::belief::{NginxBelief, NginxForwarded, NginxProxied};
use steelyard_model::routing::entry_point::{EntryPoint, NginxSocket};
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::transport::{ProxyVersion, Transport};
use steelyard_model::routing::trust::Trust;
use steelyard_model::{FieldPath, ObjectRef, Provenance};
use support::*;

const V1: &[u8] = b"PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\r\n";
/// The same in version 2, with a TLV that only fills it up.
const V2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10\xcb\0\x71\x07\xc6\x33\x64\x01\x12\x67\x01\xbb\x04\0\x01x";
const V2_IPV6: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24\
    \x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x08\x12\x67\x01\xbb";
/// A health check of the load balancer's own.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn proxied(trust: Trust) -> GatewayOptions {
    one_worker(EntryTerms { proxied: Arc::new(trust), ..EntryTerms::default() })
}

fn by_ranges(range: &str) -> Trust {
    Trust::Ranges(vec![range.parse().unwrap()])
}

/// Who asks, as the backend is told.
fn asker(client: &mut Client) -> String {
    let answer = client.receive();
    assert_eq!(answer.status(), 200, "{answer:?}");
    let text = answer.text();
    let line = text.lines().find_map(|line| line.strip_prefix("X-Real-Ip: "));
    line.unwrap().trim().to_owned()
}

fn turned_away(gateway: &Gateway, cause: &str) -> bool {
    let metric = "steelyard_connections_turned_away_total";
    scrape(gateway).contains(&format!("{metric}{{cause=\"{cause}\",entrypoint=\"web\"}} 1\n"))
}

#[test]
fn a_header_says_where_its_connection_comes_from() {
    let server = Server::echo("one");
    let routes = [route("app", "*", "/", &[server.address])];
    for (trust, header, expected) in [
        (Trust::Everybody, V1, "203.0.113.7"),
        (Trust::Everybody, V2, "203.0.113.7"),
        (Trust::Everybody, V2_IPV6, "2001:db8::7"),
        (by_ranges("127.0.0.0/8"), V1, "203.0.113.7"),
        // Nobody is meant but the one who connects.
        (Trust::Everybody, b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (Trust::Everybody, LOCAL, "127.0.0.1"),
        // A stranger's is taken away, and not believed.
        (by_ranges("10.0.0.0/8"), V1, "127.0.0.1"),
        (by_ranges("10.0.0.0/8"), V2, "127.0.0.1"),
        // There need not be one.
        (Trust::Everybody, b"", "127.0.0.1"),
        (Trust::Everybody, b"\r\n", "127.0.0.1"),
    ] {
        let (_gateway, address) = gateway_with(&routes, proxied(trust.clone()));
        let whole = [header, REQUEST].concat();
        // In one segment, split, and byte by byte.
        for size in [whole.len(), header.len().max(1), 30, 1] {
            let mut client = Client::connect(address);
            for piece in whole.chunks(size) {
                client.send(piece);
            }
            let told = format!("{:?} in pieces of {size}", String::from_utf8_lossy(header));
            assert_eq!(asker(&mut client), expected, "{trust:?}: {told}");
            // It is for the whole connection, and there is one.
            assert_eq!(asker(client.send(REQUEST)), expected, "{told}");
        }
    }
}

#[test]
fn it_stands_before_a_handshake() {
    let (authority, server) = (tls::Authority::new("ca"), Server::echo("one"));
    let routes = [route("app", "*", "/", &[server.address])];
    let map = tls::secure(&routes, &[authority.certificate("a", &["a.test"])]);
    let client = Arc::new(authority.client());
    for (range, expected) in [("127.0.0.0/8", "203.0.113.7"), ("10.0.0.0/8", "127.0.0.1")] {
        let trust = Arc::new(by_ranges(range));
        let terms = Arc::new(EntryTerms { proxied: trust, ..EntryTerms::default() });
        let terms = [("websecure".to_owned(), terms)].into();
        let options = GatewayOptions { terms, workers: 1, ..GatewayOptions::default() };
        let (_gateway, address) = tls::secure_gateway(&map, options);
        for header in [V1, V2] {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(header).unwrap();
            let mut secured = tls::Secured::over(stream, "a.test", &client).unwrap();
            let text = secured.get("a.test", "/").text();
            assert!(text.contains(&format!("\nX-Real-Ip: {expected}\r\n")), "{range}: {text}");
        }
        // Inside of it there is none.
        let mut secured = tls::Secured::connect(address, "a.test", &client);
        secured.reader.get_mut().write_all(V1).unwrap();
        assert_eq!(secured.get("a.test", "/").status(), 400);
    }
}

#[test]
fn log_and_rules_go_by_it() {
    let server = Server::echo("one");
    let file = TemporaryFile::new("proxied");
    let access_log = Some(AccessLog { path: Some(file.0.clone()), ..AccessLog::default() });
    let options = GatewayOptions { access_log, ..proxied(Trust::Everybody) };
    let routes = [route("app", "*", "/", &[server.address])];
    let mut map = routing(&routes);
    let (id, known) = map.routes.iter().next().unwrap();
    let (id, mut theirs) = (id.clone(), (**known).clone());
    let is_theirs = Rule::One(Matcher::ClientIp("203.0.113.0/24".parse().unwrap()));
    theirs.rule = Arc::new(Rule::All(vec![(*theirs.rule).clone(), is_theirs]));
    map.routes.insert(id, Arc::new(theirs));
    let (gateway, address) = gateway_with(&routes, options);
    gateway.apply(&map, 2);
    for (header, status) in [(V1, 200), (V2_IPV6, 404)] {
        let mut client = Client::connect(address);
        assert_eq!(client.send(header).send(REQUEST).receive().status(), status);
    }
    for client in ["203.0.113.7 - ", "2001:db8::7 - "] {
        eventually("the log has it", || file.text().contains(client));
    }
}

#[test]
fn what_begins_as_a_header_and_is_none_ends_and_is_counted() {
    let too_long = [&V2[..12], b"\x21\x11\xff\xff"].concat();
    let no_end = [b"PROXY TCP4 ", &[b'1'; 200][..]].concat();
    for header in [
        &b"PROXY TCP4 203.0.113.7 198.51.100.1 4711\r\n"[..],
        b"PROXY TCP4 2001:db8::1 198.51.100.1 4711 443\r\n",
        b"PROXY TCP4 203.0.113.7 198.51.100.1 4711 443 1\r\n",
        &no_end,
        &[&V2[..12], b"\x31\x11\0\x0c"].concat(),
        &too_long,
    ] {
        for range in ["127.0.0.0/8", "10.0.0.0/8"] {
            let (gateway, address) = gateway_with(&[], proxied(by_ranges(range)));
            let mut client = Client::connect(address);
            client.send(header);
            assert!(client.is_closed(), "{:?}", String::from_utf8_lossy(header));
            assert!(turned_away(&gateway, "proxy-header"), "{}", scrape(&gateway));
        }
    }
}

#[test]
fn there_is_one_header_and_only_where_one_is_read() {
    let (_gateway, address) = gateway_with(&[], proxied(Trust::Everybody));
    let twice = Client::connect(address).send([V1, V2, REQUEST].concat()).receive();
    assert_eq!(twice.status(), 400);
    let (_gateway, address) = gateway(&[]);
    for header in [V1, V2] {
        assert_eq!(
            Client::connect(address).send([header, REQUEST].concat()).receive().status(),
            400
        );
    }
}

#[test]
fn who_does_not_go_on_is_not_waited_for() {
    let head = Duration::from_millis(200);
    let timeouts = Timeouts { head, ..Timeouts::default() };
    let options = || GatewayOptions { timeouts, ..proxied(Trust::Everybody) };
    for (begun, is_counted) in [(&b"PROXY TCP4 203"[..], true), (&V2[..20], true), (V1, false)] {
        let (gateway, address) = gateway_with(&[], options());
        let mut client = Client::connect(address);
        client.send(begun);
        assert!(client.is_closed());
        assert_eq!(turned_away(&gateway, "timeout"), is_counted, "{}", scrape(&gateway));
    }
    // Who leaves before the end of it.
    let (gateway, address) = gateway_with(&[], proxied(Trust::Everybody));
    Client::connect(address).send(&V1[..20]);
    eventually("it is counted", || turned_away(&gateway, "client-gone"));
}

/// More than may be under way at a time: the longest make room, and others are served meanwhile.
#[test]
fn who_begins_and_does_not_go_on_keeps_nobody_out() {
    let server = Server::echo("one");
    let routes = [route("app", "*", "/", &[server.address])];
    let (gateway, address) = gateway_with(&routes, proxied(Trust::Everybody));
    steelyard_host::descriptors::raise().unwrap();
    let mut crowd = Vec::new();
    for _ in 0..2_000 {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&V1[..20]).unwrap();
        crowd.push(stream);
    }
    assert_eq!(asker(Client::connect(address).send(V2).send(REQUEST)), "203.0.113.7");
    let open = || {
        let metrics = scrape(&gateway);
        let line = metrics.lines().find(|line| line.starts_with("traefik_open_connections{"));
        line.and_then(|line| line.rsplit(' ').next()).unwrap().parse::<usize>().unwrap()
    };
    // Whoever comes makes room for one more, once those before have waited for a moment.
    eventually("no more than may", || {
        assert_eq!(asker(Client::connect(address).send(V2).send(REQUEST)), "203.0.113.7");
        open() <= 1_025
    });
    assert!(scrape(&gateway).contains("made_room_total{awaited=\"opening\",entrypoint=\"web\"}"));
}

/// A program of somebody else's, ended with the test.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

/// From an address that nobody else has towards us.
fn from_elsewhere(front: SocketAddr) -> Client {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 9], 0)).into()).unwrap();
    socket.connect(&front.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Client { reader: BufReader::new(stream) }
}

/// Who asks, through `program` as `configure` has it, of front and gateway.
fn asker_behind(
    (program, arguments): (&str, &[&str]),
    configure: impl Fn(SocketAddr, SocketAddr) -> String,
) -> String {
    let server = Server::echo("one");
    let routes = [route("app", "*", "/", &[server.address])];
    let (_gateway, address) = gateway_with(&routes, proxied(by_ranges("127.0.0.1/32")));
    let front = free_address();
    let file = TemporaryFile::new(&format!("{program}-{}", front.port()));
    std::fs::write(&file.0, configure(front, address)).unwrap();
    let mut command = Command::new(program);
    command.args(arguments).arg(&file.0).stdout(Stdio::null()).stderr(Stdio::null());
    let _running = Peer(command.spawn().unwrap());
    eventually("it listens", || TcpStream::connect(front).is_ok());
    asker(from_elsewhere(front).send(REQUEST))
}

#[test]
fn haproxy_in_front() {
    if Command::new("haproxy").arg("-v").output().is_err() {
        eprintln!("skipped: there is no haproxy");
        return;
    }
    for (option, expected) in [
        ("send-proxy", "127.0.0.9"),
        ("send-proxy-v2", "127.0.0.9"),
        ("send-proxy-v2 proxy-v2-options crc32c", "127.0.0.9"),
        ("send-proxy-v2-ssl-cn proxy-v2-options ssl,cert-cn,crc32c", "127.0.0.9"),
        ("", "127.0.0.1"),
    ] {
        let asker = asker_behind(("haproxy", &["-db", "-f"]), |front, gateway| {
            format!(
                "defaults\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n \
                 mode tcp\nlisten front\n bind {front}\n server gateway {gateway} {option}\n"
            )
        });
        assert_eq!(asker, expected, "{option}");
    }
}

#[test]
fn nginx_in_front() {
    const MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";
    if !std::path::Path::new(MODULE).exists() {
        eprintln!("skipped: there is no nginx with its stream module");
        return;
    }
    for (is_on, expected) in [("on", "127.0.0.9"), ("off", "127.0.0.1")] {
        let asker = asker_behind(("nginx", &["-e", "stderr", "-c"]), |front, gateway| {
            format!(
                "load_module {MODULE};\ndaemon off;\nmaster_process off;\npid /dev/null;\n\
                 events {{}}\nstream {{ server {{ listen {front}; proxy_pass {gateway}; \
                 proxy_protocol {is_on}; }} }}\n"
            )
        });
        assert_eq!(asker, expected, "{is_on}");
    }
}

/// What `program`, as `configure` has it, says to who comes by a TCP route that tells it whence,
/// and asks so.
fn said_behind(
    (program, arguments): (&str, &[&str]),
    (version, asks): (ProxyVersion, &[u8]),
    configure: impl Fn(SocketAddr) -> String,
) -> String {
    let at = free_address();
    let file = TemporaryFile::new(&format!("{program}-{}", at.port()));
    std::fs::write(&file.0, configure(at)).unwrap();
    let mut command = Command::new(program);
    command.args(arguments).arg(&file.0).stdout(Stdio::null()).stderr(Stdio::null());
    let _running = Peer(command.spawn().unwrap());
    eventually("it listens", || TcpStream::connect(at).is_ok());
    let transport = Transport { proxy_protocol: Some(version), ..Transport::bytes() };
    let routes = [tcp::plain("behind", &[at]).by(transport)];
    let (_gateway, address) = tcp::tcp_gateway(&routes, GatewayOptions::default());
    let mut client = from_elsewhere(address);
    client.send(asks);
    let mut said = String::new();
    client.reader.read_to_string(&mut said).unwrap();
    said
}

#[test]
fn haproxy_behind() {
    if Command::new("haproxy").arg("-v").output().is_err() {
        eprintln!("skipped: there is no haproxy");
        return;
    }
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        let asks = (version, &b"GET / HTTP/1.0\r\n\r\n"[..]);
        let said = said_behind(("haproxy", &["-db", "-f"]), asks, |at| {
            format!(
                "defaults\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n \
                 mode http\nfrontend behind\n bind {at} accept-proxy\n http-request return \
                 status 200 content-type text/plain lf-string from=%[src]\n"
            )
        });
        assert!(said.ends_with("from=127.0.0.9"), "{version:?}: {said}");
    }
}

#[test]
fn nginx_behind() {
    const MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";
    if !std::path::Path::new(MODULE).exists() {
        eprintln!("skipped: there is no nginx with its stream module");
        return;
    }
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        let said = said_behind(("nginx", &["-e", "stderr", "-c"]), (version, b""), |at| {
            format!(
                "load_module {MODULE};\ndaemon off;\nmaster_process off;\npid /dev/null;\n\
                 events {{}}\nstream {{ server {{ listen {at} proxy_protocol; \
                 return $proxy_protocol_addr-$proxy_protocol_server_addr; }} }}\n"
            )
        });
        assert_eq!(said, "127.0.0.9-127.0.0.1", "{version:?}");
    }
}

/// What ingress-nginx's ConfigMap says counts for connections that are there, and for new ones.
#[test]
fn ingress_nginx_says_who_is_believed() {
    let server = Server::echo("one");
    let object = Arc::new(ObjectRef::new("ConfigMap", "a", "b"));
    let place = Provenance::new(&object, FieldPath::from("data"));
    let map = |belief: Option<NginxBelief>| {
        let mut map = routing(&[route("app", "*", "/", &[server.address])]);
        let nginx = belief.map(|belief| Arc::new(NginxSocket { belief, ..NginxSocket::default() }));
        let web = EntryPoint { nginx, ..EntryPoint::new("web", 80) };
        map.entry_points.insert(web.id.clone(), Arc::new(web));
        map
    };
    let forwarded = |range| NginxBelief {
        forwarded: Some(NginxForwarded {
            trust: by_ranges(range),
            list: Some("X-Forwarded-For".into()),
            has_lines: true,
            is_full: false,
            place: place.clone(),
        }),
        ..NginxBelief::default()
    };
    let proxied = |range| NginxBelief {
        proxied: Some(NginxProxied {
            trust: by_ranges(range),
            wait: Duration::from_millis(200),
            place: place.clone(),
        }),
        ..NginxBelief::default()
    };
    let options = GatewayOptions { workers: 1, ..GatewayOptions::default() };
    let gateway = Gateway::start(options).unwrap();
    gateway.apply(&map(None), 1);
    let address = *gateway.listen(&[web(0)])[0].1.as_ref().unwrap();
    let mut kept = Client::connect(address);
    let named: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n";
    for (generation, belief, expected) in [
        (2, None, "127.0.0.1"),
        (3, Some(forwarded("127.0.0.0/8")), "203.0.113.9"),
        (4, Some(forwarded("10.0.0.0/8")), "127.0.0.1"),
    ] {
        gateway.apply(&map(belief), generation);
        assert_eq!(asker(kept.send(named)), expected, "{generation}");
    }
    for (generation, range, expected) in
        [(5, "127.0.0.0/8", "203.0.113.7"), (6, "10.0.0.0/8", "127.0.0.1")]
    {
        gateway.apply(&map(Some(proxied(range))), generation);
        let mut client = Client::connect(address);
        assert_eq!(asker(client.send([V1, REQUEST].concat())), expected);
    }
    // There has to be one, and soon.
    let mut client = Client::connect(address);
    assert!(client.send(REQUEST).is_closed());
    assert!(Client::connect(address).is_closed());
}
