//! Services of requests: servers of a Service, and what a TraefikService describes.

use serde_json::Value;

use super::{View, check};
use crate::cluster::Written;
use crate::duration::duration;
use crate::names::{OF_KINDS, id, provided, words};
use crate::reference;
use crate::servers::{Asked, Counted, port, servers};
use crate::shape::{Named, Shape, is_zero, only};
use crate::sticky::sticky;
use crate::tree::Tree;

/// Services that objects describe, and those that only they lead to.
pub(super) fn described(view: View<'_>, services: &mut Named) {
    for object in view.cluster.all("TraefikService") {
        if let Some(service) = view.shape(object, services) {
            services.insert(words(&id(&object.namespace, &object.name)), service);
        }
    }
}

impl View<'_> {
    /// What a TraefikService is; none where one of those it leads to cannot be.
    fn shape(self, object: &Written, services: &mut Named) -> Option<Value> {
        let (own, spec) = (&*object.namespace, object.spec());
        if let Some(weighted) = spec.there("weighted") {
            let sticky = sticky(weighted.at("sticky"));
            return self.weighted(own, weighted.items("services"), &sticky, services);
        }
        if let Some(mirroring) = spec.there("mirroring") {
            return self.mirroring(own, mirroring, services);
        }
        if let Some(ways) = spec.there("highestRandomWeight") {
            let ways = self.shares(own, ways.items("services"), services)?;
            return Some(only(
                "highestRandomWeight",
                Shape::default().with("services", ways).done(),
            ));
        }
        let failover = spec.there("failover")?;
        let errors = failover.at("errors");
        let shape = Shape::default()
            .with("service", self.way(own, failover.at("service"), services)?)
            .with("fallback", self.way(own, failover.at("fallback"), services)?)
            .kept(
                "errors",
                Shape::default()
                    .with("status", errors.raw("status"))
                    .kept("maxRequestBodyBytes", errors.raw("maxRequestBodyBytes"))
                    .done(),
            );
        Some(only("failover", shape.done()))
    }

    fn mirroring(self, own: &str, written: Tree<'_>, services: &mut Named) -> Option<Value> {
        let main = self.way(own, written, services)?;
        let mut mirrors = Vec::new();
        for mirror in written.items("mirrors") {
            let name = self.way(own, mirror, services)?;
            let percent = mirror.number("percent");
            mirrors.push(Shape::default().with("name", name).with("percent", percent).done());
        }
        let shape = Shape::default()
            .with("service", main)
            .kept("mirrorBody", written.raw("mirrorBody"))
            .kept("maxBodySize", written.raw("maxBodySize"))
            .with("mirrors", mirrors);
        Some(only("mirroring", shape.done()))
    }

    /// Several, each with a share.
    pub(super) fn weighted<'t>(
        self,
        own: &str,
        ways: impl Iterator<Item = Tree<'t>>,
        sticky: &Value,
        services: &mut Named,
    ) -> Option<Value> {
        let shares = self.shares(own, ways, services)?;
        let shape = Shape::default().with("services", shares).with("sticky", sticky.clone());
        Some(only("weighted", shape.done()))
    }

    fn shares<'t>(
        self,
        own: &str,
        ways: impl Iterator<Item = Tree<'t>>,
        services: &mut Named,
    ) -> Option<Vec<Value>> {
        let mut shares = Vec::new();
        for way in ways {
            let name = self.way(own, way, services)?;
            shares.push(Shape::default().with("name", name).kept("weight", weight(way)).done());
        }
        Some(shares)
    }

    /// The name of where a way leads; what it is stands beside it.
    fn way(self, own: &str, way: Tree<'_>, services: &mut Named) -> Option<String> {
        let (name, service) = self.service(own, way)?;
        if let Some(service) = service {
            services.insert(name.clone(), service);
        }
        Some(name)
    }

    /// Where a way of an object in `own` leads: the name, and what it is where it is a Service.
    pub(super) fn service(self, own: &str, way: Tree<'_>) -> Option<(String, Option<Value>)> {
        let name = way.text("name");
        let written = way.text("namespace");
        let namespace = if written.is_empty() { own } else { written };
        if !self.options.lets(own, namespace) {
            return None;
        }
        let named = (way.text("kind"), provided(name));
        // One of this provider's own is in a namespace that is known.
        if !matches!(named, (_, None) | ("TraefikService", Some((_, OF_KINDS)))) {
            reference::elsewhere(self.options, own, name)?;
        }
        match named {
            ("" | "Service", _) => {
                let service = self.servers(namespace, way)?;
                let port = way.shown("port");
                Some((words(&format!("{namespace}-{name}-{port}")), Some(service)))
            }
            ("TraefikService", None) => Some((words(&id(namespace, name)), None)),
            ("TraefikService", Some((name, OF_KINDS))) => Some((words(&id(namespace, name)), None)),
            ("TraefikService", Some((name, provider))) => {
                Some((format!("{}@{provider}", words(name)), None))
            }
            _ => None,
        }
    }

    /// Servers of a Service, and how they are asked.
    pub(super) fn servers(self, namespace: &str, way: Tree<'_>) -> Option<Value> {
        let strategy = match way.text("strategy") {
            "" | "RoundRobin" => "wrr",
            known @ ("wrr" | "p2c" | "hrw" | "leasttime") => known,
            _ => return None,
        };
        let service = self.cluster.one("Service", namespace, way.text("name"))?;
        let servers = self.addresses(service, way)?;
        let flush = way.at("responseForwarding").at("flushInterval");
        let flush = if is_zero(flush.0) { "100ms".to_owned() } else { duration(flush.0)? };
        let keeps_host = way.there("passHostHeader").is_none_or(|it| it.0 != &Value::Bool(false));
        let shape = Shape::default()
            .with("sticky", sticky(way.at("sticky")))
            .with("servers", servers)
            .with("strategy", strategy)
            .kept("healthCheck", check::active(way.at("healthCheck"))?)
            .kept("passiveHealthCheck", check::passive(way.at("passiveHealthCheck"))?)
            .kept("passHostHeader", keeps_host)
            .with("responseForwarding", only("flushInterval", flush.into()))
            .with(
                "serversTransport",
                reference::transport(self.options, namespace, way.text("serversTransport"))?,
            );
        let middlewares = self.middlewares(namespace, way)?;
        let shape =
            Shape::default().with("loadBalancer", shape.done()).with("middlewares", middlewares);
        Some(shape.done())
    }

    fn addresses(self, service: &Written, way: Tree<'_>) -> Option<Vec<Value>> {
        let port = port(service, way.at("port").0)?;
        let is_checked = way.there("healthCheck").is_some();
        if is_checked && !crate::servers::is_external(service) {
            return None;
        }
        let native = way.there("nativeLB").and_then(|it| it.0.as_bool());
        let native = native.unwrap_or(self.options.native_lb_by_default);
        // Who is asked at its own address is not asked at the nodes.
        let nodes = way.is("nodePortLB") && !native;
        let asked = Asked { native, nodes, counted: Counted::Serving };
        let servers = servers(self.cluster, self.options, service, &port, &asked)?;
        if servers.is_empty() {
            return Some(Vec::new());
        }
        let scheme = port.scheme(way.text("scheme"))?;
        let server = |it: &crate::servers::Server| {
            Shape::default()
                .with("url", format!("{scheme}://{}", it.address))
                .with("fenced", it.is_fenced)
                .done()
        };
        Some(servers.iter().map(server).collect())
    }
}

/// The share of a way: one where none is written.
pub(super) fn weight(way: Tree<'_>) -> Value {
    if way.there("weight").is_some() { way.raw("weight") } else { 1.into() }
}
