//! Tokens and keys that are not believed.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
use proptest::prelude::*;

use super::mint::{SECRET, Signer, ecdsa, set};
use crate::token::LONGEST;
use crate::{KeyFault, KeyRing, TokenFault, exercise, verified};

const BY_SECRET: &str = r#"{"alg":"HS256"}"#;

/// Of 1024 bits.
const SMALL_RSA: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDNOhwEJ2mxRpfUd0b76V1buMdP
UTbDvoanr7o9eRq3RR3rDeJ+stCFAKv67WSsZm0PN5gFXjHt8Pzqp0/cVUA4HIwS
PKM83jM1KBq4ct/OVUxCUNC6pDhZ4XJsopuW1GuagnxVrXu/1ESoxMI/yi0ibtdf
kWdv7+a1CFuhfr4fpwIDAQAB
-----END PUBLIC KEY-----";

fn signer() -> Signer {
    Signer::Secret(hmac::HMAC_SHA256)
}

fn keys() -> KeyRing {
    KeyRing::secret(SECRET).unwrap()
}

#[test]
fn heads_that_ask_for_belief() {
    for (head, fault) in [
        (r#"{"alg":"none"}"#, TokenFault::Algorithm),
        (r#"{"alg":"None"}"#, TokenFault::Algorithm),
        (r#"{"alg":""}"#, TokenFault::Algorithm),
        (r#"{"alg":null}"#, TokenFault::Algorithm),
        (r#"{"alg":["HS256"]}"#, TokenFault::Algorithm),
        (r"{}", TokenFault::Algorithm),
        (r#"{"alg":"HS256","crit":["exp"]}"#, TokenFault::Critical),
        (r#"["HS256"]"#, TokenFault::Unreadable),
        ("HS256", TokenFault::Unreadable),
        // Some readers take the first of two, and some the last.
        (r#"{"alg":"none","alg":"HS256"}"#, TokenFault::Unreadable),
        (r#"{"alg":"HS256","kid":1}"#, TokenFault::Unreadable),
        (r#"{"alg":"HS256","kid":null}"#, TokenFault::Unreadable),
        (r#"{"alg":"HS256","kid":["a"]}"#, TokenFault::Unreadable),
    ] {
        assert_eq!(verified(&signer().token(head, "{}"), &keys(), 0), Err(fault), "{head}");
    }
}

#[test]
fn times() {
    let now = 1_000_000;
    for (body, expected) in [
        ("{}", Ok(())),
        (r#"{"exp":1000000}"#, Ok(())),
        (r#"{"exp":999941}"#, Ok(())),
        (r#"{"exp":999940}"#, Err(TokenFault::Expired)),
        (r#"{"exp":999940.5}"#, Err(TokenFault::Expired)),
        (r#"{"exp":-1}"#, Err(TokenFault::Expired)),
        (r#"{"exp":null}"#, Err(TokenFault::Timeless)),
        (r#"{"exp":1e300}"#, Err(TokenFault::Timeless)),
        (r#"{"exp":"2000000"}"#, Err(TokenFault::Timeless)),
        (r#"{"exp":18446744073709551615}"#, Err(TokenFault::Timeless)),
        (r#"{"exp":9223372036854775807}"#, Ok(())),
        (r#"{"nbf":1000060}"#, Ok(())),
        (r#"{"nbf":1000061}"#, Err(TokenFault::Early)),
        (r#"{"nbf":-9223372036854775808}"#, Ok(())),
        (r#"{"nbf":true}"#, Err(TokenFault::Timeless)),
        (r#"{"exp":null,"nbf":null}"#, Err(TokenFault::Timeless)),
    ] {
        let got = verified(&signer().token(BY_SECRET, body), &keys(), now).map(|_| ());
        assert_eq!(got, expected, "{body}");
    }
}

#[test]
fn what_is_said_twice_is_not_believed() {
    for body in [
        r#"{"sub":"root","sub":"ann"}"#,
        r#"{"exp":9999999999,"exp":1}"#,
        r#"{"realm":{"roles":["a"],"roles":["admin"]}}"#,
    ] {
        let got = verified(&signer().token(BY_SECRET, body), &keys(), 0);
        assert_eq!(got, Err(TokenFault::Unreadable), "{body}");
    }
}

#[test]
fn texts_that_are_no_tokens() {
    let token = signer().token(BY_SECRET, r#"{"sub":"ann"}"#);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let body_of_another = signer().token(BY_SECRET, r#"{"sub":"bob"}"#);
    let body_of_another = body_of_another.rsplit_once('.').unwrap().0;
    for text in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        message.to_owned(),
        format!("{message}."),
        format!("{message}.{signature}="),
        format!("{message}.{signature}.{signature}"),
        format!("{message}.{}", &signature[..signature.len() - 2]),
        format!("{body_of_another}.{signature}"),
        format!(" {token}"),
        token.to_uppercase(),
    ] {
        assert!(verified(&text, &keys(), 0).is_err(), "{text}");
    }
    assert!(verified(&token, &keys(), 0).is_ok());
    let large = format!("{token}{}", "A".repeat(LONGEST));
    assert_eq!(verified(&large, &keys(), 0), Err(TokenFault::TooLong));
    let deep = signer().token(BY_SECRET, &format!("{}{}", "[".repeat(9000), "]".repeat(9000)));
    assert_eq!(verified(&deep, &keys(), 0), Err(TokenFault::Unreadable));
}

/// Whoever knows a public key could else sign with its text as a secret.
#[test]
fn a_public_key_is_no_secret() {
    let key = ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING);
    let pem = key.pem();
    let keys = KeyRing::public(&pem).unwrap();
    let token = signer().token(BY_SECRET, "{}");
    assert_eq!(verified(&token, &keys, 0), Err(TokenFault::Algorithm));
    let secret = set(&[signer().json(""), key.json("")]);
    let keys = KeyRing::set(secret.as_bytes()).unwrap();
    assert_eq!(verified(&token, &keys, 0), Err(TokenFault::Algorithm));
}

#[test]
fn keys_that_are_none() {
    let many = set(&vec![ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING).json(""); 65]);
    let large = format!("{}{}", r#"{"keys":[]}"#, " ".repeat(1 << 20));
    let for_encryption = set(&[ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING).json(r#","use":"enc""#)]);
    for (text, fault) in [
        ("", KeyFault::NotSet),
        ("[]", KeyFault::NotSet),
        (r#"{"keys":{}}"#, KeyFault::NotSet),
        (r#"{"keys":[]}"#, KeyFault::NoKey),
        (
            r#"{"keys":[1,null,{},{"kty":"EC"},{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#,
            KeyFault::NoKey,
        ),
        (r#"{"keys":[{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}]}"#, KeyFault::NoKey),
        (r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}"#, KeyFault::NoKey),
        (for_encryption.as_str(), KeyFault::NoKey),
        (many.as_str(), KeyFault::TooLarge),
        (large.as_str(), KeyFault::TooLarge),
    ] {
        assert_eq!(KeyRing::set(text.as_bytes()).unwrap_err(), fault, "{text:.60}");
    }
    for (text, fault) in [
        ("", KeyFault::NotPem),
        ("-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----", KeyFault::NotPem),
        (SMALL_RSA, KeyFault::UnknownKey),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", KeyFault::UnknownKey),
    ] {
        assert_eq!(KeyRing::public(text).unwrap_err(), fault, "{text}");
    }
    assert_eq!(KeyRing::secret(b"1234567").unwrap_err(), KeyFault::ShortSecret);
    assert!(KeyRing::secret(b"12345678").is_ok());
    assert!(!format!("{:?}", keys()).contains("secret of two"));
}

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        exercise(&bytes);
    }

    #[test]
    fn one_byte_changed(at in 0..1000_usize, byte in any::<u8>()) {
        let mut token = signer().token(BY_SECRET, r#"{"sub":"ann"}"#).into_bytes();
        let at = at % token.len();
        prop_assume!(token[at] != byte);
        token[at] = byte;
        let text = String::from_utf8_lossy(&token).into_owned();
        prop_assert!(verified(&text, &keys(), 0).is_err());
    }
}

/// What is committed for the fuzzer to begin with.
#[test]
fn the_fuzz_corpus_holds() {
    let count = steelyard_testbed::corpus::replay("tokens", exercise);
    assert!(count >= 10, "the corpus has only {count} files");
}
