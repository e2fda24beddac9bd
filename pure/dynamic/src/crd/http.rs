//! Routers of requests: IngressRoute.

use serde_json::Value;

use super::{View, key, tls};
use crate::cluster::Written;
use crate::names::words;
use crate::shape::{Configuration, Named, Shape, trimmed};
use crate::tree::Tree;

/// Routers, and the services that only they lead to.
pub(super) fn routers(view: View<'_>, made: &mut Configuration) {
    for object in view.classed("IngressRoute") {
        tls::of_route(view, object, &mut made.tls);
        let Some(parents) = view.parents(object) else { continue };
        for route in object.spec().items("routes") {
            let services = &mut made.http.services;
            if let Some((name, router)) = view.router(object, route, &parents, services) {
                made.http.routers.insert(name, router);
            }
        }
    }
}

impl View<'_> {
    fn router(
        self,
        object: &Written,
        route: Tree<'_>,
        parents: &[String],
        services: &mut Named,
    ) -> Option<(String, Value)> {
        let rule = rule(route)?;
        let middlewares = self.middlewares(&object.namespace, route)?;
        let name = words(&key(object, rule));
        let service = self.target(object, route, &name, services)?;
        let tls = self.tls(object, false)?;
        let router = Shape::default()
            .with("entryPoints", object.spec().raw("entryPoints"))
            .with("middlewares", middlewares)
            .with("service", service)
            .with("rule", rule)
            .with("parentRefs", parents.to_vec())
            .with("ruleSyntax", route.text("syntax"))
            .with("priority", route.number("priority"))
            .kept("tls", tls)
            .with("observability", trimmed_switches(route.at("observability")));
        Some((name, router.done()))
    }

    /// Where a route leads: one service, or several by weight, or nowhere where others have it for
    /// a parent.
    fn target(
        self,
        object: &Written,
        route: Tree<'_>,
        name: &str,
        services: &mut Named,
    ) -> Option<String> {
        let ways: Vec<_> = route.items("services").collect();
        match ways.as_slice() {
            [] => Some(String::new()),
            [way] => {
                let (to, service) = self.service(&object.namespace, *way)?;
                let Some(service) = service else { return Some(to) };
                services.insert(name.to_owned(), service);
                Some(name.to_owned())
            }
            ways => {
                let ways = ways.iter().copied();
                let weighted = self.weighted(&object.namespace, ways, &Value::Null, services)?;
                services.insert(name.to_owned(), weighted);
                Some(name.to_owned())
            }
        }
    }

    /// Routers that lead to those of an object; none where one is not there or must not be named.
    fn parents(self, object: &Written) -> Option<Vec<String>> {
        let mut names = Vec::new();
        for parent in object.spec().items("parentRefs") {
            let namespace = parent.text("namespace");
            let namespace = if namespace.is_empty() { &object.namespace } else { namespace };
            if !self.options.lets(&object.namespace, namespace) {
                return None;
            }
            let parent = self.cluster.one("IngressRoute", namespace, parent.text("name"))?;
            // Also of those that come to no router: who names a parent is no root.
            let rules = parent.spec().items("routes").map(|route| route.text("match"));
            names.extend(rules.map(|rule| words(&key(parent, rule))));
        }
        Some(names)
    }
}

/// The rule of a route that has one.
fn rule<'t>(route: Tree<'t>) -> Option<&'t str> {
    let is_rule = matches!(route.text("kind"), "" | "Rule");
    Some(route.text("match")).filter(|rule| is_rule && !rule.is_empty())
}

/// What is told of requests: a switch that is off says so.
fn trimmed_switches(written: Tree<'_>) -> Value {
    if written.0.is_null() { Value::Null } else { switches(written) }
}

fn switches(written: Tree<'_>) -> Value {
    let switches = ["accessLogs", "metrics", "tracing"].into_iter();
    let shape = switches.fold(Shape::default(), |all, key| all.kept(key, written.raw(key)));
    shape.with("traceVerbosity", trimmed(&written.raw("traceVerbosity"))).done()
}
