//! Routers of a path, each without TLS and with it, and the services that they lead to.

use serde_json::{Value, json};

use super::backend::{service, sticky};
use super::canary::Canary;
use super::location::Location;
use super::middleware::{Link, attach, www};
use super::rule::host;
use super::{Ground, UNAVAILABLE, View};
use crate::shape::{Configuration, Shape, only};

/// A router that is about to be one of two.
pub(super) struct Twin<'t> {
    pub(super) key: &'t str,
    /// What is added to the name of the one with TLS.
    pub(super) suffix: &'t str,
    pub(super) rule: &'t str,
    pub(super) service: &'t str,
    /// What requests pass.
    pub(super) links: &'t [Link],
    /// Where it stands among others; zero is by its rule.
    pub(super) priority: i64,
}

impl View<'_> {
    /// All of a path.
    pub(super) fn put(self, ground: &Ground<'_>, of: &Location<'_>, made: &mut Configuration) {
        // Whoever is to be let in is not known: the path is not there at all.
        let Some(passed) = self.links(of) else { return };
        ground.put(made);
        let (transport, _) = &ground.transport;
        let asks = of.ingress.asks;
        made.http.services.insert(of.service.clone(), service(&of.servers, transport, asks));
        let led = match of.canary {
            Some(canary) => of.put_canary(canary, transport, made),
            None => of.service.clone(),
        };
        let rule = of.rule();
        let whole = Twin {
            key: &of.key,
            suffix: "-tls",
            rule: &rule,
            service: passed.as_ref().map_or(UNAVAILABLE, |_| &led),
            links: passed.as_deref().unwrap_or_default(),
            priority: 0,
        };
        self.put_twin(ground, &whole, made);
        if passed.is_none() {
            return;
        }
        self.put_other(ground, of, &led, made);
        let Some(canary) = of.canary else { return };
        if canary.leads() {
            let (key, rule) = (format!("{}-canary", of.key), canary.led(&rule));
            let service = format!("{}-canary", of.service);
            let twin = Twin { key: &key, rule: &rule, service: &service, ..whole };
            self.put_twin(ground, &twin, made);
        }
        if canary.keeps() {
            let (key, rule) = (format!("{}-non-canary", of.key), canary.kept(&rule));
            let twin = Twin { key: &key, rule: &rule, service: &of.service, ..whole };
            self.put_twin(ground, &twin, made);
        }
    }

    /// The two routers.
    pub(super) fn put_twin(self, ground: &Ground<'_>, twin: &Twin<'_>, made: &mut Configuration) {
        let secure = format!("{}{}", twin.key, twin.suffix);
        for (key, is_secure) in [(twin.key, false), (&*secure, true)] {
            let middlewares = attach(twin.links, key, is_secure, &mut made.http);
            let shape = self.shape(ground, is_secure).with("middlewares", middlewares);
            let router = shape
                .with("rule", twin.rule)
                .with("ruleSyntax", "default")
                .with("priority", twin.priority)
                .with("service", twin.service)
                .with("observability", observed(ground));
            made.http.routers.insert(key.to_owned(), router.done());
        }
    }

    /// Routers that lead from the other name of the host to it.
    fn put_other(
        self,
        ground: &Ground<'_>,
        of: &Location<'_>,
        service: &str,
        made: &mut Configuration,
    ) {
        let Some(other) = &of.www else { return };
        for (key, is_secure) in [(of.key.clone(), false), (format!("{}-tls", of.key), true)] {
            let name = format!("{key}-from-to-www-redirect");
            made.http.middlewares.insert(name.clone(), www(of.host));
            let router = self
                .shape(ground, is_secure)
                .with("middlewares", vec![&*name])
                .with("rule", host(other))
                .with("ruleSyntax", "default")
                .with("service", service);
            made.http.routers.insert(name, router.done());
        }
    }

    /// Entry points, and TLS where it is that.
    fn shape(self, ground: &Ground<'_>, is_secure: bool) -> Shape {
        let options = self.options;
        if !is_secure {
            return Shape::default().with("entryPoints", options.plain_entry_points.clone());
        }
        let terms = ground.terms.as_ref().map(|(name, _)| &**name);
        let tls = Shape::default().with("options", terms.unwrap_or_default());
        Shape::default()
            .with("entryPoints", options.secure_entry_points.clone())
            .kept("tls", tls.done())
    }
}

/// What is told of requests, where the Ingress says that.
fn observed(ground: &Ground<'_>) -> Value {
    match ground.ingress.asks.said("enable-access-log") {
        Some(is_logged) => json!({ "accessLogs": is_logged }),
        None => Value::Null,
    }
}

impl Ground<'_> {
    /// What its routers and services name.
    pub(super) fn put(&self, made: &mut Configuration) {
        let (name, transport) = &self.transport;
        made.http.transports.insert(name.clone(), transport.clone());
        if let Some((name, terms)) = &self.terms {
            made.tls.options.insert(name.clone(), terms.clone());
        }
    }
}

impl Location<'_> {
    /// The canary's service, and the one that shares out; its name.
    fn put_canary(&self, canary: &Canary<'_>, transport: &str, made: &mut Configuration) -> String {
        let asks = self.ingress.asks;
        let (own, shared) = (format!("{}-canary", self.service), format!("{}-wrr", self.service));
        let parts = [
            json!({ "name": &self.service, "weight": canary.total - canary.weight }),
            json!({ "name": &own, "weight": canary.weight }),
        ];
        let weighted =
            Shape::default().with("services", &parts[..]).with("sticky", sticky(asks, "-wrr"));
        made.http.services.insert(own, service(&canary.servers, transport, asks));
        made.http.services.insert(shared.clone(), only("weighted", weighted.done()));
        shared
    }
}
