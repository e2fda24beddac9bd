//! Routes: whose they are, which Services they lead to, and which of two equal ones is served.

mod asked;
mod backend;
mod class;
mod clients;
mod elsewhere;
mod entry_points;
mod exposed;
pub(super) mod held;
mod location;
mod manner;
mod origin;
mod parts;
mod password;
mod redirections;
mod routers;
mod sockets;
mod sticky;
mod streams;
mod transports;
mod users;

use std::sync::Arc;

use steelyard_model::routing::backend::{Internal, RefusalReason};
use steelyard_model::routing::filter::Use;
use steelyard_model::routing::id::{BackendId, ListenerId, RouteId};
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::observability::Observability;
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::route::{Destination, Manner, Route, RouteKind};
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::transport::OriginScheme;
use steelyard_model::{
    ClassReading, Diagnostic, NamespacedName, Protocol, Provenance, RouteDraft, RouteSet, Severity,
};

use super::Reads;
use super::cell::Cell;
use super::row::{Class, ReadSet, Routed, Row};
use super::tls;
use crate::codes;
use crate::options::ResolveOptions;
use backend::{Join, ServiceTerms};
use entry_points::EntryPoints;
use location::{Joinery, Location, is_of_hosts, suffixed};
use origin::OriginTerms;

pub(super) use class::{is_class_of_nginx, judge, may_be_of_nginx};
pub(crate) use entry_points::{sockets, to_tls};
pub(crate) use exposed::exposed;
pub(crate) use location::for_nobody;
pub(super) use location::{
    asked, asked_of_all, common_terms, forbidden, hosts_of_clients, hosts_of_expressions,
    inspection, is_looked_at, is_of_path, left_out, link_hosts, not_plain, rules_of_canaries,
    suspicious,
};
pub(crate) use origin::known as known_transports;
pub(super) use parts::{endpoints, leaf, named_set};
pub(crate) use redirections::redirections;
use routers::characters;
pub(super) use routers::{described, filters, guarded, routers};
pub(super) use sockets::all as all_sockets;
pub(super) use streams::{drafts as drafts_of_streams, routes as routes_of_streams};
pub(super) use transports::transport;

/// Every Service that a set names.
pub(super) fn named<'s>(read: &ReadSet<'s>) -> impl Iterator<Item = &'s NamespacedName> {
    read.routes().iter().filter_map(|route| route.backend.as_ref()).map(|backend| &backend.service)
}

/// What the routes of a set want to take, each with the index of its draft and what must hold.
pub(super) fn slots<'s>(
    read: &ReadSet<'s>,
    options: &ResolveOptions,
) -> impl Iterator<Item = (usize, ListenerId, Arc<Rule>)> + use<'s> {
    let listeners = EntryPoints::new(&options.entry_points).listeners(read);
    let (read, by_bytes) = (*read, manner::by_bytes(options));
    let drafts = read.routes().iter().enumerate().filter(move |(_, it)| !is_of_hosts(it, &read));
    drafts.flat_map(move |(index, draft)| {
        let rule = manner::rule(draft, &read, by_bytes);
        let each = listeners.clone().into_iter();
        each.map(move |listener| (index, listener, rule.clone()))
    })
}

/// The routes of one object, and what is behind them.
fn routed(
    id: &NamespacedName,
    reads: &mut Reads<'_>,
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Row> {
    let row = reads.row(&Cell::Set(id.clone())).filter(|row| matches!(row, Row::Set(..)))?;
    let read = row.set();
    let balanced = location::balanced(&read, reads);
    let read = ReadSet { reading: balanced.as_ref().unwrap_or(read.reading), ..read };
    let routed = joined(id, read, reads, options, diagnostics);
    Some(routed.row())
}

/// The same, as `read` has it.
fn joined(
    id: &NamespacedName,
    read: ReadSet<'_>,
    reads: &mut Reads<'_>,
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Routed {
    let entry_points = EntryPoints::new(&options.entry_points);
    entry_points.judge(&read, diagnostics);
    tls::report(&read.set.tls_secrets, reads, diagnostics);
    let listeners = entry_points.tried(&read, &options.nginx.entry_points);
    let passing_on = entry_points.passed_on(&read, &options.nginx);
    let origin = &OriginTerms::new(&read, reads, diagnostics);
    let (owner, filters) = (id.to_string(), &read.reading.filters);
    let passed = routers::passed_by(filters, &owner, options, reads, diagnostics);
    let mut routed = Routed::default();
    let mut joinery = Joinery { options, reads, routed: &mut routed, diagnostics };
    let location = Location::new(&read, &mut joinery);
    location::tell_of_others(&read, options, reads, (&mut routed, diagnostics));
    clients::define(&read, reads, diagnostics, &mut routed);
    let password = password::password(&read, reads, diagnostics);
    routed.filters.extend(password.iter().flatten().cloned());
    let roots = location::roots(&read, &listeners, &options.nginx, reads);
    let own = read.routes().iter().enumerate().map(|(index, draft)| (Some(index), draft));
    for (index, draft) in own.chain(roots.iter().map(|draft| (None, draft))) {
        let at = (&*listeners, reads as &mut Reads<'_>);
        let free = free(id, (&read, index), at, options, diagnostics);
        if free.is_empty() {
            continue;
        }
        let terms = service_terms(&read, &location, options);
        let mut join = Join { protocol: Protocol::Tcp, reads, origin, terms, diagnostics };
        let at = (&mut join, &mut routed);
        let pages = location::pages(&location, draft, &read, &options.nginx, at);
        let is_nobodys = index.is_none() && draft.backend.is_none();
        let at = (&mut join, &mut routed);
        let backend = backend_of(draft, &read, is_nobodys, options, at);
        let inner = passed_within(draft, &read, &mut join, options);
        let (path, unread) = location::expressed(draft, &read, join.reads, join.diagnostics);
        let own = password.as_ref().err().or(location.refusal.as_ref()).or(unread.as_ref());
        let why = passed.1.as_ref().or(inner.1.as_ref()).or(own);
        let backend = match why.filter(|_| !is_refused(&backend, draft)) {
            Some(why) => routed.refuse(&draft.id, &draft.place, why.clone(), Some(backend)),
            None => backend,
        };
        let mut http = route(draft, &read, free, backend, options);
        let asked = password.iter().flatten().map(|it| Use::of(&owner, &it.id, &it.filter)).next();
        let is_denied = why.is_some() || read.refusal().is_some();
        let at = (&mut *join.reads, &mut routed);
        http.uses = location.uses(&read, draft, (pages, asked, is_denied), at);
        http.timeouts = location.timeouts(&read);
        location::express(draft, path, &mut http);
        http.rank.specific.is_fallback |= index.is_none();
        http.uses.extend(is_nobodys.then(location::nothing));
        http.uses.extend(own_of(draft, &passed.0, &owner).chain(inner.0));
        if let Some(names) = draft.passed_on().filter(|_| !passing_on.is_empty()) {
            let id = passed_on_id(&draft.id);
            let to = join.passed_on(draft, &read, &id, &mut routed);
            routed.routes.push(Arc::new(passed_on(&http, id, (names, &passing_on), to)));
        }
        let points = (&entry_points, options);
        let secure = as_asked(draft, &read, &mut http, points, (&mut join, &mut routed));
        for http in secure.into_iter().chain([http]) {
            let named = location.named(http, draft, &read, join.reads);
            put(named, &mut routed);
        }
    }
    routed.routes.extend(location.leading(&read, &listeners, reads).into_iter().map(Arc::new));
    routed
}

/// What all routes of `owner` pass, as one of them does: each is a router by itself to Traefik, and
/// counts by itself.
fn own_of(draft: &RouteDraft, passed: &[Use], owner: &str) -> impl Iterator<Item = Use> {
    passed.iter().map(move |it| it.by(owner, draft.id.as_str()))
}

/// Puts routes into `routed`, with what answers where it is not decided that one is meant.
fn put(mut routes: Vec<Route>, routed: &mut Routed) {
    routes.iter_mut().for_each(|it| location::decide(it, &mut routed.filters));
    routed.routes.extend(routes.into_iter().map(Arc::new));
}

/// Where the requests of a draft go. Nobody is there for what no rule has.
fn backend_of(
    draft: &RouteDraft,
    read: &ReadSet<'_>,
    is_nobodys: bool,
    options: &ResolveOptions,
    (join, routed): (&mut Join<'_, '_>, &mut Routed),
) -> BackendId {
    if is_nobodys {
        return Internal::Noop.into();
    }
    let backend = join.backend(draft, read, routed);
    if is_refused(&backend, draft) {
        return backend;
    }
    let backend = location::beside_canary(draft, read, backend, (join, routed));
    location::mirrored((draft, "mirror"), read, backend, options, (join, routed))
}

/// The listeners at which nobody older has the rule of a route; who has it otherwise is said. What
/// no rule has takes none.
fn free(
    id: &NamespacedName,
    (read, index): (&ReadSet<'_>, Option<usize>),
    (listeners, reads): (&[ListenerId], &mut Reads<'_>),
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<ListenerId> {
    let Some(index) = index else { return listeners.to_vec() };
    let (mut free, mut older) = (Vec::new(), None);
    for listener in listeners {
        match older_claim(id, (read, index), listener, reads, options) {
            Some(place) => older = Some(place),
            None => free.push(listener.clone()),
        }
    }
    diagnostics.extend(older.map(|older| duplicate(&read.routes()[index], &older)));
    free
}

/// What requests pass on their way to the Service of a route, or why it is closed.
fn passed_within(
    draft: &RouteDraft,
    read: &ReadSet<'_>,
    join: &mut Join<'_, '_>,
    options: &ResolveOptions,
) -> (Vec<Use>, Option<RefusalReason>) {
    let filters = join.on_the_way(draft, read);
    let Some(to) = draft.backend.as_ref().filter(|_| !filters.is_empty()) else {
        return Default::default();
    };
    // Who counts by it counts all that goes to the Service.
    let owner = format!("{}#service", to.service);
    routers::passed_by(&filters, &owner, options, join.reads, join.diagnostics)
}

/// Whether nothing is behind the backend of a route already.
fn is_refused(backend: &BackendId, draft: &RouteDraft) -> bool {
    backend.as_str().strip_prefix(draft.id.as_str()) == Some("#refused")
}

/// Of the Ingresses at an entry of an index the oldest, which takes what all of them want. It is
/// found once for all of them: each that looked at all others would make thousands of one rule, or
/// of one host, cost what squares.
pub(super) fn oldest(entry: &Cell, reads: &mut Reads<'_>) -> Option<Row> {
    let keys = reads.keys(entry);
    let rows: Vec<Row> = keys.iter().filter_map(|key| reads.row(key)).collect();
    let oldest = rows.iter().map(Row::set).min_by(|a, b| age(a.set).cmp(&age(b.set)))?;
    Some(Row::Oldest(oldest.set.object.clone()))
}

/// Who has a rule already that a draft wants at a listener: the oldest who wants it takes it.
fn older_claim(
    id: &NamespacedName,
    (read, index): (&ReadSet<'_>, usize),
    listener: &ListenerId,
    reads: &mut Reads<'_>,
    options: &ResolveOptions,
) -> Option<Provenance> {
    let draft = &read.routes()[index];
    if is_of_hosts(draft, read) {
        return None;
    }
    let rule = manner::rule(draft, read, manner::by_bytes(options));
    let first_in = |read: &ReadSet<'_>| {
        let mut wanted = slots(read, options);
        let first = wanted.find(|(_, at, wanted)| at == listener && *wanted == rule);
        first.map(|(index, ..)| (index, read.routes()[index].place.clone()))
    };
    let own = first_in(read).filter(|(first, _)| *first < index).map(|(_, place)| place);
    let claim = Cell::Claim(Arc::new((listener.clone(), rule.clone())));
    match reads.row(&claim) {
        Some(Row::Oldest(oldest)) if oldest.id() != *id => {
            let other = reads.row(&Cell::Set(oldest.id()))?;
            first_in(&other.set()).map(|(_, place)| place)
        }
        _ => own,
    }
}

/// How the Services of an Ingress are asked.
fn service_terms(
    read: &ReadSet<'_>,
    location: &Location,
    options: &ResolveOptions,
) -> ServiceTerms {
    ServiceTerms {
        lets_names: lets_names(read.class, options),
        at_address: location.asks_services(read),
        natively: options.ingress.native_lb_by_default,
        so: None,
    }
}

/// Objects without a creation time are the youngest.
fn age(set: &RouteSet) -> impl Ord + '_ {
    (set.created.is_none(), &set.created, &set.object.namespace, &set.object.name)
}

fn route(
    draft: &RouteDraft,
    read: &ReadSet<'_>,
    listeners: Vec<ListenerId>,
    backend: BackendId,
    options: &ResolveOptions,
) -> Route {
    Route {
        id: draft.id.clone(),
        place: draft.place.clone(),
        kind: RouteKind::Http,
        listeners,
        rank: manner::rank(draft, read, options),
        rule: manner::rule(draft, read, manner::by_bytes(options)),
        uses: Vec::new(),
        to: Destination::Backend(backend),
        timeouts: None,
        manner: match read.class {
            Class::Nginx => Manner::Nginx,
            Class::Traefik | Class::Steelyard | Class::Unnamed => Manner::Traefik,
        },
        tls_policy: None,
        observability: observability(read),
    }
}

/// Whether routes of a class may lead to Services that stand for names elsewhere.
fn lets_names(class: Class, options: &ResolveOptions) -> bool {
    match class {
        Class::Nginx => !options.nginx.disables_names,
        _ => options.ingress.lets_external_names(options.as_traefik),
    }
}

/// What is told of the requests of an Ingress.
fn observability(read: &ReadSet<'_>) -> Observability {
    let said = read.reading.observability;
    let is_unlogged = read.nginx().is_some_and(|it| it.is_unlogged);
    let access_logs = if is_unlogged { Some(false) } else { said.access_logs };
    Observability { access_logs, ..said }
}

/// The route over TLS of one whose endpoints are spoken to as clients have asked, where it is such:
/// `http` is the one in plain then.
fn as_asked(
    draft: &RouteDraft,
    read: &ReadSet<'_>,
    http: &mut Route,
    (entry_points, options): (&EntryPoints<'_>, &ResolveOptions),
    (join, routed): (&mut Join<'_, '_>, &mut Routed),
) -> Option<Route> {
    read.nginx().filter(|it| it.speaks_as_asked)?;
    let Destination::Backend(backend) = &http.to else { return None };
    if is_refused(backend, draft) {
        return None;
    }
    let scheme = Some(OriginScheme::SecureHttp1);
    let reading = ClassReading { scheme, ..read.reading.clone() };
    let to = join.backend(draft, &ReadSet { reading: &reading, ..*read }, routed);
    let to = location::mirrored((draft, "mirror/secure"), read, to, options, (join, routed));
    let id = suffixed(&http.id, "secure");
    let all = std::mem::take(&mut http.listeners);
    let (secure, plain) = all.into_iter().partition(|it| entry_points.is_secure(it));
    http.listeners = plain;
    Some(Route { id, listeners: secure, to: Destination::Backend(to), ..http.clone() })
}

/// The route of handshakes that are passed on, beside that of requests for the same host.
fn passed_on(
    http: &Route,
    id: RouteId,
    (names, listeners): (&HostPattern, &[ListenerId]),
    to: BackendId,
) -> Route {
    Route {
        id,
        kind: RouteKind::Tcp,
        listeners: listeners.to_vec(),
        rule: Arc::new(Rule::One(Matcher::Sni(names.clone()))),
        uses: Vec::new(),
        to: Destination::Backend(to),
        // Ahead of all else that is served by that name.
        manner: Manner::Nginx,
        ..http.clone()
    }
}

/// `default/web/0/tls@ingress` beside `default/web/0@ingress`.
fn passed_on_id(id: &RouteId) -> RouteId {
    let (name, provider) = id.as_str().rsplit_once('@').unwrap_or((id.as_str(), "ingress"));
    format!("{name}/tls@{provider}").into()
}

fn duplicate(draft: &RouteDraft, older: &Provenance) -> Diagnostic {
    let rule = &draft.rule;
    let owner = if older.object == draft.place.object {
        format!("{} of this object", older.field)
    } else {
        format!("{} ({})", older.object, older.field)
    };
    Diagnostic::at(
        Severity::Error,
        codes::ROUTE_DUPLICATE,
        &draft.place,
        format!(
            "{rule} is routed by {owner} already; that is older, or first by name, and keeps it"
        ),
        "change host or path of one of the two, or remove it",
    )
}
