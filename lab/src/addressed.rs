//! Which host and port a command line argument of curl leads to.

use std::ffi::OsStr;

/// Host (lower case) and port of a URL, as curl reads them: the scheme may be missing. None for
/// options, addresses and whatever else is no URL with a host name.
pub(super) fn addressed(argument: &OsStr) -> Option<(String, u16)> {
    let text = argument.to_str()?;
    if text.starts_with('-') || text.contains(char::is_whitespace) {
        return None;
    }
    let (default, rest) = match text.split_once("://") {
        Some(("http", rest)) => (80, rest),
        Some(("https", rest)) => (443, rest),
        Some(_) => return None,
        None => (80, text),
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit('@').next()?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, default),
    };
    let named = host.contains(|c: char| c.is_ascii_alphabetic()) && !host.contains(['[', ':']);
    named.then(|| (host.to_ascii_lowercase(), port))
}

/// Host and port of a URL as they stand there, without scheme and user.
pub(super) fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority.rsplit('@').next().unwrap_or(authority)
}

/// Path and query of a URL.
pub(super) fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("/", |at| &rest[at..]);
    path.split('#').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_with_names_and_nothing_else() {
        let read =
            |text: &str| addressed(OsStr::new(text)).map(|(host, port)| format!("{host} {port}"));
        for (argument, expected) in [
            ("http://Test.homelab.local", Some("test.homelab.local 80")),
            ("https://a.b/x?y#z", Some("a.b 443")),
            ("http://user:word@a.b:8080/", Some("a.b 8080")),
            ("a.b/path", Some("a.b 80")),
            ("http://10.1.1.100/", None),
            ("http://[fd00::1]:80/", None),
            ("-sS", None),
            ("Host: a.b", None),
            ("ftp://a.b/", None),
        ] {
            assert_eq!(read(argument).as_deref(), expected, "{argument}");
        }
    }

    #[test]
    fn parts_of_urls() {
        for (url, expected) in [
            ("http://a.b/x?y#z", ("a.b", "/x?y")),
            ("http://[fd00::1]:8080", ("[fd00::1]:8080", "/")),
            ("u:p@10.0.0.1/a/b", ("10.0.0.1", "/a/b")),
        ] {
            assert_eq!((authority(url), path(url)), expected, "{url}");
        }
    }
}
