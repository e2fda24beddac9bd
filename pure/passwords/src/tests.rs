//! Hashes that other programs have made, and input that nobody should make.

use crate::fault::{HashFault, UserFault};
use crate::{BasicCredentials, DigestCredentials, DigestUsers, PasswordHash, Users, exercise};

/// What `htpasswd`, crypt(3), OpenSSL and argon2 make of three passwords.
const MADE: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "$2y$04$3ZP.KSIsQe0625FUBb.x1O0jhfJalVLxCVDAoY6OiCKgSPI.xXEk2",
            "$apr1$EI9s6JWM$oISHTpFPT6i7pf91GYyNB/",
            "$1$abcdefgh$M55TzYaaccxVGbptZWaxX/",
            "$y$j75$abcdefghijklmnop$W3jLI.KDs1Jg0xC2FrQ1TMiJW.pH0hPvINobN2Hlvw9",
            "$5$rounds=1400$anotherlongsalts$7IcTVudmZDHdXM3GIn4KAxA5tvn.eciiARdqRBeqNs/",
            "{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
            "{PLAIN}",
        ],
    ),
    (
        "secret",
        &[
            "$2y$04$ZESAkIYfpjLKBay1CSAZnex8juwQ8tl6.zQ9nU.y54.1bzZzUc2qi",
            "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
            "$apr1$ii9eU4.b$ge6G0EYX/NV4FGUUBJg5J/",
            "$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1",
            "$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi.",
            "$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz.",
            "$5$rounds=1400$anotherlongsalts$hA9phAhHgeqcKTycY/LRKamQM18d5P2uD0VRrWGWMX6",
            "$y$j75$abcdefghijklmnop$vZlXu1XtxOBWRxjOpQqONp1WYfMO0dN.H4xeSMU2ZvC",
            "$y$j9T$abcdefghijklmnop$3dL1LkYnZM.OVXuVdnnaKVDlLYT92dRwOzDZ5XiVCe.",
            "$argon2id$v=19$m=64,t=1,p=2$c2FsdHNhbHQ$81oYhH8xFRfXB1pqT2mEm0GdXrL4DFQrB2zbvR+6NBE",
            "$argon2i$v=19$m=64,t=2,p=1$c2FsdHNhbHQ$oBpYCn36AWUwEergFUKQTCLyMooK0d54M4IvMMvCZ5Y",
            "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
            "{PLAIN}secret",
        ],
    ),
    (
        "naïve pä55",
        &[
            "$2y$04$hGHjthTt1SamCBlEfuVhg.rv7Qx3YcyOf2Brsd0yUbDvbgjNUEgnW",
            "$apr1$0I2AqBBd$.nfz0/wGMbRXdrRQKN58h/",
            "$1$abcdefgh$HhLrNUmcKCc4HmmXCLbKp0",
            "$5$saltstring$R2LDpfvqdOElw9Lxc.0BquQti35vG1PY3Kffmrmwv61",
            "$6$saltstring$L.PtlVupBNT7RqiKW9xfKnP68tVjE8uvktBTDdxf/J4pK4Dax4nGTfBK3G/GEvunB3fVqGdvA54r2Tmt0uOP30",
            "$y$j75$abcdefghijklmnop$H.Wq7gU9iXVW2xF462jeMwoS5af4PH9vCGXxe4P2yc7",
            "$argon2id$v=19$m=64,t=1,p=2$c2FsdHNhbHQ$JMrnG7O9uRMC+qkAMK7wYpKCsmFuFQHBOzC99+HJwPw",
            "{SHA}PVOOHUtoW6yaRs4X+5prwFXEDJk=",
        ],
    ),
];

#[test]
fn passwords_are_those_that_others_have_hashed() {
    for (password, hashes) in MADE {
        for text in *hashes {
            let hash = PasswordHash::read(text).unwrap();
            for (other, _) in MADE {
                assert_eq!(hash.is_of(other.as_bytes()), other == password, "{text} {other}");
            }
            assert!(!format!("{hash:?}").contains('$'), "{hash:?}");
        }
    }
    // With a salt of its own (RFC 2307), and 72 bytes that count.
    let salted = PasswordHash::read("{SSHA}B0NQLo3PLyqdA8dTdikqsdD+gEYoWImr").unwrap();
    assert!(salted.is_of(b"secret") && !salted.is_of(b"secres"));
    let long = "$2b$04$abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe";
    assert!(PasswordHash::read(long).unwrap().is_of(&[b'a'; 100]));
    assert!(!PasswordHash::read(long).unwrap().is_of(&[b'a'; 71]));
}

#[test]
fn what_costs_too_much_is_refused_by_name() {
    let bcrypt =
        |cost: &str| format!("$2y${cost}$ZESAkIYfpjLKBay1CSAZnex8juwQ8tl6.zQ9nU.y54.1bzZzUc2qi");
    let argon2 = |costs: &str| {
        format!("$argon2id$v=19${costs}$c2FsdHNhbHQ$81oYhH8xFRfXB1pqT2mEm0GdXrL4DFQrB2zbvR+6NBE")
    };
    let sha = |rounds: &str| {
        format!("$5$rounds={rounds}$salt$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi.")
    };
    let yescrypt = |costs: &str| {
        format!("$y${costs}$abcdefghijklmnop$3dL1LkYnZM.OVXuVdnnaKVDlLYT92dRwOzDZ5XiVCe.")
    };
    for (text, kind) in [
        (bcrypt("15"), "bcrypt"),
        (bcrypt("31"), "bcrypt"),
        (bcrypt("99"), "bcrypt"),
        (argon2("m=4194304,t=1,p=1"), "argon2"),
        (argon2("m=131073,t=1,p=1"), "argon2"),
        (argon2("m=64,t=4294967295,p=1"), "argon2"),
        (argon2("m=65536,t=9,p=1"), "argon2"),
        (sha("1000001"), "SHA-crypt"),
        (sha("999999999"), "SHA-crypt"),
        (yescrypt("jHT"), "yescrypt"),
    ] {
        let fault = PasswordHash::read(&text).unwrap_err();
        assert!(matches!(fault, HashFault::Cost(named, _) if named == kind), "{text}: {fault}");
    }
    for text in [bcrypt("14"), argon2("m=131072,t=4,p=1"), sha("1000000"), yescrypt("jCT")] {
        PasswordHash::read(&text).unwrap();
    }
    for text in [
        bcrypt("03"),
        bcrypt("1"),
        argon2("m=64,t=1"),
        argon2("m=64,t=1,p=1,x=1"),
        argon2("m=64,t=0,p=1"),
        argon2("m=1,t=1,p=1"),
        sha("999"),
        sha("x"),
        yescrypt("j9"),
        yescrypt("j953/2"),
        "$2y$10$short".into(),
        "$apr1$salt".into(),
        "$apr1$salt$short".into(),
        "{SHA}nobase64".into(),
        "$argon2id$v=18$m=64,t=1,p=1$c2FsdHNhbHQ$81oYhH8xFRfXB1pqT2mEm0GdXrL4DFQrB2zbvR+6NBE"
            .into(),
    ] {
        assert_eq!(PasswordHash::read(&text), Err(HashFault::Malformed), "{text}");
    }
    for text in ["", "plain", "abJnggxhB/yWI", "$9$x$y", "{MD5}x", "$y", &yescrypt("j95/.")] {
        assert_eq!(PasswordHash::read(text), Err(HashFault::Unknown), "{text}");
    }
    assert_eq!(PasswordHash::read(&"$2y$".repeat(1 << 18)), Err(HashFault::TooLong));
}

#[test]
fn users_are_lines_and_a_bad_one_costs_itself() {
    let lines = [
        "ann:{PLAIN}a",
        "no colon",
        ":{PLAIN}x",
        "a:b:{PLAIN}x",
        "ben:$2y$31$ZESAkIYfpjLKBay1CSAZnex8juwQ8tl6.zQ9nU.y54.1bzZzUc2qi",
        "ann:{PLAIN}b",
        "eve:{PLAIN}",
    ];
    let (users, faults) = Users::read(&lines);
    let cost = HashFault::Cost("bcrypt", "a cost of 14 at most");
    assert_eq!(
        faults,
        [
            (1, UserFault::Parts),
            (2, UserFault::Name),
            (3, UserFault::Parts),
            (4, UserFault::Hash(cost))
        ]
    );
    let is_let_in = |name: &str, password: &str| {
        users.of(name).is_some_and(|it| it.1.is_of(password.as_bytes()))
    };
    assert_eq!(users.len(), 2);
    assert!(is_let_in("ann", "b") && !is_let_in("ann", "a") && is_let_in("eve", ""));
    assert!(!is_let_in("ben", "secret"));
}

#[test]
fn what_clients_say_is_read_as_it_is_meant() {
    for (value, expected) in [
        ("Basic YTpi", Some(("a", "b"))),
        ("bAsIc YTpi", Some(("a", "b"))),
        ("Basic  YTpi ", Some(("a", "b"))),
        ("Basic YTo=", Some(("a", ""))),
        ("Basic Omm", None),
        ("Basic OmI=", Some(("", "b"))),
        ("Basic YTpiOmM=", Some(("a", "b:c"))),
        ("Basic YQ==", None),
        ("Basic /zpi", None),
        ("Basic YTpi, Basic YTpi", None),
        ("Basic", None),
        ("Bearer YTpi", None),
        ("", None),
    ] {
        let found = BasicCredentials::read(value.as_bytes());
        let found = found.as_ref().map(|it| (&*it.name, str::from_utf8(&it.password).unwrap()));
        assert_eq!(found, expected, "{value}");
    }
}

/// The example of RFC 2617 §3.5.
#[test]
fn a_proof_is_that_of_its_user_and_request() {
    let said = |text: &str| DigestCredentials::read(text.as_bytes());
    let text = r#"Digest username="Mufasa", realm="testrealm@host.com",
        nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", qop=auth, nc=00000001,
        cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1",
        opaque="5ccc069c403ebaf9f0171e9517f40e41""#
        .replace('\n', "");
    let lines = ["Mufasa:testrealm@host.com:939e7578ed9e3c518a452acee763bce9", "x:y", "x:y:z"];
    let (users, faults) = DigestUsers::read(&lines);
    let bad = UserFault::Hash(HashFault::Malformed);
    assert_eq!(faults, [(1, UserFault::Parts), (2, bad)]);
    let credentials = said(&text).unwrap();
    let user = users.of(&credentials.name, &credentials.realm).unwrap();
    assert!(credentials.is_by(user, "GET") && !credentials.is_by(user, "POST"));
    assert_eq!((credentials.count, &*credentials.uri), (1, "/dir/index.html"));
    for (part, other) in [
        ("/dir/index.html", "/dir/index.htm"),
        ("0a4f113b", "0a4f113c"),
        ("00000001", "00000002"),
        ("dcd98b7102", "dcd98b7103"),
    ] {
        assert!(!said(&text.replace(part, other)).unwrap().is_by(user, "GET"), "{other}");
    }
    for (part, other) in [
        ("qop=auth", "qop=auth-int"),
        ("qop=auth, ", ""),
        ("00000001", "1"),
        ("nc=00000001", "nc=00000001, nc=00000001"),
        (r#"opaque="5ccc069c"#, r#"algorithm=SHA-256, opaque="5ccc069c"#),
        (r#"40e41""#, "40e41"),
        ("Digest", "Basic"),
    ] {
        assert_eq!(said(&text.replace(part, other)), None, "{other}");
    }
}

#[test]
fn input_of_any_content_ends() {
    let said = b"Basic YTpi\na:b:939e7578ed9e3c518a452acee763bce9\nx:{PLAIN}y";
    for cut in 0..said.len() {
        exercise(&said[..cut]);
        exercise(&said[cut..]);
    }
}

/// What is committed for the fuzzer to begin with.
#[test]
fn the_fuzz_corpus_holds() {
    let count = steelyard_testbed::corpus::replay("passwords", exercise);
    assert!(count >= 10, "the corpus has only {count} files");
}
