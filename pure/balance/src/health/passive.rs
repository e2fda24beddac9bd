//! What becomes of requests, as a sign of their endpoint's health.
//!
//! Without an option only connections count that come to nothing: an endpoint that takes none costs
//! each request that is sent there the time to find out. Who took none twice in a row gets nothing
//! for a second, and for twice as long each time it goes on. With Traefik's option it is as there:
//! so many failures within a window, answers of 500 and more among them, and for as long as the
//! window it gets nothing.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use steelyard_model::routing::care::PassiveCheck;

use super::Sign;

/// Connections in a row that come to nothing, and who gets nothing then.
pub const STRIKES: u32 = 2;

/// At most so many in a hundred get nothing.
pub const MOST_EJECTED: usize = 50;

/// For how long, the first time.
const FIRST: Duration = Duration::from_secs(1);

/// So often that is doubled, at most.
const DOUBLED: u32 = 5;

/// So many failures are remembered at most.
const MOST_REMEMBERED: usize = 1_024;

/// What failed lately.
#[derive(Clone, Debug, Default)]
pub(super) struct Passive {
    /// Connections in a row that came to nothing.
    strikes: u32,
    /// How often it got nothing since a connection last came to be.
    times: u32,
    /// Failures within the window, the oldest first.
    failures: VecDeque<Instant>,
    out_until: Option<Instant>,
}

impl Passive {
    pub(super) fn see(&mut self, now: Instant, sign: Sign, asked: Option<PassiveCheck>) {
        match (sign, asked) {
            (Sign::Unreached, None) => self.strike(now),
            (Sign::Unreached | Sign::Erred, Some(asked)) => self.fail(now, asked),
            (Sign::Reached | Sign::Checked, None) => *self = Self::default(),
            (Sign::Reached | Sign::Checked, Some(_)) | (Sign::Erred, None) => {}
            (Sign::CheckFailed, _) => {}
        }
    }

    pub(super) fn out_until(&self) -> Option<Instant> {
        self.out_until
    }

    pub(super) fn is_suspect(&self) -> bool {
        self.strikes > 0
    }

    fn strike(&mut self, now: Instant) {
        self.strikes = self.strikes.saturating_add(1);
        // Many fail at a time, of which it is told once.
        let is_out = self.out_until.is_some_and(|until| now < until);
        if self.strikes >= STRIKES && !is_out {
            self.out_until = Some(now + FIRST * (1 << self.times.min(DOUBLED)));
            self.times += 1;
        }
    }

    fn fail(&mut self, now: Instant, asked: PassiveCheck) {
        self.failures.retain(|at| now.saturating_duration_since(*at) < asked.window);
        self.failures.push_back(now);
        if self.failures.len() >= (asked.failures.max(1) as usize).min(MOST_REMEMBERED) {
            self.failures.clear();
            self.out_until = Some(now + asked.window);
        }
    }
}
