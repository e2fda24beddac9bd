//! Whether what a client says is true, where finding that out may take time: it is found out
//! elsewhere, once for all that say the same at once, and only for so many at once. Who comes then
//! is told so, and who is known is let in all the while.

mod known;

use std::sync::Arc;

use bytes::Bytes;
use steelyard_http::RequestEdits;
use steelyard_model::routing::filter::limit::Counted;

use crate::ask::{Ask, Flight, Got, Job};
use crate::context::{Context, Note};
use crate::found_out::Digest;
use crate::frame::Enter;
use crate::limit::counts::Ticket;
use crate::limit::source::number;
use crate::memory::{Kept, Lifespan};
use crate::refusal::Refusal;
use crate::response::Response;
pub(crate) use known::PasswordMemory;

/// What of one use is found out, or waits for that, at once; and of this for one client.
const MOST: u64 = 32;
const MOST_OF_ONE: u64 = 8;

/// What is known of what clients say, and what one of them has found out for it.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    kept: Kept<PasswordMemory>,
    seed: u64,
    /// It is found out: among all, and among what is for its client.
    tickets: Option<[Ticket; 2]>,
}

impl Verified {
    pub(crate) fn new(kept: Kept<PasswordMemory>, seed: u64) -> Self {
        Self { kept, seed, tickets: None }
    }

    /// What this process is seeded with: who does not know it makes no digest.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn lifespan(&self) -> &Lifespan {
        self.kept.lifespan()
    }

    /// Whether it is true, or what is to be done to find that out. `digest` is of what is said and
    /// by what it is held to be true; `work` finds it out, which may be slow.
    pub(crate) fn verdict(
        &mut self,
        digest: Digest,
        is_slow: bool,
        work: impl FnOnce() -> bool + Send + 'static,
        got: Got,
        (cx, head): (&mut Context<'_>, &RequestEdits<'_>),
    ) -> Result<bool, Enter> {
        match got {
            Got::Flight(Flight::Lead) => Err(self.begin(work, cx, head)),
            Got::Flight(Flight::Found(found)) => Ok(&*found == YES),
            Got::Done(found) => {
                self.end();
                let is_true = &*found == YES;
                self.kept.learn(digest, is_true);
                cx.notes.push(Note::Found(flight(&digest), found));
                Ok(is_true)
            }
            Got::Unanswered => {
                self.end();
                Err(Refusal::Many.answer(cx, busy(503)))
            }
            _ => match self.kept.known(&digest) {
                Some(is_true) => Ok(is_true),
                None if is_slow => Err(Enter::Ask(Ask::Shared(flight(&digest)))),
                None => Ok(work()),
            },
        }
    }

    /// Begins to find it out, where that may be.
    fn begin(
        &mut self,
        work: impl FnOnce() -> bool + Send + 'static,
        cx: &mut Context<'_>,
        head: &RequestEdits<'_>,
    ) -> Enter {
        let client = number(&Counted::Client(Default::default()), cx.journey.peer, head, self.seed);
        let Some(own) = self.kept.under_way.enter(client, MOST_OF_ONE) else {
            return Refusal::ManyOfOne.answer(cx, busy(429));
        };
        let Some(all) = self.kept.under_way.enter(u64::MAX, MOST) else {
            self.kept.under_way.leave(own);
            return Refusal::Many.answer(cx, busy(503));
        };
        self.tickets = Some([own, all]);
        let work = move || Bytes::from_static(if work() { YES } else { NO });
        Enter::Ask(Ask::Work(Job::of(self.kept.place(), work)))
    }

    /// It is found out, or nobody wants to know any more.
    pub(crate) fn end(&mut self) {
        for ticket in self.tickets.take().into_iter().flatten() {
            self.kept.under_way.leave(ticket);
        }
    }
}

const YES: &[u8] = b"1";
const NO: &[u8] = b"0";

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
