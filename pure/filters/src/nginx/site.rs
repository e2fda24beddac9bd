//! What all answers of a site have, and what those look like that no backend gave.

use steelyard_http::{Head as _, RequestEdits, RequestView as _, ResponseEdits, ResponseView as _};
use steelyard_model::routing::filter::nginx::NginxSite;

use crate::context::{Answerer, Context, Note};
use crate::frame::{Enter, Leave};
use crate::response::Response;

const STRICT: &str = "Strict-Transport-Security";
const SERVER: &str = "Server";

const REQUEST_ID: &str = "X-Request-ID";

/// What nginx answers itself (`TRACE`, which would say back what a client cannot read by itself);
/// another request has a name from here on.
pub(super) fn enter(site: &NginxSite, cx: &mut Context<'_>, head: &mut RequestEdits<'_>) -> Enter {
    if !matches!(head.method(), "TRACE" | "CONNECT") {
        let is_named = head.first(REQUEST_ID).is_some_and(|it| !it.is_empty());
        if site.names_requests && !is_named {
            name(cx, head);
        }
        return Enter::Next;
    }
    cx.notes.push(Note::Reason("nginx takes no request of this method"));
    Enter::Answer(Box::new(Response::of_nginx(405)))
}

/// As nginx names requests: 16 random bytes.
fn name(cx: &mut Context<'_>, head: &mut RequestEdits<'_>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let Some(random) = (cx.random)() else { return };
    let mut name = [0; 32];
    for (two, byte) in name.chunks_exact_mut(2).zip(random) {
        two[0] = DIGITS[usize::from(byte >> 4)];
        two[1] = DIGITS[usize::from(byte & 15)];
    }
    _ = head.lines().set(REQUEST_ID, &name);
    cx.notes.push(Note::Name(name));
}

pub(super) fn leave(site: &NginxSite, cx: &mut Context<'_>, head: &mut ResponseEdits<'_>) -> Leave {
    let (strict, server) = (strict(site, cx.journey.is_tls), server(site));
    let status = head.status();
    if matches!(cx.cause, Answerer::Gateway | Answerer::Nobody) && status >= 400 {
        return Leave::Replace(Box::new(page(head, status, strict.into_iter().chain(server))));
    }
    // Pages that others make for it say no more of who has made them than backends do.
    if server.is_none() && !site.keeps_server {
        _ = head.lines().remove(SERVER);
    }
    let is_theirs = site.keeps_server && cx.cause == Answerer::Backend;
    let server = server.filter(|_| !is_theirs || head.first(SERVER).is_none());
    for (name, value) in strict.into_iter().chain(server) {
        // Of lines that are made here none is refused.
        _ = head.lines().set(name, value);
    }
    Leave::Next
}

fn strict(site: &NginxSite, is_tls: bool) -> Option<(&'static str, &[u8])> {
    site.strict.as_ref().filter(|_| is_tls).map(|it| (STRICT, it.as_bytes()))
}

fn server(site: &NginxSite) -> Option<(&'static str, &[u8])> {
    site.server.as_ref().map(|it| (SERVER, it.as_bytes()))
}

/// What all answers of a site have that no backend gave.
pub(super) fn common(
    site: &NginxSite,
    is_tls: bool,
) -> impl Iterator<Item = (&'static str, &[u8])> {
    strict(site, is_tls).into_iter().chain(server(site))
}

/// The page of a status, with what filters further in say of all answers (CORS, headers of one's
/// own): they have said it of the one whose place it takes.
fn page<'l>(
    head: &mut ResponseEdits<'_>,
    status: u16,
    lines: impl Iterator<Item = (&'static str, &'l [u8])>,
) -> Response {
    let mut page = Response::of_nginx(status);
    page.lines.extend(head.lines().added().map(|(name, value)| (name.into(), value.into())));
    for (name, value) in lines {
        page.lines.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        page.lines.push((name.into(), value.into()));
    }
    page
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use steelyard_model::routing::filter::nginx::NginxStep;

    use super::*;
    use crate::ask::Got;
    use crate::context::Journey;
    use crate::frame::Frame;
    use crate::nginx::NginxFrame;
    use crate::tests::World;

    fn left(site: &NginxSite, is_tls: bool) -> [Option<String>; 2] {
        let mut answer = Response::of(200);
        answer.lines.push(("Server".into(), (*b"a").into()));
        answer.lines.push((STRICT.into(), (*b"max-age=1").into()));
        let mut world = World::new();
        let journey = Journey { is_tls, ..world.context().journey.clone() };
        let mut cx = Context { journey: &journey, cause: Answerer::Backend, ..world.context() };
        let mut head = ResponseEdits::new(&answer);
        let mut frame = NginxFrame::new(&Arc::new(NginxStep::Site(site.clone())));
        frame.leave(&mut cx, &mut head, Got::Nothing);
        let text = |name| head.first(name).map(|it| String::from_utf8_lossy(it).into_owned());
        [text(STRICT), text("server")]
    }

    #[test]
    fn what_nobody_answered_is_said_in_words() {
        let mut world = World::new();
        let site = NginxSite { server: Some("s".into()), ..NginxSite::default() };
        for (status, words) in
            [(503, "503 Service Temporarily Unavailable"), (502, "502 Bad Gateway")]
        {
            let answer = Response::of(status);
            let mut cx = Context { cause: Answerer::Gateway, ..world.context() };
            let left = super::leave(&site, &mut cx, &mut ResponseEdits::new(&answer));
            let Leave::Replace(page) = left else { panic!("{left:?}") };
            assert_eq!((page.status, page.first("server")), (status, Some(&b"s"[..])));
            assert!(String::from_utf8_lossy(&page.body).contains(words), "{page:?}");
        }
    }

    #[test]
    fn what_filters_say_of_all_answers_is_on_such_a_page_too() {
        let mut world = World::new();
        let mut answer = Response::bare(503);
        answer.lines.push(("Server".into(), (*b"a").into()));
        let mut cx = Context { cause: Answerer::Nobody, ..world.context() };
        let mut head = ResponseEdits::new(&answer);
        assert!(head.lines().set("Access-Control-Allow-Origin", b"*").is_ok());
        let site = NginxSite { server: Some("s".into()), ..NginxSite::default() };
        let left = super::leave(&site, &mut cx, &mut head);
        let Leave::Replace(page) = left else { panic!("{left:?}") };
        let mut lines: Vec<String> = Vec::new();
        page.each(&mut |name, value| {
            lines.push(format!("{name}: {}", String::from_utf8_lossy(value)));
        });
        let expected = ["Content-Type: text/html", "Access-Control-Allow-Origin: *", "Server: s"];
        assert_eq!(lines, expected);
    }

    #[test]
    fn lines_of_backends_are_replaced() {
        let strict = NginxSite { strict: Some("max-age=2".into()), ..NginxSite::default() };
        let own = |strict: &str, server: Option<&str>| {
            [Some(strict.to_owned()), server.map(str::to_owned)]
        };
        assert_eq!(left(&strict, true), own("max-age=2", None));
        assert_eq!(left(&strict, false), own("max-age=1", None));
        let named = NginxSite { server: Some("s".into()), ..NginxSite::default() };
        assert_eq!(left(&named, true), own("max-age=1", Some("s")));
        let kept = NginxSite { keeps_server: true, ..NginxSite::default() };
        assert_eq!(left(&kept, true), own("max-age=1", Some("a")));
        let both = NginxSite { server: Some("s".into()), ..kept };
        assert_eq!(left(&both, true), own("max-age=1", Some("a")), "that of the backend passes");
    }
}
