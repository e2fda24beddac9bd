//! Whether this node hears its LAN at all.
//!
//! Who hears no other node is the last one, or hears nothing: its receiver is broken, its switch
//! dark, its cable half out. The one must answer for everything, the other must not say a word, as
//! nothing that is sent to it arrives and whoever believes it is lost. So it asks hosts that it
//! knows whether they are there, and heeds whatever comes. Until that is known nothing is taken.
//!
//! ```text
//!        nothing comes for half the dead time         nor for the rest of it
//!  Sure ──────────────────────────────────────► Asking ─────────────────────► Deaf
//!   ▲                                             │                            │  asks again
//!   └─────────────────────────────────────────────┴────────────────────────────┘  and again
//!                              anything is heard
//! ```

use std::time::{Duration, Instant};

use crate::config::HeartbeatTiming;

/// Questions in half the dead time.
const QUESTIONS: u32 = 4;
/// Where no other node is heard, silence is doubted only so often.
const AGAIN: Duration = Duration::from_secs(3);

/// See the module.
#[derive(Debug)]
pub(crate) struct Hearing {
    half: Duration,
    state: State,
    /// No other node is heard.
    alone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Anything came at `sign`; none while a node only starts.
    Sure {
        sign: Option<Instant>,
    },
    Asking {
        since: Instant,
        next: Instant,
    },
    Deaf {
        next: Instant,
    },
}

impl Hearing {
    pub(crate) fn new(timing: HeartbeatTiming) -> Self {
        Self { half: timing.dead() / 2, state: State::Sure { sign: None }, alone: false }
    }

    /// Another host was heard; whether that changes anything.
    pub(crate) fn sign(&mut self, now: Instant) -> bool {
        let was_sure = self.is_sure();
        self.state = State::Sure { sign: Some(now) };
        !was_sure
    }

    /// Whether what is not heard is not there.
    pub(crate) fn is_sure(&self) -> bool {
        matches!(self.state, State::Sure { .. })
    }

    pub(crate) fn is_deaf(&self) -> bool {
        matches!(self.state, State::Deaf { .. })
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Sure { sign } => sign.map(|sign| sign + self.patience()),
            State::Asking { next, .. } | State::Deaf { next } => Some(next),
        }
    }

    /// How long nothing may come before that is doubted.
    fn patience(&self) -> Duration {
        if self.alone { AGAIN } else { self.half }
    }

    /// Does what is due; whether hosts are to be asked. `alone`: no other node is heard.
    pub(crate) fn review(&mut self, now: Instant, alone: bool) -> bool {
        self.alone = alone;
        let again = now + self.half / QUESTIONS;
        match self.state {
            State::Sure { sign: Some(sign) } if now < sign + self.patience() => false,
            State::Sure { .. } => {
                self.state = State::Asking { since: now, next: again };
                true
            }
            State::Asking { next, .. } | State::Deaf { next } if now < next => false,
            State::Asking { since, .. } if now < since + self.half => {
                self.state = State::Asking { since, next: again };
                true
            }
            State::Asking { .. } | State::Deaf { .. } => {
                self.state = State::Deaf { next: now + self.half };
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steelyard_testbed::simulation::start;

    fn at(millis: u64) -> Instant {
        start() + Duration::from_millis(millis)
    }

    /// Lets time pass; how often hosts are asked.
    fn pass(hearing: &mut Hearing, from: u64, to: u64, alone: bool) -> usize {
        (from..to).filter(|millis| hearing.review(at(*millis), alone)).count()
    }

    #[test]
    fn who_hears_nothing_asks_and_is_deaf_until_anything_comes() {
        let mut hearing = Hearing::new(HeartbeatTiming::default());
        hearing.sign(at(0));
        assert_eq!(pass(&mut hearing, 0, 250, false), 0);
        assert_eq!(pass(&mut hearing, 250, 499, false), 4);
        assert!(!hearing.is_sure() && !hearing.is_deaf());
        assert!((3..6).contains(&pass(&mut hearing, 499, 1252, true)), "each half dead time");
        assert!(hearing.is_deaf());
        assert!(hearing.sign(at(1252)) && hearing.is_sure());
        assert_eq!(pass(&mut hearing, 1252, 4252, true), 0, "alone, silence is not doubted soon");
        assert!(pass(&mut hearing, 4252, 5000, true) > 0 && hearing.is_deaf());
    }

    #[test]
    fn who_hears_anything_now_and_then_asks_nobody() {
        let mut hearing = Hearing::new(HeartbeatTiming::default());
        for millis in (0..3000).step_by(200) {
            hearing.sign(at(millis));
            assert_eq!(pass(&mut hearing, millis, millis + 200, false), 0);
        }
        assert!(!hearing.sign(at(3000)), "nothing was doubted");
    }
}
