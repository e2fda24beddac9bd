//! Routers of datagrams: IngressRouteUDP.

use serde_json::Value;

use super::View;
use super::tcp::spread;
use crate::names::id;
use crate::shape::{Protocol, Shape, only};
use crate::tree::Tree;

/// Routers, and the services that only they lead to.
pub(super) fn routers(view: View<'_>, made: &mut Protocol) {
    for object in view.classed("IngressRouteUDP") {
        for (index, route) in object.spec().items("routes").enumerate() {
            let name = id(&object.namespace, &format!("{}-{index}", object.name));
            let service = |way: Tree<'_>| {
                let server = |address: String| only("address", address.into());
                let servers = view.plain(&object.namespace, way)?.into_iter().map(server);
                let servers: Vec<Value> = servers.collect();
                let shape = Shape::default().with("servers", servers);
                Some(only("loadBalancer", shape.done()))
            };
            spread(&name, route, service, &mut made.services);
            let router = Shape::default()
                .with("entryPoints", object.spec().raw("entryPoints"))
                .with("service", &*name);
            made.routers.insert(name.clone(), router.done());
        }
    }
}
