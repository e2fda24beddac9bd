//! Which certificates of clients are taken.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
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

/// What finds out whether a certificate that was shown is one of those that count, where a
/// handshake goes on either way.
#[derive(Debug)]
pub(crate) struct Examiner {
    clients: Clients,
    depth: Option<usize>,
}

impl Examiner {
    /// None where one of those who sign is no certificate, or there is nobody.
    pub(super) fn new(authorities: &Authorities, provider: &CryptoProvider) -> Option<Self> {
        let clients = by(authorities, provider, false)?;
        Some(Self { clients, depth: authorities.depth })
    }

    /// Whether it does not, and why, in OpenSSL's words.
    pub(crate) fn fault(
        &self,
        shown: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Option<&'static str> {
        let by = self.clients.by.as_ref()?;
        // Those who sign at the end of a chain may be shown too, and are none between.
        let between = more.iter().filter(|it| !by.contains(it)).count();
        if self.depth.is_some_and(|depth| between > depth) {
            return Some("certificate chain too long");
        }
        let found = self.clients.verify_client_cert(shown, more, now);
        found.err().map(|error| match error {
            Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            ) => "certificate has expired",
            Error::InvalidCertificate(
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
            ) => "certificate is not yet valid",
            Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                "unable to get local issuer certificate"
            }
            Error::InvalidCertificate(CertificateError::Revoked) => "certificate revoked",
            _ => "certificate verify failed",
        })
    }
}

/// The same as what takes any, and names those who sign.
pub(super) fn hinted(
    authorities: &Authorities,
    provider: &CryptoProvider,
) -> Option<Arc<dyn ClientCertVerifier>> {
    let hinted = by(authorities, provider, false)?;
    Some(Arc::new(Clients { by: None, ..hinted }))
}

/// Those that one of these has signed, as long as that one is valid; none where one of them is no
/// certificate, or there is nobody.
pub(super) fn signed(
    authorities: &Authorities,
    provider: &CryptoProvider,
    is_required: bool,
) -> Option<Arc<dyn ClientCertVerifier>> {
    Some(Arc::new(by(authorities, provider, is_required)?))
}

fn by(authorities: &Authorities, provider: &CryptoProvider, is_required: bool) -> Option<Clients> {
    let mut roots = RootCertStore::empty();
    let mut all = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(authorities.pem.as_bytes()) {
        let certificate = certificate.ok()?;
        roots.add(certificate.clone()).ok()?;
        all.push(certificate);
    }
    let revoked = authorities.revoked.clone();
    let make = move |store| chains(store, revoked.as_deref());
    let by = (!all.is_empty()).then(|| Anchors::new(all, make))?;
    let (hints, provider) = (roots.subjects(), provider.clone());
    Some(Clients { by: Some(by), hints, provider, is_required })
}

/// None, so that nobody is believed, where one of the lists of those taken back cannot be read.
fn chains(store: RootCertStore, revoked: Option<&str>) -> Option<Arc<dyn ClientCertVerifier>> {
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider().into());
    let Some(revoked) = revoked else { return builder.build().ok() };
    let lists = CertificateRevocationListDer::pem_slice_iter(revoked.as_bytes());
    let lists: Vec<_> = lists.collect::<Result<_, _>>().ok()?;
    if lists.is_empty() {
        return None;
    }
    builder.with_crls(lists).enforce_revocation_expiration().build().ok()
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
