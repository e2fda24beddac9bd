//! Files that objects are made of, without being objects: patches and generators of kustomize,
//! templates and values of a Helm chart. What a folder is for is said by its `kustomization.yaml`
//! or `Chart.yaml`; the rest of it is read as it stands.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::compose::Documents;
use crate::source::{ReadLimits, Source, SourceText};
use crate::tree::{Node, Value};

/// Lists of a kustomization that name files which are not objects; the key inside, where items are
/// mappings.
const MATERIAL: [(&str, &str); 16] = [
    ("configMapGenerator", "envs"),
    ("configMapGenerator", "files"),
    ("configurations", ""),
    ("crds", ""),
    ("generators", ""),
    ("helmCharts", "additionalValuesFiles"),
    ("helmCharts", "valuesFile"),
    ("patches", "path"),
    ("patchesJson6902", "path"),
    ("patchesStrategicMerge", ""),
    ("replacements", "path"),
    ("secretGenerator", "envs"),
    ("secretGenerator", "files"),
    ("transformers", ""),
    ("validators", ""),
    ("openapi", "path"),
];

/// Fields of a kustomization by which what it builds differs from its resources as they stand.
const CHANGES: [&str; 14] = [
    "commonAnnotations",
    "commonLabels",
    "components",
    "generators",
    "helmCharts",
    "labels",
    "namePrefix",
    "nameSuffix",
    "namespace",
    "patches",
    "patchesJson6902",
    "patchesStrategicMerge",
    "replacements",
    "transformers",
];

/// The folders that other tools build, as last seen.
#[derive(Default)]
pub struct Builds {
    plans: BTreeMap<Arc<str>, Plan>,
}

/// What the file that says how to build a folder says of others.
struct Plan {
    text: Arc<[u8]>,
    material: Vec<String>,
    resources: Vec<String>,
}

impl Builds {
    /// Those of `sources` that may hold objects.
    pub fn without_material<'s>(
        &mut self,
        sources: &'s [Source],
        limits: &ReadLimits,
    ) -> Cow<'s, [Source]> {
        let mut plans = BTreeMap::new();
        for source in sources.iter().filter(|source| is_plan(&source.name)) {
            let former = self.plans.remove(&source.name);
            if let Some(plan) = Plan::of(source, former, limits) {
                plans.insert(source.name.clone(), plan);
            }
        }
        self.plans = plans;
        if self.plans.is_empty() {
            return Cow::Borrowed(sources);
        }
        let plans = || self.plans.values();
        let resources: BTreeSet<&str> =
            plans().flat_map(|plan| &plan.resources).map(String::as_str).collect();
        let material: BTreeSet<&str> =
            plans().flat_map(|plan| &plan.material).map(String::as_str).collect();
        let is_material = |name: &str| {
            (material.contains(name) && !resources.contains(name))
                || self.plans.keys().any(|plan| is_of_chart(plan, name))
        };
        sources.iter().filter(|source| !is_material(&source.name)).cloned().collect()
    }
}

impl Plan {
    /// What `source` says; what it said before, while it cannot be read.
    fn of(source: &Source, former: Option<Self>, limits: &ReadLimits) -> Option<Self> {
        let SourceText::Bytes(bytes) = &source.text else { return former };
        if former.as_ref().is_some_and(|former| Arc::ptr_eq(&former.text, bytes)) {
            return former;
        }
        let Ok(text) = source.decode(limits) else { return former };
        let Some(Ok(node)) = Documents::new(text, &source.name, limits).next() else {
            return former;
        };
        let folder = folder(&source.name);
        let mut material = Vec::new();
        for (list, key) in MATERIAL {
            for name in names(&node, list, key) {
                material.push(joined(folder, name));
            }
        }
        let resources = names(&node, "resources", "");
        let resources = resources.into_iter().map(|name| joined(folder, name)).collect();
        Some(Self { text: bytes.clone(), material, resources })
    }
}

/// Whether a file of this name says how its folder is built.
pub(crate) fn is_plan(name: &str) -> bool {
    let (_, file) = name.rsplit_once('/').unwrap_or(("", name));
    matches!(file, "kustomization.yaml" | "kustomization.yml" | "Chart.yaml")
}

/// Whether `name` is a template of the chart of this Chart.yaml, or values for it.
fn is_of_chart(plan: &str, name: &str) -> bool {
    let Some(folder) = plan.strip_suffix("Chart.yaml") else { return false };
    let Some(inner) = name.strip_prefix(folder) else { return false };
    inner.starts_with("templates/") || (inner.starts_with("values") && !inner.contains('/'))
}

/// The folder of a file, as people would type it.
pub(crate) fn folder(name: &str) -> &str {
    name.rsplit_once('/').map_or(".", |(folder, _)| folder)
}

/// What a kustomization changes of its resources: the names of the fields.
pub(crate) fn changes(node: &Node) -> Vec<&'static str> {
    let is_set = |field: &&str| {
        node.get(field).is_some_and(|entry| match &entry.node.resolved().value {
            Value::Null => false,
            Value::List(items) => !items.is_empty(),
            Value::Map(entries) => !entries.is_empty(),
            Value::Scalar { text, .. } => !text.is_empty(),
            Value::Shared(_) => true,
        })
    };
    CHANGES.into_iter().filter(is_set).collect()
}

/// Texts in the list (or mapping) `list`, below `key` of its items where there is one.
fn names<'n>(node: &'n Node, list: &str, key: &str) -> Vec<&'n str> {
    let Some(entry) = node.get(list) else { return Vec::new() };
    let value = entry.node.resolved();
    let items = match &value.value {
        Value::List(items) => items.iter().collect(),
        _ => vec![value],
    };
    let inner =
        |item: &'n Node| if key.is_empty() { Some(item) } else { Some(&item.get(key)?.node) };
    let mut names = Vec::new();
    for found in items.into_iter().filter_map(inner) {
        match &found.resolved().value {
            Value::List(items) => names.extend(items.iter().filter_map(Node::text)),
            _ => names.extend(found.text()),
        }
    }
    // What has several lines is a patch itself; `key=file` names a file.
    names.retain(|name| !name.contains('\n'));
    names.into_iter().map(|name| name.rsplit_once('=').map_or(name, |(_, file)| file)).collect()
}

/// `name` as seen from `folder`, without `.` and `..`.
fn joined(folder: &str, name: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let start = if folder == "." { "" } else { folder };
    for part in start.split('/').chain(name.split('/')) {
        match part {
            "" if !kept.is_empty() => {}
            "." => {}
            ".." if kept.last().is_some_and(|last| !matches!(*last, "" | "..")) => _ = kept.pop(),
            part => kept.push(part),
        }
    }
    if start.is_empty() && kept.first() == Some(&"") {
        kept.remove(0);
    }
    kept.join("/")
}

#[cfg(test)]
mod tests {
    use super::{Builds, joined};
    use crate::source::{ReadLimits, Source};

    #[test]
    fn names_as_seen_from_a_folder() {
        for (folder, name, expected) in [
            ("overlays/home", "lb.yaml", "overlays/home/lb.yaml"),
            ("overlays/home", "../../base/svc.yaml", "base/svc.yaml"),
            ("overlays/home", "./patches/lb.yaml", "overlays/home/patches/lb.yaml"),
            (".", "lb.yaml", "lb.yaml"),
            (".", "../lb.yaml", "../lb.yaml"),
            ("/tmp/a", "../b/lb.yaml", "/tmp/b/lb.yaml"),
            ("../a", "lb.yaml", "../a/lb.yaml"),
        ] {
            assert_eq!(joined(folder, name), expected, "{folder} {name}");
        }
    }

    #[test]
    fn what_is_no_object_is_left_out() {
        let source = |name: &str, text: &str| Source::new(name, text.as_bytes());
        let sources = [
            source(
                "a/kustomization.yaml",
                "resources: [svc.yaml, both.yaml]\npatches: [{path: lb.yaml}, {path: both.yaml}]\nconfigMapGenerator: [{name: a, files: [x=conf.yaml]}]\npatchesStrategicMerge: ['kind: Service\nmetadata: {name: a}\n']\n",
            ),
            source("a/svc.yaml", ""),
            source("a/lb.yaml", ""),
            source("a/both.yaml", ""),
            source("a/conf.yaml", ""),
            source("chart/Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
            source("chart/templates/svc.yaml", ""),
            source("chart/values-home.yaml", ""),
            source("chart/crds/crd.yaml", ""),
            source("lb.yaml", ""),
        ];
        let mut builds = Builds::default();
        for _ in 0..2 {
            let left = builds.without_material(&sources, &ReadLimits::default());
            let names: Vec<&str> = left.iter().map(|source| &*source.name).collect();
            assert_eq!(
                names,
                [
                    "a/kustomization.yaml",
                    "a/svc.yaml",
                    "a/both.yaml",
                    "chart/Chart.yaml",
                    "chart/crds/crd.yaml",
                    "lb.yaml"
                ]
            );
        }
        let half = [source("a/kustomization.yaml", "patches: [{"), source("a/lb.yaml", "")];
        assert_eq!(builds.without_material(&half, &ReadLimits::default()).len(), 1);
        assert_eq!(builds.without_material(&sources[1..4], &ReadLimits::default()).len(), 3);
    }
}
