//! Asks somebody else who may pass, and tells endpoints what that one says of who it is: Traefik's
//! `forwardAuth`, and ingress-nginx's `auth-url`.
//!
//! Invariants: who cannot be asked, does not answer in time, or says more than is taken lets nobody
//! pass; lines that endpoints are told have its word alone, in every spelling; an answer that is
//! kept counts for a request that it would have been asked about in the same words.

mod answers;
pub(crate) mod copied;
mod letter;
pub(crate) mod made_up;
pub(crate) mod nginx;
mod place;

use std::sync::Arc;

use bytes::Bytes;
use steelyard_http::{Head as _, RequestEdits, ResponseEdits};
use steelyard_model::routing::filter::access::{AskedAuth, AskedManner};

use crate::ask::{Ask, Got};
use crate::context::{Context, Note};
use crate::frame::{Enter, Frame, Leave};
use crate::memory::{Kept, Lifespan};
use crate::response::Response;
use crate::spellings;
pub(crate) use answers::AuthAnswers;
use letter::LARGEST_BODY;

/// Status where nobody can be asked, as Traefik has it and nginx.
const UNASKED: u16 = 500;

/// Status where there is too much to be asked with, or too much is answered.
const TOO_MUCH: u16 = 401;

/// One request that somebody is asked about.
#[derive(Clone, Debug)]
pub(crate) struct ForwardAuth {
    auth: Arc<AskedAuth>,
    /// A digest of all that is configured.
    stamp: [u8; 32],
    /// None where no answer is kept.
    kept: Option<Kept<AuthAnswers>>,
    /// The body has been asked for.
    has_body: bool,
    /// Who is asked was asked.
    has_asked: bool,
    /// By what the answer is kept.
    key: Option<[u8; 32]>,
    /// Cookies that clients get, as lines.
    cookies: Vec<Box<[u8]>>,
}

impl ForwardAuth {
    pub(crate) fn new(auth: &AskedAuth, kept: impl FnOnce() -> Kept<AuthAnswers>) -> Self {
        let kept = auth.cache.as_ref().map(|_| kept());
        let (auth, stamp) = (Arc::new(auth.clone()), answers::stamp(auth));
        Self {
            auth,
            stamp,
            kept,
            has_body: false,
            has_asked: false,
            key: None,
            cookies: Vec::new(),
        }
    }

    /// Asks, where nothing is known yet.
    fn ask(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, body: Bytes) -> Enter {
        let letter = letter::written(&self.auth, cx, head, body);
        if let (Some(kept), Some(cache)) = (&self.kept, &self.auth.cache) {
            let key = answers::key(&self.stamp, cache, &letter);
            if let Some(known) = kept.known(&key, cx.now) {
                return self.let_in(cx, head, &known);
            }
            self.key = Some(key);
        }
        self.has_asked = true;
        Enter::Ask(Ask::Fetch { to: self.auth.backend.clone(), letter: Box::new(letter) })
    }

    fn judge(
        &mut self,
        cx: &mut Context<'_>,
        head: &mut RequestEdits<'_>,
        answer: &Response,
    ) -> Enter {
        if (200..300).contains(&answer.status) {
            if let (Some(kept), Some(cache), Some(key)) = (&self.kept, &self.auth.cache, self.key) {
                kept.learn(key, cache, answer, cx.now);
            }
            return self.let_in(cx, head, answer);
        }
        let refusal = match &self.auth.manner {
            AskedManner::Traefik => refusal(&self.auth, answer),
            AskedManner::Nginx(nginx) => {
                self.cookies = nginx::cookies(answer);
                nginx::refusal(nginx, cx, head, answer)
            }
        };
        cx.notes.push(Note::Reason("who is asked does not let the request pass"));
        Enter::Answer(Box::new(refusal))
    }

    /// Endpoints are told what the answer says, and nothing that a client has made up.
    fn let_in(
        &mut self,
        cx: &mut Context<'_>,
        head: &mut RequestEdits<'_>,
        answer: &Response,
    ) -> Enter {
        let auth = &self.auth;
        for name in &auth.response_headers {
            spellings::remove(head, name);
        }
        if let Some(names) = &auth.response_headers_regex {
            spellings::remove_matching(head, names);
        }
        let mut copied: Vec<&str> = Vec::new();
        for (name, value) in &answer.lines {
            let is_named = auth.response_headers.iter().any(|it| it.eq_ignore_ascii_case(name));
            let names = auth.response_headers_regex.as_ref();
            if is_named || names.is_some_and(|it| it.is_found_in(&spellings::canonical(name))) {
                // What frames a message is never said by others. What the gateway says itself of
                // a request is not said beside it.
                let is_first = !copied.iter().any(|it| it.eq_ignore_ascii_case(name));
                copied.push(name);
                _ = match is_first {
                    true => head.lines().set(name, value),
                    false => head.lines().add(name, value),
                };
            }
        }
        let user = auth.user_header.as_ref().and_then(|name| answer.first(name));
        if let Some(user) = user.and_then(|it| str::from_utf8(it).ok()).filter(|it| !it.is_empty())
        {
            cx.notes.push(Note::User(user.into()));
        }
        self.cookies = match &auth.manner {
            AskedManner::Nginx(_) => nginx::cookies(answer),
            AskedManner::Traefik => {
                let is_wanted = |line: &[u8]| auth.cookies.iter().any(|name| is_cookie(line, name));
                nginx::cookies(answer).into_iter().filter(|line| is_wanted(line)).collect()
            }
        };
        Enter::Next
    }
}

/// Whether a line sets this cookie.
fn is_cookie(line: &[u8], name: &str) -> bool {
    let end = line.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(line.len());
    line[..end].trim_ascii() == name.as_bytes()
}

/// What is answered in Traefik's manner: the same.
fn refusal(auth: &AskedAuth, answer: &Response) -> Response {
    if let (401, Some(to)) = (answer.status, &auth.sign_in) {
        let mut response = Response::of(302);
        response.lines.push(("Location".into(), to.as_bytes().into()));
        return response;
    }
    let mut response = answer.clone();
    if !auth.keeps_location {
        let location =
            response.lines.iter_mut().find(|(it, _)| it.eq_ignore_ascii_case("location"));
        if let Some((_, value)) = location
            && let Some(place) =
                str::from_utf8(value).ok().and_then(|it| place::seen_from(&auth.address, it))
        {
            *value = place.into_bytes().into();
        }
    }
    response
}

impl Frame for ForwardAuth {
    fn lifespan(&self) -> Option<&Lifespan> {
        self.kept.as_ref().map(Kept::lifespan)
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, got: Got) -> Enter {
        let (status, why) = match got {
            Got::Nothing if self.auth.forwards_body && !self.has_body => {
                self.has_body = true;
                let max = self.auth.max_body.and_then(|max| usize::try_from(max).ok());
                return Enter::Ask(Ask::Body {
                    max: max.map_or(LARGEST_BODY, |max| max.min(LARGEST_BODY)),
                });
            }
            Got::Nothing => return self.ask(cx, head, Bytes::new()),
            Got::Body(body) => return self.ask(cx, head, body),
            Got::Response(answer) => return self.judge(cx, head, &answer),
            Got::TooLarge if !self.has_asked => (TOO_MUCH, "the body is too large to ask with it"),
            Got::TooLarge => (TOO_MUCH, "who is asked says more than is taken"),
            _ => (UNASKED, "who is to be asked does not answer"),
        };
        cx.notes.push(Note::Reason(why));
        Enter::Answer(Box::new(match &self.auth.manner {
            AskedManner::Traefik => Response::of(status),
            AskedManner::Nginx(_) => Response::of_nginx(UNASKED),
        }))
    }

    fn leave(&mut self, _: &mut Context<'_>, head: &mut ResponseEdits<'_>, _: Got) -> Leave {
        if self.cookies.is_empty() || !nginx::gets_cookies(&self.auth.manner, head) {
            return Leave::Next;
        }
        let cookies = std::mem::take(&mut self.cookies);
        let mut others = Vec::new();
        if self.auth.manner == AskedManner::Traefik {
            head.each(&mut |name, value| {
                let is_ours = || self.auth.cookies.iter().any(|name| is_cookie(value, name));
                if name.eq_ignore_ascii_case("set-cookie") && !is_ours() {
                    others.push(Box::from(value));
                }
            });
            _ = head.lines().remove("Set-Cookie");
        }
        for cookie in others.iter().chain(&cookies) {
            _ = head.lines().add("Set-Cookie", cookie);
        }
        Leave::Next
    }
}

#[cfg(test)]
mod tests;
