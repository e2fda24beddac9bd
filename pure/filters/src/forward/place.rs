//! Where a `Location` leads, seen from the URL that was asked at (RFC 3986 §5.2).

use steelyard_model::routing::asked::AskedUrl;

/// The absolute form of `place`; none where it is that already.
pub(super) fn seen_from(asked: &AskedUrl, place: &str) -> Option<String> {
    if has_scheme(place) {
        return None;
    }
    if place.starts_with("//") {
        return Some(format!("{}:{place}", asked.scheme()));
    }
    let (path, query) = asked
        .target
        .split_once('?')
        .map_or((&*asked.target, None), |(path, query)| (path, Some(query)));
    let end = place.find(['?', '#']).unwrap_or(place.len());
    let (own, rest) = place.split_at(end);
    let target = match own {
        "" if rest.starts_with('?') => path.to_owned(),
        "" => query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}")),
        own if own.starts_with('/') => plain(own),
        own => {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            plain(&format!("{folder}/{own}"))
        }
    };
    Some(format!("{}{target}{rest}", asked.origin()))
}

fn has_scheme(place: &str) -> bool {
    let end = place.find([':', '/', '?', '#']);
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    end.is_some_and(|end| {
        place[end..].starts_with(':')
            && place.starts_with(|first: char| first.is_ascii_alphabetic())
            && place[..end].bytes().all(is_part)
    })
}

/// Without `.` and `..` (§5.2.4).
fn plain(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let last = path.rsplit('/').next().unwrap_or_default();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    let slash = if matches!(last, "." | "..") && !parts.is_empty() { "/" } else { "" };
    format!("/{}{slash}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_seen_from_who_is_asked() {
        let asked = AskedUrl::read("https://auth.test:8443/api/verify?rd=1").unwrap();
        let host = "https://auth.test:8443";
        for (place, expected) in [
            ("https://login.test/", None),
            ("HTTP://login.test/", None),
            ("mailto:ann", None),
            ("//login.test/x", Some("https://login.test/x".to_owned())),
            ("/login?a=b", Some(format!("{host}/login?a=b"))),
            ("login", Some(format!("{host}/api/login"))),
            ("../login/./x", Some(format!("{host}/login/x"))),
            ("../../..", Some(format!("{host}/"))),
            (".", Some(format!("{host}/api/"))),
            ("?a=http://b", Some(format!("{host}/api/verify?a=http://b"))),
            ("#x", Some(format!("{host}/api/verify?rd=1#x"))),
            ("", Some(format!("{host}/api/verify?rd=1"))),
            ("/a:b", Some(format!("{host}/a:b"))),
        ] {
            assert_eq!(seen_from(&asked, place), expected, "{place}");
        }
    }
}
