//! Kinds of diagnostics about announcing.

use steelyard_model::Code;

/// BGPAdvertisements that select a Service ask for different LOCAL_PREFs of the same routes.
pub const ADVERTISEMENTS_CONTRADICT: Code = Code::new("advertisements-contradict");
/// The endpoints of a Service lead back to it.
pub const ENDPOINT_CIRCLE: Code = Code::new("endpoint-circle");
/// Nothing answers behind a Service's address, so nobody announces it.
pub const NO_READY_ENDPOINT: Code = Code::new("no-ready-endpoint");
/// No node may announce a Service's address.
pub const NO_ELIGIBLE_NODE: Code = Code::new("no-eligible-node");
/// No advertisement of its pool selects a Service.
pub const NOT_ADVERTISED: Code = Code::new("not-advertised");
/// A Service may share its address and an advertisement selects Services: not announced.
pub const SHARED_AND_SELECTED: Code = Code::new("shared-and-selected");
/// A route that asks who it is never gets a request: one that asks nobody goes first.
pub const PROTECTION_SHADOWED: Code = Code::new("protection-shadowed");
/// A route never gets a request: another one goes first wherever it matches.
pub const ROUTE_SHADOWED: Code = Code::new("route-shadowed");
/// Backends, chains of filters or routes that lead back to themselves.
pub const REFERENCE_CIRCLE: Code = Code::new("reference-circle");
