//! L7 routes: which request goes to which backend.
//!
//! A dialect lowers each object to a [`RouteSet`] of [`RouteDraft`]s, which name their Services;
//! resolve joins them with Services and endpoints to [`Route`]s.

use std::sync::Arc;

use crate::endpoint::Endpoint;
use crate::object::{NamespacedName, ObjectRef, Provenance};

/// What one object (an Ingress) asks to be routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSet {
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// `metadata.creationTimestamp`: of two equal routes the older object's wins.
    pub created: Option<String>,
    /// `spec.ingressClassName`, else the class annotation. None means any.
    pub class: Option<ClassName>,
    /// Its routes, in order of the object.
    pub routes: Vec<RouteDraft>,
    /// Secrets it names for TLS, with the place that names them.
    pub tls_secrets: Vec<(NamespacedName, Provenance)>,
    /// Where it asks for TLS, with or without a Secret.
    pub tls: Option<Provenance>,
}

/// A class name and the place it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassName {
    /// The class.
    pub name: String,
    /// Where it is written.
    pub place: Provenance,
}

/// A route whose backends are still names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteDraft {
    /// `default-web-0@ingress`: namespace, object name, index in the object, dialect.
    pub name: String,
    /// The part of the object that asks for it.
    pub place: Provenance,
    /// Which hosts.
    pub host: HostMatch,
    /// Which paths.
    pub path: PathMatch,
    /// Entry points by name; empty means the default ones.
    pub entry_points: Vec<String>,
    /// Where requests go.
    pub backends: Vec<BackendRef>,
    /// Set when the object restricts access in a way we do not honour: the route answers 503.
    pub refusal: Option<Refusal>,
}

/// A Service and port named by a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendRef {
    /// The Service.
    pub service: NamespacedName,
    /// Its port.
    pub port: PortRef,
    /// Share among the backends of the route; 1 unless said.
    pub weight: u32,
    /// Where it is named.
    pub place: Provenance,
}

/// A Service port by number or name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PortRef {
    /// By number.
    Number(u16),
    /// By name.
    Name(String),
}

/// Why a route answers 503 instead of forwarding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For the log and the plan: which setting is not honoured.
    pub reason: String,
    /// The setting.
    pub place: Provenance,
}

/// Which hosts a route is for. Host names are lower case, without port or trailing dot.
/// Ordered as they are tried.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostMatch {
    /// Exactly this name.
    Exact(Arc<str>),
    /// One label before this suffix: `Wildcard("b.c")` is `*.b.c` and matches `a.b.c` only.
    Wildcard(Arc<str>),
    /// Every host, also none.
    Any,
}

/// Which paths a route is for; case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathMatch {
    /// Exactly this path.
    Exact(Arc<str>),
    /// This path and everything below it, by whole elements: `/api` matches `/api`, `/api/` and
    /// `/api/users`, not `/apiary`. Kept without a trailing slash, so `/` is the empty string.
    Prefix(Arc<str>),
}

/// In whose manner requests are passed on: which headers of a client stay, what the endpoint is
/// told of the client, and in which spelling the path goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Manner {
    /// Traefik's; the path is spelled as the entry point says (`http.sanitizePath`).
    #[default]
    Traefik,
    /// That of ingress-nginx; the path goes on as it was asked for.
    Nginx,
}

/// A route, ready to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `default-web-0@ingress`.
    pub name: Arc<str>,
    /// The part of the object that asks for it.
    pub place: Provenance,
    /// Which hosts.
    pub host: HostMatch,
    /// Which paths.
    pub path: PathMatch,
    /// Entry points by name, never empty.
    pub entry_points: Vec<String>,
    /// The rule in Traefik's words, for people.
    pub rule: String,
    /// Traefik's default priority: the length of the rule in bytes. For show; see
    /// [`Route::precedence`] for the order.
    pub priority: i64,
    /// In whose manner requests are passed on.
    pub manner: Manner,
    /// Where requests go; empty answers 503.
    pub backends: Vec<Backend>,
    /// Answers 503, whatever the backends.
    pub refusal: Option<Refusal>,
}

/// A Service port with its endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The Service.
    pub service: NamespacedName,
    /// The Service's port number.
    pub port: u16,
    /// Share among the backends of the route.
    pub weight: u32,
    /// Its endpoints, also those that are not ready; sorted.
    pub endpoints: Vec<Endpoint>,
}

/// An IngressClass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressClass {
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// `spec.controller`.
    pub controller: String,
    /// Annotation `ingressclass.kubernetes.io/is-default-class`.
    pub is_default: bool,
}

impl HostMatch {
    /// Whether `host` (lower case, without port and trailing dot) is meant. The slow, plain
    /// definition that the compiled table must equal.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => **name == *host,
            Self::Wildcard(suffix) => host
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && *rest == **suffix),
            Self::Any => true,
        }
    }
}

impl PathMatch {
    /// Whether `path` is meant. The slow, plain definition that the compiled table must equal.
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => **exact == *path,
            Self::Prefix(prefix) => path
                .strip_prefix(&**prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        }
    }

    fn rank(&self) -> (bool, std::cmp::Reverse<usize>) {
        match self {
            Self::Exact(path) => (false, std::cmp::Reverse(path.len())),
            Self::Prefix(path) => (true, std::cmp::Reverse(path.len())),
        }
    }
}

impl std::fmt::Display for HostMatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(name) => f.pad(name),
            Self::Wildcard(suffix) => f.pad(&format!("*.{suffix}")),
            Self::Any => f.pad("*"),
        }
    }
}

impl Route {
    /// Key by which routes are tried, least first: exact hosts, wildcard hosts (longest first),
    /// then routes for every host; within a host exact paths, then the longest prefix. Two
    /// routes with equal keys never match the same request first: resolve keeps one of them.
    pub fn precedence(&self) -> impl Ord + '_ {
        let host = match &self.host {
            HostMatch::Exact(_) => (0, std::cmp::Reverse(0)),
            HostMatch::Wildcard(suffix) => (1, std::cmp::Reverse(suffix.len())),
            HostMatch::Any => (2, std::cmp::Reverse(0)),
        };
        (host, self.path.rank(), &self.host, &self.path, &self.name)
    }

    /// Whether a client gets the same by either route: from the same Services in the same manner,
    /// or from nobody.
    pub fn serves_like(&self, other: &Self) -> bool {
        // Whoever adds a field says here whether it makes a difference to clients.
        let Self {
            name: _,
            place: _,
            host: _,
            path: _,
            entry_points: _,
            rule: _,
            priority: _,
            manner,
            backends,
            refusal,
        } = self;
        let share = |it: &Backend| (it.service.clone(), it.port, it.weight);
        match (refusal, &other.refusal) {
            (None, None) => {
                *manner == other.manner
                    && backends.iter().map(share).eq(other.backends.iter().map(share))
            }
            (mine, theirs) => mine.is_some() && theirs.is_some(),
        }
    }
}
