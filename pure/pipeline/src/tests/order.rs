//! The join gives the same for any order of its input, and ends for much of it.

use std::sync::Arc;

use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::rule::Rule;
use steelyard_model::{Item, NamespacedName, ObjectRef};

use super::*;

/// A fixed shuffle, another for each `seed`.
fn shuffled(mut items: Vec<Arc<Item>>, seed: usize) -> Vec<Arc<Item>> {
    let mut state = seed;
    for index in (1..items.len()).rev() {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(index, (state >> 33) % (index + 1));
    }
    items
}

#[test]
fn any_order() {
    let mut yaml = String::new();
    for name in ["homelab", "k3s-traefik", "nginx-homelab", "production-bgp"] {
        yaml += &folder(name);
    }
    // Things that compete with each other.
    for name in ["a", "b", "c"] {
        yaml += &ingress(name, "", "", "a.b", "/", "missing");
        yaml += &pod(name, "app: nginx", "10.0.0.1", "{containerPort: 80}");
        yaml += &format!(
            "---\napiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {{name: {name}}}\n\
             spec: {{addresses: [10.7.0.0/24]}}\n"
        );
    }
    yaml += "---\napiVersion: v1\nkind: Node\nmetadata: {name: node-z}\n";
    for (name, pref) in [("a", 100), ("b", 200), ("c", 300)] {
        yaml += &format!(
            "---\napiVersion: metallb.io/v1beta1\nkind: BGPAdvertisement\nmetadata: {{name: \
             {name}}}\nspec: {{localPref: {pref}, communities: [vpn]}}\n---\napiVersion: \
             metallb.io/v1beta1\nkind: Community\nmetadata: {{name: {name}}}\nspec: \
             {{communities: [{{name: vpn, value: '1:{pref}'}}]}}\n"
        );
    }
    yaml += "---\napiVersion: v1\nkind: Endpoints\nmetadata: {name: grafana, namespace: \
             monitoring}\nsubsets: [{addresses: [{ip: 10.1.0.1}], ports: [{name: service, port: \
             1}]}, {addresses: [{ip: 10.1.0.2}], ports: [{name: service, port: 2}]}]\n";
    let items = items(&yaml);
    assert!(items.len() > 40);
    let expected = resolve(&items, &ResolveOptions::default());
    assert!(expected.diagnostics.iter().any(|d| d.code.as_str() == "route-duplicate"));
    assert!(expected.diagnostics.iter().any(|d| d.code.as_str() == "pool-overlap"));
    assert!(expected.diagnostics.iter().any(|d| d.code.as_str() == "local-pref-conflict"));
    assert!(expected.diagnostics.iter().any(|d| d.code.as_str() == "community-alias-duplicate"));
    for seed in 0..20 {
        let snapshot = resolve(&shuffled(items.clone(), seed), &ResolveOptions::default());
        assert!(snapshot == expected, "seed {seed}");
    }
}

/// 10,000 Services with a pod each and 100,000 routes, half of them broken: were anything here
/// quadratic, this would not end.
#[test]
fn many() {
    const SERVICES: usize = 10_000;
    const ROUTES: usize = 100_000;
    let mut items = Vec::new();
    let template = super::items(
        &(service("a", "{selector: {app: a, tier: web}, ports: [{port: 80}]}")
            + &pod("p", "app: a, tier: web", "10.0.0.1", "{containerPort: 80}")
            + &ingress("i", "", "", "a.b", "/", "a")),
    );
    for number in 0..SERVICES {
        let app = format!("app-{number}");
        let named = |object: &ObjectRef| {
            Arc::new(ObjectRef::new(object.kind.clone(), "default", app.as_str()))
        };
        for item in &template {
            items.push(match &**item {
                Item::Service(service) => {
                    let mut service = (**service).clone();
                    service.object = named(&service.object);
                    service.id = steelyard_model::NamespacedName::new("default", app.as_str());
                    service.selector.extend([("app".into(), app.clone())]);
                    Arc::new(Item::Service(Arc::new(service)))
                }
                Item::Pod(pod) => {
                    let mut pod = (**pod).clone();
                    pod.object = named(&pod.object);
                    pod.labels.extend([("app".into(), app.clone())]);
                    Arc::new(Item::Pod(Arc::new(pod)))
                }
                Item::Routes(set) => {
                    let mut set = set.clone();
                    set.object = named(&set.object);
                    let draft = set.routes[0].clone();
                    set.routes.clear();
                    for host in 0..ROUTES / SERVICES {
                        let mut draft = draft.clone();
                        draft.id = format!("default/i-{number}/{host}@ingress").into();
                        let name = HostPattern::Exact(format!("h{number}-{host}").into());
                        draft.rule = Rule::One(Matcher::Host(name)).into();
                        // Every other route has a typo in its Service.
                        let typo = if host % 2 == 0 { "" } else { "x" };
                        let named = NamespacedName::new("default", format!("{app}{typo}"));
                        draft.backend.as_mut().unwrap().service = named;
                        set.routes.push(draft);
                    }
                    Arc::new(Item::Routes(set))
                }
                other => panic!("not expected: {other:?}"),
            });
        }
    }
    let snapshot = resolve(&items, &ResolveOptions::default());
    let routes = &snapshot.routing.routes;
    assert_eq!((snapshot.services.len(), routes.len()), (SERVICES, ROUTES));
    let served = routes.values().filter(|route| !backends(&snapshot, route).is_empty());
    assert_eq!(served.count(), ROUTES / 2);
}
