//! Which endpoints of a Service take traffic, and where they are.

use std::collections::BTreeSet;

use steelyard_model::{Endpoint, EndpointState, ResolvedPort, ResolvedService};

/// Whether an endpoint answers: ready, or on its way out and still serving.
pub(crate) fn serves(endpoint: &Endpoint) -> bool {
    matches!(endpoint.state, EndpointState::Ready | EndpointState::Terminating)
}

/// The endpoints of a Service that answer.
pub(crate) fn serving(service: &ResolvedService) -> impl Iterator<Item = &Endpoint> {
    service.ports.iter().flat_map(|port| &port.endpoints).filter(|endpoint| serves(endpoint))
}

/// The nodes where endpoints of a Service answer; none for one that nobody placed.
pub(crate) fn serving_places(service: &ResolvedService) -> BTreeSet<Option<&str>> {
    serving(service).map(|endpoint| endpoint.node.as_deref()).collect()
}

/// The endpoints of a port to send to, of those that `here` admits: the ready ones; where none
/// is, those on their way out.
pub(crate) fn usable(port: &ResolvedPort, here: impl Fn(&Endpoint) -> bool) -> Vec<Endpoint> {
    let in_state = |state| {
        let wanted = |endpoint: &&Endpoint| endpoint.state == state && here(endpoint);
        port.endpoints.iter().filter(wanted).cloned().collect::<Vec<_>>()
    };
    let ready = in_state(EndpointState::Ready);
    if ready.is_empty() { in_state(EndpointState::Terminating) } else { ready }
}
