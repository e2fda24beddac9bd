//! The items by what they are, sorted: the same for any order of the input.

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_model::{
    BfdProfile, BgpAdvertisement, BgpPeer, CommunityAliases, Diagnostic, EndpointSlice,
    IngressClass, Item, L2Advertisement, Labels, NamespacedName, Node, ObjectRef, Pod, Pool,
    RouteSet, Secret, Service, Severity, Workload,
};

use super::codes;
use super::labels::LabelIndex;

/// All items, ready to be looked up.
pub(super) struct World<'a> {
    pub(super) services: BTreeMap<&'a NamespacedName, &'a Arc<Service>>,
    pub(super) pools: BTreeMap<&'a NamespacedName, &'a Pool>,
    pub(super) advertisements: BTreeMap<&'a NamespacedName, &'a L2Advertisement>,
    pub(super) bgp_advertisements: BTreeMap<&'a NamespacedName, &'a BgpAdvertisement>,
    pub(super) bgp_peers: BTreeMap<&'a NamespacedName, &'a BgpPeer>,
    pub(super) bfd_profiles: BTreeMap<&'a NamespacedName, &'a BfdProfile>,
    pub(super) communities: BTreeMap<&'a NamespacedName, &'a CommunityAliases>,
    pub(super) pods: LabelIndex<'a, Pod>,
    pub(super) workload_index: LabelIndex<'a, Workload>,
    /// Of EndpointSlice objects, by Service.
    pub(super) slices: BTreeMap<&'a NamespacedName, Vec<&'a EndpointSlice>>,
    /// Of Endpoints objects, by Service.
    pub(super) endpoints: BTreeMap<&'a NamespacedName, Vec<&'a EndpointSlice>>,
    pub(super) classes: BTreeMap<&'a str, &'a IngressClass>,
    /// Sets of routes: the oldest object first, then by namespace and name.
    pub(super) routes: Vec<&'a RouteSet>,
    /// By namespace and name.
    pub(super) secrets: BTreeMap<(&'a str, &'a str), &'a Secret>,
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
            bgp_advertisements: BTreeMap::new(),
            bgp_peers: BTreeMap::new(),
            bfd_profiles: BTreeMap::new(),
            communities: BTreeMap::new(),
            pods: LabelIndex::default(),
            workload_index: LabelIndex::default(),
            slices: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            classes: BTreeMap::new(),
            routes: Vec::new(),
            secrets: BTreeMap::new(),
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
            Item::Secret(secret) => {
                let id = (&*secret.object.namespace, &*secret.object.name);
                self.secrets.insert(id, secret);
            }
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
            Item::BgpAdvertisement(ad) => _ = self.bgp_advertisements.insert(&ad.id, ad),
            Item::BgpPeer(peer) => _ = self.bgp_peers.insert(&peer.id, peer),
            Item::BfdProfile(profile) => _ = self.bfd_profiles.insert(&profile.id, profile),
            Item::Communities(aliases) => _ = self.communities.insert(&aliases.id, aliases),
            Item::IngressClass(class) => _ = self.classes.insert(&class.object.name, class),
            Item::Routes(set) => self.routes.push(set),
        }
    }

    /// Leaves out objects of metallb.io that are not in `namespace`.
    pub(super) fn restrict(&mut self, namespace: &str, diagnostics: &mut Vec<Diagnostic>) {
        let mut counts = |object: &ObjectRef| {
            let inside = *object.namespace == *namespace;
            if !inside {
                diagnostics.push(outside(object, namespace));
            }
            inside
        };
        self.pools.retain(|_, it| counts(&it.object));
        self.advertisements.retain(|_, it| counts(&it.object));
        self.bgp_advertisements.retain(|_, it| counts(&it.object));
        self.bgp_peers.retain(|_, it| counts(&it.object));
        self.bfd_profiles.retain(|_, it| counts(&it.object));
        self.communities.retain(|_, it| counts(&it.object));
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

fn outside(object: &ObjectRef, namespace: &str) -> Diagnostic {
    Diagnostic::new(
        Severity::Error,
        codes::OUTSIDE_CONFIG_NAMESPACE,
        object,
        "metadata.namespace",
        format!("{object} is not read: only namespace {namespace} counts"),
        format!("move it to namespace {namespace}, or change --config-namespace"),
    )
}

/// Objects without a creation time are the youngest.
fn age(set: &RouteSet) -> impl Ord + '_ {
    (set.created.is_none(), &set.created, &set.object.namespace, &set.object.name)
}
