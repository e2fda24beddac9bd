//! Signature algorithms (RFC 7518 §3.1, RFC 8037).

use aws_lc_rs::signature::{self, RsaParameters, VerificationAlgorithm};
use aws_lc_rs::{constant_time, hmac};

/// A signature algorithm that is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names of RFC 7518")]
pub enum SigningAlgorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
}

/// What a key is of; each has algorithms of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Secret,
    Rsa,
    P256,
    P384,
    P521,
    Ed25519,
}

use SigningAlgorithm::{
    ES256, ES384, ES512, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512,
};

impl SigningAlgorithm {
    const ALL: [(&'static str, Self, Family); 13] = [
        ("HS256", HS256, Family::Secret),
        ("HS384", HS384, Family::Secret),
        ("HS512", HS512, Family::Secret),
        ("RS256", RS256, Family::Rsa),
        ("RS384", RS384, Family::Rsa),
        ("RS512", RS512, Family::Rsa),
        ("PS256", PS256, Family::Rsa),
        ("PS384", PS384, Family::Rsa),
        ("PS512", PS512, Family::Rsa),
        ("ES256", ES256, Family::P256),
        ("ES384", ES384, Family::P384),
        ("ES512", ES512, Family::P521),
        ("EdDSA", EdDSA, Family::Ed25519),
    ];

    /// The algorithm of that name; `none` is none.
    pub fn of_name(name: &str) -> Option<Self> {
        // What the general name stands for here has one of its own since (RFC 9864 §2.2).
        let name = if name == "Ed25519" { "EdDSA" } else { name };
        Self::ALL.iter().find(|row| row.0 == name).map(|row| row.1)
    }

    /// Which keys it is for.
    pub(crate) fn family(self) -> Family {
        let row = Self::ALL.iter().find(|row| row.1 == self);
        row.map_or(Family::Secret, |row| row.2)
    }

    /// All that keys of a family are for.
    pub(crate) fn of_family(family: Family) -> impl Iterator<Item = Self> {
        Self::ALL.iter().filter(move |row| row.2 == family).map(|row| row.1)
    }

    /// How a signature by a public key is verified; none for those by a secret.
    pub(crate) fn verification(self) -> Option<&'static dyn VerificationAlgorithm> {
        Some(match self {
            ES256 => &signature::ECDSA_P256_SHA256_FIXED,
            ES384 => &signature::ECDSA_P384_SHA384_FIXED,
            ES512 => &signature::ECDSA_P521_SHA512_FIXED,
            EdDSA => &signature::ED25519,
            _ => self.by_rsa()?,
        })
    }

    /// The same of those by an RSA key.
    pub(crate) fn by_rsa(self) -> Option<&'static RsaParameters> {
        Some(match self {
            RS256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            PS256 => &signature::RSA_PSS_2048_8192_SHA256,
            PS384 => &signature::RSA_PSS_2048_8192_SHA384,
            PS512 => &signature::RSA_PSS_2048_8192_SHA512,
            _ => return None,
        })
    }

    /// Whether `code` is that of `message` under `secret`; told in constant time.
    pub(crate) fn is_code(self, secret: &[u8], message: &[u8], code: &[u8]) -> bool {
        let digest = match self {
            HS256 => hmac::HMAC_SHA256,
            HS384 => hmac::HMAC_SHA384,
            HS512 => hmac::HMAC_SHA512,
            _ => return false,
        };
        let right = hmac::sign(&hmac::Key::new(digest, secret), message);
        constant_time::verify_slices_are_equal(right.as_ref(), code).is_ok()
    }
}
