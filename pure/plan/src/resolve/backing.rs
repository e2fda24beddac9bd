//! Services, and what says where their endpoints are: kept from edit to edit.
//!
//! What is in here belongs to one Service, or to those that its labels select; nothing else of the
//! world does.

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_model::{EndpointSlice, Item, NamespacedName, Pod, Service, Workload};

use super::labels::LabelIndex;
use super::policies::Policies;

/// Services and what backs them.
#[derive(Debug, Default)]
pub(super) struct Backing {
    pub(super) services: BTreeMap<NamespacedName, Arc<Service>>,
    /// Of EndpointSlice objects.
    slices: BTreeMap<NamespacedName, Vec<Arc<EndpointSlice>>>,
    /// Of Endpoints objects.
    endpoints: BTreeMap<NamespacedName, Vec<Arc<EndpointSlice>>>,
    pub(super) pods: LabelIndex<Pod>,
    pub(super) workloads: LabelIndex<Workload>,
    pub(super) policies: Policies,
}

impl Backing {
    pub(super) fn new(items: &[Arc<Item>]) -> Self {
        let services = items.iter().filter_map(|item| match &**item {
            Item::Service(service) => Some((service.id.clone(), service.clone())),
            _ => None,
        });
        let mut backing = Self { services: services.collect(), ..Self::default() };
        for item in items.iter().filter(|item| !matches!(***item, Item::Service(_))) {
            backing.add(item);
        }
        backing
    }

    pub(super) fn add(&mut self, item: &Item) {
        match item {
            Item::Service(service) => {
                self.services.insert(service.id.clone(), service.clone());
            }
            Item::EndpointSlice(slice) => {
                let of_kind = self.of_kind(slice);
                of_kind.entry(slice.service.clone()).or_default().push(slice.clone());
            }
            Item::Pod(pod) => self.pods.add(pod),
            Item::Workload(workload) => self.workloads.add(workload),
            Item::NetworkPolicy(policy) => self.policies.add(policy),
            _ => {}
        }
    }

    /// Takes out what [`Self::add`] put in.
    pub(super) fn remove(&mut self, item: &Item) {
        match item {
            Item::Service(service) => _ = self.services.remove(&service.id),
            Item::EndpointSlice(slice) => {
                let of_kind = self.of_kind(slice);
                let slices = of_kind.get_mut(&slice.service).expect("it was added");
                let at = slices.iter().position(|known| known == slice).expect("it was added");
                slices.remove(at);
                if slices.is_empty() {
                    of_kind.remove(&slice.service);
                }
            }
            Item::Pod(pod) => self.pods.remove(pod),
            Item::Workload(workload) => self.workloads.remove(workload),
            Item::NetworkPolicy(policy) => self.policies.remove(policy),
            _ => {}
        }
    }

    fn of_kind(
        &mut self,
        slice: &EndpointSlice,
    ) -> &mut BTreeMap<NamespacedName, Vec<Arc<EndpointSlice>>> {
        if &*slice.object.kind == "Endpoints" { &mut self.endpoints } else { &mut self.slices }
    }

    /// What a Service's slices say; where there are none, its Endpoints.
    pub(super) fn slices(&self, service: &NamespacedName) -> Option<&[Arc<EndpointSlice>]> {
        let slices = self.slices.get(service).or_else(|| self.endpoints.get(service));
        slices.map(Vec::as_slice)
    }

    /// The Services of a namespace.
    pub(super) fn services_in(
        &self,
        namespace: &Arc<str>,
    ) -> impl Iterator<Item = (&NamespacedName, &Arc<Service>)> {
        let start = NamespacedName::new(namespace.clone(), "");
        let namespace = namespace.clone();
        self.services.range(start..).take_while(move |(id, _)| id.namespace == namespace)
    }
}
