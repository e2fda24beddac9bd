//! Policies of handshakes as configurations of rustls.
//!
//! What a policy asks for and is not known here ends in none: handshakes by it are refused, rather
//! than held by less.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ResolvesServerCertUsingSni, ServerConfig};
use rustls::version::{TLS12, TLS13};
use rustls::{
    DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};
use steelyard_model::routing::tls::{Authorities, ClientAuthentication, TlsPolicy, TlsVersion};

/// Application protocols, best first, where nobody says otherwise.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// How handshakes are held where no policy is asked for: TLS 1.2 and 1.3, whatever rustls has,
/// the post-quantum key exchange first. None where there is no randomness for keys.
pub(super) fn plain() -> Option<ServerConfig> {
    let protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    config(provider(), &[&TLS13, &TLS12], None, protocols)
}

/// The same by a policy.
pub(super) fn of(policy: &TlsPolicy) -> Option<ServerConfig> {
    let mut provider = provider();
    if !policy.ciphers.is_empty() {
        provider.cipher_suites.retain(|suite| {
            let name = suite.suite().as_str().unwrap_or_default();
            policy.ciphers.iter().any(|wanted| **wanted == *iana(name))
        });
    }
    if !policy.groups.is_empty() {
        provider.kx_groups.retain(|group| {
            let name = format!("{:?}", group.name());
            policy.groups.iter().any(|wanted| name.eq_ignore_ascii_case(wanted))
        });
    }
    let (lowest, highest) = policy.versions;
    let all = [(TlsVersion::V1_3, &TLS13), (TlsVersion::V1_2, &TLS12)];
    let within = all.into_iter().filter(|(version, _)| (lowest..=highest).contains(version));
    let versions: Vec<&SupportedProtocolVersion> = within.map(|(_, version)| version).collect();
    let verifier = match &policy.clients {
        ClientAuthentication::Nothing => None,
        ClientAuthentication::Request => Some(AnyClient::verifier(&provider, false)),
        ClientAuthentication::RequireAny => Some(AnyClient::verifier(&provider, true)),
        ClientAuthentication::VerifyIfGiven(authorities) => {
            Some(by_authorities(authorities, &provider, false)?)
        }
        ClientAuthentication::RequireAndVerify(authorities) => {
            Some(by_authorities(authorities, &provider, true)?)
        }
    };
    let protocols = policy.alpn.iter().map(|it| it.as_bytes().to_vec()).collect();
    config(provider, &versions, verifier, protocols)
}

pub(super) fn provider() -> CryptoProvider {
    CryptoProvider {
        kx_groups: vec![
            aws_lc_rs::kx_group::X25519MLKEM768,
            aws_lc_rs::kx_group::X25519,
            aws_lc_rs::kx_group::SECP256R1,
            aws_lc_rs::kx_group::SECP384R1,
        ],
        ..aws_lc_rs::default_provider()
    }
}

/// A name of a cipher suite as IANA has it.
pub(crate) fn iana(name: &str) -> std::borrow::Cow<'_, str> {
    match name.strip_prefix("TLS13_") {
        Some(rest) => format!("TLS_{rest}").into(),
        None => name.into(),
    }
}

fn config(
    provider: CryptoProvider,
    versions: &[&'static SupportedProtocolVersion],
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    protocols: Vec<Vec<u8>>,
) -> Option<ServerConfig> {
    let built = || {
        let builder = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)?;
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let nobody = Arc::new(ResolvesServerCertUsingSni::new());
        let mut config = builder.with_cert_resolver(nobody);
        config.alpn_protocols = protocols;
        // Sessions live in tickets, which take no memory here.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        Ok::<_, rustls::Error>(config)
    };
    built().inspect_err(|error| tracing::error!(%error, "handshakes cannot be held")).ok()
}

/// Clients show a certificate that one of these has signed.
fn by_authorities(
    authorities: &Authorities,
    provider: &CryptoProvider,
    is_required: bool,
) -> Option<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authorities.pem.as_bytes()) {
        roots.add(certificate.ok()?).ok()?;
    }
    let provider = Arc::new(provider.clone());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if is_required { builder } else { builder.allow_unauthenticated() };
    builder.build().ok()
}

/// Takes any certificate of a client, as long as the client has its key.
#[derive(Debug)]
struct AnyClient {
    provider: CryptoProvider,
    is_required: bool,
}

impl AnyClient {
    fn verifier(provider: &CryptoProvider, is_required: bool) -> Arc<dyn ClientCertVerifier> {
        Arc::new(Self { provider: provider.clone(), is_required })
    }
}

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        self.is_required
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
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
