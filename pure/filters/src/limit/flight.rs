//! Lets only so many requests of one source in at once.

use std::sync::Arc;

use steelyard_http::RequestEdits;
use steelyard_model::routing::filter::access::AnswerPage;
use steelyard_model::routing::filter::limit::{Counted, InFlightLimit};

use super::counts::{Counts, Ticket};
use super::source::number;
use crate::ask::Got;
use crate::context::{Context, Ending, Note};
use crate::frame::{Enter, Frame};
use crate::memory::{Kept, Lifespan};
use crate::response::Response;

/// A request that counts.
#[derive(Clone, Debug)]
pub(crate) struct InFlight {
    terms: Arc<FlightTerms>,
    /// It was let in.
    ticket: Option<Ticket>,
}

/// How many are let in, and how many there are.
#[derive(Debug)]
struct FlightTerms {
    of: Counted,
    amount: u64,
    status: u16,
    page: AnswerPage,
    kept: Kept<Counts>,
    seed: u64,
}

impl InFlight {
    pub(crate) fn new(limit: &InFlightLimit, kept: Kept<Counts>, seed: u64) -> Self {
        let InFlightLimit { amount, of, status, page } = limit.clone();
        Self { terms: Arc::new(FlightTerms { of, amount, status, page, kept, seed }), ticket: None }
    }

    /// Lets a request in, if it may come; its ticket is to be let go.
    pub(crate) fn ticket_for(&self, cx: &Context<'_>, head: &RequestEdits<'_>) -> Option<Ticket> {
        let terms = &*self.terms;
        let source = number(&terms.of, cx.journey.peer, head, terms.seed);
        terms.kept.enter(source, terms.amount)
    }

    /// One that was let in is under way no more.
    pub(crate) fn give_back(&self, ticket: Ticket) {
        self.terms.kept.leave(ticket);
    }
}

impl Frame for InFlight {
    fn lifespan(&self) -> Option<&Lifespan> {
        Some(self.terms.kept.lifespan())
    }

    fn writes(&self) -> bool {
        false
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, _: Got) -> Enter {
        self.ticket = self.ticket_for(cx, head);
        if self.ticket.is_some() {
            return Enter::Next;
        }
        cx.notes.push(Note::Reason("as many requests of this source are under way as may be"));
        Enter::Answer(Box::new(Response::paged(self.terms.status, self.terms.page)))
    }

    fn done(&mut self, _: &mut Context<'_>, _: Ending) {
        if let Some(ticket) = self.ticket.take() {
            self.give_back(ticket);
        }
    }
}

#[cfg(test)]
mod tests;
