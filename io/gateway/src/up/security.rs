//! TLS to one endpoint.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;

use crate::shared::origins::OriginHandshakes;
use crate::wire::session::Unshaken;
use crate::wire::stream::Stream;

/// By which terms, and with whom.
pub(crate) struct Security {
    terms: Arc<OriginHandshakes>,
    /// What the endpoint is known as, where that is no address and matters.
    host: Option<Box<str>>,
    /// Whether it agreed to HTTP/2 when it was last asked.
    shares: Cell<Option<bool>>,
}

impl Security {
    pub(super) fn new(terms: Arc<OriginHandshakes>, host: Option<&str>) -> Self {
        let host = host.filter(|_| terms.name().is_none()).map(Box::from);
        Self { terms, host, shares: Cell::new(None) }
    }

    /// Whether what is asked of an endpoint that is known as `host` is asked by this.
    pub(super) fn is_by(&self, terms: &OriginHandshakes, host: Option<&str>) -> bool {
        let host = host.filter(|_| terms.name().is_none());
        *self.terms == *terms && self.host.as_deref() == host
    }

    /// Whether its requests are known to share no connection.
    pub(crate) fn is_alone(&self) -> bool {
        self.shares.get() == Some(false)
    }

    /// Holds the handshake. `shared` is whether HTTP/2 may come of it.
    pub(super) async fn shake(
        &self,
        stream: &mut Stream,
        address: SocketAddr,
        shared: bool,
    ) -> io::Result<()> {
        let name = match (self.terms.name(), &self.host) {
            (Some(name), _) => name.clone(),
            (None, Some(host)) => ServerName::try_from(host.to_string())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?,
            (None, None) => address.ip().into(),
        };
        let begun = self.terms.begin(name, shared).map_err(Unshaken::from).map_err(untrusted)?;
        stream.secure(begun);
        poll_fn(|cx| stream.poll_shake(cx)).await.map_err(untrusted)?;
        if shared {
            self.shares.set(Some(self.agreed(stream)));
        }
        Ok(())
    }

    /// Whether HTTP/2 was agreed on, or is spoken in any case.
    pub(super) fn agreed(&self, stream: &Stream) -> bool {
        let is_h2 = stream.agreed(|it| it.alpn_protocol() == Some(b"h2"));
        self.terms.is_http2_only() || is_h2.unwrap_or_default()
    }
}

/// As an error of the connection, which whoever tells of it knows again.
pub(super) fn untrusted(unshaken: Unshaken) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, unshaken)
}
