//! What a client has shown of itself in a handshake: its certificates, for who tells endpoints.
//!
//! They are read once for a connection, when somebody first asks.

use std::sync::OnceLock;

use crate::name::{DistinguishedName, alternative};
use crate::x509::{ALTERNATIVE_NAMES, X509};

/// The certificates of a client, its own first.
#[derive(Debug, Default)]
pub struct ClientChain {
    written: Vec<Box<[u8]>>,
    read: OnceLock<Vec<CertificateText>>,
    told: OnceLock<Box<str>>,
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
        self.written == other.written
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
