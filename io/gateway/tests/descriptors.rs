//! Where the process has no descriptors left. Alone in its process, which it takes them from.

mod support;

use std::fs::File;
use std::process::Command;

use steelyard_gateway::GatewayOptions;
use steelyard_host::places::Places;
use support::{Client, Server, eventually, gateway_with, route};

/// Who comes then waits, and it is noted; with the next free descriptor it is served.
#[test]
fn who_comes_when_there_are_no_descriptors_is_served_later() {
    let server = Server::echo("s");
    let places = Places::new(9);
    let options =
        GatewayOptions { workers: 1, places: places.clone(), ..GatewayOptions::default() };
    let (_gateway, address) = gateway_with(&[route("one", "a", "/", &[server.address])], options);
    let limited = Command::new("prlimit")
        .args(["--nofile=64:64", "--pid", &std::process::id().to_string()])
        .status();
    assert!(limited.unwrap().success());
    let mut spare = Some(File::open("/dev/null").unwrap());
    let mut all = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        all.push(file);
    }
    drop(spare.take());
    let mut client = Client::connect(address);
    eventually("it is noted", || places.failed() > 0);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    drop(all);
    assert_eq!(client.receive().who(), "s");
}
