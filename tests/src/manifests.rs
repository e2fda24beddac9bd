//! Manifests that several tests begin with; each part is one document or more, without `---`
//! around it, and [`all`] puts parts into one file; and where their Services are found.

use std::net::{IpAddr, SocketAddr};

/// A range of both families, in a subnet that laboratories make around it.
pub const BOTH_FAMILIES: &str = r#"10.1.1.100-10.1.1.150, "fd00:1:1::100-fd00:1:1::1ff""#;

/// One file of these parts.
pub fn all(parts: &[&str]) -> String {
    parts.join("\n---\n")
}

/// A pool of these ranges (as in a YAML list), and an advertisement of it on the LAN.
pub fn pool(ranges: &str) -> String {
    format!(
        "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\n\
         metadata: {{name: pool, namespace: metallb-system}}\nspec: {{addresses: [{ranges}]}}\n\
         ---\napiVersion: metallb.io/v1beta1\nkind: L2Advertisement\n\
         metadata: {{name: all, namespace: metallb-system}}\n"
    )
}

/// A Deployment of so many replicas that listen on port 80, labelled `app: NAME`.
pub fn deployment(name: &str, replicas: u32) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  \
         replicas: {replicas}\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    \
         metadata: {{labels: {{app: {name}}}}}\n    spec:\n      containers: \
         [{{name: nginx, image: \"nginx:alpine\", ports: [{{containerPort: 80}}]}}]\n"
    )
}

/// A Service with an address of each family there is, before the pods labelled `app: APP`.
pub fn load_balancer(name: &str, app: &str, port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec:\n  type: LoadBalancer\n  \
         ipFamilyPolicy: PreferDualStack\n  selector: {{app: {app}}}\n  \
         ports: [{{port: {port}, targetPort: 80}}]\n"
    )
}

/// The same for the gateway's port 80.
pub fn gateway(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\n\
         metadata: {{name: {name}, annotations: {{steelyard.dev/gateway: \"true\"}}}}\nspec:\n  \
         type: LoadBalancer\n  ipFamilyPolicy: PreferDualStack\n  \
         selector: {{app.kubernetes.io/name: traefik}}\n  \
         ports: [{{name: web, port: 80, targetPort: web}}]\n"
    )
}

/// The same, wanting these addresses (of each family one, with a comma between).
pub fn gateway_at(name: &str, addresses: &str) -> String {
    let wants = format!("metallb.io/loadBalancerIPs: \"{addresses}\", steelyard.dev/gateway");
    gateway(name).replacen("steelyard.dev/gateway", &wants, 1)
}

/// The page at an address and port.
///
/// # Panics
/// When `address` is none.
pub fn url(address: &str, port: u16) -> String {
    let address: IpAddr = address.parse().expect("an address");
    format!("http://{}/", SocketAddr::new(address, port))
}
