//! HTTP/2 as others hold us to it: h2spec, and gRPC's own interoperability tests, from their Go
//! modules (`tests/http2`).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use support::{Server, gateway, gateway_to_http2, ok, route};

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

/// gRPC's own server behind the gateway, and its own client in front.
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
}
