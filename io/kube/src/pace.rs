//! How long to wait before asking again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::patience::Patience;
use crate::trouble::Trouble;

/// Waits that grow while there is trouble, each another for everybody: all are cut off at once.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    patience: Patience,
    tries: u32,
    chance: RandomState,
}

impl Pace {
    pub(crate) fn new(patience: Patience) -> Self {
        Self { patience, ..Self::default() }
    }

    /// Things go well again.
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }

    /// The next wait.
    pub(crate) fn wait(&mut self, trouble: &Trouble) -> Duration {
        let longest = match trouble {
            Trouble::Refused(_) | Trouble::Absent | Trouble::Unauthorized => self.patience.answered,
            _ => self.patience.longest,
        };
        let grown = self.patience.first.saturating_mul(1 << self.tries.min(16)).min(longest);
        self.tries += 1;
        let told = match trouble {
            Trouble::Busy { wait: Some(wait), .. } => (*wait).min(self.patience.put_off),
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
        let (mut pace, of) = (Pace::default(), Patience::default());
        let trouble = Trouble::CutShort;
        let waits: Vec<Duration> = (0..40).map(|_| pace.wait(&trouble)).collect();
        assert!(waits[0] >= of.first && waits[0] <= of.first * 3 / 2);
        assert!(waits.iter().all(|wait| *wait <= of.longest * 3 / 2));
        assert!(waits[39] >= of.longest);
        pace.reset();
        assert!(pace.wait(&trouble) <= of.first * 3 / 2);
    }

    #[test]
    fn an_api_server_says_when_to_come_again_within_reason() {
        let told =
            |seconds| Trouble::Busy { status: 429, wait: Some(Duration::from_secs(seconds)) };
        assert!(Pace::default().wait(&told(9)) >= Duration::from_secs(9));
        assert!(Pace::default().wait(&told(86_400)) <= Duration::from_secs(90));
    }
}
