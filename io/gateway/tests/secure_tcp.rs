//! TLS to the endpoints of TCP routes: who is believed, what is said first, how each side ends, and
//! that nobody is spoken to by less than was asked for.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use steelyard_gateway::{Bind, Binding, Gateway, GatewayOptions, Timeouts};
use steelyard_model::Protocol;
use steelyard_model::routing::transport::{OriginTls, ProxyVersion, Roots, Transport};
use support::tcp::*;
use support::tls::*;
use support::*;

/// What an endpoint may hear before a handshake: a PROXY header of version 2 over IPv4.
const HEADER: usize = 28;

/// How an endpoint speaks TLS.
#[derive(Clone, Copy, Default)]
struct Manner {
    /// A PROXY header is said before the handshake.
    is_proxied: bool,
    /// It asks for a certificate.
    asks: bool,
    /// It ends without a farewell.
    breaks_off: bool,
}

/// Says "ready ", then, once all was said, what it heard; and that this is all.
fn endpoint(authority: &Authority, names: &[&str], manner: Manner) -> Server {
    let key = rcgen::KeyPair::generate().unwrap();
    let chain = authority.der(names, &key);
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let builder = ServerConfig::builder_with_provider(provider().into());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = if manner.asks {
        let roots = Arc::new(authority.roots());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider().into());
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
    Server::start(move |mut socket, _| {
        let mut heard = vec![0; if manner.is_proxied { HEADER } else { 0 }];
        let _ = socket.read_exact(&mut heard);
        let connection = ServerConnection::new(config.clone()).unwrap();
        let mut stream = StreamOwned::new(connection, socket);
        if stream.write_all(b"ready ").is_err() || stream.read_to_end(&mut heard).is_err() {
            return;
        }
        let _ = stream.write_all(&heard);
        if !manner.breaks_off {
            stream.conn.send_close_notify();
        }
        let _ = stream.flush();
        let _ = stream.sock.shutdown(Shutdown::Write);
        let _ = stream.sock.read(&mut [0]);
    })
}

fn secured(tls: OriginTls) -> Transport {
    Transport { tls: Some(tls), ..Transport::bytes() }
}

/// Verified by `authority`, as a server of this name.
fn verified(authority: &Authority, name: &str) -> OriginTls {
    let roots = Roots::Pem(authority.pem().into());
    OriginTls { roots, server_name: Some(name.into()), ..OriginTls::default() }
}

/// What a client hears that says "hello" and that this is all; none where it is reset.
fn talk(address: SocketAddr) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut heard = Vec::new();
    stream.write_all(b"hello").ok()?;
    stream.shutdown(Shutdown::Write).ok()?;
    stream.read_to_end(&mut heard).ok()?;
    Some(heard)
}

fn is_told(gateway: &Gateway, family: &str, cause: &str, times: u32) -> bool {
    let line = format!("{family}{{cause=\"{cause}\",entrypoint=\"web\"}} {times}\n");
    scrape(gateway).contains(&line)
}

fn lead(gateway: &Gateway, endpoint: &Server, transport: Transport) {
    let route = plain("db", &[endpoint.address]).by(transport);
    gateway.apply(&with_tcp(routing(&[]), &[route]), 2);
}

/// Every way in which an endpoint and the gateway may trust each other, or not. Who is not trusted
/// hears nothing of the client.
#[test]
fn endpoints_of_tcp_routes_are_spoken_to_over_tls() {
    let (ours, others) = (Authority::new("ca"), Authority::new("other"));
    let (gateway, address) = tcp_gateway(&[], GatewayOptions::default());
    let good = endpoint(&ours, &["db.test", "127.0.0.1"], Manner::default());
    let bare = Server::start(|mut stream, _| drop(stream.write_all(b"SSH-2.0-old\r\n")));
    let proxied = Manner { is_proxied: true, ..Manner::default() };
    let proxied = endpoint(&ours, &["db.test"], proxied);
    let asks = endpoint(&ours, &["db.test"], Manner { asks: true, ..Manner::default() });
    let breaks = endpoint(&ours, &["db.test"], Manner { breaks_off: true, ..Manner::default() });
    let named = || secured(verified(&ours, "db.test"));
    let by_address = OriginTls { server_name: None, ..verified(&ours, "") };
    let anybody = OriginTls { roots: Roots::Nobody, ..verified(&others, "elsewhere.test") };
    let us = Some(Arc::new(ours.certificate("us", &["us.test"])));
    let shown = OriginTls { client: us, ..verified(&ours, "db.test") };
    let told = Transport { proxy_protocol: Some(ProxyVersion::V2), ..named() };
    for (what, server, transport) in [
        ("by name", &good, named()),
        ("by address", &good, secured(by_address)),
        ("anybody", &good, secured(anybody)),
        ("with a certificate", &asks, secured(shown)),
        ("with a header", &proxied, told),
    ] {
        lead(&gateway, server, transport);
        let heard = talk(address).unwrap_or_else(|| panic!("{what}: it is reset"));
        let is_whole = heard.starts_with(b"ready ") && heard.ends_with(b"hello");
        assert!(is_whole, "{what}: {}", String::from_utf8_lossy(&heard));
        let head = heard.len() - b"ready hello".len();
        assert_eq!(head, if what == "with a header" { HEADER } else { 0 }, "{what}");
    }
    let past = Authority::until("past", 2020);
    let of_old = endpoint(&past, &["db.test"], Manner::default());
    for (cause, times, server, transport) in [
        ("endpoint-certificate-issuer", 1, &good, secured(verified(&others, "db.test"))),
        ("endpoint-certificate-issuer", 2, &of_old, secured(verified(&past, "db.test"))),
        ("endpoint-certificate-name", 1, &good, secured(verified(&ours, "elsewhere.test"))),
        ("endpoint-without-tls", 1, &bare, named()),
    ] {
        lead(&gateway, server, transport);
        assert!(talk(address).is_none_or(|heard| heard.is_empty()), "{cause}");
        let family = "steelyard_connections_turned_away_total";
        eventually(cause, || is_told(&gateway, family, cause, times));
    }
    // What an endpoint has against us it may say only once it was told all of the client's.
    lead(&gateway, &asks, named());
    for _ in 0..9 {
        assert_eq!(talk(address), None, "no certificate is shown");
    }
    let family = "steelyard_request_faults_total";
    eventually("each is told", || is_told(&gateway, family, "endpoint-tls-refused", 9));
    lead(&gateway, &breaks, named());
    assert_eq!(talk(address), None, "what was cut off does not look whole");
    // What an open handshake does not say keeps nobody out for longer than connecting may take.
    let silent = Server::start(|mut stream, _| drop(stream.read_to_end(&mut Vec::new())));
    let connect = Some(Duration::from_millis(50));
    lead(&gateway, &silent, Transport { connect, ..named() });
    assert!(talk(address).is_none_or(|heard| heard.is_empty()));
    let family = "steelyard_connections_turned_away_total";
    eventually("it is told", || is_told(&gateway, family, "connect-timeout", 1));
}

/// TLS ends at the gateway, and begins anew behind it: a half of either is closed by itself.
#[test]
fn tls_goes_on_behind_the_end_of_tls() {
    let authority = Authority::new("ca");
    let server = endpoint(&authority, &["db.test"], Manner::default());
    let route = ended("db", "front.test", &[server.address]);
    let route = route.by(secured(verified(&authority, "db.test")));
    let mut map = secure(&[], &[authority.certificate("front", &["front.test"])]);
    route.put_into(&mut map);
    let (_gateway, address) = secure_gateway(&map, GatewayOptions::default());
    let client = Arc::new(authority.client());
    for _ in 0..3 {
        Secured::connect(address, "front.test", &client).talk(b"hello", b"ready hello");
    }
}

/// Datagrams know no TLS: none is sent in clear where it was asked for.
#[test]
fn datagrams_are_not_sent_by_less_than_was_asked_for() {
    let endpoint = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = endpoint.local_addr().unwrap();
    let gateway = Gateway::start(GatewayOptions { workers: 1, ..Default::default() }).unwrap();
    let secure = datagrams("dns", &[to]).by(secured(OriginTls::default()));
    gateway.apply(&udp_routing(&[secure]), 1);
    let bind = Bind {
        entry_point: DNS.into(),
        protocol: Protocol::Udp,
        address: "127.0.0.1:0".parse().unwrap(),
        binding: Binding::Host,
    };
    let at = gateway.listen(&[bind]).remove(0).1.unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(at).unwrap();
    client.send(b"secret").unwrap();
    let turned = "steelyard_connections_turned_away_total{cause=\"refused\",entrypoint=\"dns\"} 1";
    eventually("it is turned away", || scrape(&gateway).contains(turned));
    endpoint.set_nonblocking(true).unwrap();
    assert!(endpoint.recv(&mut [0; 9]).is_err(), "nothing came");
}

/// Limits that are as good as none are kept, rather than reckoned with; and those who are connected
/// are asked whether they are there, on both sides.
#[test]
fn limits_without_end_are_no_end() {
    let server = Server::start(|mut stream, _| {
        let _ = std::io::copy(&mut stream.try_clone().unwrap(), &mut stream);
    });
    let timeouts = Timeouts { tcp_silent: Duration::MAX, ..Timeouts::default() };
    let half_closed = Some(Duration::MAX);
    let transport = Transport { half_closed, idle: half_closed, ..Transport::bytes() };
    let route = plain("db", &[server.address]).by(transport);
    let (_gateway, address) =
        tcp_gateway(&[route], GatewayOptions { timeouts, ..Default::default() });
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"a").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    let kept = |port: u16, is_local: bool| {
        let hex = format!(":{port:04X}");
        let all = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        // Established, and the timer of keep-alive runs.
        all.lines().filter(|line| line.contains(" 01 ") && line.contains(" 02:")).any(|line| {
            let ends: Vec<&str> = line.split_whitespace().skip(1).take(2).collect();
            ends[usize::from(!is_local)].ends_with(&hex)
        })
    };
    assert!(kept(address.port(), true), "the client is asked");
    assert!(kept(server.address.port(), false), "the endpoint is asked");
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}
