//! Which pods have all of some labels: found by the rarest of them, not by looking at every pod.

use std::collections::BTreeMap;

use steelyard_model::Labels;
use steelyard_model::selector::is_subset;

/// Namespace, key and value.
type Label<'a> = (&'a str, &'a str, &'a str);

/// Labelled things, by namespace and label.
pub(super) struct LabelIndex<'a, T> {
    by_label: BTreeMap<Label<'a>, Vec<(&'a Labels, &'a T)>>,
}

impl<T> Default for LabelIndex<'_, T> {
    fn default() -> Self {
        Self { by_label: BTreeMap::new() }
    }
}

impl<'a, T> LabelIndex<'a, T> {
    pub(super) fn add(&mut self, namespace: &'a str, labels: &'a Labels, thing: &'a T) {
        for (key, value) in labels {
            let entry = self.by_label.entry((namespace, key, value)).or_default();
            entry.push((labels, thing));
        }
    }

    /// Values that the label `key` has in `namespace`, each once.
    pub(super) fn values<'s>(
        &'s self,
        namespace: &'s str,
        key: &'s str,
    ) -> impl Iterator<Item = &'a str> + 's {
        let from = self.by_label.range((namespace, key, "")..).map(|(label, _)| *label);
        from.take_while(move |label| (label.0, label.1) == (namespace, key)).map(|label| label.2)
    }

    /// Those in `namespace` that have all labels of `selector`, in the order they were added. An
    /// empty selector selects nothing, as for a Service.
    pub(super) fn matching<'s>(
        &'s self,
        namespace: &'s str,
        selector: &'s Labels,
    ) -> impl Iterator<Item = &'a T> + 's {
        let with = move |(key, value): (&'s String, &'s String)| {
            self.by_label.get(&(namespace, key.as_str(), value.as_str()))
        };
        let fewest = selector.iter().map(with).min_by_key(|things| things.map_or(0, Vec::len));
        fewest
            .flatten()
            .into_iter()
            .flatten()
            .filter(|(labels, _)| is_subset(selector, labels))
            .map(|(_, thing)| *thing)
    }
}
