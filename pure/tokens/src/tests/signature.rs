//! Requests that are signed.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::mint::SECRET;
use crate::{RequestSignature, SignatureFault, is_digest_of};

fn line(name: &str) -> Option<String> {
    match name {
        "(request-target)" => Some("get /a?b=1".to_owned()),
        "host" => Some("a.test".to_owned()),
        "date" => Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
        _ => None,
    }
}

fn signed(algorithm: hmac::Algorithm, message: &str) -> String {
    STANDARD.encode(hmac::sign(&hmac::Key::new(algorithm, SECRET), message.as_bytes()))
}

#[test]
fn a_signature_is_of_what_it_covers() {
    let all = "(request-target): get /a?b=1\nhost: a.test";
    for (name, algorithm) in [
        ("hmac-sha1", hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        ("hmac-sha256", hmac::HMAC_SHA256),
        ("hmac-sha384", hmac::HMAC_SHA384),
        ("hmac-sha512", hmac::HMAC_SHA512),
    ] {
        let code = signed(algorithm, all);
        let text = format!(
            r#"keyId="ann",algorithm="{name}", headers="(request-target) Host",signature="{code}""#
        );
        let signature = RequestSignature::read(&text).unwrap();
        assert_eq!((&*signature.key, signature.covers.len()), ("ann", 2));
        assert_eq!(signature.verify(SECRET, 0, line), Ok(()), "{name}");
        assert_eq!(signature.verify(b"another", 0, line), Err(SignatureFault::Unlike));
        let other = |name: &str| line(name).map(|it| it.replace("b=1", "b=2"));
        assert_eq!(signature.verify(SECRET, 0, other), Err(SignatureFault::Unlike));
    }
}

#[test]
fn when_it_is_good() {
    let code = signed(hmac::HMAC_SHA256, "(created): 1000\n(expires): 2000");
    let text = format!(
        r#"keyId="a",algorithm="hmac-sha256",headers="(created) (expires)",created=1000,expires=2000,signature="{code}""#
    );
    let signature = RequestSignature::read(&text).unwrap();
    for (now, expected) in [
        (939, Err(SignatureFault::Time)),
        (940, Ok(())),
        (2060, Ok(())),
        (2061, Err(SignatureFault::Time)),
    ] {
        assert_eq!(signature.verify(SECRET, now, line), expected, "{now}");
    }
}

/// A request whose date is signed is good for five minutes around it.
#[test]
fn a_date_that_is_signed_is_of_now() {
    let signature = |date: &str| {
        let code = signed(hmac::HMAC_SHA256, &format!("date: {date}"));
        let text =
            format!(r#"keyId="a",algorithm="hmac-sha256",headers="date",signature="{code}""#);
        RequestSignature::read(&text).unwrap()
    };
    let date = line("date").unwrap();
    for (now, expected) in [
        (784_111_777 - 301, Err(SignatureFault::Time)),
        (784_111_777 - 300, Ok(())),
        (784_111_777 + 300, Ok(())),
        (784_111_777 + 301, Err(SignatureFault::Time)),
    ] {
        assert_eq!(signature(&date).verify(SECRET, now, line), expected, "{now}");
    }
    for none in ["x", "", "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT"] {
        let lines = |_: &str| Some(none.to_owned());
        let found = signature(none).verify(SECRET, 784_111_777, lines);
        assert_eq!(found, Err(SignatureFault::Time), "{none}");
    }
}

#[test]
fn what_is_none() {
    use SignatureFault::{Algorithm, MissingLine, Unreadable};
    let whole = r#"keyId="a",algorithm="hmac-sha256",headers="host",signature="YQ==""#;
    for (text, fault) in [
        (String::new(), Algorithm),
        (whole.replace("hmac-sha256", "rsa-sha256"), Algorithm),
        (whole.replace("hmac-sha256", "none"), Algorithm),
        (whole.replace("keyId=\"a\",", ""), Unreadable),
        (whole.replace("YQ==", "!"), Unreadable),
        (whole.replace("\"host\"", "\" \""), Unreadable),
        (whole.replace("\"host\"", "\"host"), Unreadable),
        (format!("{whole},created=x"), Unreadable),
        (format!("{whole},keyId=\"b\""), Unreadable),
        (format!("{whole} x"), Unreadable),
        (format!("{whole},x=\"{}\"", "y".repeat(9000)), Unreadable),
        (whole.replace("host", &"host ".repeat(65)), Unreadable),
    ] {
        assert_eq!(RequestSignature::read(&text), Err(fault), "{text:.90}");
    }
    for covers in ["x-none", "(created)", "(request-target) cookie"] {
        let signature = RequestSignature::read(&whole.replace("host", covers)).unwrap();
        assert_eq!(signature.verify(SECRET, 0, line), Err(MissingLine), "{covers}");
    }
}

/// RFC 3230's `Digest`, with the digest of `hello` by `openssl dgst`.
#[test]
fn digests() {
    let right = "SHA-256=LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
    for (line, body, expected) in [
        (right, "hello", true),
        (&right.to_lowercase().replace("lpjnul", "x"), "hello", false),
        (&format!("MD5=x, {right}"), "hello", true),
        (&right.replace("SHA-256", "sha-256"), "hello", true),
        (right, "hello!", false),
        ("MD5=XUFAKrxLKna5cZ2REBfFkg==", "hello", false),
        // One that is wrong among others is wrong.
        (&format!("SHA-512=zz,{right}"), "hello", false),
        (&format!("{right},{}", right.replace('L', "M")), "hello", false),
        ("", "", false),
    ] {
        assert_eq!(is_digest_of(line, body.as_bytes()), expected, "{line}");
    }
}
