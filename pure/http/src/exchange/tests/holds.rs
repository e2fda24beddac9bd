//! Heads that are held, and what goes on behind them.

use super::*;
use crate::edits::LineEdits;

/// What the client gets of `response` when it is let go.
fn let_go(asked: Asked, response: &str, changes: ResponseChanges, is_tapped: bool) -> String {
    let mut exchange = by(Terms { asked, ..terms(Framing::None) }, limits(), Framing::None);
    exchange.hold();
    written(&mut exchange);
    from_endpoint(&mut exchange, response.as_bytes());
    exchange.pass(changes, is_tapped);
    written(&mut exchange)[1].clone()
}

#[test]
fn a_response_without_a_body_has_none_to_take_in_hand() {
    let plain = terms(Framing::None).asked;
    let head = Asked { head: true, ..plain };
    let empty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let long = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    for (asked, response, is_tapped, said) in [
        (plain, empty, true, empty),
        (plain, empty, false, empty),
        (head, long, false, long),
        // Nobody knows how long it would be.
        (head, long, true, "HTTP/1.1 200 OK\r\n\r\n"),
    ] {
        let said_now = let_go(asked, response, ResponseChanges::default(), is_tapped);
        assert_eq!(said_now, said, "{response} {is_tapped}");
    }
}

#[test]
fn chunks_go_on_as_they_came_and_into_hands_without_their_sizes() {
    let asked = terms(Framing::None).asked;
    let response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    assert_eq!(let_go(asked, response, ResponseChanges::default(), false), response);
    let mut exchange = exchange(Framing::None);
    exchange.hold();
    written(&mut exchange);
    from_endpoint(&mut exchange, response.as_bytes());
    exchange.pass(ResponseChanges::default(), true);
    assert_eq!(exchange.response_came(), came(b"ab", true));
}

/// What follows the head of a 101 is the tunnel's, and its status is what it is.
#[test]
fn a_switch_that_was_held_is_one() {
    let asked = Asked { upgrade: Upgrades::WEBSOCKET, ..terms(Framing::None).asked };
    let changes = ResponseChanges { status: Some(299), ..ResponseChanges::default() };
    for (response, status, body) in [
        ("HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\ntunnel", 101, "tunnel"),
        ("HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\nab", 299, "ab"),
    ] {
        let mut exchange = by(Terms { asked, ..terms(Framing::None) }, limits(), Framing::None);
        exchange.hold();
        written(&mut exchange);
        from_endpoint(&mut exchange, response.as_bytes());
        exchange.pass(changes.clone(), false);
        assert_eq!(exchange.status(), status);
        let said = written(&mut exchange)[1].clone();
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")) && said.ends_with(body), "{said}");
        assert_eq!(exchange.verdict() == Verdict::Switched, status == 101);
    }
}

/// What is let go on as it comes is what is held and let go: to the client, to the endpoint's
/// connection, and to who wants to know.
#[test]
fn a_response_that_is_shown_goes_on_as_one_that_was_held() {
    let plain = terms(Framing::None).asked;
    let head = Asked { head: true, ..plain };
    let old = Asked { http10: true, ..plain };
    let switch = Asked { upgrade: Upgrades::WEBSOCKET, ..plain };
    let mut lines = LineEdits::default();
    lines.set("X-A", b"1").unwrap();
    lines.remove("ETag").unwrap();
    let edited = ResponseChanges { lines, status: Some(299), ..ResponseChanges::default() };
    for (asked, response) in [
        (plain, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: x\r\n\r\nab"),
        (plain, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc"),
        (plain, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"),
        (plain, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"),
        (plain, "HTTP/1.1 200 OK\r\nx-a : 1\r\n\r\nab"),
        (old, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"),
        (head, "HTTP/1.1 304 OK\r\nContent-Length: 2\r\n\r\n"),
        (switch, "HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\ntunnel"),
    ] {
        for changes in [ResponseChanges::default(), edited.clone()] {
            let [held, shown] = [true, false].map(|is_held| {
                let mut exchange =
                    by(Terms { asked, ..terms(Framing::None) }, limits(), Framing::None);
                exchange.show();
                exchange.keep_heads(Box::default());
                written(&mut exchange);
                *exchange.endpoint_slot() = Some(Bytes(response.as_bytes().to_vec()));
                exchange.endpoint_sent_to(&mut |_, made| {
                    made.clone_from(&changes);
                    !is_held
                });
                assert_eq!(exchange.is_held(), is_held, "{response}");
                if is_held {
                    let changes = exchange.take_changes();
                    exchange.pass(changes, false);
                }
                let said = written(&mut exchange)[1].clone();
                let heads = exchange.take_heads();
                let (status, verdict) = (exchange.status(), exchange.verdict());
                (said, heads, status, verdict, exchange.settle(()).is_some())
            });
            assert_eq!(format!("{held:?}"), format!("{shown:?}"), "{response}");
        }
    }
}

#[test]
fn what_nobody_is_shown_is_held() {
    let mut exchange = exchange(Framing::None);
    exchange.show();
    written(&mut exchange);
    // The final head comes out when the one before it is written.
    let both = [b"HTTP/1.1 103 X\r\n\r\n", HEAD, b"abcde"].concat();
    *exchange.endpoint_slot() = Some(Bytes(both));
    exchange.endpoint_sent_to(&mut |_, _| panic!("it has not come yet"));
    written(&mut exchange);
    assert!(exchange.is_held());
    // Who asks for it, for whatever reason, comes first.
    let mut asked = self::exchange(Framing::None);
    asked.hold();
    asked.show();
    written(&mut asked);
    *asked.endpoint_slot() = Some(Bytes([HEAD, b"abcde"].concat()));
    asked.endpoint_sent_to(&mut |_, _| true);
    assert!(asked.is_held());
}
