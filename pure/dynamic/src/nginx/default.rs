//! Backends for what no path is for: of one host, and of all.

use super::asks::Asks;
use super::backend::service;
use super::location::Location;
use super::router::Twin;
use super::{Ground, OF_ALL, UNAVAILABLE, View, World};
use crate::names::words;
use crate::shape::{Configuration, Shape};
use crate::tree::Tree;

const ANYTHING: &str = "PathPrefix(\"/\")";

impl<'v> View<'v> {
    /// The one that options name.
    pub(super) fn default_of_all(self, made: &mut Configuration) {
        let Some((namespace, name)) = &self.options.default_backend else { return };
        let Some(servers) = self.first_port(namespace, name) else { return };
        let asks = Asks::none();
        made.http.services.insert(OF_ALL.to_owned(), service(&servers, "", asks));
        let options = self.options;
        for (key, is_secure) in [(OF_ALL, false), ("default-backend-tls", true)] {
            let points = match is_secure {
                false => &options.plain_entry_points,
                true => &options.secure_entry_points,
            };
            let shape = Shape::default().with("entryPoints", points.clone());
            let shape = if is_secure { shape.kept("tls", Shape::default().done()) } else { shape };
            let router = shape
                .with("rule", ANYTHING)
                .with("ruleSyntax", "default")
                .with("priority", i32::MIN)
                .with("service", OF_ALL);
            made.http.routers.insert(key.to_owned(), router.done());
        }
    }

    /// The one that an Ingress names: for each of its hosts, or for all if it has none and nobody
    /// was there before.
    pub(super) fn default_backend(
        self,
        ground: &Ground<'v>,
        world: World<'_, 'v>,
        made: &mut Configuration,
    ) {
        let object = ground.ingress.object;
        let backend = object.spec().at("defaultBackend").there("service");
        let Some(backend) = backend else { return };
        let mut hosts: Vec<&'v str> = Vec::new();
        for host in ground.ingress.hosts() {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        if hosts.is_empty() {
            return self.default_of_others(ground, backend, world, made);
        }
        let name = words(&format!("{}-{}-default-backend", object.namespace, object.name));
        for (index, host) in hosts.into_iter().enumerate() {
            let key = if index == 0 { name.clone() } else { format!("{name}-{index}") };
            let location = Location {
                key,
                service: name.clone(),
                ..self.whole_host(ground.ingress, host, backend, world)
            };
            self.put(ground, &location, made);
        }
    }

    fn default_of_others(
        self,
        ground: &Ground<'v>,
        backend: Tree<'v>,
        world: World<'_, 'v>,
        made: &mut Configuration,
    ) {
        if made.http.services.contains_key(OF_ALL) {
            return;
        }
        let location = self.whole_host(ground.ingress, "", backend, world);
        let Some(passed) = self.links(&location) else { return };
        ground.put(made);
        let made_service = service(&location.servers, &ground.transport.0, ground.ingress.asks);
        made.http.services.insert(OF_ALL.to_owned(), made_service);
        let twin = Twin {
            key: OF_ALL,
            suffix: "-tls",
            rule: ANYTHING,
            service: passed.as_ref().map_or(UNAVAILABLE, |_| OF_ALL),
            links: passed.as_deref().unwrap_or_default(),
            priority: i64::from(i32::MIN),
        };
        self.put_twin(ground, &twin, made);
    }
}
