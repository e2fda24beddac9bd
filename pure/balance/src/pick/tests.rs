//! Each algorithm over 100,000 requests against its definition, and what moves when one goes.

use std::cell::RefCell;

use proptest::prelude::*;

use super::hash::mixed;
use super::*;

/// Endpoints of a test.
pub(super) struct Scene {
    names: Vec<u64>,
    weights: Vec<u32>,
    loads: RefCell<Vec<u32>>,
    latencies: Vec<u64>,
    pub(super) unfit: Vec<usize>,
}

impl Scene {
    pub(super) fn weighted(weights: &[u32]) -> Self {
        let count = weights.len();
        Self {
            names: (0..count).map(|at| hash(format!("10.0.0.{at}:80").bytes())).collect(),
            weights: weights.to_vec(),
            loads: RefCell::new(vec![0; count]),
            latencies: vec![0; count],
            unfit: Vec::new(),
        }
    }

    pub(super) fn members(&self) -> Vec<Member> {
        let all = self.names.iter().zip(&self.weights);
        all.map(|(name, weight)| Member { name: *name, weight: *weight }).collect()
    }

    fn picker(&self, algorithm: &Algorithm) -> Picker {
        let picker = Picker::new(algorithm);
        picker.follow(self.members());
        picker
    }

    fn without(&self, at: usize) -> Self {
        let mut it = Self::weighted(&self.weights);
        it.names.clone_from(&self.names);
        it.weights.remove(at);
        it.names.remove(at);
        it.loads.borrow_mut().remove(at);
        it.latencies.remove(at);
        it
    }
}

impl Field for Scene {
    fn count(&self) -> usize {
        self.names.len()
    }

    fn weight(&self, at: usize) -> u32 {
        self.weights[at]
    }

    fn load(&self, at: usize) -> u32 {
        self.loads.borrow()[at]
    }

    fn latency(&self, at: usize) -> u64 {
        self.latencies[at]
    }

    fn is_fit(&self, at: usize) -> bool {
        !self.unfit.contains(&at)
    }
}

const REQUESTS: usize = 100_000;

fn lot(request: usize) -> Lot {
    let number = request as u64;
    Lot {
        draw: mixed(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        key: Some(hash(number.to_le_bytes())),
    }
}

/// How often each is the first.
fn counts(picker: &Picker, scene: &Scene) -> Vec<usize> {
    let mut counts = vec![0; scene.count()];
    for request in 0..REQUESTS {
        let first = picker.attempts(scene, lot(request)).next().unwrap();
        counts[first] += 1;
    }
    counts
}

/// Pearson's sum is not further from what it is on average than once in a million times.
#[track_caller]
fn check(counts: &[usize], shares: &[f64]) {
    let all: f64 = shares.iter().sum();
    let sum: f64 = counts
        .iter()
        .zip(shares)
        .map(|(count, share)| {
            let expected = share / all * REQUESTS as f64;
            if expected == 0.0 {
                *count as f64 * f64::INFINITY
            } else {
                (*count as f64 - expected).powi(2) / expected
            }
        })
        .filter(|part| !part.is_nan())
        .sum();
    let freedom = shares.iter().filter(|share| **share > 0.0).count() as f64 - 1.0;
    // Wilson and Hilferty's approximation, at 4.75 standard deviations.
    let z = 4.75 * (2.0 / (9.0 * freedom)).sqrt();
    let limit = freedom * (1.0 - 2.0 / (9.0 * freedom) + z).powi(3);
    assert!(sum < limit, "{sum} of {limit}: {counts:?}");
}

fn shares(weights: &[u32]) -> Vec<f64> {
    weights.iter().map(|weight| f64::from(*weight)).collect()
}

const WEIGHTS: [u32; 9] = [1, 2, 3, 4, 5, 10, 0, 7, 1];

#[test]
fn turns_are_exact() {
    let scene = Scene::weighted(&WEIGHTS);
    let counts = counts(&scene.picker(&Algorithm::RoundRobin), &scene);
    let all: u32 = WEIGHTS.iter().sum();
    for (count, weight) in counts.iter().zip(WEIGHTS) {
        let exact = REQUESTS as f64 * f64::from(weight) / f64::from(all);
        assert!((*count as f64 - exact).abs() <= 1.0, "{count} {exact}");
    }
}

/// Of n the i-th least busy is the better one of n − i pairs out of n (n − 1) / 2.
#[test]
fn the_better_of_two() {
    for algorithm in [Algorithm::TwoChoices, Algorithm::PeakEwma] {
        let mut scene = Scene::weighted(&[1; 10]);
        *scene.loads.borrow_mut() = (0..10).collect();
        scene.latencies = vec![1_000_000; 10];
        let expected: Vec<f64> = (0..10).map(|at| f64::from(9 - at)).collect();
        check(&counts(&scene.picker(&algorithm), &scene), &expected);
        *scene.loads.borrow_mut() = vec![7; 10];
        check(&counts(&scene.picker(&algorithm), &scene), &[1.0; 10]);
    }
    // By time alone, and by both.
    let mut scene = Scene::weighted(&[1; 4]);
    scene.latencies = vec![4_000, 3_000, 2_000, 1_000];
    check(&counts(&scene.picker(&Algorithm::PeakEwma), &scene), &[0.0, 1.0, 2.0, 3.0]);
    *scene.loads.borrow_mut() = vec![0, 1, 3, 9];
    check(&counts(&scene.picker(&Algorithm::PeakEwma), &scene), &[3.0, 2.0, 1.0, 0.0]);
}

/// What is given stays: everyone has as many as its weight says, and at every moment.
#[test]
fn the_least_busy_of_few_and_of_many() {
    for weights in [WEIGHTS.to_vec(), vec![1; 1_000], (0..1_000).map(|at| 1 + at % 3).collect()] {
        let scene = Scene::weighted(&weights);
        let picker = scene.picker(&Algorithm::Least);
        for request in 0..REQUESTS {
            let first = picker.attempts(&scene, lot(request)).next().unwrap();
            scene.loads.borrow_mut()[first] += 1;
        }
        let loads = scene.loads.borrow();
        let all: u32 = weights.iter().sum();
        for (load, weight) in loads.iter().zip(&weights) {
            let exact = REQUESTS as f64 * f64::from(*weight) / f64::from(all);
            assert!((f64::from(*load) - exact).abs() <= 1.0 + f64::from(*weight), "{load} {exact}");
        }
    }
}

/// Requests end in any order, and other cores have some too: of few the least busy is always
/// chosen, of many one that is hardly busier.
#[test]
fn the_least_busy_while_all_changes() {
    for (count, slack) in [(3, 0), (16, 0), (1_000, 1)] {
        let scene = Scene::weighted(&vec![1; count]);
        let picker = scene.picker(&Algorithm::Least);
        let mut held = Vec::new();
        for request in 0..20_000_usize {
            let first = picker.attempts(&scene, lot(request)).next().unwrap();
            let mut loads = scene.loads.borrow_mut();
            let least = *loads.iter().min().unwrap();
            if request > 5 * count {
                assert!(loads[first] <= least + slack, "{} {least} at {request}", loads[first]);
            }
            let elsewhere = among_all(request, count);
            for at in [first, elsewhere] {
                loads[at] += 1;
                held.push(at);
            }
            while held.len() > 2 * count {
                let at = held.swap_remove(among_all(request ^ held.len(), held.len()));
                loads[at] -= 1;
            }
        }
    }
}

fn among_all(request: usize, count: usize) -> usize {
    usize::try_from(mixed(request as u64 ^ 0xabcd) % count as u64).unwrap()
}

#[test]
fn idle_endpoints_take_turns() {
    for count in [5, 1_000] {
        let scene = Scene::weighted(&vec![1; count]);
        let counts = counts(&scene.picker(&Algorithm::Least), &scene);
        let each = REQUESTS / count;
        assert!(counts.iter().all(|it| it.abs_diff(each) <= 1 + each / 20), "{counts:?}");
    }
}

/// Each has as much to do as it does in the same time.
#[test]
fn the_soonest() {
    let mut scene = Scene::weighted(&[1, 1, 1, 2]);
    scene.latencies = vec![1_000, 2_000, 0, 4_000];
    let picker = scene.picker(&Algorithm::LeastTime);
    for request in 0..REQUESTS {
        let first = picker.attempts(&scene, lot(request)).next().unwrap();
        scene.loads.borrow_mut()[first] += 1;
    }
    let loads = scene.loads.borrow().clone();
    assert!(loads[0].abs_diff(2 * loads[1]) <= 3 && loads[1].abs_diff(loads[3]) <= 3, "{loads:?}");
    assert!(loads[2] >= loads[1] && loads[2] <= loads[0] + 1, "who is new is as others: {loads:?}");
}

fn hashing() -> [Algorithm; 2] {
    [Algorithm::Maglev(Box::default()), Algorithm::Rendezvous(Box::default())]
}

#[test]
fn hashes_share_by_weight_and_know_who_comes_again() {
    for algorithm in hashing() {
        for weights in [vec![1; 10], WEIGHTS.to_vec(), vec![1; 40]] {
            let scene = Scene::weighted(&weights);
            let picker = scene.picker(&algorithm);
            check(&counts(&picker, &scene), &shares(&weights));
            let again = scene.picker(&algorithm);
            let first = |picker: &Picker, key| {
                let lot = Lot { draw: 0, key: Some(hash([key])) };
                picker.attempts(&scene, lot).next()
            };
            for key in 0..50 {
                assert_eq!(first(&picker, key), first(&again, key));
            }
        }
    }
}

/// How many of those move that were elsewhere than at the one that goes.
fn moved(algorithm: &Algorithm, count: usize, gone: usize) -> usize {
    let scene = Scene::weighted(&vec![1; count]);
    let without = scene.without(gone);
    let (before, after) = (scene.picker(algorithm), without.picker(algorithm));
    let keys = (0..REQUESTS).map(lot);
    keys.filter(|lot| {
        let was = before.attempts(&scene, *lot).next().unwrap();
        let is = after.attempts(&without, *lot).next().unwrap();
        was != gone && is != if was > gone { was - 1 } else { was }
    })
    .count()
}

#[test]
fn few_move_when_one_goes() {
    for (count, gone) in [(10, 3), (40, 39)] {
        let [maglev, rendezvous] = hashing().map(|algorithm| moved(&algorithm, count, gone));
        assert_eq!(rendezvous, 0);
        assert!(maglev < REQUESTS * 2 / 100, "{maglev} of {count}");
    }
}

/// Who is not fit has its keys taken by others, and gets them back; all others keep theirs.
#[test]
fn keys_of_who_is_not_fit_are_spread_and_come_back() {
    for algorithm in hashing() {
        for count in [5, 40] {
            let mut scene = Scene::weighted(&vec![1; count]);
            let picker = scene.picker(&algorithm);
            let firsts = |scene: &Scene| -> Vec<usize> {
                (0..2_000).filter_map(|at| picker.attempts(scene, lot(at)).next()).collect()
            };
            let before = firsts(&scene);
            scene.unfit = vec![1];
            let during = firsts(&scene);
            for (was, is) in before.iter().zip(&during) {
                assert!(*was == 1 && *is != 1 || was == is, "{was} {is}");
            }
            let heirs = before.iter().zip(&during).filter(|(was, _)| **was == 1);
            let heirs: std::collections::BTreeSet<_> = heirs.map(|(_, is)| is).collect();
            assert!(heirs.len() > count / 2, "{heirs:?}");
            scene.unfit.clear();
            assert_eq!(firsts(&scene), before);
        }
    }
}

fn algorithms() -> [Algorithm; 7] {
    let [maglev, rendezvous] = hashing();
    use Algorithm::{Least, LeastTime, PeakEwma, RoundRobin, TwoChoices};
    [RoundRobin, TwoChoices, Least, LeastTime, PeakEwma, maglev, rendezvous]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whoever is there: the first one is fit, if anybody is, and each is tried once.
    #[test]
    fn whoever_is_chosen_may_be(
        weights in prop::collection::vec(0_u32..3, 0..40),
        unfit in prop::collection::vec(0_usize..40, 0..60),
        loads in prop::collection::vec(0_u32..5, 40),
        latencies in prop::collection::vec(prop_oneof![Just(0), any::<u64>()], 40),
        requests in prop::collection::vec(any::<(u64, Option<u64>)>(), 1..20),
    ) {
        let count = weights.len();
        let mut scene = Scene::weighted(&weights);
        scene.unfit = unfit;
        *scene.loads.borrow_mut() = loads[..count].to_vec();
        scene.latencies = latencies[..count].to_vec();
        let is_open = |at: usize| scene.weights[at] > 0 && !scene.unfit.contains(&at);
        for algorithm in algorithms() {
            let picker = scene.picker(&algorithm);
            for (draw, key) in &requests {
                let mut all: Vec<usize> =
                    picker.attempts(&scene, Lot { draw: *draw, key: *key }).collect();
                prop_assert_eq!(all.is_empty(), !(0..count).any(is_open), "{:?}", algorithm);
                if let Some(first) = all.first() {
                    prop_assert!(is_open(*first), "{:?}", algorithm);
                    all.sort_unstable();
                    prop_assert!(all.into_iter().eq(0..count));
                }
            }
        }
    }

    /// Where one is there alone, nobody needs to be asked.
    #[test]
    fn who_is_alone_is_chosen_by_any_algorithm(
        weight in 0_u32..3,
        unfit in any::<bool>(),
        load in any::<u32>(),
        latency in any::<u64>(),
        draw in any::<u64>(),
        key in any::<Option<u64>>(),
    ) {
        let mut scene = Scene::weighted(&[weight]);
        *scene.loads.borrow_mut() = vec![load];
        (scene.latencies, scene.unfit) = (vec![latency], if unfit { vec![0] } else { vec![] });
        for algorithm in algorithms() {
            let lot = Lot { draw, key };
            let shortcut = scene.picker(&algorithm).attempts(&scene, lot);
            let whole = scene.picker(&algorithm).choose(&scene, lot);
            prop_assert!(shortcut.eq(whole), "{:?}", algorithm);
        }
    }
}
