//! The lock file.

use std::net::IpAddr;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use steelyard_model::{Holding, Holdings, NamespacedName};

use crate::lock;

fn held(entries: &[(&str, &str, &[&str], &str)]) -> Holdings {
    let entry = |(service, pool, addresses, sharing): &(&str, &str, &[&str], &str)| {
        let (namespace, name) = service.split_once('/').unwrap();
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let holding =
            Holding { addresses, pool: (*pool).to_owned(), sharing: (*sharing).to_owned() };
        (NamespacedName::new(namespace, name), holding)
    };
    Holdings(entries.iter().map(entry).collect())
}

#[test]
fn it_is_sorted_and_made_for_people() {
    let held = held(&[
        ("default/web", "first-pool", &["192.168.1.240", "fd00::1"], ""),
        ("a/b", "123", &["10.0.0.1"], "key \"k\", tcp/80"),
    ]);
    let expected = "\
# steelyard.lock: which Service has which address. Written by `steelyard`; safe to commit.
version: 1
services:
  a/b: {pool: \"123\", addresses: [10.0.0.1], sharing: \"key \\\"k\\\", tcp/80\"}
  default/web: {pool: first-pool, addresses: [192.168.1.240, \"fd00::1\"]}
";
    assert_eq!(lock::print(&held), expected);
    assert_eq!(lock::parse("x", expected), Ok(held));
    let empty = lock::print(&Holdings::default());
    assert_eq!(lock::parse("x", &empty), Ok(Holdings::default()));
}

/// A lock file, and the place and beginning of what is said about it.
const WRONG: &[(&str, &str)] = &[
    ("", "1:1 the lock file is empty"),
    ("# only a comment\n", "1:1 the lock file is empty"),
    (
        "version: 2\nservices: {}\n",
        "1:10 version 1 of the lock file is read, but this is the number 2",
    ),
    ("version: '1'\nservices: {}\n", "1:10 version 1"),
    ("services: {}\n", "1:1 the field `version` is missing"),
    ("version: 1\n", "1:1 the field `services` is missing"),
    ("version: 1\nservices:\n", "2:1 a mapping is expected here, but this is empty"),
    ("version: 1\nservices: {}\nmore: 1\n", "3:1 the lock file has no field `more`"),
    ("version: 1\nservices: {}\n---\nversion: 1\n", "1:1 the lock file has more than one document"),
    ("[]\n", "1:1 a mapping is expected"),
    ("version: 1\nservices: {a: {}}\n", "2:12 \"a\" is no Service"),
    ("version: 1\nservices: {a/B%: {}}\n", "2:12 \"a/B%\" is no Service"),
    ("version: 1\nservices: {a/b: {pool: p}}\n", "2:17 the field `addresses` is missing"),
    ("version: 1\nservices: {a/b: {pool: 5, addresses: [10.0.0.1]}}\n", "2:24 `pool` is text"),
    (
        "version: 1\nservices: {a/b: {pool: p, addresses: 10.0.0.1}}\n",
        "2:38 the addresses are a list",
    ),
    (
        "version: 1\nservices: {a/b: {pool: p, addresses: []}}\n",
        "2:38 a Service without an address",
    ),
    (
        "version: 1\nservices: {a/b: {pool: p, addresses: [10.0.0.300]}}\n",
        "2:39 an address is expected, but this is the string \"10.0.0.300\"",
    ),
    (
        "version: 1\nservices: {a/b: {pool: p, addresses: [10.0.0.1, 10.0.0.1]}}\n",
        "2:49 10.0.0.1 is the second IPv4 address",
    ),
    (
        "version: 1\nservices:\n  a/b: {pool: p, addresses: [10.0.0.1]}\n  a/b: {pool: p, \
         addresses: [10.0.0.2]}\n",
        "4:3 the key `a/b` is written twice",
    ),
    ("version: 1\nservices: {\n", "2:11 a `[` or `{`"),
    ("<<<<<<< HEAD\nversion: 1\n", "2:8 "),
];

#[test]
fn whatever_is_wrong_is_named_with_its_place() {
    for (text, expected) in WRONG {
        let found = lock::parse("steelyard.lock", text).unwrap_err();
        let at = found.location.unwrap();
        let said = format!("{}:{} {}", at.line, at.column, found.message);
        assert!(said.starts_with(expected), "{text}\n{said}");
        assert_eq!((&*at.file, found.code), ("steelyard.lock", crate::codes::LOCK_INVALID));
        assert!(!found.help.is_empty());
    }
}

fn holdings() -> impl Strategy<Value = Holding> {
    let addresses =
        (any::<Option<u32>>(), any::<u128>(), any::<bool>()).prop_map(|(v4, v6, order)| {
            let v6 = IpAddr::V6(v6.into());
            match v4.map(|v4| IpAddr::V4(v4.into())) {
                Some(v4) if order => vec![v4, v6],
                Some(v4) => vec![v4],
                None => vec![v6],
            }
        });
    (addresses, any::<String>(), any::<String>()).prop_map(|(addresses, pool, sharing)| Holding {
        addresses,
        pool,
        sharing,
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_parsed(
        held in btree_map(("[a-z0-9]{1,10}", "[a-z0-9]{1,9}(-[a-z0-9]{1,9}){0,3}"), holdings(), 0..20)
    ) {
        let named = held.into_iter().map(|((space, name), held)| (NamespacedName::new(space, name), held));
        let held = Holdings(named.collect());
        let text = lock::print(&held);
        prop_assert_eq!(lock::parse("x", &text), Ok(held), "{}", text);
    }

    #[test]
    fn no_text_is_too_odd(parts in vec(prop_oneof!["version: 1\n", "services:", "\n", "  ", "a/b: ",
        "\\{pool: p, addresses: \\[10.0.0.1\\]\\}", "[\\[\\]{}:,\"'&*]", "\\PC{0,3}"], 0..12)) {
        let _ = lock::parse("x", &parts.concat());
    }
}
