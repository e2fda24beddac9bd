//! What a connection over TLS is, once its handshake is over.

use std::cell::Cell;
use std::sync::Arc;

use steelyard_model::routing::tls::TlsPolicy;
use steelyard_tls::ClientChain;

/// What was agreed on in a handshake.
#[derive(Debug)]
pub(crate) struct Secured {
    /// The name that the client wanted: lower case, without a trailing dot; empty where it named
    /// none.
    pub(crate) server_name: Arc<str>,
    /// `1.3`, as metrics and logs have it.
    pub(crate) version: &'static str,
    /// `TLS_AES_128_GCM_SHA256`.
    pub(crate) cipher: &'static str,
    /// HTTP/2 is spoken.
    pub(crate) is_http2: bool,
    /// What the client has shown of itself.
    pub(crate) certificates: Option<Arc<ClientChain>>,
    /// What it was held by.
    pub(crate) policy: Arc<TlsPolicy>,
    pub(crate) standing: Cell<TermsStanding>,
}

/// Whether handshakes for its name are held by the same still, as it was looked at last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TermsStanding {
    /// The version of the configuration then.
    pub(crate) version: u64,
    pub(crate) is_outdated: bool,
}

impl Secured {
    /// Its version as nginx names it: `TLSv1.3`.
    pub(crate) fn protocol(&self) -> &'static str {
        match self.version {
            "1.2" => "TLSv1.2",
            "1.3" => "TLSv1.3",
            other => other,
        }
    }

    /// Whether they are not, in this version of the configuration: `look` is asked once for each.
    pub(crate) fn is_outdated_in(&self, version: u64, look: impl FnOnce(&Self) -> bool) -> bool {
        if self.standing.get().version != version {
            self.standing.set(TermsStanding { version, is_outdated: look(self) });
        }
        self.is_outdated()
    }

    /// The same as of the last version that somebody has asked about.
    pub(crate) fn is_outdated(&self) -> bool {
        self.standing.get().is_outdated
    }
}
