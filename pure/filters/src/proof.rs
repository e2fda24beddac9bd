//! Asks for a name and the proof of a password (RFC 7616, with MD5), as Traefik does.
//!
//! What a proof is made with is given by us, good for an hour, and may be used once for each count
//! that a client gives it: who listens cannot say the same again. Nothing is kept of who was only
//! asked.

mod nonces;

use std::sync::Arc;

use steelyard_http::{RequestEdits, RequestView as _};
use steelyard_model::routing::filter::Use;
use steelyard_model::routing::filter::access::{PasswordAuth, PasswordManner};
use steelyard_passwords::{DigestCredentials, DigestUsers};

use crate::ask::Got;
use crate::context::{Context, Note};
use crate::frame::{Enter, Frame};
use crate::memory::{Kept, Lifespan};
use crate::password::{authorization, challenge, quoted};
use crate::refusal::Refusal;
use crate::response::Response;
use crate::spellings;
pub(crate) use nonces::NonceMemory;
use nonces::{Mint, Worth};

/// Who is let in, and what was given to whom.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    terms: Arc<ProofTerms>,
    kept: Kept<NonceMemory>,
}

#[derive(Debug)]
struct ProofTerms {
    auth: PasswordAuth,
    users: DigestUsers,
    mint: Mint,
}

impl Proof {
    /// None where nobody would be let in, unless that is to be answered 401.
    pub(crate) fn new(
        auth: &PasswordAuth,
        usage: &Use,
        kept: Kept<NonceMemory>,
        seed: u64,
    ) -> Option<Self> {
        let (users, _) = DigestUsers::read(&auth.users);
        let is_usable = !users.is_empty() || auth.manner == PasswordManner::Nginx;
        let mint = Mint::new(seed, &usage.state);
        let terms = Arc::new(ProofTerms { auth: auth.clone(), users, mint });
        is_usable.then_some(Self { terms, kept })
    }

    /// The answer to who has proved nothing.
    fn challenge(&self, is_stale: bool, cx: &Context<'_>) -> Response {
        let ProofTerms { auth, mint, .. } = &*self.terms;
        let nonce = mint.nonce(self.kept.next(), (cx.clock)());
        let stale = if is_stale { ", stale=true" } else { "" };
        let asks = format!(
            "Digest realm=\"{}\", nonce=\"{nonce}\", opaque=\"{}\", algorithm=MD5, \
             qop=\"auth\"{stale}",
            quoted(&auth.realm),
            mint.opaque(),
        );
        challenge(auth.manner, asks)
    }

    /// Whether it is proved; else why not.
    fn verify(
        &self,
        said: &DigestCredentials,
        cx: &Context<'_>,
        head: &RequestEdits<'_>,
    ) -> Result<(), Refusal> {
        let ProofTerms { auth, users, mint } = &*self.terms;
        let known = users.of(&said.name, &said.realm).filter(|_| *said.realm == *auth.realm);
        // Who is not known is told no sooner than who proves nothing.
        let user = known.or_else(|| users.anybody()).ok_or(Refusal::Wrong)?;
        let is_true = said.is_by(user, head.method());
        if !is_true || known.is_none() {
            return Err(Refusal::Wrong);
        }
        if said.opaque.as_deref().is_some_and(|it| it != mint.opaque()) {
            return Err(Refusal::Stale);
        }
        if !is_asked_for(&said.uri, head) {
            return Err(Refusal::Elsewhere);
        }
        match mint.number_of(&said.nonce, (cx.clock)()) {
            Some(number) => match self.kept.spend(number, said.count) {
                Worth::Good => Ok(()),
                Worth::Spent => Err(Refusal::Stale),
            },
            None => Err(Refusal::Stale),
        }
    }

    /// Endpoints are told who it is, and nothing that a client has made up.
    fn tell(&self, name: &str, cx: &mut Context<'_>, head: &mut RequestEdits<'_>) -> Enter {
        let auth = &self.terms.auth;
        if auth.removes_header {
            spellings::remove(head, "Authorization");
        }
        if let Some(line) = &auth.user_header {
            spellings::remove(head, line);
            if head.lines().set(line, name.as_bytes()).is_err() {
                return Refusal::Untellable.answer(cx, Response::bare(403));
            }
        }
        Enter::Next
    }
}

/// Whether a proof is about what this request asks for.
fn is_asked_for(uri: &str, head: &RequestEdits<'_>) -> bool {
    let target = match uri.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => uri,
    };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let path = steelyard_http::path::normalize(path);
    path.is_ok_and(|path| path == head.path()) && query == head.query()
}

impl Frame for Proof {
    fn lifespan(&self) -> Option<&Lifespan> {
        Some(self.kept.lifespan())
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, _: Got) -> Enter {
        let refused = |why: Refusal, cx: &mut Context<'_>| {
            let response = self.challenge(why == Refusal::Stale, cx);
            why.answer(cx, response)
        };
        let value = match authorization(head) {
            Ok(value) => value,
            Err(why) => return refused(why, cx),
        };
        let Some(said) = DigestCredentials::read(&value) else {
            return refused(Refusal::Unreadable, cx);
        };
        cx.notes.push(Note::User(said.name.as_ref().into()));
        match self.verify(&said, cx, head) {
            Ok(()) => self.tell(&said.name, cx, head),
            Err(why) => refused(why, cx),
        }
    }
}

#[cfg(test)]
mod tests;
