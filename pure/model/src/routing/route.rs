//! Routes: which requests and connections go where.

use std::sync::Arc;

use crate::object::Provenance;
use crate::routing::filter::Use;
use crate::routing::id::{BackendId, ListenerId, RouteId, TlsPolicyId};
use crate::routing::observability::Observability;
use crate::routing::rank::Rank;
use crate::routing::rule::Rule;
use crate::routing::times::RouteTimeouts;
use crate::routing::tls::DEFAULT_POLICY;

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `default/web/0@ingress`.
    pub id: RouteId,
    /// The part of an object that asks for it.
    pub place: Provenance,
    /// What it is for.
    pub kind: RouteKind,
    /// Where it is tried; none for one that only a parent leads to.
    pub listeners: Vec<ListenerId>,
    /// Its place in the order.
    pub rank: Rank,
    /// What must hold; of one draft for every listener, so it is shared.
    pub rule: Arc<Rule>,
    /// What its requests pass, outermost first.
    pub uses: Vec<Use>,
    /// Where they go.
    pub to: Destination,
    /// How long things may take; none says nothing of it.
    pub timeouts: Option<Box<RouteTimeouts>>,
    /// In whose manner requests are passed on.
    pub manner: Manner,
    /// The TLS policy that handshakes for its hosts are held by; none is the listener's. By its
    /// name it may ask for the usual one, whatever the listener's is: [`Route::terms`].
    pub tls_policy: Option<TlsPolicyId>,
    /// What is told of its requests, where it says so.
    pub observability: Observability,
}

impl Route {
    /// By which terms handshakes for its hosts are held at a listener that has these; none is the
    /// usual ones, be they defined or not.
    pub fn terms<'r>(&'r self, of_listener: Option<&'r TlsPolicyId>) -> Option<&'r TlsPolicyId> {
        match &self.tls_policy {
            None => of_listener,
            Some(_) => self.own_terms(),
        }
    }

    /// The terms that it names, if these are others than the usual ones.
    pub fn own_terms(&self) -> Option<&TlsPolicyId> {
        self.tls_policy.as_ref().filter(|it| it.as_str() != DEFAULT_POLICY)
    }
}

/// What a route is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteKind {
    /// HTTP requests.
    Http,
    /// gRPC calls: HTTP whose own answers are gRPC statuses.
    Grpc,
    /// TCP connections, TLS or plain.
    Tcp,
    /// UDP sessions.
    Udp,
}

impl RouteKind {
    /// Whether it is for requests.
    pub fn is_of_requests(self) -> bool {
        matches!(self, Self::Http | Self::Grpc)
    }
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To a backend.
    Backend(BackendId),
    /// To routes that are asked after its own uses were passed (Traefik's parents). Where none of
    /// them matches, the answer is 404.
    Routes(Vec<RouteId>),
}

impl Destination {
    /// Whether it is a service of the program's own.
    pub fn is_internal(&self) -> bool {
        matches!(self, Self::Backend(id) if id.as_str().ends_with("@internal"))
    }
}

/// In whose manner requests are passed on: which headers of a client stay, what the endpoint is
/// told of the client, and in which spelling the path goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Manner {
    /// Traefik's; the path is spelled as the entry point says (`http.sanitizePath`).
    #[default]
    Traefik,
    /// That of ingress-nginx; the path goes on as it was asked for.
    Nginx,
}
