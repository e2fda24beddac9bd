//! Filters that ask for nothing, keep nothing and look at no response, folded into one walk: what
//! most requests pass costs no stack of frames then.
//!
//! Where one of them does not let a request in, nothing is answered here: it passes the frames, as
//! if nobody had looked. What is changed about responses hangs on nothing but whether the request
//! came over TLS, so it is made once. A property holds all of it equal to the frames
//! (`folded/tests.rs`).

use std::net::IpAddr;
use std::sync::Arc;

use steelyard_http::{RequestChanges, RequestEdits, RequestView, ResponseChanges, Scheme};

use crate::step::Step;

/// Filters, from outside in, as one.
#[derive(Debug)]
pub struct Folded {
    steps: Box<[Step]>,
    /// What is changed about responses to what came plain, and to what came over TLS; none where
    /// that is nothing.
    responses: [Option<Arc<ResponseChanges>>; 2],
}

/// A request has passed all of them: what is changed about its response, if anything is.
pub type PassedFolded = Option<Arc<ResponseChanges>>;

impl Folded {
    /// The same as all of these; none where one of them counts.
    pub(crate) fn of(steps: Box<[Step]>) -> Option<Self> {
        if steps.iter().any(Step::counts) {
            return None;
        }
        let responses = responses(&steps).map(|it| (!it.is_empty()).then(|| it.into()));
        Some(Self { steps, responses })
    }

    /// Lets a request in that came from `peer`, perhaps over TLS; what is changed about it is added
    /// to `changes`. None where one of the frames has more to say of it.
    pub fn pass(
        &self,
        head: &dyn RequestView,
        from @ (_, is_tls): (IpAddr, bool),
        changes: &mut RequestChanges,
    ) -> Option<PassedFolded> {
        let mut head = RequestEdits::over(head, changes);
        if !self.steps.iter().all(|step| step.lets_in(from, &mut head)) {
            return None;
        }
        let is_secure = is_tls || head.scheme() == Scheme::Https;
        Some(self.responses[usize::from(is_secure)].clone())
    }
}

/// What these change about responses to what came plain, and to what came over TLS.
pub(crate) fn responses(steps: &[Step]) -> [ResponseChanges; 2] {
    [false, true].map(|is_secure| {
        let mut changes = ResponseChanges::default();
        // Responses pass the innermost first.
        for step in steps.iter().rev() {
            step.answer_with(is_secure, &mut changes.lines);
        }
        changes
    })
}

#[cfg(test)]
pub(crate) mod tests;
