//! Hosts whose connections are passed on as they come.

use serde_json::json;

use super::backend::port_of;
use super::{Served, View};
use crate::names::{quoted, words};
use crate::servers::Server;
use crate::shape::{Configuration, Shape, only};

impl View<'_> {
    /// A router for each host, to the backend of its path `/`, or of the Ingress where the host
    /// has no paths at all.
    pub(super) fn passthrough(self, ingress: Served<'_>, made: &mut Configuration) {
        let (object, spec) = (ingress.object, ingress.object.spec());
        for rule in spec.items("rules") {
            let backend = match rule.there("http") {
                Some(http) => http
                    .items("paths")
                    .find(|path| path.text("path") == "/")
                    .and_then(|path| path.there("backend")),
                None => spec.there("defaultBackend"),
            };
            let host = rule.text("host");
            let named = backend.and_then(|it| it.there("service")).filter(|_| !host.is_empty());
            let Some(named) = named else { continue };
            let servers = self.endpoints(ingress.asks, &object.namespace, named);
            let Some(servers) = servers else { continue };
            let service =
                words(&format!("{}-{}-{}", object.namespace, named.text("name"), port_of(named)));
            let router = Shape::default()
                .with("entryPoints", self.options.secure_entry_points.clone())
                .with("rule", format!("HostSNI({})", quoted(host)))
                .with("ruleSyntax", "default")
                .with("service", &*service)
                .with("tls", json!({ "passthrough": true }));
            let server = |it: &Server| json!({ "address": it.address });
            let all: Vec<_> = servers.iter().map(server).collect();
            let balanced = Shape::default().with("servers", all).done();
            made.tcp.services.insert(service, only("loadBalancer", balanced));
            let name = words(&format!("{}-{}-{host}", object.namespace, object.name));
            made.tcp.routers.insert(name, router.done());
        }
    }
}
