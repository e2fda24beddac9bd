//! Filters that ask for a token.

use std::sync::Arc;
use std::time::Duration;

use super::access::FilterTls;
use crate::routing::asked::AskedUrl;
use crate::routing::claims::{ClaimPath, ClaimRule};
use crate::routing::id::BackendId;

/// Asks for a JSON Web Token (RFC 7519), as Traefik Hub's `jwt` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenAuth {
    /// By which keys it is believed.
    pub keys: TokenKeys,
    /// A parameter of the query in which it may come, beside `Authorization: Bearer`.
    pub parameter: Option<Arc<str>>,
    /// What it must say.
    pub claims: Option<ClaimRule>,
    /// Who the client is.
    pub user: Option<ClaimPath>,
    /// What endpoints are told of it: lines, and claims.
    pub told: Vec<(Arc<str>, ClaimPath)>,
    /// Endpoints get the token too.
    pub is_passed_on: bool,
}

/// Where keys come from.
#[derive(Clone, PartialEq, Eq)]
pub enum TokenKeys {
    /// A secret that the issuer has too.
    Secret(Arc<[u8]>),
    /// The same, in a Secret under this key, and not looked up yet.
    Kept(Arc<str>),
    /// A public key in PEM.
    Public(Arc<str>),
    /// A JSON Web Key Set.
    Set(Arc<str>),
    /// A set that is had from somewhere.
    Address(Box<KeyAddress>),
}

/// Where a set of keys is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAddress {
    /// Its URL.
    pub url: AskedUrl,
    /// The backend that stands for it.
    pub backend: BackendId,
    /// How TLS is spoken there.
    pub tls: Option<FilterTls>,
    /// How long an answer may take.
    pub patience: Duration,
    /// How often it is asked again when there is none.
    pub retries: u8,
}

impl std::fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Secret(_) => f.write_str("Secret"),
            Self::Kept(key) => f.debug_tuple("Kept").field(key).finish(),
            Self::Public(pem) => f.debug_tuple("Public").field(pem).finish(),
            Self::Set(set) => f.debug_tuple("Set").field(set).finish(),
            Self::Address(address) => f.debug_tuple("Address").field(address).finish(),
        }
    }
}

/// Asks for requests that are signed with a secret, as Traefik Hub's `hmac` does.
#[derive(Clone, PartialEq, Eq)]
pub struct SignatureAuth {
    /// Secrets by what their owners are called.
    pub secrets: Vec<(Arc<str>, Arc<[u8]>)>,
    /// A `Digest` that is signed must be the body's.
    pub checks_digest: bool,
    /// Lines that a signature must cover, in lower case.
    pub enforced: Vec<Arc<str>>,
}

impl std::fmt::Debug for SignatureAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.secrets.iter().map(|(name, _)| &**name).collect();
        f.debug_struct("SignatureAuth").field("keys", &names).finish_non_exhaustive()
    }
}
