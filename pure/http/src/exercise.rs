//! Everything that reads bytes from the network, on any bytes, with what must hold afterwards.
//! Fuzzing, the corpus and the property tests share it.

use steelyard_model::routing::route::Manner;

use crate::blame::blame;
use crate::body::{Body, Framing};
use crate::h2::{Frames, H2Request, request_to_h1, response_to_h1};
use crate::head::Slots;
use crate::path::{self, Spelling};
use crate::query::Semicolons;
use crate::reject::Reject;
use crate::request::{Hop, RequestHead, USUAL_LIST, client_lines};
use crate::response::{Asked, Persistence, ResponseHead};
use crate::upgrade::Upgrades;

/// Reads `bytes` as a request, as a response and as a body, and as those of HTTP/2. Panics when an
/// invariant is broken.
pub fn exercise(bytes: &[u8]) {
    request(bytes);
    for flags in 0..8_u8 {
        let upgrade = if flags & 4 != 0 { Upgrades::WEBSOCKET } else { Upgrades::NONE };
        let asked = Asked { head: flags & 1 != 0, http10: flags & 2 != 0, upgrade };
        response(bytes, asked);
    }
    body(bytes);
    http2(bytes);
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(normal) = path::normalize(text)
    {
        assert_eq!(path::normalize(&normal).as_deref(), Ok(&*normal), "normal form is normal");
    }
}

/// What HTTP/2 says is one message of HTTP/1 at most, however its fields are made.
fn http2(bytes: &[u8]) {
    let _ = Frames::default().walk(bytes, |_| Ok::<_, ()>(()));
    let mut parts = bytes.split(|byte| *byte == b'\n');
    let mut text = || parts.next().and_then(|part| str::from_utf8(part).ok());
    let (Some(method), path, authority) = (text(), text(), text()) else { return };
    let scheme = Some("https");
    for (is_end, protocol) in [(true, None), (false, None), (false, Some("websocket"))] {
        let request = H2Request { method, scheme, authority, path, protocol, is_end };
        let lines = || parts.clone().map(|line| line.split_at(line.len() / 2));
        let mut out = Vec::new();
        if request_to_h1(&request, lines, "key", &mut out).is_ok() {
            let mut slots = Slots::default();
            match RequestHead::parse(&out, &mut slots) {
                Ok(Some(head)) => assert_eq!(head.len, out.len(), "nothing follows a head"),
                Ok(None) => panic!("what is spelled is a whole head"),
                Err(_) => {}
            }
        }
        let mut out = Vec::new();
        if response_to_h1(200, lines(), is_end, false, &mut out).is_ok() {
            let asked = Asked { head: false, http10: false, upgrade: Upgrades::NONE };
            let mut slots = Slots::default();
            match ResponseHead::parse(&out, &mut slots, asked) {
                Ok(Some(head)) => assert_eq!(head.len, out.len(), "nothing follows a head"),
                Ok(None) => panic!("what is spelled is a whole head"),
                Err(_) => {}
            }
        }
    }
}

/// A request that is accepted means the same to the next hop as it did to us.
fn request(bytes: &[u8]) {
    let mut slots = Slots::default();
    let Ok(Some(head)) = RequestHead::parse(bytes, &mut slots) else { return };
    assert!(head.len <= bytes.len(), "a head ends within its bytes");
    for path in [Spelling::Normal, Spelling::Unresolved, Spelling::AsAsked] {
        for manner in [Manner::Traefik, Manner::Nginx] {
            forwarded(&head, path, manner);
        }
    }
}

fn forwarded(head: &RequestHead<'_, '_>, path: Spelling, manner: Manner) {
    let lines = client_lines([192, 0, 2, 1].into(), "node", "gateway-1");
    let fallback_host = "192.0.2.2:80";
    let hop = Hop {
        client_lines: &lines,
        list: USUAL_LIST,
        keeps_underscores: false,
        fallback_host,
        path,
        manner,
        semicolons: Semicolons::Kept,
        port: 80,
    };
    let mut out = Vec::new();
    head.forward(&hop, None, &mut out);
    let mut slots = Slots::default();
    let again = match RequestHead::parse(&out, &mut slots) {
        Ok(Some(again)) => again,
        // Our lines may be those too many for a second time.
        Err(Reject::TooManyHeaders) => return,
        Ok(None) => panic!("what is forwarded is a whole head"),
        Err(reject) => panic!("what is forwarded is well-formed: {reject}"),
    };
    assert_eq!(again.len, out.len(), "nothing follows a forwarded head");
    assert_eq!(again.method, head.method);
    assert_eq!((&again.path, again.query), (&head.path, head.query), "what is routed is meant");
    assert_eq!(again.framing, head.framing, "the body ends in the same place");
    match again.framing {
        Framing::Chunked => assert_eq!(again.header("transfer-encoding"), Some(&b"chunked"[..])),
        Framing::Length(length) => {
            let written = length.to_string();
            assert_eq!(again.header("content-length"), Some(written.as_bytes()));
        }
        Framing::None | Framing::UntilClose => {}
    }
    assert_eq!(again.upgrade, head.upgrade);
    if !head.authority.raw.is_empty() {
        assert_eq!(again.authority, head.authority, "the same site is meant");
    }
}

/// What the client gets of a response has one reading, and is written as we would write it.
fn response(bytes: &[u8], asked: Asked) {
    let mut slots = Slots::default();
    let head = match ResponseHead::parse(bytes, &mut slots, asked) {
        Ok(Some(head)) => head,
        Ok(None) => return,
        Err(bad) => {
            let _ = blame(bytes, bad);
            return;
        }
    };
    assert!(head.len <= bytes.len(), "a head ends within its bytes");
    let mut out = Vec::new();
    if head.is_verbatim(Persistence::Implied) {
        out.extend_from_slice(&bytes[..head.len]);
    } else {
        head.forward(Persistence::Implied, None, &mut out);
    }
    let mut slots = Slots::default();
    let again = ResponseHead::parse(&out, &mut slots, asked);
    let again = again.expect("what is forwarded is well-formed").expect("and whole");
    assert_eq!((again.len, again.status), (out.len(), head.status));
    assert!(again.is_switch() || again.is_verbatim(Persistence::Implied), "it is canonical");
    if head.framing == Framing::UntilClose && !asked.http10 {
        assert_eq!(again.framing, Framing::Chunked, "a connection that breaks is no end");
    } else if !asked.http10 {
        assert_eq!(again.framing, head.framing, "the body ends in the same place");
    }
    let (length, coding) = (again.header("content-length"), again.header("transfer-encoding"));
    assert!(length.is_none() || coding.is_none(), "one word about the body at most");
    if head.status < 200 || head.status == 204 {
        assert!(length.is_none() && coding.is_none(), "none where there is no body");
    }
    assert_eq!(again.header("upgrade").is_some(), again.is_switch());
}

/// A body ends in the same place in whatever pieces it comes, and what goes on is canonical.
fn body(bytes: &[u8]) {
    for framing in [Framing::Chunked, Framing::Length(bytes.len() as u64 / 2), Framing::UntilClose]
    {
        let strict = Body::new(framing);
        let whole = feed(strict.clone(), bytes, bytes.len().max(1));
        assert_eq!(whole, feed(strict, bytes, 1), "pieces do not matter");
        let old = Body::answer(framing, true);
        let payload = feed(old.clone(), bytes, bytes.len().max(1));
        assert_eq!(payload, feed(old, bytes, 1), "pieces do not matter");
        let (Some(payload), true) = (payload, framing != Framing::Length(bytes.len() as u64 / 2))
        else {
            continue;
        };
        for size in [1, 2, bytes.len().max(1)] {
            let answer = feed(Body::answer(framing, false), bytes, size);
            let answer = answer.expect("what old clients get, others get too");
            let mut plain = Body::answer(Framing::Chunked, true);
            let apart = feed_whole(&mut plain, &answer.bytes).expect("it is in chunks");
            assert_eq!(apart.bytes, payload.bytes, "by {size}");
            assert_eq!((plain.is_done(), answer.consumed), (payload.done, payload.consumed));
            let again = feed(Body::new(Framing::Chunked), &answer.bytes, answer.bytes.len().max(1));
            let again = again.expect("it is strict");
            assert!(!again.done || again.bytes == answer.bytes, "it is canonical");
        }
    }
}

/// What became of a body.
#[derive(Debug, PartialEq, Eq)]
struct Passed {
    /// What goes on.
    bytes: Vec<u8>,
    /// How many of the bytes given belong to it.
    consumed: usize,
    /// Whether it is complete.
    done: bool,
}

/// Feeds `bytes` in pieces, and then the end of the connection; `None` when they are malformed.
fn feed(mut body: Body, bytes: &[u8], size: usize) -> Option<Passed> {
    let mut passed = Passed { bytes: Vec::new(), consumed: 0, done: false };
    for piece in bytes.chunks(size) {
        if body.is_done() {
            break;
        }
        let piece = feed_whole(&mut body, piece)?;
        passed.bytes.extend(piece.bytes);
        passed.consumed += piece.consumed;
    }
    if let Some(end) = body.end() {
        passed.bytes.extend_from_slice(end);
        passed.done = true;
    }
    Some(passed)
}

fn feed_whole(body: &mut Body, piece: &[u8]) -> Option<Passed> {
    let mut piece = piece.to_vec();
    let len = piece.len();
    let fed = body.feed(&mut piece).inspect_err(|bad| assert!(bad.at < len)).ok()?;
    assert!(fed.forward <= fed.consumed, "nothing is made up");
    let mut bytes = fed.opening.to_vec();
    bytes.extend_from_slice(&piece[..fed.forward]);
    bytes.extend_from_slice(&fed.closing);
    Some(Passed { bytes, consumed: fed.consumed, done: body.is_done() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use steelyard_testbed::corpus;

    use super::*;

    #[test]
    fn the_fuzz_corpus_holds() {
        let count = corpus::replay("http_head", exercise);
        assert!(count >= 20, "the corpus has only {count} files");
    }

    /// Lines that are nearly right get further than noise does.
    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            "Host: [a-zA-Z.:0-9\\[\\]]{0,8}",
            "[Cc]ontent[-_]Length ?: ?[0-9+, ]{0,3}",
            "Transfer[-_]Encoding ?: ?(chunked|gzip|, ){0,3}",
            "Connection: (close|keep-alive|upgrade|host|x-a|, ){0,4}",
            "Upgrade: (websocket|h2c|tcp|, ){0,3}",
            "[Xx][-_][Ff]orwarded[-_](For|Proto|Host): [a-z]{0,3}",
            "(Proxy|Forwarded|Cdn[-_]Loop): [a-z]{0,3}",
            "X-A[ \t]?: [ -~]{0,6}",
        ]
    }

    proptest! {
        #[test]
        fn nearly_heads(
            first in prop_oneof![
                "(GET|POST|OPTIONS|X) (/|\\*|http://a)[a./%2eEfF?#]{0,10} HTTP/1\\.[01]",
                "HTTP/1\\.[01] [0-9]{3} [a-z ]{0,4}",
            ],
            lines in prop::collection::vec(line(), 0..6),
            line_end in "(\r\n|\r\n|\n)",
            end in "(\r\n|\n|\r)",
            rest in "[0-9a; \r\n]{0,12}",
        ) {
            let head: String = std::iter::once(&first)
                .chain(&lines)
                .map(|line| format!("{line}{line_end}"))
                .collect();
            exercise(format!("{head}{end}{rest}").as_bytes());
        }

        #[test]
        fn nearly_chunks(body in "(0{0,2}[0-3] {0,2}(;a=b)?\r\n[a-c]{0,3}\r\n){0,4}.{0,3}") {
            exercise(body.as_bytes());
        }

        #[test]
        fn noise(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            exercise(&bytes);
        }
    }
}
