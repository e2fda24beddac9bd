//! Whom an exchange waits for, and what making room comes to.

use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use super::*;
use crate::body::Framing;
use crate::upgrade::Upgrades;

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

impl Held for Bytes {
    fn consume(&mut self, count: usize) {
        self.0.drain(..count);
    }

    fn is_full(&self) -> bool {
        false
    }
}

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";

fn exchange(framing: Framing) -> Exchange<&'static [u8], Bytes> {
    let terms = Terms {
        asked: Asked { head: false, http10: false, upgrade: Upgrades::NONE },
        keep_alive: true,
        idempotent: true,
        expects: false,
        has_body: framing != Framing::None,
    };
    let second = Duration::from_secs(1);
    let limits =
        Limits { request_body: second, write: second, response_head: None, half_closed: second };
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
