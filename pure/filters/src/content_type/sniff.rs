//! What a body is, by its first bytes: the WHATWG's MIME Sniffing standard, §6 and §7, as far as
//! Go's `http.DetectContentType` follows it. The first row that matches counts.

/// More bytes of a body say nothing of what it is.
pub(super) const MOST: usize = 512;

/// How bytes are compared with a row.
enum Pattern {
    /// They begin so.
    Begin(&'static [u8]),
    /// The same, behind blanks.
    BehindBlanks(&'static [u8]),
    /// A tag of HTML, behind blanks and in any case, with its end or an attribute behind it.
    Tag(&'static str),
    /// The one, four bytes of any kind, and the other.
    Form(&'static [u8; 4], &'static [u8]),
    /// A byte order mark, in so many bytes at least.
    Mark(&'static [u8], usize),
    /// `LP` behind 34 bytes.
    EmbeddedFont,
    /// A file of ISO 14496-12 with a brand that begins with `mp4`.
    Mp4,
    /// No bytes that texts do not have.
    Text,
}

use Pattern::{Begin, BehindBlanks, EmbeddedFont, Form, Mark, Mp4, Tag, Text};

const HTML: &str = "text/html; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Go's table, in its order.
const ROWS: [(Pattern, &str); 51] = [
    (Tag("!DOCTYPE HTML"), HTML),
    (Tag("HTML"), HTML),
    (Tag("HEAD"), HTML),
    (Tag("SCRIPT"), HTML),
    (Tag("IFRAME"), HTML),
    (Tag("H1"), HTML),
    (Tag("DIV"), HTML),
    (Tag("FONT"), HTML),
    (Tag("TABLE"), HTML),
    (Tag("A"), HTML),
    (Tag("STYLE"), HTML),
    (Tag("TITLE"), HTML),
    (Tag("B"), HTML),
    (Tag("BODY"), HTML),
    (Tag("BR"), HTML),
    (Tag("P"), HTML),
    (Tag("!--"), HTML),
    (BehindBlanks(b"<?xml"), "text/xml; charset=utf-8"),
    (Begin(b"%PDF-"), "application/pdf"),
    (Begin(b"%!PS-Adobe-"), "application/postscript"),
    (Mark(b"\xfe\xff", 4), "text/plain; charset=utf-16be"),
    (Mark(b"\xff\xfe", 4), "text/plain; charset=utf-16le"),
    (Mark(b"\xef\xbb\xbf", 4), PLAIN),
    (Begin(b"\0\0\x01\0"), "image/x-icon"),
    (Begin(b"\0\0\x02\0"), "image/x-icon"),
    (Begin(b"BM"), "image/bmp"),
    (Begin(b"GIF87a"), "image/gif"),
    (Begin(b"GIF89a"), "image/gif"),
    (Form(b"RIFF", b"WEBPVP"), "image/webp"),
    (Begin(b"\x89PNG\r\n\x1a\n"), "image/png"),
    (Begin(b"\xff\xd8\xff"), "image/jpeg"),
    (Form(b"FORM", b"AIFF"), "audio/aiff"),
    (Begin(b"ID3"), "audio/mpeg"),
    (Begin(b"OggS\0"), "application/ogg"),
    (Begin(b"MThd\0\0\0\x06"), "audio/midi"),
    (Form(b"RIFF", b"AVI "), "video/avi"),
    (Form(b"RIFF", b"WAVE"), "audio/wave"),
    (Mp4, "video/mp4"),
    (Begin(b"\x1a\x45\xdf\xa3"), "video/webm"),
    (EmbeddedFont, "application/vnd.ms-fontobject"),
    (Begin(b"\0\x01\0\0"), "font/ttf"),
    (Begin(b"OTTO"), "font/otf"),
    (Begin(b"ttcf"), "font/collection"),
    (Begin(b"wOFF"), "font/woff"),
    (Begin(b"wOF2"), "font/woff2"),
    (Begin(b"\x1f\x8b\x08"), "application/x-gzip"),
    (Begin(b"PK\x03\x04"), "application/zip"),
    (Begin(b"Rar!\x1a\x07\0"), "application/x-rar-compressed"),
    (Begin(b"Rar!\x1a\x07\x01\0"), "application/x-rar-compressed"),
    (Begin(b"\0asm"), "application/wasm"),
    (Text, PLAIN),
];

/// What a body is that begins so; of more than [`MOST`] bytes the first count.
pub(super) fn content_type(begin: &[u8]) -> &'static str {
    let begin = &begin[..begin.len().min(MOST)];
    let is_blank = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ');
    let blanks = begin.iter().take_while(|byte| is_blank(byte)).count();
    let found = ROWS.iter().find(|(pattern, _)| pattern.fits(begin, &begin[blanks..]));
    found.map_or("application/octet-stream", |(_, kind)| kind)
}

impl Pattern {
    /// `text` is `begin` without the blanks before it.
    fn fits(&self, begin: &[u8], text: &[u8]) -> bool {
        match self {
            Begin(bytes) => begin.starts_with(bytes),
            BehindBlanks(bytes) => text.starts_with(bytes),
            Tag(name) => is_tag(text, name),
            Form(outer, inner) => {
                begin.starts_with(*outer) && begin.get(8..).is_some_and(|it| it.starts_with(inner))
            }
            Mark(mark, least) => begin.starts_with(mark) && begin.len() >= *least,
            EmbeddedFont => begin.get(34..36) == Some(b"LP"),
            Mp4 => is_mp4(begin),
            Text => {
                !text.iter().any(|byte| matches!(byte, 0..=0x08 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f))
            }
        }
    }
}

fn is_tag(text: &[u8], name: &str) -> bool {
    let Some(tag) = text.strip_prefix(b"<") else { return false };
    let Some((said, [b' ' | b'>', ..])) = tag.split_at_checked(name.len()) else { return false };
    // As Go compares: only letters have another case.
    said.iter().zip(name.bytes()).all(|(byte, wanted)| match wanted {
        b'A'..=b'Z' => byte & 0xdf == wanted,
        _ => *byte == wanted,
    })
}

/// §6.2.1. The size of the first box is within what has come.
fn is_mp4(begin: &[u8]) -> bool {
    let (Some(size), Some(b"ftyp")) = (begin.first_chunk::<4>(), begin.get(4..8)) else {
        return false;
    };
    let size = u32::from_be_bytes(*size) as usize;
    let Some(boxed) = begin.get(..size).filter(|_| begin.len() >= 12 && size.is_multiple_of(4))
    else {
        return false;
    };
    // The second is the version of the first.
    let brands = boxed.get(8..).unwrap_or_default().chunks(4).enumerate();
    brands.filter(|(at, _)| *at != 1).any(|(_, brand)| brand.starts_with(b"mp4"))
}

#[cfg(test)]
mod tests;
