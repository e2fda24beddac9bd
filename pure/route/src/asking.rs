//! Which handshakes routes ask for terms of. The table goes by it, and so does whoever tells why no
//! handshake is held.

use steelyard_model::routing::id::TlsPolicyId;
use steelyard_model::routing::listener::{Listener, Security};
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::route::Route;

use crate::candidate::Indexed;
use crate::necessary::named_hosts;

/// The hosts for whose handshakes a route of requests asks for terms, at a listener of its own that
/// ends TLS, and those terms; none of them is the usual ones. Where its rule names no hosts, the
/// listener's.
pub fn asked_terms<'r>(
    route: &'r Route,
    listener: &'r Listener,
) -> Option<(Vec<HostPattern>, Option<&'r TlsPolicyId>)> {
    let Security::Terminate { policy, .. } = &listener.security else { return None };
    if !route.kind.is_of_requests() {
        return None;
    }
    let hosts = named_hosts(&route.rule, Indexed::Host);
    let hosts = hosts.unwrap_or_else(|| vec![listener.host.clone()]);
    Some((hosts, route.terms(policy.as_ref())))
}

/// The hosts that a rule is for, if it names all of them.
pub fn hosts_named(route: &Route) -> Option<Vec<HostPattern>> {
    named_hosts(&route.rule, Indexed::Host)
}
