//! Certificates of a case, made as it says. Keys are RSA.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PKCS_RSA_SHA256,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;

use crate::responder;

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

/// All certificates of a case, by name; those that name a responder name this one.
pub(crate) fn made(written: &Value, responder: SocketAddr) -> BTreeMap<String, Made> {
    let mut all: BTreeMap<String, Made> = BTreeMap::new();
    let mut left: Vec<(&String, &Value)> = written.as_object().into_iter().flatten().collect();
    // Issuers first.
    while !left.is_empty() {
        let is_next = |it: &Value| it["signed_by"].as_str().is_none_or(|by| all.contains_key(by));
        let (next, later): (Vec<_>, Vec<_>) = left.into_iter().partition(|(_, it)| is_next(it));
        assert!(!next.is_empty(), "nobody signs these: {later:?}");
        for (name, it) in next {
            let issuer = it["signed_by"].as_str().and_then(|by| all.get(by)).cloned();
            all.insert(name.clone(), make(it, issuer.as_ref(), responder));
        }
        left = later;
    }
    all
}

/// A certificate signed by itself.
pub(crate) fn plain(name: &str) -> Made {
    make(&serde_json::json!({ "dns": [name] }), None, ([127, 0, 0, 1], 1).into())
}

fn make(written: &Value, issuer: Option<&Made>, responder: SocketAddr) -> Made {
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
    if written["ocsp"] == "good" {
        params.serial_number = Some(vec![responder::SERIAL].into());
        params.custom_extensions = vec![responder::named(responder)];
    }
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("a key");
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
