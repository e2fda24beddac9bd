//! Which values are taken, as ingress-nginx says it (`internal/ingress/annotations/parser`, 1.15).

/// What Go's `ParseBool` takes.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// Letters, digits, and `-._~/:`, and what else is let.
pub(crate) fn basic<'t>(text: &'t str, also: &str) -> Option<&'t str> {
    let is_it = |it: char| it.is_ascii_alphanumeric() || "-._~/:".contains(it) || also.contains(it);
    text.chars().all(is_it).then_some(text)
}

/// What redirections may lead to: no variables.
pub(crate) fn location(text: &str) -> Option<&str> {
    basic(text, ",?&=")
}

/// A path in which variables may stand.
pub(crate) fn target(text: &str) -> Option<&str> {
    basic(text, "$?&=,")
}

/// What names servers, and where on one: signs of expressions may stand in it.
pub(crate) fn server(text: &str) -> Option<&str> {
    basic(text, "^$[](){}*+?|&=\\")
}

/// Bytes: a number, and `b`, `k`, `m` or `g` in any case.
pub(crate) fn size(text: &str) -> Option<u64> {
    let (digits, unit) = match text.as_bytes().last()?.to_ascii_lowercase() {
        b'b' => (&text[..text.len() - 1], 1),
        b'k' => (&text[..text.len() - 1], 1 << 10),
        b'm' => (&text[..text.len() - 1], 1 << 20),
        b'g' => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
    is_number.then(|| digits.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(unit))
}

/// Statuses with commas between them.
pub(crate) fn statuses(text: &str) -> Option<Vec<u16>> {
    let parts = text.split(',').map(str::trim).filter(|it| !it.is_empty());
    let status = |it: &str| it.parse().ok().filter(|it| (300..600).contains(it));
    parts.map(status).collect()
}

/// The name of a Service (RFC 1035 §2.3.1).
pub(crate) fn service(text: &str) -> Option<&str> {
    let is_part = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
    let begins = text.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    let is_it = begins && text.len() <= 63 && text.bytes().all(is_part) && !text.ends_with('-');
    is_it.then_some(text)
}

/// Two texts with blanks between them.
pub(crate) fn pair(text: &str) -> Option<(&str, &str)> {
    let mut parts = text.split(' ').filter(|it| !it.is_empty());
    let (first, second) = (parts.next()?, parts.next()?);
    parts.next().is_none().then_some((first, second))
}

/// After what another endpoint is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NextUpstream {
    pub(crate) is_off: bool,
    /// An endpoint has failed, or taken too long.
    pub(crate) after_faults: bool,
    pub(crate) statuses: Vec<u16>,
    pub(crate) for_all_methods: bool,
}

/// The words of `proxy_next_upstream`.
pub(crate) fn next_upstream(text: &str) -> Option<NextUpstream> {
    let mut read = NextUpstream::default();
    for word in text.split(' ').filter(|it| !it.is_empty()) {
        match word {
            "off" => read.is_off = true,
            "error" | "timeout" | "invalid_header" => read.after_faults = true,
            "non_idempotent" => read.for_all_methods = true,
            word => {
                let status = word.strip_prefix("http_")?.parse().ok()?;
                let is_known = matches!(status, 500 | 502 | 503 | 504 | 403 | 404 | 429);
                read.statuses.push(is_known.then_some(status)?);
            }
        }
    }
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_configuration_is_a_value() {
        for text in [
            "/a;}",
            "/a\nb",
            "/a\r",
            "/a{",
            "$(x)",
            "/a b",
            "/a'",
            "/a\"",
            "/a\\",
            "/a#",
            "/a`",
            "x;alias /etc/;",
            "include /etc/passwd",
            "%0a",
            "/a|b",
            "/a<b>",
        ] {
            assert_eq!((location(text), target(text)), (None, None), "{text:?}");
        }
        assert!(location("https://a.b:8443/c?d=e&f=g,h").is_some());
        assert!(location("https://a.b$request_uri").is_none());
        assert!(target("/$1/b").is_some());
    }

    #[test]
    fn sizes_statuses_and_words() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("8k", Some(8192)),
            ("1M", Some(1 << 20)),
            ("2g", Some(2 << 30)),
            ("7b", Some(7)),
            ("99999999999999999999g", Some(u64::MAX)),
            ("15r", None),
            ("10Mi", None),
            ("-1", None),
            ("", None),
            ("m", None),
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
        assert_eq!(statuses("404, 503"), Some(vec![404, 503]));
        assert_eq!((statuses("4xx"), statuses("200")), (None, None));
        let read = next_upstream("error timeout http_502 non_idempotent").unwrap();
        assert!(read.after_faults && read.for_all_methods && !read.is_off);
        assert_eq!(read.statuses, [502]);
        assert_eq!((next_upstream("http_418"), next_upstream("error;")), (None, None));
        assert_eq!((pair("a  b"), pair("a"), pair("a b c")), (Some(("a", "b")), None, None));
    }
}
