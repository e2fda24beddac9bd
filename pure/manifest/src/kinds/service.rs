//! `v1` Service, with every field it has.

use serde::Deserialize;
use steelyard_model::Labels;

use super::meta::{Ignored, IntOrString, ObjectMeta};

/// `v1` Service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Service {
    api_version: Ignored,
    kind: Ignored,
    /// Name, labels, annotations.
    pub metadata: ObjectMeta,
    /// What it wants.
    pub spec: Option<ServiceSpec>,
    /// What it got; the source of held addresses in `kubectl get -o yaml` output.
    pub status: Option<ServiceStatus>,
}

/// `spec` of a Service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceSpec {
    /// `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Which pods answer.
    pub selector: Option<Labels>,
    /// Its ports.
    pub ports: Option<Vec<ServicePort>>,
    /// Address inside the cluster, or `None`.
    #[serde(rename = "clusterIP")]
    pub cluster_ip: Option<String>,
    /// Addresses inside the cluster.
    #[serde(rename = "clusterIPs")]
    pub cluster_ips: Option<Vec<String>>,
    /// `IPv4`, `IPv6`.
    pub ip_families: Option<Vec<String>>,
    /// `SingleStack`, `PreferDualStack` or `RequireDualStack`.
    pub ip_family_policy: Option<String>,
    /// Whose Service it is.
    pub load_balancer_class: Option<String>,
    /// A requested address.
    #[serde(rename = "loadBalancerIP")]
    pub load_balancer_ip: Option<String>,
    /// Clients that may connect.
    pub load_balancer_source_ranges: Option<Vec<String>>,
    /// `Cluster` or `Local`.
    pub external_traffic_policy: Option<String>,
    /// Port for the health checks of an outer load balancer.
    pub health_check_node_port: Option<i64>,
    /// Whether endpoints count before they are ready.
    pub publish_not_ready_addresses: Option<bool>,
    /// The name an ExternalName Service stands for.
    pub external_name: Option<String>,
    /// `None` or `ClientIP`.
    pub session_affinity: Option<String>,
    allocate_load_balancer_node_ports: Ignored,
    /// Addresses that the cluster's nodes would take traffic for.
    #[serde(rename = "externalIPs")]
    pub external_ips: Option<Vec<String>>,
    /// `PreferClose`, `PreferSameZone` or `PreferSameNode`.
    pub traffic_distribution: Option<String>,
    internal_traffic_policy: Ignored,
    session_affinity_config: Ignored,
    topology_keys: Ignored,
}

/// One of `spec.ports`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServicePort {
    /// Name; needed when there are several ports.
    pub name: Option<String>,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: Option<String>,
    /// The port clients use.
    pub port: Option<i64>,
    /// The pods' port, by number or name.
    pub target_port: Option<IntOrString>,
    /// The port on every node.
    pub node_port: Option<i64>,
    /// What is spoken behind it.
    pub app_protocol: Option<String>,
}

/// `status` of a Service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceStatus {
    /// Addresses it holds.
    pub load_balancer: Option<LoadBalancerStatus>,
    conditions: Ignored,
}

/// `status.loadBalancer`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LoadBalancerStatus {
    /// One entry per address.
    pub ingress: Option<Vec<LoadBalancerIngress>>,
}

/// One of `status.loadBalancer.ingress`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LoadBalancerIngress {
    /// The address.
    pub ip: Option<String>,
    hostname: Ignored,
    ip_mode: Ignored,
    ports: Ignored,
}
