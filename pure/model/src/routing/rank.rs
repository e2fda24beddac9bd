//! Who goes first: data that the dialect writes, never computed from the rule.
//!
//! Two worlds order differently, and both are right for their users, so there are two ladders.
//! The *specific* one (Ingress, Gateway API) goes by how narrow a route is; the *priority* one
//! (Traefik's own kinds) by number. Within a ladder ranks are a total order, least first.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

/// By what a route is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ladder {
    /// By how narrow it is: Ingress and Gateway API.
    Specific,
    /// By number: Traefik's kinds and file provider, and everything under `--compat traefik`.
    Priority,
}

/// [`Rank::provider`] of Traefik's own kinds.
pub const KUBERNETES_CRD: u8 = 1;
/// [`Rank::provider`] of Ingresses.
pub const KUBERNETES_INGRESS: u8 = 2;
/// [`Rank::provider`] of the file provider.
pub const FILE: u8 = 6;

/// The place of a route among all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rank {
    /// Which ladder it stands on.
    pub ladder: Ladder,
    /// Traefik's priority: the explicit one, else what its provider gives. Higher goes first, and
    /// the highest of a ladder's matching routes is what the ladder bids.
    pub number: i64,
    /// How narrow it is.
    pub specific: Specificity,
    /// Position in `providers.precedence`; lower goes first.
    pub provider: u8,
    /// `metadata.creationTimestamp` of its object; none sorts last.
    pub created: Option<Arc<str>>,
    /// `namespace/name` of its object.
    pub object: Arc<str>,
    /// Index in the object.
    pub index: u32,
}

/// How narrow a route is, narrowest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Specificity {
    /// Its host.
    pub host: HostSpecificity,
    /// A default backend, or the own `/` of an nginx host: last within its host.
    pub is_fallback: bool,
    /// Its path.
    pub path: PathSpecificity,
    /// For nginx's locations of one length: the pattern, the greater first.
    pub spelling: Reverse<Option<Arc<str>>>,
    /// Whether it names a method.
    pub method: Reverse<bool>,
    /// How many headers it names.
    pub headers: Reverse<u16>,
    /// How many query parameters it names.
    pub query: Reverse<u16>,
}

/// How narrow a host is, narrowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostSpecificity {
    /// One name.
    Exact,
    /// A wildcard; with the length of its suffix, the longest first.
    Wildcard(Reverse<u16>),
    /// Every host.
    Any,
}

/// How narrow a path is, narrowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathSpecificity {
    /// One path.
    Exact,
    /// Many; with the length of the prefix or expression, the longest first.
    Length(Reverse<u16>),
}

impl Specificity {
    /// A route for `host` and `path` that names nothing else.
    pub fn new(host: HostSpecificity, path: PathSpecificity) -> Self {
        Self {
            host,
            is_fallback: false,
            path,
            spelling: Reverse(None),
            method: Reverse(false),
            headers: Reverse(0),
            query: Reverse(0),
        }
    }
}

impl Rank {
    /// The order within a ladder, least first. Ranks of different ladders are compared by bids,
    /// never by this.
    pub fn before(&self, other: &Self) -> Ordering {
        match self.ladder {
            Ladder::Specific => self.specific.cmp(&other.specific).then_with(|| self.by_age(other)),
            Ladder::Priority => (other.number, self.provider)
                .cmp(&(self.number, other.provider))
                .then_with(|| self.specific.cmp(&other.specific)),
        }
        .then_with(|| self.object.cmp(&other.object))
        .then_with(|| self.index.cmp(&other.index))
    }

    fn by_age(&self, other: &Self) -> Ordering {
        (self.created.is_none(), &self.created).cmp(&(other.created.is_none(), &other.created))
    }
}
