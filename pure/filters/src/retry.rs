//! Asks again after a fault, or after some statuses.

use std::sync::Arc;
use std::time::{Duration, Instant};

use steelyard_http::{RequestEdits, RequestView as _, ResponseEdits, ResponseView as _};
use steelyard_model::routing::filter::limit::RetryRule;

use crate::ask::Got;
use crate::context::{Answerer, Context};
use crate::frame::{Direction, Enter, Frame, Leave, Needs};

/// Bytes of a body that are kept to be sent again, at most, whatever is asked for.
const MOST_KEPT: u64 = 64 << 20;

/// How often, and after what.
#[derive(Clone, Debug)]
pub(crate) struct Retry {
    terms: Arc<RetryRule>,
    begin: Option<Instant>,
    /// How often it was asked.
    attempts: u32,
    /// The request may be sent again although it may have been done already.
    is_harmless: bool,
}

impl Retry {
    pub(crate) fn new(terms: &RetryRule) -> Self {
        let terms = Arc::new(terms.clone());
        Self { terms, begin: None, attempts: 0, is_harmless: false }
    }

    fn wants(&self, cause: Answerer, status: u16) -> bool {
        let is_fault = !self.terms.is_by_status_alone
            && match cause {
                Answerer::Nobody => true,
                Answerer::Gateway => self.is_harmless && matches!(status, 502 | 504),
                Answerer::Backend | Answerer::Frame(_) => false,
            };
        let is_named = self.terms.statuses.iter().any(|(from, to)| (*from..=*to).contains(&status));
        is_fault || is_named && self.is_harmless
    }

    /// The time before the next attempt: it grows to twice the first.
    fn pause(&self) -> Duration {
        let Some(first) = self.terms.interval else { return Duration::ZERO };
        let steps = f64::from(self.terms.attempts.saturating_sub(1).max(1));
        let step = f64::from(self.attempts.saturating_sub(1));
        first.mul_f64((step / steps).exp2())
    }
}

impl Frame for Retry {
    fn needs(&self) -> Needs {
        let most = self.terms.max_body.unwrap_or(MOST_KEPT).min(MOST_KEPT);
        let kept = Direction::Replay(usize::try_from(most).unwrap_or(usize::MAX));
        let again = self.terms.attempts > 1;
        Needs { request: if again { kept } else { Direction::Untouched }, ..Needs::default() }
    }

    fn writes(&self) -> bool {
        false
    }

    fn repeats(&self) -> bool {
        true
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, _: Got) -> Enter {
        self.begin = Some(cx.now);
        let may_change = matches!(head.method(), "POST" | "PATCH" | "LOCK");
        self.is_harmless = !may_change || self.terms.is_for_all_methods;
        Enter::Next
    }

    fn leave(&mut self, cx: &mut Context<'_>, head: &mut ResponseEdits<'_>, _: Got) -> Leave {
        self.attempts = self.attempts.saturating_add(1);
        if self.attempts >= self.terms.attempts || !self.wants(cx.cause, head.status()) {
            return Leave::Next;
        }
        let after = self.pause();
        let passed = self.begin.map(|begin| cx.now.saturating_duration_since(begin));
        let is_late = |most: Duration| passed.is_none_or(|passed| passed + after >= most);
        if self.terms.timeout.is_some_and(is_late) { Leave::Next } else { Leave::Again { after } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::Response;
    use crate::tests::{Asked, World};

    fn terms() -> RetryRule {
        RetryRule {
            attempts: 3,
            timeout: None,
            interval: None,
            max_body: Some(100),
            statuses: Vec::new(),
            is_by_status_alone: false,
            is_for_all_methods: false,
        }
    }

    /// Milliseconds before each further attempt, where all answers are alike and take 100 ms.
    fn pauses(terms: &RetryRule, method: &'static str, cause: Answerer, status: u16) -> Vec<u128> {
        let mut frame = Retry::new(terms);
        let mut world = World::new();
        let asked = Asked::by(method, "a.b", "/");
        frame.enter(&mut world.context(), &mut RequestEdits::new(&asked), Got::Nothing);
        let mut pauses = Vec::new();
        loop {
            world.now += Duration::from_millis(100);
            let response = Response::of(status);
            let mut cx = Context { cause, ..world.context() };
            match frame.leave(&mut cx, &mut ResponseEdits::new(&response), Got::Nothing) {
                Leave::Again { after } => {
                    pauses.push(after.as_millis());
                    world.now += after;
                }
                Leave::Next => return pauses,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn after_what_it_asks_again() {
        use Answerer::{Backend, Frame, Gateway, Nobody};
        let usual = terms;
        let by_status = || RetryRule { statuses: vec![(500, 502), (429, 429)], ..terms() };
        let alone = || RetryRule { is_by_status_alone: true, ..by_status() };
        let for_all = |terms| RetryRule { is_for_all_methods: true, ..terms };
        for (terms, method, cause, status, again) in [
            (usual(), "GET", Nobody, 502, true),
            (usual(), "POST", Nobody, 502, true),
            (usual(), "GET", Gateway, 504, true),
            (usual(), "GET", Gateway, 503, false),
            (usual(), "GET", Gateway, 404, false),
            (usual(), "POST", Gateway, 502, false),
            (for_all(usual()), "POST", Gateway, 502, true),
            (usual(), "GET", Backend, 502, false),
            (usual(), "GET", Frame(0), 502, false),
            (by_status(), "GET", Backend, 502, true),
            (by_status(), "GET", Backend, 503, false),
            (by_status(), "PUT", Backend, 429, true),
            (by_status(), "POST", Backend, 500, false),
            (by_status(), "PATCH", Backend, 500, false),
            (by_status(), "LOCK", Backend, 500, false),
            (for_all(by_status()), "POST", Backend, 500, true),
            (by_status(), "GET", Frame(0), 500, true),
            (alone(), "GET", Nobody, 504, false),
            (alone(), "GET", Nobody, 502, true),
        ] {
            let asked = pauses(&terms, method, cause, status);
            let expected = if again { 2 } else { 0 };
            assert_eq!(asked.len(), expected, "{method} {cause:?} {status} {terms:?}");
        }
    }

    #[test]
    fn how_long_it_waits_and_when_it_gives_up() {
        let millis = |it| Some(Duration::from_millis(it));
        for (attempts, interval, timeout, expected) in [
            (1, None, None, &[][..]),
            (3, None, None, &[0, 0]),
            (2, millis(100), None, &[100]),
            (3, millis(100), None, &[100, 141]),
            (5, millis(100), None, &[100, 118, 141, 168]),
            (5, millis(100), millis(600), &[100, 118]),
            (5, None, millis(300), &[0, 0]),
            (5, None, millis(100), &[]),
        ] {
            let terms = RetryRule { attempts, interval, timeout, ..terms() };
            assert_eq!(pauses(&terms, "GET", Answerer::Nobody, 502), expected, "{terms:?}");
        }
    }

    #[test]
    fn what_is_kept_of_bodies() {
        for (attempts, max_body, expected) in [
            (3, Some(100), Direction::Replay(100)),
            (3, None, Direction::Replay(64 << 20)),
            (3, Some(u64::MAX), Direction::Replay(64 << 20)),
            (1, Some(100), Direction::Untouched),
        ] {
            let frame = Retry::new(&RetryRule { attempts, max_body, ..terms() });
            assert_eq!(frame.needs().request, expected);
        }
    }
}
