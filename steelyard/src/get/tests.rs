//! Tables from JSON, and asking over a real socket.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::{Value, json};

use super::tables;
use steelyard_admin::{AdminClient, AskError};

fn services() -> Value {
    json!([
        { "namespace": "default", "name": "web", "addresses": ["10.1.1.100", "fd00::1"],
          "pool": "main", "servedBy": "forward",
          "events": [{ "type": "Normal", "reason": "IPAllocated", "message": "Assigned IP" }],
          "why": ["held since before", "owned by node-b"],
          "ports": [{ "port": 80, "protocol": "TCP", "endpoints": [
              { "address": "10.0.0.1:8080", "state": "ready", "node": "node-a" },
              { "address": "10.0.0.2:8080", "state": "notReady", "node": null }] }] },
        { "namespace": "default", "name": "late", "addresses": [], "pool": null, "servedBy": null,
          "events": [{ "message": "no pool has\n a free\u{1b}[31m address" }] },
    ])
}

#[test]
fn services_show_address_owner_and_why() {
    let announcements = json!([
        { "address": "10.1.1.100", "service": "default/web", "owner": "node-b" },
        { "address": "fd00::1", "service": "default/web", "owner": "node-b" },
        { "address": "10.1.1.9", "service": "other/web", "owner": "node-c" },
    ]);
    let want = "\
NAMESPACE  NAME  ADDRESS             POOL  SERVED BY  OWNER   ENDPOINTS  WHY
default    web   10.1.1.100,fd00::1  main  forward    node-b  1/2        held since before
default    late  <pending>           -     -          -       -          no pool has  a free [31m address
";
    assert_eq!(tables::services(&services(), &announcements).render(0, false), want);
}

#[test]
fn services_show_what_is_wrong_with_a_port_before_all_else() {
    let with = |reached: Value| {
        let mut services = services();
        services[0]["ports"][0]["reached"] = json!([reached]);
        tables::services(&services, &json!([])).render(0, false)
    };
    let at = "10.1.1.100:80/TCP";
    let well = with(json!({"at": at, "how": "gateway", "works": true}));
    assert!(well.contains("held since before"), "{well}");
    let broken = with(json!({"at": at, "how": "not carried: it is closed", "works": false}));
    assert!(broken.contains("10.1.1.100:80/TCP: not carried: it is closed"), "{broken}");
    let met = with(json!({"at": at, "how": "gateway", "obstacle": "a wall", "works": false}));
    assert!(met.contains("10.1.1.100:80/TCP: a wall"), "{met}");
    let silence = json!([{ "service": "default/web", "silence": "10.1.1.100 is not announced" }]);
    let silent = tables::services(&services(), &silence).render(0, false);
    assert!(silent.contains("10.1.1.100 is not announced"), "{silent}");
}

#[test]
fn endpoints_have_a_row_each() {
    let routes = json!([
        { "backends": [{ "service": "default/web:80", "endpoints": ["10.0.0.1:8080"] }] },
        { "backends": [{ "service": "default/api:80", "endpoints": ["10.0.0.9:80"] }] },
        { "backends": [{ "service": "default/new:80", "endpoints": ["10.0.0.7:80"], "states": [
            { "address": "10.0.0.7:80", "state": "ready", "node": "node-b" },
            { "address": "10.0.0.8:80", "state": "terminating", "node": null }] }] },
    ]);
    let want = "\
SERVICE         ENDPOINT       STATE        SINCE  BUSY  LATENCY  NODE    LAST FAILURE
default/api:80  10.0.0.9:80    ready        -      -     -        -       -
default/new:80  10.0.0.7:80    down         90s    2     1.5 ms   node-b  it answered 500 to the check (80s ago)
default/new:80  10.0.0.8:80    terminating  -      0     -        -       -
default/web:80  10.0.0.1:8080  ready        -      -     -        node-a  -
default/web:80  10.0.0.2:8080  notReady     -      -     -        -       -
";
    let health = json!([
        { "service": "default/new:80", "address": "10.0.0.7:80", "state": "down", "since": 910.0,
          "inFlight": 2, "latencyMs": 1.5,
          "lastFailure": { "time": 920.0, "why": "it answered 500 to the check" } },
        { "service": "default/new:80", "address": "10.0.0.8:80", "state": "draining", "since": null,
          "inFlight": 0, "latencyMs": null, "lastFailure": null },
        { "service": "default/other:80", "address": "10.0.0.9:80", "state": "down" },
    ]);
    assert_eq!(tables::endpoints(&services(), &routes, &health, 1_000).render(0, false), want);
}

#[test]
fn routes_show_where_they_lead() {
    let routes = json!([
        { "rule": "Host(`a.b`)", "entryPoints": ["web", "websecure"], "source": "Ingress/default/x",
          "backends": [
              { "service": "default/web:80", "endpoints": ["10.0.0.1:80", "10.0.0.2:80"] },
              { "service": "default/new:80", "endpoints": ["10.0.0.3:80", "10.0.0.4:80"] }] },
        { "rule": "PathPrefix(`/`)", "entryPoints": ["web"], "backends": [] },
    ]);
    let want = "\
RULE             ENTRY POINTS   BACKEND                        ENDPOINTS                                     SOURCE
Host(`a.b`)      web,websecure  default/web:80,default/new:80  10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 1 more  Ingress/default/x
PathPrefix(`/`)  web            -                              none                                          -
";
    assert_eq!(tables::routes(&routes).render(0, false), want);
}

#[test]
fn announcements_show_owner_or_nodes() {
    let announcements = json!([
        { "address": "10.1.1.1", "service": "d/w", "protocol": "layer2", "owner": null,
          "standbys": ["a", "b"], "interfaces": ["eth0"] },
        { "address": "10.1.1.2/32", "service": "d/w", "protocol": "bgp", "nodes": ["a", "b"] },
    ]);
    let want = "\
ADDRESS      SERVICE  PROTOCOL  OWNER  STANDBYS  INTERFACES  STATE
10.1.1.1     d/w      layer2    -      a,b       eth0        -
10.1.1.2/32  d/w      bgp       a,b    -         -           -
";
    assert_eq!(tables::announcements(&announcements).render(0, false), want);
}

#[test]
fn diagnostics_show_place_and_help() {
    let diagnostics = json!([
        { "severity": "error", "code": "pool-overlap", "object": "IPAddressPool/m/a",
          "path": "spec.addresses[0]", "file": "p.yaml", "line": 12, "column": 5,
          "message": "overlaps", "help": "change it" },
        { "severity": "info", "code": "x", "object": null, "path": "", "file": null,
          "line": null, "column": null, "message": "m", "help": "h" },
    ]);
    let want = "\
SEVERITY  CODE          OBJECT             PLACE        MESSAGE   HELP
error     pool-overlap  IPAddressPool/m/a  p.yaml:12:5  overlaps  change it
info      x             -                  -            m         h
";
    assert_eq!(tables::diagnostics(&diagnostics).render(0, false), want);
}

#[test]
fn events_have_ages_and_the_overview_its_facts() {
    let ages = [(5, "5s"), (119, "119s"), (300, "5m"), (10_000, "2h"), (200_000, "2d")];
    for (seconds, want) in ages {
        let events = json!([{ "time": 1_000_000, "type": "Normal" }]);
        let text = tables::events(&events, 1_000_000 + seconds).render(0, false);
        assert!(text.lines().nth(1).is_some_and(|line| line.starts_with(want)), "{text}");
    }
    let overview = json!({ "ready": false, "reasons": ["a", "b"], "vips": 3,
        "entryPoints": [{ "name": "web", "addresses": ["10.1.1.100:80"] }] });
    let text = tables::overview(&overview).render(0, false);
    assert!(text.contains("ready                 no: a,b\n"), "{text}");
    assert!(text.contains("entry point web       10.1.1.100:80\n"), "{text}");
}

#[test]
fn requests_have_their_first_reason_and_no_control_characters() {
    let rows = json!([{ "id": "5b1f", "time": 999_991.0, "status": 502, "method": "GET",
        "host": "a\u{1b}[31m", "path": "/x", "router": null,
        "why": ["the endpoint does not take connections", "10.0.0.1:80: refused"] }]);
    let text = tables::requests(&rows, 1_000_000).render(0, false);
    let line = text.lines().nth(1).unwrap_or_default();
    assert!(line.starts_with("9s") && line.contains("5b1f") && line.contains("502"), "{line}");
    assert!(line.ends_with("the endpoint does not take connections"), "{line}");
    assert!(!line.contains('\u{1b}'), "{line}");
}

#[test]
fn requests_that_come_move_no_column() {
    let row = |host: &str, path: &str| {
        json!({ "id": "5b1f0c9e7a3d2468", "time": 999_991.0, "status": 404, "method": "GET",
            "host": host, "path": path, "router": null, "why": ["no route matches"] })
    };
    let long = row(&"h".repeat(100), &"/p".repeat(100));
    let at = |rows: &[Value]| {
        let text = tables::requests(&rows.into(), 1_000_000).render(0, false);
        let header = text.lines().next().unwrap_or_default().to_owned();
        let columns = text
            .lines()
            .skip(1)
            .map(|line| line.chars().count() - line.rsplit("  ").next().unwrap_or_default().len());
        (header, columns.collect::<Vec<_>>())
    };
    let (header, one) = at(&[row("a", "/")]);
    let (widest, two) = at(&[row("a", "/"), long]);
    assert_eq!((&header, [one[0]; 2].to_vec()), (&widest, two));
}

/// Asks a listener that answers `answer` once; the head it was sent.
fn ask(answer: &'static str) -> (Result<Value, AskError>, String) {
    turn_to(answer, |admin| admin.ask("services"))
}

fn turn_to(
    answer: &'static str,
    question: impl FnOnce(&AdminClient) -> Result<Value, AskError>,
) -> (Result<Value, AskError>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = format!("http://{}/", listener.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(head).unwrap()
    });
    let answered = question(&AdminClient { address: admin, token_file: None });
    (answered, answering.join().unwrap())
}

#[test]
fn an_answer_is_read() {
    let (answer, head) = ask("HTTP/1.1 200 OK\r\nx: y\r\n\r\n[1, 2]");
    assert_eq!(answer.unwrap(), json!([1, 2]));
    assert!(head.starts_with("GET /api/v1/services HTTP/1.0\r\nHost: 127.0.0.1:"), "{head}");
}

#[test]
fn what_goes_wrong_is_said() {
    let cases = [
        ("HTTP/1.1 403 Forbidden\r\n\r\n{\"error\": \"only metrics\"}", "only metrics"),
        ("HTTP/1.1 401 Unauthorized\r\n\r\n{\"error\": \"x\"}", "--admin-token-file"),
        ("HTTP/1.1 404 Not Found\r\n\r\n{}", "status 404"),
        ("HTTP/1.1 200 OK\r\n\r\n[1,", "not complete JSON"),
        ("SSH-2.0-OpenSSH\r\n", "not HTTP"),
        ("", "not HTTP"),
    ];
    for (answer, want) in cases {
        let error = ask(answer).0.unwrap_err().to_string();
        assert!(error.contains(want), "{answer:?}: {error}");
    }
    // An order is only begun where that is said.
    let order = |answer| turn_to(answer, |admin| admin.order("rebalance")).0;
    order("HTTP/1.1 202 Accepted\r\n\r\n{}").unwrap();
    let error = order("HTTP/1.1 200 OK\r\n\r\n{}").unwrap_err().to_string();
    assert!(error.contains("status 200"), "{error}");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = AdminClient { address: free.to_string(), token_file: None };
    let error = nobody.ask("services").unwrap_err().to_string();
    assert!(error.contains("is `steelyard up` running?"), "{error}");
}

#[test]
fn owners_say_since_when_and_why() {
    let announcements = json!([
        { "address": "10.1.1.1", "protocol": "layer2", "owner": "a", "standbys": ["b", "c"],
          "epoch": 7, "since": 940, "reason": "after b", "role": "owner", "state": "announced" },
        { "address": "10.1.1.2", "protocol": "layer2", "owner": null, "standbys": [] },
        { "address": "10.1.1.3/32", "protocol": "bgp", "nodes": ["a"] },
    ]);
    let want = "\
ADDRESS   OWNER     SINCE  EPOCH  STANDBYS  WHY      HERE
10.1.1.1  a         60s    7      b,c       after b  announced
10.1.1.2  <nobody>  -      -      -         -        -
";
    assert_eq!(tables::owned(&announcements, 1000).render(0, false), want);
}

#[test]
fn members_say_whether_they_are_heard() {
    let members = json!([
        { "node": "a", "interface": "eth0", "address": null, "state": "up", "self": true },
        { "node": "b", "interface": "eth0", "address": "10.1.1.12:9181", "state": "missing",
          "self": false, "roundTripMs": 0.25, "lastHeardMs": 1500.0 },
    ]);
    let want = "\
NODE  INTERFACE  ADDRESS         STATE    ROUND TRIP  HEARD
a     eth0       this machine    up       -           -
b     eth0       10.1.1.12:9181  missing  0.2 ms      1500.0 ms ago
";
    assert_eq!(tables::members(&members).render(0, false), want);
}
