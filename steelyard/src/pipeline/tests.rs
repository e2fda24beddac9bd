//! After any sequence of edits everything is as if it were read, joined and planned from scratch.
//! Where older versions stay in force, scratch is a pipeline that knows the same history and joins
//! everything each time.

mod cluster;
mod dynamic;
mod faulty;
mod looks;
mod traefik;
mod trial;

use std::collections::BTreeSet;
use std::sync::Arc;

use steelyard_dialects::{LowerOptions, lower};
use steelyard_manifest::{ReadLimits, SourceText, load, load_dynamic};
use steelyard_model::{Holdings, NamespacedName, Snapshot};
use steelyard_plan::{Facts, Plan, Planner};

use super::*;
use crate::planning;

/// What may be in a file: nothing, or one of these.
const FILES: [(&str, &[&str]); 44] = [
    (
        "ports",
        &[
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: ports, namespace: lb}, \
         data: {'9000': 'default/web:80', '80': 'default/web:80'}}",
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: ports, namespace: lb}, \
         data: {'9000': 'default/web:80:PROXY', '9001': 'default/other:80'}}",
        ],
    ),
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
        &[
            "{apiVersion: v1, kind: Secret, metadata: {name: s}, type: kubernetes.io/tls, \
         data: {tls.crt: '', tls.key: ''}}",
            include_str!("tests/secret.yaml"),
        ],
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
    ("here", MOVING),
    ("there", MOVING),
    (
        "namesake",
        &[
            "{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: one}}",
            "{apiVersion: a.example/v1, kind: Service, metadata: {name: five}}",
        ],
    ),
    // Of many kinds, none of which are announced or routed to.
    (
        "mixed",
        &[
            "{apiVersion: metallb.io/v1beta1, kind: IPAddressPool, metadata: {name: c}, spec: \
         {addresses: [10.0.9.0/31], autoAssign: false}}\n---\n{apiVersion: v1, kind: Service, metadata: \
         {name: seven}, spec: {type: LoadBalancer, selector: {app: onne}, ports: [{port: 80}]}}\n---\n\
         {apiVersion: v1, kind: Service, metadata: {name: eight}, spec: {type: LoadBalancer, \
         selector: {app: traefk}, ports: [{port: 80}]}}",
            "# Everything is elsewhere.\n\n{apiVersion: v1, kind: Service, metadata: {name: seven, \
         annotations: {metallb.io/address-pool: c}}, spec: {type: LoadBalancer, selector: {app: one}, \
         ports: [{port: 80, targetPort: htp}]}}\n---\n{apiVersion: metallb.io/v1beta1, kind: \
         IPAddressPool, metadata: {name: c}, spec: {addresses: [10.0.9.0/31], autoAssign: false}}",
            "{apiVersion: metallb.io/v1beta1, kind: IPAddressPool, metadata: {name: c}, spec: \
         {addresses: [10.0.9.0/31], autoAssign: false}}\n---\n{apiVersion: v1, kind: Service, metadata: \
         {name: seven, labels: {x: z}}, spec: {type: LoadBalancer, selector: {app: onne}, ports: \
         [{port: 82}]}}",
        ],
    ),
    (
        "policy",
        &[
            "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, spec: \
         {podSelector: {matchLabels: {app: one}}, ingress: [{from: [{podSelector: {}}]}]}}",
            "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, spec: \
         {podSelector: {}, policyTypes: [Ingress]}}",
        ],
    ),
    (
        "policy-too",
        &["{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: q}, spec: \
         {podSelector: {matchLabels: {app: one}}, ingress: [{}]}}"],
    ),
    (
        "class",
        &[
            "{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: other, \
         annotations: {ingressclass.kubernetes.io/is-default-class: 'true'}}, spec: {controller: \
         k8s.io/ingress-nginx}}",
            "{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: other, \
         annotations: {ingressclass.kubernetes.io/is-default-class: 'true'}}, spec: {controller: \
         somebody.else}}",
        ],
    ),
    (
        "route-older",
        &[
            "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: s, \
         creationTimestamp: '2024-01-01T00:00:00Z'}, spec: {ingressClassName: other, rules: [{host: \
         a.b, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: two, port: \
         {number: 80}}}}, {path: /, pathType: Prefix, backend: {service: {name: one, port: \
         {number: 80}}}}]}}]}}",
            "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: s}, spec: {rules: \
         [{host: a.b, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: alias, \
         port: {number: 80}}}}, {path: /x, pathType: Exact, backend: {service: {name: far, port: \
         {number: 5000}}}}]}}]}}",
        ],
    ),
    (
        "route-third",
        &[
            "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: t, namespace: other}, \
         spec: {rules: [{host: a.b, http: {paths: [{path: /, pathType: Prefix, backend: {service: \
         {name: four, port: {number: 80}}}}, {path: /y, pathType: Exact, backend: {service: {name: \
         near, port: {number: 5000}}}}]}}]}}",
        ],
    ),
    (
        "alias",
        &[
            "{apiVersion: v1, kind: Service, metadata: {name: alias}, spec: {type: ExternalName, \
         externalName: one.default.svc.cluster.local}}",
            "{apiVersion: v1, kind: Service, metadata: {name: alias}, spec: {type: ExternalName, \
         externalName: two.default.svc}}",
        ],
    ),
    (
        "outside",
        &[
            "{apiVersion: v1, kind: Service, metadata: {name: far}, spec: {type: ExternalName, \
         externalName: 10.5.5.5}}\n---\n{apiVersion: v1, kind: Service, metadata: {name: near, \
         namespace: other}, spec: {type: ExternalName, externalName: 10.5.5.5}}",
            "{apiVersion: v1, kind: Service, metadata: {name: far}, spec: {type: ExternalName, \
         externalName: nas.lan}}",
        ],
    ),
    (
        "communities",
        &["{apiVersion: metallb.io/v1beta1, kind: Community, metadata: {name: c}, spec: \
         {communities: [{name: vpn, value: '1:2'}]}}"],
    ),
    (
        "bgp-alias",
        &["{apiVersion: metallb.io/v1beta1, kind: BGPAdvertisement, metadata: {name: via}, spec: \
         {communities: [vpn], localPref: 100}}"],
    ),
    (
        "peer-guarded",
        &[
            "{apiVersion: metallb.io/v1beta2, kind: BGPPeer, metadata: {name: r2}, spec: {myASN: 1, \
         peerASN: 3, peerAddress: 10.9.9.8, bfdProfile: fast, passwordSecret: {name: word}}}",
        ],
    ),
    (
        "guard",
        &[
            "{apiVersion: metallb.io/v1beta1, kind: BFDProfile, metadata: {name: fast}, spec: {}}\n\
         ---\n{apiVersion: v1, kind: Secret, metadata: {name: word}, type: \
         kubernetes.io/basic-auth, stringData: {password: x}}",
            "{apiVersion: metallb.io/v1beta1, kind: BFDProfile, metadata: {name: fast}, spec: \
         {echoMode: true}}\n---\n{apiVersion: v1, kind: Secret, metadata: {name: word}, type: \
         Opaque}",
        ],
    ),
    (
        "of-other-kinds",
        &[
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: m}}\n---\n{apiVersion: apps/v1, kind: \
         StatefulSet, metadata: {name: d}, spec: {template: {metadata: {labels: {app: one}}, spec: \
         {containers: [{name: c}]}}}}\n---\n{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: \
         d}, spec: {template: {metadata: {labels: {app: two}}, spec: {containers: [{name: c}]}}}}",
        ],
    ),
    ("router", traefik::ROUTER),
    ("streams", traefik::STREAMS),
    ("shared", traefik::SHARED),
    ("terms", traefik::TERMS),
    ("dynamic/one", dynamic::ONE),
    ("dynamic/two", dynamic::TWO),
    ("named/ca", dynamic::NAMED),
    ("filters", traefik::FILTERS),
];

/// Where files of dynamic configuration are.
const DYNAMIC: &str = "dynamic";

/// Where those are that these name.
const NAMED: &str = "named/";

const MOVING: &[&str] = &[
    "{apiVersion: v1, kind: Service, metadata: {name: five}, spec: {type: LoadBalancer, \
     ports: [{port: 80}]}}",
    "{apiVersion: v1, kind: Service, metadata: {name: five}, spec: {type: LoadBalancer, \
     ports: [{port: 80}]}}\n---\n{apiVersion: v1, kind: Service, metadata: {name: six, annotations: \
     {metallb.io/loadBalancerIPs: 10.0.0.0}}, spec: {type: LoadBalancer, ports: [{port: 80}]}}",
    "{apiVersion: v1, kind: Service, metadata: {name: six}, spec: {type: LoadBalancer, \
     ports: [{port: 80}]}}",
];

/// What is wrong in a file at times; its last good version stays in force then.
const FAULTS: [(&str, &[&str]); 7] = [
    (
        "pool-a",
        &["{apiVersion: metallb.io/v1beta1, kind: IPAddressPool, metadata: {name: a}, spec: \
         {addresses: [10.0.0.9-10.0.0.1]}}"],
    ),
    (
        "pool-b",
        &["{apiVersion: metallb.io/v1beta1, kind: IPAddressPool, metadata: {name: b}, spec: \
         {addresses: [10.0.0.0/30]}}"],
    ),
    (
        "one",
        &["{apiVersion: v1, kind: Service, metadata: {name: one}, spec: {type: LoadBalancer, \
         ports: [{port: 99999}]}}"],
    ),
    (
        "slice-one",
        &["{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: one-1, \
         labels: {kubernetes.io/service-name: one}}, endpoints: [{addresses: [nonsense]}]}"],
    ),
    ("several", &["{apiVersion: v1, kind: Service, metadata: {name: three"]),
    ("here", &["- what is this"]),
    ("dynamic/one", dynamic::BROKEN),
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

/// Files of which each edit chooses what is in them.
struct Folder {
    files: Vec<(&'static str, Vec<&'static str>)>,
    /// Nothing, or which variant, from 1.
    chosen: Vec<usize>,
    /// In which order they are seen.
    order: Vec<usize>,
    numbers: Numbers,
}

impl Folder {
    fn new(seed: u64, faults: &[(&str, &[&'static str])]) -> Self {
        let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let of = |name| faults.iter().find(|(faulty, _)| *faulty == name);
        let files: Vec<_> = FILES
            .iter()
            .map(|(name, variants)| {
                let faulty = of(*name).map_or(&[][..], |(_, faulty)| *faulty);
                (*name, [*variants, faulty].concat())
            })
            .collect();
        // Mostly a world in which Services get addresses, and nodes contend for them.
        let chosen = files.iter().map(|(_, variants)| match numbers.below(5) {
            0 => numbers.below(variants.len() + 1),
            _ => 1,
        });
        let chosen = chosen.collect();
        Self { chosen, order: (0..files.len()).collect(), files, numbers }
    }

    fn sources(&self) -> Vec<Source> {
        let source = |file: &usize| {
            let (name, variants) = &self.files[*file];
            let text = variants.get(self.chosen[*file].checked_sub(1)?)?;
            Some(source(&format!("{name}.yaml"), text))
        };
        self.order.iter().filter_map(source).collect()
    }

    /// Mostly Services and what belongs to them, one file at a time.
    fn edit(&mut self) {
        let several = if self.numbers.below(4) == 0 { self.numbers.below(4) } else { 0 };
        for _ in 0..=several {
            let of_services = [9, 10, 11, 12, 13, 14, 18, 19, 20, 22];
            let file = match self.numbers.below(9) {
                0..=2 => self.numbers.below(self.files.len()),
                3 => {
                    let (here, there) = (19, 20);
                    self.chosen.swap(here, there);
                    continue;
                }
                4 => {
                    let any = |numbers: &mut Numbers| numbers.below(FILES.len());
                    let (one, other) = (any(&mut self.numbers), any(&mut self.numbers));
                    self.order.swap(one, other);
                    continue;
                }
                _ => of_services[self.numbers.below(of_services.len())],
            };
            self.chosen[file] = self.numbers.below(self.files[file].1.len() + 1);
        }
    }
}

/// All of a plan and of what it was made from.
fn shown(world: World, planner: &mut Planner, held: &Holdings) -> (String, Snapshot, Plan) {
    let facts = Facts { node: "n1".into(), ..Facts::default() };
    let made_of = format!("{}\n{:?}", world.generation, world.absent);
    let (snapshot, plan) = planning::again(planner, world, held, &facts);
    (format!("{made_of}\n{snapshot:#?}\n{plan:#?}"), snapshot, plan)
}

/// One that is fed files, among which the default certificate comes and goes.
fn files() -> Pipeline {
    let default_certificate = Some(NamespacedName::new("default", "s"));
    let mut options = ResolveOptions { default_certificate, ..ResolveOptions::default() };
    options.nginx.tcp_services = Some(NamespacedName::new("lb", "ports"));
    Pipeline::new(options).with_dynamic(vec![DYNAMIC.into()])
}

/// Edits a folder and compares with `scratch`; how often the pools were left alone.
fn check(seed: u64, mut folder: Folder, mut scratch: impl FnMut(&[Source]) -> World) -> usize {
    let (mut pipeline, mut planner) = (files(), Planner::default());
    let mut held = Holdings::default();
    let mut before: Option<Snapshot> = None;
    let mut kept = 0;
    let mut chosen = Vec::new();
    for step in 1..=40 {
        let sources = folder.sources();
        let (after, snapshot, _) = shown(pipeline.update(&sources), &mut planner, &held);
        let mut world = scratch(&sources);
        world.generation = step;
        let (expected, _, plan) = shown(world, &mut Planner::default(), &held);
        held.clone_from(&plan.held);
        assert!(
            after == expected,
            "seed {seed}, step {step}, {chosen:?} → {:?}: {}",
            folder.chosen,
            first_difference(&after, &expected)
        );
        kept += usize::from(before.is_some_and(|it| Arc::ptr_eq(&it.pools, &snapshot.pools)));
        before = Some(snapshot);
        if folder.numbers.below(3) == 0 {
            planner.look_ahead();
        }
        chosen.clone_from(&folder.chosen);
        folder.edit();
    }
    kept
}

#[test]
fn an_edit_comes_to_the_same_as_from_scratch() {
    let scratch = |sources: &[Source]| files().update(sources);
    let kept: usize = (1..=20).map(|seed| check(seed, Folder::new(seed, &[]), scratch)).sum();
    assert!(kept > 20 * 40 / 4, "{kept} of 800 edits left the pools alone");
}

#[test]
fn with_mistakes_an_edit_comes_to_the_same_as_from_scratch() {
    let seeds = (101..=115).map(|seed| {
        let mut pipeline = files();
        check(seed, Folder::new(seed, &FAULTS), |sources| {
            pipeline.derived.forget();
            pipeline.update(sources)
        })
    });
    let kept: usize = seeds.sum();
    assert!(kept > 15 * 40 / 20, "{kept} of 600 edits left the pools alone");
}

/// A file; one of those that others name is taken as it is.
fn source(name: &str, text: &str) -> Source {
    match name.starts_with(NAMED) {
        true => Source::named(name, SourceText::Bytes(text.as_bytes().into())),
        false => Source::new(name, text.as_bytes()),
    }
}

/// Where an item of each kind is: a new kind is to be in a file here, and said here.
fn file_of(item: &Item) -> &'static str {
    match item {
        Item::Service(_) => "one",
        Item::Pod(_) => "pod",
        Item::Node(_) => "node-a",
        Item::Namespace { .. } => "namespace",
        Item::Secret(_) => "secret",
        Item::ConfigMap { .. } | Item::Workload(_) => "of-other-kinds",
        Item::EndpointSlice(_) => "slice-one",
        Item::NetworkPolicy(_) => "policy",
        Item::Pool(_) => "pool-a",
        Item::L2Advertisement(_) => "lan",
        Item::BgpAdvertisement(_) => "bgp",
        Item::BgpPeer(_) => "peer",
        Item::BfdProfile(_) => "guard",
        Item::Communities(_) => "communities",
        Item::IngressClass(_) => "class",
        Item::Routes(_) => "route",
        Item::Routers(set) if set.kind.is_of_requests() => "router",
        Item::Routers(_) => "streams",
        Item::Backend(_) => "shared",
        Item::Policy(_) | Item::Store(_) | Item::Transport(_) => "terms",
        Item::Filter(_) => "filters",
        Item::Material(_) => "dynamic/two",
        Item::File(_) => "named/ca",
    }
}

#[test]
fn edits_are_of_every_kind() {
    let (mut kinds, mut items) = (BTreeSet::new(), BTreeSet::new());
    for (name, variants) in FILES {
        for variant in variants {
            let source = source(name, variant);
            let load = if name.starts_with(DYNAMIC) { load_dynamic } else { load };
            for object in load(&source, &ReadLimits::default()).objects {
                let lowered = lower(&object, &LowerOptions::default());
                items.extend(lowered.items.iter().map(|item| (file_of(item), name)));
                kinds.insert(object.reference.kind.to_string());
            }
        }
    }
    for kind in steelyard_dialects::kinds() {
        assert!(kinds.contains(kind), "no file has a {kind}");
    }
    for (file, _) in &items {
        assert!(items.contains(&(*file, *file)), "{file} has no such item");
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
