//! Policies of handshakes as configurations of rustls.
//!
//! What a policy asks for and is not known here ends in none: handshakes by it are refused, rather
//! than held by less.

use std::sync::Arc;

use rustls::SupportedProtocolVersion;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    NoServerSessionStorage, ResolvesServerCertUsingSni, ServerConfig, ServerSessionMemoryCache,
};
use rustls::version::{TLS12, TLS13};
use steelyard_model::routing::tls::{ClientAuthentication, Resumption, TlsPolicy, TlsVersion};

use super::clients;
use super::clients::Examiner;
use super::provider::provider;

/// How many sessions are kept by a policy that asks for that; the oldest goes for a new one.
const SESSIONS: usize = 4096;

/// How handshakes are held by a policy. None where they cannot be, also for want of randomness.
pub(super) fn of(policy: &TlsPolicy) -> Option<ServerConfig> {
    let mut provider = provider();
    keep_suites(&mut provider, &policy.ciphers);
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
        ClientAuthentication::Request => Some(clients::any(&provider, false)),
        ClientAuthentication::RequireAny => Some(clients::any(&provider, true)),
        ClientAuthentication::VerifyIfGiven(by) if by.reports => {
            Some(clients::hinted(by, &provider)?)
        }
        ClientAuthentication::VerifyIfGiven(by) => Some(clients::signed(by, &provider, false)?),
        ClientAuthentication::RequireAndVerify(by) => Some(clients::signed(by, &provider, true)?),
    };
    let protocols = policy.alpn.iter().map(|it| it.as_bytes().to_vec()).collect();
    // Who was verified once would come again by a ticket, with a certificate that is over since.
    let resumes = match policy.clients.verifies() {
        true => Resumption::Never,
        false => policy.resumes,
    };
    config(provider, &versions, verifier, protocols, resumes)
}

/// What finds out about certificates that are shown, where a policy lets handshakes go on with any.
pub(super) fn examiner(policy: &TlsPolicy) -> Option<Arc<Examiner>> {
    match &policy.clients {
        ClientAuthentication::VerifyIfGiven(by) if by.reports => {
            Examiner::new(by, &provider()).map(Arc::new)
        }
        _ => None,
    }
}

/// Leaves the cipher suites of these names, where there are any.
pub(super) fn keep_suites(provider: &mut CryptoProvider, wanted: &[Arc<str>]) {
    if !wanted.is_empty() {
        provider.cipher_suites.retain(|suite| {
            let name = suite.suite().as_str().unwrap_or_default();
            wanted.iter().any(|wanted| **wanted == *iana(name))
        });
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
    resumes: Resumption,
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
        // Sessions live in tickets, which take no memory here, unless that is asked for.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        match resumes {
            Resumption::Tickets => config.ticketer = Ticketer::new()?,
            Resumption::Kept => config.session_storage = ServerSessionMemoryCache::new(SESSIONS),
            Resumption::Never => config.send_tls13_tickets = 0,
        }
        Ok::<_, rustls::Error>(config)
    };
    built().inspect_err(|error| tracing::error!(%error, "handshakes cannot be held")).ok()
}
