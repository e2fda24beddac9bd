//! Handshakes with clients: by which terms they are held, and what is shown in them.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::object::Provenance;
use crate::routing::id::{CertificateId, TlsPolicyId};
use crate::routing::pattern::HostPattern;
use crate::secret::SecretValue;

/// How a handshake with a client is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsPolicy {
    /// Its object.
    pub id: TlsPolicyId,
    /// The part of an object that asks for it; none for the default one.
    pub place: Option<Provenance>,
    /// Lowest and highest version.
    pub versions: (TlsVersion, TlsVersion),
    /// Cipher suites by their IANA names; empty means the default ones.
    pub ciphers: Vec<Arc<str>>,
    /// Key exchange groups by name; empty means the default ones.
    pub groups: Vec<Arc<str>>,
    /// Application protocols, best first.
    pub alpn: Vec<Arc<str>>,
    /// What clients must show.
    pub clients: ClientAuthentication,
    /// Whether a server name that no certificate covers ends the handshake.
    pub is_strict: bool,
    /// How sessions are resumed.
    pub resumes: Resumption,
}

/// How a session is resumed that a client has had before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resumption {
    /// It is not.
    Never,
    /// By what the client was given, which only we can read.
    #[default]
    Tickets,
    /// By what is kept here for a while, under a name that the client was given.
    Kept,
}

/// The policy that is meant where none is named, if there is one.
pub const DEFAULT_POLICY: &str = "default";
/// The one that is meant then where there is none of that name: that of ingress-nginx's ConfigMap.
pub const NGINX_POLICY: &str = "nginx@internal";

impl TlsPolicy {
    /// Whether nobody can be verified by it, and it wants that: no handshake is held.
    pub fn is_for_nobody(&self) -> bool {
        use ClientAuthentication::{RequireAndVerify, VerifyIfGiven};
        let (RequireAndVerify(by) | VerifyIfGiven(by)) = &self.clients else { return false };
        by.pem.trim().is_empty()
    }

    /// What holds where nobody asks for anything.
    pub fn plain() -> Self {
        Self {
            id: "".into(),
            place: None,
            versions: (TlsVersion::V1_2, TlsVersion::V1_3),
            ciphers: Vec::new(),
            groups: Vec::new(),
            alpn: vec!["h2".into(), "http/1.1".into()],
            clients: ClientAuthentication::Nothing,
            is_strict: false,
            resumes: Resumption::Tickets,
        }
    }

    /// Whether both ask for the same of who takes part, and against who listens in. What is spoken
    /// then, and whether it is resumed, is none of that.
    pub fn demands_what(&self, other: &Self) -> bool {
        let Self { versions, ciphers, groups, clients, .. } = self;
        (versions, ciphers, groups, clients)
            == (&other.versions, &other.ciphers, &other.groups, &other.clients)
    }
}

impl ClientAuthentication {
    /// Whether certificates count by who has signed them.
    pub fn verifies(&self) -> bool {
        matches!(self, Self::VerifyIfGiven(_) | Self::RequireAndVerify(_))
    }
}

/// Version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// 1.2.
    V1_2,
    /// 1.3.
    V1_3,
}

/// What clients must show in a handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// Nothing.
    #[default]
    Nothing,
    /// A certificate is asked for and passed on as it is.
    Request,
    /// Any certificate.
    RequireAny,
    /// One of these, if there is one.
    VerifyIfGiven(Authorities),
    /// One of these.
    RequireAndVerify(Authorities),
}

impl ClientAuthentication {
    /// Whether handshakes without a certificate that counts end.
    pub fn shuts_out(&self) -> bool {
        match self {
            Self::Nothing | Self::Request | Self::VerifyIfGiven(_) => false,
            Self::RequireAny => true,
            Self::RequireAndVerify(by) => !by.reports,
        }
    }
}

/// Who signs clients' certificates, and what is done with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorities {
    /// Certificates, as PEM.
    pub pem: Arc<str>,
    /// A handshake that does not verify goes on, and whoever takes its requests is told why it does
    /// not (nginx); else it ends with an alert.
    pub reports: bool,
    /// Certificates between a client's own and theirs, at most; none is as many as can be verified.
    pub depth: Option<usize>,
    /// Lists of certificates that were taken back, as PEM (RFC 5280 §5); none is that nobody says
    /// so. A certificate of whose signer there is no list that counts is not believed.
    pub revoked: Option<Arc<str>>,
}

/// A chain and its key, and what it is for.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The Secret or file.
    pub id: CertificateId,
    /// The object that holds it; none for one that no object does.
    pub place: Option<Provenance>,
    /// Whether it is shown where none is for the name that is asked for.
    pub is_default: bool,
    /// Whether it is shown with what its signer says of it, also where it does not ask for that.
    pub is_stapled: bool,
    /// Names that it is for: exact, or with a wildcard of one label; lower case.
    pub names: Vec<HostPattern>,
    /// Addresses that it is for.
    pub addresses: Vec<IpAddr>,
    /// What its key is.
    pub algorithm: KeyAlgorithm,
    /// When it begins and ceases to be valid, in seconds since 1970 (UTC).
    pub validity: (i64, i64),
    /// The common name of its subject; empty where there is none.
    pub subject: Arc<str>,
    /// Its serial number, in decimal digits.
    pub serial: Arc<str>,
    /// Certificates as DER: its own, then in order those of who signed it.
    pub chain: Arc<[Arc<[u8]>]>,
    /// That of who signed it, as DER, where it is known: also one that is not shown, since who
    /// signed itself is known to clients or is not believed.
    pub issuer: Option<Arc<[u8]>>,
    /// Its key as DER, in the form that says.
    pub key: (KeyForm, SecretValue),
}

/// What a key is, in order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyAlgorithm {
    /// On an elliptic curve of NIST.
    Ecdsa,
    /// RSA.
    Rsa,
    /// Ed25519, which browsers do not take.
    Ed25519,
}

/// How a private key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyForm {
    /// PKCS #8 (RFC 5958): `PRIVATE KEY`.
    Pkcs8,
    /// PKCS #1 (RFC 8017): `RSA PRIVATE KEY`.
    Pkcs1,
    /// SEC 1 (RFC 5915): `EC PRIVATE KEY`.
    Sec1,
}

impl Certificate {
    /// Whether it is for this name: lower case, without a trailing dot.
    pub fn covers(&self, host: &str) -> bool {
        self.names.iter().any(|name| name.matches(host))
    }
}

/// Its key is never shown.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Certificate");
        shown.field("id", &self.id).field("names", &self.names).finish_non_exhaustive()
    }
}
