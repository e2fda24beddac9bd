//! Certificates of a small CA, as people write them into Secrets.

mod lapse;
mod material;
mod table;
mod unheld;

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use steelyard_model::{ObjectRef, Secret, SecretValue};

/// Who signs, by a name of its own.
pub(crate) type Signer = CertifiedIssuer<'static, KeyPair>;

pub(crate) fn params(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>();
    let mut asked = CertificateParams::new(hosts).unwrap();
    asked.distinguished_name.push(DnType::CommonName, name);
    asked
}

pub(crate) fn root(name: &str) -> Signer {
    let mut asked = params(name, &[]);
    asked.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(asked, KeyPair::generate().unwrap()).unwrap()
}

pub(crate) fn intermediate(name: &str, by: &Signer) -> Signer {
    let mut asked = params(name, &[]);
    asked.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::signed_by(asked, KeyPair::generate().unwrap(), by).unwrap()
}

pub(crate) fn secret(id: &str, chain: &str, key: &str) -> Secret {
    let value = |text: &str| SecretValue::from(text);
    Secret {
        object: Arc::new(ObjectRef::new("Secret", "default", id)),
        kind: "kubernetes.io/tls".to_owned(),
        data: [("tls.crt".to_owned(), value(chain)), ("tls.key".to_owned(), value(key))].into(),
        unreadable: Default::default(),
        texts: Default::default(),
    }
}
