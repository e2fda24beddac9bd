//! `networking.k8s.io/v1`: Ingress, IngressClass and NetworkPolicy, with every field they have.

use serde::Deserialize;

use super::meta::{Ignored, IntOrString, LabelSelector, ObjectMeta};

/// `networking.k8s.io/v1` Ingress.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ingress {
    api_version: Ignored,
    kind: Ignored,
    /// Name and annotations.
    pub metadata: ObjectMeta,
    /// What it routes.
    pub spec: Option<IngressSpec>,
    status: Ignored,
}

/// `spec` of an Ingress.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressSpec {
    /// Whose Ingress it is.
    pub ingress_class_name: Option<String>,
    /// Where requests go that no rule takes.
    pub default_backend: Option<IngressBackend>,
    /// Hosts served by TLS.
    pub tls: Option<Vec<IngressTls>>,
    /// Its rules, one per host.
    pub rules: Option<Vec<IngressRule>>,
}

/// One of `spec.tls`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressTls {
    /// Hosts the certificate is for.
    pub hosts: Option<Vec<String>>,
    /// Where the certificate is.
    pub secret_name: Option<String>,
}

/// One of `spec.rules`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressRule {
    /// Host name; absent means every host.
    pub host: Option<String>,
    /// Its paths.
    pub http: Option<HttpIngressRule>,
}

/// `http` of an [`IngressRule`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpIngressRule {
    /// The paths.
    pub paths: Option<Vec<HttpIngressPath>>,
}

/// One path of an [`IngressRule`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpIngressPath {
    /// The path.
    pub path: Option<String>,
    /// `Exact`, `Prefix` or `ImplementationSpecific`.
    pub path_type: Option<String>,
    /// Where requests go.
    pub backend: Option<IngressBackend>,
}

/// A backend: a Service, or another object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressBackend {
    /// A Service and its port.
    pub service: Option<IngressServiceBackend>,
    /// Another object.
    pub resource: Option<ResourceBackend>,
}

/// `backend.service`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressServiceBackend {
    /// The Service.
    pub name: Option<String>,
    /// Its port.
    pub port: Option<ServiceBackendPort>,
}

/// `backend.service.port`: one of the two.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceBackendPort {
    /// By name.
    pub name: Option<String>,
    /// By number.
    pub number: Option<i64>,
}

/// `backend.resource`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceBackend {
    api_group: Ignored,
    /// Its kind.
    pub kind: Option<String>,
    /// Its name.
    pub name: Option<String>,
}

/// `networking.k8s.io/v1` IngressClass.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressClass {
    api_version: Ignored,
    kind: Ignored,
    /// Name and annotations.
    pub metadata: ObjectMeta,
    /// Who serves it.
    pub spec: Option<IngressClassSpec>,
}

/// `spec` of an IngressClass.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressClassSpec {
    /// `traefik.io/ingress-controller`, `k8s.io/ingress-nginx`, …
    pub controller: Option<String>,
    parameters: Ignored,
}

/// `networking.k8s.io/v1` NetworkPolicy.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkPolicy {
    api_version: Ignored,
    kind: Ignored,
    metadata: Ignored,
    /// Whom it lets in where.
    pub spec: Option<NetworkPolicySpec>,
    status: Ignored,
}

/// `spec` of a NetworkPolicy.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkPolicySpec {
    /// Which pods it is about.
    pub pod_selector: Option<LabelSelector>,
    /// `Ingress`, `Egress` or both; what there are rules for where nothing is written.
    pub policy_types: Option<Vec<String>>,
    /// Who may come in.
    pub ingress: Option<Vec<NetworkPolicyIngressRule>>,
    egress: Ignored,
}

/// One of `spec.ingress`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkPolicyIngressRule {
    /// At which ports of the pods; all where none is written.
    pub ports: Option<Vec<NetworkPolicyPort>>,
    /// Who; everybody where nobody is written.
    pub from: Option<Vec<NetworkPolicyPeer>>,
}

/// One of a rule's ports.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkPolicyPort {
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: Option<String>,
    /// By number or name.
    pub port: Option<IntOrString>,
    /// Last port of a range.
    pub end_port: Option<i64>,
}

/// One of those who may come in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkPolicyPeer {
    /// Pods by label.
    pub pod_selector: Option<LabelSelector>,
    /// Namespaces by label.
    pub namespace_selector: Option<LabelSelector>,
    /// Addresses.
    pub ip_block: Option<IpBlock>,
}

/// Addresses.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IpBlock {
    /// These.
    pub cidr: Option<String>,
    /// But not those.
    pub except: Option<Vec<String>>,
}
