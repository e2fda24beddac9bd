use proptest::prelude::*;
use steelyard_model::routing::care::{CheckProbe, HealthCheck, PassiveCheck};

use super::*;

#[allow(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
fn start() -> Instant {
    Instant::now()
}

const ALL: [Sign; 5] =
    [Sign::Checked, Sign::CheckFailed, Sign::Reached, Sign::Unreached, Sign::Erred];

fn checked(rise: u32, fall: u32) -> Care {
    let probe = CheckProbe::Connect { send: "".into(), expect: "".into() };
    Care { check: Some(HealthCheck { rise, fall, ..HealthCheck::new(probe) }), ..Care::default() }
}

fn watched(failures: u32) -> Care {
    Care { passive: Some(PassiveCheck { failures, ..PassiveCheck::default() }), ..Care::default() }
}

/// What a row of signs, a second apart, makes of an endpoint: a letter for each.
fn course(care: &Care, signs: &str) -> String {
    let start = start();
    let mut health = Health::new(None);
    let seen = signs.chars().zip(0..).map(|(sign, second)| {
        let now = start + Duration::from_secs(second);
        let sign = match sign {
            '+' => Sign::Checked,
            '-' => Sign::CheckFailed,
            'c' => Sign::Reached,
            'x' => Sign::Unreached,
            'e' => Sign::Erred,
            _ => return letter(health.fitness(now)),
        };
        health.see(now, sign, care);
        letter(health.fitness(now))
    });
    seen.collect()
}

fn letter(fitness: Fitness) -> char {
    match fitness {
        Fitness::Fit => 'F',
        Fitness::Shunned => 'S',
        Fitness::Down => 'D',
    }
}

#[test]
fn what_signs_make_of_an_endpoint() {
    let usual = Care::default();
    let with_both = Care { passive: watched(1).passive, ..checked(1, 1) };
    for (care, signs, expected) in [
        // Checks, as Traefik has them, and with more patience.
        (checked(1, 1), "+-+--+", "FDFDDF"),
        (checked(2, 3), "--+---+-++", "FFFFFDDDDF"),
        // Nobody is asked: nothing is said of it.
        (usual.clone(), "--", "FF"),
        // A second, then two, then four; and a connection ends it.
        (usual.clone(), "xx.x..x....", "FSFSSFSSSSF"),
        (usual.clone(), "xxc", "FSF"),
        (usual.clone(), "xcxcx", "FFFFF"),
        (usual.clone(), "xxcxx.", "FSFFSF"),
        (usual, "eeee", "FFFF"),
        // As in Traefik: so many in ten seconds, whatever is between, for ten seconds.
        (watched(1), "e.........c", "SSSSSSSSSSF"),
        (watched(3), "xece..........", "FFFSSSSSSSSSSF"),
        (watched(2), "x..........xc", "FFFFFFFFFFFFF"),
        // Who is down is down whatever else is known.
        (with_both, "x-+", "SDS"),
    ] {
        assert_eq!(course(&care, signs), expected, "{signs} of {care:?}");
    }
}

#[test]
fn half_are_shunned_at_most() {
    let heeded = [(1, 0), (1, 1), (2, 2), (3, 1), (9, 9)];
    assert!(heeded.iter().all(|(fit, shunned)| is_heeded(*fit, *shunned)));
    assert!([(0, 1), (1, 2), (4, 5)].iter().all(|(fit, shunned)| !is_heeded(*fit, *shunned)));
}

#[test]
fn who_is_new_gets_more_and_more() {
    let whole = Duration::from_secs(10);
    for (seconds, share) in [(0, 100), (1, 100), (5, 500), (9, 900), (10, 1_000), (99, 1_000)] {
        assert_eq!(slow_start(Duration::from_secs(seconds), whole), share);
    }
    assert_eq!(slow_start(Duration::ZERO, Duration::ZERO), 1_000);
}

proptest! {
    /// Any sign at any time, under any care: it never shuns longer than it says, is never down
    /// without a check, comes back when good signs come, and tells of each change once.
    #[test]
    fn whatever_happens(
        events in prop::collection::vec((0_u64..20_000, 0_usize..ALL.len()), 1..60),
        (rise, fall) in (1_u32..4, 1_u32..4),
        failures in prop::option::of(1_u32..4),
        has_check in any::<bool>(),
    ) {
        let mut care = if has_check { checked(rise, fall) } else { Care::default() };
        care.passive = failures.and_then(|failures| watched(failures).passive);
        let mut health = Health::new(None);
        let mut now = start();
        for (passed, sign) in events {
            now += Duration::from_millis(passed);
            let before = health.fitness(now);
            let told = health.see(now, ALL[sign], &care);
            let after = health.fitness(now);
            prop_assert_eq!(told, (before != after).then_some(after));
            prop_assert!(after != Fitness::Down || has_check);
            if after == Fitness::Shunned {
                let until = health.shunned_until().unwrap();
                prop_assert!(until > now && until <= now + Duration::from_secs(32));
            }
        }
        for _ in 0..rise {
            health.see(now, Sign::Checked, &care);
        }
        health.see(now, Sign::Reached, &care);
        prop_assert_eq!(health.fitness(now + Duration::from_secs(32)), Fitness::Fit);
        prop_assert!(care.passive.is_some() || health.fitness(now) == Fitness::Fit);
    }
}
