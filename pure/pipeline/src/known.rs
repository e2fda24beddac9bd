//! Objects in force that others name, by kind and name, and advice about what is missing among
//! them.
//!
//! Advice comes last, where findings are shown: each says as data what it misses, and one pass
//! looks for what is named nearly alike, within a bound. So what is derived never depends on how
//! much was looked for before.

use std::collections::BTreeSet;
use std::sync::Arc;

use steelyard_model::{
    Alike, Diagnostic, Diagnostics, Item, Labels, Missing, NamespacedName, Sorted,
};

use crate::consequence;
use crate::suggestion::Suggester;
use crate::tables::cell::Tag;
use crate::tables::row::Items;

/// Objects in force that may be meant by what is missing. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Known(Sorted<(Tag, NamespacedName), Items>);

/// What is named, as findings call it.
const NAMED: [(&str, Tag); 9] = [
    ("Secret", Tag::Secret),
    ("ConfigMap", Tag::ConfigMap),
    ("Service", Tag::Service),
    ("Middleware", Tag::Middleware),
    ("MiddlewareTCP", Tag::MiddlewareTcp),
    ("TraefikService", Tag::TraefikService),
    ("TLSOption", Tag::TlsOption),
    ("ServersTransport", Tag::ServersTransport),
    ("ServersTransportTCP", Tag::ServersTransportTcp),
];
/// What makes pods with the labels of its template.
const LABELLED: [Tag; 3] = [Tag::Deployment, Tag::StatefulSet, Tag::DaemonSet];

/// Files call what they have by the name alone.
fn bare(name: &str) -> &str {
    name.strip_suffix("@file").unwrap_or(name)
}

impl Known {
    /// Whether objects of this kind are among them.
    pub(crate) fn advises_by(tag: Tag) -> bool {
        NAMED.iter().any(|(_, it)| *it == tag) || LABELLED.contains(&tag) || tag == Tag::Pod
    }

    pub(crate) fn change(
        &mut self,
        objects: impl IntoIterator<Item = ((Tag, NamespacedName), Option<Items>)>,
    ) {
        self.0.change(objects);
    }

    /// Adds to findings what helps with them: what may be meant by what is missing, and which
    /// mistake to mend first.
    pub fn advise(&self, diagnostics: &mut Diagnostics) {
        self.suggest(diagnostics);
        consequence::explain(diagnostics);
    }

    /// Says of findings what may be meant by what is missing.
    pub(crate) fn suggest(&self, diagnostics: &mut Diagnostics) {
        let mut suggester = Suggester::new();
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        for found in diagnostics.iter() {
            let Some(missing) = found.missing.as_deref() else { continue };
            if let Some(better) = self.better(found, missing, &mut suggester) {
                gone.push(found.clone());
                come.push(better);
            }
        }
        diagnostics.change(gone, come);
    }

    fn better(
        &self,
        found: &Diagnostic,
        missing: &Missing,
        suggester: &mut Suggester,
    ) -> Option<Diagnostic> {
        let (help, missing) = match missing {
            Missing::Labelled { namespace, labels } => {
                let near = self.meant_label(namespace, labels, suggester)?;
                (format!("did you mean `{near}`?"), missing.clone())
            }
            Missing::Object { kind, namespace, name, alike: Alike::Sought, .. } => {
                let (namespace, name) = (namespace.as_ref()?, name.as_ref()?);
                let (_, tag) = *NAMED.iter().find(|(called, _)| called == kind)?;
                match suggester.nearest(bare(name), self.names(tag, namespace).map(bare)) {
                    Some(near) => (format!("did you mean `{near}`?"), missing.clone().alike(true)),
                    None if tag == Tag::Service => {
                        let other = self.namespace_with(name, suggester)?;
                        let help = format!(
                            "namespace {other} has a Service of this name: move one of the two to \
                             the other's namespace"
                        );
                        (help, missing.clone())
                    }
                    None => return None,
                }
            }
            Missing::Object { .. } => return None,
        };
        Some(Diagnostic { help, missing: Some(Box::new(missing)), ..found.clone() })
    }

    /// Objects of a kind in a namespace, by name.
    fn of<'a>(
        &'a self,
        tag: Tag,
        namespace: &'a Arc<str>,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Items)> {
        let first = (tag, NamespacedName::new(namespace.clone(), ""));
        let all = self.0.starting_at(&first).map(|((of, id), items)| (*of, id, items));
        let here = move |(of, id, _): &(Tag, &NamespacedName, &Items)| {
            *of == tag && id.namespace == *namespace
        };
        all.take_while(here).map(|(_, id, items)| (&id.name, items))
    }

    fn names<'a>(&'a self, tag: Tag, namespace: &'a Arc<str>) -> impl Iterator<Item = &'a str> {
        self.of(tag, namespace).map(|(name, _)| &**name)
    }

    /// The first namespace that has a Service `name`.
    fn namespace_with(&self, name: &str, suggester: &mut Suggester) -> Option<&Arc<str>> {
        let first = (Tag::Service, NamespacedName::new("", ""));
        let all = self.0.starting_at(&first).map(|((tag, id), _)| (tag, id));
        let services = all.take_while(|(tag, _)| **tag == Tag::Service).map(|(_, id)| id);
        let mut looked_at = services.take_while(|_| suggester.may_look());
        looked_at.find(|id| *id.name == *name).map(|id| &id.namespace)
    }

    /// For labels that nothing has: the one of a pod or workload that is nearly one of them.
    fn meant_label(
        &self,
        namespace: &Arc<str>,
        labels: &Labels,
        suggester: &mut Suggester,
    ) -> Option<String> {
        labels.iter().find_map(|(key, value)| {
            let pods = self.values(&[Tag::Pod], namespace, key);
            let workloads = self.values(&LABELLED, namespace, key);
            // Of what the label has too, something else is wrong.
            let near = suggester.nearest(value, pods.into_iter().chain(workloads))?;
            (near != value).then(|| format!("{key}: {near}"))
        })
    }

    /// Values that the label `key` has on objects of a few kinds.
    fn values<'a>(&'a self, tags: &[Tag], namespace: &'a Arc<str>, key: &str) -> BTreeSet<&'a str> {
        let objects = tags.iter().flat_map(|tag| self.of(*tag, namespace));
        let labels = objects.flat_map(|(_, items)| items.iter()).filter_map(|item| match item {
            Item::Pod(pod) => Some(&pod.labels),
            Item::Workload(workload) => Some(&workload.labels),
            _ => None,
        });
        labels.filter_map(|labels| labels.get(key)).map(String::as_str).collect()
    }
}
