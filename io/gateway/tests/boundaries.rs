//! No bytes have one request boundary for the gateway and another one for what is behind it: Node,
//! Python, Go and nginx. What a server saw must be what the gateway says it sent.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use steelyard_gateway::{AccessLog, GatewayOptions, LogFormat};
use support::backends::{Backend, Kind};
use support::odd::sequence;
use support::*;

/// Sequences for each kind of server.
const SEQUENCES: u64 = 250;

/// Sends it all, and takes whatever is answered.
fn send(address: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
}

/// The value of a field of a line of the log. What it escapes are quotes and backslashes here.
fn field(line: &str, name: &str) -> Option<String> {
    let (_, rest) = line.split_once(&format!("\"{name}\":"))?;
    let Some(text) = rest.strip_prefix('"') else {
        return Some(rest.split([',', '}']).next()?.to_owned());
    };
    let mut out = String::new();
    let mut all = text.chars();
    loop {
        match all.next()? {
            '"' => return Some(out),
            '\\' => out.push(all.next()?),
            other => out.push(other),
        }
    }
}

/// How often each request was sent on, by the access log: at least, and at most.
fn sent(log: &str) -> BTreeMap<String, (usize, usize)> {
    let mut all = BTreeMap::<String, (usize, usize)>::new();
    for line in log.lines().filter(|line| line.contains("\"ServiceURL\":")) {
        let [method, path, status, retries] =
            ["RequestMethod", "RequestPath", "OriginStatus", "RetryAttempts"]
                .map(|name| field(line, name).unwrap_or_default());
        let (least, most) = all.entry(format!("{method} {path}")).or_default();
        *least += usize::from(status == "200");
        // A kept connection that was closed is tried once more, which is no attempt at another.
        *most += 2 + retries.parse::<usize>().unwrap();
    }
    all
}

fn agree(kind: Kind) {
    let Some(backend) = Backend::start(kind, "boundaries") else {
        eprintln!("skipped: {kind:?} is not installed");
        return;
    };
    let file = TemporaryFile::new(&format!("boundaries-{kind:?}"));
    let access_log = Some(AccessLog {
        path: Some(file.0.clone()),
        format: LogFormat::Json,
        ..AccessLog::default()
    });
    let options = GatewayOptions { workers: 1, access_log, ..GatewayOptions::default() };
    let (gateway, address) = gateway_with(&[route("one", "*", "/", &[backend.address])], options);
    for number in 0..SEQUENCES {
        send(address, &sequence(number));
    }
    gateway.drain(PATIENCE);
    let sent = sent(&file.text());
    let mut seen = BTreeMap::<String, usize>::new();
    for line in backend.seen() {
        *seen.entry(line).or_default() += 1;
    }
    for (request, count) in &seen {
        let most = sent.get(request).map_or(0, |(_, most)| *most);
        assert!(*count <= most, "{kind:?} saw {request:?} {count} times, {most} were sent");
    }
    for (request, (least, _)) in &sent {
        let count = seen.get(request).copied().unwrap_or_default();
        assert!(*least <= count, "{kind:?} answered {request:?} {least} times and saw {count}");
    }
    let last = seen.keys().filter(|it| it.contains(" /last-")).count();
    let hidden = seen.keys().filter(|it| it.contains(" /hidden-")).count();
    assert!(last > 20 && hidden > 20, "{kind:?}: {last} last ones and {hidden} hidden ones");
}

#[test]
fn node_and_the_gateway_agree() {
    agree(Kind::Node);
}

#[test]
fn python_and_the_gateway_agree() {
    agree(Kind::Python);
}

#[test]
fn go_and_the_gateway_agree() {
    agree(Kind::Go);
}

#[test]
fn nginx_and_the_gateway_agree() {
    agree(Kind::Nginx);
}
