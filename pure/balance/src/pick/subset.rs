//! Subsets (ingress-nginx's `chashsubset`): endpoints stand in groups of a size, what has one key
//! goes to one group, and there to any. The last group is filled up with the first endpoints.
//!
//! Groups are made in an order that comes of names, so that all nodes make the same ones.

use std::cell::RefCell;

use super::hash::{among, mixed};
use super::{Field, Member, any_open, is_open};

/// Endpoints by groups.
#[derive(Debug)]
pub(super) struct Subset {
    size: usize,
    order: RefCell<Vec<u32>>,
}

impl Subset {
    pub(super) fn of(size: u32) -> Self {
        let size = usize::try_from(size).unwrap_or(usize::MAX).max(1);
        Self { size, order: RefCell::default() }
    }

    #[allow(clippy::cast_possible_truncation, reason = "there are not so many endpoints")]
    pub(super) fn follow(&self, members: &[Member]) {
        let mut order: Vec<u32> = (0..members.len() as u32).collect();
        order.sort_by_key(|at| mixed(members[*at as usize].name));
        *self.order.borrow_mut() = order;
    }

    /// One of a group's that is fit, from a drawn one on; one of any where none of it is.
    #[allow(clippy::cast_possible_truncation, reason = "half of it is chance enough")]
    pub(super) fn pick(&self, field: &impl Field, key: u64, draw: u64) -> Option<usize> {
        let order = self.order.borrow();
        let (count, size) = (order.len(), self.size.min(order.len()));
        if size == 0 {
            return None;
        }
        let groups = count.div_ceil(size);
        let first = group(key, groups) * size;
        let begin = among(draw as u32, size);
        let member = |step: usize| order[(first + (begin + step) % size) % count] as usize;
        let mut own = (0..size).map(member);
        own.find(|at| is_open(field, *at)).or_else(|| any_open(field, member(0)))
    }
}

/// The group that has a key: the highest score, so that few keys move when there are more groups.
fn group(key: u64, groups: usize) -> usize {
    let score = |group: &usize| mixed(key ^ mixed(*group as u64 + 1));
    (0..groups).max_by_key(score).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::pick::tests::Scene;

    /// Who takes what has one key, by so many draws.
    fn takers(subset: &Subset, scene: &Scene, key: u64) -> BTreeSet<usize> {
        let draw = |at: u64| mixed(at + 1);
        (0..200).filter_map(|at| subset.pick(scene, key, draw(at))).collect()
    }

    #[test]
    fn what_has_one_key_stays_within_one_group() {
        for (count, size) in [(6, 3), (7, 3), (2, 3), (5, 1), (1, 4)] {
            let scene = Scene::weighted(&vec![1; count]);
            let subset = Subset::of(u32::try_from(size).unwrap());
            subset.follow(&scene.members());
            let mut groups: BTreeMap<BTreeSet<usize>, usize> = BTreeMap::new();
            for key in 0..400 {
                let found = takers(&subset, &scene, mixed(key));
                assert_eq!(found.len(), size.min(count), "{count} by {size}");
                *groups.entry(found).or_default() += 1;
            }
            let all: BTreeSet<usize> = groups.keys().flatten().copied().collect();
            assert_eq!((all.len(), groups.len()), (count, count.div_ceil(size.min(count))));
            assert!(groups.values().all(|it| *it > 60), "{groups:?}");
        }
    }

    #[test]
    fn who_is_not_fit_is_passed_over() {
        let mut scene = Scene::weighted(&[1; 6]);
        let subset = Subset::of(2);
        subset.follow(&scene.members());
        let own = takers(&subset, &scene, 7);
        let first = *own.first().unwrap();
        scene.unfit = vec![first];
        assert_eq!(takers(&subset, &scene, 7).len(), 1);
        // Where nobody of a group is, others take it.
        scene.unfit = own.iter().copied().collect();
        let others = takers(&subset, &scene, 7);
        assert!(!others.is_empty() && others.is_disjoint(&own), "{others:?}");
        scene.unfit = (0..6).collect();
        assert!(takers(&subset, &scene, 7).is_empty());
        assert_eq!(Subset::of(3).pick(&scene, 1, 1), None, "there is nobody");
    }
}
