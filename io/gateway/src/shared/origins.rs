//! How TLS is spoken to endpoints, as configurations of rustls.
//!
//! Who is to be verified is, by chain, time and name, before a byte goes there. What a transport
//! asks for and cannot be had ends in none: its requests are refused. Sessions are resumed within
//! one transport only.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, ClientConnection, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::version::{TLS12, TLS13};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use steelyard_model::routing::tls::TlsVersion;
use steelyard_model::routing::transport::{OriginProtocol, OriginTls, Roots, Transport};
use steelyard_tls::SeenCertificate;

use super::anchors::Anchors;
use super::pair;
use super::policies::keep_suites;
use super::provider::provider;

/// A transport over TLS, of which handshakes are made when somebody wants the first: that reads the
/// machine's roots.
pub(crate) struct OriginTerms {
    transport: Arc<Transport>,
    made: OnceLock<Option<Arc<OriginHandshakes>>>,
}

/// What handshakes with the endpoints of one transport are begun with.
pub(crate) struct OriginHandshakes {
    /// Unlike that of any other: a connection that was made by other terms is another one.
    serial: u64,
    config: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
    protocol: OriginProtocol,
}

impl OriginTerms {
    pub(super) fn new(transport: Arc<Transport>) -> Self {
        Self { transport, made: OnceLock::new() }
    }

    pub(super) fn is_of(&self, transport: &Transport) -> bool {
        *self.transport == *transport
    }

    pub(super) fn handshakes(&self) -> Option<&Arc<OriginHandshakes>> {
        let make = || OriginHandshakes::of(&self.transport).map(Arc::new);
        self.made.get_or_init(make).as_ref()
    }
}

impl OriginHandshakes {
    fn of(transport: &Transport) -> Option<Self> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let Transport { id, protocol, tls, .. } = transport;
        let tls = tls.as_ref()?;
        let config = config(tls);
        let config = config.inspect_err(|error| {
            tracing::error!(%error, transport = %id, "TLS cannot be spoken to endpoints");
        });
        let name = tls.server_name.as_ref().map(|name| ServerName::try_from(name.to_string()));
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let (name, config) = (name.transpose().ok()?, Arc::new(config.ok()?));
        Some(Self { serial, config, name, protocol: *protocol })
    }

    /// The name that every endpoint must have; none is its own.
    pub(crate) fn name(&self) -> Option<&ServerName<'static>> {
        self.name.as_ref()
    }

    /// A handshake with an endpoint of this name. `shared` is whether HTTP/2 may come of it, where
    /// that is agreed on.
    pub(crate) fn begin(
        &self,
        name: ServerName<'static>,
        shared: bool,
    ) -> Result<ClientConnection, Error> {
        let protocols: &[&[u8]] = match (self.protocol, shared) {
            (OriginProtocol::Negotiated, true) => &[b"h2", b"http/1.1"],
            (OriginProtocol::Negotiated, false) => &[b"http/1.1"],
            (OriginProtocol::Http2, true) => &[b"h2"],
            _ => &[],
        };
        let protocols = protocols.iter().map(|it| it.to_vec()).collect();
        ClientConnection::new_with_alpn(self.config.clone(), name, protocols)
    }

    /// Whether HTTP/2 is spoken whatever an endpoint says of it.
    pub(crate) fn is_http2_only(&self) -> bool {
        self.protocol == OriginProtocol::Http2
    }
}

impl PartialEq for OriginHandshakes {
    fn eq(&self, other: &Self) -> bool {
        self.serial == other.serial
    }
}

fn config(tls: &OriginTls) -> Result<ClientConfig, Error> {
    let mut with = provider();
    keep_suites(&mut with, &tls.ciphers);
    let with = Arc::new(with);
    let (lowest, highest) = tls.versions;
    let all = [(TlsVersion::V1_3, &TLS13), (TlsVersion::V1_2, &TLS12)];
    let within = all.into_iter().filter(|(version, _)| (lowest..=highest).contains(version));
    let versions: Vec<_> = within.map(|(_, version)| version).collect();
    let builder = ClientConfig::builder_with_provider(with.clone());
    let builder = builder.with_protocol_versions(&versions)?.dangerous();
    let builder = builder.with_custom_certificate_verifier(verifier(&tls.roots, &with)?);
    let mut config = match &tls.client {
        None => builder.with_no_client_auth(),
        Some(certificate) => {
            let key = pair::key(certificate).clone_key();
            builder.with_client_auth_cert(pair::chain(certificate), key)?
        }
    };
    config.enable_sni = tls.sends_name;
    Ok(config)
}

fn verifier(
    roots: &Roots,
    with: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let believed: Vec<CertificateDer<'static>> = match roots {
        Roots::Nobody => return Ok(Arc::new(Anybody(with.clone()))),
        Roots::System => system(),
        Roots::Pem(pem) => {
            CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok).collect()
        }
    };
    let anchors = Anchors::new(believed, |store| {
        let provider = Arc::new(provider());
        WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build().ok()
    });
    Ok(Arc::new(Believed { anchors, provider: with.clone() }))
}

/// Those that the machine trusts.
fn system() -> Vec<CertificateDer<'static>> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        tracing::warn!(?errors, "this machine trusts nobody: no endpoint over TLS is verified");
    }
    found.certs
}

/// Takes who was signed by those who are believed, and these themselves: people put the certificate
/// of a server that has signed itself there, as OpenSSL and Go let them.
#[derive(Debug)]
struct Believed {
    anchors: Anchors<WebPkiServerVerifier>,
    provider: Arc<CryptoProvider>,
}

/// Takes whatever is shown. Whoever takes any certificate learns nothing by verifying that its
/// owner has signed the handshake, and could not where it is of an old form.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Believed {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let seen = SeenCertificate::read(shown).ok_or(CertificateError::BadEncoding)?;
        if !seen.is_self_signed {
            let chains = self.anchors.at(now).ok_or(CertificateError::UnknownIssuer)?;
            return chains.verify_server_cert(shown, more, name, ocsp, now);
        }
        if !self.anchors.contains(shown) {
            return Err(CertificateError::UnknownIssuer.into());
        }
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let (since, until) = seen.validity;
        if now < since {
            return Err(CertificateError::NotValidYet.into());
        }
        if now > until {
            return Err(CertificateError::Expired.into());
        }
        verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
