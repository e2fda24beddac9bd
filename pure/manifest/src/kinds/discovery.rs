//! `discovery.k8s.io/v1`: EndpointSlice; as far as it is read.

use serde::Deserialize;

use super::meta::ObjectMeta;

/// `discovery.k8s.io/v1` EndpointSlice.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointSlice {
    /// Name, and the label `kubernetes.io/service-name`.
    pub metadata: ObjectMeta,
    /// `IPv4`, `IPv6` or `FQDN`.
    pub address_type: Option<String>,
    /// Its endpoints.
    pub endpoints: Option<Vec<Endpoint>>,
    /// Ports of all of them.
    pub ports: Option<Vec<EndpointPort>>,
}

/// One endpoint of an EndpointSlice.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Endpoint {
    /// Its addresses; the first one counts.
    pub addresses: Option<Vec<String>>,
    /// Whether it takes traffic.
    pub conditions: Option<EndpointConditions>,
    /// The node it is on.
    pub node_name: Option<String>,
    /// Whom it is meant for.
    pub hints: Option<EndpointHints>,
}

/// `hints` of an [`Endpoint`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointHints {
    /// Zones whose clients it is meant for.
    pub for_zones: Option<Vec<ForZone>>,
}

/// One of `forZones`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ForZone {
    /// The zone.
    pub name: Option<String>,
}

/// `conditions` of an [`Endpoint`]; absent means yes for `ready` and `serving`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointConditions {
    /// Takes new connections.
    pub ready: Option<bool>,
    /// Answers, maybe on its way out.
    pub serving: Option<bool>,
    /// On its way out.
    pub terminating: Option<bool>,
}

/// A port of an EndpointSlice or of Endpoints.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointPort {
    /// Name of the Service's port.
    pub name: Option<String>,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: Option<String>,
    /// The number.
    pub port: Option<i64>,
}
