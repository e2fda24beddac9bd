//! What the signer of a certificate says of it now (OCSP, RFC 6960), to be shown beside it in
//! handshakes (RFC 6066 §8) where the certificate asks for that (RFC 7633).
//!
//! An answer is believed if it is about this certificate, of a time that has come and is not over,
//! and signed by who signed the certificate, or by whom that one delegates (§4.2.2.2).

mod schedule;
pub(crate) mod signed;

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use steelyard_model::routing::tls::Certificate;
use steelyard_model::{Diagnostic, Severity};

use crate::codes::CERTIFICATE_UNSTAPLED;
use crate::der::{Der, tag, written};
use crate::x509::{X509, time};

pub use schedule::Staple;

/// `id-pe-tlsfeature`, `id-pe-authorityInfoAccess`, `id-ad-ocsp`.
const TLS_FEATURE: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x18];
const INFORMATION: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01];
const RESPONDER: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01];
/// `id-pkix-ocsp-basic`, `id-sha1`.
const BASIC: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];
const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];

/// The number of `status_request` among the extensions of TLS.
const STATUS_REQUEST: &[u8] = &[5];

/// `uniformResourceIdentifier` of a `GeneralName`.
const URI: u8 = 0x86;
/// Context-specific tags, as they stand in responses.
const FIRST: u8 = 0xa0;
const GOOD: u8 = 0x80;
const REVOKED: u8 = 0xa1;

/// Clocks of others are believed to differ by so many seconds.
const SKEW: i64 = 300;

/// How old an answer may be that says nothing of its end, in seconds: there is a newer one always
/// (RFC 6960 §4.2.2.1), and whoever has kept an old one could show it for ever. And how long it is
/// taken for the present one.
const OLDEST: i64 = 24 * 3600;
const UNSAID: i64 = 3600;

/// What is asked of a certificate, and whom.
#[derive(Debug)]
pub struct StatusQuestion {
    /// Where: a URL of plain HTTP.
    pub url: Arc<str>,
    /// What is posted there, as `application/ocsp-request`.
    pub request: Vec<u8>,
    id: CertificateName,
    /// The certificate of who signed it.
    issuer: Arc<[u8]>,
}

/// Which certificate is asked for (`CertID`), by SHA-1 as all responders know it.
#[derive(Debug, PartialEq, Eq)]
struct CertificateName {
    issuer: Vec<u8>,
    key: Vec<u8>,
    serial: Vec<u8>,
}

/// An answer that is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusAnswer {
    /// As it came, to be shown.
    pub der: Vec<u8>,
    /// From when to when it holds, in seconds since 1970 (UTC).
    pub validity: (i64, i64),
    /// The certificate is not to be believed any more.
    pub is_revoked: bool,
}

/// How a certificate stands, and from when to when that is known, in seconds since 1970.
struct Standing {
    since: i64,
    until: Option<i64>,
    is_revoked: bool,
}

/// Why there is nothing to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unstapled {
    /// It names nobody to ask, by plain HTTP.
    NoResponder,
    /// The certificate of who signed it is not beside it.
    NoIssuer,
    /// The responder cannot be reached, or says nothing in time.
    Unreached,
    /// What it says is no answer.
    Malformed,
    /// It refuses.
    Refused,
    /// It knows nothing of the certificate.
    Unknown,
    /// It is of another time.
    Stale,
    /// Nobody has signed it who may.
    Unsigned,
}

/// Whether a certificate asks to be shown with an answer.
pub fn must_staple(certificate: &Certificate) -> bool {
    let leaf = certificate.chain.first().and_then(|der| X509::read(der));
    let features = leaf.and_then(|it| Der::new(it.extension(TLS_FEATURE)?).within(tag::SEQUENCE));
    features.is_some_and(|mut all| {
        std::iter::from_fn(|| all.take(tag::INTEGER)).any(|it| it == STATUS_REQUEST)
    })
}

/// What to ask of it, and whom.
///
/// # Errors
/// Where it cannot be asked for.
pub fn question(certificate: &Certificate) -> Result<StatusQuestion, Unstapled> {
    let leaf = certificate.chain.first().and_then(|der| X509::read(der));
    let leaf = leaf.ok_or(Unstapled::NoIssuer)?;
    let url = responder(&leaf).ok_or(Unstapled::NoResponder)?;
    let signer = certificate.issuer.as_ref().ok_or(Unstapled::NoIssuer)?;
    let issuer = X509::read(signer).ok_or(Unstapled::NoIssuer)?;
    let hash = |bytes| digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec();
    let id = CertificateName {
        issuer: hash(leaf.issuer),
        key: hash(issuer.public_key),
        serial: leaf.serial.to_vec(),
    };
    let request = written(tag::SEQUENCE, &[&id.der()]);
    let request = (0..3).fold(request, |inner, _| written(tag::SEQUENCE, &[&inner]));
    Ok(StatusQuestion { url: url.into(), request, id, issuer: signer.clone() })
}

fn responder<'a>(leaf: &X509<'a>) -> Option<&'a str> {
    let mut all = Der::new(leaf.extension(INFORMATION)?).within(tag::SEQUENCE)?;
    while let Some(mut one) = all.within(tag::SEQUENCE) {
        if one.take(tag::OID)? == RESPONDER
            && let Some(url) = one.take(URI).and_then(|it| std::str::from_utf8(it).ok())
            && url.starts_with("http://")
        {
            return Some(url);
        }
    }
    None
}

/// Says of a certificate that it is shown without the answer that it asks for.
pub fn unstapled(certificate: &Certificate, why: Unstapled) -> Option<Diagnostic> {
    let message = format!(
        "the certificate in Secret {} asks for an OCSP response beside it, and there is none: {why}",
        certificate.id
    );
    let help = match why {
        Unstapled::NoIssuer => "put the certificate of who signed it behind it in `tls.crt`",
        Unstapled::NoResponder => "have it signed without `tlsfeature = status_request`",
        _ => "look at its responder (`openssl x509 -ocsp_uri`): clients that insist refuse it now",
    };
    let place = certificate.place.as_ref()?;
    Some(Diagnostic::at(Severity::Warning, CERTIFICATE_UNSTAPLED, place, message, help))
}

/// Says of a certificate that who signed it takes that back.
pub fn revoked(certificate: &Certificate) -> Option<Diagnostic> {
    let message = format!("the certificate in Secret {} is revoked", certificate.id);
    let help = "have another one signed, with a new key";
    let place = certificate.place.as_ref()?;
    Some(Diagnostic::at(Severity::Error, CERTIFICATE_UNSTAPLED, place, message, help))
}

impl CertificateName {
    fn der(&self) -> Vec<u8> {
        let algorithm = written(tag::SEQUENCE, &[&written(tag::OID, &[SHA1]), &[0x05, 0]]);
        let parts = [
            written(tag::OCTET_STRING, &[&self.issuer]),
            written(tag::OCTET_STRING, &[&self.key]),
            written(tag::INTEGER, &[&self.serial]),
        ];
        written(tag::SEQUENCE, &[&algorithm, &parts.concat()])
    }

    fn read(der: &mut Der<'_>) -> Option<Self> {
        let mut all = der.within(tag::SEQUENCE)?;
        if all.within(tag::SEQUENCE)?.take(tag::OID)? != SHA1 {
            return None;
        }
        let mut hash = || all.take(tag::OCTET_STRING).map(<[u8]>::to_vec);
        let (issuer, key) = (hash()?, hash()?);
        Some(Self { issuer, key, serial: all.take(tag::INTEGER)?.to_vec() })
    }
}

impl StatusQuestion {
    /// What a responder has said to it, at `now` in seconds since 1970.
    ///
    /// # Errors
    /// Where it is not to be believed, or is no answer.
    pub fn answered(&self, said: &[u8], now: i64) -> Result<StatusAnswer, Unstapled> {
        let basic = basic(said)?;
        let mut parts = Der::new(basic).within(tag::SEQUENCE).ok_or(Unstapled::Malformed)?;
        let data = parts.whole(tag::SEQUENCE).ok_or(Unstapled::Malformed)?;
        let issuer = X509::read(&self.issuer).ok_or(Unstapled::NoIssuer)?;
        if !signed::is_signed(data, parts, &issuer, now).ok_or(Unstapled::Malformed)? {
            return Err(Unstapled::Unsigned);
        }
        let standing = self.standing(data).ok_or(Unstapled::Malformed)?;
        let Standing { since, until, is_revoked } = standing?;
        let unsaid = || now.saturating_add(UNSAID).min(since.saturating_add(OLDEST));
        let until = until.unwrap_or_else(unsaid);
        if since > now.saturating_add(SKEW) || until <= now {
            return Err(Unstapled::Stale);
        }
        Ok(StatusAnswer { der: said.to_vec(), validity: (since, until), is_revoked })
    }

    /// How the certificate stands. None where the data is none.
    fn standing(&self, data: &[u8]) -> Option<Result<Standing, Unstapled>> {
        let mut data = Der::new(data).within(tag::SEQUENCE)?;
        data.take(FIRST);
        // Who answers, and when it was made.
        data.any()?;
        data.any()?;
        let mut all = data.within(tag::SEQUENCE)?;
        while let Some(mut one) = all.within(tag::SEQUENCE) {
            if CertificateName::read(&mut one).as_ref() != Some(&self.id) {
                continue;
            }
            let (status, _) = one.any()?;
            let since = time(&mut one)?;
            let until = match one.within(FIRST) {
                Some(mut until) => Some(time(&mut until)?),
                None => None,
            };
            return Some(match status {
                GOOD | REVOKED => Ok(Standing { since, until, is_revoked: status == REVOKED }),
                _ => Err(Unstapled::Unknown),
            });
        }
        Some(Err(Unstapled::Unknown))
    }
}

/// The answer in a response.
fn basic(said: &[u8]) -> Result<&[u8], Unstapled> {
    let read = || {
        let mut response = Der::new(said).within(tag::SEQUENCE)?;
        let status = response.take(tag::ENUMERATED)?;
        if status != [0] {
            return Some(Err(Unstapled::Refused));
        }
        let mut inner = response.within(FIRST)?.within(tag::SEQUENCE)?;
        let is_basic = inner.take(tag::OID)? == BASIC;
        let basic = inner.take(tag::OCTET_STRING)?;
        is_basic.then_some(Ok(basic))
    };
    read().unwrap_or(Err(Unstapled::Malformed))
}

/// Reads `bytes` as a responder's answer to a question about nothing. Panics when it is believed.
pub(crate) fn exercise(bytes: &[u8]) {
    let id = CertificateName { issuer: Vec::new(), key: Vec::new(), serial: Vec::new() };
    let (url, request, issuer) = ("http://a/".into(), Vec::new(), Arc::from(bytes));
    let question = StatusQuestion { url, request, id, issuer };
    assert!(question.answered(bytes, 0).is_err());
    let basic = basic(bytes).unwrap_or(bytes);
    let _standing = question.standing(basic);
    if let Some(mut parts) = Der::new(basic).within(tag::SEQUENCE)
        && let Some(data) = parts.whole(tag::SEQUENCE)
        && let Some(issuer) = X509::read(bytes)
    {
        let _signed = signed::is_signed(data, parts, &issuer, 0);
    }
}

impl fmt::Display for Unstapled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoResponder => "it names no responder that is asked by plain HTTP",
            Self::NoIssuer => "the certificate of who signed it is not in `tls.crt`",
            Self::Unreached => "its responder is not to be reached",
            Self::Malformed => "what its responder says is no answer",
            Self::Refused => "its responder refuses to say",
            Self::Unknown => "its responder knows nothing of it",
            Self::Stale => "what its responder says is of another time",
            Self::Unsigned => "what its responder says is signed by nobody who may",
        })
    }
}

#[cfg(test)]
mod tests;
