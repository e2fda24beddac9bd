//! `v1`: Pod, Node, Secret, ConfigMap, Namespace, Endpoints; as far as they are read.

use std::collections::BTreeMap;

use serde::Deserialize;
use steelyard_model::Labels;

use super::meta::ObjectMeta;

/// `v1` Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pod {
    /// Name and labels.
    pub metadata: ObjectMeta,
    /// What runs.
    pub spec: Option<PodSpec>,
    /// How it is.
    pub status: Option<PodStatus>,
}

/// `spec` of a Pod, or of a pod template.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// The node it runs on.
    pub node_name: Option<String>,
    /// Its containers.
    pub containers: Option<Vec<Container>>,
    /// Containers that run first; those with `restartPolicy: Always` stay and may have ports.
    pub init_containers: Option<Vec<Container>>,
}

/// A container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    /// Its name.
    pub name: Option<String>,
    /// Its ports.
    pub ports: Option<Vec<ContainerPort>>,
    /// `Always` makes an init container a sidecar.
    pub restart_policy: Option<String>,
}

/// A port of a container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerPort {
    /// Its name, for a Service's `targetPort`.
    pub name: Option<String>,
    /// Its number.
    pub container_port: Option<i64>,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: Option<String>,
}

/// `status` of a Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// `Running`, `Succeeded`, …
    pub phase: Option<String>,
    /// First address.
    #[serde(rename = "podIP")]
    pub pod_ip: Option<String>,
    /// All addresses.
    #[serde(rename = "podIPs")]
    pub pod_ips: Option<Vec<PodIp>>,
    /// `Ready` and others.
    pub conditions: Option<Vec<Condition>>,
}

/// One of `status.podIPs`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodIp {
    /// The address.
    pub ip: Option<String>,
}

/// A condition of a Pod or Node.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// Its name.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `True`, `False` or `Unknown`.
    pub status: Option<String>,
}

/// `v1` Node.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Node {
    /// Name and labels.
    pub metadata: ObjectMeta,
    /// How it is.
    pub status: Option<NodeStatus>,
}

/// `status` of a Node.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeStatus {
    /// Its addresses.
    pub addresses: Option<Vec<NodeAddress>>,
    /// `Ready`, `NetworkUnavailable` and others.
    pub conditions: Option<Vec<Condition>>,
}

/// One of `status.addresses` of a Node.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeAddress {
    /// `InternalIP`, `Hostname`, …
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The address.
    pub address: Option<String>,
}

/// `v1` Secret.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Secret {
    /// Name.
    pub metadata: ObjectMeta,
    /// `Opaque`, `kubernetes.io/tls`, …
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Values in base64.
    pub data: Option<BTreeMap<String, Option<String>>>,
    /// Values as they are; they win over `data`.
    pub string_data: Option<BTreeMap<String, Option<String>>>,
}

/// `v1` ConfigMap.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfigMap {
    /// Name.
    pub metadata: ObjectMeta,
    /// Its content.
    pub data: Option<Labels>,
}

/// `v1` Namespace.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Namespace {
    /// Name and labels.
    pub metadata: ObjectMeta,
}

/// `v1` Endpoints.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Endpoints {
    /// Name: that of its Service.
    pub metadata: ObjectMeta,
    /// Groups of addresses with the same ports.
    pub subsets: Option<Vec<EndpointSubset>>,
}

/// One of `subsets` of Endpoints.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointSubset {
    /// Addresses that take traffic.
    pub addresses: Option<Vec<EndpointAddress>>,
    /// Addresses that do not.
    pub not_ready_addresses: Option<Vec<EndpointAddress>>,
    /// Ports of all of them.
    pub ports: Option<Vec<super::discovery::EndpointPort>>,
}

/// One address of an [`EndpointSubset`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointAddress {
    /// The address.
    pub ip: Option<String>,
    /// The node it is on.
    pub node_name: Option<String>,
}
