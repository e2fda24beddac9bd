//! What a client has shown of itself in a handshake: its certificates, for who tells endpoints.
//!
//! They are read once for a connection, when somebody first asks.

use std::sync::OnceLock;

use steelyard_model::routing::id::TlsPolicyId;

use crate::name::{DistinguishedName, alternative};
use crate::x509::{ALTERNATIVE_NAMES, X509};

/// The certificates of a client, its own first.
#[derive(Debug, Default)]
pub struct ClientChain {
    written: Vec<Box<[u8]>>,
    verdict: Option<ClientVerdict>,
    read: OnceLock<Vec<CertificateText>>,
    told: OnceLock<Box<str>>,
}

/// Whether a client's certificate is signed by those whom the terms of its handshake believe, where
/// one that is not goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientVerdict {
    /// The terms.
    pub terms: TlsPolicyId,
    /// Why not, in OpenSSL's words.
    pub fault: Option<&'static str>,
}

/// What a certificate says, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateText {
    /// Whose it is.
    pub subject: DistinguishedName,
    /// Who signed it.
    pub issuer: DistinguishedName,
    /// In decimal digits.
    pub serial: String,
    /// From when to when, in seconds since 1970.
    pub validity: (i64, i64),
    /// For whom: names, mail addresses, addresses, URIs.
    pub alternative_names: Vec<String>,
}

impl ClientChain {
    /// Of certificates as they were shown; none where there are none.
    pub fn new(certificates: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Option<Self> {
        let written: Vec<_> = certificates.into_iter().map(|it| it.as_ref().into()).collect();
        (!written.is_empty()).then(|| Self { written, ..Self::default() })
    }

    /// With what was found out about it.
    #[must_use]
    pub fn judged(self, verdict: Option<ClientVerdict>) -> Self {
        Self { verdict, ..self }
    }

    /// What was found out about it; none where its handshake would not have been held otherwise.
    pub fn verdict(&self) -> Option<&ClientVerdict> {
        self.verdict.as_ref()
    }

    /// As they were shown.
    pub fn written(&self) -> impl Iterator<Item = &[u8]> {
        self.written.iter().map(|it| &**it)
    }

    /// What they say. One that cannot be read says nothing.
    pub fn texts(&self) -> &[CertificateText] {
        let text = |der: &[u8]| CertificateText::read(der).unwrap_or_default();
        self.read.get_or_init(|| self.written().map(text).collect())
    }

    /// What is told of them, which `make` makes of them once.
    pub fn told(&self, make: impl FnOnce(&Self) -> String) -> &str {
        self.told.get_or_init(|| make(self).into())
    }
}

impl PartialEq for ClientChain {
    fn eq(&self, other: &Self) -> bool {
        (&self.written, &self.verdict) == (&other.written, &other.verdict)
    }
}

impl Eq for ClientChain {}

impl CertificateText {
    fn read(der: &[u8]) -> Option<Self> {
        let read = X509::read(der)?;
        Some(Self {
            subject: DistinguishedName::read(read.subject),
            issuer: DistinguishedName::read(read.issuer),
            serial: read.serial_digits(),
            validity: read.validity,
            alternative_names: read
                .extension(ALTERNATIVE_NAMES)
                .map(alternative)
                .unwrap_or_default(),
        })
    }
}
