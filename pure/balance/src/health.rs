//! What is known of an endpoint's health: what checks say of it, and what became of requests.
//!
//! A machine for one endpoint under one [`Care`]. It is told what happened ([`Sign`]) and says who
//! may be asked ([`Fitness`]); each sign means something in each state. What it is not: it asks
//! nobody, draws nothing and knows no time but what it is told.

pub mod pace;
mod passive;

use std::time::{Duration, Instant};

use steelyard_model::routing::care::Care;

use passive::Passive;
pub use passive::{MOST_EJECTED, STRIKES};

/// Whether an endpoint may be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fitness {
    /// It may.
    #[default]
    Fit,
    /// Not while others are fit: requests failed there.
    Shunned,
    /// Not at all: a check says so.
    Down,
}

/// What happened at an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A check had a good answer.
    Checked,
    /// A check had a bad one, or none.
    CheckFailed,
    /// It took a connection of a request.
    Reached,
    /// It took none.
    Unreached,
    /// It answered a request with 500 or more.
    Erred,
}

/// What is known of an endpoint.
#[derive(Clone, Debug)]
pub struct Health {
    is_down: bool,
    /// Answers to checks in a row that say otherwise.
    against: u32,
    passive: Passive,
    /// Since when it is fit; none has always been.
    fit_since: Option<Instant>,
}

impl Health {
    /// An endpoint that nobody has asked: fit, as it is in Traefik. `new_since` is since when it is
    /// there, where it came to others.
    pub fn new(new_since: Option<Instant>) -> Self {
        let passive = Passive::default();
        Self { is_down: false, against: 0, passive, fit_since: new_since }
    }

    /// Takes in what happened. What it is now, where that is another than before.
    pub fn see(&mut self, now: Instant, sign: Sign, care: &Care) -> Option<Fitness> {
        let before = self.fitness(now);
        match sign {
            Sign::Checked => self.checked(true, care),
            Sign::CheckFailed => self.checked(false, care),
            Sign::Reached | Sign::Unreached | Sign::Erred => {}
        }
        self.passive.see(now, sign, care.passive);
        let after = self.fitness(now);
        if after == before {
            return None;
        }
        if after == Fitness::Fit {
            self.fit_since = Some(now);
        }
        Some(after)
    }

    /// Whether it may be asked.
    pub fn fitness(&self, now: Instant) -> Fitness {
        match self.passive.out_until() {
            _ if self.is_down => Fitness::Down,
            Some(until) if now < until => Fitness::Shunned,
            _ => Fitness::Fit,
        }
    }

    /// Until when it is shunned, or was.
    pub fn shunned_until(&self) -> Option<Instant> {
        self.passive.out_until()
    }

    /// Whether a connection that comes to be changes anything.
    pub fn is_suspect(&self) -> bool {
        self.passive.is_suspect()
    }

    /// Since when it is fit, where it has not always been: from the end of the time in which it was
    /// shunned, too.
    pub fn fit_since(&self) -> Option<Instant> {
        self.fit_since.max(self.passive.out_until())
    }

    fn checked(&mut self, is_good: bool, care: &Care) {
        let Some(check) = &care.check else { return };
        if is_good != self.is_down {
            self.against = 0;
            return;
        }
        self.against += 1;
        let enough = if self.is_down { check.rise } else { check.fall };
        if self.against >= enough {
            (self.is_down, self.against) = (!self.is_down, 0);
        }
    }
}

/// Whether that some are shunned is heeded, of `fit` and `shunned` who may be asked otherwise: at
/// most half are. Where most fail, it is hardly they who fail, and who is left would break under
/// what all the others had.
pub fn is_heeded(fit: usize, shunned: usize) -> bool {
    shunned * 100 <= (fit + shunned) * MOST_EJECTED
}

/// How much of its share an endpoint gets that has been fit for so long, in thousandths: from a
/// tenth, in a straight line to all of it.
pub fn slow_start(fit_for: Duration, whole: Duration) -> u32 {
    if fit_for >= whole {
        return 1_000;
    }
    let part = fit_for.as_nanos() * 1_000 / whole.as_nanos().max(1);
    u32::try_from(part).unwrap_or(1_000).clamp(100, 1_000)
}

#[cfg(test)]
mod tests;
