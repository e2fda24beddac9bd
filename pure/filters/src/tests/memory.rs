//! What is kept is kept by key, as long as a configuration has it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use steelyard_model::routing::backend::{Backend, BackendNode, Edge};
use steelyard_model::routing::entry_point::PLAIN;
use steelyard_model::routing::filter::Use;
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
    let [mut listener, _] = PLAIN.entry_point().listeners();
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
