//! A chain and its key, as rustls has them.

use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};
use steelyard_model::routing::tls::{Certificate, KeyForm};

/// Its chain, copied: of many that are kept, few are shown at a time.
pub(super) fn chain(certificate: &Certificate) -> Vec<CertificateDer<'static>> {
    certificate.chain.iter().map(|der| CertificateDer::from(der.to_vec())).collect()
}

/// Its key.
pub(super) fn key(certificate: &Certificate) -> PrivateKeyDer<'_> {
    let (form, key) = &certificate.key;
    match form {
        KeyForm::Pkcs8 => PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(&*key.0)),
        KeyForm::Pkcs1 => PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(&*key.0)),
        KeyForm::Sec1 => PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(&*key.0)),
    }
}
