//! Of which objects something else is to be reported after another decision, whatever they report.

use steelyard_model::NamespacedName;

use crate::kind::StatusKind;
use crate::scope::Scope;
use crate::wanted::{Reportable, ingress_of};

/// Objects of which other things may be wanted by `now` than were by what was decided `before`.
pub fn differing(before: Reportable<'_>, now: Reportable<'_>) -> Scope {
    let (were, are) = (before.snapshot, now.snapshot);
    // Without pools nothing is taken back.
    let may_take_back = were.pools.is_empty() == are.pools.is_empty();
    if !may_take_back || before.rivals != now.rivals || of_gateway(before) != of_gateway(now) {
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

/// By what Ingresses are reached.
fn of_gateway<'a>(
    Reportable { plan, options, .. }: Reportable<'a>,
) -> (Option<&'a NamespacedName>, Option<&'a [std::net::IpAddr]>) {
    let gateway = options.gateway.as_ref();
    let row = gateway.and_then(|id| plan.services.get(id));
    (gateway, row.map(|row| row.addresses))
}
