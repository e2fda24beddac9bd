//! Many certificates: how long a look-up by server name takes, and what one takes of memory. In a
//! process of its own, which holds the gateway and who asks it, so that nothing else is counted.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use rcgen::{CertificateParams, CertifiedIssuer, CustomExtension, KeyPair};
use rustls::SignatureScheme;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::SigningKey;
use serde::{Deserialize, Serialize};
use steelyard_gateway::{Bind, Binding, Gateway, GatewayOptions};
use steelyard_model::routing::entry_point::SECURE;
use steelyard_model::routing::id::CertificateId;
use steelyard_model::routing::tls::Certificate;
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{ObjectRef, Protocol, Secret, SecretValue};
use steelyard_tls::{CertificateTable, Offer};

use crate::load::handshakes::shake_hands;
use crate::memory::resident;
use crate::results::Row;

/// How many there are, of RSA fewer, and how many names are looked up.
const MANY: usize = 10_000;
const FEWER: usize = 2_000;
const LOOK_UPS: usize = 1_000_000;

/// ns of a look-up, and KB of a certificate.
const GOAL_LOOK_UP: f64 = 200.0;
const GOAL_MEMORY: f64 = 6.0;

/// What was found.
#[derive(Serialize, Deserialize)]
pub(crate) struct Found {
    /// ns.
    look_up: f64,
    p256: Taken,
    rsa: Taken,
}

/// KB that one certificate takes that nobody has asked for, and one that was shown.
#[derive(Serialize, Deserialize)]
struct Taken {
    held: f64,
    shown: f64,
}

/// Measures in a process of its own.
pub(super) fn rows() -> Result<(Vec<Row>, Vec<String>)> {
    let output = Command::new(std::env::current_exe()?).arg("certificates").output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "certificates: {said}");
    let found: Found = serde_json::from_slice(&output.stdout)?;
    let look_up = "which of 10,000 certificates, by server name";
    let memory = "memory, one of 10,000 certificates that was shown";
    let rows = vec![
        Row::alone(look_up, "ns", found.look_up, GOAL_LOOK_UP, 1),
        Row::alone(memory, "KB", found.p256.shown, GOAL_MEMORY, 1),
    ];
    let note = format!(
        "{memory}: on P-256, with a chain of two; {:.1} KB before it was. With a key of RSA (2048 \
         bits) {:.1} KB, and {:.1} KB before.",
        found.p256.held, found.rsa.shown, found.rsa.held
    );
    Ok((rows, vec![note]))
}

/// Pairs of both kinds, each for one name, with a chain of two.
pub(crate) fn measure() -> Result<Found> {
    let (p256, certificates) = taken(MANY, KeyPair::generate)?;
    let look_up = look_up(certificates.values())?;
    drop(certificates);
    // To make one takes a while: all have the same, each for itself.
    let kind = (&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048);
    let key = KeyPair::generate_rsa_for(kind.0, kind.1)?.serialize_pem();
    let (rsa, _) = taken(FEWER, || KeyPair::from_pem(&key))?;
    Ok(Found { look_up, p256, rsa })
}

type Certificates = BTreeMap<CertificateId, Arc<Certificate>>;

/// What certificates with these keys take in a gateway of their own.
fn taken(
    count: usize,
    key: impl Fn() -> Result<KeyPair, rcgen::Error>,
) -> Result<(Taken, Certificates)> {
    let gateway = Gateway::start(GatewayOptions { workers: 1, ..GatewayOptions::default() })?;
    let mut map = RoutingMap::default();
    let point = SECURE.entry_point();
    for listener in point.listeners() {
        map.listeners.insert(listener.id.clone(), Arc::new(listener));
    }
    map.entry_points.insert(point.id.clone(), Arc::new(point));
    gateway.apply(&map, 1);
    let address = listen(&gateway)?;
    (0..50).try_for_each(|_| shake_hands(address, "nobody.example"))?; // what is set aside once
    let before = kilobytes()?;
    let (signer, mut kept) = (Signer::new()?, Certificates::new());
    for number in 0..count {
        let certificate = Arc::new(signer.sign(number, &key()?)?);
        map.certificates.insert(certificate.id.clone(), certificate.clone());
        kept.insert(certificate.id.clone(), certificate);
    }
    let chain = &kept.values().next().context("many")?.chain;
    let lengths = [chain[0].len(), chain[1].len()];
    ensure!(lengths.iter().all(|it| (900..1_350).contains(it)), "certificates of {lengths:?}");
    gateway.apply(&map, 2);
    shake_hands(address, &host(0))?;
    let held = kilobytes()?;
    (0..count).try_for_each(|number| shake_hands(address, &host(number)))?;
    let shown = kilobytes()?;
    let each = |kilobytes: f64| (kilobytes - before) / count as f64;
    Ok((Taken { held: each(held), shown: each(shown) }, kept))
}

fn kilobytes() -> Result<f64> {
    steelyard_host::memory::give_back();
    Ok(resident(std::process::id())? * 1024.0 * 1.024)
}

fn listen(gateway: &Gateway) -> Result<SocketAddr> {
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let entry_point = SECURE.name.into();
    let bind = Bind { entry_point, protocol: Protocol::Tcp, address, binding: Binding::Host };
    let (_, outcome) = gateway.listen(&[bind]).pop().context("one is asked for")?;
    Ok(outcome?)
}

fn host(number: usize) -> String {
    format!("app-{number}.home.example")
}

/// Bytes that certificates have more than these here would have, so that they are as long as those
/// that people have of a public authority: about 1,000, and 1,100 of who has signed them.
const LIKE_REAL: [usize; 2] = [600, 700];

/// An extension that says nothing, in so many bytes.
fn filling(length: usize) -> CustomExtension {
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 55_555, 1], vec![0; length])
}

/// Who signs for all, below a root.
struct Signer {
    intermediate: CertifiedIssuer<'static, KeyPair>,
}

impl Signer {
    fn new() -> Result<Self> {
        let named = |name: &str| {
            let mut asked = CertificateParams::new(Vec::new())?;
            asked.distinguished_name.push(rcgen::DnType::CommonName, name);
            asked.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            asked.custom_extensions.push(filling(LIKE_REAL[1]));
            Ok::<_, rcgen::Error>(asked)
        };
        let root = CertifiedIssuer::self_signed(named("root")?, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        Ok(Self { intermediate: CertifiedIssuer::signed_by(named("middle")?, key, &root)? })
    }

    /// A certificate of this key, as its Secret has it.
    fn sign(&self, number: usize, key: &KeyPair) -> Result<Certificate> {
        let mut own = CertificateParams::new(vec![host(number)])?;
        own.custom_extensions.push(filling(LIKE_REAL[0]));
        let own = own.signed_by(key, &self.intermediate)?;
        let value = |text: String| SecretValue(text.into_bytes().into());
        let chain = value(own.pem() + &self.intermediate.pem());
        let key = value(key.serialize_pem());
        let secret = Secret {
            object: Arc::new(ObjectRef::new("Secret", "default", format!("app-{number}-tls"))),
            kind: "kubernetes.io/tls".to_owned(),
            data: [("tls.crt".to_owned(), chain), ("tls.key".to_owned(), key)].into(),
            unreadable: Default::default(),
            texts: Default::default(),
        };
        steelyard_tls::certificate(&secret).map_err(|why| anyhow::anyhow!("{why:?}"))
    }
}

/// A certificate and its key, as the gateway keeps them beside each other.
struct Held {
    certificate: Arc<Certificate>,
    key: Arc<dyn SigningKey>,
}

impl Offer for Held {
    fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

/// ns of a look-up in the gateway's table, of names drawn at random.
fn look_up<'c>(all: impl Iterator<Item = &'c Arc<Certificate>>) -> Result<f64> {
    let held = all.map(|certificate| {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(&*certificate.key.1.0));
        Ok(Arc::new(Held { certificate: certificate.clone(), key: any_supported_type(&key)? }))
    });
    let table = CertificateTable::new(held.collect::<Result<Vec<_>>>()?);
    let mut drawn: u64 = 1;
    let names: Vec<String> = (0..LOOK_UPS)
        .map(|_| {
            drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            host((drawn >> 33) as usize % MANY)
        })
        .collect();
    let schemes = [SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::RSA_PSS_SHA256];
    let fits = |held: &Held| held.key.choose_scheme(&schemes).is_some();
    let begun = Instant::now();
    let found = names.iter().filter(|name| table.named(name, fits).is_some()).count();
    let took = begun.elapsed();
    ensure!(found == LOOK_UPS, "{found} were found");
    Ok(took.as_secs_f64() * 1e9 / LOOK_UPS as f64)
}
