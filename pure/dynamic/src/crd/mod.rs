//! What Traefik's provider of its own kinds makes of them (`providers.kubernetesCRD`).

mod backend;
mod check;
mod datagrams;
mod http;
mod middleware;
mod tcp;
mod tls;
mod transport;

use serde_json::Value;
use steelyard_model::ProviderOptions;

use crate::cluster::{Cluster, Written};
use crate::names::{hash, id, words};
use crate::reference;
use crate::shape::{Configuration, Shape};
use crate::tree::Tree;

pub(crate) use tls::{PROTOCOLS, SUITES, files};

/// What a provider looks at.
#[derive(Clone, Copy)]
pub(crate) struct View<'v> {
    pub(crate) cluster: &'v Cluster<'v>,
    pub(crate) options: &'v ProviderOptions,
}

/// All that is made of the kinds.
pub(crate) fn configuration(cluster: &Cluster<'_>, options: &ProviderOptions) -> Configuration {
    let view = View { cluster, options };
    let tls = tls::of_handshakes(view);
    let mut made = Configuration { tls, ..Configuration::default() };
    http::routers(view, &mut made);
    tcp::routers(view, &mut made);
    datagrams::routers(view, &mut made.udp);
    middleware::of_requests(view, &mut made.http);
    middleware::of_connections(view, &mut made.tcp);
    backend::described(view, &mut made.http.services);
    made.http.transports = transport::of_requests(view);
    made.tcp.transports = transport::of_connections(view);
    made
}

impl<'v> View<'v> {
    /// Objects of a kind that are of the class that is served.
    fn classed(self, kind: &str) -> impl Iterator<Item = &'v Written> {
        self.cluster.all(kind).iter().filter(move |it| self.options.is_own(it.class()))
    }

    /// What requests and connections pass; none where one of them must not be named.
    fn middlewares(self, own: &str, route: Tree<'_>) -> Option<Vec<String>> {
        let named = route.items("middlewares").map(|it| reference::named(self.options, own, it));
        let named = named.collect::<Option<Vec<_>>>()?;
        let known = |name: String| if name.contains('@') { name } else { words(&name) };
        Some(named.into_iter().map(known).collect())
    }

    /// `tls` of a router, of what an object says of it; none where the TLSOption must not be
    /// named. Empty means TLS all the same. Only connections have a `passthrough`.
    fn tls(self, object: &Written, passthrough: bool) -> Option<Value> {
        let Some(tls) = object.spec().there("tls") else { return Some(Value::Null) };
        let options = tls.at("options");
        let options = match options.text("name") {
            "" => String::new(),
            _ => reference::named(self.options, &object.namespace, options)?,
        };
        let shape = Shape::default()
            .with("passthrough", passthrough)
            .with("options", options)
            .with("certResolver", tls.text("certResolver"))
            .with("domains", domains(tls));
        Some(shape.done())
    }
}

fn domains(tls: Tree<'_>) -> Vec<Value> {
    let domain = |it: Tree<'_>| {
        Shape::default().with("main", it.text("main")).with("sans", it.raw("sans")).done()
    };
    tls.items("domains").map(domain).collect()
}

/// The key of a route: its object and its rule.
fn key(object: &Written, rule: &str) -> String {
    id(&object.namespace, &format!("{}-{}", object.name, hash(rule)))
}
