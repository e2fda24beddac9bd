//! Answers with a redirection, as nginx's `return` does.

use steelyard_http::{RequestEdits, RequestView};
use steelyard_model::routing::filter::nginx::NginxReturn;

use crate::context::{Context, Note};
use crate::frame::Enter;
use crate::response::Response;

pub(super) fn enter(to: &NginxReturn, cx: &mut Context<'_>, head: &RequestEdits<'_>) -> Enter {
    if to.of_root && head.path() != "/" {
        return Enter::Next;
    }
    let location = match to.to.starts_with('/') && !to.is_relative {
        true => absolute(head, &to.to, to.of_root),
        false => to.to.to_string(),
    };
    led(cx, to.status, location)
}

/// The answer that leads there.
pub(super) fn led(cx: &mut Context<'_>, status: u16, location: String) -> Enter {
    cx.notes.push(Note::Reason("the request is led elsewhere"));
    let mut response = Response::of(status);
    response.lines.push(("Location".into(), location.into_bytes().into()));
    Enter::Answer(Box::new(response))
}

/// A path of the same site as an URL; the port that was asked at stays only where that is said.
fn absolute(head: &RequestEdits<'_>, path: &str, keeps_port: bool) -> String {
    let authority = head.authority();
    let host = match authority.rsplit_once(':') {
        Some((host, _)) if !keeps_port && (host.ends_with(']') || !host.contains(':')) => host,
        _ => authority,
    };
    format!("{}://{host}{path}", head.scheme().as_str())
}

#[cfg(test)]
mod tests {
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
            to: to.into(),
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
        ] {
            assert_eq!(location(to, url, path).as_deref(), expected, "{url}{path}");
        }
    }
}
