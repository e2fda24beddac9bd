//! What objects say of handshakes, whose certificates and authorities are still names of Secrets,
//! ConfigMaps and files: Traefik's TLSOption, TLSStore and ServersTransport.

use std::sync::Arc;
use std::time::Duration;

use crate::object::{NamespacedName, ObjectRef, Provenance};
use crate::route_draft::TlsSecret;
use crate::routing::tls::{TlsPolicy, TlsVersion};
use crate::routing::transport::{ProxyVersion, Upkeep};
use crate::secret::SecretValue;

/// By which terms handshakes with clients are held (TLSOption).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDraft {
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// The policy, but for whom to believe.
    pub policy: TlsPolicy,
    /// What clients must show.
    pub clients: AskedClients,
    /// Those who sign clients' certificates.
    pub authorities: Vec<MaterialLink>,
}

/// What clients must show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AskedClients {
    /// Nothing.
    #[default]
    Nothing,
    /// A certificate is asked for.
    Request,
    /// Any certificate.
    RequireAny,
    /// One that an authority has signed, if there is one.
    VerifyIfGiven,
    /// One that an authority has signed.
    RequireAndVerify,
}

/// A Secret named by an object, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretLink {
    /// The Secret.
    pub secret: NamespacedName,
    /// Where it is named.
    pub place: Provenance,
}

/// Certificates, keys, or those who are believed, named by an object, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaterialLink {
    /// What has them.
    pub holder: MaterialHolder,
    /// Where it is named.
    pub place: Provenance,
}

/// What has certificates, keys, or those who are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MaterialHolder {
    /// A Secret.
    Secret(NamespacedName),
    /// A ConfigMap.
    ConfigMap(NamespacedName),
    /// What stands in files, or beside their names.
    Parts(Vec<MaterialPart>),
}

/// A part, of a file or written as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaterialPart {
    /// What a Secret would call it: `tls.crt`.
    pub key: &'static str,
    /// It.
    pub text: PartText,
    /// Where it is named.
    pub place: Provenance,
}

/// What stands somewhere, or what has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartText {
    /// PEM.
    Written(SecretValue),
    /// A file, by its path.
    File(Arc<str>),
}

/// A certificate that an object of a file has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaterialDraft {
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// Its chain and key.
    pub parts: MaterialLink,
}

/// A file that others name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// The object that it is.
    pub object: Arc<ObjectRef>,
    /// What stands in it, or why that is not known.
    pub text: Result<SecretValue, Arc<str>>,
}

/// Certificates that no route names (TLSStore).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreDraft {
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// The one for names that no other is for.
    pub default: Option<TlsSecret>,
    /// Others.
    pub others: Vec<TlsSecret>,
}

/// How endpoints are spoken to (ServersTransport, ServersTransportTCP).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportDraft {
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// Whether it is for connections as they come, and not for requests.
    pub is_for_bytes: bool,
    /// TLS to them; none, of those for connections, is plain.
    pub tls: Option<TransportTls>,
    /// Whether HTTP/2 is not spoken over TLS.
    pub is_http1_only: bool,
    /// The PROXY protocol header that connections begin with.
    pub proxy_protocol: Option<ProxyVersion>,
    /// How long connecting may take.
    pub connect: Option<Duration>,
    /// How long the head of an answer may take; none of those for connections.
    pub answer: Option<Duration>,
    /// For how long an idle connection is kept.
    pub idle: Option<Duration>,
    /// For how long one side of a connection may be open when the other is closed.
    pub half_closed: Option<Duration>,
    /// After how long a silence an endpoint of connections is asked whether it is there.
    pub alive: Option<Duration>,
    /// What becomes of connections that nothing is asked over.
    pub upkeep: Upkeep,
}

/// How TLS is spoken to endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportTls {
    /// The name that must be in certificates; none is the endpoint's own.
    pub server_name: Option<Arc<str>>,
    /// Whether certificates are verified.
    pub is_verified: bool,
    /// Whom to believe; none is whom this machine believes.
    pub roots: Vec<MaterialLink>,
    /// What is shown when asked who we are.
    pub client: Option<MaterialLink>,
    /// Lowest and highest version.
    pub versions: (TlsVersion, TlsVersion),
    /// Cipher suites that may be agreed on; none is all there are.
    pub ciphers: Vec<Arc<str>>,
}
