//! What people see: error pages and the access log.

mod support;

use std::path::PathBuf;

use steelyard_gateway::{AccessLog, GatewayOptions, LogFormat};
use support::*;

#[test]
fn a_404_says_which_rules_were_nearest() {
    let routes = [route("api", "test.local", "/api", &[dead()])];
    let (_gateway, address) = gateway(&routes);
    let response = get(address, "test.local", "/apiary");
    assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(
        response.text(),
        "404 Not Found: no route matches GET /apiary on test.local\n  Host(`test.local`) && \
         PathPrefix(`/api`): its prefix matches whole path elements only (default-api-0@ingress)\n"
    );
    assert!(get(address, "tset.local", "/").text().contains("it is for another host"));
    let mut client = Client::connect(address);
    let response = client
        .send("GET /<b> HTTP/1.1\r\nHost: test.local\r\nAccept: text/html,*/*\r\n\r\n")
        .receive();
    assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(response.text().contains("<code>Host(`test.local`) &amp;&amp; PathPrefix"));
    assert!(!response.text().contains("<b>"));
}

/// What a page costs does not depend on what was asked for, nor on how many rules there are.
#[test]
fn pages_have_a_bound() {
    let rules: Vec<_> = (0..600)
        .map(|n| route(&format!("r{n}"), &format!("service-{n:03}.local"), "/api", &[dead()]))
        .collect();
    let (_gateway, address) = gateway(&rules);
    let long = "x".repeat(20_000);
    let mut client = Client::connect(address);
    for (method, host, path) in [
        ("GET", "service-12.local", "/"),
        (&*long, "service-123.local", &*long),
        ("GET", &*long, "/"),
        ("GET", "service-599.local", "/x/y/z"),
    ] {
        client.send(format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let response = client.receive();
        assert_eq!(response.status(), 404);
        assert!(response.body.len() < 4_096, "{}", response.text());
    }
    // Also for a rule far beyond those that come first.
    assert!(get(address, "service-599.local", "/").text().contains("the path is not below"));
    assert!(get(address, "servic-599.local", "/api").text().contains("(default-r599-0@ingress)"));
}

#[test]
fn details_can_be_kept_back() {
    let options = GatewayOptions { workers: 1, error_details: false, ..GatewayOptions::default() };
    let (_gateway, address) =
        gateway_with(&[route("api", "test.local", "/api", &[dead()])], options);
    let response = get(address, "test.local", "/apiary");
    assert_eq!(response.text(), "404 Not Found: no route matches\n");
}

#[test]
fn requests_are_logged_and_the_file_can_be_moved_away() {
    let file = TemporaryFile::new("access-log");
    let moved = TemporaryFile::new("access-log-moved");
    let access_log = Some(AccessLog {
        path: Some(file.0.clone()),
        format: LogFormat::Common,
        ..AccessLog::default()
    });
    let backend = Server::echo("one");
    let options = GatewayOptions { workers: 1, access_log, ..GatewayOptions::default() };
    let (gateway, address) = gateway_with(&[route("one", "a", "/", &[backend.address])], options);
    let mut client = Client::connect(address);
    client.send("GET /x?y HTTP/1.1\r\nHost: a\r\nUser-Agent: t\"est\r\n\r\n").receive();
    eventually("a line is there after a second", || file.text().contains('\n'));
    let line = file.text();
    assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
    let rest =
        format!("\"-\" \"t\\\"est\" 1 \"default-one-0@ingress\" \"http://{}\" ", backend.address);
    assert!(line.contains("] \"GET /x?y HTTP/1.1\" 200 ") && line.contains(&rest), "{line}");
    std::fs::rename(&file.0, &moved.0).unwrap();
    gateway.reopen_log();
    client.get("b", "/");
    client.send("nonsense\r\n\r\n").receive();
    drop(client);
    gateway.drain(PATIENCE);
    let lines = file.text();
    assert!(lines.contains("\"GET / HTTP/1.1\" 404 "), "draining writes what is left: {lines}");
    assert!(lines.contains("\"-\" 400 "), "{lines}");
    assert_eq!(moved.text(), line);
}

#[test]
fn a_log_that_cannot_be_opened_is_said_at_start() {
    let path = Some(PathBuf::from("/nonexistent/folder/log"));
    let access_log = Some(AccessLog { path, format: LogFormat::Json, ..AccessLog::default() });
    let options = GatewayOptions { access_log, ..GatewayOptions::default() };
    let error = steelyard_gateway::Gateway::start(options).err().expect("there is no such folder");
    assert!(error.to_string().contains(" /nonexistent/folder/log"), "{error}");
}
