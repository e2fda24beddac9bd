//! Routes in ingress-nginx's manner: what an Ingress's own words make its requests pass, and paths
//! that are regular expressions, by hosts.

use std::cmp::Reverse;
use std::ops::RangeInclusive;
use std::sync::Arc;

use steelyard_model::routing::asked::AskedUrl;
use steelyard_model::routing::backend::{Backend, BackendNode, Edge, RefusalReason};
use steelyard_model::routing::filter::nginx::NginxStep;
use steelyard_model::routing::filter::{Filter, FilterNode, Use};
use steelyard_model::routing::id::{BackendId, FilterId};
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::{Expression, HostPattern, PathPattern, PathShape};
use steelyard_model::routing::rank::PathSpecificity;
use steelyard_model::routing::route::Route;
use steelyard_model::routing::rule::Rule;
use steelyard_model::{
    ClassReading, Diagnostic, NamespacedName, OwnFilter, PassPhase, Provenance, RouteDraft,
};

use super::backend::Join;
use super::{age, entry_points, is_refused, routers};
use crate::options::ResolveOptions;
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

/// Puts the filters of an Ingress's own into `routed`, with the backends that they ask; else why
/// its routes are closed.
pub(super) fn define(
    read: &ReadSet<'_>,
    reads: &mut Reads<'_>,
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> (Routed, Option<RefusalReason>) {
    let (mut routed, mut closed) = (Routed::default(), None);
    for own in &read.reading.passes {
        let id = id(read, &own.name);
        let mut filter = own.filter.clone();
        if let Filter::ForwardAuth(auth) = &mut filter {
            let place = Provenance::new(&read.set.object, "metadata.annotations");
            let at = (&mut **auth, &id, &place);
            if routers::ask_at(at, options, (reads, diagnostics), &mut routed).is_none() {
                closed.get_or_insert(RefusalReason::Filter(place));
                continue;
            }
        }
        routed.filters.push(Arc::new(FilterNode { id, place: None, filter }));
    }
    (routed, closed)
}

fn id(read: &ReadSet<'_>, name: &str) -> FilterId {
    let NamespacedName { namespace, name: object } = read.set.object.id();
    format!("{namespace}/{object}#{name}@ingress").into()
}

/// What the requests of a route pass: who asks in plain is led to TLS (`to_tls`) once redirections
/// of the location have had their say, and is asked for a password once limits have let him in.
/// Certificate challenges are answered to everybody, unless addresses keep him out.
pub(super) fn uses(
    read: &ReadSet<'_>,
    draft: &RouteDraft,
    to_tls: Vec<Use>,
    password: Option<Use>,
    routed: &mut Routed,
) -> Vec<Use> {
    let is_open = entry_points::is_of_challenges(draft);
    let of = |phases: RangeInclusive<PassPhase>| {
        let is_of_it = |it: &&OwnFilter| it.of.as_ref().is_none_or(|of| *of == draft.id);
        let passes = read.reading.passes.iter().filter(is_of_it);
        passes.filter(move |it| phases.contains(&it.phase))
    };
    let usage = |it: &OwnFilter| usage(id(read, &it.name));
    let is_denied = |it: &OwnFilter| matches!(&it.filter, Filter::Nginx(step) if matches!(**step, NginxStep::Deny(_)));
    let mut access: Vec<(Use, bool)> =
        of(PassPhase::Access..=PassPhase::Access).map(|it| (usage(it), is_denied(it))).collect();
    if !is_open {
        access.extend(password.map(|it| (it, false)));
        access.extend(of(PassPhase::Asked..=PassPhase::Asked).map(|it| (usage(it), false)));
    }
    let access = match read.reading.satisfies_any && access.len() > 1 {
        true => vec![any_of(read, draft, access, routed)],
        false => access.into_iter().map(|(usage, _)| usage).collect(),
    };
    let before = of(PassPhase::Around..=PassPhase::Return).map(usage);
    let limits = of(PassPhase::Limit..=PassPhase::Limit).map(usage);
    let contents = of(PassPhase::Content..=PassPhase::Content).map(usage);
    before.chain(to_tls).chain(limits).chain(access).chain(contents).collect()
}

/// One of several ways to pass (`satisfy: any`). Who is only not kept out by his address has not
/// passed by that, and who passes otherwise is let in whatever it is, as nginx has it.
fn any_of(
    read: &ReadSet<'_>,
    draft: &RouteDraft,
    access: Vec<(Use, bool)>,
    routed: &mut Routed,
) -> Use {
    let members: Vec<FilterId> =
        access.into_iter().filter(|(_, is_denied)| !is_denied).map(|(it, _)| it.filter).collect();
    let index = read.routes().iter().position(|it| it.id == draft.id).unwrap_or_default();
    let id = id(read, &format!("satisfy/{index}"));
    let (place, filter) = (None, Filter::AnyOf(members));
    routed.filters.push(Arc::new(FilterNode { id: id.clone(), place, filter }));
    usage(id)
}

fn usage(id: FilterId) -> Use {
    Use { state: id.as_str().into(), filter: id }
}

/// The Services that its filters ask.
pub(in crate::tables) fn asked(read: &ReadSet<'_>) -> impl Iterator<Item = NamespacedName> {
    let urls = read.reading.passes.iter().flat_map(|it| it.filter.asked());
    urls.filter_map(AskedUrl::service).map(|(service, _)| service)
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
