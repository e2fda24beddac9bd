//! What is kept is kept by key, as long as a configuration has it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use steelyard_model::routing::backend::{Backend, BackendNode, Edge};
use steelyard_model::routing::entry_point::PLAIN;
use steelyard_model::routing::filter::limit::{Counted, InFlightLimit};
use steelyard_model::routing::filter::{Filter, FilterNode, Use};
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::world::RoutingMap;

use crate::memory::{Kept, Memory};

fn usage(key: &str) -> Use {
    Use { filter: "any".into(), state: key.into() }
}

/// A listener with the uses of the first, and a backend for each of the rest with its on an edge.
fn map(keys: &[Vec<u8>]) -> RoutingMap {
    let mut map = RoutingMap::default();
    let uses = |keys: &[u8]| keys.iter().map(|key| usage(&key.to_string())).collect();
    let [first, rest @ ..] = keys else { return map };
    let mut listener = PLAIN.entry_point().listeners().remove(0);
    listener.uses = uses(first);
    map.listeners.insert(listener.id.clone(), Arc::new(listener));
    for (at, keys) in rest.iter().enumerate() {
        let edge = Edge { backend: "leaf".into(), weight: 1, uses: uses(keys) };
        let backend = Backend::Weighted { edges: vec![edge], sticky: None };
        let id = at.to_string();
        let node = BackendNode { id: id.as_str().into(), place: None, service: None, backend };
        map.backends.insert(node.id.clone(), Arc::new(node));
    }
    map
}

fn apply(memory: &mut Memory, former: &RoutingMap, now: &RoutingMap) {
    let lapsing = memory.change(former, now, &now.since(former));
    memory.forget(lapsing);
}

fn count(memory: &mut Memory, key: &str) -> u64 {
    memory.of::<AtomicU64>(&usage(key)).fetch_add(1, Ordering::Relaxed)
}

#[test]
fn uses_of_one_key_share_it_and_kinds_do_not() {
    let mut memory = Memory::default();
    apply(&mut memory, &RoutingMap::default(), &map(&[vec![1], vec![1, 2]]));
    assert_eq!(
        [count(&mut memory, "1"), count(&mut memory, "1"), count(&mut memory, "2")],
        [0, 1, 0]
    );
    let other: Kept<std::sync::atomic::AtomicBool> = memory.of(&usage("1"));
    assert!(!other.load(Ordering::Relaxed));
    assert_eq!(count(&mut memory, "1"), 2);
}

#[test]
fn it_lapses_with_the_last_use_and_begins_anew() {
    let mut memory = Memory::default();
    let (none, one, two) = (map(&[vec![]]), map(&[vec![1]]), map(&[vec![1], vec![1]]));
    apply(&mut memory, &RoutingMap::default(), &two);
    let kept: Kept<AtomicU64> = memory.of(&usage("1"));
    kept.fetch_add(5, Ordering::Relaxed);
    apply(&mut memory, &two, &one);
    assert!(!kept.lifespan().is_over());
    assert_eq!(count(&mut memory, "1"), 5);
    // From one use to another in one step it goes on.
    let moved = map(&[vec![], vec![1]]);
    apply(&mut memory, &one, &moved);
    assert!(!kept.lifespan().is_over());
    apply(&mut memory, &moved, &none);
    assert!(kept.lifespan().is_over() && memory.is_empty());
    // Who is late gets something that is nobody else's.
    assert_eq!((count(&mut memory, "1"), count(&mut memory, "1")), (0, 0));
    assert!(memory.of::<AtomicU64>(&usage("1")).lifespan().is_over());
    apply(&mut memory, &none, &one);
    assert!(kept.lifespan().is_over());
    assert_eq!((count(&mut memory, "1"), count(&mut memory, "1")), (0, 1));
}

/// A listener whose one use, of the key 1, is of the filter `outer`; and these filters, each with
/// what stands within it.
fn nested(filters: &[(&str, &[&str])]) -> RoutingMap {
    let mut map = RoutingMap::default();
    let mut listener = PLAIN.entry_point().listeners().remove(0);
    listener.uses = vec![Use { filter: "outer".into(), state: "1".into() }];
    map.listeners.insert(listener.id.clone(), Arc::new(listener));
    for (id, inner) in filters {
        let filter = match inner {
            [one] => Filter::When(Rule::always(), (*one).into()),
            all => Filter::AnyOf(all.iter().map(|id| (*id).into()).collect()),
        };
        let node = FilterNode { id: (*id).into(), place: None, filter };
        map.filters.insert(node.id.clone(), Arc::new(node));
    }
    map
}

#[test]
fn what_stands_within_a_filter_has_a_state_of_its_own() {
    let mut memory = Memory::default();
    let use_of = |id: &str| usage("1").within(&id.into());
    let both = nested(&[("outer", &["any"]), ("any", &["a", "b"])]);
    apply(&mut memory, &RoutingMap::default(), &both);
    assert_eq!(memory.len(), 4, "outer, any, a and b");
    let [a, b] = ["a", "b"].map(|id| memory.of::<AtomicU64>(&use_of(id)));
    a.fetch_add(5, Ordering::Relaxed);
    assert_eq!(b.load(Ordering::Relaxed), 0);
    // Only the definition changes, not who uses it.
    let fewer = nested(&[("outer", &["any"]), ("any", &["b", "c"])]);
    apply(&mut memory, &both, &fewer);
    assert!(a.lifespan().is_over() && !b.lifespan().is_over());
    assert!(!memory.of::<AtomicU64>(&use_of("c")).lifespan().is_over());
    // In a circle each is there once.
    let circle = nested(&[("outer", &["any"]), ("any", &["b", "outer", "any", "b"])]);
    apply(&mut memory, &fewer, &circle);
    assert_eq!(memory.len(), 3, "outer, any and b");
    assert!(!b.lifespan().is_over());
    apply(&mut memory, &circle, &RoutingMap::default());
    assert!(b.lifespan().is_over() && memory.is_empty());
}

/// What frames within others keep is that of the configuration, wherever they stand: in a chain
/// beside the same filter, and within each other.
#[test]
fn frames_within_others_keep_what_the_configuration_has() {
    let mut map = nested(&[]);
    let limit = Filter::InFlight(InFlightLimit {
        amount: 1,
        of: Counted::Host,
        status: 429,
        page: Default::default(),
    });
    for (id, filter) in [
        ("outer", Filter::Chain(vec!["limit".into(), "when".into()])),
        ("when", Filter::When(Rule::always(), "deeper".into())),
        ("deeper", Filter::When(Rule::always(), "limit".into())),
        ("limit", limit),
    ] {
        let node = FilterNode { id: id.into(), place: None, filter };
        map.filters.insert(node.id.clone(), Arc::new(node));
    }
    let mut memory = Memory::default();
    apply(&mut memory, &RoutingMap::default(), &map);
    let usage = Use { filter: "outer".into(), state: "1".into() };
    let members = usage.expanded(&map.filters).unwrap();
    assert_eq!(members.len(), 2);
    for member in members {
        let recipe = crate::Recipe::among(&member, &map.filters, &mut memory).unwrap();
        assert!(!recipe.has_lapsed(), "{member:?}");
    }
}

proptest! {
    /// Whatever configurations follow each other, there are as many keys as the last one has.
    #[test]
    fn keys_are_those_of_the_last_configuration(
        all in prop::collection::vec(prop::collection::vec(prop::collection::vec(0_u8..4, 0..3), 0..4), 1..8),
    ) {
        let mut memory = Memory::default();
        let mut former = RoutingMap::default();
        for keys in &all {
            let now = map(keys);
            apply(&mut memory, &former, &now);
            let mut known: BTreeSet<u8> = keys.iter().flatten().copied().collect();
            prop_assert_eq!(memory.len(), known.len());
            known.retain(|key| memory.of::<AtomicU64>(&usage(&key.to_string())).lifespan().is_over());
            prop_assert!(known.is_empty(), "{:?}", known);
            former = now;
        }
    }
}
