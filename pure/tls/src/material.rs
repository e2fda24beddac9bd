//! What a Secret holds, as a certificate: chain and key beside each other, in order, and belonging
//! together; and as those who are believed.

use std::sync::Arc;

use rustls_pki_types::pem::{PemObject, SectionKind};
use steelyard_model::routing::id::CertificateId;
use steelyard_model::routing::tls::{Certificate, KeyForm};
use steelyard_model::{FieldPath, Provenance, Secret, SecretValue};

use crate::key::{WrittenKey, algorithm};
use crate::ocsp::signed::is_signed_by;
use crate::unfit::{AUTHORITIES_KEY, CERTIFICATE_KEY, PRIVATE_KEY, Unfit};
use crate::x509::X509;

/// Most certificates of a chain that are looked at.
const LONGEST_CHAIN: usize = 16;

/// The certificate that a Secret is. Whatever stands in it beside, and the order of its chain, are
/// put right; certificates that are not of its chain, and a root, are left out.
///
/// # Errors
/// Where a handshake cannot be held with it.
pub fn certificate(secret: &Secret) -> Result<Certificate, Unfit> {
    let written = certificates_of(value(secret, CERTIFICATE_KEY)?, LONGEST_CHAIN);
    let (form, key) = private_key(value(secret, PRIVATE_KEY)?)?;
    let mut read = Vec::with_capacity(written.len());
    for der in &written {
        read.push(X509::read(der).ok_or(Unfit::BadCertificate)?);
    }
    if read.is_empty() {
        return Err(Unfit::NoCertificate);
    }
    let key_of = WrittenKey { form, der: &key };
    let own = own(&read, key_of)?;
    let all = Bundle { written: &written, read: &read };
    let leaf = &read[own];
    let (names, addresses) = leaf.names();
    let chain = all.in_order(own).into_iter().map(|at| Arc::from(&*written[at])).collect();
    let issuer = all.signer(own, &[own]).map(|at| Arc::from(&*written[at]));
    Ok(Certificate {
        id: CertificateId::from(secret.object.id().to_string()),
        place: Some(Provenance::new(&secret.object, FieldPath::default())),
        is_default: false,
        is_stapled: false,
        names,
        addresses,
        algorithm: algorithm(leaf)?,
        validity: leaf.validity,
        subject: leaf.common_name().unwrap_or_default().into(),
        serial: leaf.serial_digits().into(),
        chain,
        issuer,
        key: (form, SecretValue(key.into())),
    })
}

/// Those whose signatures a Secret says to believe, as PEM; none where it says nothing of it.
///
/// # Errors
/// Where one of them cannot be read.
pub fn authorities(secret: &Secret) -> Result<Option<Arc<str>>, Unfit> {
    let keys = [AUTHORITIES_KEY, OLDER_AUTHORITIES_KEY];
    let Some(key) = keys.into_iter().find(|key| has(secret, key)) else { return Ok(None) };
    authorities_of(value(secret, key)?).map(Some)
}

/// Those whose signatures a text of PEM says to believe.
///
/// # Errors
/// Where one of them cannot be read, or there are none.
pub fn authorities_of(pem: &[u8]) -> Result<Arc<str>, Unfit> {
    let found = certificates_of(pem, usize::MAX);
    if found.is_empty() || found.iter().any(|der| X509::read(der).is_none()) {
        return Err(Unfit::BadAuthorities);
    }
    std::str::from_utf8(pem).map(Arc::from).map_err(|_| Unfit::BadAuthorities)
}

/// Those whom a text of PEM names: by their common names, and from when to when they are valid.
pub(crate) fn believed(pem: &str) -> Vec<(String, (i64, i64))> {
    let named = |der: Vec<u8>| {
        let read = X509::read(&der)?;
        Some((read.common_name().unwrap_or("who has no name").to_owned(), read.validity))
    };
    certificates_of(pem.as_bytes(), usize::MAX).into_iter().filter_map(named).collect()
}

/// Where Traefik looks too.
const OLDER_AUTHORITIES_KEY: &str = "tls.ca";

/// What a Secret says to show when asked; none where it says nothing of it.
///
/// # Errors
/// Where it cannot be shown.
pub fn identity(secret: &Secret) -> Result<Option<Certificate>, Unfit> {
    let is_there = has(secret, CERTIFICATE_KEY) || has(secret, PRIVATE_KEY);
    is_there.then(|| certificate(secret)).transpose()
}

/// Whether there is more than nothing: cert-manager writes keys that it has nothing for.
fn has(secret: &Secret, key: &str) -> bool {
    secret.unreadable.contains(key) || secret.data.get(key).is_some_and(|it| !it.0.is_empty())
}

/// Which of the certificates is that of the key.
fn own(read: &[X509<'_>], key: WrittenKey<'_>) -> Result<usize, Unfit> {
    for (at, certificate) in read.iter().enumerate() {
        match key.is_of(certificate) {
            Ok(true) => return Ok(at),
            // Those behind the first may be of any kind.
            Err(why) if at == 0 => return Err(why),
            Ok(false) | Err(_) => {}
        }
    }
    Err(if key.is_key() { Unfit::Mismatch } else { Unfit::BadKey })
}

fn value<'s>(secret: &'s Secret, key: &'static str) -> Result<&'s [u8], Unfit> {
    match secret.data.get(key) {
        Some(value) => Ok(&value.0),
        None if secret.unreadable.contains(key) => Err(Unfit::NotBase64(key)),
        None => Err(Unfit::Absent(key)),
    }
}

/// The first certificates of a text, as DER; what else stands there is skipped.
fn certificates_of(pem: &[u8], most: usize) -> Vec<Vec<u8>> {
    let sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem).filter_map(Result::ok);
    let found = sections.filter(|(kind, _)| *kind == SectionKind::Certificate);
    found.map(|(_, der)| der).take(most).collect()
}

/// The first private key of a text.
fn private_key(pem: &[u8]) -> Result<(KeyForm, Vec<u8>), Unfit> {
    let sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem).filter_map(Result::ok);
    let mut keys = sections.filter_map(|(kind, der)| {
        let form = match kind {
            SectionKind::PrivateKey => KeyForm::Pkcs8,
            SectionKind::RsaPrivateKey => KeyForm::Pkcs1,
            SectionKind::EcPrivateKey => KeyForm::Sec1,
            _ => return None,
        };
        Some((form, der))
    });
    keys.next().ok_or_else(|| {
        let says = |word: &[u8]| pem.windows(word.len()).any(|it| it == word);
        let is_encrypted = says(b"BEGIN ENCRYPTED PRIVATE KEY") || says(b"Proc-Type: 4,ENCRYPTED");
        if is_encrypted { Unfit::EncryptedKey } else { Unfit::NoKey }
    })
}

/// Certificates that stand beside each other, as they are written and as they are read.
struct Bundle<'a> {
    written: &'a [Vec<u8>],
    read: &'a [X509<'a>],
}

impl Bundle<'_> {
    /// From the certificate at `own` up to who signed it, as far as they are there. Who signed
    /// themselves are known to clients, or are not believed.
    fn in_order(&self, own: usize) -> Vec<usize> {
        let mut chain = vec![own];
        let mut last = own;
        while let Some(next) = self.signer(last, &chain) {
            if self.has_signed_itself(next) {
                break;
            }
            chain.push(next);
            last = next;
        }
        chain
    }

    /// Who signed the certificate `at`, if it is another one that is there and not among `known`.
    /// Signatures are looked at where names alone leave it open.
    fn signer(&self, at: usize, known: &[usize]) -> Option<usize> {
        if self.has_signed_itself(at) {
            return None;
        }
        let signed = &self.read[at];
        let is_named = |it: &usize| !known.contains(it) && self.read[*it].subject == signed.issuer;
        let named: Vec<usize> = (0..self.read.len()).filter(is_named).collect();
        let is_open = named.len() > 1 || signed.issuer == signed.subject;
        let has_signed = |it: &&usize| self.is_signed(at, **it) != Some(false);
        let found = if is_open { named.iter().find(has_signed) } else { None };
        found.or_else(|| named.first().filter(|_| signed.issuer != signed.subject)).copied()
    }

    /// Whose signer has its name may be another one all the same.
    fn has_signed_itself(&self, at: usize) -> bool {
        let it = &self.read[at];
        it.issuer == it.subject && self.is_signed(at, at) != Some(false)
    }

    fn is_signed(&self, at: usize, by: usize) -> Option<bool> {
        is_signed_by(&self.written[at], &self.read[by])
    }
}
