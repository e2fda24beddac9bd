//! What servers see in a path that has more than one reading.
//!
//! Nginx, Apache and most languages decode `%2F` before they look, IIS takes `\` for a slash, and
//! servlet containers cut parameters off (`/admin;x`). For us all of these are characters of a
//! segment, so a server may take for `/admin/x` what the rule for `/admin` never saw.

use std::ops::RangeInclusive;

use crate::path::{decode_all, decoded, resolve};

/// The other paths that some server sees in `path`, which is in normal form: three at most.
pub(crate) fn readings(path: &str) -> impl Iterator<Item = String> {
    // Nearly every path: nothing is looked for in it.
    let is_plain = memchr::memchr2(b'%', b';', path.as_bytes()).is_none();
    let wanted = (!is_plain).then(|| {
        let has_slashes = path.contains("%2F") || path.contains("%5C");
        let has_parameters = path.contains(';') || path.contains("%3B");
        [
            (has_slashes, true, false),
            (has_parameters, false, true),
            (has_slashes && has_parameters, true, true),
        ]
    });
    let wanted = wanted.into_iter().flatten().filter(|(has, ..)| *has);
    wanted.map(move |(_, slashes, parameters)| {
        let decoded =
            if slashes { path.replace("%2F", "/").replace("%5C", "/") } else { path.to_owned() };
        let seen = if parameters { without_parameters(&decoded) } else { decoded };
        resolve(&seen)
    })
}

/// How `path`, which is in normal form, may be written: with encodings as they are, in small
/// letters, and decoded; nothing where nothing is encoded.
pub(crate) fn spellings(path: &str) -> impl Iterator<Item = String> + use<> {
    let is_encoded = path.contains('%');
    let all = is_encoded.then(|| {
        let mut small = path.to_owned();
        for (at, _) in path.match_indices('%') {
            let digits = path.get(at + 1..at + 3).unwrap_or_default().to_ascii_lowercase();
            small.replace_range(at + 1..at + 1 + digits.len(), &digits);
        }
        [path.to_owned(), small, decoded(path).into_owned()]
    });
    all.into_iter().flatten()
}

/// Letters that some take for others, of ASCII, by what Unicode calls compatible (NFKC): wide ones,
/// raised ones, those of mathematics, numerals, several in one.
const STAND_INS: [RangeInclusive<char>; 14] = [
    '\u{aa}'..='\u{aa}',
    '\u{ba}'..='\u{ba}',
    '\u{132}'..='\u{133}',
    '\u{13f}'..='\u{140}',
    '\u{149}'..='\u{149}',
    '\u{17f}'..='\u{17f}',
    '\u{1c4}'..='\u{1f3}',
    '\u{2b0}'..='\u{2ff}',
    '\u{1d00}'..='\u{1dbf}',
    '\u{1e9a}'..='\u{1e9b}',
    '\u{2000}'..='\u{2cff}',
    '\u{a69c}'..='\u{a7ff}',
    '\u{fb00}'..='\u{fb06}',
    '\u{fe00}'..='\u{1f1ff}',
];

/// Whether no server sees anything in `path`, which is in normal form, but what we see and what
/// [`readings`] has. For whoever lets somebody in by it: what is doubtful is not looked into.
///
/// Doubtful is what is decoded twice by some (`%252e`), ends the path for some (`%23`, `%3F`, `%0A`
/// and other controls), is taken off by Windows at the end of a segment (`..%20`, `admin.`, `:$`),
/// or is no text (`%C0%AE`) or a sign that some take for a dot or a slash (U+FF0E, U+2215).
pub(crate) fn is_certain(path: &str) -> bool {
    let whole = decode_all(path.as_bytes(), |byte| byte);
    let Ok(text) = str::from_utf8(&whole) else { return false };
    let is_meant = |sign: char| match sign {
        '%' | '?' | '#' => false,
        ' ' => true,
        sign if sign.is_ascii() => sign.is_ascii_graphic(),
        sign => sign.is_alphabetic() && !STAND_INS.iter().any(|all| all.contains(&sign)),
    };
    let is_sound = |segment: &str| {
        let is_odd = segment.bytes().all(|byte| matches!(byte, b'.' | b' ' | b'+'));
        segment.is_empty() || !is_odd && !segment.ends_with(['.', ' '])
    };
    text.chars().all(is_meant) && !text.contains(":$") && text.split(['/', '\\', ';']).all(is_sound)
}

/// Of a path, which begins with a slash.
fn without_parameters(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for segment in path.split('/').skip(1) {
        out.push('/');
        let name = segment.split_once(';').map_or(segment, |(name, _)| name);
        out.push_str(name.split_once("%3B").map_or(name, |(name, _)| name));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_read_otherwise_is_told_apart() {
        for (path, expected) in [
            ("/", true),
            ("/public/a.b/", true),
            ("/a%20b", true),
            ("/wiki/C++", true),
            ("/a:b@c!$&'()*,=", true),
            ("/caf%C3%A9/%E6%97%A5", true),
            ("/a%2Fb", true),
            ("/a;b%3Bc", true),
            ("/%252e%252e/admin", false),
            ("/100%25", false),
            ("/..%20/admin", false),
            ("/%20../admin", false),
            ("/..+/admin", false),
            ("/.../admin", false),
            ("/a/..%20;x/admin", false),
            ("/a%2F..%20%2Fadmin", false),
            ("/a%5C...%5Cadmin", false),
            ("/admin.", false),
            ("/admin%20", false),
            ("/%C0%AE%C0%AE/admin", false),
            ("/%FF", false),
            ("/admin%3F.css", false),
            ("/admin%23.css", false),
            ("/admin%0A.css", false),
            ("/admin%09", false),
            ("/admin%7F", false),
            ("/admin::$DATA", false),
            ("/%EF%BC%8E%EF%BC%8E/admin", false),
            ("/a%E2%88%95b", false),
            ("/a%E2%80%8Bb", false),
            ("/%EF%BD%81dmin", false),
            ("/%C2%AAdmin", false),
            ("/%F0%9D%90%9Admin", false),
            ("/ba%EF%AC%80le", false),
        ] {
            assert_eq!(is_certain(path), expected, "{path}");
        }
    }

    #[test]
    fn how_paths_are_written() {
        for (path, expected) in [
            ("/a/b", &[][..]),
            ("/a%20b", &["/a%20b", "/a%20b", "/a b"]),
            ("/%C3%A9%2F", &["/%C3%A9%2F", "/%c3%a9%2f", "/é/"]),
        ] {
            assert_eq!(spellings(path).collect::<Vec<_>>(), expected, "{path}");
        }
    }

    #[test]
    fn what_others_see() {
        for (path, expected) in [
            ("/a/b", &[][..]),
            ("/a%20b", &[]),
            ("/a%2Fb", &["/a/b"]),
            ("/%2Fadmin", &["/admin"]),
            ("/admin%2F", &["/admin/"]),
            ("/%5Cadmin", &["/admin"]),
            ("/;/admin", &["/admin"]),
            ("/;x=y/admin", &["/admin"]),
            ("/admin;x", &["/admin"]),
            ("/admin%3Bx;y/z", &["/admin/z"]),
            ("/a;b%2Fc", &["/a;b/c", "/a", "/a/c"]),
        ] {
            assert_eq!(readings(path).collect::<Vec<_>>(), expected, "{path}");
        }
    }
}
