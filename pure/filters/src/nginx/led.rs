//! Answers with a redirection, as nginx's `return` does.

use steelyard_http::{Head as _, RequestEdits, RequestView, Scheme, first_site};
use steelyard_model::routing::filter::nginx::{
    NginxFolder, NginxReturn, NginxSecure, NginxSibling,
};

use crate::context::{Context, Note};
use crate::frame::Enter;
use crate::response::Response;
use crate::variables::{filled, in_url};

pub(super) fn enter(to: &NginxReturn, cx: &mut Context<'_>, head: &RequestEdits<'_>) -> Enter {
    if to.of_root && head.path() != "/" {
        return Enter::Next;
    }
    let whither = filled(&to.to, cx, head);
    // What a client says in variables stays a part of the URL.
    let has_words = to.to.variables().next().is_some();
    let whither = if has_words { in_url(&whither) } else { whither };
    let location = match whither.starts_with('/') && !to.is_relative {
        true => absolute(head, &whither, to.of_root),
        false => whither,
    };
    led(cx, to.status, location)
}

/// Leads who asks in plain to the same by TLS.
pub(super) fn secure(to: &NginxSecure, cx: &mut Context<'_>, head: &RequestEdits<'_>) -> Enter {
    let said = head.first("x-forwarded-host").and_then(first_site);
    let (host, asked) = match said {
        Some(site) => (parted(site).0, None),
        None => parted(head.authority()),
    };
    // Who names no host cannot be led to one; nor who has come by what is neither of both.
    let is_other = head.first("x-forwarded-proto").is_some_and(|it| it != b"http");
    if head.scheme() == Scheme::Https || is_other || host.is_empty() {
        return Enter::Next;
    }
    let beside = |asked| to.beside.iter().find(|(from, _)| *from == asked).map(|(_, to)| *to);
    let port = to.port.or_else(|| beside(asked?)).filter(|it| to.port.is_some() || *it != 443);
    let port = port.map(|it| format!(":{it}")).unwrap_or_default();
    let target = target(head, to.keeps_slash);
    led(cx, to.status, format!("https://{host}{port}{target}"))
}

/// Leads to the host beside the one that is asked for.
pub(super) fn to_host(
    to: NginxSibling,
    status: u16,
    cx: &mut Context<'_>,
    head: &RequestEdits<'_>,
) -> Enter {
    let (host, port) = parted(head.authority());
    let host = match to {
        NginxSibling::Bare => host.strip_prefix("www.").unwrap_or(host).to_owned(),
        NginxSibling::Www => format!("www.{host}"),
    };
    let scheme = head.scheme();
    let port = port.unwrap_or(if scheme == Scheme::Https { 443 } else { 80 });
    let target = target(head, false);
    led(cx, status, format!("{}://{host}:{port}{target}", scheme.as_str()))
}

/// Leads who asks for a folder without its slash to the one with it.
pub(super) fn slash(to: &NginxFolder, cx: &mut Context<'_>, head: &RequestEdits<'_>) -> Enter {
    let path = &*to.path;
    if head.path() != path {
        return Enter::Next;
    }
    let query = head.query().map(|it| format!("?{it}")).unwrap_or_default();
    let target = format!("{path}/{query}");
    led(cx, 301, if to.is_relative { target } else { absolute(head, &target, false) })
}

/// What is asked for, as it is written, without one slash at its end.
fn target(head: &RequestEdits<'_>, keeps_slash: bool) -> String {
    let query = head.query().map(|it| format!("?{it}")).unwrap_or_default();
    let target = format!("{}{query}", head.asked_path());
    match target.strip_suffix('/') {
        Some(bare) if !keeps_slash => bare.to_owned(),
        _ => target,
    }
}

/// A host, and the port that is said.
fn parted(authority: &str) -> (&str, Option<u16>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if host.ends_with(']') || !host.contains(':') => {
            (host, port.parse().ok())
        }
        _ => (authority, None),
    }
}

/// The answer that leads there.
pub(super) fn led(cx: &mut Context<'_>, status: u16, location: String) -> Enter {
    cx.notes.push(Note::Reason("the request is led elsewhere"));
    let has_page = matches!(status, 301..=303 | 307 | 308);
    let mut response = if has_page { Response::of_nginx(status) } else { Response::of(status) };
    response.lines.push(("Location".into(), location.into_bytes().into()));
    Enter::Answer(Box::new(response))
}

/// A path of the same site as an URL; the port that was asked at stays only where that is said.
fn absolute(head: &RequestEdits<'_>, path: &str, keeps_port: bool) -> String {
    let site = site(head.scheme(), head.authority(), keeps_port);
    format!("{site}{path}")
}

/// What the URLs of a site begin with.
pub(super) fn site(scheme: Scheme, authority: &str, keeps_port: bool) -> String {
    let host = if keeps_port { authority } else { parted(authority).0 };
    format!("{}://{host}", scheme.as_str())
}

#[cfg(test)]
mod tests {
    use steelyard_model::routing::variables::VariableText;

    use super::*;
    use crate::tests::{Asked, World};

    fn location(to: NginxReturn, url: &'static str, path: &'static str) -> Option<String> {
        let asked = Asked::get(url, path);
        let mut world = World::new();
        match enter(&to, &mut world.context(), &RequestEdits::new(&asked)) {
            Enter::Answer(answer) => {
                let line = answer.lines.iter().find(|(name, _)| &**name == "Location");
                line.map(|(_, it)| String::from_utf8_lossy(it).into_owned())
            }
            _ => None,
        }
    }

    #[test]
    fn paths_become_urls_of_the_same_site() {
        let to = |to: &str, is_relative, of_root| NginxReturn {
            status: 302,
            to: VariableText::read(to, &[]).unwrap(),
            is_relative,
            of_root,
        };
        for (to, url, path, expected) in [
            (to("https://x.y", false, false), "http://a.b:81", "/p", Some("https://x.y")),
            (to("/n", false, false), "http://a.b:81", "/p", Some("http://a.b/n")),
            (to("/n", false, false), "https://[::1]:81", "/p", Some("https://[::1]/n")),
            (to("/n", true, false), "http://a.b", "/p", Some("/n")),
            (to("/app", false, true), "http://a.b:81", "/", Some("http://a.b:81/app")),
            (to("/app", false, true), "http://a.b", "/p", None),
            (to("/a/$host", false, true), "http://a.b", "/", Some("http://a.b/a/a.b")),
        ] {
            assert_eq!(location(to, url, path).as_deref(), expected, "{url}{path}");
        }
    }
    fn to(entered: &Enter) -> Option<String> {
        let Enter::Answer(answer) = entered else { return None };
        let line = answer.lines.iter().find(|(name, _)| &**name == "Location");
        line.map(|(_, it)| String::from_utf8_lossy(it).into_owned())
    }

    #[test]
    fn who_asks_in_plain_is_led_to_tls() {
        let usual =
            NginxSecure { status: 308, keeps_slash: false, beside: vec![(8080, 8443)], port: None };
        let kept = NginxSecure { keeps_slash: true, port: Some(443), ..usual.clone() };
        for (terms, url, path, expected) in [
            (&usual, "http://a.b", "/", Some("https://a.b")),
            (&usual, "http://a.b:80", "/x/?q=/", Some("https://a.b/x/?q=")),
            (&usual, "http://a.b:8080", "/x", Some("https://a.b:8443/x")),
            (&usual, "https://a.b", "/", None),
            (&kept, "http://a.b", "/x/", Some("https://a.b:443/x/")),
        ] {
            let asked = Asked::get(url, path);
            let mut world = World::new();
            let entered = secure(terms, &mut world.context(), &RequestEdits::new(&asked));
            assert_eq!(to(&entered).as_deref(), expected, "{url}{path}");
        }
    }

    #[test]
    fn hosts_and_folders_lead_to_those_beside_them() {
        for (of, url, path, expected) in [
            (NginxSibling::Bare, "http://www.a.b", "/x", "http://a.b:80/x"),
            (NginxSibling::Bare, "https://www.a.b:8443", "/", "https://a.b:8443"),
            (NginxSibling::Www, "https://a.b", "/x?y", "https://www.a.b:443/x?y"),
        ] {
            let asked = Asked::get(url, path);
            let mut world = World::new();
            let entered = to_host(of, 308, &mut world.context(), &RequestEdits::new(&asked));
            assert_eq!(to(&entered).as_deref(), Some(expected));
        }
        for (path, is_relative, expected) in [
            ("/x", false, Some("http://a.b/x/")),
            ("/x?y=z", false, Some("http://a.b/x/?y=z")),
            ("/x?y=z", true, Some("/x/?y=z")),
            ("/x/", false, None),
            ("/x/y", false, None),
        ] {
            let asked = Asked::get("http://a.b:81", path);
            let mut world = World::new();
            let folder = NginxFolder { path: "/x".into(), is_relative };
            let entered = slash(&folder, &mut world.context(), &RequestEdits::new(&asked));
            assert_eq!(to(&entered).as_deref(), expected, "{path}");
        }
    }
}
