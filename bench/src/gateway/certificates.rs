//! Many certificates: how long a look-up by server name takes, and what one takes of memory. In a
//! process of its own, which holds the gateway and who asks it, so that nothing else is counted.

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
use steelyard_model::routing::tls::Certificate;
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{ObjectRef, Protocol, Secret, SecretValue};
use steelyard_tls::{CertificateTable, Offer};

use crate::load::handshakes::shake_hands;
use crate::memory::resident;
use crate::results::Row;

/// How many there are, and how many names are looked up.
const MANY: usize = 10_000;
const LOOK_UPS: usize = 1_000_000;

/// ns of a look-up, and KB of a certificate.
const GOAL_LOOK_UP: f64 = 200.0;
const GOAL_MEMORY: f64 = 6.0;

/// What was found, of certificates of one kind.
#[derive(Serialize, Deserialize)]
pub(crate) struct Found {
    /// ns.
    look_up: f64,
    /// KB that one takes that nobody has asked for, and one that was shown.
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
        Row::alone(memory, "KB", found.shown, GOAL_MEMORY, 1),
    ];
    Ok((rows, vec![format!("{memory}: {:.1} KB before it was.", found.held)]))
}

/// 10,000 pairs on P-256, each for one name, with a chain of two.
pub(crate) fn measure() -> Result<Found> {
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
    for certificate in Signer::new()?.sign(MANY) {
        let certificate = certificate?;
        map.certificates.insert(certificate.id.clone(), Arc::new(certificate));
    }
    for (at, expected) in [(0, 950..1_100), (1, 1_000..1_200)] {
        let length = map.certificates.values().next().context("many")?.chain[at].len();
        ensure!(expected.contains(&length), "a certificate of {length} bytes");
    }
    gateway.apply(&map, 2);
    shake_hands(address, &host(0))?;
    let held = kilobytes()?;
    (0..MANY).try_for_each(|number| shake_hands(address, &host(number)))?;
    let shown = kilobytes()?;
    let each = |kilobytes: f64| (kilobytes - before) / MANY as f64;
    let look_up = look_up(map.certificates.values())?;
    Ok(Found { look_up, held: each(held), shown: each(shown) })
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

    fn sign(&self, count: usize) -> impl Iterator<Item = Result<Certificate>> {
        (0..count).map(|number| {
            let key = KeyPair::generate()?;
            let mut own = CertificateParams::new(vec![host(number)])?;
            own.custom_extensions.push(filling(LIKE_REAL[0]));
            let own = own.signed_by(&key, &self.intermediate)?;
            let value = |text: String| SecretValue(text.into_bytes().into());
            let chain = value(own.pem() + &self.intermediate.pem());
            let key = value(key.serialize_pem());
            let secret = Secret {
                object: Arc::new(ObjectRef::new("Secret", "default", format!("app-{number}-tls"))),
                kind: "kubernetes.io/tls".to_owned(),
                data: [("tls.crt".to_owned(), chain), ("tls.key".to_owned(), key)].into(),
                unreadable: Default::default(),
            };
            steelyard_tls::certificate(&secret).map_err(|why| anyhow::anyhow!("{why:?}"))
        })
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
