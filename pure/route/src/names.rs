//! Names of hosts, sorted from both ends, so that those near a name are found without looking at
//! all: who mistypes the end of a name is near it in the first order, who mistypes the beginning in
//! the second.

use std::cmp::Ordering;
use std::sync::Arc;

use steelyard_model::Sorted;

/// Names that have routes. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// By their letters.
    sorted: Sorted<Arc<str>, ()>,
    /// By their letters from the last to the first.
    mirrored: Sorted<Mirrored, ()>,
}

/// A name that is compared from its end.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mirrored(Arc<str>);

/// Neighbours looked at to each side, in each order.
const REACH: usize = 16;

/// All names are looked at when they are no more than neighbours would be.
const FEW: usize = 4 * REACH;

impl Names {
    pub(crate) fn insert(&mut self, name: &Arc<str>) {
        self.sorted.insert(name.clone(), ());
        self.mirrored.insert(Mirrored(name.clone()), ());
    }

    pub(crate) fn remove(&mut self, name: &Arc<str>) {
        self.sorted.remove(name);
        self.mirrored.remove(&Mirrored(name.clone()));
    }

    /// Names that could be meant by `host`, at most [`FEW`].
    pub(crate) fn around<'n>(&'n self, host: &str) -> Vec<&'n str> {
        if self.sorted.len() <= FEW {
            return self.sorted.keys().map(|name| &**name).collect();
        }
        let before = |name: &Arc<str>| **name < *host;
        let mirrored = |name: &Mirrored| from_the_end(&name.0, host).is_lt();
        let up = self.sorted.starting_after(before).take(REACH);
        let down = self.sorted.ending_before(before).take(REACH);
        let straight = up.chain(down).map(|(name, ())| &**name);
        let up = self.mirrored.starting_after(mirrored).take(REACH);
        let down = self.mirrored.ending_before(mirrored).take(REACH);
        straight.chain(up.chain(down).map(|(name, ())| &*name.0)).collect()
    }
}

fn from_the_end(a: &str, b: &str) -> Ordering {
    a.bytes().rev().cmp(b.bytes().rev())
}

impl PartialOrd for Mirrored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Mirrored {
    fn cmp(&self, other: &Self) -> Ordering {
        from_the_end(&self.0, &other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_near_either_end_are_found_among_many() {
        let mut names = Names::default();
        for number in 0..2_000 {
            names.insert(&format!("service-{number:04}.apps.local").into());
        }
        names.insert(&"gone.apps.local".into());
        names.remove(&"gone.apps.local".into());
        for host in ["service-0123.apps.loca", "ervice-0123.apps.local", "service-0123.apps.local"]
        {
            let around = names.around(host);
            assert!(around.contains(&"service-0123.apps.local"), "{host}");
            assert!(around.len() <= FEW && !around.contains(&"gone.apps.local"), "{host}");
        }
    }
}
