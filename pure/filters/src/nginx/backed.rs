//! Changes what backends say in `Set-Cookie`, `Location` and `Refresh` (`proxy_cookie_domain`,
//! `proxy_cookie_path`, `proxy_redirect`).

use steelyard_http::{Head as _, ResponseEdits};
use steelyard_model::routing::filter::nginx::{NginxCookies, NginxLocation};

use crate::context::{Answerer, Context};

const COOKIE: &str = "Set-Cookie";

pub(super) fn cookies(cookies: &NginxCookies, cx: &Context<'_>, head: &mut ResponseEdits<'_>) {
    if cx.cause != Answerer::Backend || head.first(COOKIE).is_none() {
        return;
    }
    let mut lines = Vec::new();
    head.each(&mut |name, value| {
        if name.eq_ignore_ascii_case(COOKIE) {
            lines.push(value.to_vec());
        }
    });
    _ = head.lines().remove(COOKIE);
    for line in lines {
        let changed = str::from_utf8(&line).ok().map(|it| cookie(cookies, it));
        _ = head.lines().add(COOKIE, changed.as_deref().map_or(&*line, str::as_bytes));
    }
}

/// A cookie (RFC 6265 §4.1.1) with its attributes changed, spelled else as it came.
fn cookie(cookies: &NginxCookies, line: &str) -> String {
    let parts = line.split(';').enumerate().map(|(index, part)| {
        let Some((name, value)) = part.split_once('=').filter(|_| index > 0) else {
            return part.to_owned();
        };
        let (key, value) = (name.trim(), value.trim());
        let changed = match (&cookies.domain, &cookies.path) {
            (Some((from, to)), _) if key.eq_ignore_ascii_case("domain") => {
                // A dot at the begin is no part of what is compared, and stays.
                let bare = |it: &str| it.strip_prefix('.').unwrap_or(it).to_ascii_lowercase();
                let dot = if value.starts_with('.') { "." } else { "" };
                let to = to.strip_prefix('.').unwrap_or(to);
                (bare(value) == bare(from)).then(|| format!("{dot}{to}"))
            }
            (_, Some((from, to))) if key.eq_ignore_ascii_case("path") => {
                value.strip_prefix(&**from).map(|rest| format!("{to}{rest}"))
            }
            _ => None,
        };
        changed.map_or_else(|| part.to_owned(), |changed| format!("{name}={changed}"))
    });
    parts.collect::<Vec<_>>().join(";")
}

/// `site` is what is asked: a path that comes of it is made one of its URLs, unless that is not
/// wanted.
pub(super) fn location(
    location: &NginxLocation,
    site: Option<&str>,
    cx: &Context<'_>,
    head: &mut ResponseEdits<'_>,
) {
    if cx.cause != Answerer::Backend {
        return;
    }
    for (name, before) in [("Location", ""), ("Refresh", "url=")] {
        let Some(value) = head.first(name).and_then(|it| str::from_utf8(it).ok()) else { continue };
        let at = value.find(before).map(|at| at + before.len());
        let Some((kept, rest)) = at.map(|at| value.split_at(at)) else { continue };
        if let Some(rest) = rest.strip_prefix(&*location.from) {
            let to = &location.to;
            let is_made = name == "Location" && to.starts_with('/') && !location.is_relative;
            let site = site.filter(|_| is_made).unwrap_or_default();
            let changed = format!("{kept}{site}{to}{rest}");
            _ = head.lines().set(name, changed.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::Response;
    use crate::tests::World;

    #[test]
    fn attributes_are_changed_and_nothing_else() {
        let both = NginxCookies {
            domain: Some(("localhost".into(), "example.org".into())),
            path: Some(("/one/".into(), "/".into())),
        };
        for (line, expected) in [
            ("a=b;Domain=localhost;Path=/one/two", "a=b;Domain=example.org;Path=/two"),
            ("a=b; domain=.LOCALHOST; Secure", "a=b; domain=.example.org; Secure"),
            ("Path=/one/; Path=/two; HttpOnly", "Path=/one/; Path=/two; HttpOnly"),
            ("a=b; Domain=other", "a=b; Domain=other"),
        ] {
            assert_eq!(cookie(&both, line), expected);
        }
        let mut answer = Response::of(200);
        for line in ["a=1; Path=/one/x", "b=2"] {
            answer.lines.push((COOKIE.into(), line.as_bytes().into()));
        }
        let mut head = ResponseEdits::new(&answer);
        let mut world = World::new();
        let cx = Context { cause: Answerer::Backend, ..world.context() };
        cookies(&both, &cx, &mut head);
        let mut lines = Vec::new();
        head.each(&mut |_, value| lines.push(String::from_utf8_lossy(value).into_owned()));
        assert_eq!(lines, ["a=1; Path=/x", "b=2"]);
    }

    #[test]
    fn a_location_gets_another_begin() {
        for (name, value, expected) in [
            ("Location", "http://in:80/x", "https://out/x"),
            ("Location", "http://else/x", "http://else/x"),
            ("Refresh", "5; url=http://in:80/x", "5; url=https://out/x"),
        ] {
            let mut answer = Response::of(302);
            answer.lines.push((name.into(), value.as_bytes().into()));
            let mut head = ResponseEdits::new(&answer);
            let mut world = World::new();
            let cx = Context { cause: Answerer::Backend, ..world.context() };
            let terms = |to: &str, is_relative| NginxLocation {
                from: "http://in:80".into(),
                to: to.into(),
                is_relative,
            };
            location(&terms("https://out", false), None, &cx, &mut head);
            assert_eq!(head.first(name), Some(expected.as_bytes()), "{name}: {value}");
            let said = |to, is_relative| {
                let mut head = ResponseEdits::new(&answer);
                location(&terms(to, is_relative), Some("http://a.b"), &cx, &mut head);
                head.first("Location").map(|it| String::from_utf8_lossy(it).into_owned())
            };
            if value == "http://in:80/x" {
                assert_eq!(said("/y", false).as_deref(), Some("http://a.b/y/x"));
                assert_eq!(said("/y", true).as_deref(), Some("/y/x"));
            }
        }
    }
}
