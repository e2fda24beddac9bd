//! What is made smaller, how, and that it is the same afterwards.

use std::io::Read as _;

use bytes::Bytes;

use super::*;
use crate::response::Response;
use crate::tests::{Asked, World};

use ContentCoding::{Brotli, Gzip, Zstd};

type Lines = &'static [(&'static str, &'static str)];

fn terms() -> Compression {
    Compression {
        excluded: Vec::new(),
        included: Vec::new(),
        smallest: 1024,
        encodings: vec![Gzip, Brotli, Zstd],
        default: None,
        is_nginx: false,
    }
}

fn asked() -> Asked {
    Asked::get("a.b", "/")
}

fn chosen(accept: &'static str, terms: &Compression) -> Option<ContentCoding> {
    accepted::coding(&asked().with("Accept-Encoding", accept), terms)
}

#[test]
fn which_coding() {
    for (accept, expected) in [
        ("gzip", Some(Gzip)),
        ("GZIP", Some(Gzip)),
        ("br, gzip", Some(Gzip)),
        ("br, zstd", Some(Brotli)),
        ("zstd", Some(Zstd)),
        ("deflate", None),
        ("", None),
        ("*", Some(Brotli)),
        ("identity", None),
        ("gzip;q=0.5, br;q=0.8", Some(Brotli)),
        ("gzip;q=0.8, br;q=0.8", Some(Gzip)),
        ("gzip; q=0.1, identity", None),
        ("gzip;q=0", None),
        ("gzip;q=0, *", Some(Brotli)),
        ("gzip;q=x, zstd;q=0.1", Some(Zstd)),
        ("*;q=0", None),
        ("identity;q=0, zstd;q=0.1", Some(Zstd)),
    ] {
        assert_eq!(chosen(accept, &terms()), expected, "{accept}");
    }
    let without_brotli = Compression { encodings: vec![Zstd, Gzip], ..terms() };
    assert_eq!(chosen("*", &without_brotli), Some(Zstd));
    let with_default = Compression { default: Some(Gzip), ..terms() };
    assert_eq!(chosen("*", &with_default), Some(Gzip));
    assert_eq!(accepted::coding(&asked(), &terms()), None);
    assert_eq!(accepted::coding(&asked(), &with_default), Some(Gzip));
}

/// What becomes of a response: `-` where it stays, `+` where only `Vary` is added, else how.
fn told(terms: &Compression, asked: Asked, status: u16, lines: Lines) -> String {
    let mut frame = Compress::new(terms);
    let mut world = World::new();
    frame.enter(&mut world.context(), &mut RequestEdits::new(&asked), Got::Nothing);
    let mut response = Response::of(status);
    response
        .lines
        .extend(lines.iter().map(|(name, value)| ((*name).into(), value.as_bytes().into())));
    let mut edits = ResponseEdits::new(&response);
    let left = frame.leave(&mut world.context(), &mut edits, Got::Nothing);
    assert!(matches!(left, Leave::Next));
    let is_changed = frame.needs().response == Direction::Transform;
    match (edits.first("vary"), edits.first("content-encoding")) {
        (None, _) => "-".to_owned(),
        (Some(_), Some(coding)) if is_changed => String::from_utf8_lossy(coding).into_owned(),
        (Some(_), _) => "+".to_owned(),
    }
}

#[test]
fn what_is_made_smaller() {
    let get = || asked().with("Accept-Encoding", "gzip");
    let head = Asked::by("HEAD", "a.b", "/").with("Accept-Encoding", "gzip");
    let stream = get().with("Content-Type", "text/event-stream; charset=utf-8");
    let text = ("Content-Type", "text/html; charset=utf-8");
    let only = || Compression { included: vec!["text/html".into()], ..terms() };
    let but = || Compression { excluded: vec!["Text/HTML".into()], ..terms() };
    let no_streams = || Compression { excluded: vec!["text/event-stream".into()], ..terms() };
    for (terms, asked, status, lines, expected) in [
        (terms(), get(), 200, vec![text], "gzip"),
        (terms(), get(), 404, vec![], "gzip"),
        (terms(), asked(), 200, vec![text], "+"),
        (terms(), asked().with("Accept-Encoding", "identity"), 200, vec![text], "+"),
        (terms(), asked(), 200, vec![("Content-Length", "1023")], "-"),
        (terms(), asked(), 304, vec![], "-"),
        (terms(), head, 200, vec![text], "-"),
        (terms(), get(), 204, vec![], "+"),
        (terms(), get(), 304, vec![], "+"),
        (terms(), get(), 206, vec![text, ("Content-Range", "bytes 0-9/20")], "+"),
        (terms(), get(), 200, vec![("Content-Length", "1023")], "+"),
        (terms(), get(), 200, vec![("Content-Length", "1024")], "gzip"),
        (terms(), get(), 200, vec![("Content-Encoding", "br")], "+"),
        (terms(), get(), 200, vec![("Content-Encoding", "identity")], "+"),
        (terms(), get(), 200, vec![("Content-Type", ";;;")], "+"),
        (terms(), get(), 200, vec![("Cache-Control", "max-age=1, no-transform")], "+"),
        (terms(), get(), 200, vec![("Content-Type", "application/grpc")], "+"),
        (only(), get(), 200, vec![text], "gzip"),
        (only(), get(), 200, vec![("Content-Type", "text/css")], "+"),
        (only(), get(), 200, vec![], "+"),
        (but(), get(), 200, vec![text], "+"),
        (but(), get(), 200, vec![("Content-Type", "text/css")], "gzip"),
        (no_streams(), stream, 200, vec![text], "-"),
    ] {
        let case = format!("{terms:?} {asked:?} {status} {lines:?}");
        assert_eq!(told(&terms, asked, status, lines.leak()), expected, "{case}");
    }
}

#[test]
fn a_strong_tag_becomes_weak() {
    for (tag, expected) in [(r#""1""#, r#"W/"1""#), (r#"W/"1""#, r#"W/"1""#)] {
        let asked = asked().with("Accept-Encoding", "gzip");
        let mut frame = Compress::new(&terms());
        let mut world = World::new();
        frame.enter(&mut world.context(), &mut RequestEdits::new(&asked), Got::Nothing);
        let mut response = Response::of(200);
        response.lines.push(("ETag".into(), tag.as_bytes().into()));
        response.lines.push(("Accept-Ranges".into(), (*b"bytes").into()));
        let mut edits = ResponseEdits::new(&response);
        frame.leave(&mut world.context(), &mut edits, Got::Nothing);
        assert_eq!(edits.first("etag"), Some(expected.as_bytes()));
        assert_eq!(edits.first("accept-ranges"), None);
    }
}

fn restored(coding: ContentCoding, bytes: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    match coding {
        Gzip => _ = flate2::read::GzDecoder::new(bytes).read_to_end(&mut all).unwrap(),
        Brotli => _ = brotli::Decompressor::new(bytes, 4096).read_to_end(&mut all).unwrap(),
        Zstd => all = zstd::decode_all(bytes).unwrap(),
    }
    all
}

/// The beginning of what was not ended yet.
fn begun(coding: ContentCoding, bytes: &[u8], length: usize) -> Vec<u8> {
    let mut all = vec![0; length];
    match coding {
        Gzip => flate2::read::GzDecoder::new(bytes).read_exact(&mut all).unwrap(),
        Brotli => brotli::Decompressor::new(bytes, 4096).read_exact(&mut all).unwrap(),
        Zstd => zstd::Decoder::new(bytes).unwrap().read_exact(&mut all).unwrap(),
    }
    all
}

#[test]
fn what_goes_in_comes_out_and_at_once_where_it_is_to() {
    for coding in [Gzip, Brotli, Zstd] {
        let mut frame = Compress::new(&terms());
        frame.encoder = Some(Box::new(Encoder::new(coding)));
        frame.is_stream = true;
        let mut world = World::new();
        let (mut sent, mut came) = (Vec::new(), Vec::new());
        let mut pass = |piece: Piece, came: &mut Vec<u8>, world: &mut World| {
            let mut out = Vec::new();
            let flow = frame.response(&mut world.context(), piece, &mut out);
            assert!(matches!(flow, Flow::Go));
            for piece in &out {
                if let Piece::Data(bytes) = piece {
                    came.extend_from_slice(bytes);
                }
            }
            out
        };
        for turn in 0..200_u32 {
            let text =
                format!("{turn} is a number, and {} is another; ", turn.wrapping_mul(77_777));
            sent.extend_from_slice(text.as_bytes());
            pass(Piece::Data(Bytes::from(text)), &mut came, &mut world);
            if turn == 3 {
                let out = pass(Piece::Flush, &mut came, &mut world);
                assert_eq!(out.last(), Some(&Piece::Flush), "{coding:?}");
                assert_eq!(begun(coding, &came, sent.len()), sent, "{coding:?}");
            }
        }
        let out = pass(Piece::End(Vec::new()), &mut came, &mut world);
        assert_eq!(out.last(), Some(&Piece::End(Vec::new())));
        assert_eq!(restored(coding, &came), sent, "{coding:?}");
        assert!(came.len() < sent.len() / 2, "{coding:?}: {} of {}", came.len(), sent.len());
        assert_eq!(world.notes, [Note::Ratio(sent.len() as u64, came.len() as u64)]);
        frame.done(&mut world.context(), Ending::Finished);
        assert_eq!(frame.needs().response, Direction::Untouched);
    }
}

#[test]
fn nothing_is_made_of_nothing_but_a_sound_end() {
    for coding in [Gzip, Brotli, Zstd] {
        let mut encoder = Encoder::new(coding);
        let end = encoder.finish().unwrap();
        assert_eq!(restored(coding, &end), b"");
        assert_eq!((encoder.finish(), encoder.write(b"x")), (None, None));
    }
}
