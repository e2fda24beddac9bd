//! What leads back to itself by what it names.

use std::fmt::Write as _;

use super::*;
use crate::Planner;

fn leading(name: usize, to: &[usize]) -> String {
    let mut yaml = format!(
        "---\napiVersion: traefik.io/v1alpha1\nkind: TraefikService\nmetadata: {{name: s{name}}}\n\
         spec:\n  weighted:\n    services:\n"
    );
    for to in to {
        let _ = writeln!(yaml, "    - {{name: s{to}, kind: TraefikService}}");
    }
    yaml
}

fn circles(plan: &Plan) -> Vec<&Diagnostic> {
    plan.diagnostics.iter().filter(|it| it.code == crate::codes::REFERENCE_CIRCLE).collect()
}

/// Each is named, in a text that does not grow with the circle; one that opens it ends it for all.
#[test]
fn a_long_circle_costs_its_own_and_is_gone_once_it_opens() {
    let count = 1_000;
    let mut planner = Planner::default();
    let mut told = |last: &[usize]| {
        let services: String = (0..count)
            .map(|at| if at + 1 == count { leading(at, last) } else { leading(at, &[at + 1]) })
            .collect();
        let snapshot = resolve(&items(&services), &ResolveOptions::default());
        planner.plan(&snapshot, &Holdings::default(), &facts("n"))
    };
    let closed = told(&[0]);
    assert_eq!(circles(&closed).len(), count);
    assert!(circles(&closed).iter().all(|it| it.message.len() < 400));
    let smaller = told(&[count - 2]);
    assert_eq!(circles(&smaller).len(), 2, "the last two lead to each other");
    assert!(circles(&told(&[])).is_empty());
    assert_eq!(circles(&told(&[0])).len(), count);
}

/// Chains of chains, each twice in the one before: 2^15 ways, and more with each level.
#[test]
fn chains_that_stand_often_in_each_other_close_their_route() {
    let mut yaml = String::from(
        "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: web}\nspec:\n  \
         routes:\n  - match: Host(`a.b`)\n    middlewares: [{name: c0}]\n    services: [{name: s, \
         port: 80}]\n",
    );
    for at in 0..15 {
        let next = format!("{{name: c{}}}", at + 1);
        let members = [next.as_str(); 8].join(", ");
        let _ = write!(
            yaml,
            "---\napiVersion: traefik.io/v1alpha1\nkind: Middleware\nmetadata: {{name: c{at}}}\n\
             spec: {{chain: {{middlewares: [{members}]}}}}\n"
        );
    }
    yaml += "---\napiVersion: traefik.io/v1alpha1\nkind: Middleware\nmetadata: {name: c15}\n\
             spec: {addPrefix: {prefix: /a}}\n";
    let snapshot = resolve(&items(&yaml), &ResolveOptions::default());
    let plan = crate::plan(&snapshot, &Holdings::default(), &facts("n"));
    let said = plan.diagnostics.iter().any(|it| it.message.contains("too often"));
    assert!(said, "{:?}", plan.diagnostics);
}
