//! Answers with what somebody else says to a status: Traefik's `errors`, and ingress-nginx's
//! `custom-http-errors`.
//!
//! Where the one who has the pages does not answer, or says more than is taken, clients get what
//! they would have got without it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use steelyard_http::{
    Head as _, LineEdits, RequestEdits, RequestView as _, ResponseEdits, ResponseView as _, Scheme,
};
use steelyard_model::routing::filter::content::ErrorPages;

use crate::ask::{Ask, Got, Letter};
use crate::context::{Answerer, Context, Note};
use crate::forward::copied::{copied, uri};
use crate::forward::made_up::PARTIAL;
use crate::frame::{Enter, Frame, Leave};
use crate::response::Response;
use crate::variables::escaped;

/// Bytes of a page, at most.
const LARGEST: usize = 1 << 20;

/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The page of one request.
#[derive(Clone, Debug)]
pub(crate) struct Pages {
    pages: Arc<ErrorPages>,
    /// What was asked for, until a page is.
    asked: Option<Box<AskedFor>>,
}

/// A request, as far as pages hang on it.
#[derive(Clone, Debug)]
struct AskedFor {
    method: Box<str>,
    is_tls: bool,
    /// As the client spoke it, to whoever stands before us.
    scheme: &'static str,
    authority: String,
    /// Path and query.
    uri: String,
    lines: LineEdits,
    /// `Accept`.
    format: Box<[u8]>,
}

impl Pages {
    pub(crate) fn new(pages: &ErrorPages) -> Self {
        Self { pages: Arc::new(pages.clone()), asked: None }
    }

    /// The request for the page of a status.
    fn letter(&self, asked: AskedFor, status: u16) -> Letter {
        let AskedFor { method, is_tls, scheme, authority, uri, mut lines, format } = asked;
        let method = if self.pages.told.is_some() { method } else { "GET".into() };
        let template = self.pages.query.trim_start_matches('/');
        let is_of_location = self.pages.told.is_some() && template.is_empty();
        if let Some(told) = &self.pages.told {
            let code = status.to_string();
            let own = [
                ("X-Code", code.as_bytes()),
                ("X-Format", &format),
                ("X-Original-URI", uri.as_bytes()),
            ];
            let told = told.iter().map(|(name, value)| (&**name, value.as_bytes()));
            for (name, value) in own.into_iter().chain(told) {
                // nginx leaves out a line without a value.
                _ = match is_of_location && value.is_empty() {
                    true => lines.remove(name),
                    false => lines.set(name, value),
                };
            }
        }
        // nginx asks for the root, and leaves the query as it was.
        let own = uri.split_once('?').filter(|_| is_of_location);
        let own = own.map(|(_, query)| format!("?{query}")).unwrap_or_default();
        let target = template
            .replace("{status}", &self.becomes(status).to_string())
            .replace("{originalStatus}", &status.to_string())
            .replace("{url}", &escaped(&format!("{scheme}://{authority}{uri}")));
        Letter {
            method,
            scheme: if is_tls { Scheme::Https } else { Scheme::Http },
            authority: authority.into(),
            target: format!("/{target}{own}").into(),
            lines,
            body: Bytes::new(),
            max: LARGEST,
            patience: PATIENCE,
        }
    }

    /// Whether somebody else has something to say to a status.
    fn takes(&self, cause: Answerer, status: u16) -> bool {
        let is_listed = self.pages.statuses.iter().any(|range| is_in(status, *range));
        let is_spared = self.pages.spares_backends && cause == Answerer::Backend;
        let is_nobodys = matches!(cause, Answerer::Gateway | Answerer::Nobody) && status == 503;
        (is_listed && !is_spared) || (self.pages.stands_in && is_nobodys)
    }

    /// What a status becomes.
    fn becomes(&self, status: u16) -> u16 {
        let mut all = self.pages.rewrites.iter();
        all.find(|(range, _)| is_in(status, *range)).map_or(status, |(_, to)| *to)
    }
}

fn is_in(status: u16, (from, to): (u16, u16)) -> bool {
    (from..=to).contains(&status)
}

impl Frame for Pages {
    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, _: Got) -> Enter {
        let wanted = self.pages.request_headers.as_deref();
        let is_wanted = |name: &str| {
            // A page is wanted whole, whatever is known of what was asked for.
            let is_for_another = PARTIAL.iter().any(|it| it.eq_ignore_ascii_case(name));
            let is_named =
                wanted.is_none_or(|all| all.iter().any(|it| it.eq_ignore_ascii_case(name)));
            is_named && !is_for_another
        };
        let mut lines = copied(head, is_wanted);
        if wanted.is_none() || self.pages.told.is_some() {
            let peer = cx.journey.peer.to_canonical().to_string();
            let scheme = if cx.journey.is_tls { "https" } else { "http" };
            for (name, value) in [
                ("X-Forwarded-For", &*peer),
                ("X-Forwarded-Proto", scheme),
                ("X-Forwarded-Host", head.authority()),
            ] {
                if head.first(name).is_none() && !value.is_empty() {
                    _ = lines.add(name, value.as_bytes());
                }
            }
        }
        // Who is not trusted says nothing of it.
        let scheme = match head.first("x-forwarded-proto") {
            Some(b"http" | b"ws") => "http",
            Some(b"https" | b"wss") => "https",
            _ if cx.journey.is_tls => "https",
            _ => "http",
        };
        self.asked = Some(Box::new(AskedFor {
            method: head.method().into(),
            is_tls: cx.journey.is_tls,
            scheme,
            authority: head.authority().to_owned(),
            uri: uri(head),
            lines,
            format: head.first("accept").unwrap_or_default().into(),
        }));
        Enter::Next
    }

    fn leave(&mut self, cx: &mut Context<'_>, head: &mut ResponseEdits<'_>, got: Got) -> Leave {
        let status = head.status();
        match got {
            Got::Nothing => {
                if !self.takes(cx.cause, status) {
                    return Leave::Next;
                }
                let Some(asked) = self.asked.take() else { return Leave::Next };
                let letter = Box::new(self.letter(*asked, status));
                Leave::Ask(Ask::Fetch { to: self.pages.backend.clone(), letter })
            }
            Got::Response(page) => {
                let status = match self.pages.told {
                    Some(_) => page.status,
                    None => self.becomes(status),
                };
                Leave::Replace(Box::new(Response { status, ..*page }))
            }
            _ => {
                cx.notes.push(Note::Reason("who has the pages for errors does not answer"));
                _ = head.set_status(self.becomes(status));
                Leave::Next
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Asked, World};

    fn pages(query: &str) -> ErrorPages {
        ErrorPages {
            statuses: vec![(404, 404), (500, 503)],
            rewrites: vec![((502, 503), 500)],
            backend: "pages".into(),
            query: query.into(),
            request_headers: None,
            told: None,
            spares_backends: false,
            stands_in: false,
        }
    }

    /// The letter for a status, and the frame, which waits for its answer.
    fn asked(pages: &ErrorPages, world: &mut World, status: u16) -> Option<(Letter, Pages)> {
        let request = Asked::get("http://a.test", "/x?y=1").with("Accept", "text/html");
        let mut frame = Pages::new(pages);
        let mut head = RequestEdits::new(&request);
        assert!(matches!(frame.enter(&mut world.context(), &mut head, Got::Nothing), Enter::Next));
        let response = Response::of(status);
        let mut head = ResponseEdits::new(&response);
        match frame.leave(&mut world.context(), &mut head, Got::Nothing) {
            Leave::Next => None,
            Leave::Ask(Ask::Fetch { letter, .. }) => Some((*letter, frame)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn pages_are_asked_for_by_status_and_url() {
        let mut world = World::new();
        for (query, status, target) in [
            ("", 404, "/"),
            ("/{status}.html", 404, "/404.html"),
            ("{status}-{originalStatus}", 503, "/500-503"),
            ("/e?u={url}", 500, "/e?u=http%3A%2F%2Fa.test%2Fx%3Fy%3D1"),
        ] {
            let (letter, _) = asked(&pages(query), &mut world, status).unwrap();
            assert_eq!((&*letter.method, &*letter.target), ("GET", target), "{query}");
            assert_eq!(&*letter.authority, "a.test");
        }
        // As the client asked, though we were asked by plain HTTP.
        for (said, begin) in [("https", "https"), ("wss", "https"), ("http", "http"), ("x", "http")]
        {
            let request = Asked::get("http://a.test", "/x").with("X-Forwarded-Proto", said);
            let mut frame = Pages::new(&pages("/?{url}"));
            let mut head = RequestEdits::new(&request);
            frame.enter(&mut world.context(), &mut head, Got::Nothing);
            let letter = frame.letter(*frame.asked.clone().unwrap(), 404);
            assert_eq!(&*letter.target, format!("/?{begin}%3A%2F%2Fa.test%2Fx"), "{said}");
        }
        for status in [200, 403, 405, 499, 504] {
            assert!(asked(&pages(""), &mut world, status).is_none(), "{status}");
        }
    }

    #[test]
    fn the_status_is_the_one_that_was_or_what_it_becomes() {
        let mut world = World::new();
        let named =
            ErrorPages { told: Some(vec![("X-Namespace".into(), "n".into())]), ..pages("") };
        for (pages, status, expected) in
            [(pages(""), 404, 404), (pages(""), 503, 500), (named.clone(), 503, 207)]
        {
            let (_, mut frame) = asked(&pages, &mut world, status).unwrap();
            let response = Response::of(status);
            let mut head = ResponseEdits::new(&response);
            let page = Box::new(Response { body: "page".into(), ..Response::of(207) });
            let left = frame.leave(&mut world.context(), &mut head, Got::Response(page));
            let Leave::Replace(page) = left else { panic!("{left:?}") };
            assert_eq!((page.status, &*page.body), (expected, &b"page"[..]));
            // Without an answer it is the one that was there.
            let (_, mut frame) = asked(&pages, &mut world, status).unwrap();
            let left = frame.leave(&mut world.context(), &mut head, Got::Unanswered);
            assert!(matches!(left, Leave::Next));
        }
        let (letter, _) = asked(&named, &mut world, 503).unwrap();
        assert_eq!(&*letter.target, "/?y=1");
        let told: Vec<_> = letter
            .lines
            .added()
            .map(|(name, value)| (name, str::from_utf8(value).unwrap()))
            .collect();
        for line in [
            ("X-Code", "503"),
            ("X-Format", "text/html"),
            ("X-Original-URI", "/x?y=1"),
            ("X-Namespace", "n"),
        ] {
            assert!(told.contains(&line), "{told:?}");
        }
    }

    #[test]
    fn a_page_is_wanted_whole() {
        let request = Asked::get("http://a.test", "/").with("Range", "bytes=0-1").with("X-A", "1");
        let (mut frame, mut world) = (Pages::new(&pages("")), World::new());
        let mut head = RequestEdits::new(&request);
        _ = frame.enter(&mut world.context(), &mut head, Got::Nothing);
        let lines = frame.asked.unwrap().lines;
        let names: Vec<_> = lines.added().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(names[0], "X-A", "{names:?}");
    }

    #[test]
    fn only_wanted_lines_are_told() {
        let mut world = World::new();
        let some = ErrorPages { request_headers: Some(vec!["x-a".into()]), ..pages("") };
        let (letter, _) = asked(&some, &mut world, 404).unwrap();
        assert_eq!(letter.lines.added().count(), 0);
    }
}
