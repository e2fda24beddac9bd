//! What browsers keep: read by who has sealed it, and for what it is.

use super::{SECRET, keys};
use crate::{BrowserSecret, Keys, KeysFault, Purpose, Renewal, Session, Trip, return_path};

fn session() -> Session {
    let renewal = Renewal { token: "renew".into(), due: 1_000, end: 1_060 };
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmVk".to_owned();
    Session { id: [7; 16], born: 900, given: 950, renewal: Some(renewal), token }
}

fn trip(back: &str) -> (Trip, BrowserSecret) {
    let secret = BrowserSecret::new([1; 32]);
    (Trip::begin([2; 16], 1_000, back, &secret), secret)
}

#[test]
fn secrets_make_keys_or_it_is_said_why_not() {
    for (secret, fault) in [
        ("", KeysFault::None),
        ("\n  \n", KeysFault::None),
        ("fifteen letters", KeysFault::Short),
        ("sixteen letters!\nshort", KeysFault::Short),
        (&"sixteen letters!\n".repeat(9), KeysFault::Many),
    ] {
        assert_eq!(Keys::derive(secret.as_bytes(), "a").err(), Some(fault), "{secret:?}");
        assert!(!fault.reason().is_empty());
    }
    assert!(Keys::derive("sixteen letters!\n".repeat(8).as_bytes(), "a").is_ok());
    assert_eq!(format!("{:?}", keys()), "Keys(1)");
}

#[test]
fn a_session_is_what_it_was_and_cannot_be_changed() {
    let sealed = session().sealed(&keys(), [3; 12]).unwrap();
    assert!(Session::open(&keys(), &sealed) == Some(session()));
    let lasting = Session { renewal: None, ..session() };
    let other = lasting.sealed(&keys(), [3; 12]).unwrap();
    assert!(Session::open(&keys(), &other) == Some(lasting.clone()));
    assert!(lasting.digest() != session().digest());
    for at in 0..sealed.len() {
        let mut changed = sealed.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(Session::open(&keys(), &changed).is_none(), "{at}");
        assert!(Session::open(&keys(), &sealed[..at]).is_none(), "{at}");
    }
    assert!(
        Session { token: "a.b".into(), ..session() }
            .sealed(&keys(), [3; 12])
            .is_none_or(|sealed| Session::open(&keys(), &sealed).is_none())
    );
}

#[test]
fn keys_are_of_one_filter_and_one_purpose_and_old_ones_open() {
    let sealed = session().sealed(&keys(), [3; 12]).unwrap();
    let state = trip("/").0.state(&keys(), [3; 12]).unwrap();
    assert!(Trip::read(&keys(), &sealed).is_none() && Session::open(&keys(), &state).is_none());
    assert!(keys().open(Purpose::Trip, &sealed).is_none());
    let of = |secret: &[u8], owner| Keys::derive(secret, owner).unwrap();
    let rotated = [b"what is new comes first\n", SECRET].concat();
    for (keys, opens) in [
        (of(SECRET, "login"), true),
        (of(SECRET, "another"), false),
        (of(b"another secret of nobody", "login"), false),
        (of(&rotated, "login"), true),
    ] {
        assert_eq!(Session::open(&keys, &sealed).is_some(), opens);
        assert_eq!(Trip::read(&keys, &state).is_some(), opens);
    }
    let anew = session().sealed(&of(&rotated, "login"), [3; 12]).unwrap();
    assert!(Session::open(&keys(), &anew).is_none());
}

#[test]
fn a_trip_comes_back_to_who_has_begun_it() {
    let (mut begun, secret) = trip("/x?y=1");
    (begun.tries, begun.is_resent) = (2, true);
    let state = begun.state(&keys(), [4; 12]).unwrap();
    let back = Trip::read(&keys(), &state).unwrap();
    assert!(back == begun && back.is_of(&secret));
    assert!(!back.is_of(&BrowserSecret::new([9; 32])));
    assert!(BrowserSecret::read(&secret.text()) == Some(secret.clone()));
    for text in ["", "AAAA", &secret.text()[1..], &format!("{}A", secret.text())] {
        assert!(BrowserSecret::read(text).is_none(), "{text}");
    }
    for (now, is) in [(1_000, true), (1_600, true), (1_601, false), (0, true)] {
        assert_eq!(back.is_in_time(now, 600), is, "{now}");
    }
    let long = "/".repeat(3_000);
    assert!(Trip::read(&keys(), &long).is_none());
}

/// Proof and nonce are of one login and one browser, and of the key that it began with.
#[test]
fn proof_and_nonce_are_of_one_login() {
    let (begun, secret) = trip("/");
    let state = begun.state(&keys(), [4; 12]).unwrap();
    let (verifier, nonce) = (begun.verifier(&keys(), &secret), begun.nonce(&keys(), &secret));
    assert!(verifier != nonce && (43..=128).contains(&verifier.len()));
    let rotated = Keys::derive(&[b"what is new comes first\n", SECRET].concat(), "login").unwrap();
    let back = Trip::read(&rotated, &state).unwrap();
    assert_eq!(back.verifier(&rotated, &secret), verifier);
    assert!(begun.verifier(&keys(), &BrowserSecret::new([9; 32])) != verifier);
    let other = Trip::begin([3; 16], 1_000, "/", &secret);
    assert!(other.nonce(&keys(), &secret) != nonce);
    // RFC 7636, appendix B.
    let proof = Trip::challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    assert_eq!(proof, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

#[test]
fn browsers_are_led_to_the_same_site_alone() {
    for target in ["/", "/a", "/a/b?c=//d", "/?x=%5C", "/a%2Fb", "/.//x", "/a:b@c"] {
        assert_eq!(return_path(target), Some(target));
        assert_eq!(trip(target).0.back, target);
    }
    let long = format!("/{}", "x".repeat(2_048));
    for target in [
        "",
        "a",
        "//evil",
        "///evil",
        "/\\evil",
        "\\\\evil",
        "\\/evil",
        "/%2Fevil",
        "/%2fevil",
        "/%5cevil",
        "/%5Cevil",
        "/%09/evil",
        "/%0a/evil",
        "/%0D/evil",
        "/\t/evil",
        "/a b",
        "/\r\nX: y",
        "https://evil/",
        "//evil@host",
        "/a\\b",
        "/\u{e9}",
        "/a#b",
        "javascript:alert(1)",
        &long,
    ] {
        assert_eq!(return_path(target), None, "{target}");
        assert_eq!(trip(target).0.back, "/", "{target}");
    }
}
