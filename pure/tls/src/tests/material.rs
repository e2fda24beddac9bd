use rcgen::KeyPair;
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::tls::{Certificate, KeyAlgorithm, KeyForm};

use super::{intermediate, params, root, secret};
use crate::{Unfit, certificate};

fn names(certificate: &Certificate) -> Vec<String> {
    certificate.names.iter().map(ToString::to_string).collect()
}

#[test]
fn a_secret_as_people_write_it() {
    let root = root("root");
    let middle = intermediate("middle", &root);
    let key = KeyPair::generate().unwrap();
    let mut asked = params("a.test", &["A.test", "*.b.test", "10.0.0.1", "fd00::1"]);
    asked.not_before = rcgen::date_time_ymd(2024, 2, 29);
    asked.not_after = rcgen::date_time_ymd(2051, 3, 1);
    asked.serial_number = Some(vec![1, 0, 0, 0, 0, 0, 0, 0, 5].into());
    let leaf = asked.signed_by(&key, &middle).unwrap();
    let junk = "Bag Attributes: none\n\n  subject=CN = a.test\n";
    // The wrong way round, with the root and somebody else between.
    let stranger = params("x", &["x.test"]).self_signed(&KeyPair::generate().unwrap()).unwrap();
    let chain = [junk, &root.pem(), &stranger.pem(), &middle.pem(), junk, &leaf.pem()].concat();
    let read =
        certificate(&secret("a", &chain, &(junk.to_owned() + &key.serialize_pem()))).unwrap();
    assert_eq!(read.id.as_str(), "default/a");
    assert_eq!(names(&read), ["a.test", "*.b.test"]);
    assert_eq!(
        read.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["10.0.0.1", "fd00::1"]
    );
    assert_eq!(read.validity, (1_709_164_800, 2_561_241_600));
    assert_eq!((&*read.subject, &*read.serial), ("a.test", "18446744073709551621"));
    assert_eq!((read.algorithm, read.key.0), (KeyAlgorithm::Ecdsa, KeyForm::Pkcs8));
    let chain: Vec<&[u8]> = read.chain.iter().map(|der| &**der).collect();
    assert_eq!(chain, [&leaf.der()[..], middle.der()], "its own, then who signed it, and no root");
    assert_eq!(read.issuer.as_deref(), Some(&middle.der()[..]));
    assert!(read.covers("a.test") && read.covers("x.b.test") && !read.covers("b.test"));
    assert!(!format!("{read:?}").contains("PRIVATE"));
}

/// Where all have one name, signatures say who is whose.
#[test]
fn a_chain_of_one_name() {
    let root = root("one");
    let (other, middle) = (intermediate("one", &root), intermediate("one", &root));
    let key = KeyPair::generate().unwrap();
    let leaf = params("one", &["a.test"]).signed_by(&key, &middle).unwrap();
    let chain = [leaf.pem(), root.pem(), other.pem(), middle.pem()].concat();
    let read = certificate(&secret("a", &chain, &key.serialize_pem())).unwrap();
    let shown: Vec<&[u8]> = read.chain.iter().map(|der| &**der).collect();
    assert_eq!(shown, [&leaf.der()[..], middle.der()]);
    assert_eq!(read.issuer.as_deref(), Some(&middle.der()[..]));
    let alone = certificate(&secret("a", &leaf.pem(), &key.serialize_pem())).unwrap();
    assert_eq!((alone.chain.len(), alone.issuer), (1, None));
}

/// Whoever has no alternative name is for its common name, as in Traefik and ingress-nginx.
#[test]
fn a_common_name_is_a_name() {
    let key = KeyPair::generate().unwrap();
    let lone = params("Lone.test", &[]).self_signed(&key).unwrap();
    let read = certificate(&secret("a", &lone.pem(), &key.serialize_pem())).unwrap();
    assert_eq!(read.names, [HostPattern::Exact("lone.test".into())]);
    assert_eq!(read.chain.len(), 1, "who signed itself is all of its chain");
    assert_eq!(read.issuer, None, "there is nobody to ask");
}

#[test]
fn keys_of_each_kind_are_those_of_their_certificate() {
    let rsa = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    for (key, algorithm) in [
        (KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap(), KeyAlgorithm::Ecdsa),
        (KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap(), KeyAlgorithm::Ecdsa),
        (KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap(), KeyAlgorithm::Ed25519),
        (rsa, KeyAlgorithm::Rsa),
    ] {
        let own = params("a", &["a.test"]).self_signed(&key).unwrap();
        let read = certificate(&secret("a", &own.pem(), &key.serialize_pem())).unwrap();
        assert_eq!(read.algorithm, algorithm);
        let other = KeyPair::generate().unwrap();
        let mismatch = certificate(&secret("a", &own.pem(), &other.serialize_pem()));
        assert_eq!(mismatch.unwrap_err(), Unfit::Mismatch, "{algorithm:?}");
    }
}

#[test]
fn what_is_of_no_use_says_why() {
    let key = KeyPair::generate().unwrap();
    let own = params("a", &["a.test"]).self_signed(&key).unwrap();
    let (chain, pem) = (own.pem(), key.serialize_pem());
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let openssl = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n\
                   -----END RSA PRIVATE KEY-----\n";
    let cut = &chain[..chain.len() / 2];
    for (chain, key, why) in [
        ("", &*pem, Unfit::NoCertificate),
        ("junk", &pem, Unfit::NoCertificate),
        (cut, &pem, Unfit::NoCertificate),
        (broken, &pem, Unfit::BadCertificate),
        (&*chain, "", Unfit::NoKey),
        (&chain, &chain, Unfit::NoKey),
        (&chain, no_key, Unfit::BadKey),
        (&chain, locked, Unfit::EncryptedKey),
        (&chain, openssl, Unfit::EncryptedKey),
    ] {
        assert_eq!(certificate(&secret("a", chain, key)).unwrap_err(), why, "{chain} {key}");
    }
    let mut bare = secret("a", &chain, &pem);
    bare.data.remove("tls.key");
    assert_eq!(certificate(&bare).unwrap_err(), Unfit::Absent("tls.key"));
    bare.unreadable.insert("tls.key".to_owned());
    assert_eq!(certificate(&bare).unwrap_err(), Unfit::NotBase64("tls.key"));
}

/// Each byte of a certificate in turn is another one.
#[test]
fn no_bytes_break_it() {
    let key = KeyPair::generate().unwrap();
    let own = params("a", &["a.test", "10.0.0.1"]).self_signed(&key).unwrap();
    for at in 0..own.der().len() {
        for with in [0, 0x30, 0x7f, 0x80, 0x83, 0x84, 0xff] {
            let mut der = own.der().to_vec();
            der[at] = with;
            let _ = crate::x509::X509::read(&der).map(|it| (it.names(), it.serial_digits()));
            let _ = crate::x509::X509::read(&der[..at]);
        }
    }
}
