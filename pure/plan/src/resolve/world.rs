//! The items by what they are, sorted: the same for any order of the input.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steelyard_model::{
    EndpointSlice, IngressClass, Item, L2Advertisement, Labels, NamespacedName, Node, Pod, Pool,
    RouteSet, Service, Workload,
};

use super::labels::LabelIndex;

/// All items, ready to be looked up.
pub(super) struct World<'a> {
    pub(super) services: BTreeMap<&'a NamespacedName, &'a Arc<Service>>,
    pub(super) pools: BTreeMap<&'a NamespacedName, &'a Pool>,
    pub(super) advertisements: BTreeMap<&'a NamespacedName, &'a L2Advertisement>,
    pub(super) pods: LabelIndex<'a, Pod>,
    pub(super) workload_index: LabelIndex<'a, Workload>,
    /// Of EndpointSlice objects, by Service.
    pub(super) slices: BTreeMap<&'a NamespacedName, Vec<&'a EndpointSlice>>,
    /// Of Endpoints objects, by Service.
    pub(super) endpoints: BTreeMap<&'a NamespacedName, Vec<&'a EndpointSlice>>,
    pub(super) classes: BTreeMap<&'a str, &'a IngressClass>,
    /// Sets of routes: the oldest object first, then by namespace and name.
    pub(super) routes: Vec<&'a RouteSet>,
    /// Namespace and name of every Secret.
    pub(super) secrets: BTreeSet<(&'a str, &'a str)>,
    nodes: BTreeMap<&'a str, &'a Node>,
    namespaces: BTreeMap<&'a str, &'a Labels>,
    workloads: Vec<&'a Workload>,
}

impl<'a> World<'a> {
    pub(super) fn new(items: &'a [Arc<Item>]) -> Self {
        let mut world = World {
            services: BTreeMap::new(),
            pools: BTreeMap::new(),
            advertisements: BTreeMap::new(),
            pods: LabelIndex::default(),
            workload_index: LabelIndex::default(),
            slices: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            classes: BTreeMap::new(),
            routes: Vec::new(),
            secrets: BTreeSet::new(),
            nodes: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            workloads: Vec::new(),
        };
        for item in items {
            world.add(item);
        }
        world.workloads.sort_by_key(|workload| (&workload.id, &workload.object.kind));
        world.routes.sort_by_key(|set| age(set));
        world
    }

    fn add(&mut self, item: &'a Item) {
        match item {
            Item::Service(service) => _ = self.services.insert(&service.id, service),
            Item::Pod(pod) => self.pods.add(&pod.id.namespace, &pod.labels, pod),
            Item::Node(node) => _ = self.nodes.insert(&node.name, node),
            Item::Namespace { object, labels } => _ = self.namespaces.insert(&object.name, labels),
            Item::Secret { object } => _ = self.secrets.insert((&object.namespace, &object.name)),
            Item::ConfigMap { .. } => {}
            Item::EndpointSlice(slice) => {
                let of_kind = match &*slice.object.kind {
                    "Endpoints" => &mut self.endpoints,
                    _ => &mut self.slices,
                };
                of_kind.entry(&slice.service).or_default().push(slice);
            }
            Item::Workload(workload) => {
                self.workloads.push(workload);
                self.workload_index.add(&workload.id.namespace, &workload.labels, workload);
            }
            Item::Pool(pool) => _ = self.pools.insert(&pool.id, pool),
            Item::L2Advertisement(ad) => _ = self.advertisements.insert(&ad.id, ad),
            Item::IngressClass(class) => _ = self.classes.insert(&class.object.name, class),
            Item::Routes(set) => self.routes.push(set),
        }
    }

    pub(super) fn nodes(&self) -> Vec<Node> {
        self.nodes.values().map(|node| (*node).clone()).collect()
    }

    pub(super) fn namespaces(&self) -> BTreeMap<String, Labels> {
        self.namespaces
            .iter()
            .map(|(name, labels)| ((*name).to_owned(), (*labels).clone()))
            .collect()
    }

    pub(super) fn workloads(&self) -> Vec<Workload> {
        self.workloads.iter().map(|workload| (*workload).clone()).collect()
    }

    /// Names of the Services of a namespace.
    pub(super) fn service_names(&self, namespace: &str) -> impl Iterator<Item = &'a str> {
        let start = NamespacedName::new(namespace, "");
        let namespace = namespace.to_owned();
        self.services
            .range::<NamespacedName, _>(start..)
            .map(|(id, _)| *id)
            .take_while(move |id| *id.namespace == *namespace)
            .map(|id| &*id.name)
    }
}

/// Objects without a creation time are the youngest.
fn age(set: &RouteSet) -> impl Ord + '_ {
    (set.created.is_none(), &set.created, &set.object.namespace, &set.object.name)
}
