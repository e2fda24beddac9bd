//! How often one address may ask: each question costs what a judgement takes, and there is one at
//! a time. Who asks more is answered later, never refused for it: an API server that is given many
//! objects at once gets them judged.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Between two questions of one address, once it has asked many.
const EVERY: Duration = Duration::from_millis(50);
/// So many may come at once.
const BURST: u32 = 100;
/// Addresses that are remembered before those that may ask as they like are forgotten.
const MANY: usize = 1024;

/// When each address has asked for as much as it may by then.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<HashMap<IpAddr, Instant>>);

impl Pace {
    /// Waits until it is the turn of an address.
    pub(crate) async fn turn(&self, address: IpAddr) {
        let wait = self.reserve(address, Instant::now());
        if !wait.is_zero() {
            sleep(wait).await;
        }
    }

    /// Takes one question of an address; how long it has to wait.
    fn reserve(&self, address: IpAddr, now: Instant) -> Duration {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MANY {
            all.retain(|_, spent| *spent > now);
        }
        let spent = all.get(&address).copied().filter(|it| *it > now).unwrap_or(now) + EVERY;
        all.insert(address, spent);
        spent.saturating_duration_since(now).saturating_sub(EVERY * BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_much_waits_and_nobody_else_does() {
        let (pace, now) = (Pace::default(), Instant::now());
        let [greedy, other] = [1, 2].map(|last| IpAddr::from([10, 0, 0, last]));
        for _ in 0..BURST {
            assert_eq!(pace.reserve(greedy, now), Duration::ZERO);
        }
        assert_eq!(pace.reserve(greedy, now), EVERY);
        assert_eq!(pace.reserve(greedy, now), EVERY * 2);
        assert_eq!(pace.reserve(other, now), Duration::ZERO);
        // A while later it may ask as it likes again.
        let later = now + EVERY * (BURST + 2);
        assert_eq!(pace.reserve(greedy, later), Duration::ZERO);
    }

    #[test]
    fn who_asks_no_more_is_forgotten() {
        let (pace, now) = (Pace::default(), Instant::now());
        let address = |number: usize| IpAddr::from(u32::try_from(number).unwrap().to_be_bytes());
        (0..MANY).for_each(|number| _ = pace.reserve(address(number), now));
        _ = pace.reserve(address(MANY), now + EVERY);
        assert_eq!(pace.0.lock().unwrap().len(), 1);
    }
}
