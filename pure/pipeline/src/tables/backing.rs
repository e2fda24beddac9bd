//! What backs a Service: read by its name, and by the labels that it selects.

use std::sync::Arc;

use steelyard_model::selector::is_subset;
use steelyard_model::{EndpointSlice, Item, Labels, NamespacedName, Pod, Workload};

use super::Reads;
use super::cell::{Cell, Sort, Tag, line};
use super::row::Row;

/// Looks up what backs Services.
pub(super) struct Backing<'r, 'a> {
    pub(super) reads: &'r mut Reads<'a>,
}

impl Backing<'_, '_> {
    /// What a Service's slices say; where there are none, its Endpoints.
    pub(super) fn slices(&mut self, service: &NamespacedName) -> Option<Vec<Arc<EndpointSlice>>> {
        if !self.any(Sort::Slices, &service.namespace) {
            return None;
        }
        let all = [Tag::EndpointSlice, Tag::Endpoints].into_iter().find_map(|tag| {
            let rows = self.reads.rows(&Cell::Slices(tag, service.clone()));
            let slices: Vec<_> = rows.iter().flat_map(Row::items).filter_map(slice).collect();
            (!slices.is_empty()).then_some(slices)
        })?;
        Some(all.into_iter().filter(|slice| slice.service == *service).collect())
    }

    /// Pods of a namespace that have all labels of `selector`; an empty one selects nothing, as
    /// for a Service.
    pub(super) fn pods(&mut self, namespace: &Arc<str>, selector: &Labels) -> Vec<Arc<Pod>> {
        let pod = |item: &Item| match item {
            Item::Pod(pod) if is_subset(selector, &pod.labels) => Some(pod.clone()),
            _ => None,
        };
        let rows = self.candidates(Sort::Pods, namespace, selector);
        rows.iter().flat_map(Row::items).filter_map(pod).collect()
    }

    /// The same of workloads, by name and kind.
    pub(super) fn workloads(
        &mut self,
        namespace: &Arc<str>,
        selector: &Labels,
    ) -> Vec<Arc<Workload>> {
        let workload = |item: &Item| match item {
            Item::Workload(workload) if is_subset(selector, &workload.labels) => {
                Some(workload.clone())
            }
            _ => None,
        };
        let rows = self.candidates(Sort::Workloads, namespace, selector);
        let mut found: Vec<_> = rows.iter().flat_map(Row::items).filter_map(workload).collect();
        found.sort_by(|a, b| (&a.id, &a.object.kind).cmp(&(&b.id, &b.object.kind)));
        found
    }

    /// Those that have the rarest label of `selector`: whoever has all of them has that one.
    fn candidates(&mut self, sort: Sort, namespace: &Arc<str>, selector: &Labels) -> Vec<Row> {
        if selector.is_empty() || !self.any(sort, namespace) {
            return Vec::new();
        }
        let labels = selector.iter();
        let entries = labels.map(|(key, value)| line(key, value));
        let entries = entries.map(|line| Cell::Labelled(sort, namespace.clone(), line));
        let rarest = entries.min_by_key(|entry| self.reads.size(entry));
        rarest.map_or_else(Vec::new, |entry| self.reads.rows(&entry))
    }

    /// Whether there are any of a sort in a namespace.
    pub(super) fn any(&mut self, sort: Sort, namespace: &Arc<str>) -> bool {
        self.reads.row(&Cell::AnyIn(sort, namespace.clone())) == Some(Row::Flag(true))
    }
}

fn slice(item: &Item) -> Option<Arc<EndpointSlice>> {
    match item {
        Item::EndpointSlice(slice) => Some(slice.clone()),
        _ => None,
    }
}
