//! A small world by hand: what is run, and what comes of it.

use std::net::SocketAddr;
use std::sync::Arc;

use steelyard_model::{
    Labels, NamespacedName, ObjectRef, Protocol, ResolvedService, ServedBy, Service, ServicePort,
    ServiceType, Snapshot, TargetPort, Workload,
};
use steelyard_testbed::services::load_balancer;

use super::{Cast, Place, Replica, curtailed, print, replicas, slices};

const CAST: Cast = Cast { nodes: 3, most: 5 };

fn labels(app: &str) -> Labels {
    Labels::from([("app".to_owned(), app.to_owned())])
}

fn workload(kind: &str, name: &str, replicas: u32, ports: &[(&str, Protocol, u16)]) -> Workload {
    let named = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    Workload {
        id: NamespacedName::new("default", name),
        object: Arc::new(ObjectRef::new(kind, "default", name)),
        labels: labels(name),
        replicas,
        ports: ports.iter().map(|&(name, protocol, port)| (named(name), protocol, port)).collect(),
    }
}

fn port(name: Option<&str>, protocol: Protocol, port: u16, target: TargetPort) -> ServicePort {
    ServicePort {
        name: name.map(str::to_owned),
        protocol,
        port,
        target,
        node_port: None,
        scheme: None,
    }
}

fn service(namespace: &str, name: &str, app: &str, ports: Vec<ServicePort>) -> Service {
    Service {
        kind: ServiceType::ClusterIp,
        selector: if app.is_empty() { Labels::new() } else { labels(app) },
        ..load_balancer(namespace, name, ports)
    }
}

fn world(workloads: Vec<Workload>, services: Vec<Service>) -> Snapshot {
    let resolved = |service: Service| {
        let served_by = ServedBy::Forward;
        let id = service.id.clone();
        let (ports, places) = (Vec::new(), Box::default());
        let service = Arc::new(service);
        (id, Arc::new(ResolvedService { service, ports, places, served_by, closed: false }))
    };
    Snapshot {
        workloads: workloads.into(),
        services: services.into_iter().map(resolved).collect(),
        ..Snapshot::default()
    }
}

/// Two ports, one by name and moved, one UDP by number; the container declares a third.
fn shop() -> Snapshot {
    let ports = [("http", Protocol::Tcp, 8080), ("admin", Protocol::Tcp, 9000)];
    let by_name = TargetPort::Name("http".to_owned());
    let wanted = vec![
        port(Some("web"), Protocol::Tcp, 80, by_name),
        port(Some("dns"), Protocol::Udp, 53, TargetPort::Number(5353)),
        port(Some("gone"), Protocol::Tcp, 81, TargetPort::Name("missing".to_owned())),
    ];
    world(
        vec![
            workload("Deployment", "lonely", 2, &[("", Protocol::Tcp, 80)]),
            workload("Deployment", "shop", 2, &ports),
        ],
        vec![
            service("default", "shop", "shop", wanted),
            service("elsewhere", "lonely", "lonely", Vec::new()),
            service("default", "selects-nothing", "", Vec::new()),
        ],
    )
}

#[test]
fn what_services_select_is_played_on_every_port_they_and_the_container_name() {
    let played = replicas(&shop(), CAST);
    let names: Vec<_> = played.iter().map(|r| (r.workload.to_string(), r.index)).collect();
    assert_eq!(names, [("default/shop".to_owned(), 1), ("default/shop".to_owned(), 2)]);
    let (tcp, udp) = (Protocol::Tcp, Protocol::Udp);
    assert_eq!(played[0].ports, [(tcp, 8080), (tcp, 9000), (udp, 5353)]);
}

#[test]
fn scale_is_bounded_and_daemon_sets_follow_the_nodes() {
    let web = || vec![port(None, Protocol::Tcp, 80, TargetPort::Number(80))];
    let snapshot = world(
        vec![
            workload("DaemonSet", "agent", 1, &[]),
            workload("Deployment", "huge", 900, &[]),
            workload("Deployment", "off", 0, &[]),
        ],
        ["agent", "huge", "off"].map(|name| service("default", name, name, web())).to_vec(),
    );
    let count =
        |name: &str| replicas(&snapshot, CAST).iter().filter(|r| &*r.workload.name == name).count();
    assert_eq!((count("agent"), count("huge"), count("off")), (3, 5, 0));
    let cut: Vec<_> = curtailed(&snapshot, CAST).iter().map(|w| w.id.to_string()).collect();
    assert_eq!(cut, ["default/huge"]);
}

fn place(replica: &Replica, hosts: &[&str], shift: u16) -> Place {
    let at = |number: u16| -> Vec<SocketAddr> {
        hosts.iter().map(|host| format!("{host}:{}", number + shift).parse().unwrap()).collect()
    };
    Place {
        replica: replica.clone(),
        node: Some(Arc::from("worker-1")),
        ports: replica.ports.iter().map(|&(protocol, n)| ((protocol, n), at(n))).collect(),
    }
}

#[test]
fn each_replica_gets_a_slice_with_its_own_ports() {
    let snapshot = shop();
    let played = replicas(&snapshot, CAST);
    let places = [place(&played[0], &["127.0.0.1"], 0), place(&played[1], &["127.0.0.1"], 1)];
    let made = slices(&snapshot, &places);
    let shown: Vec<String> = made
        .iter()
        .map(|slice| {
            let ports: Vec<_> = slice
                .ports
                .iter()
                .map(|p| format!("{}/{}={}", p.name, p.protocol, p.port.unwrap()))
                .collect();
            format!("{} {}", slice.object, ports.join(" "))
        })
        .collect();
    assert_eq!(
        shown,
        [
            "EndpointSlice/default/shop-shop-1 web/TCP=8080 dns/UDP=5353",
            "EndpointSlice/default/shop-shop-2 web/TCP=8081 dns/UDP=5354",
        ]
    );
}

#[test]
fn two_families_are_two_slices() {
    let snapshot = shop();
    let played = replicas(&snapshot, CAST);
    let made = slices(&snapshot, &[place(&played[0], &["10.244.1.2", "[fd00::2]"], 0)]);
    let names: Vec<_> = made.iter().map(|slice| &*slice.object.name).collect();
    assert_eq!(names, ["shop-shop-1", "shop-shop-1-v6"]);
    let text = print(&made);
    for part in [
        "name: \"shop-shop-1-v6\"",
        "{kubernetes.io/service-name: \"shop\"}",
        "addressType: IPv6",
        "- {name: \"web\", protocol: TCP, port: 8080}",
        "- addresses: [\"fd00::2\"]",
        "nodeName: \"worker-1\"",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert_eq!(text.matches("---\n").count(), 2);
}
