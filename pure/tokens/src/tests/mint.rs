//! Tokens and keys made by hand.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use aws_lc_rs::{hmac, rsa};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

pub(super) const SECRET: &[u8] = b"a secret of two who know each other";

pub(super) enum Signer {
    Secret(hmac::Algorithm),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>, &'static dyn signature::RsaEncoding),
}

pub(super) fn ecdsa(algorithm: &'static signature::EcdsaSigningAlgorithm) -> Signer {
    Signer::Ecdsa(EcdsaKeyPair::generate(algorithm).unwrap())
}

pub(super) fn rsa(encoding: &'static dyn signature::RsaEncoding) -> Signer {
    Signer::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()), encoding)
}

impl Signer {
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Secret(digest) => {
                hmac::sign(&hmac::Key::new(*digest, SECRET), message).as_ref().to_vec()
            }
            Self::Ecdsa(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            Self::Rsa(key, encoding) => {
                let mut bytes = vec![0; key.public_modulus_len()];
                key.sign(*encoding, &random, message, &mut bytes).unwrap();
                bytes
            }
        }
    }

    /// Its public key in PEM.
    pub(super) fn pem(&self) -> String {
        let der = match self {
            Self::Secret(_) => unreachable!("a secret has no public key"),
            Self::Ecdsa(key) => key.public_key().as_der().unwrap().as_ref().to_vec(),
            Self::Ed25519(key) => key.public_key().as_der().unwrap().as_ref().to_vec(),
            Self::Rsa(key, _) => {
                let key: &rsa::PublicKey = key.public_key();
                aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(key)
                    .unwrap()
                    .as_ref()
                    .to_vec()
            }
        };
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }

    /// Its public key as a member of a set.
    pub(super) fn json(&self, more: &str) -> String {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Secret(_) => format!(r#"{{"kty":"oct","k":"{}"{more}}}"#, text(SECRET)),
            Self::Ecdsa(key) => {
                let (x, y) =
                    key.public_key().as_ref()[1..].split_at(key.public_key().as_ref().len() / 2);
                let curve = match x.len() {
                    32 => "P-256",
                    48 => "P-384",
                    _ => "P-521",
                };
                let (x, y) = (text(x), text(y));
                format!(r#"{{"kty":"EC","crv":"{curve}","x":"{x}","y":"{y}"{more}}}"#)
            }
            Self::Ed25519(key) => {
                let x = text(key.public_key().as_ref());
                format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"{more}}}"#)
            }
            Self::Rsa(key, _) => {
                let n = text(&modulus(key.public_key().as_ref()));
                let e = text(&[1, 0, 1]);
                format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"{more}}}"#)
            }
        }
    }

    /// A token with this head and body.
    pub(super) fn token(&self, head: &str, body: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(body));
        let signature = URL_SAFE_NO_PAD.encode(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

/// The modulus in an `RSAPublicKey` of 2048 bits (RFC 8017, appendix A.1.1): what comes before the
/// exponent 65537, behind a leading zero.
fn modulus(der: &[u8]) -> Vec<u8> {
    let end = der.len() - 5;
    der[end - 256..end].to_vec()
}

/// A set of these members.
pub(super) fn set(keys: &[String]) -> String {
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}
