//! How fast bodies of answers go on (`limit_rate`): so much of one as has its time by now, counted
//! from its first part; the rest is held until its own has come.

use std::time::{Duration, Instant};

use steelyard_http::TrailerLine;
use steelyard_model::routing::filter::nginx::NginxPace;

use crate::frame::{Direction, Flow, Needs, Piece};

/// Longest wait for one part.
const LONGEST: Duration = Duration::from_secs(3600);
/// Parts in a second, about.
const PARTS: u64 = 8;

/// An answer on its way.
#[derive(Clone, Debug)]
pub(super) struct Paced {
    since: Instant,
    /// Bytes that have gone on.
    bytes: u64,
    /// What its time has not come for.
    held: Vec<u8>,
    /// All of it has come, with this behind it.
    end: Option<Vec<TrailerLine>>,
}

pub(super) fn needs() -> Needs {
    Needs { response: Direction::Transform, ..Needs::default() }
}

impl Paced {
    pub(super) fn new(since: Instant) -> Self {
        Self { since, bytes: 0, held: Vec::new(), end: None }
    }

    /// Bytes that are held.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes a piece, and lets go what has its time.
    pub(super) fn response(
        &mut self,
        pace: &NginxPace,
        now: Instant,
        (piece, out): (Piece, &mut Vec<Piece>),
    ) -> Flow {
        match piece {
            Piece::Data(data) => self.held.extend_from_slice(&data),
            Piece::End(trailers) => self.end = Some(trailers),
            Piece::Flush => {}
        }
        let most = self.allowed(pace, now).saturating_sub(self.bytes);
        let count = usize::try_from(most).unwrap_or(usize::MAX).min(self.held.len());
        if count > 0 {
            self.bytes = self.bytes.saturating_add(count as u64);
            out.push(Piece::Data(self.held.drain(..count).collect::<Vec<u8>>().into()));
            out.push(Piece::Flush);
        }
        if !self.held.is_empty() {
            return Flow::WaitUntil(self.due(pace));
        }
        out.extend(self.end.take().map(Piece::End));
        Flow::Go
    }

    /// Bytes that may have gone on by now.
    fn allowed(&self, pace: &NginxPace, now: Instant) -> u64 {
        let millis = now.saturating_duration_since(self.since).as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        let since = pace.rate.saturating_mul(millis) / 1000;
        pace.after.saturating_add(pace.rate).saturating_add(since)
    }

    /// When the next part goes.
    fn due(&self, pace: &NginxPace) -> Instant {
        let rate = pace.rate.max(1);
        let part = (rate / PARTS).max(1).min(self.held.len() as u64);
        let first = pace.after.saturating_add(pace.rate);
        let then = self.bytes.saturating_add(part).saturating_sub(first);
        // A millisecond is begun before it is over.
        let millis = then.saturating_mul(1000).div_ceil(rate);
        self.since + Duration::from_millis(millis).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::tests::World;

    /// Bytes that go, and whether the end does.
    fn gone(out: &[Piece]) -> (usize, bool) {
        let length = |piece: &Piece| match piece {
            Piece::Data(bytes) => bytes.len(),
            Piece::Flush | Piece::End(_) => 0,
        };
        (out.iter().map(length).sum(), matches!(out.last(), Some(Piece::End(_))))
    }

    #[test]
    fn each_part_waits_for_its_time() {
        let (pace, since) = (NginxPace { rate: 1000, after: 500 }, World::new().now);
        let mut paced = Paced::new(since);
        let (mut now, mut out) = (since, Vec::new());
        let all = Piece::Data(Bytes::from(vec![7; 4000]));
        let mut flow = paced.response(&pace, now, (all, &mut out));
        assert_eq!(gone(&out), (1500, false));
        // The end comes while most of it is held, and goes behind it.
        flow = match paced.response(&pace, now, (Piece::End(Vec::new()), &mut out)) {
            Flow::Go => panic!("it waits, as before: {flow:?}"),
            waits => waits,
        };
        let mut steps = 0;
        while let Flow::WaitUntil(due) = flow {
            assert!(due > now, "it goes on");
            now = due;
            flow = paced.response(&pace, now, (Piece::Flush, &mut out));
            steps += 1;
        }
        assert_eq!(gone(&out), (4000, true));
        let took = (now - since).as_millis();
        assert!((2490..=2510).contains(&took), "{took} ms");
        assert!(steps <= 21, "{steps} parts");
        assert_eq!(paced.held(), 0);
    }

    #[test]
    fn what_is_slow_by_itself_waits_for_nothing() {
        let (pace, since) = (NginxPace { rate: 1000, after: 0 }, World::new().now);
        let (mut paced, mut out) = (Paced::new(since), Vec::new());
        for second in 0..3 {
            let now = since + Duration::from_secs(second);
            let piece = Piece::Data(Bytes::from(vec![7; 1000]));
            let flow = paced.response(&pace, now, (piece, &mut out));
            assert!(matches!(flow, Flow::Go), "{second}: {flow:?}");
        }
        assert_eq!(gone(&out).0, 3000);
    }
}
