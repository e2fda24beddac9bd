//! `networking.k8s.io/v1`: Ingress and IngressClass, with every field they have.

use serde::Deserialize;

use super::meta::{Ignored, ObjectMeta};

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
