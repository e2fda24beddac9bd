//! Which Ingresses are served, and in which order.

use std::cmp::Reverse;

use super::asks::Asks;
use super::{Served, View};
use crate::cluster::Written;

/// Annotations that are text for nginx.
const SNIPPETS: [&str; 3] = ["server-snippet", "configuration-snippet", "auth-snippet"];

impl<'v> View<'v> {
    /// Ingresses of the class, oldest first, where they are whole.
    pub(super) fn served(self) -> Vec<Served<'v>> {
        let classes = self.classes();
        let all = self.cluster.all("Ingress").iter().filter(|it| self.is_own(it, &classes));
        let all = all.map(|object| Served { object, asks: Asks::of(object) });
        let mut all: Vec<Served<'v>> = all.filter(|it| self.is_whole(it)).collect();
        // Of the same age the last by name comes first, as with ingress-nginx.
        all.sort_by_cached_key(|it| {
            let object = it.object;
            let age = object.tree().at("metadata").text("creationTimestamp");
            (age, Reverse(format!("{}/{}", object.namespace, object.name)))
        });
        all
    }

    /// IngressClasses that are the provider's.
    fn classes(self) -> Vec<&'v str> {
        let options = self.options;
        let is_own = |it: &&Written| {
            it.spec().text("controller") == options.controller_class
                || options.class_by_name && it.name == options.ingress_class
        };
        self.cluster.all("IngressClass").iter().filter(is_own).map(|it| &*it.name).collect()
    }

    fn is_own(self, ingress: &Written, classes: &[&str]) -> bool {
        if let Some(class) =
            ingress.spec().there("ingressClassName").filter(|_| !classes.is_empty())
        {
            return class.0.as_str().is_some_and(|it| classes.contains(&it));
        }
        let annotations = ingress.tree().at("metadata").at("annotations");
        match annotations.there("kubernetes.io/ingress.class") {
            Some(class) => class.0.as_str() == Some(&self.options.ingress_class),
            None => self.options.serves_without_class,
        }
    }

    /// Whether nothing of it is refused: text for nginx, or patterns where paths are literal.
    fn is_whole(self, ingress: &Served<'_>) -> bool {
        let has_snippets = SNIPPETS.iter().any(|name| !ingress.asks.text(name).is_empty());
        let is_fine = |path: &str, kind: &str| kind == "ImplementationSpecific" || is_literal(path);
        let mut paths = ingress.paths();
        (self.options.allows_snippets || !has_snippets)
            && (!self.options.validates_paths
                || paths.all(|it| is_fine(it.path.text("path"), it.path.text("pathType"))))
    }
}

/// Whether a path has no letters but those that stand for themselves (ingress-nginx,
/// `strict-validate-path-type`).
fn is_literal(path: &str) -> bool {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "._-/".contains(it);
    path.is_empty() || path.starts_with('/') && path.chars().all(is_plain)
}
