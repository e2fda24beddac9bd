//! How each port is carried, by table.

use std::collections::BTreeMap;

use super::*;
use crate::decider::decide;
use crate::desired::{Forwarded, ForwardedPort, Served};
use crate::facts::Spot;

const LISTENING: Listening = Listening { protocol: Protocol::Tcp, port: 80, at: 8080 };

fn facts() -> HostFacts {
    let place =
        |address: &str, place| (address.parse().unwrap(), Spot { place, link: None, source: None });
    HostFacts {
        places: [
            place("10.0.0.11", Whereabouts::Here),
            place("10.244.0.2", Whereabouts::PodLink),
            place("10.9.9.9", Whereabouts::OffBox),
            place("fd44::2", Whereabouts::PodLink),
        ]
        .into_iter()
        .collect(),
        ..HostFacts::default()
    }
}

fn service() -> NamespacedName {
    NamespacedName { namespace: "default".into(), name: "web".into() }
}

fn sockets(endpoints: &[&str]) -> Vec<SocketAddr> {
    endpoints.iter().map(|at| at.parse().unwrap()).collect()
}

fn one(vip: &str, protocol: Protocol, endpoints: &[&str]) -> Desired {
    let ports = vec![ForwardedPort { protocol, port: 80, endpoints: sockets(endpoints) }];
    let forwarded =
        Forwarded { address: vip.parse().unwrap(), service: service(), is_closed: false, ports };
    Desired::new([], [forwarded])
}

fn ways(decision: &Decision) -> Vec<Carriage> {
    decision.ports().map(|port| port.way.clone()).collect()
}

fn off(family: Family) -> HostFacts {
    let why = Why::ForwardingOff(family);
    HostFacts { no_forwarding: BTreeMap::from([(family, why)]), ..facts() }
}

#[test]
fn each_port_takes_the_best_way_there_is() {
    const V4: &str = "10.0.0.100";
    const V6: &str = "fd00::100";
    let (pod, far, here, local, six) =
        ("10.244.0.2:80", "10.9.9.9:80", "10.0.0.11:80", "127.0.0.1:80", "[fd44::2]:80");
    let translate = |endpoints: &[&str]| Carriage::Translate(sockets(endpoints));
    let through = |endpoints: &[&str], why| Carriage::InProcess(sockets(endpoints), why);
    let no_kernel = HostFacts { no_kernel: Some(Why::NftMissing), ..facts() };
    let loopback = || Why::LoopbackEndpoint(local.parse().unwrap());
    let off4 = || Why::ForwardingOff(Family::V4);
    let table = [
        (V4, facts(), vec![far, pod], translate(&[far, pod])),
        (V4, facts(), vec![pod, pod], translate(&[pod])),
        (V6, facts(), vec![six], translate(&[six])),
        (V4, facts(), vec![], Carriage::Not(Why::NoEndpoints)),
        (V4, facts(), vec![pod, local], through(&[pod, local], loopback())),
        (V4, facts(), vec![six], through(&[six], Why::OtherFamily)),
        (V4, facts(), vec![six, pod], translate(&[pod])),
        (V4, off(Family::V4), vec![here], translate(&[here])),
        (V4, off(Family::V4), vec![here, pod], through(&[here, pod], off4())),
        (V4, off(Family::V6), vec![pod], translate(&[pod])),
        (V4, no_kernel.clone(), vec![pod], through(&[pod], Why::NftMissing)),
        (V4, no_kernel, vec![], Carriage::Not(Why::NoEndpoints)),
    ];
    for (vip, facts, endpoints, want) in table {
        let decision = decide(&one(vip, Protocol::Tcp, &endpoints), &facts);
        let mut way = ways(&decision).remove(0);
        if let Carriage::InProcess(endpoints, _) = &mut way {
            endpoints.sort_unstable_by_key(|at| !sockets(&[here, pod]).contains(at));
        }
        assert_eq!(way, want, "{vip} to {endpoints:?} with {facts:?}");
    }
    let sctp = decide(&one(V4, Protocol::Sctp, &[pod]), &facts());
    assert_eq!(ways(&sctp), [Carriage::Not(Why::UnsupportedProtocol)]);
}

#[test]
fn only_translated_pod_links_see_the_client() {
    let direct = |vip, facts: &HostFacts, endpoints: &[&str]| {
        let decision = decide(&one(vip, Protocol::Tcp, endpoints), facts);
        decision.direct.keys().map(ToString::to_string).collect::<Vec<_>>()
    };
    let all = ["10.244.0.2:80", "10.9.9.9:80", "10.0.0.11:80"];
    assert_eq!(direct("10.0.0.100", &facts(), &all), ["10.244.0.2"]);
    assert!(direct("10.0.0.100", &off(Family::V4), &all).is_empty());
}

#[test]
fn the_first_who_names_a_port_has_it() {
    let vip = "10.0.0.100".parse().unwrap();
    let desired = |protocol| {
        let served = Served { address: vip, listening: vec![LISTENING] };
        let Desired { forwarded, .. } = one("10.0.0.100", protocol, &["10.244.0.2:80"]);
        Desired::new([served], forwarded.values().cloned())
    };
    let decision = decide(&desired(Protocol::Tcp), &facts());
    assert_eq!(ways(&decision), [Carriage::Deliver(8080), Carriage::Not(Why::Taken)]);
    let decision = decide(&desired(Protocol::Udp), &facts());
    assert!(
        matches!(ways(&decision)[1], Carriage::Translate(_)),
        "another transport is another port"
    );
    assert_eq!(decision.vips.len(), 1);
}

#[test]
fn without_the_kernel_there_is_nothing_to_guard() {
    let Desired { forwarded, .. } = one("10.0.0.100", Protocol::Tcp, &["10.244.0.2:80"]);
    let address = "10.0.0.101".parse().unwrap();
    let served = Served { address, listening: vec![LISTENING] };
    let desired = Desired::new([served], forwarded.values().cloned());
    let facts = HostFacts { no_kernel: Some(Why::Unprivileged), ..facts() };
    let decision = decide(&desired, &facts);
    assert_eq!(ways(&decision)[0], Carriage::Not(Why::Unprivileged));
    assert!(decision.vips.is_empty() && decision.direct.is_empty());
}

#[test]
fn what_leads_back_to_itself_goes_nowhere() {
    let circle = [("10.0.0.1", "10.0.0.2"), ("10.0.0.2", "10.0.0.1"), ("10.0.0.3", "10.0.0.1")];
    let own = [("10.0.0.4", "10.0.0.4"), ("10.0.0.5", "10.244.0.2")];
    let forwarded = circle.into_iter().chain(own).flat_map(|(vip, to)| {
        let one = one(vip, Protocol::Tcp, &[&format!("{to}:8080"), "10.244.0.2:80"]);
        one.forwarded.values().cloned().collect::<Vec<_>>()
    });
    let decision = decide(&Desired::new([], forwarded), &facts());
    let refused: Vec<bool> =
        decision.ports().map(|port| port.way == Carriage::Not(Why::Circle)).collect();
    assert_eq!(refused, [true, true, false, true, false]);
}
