//! Pools with a serviceAllocation, found for a Service without looking at each of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_model::{Labels, Selector, ServiceAllocation};

use super::PoolState;

/// Automatic pools with a serviceAllocation.
#[derive(Clone, Debug, Default)]
pub(super) struct Pinned {
    /// Place of each pool by priority, unset last, then as MetalLB breaks ties.
    rank: BTreeMap<usize, usize>,
    /// Pools that name namespaces, by namespace.
    by_namespace: BTreeMap<String, Vec<usize>>,
    /// Pools that select namespaces by label.
    by_namespace_label: Vec<usize>,
    /// The latter for a namespace, found once.
    selected: BTreeMap<Arc<str>, Vec<usize>>,
    /// Pools for all namespaces whose every Service selector wants a label, by that label.
    by_label: BTreeMap<(String, String), Vec<usize>>,
    /// Other pools for all namespaces.
    anywhere: Vec<usize>,
}

/// Unset or not, priority, and which of two equals comes first.
type Rank = (bool, i64, bool);

/// Pools without a priority that select Services: MetalLB tries the last by name first.
const UNRANKED_BY_LABEL: Rank = (true, 0, false);

/// Of equal priorities MetalLB tries pools that name namespaces before those that only select
/// Services; without a priority it is the other way about, by the way it sorts.
fn rank(allocation: &ServiceAllocation) -> Rank {
    let unset = allocation.priority == 0;
    let any_namespace =
        allocation.namespaces.is_empty() && allocation.namespace_selectors.is_empty();
    let any_service = allocation.service_selectors.is_empty() && !any_namespace;
    (unset, allocation.priority, if unset { any_service } else { any_namespace })
}

impl Pinned {
    /// Sorts the pools into their drawers.
    pub(super) fn new(all: &[PoolState]) -> Self {
        let mut pinned = Self::default();
        let mut order = Vec::new();
        for (index, state) in all.iter().enumerate() {
            let Some(allocation) = &state.pool.allocation else { continue };
            if state.pool.auto_assign {
                order.push((rank(allocation), index));
                pinned.file(index, allocation);
            }
        }
        // Pools of one rank by name; those that select Services without a priority against it.
        order.sort_unstable_by_key(|&(rank, index)| {
            let index = index.cast_signed();
            (rank, if rank == UNRANKED_BY_LABEL { -index } else { index })
        });
        pinned.rank =
            order.into_iter().enumerate().map(|(rank, (_, index))| (index, rank)).collect();
        pinned
    }

    fn file(&mut self, index: usize, allocation: &ServiceAllocation) {
        let for_all = allocation.namespaces.is_empty() && allocation.namespace_selectors.is_empty();
        for namespace in &allocation.namespaces {
            self.by_namespace.entry(namespace.clone()).or_default().push(index);
        }
        if !allocation.namespace_selectors.is_empty() {
            self.by_namespace_label.push(index);
        }
        if !for_all {
            return;
        }
        let first_label = |selector: &Selector| {
            let (key, value) = selector.match_labels.iter().next()?;
            Some((key.clone(), value.clone()))
        };
        let labels: Option<Vec<_>> = allocation.service_selectors.iter().map(first_label).collect();
        match labels {
            Some(labels) if !labels.is_empty() => {
                for label in labels {
                    self.by_label.entry(label).or_default().push(index);
                }
            }
            _ => self.anywhere.push(index),
        }
    }

    /// Whether [`Self::learn`] was called for a namespace, or need not be.
    pub(super) fn knows(&self, namespace: &str) -> bool {
        self.by_namespace_label.is_empty() || self.selected.contains_key(namespace)
    }

    /// Finds the pools that select a namespace by its labels.
    pub(super) fn learn(&mut self, all: &[PoolState], namespace: &Arc<str>, labels: &Labels) {
        let selects = |index: &&usize| {
            let allocation = all[**index].pool.allocation.as_ref();
            allocation.is_some_and(|it| Selector::any(&it.namespace_selectors, labels))
        };
        let selecting = self.by_namespace_label.iter().filter(selects).copied().collect();
        self.selected.insert(namespace.clone(), selecting);
    }

    /// The pools for a Service with `labels` in a namespace that is known, in order.
    pub(super) fn candidates(
        &self,
        all: &[PoolState],
        namespace: &Arc<str>,
        labels: &Labels,
    ) -> Vec<usize> {
        if self.rank.is_empty() {
            return Vec::new();
        }
        let named = self.by_namespace.get(&**namespace).into_iter().flatten();
        let filed = labels.iter().filter(|_| !self.by_label.is_empty());
        let labelled = filed.filter_map(|(key, value)| {
            // Cheap beside the maps: labels are few and short.
            self.by_label.get(&(key.clone(), value.clone()))
        });
        let mut found: Vec<usize> = named
            .chain(self.selected.get(namespace).into_iter().flatten())
            .chain(&self.anywhere)
            .chain(labelled.flatten())
            .copied()
            .filter(|&index| {
                let allocation = all[index].pool.allocation.as_ref();
                let selectors = allocation.map_or(&[][..], |it| &it.service_selectors);
                selectors.is_empty() || Selector::any(selectors, labels)
            })
            .collect();
        found.sort_by_key(|index| self.rank[index]);
        found.dedup();
        found
    }
}
