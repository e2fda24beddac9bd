//! A real Node as the backend: it answers uploads before it has read them, and goes on with what it
//! takes for the next request.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use support::*;

/// Remembers what it is asked, says it at `/seen`, and lets uploads lie for a moment.
const SERVER: &str = "
    const seen = [];
    const server = require('http').createServer((request, response) => {
      seen.push(request.url);
      if (request.method === 'POST') return setTimeout(() => response.end('early'), 120);
      response.end(request.url === '/seen' ? seen.join('\\n') : request.url);
    });
    server.listen(0, '127.0.0.1', () => console.log(server.address().port));
";

struct Node {
    process: Child,
    address: SocketAddr,
}

impl Node {
    fn start() -> Option<Self> {
        let mut command = Command::new("node");
        command.args(["-e", SERVER]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().ok()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port: u16 = line.trim().parse().unwrap();
        Some(Self { process, address: ([127, 0, 0, 1], port).into() })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn no_request_is_smuggled_to_node() {
    let Some(node) = Node::start() else {
        eprintln!("skipped: node is not installed");
        return;
    };
    let (_gateway, address) = gateway(&[route("node", "*", "/", &[node.address])]);
    smuggle(address, "/mine", |answer| answer.text() == "/mine");
    let seen = get(address, "a", "/seen").text();
    assert!(seen.contains("/up") && !seen.contains("/smuggled"), "{seen}");
}
