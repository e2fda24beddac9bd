//! Routes, and the backends behind them, of Traefik's own kinds.
//!
//! What is named and is not there, or must not be reached this way, costs the route that leads
//! there: it is refused, so that its requests end nowhere else.

mod guarded;
mod passed;
mod plugins;
mod reached;
mod servers;
mod ways;

use std::sync::Arc;

use steelyard_model::router_draft::{
    BackendShape, LinkTarget, ObjectLink, RouterDraft, WayDraft, WayTarget,
};
use steelyard_model::routing::asked::AskedUrl;
use steelyard_model::routing::backend::{Backend, BackendNode, RefusalReason};
use steelyard_model::routing::filter::Use;
use steelyard_model::routing::filter::access::{AskedAuth, FilterTls};
use steelyard_model::routing::id::{BackendId, FilterId, ListenerId, RouteId, TlsPolicyId};
use steelyard_model::routing::route::{Destination, Manner, Route, RouteKind};
use steelyard_model::routing::tls::DEFAULT_POLICY;
use steelyard_model::{Diagnostic, Item, NamespacedName, Provenance, RouterSet, Severity};

pub(in crate::tables) use guarded::{characters, guarded};
pub(super) use passed::passed_by;

use super::class;
use super::elsewhere;
use super::entry_points::EntryPoints;
use super::manner;
use crate::codes;
use crate::options::ResolveOptions;
use crate::tables::Reads;
use crate::tables::cell::{Cell, Tag};
use crate::tables::row::{Routed, Row};
use crate::tables::tls;

/// Whose names all of this has.
const PROVIDER: &str = "kubernetescrd";

/// What becomes of a route that leads to nothing.
const UNSERVED: &str = "the route answers 503";

/// What becomes of a route of this kind that leads to nothing.
pub(super) fn unserved(kind: RouteKind) -> &'static str {
    match kind {
        RouteKind::Tcp => "its connections are closed",
        RouteKind::Udp => "its datagrams are dropped",
        _ => UNSERVED,
    }
}

/// What becomes of one of several ways that leads to nothing, whose share the others take, or that
/// is closed, so that its share is answered 503.
const NO_WAY: &str = "this way serves nobody";

/// What becomes of routes whose parent is not there.
const ORPHANED: &str = "nothing leads to these routes";

/// What becomes of handshakes by terms that are not there.
const UNHELD: &str = "no handshake is held";

/// A policy that there never is.
const NOBODY: &str = "#refused";

/// What is made of one object.
struct Maker<'r, 'a> {
    kind: RouteKind,
    options: &'r ResolveOptions,
    reads: &'r mut Reads<'a>,
    diagnostics: &'r mut Vec<Diagnostic>,
    routed: Routed,
    /// What becomes of who would go where it cannot be gone.
    so: &'static str,
}

/// Gives a filter that an Ingress's own words make the backend that stands for whom it asks, which
/// is put into `routed`; none where there is none, which was said. `id` is the filter's, and
/// `place` where it is written.
pub(super) fn ask_at(
    (auth, id, place): (&mut AskedAuth, &FilterId, &Provenance),
    options: &ResolveOptions,
    (reads, diagnostics): (&mut Reads<'_>, &mut Vec<Diagnostic>),
    routed: &mut Routed,
) -> Option<()> {
    let asked = (&auth.address, auth.tls.as_ref());
    auth.backend = backend_at(asked, (id, place), options, (reads, diagnostics), routed)?;
    Some(())
}

/// The backend that stands for who is at an URL, for a filter or what else an Ingress's own words
/// make; the same is said of it.
pub(super) fn backend_at(
    (address, tls): (&AskedUrl, Option<&FilterTls>),
    (id, place): (&FilterId, &Provenance),
    options: &ResolveOptions,
    (reads, diagnostics): (&mut Reads<'_>, &mut Vec<Diagnostic>),
    routed: &mut Routed,
) -> Option<BackendId> {
    let kind = RouteKind::Http;
    let (routed_before, so) = (std::mem::take(routed), UNSERVED);
    let mut maker = Maker { kind, options, reads, diagnostics, routed: routed_before, so };
    let backend = maker.asked_at(address, tls, id, place);
    *routed = maker.routed;
    backend
}

/// The usual terms, for who asks for TLS and names no others: these are named where those of an
/// entry point would stand in for them, which are for who asks for nothing (`http.tls.options`).
pub(super) fn usual(options: &ResolveOptions) -> Option<TlsPolicyId> {
    let stands_in = options.entry_points.iter().any(|it| it.tls_options.is_some());
    stands_in.then(|| DEFAULT_POLICY.into())
}

/// The terms that an Ingress names, by which handshakes for its hosts are held.
pub(super) fn held_by(
    named: &ObjectLink,
    options: &ResolveOptions,
    reads: &mut Reads<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<TlsPolicyId> {
    let (kind, routed, so) = (RouteKind::Http, Routed::default(), UNSERVED);
    Maker { kind, options, reads, diagnostics, routed, so }.terms(named)
}

/// The routes of one object.
pub(in crate::tables) fn routers(
    tag: Tag,
    id: &NamespacedName,
    reads: &mut Reads<'_>,
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Row> {
    let row = reads.row(&Cell::Object(tag, id.clone()))?;
    let [Item::Routers(set), ..] = row.items() else { return None };
    class::judge_routers(set, &options.crd, diagnostics)?;
    let listeners = EntryPoints::of(set.kind, &options.entry_points).of_routers(set, diagnostics);
    certificate(set, reads, diagnostics);
    let children = children(set, reads, options);
    let (kind, routed, so) = (set.kind, Routed::default(), unserved(set.kind));
    let mut maker = Maker { kind, options, reads, diagnostics, routed, so };
    set.parents.iter().for_each(|parent| maker.parent(set, parent));
    for draft in &set.routers {
        let route = maker.route(set, draft, &listeners, &children);
        maker.routed.routes.push(Arc::new(route));
    }
    Some(maker.routed.row())
}

/// What a TraefikService is.
pub(in crate::tables) fn described(
    id: &NamespacedName,
    reads: &mut Reads<'_>,
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Row> {
    let row = reads.row(&Cell::Object(Tag::TraefikService, id.clone()))?;
    let [Item::Backend(draft), ..] = row.items() else { return None };
    let kind = draft.kind;
    let (routed, so) = (Routed::default(), unserved(kind));
    let mut maker = Maker { kind, options, reads, diagnostics, routed, so };
    let field = if elsewhere::is_of_file(id) { "" } else { "spec" };
    let place = Provenance::new(&draft.object, field);
    let name = described_id(id);
    let backend = match &draft.shape {
        BackendShape::Servers(servers) => match maker.servers(servers, name.clone()) {
            Ok(_) => None,
            Err(why) => Some(Backend::Refused { status: 503, why, instead_of: None }),
        },
        shape => Some(maker.shape(id, shape)),
    };
    if let Some(backend) = backend {
        let node = BackendNode { id: name, place: Some(place), service: None, backend };
        maker.routed.own.push(Arc::new(node));
    }
    Some(maker.routed.row())
}

/// The filters that an object defines. What cannot be had of them is not there, and who uses it is
/// refused.
pub(in crate::tables) fn filters(
    tag: Tag,
    id: &NamespacedName,
    reads: &mut Reads<'_>,
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Row> {
    let row = reads.row(&Cell::Object(tag, id.clone()))?;
    let kind = if tag == Tag::MiddlewareTcp { RouteKind::Tcp } else { RouteKind::Http };
    let (routed, so) = (Routed::default(), unserved(kind));
    let mut maker = Maker { kind, options, reads, diagnostics, routed, so };
    let drafts = row.items().iter().filter_map(|item| match item {
        Item::Filter(draft) => Some(draft),
        _ => None,
    });
    for draft in drafts {
        if let Some(node) = maker.filter(draft) {
            maker.routed.filters.push(Arc::new(node));
        }
    }
    Some(maker.routed.row())
}

/// Routes of other objects that these lead to, instead of to a backend. Who may not name this one
/// is not led to: it would take what is meant for others. Nobody looks for them where each route
/// has a way of its own, as nearly all have.
fn children(set: &RouterSet, reads: &mut Reads<'_>, options: &ResolveOptions) -> Vec<RouteId> {
    let leads_on = set.routers.iter().any(|draft| draft.ways.is_empty());
    if set.kind != RouteKind::Http || !leads_on {
        return Vec::new();
    }
    let own = &set.object.namespace;
    let keys = reads.keys(&Cell::ChildrenOf(set.object.id()));
    let rows: Vec<Row> = keys.iter().filter_map(|key| reads.row(key)).collect();
    let sets = rows.iter().filter_map(|row| match row.items() {
        [Item::Routers(child), ..] => Some(child),
        _ => None,
    });
    let sets = sets.filter(|child| options.allow_cross_namespace || child.object.namespace == *own);
    sets.flat_map(|child| child.routers.iter().map(|router| router.id.clone())).collect()
}

/// Says what is wrong with the certificate of an object.
fn certificate(set: &RouterSet, reads: &mut Reads<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let named: Vec<_> = set.tls.iter().filter_map(|tls| tls.secret.clone()).collect();
    tls::report(&named, reads, diagnostics);
}

fn described_id(id: &NamespacedName) -> BackendId {
    elsewhere::backend_name(id).into()
}

/// The backend that the only one of these ways names.
fn named(ways: &[WayDraft]) -> Option<BackendId> {
    let [WayDraft { to: WayTarget::Backend(link), .. }] = ways else { return None };
    Some(match link {
        LinkTarget::Object(id) => described_id(id),
        LinkTarget::Provided(name) => BackendId::from(&**name),
    })
}

impl Maker<'_, '_> {
    fn route(
        &mut self,
        set: &RouterSet,
        draft: &RouterDraft,
        listeners: &[ListenerId],
        children: &[RouteId],
    ) -> Route {
        let leads_on = draft.ways.is_empty() && !children.is_empty();
        let (mut uses, closed) = self.passed(&draft.filters, draft.id.as_str());
        let refusal = draft.refusal.clone().or(closed);
        let to = match refusal {
            None if leads_on => Destination::Routes(children.to_vec()),
            Some(why) if leads_on => {
                Destination::Backend(self.routed.refuse(&draft.id, &draft.place, why, None))
            }
            refusal => Destination::Backend(self.backend(draft, refusal, &mut uses)),
        };
        Route {
            id: draft.id.clone(),
            place: draft.place.clone(),
            kind: set.kind,
            // A child is asked by its parents alone.
            listeners: if set.parents.is_empty() { listeners.to_vec() } else { Vec::new() },
            rank: manner::placed(draft.rank.clone(), &self.options.precedence),
            rule: draft.rule.clone(),
            uses,
            to,
            timeouts: None,
            manner: Manner::Traefik,
            tls_policy: set.tls.as_ref().and_then(|tls| match &tls.options {
                Some(named) => self.terms(named),
                None => usual(self.options),
            }),
            observability: draft.observability,
        }
    }

    /// Says of a parent that does not lead here.
    fn parent(&mut self, set: &RouterSet, link: &ObjectLink) {
        let id = match &link.to {
            LinkTarget::Object(id) => id,
            LinkTarget::Provided(name) => {
                self.unprovided(name, &link.place, ORPHANED, "name one of this provider");
                return;
            }
        };
        if self.may_name(id, &link.place).is_err() {
            return;
        }
        let row = self.reads.row(&Cell::Object(Tag::IngressRoute, id.clone()));
        let Some(row) = row else {
            self.absent("IngressRoute", id, &link.place, ORPHANED);
            return;
        };
        let [Item::Routers(parent), ..] = row.items() else { return };
        let why = if set.object.id() == *id {
            "it is its own parent"
        } else if !parent.routers.is_empty() && parent.routers.iter().all(|it| !it.ways.is_empty())
        {
            "its parent has services of its own, and leads there alone"
        } else {
            return;
        };
        let message = format!("{why}: {ORPHANED}");
        let help =
            "name one without services for a parent, or take the services away from this one's";
        let code = codes::PARENT_LEADS_NOWHERE;
        self.diagnostics.push(Diagnostic::at(Severity::Error, code, &link.place, message, help));
    }

    /// The backend of a route.
    fn backend(
        &mut self,
        draft: &RouterDraft,
        refusal: Option<RefusalReason>,
        uses: &mut Vec<Use>,
    ) -> BackendId {
        let to = match draft.ways.as_slice() {
            [] => Err(self.nobody(draft)),
            [way] => self.only(way, draft, uses),
            ways => Ok(self.shared(draft, ways)),
        };
        match (to, refusal) {
            (Ok(id), None) => id,
            (to, refusal) => {
                let (instead, why) = match to {
                    Ok(id) => (Some(id), None),
                    // What is not there is told by the name that is written.
                    Err(why) => (named(&draft.ways), Some(why)),
                };
                let why = refusal.or(why);
                let why = why.unwrap_or_else(|| RefusalReason::Reference(draft.place.clone()));
                self.routed.refuse(&draft.id, &draft.place, why, instead)
            }
        }
    }

    /// Where the only way of a route leads: what it has of its own is called as the route is.
    /// What it alone is passed on the way is passed inside of all that the route has.
    fn only(
        &mut self,
        way: &WayDraft,
        draft: &RouterDraft,
        uses: &mut Vec<Use>,
    ) -> Result<BackendId, RefusalReason> {
        let (inner, closed) = self.passed_on(way, draft.id.as_str(), true);
        uses.extend(inner);
        if let Some(why) = closed {
            return Err(why);
        }
        match &way.to {
            WayTarget::Servers(servers) => self.servers(servers, (&draft.id).into()),
            _ => self.way(way, draft.id.as_str()),
        }
    }

    fn nobody(&mut self, draft: &RouterDraft) -> RefusalReason {
        let is_of_file = elsewhere::is_of_file(&draft.place.object.id());
        let place = field(&draft.place, if is_of_file { "service" } else { "services" });
        self.diagnostics.push(Diagnostic::at(
            Severity::Error,
            codes::ROUTE_WITHOUT_BACKEND,
            &place,
            format!(
                "the route leads to no Service, and no route has its object for a parent: {}",
                self.so
            ),
            "name a Service and its port",
        ));
        RefusalReason::Reference(place)
    }

    /// One of several ways, each with a share.
    fn shared(&mut self, draft: &RouterDraft, ways: &[WayDraft]) -> BackendId {
        let id = BackendId::from(&draft.id);
        let edges = self.edges(ways, id.as_str());
        self.describe(id.clone(), &draft.place, Backend::Weighted { edges, sticky: None });
        id
    }

    /// The terms of handshakes that an object names. Those that are not there are held by nobody.
    fn terms(&mut self, options: &ObjectLink) -> Option<TlsPolicyId> {
        match &options.to {
            LinkTarget::Provided(name) if **name == *DEFAULT_POLICY => usual(self.options),
            LinkTarget::Provided(name) => {
                if self.may_name_provided(name, &options.place).is_err() {
                    return Some(NOBODY.into());
                }
                // Whoever provides them, they are what holds where nothing is named.
                if tls::is_default(name) {
                    return usual(self.options);
                }
                self.provided_terms(name, &options.place, UNHELD)
            }
            LinkTarget::Object(id) => {
                if self.may_name(id, &options.place).is_err() {
                    return Some(NOBODY.into());
                }
                if self.reads.row(&Cell::Object(Tag::TlsOption, id.clone())).is_none() {
                    self.absent("TLSOption", id, &options.place, UNHELD);
                } else if tls::is_default(&id.name) {
                    return usual(self.options);
                }
                Some(match elsewhere::is_of_file(id) {
                    true => (&*id.name).into(),
                    false => format!("{}-{}", id.namespace, id.name).into(),
                })
            }
        }
    }
}

/// A part of what is written at a place.
fn field(place: &Provenance, key: &str) -> Provenance {
    Provenance { object: Arc::clone(&place.object), field: place.field.key(key) }
}
