//! Listeners: what an entry point serves, by host.

use std::sync::Arc;

use crate::object::Provenance;
use crate::routing::filter::Use;
use crate::routing::id::{BackendId, CertificateId, EntryPointId, ListenerId, TlsPolicyId};
use crate::routing::pattern::HostPattern;

/// A part of an entry point. Each entry point has three without host: plain, TLS that ends here,
/// and TLS that is passed on; Gateways and ListenerSets add theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// `websecure`, `web/default/gateway/section`.
    pub id: ListenerId,
    /// The entry point.
    pub entry_point: EntryPointId,
    /// Plain or TLS.
    pub security: Security,
    /// Which hosts, or server names, it is for.
    pub host: HostPattern,
    /// The Gateway whose it is. Among the listeners of one Gateway only the most specific one
    /// that is for a host serves it; none for the entry point's own.
    pub gateway: Option<Arc<str>>,
    /// What every exchange on it passes first.
    pub uses: Vec<Use>,
    /// Where policies of one host disagree, handshakes for it are held by the default one, as with
    /// Traefik; else not at all.
    pub yields: bool,
    /// What answers where no route does; none means the 404 page.
    pub fallback: Option<BackendId>,
    /// What asks for it; none for the entry point's own.
    pub place: Option<Provenance>,
}

impl Listener {
    /// One for every host that says nothing more.
    pub fn new(id: ListenerId, entry_point: EntryPointId, security: Security) -> Self {
        Self {
            id,
            entry_point,
            security,
            host: HostPattern::Any,
            gateway: None,
            uses: Vec::new(),
            yields: false,
            fallback: None,
            place: None,
        }
    }
}

/// Plain or TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// As it comes.
    Plain,
    /// TLS that ends here.
    Terminate {
        /// How the handshake is held, where no route says otherwise; none is the default policy.
        policy: Option<TlsPolicyId>,
        /// Its certificates; empty means those of the store.
        certificates: Vec<CertificateId>,
    },
    /// TLS that ends at the endpoint.
    Passthrough,
}

impl Security {
    /// Whether a handshake comes first.
    pub fn is_tls(&self) -> bool {
        !matches!(self, Self::Plain)
    }
}
