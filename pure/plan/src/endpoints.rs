//! Which endpoints of a Service take traffic, and where they are.

use std::collections::BTreeSet;

use steelyard_model::{Endpoint, EndpointState, ResolvedPort, ResolvedService};

/// The nodes where endpoints of a Service answer; none for one that nobody placed.
pub(crate) fn places(service: &ResolvedService) -> BTreeSet<Option<&str>> {
    service.places.iter().map(Option::as_deref).collect()
}

/// The endpoints of a port to send to, of those that `here` admits: the ready ones; where none
/// is, those that answer all the same.
pub(crate) fn usable(port: &ResolvedPort, here: impl Fn(&Endpoint) -> bool) -> Vec<Endpoint> {
    let those = |wanted: fn(EndpointState) -> bool| -> Vec<Endpoint> {
        let wanted = |endpoint: &&Endpoint| wanted(endpoint.state) && here(endpoint);
        port.endpoints.iter().filter(wanted).cloned().collect()
    };
    let ready = those(|state| state == EndpointState::Ready);
    if ready.is_empty() { those(EndpointState::is_last_resort) } else { ready }
}
