//! How ingress-nginx speaks TLS to backends: by what `proxy-ssl-secret` names, and without it by
//! nothing that the other annotations say.

use steelyard_model::routing::tls::TlsVersion;
use steelyard_model::{ClassReading, FieldPath, NamespacedName, OriginTlsDraft};

use crate::annotation::{self, OriginWishes, Text};
use crate::findings::Findings;
use crate::{codes, host};

/// The name that nginx wants in a certificate where none is said: that of its own group of
/// endpoints.
const OWN_NAME: &str = "upstream_balancer";

/// What is spoken where nothing is said. ingress-nginx says TLS 1.2 alone, which shuts out who
/// speaks 1.3 only.
const VERSIONS: (TlsVersion, TlsVersion) = (TlsVersion::V1_2, TlsVersion::V1_3);

pub(super) fn read(wishes: OriginWishes, reading: &mut ClassReading, findings: &mut Findings<'_>) {
    let Some(written) = wishes.secret else {
        wishes.keys.iter().for_each(|key| idle(key, findings));
        return;
    };
    let Some(secret) = secret(&written, reading, findings) else { return };
    let name = wishes.server_name.map(|name| name.to_ascii_lowercase());
    let name = name.filter(|name| host::is_name(name) || name.parse::<std::net::IpAddr>().is_ok());
    reading.origin_tls = Some(Box::new(OriginTlsDraft {
        secret,
        place: findings.place(&FieldPath::annotation(&written.key)),
        is_verified: wishes.is_verified,
        server_name: name.as_deref().unwrap_or(OWN_NAME).into(),
        sends_name: wishes.sends_name,
        versions: wishes.versions.unwrap_or(VERSIONS),
    }));
}

/// The Secret that is named. Whether it may be of another namespace than the Ingress is said where
/// the settings are known.
fn secret(
    written: &Text,
    reading: &mut ClassReading,
    findings: &mut Findings<'_>,
) -> Option<NamespacedName> {
    let Text { key, value } = written;
    if let Some((namespace, name)) = value.trim().split_once('/')
        && !namespace.is_empty()
        && !name.is_empty()
    {
        return Some(NamespacedName::new(namespace, name));
    }
    let own = findings.object().namespace.clone();
    let help = format!("write `{own}/NAME`");
    let message = format!("annotation `{key}: {value}` names no Secret: its routes answer 503");
    annotation::close(codes::ACCESS_NOT_HONOURED, key, message, &help, reading, findings);
    None
}

fn idle(key: &str, findings: &mut Findings<'_>) {
    let message =
        format!("annotation `{key}` does nothing without `proxy-ssl-secret`, as in ingress-nginx");
    let help = "name a Secret with `ca.crt`, or with `tls.crt` and `tls.key`, or remove it";
    annotation::not_honoured(key, message, help, findings);
}
