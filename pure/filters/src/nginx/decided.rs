//! A location is found by expressions that may take too many steps: it is chosen then, so that no
//! other one is, and answers that nobody could say.

use steelyard_http::path::{decoded, normalize};
use steelyard_http::{RequestEdits, RequestView as _};
use steelyard_model::routing::filter::nginx::NginxDecided;

use crate::context::{Context, Note};
use crate::frame::Enter;
use crate::response::Response;
use crate::variables::host;

pub(super) fn enter(by: &NginxDecided, cx: &mut Context<'_>, head: &RequestEdits<'_>) -> Enter {
    let of_host = by.host.as_ref();
    let of_host = of_host.map(|it| it.decides(&host(head.authority()).to_ascii_lowercase()));
    let of_path = by.path.as_ref().map(|it| match normalize(head.path()) {
        Ok(path) => it.decides(&decoded(&path)),
        Err(_) => Ok(false),
    });
    if of_host.into_iter().chain(of_path).all(|it| it.is_ok()) {
        return Enter::Next;
    }
    cx.notes.push(Note::Reason("it takes too many steps to say which location is meant"));
    Enter::Answer(Box::new(Response::of_nginx(503)))
}

#[cfg(test)]
mod tests {
    use steelyard_model::routing::pattern::Expression;

    use super::*;
    use crate::tests::{Asked, World};

    #[test]
    fn what_is_not_decided_is_503() {
        let expression = |text| Some(Expression::looking(text).unwrap());
        let by = NginxDecided { host: expression("^(?!b)"), path: expression(r"^/((a+)*)*\2b$") };
        let long = format!("/{}!b", "a".repeat(200)).leak();
        for (path, status) in [("/aab", None), ("/x", None), (&*long, Some(503))] {
            let asked = Asked::get("http://a.b:81", path);
            let said = enter(&by, &mut World::new().context(), &RequestEdits::new(&asked));
            let found = match said {
                Enter::Answer(answer) => Some(answer.status),
                _ => None,
            };
            assert_eq!(found, status, "{path}");
        }
    }
}
