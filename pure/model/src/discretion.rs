//! What must not be shown: findings end in tickets and in logs of CI, and what an API answers on
//! screens. The one place that knows; who prints, quotes or answers asks here.

use std::borrow::Cow;
use std::ops::Range;

use crate::suggest::closeness;

/// What stands in the place of what is hidden, as in Traefik's own logs.
pub const HIDDEN: &str = "xxxx";

/// Fields that have a credential, or several, whatever they sound like.
const NAMED: [&str; 9] = [
    "authorization",
    "clientsecret",
    "encryptionkey",
    "hmacencoded",
    "proxyauthorization",
    "secretvalues",
    "sharedsecret",
    "signingsecret",
    "users",
];

/// What stands in the names of others.
const WORDS: [&str; 8] = [
    "password",
    "passwd",
    "passphrase",
    "token",
    "apikey",
    "privatekey",
    "secretkey",
    "credential",
];

/// Whether the value of a field of this name is a credential. A name that refers to one
/// (`passwordSecret`, `secretName`) is none.
pub fn is_credential(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_ascii_lowercase();
    if NAMED.contains(&&*plain) || is_misspelt_credential(&plain) {
        return true;
    }
    let refers = ["secret", "secretname", "secretref", "name", "ref", "file", "path", "url"];
    WORDS.iter().any(|word| plain.contains(word)) && !refers.iter().any(|end| plain.ends_with(end))
}

/// Whether a name is an edit away from that of a credential: what it holds is one all the same.
fn is_misspelt_credential(plain: &str) -> bool {
    // Of short words the whole name has to be meant, as too many words are near them.
    const SHORT: [&str; 5] = ["passwd", "secret", "token", "apikey", "key"];
    const LONG: [&str; 8] = [
        "password",
        "passphrase",
        "privatekey",
        "secretkey",
        "accesskey",
        "credential",
        "clientsecret",
        "signingsecret",
    ];
    let is_typo = |written: &str, word: &str| closeness(written, word) == Some(1);
    let is_within = |word: &str| {
        let mut sizes = word.len() - 1..=word.len() + 1;
        sizes.any(|size| {
            let mut parts =
                (0..=plain.len().saturating_sub(size)).map(|at| plain.get(at..at + size));
            parts.any(|part| part.is_some_and(|part| is_typo(part, word)))
        })
    };
    let whole = || SHORT.into_iter().any(|word| is_typo(plain, word));
    let is_right = LONG.iter().any(|word| plain.contains(word));
    whole() || !is_right && LONG.into_iter().any(is_within)
}

/// Where in a text an URL says who asks (RFC 3986 §3.2.1), without the `@` behind it; of several
/// the first.
pub fn user_info(text: &str) -> Option<Range<usize>> {
    let mut from = 0;
    while let Some(found) = text.get(from..)?.find("://") {
        let start = from + found + 3;
        let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '`');
        let length = text[start..].find(ends).unwrap_or(text.len() - start);
        if let Some(at) = text[start..start + length].rfind('@') {
            return Some(start..start + at);
        }
        from = start;
    }
    None
}

/// A text as it may be quoted: without who asks, where it is an URL or has some.
pub fn quoted(text: &str) -> Cow<'_, str> {
    let Some(first) = user_info(text) else { return text.into() };
    let (before, after) = (&text[..first.start], &text[first.end..]);
    format!("{before}{HIDDEN}{}", quoted(after)).into()
}

/// An URL as an API may answer it: without who asks, and without what it says behind `?`, where
/// there may be a key.
pub fn shown_url(url: &str) -> String {
    let (place, query) = url.split_once('?').map_or((url, ""), |(place, query)| (place, query));
    let place = match user_info(place) {
        Some(asking) => [&place[..asking.start], &place[asking.end + 1..]].concat(),
        None => place.to_owned(),
    };
    if query.is_empty() { place } else { format!("{place}?{HIDDEN}") }
}

/// The value of a field as it may be quoted.
pub fn shown_value<'v>(name: &str, value: &'v str) -> Cow<'v, str> {
    let own = name.rsplit(['.', '/']).find(|part| part.parse::<u32>().is_err());
    match own.is_some_and(is_credential) {
        true if !value.is_empty() => HIDDEN.into(),
        _ => quoted(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_by_the_names_of_their_fields() {
        for (name, expected) in [
            ("password", true),
            ("bindPassword", true),
            ("passwordSecret", false),
            ("signingSecret", true),
            ("signingSecert", true),
            ("clientSecret", true),
            ("secretValues", true),
            ("secretName", false),
            ("secret", false),
            ("users", true),
            ("usersFile", false),
            ("user", false),
            ("Authorization", true),
            ("X-Api-Key", true),
            ("tokenUrl", false),
            ("keyFile", false),
            ("hmacEncoded", true),
        ] {
            assert_eq!(is_credential(name), expected, "{name}");
        }
    }

    #[test]
    fn urls_are_shown_without_who_asks() {
        for (text, quote, shown) in [
            ("http://a/b", "http://a/b", "http://a/b"),
            ("http://u:p@a:80/b?c#d", "http://xxxx@a:80/b?c#d", "http://a:80/b?xxxx"),
            ("http://u:p@x@a", "http://xxxx@a", "http://a"),
            ("http://a/u@b", "http://a/u@b", "http://a/u@b"),
            (
                "see http://u@a and https://v@b",
                "see http://xxxx@a and https://xxxx@b",
                "see http://a and https://v@b",
            ),
            ("https://${1}/?k=v", "https://${1}/?k=v", "https://${1}/?xxxx"),
            ("/{status}.html?k", "/{status}.html?k", "/{status}.html?xxxx"),
            ("a@b", "a@b", "a@b"),
            ("://", "://", "://"),
            ("", "", ""),
        ] {
            assert_eq!((&*quoted(text), &*shown_url(text)), (quote, shown), "{text}");
        }
        assert_eq!(shown_value("metrics.influxdb2.token", "s"), HIDDEN);
        assert_eq!(shown_value("secretValues.0", "s"), HIDDEN);
        assert_eq!(shown_value("a.clientSecret", ""), "");
        assert_eq!(
            shown_value("nginx.ingress.kubernetes.io/auth-url", "http://u:p@a"),
            "http://xxxx@a"
        );
    }
}
