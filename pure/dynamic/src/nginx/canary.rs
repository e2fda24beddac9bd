//! Ingresses that take a part of what another gets.

use std::collections::{BTreeMap, BTreeSet};

use super::backend::port_of;
use super::{PathOf, Served, View};
use crate::servers::Server;
use crate::tree::Tree;

/// A canary, and who gets there.
pub(super) struct Canary<'v> {
    pub(super) servers: Vec<Server>,
    /// Of so many, so many requests.
    pub(super) weight: i64,
    pub(super) total: i64,
    pub(super) header: &'v str,
    pub(super) value: &'v str,
    pub(super) pattern: &'v str,
    pub(super) cookie: &'v str,
}

/// By namespace, Service and port that they take from.
pub(super) type Canaries<'v> = BTreeMap<(&'v str, &'v str, String), Canary<'v>>;

impl Canary<'_> {
    /// Whether some are led there whatever the weight.
    pub(super) fn leads(&self) -> bool {
        !self.header.is_empty() || !self.cookie.is_empty()
    }

    /// Whether some never are.
    pub(super) fn keeps(&self) -> bool {
        self.weight > 0 && (self.decides_by_words() || !self.cookie.is_empty())
    }

    /// Whether the header says `always` or `never`, rather than a value of the user's own.
    pub(super) fn decides_by_words(&self) -> bool {
        !self.header.is_empty() && self.value.is_empty() && self.pattern.is_empty()
    }
}

/// Which backend a path of Ingresses has.
pub(super) fn key<'v>(namespace: &'v str, service: Tree<'v>) -> (&'v str, &'v str, String) {
    (namespace, service.text("name"), port_of(service))
}

impl<'v> View<'v> {
    /// What `canaries` take of `mains`: of each path one, and only of a backend that is another.
    pub(super) fn canaries(self, canaries: &[Served<'v>], mains: &[Served<'v>]) -> Canaries<'v> {
        let mut of_paths = BTreeMap::new();
        for main in mains {
            for at in main.paths().filter(|it| it.service().is_some()) {
                of_paths.insert(place(*main, at), (*main, at));
            }
        }
        let (mut all, mut taken) = (Canaries::new(), BTreeSet::new());
        for ingress in canaries {
            for at in ingress.paths() {
                let place = place(*ingress, at);
                let Some((main, of)) = of_paths.get(&place) else { continue };
                let (Some(own), Some(theirs)) = (at.service(), of.service()) else { continue };
                let namespace = &*ingress.object.namespace;
                if taken.contains(&place) || key(namespace, own) == key(namespace, theirs) {
                    continue;
                }
                let servers = self.endpoints(main.asks, namespace, own).unwrap_or_default();
                if !servers.is_empty() {
                    taken.insert(place);
                    all.insert(key(namespace, theirs), canary(*ingress, servers));
                }
            }
        }
        all
    }
}

fn canary(ingress: Served<'_>, servers: Vec<Server>) -> Canary<'_> {
    let asks = ingress.asks;
    let total = asks.number("canary-weight-total").unwrap_or_default().max(100);
    Canary {
        servers,
        weight: asks.number("canary-weight").unwrap_or_default().clamp(0, total),
        total,
        header: asks.text("canary-by-header"),
        value: asks.text("canary-by-header-value"),
        pattern: asks.text("canary-by-header-pattern"),
        cookie: asks.text("canary-by-cookie"),
    }
}

/// Where a path is: namespace, host, path and type.
fn place<'v>(ingress: Served<'v>, at: PathOf<'v>) -> [&'v str; 4] {
    let kind = at.path.text("pathType");
    let kind = if kind.is_empty() { "Prefix" } else { kind };
    [&ingress.object.namespace, at.host, at.path.text("path"), kind]
}
