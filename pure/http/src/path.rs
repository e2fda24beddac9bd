//! The one spelling of a path in which it is matched (RFC 3986 §6.2.2), and those in which it may
//! be forwarded.
//!
//! Percent-encodings of unreserved characters are decoded, others get upper-case digits; bytes
//! that no URI has are encoded; `//`, `/./` and `/../` are resolved. Reserved characters stay as
//! they are: `/a%2Fb` is not `/a/b`. What some servers take for more is refused: an encoded slash
//! that would make a `..` segment, parameters behind dots (`..;`), an encoded NUL; and, by
//! [`RequestSubject::readings`](crate::RequestSubject::readings), what is another route's path to
//! them.
//!
//! Invariants: normal form is a fixed point, starts with `/`, and has no empty or dot segment;
//! every spelling of a path has the same normal form.

use std::borrow::Cow;

use steelyard_model::routing::readable::RESERVED;
pub use steelyard_model::routing::readable::readable;

use crate::reject::Reject;

/// In which spelling a path is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// In normal form.
    Normal,
    /// Percent-encodings as in normal form, empty and dot segments as they came: Traefik without
    /// `sanitizePath`.
    Unresolved,
    /// As it came.
    AsAsked,
}

/// `path` (without query) in normal form; borrowed when it is already.
pub fn normalize(path: &str) -> Result<Cow<'_, str>, Reject> {
    if is_normal(path.as_bytes()) {
        return Ok(Cow::Borrowed(path));
    }
    if !path.starts_with('/') {
        return Err(Reject::Target);
    }
    let spelled = respell(path.as_bytes())?;
    if hides_meaning(&spelled) {
        return Err(Reject::Path);
    }
    Ok(Cow::Owned(resolve(&spelled)))
}

/// A path in normal form, decoded whole and resolved again, as nginx compares its `$uri`: `/a%2Fb`
/// is `/a/b` here. What is no text then is written with U+FFFD.
pub fn decoded(normal: &str) -> Cow<'_, str> {
    if !normal.contains('%') {
        return Cow::Borrowed(normal);
    }
    let whole = decode_all(normal.as_bytes(), |byte| byte);
    Cow::Owned(resolve(&String::from_utf8_lossy(&whole)))
}

/// What stands for a byte that is no part of UTF-8 in a path by [`decoded_whole`].
const ODD: u32 = 0x10_FF00;

/// The same without loss: a byte that is no part of UTF-8 is a character of its own, by which
/// [`odd_byte`] knows it again.
pub fn decoded_whole(normal: &str) -> Cow<'_, str> {
    if !normal.contains('%') {
        return Cow::Borrowed(normal);
    }
    let whole = decode_all(normal.as_bytes(), |byte| byte);
    let mut text = String::with_capacity(whole.len());
    for chunk in whole.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|it| char::from_u32(ODD + u32::from(*it))));
    }
    Cow::Owned(resolve(&text))
}

/// The byte that a character of such a path stands for, if it is one of those.
pub fn odd_byte(character: char) -> Option<u8> {
    u8::try_from(u32::from(character).checked_sub(ODD)?).ok().filter(|it| *it >= 0x80)
}

/// Of which normal form `text` is the [`readable`] one, or begins it; none where there is no such
/// path, or where what begins so in the one form does not in the other.
pub fn readable_in_normal(text: &str) -> Option<Cow<'_, str>> {
    if text.bytes().all(is_plain) {
        return Some(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'%' => {
                let (digits, tail) = rest.split_at_checked(2)?;
                let decoded = decode(digits).filter(|it| RESERVED.contains(it))?;
                push_encoded(&mut out, decoded);
                // In capitals, or nobody asks so.
                out.as_bytes().ends_with(digits).then_some(())?;
                rest = tail;
            }
            byte if is_plain(byte) => out.push(char::from(byte)),
            byte => push_encoded(&mut out, byte),
        }
    }
    Some(Cow::Owned(out))
}

/// Whether a path, as it came, leads up beyond its root: nginx takes none such.
pub(crate) fn leaves_root(asked: &str) -> bool {
    let Ok(spelled) = respell(asked.as_bytes()) else { return false };
    let mut depth = 0_usize;
    spelled.split('/').any(|segment| {
        let before = depth;
        match segment {
            "" | "." => {}
            ".." => depth = depth.saturating_sub(1),
            _ => depth += 1,
        }
        segment == ".." && before == 0
    })
}

/// The bytes that `text` stands for; what is not encoded becomes what `plain` makes of it.
pub(crate) fn decode_all(text: &[u8], plain: impl Fn(u8) -> u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let encoded = text.get(at + 1..at + 3).filter(|_| text[at] == b'%').and_then(decode);
        out.push(encoded.unwrap_or_else(|| plain(text[at])));
        at += if encoded.is_some() { 3 } else { 1 };
    }
    out
}

/// `asked`, whose normal form is `normal`, in another spelling. Allocates only where it must.
pub(crate) fn spell<'p>(asked: &'p str, normal: &'p str, spelling: Spelling) -> Cow<'p, str> {
    match spelling {
        Spelling::Normal => Cow::Borrowed(normal),
        Spelling::AsAsked => Cow::Borrowed(asked),
        Spelling::Unresolved if asked == normal => Cow::Borrowed(normal),
        Spelling::Unresolved => respell(asked.as_bytes()).map_or(Cow::Borrowed(normal), Cow::Owned),
    }
}

/// The quick answer for nearly every path: nothing to decode, no `//`, no `/.`.
fn is_normal(path: &[u8]) -> bool {
    if path.first() != Some(&b'/') {
        return false;
    }
    let mut before = 0;
    for &byte in path {
        if !is_plain(byte) || (before == b'/' && (byte == b'/' || byte == b'.')) {
            return false;
        }
        before = byte;
    }
    true
}

fn respell(path: &[u8]) -> Result<String, Reject> {
    let mut out = String::with_capacity(path.len() + 8);
    let mut at = 0;
    while at < path.len() {
        let byte = path[at];
        at += 1;
        if byte == b'%' {
            let decoded = decode(path.get(at..at + 2).ok_or(Reject::Path)?).ok_or(Reject::Path)?;
            at += 2;
            if is_unreserved(decoded) {
                out.push(char::from(decoded));
            } else {
                push_encoded(&mut out, decoded);
            }
        } else if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            push_encoded(&mut out, byte);
        }
    }
    Ok(out)
}

/// Whether some server sees another path here: one that decodes slashes (or takes `\` for one) or
/// cuts off parameters sees a dot segment that is none for us, one written in C ends at a NUL.
fn hides_meaning(path: &str) -> bool {
    let hides_dots = |segment: &str| {
        let segment = segment.replace("%5C", "%2F").replace("%3B", ";");
        let mut parts = segment.split("%2F");
        let is_whole = parts.clone().count() == 1;
        parts.any(|part| match part.split_once(';') {
            Some((name, _)) => matches!(name, "." | ".."),
            None => part == ".." && !is_whole,
        })
    };
    path.contains("%00") || path.split('/').filter(|it| it.contains(['%', ';'])).any(hides_dots)
}

/// Removes empty and dot segments. What ends in a slash or a dot segment is a folder and ends in a
/// slash (RFC 3986 §5.2.4): `/a/b/..` is `/a/`.
pub(crate) fn resolve(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut is_folder = true;
    for segment in path.split('/') {
        is_folder = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    if is_folder {
        out.push('/');
    }
    out
}

fn decode(digits: &[u8]) -> Option<u8> {
    let [high, low] = digits else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some(digit(*high)? * 16 + digit(*low)?)
}

fn push_encoded(out: &mut String, byte: u8) {
    const DIGITS: [u8; 16] = *b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// pchar without the percent sign, the slash, and the brackets that people leave unencoded.
fn is_plain(byte: u8) -> bool {
    const PLAIN: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0_u8;
        while byte < 128 {
            table[byte as usize] = byte.is_ascii_alphanumeric()
                || matches!(
                    byte,
                    b'-' | b'.'
                        | b'_'
                        | b'~'
                        | b'/'
                        | b'!'
                        | b'$'
                        | b'&'
                        | b'\''
                        | b'('
                        | b')'
                        | b'*'
                        | b'+'
                        | b','
                        | b';'
                        | b'='
                        | b':'
                        | b'@'
                        | b'['
                        | b']'
                );
            byte += 1;
        }
        table
    };
    PLAIN[usize::from(byte)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_leads_up_beyond_its_root_or_not() {
        for (asked, leads) in [
            ("/../x", true),
            ("/a/../../x", true),
            ("/%2e%2E/x", true),
            ("//../x", true),
            ("/a/..", false),
            ("/a/../b", false),
            ("/..a", false),
            ("/", false),
        ] {
            assert_eq!(leaves_root(asked), leads, "{asked}");
        }
    }

    #[test]
    fn what_is_not_reserved_is_readable() {
        let rows = [
            ("/a", "/a"),
            ("/a%20b%2Fc", "/a b%2Fc"),
            ("/%7Bx%7D", "/{x}"),
            ("/%C3%A9%25", "/é%25"),
            ("/%FF", "/\u{fffd}"),
        ];
        for (normal, expected) in rows {
            assert_eq!(readable(normal), expected, "{normal}");
        }
    }

    #[test]
    fn what_can_be_readable_has_a_normal_form() {
        let rows = [
            ("/a", Some("/a")),
            ("/a b", Some("/a%20b")),
            ("/é%2F", Some("/%C3%A9%2F")),
            ("/{x}", Some("/%7Bx%7D")),
            ("/100%25", Some("/100%25")),
            ("/a/../b", Some("/a/../b")),
            ("/a%2f", None),
            ("/a%20", None),
            ("/%41", None),
            ("/%C3%A9", None),
            ("/a%2", None),
            ("/100%", None),
            ("/%é", None),
        ];
        for (text, expected) in rows {
            assert_eq!(readable_in_normal(text).as_deref(), expected, "{text}");
            if let Some(normal) = expected {
                assert_eq!(readable(normal), text, "{normal}");
            }
        }
    }

    #[test]
    fn normal_forms() {
        for (path, expected) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("//", "/"),
            ("//a///b", "/a/b"),
            ("/./a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/../../a", "/a"),
            ("/a/..", "/"),
            ("/api/x/..", "/api/"),
            ("/api/x/../", "/api/"),
            ("/a/.", "/a/"),
            ("/a/%2e", "/a/"),
            ("/a/../..", "/"),
            ("/a/b;v=1/../c", "/a/c"),
            ("/.well-known;x", "/.well-known;x"),
            ("/a..;x/b", "/a..;x/b"),
            ("/a/%2e%2E/b", "/b"),
            ("/%7euser/%41", "/~user/A"),
            ("/a%2fb", "/a%2Fb"),
            ("/a%20b", "/a%20b"),
            ("/a b", "/a%20b"),
            ("/é", "/%C3%A9"),
            ("/a\\b", "/a%5Cb"),
            ("/...", "/..."),
            ("/.well-known/x", "/.well-known/x"),
            ("/a%252e%252e", "/a%252e%252e"),
            ("/a;b=c/[x]", "/a;b=c/[x]"),
        ] {
            assert_eq!(normalize(path).as_deref(), Ok(expected), "{path}");
        }
    }

    #[test]
    fn refused() {
        for path in [
            "/%",
            "/%2",
            "/%zz",
            "/a/..%2fb",
            "/..%2F..%2Fetc",
            "/a%2f..%2fb",
            "/a%2F..",
            "/a/%2e%2e%5cb",
            "/a/..\\b",
            "/a/%2e.%2f",
            "/a/..;/b",
            "/a/..;x=y/b",
            "/..;",
            "/a/.;/b",
            "/a/%2e%2e;/b",
            "/a/..%3b/b",
            "/a/..%3B%2Fb",
            "/a%2f..;x%2fb",
            "/a%00",
            "/%00/b",
            "/a/..%00/b",
        ] {
            assert_eq!(normalize(path), Err(Reject::Path), "{path}");
        }
        assert_eq!(normalize("a"), Err(Reject::Target));
    }

    #[test]
    fn spellings() {
        for (asked, unresolved, normal) in [
            ("/a/b", "/a/b", "/a/b"),
            ("/a//b", "/a//b", "/a/b"),
            ("/%7Euser", "/~user", "/~user"),
            ("/a%2fb/./", "/a%2Fb/./", "/a%2Fb/"),
            (
                "/x/300x200/https://b.c/a.png",
                "/x/300x200/https://b.c/a.png",
                "/x/300x200/https:/b.c/a.png",
            ),
            ("/a/../b", "/a/../b", "/b"),
            ("/é", "/%C3%A9", "/%C3%A9"),
        ] {
            let form = normalize(asked).unwrap();
            assert_eq!(form, normal);
            for (spelling, expected) in [
                (Spelling::AsAsked, asked),
                (Spelling::Unresolved, unresolved),
                (Spelling::Normal, normal),
            ] {
                let spelled = spell(asked, &form, spelling);
                assert_eq!(spelled, expected, "{asked} {spelling:?}");
                assert_eq!(normalize(&spelled).as_deref(), Ok(normal), "{asked} {spelling:?}");
            }
        }
    }

    #[test]
    fn decoded_whole() {
        for (normal, expected) in
            [("/a/b", "/a/b"), ("/a%2Fb", "/a/b"), ("/%2F/a%20b/", "/a b/"), ("/%E4", "/\u{fffd}")]
        {
            assert_eq!(decoded(normal), expected, "{normal}");
        }
    }

    proptest! {
        #[test]
        fn normal_form_is_a_fixed_point(path in "/[a-c./;%2EeFf53BbC0\\\\é ]{0,24}") {
            if let Ok(once) = normalize(&path) {
                let twice = normalize(&once);
                prop_assert_eq!(twice.as_deref(), Ok(&*once));
                prop_assert!(once.starts_with('/'));
                prop_assert!(!once.contains("//"));
                prop_assert!(once.split('/').all(|segment| segment != "." && segment != ".."));
            }
        }
    }
}
