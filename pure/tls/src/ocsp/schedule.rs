//! When a certificate's responder is asked again, and what is shown meanwhile.

use super::{StatusAnswer, Unstapled};

/// Seconds between two attempts: the first after a failure, and the most.
const SOONEST: i64 = 60;
const LATEST: i64 = 3600;

/// What is shown beside one certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Staple {
    answer: Option<StatusAnswer>,
    failures: u32,
    /// When to ask, in seconds since 1970 (UTC).
    due: i64,
}

impl Staple {
    /// What came of asking at `now`. The last answer stays until its time is over.
    pub fn learn(&mut self, outcome: Result<StatusAnswer, Unstapled>, now: i64) {
        match outcome {
            Ok(answer) => {
                let left = answer.validity.1.saturating_sub(now);
                // Half of its time is left for a responder that does not answer then.
                self.due = now.saturating_add((left / 2).max(SOONEST));
                (self.answer, self.failures) = (Some(answer), 0);
            }
            Err(_) => {
                let wait = SOONEST.saturating_mul(1 << self.failures.min(16)).min(LATEST);
                self.failures = self.failures.saturating_add(1);
                self.due = now.saturating_add(wait);
            }
        }
    }

    /// What is shown at `now`.
    pub fn shown(&self, now: i64) -> Option<&StatusAnswer> {
        self.answer.as_ref().filter(|it| it.validity.1 > now)
    }

    /// When to ask next, or to show less: in seconds since 1970.
    pub fn due(&self, now: i64) -> i64 {
        let ends = self.shown(now).map(|it| it.validity.1);
        ends.map_or(self.due, |ends| ends.min(self.due))
    }

    /// Whether its responder is to be asked now.
    pub fn is_due(&self, now: i64) -> bool {
        now >= self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(end: i64) -> Result<StatusAnswer, Unstapled> {
        Ok(StatusAnswer { der: Vec::new(), validity: (0, end), is_revoked: false })
    }

    #[test]
    fn the_last_answer_stays_until_its_time_is_over() {
        let mut staple = Staple::default();
        let mut seen = Vec::new();
        for (now, outcome) in [
            (0, until(1_000)),
            (500, Err(Unstapled::Unreached)),
            (560, Err(Unstapled::Refused)),
            (680, Err(Unstapled::Stale)),
            (920, Err(Unstapled::Unreached)),
            (1_000, Err(Unstapled::Unreached)),
            (3_000, until(3_010)),
            (3_010, Err(Unstapled::Unreached)),
        ] {
            staple.learn(outcome, now);
            seen.push((staple.shown(now).is_some(), staple.due(now) - now));
        }
        let expected = [
            (true, 500),
            (true, 60),
            (true, 120),
            (true, 240),
            (true, 80),
            (false, 960),
            (true, 10),
            (false, 60),
        ];
        assert_eq!(seen, expected);
        assert!(!staple.is_due(3_069) && staple.is_due(3_070));
    }

    #[test]
    fn a_responder_that_fails_for_ever_is_asked_once_an_hour() {
        let mut staple = Staple::default();
        for _ in 0..100 {
            staple.learn(Err(Unstapled::Unreached), i64::MAX - LATEST);
        }
        assert_eq!(staple.due(0), i64::MAX);
        staple.learn(until(i64::MAX), i64::MAX);
        assert_eq!(staple.due(0), i64::MAX);
    }
}
