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

/// Traefik's providers, the first going first where numbers are equal: each is called as in
/// `providers.precedence`, and [`Rank::provider`] is its place here.
pub const PROVIDERS: [&str; 17] = [
    "kubernetesgateway",
    "kubernetescrd",
    "kubernetes",
    "kubernetesingressnginx",
    "swarm",
    "docker",
    "file",
    "redis",
    "knative",
    "consul",
    "consulcatalog",
    "nomad",
    "etcd",
    "ecs",
    "http",
    "zookeeper",
    "rest",
];
/// [`Rank::provider`] of Traefik's own kinds.
pub const KUBERNETES_CRD: u8 = 1;
/// [`Rank::provider`] of Ingresses.
pub const KUBERNETES_INGRESS: u8 = 2;
/// The same of those of class nginx, where an order of providers is given.
pub const KUBERNETES_INGRESS_NGINX: u8 = 3;
/// [`Rank::provider`] of the file provider.
pub const FILE: u8 = 6;

/// Another order of [`PROVIDERS`] (`providers.precedence`): those that it names go first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precedence(Vec<u8>);

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

impl Precedence {
    /// The order that a list gives, names without case.
    ///
    /// # Errors
    /// A name that no provider has.
    pub fn read(list: &str) -> Result<Self, &str> {
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        let place = |name| {
            let found = PROVIDERS.iter().position(|it| it.eq_ignore_ascii_case(name));
            found.and_then(|at| u8::try_from(at).ok()).ok_or(name)
        };
        names.map(place).collect::<Result<_, _>>().map(Self)
    }

    /// Whether any is given.
    pub fn is_usual(&self) -> bool {
        self.0.is_empty()
    }

    /// The place of a provider.
    pub fn place(&self, provider: u8) -> u8 {
        let named = self.0.iter().position(|it| *it == provider);
        let at = named.unwrap_or_else(|| self.0.len() + usize::from(provider));
        u8::try_from(at).unwrap_or(u8::MAX)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_named_goes_first() {
        let usual = Precedence::default();
        for (at, name) in (0_u8..).zip(PROVIDERS) {
            assert_eq!(usual.place(at), at, "{name}");
        }
        assert_eq!(PROVIDERS[usize::from(KUBERNETES_CRD)], "kubernetescrd");
        assert_eq!(PROVIDERS[usize::from(KUBERNETES_INGRESS)], "kubernetes");
        assert_eq!(PROVIDERS[usize::from(KUBERNETES_INGRESS_NGINX)], "kubernetesingressnginx");
        assert_eq!(PROVIDERS[usize::from(FILE)], "file");
        let given = Precedence::read("File, kubernetes").unwrap();
        let all = [FILE, KUBERNETES_INGRESS, KUBERNETES_CRD, KUBERNETES_INGRESS_NGINX];
        assert!(all.map(|it| given.place(it)).is_sorted() && !given.is_usual());
        assert_eq!(Precedence::read("file,flie"), Err("flie"));
    }
}
