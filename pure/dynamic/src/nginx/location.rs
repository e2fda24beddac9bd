//! One path of a host, with all that is known of it.

use super::backend::port_of;
use super::canary::{self, Canary};
use super::{Ground, PathOf, Served, View, World};
use crate::names::words;
use crate::servers::Server;
use crate::tree::Tree;

/// What becomes a router, and another one with TLS.
pub(super) struct Location<'w> {
    pub(super) ingress: Served<'w>,
    /// The name of the router.
    pub(super) key: String,
    /// The name of its service.
    pub(super) service: String,
    /// The name and the port of the Service, as they are written.
    pub(super) backend: (&'w str, String),
    pub(super) servers: Vec<Server>,
    pub(super) host: &'w str,
    pub(super) aliases: Vec<&'w str>,
    /// Empty is any.
    pub(super) path: &'w str,
    pub(super) kind: &'w str,
    /// Whether paths of the host are patterns.
    pub(super) has_patterns: bool,
    /// Text for nginx, for the host as a whole.
    pub(super) snippet: &'w str,
    pub(super) canary: Option<&'w Canary<'w>>,
    /// Whether its host has another name with or without `www.`, that leads here.
    pub(super) www: Option<String>,
}

impl<'v> View<'v> {
    /// A path; none where it leads to no Service.
    pub(super) fn location<'w>(
        self,
        ground: &Ground<'v>,
        at: PathOf<'v>,
        world: World<'w, 'v>,
    ) -> Option<Location<'w>>
    where
        'v: 'w,
    {
        let service = at.service()?;
        let (ingress, object) = (ground.ingress, ground.ingress.object);
        let (namespace, name) = (&object.namespace, &object.name);
        let port = port_of(service);
        let own = format!("{namespace}-{name}-{}-{port}", service.text("name"));
        let canary = world.canaries.get(&canary::key(namespace, service));
        Some(Location {
            key: words(&format!("{namespace}-{name}-rule-{}-path-{}", at.rule, at.index)),
            service: words(&own),
            path: at.path.text("path"),
            kind: at.path.text("pathType"),
            canary,
            ..self.whole_host(ingress, at.host, service, world)
        })
    }

    /// A host, whatever the path; names are left to the caller.
    pub(super) fn whole_host<'w>(
        self,
        ingress: Served<'v>,
        host: &'v str,
        service: Tree<'v>,
        world: World<'w, 'v>,
    ) -> Location<'w>
    where
        'v: 'w,
    {
        let servers = self.endpoints(ingress.asks, &ingress.object.namespace, service);
        let hosts = world.hosts;
        Location {
            ingress,
            key: String::new(),
            service: String::new(),
            backend: (service.text("name"), port_of(service)),
            servers: servers.unwrap_or_default(),
            host,
            aliases: hosts.aliases(ingress),
            path: "",
            kind: "",
            has_patterns: hosts.has_patterns(host),
            snippet: hosts.snippet(host),
            canary: None,
            www: ingress.asks.is("from-to-www-redirect").then(|| hosts.other(host)).flatten(),
        }
    }
}
