//! After any sequence of edits everything is as if it were read, joined and planned from scratch.
//! The edits are such that no older version stays in force.

use steelyard_model::Held;
use steelyard_plan::{Facts, Plan, Planner};

use super::*;
use crate::plan;

/// What may be in a file: nothing, or one of these.
const FILES: [(&str, &[&str]); 19] = [
    (
        "pool-a",
        &[
            "{apiVersion: metallb.io/v1beta1, kind: IPAddressPool, metadata: {name: a, labels: {l: x}}, \
         spec: {addresses: [10.0.0.0/31, 'fd00::1-fd00::2']}}",
            "{apiVersion: metallb.io/v1beta1, kind: IPAddressPool, metadata: {name: a}, \
         spec: {addresses: [10.0.0.0/31]}}",
        ],
    ),
    (
        "pool-b",
        &["{apiVersion: metallb.io/v1beta1, kind: IPAddressPool, metadata: {name: b}, \
         spec: {addresses: [10.0.1.0/30], serviceAllocation: {serviceSelectors: \
         [{matchLabels: {team: red}}]}}}"],
    ),
    (
        "lan",
        &[
            "{apiVersion: metallb.io/v1beta1, kind: L2Advertisement, metadata: {name: lan}}",
            "{apiVersion: metallb.io/v1beta1, kind: L2Advertisement, metadata: {name: lan}, \
         spec: {ipAddressPools: [a, nope], interfaces: [eth0], serviceSelectors: \
         [{matchLabels: {team: red}}], nodeSelectors: [{matchLabels: {zone: a}}]}}",
        ],
    ),
    (
        "bgp",
        &[
            "{apiVersion: metallb.io/v1beta1, kind: BGPAdvertisement, metadata: {name: far}, \
         spec: {aggregationLength: 31, communities: ['1:1']}}",
            "{apiVersion: metallb.io/v1beta1, kind: BGPAdvertisement, metadata: {name: far}, \
         spec: {ipAddressPools: [b]}}",
        ],
    ),
    (
        "bgp-red",
        &["{apiVersion: metallb.io/v1beta1, kind: BGPAdvertisement, \
         metadata: {name: red}, spec: {serviceSelectors: [{matchLabels: {team: red}}]}}"],
    ),
    (
        "peer",
        &["{apiVersion: metallb.io/v1beta2, kind: BGPPeer, metadata: {name: r1}, \
         spec: {myASN: 1, peerASN: 2, peerAddress: 10.9.9.9}}"],
    ),
    (
        "node-a",
        &[
            "{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {zone: a}}}",
            "{apiVersion: v1, kind: Node, metadata: {name: n1, labels: \
         {node.kubernetes.io/exclude-from-external-load-balancers: ''}}}",
        ],
    ),
    ("node-b", &["{apiVersion: v1, kind: Node, metadata: {name: n2, labels: {zone: b}}}"]),
    (
        "namespace",
        &["{apiVersion: v1, kind: Namespace, metadata: {name: default, labels: {e: p}}}"],
    ),
    ("one", SERVICES_ONE),
    ("two", SERVICES_TWO),
    (
        "traefik",
        &[
            "{apiVersion: v1, kind: Service, metadata: {name: traefik}, spec: {type: LoadBalancer, \
         selector: {app: traefik}, ports: [{name: web, port: 80}]}}",
            "{apiVersion: v1, kind: Service, metadata: {name: traefik, labels: {team: red}}, spec: \
         {type: LoadBalancer, selector: {app: traefik}, ports: [{port: 81}]}}",
        ],
    ),
    (
        "slice-one",
        &[
            "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: one-1, \
         labels: {kubernetes.io/service-name: one}}, addressType: IPv4, ports: [{port: 8080}], \
         endpoints: [{addresses: [10.1.0.1], nodeName: n1, conditions: {ready: true}}]}",
            "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: one-1, \
         labels: {kubernetes.io/service-name: one}}, addressType: IPv4, ports: [{port: 8080}], \
         endpoints: [{addresses: [10.1.0.2], nodeName: n2, conditions: {ready: false}}]}",
            "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: one-1, \
         labels: {kubernetes.io/service-name: two}}, addressType: IPv4, ports: [{port: 8080}], \
         endpoints: [{addresses: [10.1.0.2], nodeName: n2}]}",
        ],
    ),
    (
        "slice-two",
        &["{apiVersion: v1, kind: Endpoints, metadata: {name: two}, subsets: \
         [{addresses: [{ip: 10.1.0.7, nodeName: n1}], ports: [{port: 8080}]}]}"],
    ),
    (
        "pod",
        &["{apiVersion: v1, kind: Pod, metadata: {name: p, labels: {app: one}}, \
         spec: {nodeName: n2, containers: [{name: c, ports: [{name: http, containerPort: 80}]}]}, \
         status: {podIP: 10.1.0.9, phase: Running, conditions: [{type: Ready, status: 'True'}]}}"],
    ),
    (
        "deployment",
        &["{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: \
         {selector: {matchLabels: {app: traefik}}, template: {metadata: {labels: \
         {app: traefik}}, spec: {containers: [{name: c}]}}}}"],
    ),
    (
        "route",
        &[
            "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: r}, spec: {rules: \
         [{host: a.b, http: {paths: [{path: /, pathType: Prefix, backend: {service: \
         {name: one, port: {number: 80}}}}]}}]}}",
            "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: r}, spec: {tls: \
         [{hosts: [a.b], secretName: s}], rules: [{host: a.b, http: {paths: [{path: /, \
         pathType: Prefix, backend: {service: {name: tvo, port: {number: 80}}}}]}}]}}",
        ],
    ),
    (
        "secret",
        &["{apiVersion: v1, kind: Secret, metadata: {name: s}, type: kubernetes.io/tls, \
         data: {tls.crt: '', tls.key: ''}}"],
    ),
    (
        "several",
        &[
            "{apiVersion: v1, kind: Service, metadata: {name: three, annotations: \
         {steelyard.dev/endpoints: '10.0.0.6:80'}}, spec: {type: LoadBalancer, \
         ports: [{port: 80}]}}\n---\n{apiVersion: v1, kind: Service, metadata: {name: four, \
         namespace: other, annotations: {steelyard.dev/endpoints: '10.0.0.7:80'}}, spec: {type: LoadBalancer, ports: [{port: 80}]}}",
            "{apiVersion: v1, kind: Service, metadata: {name: three, annotations: \
         {metallb.io/loadBalancerIPs: 10.0.0.1}}, spec: {type: LoadBalancer, \
         ports: [{port: 80}]}}\n---\n{apiVersion: v1, kind: Service, metadata: {name: four, \
         namespace: other, annotations: {metallb.io/loadBalancerIPs: 10.0.0.1}}, \
         spec: {type: LoadBalancer, ports: [{port: 80}]}}",
            // The other files' Service once more: the first of the two counts.
            "{apiVersion: v1, kind: Service, metadata: {name: one}, spec: {type: LoadBalancer, \
         ports: [{port: 81}]}}",
        ],
    ),
];

const SERVICES_ONE: &[&str] = &[
    "{apiVersion: v1, kind: Service, metadata: {name: one}, spec: {type: LoadBalancer, \
     selector: {app: one}, ports: [{port: 80, targetPort: 8080}]}}",
    "{apiVersion: v1, kind: Service, metadata: {name: one}, spec: {type: LoadBalancer, \
     selector: {app: one}, externalTrafficPolicy: Local, ports: [{port: 80, targetPort: http}]}}",
    "{apiVersion: v1, kind: Service, metadata: {name: one, labels: {team: red}}, spec: \
     {type: ClusterIP, ports: [{port: 80}]}}",
    "{apiVersion: v1, kind: Service, metadata: {name: one, annotations: \
     {metallb.universe.tf/allow-shared-ip: k}}, spec: {type: LoadBalancer, \
     selector: {app: traefik}, ports: [{port: 443}]}}",
];

const SERVICES_TWO: &[&str] = &[
    "{apiVersion: v1, kind: Service, metadata: {name: two, labels: {team: red}, annotations: \
     {metallb.io/allow-shared-ip: k}}, spec: {type: LoadBalancer, ports: [{port: 80}]}}",
    "{apiVersion: v1, kind: Service, metadata: {name: two, annotations: \
     {steelyard.dev/endpoints: '10.0.0.5:80'}}, spec: {type: LoadBalancer, \
     ipFamilyPolicy: PreferDualStack, ports: [{port: 80}]}}",
    "{apiVersion: v1, kind: Service, metadata: {name: two, annotations: \
     {metallb.io/address-pool: b}}, spec: {type: LoadBalancer, ports: [{port: 80}]}}",
    "{apiVersion: v1, kind: Service, metadata: {name: two}, spec: {type: LoadBalancer, \
     loadBalancerClass: other, ports: [{port: 80}]}}",
];

/// The same numbers for everybody.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

fn source((name, variants): &(&str, &[&str]), chosen: usize) -> Option<Source> {
    let text = variants.get(chosen.checked_sub(1)?)?;
    Some(Source::new(format!("{name}.yaml"), text.as_bytes()))
}

/// All of a plan and of what it was made from.
fn shown(generation: u64, (snapshot, plan): &(Snapshot, Plan)) -> String {
    format!("{generation}\n{snapshot:#?}\n{plan:#?}")
}

#[test]
fn an_edit_comes_to_the_same_as_from_scratch() {
    for seed in 1..=30_u64 {
        let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let facts = Facts { node: "n1".into(), ..Facts::default() };
        let (mut pipeline, mut planner) = (Pipeline::default(), Planner::default());
        // Mostly a world in which Services get addresses, and nodes contend for them.
        let mut chosen = FILES.map(|(_, variants)| match numbers.below(5) {
            0 => numbers.below(variants.len() + 1),
            _ => 1,
        });
        let mut held = Held::default();
        for step in 1..=40 {
            let sources: Vec<Source> = FILES
                .iter()
                .zip(chosen)
                .filter_map(|(file, chosen)| source(file, chosen))
                .collect();
            let world = pipeline.update(&sources);
            let after = plan::again(&mut planner, world, &held, &facts);
            let scratch = plan::of(Pipeline::default().update(&sources), &held, &facts);
            held.clone_from(&scratch.1.held);
            let (after, scratch) = (shown(step, &after), shown(step, &scratch));
            assert!(
                after == scratch,
                "seed {seed}, step {step}: {}",
                first_difference(&after, &scratch)
            );
            if numbers.below(3) == 0 {
                planner.look_ahead();
            }
            // Mostly Services and what belongs to them, one at a time.
            for _ in 0..1 + numbers.below(8) / 7 {
                let file =
                    if numbers.below(6) > 0 { 9 + numbers.below(6) } else { numbers.below(19) };
                chosen[file] = numbers.below(FILES[file].1.len() + 1);
            }
        }
    }
}

fn first_difference(one: &str, other: &str) -> String {
    let lines = one.lines().zip(other.lines());
    let differing = lines.enumerate().find(|(_, (a, b))| a != b);
    let at = differing.map_or(0, |(line, _)| line);
    let around = |text: &str| {
        text.lines().skip(at.saturating_sub(12)).take(20).collect::<Vec<_>>().join("\n")
    };
    format!("\n{}\n--- from scratch\n{}", around(one), around(other))
}
