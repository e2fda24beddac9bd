//! Has people log in at an OpenID provider. What is sent there and what of it is believed is in
//! `steelyard_login`; here is what a request comes to, and what it waits for.
//!
//! Each call looks at everything anew, with what is known by then: what a request waited for is
//! kept in the frame, what all requests know in [`LoginMemory`].

mod answers;
mod begin;
mod callback;
mod known;
mod logout;
mod memory;
mod provider;
mod random;
mod session;
mod terms;
mod visit;

use std::sync::Arc;

use steelyard_http::{RequestEdits, ResponseEdits};
use steelyard_login::{Grant, GrantFault, Session};
use steelyard_model::routing::filter::login::LoginAuth;
use steelyard_tokens::Claims;

use crate::ask::{Ask, Got};
use crate::context::{Context, Note};
use crate::frame::{Enter, Frame, Leave};
use crate::memory::{Kept, Lifespan};
use crate::response::Response;
use crate::told;
pub(crate) use memory::LoginMemory;
use provider::Provider;
use terms::LoginTerms;
use visit::Visit;

/// What is asked for, what is known, and where one request stands.
#[derive(Clone)]
pub(crate) struct Login {
    terms: Arc<LoginTerms>,
    kept: Kept<LoginMemory>,
    provider: Provider,
    waits: Waits,
    /// It renews the session for all that wait.
    leads: bool,
    /// It has seen what came of that, or of another's trying.
    has_tried: bool,
    /// Its login is marked as ended.
    is_marked: bool,
    /// What the issuer gives, once it has answered.
    granted: Option<Result<Grant, GrantFault>>,
    /// What was sent, once it is whole; none where it is too much.
    sent: Option<Option<bytes::Bytes>>,
    /// What the browser is told to keep, on the way out.
    cookies: Vec<String>,
}

/// What a request waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Waits {
    #[default]
    Nothing,
    /// What the issuer says of itself, and its keys.
    Provider,
    /// What the issuer gives.
    Grant,
    /// What another request finds out.
    Flight,
    /// The request's body.
    Body,
}

/// Why a request does not go on, or not yet.
enum Stop {
    /// This is needed.
    Ask(Ask),
    /// This is the answer.
    Answer(Box<Response>),
}

impl Login {
    /// None where what it needs is not there, such as a secret that was not looked up. `owner` is
    /// what the filter is called: its cookies are its own.
    pub(crate) fn new(auth: &LoginAuth, owner: &str, kept: Kept<LoginMemory>) -> Option<Self> {
        let terms = Arc::new(LoginTerms::new(auth, owner)?);
        Some(Self {
            terms,
            kept,
            provider: Provider::default(),
            waits: Waits::Nothing,
            leads: false,
            has_tried: false,
            is_marked: false,
            granted: None,
            sent: None,
            cookies: Vec::new(),
        })
    }

    /// Takes in what was got; what is to be asked next.
    fn hear(&mut self, cx: &mut Context<'_>, got: Got) -> Option<Ask> {
        let waits = std::mem::take(&mut self.waits);
        match (waits, got) {
            (Waits::Provider, got) => {
                let ask = self.provider.hear(&self.kept, &self.terms, got, cx);
                if ask.is_some() {
                    self.waits = Waits::Provider;
                }
                return ask;
            }
            (Waits::Grant, Got::Response(answer)) => {
                self.granted = Some(Grant::read(answer.status, &answer.body));
            }
            (Waits::Grant, _) => self.granted = Some(Err(GrantFault::Away)),
            (Waits::Flight, Got::Flight(crate::ask::Flight::Lead)) => self.leads = true,
            (Waits::Flight, _) => self.has_tried = true,
            (Waits::Body, Got::Body(body)) => self.sent = Some(Some(body)),
            (Waits::Body, _) => self.sent = Some(None),
            (Waits::Nothing, _) => {}
        }
        None
    }

    /// Who is logged in; else what is answered, or asked for first.
    fn decide(&mut self, cx: &mut Context<'_>, visit: &Visit) -> Result<Session, Stop> {
        let places = &self.terms.auth.places;
        let is_at = |place: &str| terms::path_of(place) == visit.path;
        if is_at(&places.back) {
            return Err(self.callback(cx, visit));
        }
        if places.logout.as_deref().is_some_and(is_at) {
            return Err(self.logout(cx, visit));
        }
        let is_login = places.login.as_deref().is_some_and(is_at);
        match self.session(cx, visit)? {
            Some(_) if is_login => Err(self.already(visit)),
            Some(session) => Ok(session),
            None if is_login => Err(self.begin_at_login(cx, visit)),
            None => Err(self.stranger(cx, visit)),
        }
    }

    /// Endpoints are told who it is, and get none of what is ours.
    fn pass(
        &mut self,
        cx: &mut Context<'_>,
        head: &mut RequestEdits<'_>,
        visit: &Visit,
        session: &Session,
    ) -> Enter {
        let terms = self.terms.clone();
        let auth = &terms.auth;
        let Some(claims) = Claims::of_kept(&session.token) else {
            return Enter::Answer(Box::new(Response::bare(503)));
        };
        if auth.claims.as_ref().is_some_and(|rule| !claims.meet(rule)) {
            cx.notes.push(Note::Reason("who is logged in is not what is asked for"));
            return Enter::Answer(self.not_allowed(visit));
        }
        if let Some(answer) = told::tell(&claims, auth.user.as_ref(), &auth.told, cx, head) {
            return Enter::Answer(answer);
        }
        let jar = visit.jar();
        let names = terms.names();
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        if jar.has(&names) {
            _ = head.lines().remove("Cookie");
            if let Some(others) = jar.others(&names) {
                _ = head.lines().add("Cookie", others.as_bytes());
            }
        }
        Enter::Next
    }
}

impl Frame for Login {
    fn lifespan(&self) -> Option<&Lifespan> {
        Some(self.kept.lifespan())
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, got: Got) -> Enter {
        if let Some(ask) = self.hear(cx, got) {
            return Enter::Ask(ask);
        }
        let visit = Visit::of(head, cx.journey.is_tls);
        self.cookies.clear();
        match self.decide(cx, &visit) {
            Ok(session) => self.pass(cx, head, &visit, &session),
            Err(Stop::Ask(ask)) => Enter::Ask(ask),
            Err(Stop::Answer(mut answer)) => {
                let cookies = self.cookies.drain(..).map(String::into_bytes);
                let lines = cookies.map(|it| ("Set-Cookie".into(), it.into_boxed_slice()));
                answer.lines.extend(lines);
                Enter::Answer(answer)
            }
        }
    }

    fn leave(&mut self, _: &mut Context<'_>, head: &mut ResponseEdits<'_>, _: Got) -> Leave {
        for line in &self.cookies {
            _ = head.lines().add("Set-Cookie", line.as_bytes());
        }
        if !self.cookies.is_empty() {
            // What a browser is to keep for itself is kept by nobody on the way.
            _ = head.lines().set("Cache-Control", b"no-store");
        }
        Leave::Next
    }
}

#[cfg(test)]
mod tests;
