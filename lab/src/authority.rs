//! A small CA for what is played: it signs certificates for the hosts of examples, and its key is
//! kept nowhere, so that nobody signs by it once it is gone.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use steelyard_model::{NamespacedName, ObjectRef, Secret, SecretValue};

/// The CA.
pub struct CertificateAuthority(CertifiedIssuer<'static, KeyPair>);

impl CertificateAuthority {
    /// A new one, of this name.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub fn new(name: &str) -> Result<Self> {
        let mut asked = params(name, Vec::new())?;
        asked.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        asked.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().context("no key for a CA")?;
        Ok(Self(CertifiedIssuer::self_signed(asked, key).context("no CA")?))
    }

    /// Its certificate, for those who are to believe it.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A Secret of type `kubernetes.io/tls` with a certificate for these hosts.
    ///
    /// # Errors
    /// When a host is none, or the machine has no randomness.
    pub fn secret(&self, id: &NamespacedName, hosts: Vec<String>) -> Result<Secret> {
        let name = hosts.first().cloned().unwrap_or_default();
        let mut asked = params(&name, hosts)?;
        asked.use_authority_key_identifier_extension = true;
        asked.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().context("no key")?;
        let chain = asked.signed_by(&key, &self.0).context("no certificate")?.pem();
        let value = |text: &str| SecretValue::from(text);
        Ok(Secret {
            object: Arc::new(ObjectRef::new("Secret", &*id.namespace, &*id.name)),
            kind: "kubernetes.io/tls".to_owned(),
            data: [
                ("tls.crt".to_owned(), value(&chain)),
                ("tls.key".to_owned(), value(&key.serialize_pem())),
            ]
            .into(),
            unreadable: Default::default(),
            texts: Default::default(),
        })
    }
}

/// From the beginning of this year to the end of the next: what is valid longer than 825 days is
/// believed by few.
fn params(name: &str, hosts: Vec<String>) -> Result<CertificateParams> {
    /// Of a mean year.
    const SECONDS: u64 = 31_556_952;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let year = 1970 + i32::try_from(since / SECONDS).unwrap_or_default();
    let mut asked = CertificateParams::new(hosts).context("a host that is none")?;
    asked.not_before = rcgen::date_time_ymd(year, 1, 1);
    asked.not_after = rcgen::date_time_ymd(year + 1, 12, 31);
    asked.distinguished_name.push(DnType::CommonName, name);
    Ok(asked)
}
