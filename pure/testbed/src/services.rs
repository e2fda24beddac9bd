//! Services by hand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use steelyard_model::{
    AddressWish, Item, Labels, NamespacedName, ObjectRef, Protocol, Service, ServicePort,
    ServiceType, TargetPort, TrafficPolicy,
};

use crate::manifests::items;

/// One of type LoadBalancer that says nothing more.
pub fn load_balancer(namespace: &str, name: &str, ports: Vec<ServicePort>) -> Service {
    Service {
        id: NamespacedName::new(namespace, name),
        object: Arc::new(ObjectRef::new("Service", namespace, name)),
        labels: Labels::new(),
        created: None,
        kind: ServiceType::LoadBalancer,
        selector: Labels::new(),
        ports,
        headless: false,
        cluster_ips: Vec::new(),
        external_ips: Box::default(),
        ip_families: &[],
        family_policy: None,
        load_balancer_class: None,
        wish: Arc::default(),
        external_traffic_policy: TrafficPolicy::Cluster,
        health_check_node_port: None,
        stays_in_zone: false,
        publish_not_ready: false,
        status_addresses: Vec::new(),
        gateway: None,
        static_endpoints: Box::default(),
        refusal: None,
        backend_refusal: None,
        backend_scheme: None,
        backend_wish: None,
        noted_pool: None,
    }
}

/// What a Service asks of its addresses by these annotations (without a prefix: MetalLB's of
/// today) and this `spec.loadBalancerIP`.
pub fn wish(annotations: &[(&str, &str)], load_balancer_ip: &str) -> AddressWish {
    let pairs = annotations.iter().map(|(key, value)| {
        let prefix = if key.contains('/') { "" } else { "metallb.io/" };
        format!("{prefix}{key}: {value:?}")
    });
    let pairs: Vec<_> = pairs.collect();
    let yaml = format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: a, annotations: {{{}}}}}\nspec: {{type: \
         LoadBalancer, ports: [{{port: 80}}], loadBalancerIP: {load_balancer_ip:?}}}\n",
        pairs.join(", ")
    );
    // Properties ask for the same few again and again.
    static KNOWN: Mutex<BTreeMap<String, AddressWish>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.entry(yaml).or_insert_with_key(|yaml| wish_in(yaml)).clone()
}

fn wish_in(yaml: &str) -> AddressWish {
    match items(yaml).first().map(|item| &**item) {
        Some(Item::Service(service)) => AddressWish::clone(&service.wish),
        other => panic!("no Service: {other:?}"),
    }
}

/// A TCP port without a name that leads to the same port.
pub fn tcp(port: u16) -> ServicePort {
    let (protocol, target) = (Protocol::Tcp, TargetPort::Number(port));
    ServicePort { name: None, protocol, port, target, node_port: None, scheme: None }
}
