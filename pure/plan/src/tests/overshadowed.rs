//! Routes behind others, as routes come, change and go.

use std::fmt::Write as _;

use steelyard_model::Protocol;
use steelyard_model::routing::entry_point::EntryPoint;

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

/// Who asks, and who answers.
const ASKING: &str = "---\napiVersion: traefik.io/v1alpha1\nkind: Middleware\n\
                      metadata: {name: asks}\nspec: {ipAllowList: {sourceRange: [10.0.0.0/8]}}\n\
                      ---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\n\
                      spec: {ports: [{port: 80}]}\n";

fn ingress(name: &str, (host, path): (&str, &str), annotations: &str) -> String {
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}, \
         annotations: {{{annotations}}}}}\nspec: {{ingressClassName: traefik, rules: [{{host: \
         {host}, http: {{paths: [{{path: {path}, pathType: Prefix, backend: {{service: {{name: s, \
         port: {{number: 80}}}}}}}}]}}}}]}}\n"
    )
}

fn number(number: u32) -> String {
    format!("traefik.ingress.kubernetes.io/router.priority: \"{number}\"")
}

fn asks() -> String {
    "traefik.ingress.kubernetes.io/router.middlewares: default-asks@kubernetescrd".to_owned()
}

fn guarded(name: &str, rule: &str, priority: u32) -> String {
    format!(
        "{}    middlewares: [{{name: asks}}]\n    priority: {priority}\n",
        ingress_route(name, &[rule.to_owned()])
    )
}

fn behind(plan: &Plan) -> Vec<String> {
    said_of(plan, &["route-shadowed", "route-duplicate", "protection-shadowed"])
}

fn said_of(plan: &Plan, codes: &[&str]) -> Vec<String> {
    let found = plan.diagnostics.iter().filter(|it| codes.contains(&it.code.as_str()));
    found.map(|it| format!("{} {}", it.object.as_ref().unwrap(), it.path)).collect()
}

/// Objects of some rules: those of Ingresses, those that ask, and others.
fn written(at: usize, rules: &[String]) -> String {
    let mut yaml = String::new();
    let mut routes = Vec::new();
    for (n, rule) in rules.iter().enumerate() {
        let name = format!("r{at}-{n}");
        if let Some(host) = rule.strip_prefix("Ingress ") {
            yaml += &ingress(&name, (host, "/"), &number([10, 30, 50][n]));
        } else if let Some(rule) = rule.strip_prefix("guarded ") {
            yaml += &guarded(&name, rule, 20);
        } else {
            routes.push(rule.clone());
        }
    }
    yaml + &ingress_route(&format!("r{at}"), &routes)
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
        "guarded Host(`a`)",
        "guarded PathPrefix(`/x`)",
        "Ingress a",
        "Ingress b",
        "Ingress \"*.a\"",
        "guarded HostRegexp(`.+`)",
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
        let yaml: String = each.map(|(at, rules)| written(at, rules)).collect();
        let yaml = format!("{ASKING}{yaml}");
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

/// Where one ladder is chosen for all that a route of the other one takes, what that asks is not
/// asked: only where that is sure, and the other one is open.
#[test]
fn a_guard_on_one_ladder_is_behind_the_other() {
    let own = |text: &str| format!("{ASKING}{text}");
    let (at_x, at_all) = (("a", "/x"), ("a", "/"));
    let of = |priority| guarded("r", "Host(`a`) && PathPrefix(`/x`)", priority);
    let open = |priority| {
        format!("{}    priority: {priority}\n", ingress_route("o", &["Host(`a`)".to_owned()]))
    };
    let route = "IngressRoute/default/r spec.routes[0]";
    let rule = "Ingress/default/i spec.rules[0].http.paths[0]";
    let both = format!("{}, {}", number(9), asks());
    for (text, expected) in [
        (of(5) + &ingress("i", at_all, &number(9)), vec![route]),
        (of(5) + &ingress("i", at_all, ""), vec![route]),
        // It bids no more, is not for all of it (`/xy`), asks itself, or is for others.
        (of(9) + &ingress("i", at_all, &number(9)), vec![]),
        (of(5) + &ingress("i", at_x, &number(9)), vec![]),
        (of(5) + &ingress("i", at_all, &both), vec![]),
        (of(5) + &ingress("i", ("b", "/"), &number(9)), vec![]),
        (open(99) + &ingress("i", at_x, &asks()), vec![rule]),
        (open(9) + &ingress("i", at_x, &asks()), vec![]),
        // Another Ingress may bid more, and what asks is served then.
        (open(99) + &ingress("i", at_x, &asks()) + &ingress("j", at_all, &number(100)), vec![]),
    ] {
        let snapshot = resolve(&items(&own(&text)), &ResolveOptions::default());
        let found = plan(&snapshot, &Holdings::default(), &facts("n"));
        assert_eq!(said_of(&found, &["protection-shadowed"]), expected, "{text}");
    }
}

/// Whom the other ladder goes before wherever it matches gets no request, whether it asks or not:
/// also where only one of the rules says that any path will do.
#[test]
fn what_is_behind_the_other_ladder_is_said() {
    let plain = |rule: &str, priority: Option<u32>| {
        let priority = priority.map(|it| format!("    priority: {it}\n"));
        ingress_route("r", &[rule.to_owned()]) + &priority.unwrap_or_default()
    };
    let both = "Host(`a`) && PathPrefix(`/`)";
    let (at_all, fallback) = (
        ("a", "/"),
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\n\
         metadata: {name: f}\nspec: {ingressClassName: traefik, defaultBackend: {service: {name: \
         s, port: {number: 80}}}}\n",
    );
    let route = "IngressRoute/default/r spec.routes[0]";
    let rule = "Ingress/default/i spec.rules[0].http.paths[0]";
    for (text, expected) in [
        (plain("Host(`a`)", None) + &ingress("i", at_all, ""), vec![route]),
        (plain(both, Some(9)) + &ingress("i", at_all, ""), vec![route]),
        (plain(both, Some(9)) + &ingress("i", at_all, &number(10)), vec![route]),
        (guarded("r", "Host(`a`)", 9) + &ingress("i", at_all, ""), vec![route]),
        // What it does with a default backend hangs on whose request it is.
        (plain("Host(`a`)", Some(9)) + &ingress("i", at_all, "") + fallback, vec![route]),
        (plain("Host(`a`) || Host(`b`)", Some(9)) + fallback, vec![]),
        // Its own number is no lower, or it takes what the other one does not.
        (plain("Host(`a`)", Some(99)) + &ingress("i", ("a", "/x"), ""), vec![rule]),
        (plain("Host(`a`) && Path(`/y`)", Some(99)) + &ingress("i", at_all, ""), vec![]),
        (plain("Host(`a`) || Host(`b`)", Some(9)) + &ingress("i", at_all, ""), vec![]),
        (plain("Host(`a`)", Some(9)) + &ingress("i", ("a", "/x"), ""), vec![]),
        // Within one ladder.
        (plain("HostRegexp(`.+`) && PathPrefix(`/`)", None) + &guarded("g", "Host(`a`)", 9), {
            vec!["IngressRoute/default/g spec.routes[0]"]
        }),
        (ingress_route("g", &["PathPrefix(`/`)".to_owned()]) + &plain("Host(`b`)", Some(5)), {
            vec![route]
        }),
    ] {
        let text = format!("{ASKING}{text}");
        let snapshot = resolve(&items(&text), &ResolveOptions::default());
        let found = plan(&snapshot, &Holdings::default(), &facts("n"));
        assert_eq!(behind(&found), expected, "{text}");
        assert_eq!(found.routes.unreached().len(), expected.len(), "{text}");
    }
}

/// Datagrams say nothing of whom they are for: an entry point has one route for them.
#[test]
fn of_the_routes_for_datagrams_at_one_entry_point_the_first_has_them() {
    let route = |name: &str, points: &str| {
        format!(
            "---\napiVersion: traefik.io/v1alpha1\nkind: IngressRouteUDP\nmetadata: {{name: \
             {name}}}\nspec: {{entryPoints: [{points}], routes: [{{services: [{{name: s, port: \
             80}}]}}]}}\n"
        )
    };
    let point =
        |name: &str, port| EntryPoint { protocol: Protocol::Udp, ..EntryPoint::new(name, port) };
    let options = ResolveOptions {
        entry_points: vec![point("one", 5300), point("two", 5301)],
        ..ResolveOptions::default()
    };
    for (second, expected) in [
        ("one", vec!["IngressRouteUDP/default/b spec.routes[0]"]),
        ("two", vec![]),
        // At one of its entry points it has them.
        ("one, two", vec![]),
    ] {
        let yaml = format!("{ASKING}{}{}", route("a", "one"), route("b", second));
        let snapshot = resolve(&items(&yaml), &options);
        let found = plan(&snapshot, &Holdings::default(), &facts("n"));
        assert_eq!(behind(&found), expected, "{second}");
        assert!(found.diagnostics.iter().filter(|it| it.is_error()).count() >= expected.len());
    }
}
