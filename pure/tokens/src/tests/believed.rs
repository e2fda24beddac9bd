//! Tokens that are believed.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, Ed25519KeyPair,
};

use super::mint::{SECRET, Signer, ecdsa, rsa, set};
use crate::{KeyRing, TokenFault, bytes_of, verified};

/// RFC 7515, appendices A.1 and A.3.
#[test]
fn tokens_of_the_standard() {
    let body = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb\
                290Ijp0cnVlfQ";
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1\
                  Z9CAow";
    let by_secret = format!(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{body}.\
         dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    let by_key = format!(
        "eyJhbGciOiJFUzI1NiJ9.{body}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8IS\
         lSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    let secret = KeyRing::secret(&bytes_of(secret).unwrap()).unwrap();
    let key = KeyRing::set(
        br#"{"keys":[{"kty":"EC","crv":"P-256",
        "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#,
    )
    .unwrap();
    for (token, keys, others) in [(&by_secret, &secret, &key), (&by_key, &key, &secret)] {
        assert!(verified(token, keys, 1_300_819_379).is_ok(), "{token}");
        assert_eq!(verified(token, keys, 1_300_819_440), Err(TokenFault::Expired));
        assert_eq!(verified(token, others, 0), Err(TokenFault::Algorithm));
    }
}

fn signers() -> Vec<(&'static str, Signer)> {
    vec![
        ("HS256", Signer::Secret(hmac::HMAC_SHA256)),
        ("HS384", Signer::Secret(hmac::HMAC_SHA384)),
        ("HS512", Signer::Secret(hmac::HMAC_SHA512)),
        ("RS256", rsa(&signature::RSA_PKCS1_SHA256)),
        ("RS384", rsa(&signature::RSA_PKCS1_SHA384)),
        ("RS512", rsa(&signature::RSA_PKCS1_SHA512)),
        ("PS256", rsa(&signature::RSA_PSS_SHA256)),
        ("PS384", rsa(&signature::RSA_PSS_SHA384)),
        ("PS512", rsa(&signature::RSA_PSS_SHA512)),
        ("ES256", ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING)),
        ("ES384", ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING)),
        ("ES512", ecdsa(&ECDSA_P521_SHA512_FIXED_SIGNING)),
        ("EdDSA", Signer::Ed25519(Ed25519KeyPair::generate().unwrap())),
    ]
}

/// Each algorithm by a key in PEM and by one in a set; by the keys of no other, and under the name
/// of no other.
#[test]
fn each_algorithm_is_believed_by_its_own_keys_alone() {
    let signers = signers();
    let rings: Vec<Vec<KeyRing>> = signers
        .iter()
        .map(|(_, signer)| match signer {
            Signer::Secret(_) => vec![KeyRing::secret(SECRET).unwrap()],
            signer => vec![
                KeyRing::public(&signer.pem()).unwrap(),
                KeyRing::set(set(&[signer.json("")]).as_bytes()).unwrap(),
            ],
        })
        .collect();
    for (own, (name, signer)) in signers.iter().enumerate() {
        for (of, others) in rings.iter().enumerate() {
            for (said, _) in &signers {
                let token = signer.token(&format!(r#"{{"alg":"{said}"}}"#), r#"{"sub":"ann"}"#);
                let is_secret = |it: &str| it.starts_with("HS");
                let may =
                    said == name && (of == own || is_secret(name) && is_secret(signers[of].0));
                for ring in others {
                    let got = verified(&token, ring, 0);
                    assert_eq!(got.is_ok(), may, "{name} as {said} by {}: {got:?}", signers[of].0);
                }
            }
        }
    }
}

#[test]
fn keys_are_found_by_name_and_those_without_are_tried() {
    let (first, second) =
        (ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING), ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING));
    let named = set(&[first.json(r#","kid":"1""#), second.json(r#","kid":"2""#)]);
    let bare = set(&[first.json(""), second.json("")]);
    let (named, bare) =
        (KeyRing::set(named.as_bytes()).unwrap(), KeyRing::set(bare.as_bytes()).unwrap());
    assert!(named.has("1") && !named.has("3") && !bare.has("1"));
    for (head, by_named) in [
        (r#"{"alg":"ES256","kid":"2"}"#, true),
        (r#"{"alg":"ES256"}"#, true),
        (r#"{"alg":"ES256","kid":"1"}"#, false),
        (r#"{"alg":"ES256","kid":"3"}"#, false),
    ] {
        let token = second.token(head, "{}");
        assert_eq!(verified(&token, &named, 0).is_ok(), by_named, "{head}");
        assert!(verified(&token, &bare, 0).is_ok(), "{head}");
    }
}

#[test]
fn a_key_for_one_algorithm_is_for_no_other_of_its_family() {
    let signer = rsa(&signature::RSA_PKCS1_SHA256);
    let token = signer.token(r#"{"alg":"RS256"}"#, "{}");
    for (more, may) in [
        (r#","alg":"RS256""#, true),
        (r#","use":"sig","alg":"RS256""#, true),
        (r#","alg":"PS256""#, false),
    ] {
        let keys = KeyRing::set(set(&[signer.json(more)]).as_bytes()).unwrap();
        assert_eq!(verified(&token, &keys, 0).is_ok(), may, "{more}");
    }
}
