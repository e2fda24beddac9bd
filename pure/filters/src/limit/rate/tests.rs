//! When requests are let in.

use std::time::Duration;

use steelyard_model::routing::filter::access::ClientSource;

use super::*;
use crate::memory::Memory;
use crate::tests::{Sent, World, kept};

fn limit(average: u64, period: Duration, burst: u64) -> RateLimit {
    let of = Counted::Client(ClientSource::default());
    RateLimit { average, period, burst, of, redis: None, status: 429, page: Default::default() }
}

/// What a request at that many milliseconds comes to: `.` passes, a number waits so many
/// milliseconds, `x` is refused.
fn line(limit: &RateLimit, at: &[u64]) -> String {
    let mut memory = Memory::default();
    let rate = Rate::new(limit, kept(&mut memory), 1);
    let mut world = World::new();
    let begin = world.now;
    let mut line = Vec::new();
    for millis in at {
        world.now = begin + Duration::from_millis(*millis);
        let mut frame = rate.clone();
        let mut request = RequestEdits::new(&Sent);
        line.push(match frame.enter(&mut world.context(), &mut request, Got::Nothing) {
            Enter::Next => ".".to_owned(),
            Enter::Ask(Ask::Sleep(wait)) => {
                let mut request = RequestEdits::new(&Sent);
                let again = frame.enter(&mut world.context(), &mut request, Got::Nothing);
                assert!(matches!(again, Enter::Next));
                wait.as_millis().to_string()
            }
            Enter::Ask(ask) => panic!("{ask:?}"),
            Enter::Answer(answer) => {
                assert_eq!(answer.status, 429);
                "x".to_owned()
            }
        });
    }
    line.join(" ")
}

#[test]
fn requests_are_let_in_as_the_bucket_fills() {
    let second = Duration::from_secs(1);
    for (limit, at, expected) in [
        (limit(0, second, 1), &[0, 0, 0][..], ". . ."),
        (limit(10, second, 1), &[0, 0, 50, 50, 200, 500], ". x 50 x . ."),
        (limit(10, second, 3), &[0, 0, 0, 0, 49, 50, 100], ". . . x x 50 x"),
        (limit(1, second, 1), &[0, 400, 500, 1000, 1500, 2500], ". x 500 x 500 500"),
        (limit(1, 10 * second, 1), &[0, 9400, 9500], ". x 500"),
        (limit(60, 60 * second, 2), &[0, 0, 0, 600, 5000, 5000], ". . x 400 . ."),
        (limit(10, second, 0), &[0, 1000], "x x"),
        (limit(u64::MAX, second, 1), &[0, 0, 0], ". . ."),
        (limit(1, Duration::MAX, u64::MAX), &[0, 0, 0], ". . ."),
    ] {
        assert_eq!(line(&limit, at), expected, "{limit:?}");
    }
}

#[test]
fn what_is_refused_is_told_when_to_come_again() {
    let told = |average, period, burst, wait| {
        let pace = Pace::new(average, period, burst).unwrap();
        let response = too_many(pace, wait);
        let line = |name: &str| {
            let line = steelyard_http::Head::first(&response, name);
            line.map(|it| String::from_utf8_lossy(it).into_owned())
        };
        (line("Retry-After"), line("X-Retry-In"), response.body.clone())
    };
    let second = Duration::from_secs(1);
    assert_eq!(
        told(1, second, 1, Duration::from_micros(1_000_400)),
        (Some("2".into()), Some("1.001s".into()), "Too Many Requests".into())
    );
    for (millis, printed) in
        [(0, "0ms"), (150, "150ms"), (59_957, "59.957s"), (61_000, "1m1s"), (3_602_500, "1h0m2.5s")]
    {
        assert_eq!(told(1, second, 1, Duration::from_millis(millis)).1.as_deref(), Some(printed));
    }
    assert_eq!(told(1, second, 0, second), (None, None, "No bursty traffic allowed".into()));
}

/// Many threads, one budget; and sources do not take each other's.
#[test]
fn one_budget_for_all_cores() {
    let buckets = Buckets::default();
    let pace = Pace::new(1000, Duration::from_secs(1), 500).unwrap();
    let begin = World::new().now;
    let taken: usize = std::thread::scope(|scope| {
        let run = |thread: u64| {
            let buckets = &buckets;
            move || {
                (0..2000_u64)
                    .filter(|it| {
                        let now = begin + Duration::from_micros(it * 1000);
                        _ = buckets.take(1000 + thread, pace, now);
                        buckets.take(1, pace, now).is_ok()
                    })
                    .count()
            }
        };
        let threads: Vec<_> = (0..4).map(|it| scope.spawn(run(it))).collect();
        threads.into_iter().map(|it| it.join().unwrap_or(0)).sum()
    });
    // 500 at once, 1,000 a second for two seconds, and who came half a turn early.
    assert!((2400..=2502).contains(&taken), "{taken}");
}

/// More sources than places: the table stays as large as it is, and who has just taken is
/// remembered before who has waited long.
#[test]
fn a_flood_of_sources_forgets_the_fullest() {
    let buckets = Buckets::default();
    let pace = Pace::new(1, Duration::from_secs(10), 1).unwrap();
    let begin = World::new().now;
    let number = |it: u64| it.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for it in 0..200_000 {
        assert!(buckets.take(number(it), pace, begin).is_ok(), "{it}");
    }
    let later = begin + Duration::from_secs(1);
    assert!(buckets.take(7, pace, later).is_ok());
    assert!(buckets.take(7, pace, later).is_err());
}
