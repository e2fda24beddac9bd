//! Tells endpoints of the certificates that a client has shown, in Traefik's manner.
//!
//! What anybody else has written in these lines goes, in every spelling, also where no certificate
//! was shown: an endpoint that goes by them hears nobody but the gateway.

use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use steelyard_http::RequestEdits;
use steelyard_model::routing::filter::access::{CertificateHeader, CertificateParts, NameParts};
use steelyard_tls::{CertificateText, ClientChain, DistinguishedName};

use crate::ask::Got;
use crate::context::Context;
use crate::frame::{Enter, Frame};
use crate::spellings;

/// The certificates, in base64.
const WHOLE: &str = "X-Forwarded-Tls-Client-Cert";
/// Parts of them.
const PARTS: &str = "X-Forwarded-Tls-Client-Cert-Info";

/// What is told of certificates.
#[derive(Clone, Debug)]
pub(crate) struct ToldCertificate(pub(crate) Arc<CertificateHeader>);

impl Frame for ToldCertificate {
    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, _: Got) -> Enter {
        spellings::remove(head, WHOLE);
        spellings::remove(head, PARTS);
        if let Some(chain) = &cx.journey.certificates {
            // Neither has a byte that ends a line, so neither is refused.
            if self.0.pem {
                _ = head.lines().set(WHOLE, chain.told(whole).as_bytes());
            }
            if let Some(wanted) = &self.0.parts {
                _ = head.lines().set(PARTS, parts(chain, wanted).as_bytes());
            }
        }
        Enter::Next
    }
}

/// PEM without what is around it, one behind the other.
fn whole(chain: &ClientChain) -> String {
    chain.written().map(|it| STANDARD.encode(it)).collect::<Vec<_>>().join(",")
}

/// What is wanted of each, escaped as in a query.
fn parts(chain: &ClientChain, wanted: &CertificateParts) -> String {
    let each = chain.texts().iter().map(|text| fields(text, wanted).join(";"));
    escaped(&each.collect::<Vec<_>>().join(","))
}

fn fields(text: &CertificateText, wanted: &CertificateParts) -> Vec<String> {
    let name = |key: &str, said: &DistinguishedName, wanted: Option<NameParts>, has_unit: bool| {
        let told = wanted.map(|wanted| name(said, wanted, has_unit)).unwrap_or_default();
        (!told.is_empty()).then(|| format!("{key}=\"{told}\""))
    };
    let (before, after) = text.validity;
    let names = text.alternative_names.join(",");
    let is_told = |is_wanted: bool, value: &str| is_wanted && !value.is_empty();
    [
        name("Subject", &text.subject, wanted.subject, true),
        name("Issuer", &text.issuer, wanted.issuer, false),
        is_told(wanted.serial_number, &text.serial)
            .then(|| format!("SerialNumber=\"{}\"", text.serial)),
        // Moments before 1970 are large numbers, as in Go.
        wanted.not_before.then(|| format!("NB=\"{}\"", before.cast_unsigned())),
        wanted.not_after.then(|| format!("NA=\"{}\"", after.cast_unsigned())),
        is_told(wanted.sans, &names).then(|| format!("SAN=\"{names}\"")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Parts of a name, in Traefik's order.
fn name(said: &DistinguishedName, wanted: NameParts, has_unit: bool) -> String {
    let one = std::slice::from_ref;
    let parts = [
        (wanted.domain_component, "DC", &said.domain_components[..]),
        (wanted.country, "C", &said.countries),
        (wanted.province, "ST", &said.provinces),
        (wanted.locality, "L", &said.localities),
        (wanted.organization, "O", &said.organizations),
        (wanted.organizational_unit && has_unit, "OU", &said.organizational_units),
        (wanted.serial_number, "SN", one(&said.serial_number)),
        (wanted.common_name, "CN", one(&said.common_name)),
    ];
    let told = parts.iter().filter(|(is_wanted, _, _)| *is_wanted).flat_map(|(_, key, values)| {
        values.iter().filter(|it| !it.is_empty()).map(move |value| format!("{key}={value}"))
    });
    told.collect::<Vec<_>>().join(",")
}

/// As Go's `url.QueryEscape` writes it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            _ => _ = write!(out, "%{byte:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests;
