use std::sync::Arc;

use steelyard_model::routing::route::Manner;
use steelyard_model::routing::transport::HopSpeech;
use steelyard_model::routing::trust::Trust;

use super::*;
use crate::body::Framing;
use crate::edits::RequestEdits;
use crate::forwarded::{ForwardedPolicy, Vouching};
use crate::head::Slots;
use crate::path::Spelling;
use crate::query::Semicolons;
use crate::request::{USUAL_LIST, client_lines};

const SENT: &str = "POST /a%2Fb//c?q=1 HTTP/1.1\r\nHost: a.b:81\r\nX-A: 1\r\nTE: trailers\r\n\
                    x-a: 2\r\nConnection: X-B\r\nX-B: 3\r\nX-Forwarded-For: 9.9.9.9\r\n\
                    Content-Length: 5\r\n\r\n";

fn with<T>(sent: &str, look: impl FnOnce(&RequestHead<'_, '_>) -> T) -> T {
    let mut slots = Slots::default();
    look(&RequestHead::parse(sent.as_bytes(), &mut slots).unwrap().unwrap())
}

/// The lines that are sent on, without those about the client that do not change.
fn forward(
    sent: &str,
    change: impl FnOnce(&mut RequestEdits<'_>),
    framing: Option<Framing>,
) -> String {
    with(sent, |head| {
        let mut edits = RequestEdits::new(head);
        change(&mut edits);
        let changes = RequestChanges { framing, ..edits.into_changes() };
        let lines = client_lines([192, 0, 2, 1].into(), "node-1", "gw-1");
        let (path, manner) = (Spelling::Normal, Manner::Traefik);
        let hop = Hop {
            client_lines: &lines,
            list: USUAL_LIST,
            keeps_underscores: false,
            fallback_host: "10.0.0.9:80",
            path,
            manner,
            semicolons: Semicolons::Kept,
            port: 80,
        };
        let mut out = Vec::new();
        head.forward(&hop, Some(&changes), &mut out);
        let text = String::from_utf8(out).unwrap();
        let usual = [
            "X-Forwarded-Server: node-1\r\n",
            "X-Real-Ip: 192.0.2.1\r\n",
            "CDN-Loop: gw-1\r\n",
            "X-Forwarded-Proto: http\r\n",
            "Connection: TE\r\nTE: trailers\r\n",
        ];
        usual.iter().fold(text, |text, line| text.replace(line, ""))
    })
}

/// A copy of what goes on: what is said of the client stays, but for what is changed.
#[test]
fn a_head_that_goes_on_is_written_again() {
    let sent = "POST /a//b?q=1 HTTP/1.1\r\nHost: a.b\r\nX-A: 1\r\nX-Forwarded-For: 9.9.9.9\r\n\
                Connection: TE\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n";
    let rewritten = |change: &dyn Fn(&mut RequestEdits<'_>), framing| {
        with(sent, |head| {
            let mut edits = RequestEdits::new(head);
            change(&mut edits);
            let mut out = Vec::new();
            head.rewrite(&RequestChanges { framing, ..edits.into_changes() }, &mut out);
            String::from_utf8(out).unwrap()
        })
    };
    assert_eq!(rewritten(&|_| (), None), sent);
    let change = |edits: &mut RequestEdits<'_>| {
        edits.set_method("PUT").unwrap();
        edits.set_authority("c.d").unwrap();
        edits.set_path("/e").unwrap();
        edits.set_query(None).unwrap();
        edits.lines().set("X-A", b"2").unwrap();
        edits.lines().remove("X-Forwarded-For").unwrap();
    };
    let expected = "PUT /e HTTP/1.1\r\nHost: c.d\r\nConnection: TE\r\nTE: trailers\r\n\
                    Content-Length: 3\r\nX-A: 2\r\n\r\n";
    assert_eq!(rewritten(&change, Some(Framing::Length(3))), expected);
}

#[test]
fn a_head_is_seen_without_what_is_cut() {
    with(SENT, |head| {
        let mut seen = Vec::new();
        head.each(&mut |name, value| seen.push(format!("{name}={}", value.escape_ascii())));
        assert_eq!(seen, ["X-A=1", "x-a=2", "Content-Length=5"]);
        for (name, value) in [
            ("X-a", Some(&b"1"[..])),
            ("te", None),
            ("x-b", None),
            ("host", None),
            ("x-forwarded-for", None),
            ("content-length", Some(b"5")),
        ] {
            assert_eq!(head.first(name), value, "{name}");
        }
        let view: &dyn RequestView = head;
        assert_eq!((view.method(), view.scheme()), ("POST", Scheme::Http));
        assert_eq!((view.authority(), view.path()), ("a.b:81", "/a%2Fb/c"));
        assert_eq!(view.query(), Some("q=1"));
    });
    let bare = "GET /?HTTP/1.1 HTTP/1.0\r\n\r\n";
    with(bare, |head| assert_eq!((head.authority(), head.query()), ("", Some("HTTP/1.1"))));
    with("GET / HTTP/1.0\r\n\r\n", |head| assert_eq!(RequestView::query(head), None));
}

#[test]
fn what_goes_on_is_what_came_but_for_changes() {
    type Change = fn(&mut RequestEdits<'_>);
    let usual = "X-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n";
    let told = "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: a.b:81\r\nX-Forwarded-Port: 81\r\n";
    let start = "POST /a%2Fb/c?q=1 HTTP/1.1\r\nHost: a.b:81\r\n";
    let rows: [(Change, Option<Framing>, String); 11] = [
        (|_| {}, None, format!("{start}{usual}{told}\r\n")),
        (
            |it| it.lines().set("x-A", b"9").unwrap(),
            None,
            format!("{start}Content-Length: 5\r\n{told}x-A: 9\r\n\r\n"),
        ),
        (
            |it| it.lines().add("X-C", b"").unwrap(),
            None,
            format!("{start}{usual}{told}X-C: \r\n\r\n"),
        ),
        (
            |it| it.lines().set("x-forwarded-HOST", b"c").unwrap(),
            None,
            format!("{start}{usual}{told}x-forwarded-HOST: c\r\n\r\n")
                .replace("X-Forwarded-Host: a.b:81\r\n", ""),
        ),
        (
            |it| it.lines().remove("X-Forwarded-For").unwrap(),
            None,
            format!("{start}{usual}{told}\r\n").replace("X-Forwarded-For: 192.0.2.1\r\n", ""),
        ),
        (
            |it| it.set_method("PUT").unwrap(),
            None,
            format!("{start}{usual}{told}\r\n").replace("POST", "PUT"),
        ),
        (
            |it| it.set_authority("c:8").unwrap(),
            None,
            format!("{start}{usual}{told}\r\n").replace("\nHost: a.b:81", "\nHost: c:8"),
        ),
        (
            |it| it.set_path("/x%20y").unwrap(),
            None,
            format!("{start}{usual}{told}\r\n").replace("/a%2Fb/c", "/x%20y"),
        ),
        (
            |it| it.set_query(Some("")).unwrap(),
            None,
            format!("{start}{usual}{told}\r\n").replace("q=1", ""),
        ),
        (
            |it| it.set_query(None).unwrap(),
            None,
            format!("{start}{usual}{told}\r\n").replace("?q=1", ""),
        ),
        (
            |_| {},
            Some(Framing::Chunked),
            format!("{start}{usual}{told}\r\n")
                .replace("Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"),
        ),
    ];
    for (change, framing, expected) in rows {
        assert_eq!(forward(SENT, change, framing), expected);
    }
}

#[test]
fn who_is_named_is_told_once() {
    for (sent, authority, host) in [
        ("GET / HTTP/1.0\r\n\r\n", None, "10.0.0.9:80"),
        ("GET / HTTP/1.0\r\n\r\n", Some("c"), "c"),
        ("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", None, "a"),
        ("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", Some("c"), "c"),
    ] {
        let change = |it: &mut RequestEdits<'_>| {
            authority.iter().for_each(|name| it.set_authority(name).unwrap());
        };
        let out = forward(sent, change, None);
        let hosts = Vec::from_iter(out.lines().filter_map(|line| line.strip_prefix("Host: ")));
        assert_eq!(hosts, [host], "{sent}");
    }
}

#[test]
fn an_upgrade_goes_on_with_other_lines() {
    let sent = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let out = forward(sent, |it| it.lines().set("X-A", b"1").unwrap(), None);
    assert!(out.ends_with("X-A: 1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"), "{out}");
}

/// What a peer that is believed says is seen, and nothing that is only taken for it.
#[test]
fn who_is_believed_is_seen_to_speak_for_others() {
    const SAID: &str = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\nX_Forwarded_For: \
                        8.8.8.8\r\nProxy: x\r\nx-forwarded-uri: /a\r\nX-A: 1\r\n\r\n";
    for (trust, expected) in [
        (Trust::default(), &["X-A=1"][..]),
        (Trust::Everybody, &["X-A=1", "X-Forwarded-For=9.9.9.9", "x-forwarded-uri=/a"]),
    ] {
        let policy = ForwardedPolicy { trust: trust.clone(), ..ForwardedPolicy::default() };
        let mut slots = Slots::default();
        let mut head = RequestHead::parse(SAID.as_bytes(), &mut slots).unwrap().unwrap();
        head.settle(&Vouching::new(Arc::new(policy), [10, 0, 0, 1].into()));
        let mut seen = Vec::new();
        head.each(&mut |name, value| seen.push(format!("{name}={}", value.escape_ascii())));
        assert_eq!(seen, expected, "{trust:?}");
        let uri = (trust == Trust::Everybody).then_some(&b"/a"[..]);
        assert_eq!(head.first("X-Forwarded-Uri"), uri, "{trust:?}");
    }
}

#[test]
fn how_it_is_spoken_is_said_by_the_first_line_and_one_more() {
    let hop = |out: &str| {
        let lines = out.lines().filter(|it| it.starts_with("Connection") || it.contains(" HTTP/"));
        lines.collect::<Vec<_>>().join("|")
    };
    for (speech, expected) in [
        (HopSpeech::Usual, "GET / HTTP/1.1"),
        (HopSpeech::KeepAlive, "GET / HTTP/1.1|Connection: keep-alive"),
        (HopSpeech::Close, "GET / HTTP/1.1|Connection: close"),
        (HopSpeech::Old, "GET / HTTP/1.0|Connection: close"),
    ] {
        let plain = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(hop(&forward(plain, |it| it.speak(speech), None)), expected);
        // What switches protocols does so over HTTP/1.1.
        let tunnel = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\
                      Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n";
        let out = hop(&forward(tunnel, |it| it.speak(speech), None));
        assert_eq!(out, "GET / HTTP/1.1|Connection: upgrade", "{speech:?}");
    }
}
