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

/// Echo servers of a cluster (`tests/src/cluster.rs`), labelled `app: echo`, ready once they answer
/// on port 80.
#[derive(Clone, Copy, Debug)]
pub enum Echo {
    /// One on each node, which ends at once.
    EachNode,
    /// So many, which go on for some seconds once they are to end, while others take their place.
    Leaving {
        /// How many there are.
        replicas: u8,
        /// For how many seconds each goes on.
        seconds: u8,
    },
}

impl Echo {
    /// The workload by the name `echo`.
    pub fn workload(self) -> String {
        let (kind, more, linger, grace) = match self {
            Self::EachNode => ("DaemonSet", String::new(), String::new(), 1),
            Self::Leaving { replicas, seconds } => {
                let strategy = "{rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}";
                let more = format!("  replicas: {replicas}\n  strategy: {strategy}\n");
                ("Deployment", more, format!(", \"--linger\", \"{seconds}s\""), 20)
            }
        };
        let pod = ECHO_POD.replace("LINGER", &linger).replace("GRACE", &format!("{grace}"));
        format!(
            "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: echo}}\nspec:\n{more}  \
             selector: {{matchLabels: {{app: echo}}}}\n{pod}"
        )
    }

    /// A Service before all of them, with these fields of `spec` (as in a YAML map) besides.
    pub fn service(name: &str, port: u16, spec: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{selector: \
             {{app: echo}}, ports: [{{port: {port}, targetPort: 80}}], {spec}}}\n"
        )
    }
}

/// From a node that is gone they are moved away at once, and not after five minutes.
const ECHO_POD: &str = r#"  template:
    metadata: {labels: {app: echo}}
    spec:
      terminationGracePeriodSeconds: GRACE
      tolerations:
      - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute,
         tolerationSeconds: 1}
      - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute,
         tolerationSeconds: 1}
      containers:
      - name: echo
        image: echo:1
        args: ["--http", ":80"LINGER]
        readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}
        securityContext:
          runAsUser: 65532
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: {drop: [ALL]}
"#;

/// An account in a namespace that may do what these rules of RBAC say, in all of them. Each rule is
/// a YAML map.
pub fn account(namespace: &str, name: &str, rules: &[&str]) -> String {
    let rules: String = rules.iter().map(|rule| format!("- {rule}\n")).collect();
    let group = "rbac.authorization.k8s.io";
    format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         ---\napiVersion: {group}/v1\nkind: ClusterRole\nmetadata: {{name: {name}}}\n\
         rules:\n{rules}---\napiVersion: {group}/v1\nkind: ClusterRoleBinding\n\
         metadata: {{name: {name}}}\n\
         roleRef: {{apiGroup: {group}, kind: ClusterRole, name: {name}}}\n\
         subjects: [{{kind: ServiceAccount, name: {name}, namespace: {namespace}}}]\n"
    )
}
