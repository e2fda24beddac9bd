//! Whether this node hears its LAN at all.
//!
//! Who hears no other node is the last one, or hears nothing: its receiver is broken, its switch
//! dark, its cable half out. The one must answer for everything, the other must not say a word, as
//! nothing that is sent to it arrives and whoever believes it is lost. So it asks hosts that it
//! knows whether they are there, and heeds whatever comes:
//!
//! ```text
//!        no node is heard, nor anything else
//!  Sure ─────────────────────────────────────► Asking ──► Deaf
//!   ▲                                            │         │  asks again and again
//!   └────────────────────────────────────────────┴─────────┘
//!              anything is heard
//! ```

use std::time::{Duration, Instant};

use crate::config::Timing;

/// Questions before a node counts as deaf: twice as many as before a takeover.
const QUESTIONS: u32 = 2;
/// Who is alone and hears nothing asks again so often whether it still hears.
const AGAIN: Duration = Duration::from_secs(3);

/// See the module.
#[derive(Debug)]
pub(crate) struct Hearing {
    timing: Timing,
    state: State,
    /// When anything of another host came last.
    sign: Option<Instant>,
    alone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// `next`: when that is to be doubted.
    Sure {
        next: Option<Instant>,
    },
    Asking {
        asked: u32,
        next: Instant,
    },
    Deaf {
        next: Instant,
    },
}

impl Hearing {
    pub(crate) fn new(timing: Timing) -> Self {
        Self { timing, state: State::Sure { next: None }, sign: None, alone: false }
    }

    /// Another host was heard; whether that changes anything.
    pub(crate) fn sign(&mut self, now: Instant) -> bool {
        self.sign = Some(now);
        if matches!(self.state, State::Sure { .. }) {
            return false;
        }
        self.state = State::Sure { next: self.alone.then(|| now + AGAIN) };
        true
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
            State::Sure { next } => next,
            State::Asking { next, .. } | State::Deaf { next } => Some(next),
        }
    }

    /// Does what is due; whether hosts are to be asked. `alone`: no other node is heard.
    pub(crate) fn review(&mut self, now: Instant, alone: bool) -> bool {
        let was_alone = std::mem::replace(&mut self.alone, alone);
        if !alone {
            self.state = State::Sure { next: None };
            return false;
        }
        // What was heard before nodes fell silent tells nothing.
        let fresh = self.sign.is_some_and(|at| now < at + self.timing.dead() / 2);
        match self.state {
            State::Sure { .. } if fresh && !was_alone => {
                self.state = State::Sure { next: Some(now + AGAIN) };
                false
            }
            State::Sure { next } if was_alone && next.is_some_and(|next| now < next) => false,
            State::Sure { .. } if fresh => {
                self.state = State::Sure { next: Some(now + AGAIN) };
                false
            }
            State::Sure { .. } => self.ask(now, 0),
            State::Asking { next, .. } | State::Deaf { next } if now < next => false,
            State::Asking { asked, .. } if asked < self.timing.probes * QUESTIONS => {
                self.ask(now, asked)
            }
            State::Asking { .. } | State::Deaf { .. } => {
                self.state = State::Deaf { next: now + self.timing.dead() / 2 };
                true
            }
        }
    }

    fn ask(&mut self, now: Instant, asked: u32) -> bool {
        let next = now + self.timing.probe_interval;
        self.state = State::Asking { asked: asked + 1, next };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::start;

    fn at(millis: u64) -> Instant {
        start() + Duration::from_millis(millis)
    }

    /// Lets time pass; how often hosts are asked.
    fn pass(hearing: &mut Hearing, from: u64, to: u64) -> usize {
        (from..to).filter(|millis| hearing.review(at(*millis), true)).count()
    }

    #[test]
    fn who_hears_nothing_asks_and_is_deaf_until_anything_comes() {
        let mut hearing = Hearing::new(Timing::default());
        assert!(!hearing.review(at(0), false) && hearing.is_sure());
        assert_eq!(pass(&mut hearing, 1, 100), 4);
        assert!(!hearing.is_sure() && !hearing.is_deaf());
        assert_eq!(pass(&mut hearing, 100, 1100), 4, "each half dead time");
        assert!(hearing.is_deaf());
        assert!(hearing.sign(at(1101)) && hearing.is_sure());
        assert_eq!(pass(&mut hearing, 1101, 4100), 0, "not doubted for a while");
        assert!(pass(&mut hearing, 4100, 5000) > 0 && hearing.is_deaf());
        hearing.review(at(5001), false);
        assert!(hearing.is_sure(), "another node is heard");
    }

    #[test]
    fn whoever_hears_anything_else_is_the_last_one() {
        let mut hearing = Hearing::new(Timing::default());
        hearing.review(at(0), false);
        assert!(!hearing.sign(at(400)));
        assert_eq!(pass(&mut hearing, 500, 3500), 0);
        // What came when nodes were heard still may be of before.
        let mut hearing = Hearing::new(Timing::default());
        hearing.sign(at(100));
        hearing.review(at(101), false);
        assert_eq!(pass(&mut hearing, 500, 510), 1);
        assert!(hearing.sign(at(510)) && hearing.is_sure());
    }
}
