//! What is written so that a cluster shows what is true.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use steelyard_model::{Code, Diagnostic, Severity};
use steelyard_model::{NamespacedName, ObjectRef};

const THEN: &str = "2026-01-01T00:00:00Z";
const NOW: &str = "2026-01-02T00:00:00Z";

fn service() -> NamespacedName {
    NamespacedName::new("default", "web")
}

fn pod(name: &str) -> Owner {
    Owner { name: name.to_owned(), uid: format!("uid-of-{name}") }
}

fn layer2(node: &str, interfaces: &[&str]) -> Report<ServiceL2Status> {
    let status = ServiceL2Status::new(node, &service(), interfaces.iter().copied());
    Report::about_service("metallb-system", pod(&format!("speaker-{node}")), status)
}

fn bgp(node: &str, peers: &[&str]) -> Report<ServiceBgpStatus> {
    let status = ServiceBgpStatus::new(node, &service(), peers.iter().copied());
    Report::about_service("metallb-system", pod(&format!("speaker-{node}")), status)
}

/// The report as an API server has it, under a name.
fn there<S>(name: &str, report: Report<S>) -> Report<S> {
    Report { name: Some(name.to_owned()), ..report }
}

/// An API server: what it has, by name.
fn written<S: ServiceStatus>(
    mut there: BTreeMap<String, Report<S>>,
    writes: Vec<Write<S>>,
) -> BTreeMap<String, Report<S>> {
    for write in writes {
        match write {
            Write::Create(report) => {
                let name = format!("{}{}", S::NAME_PREFIX, there.len());
                let report = Report { name: Some(name.clone()), ..report };
                assert!(there.insert(name, report).is_none(), "a new name");
            }
            Write::Update(report) => {
                let name = report.name.clone().expect("an update names its object");
                assert!(there.insert(name, report).is_some(), "an update of what is there");
            }
            Write::Delete { name, .. } => {
                there.remove(&name).expect("a deletion of what is there");
            }
        }
    }
    there
}

/// What `node` leaves of `found`, as "node: interfaces"; the second round writes nothing.
fn settled(
    node: &str,
    found: &[Report<ServiceL2Status>],
    wanted: Option<&Report<ServiceL2Status>>,
) -> String {
    let there = found.iter().map(|it| (it.name.clone().expect("a name"), it.clone())).collect();
    let there = written(there, reconcile(node, &service(), found, wanted.cloned()));
    let found: Vec<_> = there.into_values().collect();
    assert_eq!(reconcile(node, &service(), &found, wanted.cloned()), [], "settled");
    let mut lines: Vec<String> = found
        .iter()
        .map(|it| {
            let names = it.status.iter().flat_map(|status| &status.interfaces);
            let names: Vec<_> = names.map(|it| it.name.as_str()).collect();
            format!("{}: {}", it.labels[NODE_LABEL], names.join(","))
        })
        .collect();
    lines.sort();
    lines.join("; ")
}

#[test]
fn the_node_that_announces_reports_alone() {
    let own = there("l2-a", layer2("a", &[]));
    let other = there("l2-b", layer2("b", &["eth0"]));
    let empty = Report { status: None, ..there("l2-c", layer2("a", &[])) };
    let some = layer2("a", &["eth1", "eth0", "eth1"]);
    for (what, found, wanted, expected) in [
        ("nothing there", vec![], Some(&some), "a: eth0,eth1"),
        ("another node's", vec![other.clone()], Some(&some), "a: eth0,eth1"),
        ("of other content", vec![own.clone()], Some(&some), "a: eth0,eth1"),
        ("without content", vec![empty.clone()], Some(&some), "a: eth0,eth1"),
        ("twice", vec![own.clone(), empty.clone()], Some(&some), "a: eth0,eth1"),
        ("no longer ours", vec![own.clone(), other.clone()], None, "b: eth0"),
        ("never ours", vec![other.clone()], None, "b: eth0"),
    ] {
        assert_eq!(settled("a", &found, wanted), expected, "{what}");
    }
}

#[test]
fn what_is_right_is_not_written() {
    let own = there("l2-a", layer2("a", &["eth0"]));
    assert_eq!(
        reconcile("a", &service(), std::slice::from_ref(&own), Some(layer2("a", &["eth0"]))),
        []
    );
    let mut edited = own.clone();
    edited.labels.extend([("metallb.io/service-name".into(), "web".into())]);
    edited.owners = BTreeSet::from([pod("before")]);
    let [Write::Update(update)] =
        &reconcile("a", &service(), &[edited], Some(layer2("a", &["eth0"])))[..]
    else {
        panic!("an owner is missing");
    };
    assert_eq!(update.owners, BTreeSet::from([pod("before"), pod("speaker-a")]));
}

#[test]
fn what_never_changes_is_made_anew() {
    let mut wrong = there("l2-a", layer2("b", &[]));
    wrong.labels = layer2("a", &[]).labels;
    let writes = reconcile("a", &service(), &[wrong], Some(layer2("a", &[])));
    let [Write::Delete { name, .. }, Write::Create(_)] = &writes[..] else {
        panic!("{writes:?}");
    };
    assert_eq!(name, "l2-a");
}

#[test]
fn reports_about_other_services_are_left_alone() {
    let other = NamespacedName::new("default", "other");
    let status = ServiceL2Status::new("a", &other, []);
    let report = there("l2-a", Report::about_service("metallb-system", pod("speaker-a"), status));
    assert_eq!(reconcile("a", &service(), &[report], None), []);
}

#[test]
fn of_bgp_each_node_reports() {
    let other = there("bgp-b", bgp("b", &["r1"]));
    let own = there("bgp-a", bgp("a", &["somebody's edit"]));
    let found = [own, other.clone()];
    let wanted = bgp("a", &["r2", "r1"]);
    let writes = reconcile("a", &service(), &found, Some(wanted));
    let [Write::Update(update)] = &writes[..] else { panic!("{writes:?}") };
    assert_eq!(update.status.as_ref().expect("a status").peers, ["r1", "r2"]);
    let writes = reconcile("a", &service(), &found, None);
    let gone = Write::Delete { namespace: "metallb-system".into(), name: "bgp-a".into() };
    assert_eq!(writes, [gone]);
}

fn error(kind: &str, message: &str) -> Diagnostic {
    let object = ObjectRef::new(kind, "metallb-system", "first");
    Diagnostic::new(Severity::Error, Code::new("some-code"), &object, "spec", message, "mend it")
}

#[test]
fn each_component_says_what_it_reads() {
    let pool = error("IPAddressPool", "no addresses");
    let peer = error("BGPPeer", "no address");
    let service = error("Service", "no port");
    let warning = Diagnostic { severity: Severity::Warning, ..pool.clone() };
    let speaker = Component::Speaker { node: "a" };
    for (component, findings, expected) in [
        (Component::Controller, vec![], "poolReconcilerValid True Reconciled "),
        (
            Component::Controller,
            vec![pool.clone(), peer.clone()],
            "poolReconcilerValid False ConfigurationError IPAddressPool/metallb-system/first: no \
             addresses",
        ),
        (
            Component::Controller,
            vec![peer.clone(), service.clone()],
            "poolReconcilerValid True \
          Reconciled ",
        ),
        (speaker, vec![service, warning], "configReconcilerValid True Reconciled "),
        (
            speaker,
            vec![peer, pool],
            "configReconcilerValid False ConfigurationError BGPPeer/metallb-system/first: no \
             address\nIPAddressPool/metallb-system/first: no addresses",
        ),
    ] {
        let it = condition(component, &findings, NOW);
        assert_eq!(format!("{} {:?} {} {}", it.kind, it.status, it.reason, it.message), expected);
    }
}

#[test]
fn a_condition_keeps_its_time_until_it_turns() {
    let speaker = Component::Speaker { node: "a" };
    let mut state = ConfigurationState::default();
    state.sum_up();
    assert_eq!(state.result, Some(Validity::Unknown));
    state.set(condition(speaker, &[], THEN));
    let before = state.clone();
    state.set(condition(speaker, &[], NOW));
    assert_eq!(state, before);
    assert_eq!((state.result, &*state.error_summary), (Some(Validity::Valid), ""));
    state.set(condition(speaker, &[error("BGPPeer", "no address")], NOW));
    assert_eq!(state.conditions[0].last_transition_time, NOW);
    assert_eq!(state.result, Some(Validity::Invalid));
    assert_eq!(state.error_summary, "BGPPeer/metallb-system/first: no address");
    state.set(Condition { kind: "another".into(), ..Condition::default() });
    assert_eq!(state.conditions.len(), 2);
    assert_eq!(state.result, Some(Validity::Invalid));
}

#[test]
fn names_and_labels() {
    let speaker = Component::Speaker { node: "a" };
    assert_eq!(Component::Controller.object_name(), "controller");
    assert_eq!(speaker.object_name(), "speaker-a");
    let labels = speaker.labels().into_iter().map(|(key, value)| format!("{key}={value}"));
    assert_eq!(
        labels.collect::<Vec<_>>(),
        ["metallb.io/component-type=speaker", "metallb.io/node-name=a"]
    );
}

#[test]
fn a_pool_says_what_is_counted() {
    let counted = PoolStatus { assigned_ipv4: 1, available_ipv4: 3, ..PoolStatus::default() };
    let edited = PoolStatus { available_ipv4: 0, ..counted };
    assert_eq!(counted.over(None), Some(counted));
    assert_eq!(counted.over(Some(edited)), Some(counted));
    assert_eq!(counted.over(Some(counted)), None);
}
