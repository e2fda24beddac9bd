//! Asks for a name and a password (RFC 7617), as Traefik does: who does not say them, or says
//! others, is answered 401.
//!
//! What takes time is verified elsewhere, once for all that say the same at once, and only for so
//! many at once: who comes then is told so, and who is known is let in all the while. Who is not
//! known costs what somebody who is known does, by the same chances, so that nobody learns names.

mod known;

use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::sync::Arc;

use aws_lc_rs::digest::{Context as Sum, SHA256};
use bytes::Bytes;
use steelyard_http::{Head as _, RequestEdits};
use steelyard_model::routing::filter::access::PasswordAuth;
use steelyard_model::routing::filter::limit::Counted;
use steelyard_passwords::{BasicCredentials, Users};

use crate::ask::{Ask, Flight, Got, Job};
use crate::context::{Context, Ending, Note};
use crate::frame::{Enter, Frame};
use crate::limit::counts::Ticket;
use crate::limit::source::number;
use crate::memory::{Kept, Lifespan};
use crate::refusal::Refusal;
use crate::response::Response;
use crate::spellings;
use known::Digest;
pub(crate) use known::PasswordMemory;

/// Passwords of one use that are verified, or wait for that, at once; and of these by one client.
const MOST: u64 = 32;
const MOST_OF_ONE: u64 = 8;

/// Who is let in, and what is known.
#[derive(Clone, Debug)]
pub(crate) struct Password {
    terms: Arc<PasswordTerms>,
    kept: Kept<PasswordMemory>,
    seed: u64,
    /// It verifies: among all, and among those of its client.
    tickets: Option<[Ticket; 2]>,
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
    /// None where nobody would be let in.
    pub(crate) fn new(auth: &PasswordAuth, kept: Kept<PasswordMemory>, seed: u64) -> Option<Self> {
        let (users, _) = Users::read(&auth.users);
        let terms = Arc::new(PasswordTerms { auth: auth.clone(), users });
        (!terms.users.is_empty()).then_some(Self { terms, kept, seed, tickets: None })
    }

    fn claim(&self, said: BasicCredentials) -> Option<Claim> {
        let users = &self.terms.users;
        let (place, is_known) = match users.of(&said.name) {
            Some((place, _)) => (place, true),
            None => (self.stand_in(&said.name), false),
        };
        let mut sum = Sum::new(&SHA256);
        sum.update(&self.seed.to_be_bytes());
        sum.update(users.at(place)?.mark());
        sum.update(&[u8::from(is_known)]);
        sum.update(said.name.as_bytes());
        // No name has a colon.
        sum.update(b":");
        sum.update(&said.password);
        let mut digest = Digest::default();
        digest.copy_from_slice(sum.finish().as_ref());
        Some(Claim { said, place, is_known, digest })
    }

    /// By whose hash somebody is verified who is not known: always the same for one name.
    fn stand_in(&self, name: &str) -> usize {
        let mut hasher = foldhash::quality::FixedState::with_seed(self.seed).build_hasher();
        name.hash(&mut hasher);
        let count = u64::try_from(self.terms.users.len()).unwrap_or(1).max(1);
        usize::try_from(hasher.finish() % count).unwrap_or_default()
    }

    /// Begins to verify, where that may be.
    fn begin(&mut self, claim: Claim, cx: &mut Context<'_>, head: &RequestEdits<'_>) -> Enter {
        let client = number(&Counted::Client(Default::default()), cx.journey.peer, head, self.seed);
        let Some(own) = self.kept.under_way.enter(client, MOST_OF_ONE) else {
            return Refusal::ManyOfOne.answer(cx, busy(429));
        };
        let Some(all) = self.kept.under_way.enter(u64::MAX, MOST) else {
            self.kept.under_way.leave(own);
            return Refusal::Many.answer(cx, busy(503));
        };
        self.tickets = Some([own, all]);
        let (terms, Claim { said, place, is_known, .. }) = (self.terms.clone(), claim);
        Enter::Ask(Ask::Work(Job(Box::new(move || {
            let hash = terms.users.at(place);
            let is_of = hash.is_some_and(|hash| hash.is_of(&said.password));
            Bytes::from_static(if is_of && is_known { YES } else { NO })
        }))))
    }

    fn end(&mut self) {
        for ticket in self.tickets.take().into_iter().flatten() {
            self.kept.under_way.leave(ticket);
        }
    }

    /// Whether it is true, or what is to be done to find that out.
    fn verdict(
        &mut self,
        claim: Claim,
        got: Got,
        cx: &mut Context<'_>,
        head: &RequestEdits<'_>,
    ) -> Result<bool, Enter> {
        match got {
            Got::Flight(Flight::Lead) => Err(self.begin(claim, cx, head)),
            Got::Flight(Flight::Found(found)) => Ok(&*found == YES),
            Got::Done(found) => {
                self.end();
                let is_true = &*found == YES;
                self.kept.learn(claim.digest, is_true);
                cx.notes.push(Note::Found(flight(&claim.digest), found));
                Ok(is_true)
            }
            Got::Unanswered => {
                self.end();
                Err(Refusal::Many.answer(cx, busy(503)))
            }
            _ => {
                if let Some(is_true) = self.kept.known(&claim.digest) {
                    return Ok(is_true);
                }
                match self.terms.users.at(claim.place).filter(|hash| !hash.is_slow()) {
                    Some(hash) => Ok(hash.is_of(&claim.said.password) && claim.is_known),
                    None => Err(Enter::Ask(Ask::Shared(flight(&claim.digest)))),
                }
            }
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
            // A name that would end its line is none that endpoints can be told.
            if head.lines().set(line, name.as_bytes()).is_err() {
                return Refusal::Untellable.answer(cx, Response::bare(403));
            }
        }
        Enter::Next
    }
}

const YES: &[u8] = b"1";
const NO: &[u8] = b"0";

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

/// The answer to who is not let in, as Traefik gives it.
pub(crate) fn challenge(challenge: String) -> Response {
    let mut response = Response::of(401);
    response.lines = vec![
        ("Content-Type".into(), (*b"text/plain").into()),
        ("WWW-Authenticate".into(), challenge.into_bytes().into()),
    ];
    response.body = Bytes::from_static(b"401 Unauthorized\n");
    response
}

/// A value between quotes.
pub(crate) fn quoted(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

/// What only one is to find out. It says nothing of a password to who has not the seed.
fn flight(digest: &Digest) -> Arc<str> {
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("password {hex}").into()
}

fn busy(status: u16) -> Response {
    let mut response = Response::bare(status);
    response.lines.push(("Retry-After".into(), (*b"1").into()));
    response
}

impl Frame for Password {
    fn lifespan(&self) -> Option<&Lifespan> {
        Some(self.kept.lifespan())
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, got: Got) -> Enter {
        let refused = |why: Refusal, cx: &mut Context<'_>, terms: &PasswordTerms| {
            why.answer(cx, challenge(format!("Basic realm=\"{}\"", quoted(&terms.auth.realm))))
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
        self.end();
    }
}

#[cfg(test)]
mod tests;
