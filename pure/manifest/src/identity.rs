//! Which object a document is: apiVersion, kind, namespace and name.

use std::sync::Arc;

use steelyard_model::{Code, ObjectRef, Severity};

use crate::codes;
use crate::names::{self, Rule};
use crate::tree::{Mark, Node, Value};

/// What a document says about itself.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) reference: Arc<ObjectRef>,
    pub(crate) api_version: Arc<str>,
    /// Names that will do, but that Kubernetes would refuse.
    pub(crate) remarks: Vec<Nameless>,
}

/// Why a document is no object, or a doubtful one.
#[derive(Debug)]
pub(crate) struct Nameless {
    pub(crate) severity: Severity,
    pub(crate) code: Code,
    pub(crate) mark: Mark,
    pub(crate) path: &'static str,
    pub(crate) message: String,
    pub(crate) help: String,
}

/// apiVersion and kind that the items of a typed list take from it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inherited {
    pub(crate) api_version: Option<Arc<str>>,
    pub(crate) kind: Option<Arc<str>>,
}

/// Reads the identity of the object in `node`.
pub(crate) fn identify(node: &Node, inherited: &Inherited) -> Result<Identity, Nameless> {
    if !matches!(node.resolved().value, Value::Map(_)) {
        return Err(incomplete(
            node.mark,
            format!("a Kubernetes object is expected here, but this is {}", node.described()),
            "start it with `apiVersion:`, `kind:` and `metadata:`; separate objects with `---`",
        ));
    }
    let api_version = string(node, "apiVersion")?.or_else(|| inherited.api_version.clone());
    let kind = string(node, "kind")?.or_else(|| inherited.kind.clone());
    let (api_version, kind) = match (api_version, kind) {
        (Some(api_version), Some(kind)) => (api_version, kind),
        (None, kind) if kind.is_none() || node.get("metadata").is_none() => {
            return Err(not_an_object(node));
        }
        (api_version, _) => return Err(half_typed(node, api_version.is_some())),
    };
    let Some((name, mark)) = nested(node, "name")? else {
        return Err(unnamed(node, &api_version, &kind));
    };
    let mut remarks = Vec::new();
    remarks.extend(names::judge(Rule::of(&kind), "metadata.name", &name, mark)?);
    let namespace = match nested(node, "namespace")? {
        _ if is_cluster_scoped(&api_version, &kind) => Arc::from(""),
        None => Arc::from("default"),
        Some((namespace, mark)) => {
            remarks.extend(names::judge(Rule::Label, "metadata.namespace", &namespace, mark)?);
            namespace
        }
    };
    let reference = Arc::new(ObjectRef { kind, namespace, name });
    Ok(Identity { reference, api_version, remarks })
}

/// A string below the root; absent, null and empty are the same.
fn string(node: &Node, key: &'static str) -> Result<Option<Arc<str>>, Nameless> {
    Ok(field(node, key, key)?.map(|(text, _)| text))
}

fn nested(node: &Node, key: &'static str) -> Result<Option<(Arc<str>, Mark)>, Nameless> {
    let path = if key == "name" { "metadata.name" } else { "metadata.namespace" };
    match node.get("metadata") {
        Some(metadata) if matches!(metadata.node.resolved().value, Value::Map(_)) => {
            field(&metadata.node, key, path)
        }
        Some(metadata) if !matches!(metadata.node.resolved().value, Value::Null) => Err(Nameless {
            severity: Severity::Error,
            code: codes::WRONG_TYPE,
            mark: metadata.node.mark,
            path: "metadata",
            message: format!(
                "`metadata` wants a mapping, but this is {}",
                metadata.node.described()
            ),
            help: "write `name: NAME` below it, indented".to_owned(),
        }),
        _ => Ok(None),
    }
}

fn field(node: &Node, key: &str, path: &'static str) -> Result<Option<(Arc<str>, Mark)>, Nameless> {
    let Some(entry) = node.get(key) else { return Ok(None) };
    if matches!(entry.node.resolved().value, Value::Null) {
        return Ok(None);
    }
    match entry.node.text() {
        Some("") => Ok(None),
        Some(text) => Ok(Some((Arc::from(text), entry.node.mark))),
        None => Err(wrong_type(&entry.node, path)),
    }
}

fn wrong_type(node: &Node, path: &'static str) -> Nameless {
    let help = match &node.resolved().value {
        Value::Scalar { text, .. } => format!("put it in quotes: `{text:?}`"),
        _ => "write one word of text".to_owned(),
    };
    Nameless {
        severity: Severity::Error,
        code: codes::WRONG_TYPE,
        mark: node.mark,
        path,
        message: format!("`{path}` wants a string, but this is {}", node.described()),
        help,
    }
}

fn incomplete(mark: Mark, message: String, help: &str) -> Nameless {
    Nameless {
        severity: Severity::Error,
        code: codes::OBJECT_INCOMPLETE,
        mark,
        path: "",
        message,
        help: help.to_owned(),
    }
}

fn not_an_object(node: &Node) -> Nameless {
    Nameless {
        severity: Severity::Warning,
        code: codes::NOT_AN_OBJECT,
        mark: node.mark,
        path: "",
        message: format!(
            "this document has neither `apiVersion` nor {}, so it is no Kubernetes object, and is \
             skipped",
            if node.get("kind").is_none() { "`kind`" } else { "`metadata`" }
        ),
        help: "add both if it is meant as an object, else keep it out of the folder".to_owned(),
    }
}

fn half_typed(node: &Node, has_version: bool) -> Nameless {
    let (has, lacks, example) = if has_version {
        ("apiVersion", "kind", "kind: Service")
    } else {
        ("kind", "apiVersion", "apiVersion: v1")
    };
    let mark = node.get(has).map_or(node.mark, |entry| entry.node.mark);
    let message = format!("this document has `{has}` but no `{lacks}`");
    incomplete(mark, message, &format!("add `{lacks}`, e.g. `{example}`"))
}

fn unnamed(node: &Node, api_version: &str, kind: &str) -> Nameless {
    let mark = |key: &str| node.get(key).map(|entry| entry.node.mark);
    if is_tool_config(api_version) && node.get("metadata").is_none() {
        return Nameless {
            severity: Severity::Info,
            code: codes::NOT_AN_OBJECT,
            mark: mark("kind").unwrap_or(node.mark),
            path: "",
            message: format!("a {kind} is the configuration of a tool, and is skipped"),
            help: "nothing to do; or keep it out of the folder".to_owned(),
        };
    }
    let generated =
        node.get("metadata").is_some_and(|entry| entry.node.get("generateName").is_some());
    let mark = mark("metadata").or_else(|| mark("kind")).unwrap_or(node.mark);
    if generated {
        let message = format!("this {kind} has `generateName` instead of a name");
        return incomplete(mark, message, "give it a `metadata.name`: only a server can make one");
    }
    incomplete(mark, format!("this {kind} has no `metadata.name`"), "add `name:` below `metadata:`")
}

/// Files that live beside manifests and name a kind without being objects.
fn is_tool_config(api_version: &str) -> bool {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    group.ends_with(".config.k8s.io")
        || matches!(
            group,
            "kubeadm.k8s.io" | "kind.x-k8s.io" | "k3d.io" | "skaffold" | "ctlptl.dev"
        )
}

/// Kinds without a namespace; of groups this program reads, and the usual company in manifests.
fn is_cluster_scoped(api_version: &str, kind: &str) -> bool {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let kinds: &[&str] = match group {
        "" => &["Node", "Namespace", "PersistentVolume", "ComponentStatus"],
        "networking.k8s.io" => &["IngressClass", "IPAddress", "ServiceCIDR"],
        "gateway.networking.k8s.io" => &["GatewayClass"],
        "rbac.authorization.k8s.io" => &["ClusterRole", "ClusterRoleBinding"],
        "storage.k8s.io" => &["StorageClass", "CSIDriver", "CSINode", "VolumeAttachment"],
        "apiextensions.k8s.io"
        | "apiregistration.k8s.io"
        | "admissionregistration.k8s.io"
        | "scheduling.k8s.io"
        | "node.k8s.io"
        | "certificates.k8s.io"
        | "flowcontrol.apiserver.k8s.io" => return true,
        "cert-manager.io" => &["ClusterIssuer"],
        _ => &[],
    };
    kinds.contains(&kind)
}
