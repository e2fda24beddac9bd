//! Routes in ingress-nginx's manner: what an Ingress's own words make its requests pass, and paths
//! that are regular expressions, by hosts.

use std::cmp::Reverse;
use std::sync::Arc;

use steelyard_model::routing::backend::{Backend, BackendNode, Edge};
use steelyard_model::routing::filter::{FilterNode, Use};
use steelyard_model::routing::id::{BackendId, FilterId};
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::{Expression, HostPattern, PathPattern, PathShape};
use steelyard_model::routing::rank::PathSpecificity;
use steelyard_model::routing::route::Route;
use steelyard_model::routing::rule::Rule;
use steelyard_model::{ClassReading, NamespacedName, OwnFilter, PassPhase, RouteDraft};

use super::backend::Join;
use super::{age, is_refused};
use crate::tables::Reads;
use crate::tables::cell::Cell;
use crate::tables::row::{ReadSet, Routed, Row};

/// Hosts all of whose paths are expressions, by the word of an Ingress.
pub(in crate::tables) fn hosts_of_expressions<'s>(
    read: &ReadSet<'s>,
) -> impl Iterator<Item = &'s HostPattern> + use<'s> {
    let is_asked = read.reading.has_expressions;
    read.routes().iter().filter(move |_| is_asked).map(|it| it.rule.host())
}

/// Puts the filters of an Ingress's own into `routed`.
pub(super) fn define(read: &ReadSet<'_>, routed: &mut Routed) {
    let own = |it: &OwnFilter| {
        let id = id(read, it);
        Arc::new(FilterNode { id, place: None, filter: it.filter.clone() })
    };
    routed.filters.extend(read.reading.passes.iter().map(own));
}

fn id(read: &ReadSet<'_>, own: &OwnFilter) -> FilterId {
    let NamespacedName { namespace, name } = read.set.object.id();
    format!("{namespace}/{name}#{}@ingress", own.name).into()
}

/// What the requests of a route pass: who asks in plain is led to TLS (`to_tls`) once redirections
/// of the location have had their say.
pub(super) fn uses(read: &ReadSet<'_>, draft: &RouteDraft, to_tls: Vec<Use>) -> Vec<Use> {
    let is_of_it = |it: &&OwnFilter| it.of.as_ref().is_none_or(|of| *of == draft.id);
    let usage = |it: &OwnFilter| {
        let id = id(read, it);
        Use { state: id.as_str().into(), filter: id }
    };
    let of = |is_before: bool| {
        let passes = read.reading.passes.iter().filter(is_of_it);
        passes.filter(move |it| (it.phase <= PassPhase::Return) == is_before).map(usage)
    };
    of(true).chain(to_tls).chain(of(false)).collect()
}

/// Has a route ask for passwords once limits and addresses have let a request in, before what is
/// sent on is made.
pub(super) fn ask(route: &mut Route, read: &ReadSet<'_>, asked: Vec<Use>) {
    let contents = read.reading.passes.iter().filter(|it| it.phase == PassPhase::Content);
    let contents: Vec<FilterId> = contents.map(|it| id(read, it)).collect();
    let at = route.uses.iter().position(|usage| contents.contains(&usage.filter));
    let at = at.unwrap_or(route.uses.len());
    route.uses.splice(at..at, asked);
}

/// What must hold for the routes of a canary.
pub(in crate::tables) fn rules_of_canaries<'s>(
    read: &ReadSet<'s>,
) -> impl Iterator<Item = &'s Arc<Rule>> + use<'s> {
    let is_canary = read.reading.canary.is_some();
    read.set.routes.iter().filter(move |_| is_canary).map(|it| &it.rule)
}

/// The backend of a route, with that of the oldest canary beside it that is for the same. One that
/// leads nowhere takes nobody away.
pub(super) fn beside_canary(
    draft: &RouteDraft,
    read: &ReadSet<'_>,
    main: BackendId,
    (join, routed): (&mut Join<'_, '_>, &mut Routed),
) -> BackendId {
    let keys = join.reads.keys(&Cell::Canaries(draft.rule.clone()));
    let rows: Vec<Row> = keys.iter().filter_map(|key| join.reads.row(key)).collect();
    let oldest = rows.iter().map(Row::set).min_by(|a, b| age(a.set).cmp(&age(b.set)));
    let Some(canary) = oldest.filter(|it| it.class == read.class) else { return main };
    let Some(asked) = canary.reading.canary.as_deref() else { return main };
    let found = canary.set.routes.iter().find(|it| it.rule == draft.rule);
    let Some(beside) = found else { return main };
    // Who was here before is known by the cookie of the main one.
    let own = canary.reading.balance.clone().or_else(|| read.reading.balance.clone());
    let reading = ClassReading { balance: own, ..canary.reading.clone() };
    let to = join.backend(beside, &ReadSet { reading: &reading, ..canary }, routed);
    if is_refused(&to, beside) {
        return main;
    }
    let edge = |backend| Edge { backend, weight: 1, uses: Vec::new() };
    let id = BackendId::from(format!("{}#canary", draft.id));
    let (by, affinity) = (Box::new(asked.by.clone()), asked.affinity);
    let (main, canary) = (edge(main), Box::new(edge(to)));
    let backend = Backend::Canary { main, canary, by, affinity };
    let place = Some(draft.place.clone());
    routed.own.push(Arc::new(BackendNode { id: id.clone(), place, service: None, backend }));
    id
}

/// Makes an expression of the path of a route, where its host has such: it is found from the begin
/// of the decoded path, in any case, and the longest text of all is tried first.
pub(super) fn express(draft: &RouteDraft, reads: &mut Reads<'_>, route: &mut Route) {
    let host = draft.rule.host();
    if draft.rank.specific.is_fallback || !reads.any(&Cell::Expressions(host.clone())) {
        return;
    }
    let written = draft.written();
    let Ok(expression) = Expression::new(&format!("(?i)^{written}")) else { return };
    let pattern = PathPattern::decoded(PathShape::Regex(expression));
    let path = Rule::One(Matcher::Path(pattern));
    route.rule = Arc::new(Rule::All(match host {
        HostPattern::Any => vec![path],
        host => vec![Rule::One(Matcher::Host(host.clone())), path],
    }));
    let length = u16::try_from(written.len()).unwrap_or(u16::MAX);
    route.rank.specific.path = PathSpecificity::Length(Reverse(length));
}
