//! Large inputs: that they are handled at all, and without walking over what is used. Times are
//! the bench's affair; a walk would take minutes here.

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_model::{Holdings, NamespacedName, Pool, Selector, Service, ServiceAllocation};

use super::{annotated, labels, pool, port, service, with, with_allocation};
use crate::{Allocator, Options, Reason, Refusal};

fn allocator(pools: &[Pool], count: usize, key: &str) -> Allocator {
    let services = (0..count).map(|n| {
        let it = annotated(&format!("default/s{n:05}"), &[("allow-shared-ip", key)]);
        Arc::new(with(it, |it| it.ports = vec![port(80)]))
    });
    Allocator::new(pools, &BTreeMap::new(), services, &Holdings::default(), &Options::default())
}

fn come(id: &str) -> (NamespacedName, Option<Arc<Service>>) {
    (service(id).id, Some(Arc::new(service(id))))
}

fn gone(id: &str) -> (NamespacedName, Option<Arc<Service>>) {
    (service(id).id, None)
}

#[test]
fn a_full_pool_says_so() {
    let mut it = allocator(&[pool("a", &["10.0.0.0-10.0.255.255"])], 65_536, "");
    for n in 0..1_000 {
        let id = format!("default/z{n}");
        it.change([come(&id)]);
        let assignment = it.assignment(&service(&id).id).unwrap();
        assert_eq!(assignment.reason, Reason::Pending(Box::new(Refusal::NoneAvailable)));
        it.change([gone(&id)]);
    }
    let usage = it.usage()[0].status;
    assert_eq!((usage.assigned_ipv4, usage.available_ipv4), (65_536, 0));
    it.change([gone("default/s00300"), come("default/z")]);
    let got = it.assignment(&service("default/z").id).unwrap();
    assert_eq!(got.addresses[0].to_string(), "10.0.1.45");
}

#[test]
fn many_who_would_share_and_cannot() {
    let it = allocator(&[pool("a", &["fd00::-fd00::ffff:ffff:ffff:ffff"])], 10_000, "k");
    assert_eq!(it.usage()[0].status.assigned_ipv6, 10_000);
}

#[test]
fn many_pools() {
    let one = |n: usize| {
        pool(
            &format!("p{n:04}"),
            &[&format!("10.{}.{}.1-10.{}.{}.9", n / 250, n % 250, n / 250, n % 250)],
        )
    };
    let pinned = |n: usize| {
        let team = Selector { match_labels: labels(&format!("team={n}")), expressions: vec![] };
        let allocation = ServiceAllocation { service_selectors: vec![team], ..Default::default() };
        with_allocation(one(n), allocation)
    };
    let for_all: Vec<_> = (0..1_000).map(one).collect();
    assert_eq!(allocator(&for_all, 9_500, "").usage()[999].status.assigned_ipv4, 9);
    let for_some: Vec<_> = (0..1_000).map(pinned).collect();
    let services = (0..10_000).map(|n| {
        let it = service(&format!("default/s{n:05}"));
        Arc::new(with(it, |it| it.labels = labels(&format!("app=x,team={}", n % 1_000))))
    });
    let none = Holdings::default();
    let it = Allocator::new(&for_some, &BTreeMap::new(), services, &none, &Options::default());
    assert!(it.usage().iter().all(|pool| pool.status.assigned_ipv4 == 9));
}
