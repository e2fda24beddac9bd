//! What cells hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_model::routing::backend::{BackendNode, EndpointSet};
use steelyard_model::routing::route::Route;
use steelyard_model::{
    Bgp, Endpoint, Family, Item, L2Advertisement, Labels, NamespacedName, Node, Pool,
    ResolvedService, RouteSet, Workload,
};

use super::cell::Leaf;

/// What an object became.
pub(crate) type Items = Arc<[Item]>;

/// A row. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Row {
    /// An object in force; and of pools whether it was so before the last edit: of two that
    /// overlap, the other one loses.
    Object(Items, bool),
    Flag(bool),
    Class(Arc<str>),
    Nodes(Arc<Vec<Node>>),
    Namespaces(Arc<BTreeMap<String, Labels>>),
    Workloads(Arc<Vec<Workload>>),
    Pools(Arc<Vec<Pool>>),
    Family(Family),
    Lan(Arc<Vec<L2Advertisement>>, Arc<Selections>),
    /// Selections include advertisements that do not count.
    Bgp(Arc<Bgp>, Arc<Selections>),
    Set(Items, Class),
    Service(Backed),
    Stands(Arc<Stands>),
    Routed(Arc<Routed>),
    Backend(Arc<BackendNode>),
    EndpointSet(Arc<EndpointSet>),
}

/// A Service with its endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backed {
    pub(crate) service: Arc<ResolvedService>,
    /// Endpoints of each port for routes, where those are not the same as by its address.
    pub(crate) routed: Option<Arc<Vec<Vec<Endpoint>>>>,
    /// Whether a route leads to it.
    pub(crate) is_backend: bool,
}

/// Whose words an Ingress is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Traefik's, or nobody's in particular: Traefik takes those too.
    Traefik,
    /// ingress-nginx's.
    Nginx,
    /// Our own.
    Steelyard,
}

/// The routes of one object, and what they lead to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Routed {
    pub(crate) routes: Vec<Arc<Route>>,
    /// What answers for those that must not be served, or cannot.
    pub(crate) refused: Vec<Arc<BackendNode>>,
    pub(crate) leaves: Vec<Leaf>,
    /// Ports of Services where endpoints are.
    pub(crate) ports: Vec<(NamespacedName, u16)>,
    /// Endpoints that are written where the route leads.
    pub(crate) written: Vec<Arc<EndpointSet>>,
}

/// Whose place the gateway takes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stands {
    /// The first of its Services.
    pub(crate) first: Option<NamespacedName>,
    pub(crate) all: Vec<Stand>,
}

/// Pods whose place the gateway takes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stand {
    pub(crate) namespace: Labels,
    pub(crate) name: Arc<str>,
    pub(crate) labels: Labels,
}

/// By pool, the indices of the advertisements that select it.
pub(crate) type Selections = BTreeMap<NamespacedName, Vec<usize>>;

impl Row {
    /// What an object became.
    pub(crate) fn items(&self) -> &[Item] {
        match self {
            Self::Object(items, _) | Self::Set(items, _) => items,
            other => panic!("{other:?} is no object"),
        }
    }

    /// The routes that an Ingress asks for.
    pub(crate) fn set(&self) -> &RouteSet {
        let set = self.items().iter().find_map(|item| match item {
            Item::Routes(set) => Some(set),
            _ => None,
        });
        set.expect("an Ingress becomes a set of routes")
    }
}

impl Backed {
    /// What routes find behind a port, by its index.
    pub(crate) fn endpoints(&self, port: usize) -> &[Endpoint] {
        match &self.routed {
            Some(routed) => &routed[port],
            None => &self.service.ports[port].endpoints,
        }
    }
}
