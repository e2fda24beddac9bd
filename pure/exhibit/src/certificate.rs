//! Certificates that are shown in handshakes (`/api/certificates`): what they say of themselves,
//! and never a key.

use serde_json::{Value, json};
use steelyard_model::routing::tls::Certificate;
use steelyard_tls::{instant, particulars};

use crate::fault::Status;
use crate::row::{Draft, Row, Rows};

/// For so long before the end of one Traefik says that it ends.
const SOON: i64 = 30 * 24 * 60 * 60;

/// All of them, by fingerprint, as they stand at `now`.
pub(crate) fn all<'c>(certificates: impl Iterator<Item = &'c Certificate>, now: i64) -> Rows {
    certificates.filter_map(|certificate| row(certificate, now)).collect()
}

fn row(certificate: &Certificate, now: i64) -> Option<(Box<str>, Row)> {
    let found = particulars(certificate.chain.first()?)?;
    let (begins, ends) = certificate.validity;
    let status = match ends - now {
        ..0 => Status::Disabled,
        0..SOON => Status::Warning,
        _ => Status::Enabled,
    };
    let first = |all: &[String]| all.first().cloned().unwrap_or_default();
    let [organization, country] =
        [&found.subject.organizations, &found.subject.countries].map(|all| first(all));
    let (issuer, issuer_name) = (first(&found.issuer.organizations), found.issuer.common_name);
    let names = certificate.names.iter().map(ToString::to_string);
    let mut names: Vec<String> =
        names.chain(certificate.addresses.iter().map(ToString::to_string)).collect();
    names.sort();
    let name = &*found.subject.common_name;
    let mut draft = Draft::new(&found.fingerprint, status);
    draft.added.clear();
    draft.row.rule = [name, &*issuer, &*issuer_name, &*names.join("\n")].join("\n").into();
    draft.row.service = if issuer.is_empty() { &*issuer_name } else { &*issuer }.into();
    draft.row.label = name.into();
    draft.row.priority = ends;
    for (key, value) in [
        ("issuerOrg", &issuer),
        ("issuerCN", &issuer_name),
        ("issuerCountry", &first(&found.issuer.countries)),
        ("organization", &organization),
        ("country", &country),
    ] {
        draft.set(key, &**value);
    }
    let always = json!({
        "name": found.fingerprint,
        "sans": names,
        "notAfter": instant(ends),
        "notBefore": instant(begins),
        "serialNumber": certificate.serial,
        "commonName": name,
        "version": format!("v{}", found.version),
        "keyType": found.key_type,
        "signatureAlgorithm": found.signature,
        "certFingerprint": found.fingerprint,
        "publicKeyFingerprint": found.key_fingerprint,
    });
    if found.key_bits > 0 {
        draft.set("keySize", found.key_bits);
    }
    if let Value::Object(always) = always {
        draft.fields.extend(always);
    }
    let name = found.fingerprint.as_str().into();
    Some((name, draft.done()))
}
