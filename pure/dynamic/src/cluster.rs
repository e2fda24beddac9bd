//! All objects, by kind and name, as far as a provider sees them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use steelyard_manifest::Object;
use steelyard_model::Selector;

use crate::tree::Tree;

/// The group of Traefik's own kinds.
const TRAEFIK: &str = "traefik.io";

/// One object.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) namespace: String,
    pub(crate) name: String,
    tree: Value,
}

/// Objects by kind, in the order they are written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cluster<'a> {
    kinds: BTreeMap<&'a str, Vec<Written>>,
}

/// A Secret's or ConfigMap's entries, as they are read.
pub(crate) type Entries = BTreeMap<String, String>;

impl Written {
    pub(crate) fn tree(&self) -> Tree<'_> {
        Tree(&self.tree)
    }

    pub(crate) fn spec(&self) -> Tree<'_> {
        self.tree().at("spec")
    }

    /// An annotation.
    pub(crate) fn annotation(&self, name: &str) -> &str {
        self.tree().at("metadata").at("annotations").text(name)
    }

    /// `spec.ingressClassName`, else the annotation; empty is none.
    pub(crate) fn class(&self) -> &str {
        match self.spec().there("ingressClassName") {
            Some(class) => class.0.as_str().unwrap_or_default(),
            None => self.annotation("kubernetes.io/ingress.class"),
        }
    }
}

impl<'a> Cluster<'a> {
    /// All of `objects` that Traefik reads.
    pub(crate) fn of(objects: &'a [Object]) -> Self {
        let mut kinds = BTreeMap::<&str, Vec<Written>>::new();
        let read = objects.iter().filter(|it| {
            let group = it.group();
            matches!(group, "" | "discovery.k8s.io" | "networking.k8s.io" | TRAEFIK)
        });
        for object in read {
            let Some(tree) = object.read_lenient::<Value>().value else { continue };
            let metadata = Tree(&tree).at("metadata");
            let (namespace, name) = (metadata.text("namespace").to_owned(), metadata.text("name"));
            let name =
                if name.is_empty() { metadata.text("generateName") } else { name }.to_owned();
            let all = kinds.entry(&object.reference.kind).or_default();
            all.push(Written { namespace, name, tree });
        }
        Self { kinds }
    }

    /// What is seen of it by who looks at some namespaces alone.
    pub(crate) fn seen(&self, namespaces: &BTreeSet<String>) -> Self {
        self.within(|namespace| namespaces.is_empty() || namespaces.contains(namespace))
    }

    /// What is seen of it by who looks at namespaces that have all of these labels; none is all.
    pub(crate) fn labelled(&self, labels: &[(String, String)]) -> Self {
        let has = |it: &&Written| {
            let own = it.tree().at("metadata").at("labels");
            labels.iter().all(|(key, value)| own.at(key).0.as_str() == Some(value))
        };
        let named = self.all("Namespace").iter().filter(has).map(|it| &*it.name);
        let named: BTreeSet<&str> = named.collect();
        self.within(|namespace| labels.is_empty() || named.contains(namespace))
    }

    /// What is seen of it by who looks only at those objects of some kinds that have such labels.
    pub(crate) fn selected(mut self, kinds: impl Fn(&str) -> bool, labels: &Selector) -> Self {
        let is_selected = |it: &Written| {
            let own = it.tree().at("metadata").at("labels").0.as_object();
            let pairs = own.into_iter().flatten();
            let pair = |(key, value): (&String, &Value)| {
                (key.clone(), value.as_str().unwrap_or_default().to_owned())
            };
            labels.matches(&pairs.map(pair).collect())
        };
        let concerned = self.kinds.iter_mut().filter(|(kind, _)| kinds(kind));
        concerned.for_each(|(_, all)| all.retain(is_selected));
        self
    }

    /// What is in no namespace, or in one that is looked at.
    fn within(&self, is_seen: impl Fn(&str) -> bool) -> Self {
        let mut seen = self.clone();
        let is_seen = |it: &Written| it.namespace.is_empty() || is_seen(&it.namespace);
        seen.kinds.values_mut().for_each(|all| all.retain(is_seen));
        seen
    }

    /// All of a kind.
    pub(crate) fn all(&self, kind: &str) -> &[Written] {
        self.kinds.get(kind).map(Vec::as_slice).unwrap_or_default()
    }

    /// The one of a name.
    pub(crate) fn one(&self, kind: &str, namespace: &str, name: &str) -> Option<&Written> {
        self.all(kind).iter().find(|it| it.namespace == namespace && it.name == name)
    }

    /// EndpointSlices of a Service.
    pub(crate) fn slices(&self, namespace: &str, service: &str) -> impl Iterator<Item = &Written> {
        self.all("EndpointSlice").iter().filter(move |it| {
            let labels = it.tree().at("metadata").at("labels");
            it.namespace == namespace && labels.text("kubernetes.io/service-name") == service
        })
    }

    /// What is in a Secret, and its type.
    pub(crate) fn secret(&self, namespace: &str, name: &str) -> Option<(Entries, &str)> {
        let secret = self.one("Secret", namespace, name)?.tree();
        let mut entries = Entries::new();
        for (key, value) in secret.at("data").0.as_object().into_iter().flatten() {
            let decoded = crate::crypt::decoded(value.as_str().unwrap_or_default());
            entries.insert(key.clone(), decoded.unwrap_or_default());
        }
        for (key, value) in secret.at("stringData").0.as_object().into_iter().flatten() {
            entries.insert(key.clone(), value.as_str().unwrap_or_default().to_owned());
        }
        Some((entries, secret.text("type")))
    }

    /// What is in a ConfigMap.
    pub(crate) fn config_map(&self, namespace: &str, name: &str) -> Option<Entries> {
        let map = self.one("ConfigMap", namespace, name)?.tree().at("data");
        let entries = map.0.as_object().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Some(entries.map(|(key, value)| (key.clone(), text(value))).collect())
    }

    /// Certificate and key of a Secret, if both are there.
    pub(crate) fn certificate(&self, namespace: &str, name: &str) -> Option<(String, String)> {
        let (mut entries, _) = self.secret(namespace, name)?;
        let mut entry = |key| entries.remove(key).filter(|it| !it.is_empty());
        Some((entry("tls.crt")?, entry("tls.key")?))
    }

    /// Those whom a Secret says to believe; a Secret with one entry is that one.
    pub(crate) fn authority(&self, namespace: &str, name: &str) -> Option<String> {
        let (entries, _) = self.secret(namespace, name)?;
        let only = || (entries.len() == 1).then(|| entries.values().next().cloned())?;
        authorities(&entries).or_else(only)
    }
}

/// Those whom entries say to believe.
pub(crate) fn authorities(entries: &Entries) -> Option<String> {
    entries.get("tls.ca").or_else(|| entries.get("ca.crt")).cloned()
}
