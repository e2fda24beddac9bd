//! How to speak to endpoints.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::object::Provenance;
use crate::routing::id::TransportId;
use crate::routing::tls::{Certificate, TlsVersion};

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
    /// How long the head of an answer may take, once all of the request is sent.
    pub answer: Option<Duration>,
    /// How long an idle connection is kept; of one that carries bytes, how long it may be silent.
    pub idle: Option<Duration>,
    /// How long a connection that carries bytes may be silent once one side has closed it.
    pub half_closed: Option<Duration>,
    /// After how long a silence of such a connection its endpoint is asked whether it is there, and
    /// how often then.
    pub alive: Option<Duration>,
    /// What becomes of connections that nothing is asked over.
    pub upkeep: Upkeep,
}

/// What becomes of connections to an endpoint of requests while nothing is asked over them, or
/// nothing is heard; none is as the program has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// How many idle ones of HTTP/1 are kept, by all cores together.
    pub most_idle: Option<u32>,
    /// How those of HTTP/2 are asked whether somebody is there.
    pub pings: Option<Pings>,
}

/// How an endpoint is asked whether it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pings {
    /// After how long a silence.
    pub silence: Duration,
    /// How long it may take to answer: then its connection is over.
    pub answer: Duration,
}

/// How long what may take with endpoints of requests; none is as the program has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ForwardingTimes {
    /// As [`Transport::connect`].
    pub connect: Option<Duration>,
    /// As [`Transport::answer`].
    pub answer: Option<Duration>,
    /// As [`Transport::idle`].
    pub idle: Option<Duration>,
    /// As [`Transport::upkeep`].
    pub upkeep: Upkeep,
}

/// The name of [`Transport::plain`], which nearly every backend has: it lies in memory once.
static PLAIN: LazyLock<TransportId> = LazyLock::new(|| "http".into());

/// The name of [`Transport::h2c`].
static H2C: LazyLock<TransportId> = LazyLock::new(|| "h2c".into());

/// The name of [`Transport::https`].
static HTTPS: LazyLock<TransportId> = LazyLock::new(|| "https".into());

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
            answer: None,
            idle: None,
            half_closed: None,
            alive: None,
            upkeep: Upkeep::default(),
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

    /// HTTP over TLS as Traefik speaks it by itself: HTTP/2 where the endpoint agrees to it, and
    /// certificates are verified.
    pub fn https() -> Self {
        let tls = Some(OriginTls::default());
        Self { id: HTTPS.clone(), protocol: OriginProtocol::Negotiated, tls, ..Self::plain() }
    }

    /// HTTP over TLS as nginx speaks it by itself: no name is asked for, and nothing verified.
    pub fn unverified(protocol: OriginProtocol) -> Self {
        let id = match protocol {
            OriginProtocol::Http2 => "h2-unverified",
            _ => "https-unverified",
        };
        let tls = OriginTls { sends_name: false, roots: Roots::Nobody, ..OriginTls::default() };
        Self { id: id.into(), protocol, tls: Some(tls), ..Self::plain() }
    }

    /// How long what may take by it.
    pub fn times(&self) -> ForwardingTimes {
        let Self { connect, answer, idle, upkeep, .. } = *self;
        ForwardingTimes { connect, answer, idle, upkeep }
    }

    /// The same by other times.
    #[must_use]
    pub fn within(self, times: ForwardingTimes) -> Self {
        let ForwardingTimes { connect, answer, idle, upkeep } = times;
        Self { connect, answer, idle, upkeep, ..self }
    }

    /// Whether it is [`Self::plain`], whatever it is called.
    pub fn is_plain(&self) -> bool {
        *self == Self { id: self.id.clone(), ..Self::plain() }
    }
}

/// How a request of HTTP/1 is spoken, for endpoints on which that hangs: what else nobody can say
/// of it, since where its answer ends hangs on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HopSpeech {
    /// HTTP/1.1, whose connections stay without a word.
    #[default]
    Usual,
    /// The same, with `Connection: keep-alive`.
    KeepAlive,
    /// The same, with `Connection: close`: it ends behind the answer.
    Close,
    /// HTTP/1.0, where a body has a length, and a connection ends behind the answer.
    Old,
}

impl HopSpeech {
    /// The version, as the first line of a request ends with it.
    pub fn version(self) -> &'static str {
        if self == Self::Old { "HTTP/1.0" } else { "HTTP/1.1" }
    }

    /// Whether the connection ends behind the answer.
    pub fn ends(self) -> bool {
        matches!(self, Self::Close | Self::Old)
    }

    /// What is said of the connection.
    pub fn connection(self) -> Option<&'static str> {
        match self {
            Self::Usual => None,
            Self::KeepAlive => Some("keep-alive"),
            Self::Close | Self::Old => Some("close"),
        }
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

/// What endpoints are said to speak, in the words of dialects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OriginScheme {
    /// HTTP/1.1 in plain.
    Http,
    /// HTTP/2 in plain.
    H2c,
    /// Over TLS, HTTP/2 where the endpoint agrees to it.
    Https,
    /// HTTP/1.1 over TLS.
    SecureHttp1,
    /// HTTP/2 over TLS.
    SecureHttp2,
}

impl OriginScheme {
    /// The protocol.
    pub fn protocol(self) -> OriginProtocol {
        match self {
            Self::Http | Self::SecureHttp1 => OriginProtocol::Http1,
            Self::H2c | Self::SecureHttp2 => OriginProtocol::Http2,
            Self::Https => OriginProtocol::Negotiated,
        }
    }

    /// Whether it is over TLS.
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Https | Self::SecureHttp1 | Self::SecureHttp2)
    }
}

/// TLS towards an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginTls {
    /// The object that holds what is believed and shown; none where none does.
    pub place: Option<Provenance>,
    /// The name that must be in the certificate; none is the endpoint's: the host name by which it
    /// is known, or its address.
    pub server_name: Option<Arc<str>>,
    /// Whether that name is asked for (RFC 6066 §3); an address never is.
    pub sends_name: bool,
    /// Whom to believe.
    pub roots: Roots,
    /// What to show when asked who we are.
    pub client: Option<Arc<Certificate>>,
    /// Lowest and highest version.
    pub versions: (TlsVersion, TlsVersion),
    /// Cipher suites that may be agreed on, as IANA has them; none is all there are.
    pub ciphers: Vec<Arc<str>>,
}

/// By the endpoint's own name, verified by the machine's roots.
impl Default for OriginTls {
    fn default() -> Self {
        Self {
            place: None,
            server_name: None,
            sends_name: true,
            roots: Roots::System,
            client: None,
            versions: (TlsVersion::V1_2, TlsVersion::V1_3),
            ciphers: Vec::new(),
        }
    }
}

/// Whose signature makes an endpoint's certificate good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Roots {
    /// Those that the machine trusts.
    #[default]
    System,
    /// These, as PEM.
    Pem(Arc<str>),
    /// No signature is asked for: the certificate is not looked at.
    Nobody,
}

/// Version of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}
