//! Services by hand.

use std::sync::Arc;

use steelyard_model::{
    Labels, NamespacedName, ObjectRef, Protocol, Service, ServicePort, ServiceType, TargetPort,
    TrafficPolicy,
};

/// One of type LoadBalancer that says nothing more.
pub fn load_balancer(namespace: &str, name: &str, ports: Vec<ServicePort>) -> Service {
    Service {
        id: NamespacedName::new(namespace, name),
        object: Arc::new(ObjectRef::new("Service", namespace, name)),
        labels: Labels::new(),
        annotations: Labels::new(),
        created: None,
        kind: ServiceType::LoadBalancer,
        selector: Labels::new(),
        ports,
        headless: false,
        cluster_ips: Vec::new(),
        ip_families: Vec::new(),
        family_policy: None,
        load_balancer_class: None,
        load_balancer_ip: None,
        external_traffic_policy: TrafficPolicy::Cluster,
        health_check_node_port: None,
        publish_not_ready: false,
        status_addresses: Vec::new(),
        gateway: None,
        static_endpoints: Vec::new(),
        refusal: None,
        backend_refusal: None,
    }
}

/// A TCP port without a name that leads to the same port.
pub fn tcp(port: u16) -> ServicePort {
    let (protocol, target) = (Protocol::Tcp, TargetPort::Number(port));
    ServicePort { name: None, protocol, port, target, node_port: None }
}
