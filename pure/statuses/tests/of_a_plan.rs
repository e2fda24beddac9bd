//! What a node reports about Services.

use steelyard_model::Holdings;
use steelyard_pipeline::{ResolveOptions, resolve};
use steelyard_plan::{Facts, Plan, plan};
use steelyard_statuses::{on_the_lan, to_routers};
use steelyard_testbed::manifests::{file, items, node, service, slice};

fn facts(node: &str) -> Facts {
    Facts { node: node.into(), ..Facts::default() }
}

fn planned(yaml: &str, facts: &Facts) -> Plan {
    plan(&resolve(&items(yaml), &ResolveOptions::default()), &Holdings::default(), facts)
}

fn on(node: &str, interface: &str) -> String {
    format!(
        "apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {{name: on-{node}, namespace: m}}
spec:
  interfaces: [{interface}]
  nodeSelectors: [{{matchLabels: {{name: {node}}}}}]"
    )
}

const POOL: &str = "
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: pool, namespace: m}
spec: {addresses: [192.168.1.240-192.168.1.249]}
";

#[test]
fn the_node_that_answers_reports_its_interfaces() {
    let world = file(&[
        POOL,
        &on("a", "eth0"),
        &on("b", "eth1"),
        &node("a", "name: a"),
        &node("b", "name: b"),
        &service("web", ""),
        &slice("web", &[("10.0.0.1", "a", "ready: true")]),
    ]);
    for (name, interface) in [("a", "eth0"), ("b", "eth1")] {
        let plan = planned(&world, &facts(name));
        assert_eq!(plan.announcements.len(), 1, "somebody answers");
        // Whoever the plan elects: the nodes may have settled on the other.
        let statuses = on_the_lan(&plan, name, |_| true);
        let status = statuses.values().next().expect("a status");
        assert_eq!((&*status.node, &*status.service_name), (name, "web"));
        assert_eq!(status.interfaces.len(), 1);
        assert_eq!(status.interfaces[0].name, interface);
        assert!(on_the_lan(&plan, name, |_| false).is_empty());
    }
}

#[test]
fn a_node_reports_the_routers_it_tells() {
    let peer = |name: &str, address: &str| {
        format!(
            "apiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {{name: {name}, namespace: \
             m}}\nspec: {{myASN: 64512, peerASN: 64513, peerAddress: {address}}}"
        )
    };
    let advertisement = "apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: all, namespace: m}";
    let local = ", externalTrafficPolicy: Local";
    let plan = planned(
        &file(&[
            POOL,
            advertisement,
            &peer("r2", "10.0.0.2"),
            &peer("r1", "10.0.0.1"),
            &node("a", ""),
            &node("b", ""),
            &service("web", local),
            &slice("web", &[("10.0.0.1", "a", "ready: true")]),
        ]),
        &facts("a"),
    );
    let statuses = to_routers(&plan, "a");
    assert_eq!(statuses.values().next().expect("a status").peers, ["r1", "r2"]);
    assert!(to_routers(&plan, "b").is_empty(), "no endpoint there");
}

#[test]
fn a_pool_reports_what_is_used() {
    let plan = planned(&file(&[POOL, &service("web", "")]), &facts("a"));
    let status = plan.pools[0].status;
    assert_eq!((status.assigned_ipv4, status.available_ipv4), (1, 9));
}
