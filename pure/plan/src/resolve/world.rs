//! The items by what they are, sorted: the same for any order of the input. Services and what
//! backs them are apart ([`super::backing`]): only they can change alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_model::{
    BfdProfile, BgpAdvertisement, BgpPeer, CommunityAliases, Diagnostic, IngressClass, Item,
    L2Advertisement, Labels, NamespacedName, Node, ObjectRef, Pool, RouteSet, Secret, Severity,
    Workload,
};

use super::codes;

/// All items but those of Services, ready to be looked up.
#[derive(Default)]
pub(super) struct World<'a> {
    pub(super) pools: BTreeMap<&'a NamespacedName, &'a Pool>,
    pub(super) advertisements: BTreeMap<&'a NamespacedName, &'a L2Advertisement>,
    pub(super) bgp_advertisements: BTreeMap<&'a NamespacedName, &'a BgpAdvertisement>,
    pub(super) bgp_peers: BTreeMap<&'a NamespacedName, &'a BgpPeer>,
    pub(super) bfd_profiles: BTreeMap<&'a NamespacedName, &'a BfdProfile>,
    pub(super) communities: BTreeMap<&'a NamespacedName, &'a CommunityAliases>,
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
        let mut world = Self::default();
        for item in items {
            world.add(item);
        }
        world.workloads.sort_by_key(|workload| (&workload.id, &workload.object.kind));
        world.routes.sort_by_key(|set| age(set));
        world
    }

    fn add(&mut self, item: &'a Item) {
        match item {
            Item::Service(_) | Item::Pod(_) | Item::EndpointSlice(_) | Item::NetworkPolicy(_) => {}
            Item::Node(node) => _ = self.nodes.insert(&node.name, node),
            Item::Namespace { object, labels } => _ = self.namespaces.insert(&object.name, labels),
            Item::Secret(secret) => {
                let id = (&*secret.object.namespace, &*secret.object.name);
                self.secrets.insert(id, secret);
            }
            Item::ConfigMap { .. } => {}
            Item::Workload(workload) => self.workloads.push(workload),
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
