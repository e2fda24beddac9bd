//! What becomes of a request before a route takes it, and what its endpoint gets, in Traefik's
//! observable order: names with underscores, fragments, percent-encodings, dot segments, encoded
//! characters, semicolons in queries, and what is said of the client. Each row over HTTP/1 and
//! HTTP/2.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;

use steelyard_gateway::{EntryTerms, Gateway};
use steelyard_http::{ForwardedPolicy, Semicolons, Spelling, Underscores};
use steelyard_model::routing::filter::content::EncodedCharacters;
use steelyard_model::routing::filter::{Filter, FilterNode, Use};
use steelyard_model::routing::trust::Trust;
use support::h2::{Raw, frame};
use support::{Client, Received, Server, gateway_with, one_worker, route, routing};

/// Lines of a request, in small letters, as HTTP/2 has them.
type Lines = &'static [(&'static str, &'static str)];

/// What comes of a request.
enum Comes {
    /// The endpoint gets this target, with these lines and without those that say nothing.
    Gets(&'static str, Lines),
    /// It is answered so.
    Is(u16),
}
use Comes::{Gets, Is};

/// An entry point, what is asked for there, and what comes of it.
type Row = (Point, &'static str, Lines, Comes);

/// How an entry point is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    Default,
    /// `http.sanitizePath: false`
    Unsanitized,
    /// `http.encodeQuerySemicolons: true`
    Encoding,
    /// `http.encodedCharacters`: no slash, no semicolon.
    Choosy,
    /// `http.underscoreHeadersStrategy: delete`
    Deleting,
    /// `http.underscoreHeadersStrategy: reject`
    Rejecting,
    /// `forwardedHeaders.trustedIPs: 127.0.0.0/8`
    Trusting,
}
use Point::{Choosy, Default, Deleting, Encoding, Rejecting, Trusting, Unsanitized};

const ROWS: &[Row] = &[
    // Percent-encodings of what needs none are decoded, others have large digits.
    (Default, "/%7Euser/%2d", &[], Gets("/~user/-", &[])),
    (Default, "/a%c3%a9%20b", &[], Gets("/a%C3%A9%20b", &[])),
    (Default, "/a%2fb", &[], Gets("/a%2Fb", &[])),
    (Default, "/a%zz", &[], Is(400)),
    (Default, "/a%2", &[], Is(400)),
    (Default, "/a%00", &[], Is(400)),
    (Default, "/a#b", &[], Is(400)),
    (Default, "/a?b#c", &[], Is(400)),
    (Rejecting, "/a#b", &[("x_a", "1")], Is(400)),
    // Then segments are resolved: what was encoded as well.
    (Default, "/a/../b//./c", &[], Gets("/b/c", &[])),
    (Default, "/a/%2e%2E/b", &[], Gets("/b", &[])),
    (Default, "/a/..", &[], Gets("/", &[])),
    (Default, "/a/..%2fb", &[], Is(400)),
    (Unsanitized, "/a/../b//./c", &[], Gets("/a/../b//./c", &[])),
    (Unsanitized, "/a/%2e%2E/b", &[], Gets("/a/../b", &[])),
    // Routes are those of the path that comes of it.
    (Default, "/a/../closed", &[], Is(503)),
    (Default, "/%63losed", &[], Is(503)),
    (Unsanitized, "/a/../closed", &[], Is(503)),
    // Which encoded characters may be there, after what needed no encoding was decoded.
    (Choosy, "/a%2fb", &[], Is(400)),
    (Choosy, "/a%3Bb", &[], Is(400)),
    (Choosy, "/a%23b%3f%25%5c", &[], Gets("/a%23b%3F%25%5C", &[])),
    (Choosy, "/a%7eb", &[], Gets("/a~b", &[])),
    (Choosy, "/a?b=%2f;c", &[], Gets("/a?b=%2f&c", &[])),
    // Semicolons in queries alone.
    (Default, "/a;b?c=1;d=2&e=%3b", &[], Gets("/a;b?c=1&d=2&e=%3b", &[])),
    (Encoding, "/a;b?c=1;d=2&e=%3b", &[], Gets("/a;b?c=1%3Bd=2&e=%3b", &[])),
    // Names with underscores; those of what only gateways say never go on.
    (Default, "/", &[("x_a", "1"), ("x-b", "2")], Gets("/", &[("x_a", "1"), ("x-b", "2")])),
    (Deleting, "/", &[("x_a", "1"), ("x-b", "2")], Gets("/", &[("x_a", ""), ("x-b", "2")])),
    (Rejecting, "/", &[("x_a", "1")], Is(400)),
    (Rejecting, "/", &[("x-b", "2")], Gets("/", &[("x-b", "2")])),
    (Default, "/", &[("x_forwarded_for", "9.9.9.9")], Gets("/", &[("x_forwarded_for", "")])),
    (Trusting, "/", &[("x_real_ip", "9.9.9.9")], Gets("/", &[("x_real_ip", "")])),
    // What is said of the client, by whom.
    (
        Default,
        "/",
        &[("x-forwarded-for", "9.9.9.9"), ("x-forwarded-proto", "https"), ("x-real-ip", "9.9.9.9")],
        Gets(
            "/",
            &[
                ("x-forwarded-for", "127.0.0.1"),
                ("x-forwarded-proto", "http"),
                ("x-forwarded-host", "a"),
                ("x-forwarded-port", "80"),
                ("x-real-ip", "127.0.0.1"),
            ],
        ),
    ),
    (
        Trusting,
        "/",
        &[("x-forwarded-for", "9.9.9.9"), ("x-forwarded-proto", "https")],
        Gets(
            "/",
            &[
                ("x-forwarded-for", "9.9.9.9, 127.0.0.1"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "a"),
            ],
        ),
    ),
    (
        Default,
        "/",
        &[("x-forwarded-prefix", "/x"), ("x-forwarded-tls-client-cert", "forged")],
        Gets("/", &[("x-forwarded-prefix", ""), ("x-forwarded-tls-client-cert", "")]),
    ),
    (Trusting, "/", &[("x-forwarded-prefix", "/x")], Gets("/", &[("x-forwarded-prefix", "/x")])),
];

fn terms(point: Point) -> EntryTerms {
    let usual = EntryTerms::default();
    let of = |policy| EntryTerms { forwarded: Arc::new(policy), ..EntryTerms::default() };
    let known = ForwardedPolicy::default();
    match point {
        Default | Choosy => usual,
        Unsanitized => EntryTerms { path: Spelling::Unresolved, ..usual },
        Encoding => EntryTerms { semicolons: Semicolons::Encoded, ..usual },
        Deleting => of(ForwardedPolicy { underscores: Underscores::Dropped, ..known }),
        Rejecting => of(ForwardedPolicy { underscores: Underscores::Refused, ..known }),
        Trusting => {
            let trust = Trust::Ranges(vec!["127.0.0.0/8".parse().unwrap()]);
            of(ForwardedPolicy { trust, ..known })
        }
    }
}

/// Two routes, of which one is refused.
fn gateway_at(point: Point, server: &Server) -> (Gateway, SocketAddr) {
    let endpoints = [server.address];
    let routes = [
        route("all", "*", "/", &endpoints),
        support::refused("closed", "*", "/closed", &endpoints),
    ];
    let (gateway, address) = gateway_with(&routes, one_worker(terms(point)));
    if point == Choosy {
        let mut map = routing(&routes);
        let allowed = EncodedCharacters {
            slash: false,
            back_slash: true,
            null: true,
            semicolon: false,
            percent: true,
            question_mark: true,
            hash: true,
        };
        let filter = Filter::EncodedCharacters(allowed);
        let node = FilterNode { id: "choosy".into(), place: None, filter };
        map.filters.insert(node.id.clone(), Arc::new(node));
        for listener in map.listeners.values().cloned().collect::<Vec<_>>() {
            let mut listener = (*listener).clone();
            listener.uses = vec![Use { filter: "choosy".into(), state: "choosy".into() }];
            map.listeners.insert(listener.id.clone(), Arc::new(listener));
        }
        gateway.apply(&map, 2);
    }
    (gateway, address)
}

/// Status and body of an answer over HTTP/1.
fn by_http1(address: SocketAddr, target: &str, lines: Lines) -> (u16, String) {
    let lines: String = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let raw = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    let answer: Received = Client::connect(address).send(raw).receive();
    (answer.status(), answer.text())
}

/// The same over HTTP/2, whose heads are written byte by byte: what a library would not let out is
/// what matters.
fn by_http2(address: SocketAddr, target: &str, lines: Lines) -> (u16, String) {
    let mut block = vec![0x82, 0x86, 0x41, 1, b'a', 0x04];
    let text = |block: &mut Vec<u8>, text: &str| {
        assert!(text.len() < 127, "its length is one byte");
        block.push(u8::try_from(text.len()).unwrap());
        block.extend_from_slice(text.as_bytes());
    };
    text(&mut block, target);
    for (name, value) in lines {
        block.push(0);
        text(&mut block, name);
        text(&mut block, value);
    }
    let mut raw = Raw::connect(address, &[]);
    raw.send(frame(1, 5, 1, &block));
    let (mut status, mut body) = (0, Vec::new());
    while let Some((kind, flags, stream, payload)) = raw.next() {
        match (kind, stream) {
            (1, 1) => status = said(&payload),
            (0, 1) => body.extend_from_slice(&payload),
            _ => continue,
        }
        if flags & 1 == 1 {
            break;
        }
    }
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// The status that a head begins with: by its number, and the only other one there is has none.
fn said(block: &[u8]) -> u16 {
    const KNOWN: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    match block {
        [first @ 0x88..=0x8e, ..] => KNOWN[usize::from(first - 0x88)],
        _ => 503,
    }
}

#[test]
fn every_row_comes_to_what_it_says() {
    let server = Server::echo("s");
    for point in [Default, Unsanitized, Encoding, Choosy, Deleting, Rejecting, Trusting] {
        let (_gateway, address) = gateway_at(point, &server);
        for (_, target, lines, comes) in ROWS.iter().filter(|row| row.0 == point) {
            for (version, ask) in [(1, by_http1 as fn(_, &str, _) -> _), (2, by_http2)] {
                let (status, text): (u16, String) = ask(address, target, lines);
                let what =
                    format!("{point:?} {target} {lines:?} over HTTP/{version}: {status} {text}");
                match comes {
                    Is(expected) => assert_eq!(status, *expected, "{what}"),
                    Gets(expected, lines) => {
                        assert_eq!(status, 200, "{what}");
                        assert!(text.contains(&format!("GET {expected} HTTP/1.1\r\n")), "{what}");
                        for (name, value) in *lines {
                            let seen = text.lines().find_map(|line| {
                                let (its, value) = line.split_once(':')?;
                                its.eq_ignore_ascii_case(name).then(|| value.trim())
                            });
                            assert_eq!(seen.unwrap_or_default(), *value, "{name}: {what}");
                        }
                    }
                }
            }
        }
    }
}

/// Pseudo-header fields behind a body make a message malformed, which ends its connection.
#[test]
fn pseudo_header_fields_stand_before_a_body() {
    let server = Server::echo("s");
    let (_gateway, address) = gateway_at(Default, &server);
    let post = [0x83, 0x86, 0x84, 0x41, 1, b'a'];
    for (trailers, reason) in [
        (&b"\x00\x03x-a\x01b"[..], None),
        (b"\x84", Some(h2::Reason::PROTOCOL_ERROR)),
        (b"\x00\x03x-a\x01b\x00\x05:path\x01/", Some(h2::Reason::PROTOCOL_ERROR)),
        // By what the request's head had.
        (b"\xbe", Some(h2::Reason::PROTOCOL_ERROR)),
    ] {
        let mut raw = Raw::connect(address, &[]);
        raw.send(frame(1, 4, 1, &post));
        raw.send(frame(0, 0, 1, b"body"));
        raw.send(frame(1, 5, 1, trailers));
        if reason.is_some() {
            assert_eq!(raw.farewell(), reason, "{trailers:?}");
            continue;
        }
        let answered = std::iter::from_fn(|| raw.next()).find(|it| it.0 == 1 && it.2 == 1);
        assert_eq!(said(&answered.unwrap().3), 200);
    }
}
