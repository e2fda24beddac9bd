//! What must not be shown: findings end in tickets and in logs of CI, and what an API answers on
//! screens. The one place that knows; who prints, quotes or answers asks here.

use std::borrow::Cow;
use std::ops::Range;

use crate::suggest::closeness;

/// What stands in the place of what is hidden, as in Traefik's own logs.
pub const HIDDEN: &str = "xxxx";

/// Fields that have a credential, or several, whatever they sound like.
const NAMED: [&str; 10] = [
    "authorization",
    "clientsecret",
    "encryptionkey",
    "hmacencoded",
    "keys",
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

/// Whether a field that nobody knows may have been meant for one that holds a credential.
pub fn may_be_credential(name: &str) -> bool {
    const PARTS: [&str; 8] = ["secret", "key", "user", "usr", "auth", "pass", "pwd", "hash"];
    let plain = name.to_ascii_lowercase();
    is_credential(name) || PARTS.iter().any(|part| plain.contains(part))
}

/// Whether a name is an edit away from that of a credential: what it holds is one all the same.
fn is_misspelt_credential(plain: &str) -> bool {
    // Of short words the whole name has to be meant, as too many words are near them.
    const SHORT: [&str; 6] = ["passwd", "secret", "token", "apikey", "key", "users"];
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
    // One edit takes one letter away, at most: few names are near enough to be looked at.
    let letters = letters_of(plain);
    let may_be = |word: &&str| (letters_of(word) & !letters).count_ones() <= 1;
    let is_typo = |written: &str, word: &str| closeness(written, word) == Some(1);
    let is_within = |word: &str| {
        let mut sizes = word.len() - 1..=word.len() + 1;
        sizes.any(|size| {
            let mut parts =
                (0..=plain.len().saturating_sub(size)).map(|at| plain.get(at..at + size));
            parts.any(|part| part.is_some_and(|part| is_typo(part, word)))
        })
    };
    let whole = || SHORT.into_iter().filter(may_be).any(|word| is_typo(plain, word));
    let is_right = LONG.iter().any(|word| plain.contains(word));
    plain != "user" && whole() || !is_right && LONG.into_iter().filter(may_be).any(is_within)
}

/// The letters of a word in lower case, a bit each.
fn letters_of(word: &str) -> u32 {
    let letters = word.bytes().filter(u8::is_ascii_lowercase);
    letters.fold(0, |all, letter| all | (1 << (letter - b'a')))
}

/// What of a text must not be shown as it has an URL: who asks (RFC 3986 §3.2.1), without the `@`
/// behind it, and what it asks with. So it is where what should be an URL lacks its scheme or a
/// colon, or has a `/` in a password. In order, none in two.
pub fn hidden_parts(text: &str) -> impl Iterator<Item = Range<usize>> {
    let of_word = |word: Range<usize>| {
        let (from, word) = (word.start, &text[word]);
        let user = user_in_word(word);
        let begin = user.as_ref().map_or(0, |user| user.end);
        let parts = user.into_iter().chain(values_in_word(word, begin));
        parts.map(move |part| from + part.start..from + part.end)
    };
    words(text).flat_map(of_word)
}

/// Where a text has words that may be URLs.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '`');
    let ends = text.match_indices(is_end).map(|(at, end)| at..at + end.len());
    ends.chain(std::iter::once(text.len()..text.len())).scan(0, |from, end| {
        let word = *from..end.start;
        *from = end.end;
        Some(word)
    })
}

fn user_in_word(word: &str) -> Option<Range<usize>> {
    let start = word.find("//").map_or(0, |slashes| slashes + 2);
    let rest = &word[start..];
    let length = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let is_user = |at: usize| word[..start].ends_with("://") || rest[..at].contains(':');
    let at = match rest[..length].rfind('@') {
        Some(at) => Some(at).filter(|at| is_user(*at)),
        None => rest.rfind('@').filter(|at| !ends_in_port(&rest[..length.min(*at)])),
    }?;
    // A digest is behind the name of an image.
    (!rest[at..].starts_with("@sha256:")).then_some(start..start + at)
}

/// Whether no password can begin in what is between `//` and the next `/`: there is a port behind
/// the colon, or no colon.
fn ends_in_port(authority: &str) -> bool {
    let host = authority.rfind(']').map_or(0, |end| end + 1);
    let port = authority[host..].split_once(':').map(|(_, port)| port);
    port.is_none_or(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Where the values of a query stand, and the whole of one without names. It begins at `from`, or
/// later.
fn values_in_word(word: &str, from: usize) -> impl Iterator<Item = Range<usize>> {
    let begin = word[from..].find('?').map_or(word.len(), |mark| from + mark + 1);
    let is_url = word[..begin].contains("//");
    let pairs = word[begin..].split(['&', ';']).scan(begin, |at, pair| {
        let start = *at;
        *at += pair.len() + 1;
        Some((start, pair))
    });
    pairs.filter_map(move |(start, pair)| {
        let value = match pair.find('=') {
            Some(sign) => start + sign + 1,
            None if is_url => start,
            None => return None,
        };
        Some(value..start + pair.len()).filter(|value| !value.is_empty())
    })
}

/// A text as it may be quoted: without who asks and what with, where it is an URL or has some.
pub fn quoted(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut from = 0;
    for part in hidden_parts(text) {
        shown.extend([&text[from..part.start], HIDDEN]);
        from = part.end;
    }
    if from == 0 { text.into() } else { (shown + &text[from..]).into() }
}

/// An URL as an API may answer it: without who asks, and without what it says behind `?`, where
/// there may be a key.
pub fn shown_url(url: &str) -> String {
    let found = words(url).find_map(|word| Some((word.start, user_in_word(&url[word])?)));
    let whole = match found {
        Some((from, asking)) => {
            [&url[..from + asking.start], &url[from + asking.end + 1..]].concat()
        }
        None => url.to_owned(),
    };
    match whole.split_once('?') {
        Some((place, query)) if !query.is_empty() => format!("{place}?{HIDDEN}"),
        Some((place, _)) => place.to_owned(),
        None => whole,
    }
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
            ("usrs", true),
            ("usesr", true),
            ("keys", true),
            ("clientSecrte", true),
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
    fn credentials_that_nobody_knows() {
        for (name, expected) in [
            ("secret", true),
            ("hmac_key", true),
            ("basicAuth", true),
            ("tokn", true),
            ("replicsa", false),
            ("adress", false),
        ] {
            assert_eq!(may_be_credential(name), expected, "{name}");
        }
    }

    #[test]
    fn urls_are_shown_without_who_asks() {
        for (text, quote, shown) in [
            ("http://a/b", "http://a/b", "http://a/b"),
            ("http://u:p@a:80/b?c#d", "http://xxxx@a:80/b?xxxx", "http://a:80/b?xxxx"),
            ("http://u:p@x@a", "http://xxxx@a", "http://a"),
            ("http://a/u@b", "http://a/u@b", "http://a/u@b"),
            (
                "see http://u@a and https://v@b",
                "see http://xxxx@a and https://xxxx@b",
                "see http://a and https://v@b",
            ),
            ("https://${1}/?k=v", "https://${1}/?k=xxxx", "https://${1}/?xxxx"),
            ("http//u:p@a", "http//xxxx@a", "http//a"),
            ("http:/u:p@a", "xxxx@a", "a"),
            ("u:p@a:80", "xxxx@a:80", "a:80"),
            ("//u:p@a", "//xxxx@a", "//a"),
            ("http://u:p/w?x#y@a/?b", "http://xxxx@a/?xxxx", "http://a/?xxxx"),
            ("http://a:80/u@b", "http://a:80/u@b", "http://a:80/u@b"),
            ("http://[::1]:80/u@b", "http://[::1]:80/u@b", "http://[::1]:80/u@b"),
            ("a:80/b:1@sha256:0", "a:80/b:1@sha256:0", "a:80/b:1@sha256:0"),
            ("b:1@sha256:0", "b:1@sha256:0", "b:1@sha256:0"),
            ("http//a?b=c&d&e=", "http//a?b=xxxx&xxxx&e=", "http//a?xxxx"),
            ("/a?b=c;d=e x", "/a?b=xxxx;d=xxxx x", "/a?xxxx"),
            ("^/a(?:b)?$", "^/a(?:b)?$", "^/a(?xxxx"),
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
