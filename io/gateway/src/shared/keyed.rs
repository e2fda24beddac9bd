//! A certificate with its key, as it is shown.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::{CertifiedKey, SigningKey};
use steelyard_model::routing::tls::Certificate;
use steelyard_tls::Offer;

use super::pair;

/// A certificate, whose key is read when somebody wants it first: of many, few are asked for.
#[derive(Debug)]
pub(crate) struct Keyed {
    certificate: Arc<Certificate>,
    /// It asks to be shown with what its signer says of it.
    must_staple: bool,
    /// It is shown so in any case, where its signer can be asked.
    is_stapled: bool,
    key: OnceLock<Option<Arc<dyn SigningKey>>>,
    /// What its signer says.
    staple: ArcSwapOption<Vec<u8>>,
}

impl Keyed {
    pub(super) fn new(certificate: Arc<Certificate>) -> Self {
        let must_staple = steelyard_tls::must_staple(&certificate);
        let can_be = || steelyard_tls::question(&certificate).is_ok();
        let is_stapled = must_staple || certificate.is_stapled && can_be();
        let staple = ArcSwapOption::empty();
        Self { certificate, must_staple, is_stapled, key: OnceLock::new(), staple }
    }

    /// Whether it is of this certificate.
    pub(super) fn is_of(&self, certificate: &Arc<Certificate>) -> bool {
        Arc::ptr_eq(&self.certificate, certificate) || *self.certificate == **certificate
    }

    pub(super) fn must_staple(&self) -> bool {
        self.must_staple
    }

    pub(super) fn is_stapled(&self) -> bool {
        self.is_stapled
    }

    /// Its key, for what can be verified with it.
    pub(super) fn key(&self) -> Option<&Arc<dyn SigningKey>> {
        let read = || {
            let key = any_supported_type(&pair::key(&self.certificate));
            let told = key.inspect_err(|error| {
                tracing::error!(%error, certificate = %self.certificate.id, "a key is of no use");
            });
            told.ok()
        };
        self.key.get_or_init(read).as_ref()
    }

    /// What one handshake shows. Its chain is copied each time, which is little beside a signature:
    /// a copy that stays would be as much as all else of a certificate.
    pub(super) fn shown(&self) -> Option<Arc<CertifiedKey>> {
        let key = self.key()?.clone();
        let mut shown = CertifiedKey::new(pair::chain(&self.certificate), key);
        if self.is_stapled {
            shown.ocsp = self.staple.load().as_deref().cloned();
        }
        Some(Arc::new(shown))
    }

    /// Shows this beside it from now on.
    pub(super) fn staple(&self, answer: Option<Vec<u8>>) {
        self.staple.store(answer.map(Arc::new));
    }
}

impl Offer for Keyed {
    fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}
