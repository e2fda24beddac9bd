//! The least busy of all, or the one that would have answered first.
//!
//! Of few endpoints all are looked at each time. Of many nobody looks at all: what each was found
//! to cost stands in a tree, whose first is looked at again before it is chosen, and some others
//! are in passing, one after the other. So what the chosen one costs is true, and what others cost
//! is at most so many choices old as there are endpoints for each look. Between equals the one
//! that waited longest is chosen.

use std::cell::{Cell, RefCell};

use super::cost::NEVER;
use super::tournament::Tournament;
use super::{Field, any_open, cost};

/// Up to so many all are looked at.
const FEW: usize = 16;

/// Of more, so many in passing.
const LOOKS: usize = 4;

/// How often the first turns out to cost more than was known.
const MOST_SECOND_LOOKS: usize = 16;

/// What each was found to cost.
#[derive(Debug, Default)]
pub(super) struct Least {
    known: RefCell<Tournament>,
    /// Who is looked at next.
    next: Cell<usize>,
    choices: Cell<u32>,
    typical: Cell<u64>,
}

impl Least {
    /// So many are there from now on; nothing is known of them.
    pub(super) fn follow(&self, count: usize) {
        *self.known.borrow_mut() = Tournament::new((0..count).map(|_| (0, 0)));
    }

    /// By how many requests each has, or whatever `cost` says.
    pub(super) fn pick<F: Field>(
        &self,
        field: &F,
        cost: impl Fn(&F, usize, u32) -> u64,
    ) -> Option<usize> {
        let mut known = self.known.borrow_mut();
        self.look_around(&mut known, field, &cost);
        for _ in 0..MOST_SECOND_LOOKS {
            let Some((at, (said, waits))) = known.best() else { break };
            let costs = cost(field, at, 1);
            if costs <= said && costs < NEVER {
                let number = self.number(&mut known, field.count());
                known.set(at, (cost(field, at, 2), number));
                return Some(at);
            }
            known.set(at, (costs, waits));
        }
        let at = known.best().map_or(0, |(at, _)| at);
        if cost(field, at, 1) < NEVER { Some(at) } else { any_open(field, at) }
    }

    /// By when each would have answered.
    pub(super) fn pick_soonest<F: Field>(&self, field: &F) -> Option<usize> {
        let typical = self.typical.get();
        let picked = self.pick(field, |field, at, more| cost::by_time(field, at, more, typical));
        if let Some(at) = picked {
            self.typical.set(cost::typical(typical, field, at));
        }
        picked
    }

    /// The number of a choice: who has the least of two waited longer. When they are used up, all
    /// wait anew.
    fn number(&self, known: &mut Tournament, count: usize) -> u32 {
        let number = self.choices.get().checked_add(1).unwrap_or_else(|| {
            *known = Tournament::new((0..count).map(|at| (known.rank(at).0, 0)));
            1
        });
        self.choices.set(number);
        number
    }

    fn look_around<F: Field>(
        &self,
        known: &mut Tournament,
        field: &F,
        cost: &impl Fn(&F, usize, u32) -> u64,
    ) {
        let count = field.count();
        let looks = if count <= FEW { count } else { LOOKS };
        let mut at = self.next.get();
        for _ in 0..looks {
            at = if at + 1 < count { at + 1 } else { 0 };
            let (said, waits) = known.rank(at);
            let costs = cost(field, at, 1);
            if costs != said {
                known.set(at, (costs, waits));
            }
        }
        self.next.set(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pick::tests::Scene;

    /// Nobody has more than it had for being the first after all numbers are used up.
    #[test]
    fn all_take_turns_when_numbers_begin_anew() {
        for count in [3, 40] {
            let scene = Scene::weighted(&vec![1; count]);
            let least = Least::default();
            least.follow(count);
            least.choices.set(u32::MAX - 7);
            let mut counts = vec![0_u32; count];
            let picks = (0..10 * count).filter_map(|_| least.pick(&scene, cost::by_load));
            picks.for_each(|at| counts[at] += 1);
            assert!(counts.iter().all(|it| (9..=11).contains(it)), "{counts:?}");
        }
    }
}
