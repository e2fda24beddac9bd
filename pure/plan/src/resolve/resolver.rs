//! Joining again and again: what an edit of Services does not concern is kept.
//!
//! From scratch means that every Service is new. After a change of Services, slices and pods the
//! same code runs over the Services that it concerns, which is decided here:
//!
//! - Services that changed, and those whose slices did;
//! - for a pod, the Services of its namespace that select it, or have no endpoint: those are told
//!   which label they may have meant.
//!
//! Everything else is joined from scratch, also where what is said of one Service may depend on
//! another: a route leads to it, or names one that is not there; or so many labels were mistaken
//! that not each has a suggestion.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steelyard_model::selector::is_subset;
use steelyard_model::{
    Diagnostic, Family, Item, NamespacedName, Pod, ResolvedPort, ResolvedService, ServedBy,
    Service, Snapshot,
};

use super::backing::Backing;
use super::endpoints::{self, Resolved};
use super::suggestion::Suggester;
use super::world::World;
use super::{ResolveOptions, announcing, gateway, policies, routes, tls};

/// The join and what it was made of.
#[derive(Debug)]
pub struct Resolver {
    options: ResolveOptions,
    backing: Backing,
    /// Services that routes name, and those that an ExternalName among them stands for.
    backends: BTreeSet<NamespacedName>,
    /// The family of a Service that says nothing.
    primary: Family,
    /// At most so much of what is allowed was used up.
    suggester: Suggester,
    pub(super) snapshot: Snapshot,
}

/// Services that were joined again, with all that the join has to say about each.
pub type Retold = Vec<(NamespacedName, Vec<Diagnostic>)>;

impl Resolver {
    /// Joins `items`, and what there is to say about them.
    pub fn new(items: &[Arc<Item>], options: &ResolveOptions) -> (Self, Vec<Diagnostic>) {
        let mut diagnostics = Vec::new();
        let mut world = World::new(items);
        if let Some(namespace) = &options.config_namespace {
            world.restrict(namespace, &mut diagnostics);
        }
        let mut snapshot = Snapshot {
            nodes: world.nodes().into(),
            namespaces: world.namespaces().into(),
            workloads: world.workloads().into(),
            routing: routes::sockets(&options.entry_points),
            load_balancer_class: options.load_balancer_class.clone(),
            ..Snapshot::default()
        };
        announcing(&world, options, &mut snapshot, &mut diagnostics);
        let sets = routes::served_sets(&world, &mut diagnostics);
        let backing = Backing::new(items);
        let mut backends: BTreeSet<NamespacedName> =
            routes::named_backends(&sets).into_iter().cloned().collect();
        let of_aliases = backends.iter().filter_map(|id| backing.services.get(id)?.stands_for());
        backends.extend(of_aliases.collect::<Vec<_>>());
        let mut resolver = Self {
            options: options.clone(),
            backing,
            backends,
            primary: endpoints::primary_family(&snapshot.pools),
            suggester: Suggester::new(),
            snapshot,
        };
        let mut routed = resolver.join_services(&mut diagnostics);
        policies::close(
            &resolver.backing,
            &mut resolver.snapshot,
            &mut routed,
            options,
            &mut diagnostics,
        );
        let routing = &mut resolver.snapshot.routing;
        let backing = &resolver.backing;
        routes::resolve(backing, &sets, &routed, options, routing, &mut diagnostics);
        tls::report(&world, &sets, &mut diagnostics);
        (resolver, diagnostics)
    }

    /// The join, without diagnostics.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Joins again without `gone` and with `come`; what else there is stays as it was. None where
    /// only a join from scratch is right.
    pub fn after(mut self, gone: &[Arc<Item>], come: &[Arc<Item>]) -> Option<(Self, Retold)> {
        let changes = || gone.iter().chain(come).map(|item| &**item);
        // What a policy closes may hang on the labels of the gateway's Service.
        if !changes().all(is_of_services) || !self.backing.policies.is_empty() {
            return None;
        }
        let before: BTreeSet<NamespacedName> =
            changes().flat_map(|item| self.concerned_by(item)).collect();
        gone.iter().for_each(|item| self.backing.remove(item));
        come.iter().for_each(|item| self.backing.add(item));
        let after = come.iter().flat_map(|item| self.concerned_by(item));
        let concerned: BTreeSet<NamespacedName> = after.chain(before).collect();
        if self.concerns_routes(&concerned) {
            return None;
        }
        let mut retold = Vec::new();
        let mut services = Vec::new();
        for id in concerned {
            let mut said = Vec::new();
            let service = self.backing.services.get(&id).cloned();
            let service = service.map(|service| self.join(&service, &mut said));
            services.push((id.clone(), service.map(|(service, _)| service)));
            retold.push((id, said));
        }
        self.snapshot.services.change(services);
        (!self.suggester.is_exhausted()).then_some((self, retold))
    }

    /// Services of which an item that comes or goes may change something.
    fn concerned_by(&self, item: &Item) -> Vec<NamespacedName> {
        match item {
            Item::Service(service) => vec![service.id.clone()],
            Item::EndpointSlice(slice) => vec![slice.service.clone()],
            Item::Pod(pod) => {
                let services = self.backing.services_in(&pod.id.namespace);
                let concerned = services.filter(|(id, service)| self.may_notice(id, service, pod));
                concerned.map(|(id, _)| id.clone()).collect()
            }
            _ => Vec::new(),
        }
    }

    fn may_notice(&self, id: &NamespacedName, service: &Service, pod: &Pod) -> bool {
        let selects = !service.selector.is_empty() && is_subset(&service.selector, &pod.labels);
        let known = self.snapshot.services.get(id);
        selects || known.is_none_or(|known| known.ports.iter().all(|it| it.endpoints.is_empty()))
    }

    fn concerns_routes(&self, concerned: &BTreeSet<NamespacedName>) -> bool {
        let is_there = |id| self.backing.services.contains_key(id);
        let comes_or_goes = |id| self.snapshot.services.contains_key(id) != is_there(id);
        !concerned.is_disjoint(&self.backends)
            || concerned.iter().any(comes_or_goes) && !self.backends.iter().all(is_there)
    }

    /// Joins all Services; the endpoints of those that routes name.
    fn join_services(
        &mut self,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> BTreeMap<NamespacedName, Resolved> {
        let services: Vec<Arc<Service>> = self.backing.services.values().cloned().collect();
        let mut routed = BTreeMap::new();
        let joined = services.iter().map(|service| {
            let (joined, resolved) = self.join(service, diagnostics);
            if self.backends.contains(&service.id) {
                routed.insert(service.id.clone(), resolved);
            }
            (service.id.clone(), joined)
        });
        let joined = joined.collect();
        self.snapshot.services = joined;
        routed
    }

    /// Joins a Service with what backs it.
    fn join(
        &mut self,
        service: &Arc<Service>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> (ResolvedService, Resolved) {
        let Self { options, backing, backends, primary, suggester, .. } = self;
        let is_backend = backends.contains(&service.id);
        let resolved = endpoints::of_service(backing, service, *primary, diagnostics);
        let is_gateway =
            gateway::serves(backing, service, &resolved, is_backend, options, diagnostics);
        let wanted = is_backend || service.is_load_balancer() && !is_gateway;
        endpoints::report_silent(backing, service, &resolved, wanted, suggester, diagnostics);
        (resolved_service(service, &resolved, is_gateway), resolved)
    }
}

/// Whether it belongs to Services, so that it may change alone.
fn is_of_services(item: &Item) -> bool {
    matches!(
        item,
        Item::Service(_) | Item::EndpointSlice(_) | Item::Pod(_) | Item::ConfigMap { .. }
    )
}

/// A Service that restricts who may connect, which we cannot, leads nowhere: neither to the
/// gateway nor to endpoints.
fn resolved_service(
    service: &Arc<Service>,
    resolved: &Resolved,
    is_gateway: bool,
) -> ResolvedService {
    let closed = service.refusal.is_some();
    let ports = service.ports.iter().zip(&resolved.endpoints).map(|(port, endpoints)| {
        let endpoints = if closed { Vec::new() } else { endpoints.clone() };
        ResolvedPort { port: port.clone(), endpoints }
    });
    ResolvedService {
        service: Arc::clone(service),
        ports: ports.collect(),
        places: resolved.places.clone(),
        served_by: if is_gateway { ServedBy::Gateway } else { ServedBy::Forward },
        closed,
    }
}
