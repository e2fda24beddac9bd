//! Everything that reads certificates and keys, on any bytes, with what must hold afterwards.
//! Fuzzing, the corpus and the property tests share it.

use std::sync::Arc;

use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::tls::{Certificate, KeyForm};
use steelyard_model::{ObjectRef, Secret, SecretValue};

use crate::key::{WrittenKey, algorithm};
use crate::lapse::lapse;
use crate::material::certificate;
use crate::ocsp;
use crate::table::{CertificateTable, Offer};
use crate::unfit::{CERTIFICATE_KEY, PRIVATE_KEY};
use crate::x509::X509;

/// A certificate with nothing beside it.
#[derive(Debug)]
struct Alone(Certificate);

impl Offer for Alone {
    fn certificate(&self) -> &Certificate {
        &self.0
    }
}

/// Reads `bytes` as both halves of a Secret, and as what is inside of them. Panics when an
/// invariant is broken.
pub fn exercise(bytes: &[u8]) {
    let data = [CERTIFICATE_KEY, PRIVATE_KEY]
        .map(|key| (key.to_owned(), SecretValue(Arc::from(bytes))))
        .into();
    let object = Arc::new(ObjectRef::new("Secret", "default", "any"));
    let kind = "kubernetes.io/tls".to_owned();
    if let Ok(read) = certificate(&Secret {
        object,
        kind,
        data,
        unreadable: Default::default(),
        texts: Default::default(),
    }) {
        serves(read);
    }
    ocsp::exercise(bytes);
    if let Some(read) = X509::read(bytes) {
        inside(&read, bytes);
    }
}

/// What a handshake can be held with is found by its names, and speaks of its time.
fn serves(read: Certificate) {
    assert!(!read.chain.is_empty());
    let (since, until) = read.validity;
    for now in [since, since - 1, until, until - 1] {
        let _ = lapse(&read, now);
    }
    let (_asks, _question) = (ocsp::must_staple(&read), ocsp::question(&read));
    let names = read.names.clone();
    let table = CertificateTable::new([Arc::new(Alone(read))]);
    for name in names {
        let asked = match &name {
            HostPattern::Exact(name) => name.to_string(),
            HostPattern::Label(suffix) => format!("any.{suffix}"),
            HostPattern::Labels(_) | HostPattern::Any => panic!("no certificate is for {name}"),
        };
        let found = table.named(&asked, |_| true).expect("it is found by its name");
        assert!(found.0.covers(&asked), "{asked}");
    }
}

fn inside(read: &X509<'_>, bytes: &[u8]) {
    let serial = read.serial_digits();
    let is_number = serial.bytes().all(|it| it.is_ascii_digit());
    assert!(is_number && (serial == "0" || !serial.starts_with('0')), "{serial}");
    let (_names, _addresses) = read.names();
    let _algorithm = algorithm(read);
    let key = WrittenKey { form: KeyForm::Pkcs8, der: bytes };
    assert!(!matches!(key.is_of(read), Ok(true)), "a certificate is no key");
}

#[cfg(test)]
mod tests {
    use steelyard_testbed::corpus;

    use super::exercise;

    #[test]
    fn the_fuzz_corpus_holds() {
        let count = corpus::replay("tls", exercise);
        assert!(count >= 10, "the corpus has only {count} files");
    }
}
