//! Asks at another place than a request was sent to: what a copy of it goes by (`mirror-target`).
//!
//! As nginx has it, an URL without variables keeps the query that was asked with, and one with
//! variables is all there is.

use steelyard_http::{RequestEdits, RequestView as _};
use steelyard_model::routing::filter::nginx::NginxAim;

use crate::context::{Context, Note};
use crate::frame::Enter;
use crate::response::Response;
use crate::variables::{filled, in_url};

pub(super) fn enter(aim: &NginxAim, cx: &mut Context<'_>, head: &mut RequestEdits<'_>) -> Enter {
    let is_plain = aim.target.variables().next().is_none();
    let target = in_url(&filled(&aim.target, cx, head));
    let authority = filled(&aim.authority, cx, head);
    let (path, own) = match target.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (target, None),
    };
    let asked = head.query().filter(|it| is_plain && !it.is_empty()).map(str::to_owned);
    let query = match (own, asked) {
        (Some(own), Some(asked)) => Some(format!("{own}&{asked}")),
        (own, asked) => own.or(asked),
    };
    let is_written = head.set_authority(&authority).is_ok()
        && head.set_path(path).is_ok()
        && head.set_query(query.as_deref()).is_ok();
    if is_written {
        return Enter::Next;
    }
    cx.notes.push(Note::Reason("nobody can be asked at what the variables come to"));
    Enter::Answer(Box::new(Response::bare(502)))
}

#[cfg(test)]
mod tests {
    use steelyard_model::routing::variables::VariableText;

    use super::*;
    use crate::tests::{Asked, World};

    #[test]
    fn variables_are_what_was_asked_for() {
        for (authority, target, expected) in [
            ("b.c:81", "/copy", Some("b.c:81/copy?q=1")),
            ("b.c", "/copy?own=2", Some("b.c/copy?own=2&q=1")),
            ("b.c", "/$request_uri", Some("b.c//x%20y?q=1")),
            ("$host", "/of/$request_method", Some("a.b/of/GET")),
            ("b.c", "/$http_x_odd", Some("b.c/%20%23%22")),
            ("$http_x_odd", "/", None),
        ] {
            let asked = Asked::get("http://a.b", "/x%20y?q=1").with("X-Odd", " #\"");
            let read = |text| VariableText::read(text, &[]).unwrap();
            let aim = NginxAim { authority: read(authority), target: read(target) };
            let mut head = RequestEdits::new(&asked);
            let said = enter(&aim, &mut World::new().context(), &mut head);
            let query = head.query().map_or(String::new(), |query| format!("?{query}"));
            let made = format!("{}{}{query}", head.authority(), head.path());
            let made = matches!(said, Enter::Next).then_some(made);
            assert_eq!(made.as_deref(), expected, "{authority} {target}");
        }
    }
}
