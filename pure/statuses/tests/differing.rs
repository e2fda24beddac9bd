//! What is not looked at after another decision is as it was: the same as from scratch.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use steelyard_manifest::{ReadLimits, Source, load};
use steelyard_model::{Holdings, NamespacedName, Snapshot};
use steelyard_pipeline::{ResolveOptions, resolve};
use steelyard_plan::{Facts, Plan, plan};
use steelyard_statuses::{
    PublishedIngresses, Reportable, Reported, Revision, Rivals, Scope, StatusKind, StatusOptions,
    Wanted, differing, wanted,
};
use steelyard_testbed::manifests::{file, items, service};

const POOL: &str = "apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: pool, namespace: m}
spec: {addresses: [192.0.2.10-192.0.2.19]}";

fn ingress(name: &str, class: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}}}
spec: {{ingressClassName: {class}, rules: [{{host: {name}.lan, http: {{paths: [{{path: /, pathType: \
         Prefix, backend: {{service: {{name: shop, port: {{number: 80}}}}}}}}]}}}}]}}"
    )
}

/// Worlds that differ in one thing or several: pools, the gateway, a Service, whose an Ingress is.
fn worlds() -> Vec<(Snapshot, Plan)> {
    let mut worlds = Vec::new();
    for pool in ["", POOL] {
        for gateway in ["none", "", ", loadBalancerIP: 192.0.2.17", ", loadBalancerIP: 203.0.113.1"]
        {
            for shop in ["", ", loadBalancerClass: other"] {
                for class in ["none", "traefik", "other"] {
                    let parts = [
                        pool.to_owned(),
                        Some(gateway)
                            .filter(|it| *it != "none")
                            .map_or_else(String::new, |spec| service("gate", spec)),
                        service("shop", shop),
                        ingress("first", "traefik"),
                        if class == "none" { String::new() } else { ingress("second", class) },
                    ];
                    let parts: Vec<&str> =
                        parts.iter().map(String::as_str).filter(|it| !it.is_empty()).collect();
                    let snapshot = resolve(&items(&file(&parts)), &ResolveOptions::default());
                    let plan = plan(&snapshot, &Holdings::default(), &Facts::default());
                    worlds.push((snapshot, plan));
                }
            }
        }
    }
    worlds
}

/// Each object as it may be found: with nothing, or with addresses of ours.
fn reported(with_addresses: bool) -> Reported {
    let mut reported = Reported::default();
    let status = match with_addresses {
        true => "status: {loadBalancer: {ingress: [{ip: 192.0.2.10}]}}",
        false => "",
    };
    let managers = "managedFields: [{manager: steelyard-controller, fieldsV1: {'f:status': \
                    {'f:loadBalancer': {'f:ingress': {}}}}}]";
    for (version, kind, name) in [
        ("v1", "Service", "gate"),
        ("v1", "Service", "shop"),
        ("networking.k8s.io/v1", "Ingress", "first"),
        ("networking.k8s.io/v1", "Ingress", "second"),
    ] {
        let text = format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}, {managers}}}\n{status}\n"
        );
        let loaded = load(&Source::new("x.yaml", text.as_bytes()), &ReadLimits::default());
        assert!(reported.see(&loaded.objects[0], Revision::new(name, "1")), "{text}");
    }
    reported
}

fn rival() -> Rivals {
    let metallb = Some(NamespacedName::new("metallb-system", "controller"));
    Rivals { metallb, ..Rivals::default() }
}

#[test]
fn what_is_not_looked_at_is_wanted_as_before() {
    let worlds = worlds();
    let gateway = Some(NamespacedName::new("default", "gate"));
    let options = StatusOptions {
        ingresses: gateway.map(PublishedIngresses::by),
        ..StatusOptions::default()
    };
    let rivals = [Rivals::default(), rival()];
    let (mut narrow, mut different) = (0, 0);
    for reported in [reported(false), reported(true)] {
        for (from, to) in [(0, 0), (0, 1), (1, 1)] {
            for before in &worlds {
                for now in &worlds {
                    let [before, now] =
                        [(before, from), (now, to)].map(|((snapshot, plan), at)| {
                            let (rivals, options) = (&rivals[at], &options);
                            Reportable { snapshot, plan, rivals, options, now: "" }
                        });
                    let scope = differing(before, now);
                    let [were, are] = [before, now].map(|it| wanted(it, &reported, &Scope::All));
                    narrow += usize::from(scope != Scope::All && scope != Scope::nothing());
                    different += usize::from(were != are && scope != Scope::All);
                    assert_eq!(beyond(&scope, were), beyond(&scope, are), "{scope:?}");
                }
            }
        }
    }
    assert!(narrow > 100 && different > 100, "{narrow} {different}");
}

/// What is wanted of Services and Ingresses that are not looked at.
fn beyond(scope: &Scope, mut wanted: Wanted) -> Wanted {
    let is_one_of_few = |kind| kind != StatusKind::Service && kind != StatusKind::Ingress;
    wanted.writes.retain(|it| !is_one_of_few(it.kind) && !scope.holds(it.kind, &it.id));
    wanted.left.retain(|it| !scope.holds(StatusKind::Service, &it.service));
    wanted
}
