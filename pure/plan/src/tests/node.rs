//! What one node serves and forwards.

use steelyard_ipam::Reason;
use steelyard_model::Protocol;

use super::{POOL, facts, file, node, planned, service, slice};

fn gateway(ports: &str) -> String {
    format!(
        "apiVersion: v1
kind: Service
metadata: {{name: gateway, annotations: {{steelyard.dev/gateway: 'true'}}}}
spec: {{type: LoadBalancer, ports: [{ports}]}}"
    )
}

#[test]
fn the_gateways_ports_are_entry_points_by_name_or_number() {
    for (ports, expected) in [
        (
            "{name: web, port: 80}, {name: websecure, port: 443}",
            vec![(80, "web"), (443, "websecure")],
        ),
        ("{name: http, port: 8080}", vec![(8080, "web")]),
        ("{port: 80}", vec![(80, "web")]),
        ("{name: https, port: 80}", vec![(80, "websecure")]),
        ("{name: other, port: 9000}", vec![]),
        ("{name: web, port: 80, protocol: UDP}", vec![]),
    ] {
        let plan = planned(&file(&[POOL, &gateway(ports)]), &facts("here"));
        let [serve] = plan.node.serve.values().collect::<Vec<_>>()[..] else {
            panic!("{:?}", plan.node)
        };
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(port, name)| (Protocol::Tcp, port, name.to_owned()))
            .collect();
        assert_eq!(serve.ports, expected, "{ports}");
        assert_eq!(plan.node.announce.len(), 1, "our own listener serves");
        assert!(plan.node.forward.is_empty());
    }
}

#[test]
fn forwarded_to_endpoints_that_take_traffic() {
    let leaving = "ready: false, serving: true, terminating: true";
    let local = ", externalTrafficPolicy: Local";
    for (spec, endpoints, expected) in [
        (
            "",
            vec![("10.0.0.1", "a", "ready: true"), ("10.0.0.2", "b", leaving)],
            vec!["10.0.0.1:8080"],
        ),
        (
            "",
            vec![("10.0.0.1", "a", "ready: false"), ("10.0.0.2", "b", leaving)],
            vec!["10.0.0.2:8080"],
        ),
        (
            local,
            vec![("10.0.0.1", "a", "ready: true"), ("10.0.0.2", "b", "ready: true")],
            vec!["10.0.0.1:8080"],
        ),
        (local, vec![("10.0.0.2", "b", "ready: true")], vec![]),
        ("", vec![("10.0.0.1", "a", "ready: false")], vec![]),
    ] {
        let yaml = file(&[
            POOL,
            &node("a", ""),
            &node("b", ""),
            &service("web", spec),
            &slice("web", &endpoints),
        ]);
        let plan = planned(&yaml, &facts("a"));
        let [forward] = plan.node.forward.values().collect::<Vec<_>>()[..] else {
            panic!("{:?}", plan.node)
        };
        let got: Vec<_> = forward.ports[0].endpoints.iter().map(ToString::to_string).collect();
        assert_eq!(got, expected, "{spec} {endpoints:?}");
        assert_eq!((forward.ports[0].protocol, forward.ports[0].port), (Protocol::Tcp, 80));
    }
}

#[test]
fn a_pending_service_is_neither() {
    let plan = planned(&service("web", ""), &facts("here"));
    assert_eq!(plan.node, crate::NodePlan::default());
    assert_eq!(plan.services.values().next().unwrap().served_by, None);
    let why = &plan.explain(plan.services.keys().next().unwrap())[0];
    assert!(
        matches!(why, crate::Explanation::Assigned { reason: Reason::Pending(_), .. }),
        "{why}"
    );
}

#[test]
fn what_others_do_is_no_part_of_it() {
    let [a, b] = [node("a", ""), node("b", "")];
    let slice = slice("web", &[("10.0.0.1", "a", "ready: true")]);
    let yaml = file(&[POOL, &a, &b, &service("web", ""), &slice]);
    let counts = |facts: &crate::Facts| {
        let plan = planned(&yaml, facts);
        let crate::NodePlan { announce, share, forward, .. } = &plan.node;
        let why = plan.explain(plan.services.keys().next().unwrap());
        ((announce.len(), share.len(), forward.len()), why)
    };
    let owner = ["a", "b"].into_iter().find(|it| counts(&facts(it)).0 == (1, 1, 1)).unwrap();
    let (_, why) = counts(&facts(owner));
    assert_eq!(why.len(), 2, "{why:?}");
    for (leaves_forwarding, settles, expected) in
        [(true, false, (1, 1, 0)), (false, true, (0, 1, 1)), (true, true, (0, 1, 0))]
    {
        let facts = crate::Facts { leaves_forwarding, settles, ..facts(owner) };
        assert_eq!(counts(&facts), (expected, why.clone()));
    }
}
