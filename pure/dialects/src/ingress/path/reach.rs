//! Whether a request can have the path of a rule at all.
//!
//! Requests are matched by the normal form of their path, letter by letter: what differs from its
//! own normal form, a query string, or a regular expression is asked for by nobody. In words of
//! ingress-nginx paths are decoded first, so there blanks and letters of all kinds are.

use steelyard_http::path::{decoded, normalize};
use steelyard_model::{FieldPath, Severity};

use crate::codes;
use crate::findings::Findings;

/// What makes a path a regular expression to its author; the rest of what regular expressions
/// have may as well be meant as it stands (`/Foo_(bar)`, `/$metadata`, `/a+b`).
const SIGNS: [&str; 10] = [".*", ".+", "(/", "/(", "(?", "/*", "|", "[", "\\", "^"];

/// A regular expression in words of this program.
pub(super) struct Plain {
    path: String,
    exact: bool,
}

impl Plain {
    pub(super) fn help(&self) -> String {
        let Self { path, exact } = self;
        if *exact {
            format!("write {path} with `pathType: Exact`")
        } else {
            format!("write {path} with `pathType: Prefix`, which takes all below it too")
        }
    }
}

/// Reports a path that no request has.
pub(super) fn check(text: &str, path: &FieldPath, is_decoded: bool, findings: &mut Findings<'_>) {
    let (code, message, help) = if let Some(plain) = as_regex(text) {
        let message = format!(
            "path `{text}` looks like a regular expression, but it is compared letter by letter: \
             nobody asks for it"
        );
        (codes::PATH_REGEX, message, plain.help())
    } else if let Some((what, help)) = unasked(text, is_decoded) {
        let message = format!("path `{text}` {what}: no request has it");
        (codes::PATH_UNREACHABLE, message, help)
    } else {
        return;
    };
    findings.say(Severity::Warning, code, path, message, help);
}

/// What to write for `text`, if it is a regular expression.
pub(super) fn as_regex(text: &str) -> Option<Plain> {
    let ends = ["*", "/$", "$"].iter().any(|end| text.len() > 1 && text.ends_with(end));
    if !ends && !SIGNS.iter().any(|sign| text.contains(sign)) {
        return None;
    }
    let anchored = text.trim_start_matches(['^', '~', '=', ' ']);
    let rooted =
        if anchored.starts_with('/') { anchored.to_owned() } else { format!("/{anchored}") };
    let inner = rooted.strip_suffix('$').unwrap_or(&rooted);
    let special = ['^', '$', '(', ')', '[', ']', '{', '}', '*', '+', '?', '|', '\\'];
    let cut = inner.find(special).unwrap_or(inner.len());
    let mut plain = &inner[..cut];
    if let Some(stem) = plain.strip_suffix('.').filter(|_| inner[cut..].starts_with(['*', '+'])) {
        plain = stem;
    }
    // Half an element is no prefix of whole ones.
    if inner[cut..].starts_with(['[', '{', '\\', '?']) {
        plain = &plain[..=plain.rfind('/').unwrap_or(0)];
    }
    let exact = cut == inner.len() && rooted.ends_with('$');
    let plain = plain.trim_end_matches('/');
    Some(Plain { path: if plain.is_empty() { "/".to_owned() } else { plain.to_owned() }, exact })
}

/// What is in `text` that no request has, and what to do about it.
fn unasked(text: &str, is_decoded: bool) -> Option<(String, String)> {
    let before = |at: usize| if at == 0 { "/".to_owned() } else { text[..at].to_owned() };
    if let Some(at) = text.find('?') {
        let what = "has a query string, and requests are matched without theirs".to_owned();
        return Some((what, format!("write {}", before(at))));
    }
    if let Some(at) = text.find('#') {
        let what = "has a fragment, which browsers keep to themselves".to_owned();
        return Some((what, format!("write {}", before(at))));
    }
    if let Some(at) = text.find('{') {
        let what = "has a placeholder, which nothing fills in".to_owned();
        let element = text[..at].rfind('/').unwrap_or(0);
        let plain = text[..element].trim_end_matches('/');
        let plain = if plain.is_empty() { "/" } else { plain };
        return Some((what, format!("write {plain} with `pathType: Prefix`")));
    }
    if is_decoded {
        return undecoded(text);
    }
    match normalize(text) {
        Ok(normal) if *normal == *text => None,
        Ok(normal) => {
            let what = "is not spelled as requests spell theirs";
            Some((what.to_owned(), format!("write {normal}")))
        }
        Err(_) => {
            let what = "has a `%` without two hexadecimal digits, or hides a `..`".to_owned();
            Some((what, "write %25 for a percent sign, and no `..`".to_owned()))
        }
    }
}

/// The same of a path that is compared with decoded ones.
fn undecoded(text: &str) -> Option<(String, String)> {
    if let Some(plain) = normalize(text).ok().filter(|_| text.contains('%')) {
        let what = "is encoded, and compared with paths as they are decoded".to_owned();
        return Some((what, format!("write {}", decoded(&plain))));
    }
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && *byte != b'%';
    let spelled = text.bytes().map(|byte| match is_plain(&byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    let normal = normalize(&spelled.collect::<String>()).ok()?.into_owned();
    let normal = decoded(&normal);
    (*normal != *text).then(|| {
        let what = "is not spelled as requests spell theirs".to_owned();
        (what, format!("write {normal}"))
    })
}

#[cfg(test)]
mod tests {
    use super::{as_regex, unasked};

    #[test]
    fn what_is_compared_decoded_is_written_so() {
        for (text, help) in [
            ("/a b", None),
            ("/grüße", None),
            ("/100%", None),
            ("/a%20b", Some("write /a b")),
            ("/a/../b", Some("write /b")),
            ("/a?b", Some("write /a")),
        ] {
            assert_eq!(unasked(text, true).map(|it| it.1).as_deref(), help, "{text}");
        }
    }

    #[test]
    fn regular_expressions() {
        for (text, expected) in [
            ("/*", Some("write / with `pathType: Prefix`")),
            ("/api(/|$)(.*)", Some("write /api with `pathType: Prefix`")),
            ("/(.*)", Some("write / with `pathType: Prefix`")),
            ("/foo/.*", Some("write /foo with `pathType: Prefix`")),
            ("/foo*", Some("write /foo with `pathType: Prefix`")),
            ("^/foo$", Some("write /foo with `pathType: Exact`")),
            ("/v[0-9]+/x", Some("write / with `pathType: Prefix`")),
            ("/a|/b", Some("write /a with `pathType: Prefix`")),
            ("/static/(js|css)/.*", Some("write /static with `pathType: Prefix`")),
            (r"/x\.php", Some("write / with `pathType: Prefix`")),
            ("/", None),
            ("/api", None),
            ("/wiki/Foo_(bar)", None),
            ("/odata/$metadata", None),
            ("/a+b", None),
            ("/a*b", None),
            ("/.well-known/acme-challenge", None),
        ] {
            let help = as_regex(text).map(|plain| plain.help());
            match (help, expected) {
                (Some(help), Some(expected)) => {
                    assert!(help.starts_with(expected), "{text}: {help}")
                }
                (help, expected) => assert_eq!(help.as_deref(), expected, "{text}"),
            }
        }
    }

    #[test]
    fn paths_that_nobody_asks_for() {
        for (text, expected) in [
            ("/a?b=c", Some("write /a")),
            ("/a#b", Some("write /a")),
            ("/a b", Some("write /a%20b")),
            ("/café", Some("write /caf%C3%A9")),
            ("/%7Euser", Some("write /~user")),
            ("/a//b", Some("write /a/b")),
            ("/a/../b", Some("write /b")),
            ("/a%2fb", Some("write /a%2Fb")),
            ("/100%", Some("write %25 for a percent sign, and no `..`")),
            ("/users/{id}/x", Some("write /users with `pathType: Prefix`")),
            ("/a%2Fb", None),
            ("/a/", None),
            ("/@user/a:b;c=d,e!f", None),
        ] {
            let help = unasked(text, false).map(|(_, help)| help);
            assert_eq!(help.as_deref(), expected, "{text}");
        }
    }
}
