//! How fast bodies of answers go on (`limit_rate`): a part goes when its time has come, counted
//! from the first.

use std::time::{Duration, Instant};

use steelyard_model::routing::filter::nginx::NginxPace;

use crate::frame::{Direction, Flow, Needs, Piece};

/// Longest wait for one part.
const LONGEST: Duration = Duration::from_secs(3600);

pub(super) fn needs() -> Needs {
    Needs { response: Direction::Transform, ..Needs::default() }
}

/// `bytes` have gone on `since` then.
pub(super) fn response(
    pace: &NginxPace,
    (since, bytes): (Instant, &mut u64),
    now: Instant,
    (piece, out): (Piece, &mut Vec<Piece>),
) -> Flow {
    let Piece::Data(data) = &piece else {
        out.push(piece);
        return Flow::Go;
    };
    *bytes = bytes.saturating_add(data.len() as u64);
    let slow = bytes.saturating_sub(pace.after.max(pace.rate));
    out.push(piece);
    let wait = Duration::from_secs_f64(slow as f64 / pace.rate.max(1) as f64);
    let due = since + wait.min(LONGEST);
    if due > now { Flow::WaitUntil(due) } else { Flow::Go }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::tests::World;

    #[test]
    fn each_part_waits_for_its_time() {
        let (pace, since) = (NginxPace { rate: 1000, after: 0 }, World::new().now);
        let (mut bytes, mut out) = (0, Vec::new());
        for (size, seconds) in [(1000, None), (500, Some(0.5)), (2500, Some(3.0))] {
            let piece = Piece::Data(Bytes::from(vec![0; size]));
            let flow = response(&pace, (since, &mut bytes), since, (piece, &mut out));
            let waits = match flow {
                Flow::WaitUntil(due) => Some((due - since).as_secs_f64()),
                _ => None,
            };
            assert_eq!(waits, seconds, "{size}");
        }
        assert_eq!(out.len(), 3);
    }
}
