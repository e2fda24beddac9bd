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

/// Nobody is asked more often.
const LEAST: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
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
        let often = HealthCheck { interval: Duration::ZERO, ..check };
        assert_eq!(wait(&often, true, false, 0.5), LEAST);
    }
}
