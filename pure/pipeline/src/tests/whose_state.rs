//! Whose state uses of filters have: what counts is each router's own, as with Traefik, and what is
//! known is one wherever it is used.

use std::collections::BTreeSet;

use steelyard_model::routing::filter::Use;

use super::*;

const FILTERS: &str = "
---
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: rate}
spec: {rateLimit: {average: 1}}
---
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: shared}
spec: {rateLimit: {average: 1, redis: {endpoints: ['192.0.2.1:6379']}}}
---
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: flight}
spec: {inFlightReq: {amount: 1}}
---
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: breaker}
spec: {circuitBreaker: {expression: NetworkErrorRatio() > 0.5}}
---
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: key}
spec: {plugin: {jwt: {signingSecret: 'known to two of them, and to nobody else'}}}
---
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: but-pages}
spec: {plugin: {unless: {match: PathPrefix(`/pages`), middleware: {name: rate}}}}
---
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: but-key}
spec: {plugin: {unless: {match: PathPrefix(`/pages`), middleware: {name: key}}}}
---
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: chain}
spec: {chain: {middlewares: [{name: rate}, {name: but-pages}, {name: key}]}}
";

fn router(name: &str, filter: &str) -> String {
    format!(
        "---\napiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {{name: {name}}}\nspec:\n  \
         routes:\n  - {{match: Host(`{name}.test`), services: [{{name: web, port: 80}}], \
         middlewares: [{{name: {filter}}}]}}\n"
    )
}

/// The keys of all states that a route's uses have.
fn states(snapshot: &Snapshot, route: &Route) -> BTreeSet<String> {
    let mut states = BTreeSet::new();
    let filters = &snapshot.routing.filters;
    let all = route.uses.iter().filter_map(|it| it.expanded(filters)).flatten();
    let mut see = |it: &Use| {
        states.insert(it.state.to_string());
    };
    all.for_each(|it| it.each_within(filters, &mut see));
    states
}

#[test]
fn what_counts_is_each_routers_own() {
    for (filter, is_own) in [
        ("rate", true),
        ("flight", true),
        ("breaker", true),
        ("but-pages", true),
        ("shared", false),
        ("key", false),
        ("but-key", false),
    ] {
        let web = service("web", "{clusterIP: None, ports: [{port: 80}]}");
        let snapshot = joined(&(web + FILTERS + &router("one", filter) + &router("two", filter)));
        let all = routes(&snapshot);
        let [one, two] = [all[0], all[1]].map(|route| states(&snapshot, route));
        assert!(!one.is_empty(), "{filter}");
        assert_eq!(one.is_disjoint(&two), is_own, "{filter}: {one:?} {two:?}");
        assert!(is_own || one == two, "{filter}: {one:?} {two:?}");
    }
}

#[test]
fn a_chain_counts_for_each_that_uses_it() {
    let web = service("web", "{clusterIP: None, ports: [{port: 80}]}");
    let snapshot = joined(&(web + FILTERS + &router("one", "chain") + &router("two", "chain")));
    let all = routes(&snapshot);
    let [one, two] = [all[0], all[1]].map(|route| states(&snapshot, route));
    let both: Vec<_> = one.intersection(&two).collect();
    assert_eq!(both, ["default/key@kubernetescrd"], "{one:?} {two:?}");
}

/// Each path of an Ingress is a router to Traefik.
#[test]
fn paths_of_an_ingress_count_by_themselves() {
    let web = service("web", "{clusterIP: None, ports: [{port: 80}]}");
    let ingress = "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: it\n  \
                   annotations: {traefik.ingress.kubernetes.io/router.middlewares: \
                   'default-rate@kubernetescrd,default-key@kubernetescrd'}\nspec:\n  ingressClassName: traefik\n  \
                   rules:\n  - host: a.b\n    http:\n      paths:\n      - {path: /x, pathType: Prefix, \
                   backend: {service: {name: web, port: {number: 80}}}}\n      - {path: /y, pathType: \
                   Prefix, backend: {service: {name: web, port: {number: 80}}}}\n";
    let snapshot = joined(&(web + FILTERS + ingress));
    let all = routes(&snapshot);
    let [one, two] = [all[0], all[1]].map(|route| states(&snapshot, route));
    let both: Vec<_> = one.intersection(&two).collect();
    assert_eq!(both, ["default/key@kubernetescrd"], "{one:?} {two:?}");
}
