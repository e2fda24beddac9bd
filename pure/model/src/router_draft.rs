//! What Traefik's own kinds ask for, whose backends, filters and transports are still names. The
//! join finds them and makes [`crate::routing`] of it.

use std::sync::Arc;
use std::time::Duration;

pub use crate::balance_draft::CookieDraft;
use crate::endpoint::Endpoint;
pub use crate::link::{LinkTarget, ObjectLink};
use crate::object::{ObjectRef, Provenance};
use crate::route_draft::{BackendRef, ClassName, TlsSecret};
use crate::routing::backend::{Algorithm, CopiedBody, RefusalReason, SentHost};
use crate::routing::care::Care;
use crate::routing::id::{EntryPointId, RouteId};
use crate::routing::observability::Observability;
use crate::routing::rank::Rank;
use crate::routing::route::RouteKind;
use crate::routing::rule::Rule;
use crate::routing::transport::{OriginScheme, ProxyVersion};

/// What one object (an IngressRoute, IngressRouteTCP or IngressRouteUDP) asks to be routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterSet {
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// `spec.ingressClassName`, else the class annotation. None means any.
    pub class: Option<Box<ClassName>>,
    /// What its routes are for.
    pub kind: RouteKind,
    /// Where they are; empty means the default ones.
    pub entry_points: Vec<EntryPointId>,
    /// Objects whose routes lead to these, instead.
    pub parents: Vec<ObjectLink>,
    /// Its routes, in order of the object.
    pub routers: Vec<RouterDraft>,
    /// How TLS is held; none is served in plain.
    pub tls: Option<Box<RouterTls>>,
}

/// A route whose backends are still names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterDraft {
    /// Its id: namespace, object name, hash of its rule, provider.
    pub id: RouteId,
    /// The part of the object that asks for it.
    pub place: Provenance,
    /// What must hold, as it is written.
    pub text: Arc<str>,
    /// What must hold.
    pub rule: Arc<Rule>,
    /// Its place in the order.
    pub rank: Rank,
    /// Why it is not served, if that is known already.
    pub refusal: Option<RefusalReason>,
    /// What its requests pass.
    pub filters: Vec<ObjectLink>,
    /// Where they go, by weight.
    pub ways: Vec<WayDraft>,
    /// What is told of them.
    pub observability: Observability,
}

/// How TLS is held for the routes of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterTls {
    /// Where it is asked for.
    pub place: Provenance,
    /// The certificate.
    pub secret: Option<TlsSecret>,
    /// By which terms handshakes are held.
    pub options: Option<ObjectLink>,
    /// It ends at the endpoints.
    pub is_passed_on: bool,
}

/// One way on for requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayDraft {
    /// Where to.
    pub to: WayTarget,
    /// Its share.
    pub weight: u32,
    /// What requests on it pass.
    pub filters: Vec<ObjectLink>,
    /// Where it is asked for.
    pub place: Provenance,
}

/// Where a way leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WayTarget {
    /// To endpoints.
    Servers(Box<ServersDraft>),
    /// To a backend that an object describes (TraefikService), or another provider.
    Backend(LinkTarget),
    /// Nowhere: what is written there leads to nothing, which has been said.
    Nowhere,
}

/// Endpoints, and how one of them is chosen and spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServersDraft {
    /// Which.
    pub backend: ServersOf,
    /// Who is asked for it; none is as the provider is set.
    pub asked: Option<AskedServers>,
    /// What is spoken; none is as the port says.
    pub scheme: Option<OriginScheme>,
    /// How; none is as everybody is spoken to.
    pub transport: Option<Box<ObjectLink>>,
    /// Whose name they are asked by.
    pub host: SentHost,
    /// What stands before the paths that they are asked for.
    pub below: Option<Arc<str>>,
    /// How an endpoint is chosen.
    pub algorithm: Algorithm,
    /// Who was here before goes the same way.
    pub sticky: Option<Box<CookieDraft>>,
    /// How they are looked after.
    pub care: Arc<Care>,
    /// The PROXY protocol header that connections begin with.
    pub proxy_protocol: Option<ProxyVersion>,
    /// For how long one side of a connection may be open when the other is closed.
    pub half_closed: Option<Duration>,
}

/// How a Service is to be asked, as Traefik's annotations on it say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackendWish {
    /// Who is asked for it; none is as the provider is set.
    pub asked: Option<AskedServers>,
    /// Who was here before goes the same way.
    pub sticky: Option<CookieDraft>,
    /// Whose name they are asked by.
    pub host: SentHost,
    /// How they are spoken to, where an object says it.
    pub transport: Option<ObjectLink>,
    /// What requests on their way to it pass.
    pub filters: Vec<ObjectLink>,
}

/// Whose endpoints are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServersOf {
    /// Those of a Service, at its port.
    Service(BackendRef),
    /// Those that stand there, each with its share.
    Written {
        /// In order of the text.
        servers: Vec<(Endpoint, u32)>,
        /// Where they are written.
        place: Provenance,
    },
}

/// Who is asked for a Service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AskedServers {
    /// Its endpoints.
    #[default]
    Endpoints,
    /// Its own address (`nativeLB`).
    ClusterAddress,
    /// The nodes, at its node port (`nodePortLB`).
    Nodes,
}

/// A backend that an object describes: a TraefikService, or a service of the file provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendDraft {
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// What it is for.
    pub kind: RouteKind,
    /// What it does.
    pub shape: BackendShape,
    /// What requests on their way to it pass.
    pub filters: Vec<ObjectLink>,
}

/// What a described backend does: the inner ones of [`crate::routing::backend::Backend`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendShape {
    /// Sends to endpoints.
    Servers(Box<ServersDraft>),
    /// Shares requests by weight.
    Weighted {
        /// Among these.
        ways: Vec<WayDraft>,
        /// Who was here before goes the same way.
        sticky: Option<CookieDraft>,
    },
    /// Sends to one and copies to others.
    Mirror {
        /// Who answers.
        main: Box<WayDraft>,
        /// Who gets copies, and of how many requests in a hundred.
        copies: Vec<(WayDraft, u8)>,
        /// Whether bodies are copied.
        body: CopiedBody,
    },
    /// Sends to the second when the first cannot.
    Failover {
        /// The first and the second.
        ways: Box<[WayDraft; 2]>,
        /// Statuses of the first by which the second is asked; ranges.
        statuses: Vec<(u16, u16)>,
        /// Largest body, in bytes, that is kept for asking again; none is any.
        replay: Option<u64>,
    },
    /// Chooses by the client's address.
    Rendezvous {
        /// Among these.
        ways: Vec<WayDraft>,
    },
}

impl WayDraft {
    /// The Service that it leads to, if it is one.
    pub fn service(&self) -> Option<&BackendRef> {
        match &self.to {
            WayTarget::Servers(servers) => servers.backend.service(),
            WayTarget::Backend(_) | WayTarget::Nowhere => None,
        }
    }
}

impl ServersOf {
    /// The Service, if it is one's.
    pub fn service(&self) -> Option<&BackendRef> {
        match self {
            Self::Service(backend) => Some(backend),
            Self::Written { .. } => None,
        }
    }

    /// Where it is named, or where they are written.
    pub fn place(&self) -> &Provenance {
        match self {
            Self::Service(backend) => &backend.place,
            Self::Written { place, .. } => place,
        }
    }
}

impl BackendDraft {
    /// The ways on from it.
    pub fn ways(&self) -> Vec<&WayDraft> {
        match &self.shape {
            BackendShape::Servers(_) => Vec::new(),
            BackendShape::Weighted { ways, .. } | BackendShape::Rendezvous { ways } => {
                ways.iter().collect()
            }
            BackendShape::Mirror { main, copies, .. } => {
                std::iter::once(&**main).chain(copies.iter().map(|(way, _)| way)).collect()
            }
            BackendShape::Failover { ways, .. } => ways.iter().collect(),
        }
    }
}
