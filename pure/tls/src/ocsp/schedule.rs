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
    /// What came of asking at `now`, as it is to be told. The last answer stays until its time is
    /// over, also where an earlier one comes behind it, which somebody may have kept.
    pub fn learn(
        &mut self,
        outcome: Result<StatusAnswer, Unstapled>,
        now: i64,
    ) -> Result<(), Unstapled> {
        let known = self.shown(now).map_or(i64::MIN, |it| it.validity.0);
        let outcome = outcome.and_then(|answer| match answer.validity.0 < known {
            true => Err(Unstapled::Stale),
            false => Ok(answer),
        });
        let told = outcome.as_ref().map(|_| ()).map_err(|why| *why);
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
        told
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
            let _ = staple.learn(outcome, now);
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
            let _ = staple.learn(Err(Unstapled::Unreached), i64::MAX - LATEST);
        }
        assert_eq!(staple.due(0), i64::MAX);
        let _ = staple.learn(until(i64::MAX), i64::MAX);
        assert_eq!(staple.due(0), i64::MAX);
    }

    /// A revocation is not taken back by what was said before it.
    #[test]
    fn what_was_said_earlier_takes_nothing_back() {
        let said = |since, is_revoked| {
            Ok(StatusAnswer { der: Vec::new(), validity: (since, 1_000), is_revoked })
        };
        let mut staple = Staple::default();
        for (now, outcome, expected, is_revoked) in [
            (10, said(5, false), Ok(()), false),
            (20, said(15, true), Ok(()), true),
            (30, said(5, false), Err(Unstapled::Stale), true),
            (40, said(15, true), Ok(()), true),
            (50, said(35, false), Ok(()), false),
        ] {
            assert_eq!(staple.learn(outcome, now), expected, "{now}");
            assert_eq!(staple.shown(now).unwrap().is_revoked, is_revoked, "{now}");
        }
    }
}
