//! Asks for a JSON Web Token: who has none is not let in (401), nor who may not (403, RFC 6750
//! §3.1).

mod issuer;
mod known;
mod mark;

use std::sync::Arc;

use steelyard_http::{RequestEdits, RequestView as _, parameters_called, without_parameters};
use steelyard_model::routing::filter::token::{TokenAuth, TokenKeys};
use steelyard_tokens::{Claims, KeyRing, TokenFault, verified};

use crate::ask::{Ask, Got};
use crate::context::{Context, Note};
use crate::frame::{Enter, Frame};
use crate::key::in_query;
use crate::memory::{Kept, Lifespan};
use crate::password::authorization;
use crate::refusal::Refusal;
use crate::response::Response;
use crate::told;
use issuer::Issuer;
pub(crate) use known::TokenMemory;
use mark::{KeyMark, mark};

/// What is asked for, and what is known.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    terms: Arc<TokenTerms>,
    kept: Kept<TokenMemory>,
    /// Where it stands with keys that are had from somewhere.
    issuer: Issuer,
}

#[derive(Debug)]
struct TokenTerms {
    auth: TokenAuth,
    /// Keys that are written as they are.
    keys: Option<(KeyRing, KeyMark)>,
}

impl Token {
    /// None where its keys cannot be read.
    pub(crate) fn new(auth: &TokenAuth, kept: Kept<TokenMemory>) -> Option<Self> {
        let keys = match &auth.keys {
            TokenKeys::Secret(it) => Some((KeyRing::secret(it).ok()?, mark("secret", it))),
            TokenKeys::Public(it) => {
                Some((KeyRing::public(it).ok()?, mark("public", it.as_bytes())))
            }
            TokenKeys::Set(it) => {
                Some((KeyRing::set(it.as_bytes()).ok()?, mark("set", it.as_bytes())))
            }
            TokenKeys::Address(_) => None,
            TokenKeys::Kept(_) => return None,
        };
        let terms = Arc::new(TokenTerms { auth: auth.clone(), keys });
        Some(Self { terms, kept, issuer: Issuer::default() })
    }

    /// What the token says; else what is to be done.
    fn claims(&mut self, cx: &Context<'_>, token: &str) -> Result<Arc<Claims>, Unbelieved> {
        let now = i64::try_from((cx.clock)()).unwrap_or(i64::MAX);
        let (keys, by) = match (&self.terms.keys, &self.terms.auth.keys) {
            (Some(written), _) => written.clone(),
            (None, TokenKeys::Address(address)) => {
                self.issuer.keys(&self.kept, address, cx.now).map_err(Unbelieved::Asks)?
            }
            (None, _) => return Err(Unbelieved::Unknown),
        };
        if let Some(claims) = self.kept.known(token, &by, now) {
            return Ok(claims);
        }
        match verified(token, &keys, now) {
            Ok(claims) => Ok(self.kept.learn(token, &by, claims, now)),
            Err(TokenFault::Signature(Some(name))) if !keys.has(&name) => {
                match self.issuer.has_other_keys(&self.kept, cx.now) {
                    Some(ask) => Err(Unbelieved::Asks(Some(ask))),
                    None => Err(Unbelieved::Fault(TokenFault::Signature(Some(name)))),
                }
            }
            Err(fault) => Err(Unbelieved::Fault(fault)),
        }
    }

    /// The token as it came, once: nobody knows which of two an endpoint goes by.
    fn token(&self, head: &RequestEdits<'_>) -> Result<String, &'static str> {
        let bearer = |value: &[u8]| {
            let value = str::from_utf8(value).ok()?;
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        };
        let in_query = || match &self.terms.auth.parameter {
            Some(name) => in_query(head, name),
            None => Err(Refusal::Nothing),
        };
        let said = match authorization(head) {
            Ok(value) => match (bearer(&value), in_query()) {
                (Some(token), Err(Refusal::Nothing)) => Ok(Some(token)),
                (Some(_), _) => Err(Refusal::Twice),
                (None, said) => said.map(text),
            },
            Err(Refusal::Nothing) => in_query().map(text),
            Err(why) => Err(why),
        };
        match said {
            Ok(Some(token)) => Ok(token),
            Ok(None) | Err(Refusal::Nothing) => Err("there is no token"),
            Err(why) => Err(why.reason()),
        }
    }

    /// Endpoints are told what the token says, and nothing that a client has made up; where they
    /// are not to have the token, they get it neither way.
    fn tell(&self, claims: &Claims, cx: &mut Context<'_>, head: &mut RequestEdits<'_>) -> Enter {
        let auth = &self.terms.auth;
        let told = told::tell(claims, auth.user.as_ref(), &auth.told, cx, head);
        if let Some(answer) = told {
            return Enter::Answer(answer);
        }
        if !auth.is_passed_on {
            _ = head.lines().remove("Authorization");
            if let Some(name) = &auth.parameter
                && let Some(query) = head.query()
                && parameters_called(query, name).next().is_some()
            {
                let rest = without_parameters(query, name);
                if head.set_query(rest.as_deref()).is_err() {
                    return Enter::Answer(Box::new(Response::bare(400)));
                }
            }
        }
        Enter::Next
    }
}

/// Why a token does not let its bearer in, or not yet.
enum Unbelieved {
    /// Something is to be asked first; none where keys cannot be had.
    Asks(Option<Ask>),
    /// It is not believed.
    Fault(TokenFault),
    /// There are no keys.
    Unknown,
}

impl Frame for Token {
    fn lifespan(&self) -> Option<&Lifespan> {
        Some(self.kept.lifespan())
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, got: Got) -> Enter {
        if let TokenKeys::Address(address) = &self.terms.auth.keys
            && let Some(ask) = self.issuer.hear(&self.kept, address, got, cx)
        {
            return Enter::Ask(ask);
        }
        let token = match self.token(head) {
            Ok(token) => token,
            Err(why) => {
                cx.notes.push(Note::Reason(why));
                return Enter::Answer(challenge(401, ""));
            }
        };
        let claims = match self.claims(cx, &token) {
            Ok(claims) => claims,
            Err(Unbelieved::Asks(Some(ask))) => return Enter::Ask(ask),
            Err(Unbelieved::Asks(None) | Unbelieved::Unknown) => {
                cx.notes.push(Note::Reason("the issuer's keys cannot be had"));
                return Enter::Answer(Box::new(Response::bare(503)));
            }
            Err(Unbelieved::Fault(fault)) => {
                cx.notes.push(Note::Reason(fault.reason()));
                return Enter::Answer(challenge(401, " error=\"invalid_token\""));
            }
        };
        let rule = self.terms.auth.claims.as_ref();
        if rule.is_some_and(|rule| !claims.meet(rule)) {
            cx.notes.push(Note::Reason("the token does not say what is asked for"));
            return Enter::Answer(challenge(403, " error=\"insufficient_scope\""));
        }
        self.tell(&claims, cx, head)
    }
}

fn text(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok()
}

fn challenge(status: u16, error: &str) -> Box<Response> {
    let mut response = Response::bare(status);
    let value = format!("Bearer{error}").into_bytes();
    response.lines.push(("WWW-Authenticate".into(), value.into()));
    Box::new(response)
}

#[cfg(test)]
mod tests;
