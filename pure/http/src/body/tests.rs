use proptest::prelude::*;

use super::*;

/// Feeds `input` in pieces of `size`; returns what is forwarded, what is left, and whether done.
fn run(mut body: Body, input: &[u8], size: usize) -> Result<(Vec<u8>, Vec<u8>, bool), BadChunk> {
    let mut out = Vec::new();
    let mut left = Vec::new();
    for piece in input.chunks(size.max(1)) {
        if body.is_done() {
            left.extend_from_slice(piece);
            continue;
        }
        let mut piece = piece.to_vec();
        let fed = body.feed(&mut piece)?;
        out.extend_from_slice(&piece[..fed.forward]);
        out.extend_from_slice(fed.closing);
        left.extend_from_slice(&piece[fed.consumed..]);
    }
    Ok((out, left, body.is_done()))
}

fn chunked() -> Body {
    Body::new(Framing::Chunked)
}

#[test]
fn whole_bodies_in_pieces_of_every_size() {
    for (input, forwarded, payload) in [
        ("0\r\n\r\n", "0\r\n\r\n", ""),
        ("3\r\nabc\r\n0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "abc"),
        ("0003;a=\"b\"\r\nabc\r\nA\r\n0123456789\r\n00\r\n\r\n", "", "abc0123456789"),
        ("1\r\nx\r\n0\r\nDate: x\r\nB: y\r\n\r\n", "1\r\nx\r\n0\r\n\r\n", "x"),
    ] {
        let expected = if forwarded.is_empty() { input } else { forwarded };
        let followed = format!("{input}GET /");
        for size in 1..=followed.len() {
            let (out, left, done) = run(chunked(), followed.as_bytes(), size).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{input:?} by {size}");
            assert_eq!((left.as_slice(), done), (&b"GET /"[..], true), "{input:?} by {size}");
            let plain = Body::without_chunks(Framing::Chunked);
            let (out, left, done) = run(plain, followed.as_bytes(), size).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), payload, "{input:?} by {size}");
            assert_eq!((left.as_slice(), done), (&b"GET /"[..], true));
        }
    }
}

#[test]
fn malformed_chunks() {
    let long_extension = format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(20_000));
    let many_trailers = format!("0\r\n{}\r\n", "a: b\r\n".repeat(5_000));
    for input in [
        "\r\n",
        ";a\r\n",
        "g\r\n",
        "-1\r\n",
        "+1\r\n",
        "0x1\r\n",
        " 1\r\n",
        "1 \r\n",
        "1\n",
        "1\rx",
        "1\r\nab\r\n",
        "1\r\nx\n0\r\n\r\n",
        "1\r\nx0\r\n\r\n",
        "0\r\n\n",
        "0\r\na\n\r\n",
        "0\r\n a\r\n\r\n",
        "1;\x01\r\n",
        "1;a\nb\r\n",
        "fffffffffffffffff\r\n",
        "0\r\n\rx",
        long_extension.as_str(),
        many_trailers.as_str(),
    ] {
        assert_eq!(run(chunked(), input.as_bytes(), input.len()), Err(BadChunk), "{input:?}");
        assert_eq!(run(chunked(), input.as_bytes(), 1), Err(BadChunk), "{input:?} by 1");
    }
}

#[test]
fn lengths() {
    let (out, left, done) = run(Body::new(Framing::Length(3)), b"abcdef", 2).unwrap();
    assert_eq!((out.as_slice(), left.as_slice(), done), (&b"abc"[..], &b"def"[..], true));
    assert!(Body::new(Framing::None).is_done());
    assert!(!Body::new(Framing::UntilClose).is_done());
    assert!(Body::new(Framing::UntilClose).ends_with_connection());
}

proptest! {
    #[test]
    fn pieces_do_not_matter(input in "[0-3a;\r\n :]{0,40}", size in 1_usize..8) {
        let whole = run(chunked(), input.as_bytes(), input.len());
        let pieces = run(chunked(), input.as_bytes(), size);
        prop_assert_eq!(whole, pieces);
    }
}
