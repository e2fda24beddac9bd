//! Services, as far as addresses, forwarding and routing need them.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use crate::address_wish::AddressWish;
use crate::endpoint::Host;
use crate::labels::Labels;
use crate::object::{NamespacedName, ObjectRef};
use crate::protocol::Protocol;
use crate::router_draft::BackendWish;
use crate::routing::backend::RefusalReason;
use crate::routing::transport::OriginScheme;

/// A valid `v1` Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// `namespace/name`.
    pub id: NamespacedName,
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `metadata.creationTimestamp` as written (RFC 3339 UTC sorts as text).
    pub created: Option<Box<str>>,
    /// `spec.type`.
    pub kind: ServiceType,
    /// `spec.selector`; empty selects nothing.
    pub selector: Labels,
    /// `spec.ports`.
    pub ports: Vec<ServicePort>,
    /// `spec.clusterIP: None`.
    pub headless: bool,
    /// `spec.clusterIPs` (or `clusterIP`) that are addresses.
    pub cluster_ips: Vec<IpAddr>,
    /// `spec.externalIPs`: nothing answers for them; Ingresses may report them.
    pub external_ips: Box<[IpAddr]>,
    /// `spec.ipFamilies`.
    pub ip_families: &'static [Family],
    /// `spec.ipFamilyPolicy`, where written.
    pub family_policy: Option<FamilyPolicy>,
    /// `spec.loadBalancerClass`.
    pub load_balancer_class: Option<Box<str>>,
    /// What it asks of its addresses, by MetalLB's annotations and `spec.loadBalancerIP`.
    pub wish: Arc<AddressWish>,
    /// The pool of its addresses, as whoever gave them noted it.
    pub noted_pool: Option<Box<str>>,
    /// `spec.externalTrafficPolicy`.
    pub external_traffic_policy: TrafficPolicy,
    /// `spec.healthCheckNodePort`.
    pub health_check_node_port: Option<u16>,
    /// Whether requests are to stay in the zone they came in by, where there is an endpoint
    /// (`service.kubernetes.io/topology-mode: auto`, `spec.trafficDistribution`).
    pub stays_in_zone: bool,
    /// `spec.publishNotReadyAddresses`.
    pub publish_not_ready: bool,
    /// Addresses in `status.loadBalancer.ingress`, in order.
    pub status_addresses: Vec<IpAddr>,
    /// Annotation `steelyard.dev/gateway`: pins or forbids that the gateway serves it.
    pub gateway: Option<bool>,
    /// Annotation `steelyard.dev/endpoints`: things that are not in Kubernetes.
    pub static_endpoints: Box<[(Host, u16)]>,
    /// Set when it restricts access in a way we do not honour (`loadBalancerSourceRanges`):
    /// resolve gives its address no endpoints, so that nothing is forwarded.
    pub refusal: Option<Box<RefusalReason>>,
    /// Set when an annotation asks for something on the way from a route to it that we do not
    /// honour (another protocol, a filter): resolve makes such routes answer 503.
    pub backend_refusal: Option<Box<RefusalReason>>,
    /// What an annotation says that is spoken on the way from a route to it, whatever its ports
    /// say.
    pub backend_scheme: Option<OriginScheme>,
    /// How it is asked by routes in words of Traefik, where its annotations say that.
    pub backend_wish: Option<Box<BackendWish>>,
}

/// One of `spec.ports`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Its name, required by Kubernetes when there are several.
    pub name: Option<String>,
    /// Transport.
    pub protocol: Protocol,
    /// The port clients use.
    pub port: u16,
    /// The port of the pods.
    pub target: TargetPort,
    /// `nodePort`, where written.
    pub node_port: Option<u16>,
    /// What answers behind it speaks so, as it says itself (`appProtocol`).
    pub scheme: Option<OriginScheme>,
}

/// `spec.type`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceType {
    /// Reachable inside the cluster only.
    ClusterIp,
    /// And on a port of every node.
    NodePort,
    /// Gets addresses from a pool.
    LoadBalancer,
    /// Another name, or an address; has no endpoints of its own.
    ExternalName(Host),
}

/// `targetPort`: a number, or the name of a container port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetPort {
    /// The number.
    Number(u16),
    /// Looked up in each pod.
    Name(String),
}

/// Address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Family {
    /// IPv4.
    #[serde(rename = "IPv4")]
    V4,
    /// IPv6.
    #[serde(rename = "IPv6")]
    V6,
}

/// Families of the addresses that a Service has, or may have: one address, or one of each family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// One address.
    One(Family),
    /// Two addresses.
    Both,
}

/// `spec.ipFamilyPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FamilyPolicy {
    /// One family, the default.
    SingleStack,
    /// Two where possible.
    PreferDualStack,
    /// Two or none.
    RequireDualStack,
}

/// `spec.externalTrafficPolicy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrafficPolicy {
    /// Any endpoint, the default.
    #[default]
    Cluster,
    /// Only endpoints of the node that received the packet.
    Local,
}

impl Service {
    /// Whether it wants an address of its own.
    pub fn is_load_balancer(&self) -> bool {
        self.kind == ServiceType::LoadBalancer
    }

    /// The Service of the cluster whose name an ExternalName is: `web.apps.svc.cluster.local`.
    pub fn stands_for(&self) -> Option<NamespacedName> {
        let ServiceType::ExternalName(Host::Name(name)) = &self.kind else { return None };
        let name = name.strip_suffix(".cluster.local").unwrap_or(name).strip_suffix(".svc")?;
        let (service, namespace) = name.split_once('.')?;
        (!namespace.contains('.')).then(|| NamespacedName::new(namespace, service))
    }
}

impl Family {
    /// The families of a list, each once: so few lists there are that no memory is needed for one.
    pub fn each(list: &[Self]) -> &'static [Self] {
        let other = |first: &Self| list.iter().any(|it| it != first);
        match list.first() {
            None => &[],
            Some(first @ Self::V4) if other(first) => &[Self::V4, Self::V6],
            Some(Self::V4) => &[Self::V4],
            Some(first @ Self::V6) if other(first) => &[Self::V6, Self::V4],
            Some(Self::V6) => &[Self::V6],
        }
    }

    /// The family of `address`.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

impl Families {
    /// The families of `addresses`; none where they are not addresses that a Service may have
    /// together: none at all, several of one family, more than two.
    pub fn of(addresses: &[IpAddr]) -> Option<Self> {
        match *addresses {
            [address] => Some(Self::One(Family::of(address))),
            [a, b] if Family::of(a) != Family::of(b) => Some(Self::Both),
            _ => None,
        }
    }
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}
