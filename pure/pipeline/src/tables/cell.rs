//! Names of cells, and the one order of their tables.

use std::sync::Arc;

use steelyard_model::router_draft::CookieDraft;
use steelyard_model::routing::backend::{Algorithm, SentHost};
use steelyard_model::routing::id::{BackendId, EndpointSetId, ListenerId, TransportId};
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::route::RouteKind;
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::transport::{OriginScheme, Transport};
use steelyard_model::{BalanceDraft, Item, NamespacedName, Protocol, RouteDraft};

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Cell {
    /// Input: what is in force of an object.
    Object(Tag, NamespacedName),

    /// Index: objects of a kind.
    Of(Tag),
    /// Index: those of a sort in a namespace.
    In(Sort, Arc<str>),
    /// Index: those with a label, as [`line`] writes it, in a namespace.
    Labelled(Sort, Arc<str>, Arc<str>),
    /// Index: objects that say where a Service's endpoints are.
    Slices(Tag, NamespacedName),
    /// Index: ExternalName Services that stand for another Service.
    AliasesOf(NamespacedName),
    /// Index: all of those.
    Aliases,

    /// Whether there are any of a sort in a namespace.
    AnyIn(Sort, Arc<str>),
    /// Whether there is any alias.
    AnyAlias,
    /// Which class an Ingress without one has.
    DefaultClass,
    /// What ingress-nginx's ConfigMap lets Ingresses in its words have, where there may be such.
    Inspection,
    /// A finding: an object of metallb.io that does not count where it is.
    Outside(Tag, NamespacedName),
    /// All nodes.
    Nodes,
    /// Labels of all namespaces.
    Namespaces,
    /// All workloads.
    Workloads,
    /// The pools that count.
    Pools,

    /// The family of a Service that says nothing.
    Family,
    /// Advertisements on the LAN, and which pools they select.
    Lan,
    /// The same, to routers.
    Bgp,
    /// An Ingress that is ours, and whose words it is in.
    Set(NamespacedName),
    /// What all locations have in words of ingress-nginx, where there are such.
    NginxSettings,

    /// Which certificate is for names that no other one is for.
    Fallback,
    /// Index: objects that others call by this name (`NAMESPACE-NAME@kubernetescrd`).
    KnownAs(Tag, Arc<str>),
    /// Index: TLSOptions that want to be for all who name none.
    DefaultPolicies,
    /// By which terms handshakes are held, as a TLSOption says.
    Policy(NamespacedName),
    /// How endpoints are spoken to, as a ServersTransport says.
    Transport(Tag, NamespacedName),
    /// Index: filters by the name that `name@provider` has for them.
    Called(bool, Arc<str>),

    /// A Secret as a certificate, where an Ingress that is ours names it, or we are told to.
    Material(NamespacedName),
    /// Findings: pools beside what announces them, and beside the nodes.
    Announced,
    /// Index: Ingresses that are ours and name a Service.
    LeadsTo(NamespacedName),
    /// Index: canaries by what must hold.
    Canaries(Arc<Rule>),
    /// Index: those that make expressions of all paths of a host.
    Expressions(HostPattern),
    /// Index: those that have a host.
    Hosts(HostPattern),
    /// Index: those in words of ingress-nginx that ask for TLS and have a host.
    SecureHosts(HostPattern),
    /// Index: those that give a host other names.
    Renamed(HostPattern),
    /// Index: those in words of ingress-nginx that have a host.
    Locations(HostPattern),
    /// Index: those that want to take a name for one of their hosts.
    Alias(Arc<Matcher>),
    /// Index: those that let clients in to a host by certificates.
    Clients(HostPattern),
    /// Index: those that want to take what a rule is about at a listener.
    Slot(Arc<(ListenerId, Arc<Rule>)>),

    /// Of those at an entry of an index of Ingresses the oldest.
    Oldest(Arc<Self>),
    /// Which of those takes it: the oldest.
    Claim(Arc<(ListenerId, Arc<Rule>)>),
    /// A Service with its endpoints.
    Service(NamespacedName),
    /// Index: the gateway's Services.
    Gateways,
    /// Whose place the gateway takes.
    Stands,
    /// A Service as policies leave it.
    Closed(NamespacedName),
    /// What requests or connections pass, as an object says.
    Filter(Tag, NamespacedName),
    /// Ports that lead to Services as they come, by ConfigMaps of ingress-nginx.
    Streams,
    /// The entry points that there are.
    Sockets,
    /// The routes of such ports.
    StreamRoutes,
    /// The listeners of entry points, with what all pass there.
    Listeners,
    /// The routes of an Ingress that is ours.
    Routed(NamespacedName),
    /// The routes of an object of Traefik's kinds.
    Routers(Tag, NamespacedName),
    /// Index: those whose routes such an object leads to, instead of to a backend.
    ChildrenOf(NamespacedName),
    /// What a TraefikService is, and leads to.
    Described(NamespacedName),
    /// Index: whose routes name a set of endpoints themselves.
    NamedBy(EndpointSetId),
    /// A backend that stands for a Service port.
    Leaf(Arc<Leaf>),
    /// Endpoints at a Service port.
    Endpoints(NamespacedName, u16, Protocol),
    /// Endpoints that routes name themselves.
    Named(EndpointSetId),
}

/// A backend that stands for a Service port and leads to a set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Leaf {
    /// Its name as a backend.
    pub(crate) id: BackendId,
    /// The Service and its port, as users wrote it.
    pub(crate) service: NamespacedName,
    pub(crate) port: u16,
    pub(crate) set: EndpointSetId,
    /// How its endpoints are spoken to.
    pub(crate) transport: TransportId,
    /// Who was here before goes the same way.
    pub(crate) sticky: Option<Box<CookieDraft>>,
    /// How one of them is chosen, where it is not in turn.
    pub(crate) algorithm: Option<Box<Algorithm>>,
    /// Whose name they are asked by.
    pub(crate) host: SentHost,
}

/// How the endpoints of a Service port are spoken to by a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spoken {
    pub(crate) transport: TransportId,
    pub(crate) scheme: OriginScheme,
    /// The Service itself says otherwise, and so do routes that know its word alone.
    pub(crate) is_otherwise: bool,
}

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Tag {
    /// `v1` Service.
    Service,
    /// `v1` Pod.
    Pod,
    /// `v1` Node.
    Node,
    /// `v1` Namespace.
    Namespace,
    /// `v1` Secret.
    Secret,
    /// `v1` ConfigMap.
    ConfigMap,
    /// EndpointSlice.
    EndpointSlice,
    /// `v1` Endpoints.
    Endpoints,
    /// EndpointSlices that come from this program, not from a manifest.
    Played,
    /// NetworkPolicy.
    NetworkPolicy,
    /// Deployment.
    Deployment,
    /// StatefulSet.
    StatefulSet,
    /// DaemonSet.
    DaemonSet,
    /// IPAddressPool.
    Pool,
    /// L2Advertisement.
    L2Advertisement,
    /// BGPAdvertisement.
    BgpAdvertisement,
    /// BGPPeer.
    BgpPeer,
    /// BFDProfile.
    BfdProfile,
    /// Community.
    Communities,
    /// IngressClass.
    IngressClass,
    /// Ingress.
    Routes,
    /// IngressRoute.
    IngressRoute,
    /// IngressRouteTCP.
    IngressRouteTcp,
    /// IngressRouteUDP.
    IngressRouteUdp,
    /// TraefikService.
    TraefikService,
    /// TLSOption.
    TlsOption,
    /// TLSStore.
    TlsStore,
    /// ServersTransport.
    ServersTransport,
    /// ServersTransportTCP.
    ServersTransportTcp,
    /// Middleware.
    Middleware,
    /// MiddlewareTCP.
    MiddlewareTcp,
    /// A certificate of a file of dynamic configuration.
    Material,
    /// A file that such a file names.
    File,
}

impl Tag {
    /// Whether it is one of Traefik's own kinds.
    pub(crate) fn is_of_traefik(self) -> bool {
        matches!(
            self,
            Self::IngressRoute
                | Self::IngressRouteTcp
                | Self::IngressRouteUdp
                | Self::TraefikService
                | Self::TlsOption
                | Self::TlsStore
                | Self::ServersTransport
                | Self::ServersTransportTcp
                | Self::Middleware
                | Self::MiddlewareTcp
        )
    }
}

/// What is found by label, or by namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Sort {
    Pods,
    Workloads,
    Policies,
    /// What says where endpoints are, by the namespace of its Service.
    Slices,
}

impl Cell {
    /// Tables read tables of lower ranks only.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Object(..) => 0,
            Self::Of(_)
            | Self::In(..)
            | Self::Labelled(..)
            | Self::Slices(..)
            | Self::ChildrenOf(_)
            | Self::KnownAs(..)
            | Self::DefaultPolicies
            | Self::Called(..)
            | Self::AliasesOf(_)
            | Self::Aliases => 1,
            Self::AnyIn(..)
            | Self::AnyAlias
            | Self::DefaultClass
            | Self::Inspection
            | Self::Outside(..)
            | Self::Nodes
            | Self::Namespaces
            | Self::Workloads
            | Self::Pools => 2,
            Self::Streams
            | Self::Family
            | Self::Lan
            | Self::Bgp
            | Self::Set(_)
            | Self::Fallback => 3,
            Self::NginxSettings
            | Self::Policy(_)
            | Self::Transport(..)
            | Self::Announced
            | Self::Expressions(_)
            | Self::Hosts(_)
            | Self::Locations(_)
            | Self::SecureHosts(_)
            | Self::Renamed(_)
            | Self::Alias(_)
            | Self::Clients(_)
            | Self::Canaries(_)
            | Self::Slot(..) => 4,
            Self::Material(_) | Self::LeadsTo(_) | Self::Sockets => 5,
            Self::Service(_) | Self::Claim(_) | Self::Oldest(_) => 6,
            Self::Gateways => 7,
            Self::Stands => 8,
            Self::Closed(_) => 9,
            Self::Filter(..) => 10,
            Self::StreamRoutes
            | Self::Listeners
            | Self::Routed(_)
            | Self::Routers(..)
            | Self::Described(_) => 11,
            Self::NamedBy(_) => 12,
            Self::Leaf(_) | Self::Endpoints(..) | Self::Named(_) => 13,
        }
    }

    /// Cells that are there whatever the input.
    pub(crate) fn always() -> impl Iterator<Item = Self> {
        let cells = [
            Self::AnyAlias,
            Self::DefaultClass,
            Self::Nodes,
            Self::Namespaces,
            Self::Workloads,
            Self::Pools,
            Self::Family,
            Self::Lan,
            Self::Bgp,
            Self::Fallback,
            Self::Announced,
            Self::Stands,
            Self::Streams,
            Self::Sockets,
            Self::StreamRoutes,
            Self::Listeners,
        ];
        cells.into_iter()
    }
}

impl Leaf {
    /// The leaf of one route, whose endpoints are chosen in its own way.
    pub(crate) fn balanced(self, by: &BalanceDraft, draft: &RouteDraft) -> Self {
        let at_its_path = |cookie: &CookieDraft| {
            let path = cookie.path.clone().unwrap_or_else(|| draft.written());
            Box::new(CookieDraft { path: Some(path), ..cookie.clone() })
        };
        Self {
            id: format!("{}:{}", self.id, draft.id).into(),
            sticky: by.cookie.as_ref().map(at_its_path),
            algorithm: by.algorithm.clone().map(Box::new),
            ..self
        }
    }

    /// Of which port `asked` is asked, where that is another.
    pub(crate) fn new(
        service: NamespacedName,
        port: u16,
        asked: Option<u16>,
        set: EndpointSetId,
        spoken: Spoken,
    ) -> Self {
        let asked = asked.map_or(String::new(), |number| format!(":{number}"));
        let Spoken { transport, is_otherwise, .. } = spoken;
        let otherwise = if is_otherwise { format!(":{transport}") } else { String::new() };
        let id = BackendId::from(format!("{service}:{port}{asked}{otherwise}@ingress"));
        let (sticky, algorithm, host) = Default::default();
        Self { id, service, port, set, transport, sticky, algorithm, host }
    }

    /// The same, which is another where others than the Service's `own` endpoints are asked.
    pub(crate) fn beside(self, own: &EndpointSetId) -> Self {
        if self.set == *own {
            return self;
        }
        let set = self.set.clone();
        let who = set.as_str().rsplit_once('#').map_or(set.as_str(), |(_, who)| who);
        self.called(who)
    }

    /// The same for who does not read what the Service's annotations say of it.
    pub(crate) fn plain(self) -> Self {
        self.called("plain")
    }

    fn called(self, more: &str) -> Self {
        let name = self.id.as_str().strip_suffix("@ingress").unwrap_or(self.id.as_str());
        let id = BackendId::from(format!("{name}:{more}@ingress"));
        Self { id, ..self }
    }
}

impl Spoken {
    /// HTTP/1.1 in plain, whatever the Service says.
    pub(crate) fn plain() -> Self {
        let (transport, scheme) = (Transport::plain().id, OriginScheme::Http);
        Self { transport, scheme, is_otherwise: false }
    }

    /// Bytes, as clients send them, whatever else is spoken to the port.
    pub(crate) fn bytes() -> Self {
        let (transport, scheme) = (Transport::bytes().id, OriginScheme::Http);
        Self { transport, scheme, is_otherwise: true }
    }
}

impl Tag {
    /// The kind of the object that became `item`.
    pub(crate) fn of(item: &Item) -> Self {
        match item {
            Item::Service(_) => Self::Service,
            Item::Pod(_) => Self::Pod,
            Item::Node(_) => Self::Node,
            Item::Namespace { .. } => Self::Namespace,
            Item::Secret(_) => Self::Secret,
            Item::ConfigMap { .. } => Self::ConfigMap,
            Item::EndpointSlice(slice) if &*slice.object.kind == "Endpoints" => Self::Endpoints,
            Item::EndpointSlice(_) => Self::EndpointSlice,
            Item::NetworkPolicy(_) => Self::NetworkPolicy,
            Item::Workload(workload) => match &*workload.object.kind {
                "StatefulSet" => Self::StatefulSet,
                "DaemonSet" => Self::DaemonSet,
                _ => Self::Deployment,
            },
            Item::Pool(_) => Self::Pool,
            Item::L2Advertisement(_) => Self::L2Advertisement,
            Item::BgpAdvertisement(_) => Self::BgpAdvertisement,
            Item::BgpPeer(_) => Self::BgpPeer,
            Item::BfdProfile(_) => Self::BfdProfile,
            Item::Communities(_) => Self::Communities,
            Item::IngressClass(_) => Self::IngressClass,
            Item::Routes(_) => Self::Routes,
            Item::Routers(set) => match set.kind {
                RouteKind::Http | RouteKind::Grpc => Self::IngressRoute,
                RouteKind::Tcp => Self::IngressRouteTcp,
                RouteKind::Udp => Self::IngressRouteUdp,
            },
            Item::Backend(_) => Self::TraefikService,
            Item::Policy(_) => Self::TlsOption,
            Item::Store(_) => Self::TlsStore,
            Item::Transport(draft) if draft.is_for_bytes => Self::ServersTransportTcp,
            Item::Transport(_) => Self::ServersTransport,
            Item::Filter(draft) if draft.is_for_bytes => Self::MiddlewareTcp,
            Item::Filter(_) => Self::Middleware,
            Item::Material(_) => Self::Material,
            Item::File(_) => Self::File,
        }
    }

    /// Whether it is of metallb.io.
    pub(crate) fn is_of_metallb(self) -> bool {
        matches!(
            self,
            Self::Pool
                | Self::L2Advertisement
                | Self::BgpAdvertisement
                | Self::BgpPeer
                | Self::BfdProfile
                | Self::Communities
        )
    }
}

/// A label as one text; no key has the character between.
pub(crate) fn line(key: &str, value: &str) -> Arc<str> {
    format!("{key}\0{value}").into()
}
