//! Of which objects something else is to be reported after another decision, whatever they report.

use steelyard_model::NamespacedName;

use crate::kind::StatusKind;
use crate::published::{Publication, PublishedIngresses};
use crate::scope::Scope;
use crate::wanted::{Reportable, ingress_of};

/// Objects of which other things may be wanted by `now` than were by what was decided `before`.
pub fn differing(before: Reportable<'_>, now: Reportable<'_>) -> Scope {
    let (were, are) = (before.snapshot, now.snapshot);
    // Without pools nothing is taken back.
    let may_take_back = were.pools.is_empty() == are.pools.is_empty();
    if !may_take_back || before.rivals != now.rivals || is_reached_otherwise(before, now) {
        return Scope::All;
    }
    let mut scope = Scope::nothing();
    let planned = now.plan.services.differing(&before.plan.services).into_iter();
    let resolved = are.services.differing(&were.services).into_iter();
    scope.extend(StatusKind::Service, planned.chain(resolved).cloned());
    let (were, are) = (&were.routing.routes, &are.routing.routes);
    let routes = are.differing(were).into_iter();
    let routes = routes.flat_map(|id| [were.get(id), are.get(id)]).flatten();
    let ingresses: Vec<NamespacedName> = routes.filter_map(|route| ingress_of(route)).collect();
    scope.extend(StatusKind::Ingress, ingresses);
    scope
}

/// Whether Ingresses are reached by something else.
fn is_reached_otherwise(before: Reportable<'_>, now: Reportable<'_>) -> bool {
    let (was, is) = (&before.options.ingresses, &now.options.ingresses);
    let differs = |it: &PublishedIngresses| {
        [&it.traefik, &it.nginx].iter().any(|it| comes_to_other(it, before, now))
    };
    was != is || is.as_ref().is_some_and(differs)
}

/// Whether it comes to something else by what is decided, whatever is reported.
fn comes_to_other(it: &Publication, before: Reportable<'_>, now: Reportable<'_>) -> bool {
    let (were, are) = (before.snapshot, now.snapshot);
    if it.reads_nodes() && were.nodes != are.nodes {
        return true;
    }
    let Some(id) = &it.service else { return false };
    let row = |of: Reportable<'_>| of.plan.services.get(id).map(|row| row.addresses.to_vec());
    were.services.get(id) != are.services.get(id) || row(before) != row(now)
}
