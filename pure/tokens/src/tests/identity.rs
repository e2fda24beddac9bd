//! Whose login a token is of.

use aws_lc_rs::hmac;

use super::mint::{SECRET, Signer};
use crate::{Claims, IdentityFault, IdentityTerms, KeyRing, verified};

const TERMS: IdentityTerms<'_> =
    IdentityTerms { issuer: "https://id.test", client: "us", nonce: Some("n"), subject: None };

fn identified(body: &str, terms: &IdentityTerms<'_>) -> Result<(), IdentityFault> {
    let token = Signer::Secret(hmac::HMAC_SHA256).token(r#"{"alg":"HS256"}"#, body);
    let claims = verified(&token, &KeyRing::secret(SECRET).unwrap(), 1_000).unwrap();
    assert_eq!(Claims::of_kept(&token), Some(claims.clone()));
    claims.identify(terms, 1_000)
}

#[test]
fn who_has_logged_in_at_whom_and_for_whom() {
    let whole =
        r#"{"iss":"https://id.test","aud":"us","sub":"ann","nonce":"n","exp":2000,"iat":1000}"#;
    for (from, to, expected) in [
        ("", "", Ok(())),
        (r#""aud":"us""#, r#""aud":["us"]"#, Ok(())),
        (r#""aud":"us""#, r#""aud":["us","them"],"azp":"us""#, Ok(())),
        (r#""iat":1000"#, r#""iat":1060"#, Ok(())),
        ("https://id.test", "https://id.test/", Err(IdentityFault::Issuer)),
        (r#""iss""#, r#""x""#, Err(IdentityFault::Issuer)),
        (r#""aud":"us""#, r#""aud":"them""#, Err(IdentityFault::Audience)),
        (r#""aud":"us""#, r#""aud":"us them""#, Err(IdentityFault::Audience)),
        (r#""aud":"us""#, r#""aud":["them"],"azp":"us""#, Err(IdentityFault::Audience)),
        (r#""aud":"us""#, r#""aud":["us","them"]"#, Err(IdentityFault::Audience)),
        (r#""aud":"us""#, r#""aud":"us","azp":"them""#, Err(IdentityFault::Audience)),
        (r#""aud":"us""#, r#""aud":["us"],"azp":"them""#, Err(IdentityFault::Audience)),
        (r#""aud":"us""#, r#""aud":["us","x"],"azp":7"#, Err(IdentityFault::Audience)),
        (r#""aud""#, r#""x""#, Err(IdentityFault::Audience)),
        (r#""sub":"ann""#, r#""sub":"""#, Err(IdentityFault::Subject)),
        (r#""sub":"ann""#, r#""sub":7"#, Err(IdentityFault::Subject)),
        (r#""nonce":"n""#, r#""nonce":"m""#, Err(IdentityFault::Nonce)),
        (r#""nonce""#, r#""x""#, Err(IdentityFault::Nonce)),
        (r#""exp""#, r#""x""#, Err(IdentityFault::Timeless)),
        (r#""iat""#, r#""x""#, Err(IdentityFault::Timeless)),
        (r#""iat":1000"#, r#""iat":"now""#, Err(IdentityFault::Timeless)),
        (r#""iat":1000"#, r#""iat":1061"#, Err(IdentityFault::Early)),
    ] {
        let body = whole.replacen(from, to, usize::from(!from.is_empty()));
        assert_eq!(identified(&body, &TERMS), expected, "{body}");
        assert!(expected.is_ok_and(|()| true) || !expected.unwrap_err().reason().is_empty());
    }
    let renewed = whole.replace(r#""nonce":"n","#, "");
    for (subject, expected) in [("ann", Ok(())), ("bob", Err(IdentityFault::Subject))] {
        let terms = IdentityTerms { nonce: None, subject: Some(subject), ..TERMS };
        assert_eq!(identified(&renewed, &terms), expected);
    }
    for kept in ["", "a", "a.b.c", "..", "a.W10.c"] {
        assert_eq!(Claims::of_kept(kept), None);
    }
}
