//! The service of a backend.

use serde_json::Value;

use super::View;
use super::annotation::ServiceWish;
use crate::cluster::Written;
use crate::servers::{Asked, Counted, Port, Server, servers};
use crate::shape::{Shape, only};
use crate::tree::Tree;

impl View<'_> {
    /// Servers of what a backend names, and how they are asked; none where it cannot be.
    pub(super) fn service(self, ingress: &Written, backend: Tree<'_>) -> Option<Value> {
        let named = backend.there("service")?;
        let service = self.cluster.one("Service", &ingress.namespace, named.text("name"))?;
        let (number, name) = (named.at("port").number("number"), named.at("port").text("name"));
        let is_named = |it: &Port| it.number == number || (it.name == name && !name.is_empty());
        let port = service.spec().items("ports").map(Port::of).find(is_named)?;
        let wish = ServiceWish::of(service.tree().at("metadata").at("annotations"))?;
        if !wish.references().all(|name| self.may_name(ingress, name)) {
            return None;
        }
        let asked = Asked {
            native: wish.native.unwrap_or(self.options.native_lb_by_default),
            nodes: wish.nodes,
            counted: Counted::Serving,
        };
        let servers = servers(self.cluster, self.options, service, &port, &asked)?;
        let scheme = if wish.scheme.is_empty() { port.usual_scheme() } else { &*wish.scheme };
        let server = |it: &Server| {
            Shape::default()
                .with("url", format!("{scheme}://{}", it.address))
                .with("fenced", it.is_fenced)
                .done()
        };
        let shape = Shape::default()
            .with("sticky", wish.sticky)
            .with("servers", servers.iter().map(server).collect::<Vec<_>>())
            .with("strategy", "wrr")
            .kept("passHostHeader", wish.keeps_host)
            .with("responseForwarding", only("flushInterval", "100ms".into()))
            .with("serversTransport", wish.transport);
        let shape = Shape::default()
            .with("loadBalancer", shape.done())
            .with("middlewares", wish.middlewares);
        Some(shape.done())
    }
}
