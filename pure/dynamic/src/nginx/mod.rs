//! What Traefik's provider of class nginx makes of Ingresses
//! (`providers.kubernetesIngressNGINX`): routers with and without TLS for each path, and what
//! annotations ask for as middlewares in the order that requests pass them.

mod asks;
mod backend;
mod canary;
mod clients;
mod default;
mod hosts;
mod location;
mod middleware;
mod options;
mod passthrough;
mod router;
mod rule;
mod secrets;
mod selection;
mod size;
mod transport;

use serde_json::Value;

use crate::cluster::{Cluster, Written};
use crate::shape::{Configuration, Shape, only};
use crate::tree::Tree;

use asks::Asks;
use canary::Canaries;
use hosts::Hosts;
pub use options::NginxProviderOptions;

/// The service that has no servers, for routers that lead nowhere; it is always there.
const UNAVAILABLE: &str = "unavailable-service";

/// The router and the service for what nobody else has.
const OF_ALL: &str = "default-backend";

/// What the provider looks at.
#[derive(Clone, Copy)]
struct View<'v> {
    cluster: &'v Cluster<'v>,
    options: &'v NginxProviderOptions,
}

/// An Ingress that is served.
#[derive(Clone, Copy)]
struct Served<'v> {
    object: &'v Written,
    asks: Asks<'v>,
}

/// A path of an Ingress, and where it stands.
#[derive(Clone, Copy)]
struct PathOf<'v> {
    rule: usize,
    index: usize,
    host: &'v str,
    path: Tree<'v>,
}

/// What all paths of an Ingress have in common.
struct Ground<'v> {
    ingress: Served<'v>,
    /// Its name, and what it is.
    transport: (String, Value),
    /// Of handshakes, where clients are asked for certificates.
    terms: Option<(String, Value)>,
}

/// What an Ingress is made with.
#[derive(Clone, Copy)]
struct World<'w, 'v> {
    hosts: &'w Hosts<'v>,
    canaries: &'w Canaries<'v>,
}

/// All that is made of Ingresses of the class.
pub(crate) fn configuration(
    cluster: &Cluster<'_>,
    options: &NginxProviderOptions,
) -> Configuration {
    let view = View { cluster, options };
    let (canaries, mains): (Vec<_>, Vec<_>) =
        view.served().into_iter().partition(|it| it.asks.is("canary"));
    let (hosts, canaries) = (Hosts::of(&mains), view.canaries(&canaries, &mains));
    let mut made = Configuration::default();
    made.http.services.insert(UNAVAILABLE.to_owned(), nobody());
    view.default_of_all(&mut made);
    for ingress in mains {
        view.ingress(ingress, World { hosts: &hosts, canaries: &canaries }, &mut made);
    }
    made
}

/// A service without servers.
fn nobody() -> Value {
    let shape = Shape::default()
        .with("strategy", "wrr")
        .kept("passHostHeader", true)
        .with("responseForwarding", only("flushInterval", "100ms".into()));
    only("loadBalancer", shape.done())
}

impl<'v> View<'v> {
    fn ingress(self, ingress: Served<'v>, world: World<'_, 'v>, made: &mut Configuration) {
        if ingress.asks.is("ssl-passthrough") {
            return self.passthrough(ingress, made);
        }
        self.certificates(ingress, made);
        // What is to be trusted or shown and is not there closes the Ingress as a whole.
        let (Some(transport), Some(terms)) = (self.transport(ingress), self.terms(ingress)) else {
            return;
        };
        let object = ingress.object;
        let name = crate::names::words(&format!("{}-{}", object.namespace, object.name));
        let ground = Ground { ingress, transport: (name, transport), terms };
        for at in ingress.paths() {
            if let Some(location) = self.location(&ground, at, world) {
                self.put(&ground, &location, made);
            }
        }
        self.default_backend(&ground, world, made);
    }
}

impl<'v> Served<'v> {
    /// Hosts of its rules; empty is any.
    fn hosts(self) -> impl Iterator<Item = &'v str> {
        self.object.spec().items("rules").map(|rule| rule.text("host"))
    }

    fn paths(self) -> impl Iterator<Item = PathOf<'v>> {
        self.object.spec().items("rules").enumerate().flat_map(|(rule, written)| {
            let host = written.text("host");
            let paths = written.at("http").items("paths").enumerate();
            paths.map(move |(index, path)| PathOf { rule, index, host, path })
        })
    }
}

impl<'v> PathOf<'v> {
    /// The Service that it leads to.
    fn service(self) -> Option<Tree<'v>> {
        self.path.at("backend").there("service")
    }
}
