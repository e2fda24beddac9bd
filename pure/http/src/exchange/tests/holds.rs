//! Heads that are held, and what goes on behind them.

use super::*;

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
