//! How long to wait before asking again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::trouble::Trouble;

/// The first wait; each next one is twice as long.
const FIRST: Duration = Duration::from_millis(200);
/// The longest: when an API server is back it is asked again after that at the latest.
const LONGEST: Duration = Duration::from_secs(15);
/// The longest where it is there, and says no.
const ANSWERED: Duration = Duration::from_secs(5);
/// The longest that an API server can put us off.
const PUT_OFF: Duration = Duration::from_secs(60);

/// Waits that grow while there is trouble, each another for everybody: all are cut off at once.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    tries: u32,
    chance: RandomState,
}

impl Pace {
    /// Things go well again.
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }

    /// The next wait.
    pub(crate) fn wait(&mut self, trouble: &Trouble) -> Duration {
        let longest = match trouble {
            Trouble::Refused(_) | Trouble::Absent | Trouble::Unauthorized => ANSWERED,
            _ => LONGEST,
        };
        let grown = FIRST.saturating_mul(1 << self.tries.min(16)).min(longest);
        self.tries += 1;
        let told = match trouble {
            Trouble::Busy { wait: Some(wait), .. } => (*wait).min(PUT_OFF),
            _ => Duration::ZERO,
        };
        self.between(grown.max(told), grown.max(told) + grown / 2)
    }

    /// Some time between two.
    pub(crate) fn between(&self, least: Duration, most: Duration) -> Duration {
        let chance = self.chance.hash_one((self.tries, least)) % 1024;
        least + (most - least) * u32::try_from(chance).unwrap_or_default() / 1024
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end_somewhere() {
        let mut pace = Pace::default();
        let trouble = Trouble::CutShort;
        let waits: Vec<Duration> = (0..40).map(|_| pace.wait(&trouble)).collect();
        assert!(waits[0] >= FIRST && waits[0] <= FIRST * 3 / 2);
        assert!(waits.iter().all(|wait| *wait <= LONGEST * 3 / 2));
        assert!(waits[39] >= LONGEST);
        pace.reset();
        assert!(pace.wait(&trouble) <= FIRST * 3 / 2);
    }

    #[test]
    fn an_api_server_says_when_to_come_again_within_reason() {
        let told =
            |seconds| Trouble::Busy { status: 429, wait: Some(Duration::from_secs(seconds)) };
        assert!(Pace::default().wait(&told(9)) >= Duration::from_secs(9));
        assert!(Pace::default().wait(&told(86_400)) <= PUT_OFF + LONGEST);
    }
}
