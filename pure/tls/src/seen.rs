//! What is to be known of a certificate that somebody has shown, beside what the verification of
//! its signatures tells.

use crate::x509::X509;

/// A certificate as its bytes have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenCertificate {
    /// When it begins and ceases to be valid, in seconds since 1970 (UTC).
    pub validity: (i64, i64),
    /// Its subject says that it has signed it itself.
    pub is_self_signed: bool,
}

impl SeenCertificate {
    /// What DER has to say; none where it is no certificate.
    pub fn read(der: &[u8]) -> Option<Self> {
        let read = X509::read(der)?;
        let is_self_signed = read.issuer == read.subject;
        Some(Self { validity: read.validity, is_self_signed })
    }
}
