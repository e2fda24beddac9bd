//! Who has signed an answer.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    ECDSA_P521_SHA512_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};

use super::FIRST;
use crate::der::{Der, tag};
use crate::key::{self, P256, P384, P521};
use crate::x509::X509;

/// `ecdsa-with-SHA256` and its like, `sha256WithRSAEncryption` and its like.
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const ECDSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
const ECDSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04];
const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
const RSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c];
const RSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d];

/// `id-ce-extKeyUsage`, `id-kp-OCSPSigning`.
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const SIGNS_ANSWERS: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x09];

/// So many certificates beside an answer are looked at.
const MOST: usize = 8;

/// Whether `data` is signed as `rest`, which stands behind it, says, by the issuer or by one that
/// it delegates. None where the rest is none.
pub(super) fn is_signed(
    data: &[u8],
    mut rest: Der<'_>,
    issuer: &X509<'_>,
    now: i64,
) -> Option<bool> {
    let signature = Signature::read(&mut rest)?;
    if signature.is_by(issuer, data) {
        return Some(true);
    }
    let Some(mut beside) = rest.within(FIRST).and_then(|mut it| it.within(tag::SEQUENCE)) else {
        return Some(false);
    };
    let delegates = std::iter::from_fn(|| beside.whole(tag::SEQUENCE)).take(MOST);
    Some(delegates.into_iter().any(|der| {
        X509::read(der).is_some_and(|it| {
            is_delegate(&it, der, issuer, now).unwrap_or_default() && signature.is_by(&it, data)
        })
    }))
}

/// Whether this one has signed a certificate; none where that is not known.
pub(crate) fn is_signed_by(der: &[u8], signer: &X509<'_>) -> Option<bool> {
    let mut parts = Der::new(der).within(tag::SEQUENCE)?;
    let body = parts.whole(tag::SEQUENCE)?;
    let signature = Signature::read(&mut parts)?;
    algorithm(signer, signature.algorithm)?;
    Some(signature.is_by(signer, body))
}

/// Whether the issuer has signed a certificate for one who signs answers.
fn is_delegate(it: &X509<'_>, der: &[u8], issuer: &X509<'_>, now: i64) -> Option<bool> {
    let mut uses = Der::new(it.extension(KEY_USAGE)?).within(tag::SEQUENCE)?;
    let signs = std::iter::from_fn(|| uses.take(tag::OID)).any(|it| it == SIGNS_ANSWERS);
    let (since, until) = it.validity;
    let is_now = (since..=until).contains(&now);
    Some(signs && is_now && it.issuer == issuer.subject && is_signed_by(der, issuer)?)
}

/// A signature, and how it was made.
struct Signature<'a> {
    algorithm: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> Signature<'a> {
    fn read(der: &mut Der<'a>) -> Option<Self> {
        let algorithm = der.within(tag::SEQUENCE)?.take(tag::OID)?;
        let [0, bytes @ ..] = der.take(tag::BIT_STRING)? else { return None };
        Some(Self { algorithm, bytes })
    }

    fn is_by(&self, signer: &X509<'_>, message: &[u8]) -> bool {
        let by = |algorithm| {
            UnparsedPublicKey::new(algorithm, signer.public_key).verify(message, self.bytes).is_ok()
        };
        algorithm(signer, self.algorithm).is_some_and(by)
    }
}

fn algorithm(signer: &X509<'_>, oid: &[u8]) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (signer.algorithm, signer.parameters, oid) {
        (key::EC, P256, ECDSA_SHA256) => &ECDSA_P256_SHA256_ASN1,
        (key::EC, P256, ECDSA_SHA384) => &ECDSA_P256_SHA384_ASN1,
        (key::EC, P384, ECDSA_SHA256) => &ECDSA_P384_SHA256_ASN1,
        (key::EC, P384, ECDSA_SHA384) => &ECDSA_P384_SHA384_ASN1,
        (key::EC, P521, ECDSA_SHA512) => &ECDSA_P521_SHA512_ASN1,
        (key::RSA, _, RSA_SHA256) => &RSA_PKCS1_2048_8192_SHA256,
        (key::RSA, _, RSA_SHA384) => &RSA_PKCS1_2048_8192_SHA384,
        (key::RSA, _, RSA_SHA512) => &RSA_PKCS1_2048_8192_SHA512,
        (key::ED25519, _, key::ED25519) => &ED25519,
        _ => return None,
    })
}
