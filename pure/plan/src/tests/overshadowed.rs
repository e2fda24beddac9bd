//! Routes behind others, as routes come, change and go.

use std::fmt::Write as _;

use super::*;
use crate::Planner;

fn ingress_route(name: &str, rules: &[String]) -> String {
    let mut yaml = format!(
        "---\napiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {{name: {name}}}\n\
         spec:\n  routes:\n"
    );
    for rule in rules {
        let _ = writeln!(yaml, "  - match: '{rule}'\n    services: [{{name: s, port: 80}}]");
    }
    yaml
}

fn behind(plan: &Plan) -> Vec<String> {
    let of_routes = ["route-shadowed", "route-duplicate", "protection-shadowed"];
    let found = plan.diagnostics.iter().filter(|it| of_routes.contains(&it.code.as_str()));
    found.map(|it| format!("{} {}", it.object.as_ref().unwrap(), it.path)).collect()
}

/// Edits of few hosts and paths: who kept the last plan says the same as who begins anew.
#[test]
fn what_is_kept_says_the_same_as_from_scratch() {
    let rules = [
        "Host(`a`)",
        "Host(`a`) && PathPrefix(`/`)",
        "Host(`a`) && PathPrefix(`/x`)",
        "Host(`a`) || Host(`b`)",
        "Host(`b`) && Path(`/x`)",
        "HostRegexp(`^[ab]$`) && PathPrefix(`/`)",
        "PathPrefix(`/`)",
        "!Host(`a`)",
    ];
    let mut planner = Planner::default();
    let mut seed = 7_usize;
    let mut draw = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut names: [Vec<String>; 6] = Default::default();
    let mut said = 0;
    for step in 0..60 {
        let one = draw(6);
        names[one] = (0..draw(4)).map(|_| rules[draw(rules.len())].to_owned()).collect();
        let each = names.iter().enumerate().filter(|(_, rules)| !rules.is_empty());
        let yaml: String =
            each.map(|(at, rules)| ingress_route(&format!("r{at}"), rules)).collect();
        let snapshot = resolve(&items(&yaml), &ResolveOptions::default());
        let kept = planner.plan(&snapshot, &Holdings::default(), &facts("n"));
        let anew = plan(&snapshot, &Holdings::default(), &facts("n"));
        assert_eq!(behind(&kept), behind(&anew), "step {step}: {yaml}");
        said += behind(&kept).len();
    }
    assert!(said > 60, "{said} were said");
}

/// Of thousands for one host few are compared, and the first ones are.
#[test]
fn thousands_of_one_host_are_compared_with_few() {
    let paths = (0..2_000).map(|at| format!("Host(`a`) && Path(`/{at:05}`)"));
    let first = "Host(`a`) && PathPrefix(`/0000`) && !Path(`/none`)".to_owned();
    let rules: Vec<String> = paths.chain([first]).collect();
    let snapshot = resolve(&items(&ingress_route("all", &rules)), &ResolveOptions::default());
    let found = behind(&plan(&snapshot, &Holdings::default(), &facts("n")));
    assert_eq!(found.len(), 10, "{found:?}");
}
