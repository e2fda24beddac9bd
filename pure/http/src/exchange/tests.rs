//! Whom an exchange waits for, and what making room comes to.

use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use super::*;
use crate::body::{Framing, Wrapping};
use crate::edits::ResponseChanges;
use crate::upgrade::Upgrades;

mod again;
mod ends;
mod holds;
mod waits;

/// A buffer that is never full.
struct Bytes(Vec<u8>);

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Bytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Loan for Bytes {
    fn consume(&mut self, count: usize) {
        self.0.drain(..count);
    }

    fn is_full(&self) -> bool {
        false
    }
}

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";

fn terms(framing: Framing) -> Terms {
    Terms {
        asked: Asked { head: false, http10: false, upgrade: Upgrades::NONE },
        keep_alive: true,
        idempotent: true,
        expects: false,
        has_body: framing != Framing::None,
    }
}

fn limits() -> Limits {
    let second = Duration::from_secs(1);
    Limits {
        request_body: second,
        write: second,
        endpoint_write: second,
        response_head: None,
        response_body: None,
        half_closed: second,
    }
}

fn exchange(framing: Framing) -> Exchange<&'static [u8], Bytes> {
    by(terms(framing), limits(), framing)
}

fn by(terms: Terms, limits: Limits, framing: Framing) -> Exchange<&'static [u8], Bytes> {
    let mut exchange =
        Exchange::new(terms, limits, &b"head"[..], Body::new(framing), None, Vec::new());
    exchange.begin();
    exchange
}

#[allow(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
fn start() -> Instant {
    Instant::now()
}

fn pending(slices: [&[u8]; 3]) -> usize {
    slices.concat().len()
}

#[test]
fn only_who_is_waited_for_alone_stalls() {
    let start = start();
    let at = |milliseconds| start + Duration::from_millis(milliseconds);
    let mut upload = exchange(Framing::Length(10));
    upload.wait(at(0));
    assert_eq!(upload.stalled(), None, "the endpoint takes nothing yet");
    upload.wrote_to_endpoint(4);
    for (now, since) in [(1, 1), (500, 1)] {
        upload.wait(at(now));
        assert_eq!(upload.stalled(), Some(at(since)));
    }
    *upload.client_slot() = Some(Bytes(b"abc".to_vec()));
    upload.client_sent();
    upload.wait(at(600));
    assert_eq!(upload.stalled(), None, "the endpoint has to take a piece");
    upload.wrote_to_endpoint(3);
    upload.wait(at(700));
    assert_eq!(upload.stalled(), Some(at(700)));
    // What the client takes of an early answer is progress, too.
    *upload.endpoint_slot() = Some(Bytes(HEAD.to_vec()));
    upload.endpoint_sent();
    upload.wait(at(800));
    assert_eq!(upload.stalled(), Some(at(700)));
    upload.wrote_to_client(1);
    upload.wait(at(900));
    assert_eq!(upload.stalled(), Some(at(900)));

    let mut download = exchange(Framing::None);
    download.wrote_to_endpoint(4);
    download.wait(at(0));
    assert_eq!(download.stalled(), None, "the endpoint is to answer");
    *download.endpoint_slot() = Some(Bytes([HEAD, b"abc"].concat()));
    download.endpoint_sent();
    download.wait(at(1));
    assert_eq!(download.stalled(), Some(at(1)));
    download.wrote_to_client(pending(download.to_client()));
    download.wait(at(2));
    assert_eq!(download.stalled(), None, "the endpoint is to go on");
}

#[test]
fn who_makes_room_is_told_while_nothing_was_said() {
    let mut silent = exchange(Framing::Length(10));
    silent.wrote_to_endpoint(4);
    silent.make_room();
    assert_eq!(silent.verdict(), Verdict::Answer { why: Break::MadeRoom, stays: false });
    assert!(silent.settle(()).is_none(), "half a request was written");
    let mut begun = exchange(Framing::None);
    begun.wrote_to_endpoint(4);
    *begun.endpoint_slot() = Some(Bytes(HEAD.to_vec()));
    begun.endpoint_sent();
    begun.wrote_to_client(3);
    begun.make_room();
    assert_eq!(begun.verdict(), Verdict::Cut(Break::MadeRoom, After::Reset));
    assert!(begun.settle(()).is_none());
}

/// Neither is sent anywhere else, and the client's connection ends.
#[test]
fn what_is_cut_off_or_cannot_go_on_is_answered_while_nothing_was_said() {
    let cut = |it: &mut Exchange<_, _>| it.cut_off();
    let reject = |it: &mut Exchange<_, _>| it.reject(Reject::Host);
    type End<'a> = &'a dyn Fn(&mut Exchange<&'static [u8], Bytes>);
    let ends: [(End<'_>, Break); 2] =
        [(&cut, Break::CutOff), (&reject, Break::Rejected(Reject::Host))];
    for (end, why) in ends {
        let mut new = exchange(Framing::None);
        end(&mut new);
        assert_eq!(new.verdict(), Verdict::Answer { why, stays: false });
        let mut begun = exchange(Framing::None);
        begun.wrote_to_endpoint(4);
        *begun.endpoint_slot() = Some(Bytes(HEAD.to_vec()));
        begun.endpoint_sent();
        end(&mut begun);
        assert_eq!(begun.verdict(), Verdict::Cut(why, After::Reset));
    }
}

/// What is written to whom, all at once.
fn written(exchange: &mut Exchange<&'static [u8], Bytes>) -> [String; 2] {
    let mut both = [String::new(), String::new()];
    loop {
        let endpoint = exchange.to_endpoint().concat();
        exchange.wrote_to_endpoint(endpoint.len());
        let client = exchange.to_client().concat();
        exchange.wrote_to_client(client.len());
        if endpoint.is_empty() && client.is_empty() {
            return both;
        }
        both[0].push_str(str::from_utf8(&endpoint).unwrap());
        both[1].push_str(str::from_utf8(&client).unwrap());
    }
}

fn from_endpoint(exchange: &mut Exchange<&'static [u8], Bytes>, bytes: &[u8]) {
    assert!(exchange.reads_endpoint());
    *exchange.endpoint_slot() = Some(Bytes(bytes.to_vec()));
    exchange.endpoint_sent();
}

fn came(payload: &[u8], is_end: bool) -> Option<Came> {
    Some(Came { payload: payload.to_vec(), is_end, trailers: Vec::new() })
}

#[test]
fn a_response_is_held_until_it_is_let_go() {
    let mut exchange = exchange(Framing::None);
    exchange.hold();
    written(&mut exchange);
    from_endpoint(&mut exchange, b"HTTP/1.1 103 X\r\n\r\n");
    assert_eq!(written(&mut exchange)[1], "HTTP/1.1 103 X\r\n\r\n");
    from_endpoint(&mut exchange, &[HEAD, b"ab"].concat());
    assert!(exchange.is_held() && !exchange.reads_endpoint() && !exchange.is_over());
    assert_eq!(written(&mut exchange)[1], "");
    assert_eq!(exchange.look_and_pass(|head| (head.status, None)), Some(200));
    exchange.pass(ResponseChanges::default(), false);
    assert!(!exchange.is_held());
    assert_eq!(written(&mut exchange)[1].as_bytes(), [HEAD, b"ab"].concat());
    from_endpoint(&mut exchange, b"cde");
    assert_eq!(written(&mut exchange)[1], "cde");
    assert_eq!(exchange.verdict(), Verdict::Passed(After::Next));
    assert!(exchange.settle(()).is_some());
}

#[test]
fn what_is_dropped_leaves_the_connection_clean_only_when_it_is_whole() {
    for (body, is_clean) in [(&b"abcde"[..], true), (b"abcd", false), (b"abcdef", false)] {
        let mut exchange = exchange(Framing::None);
        exchange.hold();
        written(&mut exchange);
        from_endpoint(&mut exchange, &[HEAD, body].concat());
        exchange.discard();
        assert_eq!(exchange.settle(()).is_some(), is_clean, "{}", body.escape_ascii());
    }
}

#[test]
fn a_response_in_hand_goes_on_as_it_is_given() {
    let mut exchange = exchange(Framing::None);
    exchange.hold();
    written(&mut exchange);
    from_endpoint(&mut exchange, &[HEAD, b"ab"].concat());
    exchange.pass(ResponseChanges::default(), true);
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(written(&mut exchange)[1], head);
    assert!(!exchange.reads_endpoint(), "nobody took what came");
    assert_eq!(exchange.response_came(), came(b"ab", false));
    assert_eq!(exchange.response_came(), None);
    exchange.pause_response(true);
    assert!(!exchange.reads_endpoint());
    exchange.pause_response(false);
    from_endpoint(&mut exchange, b"cde");
    exchange.pause_response(true);
    assert_eq!(exchange.response_came(), None);
    exchange.pause_response(false);
    assert_eq!(exchange.response_came(), came(b"cde", true));
    assert_eq!(exchange.response_came(), None, "the end comes once");
    exchange.give_response(b"", false);
    exchange.give_response(b"xyz", false);
    assert_eq!(written(&mut exchange)[1], "3\r\nxyz\r\n");
    assert!(!exchange.is_over() && !exchange.reads_endpoint());
    exchange.give_response(b"", true);
    exchange.give_response(b"more", true);
    assert_eq!(written(&mut exchange)[1], "0\r\n\r\n");
    assert_eq!(exchange.verdict(), Verdict::Passed(After::Next));
    assert_eq!(exchange.bytes().1, 3);
    assert!(exchange.settle(()).is_some());
}

#[test]
fn a_request_in_hand_goes_on_as_it_is_given() {
    let mut exchange = exchange(Framing::Length(4));
    exchange.tap_request(Wrapping::Chunks, false);
    assert_eq!(written(&mut exchange)[0], "head");
    *exchange.client_slot() = Some(Bytes(b"abcdNEXT".to_vec()));
    exchange.client_sent();
    assert_eq!(exchange.request_came(), came(b"abcd", true));
    assert_eq!(exchange.request_came(), None);
    exchange.give_request(b"xy", false);
    assert_eq!(written(&mut exchange)[0], "2\r\nxy\r\n");
    from_endpoint(&mut exchange, &[HEAD, b"abcde"].concat());
    assert!(exchange.settle(()).is_none(), "the endpoint awaits more of the request");
}

#[test]
fn a_request_that_was_given_whole_leaves_the_connection_clean() {
    let mut exchange = exchange(Framing::Length(4));
    exchange.tap_request(Wrapping::Plain, false);
    written(&mut exchange);
    *exchange.client_slot() = Some(Bytes(b"abcdNEXT".to_vec()));
    exchange.client_sent();
    assert_eq!(exchange.request_came(), came(b"abcd", true));
    exchange.give_request(b"ab", false);
    exchange.give_request(b"cd", true);
    exchange.give_request(b"more", true);
    assert_eq!(written(&mut exchange)[0], "abcd");
    from_endpoint(&mut exchange, &[HEAD, b"abcde"].concat());
    assert_eq!(written(&mut exchange)[1].as_bytes(), [HEAD, b"abcde"].concat());
    assert!(exchange.settle(()).is_some());
    assert_eq!(exchange.take_parts().0.map(|held| held.0), Some(b"NEXT".to_vec()));
}

#[test]
fn who_gives_up_is_told_while_nothing_was_said() {
    let mut early = exchange(Framing::Length(4));
    early.tap_request(Wrapping::Plain, false);
    written(&mut early);
    early.give_up();
    assert_eq!(early.verdict(), Verdict::Answer { why: Break::GivenUp, stays: false });
    let mut late = exchange(Framing::None);
    late.hold();
    written(&mut late);
    from_endpoint(&mut late, HEAD);
    late.pass(ResponseChanges::default(), true);
    written(&mut late);
    late.give_up();
    assert_eq!(late.verdict(), Verdict::Cut(Break::GivenUp, After::Reset));
}
