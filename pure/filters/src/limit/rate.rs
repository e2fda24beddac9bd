//! Lets only so many requests of one source in over time. One that comes a little early waits.

use std::sync::Arc;
use std::time::Duration;

use steelyard_http::RequestEdits;
use steelyard_model::routing::filter::access::AnswerPage;
use steelyard_model::routing::filter::limit::{Counted, RateLimit};

use super::buckets::{Buckets, Pace};
use super::source::number;
use crate::ask::{Ask, Got};
use crate::context::{Context, Note};
use crate::frame::{Enter, Frame};
use crate::memory::{Kept, Lifespan};
use crate::response::Response;

/// A request that counts.
#[derive(Clone, Debug)]
pub(crate) struct Rate {
    terms: Arc<RateTerms>,
    /// It has waited for its turn.
    has_waited: bool,
}

/// How many are let in, and how many were of late.
#[derive(Debug)]
struct RateTerms {
    of: Counted,
    pace: Option<Pace>,
    status: u16,
    page: AnswerPage,
    kept: Kept<Buckets>,
    seed: u64,
}

impl Rate {
    pub(crate) fn new(limit: &RateLimit, kept: Kept<Buckets>, seed: u64) -> Self {
        let pace = Pace::new(limit.average, limit.period, limit.burst);
        let (of, status, page) = (limit.of.clone(), limit.status, limit.page);
        let terms = RateTerms { of, pace, status, page, kept, seed };
        Self { terms: Arc::new(terms), has_waited: false }
    }
}

impl Rate {
    /// Lets a request in whose turn it is; of any other nothing is taken.
    pub(crate) fn lets_in_now(&self, cx: &Context<'_>, head: &RequestEdits<'_>) -> bool {
        let terms = &*self.terms;
        let Some(pace) = terms.pace else { return true };
        let source = number(&terms.of, cx.journey.peer, head, terms.seed);
        terms.kept.take(source, Pace { patience: 0, ..pace }, cx.now).is_ok()
    }
}

impl Frame for Rate {
    fn lifespan(&self) -> Option<&Lifespan> {
        Some(self.terms.kept.lifespan())
    }

    fn writes(&self) -> bool {
        false
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, _: Got) -> Enter {
        let terms = &*self.terms;
        let Some(pace) = terms.pace.filter(|_| !self.has_waited) else { return Enter::Next };
        let source = number(&terms.of, cx.journey.peer, head, terms.seed);
        match terms.kept.take(source, pace, cx.now) {
            Ok(Duration::ZERO) => Enter::Next,
            Ok(wait) => {
                self.has_waited = true;
                Enter::Ask(Ask::Sleep(wait))
            }
            Err(wait) => {
                cx.notes.push(Note::Reason("more requests of this source than its rate allows"));
                let answer = match (terms.status, terms.page) {
                    (429, AnswerPage::Words) => too_many(pace, wait),
                    (status, page) => Response::paged(status, page),
                };
                Enter::Answer(Box::new(answer))
            }
        }
    }
}

/// Traefik's answer: in whole seconds, and as a duration of Go.
pub(super) fn too_many(pace: Pace, wait: Duration) -> Response {
    let mut response = Response::bare(429);
    if pace.all == 0 {
        response.body = "No bursty traffic allowed".into();
        return response;
    }
    let seconds = wait.as_nanos().div_ceil(1_000_000_000);
    response.lines.push(("Retry-After".into(), seconds.to_string().into_bytes().into()));
    response.lines.push(("X-Retry-In".into(), printed(wait).into_bytes().into()));
    response
}

/// As Go prints a duration (`1h0m2.5s`, `150ms`), in whole milliseconds.
fn printed(time: Duration) -> String {
    let millis = time.as_nanos().div_ceil(1_000_000);
    if millis < 1_000 {
        return format!("{millis}ms");
    }
    let (minutes, rest) = (millis / 60_000, millis % 60_000);
    let part = match rest % 1_000 {
        0 => String::new(),
        part => format!(".{part:03}").trim_end_matches('0').to_owned(),
    };
    let seconds = format!("{}{part}s", rest / 1_000);
    match (minutes / 60, minutes % 60) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

#[cfg(test)]
mod tests;
