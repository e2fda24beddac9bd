//! When an endpoint is asked next.

use std::time::Duration;

use steelyard_model::routing::care::HealthCheck;

/// How long to wait after an answer. `draw` is 0 to 1, drawn anew each time: endpoints that came to
/// be together are not asked together for ever. The first wait is anything up to the interval,
/// later ones a tenth longer or shorter.
pub fn wait(check: &HealthCheck, is_up: bool, is_first: bool, draw: f64) -> Duration {
    let interval = if is_up { check.interval } else { check.unhealthy_interval };
    let draw = draw.clamp(0.0, 1.0);
    let part = if is_first { 0.1 + 0.9 * draw } else { 0.9 + 0.2 * draw };
    interval.mul_f64(part).max(LEAST)
}

/// When to ask again, at `now` and after `wait`, both as time since a beginning that all have in
/// common: at steps of it, so that those who are due at about the same time are asked, and answer,
/// in one turn of a reactor. A step is a thirty-second of the wait at most.
pub fn due(now: Duration, wait: Duration) -> Duration {
    let most = (wait / 32).min(MOST_TOGETHER).as_nanos();
    let Some(power) = most.checked_ilog2() else { return now + wait };
    // Longer steps are steps of shorter waits too.
    let step = 1_u128 << power;
    let due = (now + wait).as_nanos().next_multiple_of(step);
    u64::try_from(due).map_or(now + wait, Duration::from_nanos)
}

/// The longest step.
const MOST_TOGETHER: Duration = Duration::from_millis(40);

/// Nobody is asked more often.
const LEAST: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use steelyard_model::routing::care::CheckProbe;

    use super::*;

    #[test]
    fn who_is_asked_when() {
        let probe = CheckProbe::Connect { send: "".into(), expect: "".into() };
        let second = Duration::from_secs;
        let check = HealthCheck {
            interval: second(10),
            unhealthy_interval: second(1),
            ..HealthCheck::new(probe)
        };
        for (is_up, is_first, draw, expected) in [
            (true, true, 0.0, 1_000),
            (true, true, 1.0, 10_000),
            (true, false, 0.0, 9_000),
            (true, false, 0.5, 10_000),
            (true, false, 7.0, 11_000),
            (false, false, 0.5, 1_000),
        ] {
            let waited = wait(&check, is_up, is_first, draw).as_millis();
            assert_eq!(waited, expected, "{is_up} {is_first} {draw}");
        }
        for wait in [1, 10_000, 12_345_678, 900_000_000, 1_100_000_000, 600_000_000_000] {
            let wait = Duration::from_nanos(wait);
            let nows = (0..40).map(|at| Duration::from_micros(at * at * 977));
            let late = nows.map(|now| due(now, wait) - (now + wait));
            assert!(late.into_iter().all(|late| late < wait / 32 + Duration::from_nanos(1)));
        }
        let dues = (900..1_100).map(|wait| due(Duration::ZERO, Duration::from_millis(wait)));
        assert!(BTreeSet::from_iter(dues).len() < 30, "they are asked together");
        let often = HealthCheck { interval: Duration::ZERO, ..check };
        assert_eq!(wait(&often, true, false, 0.5), LEAST);
    }
}
