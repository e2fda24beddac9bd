//! Objects → Traefik's dynamic configuration: what its own providers make of them (Traefik v3.7:
//! routers, services, middlewares, transports, TLS), as JSON, for people who migrate and for
//! comparison.
//!
//! It serves nothing and judges nothing: what of it is served is what `steelyard-pipeline` derives
//! from the same objects. A field is passed on as it is written; what Traefik's providers drop (a
//! route whose Service is not there, a name that must not be named) is not there. Files of dynamic
//! configuration are themselves what is made of them.
//!
//! [`dynamic`] gives
//! `{"http": {"routers", "services", "middlewares", "serversTransports"}, "tcp": {the same},
//! "udp": {"routers", "services"}, "tls": {"certificates", "options", "stores"}}`. Keys carry their
//! provider (`default-web@kubernetescrd`), and references are as the provider writes them. What is
//! as if it were not written (zero, empty) is left out.

mod cluster;
mod crd;
mod crypt;
mod duration;
mod file;
mod ingress;
mod names;
mod nginx;
mod options;
mod reference;
mod servers;
mod shape;
mod sticky;
mod tree;

use serde_json::Value;
use steelyard_manifest::Object;

use cluster::Cluster;
pub use nginx::NginxProviderOptions;
pub use options::DynamicOptions;
use shape::Sections;

/// Traefik's own kinds.
const OF_TRAEFIK: [&str; 10] = [
    "IngressRoute",
    "IngressRouteTCP",
    "IngressRouteUDP",
    "Middleware",
    "MiddlewareTCP",
    "ServersTransport",
    "ServersTransportTCP",
    "TLSOption",
    "TLSStore",
    "TraefikService",
];

/// What Traefik's providers of a cluster make of all its objects. An object may be without name and
/// namespace, as far as they are concerned ([`steelyard_manifest::load_unnamed`]).
pub fn dynamic(objects: &[Object], options: &DynamicOptions) -> Value {
    let cluster = Cluster::of(objects);
    let mut sections = Sections::default();
    let of_traefik = |kind: &str| OF_TRAEFIK.contains(&kind);
    let crd = Cluster::seen(&cluster, &options.crd.namespaces);
    let crd = crd.selected(of_traefik, &options.crd.labels);
    sections.add(crd::configuration(&crd, &options.crd), names::OF_KINDS);
    let ingress = Cluster::seen(&cluster, &options.ingress.namespaces);
    let ingress = ingress.selected(|kind| kind == "Ingress", &options.ingress.labels);
    sections.add(ingress::configuration(&ingress, options), names::OF_INGRESSES);
    let nginx = cluster.seen(&options.nginx.namespaces).labelled(&options.nginx.labels);
    sections.add(nginx::configuration(&nginx, &options.nginx), names::OF_NGINX);
    sections.add(file::configuration(objects), names::OF_FILES);
    sections.into_value()
}
