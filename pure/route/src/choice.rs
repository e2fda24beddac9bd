//! Which of the matching routes serves: both ladders bid, the higher bid wins, and the winning
//! ladder serves its own best.
//!
//! A ladder bids the highest number of all its matching routes, so another route on one ladder
//! never moves a request to the other; only a fallback that becomes the best of its ladder lowers
//! its bid to the least there is.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::candidate::Candidate;
use steelyard_model::routing::rank::{Ladder, Rank};
use steelyard_model::routing::subject::Subject;

/// What a ladder offers for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bid {
    /// The highest number of its matching routes.
    pub number: i64,
    /// Position in `providers.precedence` of the route that has it; lower wins a tie.
    pub provider: u8,
}

/// The route that serves, and what decided.
#[derive(Debug)]
pub struct Choice<'t, T> {
    /// The route.
    pub candidate: &'t Arc<T>,
    /// What its ladder bid and what the other did; none where only one ladder has a route that
    /// matches.
    pub bids: Option<(Bid, Bid)>,
}

impl Bid {
    /// The bid of a ladder whose best route is a fallback.
    fn least(best: &Rank) -> Self {
        Self { number: i64::MIN, provider: best.provider }
    }

    /// What the route `rank` bids by itself.
    pub(crate) fn of(rank: &Rank) -> Self {
        Self { number: rank.number, provider: rank.provider }
    }

    /// Whether this bid is higher than `other`.
    pub fn beats(self, other: Self) -> bool {
        match self.number.cmp(&other.number) {
            Ordering::Greater => true,
            Ordering::Equal => self.provider < other.provider,
            Ordering::Less => false,
        }
    }
}

/// The best route of one ladder, and how to learn what the ladder bids: the highest bid of all
/// its routes that match.
pub(crate) struct Side<'t, T, H: FnOnce() -> Bid> {
    pub(crate) best: &'t Arc<T>,
    pub(crate) highest: H,
}

/// Joins what the two ladders have. Bids are asked for only where both have a route.
pub(crate) fn decide<'t, T: Candidate, S: FnOnce() -> Bid, P: FnOnce() -> Bid>(
    specific: Option<Side<'t, T, S>>,
    priority: Option<Side<'t, T, P>>,
) -> Option<Choice<'t, T>> {
    let (specific, priority) = match (specific, priority) {
        (Some(specific), Some(priority)) => (specific, priority),
        (Some(one), None) => return Some(Choice { candidate: one.best, bids: None }),
        (None, other) => {
            return other.map(|one| Choice { candidate: one.best, bids: None });
        }
    };
    let (ours, theirs) =
        (bid(&**specific.best, specific.highest), bid(&**priority.best, priority.highest));
    // Equal in number and provider: the narrower world first.
    Some(if theirs.beats(ours) {
        Choice { candidate: priority.best, bids: Some((theirs, ours)) }
    } else {
        Choice { candidate: specific.best, bids: Some((ours, theirs)) }
    })
}

fn bid<T: Candidate>(best: &T, highest: impl FnOnce() -> Bid) -> Bid {
    if best.rank().specific.is_fallback { Bid::least(best.rank()) } else { highest() }
}

/// The plain definition that [`crate::RuleTable::choose`] must equal: looks at all of them.
pub fn choose_by_scan<'t, T: Candidate>(
    candidates: impl Iterator<Item = &'t Arc<T>> + Clone,
    subject: &impl Subject,
) -> Option<Choice<'t, T>> {
    let side = |ladder: Ladder| {
        let matching = candidates
            .clone()
            .filter(move |candidate| candidate.rank().ladder == ladder)
            .filter(|candidate| candidate.rule().holds(subject));
        let best = matching.clone().min_by(|a, b| a.before(b))?;
        let highest = move || {
            let bids = matching.map(|candidate| Bid::of(candidate.rank()));
            bids.reduce(|a, b| if b.beats(a) { b } else { a }).expect("the best one matches")
        };
        Some(Side { best, highest })
    };
    decide(side(Ladder::Specific), side(Ladder::Priority))
}
