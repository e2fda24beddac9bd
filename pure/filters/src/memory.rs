//! What uses of filters keep from request to request, and over any number of configurations: by
//! the key that a use has for it ([`Use::state`]), whichever filter, route or core asks; what
//! stands within the filter that is used has keys of its own ([`Use::within`]).
//!
//! It is there as long as a configuration has a use with its key, and no longer: nothing hangs on
//! who still holds it. Whoever does sees that it has lapsed, and asks again.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use steelyard_model::Sorted;
use steelyard_model::routing::filter::Use;
use steelyard_model::routing::world::{Changed, RoutingDelta, RoutingMap};

/// What all uses keep.
#[derive(Debug, Default)]
pub struct Memory {
    /// What sources are mixed with before they are counted.
    seed: u64,
    by_key: BTreeMap<Arc<str>, Slot>,
}

/// What is kept under one key.
#[derive(Debug, Default)]
struct Slot {
    /// How many uses have the key.
    uses: usize,
    /// One of each type: filters of different kinds do not take each other's for theirs.
    kept: Vec<(TypeId, Arc<dyn Any + Send + Sync>)>,
    has_lapsed: Arc<AtomicBool>,
}

/// What one use keeps; its copies are the same.
#[derive(Debug)]
pub struct Kept<T>(Arc<KeptValue<T>>);

#[derive(Debug)]
struct KeptValue<T> {
    value: T,
    lifespan: Lifespan,
}

/// Whether what is kept still counts.
#[derive(Clone, Debug)]
pub struct Lifespan(Arc<AtomicBool>);

/// Keys that a new configuration has no more.
#[derive(Debug)]
#[must_use = "what is gone is forgotten once the new configuration is in force"]
pub struct Lapsing(Vec<Arc<str>>);

impl Memory {
    /// Nothing yet. Who does not know the seed cannot say which sources share a place.
    pub fn seeded(seed: u64) -> Self {
        Self { seed, by_key: BTreeMap::new() }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Takes in how `now` differs from `former`, before anybody goes by it: what it has anew may be
    /// kept from now on. What it has no more is forgotten by [`Self::forget`].
    pub fn change(
        &mut self,
        former: &RoutingMap,
        now: &RoutingMap,
        delta: &RoutingDelta,
    ) -> Lapsing {
        each_use(now, delta, &mut |it| {
            self.by_key.entry(it.state.clone()).or_default().uses += 1;
        });
        let mut lapsing = Vec::new();
        each_use(former, delta, &mut |it| {
            let Some(slot) = self.by_key.get_mut(&it.state) else { return };
            slot.uses = slot.uses.saturating_sub(1);
            if slot.uses == 0 {
                lapsing.push(it.state.clone());
            }
        });
        Lapsing(lapsing)
    }

    /// Forgets what is gone: who holds it still has the last of it.
    pub fn forget(&mut self, Lapsing(keys): Lapsing) {
        for key in keys {
            if let Some(slot) = self.by_key.remove(&key) {
                slot.has_lapsed.store(true, Ordering::Relaxed);
            }
        }
    }

    /// What is kept under the key of `usage`, fresh where there is nothing yet. Where no use of the
    /// configuration has the key (any more), it is kept for nobody else.
    pub fn of<T: Default + Send + Sync + 'static>(&mut self, usage: &Use) -> Kept<T> {
        let Some(slot) = self.by_key.get_mut(&usage.state) else {
            return Kept::fresh(Lifespan(Arc::new(true.into())));
        };
        let kind = TypeId::of::<T>();
        let known = slot.kept.iter().find(|(known, _)| *known == kind);
        if let Some(known) = known.and_then(|(_, it)| it.clone().downcast().ok()) {
            return Kept(known);
        }
        let fresh = Kept::<T>::fresh(Lifespan(slot.has_lapsed.clone()));
        slot.kept.push((kind, fresh.0.clone()));
        fresh
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

impl<T: Default> Kept<T> {
    fn fresh(lifespan: Lifespan) -> Self {
        Self(Arc::new(KeptValue { value: T::default(), lifespan }))
    }
}

impl<T> Kept<T> {
    /// Whether it still counts.
    pub fn lifespan(&self) -> &Lifespan {
        &self.0.lifespan
    }

    /// Where it is kept, which tells it from what others keep.
    pub(crate) fn place(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl<T> std::ops::Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Lifespan {
    /// Whether no configuration has it any more.
    pub fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The uses that `map` has of what a delta is about, and those within them.
fn each_use(map: &RoutingMap, delta: &RoutingDelta, see: &mut dyn FnMut(&Use)) {
    // Within a filter that changed may be others now, whoever uses it.
    let all = !delta.filters.is_empty();
    let see = &mut |usage: &Use| usage.each_within(&map.filters, see);
    for listener in concerned(&map.listeners, &delta.listeners, all) {
        listener.uses.iter().for_each(&mut *see);
    }
    for route in concerned(&map.routes, &delta.routes, all) {
        route.uses.iter().for_each(&mut *see);
    }
    for node in concerned(&map.backends, &delta.backends, all) {
        let edges = node.backend.edges().into_iter();
        edges.flat_map(|edge| &edge.uses).for_each(&mut *see);
    }
}

/// What there is of what changed, or all there is.
fn concerned<'m, K: Ord, V>(
    there: &'m Sorted<K, Arc<V>>,
    changed: &'m Changed<K, V>,
    all: bool,
) -> impl Iterator<Item = &'m Arc<V>> {
    let of_changed = || changed.iter().filter_map(|(id, _)| there.get(id));
    let every = all.then(|| there.values()).into_iter().flatten();
    every.chain((!all).then(of_changed).into_iter().flatten())
}
