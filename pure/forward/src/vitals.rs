//! Which endpoints are asked for a sign of life, and what is known of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What is known of endpoints.
#[derive(Clone, Debug, Default)]
pub struct Vitals {
    dead: BTreeSet<SocketAddr>,
    /// When those that are not dead were asked.
    asked: BTreeMap<SocketAddr, Instant>,
}

/// One that answered is not asked again for so long.
const TRUST: Duration = Duration::from_secs(5);
/// So many that are not suspected are asked in one round.
const AT_ONCE: usize = 50;

impl Vitals {
    /// Those that do not answer.
    pub fn dead(&self) -> &BTreeSet<SocketAddr> {
        &self.dead
    }

    /// Nothing is known of others than `endpoints` any more.
    pub fn keep(&mut self, endpoints: &BTreeSet<SocketAddr>) {
        self.dead.retain(|it| endpoints.contains(it));
    }

    /// Whom to ask in a round at `now`: the dead, the suspects, and some that were not asked for a
    /// while.
    pub fn round(
        &mut self,
        endpoints: &BTreeSet<SocketAddr>,
        suspects: BTreeSet<SocketAddr>,
        now: Instant,
    ) -> BTreeSet<SocketAddr> {
        self.asked.retain(|_, at| now < *at + TRUST);
        let mut round = self.dead.clone();
        round.extend(suspects);
        let is_due = |it: &&SocketAddr| !self.asked.contains_key(it);
        round.extend(endpoints.iter().filter(is_due).take(AT_ONCE));
        round
    }

    /// One that was asked at `now` answers, or does not.
    pub fn learn(&mut self, endpoint: SocketAddr, answers: bool, now: Instant) {
        if answers {
            self.dead.remove(&endpoint);
            self.asked.insert(endpoint, now);
        } else {
            self.dead.insert(endpoint);
        }
    }
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "any moment will do, and there is no other way to one"
)]
mod tests {
    use super::*;

    fn endpoint(number: usize) -> SocketAddr {
        let number = u8::try_from(number).unwrap();
        SocketAddr::from(([10, 244, 0, number], 8080))
    }

    #[test]
    fn the_dead_are_asked_each_round_and_the_living_now_and_then() {
        let (mut vitals, start) = (Vitals::default(), Instant::now());
        let all: BTreeSet<_> = (0..3).map(endpoint).collect();
        assert_eq!(vitals.round(&all, BTreeSet::new(), start), all);
        vitals.learn(endpoint(0), true, start);
        vitals.learn(endpoint(1), true, start);
        vitals.learn(endpoint(2), false, start);
        let soon = start + TRUST / 2;
        assert_eq!(vitals.round(&all, BTreeSet::new(), soon), [endpoint(2)].into());
        let suspected = vitals.round(&all, [endpoint(0)].into(), soon);
        assert_eq!(suspected, [endpoint(0), endpoint(2)].into());
        assert_eq!(vitals.round(&all, BTreeSet::new(), start + TRUST), all);
        vitals.learn(endpoint(2), true, soon);
        assert!(vitals.dead().is_empty());
    }

    #[test]
    fn who_is_gone_is_forgotten_and_many_are_asked_in_turns() {
        let (mut vitals, now) = (Vitals::default(), Instant::now());
        let all: BTreeSet<_> = (0..AT_ONCE + 10).map(endpoint).collect();
        let first = vitals.round(&all, BTreeSet::new(), now);
        assert_eq!(first.len(), AT_ONCE);
        first.iter().for_each(|it| vitals.learn(*it, true, now));
        assert_eq!(vitals.round(&all, BTreeSet::new(), now).len(), 10);
        vitals.learn(endpoint(1), false, now);
        vitals.keep(&[endpoint(2)].into());
        assert!(vitals.dead().is_empty());
    }
}
