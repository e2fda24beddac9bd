use proptest::prelude::*;

use super::*;

/// Feeds `input` in pieces of `size`; returns what is forwarded, what is left, and whether done.
fn run(mut body: Body, input: &[u8], size: usize) -> Result<(Vec<u8>, Vec<u8>, bool), ()> {
    let mut out = Vec::new();
    let mut left = Vec::new();
    for piece in input.chunks(size.max(1)) {
        if body.is_done() {
            left.extend_from_slice(piece);
            continue;
        }
        let mut piece = piece.to_vec();
        let fed = body.feed(&mut piece).map_err(drop)?;
        out.extend_from_slice(&piece[..fed.forward]);
        out.extend_from_slice(&fed.closing);
        left.extend_from_slice(&piece[fed.consumed..]);
    }
    Ok((out, left, body.is_done()))
}

/// How many of the bytes are the body itself.
fn payload(mut body: Body, input: &[u8], size: usize) -> usize {
    let pieces = input.chunks(size);
    pieces.map(|piece| body.feed(&mut piece.to_vec()).unwrap().payload).sum()
}

fn chunked() -> Body {
    Body::new(Framing::Chunked)
}

#[test]
fn whole_bodies_in_pieces_of_every_size() {
    for (input, forwarded, payload) in [
        ("0\r\n\r\n", "0\r\n\r\n", ""),
        ("3\r\nabc\r\n0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "abc"),
        (
            "0003;a=\"b\"\r\nabc\r\nA\r\n0123456789\r\n00\r\n\r\n",
            "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
            "abc0123456789",
        ),
        ("0a\r\n0123456789\r\n0;x\r\n\r\n", "a\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("1\r\nx\r\n0\r\nDate: x\r\n\r\n", "1\r\nx\r\n0\r\n\r\n", "x"),
        (
            "1\r\nx\r\n0\r\nDate: x\r\nB:y \r\nC: z\r\n\r\n",
            "1\r\nx\r\n0\r\nB: y\r\nC: z\r\n\r\n",
            "x",
        ),
    ] {
        let followed = format!("{input}GET /");
        for size in 1..=followed.len() {
            let (out, left, done) = run(chunked(), followed.as_bytes(), size).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), forwarded, "{input:?} by {size}");
            assert_eq!((left.as_slice(), done), (&b"GET /"[..], true), "{input:?} by {size}");
            let plain = Body::answer(Framing::Chunked, true);
            let (out, left, done) = run(plain, followed.as_bytes(), size).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), payload, "{input:?} by {size}");
            assert_eq!((left.as_slice(), done), (&b"GET /"[..], true));
            for body in [chunked(), Body::payload(Framing::Chunked, true)] {
                assert_eq!(self::payload(body, input.as_bytes(), size), payload.len());
            }
        }
    }
}

#[test]
fn endpoints_may_pad_sizes() {
    for (input, forwarded) in [
        ("2   \r\nok\r\n0\r\n\r\n", "2\r\nok\r\n0\r\n\r\n"),
        ("00000002\t\r\nok\r\n000 \r\n\r\n", "2\r\nok\r\n0\r\n\r\n"),
        ("2 ;a=b\r\nok\r\n0\r\n\r\n", "2\r\nok\r\n0\r\n\r\n"),
    ] {
        for size in 1..=input.len() {
            let answer = Body::answer(Framing::Chunked, false);
            let (out, _, done) = run(answer, input.as_bytes(), size).unwrap();
            assert_eq!((str::from_utf8(&out).unwrap(), done), (forwarded, true), "by {size}");
            assert!(run(chunked(), input.as_bytes(), size).is_err(), "clients may not");
        }
    }
    let long = format!("2{}\r\nok\r\n", " ".repeat(20_000));
    for input in ["2\n", " 2\r\n", "2 2\r\n", "2 \n", "0000000000000002\r\n", long.as_str()] {
        let answer = Body::answer(Framing::Chunked, false);
        assert!(run(answer, input.as_bytes(), 5).is_err(), "{input:?}");
    }
}

#[test]
fn what_ends_with_the_connection_is_put_into_chunks() {
    let mut body = Body::answer(Framing::UntilClose, false);
    for size in [0, 1, 9, 10, 15, 16, 255, 4_096, 65_537] {
        let mut piece = vec![b'x'; size];
        let fed = body.feed(&mut piece).unwrap();
        let opening = if size == 0 { String::new() } else { format!("{size:x}\r\n") };
        assert_eq!(&*fed.opening, opening.as_bytes());
        assert_eq!((fed.consumed, fed.forward, fed.closing.is_empty()), (size, size, size == 0));
    }
    assert_eq!(body.end(), Some(&b"0\r\n\r\n"[..]));
    assert_eq!(Body::answer(Framing::UntilClose, true).end(), Some(&b""[..]));
    for framing in [Framing::Chunked, Framing::Length(1)] {
        assert_eq!(Body::answer(framing, false).end(), None, "something is missing");
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
        "0\r\na\r\n\r\n",
        "0\r\na : b\r\n\r\n",
        "0\r\na b: c\r\n\r\n",
        "0\r\n: b\r\n\r\n",
        "0\r\na\t: b\r\n\r\n",
        "0\r\nä: b\r\n\r\n",
        "0\r\nb: c\r\na : b\r\n\r\n",
        "1;\x01\r\n",
        "1;a\nb\r\n",
        "fffffffffffffffff\r\n",
        "0\r\n\rx",
        long_extension.as_str(),
        many_trailers.as_str(),
    ] {
        assert_eq!(run(chunked(), input.as_bytes(), input.len()), Err(()), "{input:?}");
        assert_eq!(run(chunked(), input.as_bytes(), 1), Err(()), "{input:?} by 1");
    }
}

#[test]
fn lengths() {
    let (out, left, done) = run(Body::new(Framing::Length(3)), b"abcdef", 2).unwrap();
    assert_eq!((out.as_slice(), left.as_slice(), done), (&b"abc"[..], &b"def"[..], true));
    assert!(Body::new(Framing::None).is_done());
    assert!(!Body::new(Framing::UntilClose).is_done());
}

proptest! {
    #[test]
    fn pieces_do_not_matter(input in "[0-3a;\r\n :]{0,40}", size in 1_usize..8) {
        let whole = run(chunked(), input.as_bytes(), input.len());
        let pieces = run(chunked(), input.as_bytes(), size);
        prop_assert_eq!(whole, pieces);
    }
}

/// Clients must write sizes as they are meant, whoever looks at what they send.
#[test]
fn payload_is_read_as_strictly_as_its_body() {
    let padded = b"2 \r\nok\r\n0\r\n\r\n";
    let ok = (b"ok".to_vec(), Vec::new(), true);
    assert_eq!(run(Body::payload(Framing::Chunked, false), padded, 99), Ok(ok.clone()));
    assert_eq!(run(Body::payload(Framing::Chunked, true), padded, 99), Err(()));
    let exact = b"2\r\nok\r\n0\r\n\r\n";
    assert_eq!(run(Body::payload(Framing::Chunked, true), exact, 99), Ok(ok));
}

/// Extensions of a whole body may be long together, and no longer.
#[test]
fn what_is_no_payload_has_a_budget() {
    let chunk = |length: usize| format!("1;{}\r\nx\r\n", "e".repeat(length));
    for (lengths, passes) in [
        (&[10_000][..], true),
        (&[8_000, 8_000], true),
        (&[17_000], false),
        (&[9_000, 9_000], false),
    ] {
        let body: String = lengths.iter().map(|length| chunk(*length)).collect();
        let body = format!("{body}0\r\n\r\n");
        assert_eq!(run(chunked(), body.as_bytes(), 1_000).is_ok(), passes, "{lengths:?}");
    }
}
