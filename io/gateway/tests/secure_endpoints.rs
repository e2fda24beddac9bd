//! TLS to endpoints: who is believed, by which name, what we show, and what is said where one of
//! the two does not trust the other. Endpoints are nginx, OpenSSL and rustls.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use steelyard_gateway::{EndpointFitness, Gateway};
use steelyard_model::routing::care::{CheckProbe, HttpProbe};
use steelyard_model::routing::tls::{Certificate, TlsVersion};
use steelyard_model::routing::transport::{OriginProtocol, OriginTls, Roots, Transport};
use steelyard_model::routing::world::RoutingMap;
use support::care::{checked, look_after, state, told};
use support::tls::*;
use support::*;

/// The files and the processes of a test, gone with it.
struct Peers {
    folder: PathBuf,
    processes: Vec<Child>,
}

impl Peers {
    fn new(name: &str) -> Self {
        let name = format!("steelyard-secure-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder, processes: Vec::new() }
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// One nginx with these servers; none where there is none on this machine.
    fn nginx(&mut self, servers: &str) -> Option<()> {
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"];
        let program = program.into_iter().find(|path| Path::new(path).exists())?;
        let folder = self.folder.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {folder}/{name};"))
            .concat();
        let conf = self.write(
            "nginx.conf",
            &format!(
                "daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\n\
                 events {{ }}\nhttp {{ access_log off; {temporary}\n{servers} }}\n"
            ),
        );
        let mut command = Command::new(program);
        command.args(["-p", &folder.to_string(), "-c", &conf]).stderr(Stdio::null());
        self.processes.push(command.spawn().unwrap());
        Some(())
    }

    /// `openssl s_server` that tells of its handshakes over HTTP.
    fn openssl(&mut self, arguments: &[&str]) -> SocketAddr {
        let address = free();
        let mut command = Command::new("openssl");
        command.args(["s_server", "-quiet", "-www", "-accept", &address.to_string()]);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.processes.push(command.spawn().unwrap());
        eventually("openssl listens", || TcpStream::connect(address).is_ok());
        address
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // The master of nginx takes its worker with it on SIGTERM, not on SIGKILL.
            let _ = Command::new("kill").arg(process.id().to_string()).status();
            let _ = process.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Verified by `authority`, as a server of this name.
fn verified(authority: &Authority, name: &str) -> OriginTls {
    let roots = Roots::Pem(authority.pem().into());
    OriginTls { roots, server_name: Some(name.into()), ..OriginTls::default() }
}

fn transport(protocol: OriginProtocol, tls: OriginTls) -> Transport {
    Transport { id: "tls".into(), protocol, tls: Some(tls), ..Transport::plain() }
}

fn routing_to(endpoint: SocketAddr, transport: Transport) -> RoutingMap {
    let mut map = routing(&[route("one", "*", "/", &[endpoint])]);
    speak(&mut map, "one", transport);
    map
}

/// Routes all requests to the endpoint, spoken to so.
fn lead(gateway: &Gateway, endpoint: SocketAddr, transport: Transport) {
    gateway.apply(&routing_to(endpoint, transport), 2);
}

/// The count of a cause of faults.
fn faults(gateway: &Gateway, cause: &str) -> u64 {
    let start = format!("steelyard_request_faults_total{{cause=\"{cause}\",");
    let metrics = scrape(gateway);
    let line = metrics.lines().find_map(|line| line.strip_prefix(start.as_str()));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
}

/// Certificate and key in files of nginx and OpenSSL.
fn files(peers: &Peers, name: &str, pem: &str, key: &rcgen::KeyPair) -> [String; 2] {
    let key = peers.write(&format!("{name}.key"), &key.serialize_pem());
    [peers.write(&format!("{name}.crt"), pem), key]
}

/// What has expired, or is not valid yet.
fn at_another_time(authority: &Authority, key: &rcgen::KeyPair, years: (i32, i32)) -> String {
    authority.sign_with(&["a.test"], key, |asked| {
        asked.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        asked.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    })
}

/// Every way in which an nginx and the gateway may trust each other, or not.
#[test]
fn an_nginx_is_trusted_or_it_is_said_why_not() {
    let mut peers = Peers::new("nginx");
    let authority = Authority::new("ca");
    let key = rcgen::KeyPair::generate().unwrap();
    let ca = peers.write("ca.crt", &authority.pem());
    let good = files(&peers, "good", &authority.sign(&["a.test", "127.0.0.1"], &key), &key);
    let old = files(&peers, "old", &at_another_time(&authority, &key, (2001, 2002)), &key);
    let early = files(&peers, "early", &at_another_time(&authority, &key, (2100, 2101)), &key);
    // As `openssl req -x509` makes it: signed by itself, and able to sign.
    let lone = Authority::of("lone.test", &["lone.test"]);
    let alone = files(&peers, "alone", &lone.pem(), lone.key());
    let kinds: [(&[String; 2], &str, &str); 7] = [
        (&good, "", ""),
        (&good, "http2", ""),
        (&good, "", "TLSv1.2"),
        (&good, "", "TLSv1.2 TLSv1.3; ssl_verify_client on"),
        (&old, "", ""),
        (&early, "", ""),
        (&alone, "", ""),
    ];
    let ports = kinds.map(|_| free());
    let servers = kinds.iter().zip(ports).map(|(([certificate, key], protocol, more), address)| {
        let versions = if more.is_empty() { "TLSv1.2 TLSv1.3" } else { more };
        format!(
            "server {{ listen {address} ssl {protocol}; ssl_certificate {certificate};\n\
             ssl_certificate_key {key}; ssl_client_certificate {ca}; ssl_protocols {versions};\n\
             location / {{ return 200 \"$server_protocol $ssl_protocol [$ssl_server_name] \
             $ssl_client_s_dn\"; }} }}\n"
        )
    });
    let bare = free();
    let servers: String = servers.chain([format!("server {{ listen {bare}; }}\n")]).collect();
    let Some(()) = peers.nginx(&servers) else {
        eprintln!("skipped: nginx is not installed");
        return;
    };
    ports.iter().for_each(|port| {
        eventually("nginx listens", || TcpStream::connect(port).is_ok());
    });
    let [plain, http2, v12, asks, old, early, alone] = ports;
    let echo = Server::echo("plain");
    let of_us = |authority: &Authority| {
        let certificate: Certificate = authority.certificate("us", &["us.test"]);
        Some(Arc::new(certificate))
    };
    let ours = || verified(&authority, "a.test");
    let anybody = || OriginTls { roots: Roots::Nobody, sends_name: false, ..OriginTls::default() };
    let other = Authority::new("other");
    let shown = |client| OriginTls { client, ..ours() };
    let only = |version| OriginTls { versions: (version, version), ..ours() };
    let by_own = OriginTls { server_name: None, ..ours() };
    use OriginProtocol::{Http1, Http2, Negotiated};
    let cases: [(&str, SocketAddr, OriginProtocol, OriginTls, &str); 22] = [
        ("verified", plain, Http1, ours(), "200 HTTP/1.1 TLSv1.3 [a.test]"),
        ("negotiated", plain, Negotiated, ours(), "200 HTTP/1.1 TLSv1.3 [a.test]"),
        ("negotiated HTTP/2", http2, Negotiated, ours(), "200 HTTP/2.0 TLSv1.3 [a.test]"),
        ("HTTP/1.1 where there is more", http2, Http1, ours(), "200 HTTP/1.1 TLSv1.3 [a.test]"),
        ("HTTP/2", http2, Http2, ours(), "200 HTTP/2.0 TLSv1.3 [a.test]"),
        ("an old version", v12, Negotiated, ours(), "200 HTTP/1.1 TLSv1.2 [a.test]"),
        ("only an old one", plain, Http1, only(TlsVersion::V1_2), "200 HTTP/1.1 TLSv1.2 [a.test]"),
        ("only a new one", v12, Http1, only(TlsVersion::V1_3), "502 endpoint-tls-refused"),
        ("by its address", plain, Http1, by_own, "200 HTTP/1.1 TLSv1.3 []"),
        ("any", plain, Http1, anybody(), "200 HTTP/1.1 TLSv1.3 []"),
        ("any, though old", old, Http1, anybody(), "200 HTTP/1.1 TLSv1.3 []"),
        ("itself", alone, Http1, verified(&lone, "lone.test"), "200 HTTP/1.1 TLSv1.3 [lone.test]"),
        (
            "itself, for others",
            alone,
            Http1,
            verified(&lone, "a.test"),
            "502 endpoint-certificate-name",
        ),
        (
            "itself, unknown",
            alone,
            Http1,
            verified(&authority, "lone.test"),
            "502 endpoint-certificate-issuer",
        ),
        (
            "of a stranger",
            plain,
            Http1,
            verified(&other, "a.test"),
            "502 endpoint-certificate-issuer",
        ),
        (
            "of the machine's",
            plain,
            Http1,
            OriginTls { roots: Roots::System, ..ours() },
            "502 endpoint-certificate-issuer",
        ),
        (
            "for others",
            plain,
            Negotiated,
            verified(&authority, "b.test"),
            "502 endpoint-certificate-name",
        ),
        ("expired", old, Http1, ours(), "502 endpoint-certificate-expired"),
        ("early", early, Negotiated, ours(), "502 endpoint-certificate-early"),
        ("no TLS", bare, Negotiated, ours(), "502 endpoint-without-tls"),
        ("nothing", echo.address, Negotiated, ours(), "502 endpoint-tls-closed"),
        (
            "our certificate",
            asks,
            Http1,
            shown(of_us(&authority)),
            "200 HTTP/1.1 TLSv1.3 [a.test] CN=rcgen self signed cert",
        ),
    ];
    let (gateway, address) = gateway(&[]);
    for (name, endpoint, protocol, tls, expected) in cases {
        lead(&gateway, endpoint, transport(protocol, tls));
        let cause = expected.strip_prefix("502 ");
        let before = cause.map(|cause| faults(&gateway, cause));
        // The second goes over what the first left behind.
        for _ in 0..2 {
            let answer = get(address, "client.test", "/");
            match cause {
                None => {
                    let said = format!("{} {}", answer.status(), answer.text().trim_end());
                    assert_eq!(said, expected, "{name}");
                }
                Some(_) => assert_eq!(answer.status(), 502, "{name}"),
            }
        }
        if let (Some(cause), Some(before)) = (cause, before) {
            eventually(name, || faults(&gateway, cause) == before + 2);
        }
    }
    // nginx hears the handshake out and answers 400; OpenSSL, below, does not.
    for client in [None, of_us(&other)] {
        lead(&gateway, asks, transport(Http1, shown(client)));
        assert_eq!(get(address, "client.test", "/").status(), 400);
    }
}

#[test]
fn openssl_is_shown_who_we_are_or_refuses() {
    let mut peers = Peers::new("openssl");
    let authority = Authority::new("ca");
    let key = rcgen::KeyPair::generate().unwrap();
    let ca = peers.write("ca.crt", &authority.pem());
    let [certificate, key] = files(&peers, "good", &authority.sign(&["a.test"], &key), &key);
    let asks = ["-cert", &certificate, "-key", &key, "-CAfile", &ca, "-Verify", "3"];
    let asks = [&asks[..], &["-verify_return_error"]].concat();
    let (gateway, address) = gateway(&[]);
    for version in ["-tls1_2", "-tls1_3"] {
        let endpoint = peers.openssl(&[&asks[..], &[version]].concat());
        let us = authority.certificate("us", &["us.test"]);
        let foreign = Authority::new("other").certificate("us", &["us.test"]);
        for (client, status) in [(Some(us), 200), (None, 502), (Some(foreign), 502)] {
            let client = client.map(Arc::new);
            let tls = OriginTls { client, ..verified(&authority, "a.test") };
            lead(&gateway, endpoint, transport(OriginProtocol::Negotiated, tls));
            let before = faults(&gateway, "endpoint-tls-refused");
            let answer = get(address, "client.test", "/");
            assert_eq!(answer.status(), status, "{version}: {}", answer.text());
            let refused = u64::from(status == 502);
            let is_told = || faults(&gateway, "endpoint-tls-refused") == before + refused;
            eventually(version, is_told);
        }
    }
}

/// Endpoints by rustls: each connection says what it agreed on, and what becomes of it.
struct Endpoint {
    server: Server,
    authority: Authority,
}

impl Endpoint {
    fn start(
        protocols: &[&str],
        serve: impl Fn(StreamOwned<ServerConnection, TcpStream>, usize) + Send + Sync + 'static,
    ) -> Self {
        let authority = Authority::new("ca");
        let key = rcgen::KeyPair::generate().unwrap();
        let names = ["a.test".to_owned(), "127.0.0.1".to_owned(), "localhost".to_owned()];
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let chain = authority.der(&names, &key);
        let builder = ServerConfig::builder_with_provider(provider().into());
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let mut config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
        config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
        let config = Arc::new(config);
        let server = Server::start(move |mut socket, number| {
            let mut connection = ServerConnection::new(config.clone()).unwrap();
            while connection.is_handshaking() {
                if connection.complete_io(&mut socket).is_err() {
                    return;
                }
            }
            serve(StreamOwned::new(connection, socket), number);
        });
        Self { server, authority }
    }
}

/// Answers requests one after the other, by what `answer` makes of the first line.
fn answer_all(stream: StreamOwned<ServerConnection, TcpStream>, answer: impl Fn(&str) -> Vec<u8>) {
    let mut reader = BufReader::new(stream);
    while let Some(head) = head(&mut reader) {
        if reader.get_mut().write_all(&answer(&head)).is_err() {
            return;
        }
    }
}

/// Connections are kept, and are used by nobody who would speak by other terms: not once others are
/// believed, nor for another name.
#[test]
fn a_connection_belongs_to_its_terms() {
    let endpoint = Endpoint::start(&["http/1.1"], |stream, number| {
        answer_all(stream, |_| ok(&number.to_string()));
    });
    let (gateway, address) = gateway(&[]);
    let said = || {
        let answer = get(address, "a", "/");
        format!("{} {}", answer.status(), answer.text())
    };
    let at = endpoint.server.address;
    let ours = transport(OriginProtocol::Negotiated, verified(&endpoint.authority, "a.test"));
    lead(&gateway, at, ours.clone());
    for _ in 0..3 {
        assert_eq!(said(), "200 0", "one connection for all");
    }
    let others = Authority::new("others");
    let distrusting = transport(OriginProtocol::Negotiated, verified(&others, "a.test"));
    lead(&gateway, at, distrusting);
    assert!(said().starts_with("502 "), "it is not asked over the connection that there is");
    lead(&gateway, at, ours.clone());
    assert_eq!(said(), "200 2", "the terms of before are new ones");
    let by_name = transport(OriginProtocol::Negotiated, verified(&endpoint.authority, "localhost"));
    lead(&gateway, at, by_name);
    assert_eq!(said(), "200 3");
    // Other routes do not touch it.
    let mut map = routing_to(
        at,
        transport(OriginProtocol::Negotiated, verified(&endpoint.authority, "localhost")),
    );
    speak(&mut map, "one", ours);
    gateway.apply(&map, 3);
    assert!(said().starts_with("200 "));
}

/// Who switches protocols gets a connection of HTTP/1.1, also where the endpoint would speak
/// HTTP/2.
#[test]
fn what_switches_protocols_speaks_http1() {
    let endpoint = Endpoint::start(&["h2", "http/1.1"], |stream, _| {
        if stream.conn.alpn_protocol() == Some(b"h2") {
            return;
        }
        let mut reader = BufReader::new(stream);
        head(&mut reader).unwrap();
        let switched = b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
        reader.get_mut().write_all(switched).unwrap();
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|count| count > 0) {
            stream_back(reader.get_mut(), &mut line);
        }
    });
    let (gateway, address) = gateway(&[]);
    let tls = verified(&endpoint.authority, "a.test");
    lead(&gateway, endpoint.server.address, transport(OriginProtocol::Negotiated, tls));
    let mut client = Client::connect(address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(client.receive().status(), 101);
    for word in ["one\n", "two\n"] {
        client.send(word);
        let mut back = vec![0; word.len()];
        client.reader.read_exact(&mut back).unwrap();
        assert_eq!(back, word.as_bytes());
    }
}

fn stream_back(stream: &mut impl Write, line: &mut String) {
    stream.write_all(line.as_bytes()).unwrap();
    line.clear();
}

/// What was decrypted behind a response, and nobody read, is of no later one.
#[test]
fn a_surplus_within_a_record_ends_the_connection() {
    let endpoint = Endpoint::start(&["http/1.1"], |stream, number| {
        answer_all(stream, move |_| {
            let surplus = ok("not asked for");
            [ok(&number.to_string()), surplus].concat()
        });
    });
    let (gateway, address) = gateway(&[]);
    let tls = verified(&endpoint.authority, "a.test");
    lead(&gateway, endpoint.server.address, transport(OriginProtocol::Negotiated, tls));
    for expected in ["0", "1", "2"] {
        assert_eq!(get(address, "a", "/").text(), expected);
    }
}

/// A check speaks to an endpoint as requests do, and says so when it does not trust it.
#[test]
fn checks_are_asked_over_tls_too() {
    let authority = Authority::new("ca");
    let key = rcgen::KeyPair::generate().unwrap();
    let mut peers = Peers::new("checks");
    let [certificate, key] =
        files(&peers, "good", &authority.sign(&["a.test", "127.0.0.1"], &key), &key);
    let endpoint = peers.openssl(&["-cert", &certificate, "-key", &key]);
    let (gateway, address) = gateway(&[]);
    let stranger = Authority::new("other");
    for (tls, expected, why) in [
        (verified(&authority, "a.test"), EndpointFitness::Up, ""),
        (verified(&stranger, "a.test"), EndpointFitness::Down, "nobody who is trusted has signed"),
    ] {
        let mut map = routing_to(endpoint, transport(OriginProtocol::Http1, tls));
        look_after(&mut map, "one", checked(CheckProbe::Http(HttpProbe::get("/"))));
        gateway.apply(&map, 2);
        eventually("it is known", || told(&gateway, "one", endpoint).is_checked);
        eventually("it is as it must be", || state(&gateway, "one", endpoint) == expected);
        let status = get(address, "a", "/").status();
        assert_eq!(status == 200, expected == EndpointFitness::Up, "{status}");
        let failure = told(&gateway, "one", endpoint).last_failure;
        let failure = failure.map(|(_, why)| why.to_string()).unwrap_or_default();
        assert!(failure.starts_with(why) && failure.is_empty() == why.is_empty(), "{failure}");
    }
}
