use super::*;

fn pool(spec: &str) -> String {
    let metadata = "metadata: {name: a, namespace: metallb-system, labels: {zone: lan}}";
    format!("apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\n{metadata}\nspec: {spec}\n")
}

fn advertisement(spec: &str) -> String {
    let metadata = "metadata: {name: a, namespace: metallb-system}";
    format!("apiVersion: metallb.io/v1beta1\nkind: L2Advertisement\n{metadata}\nspec: {spec}\n")
}

#[test]
fn a_pool_with_everything() {
    let spec = "{addresses: [192.168.1.0/30, ' 10.0.0.1 - 10.0.0.9 ', 'fd00::/126'], \
                autoAssign: false, avoidBuggyIPs: true, serviceAllocation: {priority: 5, \
                namespaces: [a], namespaceSelectors: [{matchLabels: {team: x}}], \
                serviceSelectors: [{matchExpressions: [{key: k, operator: In, values: [v]}]}]}}";
    let Item::Pool(pool) = only(lowered(&pool(spec))) else { panic!("a pool") };
    let ranges: Vec<String> = pool.ranges.iter().map(ToString::to_string).collect();
    assert_eq!(ranges, ["192.168.1.0-192.168.1.3", "10.0.0.1-10.0.0.9", "fd00::-fd00::3"]);
    assert!(!pool.auto_assign && pool.avoid_buggy_ips);
    assert_eq!(pool.labels["zone"], "lan");
    let allocation = pool.allocation.unwrap();
    assert_eq!((allocation.priority, allocation.namespaces), (5, vec!["a".to_owned()]));
    assert_eq!(allocation.namespace_selectors.len(), 1);
    assert_eq!(allocation.service_selectors[0].expressions[0].values, ["v"]);
}

#[test]
fn pools_that_metallb_refuses() {
    for (spec, expected) in [
        ("{}", vec!["error pool-empty spec.addresses"]),
        ("{addresses: []}", vec!["error pool-empty spec.addresses"]),
        (
            "{addresses: [10.0.0.1, 10.0.0.9-10.0.0.5, 10.1.0.0/24]}",
            vec![
                "error pool-address-invalid spec.addresses[0]",
                "error pool-range-reversed spec.addresses[1]",
            ],
        ),
        (
            "{addresses: [10.0.0.0/24, fd00::/64, 10.0.0.50-10.0.0.60, 10.0.0.200/32]}",
            vec![
                "error pool-self-overlap spec.addresses[2]",
                "error pool-self-overlap spec.addresses[3]",
            ],
        ),
        (
            "{addresses: [10.0.0.0/24], serviceAllocation: {priority: -1, namespaces: [a, a]}}",
            vec!["error entry-duplicate spec.serviceAllocation.namespaces[1]"],
        ),
    ] {
        refused(&pool(spec), &expected);
    }
}

#[test]
fn unknown_and_mistyped_fields() {
    taken(
        &pool("{addresses: [10.0.0.0/24], autoAsign: true}"),
        &["warning unknown-field spec.autoAsign"],
    );
    refused(
        &pool("{addresses: 10.0.0.0/24, autoAssign: maybe}"),
        &["error wrong-type spec.addresses", "error wrong-type spec.autoAssign"],
    );
}

#[test]
fn an_advertisement_with_everything() {
    let spec = "{ipAddressPools: [a, b], ipAddressPoolSelectors: [{matchLabels: {zone: lan}}], \
                nodeSelectors: [{}], interfaces: [eth0], serviceSelectors: [{matchLabels: {a: b}}], \
                preferredNodeSelectors: [{weight: 50, preference: {matchLabels: {rack: r1}}}]}";
    let Item::L2Advertisement(ad) = only(lowered(&advertisement(spec))) else { panic!("an ad") };
    assert_eq!(ad.pools, ["a", "b"]);
    assert_eq!((ad.pool_selectors.len(), ad.node_selectors.len()), (1, 1));
    assert_eq!(ad.interfaces, ["eth0"]);
    assert_eq!(ad.preferred_nodes[0].weight, 50);
}

#[test]
fn an_advertisement_without_spec_selects_everything() {
    let yaml = "apiVersion: metallb.io/v1beta1\nkind: L2Advertisement\nmetadata: {name: a}\n";
    let Item::L2Advertisement(ad) = only(lowered(yaml)) else { panic!("an ad") };
    assert!(ad.pools.is_empty() && ad.pool_selectors.is_empty());
    assert_eq!(&*ad.id.namespace, "default");
}

#[test]
fn selectors_that_metallb_refuses() {
    let selectors = "[{matchExpressions: [{key: a, operator: in, values: [x]}]}, \
                     {matchExpressions: [{key: a, operator: In}]}, \
                     {matchExpressions: [{key: a, operator: Exists, values: [x]}]}, \
                     {matchExpressions: [{operator: Exists}, {key: b}]}, \
                     {matchExpressions: [{key: a, operator: In, values: [x, x]}]}, \
                     {matchLabels: {c: d}}, {matchLabels: {c: d}}]";
    let path = "spec.nodeSelectors";
    refused(
        &advertisement(&format!("{{nodeSelectors: {selectors}, ipAddressPools: [p, p]}}")),
        &[
            "error entry-duplicate spec.ipAddressPools[1]",
            &format!("error invalid-value {path}[0].matchExpressions[0].operator"),
            &format!("error selector-invalid {path}[1].matchExpressions[0].values"),
            &format!("error selector-invalid {path}[2].matchExpressions[0].values"),
            &format!("error missing-field {path}[3].matchExpressions[0].key"),
            &format!("error missing-field {path}[3].matchExpressions[1].operator"),
            &format!("error entry-duplicate {path}[4].matchExpressions[0].values[1]"),
            &format!("error entry-duplicate {path}[6]"),
        ],
    );
}

#[test]
fn preferences_out_of_range() {
    let path = "spec.preferredNodeSelectors";
    refused(
        &advertisement("{preferredNodeSelectors: [{weight: 0, preference: {}}, {weight: 1}, {}]}"),
        &[
            &format!("error invalid-value {path}[0].weight"),
            &format!("error missing-field {path}[1].preference"),
            &format!("error missing-field {path}[2].weight"),
        ],
    );
}

#[test]
fn kinds_that_are_not_read() {
    for (api_version, kind, expected) in [
        ("traefik.containo.us/v1alpha1", "Middleware", "info kind-later kind"),
        ("gateway.networking.k8s.io/v1", "HTTPRoute", "info kind-later kind"),
        ("metallb.io/v1beta1", "ServiceL2Status", "info kind-ignored kind"),
        ("v1", "ServiceAccount", "info kind-ignored kind"),
        ("batch/v1", "Job", "info kind-ignored kind"),
        ("serving.knative.dev/v1", "Service", "info kind-ignored kind"),
        ("cilium.io/v2", "CiliumNetworkPolicy", "warning policy-not-read kind"),
        ("networking.k8s.io/v1", "NetworkPolicy", "error missing-field spec"),
        ("apps/v1", "ReplicaSet", "info kind-ignored kind"),
        ("metallb.io/v1beta1", "IPAdressPool", "warning kind-unknown kind"),
        ("metallb.io/v1beta1", "BGPPeers", "warning kind-unknown kind"),
        ("v1", "service", "warning kind-unknown kind"),
        ("metallb.io/v1", "BGPPeer", "error api-version-unknown apiVersion"),
        ("metallb.io/v1beta2", "Community", "error api-version-unknown apiVersion"),
        ("metallb.io/v1", "IPAddressPool", "error api-version-unknown apiVersion"),
        ("extensions/v1beta1", "Ingress", "error api-version-unknown apiVersion"),
        ("networking.k8s.io/v1beta1", "Ingress", "error api-version-unknown apiVersion"),
        ("apps/v1", "Service", "error api-version-unknown apiVersion"),
        ("v1", "Deployment", "error api-version-unknown apiVersion"),
        ("metallb.io/v1alpha1", "AddressPool", "error metallb-legacy apiVersion"),
        ("metallb.io/v1beta1", "AddressPool", "error metallb-legacy apiVersion"),
        ("metallb.io/v1alpha1", "IPAddressPool", "error metallb-legacy apiVersion"),
    ] {
        let yaml = format!("apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: a}}\n");
        refused(&yaml, &[expected]);
    }
}

#[test]
fn the_config_map_of_old() {
    let config = "config: |\n    address-pools:\n    - name: default\n      protocol: layer2\n";
    let config_map = |name: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n  {config}")
    };
    taken(&config_map("config"), &["error metallb-legacy data.config"]);
    taken(&config_map("something"), &[]);
    let extras = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bgpextras}\n\
                  data: {extras: 'router bgp 64512'}\n";
    taken(extras, &["warning field-not-honoured data.extras"]);
}
