//! What a request is answered that goes no further.

use steelyard_login::{LoginPage, Onward};

use super::visit::Visit;
use super::{Login, Stop};
use crate::context::{Context, Note};
use crate::response::Response;

/// A page that nobody keeps.
pub(super) fn page(status: u16, page: LoginPage) -> Box<Response> {
    let mut response = Response::of(status);
    for (name, value) in [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", &page.policy),
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
    ] {
        response.lines.push((name.into(), value.as_bytes().into()));
    }
    response.body = page.text.into_bytes().into();
    Box::new(response)
}

/// Leads the browser elsewhere; a form that was sent is not sent there.
pub(super) fn led(to: &str, visit: &Visit) -> Box<Response> {
    if to.is_empty() || !to.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Box::new(Response::bare(502));
    }
    let mut response = Response::of(if visit.is_look() { 302 } else { 303 });
    for (name, value) in
        [("Location", to), ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer")]
    {
        response.lines.push((name.into(), value.as_bytes().into()));
    }
    Box::new(response)
}

impl Login {
    /// Says why it does not go on, as a page or to a program.
    pub(super) fn fails(
        &self,
        cx: &mut Context<'_>,
        visit: &Visit,
        status: u16,
        why: &'static str,
    ) -> Stop {
        cx.notes.push(Note::Reason(why));
        if !visit.is_page {
            let mut response = Response::bare(status);
            response.lines.push(("Cache-Control".into(), (*b"no-store").into()));
            return Stop::Answer(Box::new(response));
        }
        let title = match status {
            503 => "The login is not available",
            _ => "The login has failed",
        };
        let target = visit.target().filter(|_| !self.is_back(visit));
        let again = Onward::Link(target.as_deref().unwrap_or("/"), "Try again");
        let words = format!("Reason: {why}.");
        Stop::Answer(page(status, LoginPage::says(title, &words, Some(again))))
    }

    /// Whether the browser has come back from the issuer.
    fn is_back(&self, visit: &Visit) -> bool {
        super::terms::path_of(&self.terms.auth.places.back) == visit.path
    }

    /// Who is logged in may not do this.
    pub(super) fn not_allowed(&self, visit: &Visit) -> Box<Response> {
        if !visit.is_page {
            return Box::new(Response::bare(403));
        }
        let logout = self.terms.auth.places.logout.as_deref();
        let other = logout.map(|to| Onward::Link(super::terms::path_of(to), "Log out"));
        let words = "You are logged in, and this is not for you.";
        page(403, LoginPage::says("Not allowed", words, other))
    }

    /// Who is not logged in, and cannot be led to it.
    pub(super) fn refused(&self, cx: &mut Context<'_>, visit: &Visit, to: Option<&str>) -> Stop {
        cx.notes.push(Note::Reason("nobody is logged in"));
        let mut answer = match to.filter(|_| visit.is_page) {
            Some(to) => {
                let words = "You are not logged in. What you have sent was not taken: log in in \
                             another tab, and load this page again to send it once more.";
                let words = if visit.is_look() { "You are not logged in." } else { words };
                page(401, LoginPage::says("Login", words, Some(Onward::Link(to, "Log in"))))
            }
            None => {
                let mut response = Response::bare(401);
                response.lines.push(("Cache-Control".into(), (*b"no-store").into()));
                Box::new(response)
            }
        };
        answer.lines.push(("WWW-Authenticate".into(), (*b"OpenID").into()));
        Stop::Answer(answer)
    }
}
