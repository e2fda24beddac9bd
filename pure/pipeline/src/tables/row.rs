//! What cells hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;
use steelyard_dialects::nginx::Inspection;
use steelyard_model::routing::backend::{BackendNode, EndpointSet, RefusalReason};
use steelyard_model::routing::entry_point::EntryPoint;
use steelyard_model::routing::filter::FilterNode;
use steelyard_model::routing::id::RouteId;
use steelyard_model::routing::left_out::LeftOut;
use steelyard_model::routing::listener::Listener;
use steelyard_model::routing::route::Route;
use steelyard_model::routing::tls::{Certificate, TlsPolicy};
use steelyard_model::routing::transport::Transport;
use steelyard_model::{
    Bgp, ClassReading, Endpoint, Family, Item, L2Advertisement, Labels, NamespacedName,
    NginxReading, NginxSettings, Node, ObjectRef, Pool, Protocol, ResolvedService, RouteDraft,
    RouteSet, Secret, StreamDraft, Workload,
};

use steelyard_tls::Unfit;

use super::cell::Leaf;

/// Rules that have no route, by what those would be called.
pub(crate) type LeftOutRules = Arc<[(RouteId, Arc<LeftOut>)]>;

/// What an object became.
pub(crate) type Items = Arc<[Item]>;

/// A row. Cheap to clone, and small, whatever it is: there are many.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Row {
    /// An object in force; and of pools whether it was so before the last edit: of two that
    /// overlap, the other one loses.
    Object(Items, bool),
    Flag(bool),
    Class(Arc<str>),
    Inspection(Arc<Inspection>),
    NginxSettings(Arc<CommonTerms>),
    Nodes(Arc<Vec<Node>>),
    Namespaces(Arc<BTreeMap<String, Labels>>),
    Workloads(Arc<Vec<Workload>>),
    Pools(Arc<Vec<Pool>>),
    Family(Family),
    Lan(Arc<Vec<L2Advertisement>>, Arc<Selections>),
    /// Selections include advertisements that do not count.
    Bgp(Arc<Bgp>, Arc<Selections>),
    Set(Items, Class),
    /// One that is left out: its rules.
    LeftOut(LeftOutRules),
    /// An object that others may be meant by, if there is one.
    Named(Option<Arc<NamespacedName>>),
    /// Of several objects the oldest.
    Oldest(Arc<ObjectRef>),
    /// By which terms handshakes are held.
    Policy(Arc<TlsPolicy>),
    Streams(Arc<[StreamDraft]>),
    Sockets(Arc<Sockets>),
    /// Those of entry points that ask for something.
    Listeners(Arc<[Arc<Listener>]>),
    /// What a Secret is as a certificate.
    Material(Result<Arc<Certificate>, Box<Unfit>>),
    Service(Backed),
    Stands(Arc<Stands>),
    Routed(Arc<RoutedRow>),
    Backend(Arc<BackendNode>),
    EndpointSet(Arc<EndpointSet>),
}

/// What all locations have in words of ingress-nginx.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CommonTerms {
    pub(crate) settings: NginxSettings,
    /// What their requests pass.
    pub(crate) filters: Vec<Arc<FilterNode>>,
    /// Ports of entry points in plain, and of the one for TLS beside each.
    pub(crate) sockets: Vec<(u16, u16)>,
}

/// The entry points that there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sockets {
    pub(crate) points: Vec<Arc<EntryPoint>>,
    /// Those of them that lead to Services as they come, and their listeners.
    pub(crate) streams: Vec<StreamDraft>,
    pub(crate) listeners: Vec<Arc<Listener>>,
}

/// A Service with its endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backed {
    pub(crate) service: Arc<ResolvedService>,
    /// Endpoints of each port for routes, where those are not the same as by its address.
    pub(crate) routed: Option<Arc<Vec<Vec<Endpoint>>>>,
}

/// Whose words an Ingress is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Traefik's.
    Traefik,
    /// ingress-nginx's.
    Nginx,
    /// Our own.
    Steelyard,
    /// Nobody's in particular: Traefik takes it, and what restricts in nginx's words closes too.
    Unnamed,
}

/// An Ingress as its class reads it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadSet<'a> {
    pub(crate) set: &'a RouteSet,
    pub(crate) class: Class,
    pub(crate) reading: &'a ClassReading,
}

/// The routes of one object, and what they lead to, while they are made.
#[derive(Debug, Default)]
pub(crate) struct Routed {
    pub(crate) routes: Vec<Arc<Route>>,
    /// Backends that are theirs alone, and what answers for those that must not be served, or
    /// cannot.
    pub(crate) own: Vec<Arc<BackendNode>>,
    pub(crate) leaves: Vec<Arc<Leaf>>,
    /// Ports of Services where endpoints are.
    pub(crate) ports: Vec<(NamespacedName, u16, Protocol)>,
    /// Endpoints that are written where the route leads.
    pub(crate) written: Vec<Arc<EndpointSet>>,
    /// How endpoints are spoken to that no other routes speak to so.
    pub(crate) transports: Vec<Arc<Transport>>,
    /// What is passed, as objects define it.
    pub(crate) filters: Vec<Arc<FilterNode>>,
    /// By which terms handshakes are held, as the object says.
    pub(crate) policies: Vec<Arc<TlsPolicy>>,
    /// Rules that have no route.
    pub(crate) left_out: Vec<(RouteId, Arc<LeftOut>)>,
}

/// The same as it is kept, of thousands of objects: most have one route, which leads to one port.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RoutedRow {
    pub(crate) routes: SmallVec<[Arc<Route>; 1]>,
    pub(crate) own: SmallVec<[Arc<BackendNode>; 1]>,
    pub(crate) leaves: SmallVec<[Arc<Leaf>; 1]>,
    pub(crate) ports: SmallVec<[(NamespacedName, u16, Protocol); 1]>,
    /// What few of them have.
    more: Option<Box<MoreRouted>>,
}

/// What few objects have beside routes: lists of [`Routed`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct MoreRouted {
    pub(crate) written: Vec<Arc<EndpointSet>>,
    pub(crate) transports: Vec<Arc<Transport>>,
    pub(crate) filters: Vec<Arc<FilterNode>>,
    pub(crate) policies: Vec<Arc<TlsPolicy>>,
    pub(crate) left_out: Vec<(RouteId, Arc<LeftOut>)>,
}

impl MoreRouted {
    const NONE: Self = Self {
        written: Vec::new(),
        transports: Vec::new(),
        filters: Vec::new(),
        policies: Vec::new(),
        left_out: Vec::new(),
    };
}

impl RoutedRow {
    /// What few have.
    pub(crate) fn more(&self) -> &MoreRouted {
        static NONE: MoreRouted = MoreRouted::NONE;
        self.more.as_deref().unwrap_or(&NONE)
    }
}

impl From<Routed> for RoutedRow {
    fn from(made: Routed) -> Self {
        let Routed { routes, own, leaves, ports, .. } = made;
        let Routed { written, transports, filters, policies, left_out, .. } = made;
        let mut more = MoreRouted { written, transports, filters, policies, left_out };
        let is_more = more != MoreRouted::NONE;
        more.written.shrink_to_fit();
        more.transports.shrink_to_fit();
        more.filters.shrink_to_fit();
        more.policies.shrink_to_fit();
        more.left_out.shrink_to_fit();
        Self {
            routes: routes.into_iter().collect(),
            own: own.into_iter().collect(),
            leaves: leaves.into_iter().collect(),
            ports: ports.into_iter().collect(),
            more: is_more.then(|| Box::new(more)),
        }
    }
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

    /// The Secret that it is, if it is one.
    pub(crate) fn secret(&self) -> Option<&Secret> {
        match self.items().first() {
            Some(Item::Secret(secret)) => Some(secret),
            _ => None,
        }
    }

    /// Rules that have no route.
    pub(crate) fn left_out(&self) -> &[(RouteId, Arc<LeftOut>)] {
        match self {
            Self::LeftOut(rules) => rules,
            Self::Routed(routed) => &routed.more().left_out,
            _ => &[],
        }
    }

    /// What an Ingress asks for.
    pub(crate) fn set(&self) -> ReadSet<'_> {
        let Self::Set(_, class) = self else { panic!("{self:?} is no set of routes") };
        let set = self.items().iter().find_map(|item| match item {
            Item::Routes(set) => Some(set),
            _ => None,
        });
        ReadSet::new(set.expect("an Ingress becomes a set of routes"), *class)
    }
}

impl<'a> ReadSet<'a> {
    pub(crate) fn new(set: &'a RouteSet, class: Class) -> Self {
        let readings = &set.readings;
        let reading = match class {
            Class::Traefik => &readings.traefik,
            Class::Nginx => &readings.nginx,
            Class::Steelyard | Class::Unnamed => &readings.both,
        };
        Self { set, class, reading }
    }

    /// Its routes.
    pub(crate) fn routes(&self) -> &'a [RouteDraft] {
        if self.reading.is_unserved { &[] } else { &self.set.routes }
    }

    /// Whether who asks in plain is led to TLS by words of ingress-nginx that another class reads
    /// too.
    pub(crate) fn redirects(&self) -> bool {
        let if_served = self.reading.redirects == Some(true) && self.set.tls.is_some();
        self.reading.always_redirects || if_served
    }

    /// Whether anything of it is in words of ingress-nginx.
    pub(crate) fn speaks_nginx(&self) -> bool {
        self.class == Class::Nginx || self.reading.nginx.is_some()
    }

    /// What only ingress-nginx's words ask for.
    pub(crate) fn nginx(&self) -> Option<&'a NginxReading> {
        self.reading.nginx.as_deref()
    }

    /// Why they are not served, if they are not.
    pub(crate) fn refusal(&self) -> Option<RefusalReason> {
        self.reading.refusal.clone().or_else(|| self.set.refusal.clone())
    }
}

impl Class {
    /// Whether a backend is asked as Traefik asks it.
    pub(crate) fn asks_as_traefik(self) -> bool {
        matches!(self, Self::Traefik | Self::Unnamed)
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
