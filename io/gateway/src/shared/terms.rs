//! By which terms handshakes are held: certificates by server name, and a configuration of rustls
//! for each policy, and for each way to speak to endpoints. Made where routes are applied, and
//! looked at by all cores.
//!
//! Keys of tickets are made here and are the same for all cores; they rotate, and each policy has
//! its own, as long as it asks for the same: what was agreed on by one is resumed by no other. What
//! does not change stays as it is, so that sessions are resumed over a reload.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use steelyard_model::routing::id::{CertificateId, TlsPolicyId, TransportId};
use steelyard_model::routing::tls::{NGINX_POLICY, TlsPolicy};
use steelyard_model::routing::world::{RoutingDelta, RoutingMap};
use steelyard_tls::{CertificateTable, Offer};

use super::clients::Examiner;
use super::keyed::Keyed;
use super::origins::{OriginHandshakes, OriginTerms};
use super::policies;

/// All terms of one configuration.
#[derive(Default)]
pub(crate) struct Terms {
    /// Where no policy is asked for, and none is the default one. None where this machine can hold
    /// no handshake.
    plain: Option<Arc<ServerConfig>>,
    /// The default one, where there is one.
    default: Option<TlsPolicyId>,
    policies: HashMap<TlsPolicyId, Kept>,
    /// How TLS is spoken to endpoints.
    origins: HashMap<TransportId, Arc<OriginTerms>>,
    keyed: HashMap<CertificateId, Arc<Keyed>>,
    /// For names that no certificate is for, where there is none for all.
    made: Option<Made>,
}

/// A certificate that was made here, and what it is called.
#[derive(Clone)]
struct Made {
    subject: &'static Subject,
    /// By an RSA key, which takes longer to make: where no suite is for another.
    is_rsa: bool,
    key: Arc<CertifiedKey>,
}

/// What a certificate for nobody says.
#[derive(PartialEq)]
struct Subject {
    common_name: &'static str,
    organization: Option<&'static str>,
    name: Option<&'static str>,
}

/// A policy, and what it comes to.
struct Kept {
    policy: Arc<TlsPolicy>,
    config: Option<Arc<ServerConfig>>,
    examiner: Option<Arc<Examiner>>,
}

/// How a handshake is held.
pub(crate) struct Held<'t> {
    pub(crate) policy: &'t Arc<TlsPolicy>,
    pub(crate) config: &'t Arc<ServerConfig>,
    /// Who finds out about the client's certificate, where it goes on either way.
    pub(crate) examiner: Option<&'t Arc<Examiner>>,
}

/// What is shown, by server name.
#[derive(Debug)]
struct Showing {
    table: CertificateTable<Keyed>,
    /// For names that no certificate is for, and where there is none for all.
    for_all: Option<Arc<Keyed>>,
    made: Option<Arc<CertifiedKey>>,
}

/// The same under one policy.
#[derive(Debug)]
struct Resolver {
    showing: Arc<Showing>,
    /// Names that no certificate is for end the handshake.
    is_strict: bool,
}

/// What the default policy asks for where there is none.
static PLAIN: LazyLock<Arc<TlsPolicy>> = LazyLock::new(|| Arc::new(TlsPolicy::plain()));

/// The certificate that is shown where there is no other.
static FALLBACK: Subject =
    Subject { common_name: "STEELYARD DEFAULT CERT", organization: None, name: None };
/// The same in ingress-nginx's place, where people know it by this.
static FALLBACK_OF_NGINX: Subject = Subject {
    common_name: "Kubernetes Ingress Controller Fake Certificate",
    organization: Some("Acme Co"),
    name: Some("ingress.local"),
};

impl Terms {
    /// Those of `routing`, which differs by `delta` from what the present ones are made of; none
    /// where they stay.
    pub(crate) fn follow(&self, routing: &RoutingMap, delta: &RoutingDelta) -> Option<Self> {
        let is_as_before = delta.certificates.is_empty() && delta.tls_policies.is_empty();
        let are_origins_as_before = delta.transports.is_empty();
        if is_as_before && are_origins_as_before && self.plain.is_some() {
            return None;
        }
        let keyed = self.keyed(routing);
        let for_all = keyed.values().find(|it| it.certificate().is_default).cloned();
        let default = routing.default_policy().map(|it| it.id.clone());
        let subject = match &default {
            Some(id) if id.as_str() == NGINX_POLICY => &FALLBACK_OF_NGINX,
            _ => &FALLBACK,
        };
        let is_rsa = routing.default_policy().is_some_and(|it| takes_rsa_alone(it));
        let made = self.made.clone().filter(|it| (it.subject, it.is_rsa) == (subject, is_rsa));
        let made = made.or_else(|| made_for(subject, is_rsa));
        let table = CertificateTable::new(keyed.values().cloned());
        let key = made.as_ref().map(|it| it.key.clone());
        let showing = Arc::new(Showing { table, for_all, made: key });
        let plain = match &self.plain {
            Some(plain) => Some(shown(plain, &showing, false)),
            None => policies::of(&PLAIN).map(|config| shown(&config, &showing, false)),
        };
        let policies = routing.tls_policies.iter().map(|(id, policy)| {
            let known = self.policies.get(id).filter(|known| known.policy == *policy);
            let (config, examiner) = match known {
                Some(it) => (it.config.as_deref().cloned(), it.examiner.clone()),
                None => (policies::of(policy), policies::examiner(policy)),
            };
            let config = config.map(|config| shown(&config, &showing, policy.is_strict));
            (id.clone(), Kept { policy: policy.clone(), config, examiner })
        });
        let policies = policies.collect();
        let origins = self.origins(routing);
        Some(Self { plain, default, policies, origins, keyed, made })
    }

    /// How handshakes are held by a policy; none where they cannot be, and are refused.
    pub(crate) fn of(&self, policy: Option<&TlsPolicyId>) -> Option<Held<'_>> {
        let meant = policy.or(self.default.as_ref()).and_then(|id| self.policies.get(id));
        let (policy, config, examiner) = match (policy, meant) {
            (_, Some(it)) => (&it.policy, it.config.as_ref(), it.examiner.as_ref()),
            (None, None) => (&*PLAIN, self.plain.as_ref(), None),
            (Some(_), None) => return None,
        };
        Some(Held { policy, config: config?, examiner })
    }

    /// All certificates that are shown.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = &Arc<Keyed>> {
        self.keyed.values()
    }

    /// How TLS is spoken to the endpoints of a transport; none where it cannot be.
    pub(crate) fn origin(&self, transport: &TransportId) -> Option<Arc<OriginHandshakes>> {
        self.origins.get(transport)?.handshakes().cloned()
    }

    /// Transports over TLS, each as it was where it stays.
    fn origins(&self, routing: &RoutingMap) -> HashMap<TransportId, Arc<OriginTerms>> {
        let secure = routing.transports.iter().filter(|(_, transport)| transport.tls.is_some());
        let terms = secure.map(|(id, transport)| {
            let known = self.origins.get(id).filter(|known| known.is_of(transport));
            let terms = known.cloned();
            (id.clone(), terms.unwrap_or_else(|| Arc::new(OriginTerms::new(transport.clone()))))
        });
        terms.collect()
    }

    /// Certificates, each as it was where it stays.
    fn keyed(&self, routing: &RoutingMap) -> HashMap<CertificateId, Arc<Keyed>> {
        let all = routing.certificates.iter().map(|(id, certificate)| {
            let known = self.keyed.get(id);
            let known = known.filter(|it| it.is_of(certificate)).cloned();
            (id.clone(), known.unwrap_or_else(|| Arc::new(Keyed::new(certificate.clone()))))
        });
        all.collect()
    }
}

fn shown(config: &ServerConfig, showing: &Arc<Showing>, is_strict: bool) -> Arc<ServerConfig> {
    let mut config = config.clone();
    config.cert_resolver = Arc::new(Resolver { showing: showing.clone(), is_strict });
    Arc::new(config)
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let fits =
            |keyed: &Keyed| keyed.key().is_some_and(|it| it.choose_scheme(schemes).is_some());
        let showing = &*self.showing;
        let found = hello.server_name().and_then(|name| showing.table.named(&lower(name), fits));
        match found.and_then(|keyed| keyed.shown()) {
            None if !self.is_strict => showing.otherwise(),
            shown => shown,
        }
    }
}

impl Showing {
    /// What is shown for names that no certificate is for.
    fn otherwise(&self) -> Option<Arc<CertifiedKey>> {
        self.for_all.as_ref().and_then(|keyed| keyed.shown()).or_else(|| self.made.clone())
    }
}

fn lower(name: &str) -> Cow<'_, str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// Whether no suite of a policy is for a key on an elliptic curve, before TLS 1.3.
fn takes_rsa_alone(policy: &TlsPolicy) -> bool {
    let mut of_1_2 = policy.ciphers.iter().filter(|it| it.contains("_WITH_")).peekable();
    of_1_2.peek().is_some() && of_1_2.all(|it| it.contains("_RSA_"))
}

/// A certificate for nobody, as long as this process lives.
fn made_for(subject: &'static Subject, is_rsa: bool) -> Option<Made> {
    let made = || {
        let kind = if is_rsa { &PKCS_RSA_SHA256 } else { &PKCS_ECDSA_P256_SHA256 };
        let key = rcgen::KeyPair::generate_for(kind)?;
        let names: Vec<String> = subject.name.map(str::to_owned).into_iter().collect();
        let mut asked = rcgen::CertificateParams::new(names)?;
        let name = &mut asked.distinguished_name;
        if let Some(organization) = subject.organization {
            name.push(rcgen::DnType::OrganizationName, organization);
        }
        name.push(rcgen::DnType::CommonName, subject.common_name);
        let certificate = asked.self_signed(&key)?;
        Ok::<_, rcgen::Error>((certificate.der().clone(), key.serialize_der()))
    };
    let made = made().inspect_err(|error| tracing::error!(%error, "no default certificate"));
    let (certificate, key) = made.ok()?;
    let key = any_supported_type(&PrivateKeyDer::Pkcs8(key.into())).ok()?;
    let key = Arc::new(CertifiedKey::new(vec![certificate], key));
    Some(Made { subject, is_rsa, key })
}
