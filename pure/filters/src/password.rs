//! Asks for a name and a password (RFC 7617), as Traefik does: who does not say them, or says
//! others, is answered 401.
//!
//! Who is not known costs what somebody who is known does, by the same chances, so that nobody
//! learns names.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use bytes::Bytes;
use steelyard_http::{Head as _, RequestEdits};
use steelyard_model::routing::filter::access::{PasswordAuth, PasswordManner};
use steelyard_passwords::{BasicCredentials, PasswordHash, Users};

use crate::ask::Got;
use crate::context::{Context, Ending, Note};
use crate::found_out::{Digest, DigestParts};
use crate::frame::{Enter, Frame};
use crate::memory::{Kept, Lifespan};
use crate::refusal::Refusal;
use crate::response::Response;
use crate::spellings;
use crate::verified::{PasswordMemory, Verified};

/// Who is let in, and what is known.
#[derive(Clone, Debug)]
pub(crate) struct Password {
    terms: Arc<PasswordTerms>,
    verified: Verified,
}

#[derive(Debug)]
struct PasswordTerms {
    auth: PasswordAuth,
    users: Users,
}

/// What a request says, and by which hash it is verified.
struct Claim {
    said: BasicCredentials,
    /// Of whom among all users: another one where the name is none of theirs.
    place: usize,
    is_known: bool,
    digest: Digest,
}

impl Password {
    /// None where nobody would be let in, unless that is to be answered 401.
    pub(crate) fn new(auth: &PasswordAuth, kept: Kept<PasswordMemory>, seed: u64) -> Option<Self> {
        let (users, _) = Users::read(&auth.users);
        let is_usable = !users.is_empty() || auth.manner == PasswordManner::Nginx;
        let terms = Arc::new(PasswordTerms { auth: auth.clone(), users });
        is_usable.then(|| Self { terms, verified: Verified::new(kept, seed) })
    }

    fn claim(&self, said: BasicCredentials) -> Option<Claim> {
        let users = &self.terms.users;
        let (place, is_known) = match users.of(&said.name) {
            Some((place, _)) => (place, true),
            None => (self.stand_in(&said.name), false),
        };
        let mut parts = DigestParts::by(&self.verified.seed().to_be_bytes());
        parts.add(users.at(place)?.mark());
        parts.add(&[u8::from(is_known)]);
        let digest = parts.and(said.name.as_bytes()).and(&said.password).digest();
        Some(Claim { said, place, is_known, digest })
    }

    /// By whose hash somebody is verified who is not known: always the same for one name.
    fn stand_in(&self, name: &str) -> usize {
        let number = foldhash::quality::FixedState::with_seed(self.verified.seed()).hash_one(name);
        let count = u64::try_from(self.terms.users.len()).unwrap_or(1).max(1);
        usize::try_from(number % count).unwrap_or_default()
    }

    /// Whether it is true, or what is to be done to find that out.
    fn verdict(
        &mut self,
        claim: Claim,
        got: Got,
        cx: &mut Context<'_>,
        head: &RequestEdits<'_>,
    ) -> Result<bool, Enter> {
        let (terms, Claim { said, place, is_known, digest }) = (self.terms.clone(), claim);
        let is_slow = terms.users.at(place).is_some_and(PasswordHash::is_slow);
        let work = move || {
            let is_of = terms.users.at(place).is_some_and(|hash| hash.is_of(&said.password));
            is_of && is_known
        };
        self.verified.verdict(digest, is_slow, work, got, (cx, head))
    }

    /// Endpoints are told who it is, and nothing that a client has made up.
    fn tell(&self, name: &str, cx: &mut Context<'_>, head: &mut RequestEdits<'_>) -> Enter {
        let auth = &self.terms.auth;
        if auth.removes_header {
            spellings::remove(head, "Authorization");
        }
        if let Some(line) = &auth.user_header {
            spellings::remove(head, line);
            // A name that would end its line is none that endpoints can be told.
            if head.lines().set(line, name.as_bytes()).is_err() {
                return Refusal::Untellable.answer(cx, Response::bare(403));
            }
        }
        Enter::Next
    }
}

/// The one line that says who asks: none where there is none, or more than one.
pub(crate) fn authorization(head: &RequestEdits<'_>) -> Result<Vec<u8>, Refusal> {
    let mut found = Err(Refusal::Nothing);
    head.each(&mut |name, value| {
        if name.eq_ignore_ascii_case("authorization") {
            found = match &found {
                Err(Refusal::Nothing) => Ok(value.to_vec()),
                _ => Err(Refusal::Twice),
            };
        }
    });
    found
}

/// The answer to who is not let in.
pub(crate) fn challenge(manner: PasswordManner, challenge: String) -> Response {
    let challenge = ("WWW-Authenticate".into(), challenge.into_bytes().into());
    if manner == PasswordManner::Nginx {
        let mut response = Response::of_nginx(401);
        response.lines.push(challenge);
        return response;
    }
    let mut response = Response::of(401);
    response.lines = vec![("Content-Type".into(), (*b"text/plain").into()), challenge];
    response.body = Bytes::from_static(b"401 Unauthorized\n");
    response
}

/// A value between quotes.
pub(crate) fn quoted(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

impl Frame for Password {
    fn lifespan(&self) -> Option<&Lifespan> {
        Some(self.verified.lifespan())
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, got: Got) -> Enter {
        let refused = |why: Refusal, cx: &mut Context<'_>, terms: &PasswordTerms| {
            let asks = format!("Basic realm=\"{}\"", quoted(&terms.auth.realm));
            why.answer(cx, challenge(terms.auth.manner, asks))
        };
        let value = match authorization(head) {
            Ok(value) => value,
            Err(why) => return refused(why, cx, &self.terms),
        };
        let said = BasicCredentials::read(&value);
        let Some(claim) = said.and_then(|said| self.claim(said)) else {
            return refused(Refusal::Unreadable, cx, &self.terms);
        };
        let name = claim.said.name.clone();
        // Who it says it is, is told either way: who watches logs goes by it.
        if matches!(got, Got::Nothing) {
            cx.notes.push(Note::User(name.as_ref().into()));
        }
        match self.verdict(claim, got, cx, head) {
            Ok(true) => self.tell(&name, cx, head),
            Ok(false) => refused(Refusal::Wrong, cx, &self.terms),
            Err(enter) => enter,
        }
    }

    fn done(&mut self, _: &mut Context<'_>, _: Ending) {
        self.verified.end();
    }
}

#[cfg(test)]
mod tests;
