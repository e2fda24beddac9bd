//! Rows as Go's own tests have them, and one for each row of the table.

use super::*;

/// What begins so is this.
const KNOWN: [(&[u8], &str); 84] = [
    (b"", PLAIN),
    (b"\x01\x02\x03", "application/octet-stream"),
    (b"<HtMl><bOdY>blah</body></html>", HTML),
    (b"<HTML></HTML>", HTML),
    (b"   <!DOCTYPE HTML>...", HTML),
    (b"\r\n<html>...", HTML),
    ("This is not HTML. It has \u{2603} though.".as_bytes(), PLAIN),
    (b"\n<?xml!", "text/xml; charset=utf-8"),
    (b"\0\0\x01\0", "image/x-icon"),
    (b"\0\0\x02\0", "image/x-icon"),
    (b"BM...", "image/bmp"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a...", "image/gif"),
    (b"RIFF\0\0\0\0WEBPVP", "image/webp"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"MThd\0\0\0\x06\0\x01", "audio/midi"),
    (b"ID3\x03\0\0\0\0\x0f", "audio/mpeg"),
    (b"RIFFb\xb8\0\0WAVEfmt \x12\0\0\0\x06", "audio/wave"),
    (b"RIFF,\0\0\0WAVEfmt \x12\0\0\0\x06", "audio/wave"),
    (b"FORM\0\0\0\0AIFFCOMM\0\0\0\x12", "audio/aiff"),
    (b"OggS\0\x02\0\0\0\0\0\0\0\0\x7e\x46", "application/ogg"),
    (b"owow\0", "application/octet-stream"),
    (b"oooS\0", "application/octet-stream"),
    (b"oggS\0", "application/octet-stream"),
    (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom<\x06t\xbfmdat", "video/mp4"),
    (b"RIFF,O\n\0AVI LIST\xc3\x80", "video/avi"),
    (b"RIFF,\n\0\0AVI LIST\xc3\x80", "video/avi"),
    (b"\0\x01\0\0\0\x17\x01\0\0\x04\x01\x60\x4f", "font/ttf"),
    (b"\0\x01\0\0\0\x0e\0\x80\0\x03\0\x60\x46", "font/ttf"),
    (b"OTTO\0\x0e\0\x80\0\x03\0\x60BASE", "font/otf"),
    (b"wOFF\0\x01\0\0\0\0\x30\x54\0\r\0\0", "font/woff"),
    (b"wOF2\0\x01\0\0\0", "font/woff2"),
    (b"\0asm\x01\0", "application/wasm"),
    (b"Rar!\x1a\x07\0", "application/x-rar-compressed"),
    (b"Rar!\x1a\x07\x01\0", "application/x-rar-compressed"),
    (b"Rar \x1a\x07\0", "application/octet-stream"),
    (b"Rar \x1a\x07\x01\0", "application/octet-stream"),
    // Tags end, or are others.
    (b"<head ", HTML),
    (b"<script>", HTML),
    (b"<iframe src", HTML),
    (b"<h1>", HTML),
    (b"<div>", HTML),
    (b"<font>", HTML),
    (b"<table>", HTML),
    (b"<a href", HTML),
    (b"<style>", HTML),
    (b"<title>", HTML),
    (b"<b>", HTML),
    (b"<body>", HTML),
    (b"<br>", HTML),
    (b"<p>", HTML),
    (b"<!-- x", HTML),
    (b"<!--x", PLAIN),
    (b"<html", PLAIN),
    (b"<html/>", PLAIN),
    (b"<h2>", PLAIN),
    (b"<\x48\x11>", "application/octet-stream"),
    (b"x<html>", PLAIN),
    (b"\x0b<html>", "application/octet-stream"),
    (b" %PDF-", PLAIN),
    (b"%PDF-1.7", "application/pdf"),
    (b"%!PS-Adobe-3", "application/postscript"),
    // Marks of byte orders have something behind them.
    (b"\xfe\xff\0a", "text/plain; charset=utf-16be"),
    (b"\xff\xfea\0", "text/plain; charset=utf-16le"),
    (b"\xef\xbb\xbfa", PLAIN),
    (b"\xef\xbb\xbf\x01", PLAIN),
    (b"\xfe\xff\0", "application/octet-stream"),
    (b"\xff\xfe", PLAIN),
    (b"ttcf", "font/collection"),
    (b"\x1f\x8b\x08", "application/x-gzip"),
    (b"\x1f\x8b\x07", "application/octet-stream"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
    (b"\x02234567890123456789012345678901234LP", "application/vnd.ms-fontobject"),
    (b"\x022345678901234567890123456789012345LP", "application/octet-stream"),
    // Boxes that are no boxes, and brands that are none.
    (b"\0\0\0\x18ftypisom\0\0\0\0isomavc1\0\0\0\0", "application/octet-stream"),
    (b"\0\0\0\x18ftypisommp42isomavc1\0\0\0\0", "application/octet-stream"),
    (b"\0\0\0\x18ftypisom\0\0\0\0isommp41\0\0\0\0", "video/mp4"),
    (b"\0\0\0\x17ftypmp42\0\0\0\0mp42isom<\x06t\xbf", "application/octet-stream"),
    (b"\0\0\x02\x04ftypmp42\0\0\0\0", "application/octet-stream"),
    (b"\0\0\0\x04ftypmp42\0\0\0\0", "application/octet-stream"),
    (b"\xff\xff\xff\xfcftypmp42", PLAIN),
    (b"\x1b[0m\x1b", PLAIN),
];

#[test]
fn what_bodies_are() {
    for (begin, expected) in KNOWN {
        assert_eq!(content_type(begin), expected, "{}", begin.escape_ascii());
    }
}

#[test]
fn every_row_has_an_example() {
    for (_, kind) in ROWS {
        assert!(KNOWN.iter().any(|(_, known)| *known == kind), "{kind}");
    }
}

#[test]
fn only_the_first_bytes_count() {
    let mut bytes = vec![b'x'; MOST];
    bytes.push(0);
    assert_eq!(content_type(&bytes), PLAIN);
    bytes[MOST - 1] = 0;
    assert_eq!(content_type(&bytes), "application/octet-stream");
}

proptest::proptest! {
    /// Any bytes have a type.
    #[test]
    fn no_bytes_are_too_odd(row in 0..KNOWN.len(), cut in 0_usize..40, more: Vec<u8>) {
        let known = KNOWN[row].0;
        let bytes = [&known[..cut.min(known.len())], &more].concat();
        proptest::prop_assert!(content_type(&bytes).contains('/'));
    }
}
