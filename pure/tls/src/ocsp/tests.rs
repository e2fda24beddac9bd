use std::sync::Arc;

use rcgen::{KeyPair, SigningKey};

use super::*;
use crate::tests::root;

const NOW: i64 = 1_767_225_600; // 2026-01-01
const HOUR: i64 = 3600;

/// A response of one who signs it by `key`, for this certificate alone; times are counted from
/// [`NOW`].
fn response(id: &CertificateName, key: &KeyPair, since: i64, until: Option<i64>) -> Vec<u8> {
    let time = |seconds: i64| {
        let (days, rest) = ((NOW + seconds).div_euclid(86_400), (NOW + seconds).rem_euclid(86_400));
        let date = crate::lapse::date(days * 86_400).replace('-', "");
        let clock = format!("{:02}{:02}{:02}Z", rest / HOUR, rest / 60 % 60, rest % 60);
        written(tag::GENERALIZED_TIME, &[date.as_bytes(), clock.as_bytes()])
    };
    let until = until.map(|it| written(FIRST, &[&time(it)])).unwrap_or_default();
    let single = written(tag::SEQUENCE, &[&id.der(), &[GOOD, 0], &time(since), &until]);
    let who = written(0xa2, &[&written(tag::OCTET_STRING, &[b"somebody"])]);
    let all = written(tag::SEQUENCE, &[&single]);
    let data = written(tag::SEQUENCE, &[&who, &time(since), &all]);
    // `ecdsa-with-SHA256`
    let algorithm = written(tag::OID, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]]);
    let signature = written(tag::BIT_STRING, &[&[0], &key.sign(&data).unwrap()]);
    let algorithm = written(tag::SEQUENCE, &[&algorithm]);
    let basic = written(tag::SEQUENCE, &[&data, &algorithm, &signature]);
    let basic = [written(tag::OID, &[BASIC]), written(tag::OCTET_STRING, &[&basic])].concat();
    let basic = written(FIRST, &[&written(tag::SEQUENCE, &[&basic])]);
    written(tag::SEQUENCE, &[&[0x0a, 1, 0], &basic])
}

/// What a hostile responder, or whoever is on the way to it, may say.
#[test]
fn who_is_believed_and_for_how_long() {
    let (signer, other) = (root("signer"), KeyPair::generate().unwrap());
    let id = |serial: u8| CertificateName {
        issuer: vec![1; 20],
        key: vec![2; 20],
        serial: vec![serial],
    };
    let issuer: Arc<[u8]> = signer.der().to_vec().into();
    let question =
        StatusQuestion { url: "http://a/".into(), request: Vec::new(), id: id(7), issuer };
    let own = signer.key();
    let day = 24 * HOUR;
    for (what, said, expected) in [
        ("in time", response(&id(7), own, -HOUR, Some(HOUR)), Ok(HOUR)),
        ("of a clock ahead", response(&id(7), own, SKEW, Some(HOUR)), Ok(HOUR)),
        ("of the future", response(&id(7), own, SKEW + 1, Some(HOUR)), Err(Unstapled::Stale)),
        ("over", response(&id(7), own, -HOUR, Some(0)), Err(Unstapled::Stale)),
        ("without an end", response(&id(7), own, -HOUR, None), Ok(HOUR)),
        ("without an end, older", response(&id(7), own, 60 - day, None), Ok(60)),
        ("kept for long", response(&id(7), own, -day, None), Err(Unstapled::Stale)),
        ("kept for years", response(&id(7), own, -900 * day, None), Err(Unstapled::Stale)),
        ("of another", response(&id(8), own, -HOUR, Some(HOUR)), Err(Unstapled::Unknown)),
        ("of a stranger", response(&id(7), &other, -HOUR, Some(HOUR)), Err(Unstapled::Unsigned)),
        ("a refusal", written(tag::SEQUENCE, &[&[0x0a, 1, 6]]), Err(Unstapled::Refused)),
        ("a page", b"<html>".to_vec(), Err(Unstapled::Malformed)),
        ("nothing", Vec::new(), Err(Unstapled::Malformed)),
    ] {
        let until = question.answered(&said, NOW).map(|it| it.validity.1 - NOW);
        assert_eq!(until, expected, "{what}");
        // Cut off, or with a bit that differs, it is none.
        for end in 0..said.len() {
            assert!(question.answered(&said[..end], NOW).is_err(), "{what}: {end} bytes");
        }
    }
}
