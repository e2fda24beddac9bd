//! Documents that are other tools': what lives beside manifests without being one. They are
//! skipped, and said to be; nothing is wrong with them.

use steelyard_model::Severity;

use crate::build;
use crate::codes;
use crate::nameless::Nameless;
use crate::tree::{Node, Value};

/// API groups of which this program reads a kind, today or in former versions.
const READ: [&str; 8] = [
    "",
    "apps",
    "discovery.k8s.io",
    "extensions",
    "metallb.io",
    "metallb.universe.tf",
    "networking.k8s.io",
    "traefik.io",
];

/// Kinds that are nobody else's.
const KINDS: [&str; 10] = [
    "BGPAdvertisement",
    "BGPPeer",
    "Deployment",
    "EndpointSlice",
    "Endpoints",
    "Ingress",
    "IngressClass",
    "IPAddressPool",
    "L2Advertisement",
    "Service",
];

/// Whether objects of this `apiVersion` may be read.
pub(super) fn is_read(api_version: &str) -> bool {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    READ.contains(&group)
}

/// Whether `kind` means an object although no `apiVersion` says so.
pub(super) fn is_kind_read(kind: &str) -> bool {
    KINDS.contains(&kind)
}

/// The Chart.yaml of a Helm chart.
pub(super) fn is_chart(node: &Node) -> bool {
    let has = |key: &str| node.get(key).is_some();
    has("name") && has("version") && !has("metadata") && !has("spec") && !has("kind")
}

/// Files that live beside manifests and name a kind without being objects.
pub(super) fn is_tool_config(api_version: &str) -> bool {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    group.ends_with(".config.k8s.io")
        || matches!(
            group,
            "kubeadm.k8s.io" | "kind.x-k8s.io" | "k3d.io" | "skaffold" | "ctlptl.dev"
        )
}

/// What a document is, where that is plain to see.
pub(super) fn tool(node: &Node) -> Option<&'static str> {
    let node = node.resolved();
    let has = |key: &str| node.get(key).is_some();
    match &node.value {
        Value::List(items) => {
            let is_play = |item: &Node| {
                ["hosts", "tasks", "roles", "ansible.builtin.import_playbook"]
                    .iter()
                    .any(|key| item.get(key).is_some())
            };
            items.iter().any(is_play).then_some("an Ansible playbook")
        }
        _ if has("services") => Some("a compose file"),
        _ if has("jobs") && has("on") => Some("a workflow"),
        _ => None,
    }
}

/// A document that is `what`.
pub(super) fn skipped(node: &Node, what: &str) -> Nameless {
    Nameless {
        severity: Severity::Info,
        code: codes::NOT_AN_OBJECT,
        mark: node.mark,
        path: "",
        message: format!("this is {what}, not a Kubernetes object; it is skipped"),
        help: "nothing needs to change; or keep it out of the folder".to_owned(),
    }
}

/// Whether a document without `apiVersion` is a kustomization all the same: it needs none.
pub(super) fn is_kustomization(node: &Node, file: &str) -> bool {
    let is_named = file.ends_with("kustomization.yaml") || file.ends_with("kustomization.yml");
    is_named && (node.get("resources").is_some() || !build::changes(node).is_empty())
}

/// A kustomization: what stands in its folder is what comes of it, or is not.
pub(super) fn kustomization(node: &Node, file: &str) -> Nameless {
    let changes = build::changes(node);
    let mark = node.get("kind").map_or(node.mark, |entry| entry.node.mark);
    if changes.is_empty() {
        let message = "a Kustomization is the configuration of a tool, and is skipped".to_owned();
        return Nameless { mark, message, ..skipped(node, "") };
    }
    Nameless {
        severity: Severity::Warning,
        code: codes::BUILD_NEEDED,
        mark,
        path: "",
        message: format!(
            "kustomize changes what stands in this folder ({}): what comes of that is not judged",
            changes.join(", ")
        ),
        help: format!(
            "check what comes of it: kustomize build {} | steelyard check -",
            build::folder(file)
        ),
    }
}

/// A Helm chart: its templates are no objects.
pub(super) fn chart(node: &Node, file: &str) -> Nameless {
    Nameless {
        severity: Severity::Warning,
        code: codes::BUILD_NEEDED,
        mark: node.mark,
        path: "",
        message: "this folder is a Helm chart: what comes of its templates is not judged"
            .to_owned(),
        help: format!(
            "check what comes of it: helm template {} | steelyard check -",
            build::folder(file)
        ),
    }
}
