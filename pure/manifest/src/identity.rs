//! Which object a document is: apiVersion, kind, namespace and name.

mod foreign;

use std::sync::Arc;

use steelyard_model::{ObjectRef, Severity};

use crate::codes;
use crate::nameless::Nameless;
use crate::names::{self, Rule};
use crate::tree::{Entry, Lead, Mark, Node, Value};
use crate::unfit::{self, Heed, Unfit};

/// What a document says about itself.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) reference: Arc<ObjectRef>,
    pub(crate) api_version: Arc<str>,
    /// Names that will do, but that Kubernetes would refuse.
    pub(crate) remarks: Vec<Nameless>,
}

/// apiVersion and kind that the items of a typed list take from it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inherited {
    pub(crate) api_version: Option<Arc<str>>,
    pub(crate) kind: Option<Arc<str>>,
}

/// Reads the identity of the object in `node`, which stands in `file`.
pub(crate) fn identify(
    node: &Node,
    inherited: &Inherited,
    file: &str,
) -> Result<Identity, Nameless> {
    let Value::Map(entries) = &node.resolved().value else {
        return Err(no_mapping(node));
    };
    if let Some(disguised) = disguised(entries, &["apiVersion", "kind", "metadata"], file) {
        return Err(disguised);
    }
    let api_version = string(node, "apiVersion")?.or_else(|| inherited.api_version.clone());
    let kind = string(node, "kind")?.or_else(|| inherited.kind.clone());
    let (api_version, kind) = match (api_version, kind) {
        (Some(api_version), Some(kind)) => (api_version, kind),
        (None, kind) if kind.is_none() || node.get("metadata").is_none() => {
            return Err(not_an_object(node, kind.as_deref(), file));
        }
        (Some(_), _) if foreign::is_chart(node) => return Err(foreign::chart(node, file)),
        (api_version, _) => return Err(half_typed(node, api_version.is_some())),
    };
    let shown = kind.clone();
    named(node, api_version.clone(), kind, file).map_err(|mut nameless| {
        // What is indented with other blanks than spaces is a key of the document.
        let strange = entries.iter().find_map(|entry| {
            let unfit = unfit::judge(&entry.key, Heed::All, file)?;
            Some(not_as_it_seems(unfit, "", entry.mark, entry.lead))
        });
        nameless = strange.unwrap_or(nameless);
        // Of what nobody reads, nobody needs the name.
        if !foreign::is_read(&api_version) && nameless.severity == Severity::Error {
            let message = format!("a {shown} of `{api_version}` is not read; it is skipped");
            let skipped = foreign::skipped(node, "");
            nameless = Nameless { mark: nameless.mark, message, ..skipped };
        }
        nameless
    })
}

/// The name and namespace of an object of `kind`.
fn named(
    node: &Node,
    api_version: Arc<str>,
    kind: Arc<str>,
    file: &str,
) -> Result<Identity, Nameless> {
    if let Some(Value::Map(entries)) = node.get("metadata").map(|it| &it.node.resolved().value)
        && let Some(disguised) = disguised(entries, &["name", "namespace"], file)
    {
        return Err(disguised);
    }
    let Some((name, mark)) = nested(node, "name")? else {
        return Err(unnamed(node, &api_version, &kind, file));
    };
    let mut remarks = Vec::new();
    remarks.extend(judged(Rule::of(&kind), "metadata.name", &name, mark, file)?);
    let namespace = match nested(node, "namespace")? {
        _ if is_cluster_scoped(&api_version, &kind) => Arc::from(""),
        None => Arc::from("default"),
        Some((namespace, mark)) => {
            remarks.extend(judged(Rule::Label, "metadata.namespace", &namespace, mark, file)?);
            namespace
        }
    };
    if !foreign::is_read(&api_version) {
        remarks.clear();
    }
    let reference = Arc::new(ObjectRef { kind, namespace, name });
    Ok(Identity { reference, api_version, remarks })
}

/// Which object a document is likely to be that does not say it as it should: by what can be read
/// of that, and by its `place`: it is to be no other's namesake.
pub(crate) fn likely(node: &Node, inherited: &Inherited, place: &str) -> Option<Identity> {
    let text = |key| Some(Arc::from(node.get(key)?.node.text().filter(|it| !it.is_empty())?));
    let kind: Arc<str> = text("kind").or_else(|| inherited.kind.clone())?;
    let api_version = text("apiVersion").or_else(|| inherited.api_version.clone());
    let api_version = api_version.unwrap_or_default();
    let metadata = node.get("metadata").map(|it| &it.node);
    let named = |key| {
        let text = metadata?.get(key)?.node.written()?;
        names::is_usable(text).then(|| Arc::from(text))
    };
    let name: Arc<str> = named("name").unwrap_or_default();
    let place: String =
        place.chars().map(|it| if it.is_ascii_graphic() && it != '/' { it } else { '-' }).collect();
    let name = format!("{name}@{place}").into();
    let namespace = match is_cluster_scoped(&api_version, &kind) {
        true => Arc::from(""),
        false => named("namespace").unwrap_or_else(|| "default".into()),
    };
    let reference = Arc::new(ObjectRef { kind, namespace, name });
    Some(Identity { reference, api_version, remarks: Vec::new() })
}

/// The group of an object: an API server has some that were of another group by both names.
pub(crate) fn group_of<'v>(api_version: &'v str, kind: &str) -> &'v str {
    match api_version.split_once('/').map_or("", |(group, _)| group) {
        "extensions" if matches!(kind, "Ingress" | "NetworkPolicy") => "networking.k8s.io",
        "extensions" if matches!(kind, "Deployment" | "DaemonSet") => "apps",
        group => group,
    }
}

/// As [`names::judge`]; a name that is not what it seems is told what it is.
fn judged(
    rule: Rule,
    path: &'static str,
    name: &str,
    mark: Mark,
    file: &str,
) -> Result<Option<Nameless>, Nameless> {
    let judged = names::judge(rule, path, name, mark);
    match unfit::judge(name, Heed::All, file) {
        Some(unfit) if judged.is_err() => Err(not_as_it_seems(unfit, path, mark, None)),
        _ => judged,
    }
}

/// One of `keys`, or the text below it, with a character that only looks like the one that is
/// meant: without it the document would be another, or none.
fn disguised(entries: &[Entry], keys: &[&str], file: &str) -> Option<Nameless> {
    entries.iter().find_map(|entry| {
        let key = unfit::corrected(&entry.key);
        if !keys.contains(&key.trim()) {
            return None;
        }
        if let Some(unfit) = unfit::judge(&entry.key, Heed::All, file) {
            return Some(not_as_it_seems(unfit, "", entry.mark, entry.lead));
        }
        // Names are judged by rules of their own.
        let text = entry.node.text().filter(|_| matches!(&*key, "apiVersion" | "kind"))?;
        let unfit = unfit::judge(text, Heed::All, file)?;
        Some(not_as_it_seems(unfit, "", entry.node.mark, entry.node.lead()))
    })
}

fn not_as_it_seems(unfit: Unfit, path: &'static str, mark: Mark, lead: Lead) -> Nameless {
    let Unfit { code, message, help, at } = unfit;
    let mark = unfit::place(mark, lead, at);
    Nameless { severity: Severity::Error, code, mark, path, message, help }
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

/// A document that is no mapping: of other tools, unless it holds objects.
fn no_mapping(node: &Node) -> Nameless {
    if let Value::List(items) = &node.resolved().value {
        let is_object =
            |item: &Node| item.get("kind").is_some() || item.get("apiVersion").is_some();
        if !items.iter().any(is_object) {
            return foreign::skipped(node, foreign::tool(node).unwrap_or("a list"));
        }
    }
    incomplete(
        node.mark,
        format!("a Kubernetes object is expected here, but this is {}", node.described()),
        "start it with `apiVersion:`, `kind:` and `metadata:`; separate objects with `---`",
    )
}

/// A mapping without an `apiVersion`. What has `metadata` or `spec`, or a kind that is read, was
/// meant as an object.
fn not_an_object(node: &Node, kind: Option<&str>, file: &str) -> Nameless {
    let is_meant = ["metadata", "spec"].iter().any(|key| node.get(key).is_some());
    if kind.is_some_and(foreign::is_kind_read) {
        return half_typed(node, false);
    }
    if !is_meant && foreign::is_kustomization(node, file) {
        return foreign::kustomization(node, file);
    }
    if !is_meant {
        let what = foreign::tool(node).unwrap_or("a document without `apiVersion`");
        return foreign::skipped(node, what);
    }
    Nameless {
        severity: Severity::Warning,
        code: codes::NOT_AN_OBJECT,
        mark: node.mark,
        path: "",
        message: format!(
            "this document has neither `apiVersion` nor {}, so it is no Kubernetes object, and is \
             skipped",
            if kind.is_none() { "`kind`" } else { "`metadata`" }
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

fn unnamed(node: &Node, api_version: &str, kind: &str, file: &str) -> Nameless {
    let mark = |key: &str| node.get(key).map(|entry| entry.node.mark);
    if api_version.starts_with("kustomize.config.k8s.io/") {
        return foreign::kustomization(node, file);
    }
    if foreign::is_tool_config(api_version) && node.get("metadata").is_none() {
        let mut skipped = foreign::skipped(node, "the configuration of a tool");
        skipped.mark = mark("kind").unwrap_or(node.mark);
        skipped.message = format!("a {kind} is the configuration of a tool, and is skipped");
        return skipped;
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
