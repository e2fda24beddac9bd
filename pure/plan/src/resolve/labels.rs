//! Which pods have all of some labels: found by the rarest of them, not by looking at every pod.

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_model::selector::is_subset;
use steelyard_model::{Labels, Pod, Workload};

/// Labelled things, by namespace and label, each label as [`line`] writes it.
#[derive(Debug)]
pub(super) struct LabelIndex<T> {
    by_label: BTreeMap<(Arc<str>, String), Vec<Arc<T>>>,
}

/// A thing that selectors select.
pub(super) trait Labelled {
    fn namespace(&self) -> &Arc<str>;
    fn labels(&self) -> &Labels;
}

impl Labelled for Pod {
    fn namespace(&self) -> &Arc<str> {
        &self.id.namespace
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }
}

impl Labelled for Workload {
    fn namespace(&self) -> &Arc<str> {
        &self.id.namespace
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }
}

impl<T> Default for LabelIndex<T> {
    fn default() -> Self {
        Self { by_label: BTreeMap::new() }
    }
}

impl<T: Labelled + PartialEq> LabelIndex<T> {
    pub(super) fn add(&mut self, thing: &Arc<T>) {
        for (key, value) in thing.labels() {
            let label = (thing.namespace().clone(), line(key, value));
            self.by_label.entry(label).or_default().push(thing.clone());
        }
    }

    /// Takes out what [`Self::add`] put in.
    pub(super) fn remove(&mut self, thing: &Arc<T>) {
        for (key, value) in thing.labels() {
            let label = (thing.namespace().clone(), line(key, value));
            let things = self.by_label.get_mut(&label).expect("it was added");
            let at = things.iter().position(|known| known == thing).expect("it was added");
            things.remove(at);
            if things.is_empty() {
                self.by_label.remove(&label);
            }
        }
    }

    /// Values that the label `key` has in `namespace`, each once.
    pub(super) fn values<'s>(
        &'s self,
        namespace: &'s Arc<str>,
        key: &str,
    ) -> impl Iterator<Item = &'s str> + 's {
        let start = line(key, "");
        let from =
            self.by_label.range((namespace.clone(), start.clone())..).map(|(label, _)| label);
        from.map_while(move |(place, label)| {
            label.strip_prefix(start.as_str()).filter(|_| place == namespace)
        })
    }

    /// Those in `namespace` that have all labels of `selector`, in the order they were added. An
    /// empty selector selects nothing, as for a Service.
    pub(super) fn matching<'s>(
        &'s self,
        namespace: &Arc<str>,
        selector: &'s Labels,
    ) -> impl Iterator<Item = &'s T> + 's {
        let with = |(key, value): (&String, &String)| {
            self.by_label.get(&(namespace.clone(), line(key, value)))
        };
        let some = !self.by_label.is_empty();
        let selecting = selector.iter().filter(|_| some);
        let fewest = selecting.map(with).min_by_key(|things| things.map_or(0, Vec::len));
        let fewest = fewest.flatten().into_iter().flatten().map(|thing| &**thing);
        fewest.filter(|thing| is_subset(selector, thing.labels()))
    }
}

/// A label as one text; no key has the character between.
fn line(key: &str, value: &str) -> String {
    format!("{key}\0{value}")
}
