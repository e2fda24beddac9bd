//! The keys that tokens are verified by.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents, UnparsedPublicKey};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;

use crate::algorithm::{Family, SigningAlgorithm};
use crate::bytes_of;

/// Bytes of a set of keys, at most.
const LARGEST: usize = 1 << 20;
/// Keys that one set may have, at most: one without a name is tried by each of its family.
const MOST: usize = 64;
/// Bytes of an RSA key's modulus, at least: 2048 bits (RFC 7518 §3.3). Signatures by a smaller one
/// are never believed, so it is told of the key.
const SMALLEST_MODULUS: usize = 256;
/// Bytes that a secret has at least; a shorter one is guessed (RFC 7518 §3.2 asks for more).
const SHORTEST_SECRET: usize = 8;

/// Why keys cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// No public key in PEM (`BEGIN PUBLIC KEY`).
    NotPem,
    /// Neither RSA of 2048 to 8192 bits, nor ECDSA on P-256, P-384 or P-521, nor Ed25519.
    UnknownKey,
    /// A secret of fewer than 8 bytes.
    ShortSecret,
    /// No JSON object with a list `keys`.
    NotSet,
    /// More than 1 MiB, or more than 64 keys.
    TooLarge,
    /// None of its keys can verify anything.
    NoKey,
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotPem => "no public key in PEM is in it",
            Self::UnknownKey => {
                "its key is neither RSA of 2048 to 8192 bits, nor ECDSA on P-256, P-384 or P-521, \
                 nor Ed25519"
            }
            Self::ShortSecret => "a secret has 8 bytes or more",
            Self::NotSet => "it is no JSON object with a list `keys`",
            Self::TooLarge => "it has more than 1 MiB, or more than 64 keys",
            Self::NoKey => "none of its keys can verify a signature",
        })
    }
}

/// Keys that are believed.
#[derive(Clone, Debug)]
pub struct KeyRing(Arc<[Key]>);

/// A key, and what it is believed for.
#[derive(Debug)]
pub(crate) struct Key {
    /// Its name, where it has one (`kid`).
    name: Option<String>,
    family: Family,
    /// The one algorithm it is for, where it says so.
    only: Option<SigningAlgorithm>,
    material: Material,
}

enum Material {
    Secret(Box<[u8]>),
    /// One for each algorithm of its family.
    Public(Vec<(SigningAlgorithm, ParsedPublicKey)>),
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Material")
    }
}

impl KeyRing {
    /// A secret that the issuer has too.
    ///
    /// # Errors
    /// When it is short.
    pub fn secret(secret: &[u8]) -> Result<Self, KeyFault> {
        if secret.len() < SHORTEST_SECRET {
            return Err(KeyFault::ShortSecret);
        }
        Ok(Self(Arc::from([Key::any(Family::Secret, Material::Secret(secret.into()))])))
    }

    /// A public key in PEM (RFC 7468 §13).
    ///
    /// # Errors
    /// When there is none in it, or one of another kind.
    pub fn public(pem: &str) -> Result<Self, KeyFault> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes());
        let der = der.map_err(|_| KeyFault::NotPem)?;
        let key = Key::of_der(&der).ok_or(KeyFault::UnknownKey)?;
        Ok(Self(Arc::from([key])))
    }

    /// A JSON Web Key Set (RFC 7517 §5). Keys of other kinds and for other uses are passed over.
    /// One in which a secret stands is taken for that alone, and whoever reads the set could sign:
    /// secrets in it are not believed.
    ///
    /// # Errors
    /// When it is none, or none of its keys is of use.
    pub fn set(text: &[u8]) -> Result<Self, KeyFault> {
        if text.len() > LARGEST {
            return Err(KeyFault::TooLarge);
        }
        let set: Value = serde_json::from_slice(text).map_err(|_| KeyFault::NotSet)?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(KeyFault::NotSet)?;
        if keys.len() > MOST {
            return Err(KeyFault::TooLarge);
        }
        let keys: Vec<Key> = keys.iter().filter_map(Key::of_json).collect();
        if keys.is_empty() { Err(KeyFault::NoKey) } else { Ok(Self(keys.into())) }
    }

    /// Whether a key of that name is in it: one that is not may have come since.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|key| key.name.as_deref() == Some(name))
    }

    /// Whether `signature` of `message` is by one of these, made in this way. A signature that
    /// names its key is held against those of that name, and those without.
    pub(crate) fn signed(
        &self,
        algorithm: SigningAlgorithm,
        name: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let may_be = |key: &&Key| match (&key.name, name) {
            (Some(own), Some(name)) => own == name,
            _ => true,
        };
        let mut keys = self.0.iter().filter(may_be).filter(|key| key.is_for(algorithm));
        keys.any(|key| key.signed(algorithm, message, signature))
    }

    /// Whether one of these is for the algorithm.
    pub(crate) fn knows(&self, algorithm: SigningAlgorithm) -> bool {
        self.0.iter().any(|key| key.is_for(algorithm))
    }
}

impl Key {
    /// A key without name, for each algorithm of its family.
    fn any(family: Family, material: Material) -> Self {
        Self { name: None, family, only: None, material }
    }

    fn is_for(&self, algorithm: SigningAlgorithm) -> bool {
        algorithm.family() == self.family && self.only.is_none_or(|only| only == algorithm)
    }

    /// A `SubjectPublicKeyInfo` (RFC 5280 §4.1).
    fn of_der(der: &[u8]) -> Option<Self> {
        let families = [Family::Rsa, Family::P256, Family::P384, Family::P521, Family::Ed25519];
        let key = |family| Some(Self::any(family, public(family, der)?));
        let is_sized = |key: &Self| key.family != Family::Rsa || der.len() > SMALLEST_MODULUS;
        families.into_iter().find_map(key).filter(is_sized)
    }

    /// A JSON Web Key (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).
    fn of_json(key: &Value) -> Option<Self> {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let bytes = |name: &str| text(name).and_then(bytes_of);
        if text("use").is_some_and(|usage| usage != "sig") {
            return None;
        }
        let only = match text("alg") {
            Some(name) => Some(SigningAlgorithm::of_name(name)?),
            None => None,
        };
        let point = || Some([&[4][..], &bytes("x")?, &bytes("y")?].concat());
        let (family, material) = match (text("kty")?, text("crv")) {
            ("RSA", _) => (Family::Rsa, rsa(bytes("n")?, bytes("e")?)?),
            ("EC", Some("P-256")) => (Family::P256, public(Family::P256, &point()?)?),
            ("EC", Some("P-384")) => (Family::P384, public(Family::P384, &point()?)?),
            ("EC", Some("P-521")) => (Family::P521, public(Family::P521, &point()?)?),
            ("OKP", Some("Ed25519")) => (Family::Ed25519, public(Family::Ed25519, &bytes("x")?)?),
            _ => return None,
        };
        let key = Self { name: text("kid").map(str::to_owned), family, only, material };
        only.is_none_or(|only| key.is_for(only)).then_some(key)
    }

    fn signed(&self, algorithm: SigningAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Secret(secret) => algorithm.is_code(secret, message, signature),
            Material::Public(keys) => keys
                .iter()
                .filter(|(of, _)| *of == algorithm)
                .any(|(_, key)| key.verify_sig(message, signature).is_ok()),
        }
    }
}

fn public(family: Family, bytes: &[u8]) -> Option<Material> {
    let parsed = SigningAlgorithm::of_family(family).map(|algorithm| {
        Some((algorithm, UnparsedPublicKey::new(algorithm.verification()?, bytes).parse().ok()?))
    });
    Some(Material::Public(parsed.collect::<Option<_>>()?))
}

fn rsa(modulus: Vec<u8>, exponent: Vec<u8>) -> Option<Material> {
    let bytes = modulus.iter().skip_while(|byte| **byte == 0).count();
    if !(SMALLEST_MODULUS..=4 * SMALLEST_MODULUS).contains(&bytes) {
        return None;
    }
    let key = RsaPublicKeyComponents { n: modulus, e: exponent };
    let parsed = SigningAlgorithm::of_family(Family::Rsa)
        .map(|algorithm| Some((algorithm, key.to_parsed_public_key(algorithm.by_rsa()?).ok()?)));
    Some(Material::Public(parsed.collect::<Option<_>>()?))
}
