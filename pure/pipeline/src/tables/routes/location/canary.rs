//! Canaries: Ingresses that have no routes of their own, and stand beside those of another one that
//! are for the same.

use std::sync::Arc;

use steelyard_model::routing::backend::{Backend, BackendNode, CanaryAffinity, Edge};
use steelyard_model::routing::entry_point::EntryPoint;
use steelyard_model::routing::id::BackendId;
use steelyard_model::routing::left_out::LeftOutReason;
use steelyard_model::routing::rule::Rule;
use steelyard_model::{ClassReading, Diagnostic, NamespacedName, RouteDraft, Severity};

use super::super::backend::Join;
use super::super::{age, is_refused, manner};
use super::forbidden::left_out_rule;
use crate::codes;
use crate::options::ResolveOptions;
use crate::tables::Reads;
use crate::tables::cell::Cell;
use crate::tables::row::{ReadSet, Routed, Row};

/// What must hold for the routes of a canary.
pub(in crate::tables) fn rules_of_canaries<'s>(
    read: &ReadSet<'s>,
) -> impl Iterator<Item = &'s Arc<Rule>> + use<'s> {
    let is_canary = read.reading.canary.is_some();
    read.set.routes.iter().filter(move |_| is_canary).map(|it| &it.rule)
}

/// The backend of a route, with that of the oldest canary beside it that is for the same. One that
/// leads nowhere takes nobody away.
pub(in crate::tables::routes) fn beside_canary(
    draft: &RouteDraft,
    read: &ReadSet<'_>,
    main: BackendId,
    (join, routed): (&mut Join<'_, '_>, &mut Routed),
) -> BackendId {
    let Some(row) = oldest(&draft.rule, join.reads) else { return main };
    let canary = row.set();
    if canary.class != read.class {
        return main;
    }
    let Some(asked) = canary.reading.canary.as_deref() else { return main };
    let found = canary.set.routes.iter().find(|it| it.rule == draft.rule);
    let Some(beside) = found else { return main };
    // Who was here before is known by the cookie of the main one, unless each request is decided
    // anew.
    let main_too = asked.affinity != CanaryAffinity::Legacy;
    let of_main = || read.reading.balance.clone().filter(|_| main_too);
    let own = canary.reading.balance.clone().or_else(of_main);
    let reading = ClassReading { balance: own, ..canary.reading.clone() };
    let to = join.backend(beside, &ReadSet { reading: &reading, ..canary }, routed);
    if is_refused(&to, beside) {
        return main;
    }
    let edge = |backend| Edge { backend, weight: 1, uses: Vec::new() };
    let id = BackendId::from(format!("{}#canary", draft.id));
    let (by, affinity) = (Box::new(asked.by.clone()), asked.affinity);
    let (main, canary) = (edge(main), Box::new(edge(to)));
    let place = Box::new(beside.place.clone());
    let backend = Backend::Canary { main, canary, by, affinity, place };
    let place = Some(draft.place.clone());
    routed.own.push(Arc::new(BackendNode { id: id.clone(), place, service: None, backend }));
    id
}

/// Of the canaries for the same the one that counts.
fn oldest(rule: &Arc<Rule>, reads: &mut Reads<'_>) -> Option<Row> {
    let keys = reads.keys(&Cell::Canaries(rule.clone()));
    let rows = keys.iter().filter_map(|key| reads.row(key));
    rows.min_by(|a, b| age(a.set().set).cmp(&age(b.set().set)))
}

/// What of a canary takes no request from anybody: nothing is served that is for the same, or an
/// older canary is beside that.
pub(super) fn alone(
    read: &ReadSet<'_>,
    options: &ResolveOptions,
    reads: &mut Reads<'_>,
    (routed, diagnostics): (&mut Routed, &mut Vec<Diagnostic>),
) {
    if read.reading.canary.is_none() {
        return;
    }
    let drafts = &read.set.routes;
    // The default backend of who has hosts stands in there alone.
    let has_hosts = drafts.iter().any(|it| !it.rank.specific.is_fallback);
    for draft in drafts.iter().filter(|it| !(has_hosts && it.rank.specific.is_fallback)) {
        let Some(why) = why_alone(draft, read, options, reads) else { continue };
        diagnostics.push(told(draft, &why));
        routed.left_out.push((draft.id.clone(), left_out_rule(draft, why)));
    }
}

fn why_alone(
    draft: &RouteDraft,
    read: &ReadSet<'_>,
    options: &ResolveOptions,
    reads: &mut Reads<'_>,
) -> Option<LeftOutReason> {
    if main_of(draft, read, options, reads).is_none() {
        return Some(LeftOutReason::NoMain);
    }
    let first = oldest(&draft.rule, reads)?.set().set.object.id();
    (first != read.set.object.id()).then_some(LeftOutReason::OtherCanary(first))
}

fn told(draft: &RouteDraft, why: &LeftOutReason) -> Diagnostic {
    let rule = &draft.rule;
    let (message, help) = match why {
        LeftOutReason::OtherCanary(first) => (
            format!(
                "nobody gets to this canary: of those for {rule} Ingress/{first} is older, or first \
                 by name"
            ),
            "remove one of the two",
        ),
        _ => (
            format!("no Ingress of its class serves {rule}, so nobody gets to this canary"),
            "add the Ingress that it stands beside, with the same host and path, or remove it",
        ),
    };
    Diagnostic::at(Severity::Warning, codes::CANARY_WITHOUT_MAIN, &draft.place, message, help)
}

/// The Ingress beside whose route a canary's stands.
fn main_of(
    draft: &RouteDraft,
    read: &ReadSet<'_>,
    options: &ResolveOptions,
    reads: &mut Reads<'_>,
) -> Option<NamespacedName> {
    let rule = manner::rule(draft, read, manner::by_bytes(options));
    let mut listeners = options.entry_points.iter().flat_map(EntryPoint::listeners);
    listeners.find_map(|listener| {
        let claim = Cell::Claim(Arc::new((listener.id, rule.clone())));
        let Row::Oldest(main) = reads.row(&claim)? else { return None };
        let main = main.id();
        let row = reads.row(&Cell::Set(main.clone()))?;
        (row.set().class == read.class).then_some(main)
    })
}
