//! Filters that ask for nothing, keep nothing and look at no response, folded into one walk: what
//! most requests pass costs no stack of frames then.
//!
//! Each step is what its frame does when it lets a request in, by the same code. Where one of them
//! does not, nothing is answered here: the request passes the frames, as if nobody had looked. What
//! is changed about responses hangs on nothing but whether the request came over TLS, so it is made
//! once. A property holds all of it equal to the frames (`folded/tests.rs`).

use std::net::IpAddr;
use std::sync::Arc;

use steelyard_http::{RequestChanges, RequestEdits, RequestView, ResponseChanges, Scheme};

use crate::addresses::{AllowedAddresses, RefusedAddresses};
use crate::headers::WrittenLines;
use crate::led::{ByRegex, ToScheme};
use crate::redirect::Redirect;
use crate::rewrite::Rewritten;

/// Filters, from outside in, as one.
#[derive(Debug)]
pub struct Folded {
    steps: Box<[Step]>,
    /// What is changed about responses to what came plain, and to what came over TLS; none where
    /// that is nothing.
    responses: [Option<Arc<ResponseChanges>>; 2],
}

/// What one of them does.
#[derive(Debug)]
pub(crate) enum Step {
    Allowed(AllowedAddresses),
    Refused(RefusedAddresses),
    Lines(Arc<WrittenLines>),
    Strip(Rewritten),
    Redirect(Redirect),
    ByRegex(ByRegex),
    ToScheme(ToScheme),
}

/// A request has passed all of them: what is changed about its response, if anything is.
pub type PassedFolded = Option<Arc<ResponseChanges>>;

impl Folded {
    /// The same as all of these.
    pub(crate) fn of(steps: Box<[Step]>) -> Self {
        let responses = [false, true].map(|is_secure| {
            let mut changes = ResponseChanges::default();
            // Responses pass the innermost first.
            for step in steps.iter().rev() {
                if let Step::Lines(lines) = step {
                    lines.answer_with(is_secure, &mut changes.lines);
                }
            }
            (!changes.is_empty()).then(|| changes.into())
        });
        Self { steps, responses }
    }

    /// Lets a request in that came from `peer`, perhaps over TLS; what is changed about it is added
    /// to `changes`. None where one of the frames has more to say of it.
    pub fn pass(
        &self,
        head: &dyn RequestView,
        (peer, is_tls): (IpAddr, bool),
        changes: &mut RequestChanges,
    ) -> Option<PassedFolded> {
        let mut head = RequestEdits::over(head, changes);
        let lets_in = |step: &Step| match step {
            Step::Allowed(it) => it.lets_in(peer, &head),
            Step::Refused(it) => it.lets_in(peer, &head),
            Step::Lines(it) => {
                it.tell(&mut head);
                true
            }
            Step::Strip(it) => it.lets_in(&mut head),
            Step::Redirect(it) => it.leads(&head).is_none(),
            Step::ByRegex(it) => it.leads(is_tls, &head).is_none(),
            Step::ToScheme(it) => it.leads(is_tls, &head).is_none(),
        };
        if !self.steps.iter().all(lets_in) {
            return None;
        }
        let is_secure = is_tls || head.scheme() == Scheme::Https;
        Some(self.responses[usize::from(is_secure)].clone())
    }
}

#[cfg(test)]
mod tests;
