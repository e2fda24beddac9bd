//! Machines' own addresses in pools: who gets them, and who answers for them.

use steelyard_model::{Holdings, Snapshot};
use steelyard_pipeline::{ResolveOptions, resolve};
use steelyard_testbed::manifests::{file, items, service, slice};

use super::{POOL, announcements, codes, facts, planned};
use crate::{Explanation, Facts, Occupant, Plan, Planner};

/// A node with an address of `kind`.
fn node(name: &str, kind: &str, address: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Node\nmetadata: {{name: {name}}}\n\
         status: {{addresses: [{{type: {kind}, address: {address}}}]}}\n"
    )
}

fn snapshot(parts: &[&str]) -> Snapshot {
    resolve(&items(&file(parts)), &ResolveOptions::default())
}

fn web() -> [String; 2] {
    [service("web", ""), slice("web", &[("10.0.0.1", "a", "ready: true")])]
}

fn given(plan: &Plan, name: &str) -> Vec<String> {
    let row = plan.services.values().find(|row| *row.name == *name).unwrap();
    row.addresses.iter().map(ToString::to_string).collect()
}

#[test]
fn nodes_and_what_facts_tell_are_left_out_of_what_is_given() {
    let [web, slice] = web();
    for (kind, address, first) in [
        ("InternalIP", "192.168.1.240", "192.168.1.241"),
        ("ExternalIP", "192.168.1.240", "192.168.1.241"),
        ("InternalDNS", "192.168.1.240", "192.168.1.240"),
        ("InternalIP", "192.168.1.9", "192.168.1.240"),
    ] {
        let yaml = file(&[POOL, &node("a", kind, address), &web, &slice]);
        assert_eq!(given(&planned(&yaml, &facts("a")), "web"), [first], "{kind} {address}");
    }
    let occupant = |it| [("192.168.1.240".parse().unwrap(), it)].into();
    let yaml = file(&[POOL, &web, &slice]);
    for who in [Occupant::ThisMachine, Occupant::Peer] {
        let facts = Facts { occupants: occupant(who), ..facts("a") };
        assert_eq!(given(&planned(&yaml, &facts), "web"), ["192.168.1.241"]);
    }
}

#[test]
fn a_node_object_says_more_than_that_it_is_this_machine_and_of_two_the_first_is_told() {
    let parts = [
        POOL,
        &node("b", "InternalIP", "192.168.1.240"),
        &node("a", "InternalIP", "192.168.1.240"),
        &service("web", ", loadBalancerIP: 192.168.1.240"),
    ];
    let occupants = [("192.168.1.240".parse().unwrap(), Occupant::ThisMachine)].into();
    let plan = planned(&file(&parts), &Facts { occupants, ..facts("a") });
    let told = plan.diagnostics.iter().find(|it| it.code.as_str() == "address-reserved").unwrap();
    assert!(told.message.contains("an address of node a,"), "{}", told.message);
}

/// A node comes with the address that a Service has, and goes again.
#[test]
fn who_has_a_nodes_address_keeps_it_and_nobody_answers_for_it() {
    let [web, slice] = web();
    let before = snapshot(&[POOL, &node("a", "InternalIP", "10.9.9.9"), &web, &slice]);
    let nodes = [
        node("a", "InternalIP", "10.9.9.9"),
        node("b", "InternalIP", "192.168.1.240"),
        node("c", "InternalIP", "192.168.1.241"),
    ];
    let [a, b, c] = &nodes;
    let after = snapshot(&[POOL, a, b, c, &web, &slice]);
    let mut planner = Planner::default();
    let first = planner.plan(&before, &Holdings::default(), &facts("a"));
    assert_eq!(announcements(&first), ["192.168.1.240 default/web a"]);
    assert_eq!((first.node.announce.len(), first.node.forward.len()), (1, 1));

    let second = planner.plan(&after, &first.held, &facts("a"));
    assert_eq!((given(&second, "web"), &second.held), (vec!["192.168.1.240".into()], &first.held));
    assert_eq!(announcements(&second), ["192.168.1.240 default/web nobody"]);
    assert!(second.node.announce.is_empty() && second.node.share.is_empty());
    assert!(second.node.forward.is_empty(), "packets for it are the node's business");
    assert_eq!(codes(&second, "default/web"), ["address-of-machine"]);
    let vip = "192.168.1.240".parse().unwrap();
    assert_eq!(second.occupant(vip), Some(&Occupant::Node("b".into())));
    assert_eq!(second.occupant("192.168.1.241".parse().unwrap()), None, "no Service has it");
    let said = second.services.keys().flat_map(|id| second.explain(id));
    let said = said.filter(|it| matches!(it, Explanation::Withheld { .. }));
    assert_eq!(
        said.map(|it| (it.to_string(), it.in_short())).collect::<Vec<_>>(),
        [(
            "192.168.1.240 is an address of node b too, so nobody answers for it as the Service's"
                .to_owned(),
            "it is an address of node b".to_owned()
        )]
    );
    // All but one that a Service has, and one that is a node's.
    assert_eq!(second.pools[0].status.available_ipv4, 8);

    let third = planner.plan(&before, &second.held, &facts("a"));
    assert_eq!(announcements(&third), ["192.168.1.240 default/web a"]);
    assert!(third.withheld.is_empty() && codes(&third, "default/web").is_empty());
}

#[test]
fn who_waits_gets_what_is_a_nodes_no_more() {
    let asks = service("web", ", loadBalancerIP: 192.168.1.240");
    let [_, slice] = web();
    let with = snapshot(&[POOL, &node("a", "InternalIP", "192.168.1.240"), &asks, &slice]);
    let without = snapshot(&[POOL, &node("a", "InternalIP", "10.9.9.9"), &asks, &slice]);
    let mut planner = Planner::default();
    let waits = planner.plan(&with, &Holdings::default(), &facts("a"));
    assert!(given(&waits, "web").is_empty());
    assert_eq!(codes(&waits, "default/web"), ["address-reserved"]);
    let has = planner.plan(&without, &waits.held, &facts("a"));
    assert_eq!(given(&has, "web"), ["192.168.1.240"]);
}

/// Of a Service with two addresses the one that is a node's is left to the node.
#[test]
fn the_other_address_of_a_service_is_announced() {
    let pool = POOL.replace("249]", "249, 'fd00::1-fd00::9']");
    let dual = service("web", ", ipFamilyPolicy: RequireDualStack");
    let slice = slice("web", &[("10.0.0.1", "a", "ready: true")]);
    let before = snapshot(&[&pool, &node("a", "InternalIP", "10.9.9.9"), &dual, &slice]);
    let held = crate::plan(&before, &Holdings::default(), &facts("a")).held;
    let after = snapshot(&[&pool, &node("a", "InternalIP", "'fd00::1'"), &dual, &slice]);
    let plan = crate::plan(&after, &held, &facts("a"));
    let expected = ["192.168.1.240 default/web a", "fd00::1 default/web nobody"];
    assert_eq!(announcements(&plan), expected);
    let forwarded: Vec<_> = plan.node.forward.values().map(|it| it.address.is_ipv6()).collect();
    assert_eq!(forwarded, [false]);
}

#[test]
fn no_router_is_told_of_it() {
    let advertised = "apiVersion: metallb.io/v1beta1\nkind: BGPAdvertisement\n\
                      metadata: {name: all, namespace: metallb-system}\n";
    let router = "apiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {name: r, namespace: \
                  metallb-system}\nspec: {myASN: 64512, peerASN: 64513, peerAddress: 10.9.9.1}\n";
    let [web, slice] = web();
    let held = planned(&file(&[POOL, &web, &slice]), &facts("a")).held;
    for (address, told) in [("10.9.9.9", 1), ("192.168.1.240", 0)] {
        let node = node("a", "InternalIP", address);
        let snapshot = snapshot(&[POOL, advertised, router, &node, &web, &slice]);
        let plan = crate::plan(&snapshot, &held, &facts("a"));
        assert_eq!(plan.peers[0].routes.len(), told, "{address}");
    }
}
