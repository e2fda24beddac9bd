//! Routers of connections: IngressRouteTCP.

use serde_json::Value;

use super::backend::weight;
use super::{View, key, tls};
use crate::cluster::Written;
use crate::reference;
use crate::servers::{Asked, Counted, port, servers};
use crate::shape::{Configuration, Named, Shape, only};
use crate::tree::Tree;

/// Routers, and the services that only they lead to.
pub(super) fn routers(view: View<'_>, made: &mut Configuration) {
    for object in view.classed("IngressRouteTCP") {
        if !object.spec().at("tls").is("passthrough") {
            tls::of_route(view, object, &mut made.tls);
        }
        for route in object.spec().items("routes") {
            if let Some((name, router)) = view.connection(object, route, &mut made.tcp.services) {
                made.tcp.routers.insert(name, router);
            }
        }
    }
}

impl View<'_> {
    fn connection(
        self,
        object: &Written,
        route: Tree<'_>,
        services: &mut Named,
    ) -> Option<(String, Value)> {
        let rule = Some(route.text("match")).filter(|rule| !rule.is_empty())?;
        let middlewares = self.middlewares(&object.namespace, route)?;
        let name = key(object, rule);
        let services_of = |way| self.bytes(&object.namespace, way);
        spread(&name, route, services_of, services);
        let tls = self.tls(object, object.spec().at("tls").is("passthrough"))?;
        let router = Shape::default()
            .with("entryPoints", object.spec().raw("entryPoints"))
            .with("middlewares", middlewares)
            .with("service", &*name)
            .with("rule", rule)
            .with("ruleSyntax", route.text("syntax"))
            .with("priority", route.number("priority"))
            .kept("tls", tls)
            .done();
        Some((name, router))
    }

    /// Servers of a Service, for connections.
    fn bytes(self, own: &str, way: Tree<'_>) -> Option<Value> {
        let over_tls = way.is("tls");
        let server = |address: String| {
            Shape::default().with("address", address).with("tls", over_tls).done()
        };
        let servers: Vec<Value> = self.plain(own, way)?.into_iter().map(server).collect();
        let transport = way.text("serversTransport");
        let delay = if transport.is_empty() { way.raw("terminationDelay") } else { Value::Null };
        let proxied = way.there("proxyProtocol").map(|it| match it.number("version") {
            0 => only("version", 2.into()),
            version => only("version", version.into()),
        });
        let shape = Shape::default()
            .with("servers", servers)
            .kept("proxyProtocol", proxied.unwrap_or_default())
            .kept("terminationDelay", delay)
            .with("serversTransport", reference::transport(self.options, own, transport)?);
        Some(only("loadBalancer", shape.done()))
    }

    /// Addresses that a way of an object in `own` leads to, without a protocol of their own.
    pub(super) fn plain(self, own: &str, way: Tree<'_>) -> Option<Vec<String>> {
        let namespace = way.text("namespace");
        let namespace = if namespace.is_empty() { own } else { namespace };
        if !self.options.lets(own, namespace) {
            return None;
        }
        let service = self.cluster.one("Service", namespace, way.text("name"))?;
        let port = port(service, way.at("port").0)?;
        let native = way.there("nativeLB").and_then(|it| it.0.as_bool());
        let asked = Asked {
            native: native.unwrap_or(self.options.native_lb_by_default),
            nodes: way.is("nodePortLB"),
            counted: Counted::Ready,
        };
        let servers = servers(self.cluster, self.options, service, &port, &asked)?;
        Some(servers.into_iter().map(|it| it.address).collect())
    }
}

/// Puts the service of a route beside it: servers, or several of those by weight, beside those of
/// another route that is called so. One that cannot be is left out, and the router leads to what is
/// left.
pub(super) fn spread<'t>(
    name: &str,
    route: Tree<'t>,
    service: impl Fn(Tree<'t>) -> Option<Value>,
    services: &mut Named,
) {
    let ways: Vec<_> = route.items("services").collect();
    let former = services.get(name).map(|it| it["weighted"]["services"].clone());
    let mut shares = former.and_then(|it| it.as_array().cloned()).unwrap_or_default();
    for way in &ways {
        let Some(made) = service(*way) else { continue };
        if ways.len() == 1 {
            services.insert(name.to_owned(), made);
            return;
        }
        let child = format!("{name}-{}-{}", way.text("name"), way.shown("port"));
        shares.push(Shape::default().with("name", &*child).kept("weight", weight(*way)).done());
        services.insert(child, made);
    }
    if !shares.is_empty() {
        let shape = Shape::default().with("services", shares);
        services.insert(name.to_owned(), only("weighted", shape.done()));
    }
}
