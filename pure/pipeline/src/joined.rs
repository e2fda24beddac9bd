//! All objects in force, and what is derived from them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steelyard_dialects::LowerOptions;
use steelyard_manifest::FILE_PROVIDER;
use steelyard_model::routing::id::RouteId;
use steelyard_model::routing::left_out::LeftOut;
use steelyard_model::routing::world::RoutingDelta;
use steelyard_model::{Diagnostic, Item, NamespacedName, Snapshot};

use crate::codes;
use crate::engine::{Delta, Engine};
use crate::known::Known;
use crate::options::ResolveOptions;
use crate::tables::Join;
use crate::tables::cell::{Cell, Tag};
use crate::tables::routes::{exposed, for_nobody, known_transports, redirections, sockets, to_tls};
use crate::tables::row::{Items, Row};

/// An object that may be joined with others, by kind and name.
pub(crate) type Name = (Tag, NamespacedName);

/// An object that something refers to by its name, of the kinds that are read by that alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NeededObject {
    /// `Secret` or `ConfigMap`.
    pub kind: &'static str,
    /// Its name.
    pub id: NamespacedName,
}

/// The engine, and the Snapshot that its rows come to.
#[derive(Clone)]
pub(crate) struct Joined {
    options: ResolveOptions,
    engine: Engine<Join>,
    /// Without diagnostics.
    pub(crate) snapshot: Snapshot,
    pub(crate) known: Known,
    /// Secrets and ConfigMaps that something reads, be they there or not.
    pub(crate) needed: Arc<BTreeSet<NeededObject>>,
}

impl Joined {
    /// Without any object.
    pub(crate) fn new(options: ResolveOptions) -> Self {
        let mut routing = sockets(&options.entry_points, options.as_traefik);
        for transport in known_transports(&options) {
            routing.transports.insert(transport.id.clone(), Arc::new(transport));
        }
        let to_tls = to_tls(&options.entry_points);
        routing.filters.insert(to_tls.id.clone(), Arc::new(to_tls));
        redirections(&options.entry_points, &mut routing);
        exposed(&options.exposure, &options.entry_points, &mut routing);
        let snapshot = Snapshot {
            routing,
            load_balancer_class: options.load_balancer_class.clone(),
            ..Snapshot::default()
        };
        let mut engine = Engine::new(Join { options: options.clone() }, Cell::always());
        if let Some((id, item)) = for_nobody(&options.nginx) {
            engine.set(&Cell::Object(Tag::Routes, id), Some(Row::Object([item].into(), false)));
        }
        Self { options, engine, snapshot, known: Known::default(), needed: Arc::default() }
    }

    /// The same input, of which nothing is derived.
    pub(crate) fn anew(&self) -> Self {
        let mut anew = Self::new(self.options.clone());
        for input in self.engine.inputs() {
            let (Cell::Object(tag, id), Row::Object(items, is_established)) = input else {
                continue;
            };
            anew.set(&(*tag, id.clone()), Some(items.clone()), *is_established);
        }
        anew
    }

    /// Puts what became of an object in force, or takes it out; `is_established` counts of pools.
    /// What Traefik's provider is told not to look at is not there.
    pub(crate) fn set(&mut self, (tag, id): &Name, items: Option<Items>, is_established: bool) {
        let is_seen = !tag.is_of_traefik()
            || id.name.ends_with(FILE_PROVIDER)
            || self.options.crd.sees(&id.namespace);
        let items = items.filter(|_| is_seen);
        let row = items.map(|items| Row::Object(items, is_established));
        self.engine.set(&Cell::Object(*tag, id.clone()), row);
    }

    /// How an object is read by itself.
    pub(crate) fn reading(&self) -> &LowerOptions {
        &self.options.reading
    }

    /// The row at a cell, as it stands.
    pub(crate) fn row(&self, cell: &Cell) -> Option<&Row> {
        self.engine.row(cell)
    }

    /// Derives what hangs on what was set since.
    pub(crate) fn run(&mut self) {
        self.engine.run();
    }

    /// Brings the Snapshot up to date. The cells that have other things to say.
    pub(crate) fn settle(&mut self) -> Vec<Cell> {
        let Delta { rows, retold } = self.engine.take_delta();
        if let Some(demand) = self.engine.take_demand() {
            let needed = |cell| match cell {
                Cell::Object(Tag::ConfigMap, id) => Some(NeededObject { kind: "ConfigMap", id }),
                Cell::Object(_, id) => Some(NeededObject { kind: "Secret", id }),
                _ => None,
            };
            self.needed = Arc::new(demand.into_iter().filter_map(needed).collect());
        }
        let (mut services, mut objects) = (Vec::new(), Vec::new());
        let (mut gone, mut come) = (RoutingDelta::default(), RoutingDelta::default());
        let (mut left_out, mut left_out_now) = (Vec::new(), Vec::new());
        for (cell, before) in rows {
            let row = self.engine.row(&cell).cloned();
            before.into_iter().for_each(|row| leave(row, &mut gone, &mut left_out));
            match (cell, row) {
                (Cell::Closed(id), Some(Row::Service(it))) => services.push((id, Some(it.service))),
                (Cell::Closed(id), _) => services.push((id, None)),
                (Cell::Object(tag, id), row) => {
                    let items = row.map(|row| match row {
                        Row::Object(items, _) => items,
                        other => panic!("{other:?} is no object"),
                    });
                    objects.extend(Known::advises_by(tag).then_some(((tag, id), items)));
                }
                (_, Some(row)) => {
                    let rules =
                        row.left_out().iter().map(|(id, it)| (id.clone(), Some(it.clone())));
                    left_out_now.extend(rules);
                    self.show(row, &mut come);
                }
                (_, None) => {}
            }
        }
        left_out.extend(left_out_now);
        self.snapshot.left_out.change(left_out);
        self.snapshot.services.change(services);
        self.known.change(objects);
        self.snapshot.routing.change(merged(gone, come));
        retold
    }

    /// Puts the row of a table that has but one into the Snapshot.
    fn show(&mut self, row: Row, routing: &mut RoutingDelta) {
        let snapshot = &mut self.snapshot;
        match row {
            Row::Nodes(nodes) => snapshot.nodes = nodes,
            Row::Namespaces(namespaces) => snapshot.namespaces = namespaces,
            Row::Workloads(workloads) => snapshot.workloads = workloads,
            Row::Pools(pools) => snapshot.pools = pools,
            Row::Lan(ads, selections) => {
                (snapshot.l2_advertisements, snapshot.pool_advertisements) = (ads, selections);
            }
            Row::Bgp(bgp, _) => snapshot.bgp = bgp,
            Row::Routed(routed) => {
                let more = routed.more();
                routing
                    .routes
                    .extend(routed.routes.iter().map(|it| (it.id.clone(), Some(it.clone()))));
                let own = routed.own.iter();
                routing.backends.extend(own.map(|it| (it.id.clone(), Some(it.clone()))));
                let spoken = more.transports.iter();
                routing.transports.extend(spoken.map(|it| (it.id.clone(), Some(it.clone()))));
                let filters = more.filters.iter();
                routing.filters.extend(filters.map(|it| (it.id.clone(), Some(it.clone()))));
                let policies = more.policies.iter();
                routing.tls_policies.extend(policies.map(|it| (it.id.clone(), Some(it.clone()))));
            }
            Row::NginxSettings(terms) => {
                let filters = terms.filters.iter();
                routing.filters.extend(filters.map(|it| (it.id.clone(), Some(it.clone()))));
                let policies = terms.settings.handshakes.iter().map(|it| &it.policy);
                routing.tls_policies.extend(policies.map(|it| (it.id.clone(), Some(it.clone()))));
            }
            Row::Sockets(all) => {
                let points = all.points.iter();
                routing.entry_points.extend(points.map(|it| (it.id.clone(), Some(it.clone()))));
                let own = all.listeners.iter();
                routing.listeners.extend(own.map(|it| (it.id.clone(), Some(it.clone()))));
            }
            Row::Backend(node) => routing.backends.push((node.id.clone(), Some(node))),
            Row::EndpointSet(set) => routing.endpoint_sets.push((set.id.clone(), Some(set))),
            Row::Material(Ok(it)) => routing.certificates.push((it.id.clone(), Some(it))),
            Row::Policy(it) => routing.tls_policies.push((it.id.clone(), Some(it))),
            Row::Listeners(all) => {
                routing.listeners.extend(all.iter().map(|it| (it.id.clone(), Some(it.clone()))));
            }
            Row::Material(Err(_))
            | Row::Object(..)
            | Row::Flag(_)
            | Row::Inspection(_)
            | Row::Named(_)
            | Row::Oldest(_)
            | Row::Class(_)
            | Row::Family(_)
            | Row::Set(..)
            | Row::LeftOut(_)
            | Row::Streams(_)
            | Row::Service(_)
            | Row::Stands(_) => {}
        }
    }

    /// What the derivation of a cell had to say.
    pub(crate) fn said(&self, cell: &Cell) -> &[Diagnostic] {
        self.engine.findings(cell)
    }

    /// Findings after which their object does not count at all: only few cells have any.
    pub(crate) fn refusals(&self) -> impl Iterator<Item = &Diagnostic> {
        let said = [Cell::Pools, Cell::Bgp].map(|cell| self.said(&cell));
        said.into_iter().flatten().filter(|found| refuses_object(found))
    }

    /// How many cells were derived so far.
    pub(crate) fn derived(&self) -> u64 {
        self.engine.derived()
    }
}

/// Takes what a row brought out of the routing, and of the rules that have no route.
fn leave(
    row: Row,
    routing: &mut RoutingDelta,
    left_out: &mut Vec<(RouteId, Option<Arc<LeftOut>>)>,
) {
    left_out.extend(row.left_out().iter().map(|(id, _)| (id.clone(), None)));
    match row {
        Row::Routed(routed) => {
            let more = routed.more();
            routing.routes.extend(routed.routes.iter().map(|it| (it.id.clone(), None)));
            routing.backends.extend(routed.own.iter().map(|it| (it.id.clone(), None)));
            routing.transports.extend(more.transports.iter().map(|it| (it.id.clone(), None)));
            routing.filters.extend(more.filters.iter().map(|it| (it.id.clone(), None)));
            let policies = more.policies.iter();
            routing.tls_policies.extend(policies.map(|it| (it.id.clone(), None)));
        }
        Row::NginxSettings(terms) => {
            routing.filters.extend(terms.filters.iter().map(|it| (it.id.clone(), None)));
            let policies = terms.settings.handshakes.iter().map(|it| &it.policy);
            routing.tls_policies.extend(policies.map(|it| (it.id.clone(), None)));
        }
        Row::Sockets(all) => {
            routing.entry_points.extend(all.points.iter().map(|it| (it.id.clone(), None)));
            routing.listeners.extend(all.listeners.iter().map(|it| (it.id.clone(), None)));
        }
        Row::Backend(node) => routing.backends.push((node.id.clone(), None)),
        Row::EndpointSet(set) => routing.endpoint_sets.push((set.id.clone(), None)),
        Row::Material(Ok(it)) => routing.certificates.push((it.id.clone(), None)),
        Row::Policy(it) => routing.tls_policies.push((it.id.clone(), None)),
        _ => {}
    }
}

/// Both, one after the other.
fn merged(mut first: RoutingDelta, then: RoutingDelta) -> RoutingDelta {
    first.entry_points.extend(then.entry_points);
    first.listeners.extend(then.listeners);
    first.routes.extend(then.routes);
    first.backends.extend(then.backends);
    first.endpoint_sets.extend(then.endpoint_sets);
    first.certificates.extend(then.certificates);
    first.transports.extend(then.transports);
    first.tls_policies.extend(then.tls_policies);
    first.filters.extend(then.filters);
    first
}

/// Findings of the join after which an object does not count at all.
fn refuses_object(found: &Diagnostic) -> bool {
    found.is_error() && codes::REFUSE_OBJECT.contains(&found.code)
}

/// Joins `items`, from scratch. The diagnostics are those of the join alone.
pub fn resolve(items: &[Arc<Item>], options: &ResolveOptions) -> Snapshot {
    let mut objects: BTreeMap<Name, Vec<Item>> = BTreeMap::new();
    for item in items {
        let name = (Tag::of(item), item.object().id());
        objects.entry(name).or_default().push(Item::clone(item));
    }
    let mut joined = Joined::new(options.clone());
    for (name, items) in objects {
        joined.set(&name, Some(items.into()), false);
    }
    joined.run();
    let retold = joined.settle();
    let said = retold.iter().flat_map(|cell| joined.said(cell)).cloned();
    let mut snapshot = joined.snapshot.clone();
    snapshot.diagnostics = said.collect();
    joined.known.suggest(&mut snapshot.diagnostics);
    snapshot
}
