//! Asks nobody who has failed too often of late: open for a while, then asking more and more
//! again, then closed.

mod state;
mod window;

use std::sync::Arc;
use std::time::{Duration, Instant};

use steelyard_http::{RequestEdits, ResponseEdits, ResponseView as _};
use steelyard_model::routing::filter::limit::CircuitBreaker;
use steelyard_model::routing::filter::trigger::{Trigger, TriggerSubject};

use crate::ask::Got;
use crate::context::{Context, Note};
use crate::frame::{Enter, Frame, Leave};
use crate::memory::{Kept, Lifespan};
use crate::response::Response;
pub(crate) use state::BreakerState;

/// When it opens, for how long, and how it stands.
#[derive(Clone, Debug)]
pub(crate) struct Breaker {
    terms: Arc<Terms>,
    kept: Kept<BreakerState>,
    /// When the request was let in.
    begin: Option<Instant>,
}

/// When a breaker opens, and for how long.
#[derive(Debug)]
pub(crate) struct Terms {
    condition: Trigger,
    check_period: Duration,
    fallback: Duration,
    recovery: Duration,
    status: u16,
}

impl Breaker {
    /// None where its condition cannot be read.
    pub(crate) fn new(it: &CircuitBreaker, kept: Kept<BreakerState>) -> Option<Self> {
        let terms = Terms {
            condition: Trigger::parse(&it.expression, TriggerSubject::Traffic).ok()?,
            check_period: it.check_period,
            fallback: it.fallback,
            recovery: it.recovery,
            status: it.status,
        };
        Some(Self { terms: Arc::new(terms), kept, begin: None })
    }
}

impl Frame for Breaker {
    fn lifespan(&self) -> Option<&Lifespan> {
        Some(self.kept.lifespan())
    }

    fn writes(&self) -> bool {
        false
    }

    fn enter(&mut self, cx: &mut Context<'_>, _: &mut RequestEdits<'_>, _: Got) -> Enter {
        if self.kept.lets_in(&self.terms, cx.now) {
            self.begin = Some(cx.now);
            return Enter::Next;
        }
        cx.notes.push(Note::Reason("the circuit breaker is open"));
        Enter::Answer(Box::new(Response::bare(self.terms.status)))
    }

    fn leave(&mut self, cx: &mut Context<'_>, head: &mut ResponseEdits<'_>, _: Got) -> Leave {
        if let Some(begin) = self.begin {
            let time = cx.now.saturating_duration_since(begin);
            self.kept.record(&self.terms, head.status(), time, cx.now);
        }
        Leave::Next
    }
}

#[cfg(test)]
mod tests;
