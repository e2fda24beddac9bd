//! One after the other, each as often as its weight says: whoever is due first.
//!
//! Each endpoint is due again one step after its last turn, and a step is as long as its weight is
//! small; the first time it is due half a step after it came. In so many turns as all weights make
//! together each has exactly its own number of them.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use super::tournament::{Rank, Tournament};
use super::{Field, Member, any_open};

/// The time of one round of weight 1.
const ROUND: u64 = 1 << 40;

/// Beyond that time begins anew.
const LATEST: u64 = u64::MAX / 4;

/// Endpoints that are passed over for one turn because they are not fit.
const MOST_PASSED: usize = 16;

/// When each is due.
#[derive(Debug, Default)]
pub(super) struct Turns {
    due: RefCell<Tournament>,
    /// When the last one was.
    now: Cell<u64>,
}

impl Turns {
    /// Whoever is due first among those that are fit. Who is not loses its turn.
    pub(super) fn pick(&self, field: &impl Field) -> Option<usize> {
        let mut due = self.due.borrow_mut();
        let mut last = 0;
        for _ in 0..MOST_PASSED {
            let (at, (time, order)) = due.best()?;
            self.now.set(time);
            due.set(at, (time + step(field.weight(at)), order));
            if time > LATEST {
                self.begin_anew(&mut due, field.count());
            }
            if field.weight(at) > 0 && field.is_fit(at) {
                return Some(at);
            }
            last = at;
        }
        any_open(field, last)
    }

    /// Who stays is due when it was, measured by its weight of now; who comes, half a step from
    /// now.
    pub(super) fn follow(&self, before: &[Member], members: &[Member]) {
        let mut due = self.due.borrow_mut();
        let known: HashMap<u64, usize> =
            before.iter().enumerate().map(|(at, member)| (member.name, at)).collect();
        let now = self.now.get();
        let rank = |member: &Member| -> Rank {
            let step_now = step(member.weight);
            let ahead = match known.get(&member.name) {
                Some(at) => {
                    let ahead = due.rank(*at).0.saturating_sub(now);
                    scaled(ahead, step_now, step(before[*at].weight))
                }
                None => step_now / 2,
            };
            (now.saturating_add(ahead), 0)
        };
        let made = Tournament::new(members.iter().map(rank));
        *due = made;
    }

    fn begin_anew(&self, due: &mut Tournament, count: usize) {
        let start = self.now.replace(0);
        *due = Tournament::new((0..count).map(|at| (due.rank(at).0 - start, 0)));
    }
}

/// Nobody of weight 0 is asked when it is due: it is so late that it does not matter.
fn step(weight: u32) -> u64 {
    (ROUND / u64::from(weight.max(1))).max(1)
}

fn scaled(ahead: u64, to: u64, from: u64) -> u64 {
    let scaled = u128::from(ahead) * u128::from(to) / u128::from(from.max(1));
    u64::try_from(scaled).unwrap_or(LATEST)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pick::tests::Scene;

    fn turns(weights: &[u32]) -> (Turns, Scene) {
        let turns = Turns::default();
        let scene = Scene::weighted(weights);
        turns.follow(&[], &scene.members());
        (turns, scene)
    }

    fn picked(turns: &Turns, scene: &Scene, count: usize) -> Vec<usize> {
        (0..count).filter_map(|_| turns.pick(scene)).collect()
    }

    #[test]
    fn everyone_has_a_turn() {
        let (it, scene) = turns(&[1, 1, 1]);
        assert_eq!(picked(&it, &scene, 7), [0, 1, 2, 0, 1, 2, 0]);
        let (it, scene) = turns(&[5, 1, 1]);
        assert_eq!(picked(&it, &scene, 7), [0, 0, 0, 1, 2, 0, 0]);
        let (it, scene) = turns(&[0, 0]);
        assert_eq!(picked(&it, &scene, 1), [0_usize; 0]);
        let (it, scene) = turns(&[]);
        assert_eq!(it.pick(&scene), None);
    }

    #[test]
    fn who_is_not_fit_loses_its_turns_and_has_none_to_make_up_for() {
        let (it, mut scene) = turns(&[1, 1, 1]);
        scene.unfit = vec![1];
        assert_eq!(picked(&it, &scene, 4), [0, 2, 0, 2]);
        scene.unfit = Vec::new();
        assert_eq!(picked(&it, &scene, 4), [0, 1, 2, 0]);
        let (it, mut scene) = turns(&[1; 40]);
        scene.unfit = (0..39).collect();
        assert_eq!(picked(&it, &scene, 5), [39; 5]);
        scene.unfit.push(39);
        assert_eq!(it.pick(&scene), None);
    }

    #[test]
    fn a_round_goes_on_when_others_come_and_go() {
        let (it, scene) = turns(&[1, 1, 1, 1]);
        assert_eq!(picked(&it, &scene, 2), [0, 1]);
        let (before, mut after) = (scene.members(), scene.members());
        after.remove(0);
        it.follow(&before, &after);
        assert_eq!(picked(&it, &Scene::weighted(&[1; 3]), 3), [1, 2, 0]);
    }

    proptest! {
        #[test]
        fn shares_are_exact_over_a_period(weights in prop::collection::vec(0_u32..20, 1..6)) {
            let (it, scene) = turns(&weights);
            let total: u32 = weights.iter().sum();
            let mut counts = vec![0; weights.len()];
            picked(&it, &scene, total as usize).into_iter().for_each(|at| counts[at] += 1);
            prop_assert_eq!(counts, weights);
        }

        /// A weight that changes in the middle of a round moves who has it, and nobody else: the
        /// others have as many turns among themselves as ever.
        #[test]
        fn a_changed_weight_does_not_begin_a_round_anew(
            weights in prop::collection::vec(1_u32..9, 2..6),
            taken in 0_usize..40,
            other in 1_u32..9,
        ) {
            let (it, scene) = turns(&weights);
            let mut counts = vec![0_u32; weights.len()];
            for at in picked(&it, &scene, taken) { counts[at] += 1; }
            let before = scene.members();
            let changed: Vec<u32> = [other].into_iter().chain(weights[1..].iter().copied()).collect();
            let scene = Scene::weighted(&changed);
            it.follow(&before, &scene.members());
            for _ in 0..200 {
                let at = it.pick(&scene).unwrap();
                counts[at] += 1;
                let rounds = |at: usize| f64::from(counts[at]) / f64::from(weights[at]);
                let (a, b) = (1, weights.len() - 1);
                let slack = 1.0 / f64::from(weights[a]) + 1.0 / f64::from(weights[b]);
                prop_assert!((rounds(a) - rounds(b)).abs() <= slack, "{:?}", counts);
            }
        }
    }

    #[test]
    fn time_begins_anew_and_nobody_notices() {
        let (it, scene) = turns(&[1, 2]);
        let far = LATEST - ROUND;
        it.now.set(far);
        let late = (0..2).map(|at| (it.due.borrow().rank(at).0 + far, 0)).collect::<Vec<_>>();
        *it.due.borrow_mut() = Tournament::new(late.into_iter());
        let all = picked(&it, &scene, 12);
        assert_eq!(all.iter().filter(|at| **at == 1).count(), 8, "{all:?}");
        assert!(it.now.get() < far);
    }
}
