//! One table row for each rule: pools and Services in, addresses and reasons out.

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_model::{
    Family, FamilyPolicy, Holdings, Pool, Selector, Service, ServiceAllocation, ServiceType,
};

use super::{
    addresses, annotated, asking, held, labels, pool, run, service, told, with, with_allocation,
};
use crate::{
    Absent, Allocator, Author, ExclusionRule, Options, Reason, Refusal, ServiceEventKind, assign,
};

fn for_namespaces(names: &[&str], priority: i64) -> ServiceAllocation {
    let namespaces = names.iter().map(|&name| name.to_owned()).collect();
    ServiceAllocation { priority, namespaces, ..Default::default() }
}

fn for_labels(text: &str, priority: i64) -> ServiceAllocation {
    let service_selectors = vec![Selector { match_labels: labels(text), expressions: vec![] }];
    ServiceAllocation { priority, service_selectors, ..Default::default() }
}

/// Without anything held.
fn fresh(pools: &[Pool], services: &[Service]) -> Vec<String> {
    told(&run(pools, services, &Holdings::default()))
}

#[test]
fn addresses_in_order_of_age_then_name() {
    let pools = [pool("b", &["10.0.0.3"]), pool("a", &["10.0.0.1-10.0.0.2"])];
    let created = |id, at: &str| with(service(id), |it| it.created = Some(at.into()));
    let services = [
        service("default/a"),
        created("default/z", "2024-01-01T00:00:00Z"),
        created("default/y", "2023-01-01T00:00:00Z"),
        service("zoo/a"),
    ];
    assert_eq!(
        fresh(&pools, &services),
        [
            "default/a: 10.0.0.3 [IPAllocated]",
            "default/y: 10.0.0.1 [IPAllocated]",
            "default/z: 10.0.0.2 [IPAllocated]",
            "zoo/a: - [AllocationFailed]",
        ]
    );
}

#[test]
fn requests_come_before_the_rest_and_held_before_requests() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.4"]), pool("b", &["10.0.1.1"])];
    let services = [
        service("default/a"),
        annotated("default/b", &[("loadBalancerIPs", "10.0.0.1")]),
        annotated("default/c", &[("loadBalancerIPs", "10.0.0.2")]),
        service("default/d"),
        annotated("default/e", &[("address-pool", "a")]),
        with(service("default/f"), |it| it.status_addresses = addresses("10.0.0.3")),
    ];
    let out = run(&pools, &services, &held(&[("default/d", "10.0.0.2")]));
    assert_eq!(
        told(&out),
        [
            "default/a: 10.0.1.1 [IPAllocated]",
            "default/b: 10.0.0.1 [IPAllocated]",
            "default/c: - [AllocationFailed]",
            "default/d: 10.0.0.2 []",
            "default/e: 10.0.0.4 [IPAllocated]",
            "default/f: 10.0.0.3 []",
        ]
    );
    let reason = |id: &str| {
        let found = out.services.iter().find(|(it, _)| it.to_string() == id);
        found.unwrap().1.reason.clone()
    };
    assert_eq!(reason("default/a"), Reason::FirstFree);
    assert_eq!(reason("default/b"), Reason::Requested);
    assert_eq!(reason("default/d"), Reason::Held);
    assert_eq!(reason("default/e"), Reason::FirstOfRequestedPool);
    assert_eq!(reason("default/f"), Reason::Status);
    let Reason::Pending(refusal) = reason("default/c") else { panic!() };
    let Refusal::Taken(conflict) = *refusal else { panic!() };
    assert_eq!(conflict.with[0].to_string(), "default/d");
}

#[test]
fn a_request_that_cannot_be_met_releases_what_was_held_an_invalid_one_keeps_it() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.4"])];
    let was = held(&[("default/a", "10.0.0.1")]);
    for (request, expected) in [
        ("10.0.0.1", "default/a: 10.0.0.1 []"),
        (" 10.0.0.3 ", "default/a: 10.0.0.3 [IPAllocated]"),
        ("10.9.9.9", "default/a: - [AllocationFailed]"),
        ("fd00::1", "default/a: - [AllocationFailed]"),
        ("10.0.0.300", "default/a: 10.0.0.1 [LoadBalancerFailed]"),
        ("10.0.0.1,10.0.0.2", "default/a: 10.0.0.1 [LoadBalancerFailed]"),
        ("10.0.0.1,fd00::1,10.0.0.2", "default/a: 10.0.0.1 [LoadBalancerFailed]"),
        ("", "default/a: 10.0.0.1 []"),
    ] {
        let services = [annotated("default/a", &[("loadBalancerIPs", request)])];
        assert_eq!(told(&run(&pools, &services, &was)), [expected], "{request:?}");
    }
    let both = asking("default/a", &[("loadBalancerIPs", "10.0.0.2")], "10.0.0.2");
    assert_eq!(fresh(&pools, &[both]), ["default/a: - [AllocationFailed]"]);
}

#[test]
fn spec_load_balancer_ip_is_a_request() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.4"])];
    for (text, expected) in [
        ("10.0.0.3", "default/a: 10.0.0.3 [IPAllocated]"),
        ("::ffff:10.0.0.3", "default/a: 10.0.0.3 [IPAllocated]"),
        ("the third one", "default/a: - [AllocationFailed]"),
    ] {
        let wants = asking("default/a", &[], text);
        assert_eq!(fresh(&pools, &[wants]), [expected]);
    }
}

#[test]
fn the_newer_prefix_wins_even_when_empty() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.4"])];
    let old = ("metallb.universe.tf/loadBalancerIPs", "10.0.0.4");
    for (newer, expected) in [
        (None, "default/a: 10.0.0.4 [IPAllocated, deprecatedAnnotation]"),
        (Some("10.0.0.3"), "default/a: 10.0.0.3 [IPAllocated, deprecatedAnnotation]"),
        (Some(""), "default/a: 10.0.0.1 [IPAllocated, deprecatedAnnotation]"),
    ] {
        let mut annotations = vec![old];
        annotations.extend(newer.map(|value| ("loadBalancerIPs", value)));
        assert_eq!(fresh(&pools, &[annotated("default/a", &annotations)]), [expected]);
    }
}

#[test]
fn who_gets_none() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.4"])];
    let was = held(&[("default/a", "10.0.0.1")]);
    for (changed, expected) in [
        (with(service("default/a"), |it| it.headless = true), "default/a: - []"),
        (
            with(service("default/a"), |it| it.load_balancer_class = Some("other".into())),
            "default/a: - []",
        ),
        (with(service("default/a"), |it| it.kind = ServiceType::NodePort), ""),
    ] {
        assert_eq!(told(&run(&pools, &[changed], &was)).join(""), expected);
    }
}

#[test]
fn a_class_of_ours_counts_alone() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.4"])];
    let classed = with(service("default/b"), |it| it.load_balancer_class = Some("ours".into()));
    let options = Options { load_balancer_class: Some("ours".into()), ..Options::default() };
    let services = [service("default/a"), classed].map(Arc::new);
    let out = assign(&pools, &BTreeMap::new(), services, &Holdings::default(), &options);
    assert_eq!(told(&out), ["default/a: - []", "default/b: 10.0.0.1 [IPAllocated]"]);
    assert!(out.services.values().next().unwrap().status_is_foreign);
}

#[test]
fn pinned_pools_by_priority_then_name_then_pools_for_everybody() {
    let pools = [
        pool("everybody", &["10.0.0.1-10.0.0.9"]),
        with_allocation(pool("late", &["10.0.1.1"]), for_namespaces(&["shop"], 0)),
        with_allocation(pool("b", &["10.0.2.1"]), for_namespaces(&["shop", "x"], 5)),
        with_allocation(pool("c", &["10.0.3.1"]), for_labels("team=red", 5)),
        with_allocation(pool("first", &["10.0.4.1"]), for_labels("team=red", -1)),
        Pool {
            auto_assign: false,
            ..with_allocation(pool("manual", &["10.0.5.1"]), for_namespaces(&["shop"], 1))
        },
    ];
    let red = |id| with(service(id), |it| it.labels = labels("team=red,x=y"));
    let services = ["shop/1", "shop/2", "shop/3", "shop/4", "shop/5"].map(red);
    assert_eq!(
        fresh(&pools, &services),
        [
            "shop/1: 10.0.4.1 [IPAllocated]",
            "shop/2: 10.0.2.1 [IPAllocated]",
            "shop/3: 10.0.3.1 [IPAllocated]",
            "shop/4: 10.0.1.1 [IPAllocated]",
            "shop/5: 10.0.0.1 [IPAllocated]",
        ]
    );
    assert_eq!(fresh(&pools, &[service("y/1")]), ["y/1: 10.0.0.1 [IPAllocated]"]);
}

#[test]
fn a_service_allocation_that_restricts_nothing_is_for_everybody_and_first() {
    let pools = [
        pool("a", &["10.0.0.1"]),
        with_allocation(pool("b", &["10.0.1.1"]), ServiceAllocation::default()),
    ];
    assert_eq!(fresh(&pools, &[service("x/1")]), ["x/1: 10.0.1.1 [IPAllocated]"]);
}

#[test]
fn namespaces_by_label() {
    let selector = |text| Selector { match_labels: labels(text), expressions: vec![] };
    let by_label = |text| ServiceAllocation {
        namespace_selectors: vec![selector(text)],
        ..Default::default()
    };
    let namespaces = BTreeMap::from([("prod".to_owned(), labels("tier=gold"))]);
    for (text, id, expected) in [
        ("tier=gold", "prod/a", "10.0.0.1"),
        ("tier=gold", "test/a", "-"),
        ("kubernetes.io/metadata.name=test", "test/a", "10.0.0.1"),
        // Nothing is selected: nobody may, not everybody.
        ("tier=none", "prod/a", "-"),
    ] {
        let pools = [with_allocation(pool("a", &["10.0.0.1"]), by_label(text))];
        for request in [vec![], vec![("address-pool", "a")], vec![("loadBalancerIPs", "10.0.0.1")]]
        {
            let services = [Arc::new(annotated(id, &request))];
            let out =
                assign(&pools, &namespaces, services, &Holdings::default(), &Options::default());
            assert!(told(&out)[0].starts_with(&format!("{id}: {expected} ")), "{text} {id}");
        }
    }
}

#[test]
fn an_asked_pool() {
    let pools = [
        pool("a", &["10.0.0.1"]),
        Pool { auto_assign: false, ..pool("manual", &["10.0.1.1"]) },
        with_allocation(pool("red", &["10.0.2.1"]), for_labels("team=red", 0)),
    ];
    for (name, was, expected) in [
        ("manual", "", "10.0.1.1 [IPAllocated]"),
        ("manual", "10.0.0.1", "10.0.1.1 [IPAllocated]"),
        ("red", "10.0.0.1", "- [AllocationFailed]"),
        ("nope", "10.0.0.1", "- [AllocationFailed]"),
        ("", "10.0.0.1", "10.0.0.1 []"),
    ] {
        let services = [annotated("x/a", &[("address-pool", name)])];
        let out = run(&pools, &services, &held(&[("x/a", was)]));
        assert_eq!(told(&out), [format!("x/a: {expected}")], "{name} {was}");
    }
    let elsewhere =
        annotated("x/a", &[("address-pool", "manual"), ("loadBalancerIPs", "10.0.0.1")]);
    assert_eq!(fresh(&pools, &[elsewhere]), ["x/a: - [AllocationFailed]"]);
}

#[test]
fn a_pool_name_in_two_namespaces() {
    let other = |mut it: Pool| {
        it.id.namespace = "infra".into();
        it
    };
    let pools = [pool("a", &["10.0.0.1"]), other(pool("a", &["10.0.1.1"]))];
    for (id, expected) in [("infra/x", "10.0.1.1"), ("shop/x", "-")] {
        let out = run(&pools, &[annotated(id, &[("address-pool", "a")])], &Holdings::default());
        assert!(told(&out)[0].starts_with(&format!("{id}: {expected} ")), "{:?}", told(&out));
    }
}

#[test]
fn families() {
    let v4 = pool("v4", &["10.0.0.1-10.0.0.9"]);
    let v6 = pool("v6", &["fd00::1-fd00::9"]);
    let dual = pool("dual", &["10.1.0.1-10.1.0.9", "fd00:1::1-fd00:1::9"]);
    let (single, prefer, require) = (
        Some(FamilyPolicy::SingleStack),
        Some(FamilyPolicy::PreferDualStack),
        Some(FamilyPolicy::RequireDualStack),
    );
    let (f4, f6) = (Family::V4, Family::V6);
    let all = [v4.clone(), v6.clone(), dual.clone()];
    let only_v6 = [v6.clone()];
    let apart = [v4, v6];
    type Row<'a> = (&'a [Pool], &'a str, &'a [Family], Option<FamilyPolicy>, &'a str);
    let table: &[Row] = &[
        (&all, "", &[], None, "10.1.0.1 [IPAllocated]"),
        (&only_v6, "", &[], None, "fd00::1 [IPAllocated]"),
        (&only_v6, "", &[f4], None, "- [AllocationFailed]"),
        (&only_v6, "10.96.0.1", &[], None, "- [AllocationFailed]"),
        (&apart, "", &[f6], single, "fd00::1 [IPAllocated]"),
        (&apart, "fd96::1", &[], None, "fd00::1 [IPAllocated]"),
        (&apart, "10.96.0.1 fd96::1", &[], require, "- [AllocationFailed]"),
        (&all, "10.96.0.1 fd96::1", &[], require, "10.1.0.1 fd00:1::1 [IPAllocated]"),
        (&all, "fd96::1 10.96.0.1", &[f6, f4], require, "10.1.0.1 fd00:1::1 [IPAllocated]"),
        (&all, "", &[f4, f6], None, "10.1.0.1 fd00:1::1 [IPAllocated]"),
        (&all, "", &[], prefer, "10.1.0.1 fd00:1::1 [IPAllocated]"),
        (&apart, "", &[], prefer, "10.0.0.1 [IPAllocated, AdditionalAssignFailed]"),
        (&apart, "", &[f6, f4], prefer, "fd00::1 [IPAllocated, AdditionalAssignFailed]"),
        (&only_v6, "", &[f4, f6], prefer, "fd00::1 [IPAllocated, AdditionalAssignFailed]"),
        (&all, "10.96.0.1", &[], prefer, "10.1.0.1 [IPAllocated, AdditionalAssignFailed]"),
        (&all, "10.96.0.1", &[], require, "- [not enough clusterips]"),
        (&all, "10.96.0.1 10.96.0.2", &[], None, "- [AllocationFailed]"),
    ];
    for (pools, cluster, families, policy, expected) in table {
        let it = with(service("x/a"), |it| {
            it.cluster_ips = addresses(cluster);
            it.ip_families = Family::each(families);
            it.family_policy = *policy;
        });
        assert_eq!(fresh(pools, &[it]), [format!("x/a: {expected}")], "{cluster} {policy:?}");
    }
}

#[test]
fn requested_families_without_cluster_addresses() {
    let pools = [pool("dual", &["10.1.0.1-10.1.0.9", "fd00:1::1-fd00:1::9"])];
    for (request, policy, expected) in [
        ("fd00:1::5", None, "fd00:1::5 [IPAllocated]"),
        ("fd00:1::5,10.1.0.5", None, "fd00:1::5 10.1.0.5 [IPAllocated]"),
        ("10.1.0.5", Some(FamilyPolicy::PreferDualStack), "10.1.0.5 [IPAllocated]"),
        ("10.1.0.5", Some(FamilyPolicy::RequireDualStack), "- [AllocationFailed]"),
    ] {
        let it = annotated("x/a", &[("loadBalancerIPs", request)]);
        let it = with(it, |it| it.family_policy = policy);
        assert_eq!(fresh(&pools, &[it]), [format!("x/a: {expected}")], "{request}");
    }
}

#[test]
fn changes_of_the_policy_keep_what_fits() {
    let pools = [
        pool("a", &["10.0.0.1-10.0.0.9"]),
        pool("dual", &["10.1.0.1-10.1.0.9", "fd00:1::1-fd00:1::9"]),
    ];
    let (prefer, require) =
        (Some(FamilyPolicy::PreferDualStack), Some(FamilyPolicy::RequireDualStack));
    for (was, cluster, policy, expected) in [
        // A second family: beside the first, in the same pool.
        ("10.1.0.5", "10.96.0.1 fd96::1", prefer, "10.1.0.5 fd00:1::1 [IPAllocated]"),
        ("fd00:1::5", "10.96.0.1 fd96::1", prefer, "fd00:1::5 10.1.0.1 [IPAllocated]"),
        ("10.1.0.5", "10.96.0.1 fd96::1", require, "10.1.0.5 fd00:1::1 [IPAllocated]"),
        ("10.0.0.5", "10.96.0.1 fd96::1", prefer, "10.0.0.5 [AdditionalAssignFailed]"),
        // Not to be had there: elsewhere.
        ("10.0.0.5", "10.96.0.1 fd96::1", require, "10.1.0.1 fd00:1::1 [IPAllocated]"),
        // One family less: the other stays.
        ("10.1.0.5 fd00:1::5", "10.96.0.1", None, "10.1.0.5 [IPAllocated]"),
        ("10.1.0.5 fd00:1::5", "fd96::1", None, "fd00:1::5 [IPAllocated]"),
        ("10.1.0.5 fd00:1::5", "", None, "10.1.0.5 [IPAllocated]"),
        // The other family.
        ("10.1.0.5", "fd96::1", None, "fd00:1::1 [IPAllocated]"),
    ] {
        let it = with(service("x/a"), |it| {
            it.cluster_ips = addresses(cluster);
            it.family_policy = policy;
        });
        let out = run(&pools, &[it], &held(&[("x/a", was)]));
        assert_eq!(told(&out), [format!("x/a: {expected}")], "{was} {cluster} {policy:?}");
    }
}

#[test]
fn pools_that_go_shrink_or_change_hands() {
    let was = held(&[("x/a", "10.0.0.5")]);
    for (pools, expected) in [
        (vec![pool("renamed", &["10.0.0.0-10.0.0.9"])], "10.0.0.5 []"),
        (vec![pool("a", &["10.0.0.0-10.0.0.4"])], "10.0.0.1 [ClearAssignment, IPAllocated]"),
        (vec![pool("b", &["10.0.1.0"])], "10.0.1.0 [ClearAssignment, IPAllocated]"),
        (vec![], "- [ClearAssignment, AllocationFailed]"),
        (
            vec![with_allocation(pool("a", &["10.0.0.5"]), for_namespaces(&["y"], 0))],
            "- [ClearAssignment, AllocationFailed]",
        ),
        (vec![Pool { auto_assign: false, ..pool("a", &["10.0.0.5"]) }], "10.0.0.5 []"),
    ] {
        let out = run(&pools, &[service("x/a")], &was);
        assert_eq!(told(&out), [format!("x/a: {expected}")], "{pools:?}");
    }
    let avoiding = Pool { avoid_buggy_ips: true, ..pool("a", &["10.0.0.0-10.0.0.9"]) };
    let out = run(&[avoiding], &[service("x/a")], &held(&[("x/a", "10.0.0.0")]));
    assert_eq!(told(&out), ["x/a: 10.0.0.1 [ClearAssignment, IPAllocated]"]);
}

#[test]
fn what_is_held_comes_first_then_statuses() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.9"])];
    for (status, was, expected) in [
        ("10.0.0.3", "", "10.0.0.3 []"),
        ("10.0.0.3", "10.0.0.4", "10.0.0.4 []"),
        ("10.0.0.3", "10.9.0.4", "10.0.0.3 []"),
        ("10.9.0.3", "10.0.0.4", "10.0.0.4 []"),
        ("10.9.0.3", "", "10.0.0.1 [ClearAssignment, IPAllocated]"),
        ("10.0.0.3 10.0.0.4", "", "10.0.0.1 [nolbIPsIPFamily, IPAllocated]"),
        ("fd00::1", "", "10.0.0.1 [IPAllocated]"),
    ] {
        let it = with(service("x/a"), |it| {
            it.status_addresses = addresses(status);
            it.cluster_ips = addresses("10.96.0.1");
        });
        let out = run(&pools, &[it], &held(&[("x/a", was)]));
        assert_eq!(told(&out), [format!("x/a: {expected}")], "{status} {was}");
    }
}

#[test]
fn a_status_that_failed_fails_again_once_half_of_it_is_held() {
    let pools = [pool("dual", &["10.0.0.1-10.0.0.2", "fd00::1-fd00::2"])];
    let services = [
        with(service("default/a"), |it| {
            it.family_policy = Some(FamilyPolicy::PreferDualStack);
            it.status_addresses = addresses("10.0.0.1 fd00::1");
            it.created = Some("2024".into());
        }),
        with(service("default/b"), |it| {
            it.status_addresses = addresses("10.0.0.1");
            it.created = Some("2025".into());
        }),
    ];
    // The younger holds its address; the older then finds its IPv6 address free.
    let before = held(&[("default/b", "10.0.0.1")]);
    let out = run(&pools, &services, &before);
    assert_eq!(
        told(&out),
        ["default/a: 10.0.0.2 fd00::1 [ClearAssignment, IPAllocated]", "default/b: 10.0.0.1 []"]
    );
    let again = run(&pools, &services, &out.held);
    assert_eq!(told(&again), ["default/a: 10.0.0.2 fd00::1 []", "default/b: 10.0.0.1 []"]);
    assert_eq!(again.held, out.held);
}

#[test]
fn an_absent_service_keeps_what_it_holds_where_its_object_is_only_invalid() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.9"])];
    let was = held(&[("x/gone", "10.0.0.1"), ("x/broken", "10.0.0.2")]);
    let keep = [steelyard_model::NamespacedName::new("x", "broken")].into();
    for (absent, expected, kept) in [
        (Absent::Release, "10.0.0.1", 0),
        (Absent::Keep(keep), "10.0.0.1", 1),
        (Absent::KeepAll, "10.0.0.3", 2),
    ] {
        let options = Options { absent, ..Options::default() };
        let services = [Arc::new(service("x/new"))];
        let out = assign(&pools, &BTreeMap::new(), services, &was, &options);
        assert_eq!(told(&out), [format!("x/new: {expected} [IPAllocated]")]);
        assert_eq!(out.held.0.len(), 1 + kept);
    }
}

#[test]
fn every_pool_says_what_excludes_it() {
    let manual = Pool { auto_assign: false, ..pool("manual", &["10.0.1.1"]) };
    let pools = [
        pool("full", &["10.0.0.1"]),
        manual,
        pool("six", &["fd00::1"]),
        with_allocation(pool("red", &["10.0.2.1"]), for_labels("team=red", 0)),
        with_allocation(pool("shop", &["10.0.3.1"]), for_namespaces(&["shop"], 0)),
    ];
    let wants = with(service("x/b"), |it| it.cluster_ips = addresses("10.96.0.1"));
    let out = run(&pools, &[wants, service("x/a")], &held(&[("x/a", "10.0.0.1")]));
    let excluded = out.exclusions.values().next().unwrap();
    let rules: Vec<_> = excluded.iter().map(|it| (&*it.pool.name, it.rule.clone())).collect();
    assert_eq!(
        rules,
        [
            ("full", ExclusionRule::Full { family: Family::V4, reserved: 0, sharing: None }),
            ("manual", ExclusionRule::NotAutoAssign),
            ("red", ExclusionRule::Selector),
            ("shop", ExclusionRule::Namespace),
            ("six", ExclusionRule::NoFamily { family: Family::V4 }),
        ]
    );
    assert!(excluded.iter().all(|it| !it.help.is_empty() && it.message.contains(&*it.pool.name)));
    assert_eq!(out.diagnostics.len(), 1, "{:?}", out.diagnostics);
}

#[test]
fn events_are_worded_as_metallb_does() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.2", "fd00::1"])];
    let services = [
        with(service("x/a"), |it| it.family_policy = Some(FamilyPolicy::RequireDualStack)),
        annotated("x/b", &[("loadBalancerIPs", "10.0.0.1")]),
        annotated("x/c", &[("loadBalancerIPs", "10.9.9.9")]),
        annotated("x/d", &[("address-pool", "nope")]),
    ];
    let was = held(&[("x/a", "10.0.0.1 fd00::9")]);
    let out = run(&pools, &services, &was);
    let events: Vec<_> = out
        .services
        .values()
        .flat_map(|it| &it.events)
        .map(|it| (it.kind == ServiceEventKind::Warning, it.message.as_str()))
        .collect();
    assert_eq!(
        events,
        [
            (
                false,
                "current IP for \"x/a\" not allowed by config, will attempt for new IP \
                 assignment: [\"10.0.0.1\" \"fd00::9\"] is not allowed in config"
            ),
            (false, "Assigned IP [\"10.0.0.2\" \"fd00::1\"]"),
            (false, "Assigned IP [\"10.0.0.1\"]"),
            (true, "Failed to allocate IP for \"x/c\": [\"10.9.9.9\"] is not allowed in config"),
            (true, "Failed to allocate IP for \"x/d\": unknown pool \"nope\""),
        ]
    );
}

#[test]
fn counts_are_of_addresses_and_saturate() {
    let pools = [pool("a", &["10.0.0.0-10.0.0.255", "fd00::-fd00::ffff:ffff:ffff:ffff"])];
    let shared = |id, port| {
        with(annotated(id, &[("allow-shared-ip", "k")]), |it| it.ports = vec![super::port(port)])
    };
    let out =
        run(&pools, &[shared("x/a", 80), shared("x/b", 81), service("x/c")], &Holdings::default());
    let usage = out.pools[0].status;
    assert_eq!((usage.assigned_ipv4, usage.available_ipv4), (2, 254));
    assert_eq!((usage.assigned_ipv6, usage.available_ipv6), (0, i64::MAX as u64));
}

#[test]
fn what_is_not_held_is_not_given_where_somebody_else_decides() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.9"])];
    let was = held(&[("x/a", "10.0.0.1")]);
    let options = Options { author: Author::Holdings, ..Options::default() };
    let services = [service("x/a"), service("x/b")].map(Arc::new);
    let out = assign(&pools, &BTreeMap::new(), services, &was, &options);
    assert_eq!(told(&out), ["x/a: 10.0.0.1 []", "x/b: - [AllocationFailed]"]);
    assert!(out.diagnostics[0].help.contains("--lock-writer"), "{:?}", out.diagnostics);
}

/// A Service whose status has these addresses.
fn written(id: &str, addresses: &[&str]) -> Service {
    let addresses = addresses.iter().map(|it| it.parse().unwrap()).collect();
    with(service(id), |it| it.status_addresses = addresses)
}

#[test]
fn where_a_controller_decides_statuses_alone_count() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.9"])];
    // What is held is not asked, nor what the Service asks for: the controller has not seen it yet.
    let was = held(&[("x/a", "10.0.0.7"), ("x/none", "10.0.0.8")]);
    let options = Options { author: Author::Statuses, ..Options::default() };
    let asks = with(asking("x/asks", &[], "10.0.0.9"), |it| {
        it.status_addresses = vec!["10.0.0.2".parse().unwrap()];
    });
    let services = [
        written("x/a", &["10.0.0.1", "10.0.0.1"]),
        asks,
        written("x/b", &["10.0.0.1"]),
        written("x/foreign", &["192.0.2.1"]),
        service("x/none"),
    ];
    let out = assign(&pools, &BTreeMap::new(), services.map(Arc::new), &was, &options);
    let expected =
        ["x/a: 10.0.0.1 []", "x/asks: 10.0.0.2 []", "x/b: - []", "x/foreign: - []", "x/none: - []"];
    assert_eq!(told(&out), expected);
    assert!(out.held.0.is_empty(), "statuses have it all");
}

#[test]
fn an_address_that_a_controller_moves_goes_with_the_statuses() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.9"])];
    let options = Options { author: Author::Statuses, ..Options::default() };
    let services = [written("x/a", &["10.0.0.1"]), service("x/b")].map(Arc::new);
    let nothing = Holdings::default();
    let mut all = Allocator::new(&pools, &BTreeMap::new(), services, &nothing, &options);
    let mut become_of = |service: Service| {
        all.change([(service.id.clone(), Some(Arc::new(service)))]);
        ["x/a", "x/b"].map(|id| {
            let (namespace, name) = id.split_once('/').unwrap();
            let id = steelyard_model::NamespacedName::new(namespace, name);
            all.assignment(&id).unwrap().addresses.first().map(ToString::to_string)
        })
    };
    let (one, two) = (|| Some("10.0.0.1".to_owned()), || Some("10.0.0.2".to_owned()));
    // Of two statuses with one address the older Service's counts, until they agree.
    assert_eq!(become_of(written("x/b", &["10.0.0.1"])), [one(), None]);
    assert_eq!(become_of(written("x/a", &["10.0.0.2"])), [two(), one()]);
    assert_eq!(become_of(service("x/a")), [None, one()]);
}
