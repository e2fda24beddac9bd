//! Leads to another scheme, or elsewhere by an expression, in Traefik's manner.
//!
//! Where it leads is text of the configuration and of the request, which becomes a header line:
//! what no URL has is answered 502, and written nowhere.

use std::borrow::Cow;
use std::sync::Arc;

use steelyard_http::{Head, RequestEdits, RequestView, Scheme};
use steelyard_model::routing::filter::{RegexRedirection, SchemeRedirection};

use crate::ask::Got;
use crate::context::{Context, Note};
use crate::frame::{Enter, Frame};
use crate::response::Response;

/// Leads to another scheme.
#[derive(Clone, Debug)]
pub(crate) struct ToScheme(pub(crate) Arc<SchemeRedirection>);

/// Leads elsewhere where an expression matches.
#[derive(Clone, Debug)]
pub(crate) struct ByRegex {
    to: Arc<RegexRedirection>,
    /// What every URL begins with that it matches, as far as that is plain to see.
    beginning: Arc<str>,
}

impl ByRegex {
    pub(crate) fn new(to: &RegexRedirection) -> Self {
        let beginning = to.expression.beginning().unwrap_or_default().into();
        Self { to: Arc::new(to.clone()), beginning }
    }
}

impl ToScheme {
    /// Where a request is led; none where it passes.
    pub(crate) fn leads(&self, is_tls: bool, head: &RequestEdits<'_>) -> Option<String> {
        let asked = head.first("x-forwarded-proto").and_then(|said| match said {
            b"http" | b"ws" => Some("http"),
            b"https" | b"wss" => Some("https"),
            _ => None,
        });
        let scheme = asked.unwrap_or_else(|| own_scheme(is_tls, head));
        let (host, port) = split(head.authority());
        let to = &self.0;
        let asked_port = port.filter(|port| !is_usual(scheme, port));
        let port = to.port.as_deref().filter(|port| !is_usual(&to.scheme, port));
        if scheme == &*to.scheme && asked_port == port {
            return None;
        }
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        let query = head.query().map_or(String::new(), |query| format!("?{query}"));
        Some(format!("{}://{host}{port}{}{query}", to.scheme, head.path()))
    }
}

impl Frame for ToScheme {
    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, _: Got) -> Enter {
        match self.leads(cx.journey.is_tls, head) {
            Some(url) => led(cx, head, &url, self.0.is_permanent),
            None => Enter::Next,
        }
    }
}

impl ByRegex {
    /// Where a request is led; none where it passes.
    pub(crate) fn leads(&self, is_tls: bool, head: &RequestEdits<'_>) -> Option<String> {
        let query = head.query();
        let mark = if query.is_some() { "?" } else { "" };
        let scheme = own_scheme(is_tls, head);
        let asked = [scheme, "://", head.authority(), head.path(), mark, query.unwrap_or_default()];
        if !begin_with(&asked, &self.beginning) {
            return None;
        }
        let asked = asked.concat();
        // Most are not meant, and to see that takes less than to see what is.
        if !self.to.expression.is_found_in(&asked) {
            return None;
        }
        let url = self.to.expression.replaced(&asked, &self.to.replacement)?;
        (url != asked).then_some(url)
    }
}

impl Frame for ByRegex {
    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, _: Got) -> Enter {
        match self.leads(cx.journey.is_tls, head) {
            Some(url) => led(cx, head, &url, self.to.is_permanent),
            None => Enter::Next,
        }
    }
}

/// Whether these parts of a text begin with `beginning`.
fn begin_with(parts: &[&str], beginning: &str) -> bool {
    let mut rest = beginning.as_bytes();
    for part in parts.iter().map(|part| part.as_bytes()) {
        let (here, behind) = rest.split_at(rest.len().min(part.len()));
        if !part.starts_with(here) {
            return false;
        }
        rest = behind;
    }
    rest.is_empty()
}

/// What the connection itself is.
fn own_scheme(is_tls: bool, head: &RequestEdits<'_>) -> &'static str {
    if is_tls || head.scheme() == Scheme::Https { "https" } else { "http" }
}

fn led(cx: &mut Context<'_>, head: &RequestEdits<'_>, url: &str, is_permanent: bool) -> Enter {
    let url = spelled(url);
    if !is_url(&url) {
        cx.notes.push(Note::Reason("a filter leads to what is no URL"));
        return Enter::Answer(Box::new(Response::bare(502)));
    }
    let status = match (is_permanent, head.method()) {
        (true, "GET") => 301,
        (true, _) => 308,
        (false, "GET") => 302,
        (false, _) => 307,
    };
    cx.notes.push(Note::Reason("the request is led elsewhere"));
    let mut response = Response::bare(status);
    response.lines.push(("Location".into(), url.as_bytes().into()));
    Enter::Answer(Box::new(response))
}

/// With what no URL has encoded, as Go writes one that it has read (RFC 3986 §2.1): blanks, and
/// what is no ASCII; in a path also what only stands beside URLs. What ends a line stays, and is
/// none.
fn spelled(url: &str) -> Cow<'_, str> {
    let path = url.find(['?', '#']).unwrap_or(url.len());
    let host = url.find("//").map_or(0, |at| at + 2);
    let host = url[host..path].find('/').map_or(path, |at| host + at);
    let is_odd = |at: usize, byte: u8| match byte {
        0x80.. => true,
        b' ' => at >= host,
        b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}' => at >= host && at < path,
        _ => false,
    };
    if !url.bytes().enumerate().any(|(at, byte)| is_odd(at, byte)) {
        return Cow::Borrowed(url);
    }
    let mut out = String::with_capacity(url.len() + 16);
    for (at, byte) in url.bytes().enumerate() {
        match is_odd(at, byte) {
            true => out.push_str(&format!("%{byte:02X}")),
            false => out.push(char::from(byte)),
        }
    }
    Cow::Owned(out)
}

/// Whether those who are led there can read it: it is printable, its escapes are whole but in a
/// query, and where it names a host that may be one (RFC 3986 §2.1, §3.2).
fn is_url(text: &str) -> bool {
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let is_text = |part: &str| part.bytes().all(|byte| byte.is_ascii_graphic());
    let is_whole = |part: &str| {
        let mut escapes = part.split('%').skip(1);
        escapes.all(|it| it.len() > 1 && it.bytes().take(2).all(|it| it.is_ascii_hexdigit()))
    };
    let authority = path.split_once("//").and_then(|(scheme, rest)| {
        let is_absolute = scheme.is_empty() || scheme.ends_with(':') && !scheme.contains('/');
        is_absolute.then(|| rest.split('/').next().unwrap_or_default())
    });
    [path, query, fragment].into_iter().all(is_text)
        && !(path.is_empty() && query.is_empty() && fragment.is_empty())
        && [path, fragment].into_iter().all(is_whole)
        && !path.starts_with(':')
        && authority.is_none_or(is_authority)
}

/// Whether it may name a host, and a port that is a number.
fn is_authority(text: &str) -> bool {
    let host = text.rsplit_once('@').map_or(text, |(_, host)| host);
    let (is_host, port) = match host.strip_prefix('[').map(|it| it.split_once(']')) {
        Some(Some((address, rest))) => (address.parse::<std::net::Ipv6Addr>().is_ok(), rest),
        Some(None) => (false, ""),
        None => {
            let port = host.find(':').map_or("", |at| &host[at..]);
            (!host.contains([']', '[', '"', '<', '>', '\\', '^', '`', '{', '|', '}']), port)
        }
    };
    let number = port.strip_prefix(':').unwrap_or(port);
    is_host
        && (port.is_empty() || port.starts_with(':'))
        && number.bytes().all(|it| it.is_ascii_digit())
}

fn split(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if host.ends_with(']') || !host.contains(':') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn is_usual(scheme: &str, port: &str) -> bool {
    matches!((scheme, port), ("http", "80") | ("https", "443") | (_, ""))
}

#[cfg(test)]
mod tests {
    use steelyard_model::routing::pattern::Expression;

    use super::*;
    use crate::tests::{Asked, World};

    fn location(frame: &mut impl Frame, asked: &Asked) -> Option<(u16, String)> {
        let mut world = World::new();
        let mut request = RequestEdits::new(asked);
        match frame.enter(&mut world.context(), &mut request, Got::Nothing) {
            Enter::Next => None,
            Enter::Answer(answer) => {
                let to = answer.first("location").unwrap_or_default();
                Some((answer.status, String::from_utf8_lossy(to).into_owned()))
            }
            Enter::Ask(ask) => panic!("{ask:?}"),
        }
    }

    #[test]
    fn to_another_scheme() {
        for (port, is_permanent, asked, expected) in [
            (None, false, Asked::get("http://a.b", "/x?q"), Some((302, "https://a.b/x?q"))),
            (None, true, Asked::get("http://a.b", "/x"), Some((301, "https://a.b/x"))),
            (None, true, Asked::by("POST", "http://a.b", "/x"), Some((308, "https://a.b/x"))),
            (None, false, Asked::by("HEAD", "http://a.b", "/x"), Some((307, "https://a.b/x"))),
            (None, false, Asked::get("http://a.b:8080", "/"), Some((302, "https://a.b/"))),
            (
                Some("8443"),
                false,
                Asked::get("http://[::1]", "/"),
                Some((302, "https://[::1]:8443/")),
            ),
            (Some("443"), false, Asked::get("http://a.b", "/"), Some((302, "https://a.b/"))),
            (None, false, Asked::get("https://a.b", "/"), None),
            (None, false, Asked::get("https://a.b:443", "/"), None),
            (Some("443"), false, Asked::get("https://a.b", "/"), None),
            (None, false, Asked::get("https://a.b:80", "/"), Some((302, "https://a.b/"))),
            (None, false, Asked::get("http://", "/"), Some((302, "https:///"))),
            (None, false, Asked::get("http://a.b", "/").with("X-Forwarded-Proto", "https"), None),
            (None, false, Asked::get("http://a.b", "/").with("X-Forwarded-Proto", "wss"), None),
            (
                None,
                false,
                Asked::get("http://a.b", "/").with("X-Forwarded-Proto", "bar"),
                Some((302, "https://a.b/")),
            ),
        ] {
            let to = SchemeRedirection {
                scheme: "https".into(),
                port: port.map(Into::into),
                is_permanent,
            };
            let found = location(&mut ToScheme(Arc::new(to)), &asked);
            assert_eq!(found, expected.map(|(status, to)| (status, to.to_owned())), "{asked:?}");
        }
    }

    #[test]
    fn where_nobody_can_be_led() {
        for url in [
            "http://c.d",
            "https://c.d:8443/x%20y?q=%zz#f",
            "//c.d/x",
            "/only/a//path",
            "?q",
            "#f",
            "http://u:p@c.d/",
            "http://[::1]:80/",
            "http://[::1]",
            "http://c.d:/",
            "mailto:a@b",
        ] {
            assert!(is_url(url), "{url}");
        }
        for url in [
            "",
            "/a b",
            "/a\u{e9}",
            "/%",
            "/%4",
            "/%zz",
            "/x#%z",
            ":80/x",
            "http://[::1",
            "http://[x]/",
            "http://[::1]80/",
            "http://c.d:8x/",
            "http://a<b/",
            "http://c]d/",
        ] {
            assert!(!is_url(url), "{url}");
        }
    }

    #[test]
    fn by_an_expression() {
        let www = "^(https?)://[^/:]+(:[0-9]+)?/(.*)";
        for (regex, replacement, asked, expected) in [
            (
                www,
                "$1://c.d$2/$3",
                Asked::get("https://a.b", "/x?q"),
                Some((302, "https://c.d/x?q")),
            ),
            (www, "$1://c.d$2/$3", Asked::get("http://a.b:81", "/"), Some((302, "http://c.d:81/"))),
            (www, "$1://a.b/$3", Asked::get("http://a.b", "/x"), None),
            ("^ftp:", "x", Asked::get("http://a.b", "/x"), None),
            // What is said of the scheme by others does not count.
            (
                "^http:(.*)",
                "https:$1",
                Asked::get("https://a.b", "/").with("X-Forwarded-Proto", "http"),
                None,
            ),
            (".*", "http://c.d/ x", Asked::get("http://a.b", "/"), Some((302, "http://c.d/%20x"))),
            (
                ".*",
                "http://c.d/ü|?q=a b",
                Asked::get("http://a.b", "/"),
                Some((302, "http://c.d/%C3%BC%7C?q=a%20b")),
            ),
            (
                ".*",
                "http://bücher.d",
                Asked::get("http://a.b", "/"),
                Some((302, "http://b%C3%BCcher.d")),
            ),
            (".*", "http://c.d/\r\nx", Asked::get("http://a.b", "/"), Some((502, ""))),
            (".*", "http://c<d/", Asked::get("http://a.b", "/"), Some((502, ""))),
            (".*", "http://c d/", Asked::get("http://a.b", "/"), Some((502, ""))),
            (".*", "", Asked::get("http://a.b", "/"), Some((502, ""))),
            ("^.*$", "http://[bad", Asked::get("http://a.b", "/"), Some((502, ""))),
            ("^.*$", "http://c.d:x/", Asked::get("http://a.b", "/"), Some((502, ""))),
            ("^.*$", "//c.d/%zz", Asked::get("http://a.b", "/"), Some((502, ""))),
            ("^.*$", "://c.d", Asked::get("http://a.b", "/"), Some((502, ""))),
        ] {
            let to = RegexRedirection {
                expression: Expression::new(regex).unwrap(),
                replacement: replacement.into(),
                is_permanent: false,
            };
            let found = location(&mut ByRegex::new(&to), &asked);
            assert_eq!(found, expected.map(|(status, to)| (status, to.to_owned())), "{asked:?}");
        }
    }
}
