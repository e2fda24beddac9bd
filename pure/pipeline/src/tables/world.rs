//! Items of few kinds by what they are, for tables of which one cell reads all there are. Services
//! and what backs them are read one by one ([`super::backing`]).

use std::collections::BTreeMap;

use steelyard_model::{
    BfdProfile, BgpAdvertisement, BgpPeer, CommunityAliases, Diagnostic, Item, L2Advertisement,
    Labels, NamespacedName, Node, ObjectRef, Pool, Secret, Severity, Workload,
};

use super::cell::Tag;
use crate::codes;

/// Items, ready to be looked up.
#[derive(Default)]
pub(super) struct World<'a> {
    pub(super) pools: BTreeMap<&'a NamespacedName, &'a Pool>,
    pub(super) advertisements: BTreeMap<&'a NamespacedName, &'a L2Advertisement>,
    pub(super) bgp_advertisements: BTreeMap<&'a NamespacedName, &'a BgpAdvertisement>,
    pub(super) bgp_peers: BTreeMap<&'a NamespacedName, &'a BgpPeer>,
    pub(super) bfd_profiles: BTreeMap<&'a NamespacedName, &'a BfdProfile>,
    pub(super) communities: BTreeMap<&'a NamespacedName, &'a CommunityAliases>,
    /// By namespace and name.
    pub(super) secrets: BTreeMap<(&'a str, &'a str), &'a Secret>,
    nodes: BTreeMap<&'a str, &'a Node>,
    namespaces: BTreeMap<&'a str, &'a Labels>,
    workloads: Vec<&'a Workload>,
}

impl<'a> World<'a> {
    /// Those of `items` that count: of metallb.io, where only one namespace does, what is in it.
    pub(super) fn new(items: impl Iterator<Item = &'a Item>, only: Option<&str>) -> Self {
        let mut world = Self::default();
        let counts = |item: &&Item| {
            only.is_none_or(|only| {
                !Tag::of(item).is_of_metallb() || *item.object().namespace == *only
            })
        };
        items.filter(counts).for_each(|item| world.add(item));
        world.workloads.sort_by_key(|workload| (&workload.id, &workload.object.kind));
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
            Item::ConfigMap { .. } | Item::Material(_) | Item::File(_) => {}
            Item::Workload(workload) => self.workloads.push(workload),
            Item::Pool(pool) => _ = self.pools.insert(&pool.id, pool),
            Item::L2Advertisement(ad) => _ = self.advertisements.insert(&ad.id, ad),
            Item::BgpAdvertisement(ad) => _ = self.bgp_advertisements.insert(&ad.id, ad),
            Item::BgpPeer(peer) => _ = self.bgp_peers.insert(&peer.id, peer),
            Item::BfdProfile(profile) => _ = self.bfd_profiles.insert(&profile.id, profile),
            Item::Communities(aliases) => _ = self.communities.insert(&aliases.id, aliases),
            Item::IngressClass(_)
            | Item::Routes(_)
            | Item::Routers(_)
            | Item::Backend(_)
            | Item::Policy(_)
            | Item::Store(_)
            | Item::Transport(_)
            | Item::Filter(_) => {}
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
}

/// What there is to say about an object of metallb.io outside of `namespace`.
pub(super) fn outside(object: &ObjectRef, namespace: &str) -> Diagnostic {
    Diagnostic::new(
        Severity::Error,
        codes::OUTSIDE_CONFIG_NAMESPACE,
        object,
        "metadata.namespace",
        format!("{object} is not read: only namespace {namespace} counts"),
        format!("move it to namespace {namespace}, or change --config-namespace"),
    )
}
