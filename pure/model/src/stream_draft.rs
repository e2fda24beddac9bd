//! A port whose connections or datagrams go to a Service as they come: what ConfigMaps of
//! ingress-nginx ask for.

use crate::object::Provenance;
use crate::protocol::Protocol;
use crate::route_draft::BackendRef;

/// One such port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamDraft {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
    /// Where it leads.
    pub backend: BackendRef,
    /// Connections begin with a header of the PROXY protocol.
    pub is_proxied: bool,
    /// And so do those to endpoints.
    pub tells_clients: bool,
    /// What asks for it.
    pub place: Provenance,
}
