//! The values that Traefik's Helm chart has, so that a typo among them is told from a value.

use steelyard_manifest::Setting;
use steelyard_model::suggest::nearest;

/// Entry points that the chart has by itself, and where they are unless values say otherwise.
pub(super) const ENTRY_POINTS: [(&str, &str); 4] =
    [("metrics", ":9100"), ("traefik", ":8080"), ("web", ":8000"), ("websecure", ":8443")];

/// What stands at the top; those of former versions too.
const TOP: [&str; 62] = [
    "additionalArguments",
    "additionalVolumeMounts",
    "affinity",
    "api",
    "autoscaling",
    "certResolvers",
    "certificatesResolvers",
    "commonLabels",
    "core",
    "dashboard",
    "deployment",
    "env",
    "envFrom",
    "experimental",
    "extraObjects",
    "gateway",
    "gatewayClass",
    "global",
    "globalArguments",
    "hostNetwork",
    "hub",
    "image",
    "ingressClass",
    "ingressRoute",
    "instanceLabelOverride",
    "kubernetes",
    "livenessProbe",
    "log",
    "logs",
    "metrics",
    "nameOverride",
    "namespaceOverride",
    "nodeSelector",
    "oci_meta",
    "ocsp",
    "persistence",
    "pilot",
    "podDisruptionBudget",
    "podSecurityContext",
    "podSecurityPolicy",
    "ports",
    "priorityClassName",
    "providers",
    "rbac",
    "readinessProbe",
    "resources",
    "rollingUpdate",
    "securityContext",
    "service",
    "serviceAccount",
    "serviceAccountAnnotations",
    "ssl",
    "startupProbe",
    "tlsOptions",
    "tlsStore",
    "tolerations",
    "topologySpreadConstraints",
    "tracing",
    "updateStrategy",
    "versionOverride",
    "volumes",
    "fullnameOverride",
];

/// What stands below the name of a port.
const OF_A_PORT: [&str; 25] = [
    "advertisedPort",
    "allowACMEByPass",
    "appProtocol",
    "asDefault",
    "containerPort",
    "expose",
    "exposeInternal",
    "exposedPort",
    "forwardedHeaders",
    "hostIP",
    "hostPort",
    "http",
    "http2",
    "http3",
    "middlewares",
    "nodePort",
    "observability",
    "port",
    "protocol",
    "proxyProtocol",
    "redirectTo",
    "redirections",
    "targetPort",
    "tls",
    "transport",
];

/// Names of variables that are options.
const VARIABLES: &str = "TRAEFIK_";

/// What there is to say of a value that the chart does not have, or that changes nothing; and what
/// to do.
pub(super) fn unknown(setting: &Setting) -> Option<(String, String)> {
    let mut parts = setting.name.split('.');
    let top = parts.next().unwrap_or_default();
    let top = top.split('[').next().unwrap_or_default();
    if top.eq_ignore_ascii_case("env") && setting.value.starts_with(VARIABLES) {
        let message = format!(
            "`{}` counts for nothing: the chart gives arguments, and Traefik leaves its variables \
             out beside those",
            setting.value
        );
        return Some((message, "write it as one of additionalArguments".to_owned()));
    }
    if !TOP.contains(&top) {
        return Some(none_such(top, top, &TOP));
    }
    let below = parts.nth(1).filter(|_| top == "ports")?;
    let below = below.split('[').next().unwrap_or_default();
    (!OF_A_PORT.contains(&below)).then(|| none_such(&setting.name, below, &OF_A_PORT))
}

fn none_such(name: &str, written: &str, known: &[&str]) -> (String, String) {
    let help = match nearest(written, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "remove it, or look for its name in the chart's values.yaml".to_owned(),
    };
    (format!("`{name}` is no value of Traefik's chart that is known here"), help)
}
