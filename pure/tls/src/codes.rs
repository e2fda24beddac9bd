//! What is reported of certificates beside what their Secrets are good for.

use steelyard_model::Code;

/// A certificate is not valid any more, or not for long, or not yet.
pub const CERTIFICATE_LAPSES: Code = Code::new("certificate-lapses");
