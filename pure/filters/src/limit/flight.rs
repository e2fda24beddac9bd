//! Lets only so many requests of one source in at once.

use std::sync::Arc;

use steelyard_http::RequestEdits;
use steelyard_model::routing::filter::limit::{Counted, InFlightLimit};

use super::counts::{Counts, Ticket};
use super::source::number;
use crate::ask::Got;
use crate::context::{Context, Ending, Note};
use crate::frame::{Enter, Frame};
use crate::memory::{Kept, Lifespan};
use crate::response::Response;

/// How many are let in, and how many there are.
#[derive(Clone, Debug)]
pub(crate) struct InFlight {
    of: Arc<Counted>,
    amount: u64,
    status: u16,
    kept: Kept<Counts>,
    seed: u64,
    /// It was let in.
    ticket: Option<Ticket>,
}

impl InFlight {
    pub(crate) fn new(limit: &InFlightLimit, kept: Kept<Counts>, seed: u64) -> Self {
        Self {
            of: Arc::new(limit.of.clone()),
            amount: limit.amount,
            status: limit.status,
            kept,
            seed,
            ticket: None,
        }
    }
}

impl Frame for InFlight {
    fn lifespan(&self) -> Option<&Lifespan> {
        Some(self.kept.lifespan())
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, _: Got) -> Enter {
        let source = number(&self.of, cx.journey.peer, head, self.seed);
        self.ticket = self.kept.enter(source, self.amount);
        if self.ticket.is_some() {
            return Enter::Next;
        }
        cx.notes.push(Note::Reason("as many requests of this source are under way as may be"));
        Enter::Answer(Box::new(Response::bare(self.status)))
    }

    fn done(&mut self, _: &mut Context<'_>, _: Ending) {
        if let Some(ticket) = self.ticket.take() {
            self.kept.leave(ticket);
        }
    }
}

#[cfg(test)]
mod tests;
