//! No circle between sibling modules: of two that know each other, one can be read alone only
//! when the other does not know it.

use std::collections::{BTreeMap, BTreeSet};

use super::modules::{ModuleGraph, ModulePath};
use super::{Complaint, SourceFile};

/// Looks at each crate.
pub(crate) fn check(sources: &[SourceFile]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (krate, graph) in ModuleGraph::by_crate(sources) {
        for (parent, circle) in circles(&graph.siblings()) {
            let place = [&[krate.clone()][..], &parent[..]].concat().join("/");
            let names = circle.into_iter().collect::<Vec<_>>().join(", ");
            complaints.push(format!("{place}: circle of the modules {names}"));
        }
    }
    complaints
}

/// Sets of siblings that all reach each other, by their parent.
fn circles(pairs: &BTreeSet<(ModulePath, String, String)>) -> Vec<(ModulePath, BTreeSet<String>)> {
    let mut knows: BTreeMap<(&ModulePath, &str), BTreeSet<&str>> = BTreeMap::new();
    for (parent, from, to) in pairs {
        knows.entry((parent, from)).or_default().insert(to);
    }
    let reached = |parent, from| {
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        let mut open = vec![from];
        while let Some(module) = open.pop() {
            for next in knows.get(&(parent, module)).into_iter().flatten() {
                if reached.insert(next) {
                    open.push(next);
                }
            }
        }
        reached
    };
    let mut found: Vec<(ModulePath, BTreeSet<String>)> = Vec::new();
    for (parent, module) in knows.keys() {
        let mates = reached(parent, module);
        if !mates.contains(module) {
            continue;
        }
        let circle = mates.into_iter().filter(|mate| reached(parent, mate).contains(module));
        let circle = ((*parent).clone(), circle.map(str::to_owned).collect());
        if !found.contains(&circle) {
            found.push(circle);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::source;

    #[test]
    fn a_circle_is_named_once_with_all_who_are_in_it() {
        let sources = [
            source("io/x/src/a.rs", "use crate::b::B;"),
            source("io/x/src/b.rs", "use crate::c::C;"),
            source("io/x/src/c.rs", "use crate::a::A; use crate::d::D;"),
            source("io/x/src/d.rs", ""),
        ];
        assert_eq!(check(&sources), ["io/x: circle of the modules a, b, c"]);
    }

    #[test]
    fn one_way_is_no_circle() {
        let sources = [
            source("io/x/src/a.rs", "use crate::b::B;"),
            source("io/x/src/b.rs", "use crate::c::C;"),
            source("io/x/src/c.rs", ""),
        ];
        assert!(check(&sources).is_empty());
    }
}
