//! When a breaker opens and closes.

use super::*;
use crate::memory::Memory;
use crate::tests::{Sent, World, kept};

struct Tried {
    breaker: Breaker,
    world: World,
    begin: Instant,
}

impl Tried {
    fn new(expression: &str) -> Self {
        let it = CircuitBreaker {
            expression: expression.into(),
            check_period: Duration::from_millis(100),
            fallback: Duration::from_secs(10),
            recovery: Duration::from_secs(10),
            status: 503,
        };
        let breaker = Breaker::new(&it, kept(&mut Memory::default())).unwrap();
        let world = World::new();
        let begin = world.now;
        Self { breaker, world, begin }
    }

    /// What a request gets, whose endpoint answers `status` after so many milliseconds; the time
    /// is in milliseconds.
    fn ask(&mut self, at: u64, status: u16, after: u64) -> u16 {
        let mut frame = self.breaker.clone();
        self.world.now = self.begin + Duration::from_millis(at);
        let mut request = RequestEdits::new(&Sent);
        match frame.enter(&mut self.world.context(), &mut request, Got::Nothing) {
            Enter::Next => {}
            Enter::Answer(answer) => return answer.status,
            Enter::Ask(ask) => panic!("{ask:?}"),
        }
        self.world.now += Duration::from_millis(after);
        let response = Response::of(status);
        let mut edits = ResponseEdits::new(&response);
        let left = frame.leave(&mut self.world.context(), &mut edits, Got::Nothing);
        assert!(matches!(left, Leave::Next));
        status
    }

    fn share(&mut self, from: u64, to: u64) -> f64 {
        let passed = (from..to).filter(|at| self.ask(*at, 200, 0) == 200).count();
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let share = passed as f64 / (to - from) as f64;
        share
    }
}

#[test]
fn it_opens_asks_more_and_more_again_and_closes() {
    let mut tried = Tried::new("NetworkErrorRatio() > 0.5");
    assert_eq!(tried.ask(0, 200, 1), 200);
    assert_eq!(tried.ask(200, 502, 1), 502);
    // Half is not more than half.
    assert_eq!(tried.ask(400, 200, 1), 200);
    assert_eq!((tried.ask(600, 504, 1), tried.ask(800, 502, 1)), (504, 502));
    let opened = 801;
    for at in [802, 5000, opened + 9_998] {
        assert_eq!(tried.ask(at, 200, 1), 503, "{at}");
    }
    let begin = opened + 10_000;
    let (early, late) =
        (tried.share(begin, begin + 2000), tried.share(begin + 8000, begin + 10_000));
    assert!(early < 0.15 && (0.7..1.0).contains(&late), "{early} {late}");
    assert!((tried.share(begin + 10_001, begin + 11_000) - 1.0).abs() < f64::EPSILON);
}

#[test]
fn the_first_response_is_looked_at() {
    let mut tried = Tried::new("ResponseCodeRatio(500, 600, 0, 600) > 0.5");
    assert_eq!((tried.ask(0, 500, 1), tried.ask(2, 500, 1)), (500, 503));
    let mut tried = Tried::new("ResponseCodeRatio(500, 600, 0, 600) > 0.5");
    assert_eq!((tried.ask(0, 200, 1), tried.ask(2, 500, 1)), (200, 500));
}

#[test]
fn it_opens_again_while_it_recovers() {
    let mut tried = Tried::new("ResponseCodeRatio(500, 600, 0, 600) > 0.25");
    assert_eq!([0, 200, 300].map(|at| tried.ask(at, 500, 1)), [500, 503, 503]);
    let mut answers = (0..1000).map(|it| tried.ask(15_000 + it, 500, 0));
    assert_eq!(answers.find(|it| *it == 500), Some(500));
    assert!(answers.all(|it| it == 503));
}

#[test]
fn slow_endpoints_open_it() {
    let mut tried = Tried::new("LatencyAtQuantileMS(50.0) > 100");
    for (at, after, expected) in [
        (0, 50, 200),
        (200, 500, 200),
        (1000, 50, 200),
        (2000, 500, 200),
        (3000, 500, 200),
        (4000, 1, 503),
    ] {
        assert_eq!(tried.ask(at, 200, after), expected, "{at}");
    }
}

#[test]
fn what_was_long_ago_does_not_count() {
    let mut tried = Tried::new("NetworkErrorRatio() > 0.2");
    // Not looked at yet: the first look is after the check period.
    assert_eq!(tried.ask(0, 200, 0), 200);
    assert_eq!(tried.ask(20, 502, 0), 502);
    assert_eq!(tried.ask(12_000, 200, 0), 200);
    assert_eq!(tried.ask(12_200, 200, 0), 200);
    let no_condition = CircuitBreaker {
        expression: "Attempts() > 1".into(),
        check_period: Duration::ZERO,
        fallback: Duration::ZERO,
        recovery: Duration::ZERO,
        status: 503,
    };
    assert!(Breaker::new(&no_condition, kept(&mut Memory::default())).is_none());
}
