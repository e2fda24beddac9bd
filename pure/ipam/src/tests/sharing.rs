//! Sharing an address: whom with, on what terms, and who leaves when they no longer agree.

use steelyard_model::{Holdings, Service, TrafficPolicy};

use super::{annotated, held, labels, pool, port, run, told, with};
use crate::{Assignments, Disagreement, Reason, Refusal};

/// `key` empty: not shared. `backend` set: externalTrafficPolicy Local with that selector.
fn sharing(id: &str, request: &str, key: &str, backend: &str, number: u16) -> Service {
    let it = annotated(id, &[("loadBalancerIPs", request), ("allow-shared-ip", key)]);
    with(it, |it| {
        it.ports = vec![port(number)];
        it.selector = labels(&format!("app={backend}"));
        if !backend.is_empty() {
            it.external_traffic_policy = TrafficPolicy::Local;
        }
    })
}

fn addresses_of(out: &Assignments) -> Vec<String> {
    told(out).iter().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn who_may_share() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.9"])];
    for (first, second, expected) in [
        (("k", "", 80), ("k", "", 81), "10.0.0.5"),
        (("k", "b", 80), ("k", "b", 81), "10.0.0.5"),
        (("k", "", 80), ("k", "", 80), "-"),
        (("k", "", 80), ("l", "", 81), "-"),
        (("", "", 80), ("k", "", 81), "-"),
        (("k", "", 80), ("", "", 81), "-"),
        (("k", "b", 80), ("k", "c", 81), "-"),
        (("k", "", 80), ("k", "b", 81), "-"),
    ] {
        let services = [("x/a", first), ("x/b", second)]
            .map(|(id, (key, backend, port))| sharing(id, "10.0.0.5", key, backend, port));
        let out = run(&pools, &services, &Holdings::default());
        assert_eq!(addresses_of(&out), ["10.0.0.5", expected], "{first:?} {second:?}");
        // And nobody moves the second time.
        let again = run(&pools, &services, &out.held);
        assert_eq!(addresses_of(&again), ["10.0.0.5", expected], "{first:?} {second:?}");
    }
}

#[test]
fn whoever_changed_its_terms_leaves() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.9"])];
    let before = [sharing("x/a", "", "k", "b", 80), sharing("x/b", "", "k", "b", 81)];
    let was = run(&pools, &before, &Holdings::default());
    assert_eq!(addresses_of(&was), ["10.0.0.1", "10.0.0.1"]);
    for (changed, expected) in [
        (sharing("x/a", "", "l", "b", 80), ["10.0.0.2", "10.0.0.1"]),
        (sharing("x/a", "", "k", "c", 80), ["10.0.0.2", "10.0.0.1"]),
        (sharing("x/a", "", "k", "b", 81), ["10.0.0.2", "10.0.0.1"]),
        (sharing("x/a", "", "", "b", 80), ["10.0.0.2", "10.0.0.1"]),
        (sharing("x/b", "", "l", "b", 81), ["10.0.0.1", "10.0.0.2"]),
        (sharing("x/a", "", "k", "b", 82), ["10.0.0.1", "10.0.0.1"]),
    ] {
        let mut services = before.clone();
        let place = services.iter().position(|it| it.id == changed.id).unwrap();
        services[place] = changed;
        let out = run(&pools, &services, &was.held);
        assert_eq!(addresses_of(&out), expected, "{:?}", services[place]);
    }
}

#[test]
fn a_sole_user_changes_its_terms_in_place() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.9"])];
    let was = run(&pools, &[sharing("x/a", "", "k", "", 80)], &Holdings::default());
    let out = run(&pools, &[sharing("x/a", "", "l", "b", 81)], &was.held);
    assert_eq!(told(&out), ["x/a: 10.0.0.1 []"]);
    assert_ne!(out.held, was.held);
}

#[test]
fn a_free_lower_address_comes_before_one_that_could_be_shared() {
    let pools = [pool("a", &["10.0.0.1-10.0.0.9"])];
    let services = [sharing("x/a", "10.0.0.2", "k", "", 80), sharing("x/b", "", "k", "", 81)];
    assert_eq!(
        addresses_of(&run(&pools, &services, &Holdings::default())),
        ["10.0.0.2", "10.0.0.1"]
    );
    let taken = [
        sharing("w/a", "10.0.0.1", "", "", 80),
        sharing("x/a", "10.0.0.2", "k", "", 80),
        sharing("x/b", "", "k", "", 81),
        sharing("x/c", "", "k", "", 80),
    ];
    assert_eq!(
        addresses_of(&run(&pools, &taken, &Holdings::default())),
        ["10.0.0.1", "10.0.0.2", "10.0.0.2", "10.0.0.3"]
    );
}

#[test]
fn a_full_pool_is_shared_and_says_with_whom_it_cannot() {
    let pools = [pool("a", &["10.0.0.1"])];
    let services = [
        sharing("x/a", "", "k", "", 80),
        sharing("x/b", "", "k", "", 81),
        sharing("x/c", "", "k", "", 81),
    ];
    let out = run(&pools, &services, &Holdings::default());
    assert_eq!(addresses_of(&out), ["10.0.0.1", "10.0.0.1", "-"]);
    let excluded = &out.exclusions.values().next().unwrap()[0];
    assert!(excluded.message.contains("x/b"), "{}", excluded.message);
}

#[test]
fn a_conflict_names_the_other_and_the_reason() {
    let pools = [pool("a", &["10.0.0.1"])];
    let services =
        [sharing("x/a", "10.0.0.1", "k", "", 80), sharing("x/b", "10.0.0.1", "l", "", 81)];
    let out = run(&pools, &services, &held(&[("x/a", "10.0.0.1")]));
    let Reason::Pending(refusal) = &out.services.values().nth(1).unwrap().reason else {
        panic!("{:?}", out.services)
    };
    let Refusal::Taken(conflict) = &**refusal else { panic!("{refusal:?}") };
    assert_eq!(conflict.with[0].to_string(), "x/a");
    assert_eq!(conflict.on, Disagreement::Key { theirs: "k".into(), ours: "l".into() });
}
