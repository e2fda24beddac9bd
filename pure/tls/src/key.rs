//! Private keys: what they are, and whether they are those of a certificate.

use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
};
use steelyard_model::routing::tls::{KeyAlgorithm, KeyForm};

use crate::der::{Der, tag};
use crate::unfit::Unfit;
use crate::x509::X509;

/// `rsaEncryption`, `id-ecPublicKey`, `id-Ed25519`.
pub(crate) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
pub(crate) const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
pub(crate) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// Curves, by their object identifiers.
pub(crate) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
pub(crate) const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
pub(crate) const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];

/// Shorter RSA keys are taken by no client of today.
const SHORTEST_RSA: usize = 2048;

/// A private key as it is written.
#[derive(Clone, Copy)]
pub(crate) struct WrittenKey<'a> {
    pub(crate) form: KeyForm,
    pub(crate) der: &'a [u8],
}

/// The algorithm of a certificate's key.
pub(crate) fn algorithm(certificate: &X509<'_>) -> Result<KeyAlgorithm, Unfit> {
    match certificate.algorithm {
        RSA if modulus(certificate) < SHORTEST_RSA / 8 => Err(Unfit::ShortKey),
        RSA => Ok(KeyAlgorithm::Rsa),
        EC if curve(certificate).is_some() => Ok(KeyAlgorithm::Ecdsa),
        ED25519 => Ok(KeyAlgorithm::Ed25519),
        _ => Err(Unfit::KeyAlgorithm),
    }
}

/// How many bytes the modulus of an RSA key takes (RFC 8017 A.1.1).
pub(crate) fn modulus(certificate: &X509<'_>) -> usize {
    let key = Der::new(certificate.public_key).within(tag::SEQUENCE);
    let modulus = key.and_then(|mut key| key.take(tag::INTEGER)).unwrap_or_default();
    modulus.strip_prefix(&[0]).unwrap_or(modulus).len()
}

fn curve(certificate: &X509<'_>) -> Option<&'static EcdsaSigningAlgorithm> {
    match certificate.parameters {
        P256 => Some(&ECDSA_P256_SHA256_ASN1_SIGNING),
        P384 => Some(&ECDSA_P384_SHA384_ASN1_SIGNING),
        P521 => Some(&ECDSA_P521_SHA512_ASN1_SIGNING),
        _ => None,
    }
}

impl WrittenKey<'_> {
    /// Whether it is the key of `certificate`, which has this algorithm.
    pub(crate) fn is_of(self, certificate: &X509<'_>) -> Result<bool, Unfit> {
        let public = match algorithm(certificate)? {
            KeyAlgorithm::Rsa => self.rsa()?,
            KeyAlgorithm::Ecdsa => self.ecdsa(certificate),
            KeyAlgorithm::Ed25519 => self.ed25519(),
        };
        Ok(public.is_some_and(|public| public == certificate.public_key))
    }

    /// Whether it is a key at all.
    pub(crate) fn is_key(self) -> bool {
        let curves = [
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            &ECDSA_P384_SHA384_ASN1_SIGNING,
            &ECDSA_P521_SHA512_ASN1_SIGNING,
        ];
        let ecdsa = |it| EcdsaKeyPair::from_private_key_der(it, self.der).is_ok();
        !matches!(self.rsa(), Ok(None)) || curves.into_iter().any(ecdsa) || self.ed25519().is_some()
    }

    /// Its public half, as certificates write it; none where it is no RSA key.
    fn rsa(self) -> Result<Option<Vec<u8>>, Unfit> {
        let pair = match self.form {
            KeyForm::Pkcs1 => RsaKeyPair::from_der(self.der),
            KeyForm::Pkcs8 => RsaKeyPair::from_pkcs8(self.der),
            KeyForm::Sec1 => return Ok(None),
        };
        match pair {
            Ok(pair) => Ok(Some(pair.public_key().as_ref().to_vec())),
            Err(_) => Ok(None),
        }
    }

    fn ecdsa(self, certificate: &X509<'_>) -> Option<Vec<u8>> {
        let pair = EcdsaKeyPair::from_private_key_der(curve(certificate)?, self.der).ok()?;
        Some(pair.public_key().as_ref().to_vec())
    }

    fn ed25519(self) -> Option<Vec<u8>> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(self.der).ok()?;
        Some(pair.public_key().as_ref().to_vec())
    }
}
