//! What one proxy needs under one load, over all rounds.

use std::fmt;
use std::time::Duration;

use crate::load::Report;
use crate::results::median;

/// What a proxy needs.
pub(super) struct Figure {
    /// Of whom.
    pub(super) name: &'static str,
    /// µs of CPU per answered request, a round each.
    costs: Vec<f64>,
    answered: u64,
    failed: u64,
    /// Requests answered in a second, and µs of the slowest of a hundred, a round each.
    rates: Vec<f64>,
    slowest: Vec<f64>,
}

/// Of so many requests one may fail: more would make what is measured another load.
const ALLOWED: u64 = 1000;

impl Figure {
    pub(super) fn of(name: &'static str) -> Self {
        let (costs, rates, slowest) = Default::default();
        Self { name, costs, answered: 0, failed: 0, rates, slowest }
    }

    /// Takes in a round in which the proxy `used` so much CPU; what a request did cost.
    pub(super) fn add(&mut self, used: Duration, report: &Report) -> f64 {
        let cost = used.as_secs_f64() * 1e6 / report.requests as f64;
        self.costs.push(cost);
        self.answered += report.requests;
        self.failed += report.errors;
        self.rates.push(report.requests as f64 / report.seconds);
        self.slowest.push(f64::from(report.p99));
        cost
    }

    /// Whether it can be compared with.
    pub(super) fn counts(&self) -> bool {
        self.failed * ALLOWED <= self.answered && self.costs.iter().all(|cost| cost.is_finite())
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed > 0 || !self.counts()
    }

    /// Requests answered in a second.
    pub(super) fn rate(&self) -> f64 {
        median(self.rates.clone())
    }

    /// µs until 99 of 100 are answered.
    pub(super) fn p99(&self) -> f64 {
        median(self.slowest.clone())
    }

    /// µs of CPU per request.
    pub(super) fn cost(&self) -> f64 {
        median(self.costs.clone())
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = self.answered + self.failed;
        write!(f, "{} failed {} of {asked} requests", self.name, self.failed)?;
        if self.counts() { Ok(()) } else { f.write_str(", which is no row") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(requests: u64, errors: u64) -> Report {
        Report { requests, errors, p50: 0, p99: 0, seconds: 1.0 }
    }

    /// What fails a few requests is told of, what fails many has no row.
    #[test]
    fn who_fails_is_told_of() {
        for (rounds, expected, counts) in [
            (&[(1000, 0), (1000, 0)][..], None, true),
            (&[(1000, 0), (1000, 2)], Some("it failed 2 of 2002 requests"), true),
            (&[(1000, 3), (1000, 0)], Some("it failed 3 of 2003 requests, which is no row"), false),
            (&[(1000, 0), (0, 0)], Some("it failed 0 of 1000 requests, which is no row"), false),
        ] {
            let mut figure = Figure::of("it");
            for (requests, errors) in rounds {
                figure.add(Duration::from_secs(1), &report(*requests, *errors));
            }
            assert_eq!(figure.counts(), counts, "{rounds:?}");
            assert_eq!(figure.has_failed().then(|| figure.to_string()).as_deref(), expected);
        }
    }
}
