//! Has a request go another way once what stands inside has answered with one of some statuses.
//!
//! It stands outside of the filters of both ways, so that the request comes to the second one as it
//! came to the first, with all of its body. Which way that is, is known to who drives the stack.
//! Who sends more than the bound that is asked for is refused before either is asked, as by
//! Traefik.

use std::sync::Arc;
use std::time::Duration;

use steelyard_http::{Head as _, RequestEdits, ResponseEdits, ResponseView as _};

use crate::ask::{Ask, Got};
use crate::context::{Context, Note};
use crate::frame::{Direction, Enter, Frame, Leave, Needs};
use crate::response::Response;

/// Bytes of a body that are kept for it where no bound is asked for.
const USUALLY_KEPT: u64 = 4 << 20;
/// The same, at most, whatever is asked for.
const MOST_KEPT: u64 = 64 << 20;

/// One request at a fork of its way.
#[derive(Clone, Debug)]
pub(crate) struct Detour {
    /// Ranges.
    statuses: Arc<[(u16, u16)]>,
    /// Bytes that a body may have; none is any.
    bound: Option<u64>,
    kept: usize,
    /// The first way was gone.
    is_taken: bool,
}

impl Detour {
    pub(crate) fn new(statuses: &[(u16, u16)], most: Option<u64>) -> Self {
        let kept = most.unwrap_or(USUALLY_KEPT).min(MOST_KEPT);
        let kept = usize::try_from(kept).unwrap_or(usize::MAX);
        Self { statuses: statuses.into(), bound: most, kept, is_taken: false }
    }
}

/// The length that a request says it has.
fn length(head: &RequestEdits<'_>) -> Option<u64> {
    str::from_utf8(head.first("content-length")?).ok()?.parse().ok()
}

impl Frame for Detour {
    fn needs(&self) -> Needs {
        Needs { request: Direction::Replay(self.kept), ..Needs::default() }
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, got: Got) -> Enter {
        let Some(bound) = self.bound else { return Enter::Next };
        let is_more = match (got, length(head)) {
            (_, Some(told)) => told > bound,
            (Got::Nothing, None) => return Enter::Ask(Ask::Body { max: self.kept }),
            // What is more than is kept need not be more than the bound: it goes on as it comes.
            (Got::TooLarge, None) => bound <= MOST_KEPT,
            _ => false,
        };
        if !is_more {
            return Enter::Next;
        }
        cx.notes.push(Note::Reason("the request's body is larger than it may be"));
        Enter::Answer(Box::new(Response::bare(413)))
    }

    fn writes(&self) -> bool {
        false
    }

    fn takes_detour(&self) -> bool {
        self.is_taken
    }

    fn leave(&mut self, _: &mut Context<'_>, head: &mut ResponseEdits<'_>, _: Got) -> Leave {
        let status = head.status();
        let is_failure = self.statuses.iter().any(|(from, to)| (*from..=*to).contains(&status));
        if std::mem::replace(&mut self.is_taken, true) || !is_failure {
            return Leave::Next;
        }
        Leave::Again { after: Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Asked, World};

    /// What becomes of a request that says to have this length, or none and is collected so.
    fn entered(most: Option<u64>, length: Option<&'static str>, got: Got) -> &'static str {
        let asked = Asked::by("POST", "a.b", "/");
        let asked = match length {
            Some(told) => asked.with("Content-Length", told),
            None => asked,
        };
        let mut frame = Detour::new(&[(500, 599)], most);
        let mut world = World::new();
        match frame.enter(&mut world.context(), &mut RequestEdits::new(&asked), got) {
            Enter::Next => "next",
            Enter::Ask(Ask::Body { .. }) => "body",
            Enter::Answer(answer) if answer.status == 413 => "413",
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_sends_more_than_the_bound_is_refused_before_anybody_is_asked() {
        let body = || Got::Body(bytes::Bytes::from_static(b"body"));
        for (most, length, got, expected) in [
            (None, None, Got::Nothing, "next"),
            (None, Some("99999999999"), Got::Nothing, "next"),
            (Some(4), Some("4"), Got::Nothing, "next"),
            (Some(4), Some("5"), Got::Nothing, "413"),
            (Some(0), Some("0"), Got::Nothing, "next"),
            (Some(0), Some("1"), Got::Nothing, "413"),
            (Some(4), None, Got::Nothing, "body"),
            (Some(4), None, body(), "next"),
            (Some(4), None, Got::TooLarge, "413"),
            (Some(MOST_KEPT), None, Got::TooLarge, "413"),
            (Some(MOST_KEPT + 1), None, Got::TooLarge, "next"),
            (Some(MOST_KEPT + 1), Some("67108865"), Got::Nothing, "next"),
        ] {
            let case = format!("{most:?} {length:?} {got:?}");
            assert_eq!(entered(most, length, got), expected, "{case}");
        }
    }

    #[test]
    fn what_is_kept_of_bodies() {
        for (most, kept) in [(None, 4 << 20), (Some(9), 9), (Some(u64::MAX), 64 << 20)] {
            let needs = Detour::new(&[], most).needs();
            assert_eq!(needs.request, Direction::Replay(kept), "{most:?}");
        }
    }
}
