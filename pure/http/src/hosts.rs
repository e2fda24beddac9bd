//! Names of hosts, by their neighbours: which of very many could have been meant by another.

use std::sync::Arc;

/// Names in two orders. Who mistypes the end of a name is near it in the first, who mistypes the
/// beginning in the second.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts {
    /// By their letters.
    sorted: Vec<Arc<str>>,
    /// Indices into them, by their letters from the last to the first.
    mirrored: Vec<u32>,
}

/// Neighbours looked at to each side, in each order.
const REACH: usize = 16;

/// All names are looked at when they are no more than neighbours would be.
const FEW: usize = 4 * REACH;

impl Hosts {
    pub(crate) fn new(names: impl Iterator<Item = Arc<str>>) -> Self {
        let mut sorted: Vec<Arc<str>> = names.collect();
        sorted.sort_unstable();
        sorted.dedup();
        let count = u32::try_from(sorted.len()).expect("fewer hosts than addresses");
        let mut mirrored: Vec<u32> =
            if sorted.len() > FEW { (0..count).collect() } else { Vec::new() };
        mirrored.sort_unstable_by(|a, b| {
            sorted[*a as usize].bytes().rev().cmp(sorted[*b as usize].bytes().rev())
        });
        Self { sorted, mirrored }
    }

    /// Names that could be meant by `host`, at most [`FEW`].
    pub(crate) fn around(&self, host: &str) -> impl Iterator<Item = &str> {
        let mut names: &[Arc<str>] = &self.sorted;
        let mut mirrored: &[u32] = &[];
        if names.len() > FEW {
            names = around(names, names.partition_point(|name| **name < *host));
            let is_before =
                |at: &u32| self.sorted[*at as usize].bytes().rev().lt(host.bytes().rev());
            mirrored = around(&self.mirrored, self.mirrored.partition_point(is_before));
        }
        let mirrored = mirrored.iter().map(|at| &*self.sorted[*at as usize]);
        names.iter().map(|name| &**name).chain(mirrored)
    }
}

fn around<T>(all: &[T], at: usize) -> &[T] {
    &all[at.saturating_sub(REACH)..(at + REACH).min(all.len())]
}
