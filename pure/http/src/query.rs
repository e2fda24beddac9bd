//! Semicolons in queries, which some servers take for ends of parameters and some for parts of
//! them. Whoever routes by a query and whoever answers it are to read the same, so those of
//! Traefik's routes are spelled as Traefik does (`http.encodeQuerySemicolons`).

use std::borrow::Cow;
use std::ops::Range;

/// What becomes of semicolons in a query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Semicolons {
    /// They go on as they came: ingress-nginx.
    #[default]
    Kept,
    /// They end a parameter, and go on as `&`.
    Split,
    /// They are parts of parameters, and go on as `%3B`.
    Encoded,
}

/// A query in that spelling. Allocates only where there is a semicolon.
pub(crate) fn spell(query: &str, semicolons: Semicolons) -> Cow<'_, str> {
    let instead = match semicolons {
        Semicolons::Split => "&",
        Semicolons::Encoded => "%3B",
        Semicolons::Kept => return Cow::Borrowed(query),
    };
    match memchr::memchr(b';', query.as_bytes()) {
        None => Cow::Borrowed(query),
        Some(_) => Cow::Owned(query.replace(';', instead)),
    }
}

/// Spells the query of a request's head so, which was parsed before: nothing after this knows that
/// it came otherwise. Whether it did.
pub fn respell_query(head: &mut Vec<u8>, semicolons: Semicolons) -> bool {
    respelled(head, semicolons).is_some_and(|(query, spelled)| {
        head.splice(query, spelled.into_bytes());
        true
    })
}

/// Where the query stands in a head, and its other spelling.
fn respelled(head: &[u8], semicolons: Semicolons) -> Option<(Range<usize>, String)> {
    let end = memchr::memchr(b'\r', head.trim_ascii_start())?;
    let end = head.len() - head.trim_ascii_start().len() + end;
    let from = memchr::memchr(b'?', &head[..end])?;
    // What stands behind it, the version, has no semicolon.
    match spell(str::from_utf8(&head[from..end]).ok()?, semicolons) {
        Cow::Owned(spelled) => Some((from..end, spelled)),
        Cow::Borrowed(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semicolons_are_spelled_as_is_wanted() {
        let rows = [
            ("", "", ""),
            ("?a=1&b=2", "?a=1&b=2", "?a=1&b=2"),
            ("?a=1;b=2;", "?a=1&b=2&", "?a=1%3Bb=2%3B"),
            ("?;", "?&", "?%3B"),
        ];
        for (asked, split, encoded) in rows {
            for (semicolons, expected) in [
                (Semicolons::Kept, asked),
                (Semicolons::Split, split),
                (Semicolons::Encoded, encoded),
            ] {
                assert_eq!(spell(asked, semicolons), expected, "{asked} {semicolons:?}");
                let head = |query: &str| {
                    format!("\r\nGET /p;q{query} HTTP/1.1\r\nHost: a\r\nX: ?;\r\n\r\n").into_bytes()
                };
                let mut respelled = head(asked);
                let is_other = respell_query(&mut respelled, semicolons);
                assert_eq!(is_other, asked != expected);
                assert_eq!(respelled, head(expected), "{asked} {semicolons:?}");
            }
        }
    }
}
