//! HTTP/2 as others hold us to it: h2spec, and gRPC's own interoperability tests, from their Go
//! modules (`tests/http2`).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use steelyard_model::routing::filter::Filter;
use support::filtering::put_filters;
use support::{Client, Server, gateway, gateway_to_http2, ok, route, routing, speak_http2};

/// Their program, where there is Go to build it.
fn peers() -> Option<PathBuf> {
    if Command::new("go").arg("version").output().is_err() {
        eprintln!("skipped: there is no Go");
        return None;
    }
    let build = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/http2/build");
    let output = Command::new(build).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{build} fails");
    Some(PathBuf::from(String::from_utf8(output.stdout).unwrap().trim()))
}

/// What h2spec has of connections that begin with no preface: a port that speaks both versions
/// takes that for HTTP/1, and answers 400 as HTTP/1 has it before it closes, where h2spec awaits
/// nothing but the end.
const NOT_OURS: &str = "2: Sends invalid connection preface";

#[test]
fn h2spec_passes_whole() {
    let Some(peers) = peers() else { return };
    let server = Server::answering(|request| ok(&format!("hello, {}", request.body.len())));
    let (_gateway, address) = gateway(&[route("r", "*", "/", &[server.address])]);
    let port = address.port().to_string();
    let output = Command::new(peers).args(["h2spec", "127.0.0.1", &port]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let failures = said.split("Failures:").nth(1).unwrap_or_default();
    let failed = failures.lines().filter(|line| line.contains('×'));
    let failed: Vec<&str> = failed.filter(|line| !line.contains(NOT_OURS)).collect();
    assert_eq!(failed, [""; 0], "{said}");
    assert!(said.contains("146 tests, ") && said.contains(" 0 skipped, "), "{said}");
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// gRPC's own server behind the gateway, and in front its own client, and what browsers say.
#[test]
fn grpc_passes_its_own_tests() {
    let Some(peers) = peers() else { return };
    let mut server = Command::new(&peers);
    server.arg("grpc-server").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut server = Running(server.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let endpoint = line.trim().parse().unwrap();
    let (_gateway, address) = gateway_to_http2(&[route("grpc", "*", "/", &[endpoint])]);
    let output = Command::new(&peers).args(["grpc-client", &address.to_string()]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{why}");
    assert_eq!(said.lines().count(), 13, "{said}");
    browsers_are_answered_by(endpoint);
}

/// What that server answers by gRPC-Web (HTTP/1.1, as `fetch` sends it): messages, and behind them
/// how the call ended.
fn browsers_are_answered_by(endpoint: SocketAddr) {
    let routes = [route("grpc", "*", "/", &[endpoint])];
    let (gateway, address) = gateway_to_http2(&routes);
    let mut map = routing(&routes);
    speak_http2(&mut map, "grpc");
    put_filters(&mut map, "grpc", vec![Filter::GrpcWeb(vec!["https://app.test".into()])]);
    gateway.apply(&map, 3);
    let frame = |kind: u8, text: &[u8]| {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&[kind][..], &length, text].concat()
    };
    let call = |method: &str, message: &[u8]| {
        let body = frame(0, message);
        let head = format!(
            "POST /grpc.testing.TestService/{method} HTTP/1.1\r\nHost: a\r\n\
             Origin: https://app.test\r\nX-Grpc-Web: 1\r\n\
             Content-Type: application/grpc-web+proto\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Client::connect(address).send([head.as_bytes(), &body].concat()).receive()
    };
    let ended = frame(0x80, b"grpc-message: \r\ngrpc-status: 0\r\n");
    // `response_size: 3`, and a payload of three bytes.
    let payload: &[u8] = &[0x0a, 5, 0x12, 3, 0, 0, 0];
    let sizes: &[u8] = &[0x12, 2, 8, 3, 0x12, 2, 8, 3];
    for (method, message, messages) in [
        ("EmptyCall", &[][..], vec![&[][..]]),
        ("UnaryCall", &[0x10, 3], vec![payload]),
        ("StreamingOutputCall", sizes, vec![payload, payload]),
    ] {
        let answer = call(method, message);
        let mut expected: Vec<u8> = messages.into_iter().flat_map(|it| frame(0, it)).collect();
        expected.extend(&ended);
        assert_eq!((answer.status(), answer.body.clone()), (200, expected), "{method}");
        assert_eq!(answer.header("content-type"), Some("application/grpc-web+proto"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.test"));
    }
    // `response_status: {code: 2, message: "no"}`.
    let answer = call("UnaryCall", &[0x3a, 6, 8, 2, 0x12, 2, b'n', b'o']);
    let ended = [answer.header("grpc-status"), answer.header("grpc-message")];
    assert_eq!((answer.status(), ended), (200, [Some("2"), Some("no")]), "{:?}", answer.body);
}
