//! Eligibility and owners.

use super::{POOL, announcements, codes, facts, file, layer2, node, planned, service, slice};
use crate::Facts;

const READY: &str = "ready: true";

fn advertisement(spec: &str) -> String {
    format!(
        "apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: pool, namespace: metallb-system}}
spec: {{addresses: [192.168.1.240-192.168.1.249]}}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {{name: some, namespace: metallb-system}}
spec: {{{spec}}}"
    )
}

/// Three nodes, `b` labelled zone=east and `c` excluded, a Service with endpoints.
fn three(advertised: &str, spec: &str, endpoints: &[(&str, &str, &str)]) -> String {
    file(&[
        advertised,
        &node("a", "zone: west"),
        &node("b", "zone: east"),
        &node("c", "node.kubernetes.io/exclude-from-external-load-balancers: ''"),
        &service("web", spec),
        &slice("web", endpoints),
    ])
}

#[test]
fn who_may() {
    let on_a = [("10.0.0.1", "a", READY)];
    let local = ", externalTrafficPolicy: Local";
    let zone_x = advertisement("nodeSelectors: [{matchLabels: {zone: east}}]");
    let prefer_x = "preferredNodeSelectors: [{weight: 9, preference: {matchLabels: {zone: east}}}]";
    for (advertised, spec, endpoints, expected) in [
        (POOL, "", &on_a[..], "a then b"),
        (&zone_x, "", &on_a, "b"),
        (&advertisement(prefer_x), "", &on_a, "b then a"),
        (&advertisement("interfaces: [eth1, eth0]"), "", &on_a, "a then b on eth0 eth1"),
        (POOL, local, &on_a, "a"),
        (POOL, local, &[("10.0.0.1", "c", READY)], "nobody"),
        (&zone_x, local, &on_a, "nobody"),
        (POOL, "", &[("10.0.0.1", "a", "ready: false")], "nobody"),
        (
            POOL,
            "",
            &[("10.0.0.1", "a", "ready: false, serving: true, terminating: true")],
            "a then b",
        ),
        (POOL, "", &[("10.0.0.1", "a", "")], "a then b"),
    ] {
        let plan = planned(&three(advertised, spec, endpoints), &facts("a"));
        let expected = format!("192.168.1.240 default/web {expected}");
        let got = announcements(&plan);
        // Whichever of equal nodes the hash puts first: the order is checked elsewhere.
        let turned = expected.replace("a then b", "b then a");
        assert!(got == [expected.clone()] || got == [turned], "{got:?} {expected} {advertised}");
        assert_eq!(
            plan.services.values().next().unwrap().addresses.len(),
            1,
            "an address is given all the same"
        );
        let hindered = got[0].ends_with("nobody");
        assert_eq!(hindered, !codes(&plan, "default/web").is_empty(), "{:?}", plan.diagnostics);
    }
}

#[test]
fn excluded_nodes_may_where_the_label_is_ignored() {
    let yaml = three(POOL, "", &[("10.0.0.1", "a", READY)]);
    let facts = Facts { ignore_exclude_lb: true, ..facts("a") };
    assert_eq!(layer2(&planned(&yaml, &facts))[0].standbys.len(), 2);
}

#[test]
fn only_nodes_that_answer_may() {
    let yaml = three(POOL, "", &[("10.0.0.1", "a", READY)]);
    for (alive, expected) in [("a", "a"), ("b", "b"), ("c", "nobody"), ("", "nobody")] {
        let facts = Facts { alive: Some([alive.to_owned()].into()), ..facts("a") };
        let plan = planned(&yaml, &facts);
        assert_eq!(announcements(&plan), [format!("192.168.1.240 default/web {expected}")]);
        assert_eq!(plan.node.announce.len(), usize::from(expected == "a"), "{alive}");
        // That others are down is no fault of the manifests.
        assert!(codes(&plan, "default/web").is_empty(), "{:?}", plan.diagnostics);
    }
}

#[test]
fn no_node_objects_no_advertisement() {
    let lone = file(&[POOL, &service("web", ""), &slice("web", &[("10.0.0.1", "x", READY)])]);
    assert_eq!(announcements(&planned(&lone, &facts("here"))), ["192.168.1.240 default/web here"]);
    let unadvertised = lone.split("---\n").enumerate().filter(|(n, _)| *n != 1);
    let unadvertised: Vec<_> = unadvertised.map(|(_, document)| document).collect();
    let plan = planned(&unadvertised.join("---\n"), &facts("here"));
    assert_eq!(announcements(&plan), [""; 0]);
    assert_eq!(plan.services.values().next().unwrap().addresses.len(), 1);
}

#[test]
fn advertisements_select_services() {
    let red = "serviceSelectors: [{matchLabels: {team: red}}]";
    for (labels, annotations, expected) in [
        ("team: red", "", "192.168.1.240 default/web here"),
        ("team: blue", "", "not-advertised"),
        ("team: red", "metallb.io/allow-shared-ip: ''", "shared-and-selected"),
    ] {
        let web = service("web", "").replace(
            "{name: web}",
            &format!("{{name: web, labels: {{{labels}}}, annotations: {{{annotations}}}}}"),
        );
        let endpoints = slice("web", &[("10.0.0.1", "x", READY)]);
        let plan = planned(&file(&[&advertisement(red), &web, &endpoints]), &facts("here"));
        let mut said = announcements(&plan);
        said.retain(|line| !line.ends_with("nobody"));
        said.extend(codes(&plan, "default/web").into_iter().map(str::to_owned));
        assert_eq!(said, [expected]);
    }
}

#[test]
fn services_that_share_an_address_have_one_owner() {
    let share = |name: &str, port: &str| {
        let annotations = "annotations: {metallb.io/allow-shared-ip: k}";
        service(name, "")
            .replace(&format!("name: {name}"), &format!("name: {name}, {annotations}"))
            .replace("port: 80,", &format!("port: {port},"))
    };
    // One more vip first, so that the count alone would put the sharers on different nodes.
    let yaml = file(&[
        POOL,
        &node("a", ""),
        &node("b", ""),
        &share("one", "80"),
        &share("two", "81"),
        &slice("one", &[("10.0.0.1", "a", READY)]),
        &slice("two", &[("10.0.0.1", "a", READY)]),
    ]);
    let plan = planned(&yaml, &facts("a"));
    let [one, two] = layer2(&plan)[..] else { panic!("{:?}", plan.announcements) };
    assert_eq!((one.address, &one.owner), (two.address, &two.owner));
    let announced: usize =
        ["a", "b"].map(|node| planned(&yaml, &facts(node)).node.announce.len()).iter().sum();
    assert_eq!(announced, 1, "the address is answered for once");
}

#[test]
fn the_same_seen_from_every_node() {
    let nodes = ["a", "b", "c"].map(|name| node(name, ""));
    let services = (0..9).map(|n| {
        let name = format!("s{n}");
        file(&[&service(&name, ""), &slice(&name, &[("10.0.0.1", "a", READY)])])
    });
    let documents: Vec<_> = nodes.into_iter().chain(services).collect();
    let yaml = file(&[POOL, &documents.join("\n---\n")]);
    let plans = ["a", "b", "c"].map(|name| planned(&yaml, &facts(name)));
    assert_eq!(plans[0].announcements, plans[1].announcements);
    assert_eq!(plans[0].announcements, plans[2].announcements);
    for plan in &plans {
        assert_eq!(plan.node.announce.len(), 3, "nine vips are spread over three nodes");
        assert_eq!(plan.node.share.len(), 9, "each may own any");
        assert_eq!(plan.node.share, plans[0].node.share, "by the same rules");
    }
}
