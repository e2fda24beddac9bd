//! What is reported of certificates beside what their Secrets are good for.

use steelyard_model::Code;

/// A certificate is for names that no route is for.
pub const CERTIFICATE_NAME_UNUSED: Code = Code::new("certificate-name-unused");
/// A certificate asks to be shown with an OCSP response, and is not; or it is revoked.
pub const CERTIFICATE_UNSTAPLED: Code = Code::new("certificate-unstapled");
/// Routes of one host ask for different terms of handshakes.
pub const TLS_OPTIONS_CONFLICT: Code = Code::new("tls-options-conflict");
/// A host is served over TLS alone, and no certificate is for it.
pub const TLS_HOST_BARE: Code = Code::new("tls-host-bare");
/// A certificate is not valid any more, or not for long, or not yet.
pub const CERTIFICATE_LAPSES: Code = Code::new("certificate-lapses");
