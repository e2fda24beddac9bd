//! A handshake that ends here, from its first message on.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{
    CipherSuite, Connection, HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection,
};
use steelyard_model::routing::id::TlsPolicyId;
use steelyard_model::routing::tls::TlsPolicy;
use steelyard_preface::ClientHello;
use steelyard_tls::{ClientChain, ClientVerdict};

use super::Newcomer;
use crate::core::arrival::Arrival;
use crate::core::live::Live;
use crate::shared::clients::Examiner;
use crate::shared::terms::Held;
use crate::tell::metrics::HandshakeEnd;
use crate::tell::turned_away::{NoHandshake, TurnedAway};
use crate::wire::secured::{Secured, TermsStanding};

/// A handshake that is to be held.
pub(super) struct Shaking {
    policy: Arc<TlsPolicy>,
    config: Arc<ServerConfig>,
    examiner: Option<Arc<Examiner>>,
    hello: ClientHello,
    /// The version of the configuration by which that was decided.
    version: u64,
}

impl Newcomer<'_> {
    /// Holds the handshake by these terms.
    pub(super) async fn shake(&mut self, shaking: Shaking) -> Result<(), TurnedAway> {
        let config = shaking.config.clone();
        let mut connection =
            ServerConnection::new(config).map_err(|error| TurnedAway::from(&error))?;
        let held = self.arrival.held.take();
        let mut came: &[u8] = held.as_deref().unwrap_or_default();
        while !came.is_empty() {
            let read = connection.read_tls(&mut came);
            read.map_err(|_| TurnedAway::Tls(NoHandshake::Malformed))?;
            if let Err(error) = connection.process_new_packets() {
                // Its alert is still to be sent.
                self.arrival.stream.secure(connection);
                let stream = &self.arrival.stream;
                let _ = poll_fn(|cx| Poll::Ready(stream.poll_shake(cx))).await;
                return Err(TurnedAway::from(&error));
            }
        }
        drop(held);
        self.arrival.stream.secure(connection);
        self.go_on().await?;
        let Arrival { core, listener, stream, tls, .. } = &mut *self.arrival;
        core.counters.count_handshake(&listener.entry_point, HandshakeEnd::Held);
        if stream.agreed(|it| it.handshake_kind()).flatten() == Some(HandshakeKind::Resumed) {
            core.counters.count_handshake(&listener.entry_point, HandshakeEnd::Resumed);
        }
        *tls = stream.agreed(|connection| shaking.secured(connection)).map(Rc::new);
        Ok(())
    }

    async fn go_on(&mut self) -> Result<(), TurnedAway> {
        let since = self.doorway.since;
        let Arrival { stream, waiting, .. } = &*self.arrival;
        let shaking = poll_fn(|cx| match stream.poll_shake(cx) {
            Poll::Pending if waiting.wait_for_handshake(cx, since) => {
                Poll::Ready(Err(TurnedAway::Dismissed))
            }
            polled => polled.map_err(TurnedAway::from),
        });
        tokio::time::timeout(self.left(), shaking).await.map_err(|_| TurnedAway::Late)?
    }
}

impl Shaking {
    /// By a policy.
    pub(super) fn new(
        live: &Live,
        policy: Option<&TlsPolicyId>,
        hello: ClientHello,
    ) -> Result<Self, TurnedAway> {
        let held = live.config.terms.of(policy);
        let Held { policy, config, examiner } =
            held.ok_or(TurnedAway::Tls(NoHandshake::Refused))?;
        let (policy, config, examiner) = (policy.clone(), config.clone(), examiner.cloned());
        Ok(Self { policy, config, examiner, hello, version: live.version })
    }

    /// The same where TCP routes go on: what the client speaks is its endpoint's business, so that
    /// protocols which are known to nobody here refuse no handshake.
    pub(super) fn for_bytes(self) -> Self {
        let Self { config, hello, .. } = &self;
        let is_known = |offered: &[u8]| config.alpn_protocols.iter().any(|it| **it == *offered);
        if hello.protocols.is_empty() || hello.protocols.iter().any(|it| is_known(it)) {
            return self;
        }
        let mut config = (**config).clone();
        config.alpn_protocols.clear();
        Self { config: Arc::new(config), ..self }
    }

    fn secured(self, connection: &Connection) -> Secured {
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "1.2",
            _ => "1.3",
        };
        let suite = connection.negotiated_cipher_suite().map(|suite| suite.suite());
        let shown = connection.peer_certificates();
        let verdict = shown.and_then(|it| self.verdict(it));
        let shown = shown.and_then(ClientChain::new).map(|it| it.judged(verdict));
        let standing = TermsStanding { version: self.version, is_outdated: false };
        Secured {
            server_name: self.hello.server_name.unwrap_or_default().into(),
            version,
            cipher: suite.map_or("", cipher),
            is_http2: connection.alpn_protocol() == Some(b"h2"),
            certificates: shown.map(Arc::new),
            policy: self.policy,
            standing: Cell::new(standing),
        }
    }
}

impl Shaking {
    /// What is found out about a client's certificate.
    fn verdict(&self, shown: &[CertificateDer<'_>]) -> Option<ClientVerdict> {
        let (first, more) = shown.split_first()?;
        let fault = self.examiner.as_ref()?.fault(first, more, UnixTime::now());
        Some(ClientVerdict { terms: self.policy.id.clone(), fault })
    }
}

/// As IANA calls it, which is what Go and so Traefik have.
fn cipher(suite: CipherSuite) -> &'static str {
    match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        other => other.as_str().unwrap_or_default(),
    }
}
