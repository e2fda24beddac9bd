//! Machines' own addresses: nobody is given one, who has one keeps it and is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_model::{Diagnostic, Holdings, Pool, Service, Severity};

use super::{addresses, annotated, asking, held, pool, service, told, with};
use crate::{
    Allocator, Assignments, Author, ExclusionRule, Occupant, Options, Reason, Refusal, Reserved,
    assign, codes,
};

/// `address`es, each of a node that is named after its last part.
fn reserved(pools: &[Pool], text: &str) -> Reserved {
    let node = |it| (it, Occupant::Node(format!("n{it}").into()));
    Reserved::of_pools(pools, &addresses(text).into_iter().map(node).collect())
}

fn run(pools: &[Pool], services: &[Service], held: &Holdings, of_nodes: &str) -> Assignments {
    let options = Options { reserved: reserved(pools, of_nodes), ..Options::default() };
    assign(pools, &BTreeMap::new(), services.iter().cloned().map(Arc::new), held, &options)
}

fn fresh(pools: &[Pool], services: &[Service], of_nodes: &str) -> Assignments {
    run(pools, services, &Holdings::default(), of_nodes)
}

fn free(out: &Assignments) -> (u64, u64) {
    let status = out.pools[0].status;
    (status.assigned_ipv4, status.available_ipv4)
}

/// `code path: message | help`.
fn findings(out: &Assignments) -> Vec<String> {
    let line = |it: &Diagnostic| {
        assert_eq!(it.severity, Severity::Error);
        format!("{} {}: {} | {}", it.code.as_str(), it.path, it.message, it.help)
    };
    out.diagnostics.iter().map(line).collect()
}

#[test]
fn what_is_given_goes_past_them() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.4", "fd00::1-fd00::2"])];
    let dual = |id| with(service(id), |it| it.cluster_ips = addresses("10.96.0.1 fd96::1"));
    let services = [
        service("x/a"),
        annotated("x/b", &[("address-pool", "a")]),
        annotated("x/c", &[("allow-shared-ip", "k")]),
        dual("x/d"),
    ];
    let out = fresh(&pools, &services[..2], "10.0.0.1 10.0.0.3 fd00::1 192.0.2.1");
    assert_eq!(told(&out), ["x/a: 10.0.0.4 [IPAllocated]", "x/b: 10.0.0.2 [IPAllocated]"]);
    assert_eq!(free(&out), (2, 0));
    let out = fresh(&pools, &services[2..], "10.0.0.1 10.0.0.3 fd00::1 192.0.2.1");
    let expected = ["x/c: 10.0.0.2 [IPAllocated]", "x/d: 10.0.0.4 fd00::2 [IPAllocated]"];
    assert_eq!(told(&out), expected);
    assert!(out.services.values().all(|it| it.occupied.is_empty()));
}

#[test]
fn who_asks_for_one_is_refused_and_told_whose_it_is() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.4", "fd00::1"]), pool("b", &["10.0.1.1"])];
    let asks = |text: &str| annotated("x/a", &[("loadBalancerIPs", text)]);
    let sharing = [("loadBalancerIPs", "10.0.0.2"), ("allow-shared-ip", "k")];
    for service in [
        asks("10.0.0.2"),
        asks("10.0.0.2,fd00::1"),
        asks("fd00::1,10.0.0.2"),
        asking("x/a", &[], "10.0.0.2"),
        annotated("x/a", &[("loadBalancerIPs", "10.0.0.2"), ("address-pool", "a")]),
        annotated("x/a", &sharing),
    ] {
        let out = fresh(&pools, std::slice::from_ref(&service), "10.0.0.2");
        let given = &out.services[&service.id];
        let (address, occupant) = (addresses("10.0.0.2")[0], Occupant::Node("n10.0.0.2".into()));
        let refusal = Refusal::Reserved { address, occupant: occupant.clone() };
        assert_eq!(given.reason, Reason::Pending(Box::new(refusal)), "{service:?}");
        assert_eq!(
            given.events[0].message,
            "Failed to allocate IP for \"x/a\": \"10.0.0.2\" is an address of node n10.0.0.2"
        );
        let rule = ExclusionRule::Reserved { address, occupant };
        assert!(out.exclusions[&service.id].iter().any(|it| it.rule == rule));
        let finding = findings(&out).remove(0);
        assert!(finding.starts_with("address-reserved "), "{finding}");
        assert!(
            finding.ends_with(
                ": 10.0.0.2 is an address of node n10.0.0.2, so no Service is given it | request \
                 another address, and leave 10.0.0.2 out of pool a"
            ),
            "{finding}"
        );
    }
    // What is no answer anyway is told as before.
    for (text, code) in [
        ("10.0.0.2,10.0.1.1", codes::INVALID_ADDRESS_REQUEST),
        ("10.9.9.9", codes::ADDRESS_OUTSIDE_POOLS),
        ("10.0.1.1,fd00::1", codes::ADDRESS_OUTSIDE_POOLS),
    ] {
        let out = fresh(&pools, &[asks(text)], "10.0.0.2 10.0.1.1 10.9.9.9");
        assert_eq!(out.diagnostics[0].code, code, "{text}");
    }
}

#[test]
fn of_a_taken_one_it_is_told_that_nobody_can_have_it() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.4"])];
    let services = [service("x/a"), annotated("x/b", &[("loadBalancerIPs", "10.0.0.2")])];
    let out = run(&pools, &services, &held(&[("x/a", "10.0.0.2")]), "10.0.0.2");
    assert_eq!(out.diagnostics[1].code, codes::ADDRESS_RESERVED);
}

#[test]
fn who_has_one_keeps_it_and_is_told() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.4"])];
    let wants = annotated("x/a", &[("loadBalancerIPs", "10.0.0.2")]);
    let has = with(service("x/a"), |it| it.status_addresses = addresses("10.0.0.2"));
    let (none, was) = (Holdings::default(), held(&[("x/a", "10.0.0.2")]));
    for (service, held, path, also) in [
        (service("x/a"), &was, "spec.type", ""),
        (has, &none, "spec.type", ""),
        (
            wants.clone(),
            &was,
            "metadata.annotations[\"metallb.io/loadBalancerIPs\"]",
            ", and request another",
        ),
    ] {
        let out = run(&pools, &[service], held, "10.0.0.1 10.0.0.2");
        assert_eq!(told(&out), ["x/a: 10.0.0.2 [AddressOccupied]"]);
        assert_eq!(
            findings(&out),
            [format!(
                "address-of-machine {path}: the Service has 10.0.0.2, which is an address of node \
                 n10.0.0.2 too, so nobody announces it | leave 10.0.0.2 out of pool a{also}: \
                 then the Service gets another address; or give node n10.0.0.2 another one"
            )]
        );
        let (_, given) = out.services.first_key_value().unwrap();
        let occupant = Occupant::Node("n10.0.0.2".into());
        assert_eq!(*given.occupied, [(addresses("10.0.0.2")[0], occupant)]);
        // It is in use, and counts as that alone.
        assert_eq!(free(&out), (1, 2));
    }
    // Once it is given up nobody is given it again.
    let moved = annotated("x/a", &[("loadBalancerIPs", "10.0.0.3")]);
    let out = run(&pools, &[moved], &was, "10.0.0.1 10.0.0.2");
    assert_eq!((told(&out), free(&out)), (vec!["x/a: 10.0.0.3 [IPAllocated]".to_owned()], (1, 1)));
}

#[test]
fn who_would_share_with_somebody_does_not_join_it_there() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.4"])];
    let shares = |id, port| {
        let it = annotated(id, &[("allow-shared-ip", "k")]);
        with(it, |it| it.ports = vec![super::port(port)])
    };
    let services = [shares("x/a", 80), shares("x/b", 81), shares("x/c", 82)];
    let out = run(&pools, &services, &held(&[("x/a", "10.0.0.1")]), "10.0.0.1");
    assert_eq!(
        told(&out),
        [
            "x/a: 10.0.0.1 [AddressOccupied]",
            "x/b: 10.0.0.2 [IPAllocated]",
            "x/c: 10.0.0.2 [IPAllocated]",
        ]
    );
}

#[test]
fn a_second_family_is_none_of_them() {
    let pools = [pool("a", &["10.0.0.1", "fd00::1-fd00::2"])];
    let prefers = with(service("x/a"), |it| {
        it.family_policy = Some(steelyard_model::FamilyPolicy::PreferDualStack);
        it.cluster_ips = addresses("10.96.0.1 fd96::1");
    });
    let was = held(&[("x/a", "10.0.0.1")]);
    let one = run(&pools, std::slice::from_ref(&prefers), &was, "fd00::1");
    assert_eq!(told(&one), ["x/a: 10.0.0.1 fd00::2 [IPAllocated]"]);
    let none = run(&pools, &[prefers], &was, "fd00::1 fd00::2");
    assert_eq!(told(&none), ["x/a: 10.0.0.1 [AdditionalAssignFailed]"]);
}

#[test]
fn a_pool_with_nothing_else_says_why_it_is_full() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.3"])];
    for (of_nodes, why) in [
        ("10.0.0.1 10.0.0.2 10.0.0.3", "but for 3 that are machines' own"),
        ("10.0.0.1", "but for one that is a machine's own"),
    ] {
        let services = ["x/a", "x/b", "x/c"].map(service);
        let out = fresh(&pools, &services, of_nodes);
        let last = out.diagnostics.last().unwrap();
        let expected =
            format!("the Service gets no address: pool a has no free IPv4 address, {why}");
        assert_eq!((last.code, &last.message), (codes::NO_ADDRESS, &expected));
        assert_eq!(out.pools[0].status.available_ipv4, 0);
    }
}

#[test]
fn what_avoid_buggy_ips_leaves_out_counts_once() {
    let mut pools = [pool("a", &["10.0.0.0-10.0.0.3", "fd00::1"])];
    pools[0].avoid_buggy_ips = true;
    let out = fresh(&pools, &[service("x/a")], "10.0.0.0 10.0.0.1");
    assert_eq!((told(&out), free(&out)), (vec!["x/a: 10.0.0.2 [IPAllocated]".to_owned()], (1, 1)));
}

/// Neither moves what statuses say, where they alone count.
#[test]
fn a_status_counts_whosever_the_address_is() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.4"])];
    let has = with(service("x/a"), |it| it.status_addresses = addresses("10.0.0.2"));
    let options = Options {
        reserved: reserved(&pools, "10.0.0.2"),
        author: Author::Statuses,
        ..Options::default()
    };
    let services = [Arc::new(has.clone())];
    let it = Allocator::new(&pools, &BTreeMap::new(), services, &Holdings::default(), &options);
    let given = it.assignment(&has.id).unwrap();
    assert_eq!((given.addresses.len(), given.is_withheld(given.addresses[0])), (1, true));
}

/// A /16 with 5,000 nodes in it, and 10,000 Services: minutes, did anything look at each address.
#[test]
fn thousands_of_them_cost_little() {
    let pools =
        [pool("a", &["10.0.0.0-10.0.255.255"]), pool("b", &["fd00::-fd00::ffff:ffff:ffff"])];
    let nodes = (0..5_000u32).map(|n| {
        let address = std::net::Ipv4Addr::from(0x0a00_0001 + 2 * n);
        (address.into(), Occupant::Node(format!("n{n}").into()))
    });
    let nodes: BTreeMap<_, _> = nodes.collect();
    let options = Options { reserved: Reserved::of_pools(&pools, &nodes), ..Options::default() };
    let services = (0..10_000).map(|n| Arc::new(service(&format!("x/s{n:05}"))));
    let none = Holdings::default();
    let mut it = Allocator::new(&pools, &BTreeMap::new(), services, &none, &options);
    for n in 0..1_000 {
        let id = service(&format!("x/s{n:05}")).id;
        it.change([(id.clone(), None)]);
        it.change([(id.clone(), Some(Arc::new(service(&id.to_string()))))]);
    }
    let status = it.usage()[0].status;
    assert_eq!((status.assigned_ipv4, status.available_ipv4), (10_000, 65_536 - 15_000));
    let given = it.services().filter_map(|id| it.assignment(id));
    assert!(given.flat_map(|it| it.addresses).all(|it| !nodes.contains_key(&it)));
}
