//! Everything that reads bytes from the network, on any bytes, with what must hold afterwards.
//! Fuzzing, the corpus and the property tests share it.

use crate::body::{Body, Framing};
use crate::head::Slots;
use crate::path;
use crate::reject::Reject;
use crate::request::{Hop, RequestHead, client_lines};
use crate::response::{Asked, Persistence, ResponseHead};

/// Reads `bytes` as a request, as a response and as a body. Panics when an invariant is broken.
pub fn exercise(bytes: &[u8]) {
    request(bytes);
    for flags in 0..8_u8 {
        let asked = Asked { head: flags & 1 != 0, http10: flags & 2 != 0, upgrade: flags & 4 != 0 };
        response(bytes, asked);
    }
    body(bytes);
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(normal) = path::normalize(text)
    {
        assert_eq!(path::normalize(&normal).as_deref(), Ok(&*normal), "normal form is normal");
    }
}

/// A request that is accepted means the same to the next hop as it did to us.
fn request(bytes: &[u8]) {
    let mut slots = Slots::default();
    let Ok(Some(head)) = RequestHead::parse(bytes, &mut slots) else { return };
    assert!(head.len <= bytes.len(), "a head ends within its bytes");
    let lines = client_lines([192, 0, 2, 1].into(), "node");
    let hop = Hop { client_lines: &lines, tls: false, fallback_host: "192.0.2.2:80" };
    let mut out = Vec::new();
    head.forward(&hop, &mut out);
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
    assert_eq!((&again.path, again.query), (&head.path, head.query), "what is routed is forwarded");
    assert_eq!(again.framing, head.framing, "the body ends in the same place");
    assert_eq!(again.upgrade, head.upgrade);
    if !head.authority.raw.is_empty() {
        assert_eq!(again.authority, head.authority, "the same site is meant");
    }
}

fn response(bytes: &[u8], asked: Asked) {
    let mut slots = Slots::default();
    let Ok(Some(head)) = ResponseHead::parse(bytes, &mut slots, asked) else { return };
    assert!(head.len <= bytes.len(), "a head ends within its bytes");
    if head.is_verbatim(Persistence::Implied) {
        return;
    }
    let mut out = Vec::new();
    head.forward(Persistence::Implied, &mut out);
    let mut slots = Slots::default();
    let again = ResponseHead::parse(&out, &mut slots, asked);
    let again = again.expect("what is forwarded is well-formed").expect("and whole");
    assert_eq!((again.len, again.status), (out.len(), head.status));
    if !asked.http10 {
        assert_eq!(again.framing, head.framing, "the body ends in the same place");
    }
}

/// A body ends in the same place in whatever pieces it comes.
fn body(bytes: &[u8]) {
    for framing in [Framing::Chunked, Framing::Length(bytes.len() as u64 / 2), Framing::UntilClose]
    {
        for new in [Body::new, Body::without_chunks] {
            let whole = feed(new(framing), bytes, bytes.len().max(1));
            assert_eq!(whole, feed(new(framing), bytes, 1), "pieces do not matter");
        }
    }
}

/// What is forwarded and how many bytes belong to the body, or `None` when it is malformed.
fn feed(mut body: Body, bytes: &[u8], size: usize) -> Option<(Vec<u8>, usize)> {
    let (mut out, mut consumed) = (Vec::new(), 0);
    for piece in bytes.chunks(size) {
        if body.is_done() {
            break;
        }
        let mut piece = piece.to_vec();
        let fed = body.feed(&mut piece).ok()?;
        assert!(fed.forward <= fed.consumed, "nothing is made up");
        out.extend_from_slice(&piece[..fed.forward]);
        out.extend_from_slice(fed.closing);
        consumed += fed.consumed;
    }
    Some((out, consumed))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_fuzz_corpus_holds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/http_head");
        let files = std::fs::read_dir(&folder).expect("the corpus folder is committed");
        let mut count = 0;
        for file in files {
            exercise(&std::fs::read(file.unwrap().path()).unwrap());
            count += 1;
        }
        assert!(count >= 20, "the corpus has only {count} files");
    }

    /// Lines that are nearly right get further than noise does.
    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            "Host: [a-zA-Z.:0-9\\[\\]]{0,8}",
            "Content-Length: [0-9+ ]{0,3}",
            "Transfer-Encoding: (chunked|gzip|, ){0,3}",
            "Connection: (close|keep-alive|upgrade|host|x-a|, ){0,4}",
            "Upgrade: (websocket|h2c)",
            "[Xx][-_][Ff]orwarded[-_](For|Proto|Host): [a-z]{0,3}",
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
            end in "(\r\n|\n|\r)",
            rest in "[0-9a;\r\n]{0,12}",
        ) {
            let head: String =
                std::iter::once(&first).chain(&lines).map(|line| format!("{line}\r\n")).collect();
            exercise(format!("{head}{end}{rest}").as_bytes());
        }

        #[test]
        fn noise(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            exercise(&bytes);
        }
    }
}
