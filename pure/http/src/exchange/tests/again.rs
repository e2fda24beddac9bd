//! A request that is kept is asked again, of another endpoint; a response goes on with a line more.

use super::*;

/// The client sends some of its body.
fn sends(exchange: &mut Exchange<&'static [u8], Bytes>, bytes: &[u8]) {
    *exchange.client_slot() = Some(Bytes(bytes.to_vec()));
    exchange.client_sent();
}

/// The endpoint takes all that there is; what it was.
fn takes(exchange: &mut Exchange<&'static [u8], Bytes>) -> String {
    let taken = exchange.to_endpoint().concat();
    exchange.wrote_to_endpoint(taken.len());
    String::from_utf8(taken).unwrap()
}

/// The endpoint sends a head and what follows.
fn answers(exchange: &mut Exchange<&'static [u8], Bytes>, bytes: &[u8]) {
    *exchange.endpoint_slot() = Some(Bytes(bytes.to_vec()));
    exchange.endpoint_sent();
}

#[test]
fn what_is_kept_goes_on_again_and_what_follows_behind_it() {
    let mut it = exchange(Framing::Length(8));
    it.keep_request(8);
    it.hold();
    it.begin();
    sends(&mut it, b"abc");
    assert_eq!(takes(&mut it), "headabc");
    sends(&mut it, b"de");
    assert_eq!(takes(&mut it), "de");
    assert_eq!(it.whole_request(), None);
    answers(&mut it, b"HTTP/1.1 503 X\r\nContent-Length: 2\r\n\r\nno");
    assert!(it.is_held() && it.may_begin_anew());
    it.discard();
    it.begin_anew();
    it.begin();
    assert_eq!((it.status(), takes(&mut it).as_str()), (0, "headabcde"));
    sends(&mut it, b"fgh");
    assert_eq!(takes(&mut it), "fgh");
    assert_eq!(it.whole_request().map(|parts| parts.concat()), Some(b"headabcdefgh".to_vec()));
    answers(&mut it, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let changes = it.take_changes();
    it.pass(changes, false);
    let answer = it.to_client().concat();
    assert!(answer.ends_with(b"ok"));
    it.wrote_to_client(answer.len());
    assert_eq!((it.verdict(), it.status()), (Verdict::Passed(After::Next), 200));
    assert!(it.settle(()).is_some(), "the connection may be used again");
}

#[test]
fn what_is_too_large_goes_on_once() {
    let mut it = exchange(Framing::Length(8));
    it.keep_request(4);
    it.begin();
    sends(&mut it, b"abc");
    assert_eq!(takes(&mut it), "headabc");
    assert!(it.may_begin_anew());
    sends(&mut it, b"de");
    assert_eq!(takes(&mut it), "de");
    assert!(!it.may_begin_anew());
    sends(&mut it, b"fgh");
    assert_eq!((takes(&mut it).as_str(), it.whole_request()), ("fgh", None));
    answers(&mut it, HEAD);
    assert!(!it.may_begin_anew());
}

#[test]
fn a_response_that_is_none_is_forgotten_for_another() {
    let mut it = exchange(Framing::None);
    it.keep_request(0);
    it.begin();
    assert_eq!(takes(&mut it), "head");
    answers(&mut it, b"HTTP/1.1 200 OK\r\nContent-Len");
    it.endpoint_ended();
    assert!(matches!(it.verdict(), Verdict::Answer { .. }) && it.may_begin_anew());
    it.begin_anew();
    it.begin();
    assert_eq!(takes(&mut it), "head");
    answers(&mut it, b"HTTP/1.1 204 No Content\r\n\r\n");
    let answer = it.to_client().concat();
    it.wrote_to_client(answer.len());
    assert_eq!(it.verdict(), Verdict::Passed(After::Next));
}

#[test]
fn a_line_is_added_on_the_way() {
    for (head, ends) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"[..], "\r\n\r\nok"),
        (b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", "\r\n\r\n"),
    ] {
        let mut asked = terms(Framing::None);
        asked.asked.upgrade = Upgrades::WEBSOCKET;
        let mut it = by(asked, limits(), Framing::None);
        let mut changes = ResponseChanges::default();
        changes.lines.add("Set-Cookie", b"a=b").unwrap();
        it.change_response(Some(changes.into()));
        takes(&mut it);
        answers(&mut it, b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
        let hints = it.to_client().concat();
        assert!(!String::from_utf8_lossy(&hints).contains("Set-Cookie"));
        it.wrote_to_client(hints.len());
        answers(&mut it, head);
        let answer = String::from_utf8(it.to_client().concat()).unwrap();
        assert!(answer.contains("\r\nSet-Cookie: a=b\r\n") && answer.ends_with(ends), "{answer}");
    }
}
