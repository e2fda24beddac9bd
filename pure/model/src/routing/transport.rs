//! How to speak to endpoints.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::routing::id::{CertificateId, TransportId};

/// How to speak to an endpoint. With the endpoint's address it is the identity of a pool of
/// connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transport {
    /// Its owner.
    pub id: TransportId,
    /// HTTP version, or none for bytes as they come.
    pub protocol: OriginProtocol,
    /// TLS to the endpoint; none is plain.
    pub tls: Option<OriginTls>,
    /// Version of the PROXY protocol header that is sent first.
    pub proxy_protocol: Option<ProxyVersion>,
    /// How long connecting may take.
    pub connect: Option<Duration>,
    /// How long an idle connection is kept; of one that carries bytes, how long it may be silent.
    pub idle: Option<Duration>,
    /// How long a connection that carries bytes may be silent once one side has closed it.
    pub half_closed: Option<Duration>,
}

/// The name of [`Transport::plain`], which nearly every backend has: it lies in memory once.
static PLAIN: LazyLock<TransportId> = LazyLock::new(|| "http".into());

/// The name of [`Transport::h2c`].
static H2C: LazyLock<TransportId> = LazyLock::new(|| "h2c".into());

/// The name of [`Transport::bytes`].
static BYTES: LazyLock<TransportId> = LazyLock::new(|| "tcp".into());

impl Transport {
    /// HTTP/1.1 as it comes, by the program's own times.
    pub fn plain() -> Self {
        Self {
            id: PLAIN.clone(),
            protocol: OriginProtocol::Http1,
            tls: None,
            proxy_protocol: None,
            connect: None,
            idle: None,
            half_closed: None,
        }
    }

    /// Bytes as they come, by the program's own times.
    pub fn bytes() -> Self {
        Self { id: BYTES.clone(), protocol: OriginProtocol::Bytes, ..Self::plain() }
    }

    /// HTTP/2 by prior knowledge, by the program's own times.
    pub fn h2c() -> Self {
        Self { id: H2C.clone(), protocol: OriginProtocol::Http2, ..Self::plain() }
    }

    /// Whether it is [`Self::h2c`], whatever it is called.
    pub fn is_h2c(&self) -> bool {
        *self == Self { id: self.id.clone(), ..Self::h2c() }
    }

    /// Whether it is [`Self::plain`], whatever it is called.
    pub fn is_plain(&self) -> bool {
        *self == Self { id: self.id.clone(), ..Self::plain() }
    }
}

/// What is spoken to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OriginProtocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, by prior knowledge where it is plain.
    Http2,
    /// What TLS agrees on.
    Negotiated,
    /// Bytes as they come.
    Bytes,
}

/// TLS towards an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginTls {
    /// The name that is asked for and must be in the certificate; none is the endpoint's.
    pub server_name: Option<Arc<str>>,
    /// Whom to believe.
    pub roots: Roots,
    /// What to show when asked who we are.
    pub client: Option<CertificateId>,
}

/// Whose signature makes an endpoint's certificate good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Roots {
    /// The machine's.
    #[default]
    System,
    /// These, as PEM.
    Pem(Arc<str>),
    /// Anybody's: the certificate is not looked at.
    Unverified,
}

/// Version of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}
