//! Which certificates of clients are taken.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme,
};
use steelyard_model::routing::tls::Authorities;

use super::anchors::Anchors;
use super::provider::provider;

/// Takes certificates of clients that have their keys.
#[derive(Debug)]
struct Clients {
    /// Who must have signed them; none is anybody.
    by: Option<Anchors<dyn ClientCertVerifier>>,
    /// Their names, for clients with several certificates.
    hints: Vec<DistinguishedName>,
    provider: CryptoProvider,
    is_required: bool,
}

/// Any certificate.
pub(super) fn any(provider: &CryptoProvider, is_required: bool) -> Arc<dyn ClientCertVerifier> {
    Arc::new(Clients { by: None, hints: Vec::new(), provider: provider.clone(), is_required })
}

/// Those that one of these has signed, as long as that one is valid; none where one of them is no
/// certificate, or there is nobody.
pub(super) fn signed(
    authorities: &Authorities,
    provider: &CryptoProvider,
    is_required: bool,
) -> Option<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    let mut all = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(authorities.pem.as_bytes()) {
        let certificate = certificate.ok()?;
        roots.add(certificate.clone()).ok()?;
        all.push(certificate);
    }
    let by = (!all.is_empty()).then(|| Anchors::new(all, chains))?;
    let (hints, provider) = (roots.subjects(), provider.clone());
    Some(Arc::new(Clients { by: Some(by), hints, provider, is_required }))
}

fn chains(store: RootCertStore) -> Option<Arc<dyn ClientCertVerifier>> {
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider().into());
    builder.build().ok()
}

impl ClientCertVerifier for Clients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn client_auth_mandatory(&self) -> bool {
        self.is_required
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let Some(by) = &self.by else { return Ok(ClientCertVerified::assertion()) };
        let chains = by.at(now).ok_or(CertificateError::UnknownIssuer)?;
        chains.verify_client_cert(shown, more, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
