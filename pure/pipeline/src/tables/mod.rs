//! What is derived from objects, table by table (ARCHITECTURE.md, "Derivation").
//!
//! [`cell`] names the cells and has their order, [`row`] what they hold. Each other module makes
//! the rows of one table, and knows nothing of the engine but that what it reads is recorded. What
//! is derived knows nothing of "this node".
//!
//! A route whose backend is wrong is kept and answers 503, so that its requests do not end up
//! somewhere else.

mod announced;
mod backing;
mod bgp;
pub(crate) mod cell;
mod endpoints;
mod filters;
mod gateway;
mod material;
mod names;
mod policies;
mod pools;
pub(crate) mod routes;
pub(crate) mod row;
mod services;
mod subnets;
mod tls;
mod world;

use std::sync::Arc;

use steelyard_model::router_draft::WayDraft;
use steelyard_model::{Diagnostic, Item, NamespacedName, RouterSet, Service};

use crate::engine::{self, Links, Tables};
use crate::options::{GatewayServices, ResolveOptions};
use cell::{Cell, Sort, Tag, line};
use row::{Backed, Class, Items, ReadSet, RoutedRow, Row};
use world::World;

/// What is derived, and how.
#[derive(Clone)]
pub(crate) struct Join {
    pub(crate) options: ResolveOptions,
}

pub(crate) type Reads<'a> = engine::Reads<'a, Join>;

impl Tables for Join {
    type Key = Cell;
    type Row = Row;
    type Finding = Diagnostic;

    fn rank(key: &Cell) -> u8 {
        key.rank()
    }

    /// Secrets and ConfigMaps are read of a cluster by their names only.
    fn is_on_demand(key: &Cell) -> bool {
        matches!(key, Cell::Object(Tag::Secret | Tag::ConfigMap, _))
    }

    fn derive(&self, key: &Cell, reads: &mut Reads<'_>) -> Option<Row> {
        let mut diagnostics = Vec::new();
        let said = &mut diagnostics;
        let row = match key {
            Cell::AnyIn(sort, namespace) => {
                Some(Row::Flag(reads.any(&Cell::In(*sort, namespace.clone()))))
            }
            Cell::AnyAlias => Some(Row::Flag(reads.any(&Cell::Aliases))),
            Cell::DefaultClass => default_class(reads),
            Cell::Inspection => Some(routes::inspection(reads, &self.options.nginx)),
            Cell::NginxSettings => Some(routes::common_terms(reads, &self.options, said)),
            Cell::Outside(tag, id) => self.outside(*tag, id, reads, said),
            Cell::Nodes => {
                Some(Row::Nodes(self.world(&[Tag::Node], reads, |it| it.nodes()).into()))
            }
            Cell::Namespaces => {
                let namespaces = self.world(&[Tag::Namespace], reads, |it| it.namespaces());
                Some(Row::Namespaces(namespaces.into()))
            }
            Cell::Workloads => {
                let tags = [Tag::Deployment, Tag::StatefulSet, Tag::DaemonSet];
                Some(Row::Workloads(self.world(&tags, reads, |it| it.workloads()).into()))
            }
            Cell::Pools => Some(self.pools(reads, said)),
            Cell::Family => {
                let pools = announced::counting(reads);
                Some(Row::Family(endpoints::primary_family(&pools)))
            }
            Cell::Lan => Some(self.lan(reads, said)),
            Cell::Bgp => Some(self.bgp(reads, said)),
            Cell::Announced => {
                self.announced(reads, said);
                None
            }
            Cell::Set(id) => set(id, reads, &self.options, said),
            Cell::Fallback => Some(tls::fallback(reads, &self.options)),
            Cell::Policy(id) => tls::policy(id, reads, said),
            Cell::Transport(tag, id) => routes::transport(*tag, id, reads, said),
            Cell::Material(id) => tls::material(id, reads, said),
            Cell::Claim(slot) => routes::oldest(&Cell::Slot(slot.clone()), reads),
            Cell::Oldest(entry) => routes::oldest(entry, reads),
            Cell::Service(id) => services::service(id, reads, &self.options, said),
            Cell::Stands => Some(services::stands(reads)),
            Cell::Closed(id) => services::closed(id, reads, &self.options, said),
            Cell::Filter(tag, id) => routes::filters(*tag, id, reads, &self.options, said),
            Cell::Streams => routes::drafts_of_streams(reads, &self.options, said),
            Cell::StreamRoutes => routes::routes_of_streams(reads, &self.options, said),
            Cell::Sockets => Some(routes::all_sockets(reads, &self.options, said)),
            Cell::Listeners => routes::guarded(reads, &self.options, said),
            Cell::Routed(id) => routes::held::held(id, reads, &self.options, said),
            Cell::Routers(tag, id) => routes::routers(*tag, id, reads, &self.options, said),
            Cell::Described(id) => routes::described(id, reads, &self.options, said),
            Cell::Leaf(leaf) => Some(routes::leaf(leaf)),
            Cell::Endpoints(id, port, protocol) => routes::endpoints(id, (*port, *protocol), reads),
            Cell::Named(id) => routes::named_set(id, reads),
            other => panic!("{other:?} is not derived"),
        };
        reads.say(diagnostics);
        row
    }

    fn links(&self, key: &Cell, row: &Row, links: &mut Links<Cell>) {
        match (key, row) {
            (Cell::NginxSettings, Row::NginxSettings(terms)) => {
                let asked = routes::asked_of_all(&terms.settings);
                asked.for_each(|id| links.entry(Cell::LeadsTo(id)));
            }
            (Cell::Streams, Row::Streams(all)) => {
                links.cell(Cell::NginxSettings);
                let led = all.iter().map(|it| it.backend.service.clone());
                led.for_each(|id| links.entry(Cell::LeadsTo(id)));
            }
            (Cell::Fallback, Row::Named(named)) => {
                named.iter().for_each(|it| links.cell(Cell::Material(NamespacedName::clone(it))));
            }
            (Cell::Object(tag, id), Row::Object(items, _)) => {
                items.iter().for_each(|item| self.link(*tag, id, item, links));
            }
            (Cell::Set(id), Row::Set(..)) => {
                links.cell(Cell::Routed(id.clone()));
                let set = row.set();
                let secrets = set.set.tls_secrets.iter();
                secrets.for_each(|it| links.cell(Cell::Material(it.secret.clone())));
                routes::named(&set).for_each(|id| links.entry(Cell::LeadsTo(id.clone())));
                routes::asked(&set).for_each(|id| links.entry(Cell::LeadsTo(id)));
                for rule in routes::rules_of_canaries(&set) {
                    links.entry(Cell::Canaries(rule.clone()));
                }
                for host in routes::hosts_of_expressions(&set) {
                    links.entry(Cell::Expressions(host.clone()));
                }
                routes::link_hosts(&set, links);
                set.speaks_nginx().then(|| links.cell(Cell::NginxSettings));
                for host in routes::hosts_of_clients(&set) {
                    links.entry(Cell::Clients(host));
                }
                for (_, listener, rule) in routes::slots(&set, &self.options) {
                    let slot = Arc::new((listener, rule));
                    links.entry(Cell::Slot(slot.clone()));
                    links.cell(Cell::Claim(slot));
                }
            }
            (
                Cell::Routed(_)
                | Cell::Routers(..)
                | Cell::Described(_)
                | Cell::Filter(..)
                | Cell::StreamRoutes,
                Row::Routed(routed),
            ) => {
                lead(routed, links);
            }
            (Cell::Service(_), Row::Service(Backed { service, .. }))
                if services::is_gateway(service) =>
            {
                links.entry(Cell::Gateways);
            }
            _ => {}
        }
    }
}

impl Join {
    /// What hangs on there being an object.
    fn link(&self, tag: Tag, id: &NamespacedName, item: &Item, links: &mut Links<Cell>) {
        let namespace = &id.namespace;
        match item {
            Item::Service(service) => link_service(service, id, links),
            Item::Pod(pod) => labelled(Sort::Pods, namespace, &pod.labels, links),
            Item::Workload(workload) => {
                labelled(Sort::Workloads, namespace, &workload.labels, links);
                links.entry(Cell::Of(tag));
            }
            Item::EndpointSlice(slice) => {
                links.entry(Cell::Slices(Tag::of(item), slice.service.clone()));
                links.entry(Cell::In(Sort::Slices, slice.service.namespace.clone()));
            }
            Item::NetworkPolicy(_) => links.entry(Cell::In(Sort::Policies, namespace.clone())),
            Item::Routes(set) => {
                links.cell(Cell::Set(id.clone()));
                inspected(routes::may_be_of_nginx(set, &self.options.nginx), links);
            }
            Item::Routers(set) => {
                links.cell(Cell::Routers(tag, id.clone()));
                link_routers(set, links);
            }
            Item::Backend(backend) => {
                links.cell(Cell::Described(id.clone()));
                known_as(tag, id, links);
                backend.ways().into_iter().for_each(|way| leads_to(way, links));
            }
            Item::Policy(_) => {
                links.cell(Cell::Policy(id.clone()));
                known_as(tag, id, links);
                let is_default = tls::is_default(&id.name);
                is_default.then(|| links.entry(Cell::DefaultPolicies));
            }
            Item::Store(store) => {
                links.entry(Cell::Of(tag));
                let named = store.default.iter().chain(&store.others);
                named.for_each(|it| links.cell(Cell::Material(it.secret.clone())));
            }
            Item::Transport(_) => spoken_by(tag, id, links),
            Item::Filter(draft) => {
                links.cell(Cell::Filter(tag, id.clone()));
                filters::link(draft, links);
            }
            Item::Material(_) => links.cell(Cell::Material(id.clone())),
            Item::Secret(_) | Item::ConfigMap { .. } | Item::File(_) => {}
            Item::IngressClass(class) => {
                links.entry(Cell::Of(tag));
                inspected(routes::is_class_of_nginx(class, &self.options.nginx), links);
            }
            Item::Node(_)
            | Item::Namespace { .. }
            | Item::Pool(_)
            | Item::L2Advertisement(_)
            | Item::BgpAdvertisement(_)
            | Item::BgpPeer(_)
            | Item::BfdProfile(_)
            | Item::Communities(_) => {
                links.entry(Cell::Of(tag));
                let only = self.options.config_namespace.as_ref();
                if tag.is_of_metallb() && only.is_some_and(|only| **only != **namespace) {
                    links.cell(Cell::Outside(tag, id.clone()));
                }
            }
        }
    }

    /// What `make` makes of all objects of a few kinds.
    fn world<R>(
        &self,
        tags: &[Tag],
        reads: &mut Reads<'_>,
        make: impl FnOnce(&World<'_>) -> R,
    ) -> R {
        let rows = all_of(tags, reads);
        make(&self.world_of(&rows))
    }

    fn world_of<'a>(&self, rows: &'a [Items]) -> World<'a> {
        let only = self.options.config_namespace.as_deref();
        World::new(rows.iter().flat_map(|items| items.iter()), only)
    }

    fn outside(
        &self,
        tag: Tag,
        id: &NamespacedName,
        reads: &mut Reads<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Row> {
        let row = reads.row(&Cell::Object(tag, id.clone()))?;
        let only = self.options.config_namespace.as_deref()?;
        let objects = row.items().iter().map(Item::object);
        diagnostics.extend(objects.map(|object| world::outside(object, only)));
        None
    }
}

/// What is there because routes lead to it.
fn lead(routed: &RoutedRow, links: &mut Links<Cell>) {
    routed.leaves.iter().for_each(|leaf| links.cell(Cell::Leaf(leaf.clone())));
    for (id, port, protocol) in &routed.ports {
        links.cell(Cell::Endpoints(id.clone(), *port, *protocol));
    }
    for set in &routed.more().written {
        links.entry(Cell::NamedBy(set.id.clone()));
        links.cell(Cell::Named(set.id.clone()));
    }
}

fn link_service(service: &Service, id: &NamespacedName, links: &mut Links<Cell>) {
    links.cell(Cell::Service(id.clone()));
    links.cell(Cell::Closed(id.clone()));
    for sort in [Sort::Pods, Sort::Workloads, Sort::Policies, Sort::Slices] {
        links.cell(Cell::AnyIn(sort, id.namespace.clone()));
    }
    if let Some(other) = service.stands_for() {
        links.entry(Cell::AliasesOf(other));
        links.entry(Cell::Aliases);
    }
}

/// Where there may be Ingresses in words of ingress-nginx, it is known what they may have.
fn inspected(may_be: bool, links: &mut Links<Cell>) {
    may_be.then(|| links.cell(Cell::Inspection));
}

fn spoken_by(tag: Tag, id: &NamespacedName, links: &mut Links<Cell>) {
    links.cell(Cell::Transport(tag, id.clone()));
    known_as(tag, id, links);
}

/// What objects of Traefik's kinds are called by those of other providers.
fn known_as(tag: Tag, id: &NamespacedName, links: &mut Links<Cell>) {
    if !id.name.ends_with(steelyard_manifest::FILE_PROVIDER) {
        links.entry(Cell::KnownAs(tag, format!("{}-{}", id.namespace, id.name).into()));
    }
}

/// What hangs on routes of Traefik's kinds.
fn link_routers(set: &RouterSet, links: &mut Links<Cell>) {
    let secrets = set.tls.iter().filter_map(|tls| tls.secret.as_ref());
    secrets.for_each(|it| links.cell(Cell::Material(it.secret.clone())));
    let parents = set.parents.iter().filter_map(|parent| parent.to.object());
    parents.for_each(|it| links.entry(Cell::ChildrenOf(it.clone())));
    let ways = set.routers.iter().flat_map(|router| &router.ways);
    ways.for_each(|way| leads_to(way, links));
}

fn leads_to(way: &WayDraft, links: &mut Links<Cell>) {
    way.service().into_iter().for_each(|it| links.entry(Cell::LeadsTo(it.service.clone())));
}

fn labelled(
    sort: Sort,
    namespace: &Arc<str>,
    labels: &steelyard_model::Labels,
    links: &mut Links<Cell>,
) {
    links.entry(Cell::In(sort, namespace.clone()));
    for (key, value) in labels {
        links.entry(Cell::Labelled(sort, namespace.clone(), line(key, value)));
    }
}

/// What all objects of a few kinds became.
fn all_of(tags: &[Tag], reads: &mut Reads<'_>) -> Vec<Items> {
    let rows = tags.iter().flat_map(|tag| reads.rows(&Cell::Of(*tag)));
    let items = rows.map(|row| match row {
        Row::Object(items, _) => items,
        other => panic!("{other:?} is no object"),
    });
    items.collect()
}

/// The first IngressClass, by name, that says it is for those who name none.
fn default_class(reads: &mut Reads<'_>) -> Option<Row> {
    let classes = all_of(&[Tag::IngressClass], reads);
    let default = classes.iter().flat_map(|items| items.iter()).find_map(|item| match item {
        Item::IngressClass(class) if class.is_default => Some(class.object.name.clone()),
        _ => None,
    });
    default.map(Row::Class)
}

/// An Ingress that is ours.
fn set(
    id: &NamespacedName,
    reads: &mut Reads<'_>,
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Row> {
    let Row::Object(items, _) = reads.row(&Cell::Object(Tag::Routes, id.clone()))? else {
        return None;
    };
    let Item::Routes(set) = items.first()? else { return None };
    let default = |reads: &mut Reads<'_>| match reads.row(&Cell::DefaultClass) {
        Some(Row::Class(name)) => Some(name),
        _ => None,
    };
    let is_unnamed = set.class.is_none() && options.ingress.looks_up_classes();
    let default = is_unnamed.then(|| default(reads)).flatten();
    let object = |name: &str| match reads.row(&cluster_object(Tag::IngressClass, name))?.items() {
        [Item::IngressClass(class), ..] => Some((**class).clone()),
        _ => None,
    };
    let flags = (&options.ingress, &options.nginx);
    let class = routes::judge(set, default, object, flags, diagnostics)?;
    if class == Class::Nginx && !routes::is_looked_at(set, reads, &options.nginx) {
        return None;
    }
    let read = ReadSet::new(set, class);
    let forbidden = routes::forbidden(&read, reads);
    if let Some((found, why)) = forbidden.or_else(|| routes::suspicious(&read)) {
        diagnostics.push(found);
        return Some(Row::LeftOut(routes::left_out(&read, &why)));
    }
    diagnostics.extend(routes::not_plain(&read, reads));
    // Of paths it is said where it is known what other Ingresses make of them.
    let said = read.reading.said.iter().filter(|it| !routes::is_of_path(it));
    diagnostics.extend(said.cloned());
    Some(Row::Set(items, class))
}

/// An object that has no namespace.
fn cluster_object(tag: Tag, name: &str) -> Cell {
    Cell::Object(tag, NamespacedName::new("", name))
}
