use std::sync::Arc;

use rcgen::KeyPair;
use steelyard_model::routing::tls::{Certificate, KeyAlgorithm};

use super::{params, secret};
use crate::{CertificateTable, certificate};

/// A certificate for these names, by its id, and its last day.
fn made(id: &str, names: &[&str], key: &KeyPair, until: i32) -> Arc<Certificate> {
    let mut asked = params("", names);
    asked.not_after = rcgen::date_time_ymd(until, 1, 1);
    let own = asked.self_signed(key).unwrap();
    Arc::new(certificate(&secret(id, &own.pem(), &key.serialize_pem())).unwrap())
}

#[test]
fn names_go_before_wildcards_and_kinds_of_keys_side_by_side() {
    let ecdsa = KeyPair::generate().unwrap();
    let rsa = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let all = [
        made("exact", &["a.test"], &ecdsa, 2030),
        made("longer", &["a.test"], &ecdsa, 2031),
        made("z-as-long", &["a.test"], &ecdsa, 2031),
        made("rsa", &["a.test"], &rsa, 2029),
        made("wildcard", &["*.test", "*.b.test"], &ecdsa, 2040),
        made("wild-rsa", &["*.test"], &rsa, 2040),
    ];
    let any = |_: &Certificate| true;
    let only_rsa = |it: &Certificate| it.algorithm == KeyAlgorithm::Rsa;
    for order in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]] {
        let table = CertificateTable::new(order.map(|at| all[at].clone()));
        let found = |name, fits: &dyn Fn(&Certificate) -> bool| {
            table.named(name, fits).map_or("none", |it| it.id.as_str()).to_owned()
        };
        for (name, expected, by_rsa) in [
            ("a.test", "default/longer", "default/rsa"),
            ("x.test", "default/wildcard", "default/wild-rsa"),
            // Nobody has one that fits: the best there is.
            ("x.b.test", "default/wildcard", "default/wildcard"),
            ("x.y.test", "none", "none"),
            ("test", "none", "none"),
            (".test", "none", "none"),
            ("", "none", "none"),
        ] {
            assert_eq!(
                (found(name, &any), found(name, &only_rsa)),
                (expected.into(), by_rsa.into())
            );
        }
    }
}
