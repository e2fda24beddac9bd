//! By what Ingresses say that they are reached, by the type of the Service that is published.

use serde_json::{Value, json};
use steelyard_manifest::{ReadLimits, Source, load};
use steelyard_model::{Holdings, NamespacedName};
use steelyard_pipeline::{ResolveOptions, resolve};
use steelyard_plan::{Facts, plan};
use steelyard_statuses::{
    Publication, PublishedIngresses, PublishedReading, Reportable, Reported, Revision, Rivals,
    Scope, StatusChange, StatusKind, StatusOptions, differing, wanted,
};
use steelyard_testbed::manifests::{file, items};

const NODES: [&str; 2] = [
    "apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 10.0.0.1}, {type: ExternalIP, address: 192.0.2.1}]}",
    "apiVersion: v1
kind: Node
metadata: {name: n2}
status: {addresses: [{type: InternalIP, address: 10.0.0.2}]}",
];
const SLICE: &str = "apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: gate-1, labels: {kubernetes.io/service-name: gate}}
addressType: IPv4
ports: [{port: 80}]
endpoints: [{addresses: [10.1.0.1], nodeName: n2}]";

fn ingress(class: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {class}}}\nspec: \
         {{ingressClassName: {class}, rules: [{{host: {class}.lan, http: {{paths: [{{path: /, \
         pathType: Prefix, backend: {{service: {{name: gate, port: {{number: 80}}}}}}}}]}}}}]}}"
    )
}

fn world(service: &str) -> String {
    let service = format!("apiVersion: v1\nkind: Service\nmetadata: {{name: gate}}\n{service}");
    let (traefik, nginx) = (ingress("traefik"), ingress("nginx"));
    file(&[&service, NODES[0], NODES[1], SLICE, &traefik, &nginx])
}

fn gate() -> NamespacedName {
    NamespacedName::new("default", "gate")
}

/// What both Ingresses report, where what is published of `gate` is read so.
fn reports(yaml: &str, reading: PublishedReading) -> [Value; 2] {
    let published = Publication { service: Some(gate()), reading, ..Publication::default() };
    let ingresses = PublishedIngresses { traefik: published.clone(), nginx: published };
    let options = StatusOptions { ingresses: Some(ingresses), ..StatusOptions::default() };
    let (reported, rivals) = (seen(yaml), Rivals::default());
    let snapshot = resolve(&items(yaml), &ResolveOptions::default());
    let plan = plan(&snapshot, &Holdings::default(), &Facts::default());
    let reportable = Reportable {
        plan: &plan,
        snapshot: &snapshot,
        rivals: &rivals,
        options: &options,
        now: "",
    };
    let writes = wanted(reportable, &reported, &Scope::All).writes;
    ["traefik", "nginx"].map(|name| {
        let id = NamespacedName::new("default", name);
        let mut of = writes.iter().filter(|it| it.kind == StatusKind::Ingress && it.id == id);
        match of.next().map(|it| &it.change) {
            Some(StatusChange::Addresses { addresses, .. }) => json!(addresses),
            None => Value::Null,
            other => panic!("{other:?}"),
        }
    })
}

fn seen(yaml: &str) -> Reported {
    let mut reported = Reported::default();
    for object in load(&Source::new("x.yaml", yaml.as_bytes()), &ReadLimits::default()).objects {
        reported.see(&object, Revision::new("uid", "1"));
    }
    reported
}

const TRAEFIK: PublishedReading = PublishedReading::Traefik { sees_nodes: true };
const BLIND: PublishedReading = PublishedReading::Traefik { sees_nodes: false };

#[test]
fn an_ingress_reports_what_the_published_service_comes_to() {
    let ports = json!([{ "port": 80, "protocol": "TCP" }]);
    let node_ports = json!([{ "port": 30080, "protocol": "TCP" }]);
    let balancer = "spec: {type: LoadBalancer, ports: [{port: 80}], externalIPs: [192.0.2.9]}\n\
                    status: {loadBalancer: {ingress: [{ip: 192.0.2.5, ipMode: VIP, ports: \
                    [{port: 80, protocol: TCP}]}, {hostname: lb.lan}]}}";
    let cluster = "spec: {clusterIP: 10.2.0.1, ports: [{port: 80}], externalIPs: [192.0.2.9]}";
    let node = "spec: {type: NodePort, clusterIP: 10.2.0.1, ports: [{port: 80, nodePort: 30080}]}";
    let of_ips = "spec: {type: NodePort, clusterIP: 10.2.0.1, ports: [{port: 80}], externalIPs: \
                  [192.0.2.9, 192.0.2.8]}";
    let name = "spec: {type: ExternalName, externalName: lb.lan}";
    let address = "spec: {type: ExternalName, externalName: 192.0.2.7}";
    let headless = "spec: {clusterIP: None, ports: [{port: 80}]}";
    use PublishedReading::{AllNodes, Balancer, ItsNodes, Nginx};
    for (service, reading, expected) in [
        (
            balancer,
            TRAEFIK,
            json!([{ "ip": "192.0.2.5", "ports": ports }, { "hostname": "lb.lan" }]),
        ),
        (
            balancer,
            Nginx,
            json!([{ "ip": "192.0.2.5" }, { "ip": "192.0.2.9" }, { "hostname": "lb.lan" }]),
        ),
        (cluster, TRAEFIK, json!([{ "ip": "192.0.2.9", "ports": ports }])),
        (cluster, Nginx, json!([{ "ip": "10.2.0.1" }])),
        (cluster, Balancer, Value::Null),
        (node, TRAEFIK, json!([{ "ip": "192.0.2.1", "ports": node_ports }])),
        (node, BLIND, Value::Null),
        (node, Nginx, json!([{ "ip": "10.2.0.1" }])),
        (of_ips, Nginx, json!([{ "ip": "192.0.2.8" }, { "ip": "192.0.2.9" }])),
        (name, TRAEFIK, json!([{ "hostname": "lb.lan" }])),
        (name, Nginx, json!([{ "hostname": "lb.lan" }])),
        (address, TRAEFIK, json!([{ "ip": "192.0.2.7" }])),
        (headless, Nginx, Value::Null),
        (headless, TRAEFIK, Value::Null),
        (node, AllNodes, json!([{ "ip": "10.0.0.1" }, { "ip": "10.0.0.2" }])),
        (node, ItsNodes, json!([{ "ip": "10.0.0.2" }])),
    ] {
        let made = reports(&world(service), reading);
        assert_eq!(made, [expected.clone(), expected], "{service} {reading:?}");
    }
    let without = world(node).replace("name: gate}", "name: other}");
    assert_eq!(reports(&without, TRAEFIK), [Value::Null, Value::Null]);
}

/// Each goes by what is said in its words.
#[test]
fn words_of_ingress_nginx_have_a_publication_of_their_own() {
    let yaml = world("spec: {clusterIP: 10.2.0.1, ports: [{port: 80}], externalIPs: [192.0.2.9]}");
    let [traefik, nginx] = reports(&yaml, PublishedReading::Nginx);
    assert_eq!(traefik, nginx);
    let by = |reading| Publication { service: Some(gate()), reading, ..Publication::default() };
    let both = PublishedIngresses { traefik: by(TRAEFIK), nginx: by(PublishedReading::Nginx) };
    assert!(both.hangs_on(&gate()) && !both.hangs_on(&NamespacedName::new("default", "other")));
    let options = StatusOptions { ingresses: Some(both), ..StatusOptions::default() };
    let snapshot = resolve(&items(&yaml), &ResolveOptions::default());
    let plan = plan(&snapshot, &Holdings::default(), &Facts::default());
    let rivals = Rivals::default();
    let now = Reportable {
        plan: &plan,
        snapshot: &snapshot,
        rivals: &rivals,
        options: &options,
        now: "",
    };
    let writes = wanted(now, &seen(&yaml), &Scope::All).writes;
    let of = |name: &str| {
        let write = writes.iter().find(|it| *it.id.name == *name).expect("a write");
        match &write.change {
            StatusChange::Addresses { addresses, .. } => addresses[0].ip.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(of("traefik").as_deref(), Some("192.0.2.9"));
    assert_eq!(of("nginx").as_deref(), Some("10.2.0.1"));
    // A node that goes is looked at by whoever reports nodes.
    let fewer = yaml.replace(NODES[1], "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}");
    let before = resolve(&items(&fewer), &ResolveOptions::default());
    let before = Reportable { snapshot: &before, ..now };
    assert_eq!(differing(before, now), Scope::All);
}
