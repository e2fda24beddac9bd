//! What pages of other sites may do (the Fetch standard, "CORS protocol"), in ingress-nginx's
//! manner: the lines are on every answer, also where no page asks, and in the place of those of
//! endpoints. Origins are compared whole; that of a page is said back, with `Vary`, so that no
//! cache gives one page what was said to another.

use steelyard_http::{Head, RequestEdits, RequestView, ResponseEdits};
use steelyard_model::routing::filter::nginx::NginxCors;

use crate::context::{Context, Note};
use crate::frame::Enter;
use crate::response::Response;

pub(super) fn enter(
    cors: &NginxCors,
    origin: &mut Option<Box<str>>,
    cx: &mut Context<'_>,
    head: &mut RequestEdits<'_>,
) -> Enter {
    let said = head.first("origin").and_then(|it| str::from_utf8(it).ok());
    *origin = said.filter(|it| is_let(cors, it)).map(Into::into);
    if head.method() != "OPTIONS" || !(cors.origins.is_none() || origin.is_some()) {
        return Enter::Next;
    }
    cx.notes.push(Note::Reason("a browser asks what its page may do"));
    let mut answer = Response::of(204);
    answer.lines.push(("Content-Type".into(), (*b"text/plain charset=UTF-8").into()));
    answer.lines.push(("Content-Length".into(), (*b"0").into()));
    Enter::Answer(Box::new(answer))
}

fn is_let(cors: &NginxCors, origin: &str) -> bool {
    let Some(origins) = &cors.origins else { return true };
    origins.iter().any(|it| it.matches(origin))
}

pub(super) fn leave(cors: &NginxCors, origin: Option<&str>, head: &mut ResponseEdits<'_>) {
    let (let_in, varies) = match (&cors.origins, origin) {
        (None, _) => ("*", false),
        (Some(_), Some(origin)) => (origin, true),
        (Some(_), None) => return,
    };
    let max_age = cors.max_age.to_string();
    let lines = [
        ("Access-Control-Allow-Origin", Some(let_in)),
        ("Access-Control-Allow-Credentials", cors.credentials.then_some("true")),
        ("Access-Control-Allow-Methods", Some(&*cors.methods)),
        ("Access-Control-Allow-Headers", Some(&*cors.headers)),
        ("Access-Control-Expose-Headers", cors.exposed.as_deref()),
        ("Access-Control-Max-Age", Some(&*max_age)),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            // Of lines that the dialect lets through none is refused.
            let _ = head.lines().set(name, value.as_bytes());
        }
    }
    if varies {
        let _ = head.lines().add("Vary", b"Origin");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use steelyard_model::routing::filter::nginx::{NginxOrigin, NginxStep};

    use super::*;
    use crate::ask::Got;
    use crate::frame::Frame;
    use crate::nginx::NginxFrame;
    use crate::tests::{Asked, World};

    fn cors(origins: Option<Vec<NginxOrigin>>) -> NginxCors {
        NginxCors {
            origins,
            credentials: true,
            methods: "GET".into(),
            headers: "DNT".into(),
            exposed: None,
            max_age: 5,
        }
    }

    /// The origin that is said to be let in, with what is said beside it.
    fn said(cors: NginxCors, origin: &'static str) -> (Option<String>, bool) {
        let asked = Asked::get("http://a.b", "/").with("Origin", origin);
        let mut frame = NginxFrame::new(&Arc::new(NginxStep::Cors(cors)));
        let mut world = World::new();
        let mut request = RequestEdits::new(&asked);
        let entered = frame.enter(&mut world.context(), &mut request, Got::Nothing);
        assert!(matches!(entered, Enter::Next));
        let answer = Response::of(401);
        let mut response = ResponseEdits::new(&answer);
        frame.leave(&mut world.context(), &mut response, Got::Nothing);
        let text = |name| response.first(name).map(|it| String::from_utf8_lossy(it).into_owned());
        let varies = text("vary").is_some();
        (text("access-control-allow-origin"), varies)
    }

    #[test]
    fn origins_are_compared_whole() {
        let star = NginxOrigin { head: "https://".into(), tail: Some(".b.c:8443".into()) };
        let plain = NginxOrigin { head: "https://a.b".into(), tail: None };
        let of = |origin: &'static str| said(cors(Some(vec![star.clone(), plain.clone()])), origin);
        for (origin, is_let) in [
            ("https://a.b", true),
            ("https://A.b", true),
            ("https://x-1.b.c:8443", true),
            ("https://x.y.b.c:8443", false),
            ("https://.b.c:8443", false),
            ("https://x.b.c", false),
            ("http://a.b", false),
            // ingress-nginx looks for it anywhere in what is said.
            ("evil://https://a.b", false),
            ("https://a.b.evil", false),
            ("null", false),
        ] {
            assert_eq!(of(origin), (is_let.then(|| origin.to_owned()), is_let), "{origin}");
        }
        assert_eq!(said(cors(None), "https://anybody"), (Some("*".to_owned()), false));
    }
}
