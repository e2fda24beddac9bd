//! The pools: found by name and by address, and in the order a Service tries them.
//!
//! A pool is known by its index; indexes follow (name, namespace), so that equally good pools are
//! tried by name.

mod pinned;
mod ranges;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::{Family, Labels, Pool, Selector, Service};

use crate::ledger::Place;
use crate::reserved::Reserved;
use crate::space::{Position, Space};
use pinned::Pinned;
use ranges::RangeIndex;

/// Label that Kubernetes gives every namespace.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// All pools.
#[derive(Clone, Debug)]
pub(crate) struct Pools {
    all: Vec<PoolState>,
    by_name: BTreeMap<Arc<str>, Vec<usize>>,
    ranges: RangeIndex,
    namespaces: BTreeMap<String, Labels>,
    /// What nobody is given.
    reserved: Reserved,
    pinned: Pinned,
    /// Pools for everybody (automatic, without serviceAllocation), in order.
    unpinned: BTreeSet<usize>,
    /// Those of them with a free address, per family.
    open: BTreeMap<Family, BTreeSet<usize>>,
}

/// A pool and what is used of it.
#[derive(Clone, Debug)]
pub(crate) struct PoolState {
    pub(crate) pool: Arc<Pool>,
    v4: Space,
    v6: Space,
}

/// What a pool's serviceAllocation has against a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// Its namespace is not among the pool's.
    Namespace,
    /// None of the pool's selectors selects it.
    Selector,
}

/// What a pool name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// This pool.
    Pool(usize),
    /// None.
    Unknown,
    /// One of several, in different namespaces.
    Ambiguous,
}

impl Pools {
    /// Everything free but what is `reserved`.
    pub(crate) fn new(
        pools: &[Pool],
        namespaces: &BTreeMap<String, Labels>,
        reserved: &Reserved,
    ) -> Self {
        let mut sorted: Vec<&Pool> = pools.iter().collect();
        sorted.sort_by(|a, b| (&a.id.name, &a.id.namespace).cmp(&(&b.id.name, &b.id.namespace)));
        let mut all: Vec<_> = sorted.into_iter().map(PoolState::new).collect();
        let mut by_name: BTreeMap<Arc<str>, Vec<usize>> = BTreeMap::new();
        for (index, state) in all.iter().enumerate() {
            by_name.entry(state.pool.id.name.clone()).or_default().push(index);
        }
        let ranges = RangeIndex::new(&all);
        reserve(&mut all, &ranges, reserved);
        let is_unpinned = |&index: &usize| {
            let pool: &Pool = &all[index].pool;
            pool.auto_assign && pool.allocation.is_none()
        };
        let unpinned: BTreeSet<usize> = (0..all.len()).filter(is_unpinned).collect();
        let open = |family| {
            let open = |index: &&usize| all[**index].space(family).is_open();
            (family, unpinned.iter().filter(open).copied().collect())
        };
        Self {
            open: [Family::V4, Family::V6].map(open).into(),
            by_name,
            ranges,
            namespaces: namespaces.clone(),
            reserved: reserved.clone(),
            pinned: Pinned::new(&all),
            unpinned,
            all,
        }
    }

    /// All of them, by (name, namespace).
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &PoolState)> {
        self.all.iter().enumerate()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    /// The pool at an index.
    pub(crate) fn get(&self, index: usize) -> &PoolState {
        &self.all[index]
    }

    /// The pool that `name` means to an object of `namespace`: its own namespace's, else the only
    /// one of that name.
    pub(crate) fn named(&self, name: &str, namespace: &str) -> Named {
        let indexes = self.by_name.get(name).map_or(&[][..], Vec::as_slice);
        let own = indexes.iter().find(|&&index| *self.all[index].pool.id.namespace == *namespace);
        match (own, indexes) {
            (Some(&index), _) | (None, &[index]) => Named::Pool(index),
            (None, []) => Named::Unknown,
            (None, _) => Named::Ambiguous,
        }
    }

    /// Names of all pools, each once.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(|name| &**name)
    }

    /// The places of `addresses` in the one pool that has all of them.
    pub(crate) fn locate(&self, addresses: &[IpAddr]) -> Option<Vec<Place>> {
        let first = self.places(*addresses.first()?);
        let pools: BTreeSet<usize> = first.map(|place| place.0).collect();
        pools.into_iter().find_map(|pool| self.locate_in(pool, addresses))
    }

    /// The places of `addresses` in the pool at `index`, if it has all of them.
    pub(crate) fn locate_in(&self, index: usize, addresses: &[IpAddr]) -> Option<Vec<Place>> {
        let place = |&address| self.places(address).find(|place| place.0 == index);
        addresses.iter().map(place).collect()
    }

    fn places(&self, address: IpAddr) -> impl Iterator<Item = Place> {
        places(&self.all, &self.ranges, address)
    }

    /// What nobody is given.
    pub(crate) fn reserved(&self) -> &Reserved {
        &self.reserved
    }

    /// The first free position of a pool.
    pub(crate) fn first_free(&self, index: usize, family: Family) -> Option<Position> {
        self.all[index].space(family).first_free()
    }

    /// The address at a place.
    pub(crate) fn address(&self, (pool, family, position): Place) -> IpAddr {
        self.all[pool].space(family).address(position)
    }

    /// Marks a place as used.
    pub(crate) fn take(&mut self, (pool, family, position): Place) {
        let space = self.all[pool].space_mut(family);
        space.take(position);
        if !space.is_open() {
            self.open.entry(family).or_default().remove(&pool);
        }
    }

    /// Marks a place as free, if anybody may be given it.
    pub(crate) fn release(&mut self, (pool, family, position): Place) {
        let space = self.all[pool].space_mut(family);
        space.release(position);
        if self.reserved.occupant(space.address(position)).is_some() {
            space.reserve(position);
        }
        if space.is_open() && self.unpinned.contains(&pool) {
            self.open.entry(family).or_default().insert(pool);
        }
    }

    /// Pools for everybody.
    pub(crate) fn unpinned(&self) -> impl Iterator<Item = usize> {
        self.unpinned.iter().copied()
    }

    /// The first pool for everybody after `after` that has a free address of `family`.
    pub(crate) fn next_open(&self, family: Family, after: Option<usize>) -> Option<usize> {
        let from = after.map_or(0, |pool| pool + 1);
        self.open[&family].range(from..).next().copied()
    }

    /// Whether a pool is for everybody.
    pub(crate) fn is_unpinned(&self, index: usize) -> bool {
        self.unpinned.contains(&index)
    }

    /// Automatic pools with a serviceAllocation that is for `service`: by priority, then name.
    pub(crate) fn pinned(&mut self, service: &Service) -> Vec<usize> {
        let namespace = &service.id.namespace;
        if !self.pinned.knows(namespace) {
            let labels = self.namespace_labels(namespace);
            self.pinned.learn(&self.all, namespace, &labels);
        }
        self.pinned.candidates(&self.all, namespace, &service.labels)
    }

    /// Whether a pool's serviceAllocation lets `service` use it.
    pub(crate) fn mismatch(&self, index: usize, service: &Service) -> Option<Mismatch> {
        let allocation = self.all[index].pool.allocation.as_ref()?;
        let namespace = &*service.id.namespace;
        let any_namespace =
            allocation.namespaces.is_empty() && allocation.namespace_selectors.is_empty();
        if !any_namespace
            && !allocation.namespaces.iter().any(|name| name == namespace)
            && !Selector::any(&allocation.namespace_selectors, &self.namespace_labels(namespace))
        {
            return Some(Mismatch::Namespace);
        }
        let selectors = &allocation.service_selectors;
        let selected = selectors.is_empty() || Selector::any(selectors, &service.labels);
        (!selected).then_some(Mismatch::Selector)
    }

    /// Labels of a namespace, with the one Kubernetes adds itself.
    fn namespace_labels(&self, namespace: &str) -> Labels {
        let mut labels = self.namespaces.get(namespace).cloned().unwrap_or_default();
        if !labels.contains_key(NAMESPACE_NAME) {
            labels.extend([(NAMESPACE_NAME.to_owned(), namespace.to_owned())]);
        }
        labels
    }
}

/// Where `address` is; in several pools if they overlap.
fn places<'a>(
    all: &'a [PoolState],
    ranges: &'a RangeIndex,
    address: IpAddr,
) -> impl Iterator<Item = Place> + 'a {
    let family = Family::of(address);
    ranges.find(address).filter_map(move |(pool, range)| {
        let position = all[pool].space(family).position(range, address)?;
        Some((pool, family, position))
    })
}

fn reserve(all: &mut [PoolState], ranges: &RangeIndex, reserved: &Reserved) {
    for address in reserved.addresses() {
        let places: Vec<Place> = places(all, ranges, address).collect();
        for (pool, family, position) in places {
            all[pool].space_mut(family).reserve(position);
        }
    }
}

impl PoolState {
    fn new(pool: &Pool) -> Self {
        Self {
            v4: Space::new(pool, Family::V4),
            v6: Space::new(pool, Family::V6),
            pool: Arc::new(pool.clone()),
        }
    }

    /// Its addresses of `family`.
    pub(crate) fn space(&self, family: Family) -> &Space {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    fn space_mut(&mut self, family: Family) -> &mut Space {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }
}
