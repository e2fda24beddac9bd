//! Which path is matched, and which path and headers are forwarded.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use steelyard_gateway::{EntryTerms, GatewayOptions};
use steelyard_http::Spelling;
use steelyard_model::routing::route::Manner;
use support::*;

/// As asked; what an entry point without `sanitizePath` forwards; what others do.
const PATHS: [(&str, &str, &str); 6] = [
    (
        "/unsafe/300x200/https://example.com/a.png?u=//",
        "/unsafe/300x200/https://example.com/a.png?u=//",
        "/unsafe/300x200/https:/example.com/a.png?u=//",
    ),
    ("/a//b", "/a//b", "/a/b"),
    ("/%7Euser", "/~user", "/~user"),
    ("/a%2fb", "/a%2Fb", "/a%2Fb"),
    ("/x/../a", "/x/../a", "/a"),
    ("/a/x/..", "/a/x/..", "/a/"),
];

/// An entry point with `sanitizePath`, or without.
fn spelling(sanitize: bool) -> GatewayOptions {
    let path = if sanitize { Spelling::Normal } else { Spelling::Unresolved };
    one_worker(EntryTerms { path, ..EntryTerms::default() })
}

/// The target that the endpoint got.
fn target(client: &mut Client, host: &str, path: &str) -> String {
    let text = client.get(host, path).text();
    text.lines().nth(1).and_then(|line| line.split(' ').nth(1)).unwrap_or(&text).into()
}

#[test]
fn the_path_forwarded_is_the_one_the_route_wants() {
    let backend = Server::echo("one");
    let mut as_asked = route("nginx", "nginx", "/", &[backend.address]);
    as_asked.manner = Manner::Nginx;
    let routes = [as_asked, route("traefik", "traefik", "/", &[backend.address])];
    for sanitize in [true, false] {
        let (_gateway, address) = gateway_with(&routes, spelling(sanitize));
        let mut client = Client::connect(address);
        for (asked, unresolved, normal) in PATHS {
            assert_eq!(target(&mut client, "nginx", asked), asked);
            let expected = if sanitize { normal } else { unresolved };
            assert_eq!(target(&mut client, "traefik", asked), expected, "{sanitize}");
        }
    }
}

/// No spelling of a path gets around the route that is for it.
#[test]
fn the_path_matched_is_normal_however_it_is_forwarded() {
    let backend = Server::echo("open");
    let mut open = route("open", "*", "/", &[backend.address]);
    open.manner = Manner::Nginx;
    let routes = [open, refused("closed", "*", "/admin", &[backend.address])];
    let (_gateway, address) = gateway_with(&routes, spelling(false));
    for (path, status) in [
        ("/x", 200),
        ("/admin", 503),
        ("//admin", 503),
        ("/x/../admin/y", 503),
        ("/./admin", 503),
        ("/%61dmin", 503),
        ("/x/..;/admin", 400),
        ("/admin;/..;/x", 400),
        ("/x/%2e%2e;a=b/admin", 400),
        ("/x/..%2fadmin", 400),
        ("/x%00", 400),
        ("/admin%2fusers", 400),
        ("/%2fadmin", 400),
        ("/%5cadmin", 400),
        ("/\\admin", 400),
        ("/;/admin", 400),
        ("/admin;x=y", 400),
        ("/admin%3bx/y", 400),
        ("/x%2fadmin", 200),
        ("/administer;x%2fy", 200),
        ("/admin/x%2fy;z", 503),
    ] {
        assert_eq!(get(address, "a", path).status(), status, "{path}");
    }
}

/// Which names a client may send is a matter of the route.
#[test]
fn the_headers_forwarded_are_those_the_route_lets_pass() {
    let backend = Server::echo("one");
    let mut nginx = route("nginx", "nginx", "/", &[backend.address]);
    nginx.manner = Manner::Nginx;
    let (_gateway, address) =
        gateway(&[nginx, route("traefik", "traefik", "/", &[backend.address])]);
    let lines = "X-Scheme: https\r\nX_A: 1\r\nX.B: 2\r\nX-C: 3\r\nX-Forwarded-For: 9.9.9.9\r\n";
    for (host, stays, told) in
        [("nginx", [false, false, false, true], true), ("traefik", [true, true, true, true], false)]
    {
        let raw = format!("GET / HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n");
        let text = Client::connect(address).send(raw).receive().text();
        let found = ["X-Scheme: https\r\n", "X_A: 1\r\n", "X.B: 2\r\n", "X-C: 3\r\n"]
            .map(|line| text.contains(line));
        assert_eq!(found, stays, "{host}: {text}");
        let lines = ["X-Scheme: http\r\n", "X-Original-Forwarded-For: 9.9.9.9\r\n"];
        assert_eq!(lines.map(|line| text.contains(line)), [told; 2], "{host}: {text}");
        assert!(text.contains("X-Forwarded-For: 127.0.0.1\r\n"), "{host}: {text}");
    }
}

/// A path with two readings is refused only where they are served differently.
#[test]
fn a_path_of_two_routes_is_ambiguous() {
    let server = Server::echo("a");
    let open = route("open", "h", "/", &[server.address]);
    let mut same = route("same", "h", "/api", &[server.address]);
    same.services.clone_from(&open.services);
    let closed = refused("closed", "h", "/admin", &[server.address]);
    let (_gateway, address) = gateway(&[open, same, closed]);
    for (path, status) in [
        ("/x%2Fy;z", 200),
        ("/api%2Fx", 200),
        ("/api;v=1/x", 200),
        ("/administer%2Fx", 200),
        ("/x%2Fadmin", 200),
        ("/admin/x%2Fy;z", 503),
        ("/admin%2F", 400),
        ("/admin%2Fx", 400),
        ("/%2Fadmin", 400),
        ("/%5Cadmin", 400),
        ("/;/admin", 400),
        ("/admin;x", 400),
        ("/admin%3Bx/y", 400),
        ("/%2F;x%2Fadmin", 400),
    ] {
        assert_eq!(get(address, "h", path).status(), status, "{path}");
    }
}
