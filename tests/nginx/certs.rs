//! Certificates of a case, made as it says. Keys are ECDSA, which is quicker to make than RSA.

use std::collections::BTreeMap;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;

/// A certificate and its key.
#[derive(Clone)]
pub(crate) struct Made {
    /// PEM, with that of its issuer where it is to be shown.
    pub(crate) chain: String,
    /// PEM.
    pub(crate) key: String,
    /// The leaf, and whom it shows beside itself.
    pub(crate) ders: Vec<Vec<u8>>,
    signer: Arc<(CertificateParams, KeyPair)>,
}

impl Made {
    /// What rustls shows.
    pub(crate) fn shown(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let chain = self.ders.iter().map(|der| CertificateDer::from(der.clone())).collect();
        (chain, PrivatePkcs8KeyDer::from(self.signer.1.serialize_der()).into())
    }
}

/// All certificates of a case, by name.
pub(crate) fn made(written: &Value) -> BTreeMap<String, Made> {
    let mut all: BTreeMap<String, Made> = BTreeMap::new();
    let mut left: Vec<(&String, &Value)> = written.as_object().into_iter().flatten().collect();
    // Issuers first.
    left.sort_by_key(|(_, it)| it["signed_by"].is_string());
    for (name, it) in left {
        let issuer = it["signed_by"].as_str().and_then(|by| all.get(by)).cloned();
        all.insert(name.clone(), make(it, issuer.as_ref()));
    }
    all
}

/// A certificate signed by itself.
pub(crate) fn plain(name: &str) -> Made {
    make(&serde_json::json!({ "dns": [name] }), None)
}

fn make(written: &Value, issuer: Option<&Made>) -> Made {
    let names: Vec<String> = texts(&written["dns"]);
    let mut params = CertificateParams::new(names).expect("names of certificates");
    let name = written["cn"].as_str().unwrap_or("default");
    params.distinguished_name.push(DnType::OrganizationName, "Acme Co");
    params.distinguished_name.push(DnType::CommonName, name);
    if issuer.is_none() || written["ca"] == true {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let usage = |it: &String| match it.as_str() {
        "client" => ExtendedKeyUsagePurpose::ClientAuth,
        _ => ExtendedKeyUsagePurpose::ServerAuth,
    };
    params.extended_key_usages = texts(&written["usage"]).iter().map(usage).collect();
    let key = KeyPair::generate().expect("a key");
    let certificate = match issuer {
        None => params.self_signed(&key),
        Some(issuer) => {
            let (of, by) = &*issuer.signer;
            params.signed_by(&key, &Issuer::from_params(of, by))
        }
    };
    let certificate = certificate.expect("a certificate");
    let (mut chain, mut ders) = (certificate.pem(), vec![certificate.der().to_vec()]);
    if let Some(issuer) = issuer.filter(|_| written["chain"] == true) {
        chain.push_str(&issuer.chain);
        ders.extend(issuer.ders.iter().cloned());
    }
    Made { chain, key: key.serialize_pem(), ders, signer: Arc::new((params, key)) }
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|it| it.as_str().map(str::to_owned)).collect()
}
