//! The rules as text (golden files), and changes against replacement on the real kernel.

use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use steelyard_host::netns::{self, Namespace};
use steelyard_host::nft::Nft;

use super::*;

fn frame() -> Frame {
    Frame { table: "steelyard".to_owned(), mark: 0x2000, leads: true }
}

fn key(text: &str) -> VipPort {
    let (protocol, at) = text.split_once(' ').unwrap();
    let at: SocketAddr = at.parse().unwrap();
    let protocol = if protocol == "udp" { Protocol::Udp } else { Protocol::Tcp };
    VipPort { address: at.ip(), protocol, port: at.port() }
}

fn ruleset(listening: &[&str], translated: &[(&str, &[&str])], direct: &[&str]) -> Ruleset {
    // At a port that follows from the one asked for, so that some are led and some are not.
    let at = |key: VipPort| if key.port == 443 { 443 } else { key.port + 40_000 };
    let listening: Vec<VipPort> = listening.iter().map(|text| key(text)).collect();
    let listening: BTreeMap<VipPort, u16> = listening.iter().map(|it| (*it, at(*it))).collect();
    let translated: BTreeMap<VipPort, Vec<SocketAddr>> = translated
        .iter()
        .map(|(text, endpoints)| {
            (key(text), endpoints.iter().map(|at| at.parse().unwrap()).collect())
        })
        .collect();
    let served: BTreeSet<IpAddr> = listening.keys().map(|key| key.address).collect();
    let vips = translated.keys().map(|key| key.address).chain(served.iter().copied()).collect();
    let direct = direct.iter().map(|text| text.parse().unwrap()).collect();
    let sources = [("fd02::2".parse().unwrap(), "fd02::1".parse().unwrap())].into();
    Ruleset { served, vips, direct, sources, listening, translated }
}

/// Compares with a file beside this one; `UPDATE=1` writes it.
fn golden(name: &str, text: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/render/golden");
    let file = folder.join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&file, text).unwrap();
    }
    let want = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(text, want, "{} differs; UPDATE=1 rewrites it", file.display());
}

fn before() -> Ruleset {
    ruleset(
        &["tcp 10.1.1.100:80", "tcp [fd00::100]:80"],
        &[
            ("tcp 10.1.1.101:80", &["10.244.0.2:8080", "10.244.0.3:8080"]),
            ("udp 10.1.1.101:53", &["10.244.0.2:5353"]),
            ("tcp [fd00::101]:80", &["[fd44::2]:8080", "[fd44::3]:8080"]),
        ],
        &["10.244.0.2", "10.244.0.3"],
    )
}

fn after() -> Ruleset {
    ruleset(
        &["tcp 10.1.1.100:80", "tcp 10.1.1.100:443", "udp 10.1.1.100:53"],
        &[
            ("tcp 10.1.1.101:80", &["10.244.0.3:8080"]),
            ("tcp [fd00::101]:80", &["[fd44::2]:8080", "[fd44::3]:8080"]),
            ("udp [fd00::101]:53", &["[fd44::2]:5353"]),
        ],
        &["10.244.0.3"],
    )
}

#[test]
fn the_table_from_nothing() {
    golden("replace.nft", &before().replace(&frame()));
}

#[test]
fn only_what_differs_is_touched() {
    golden("change.nft", &after().change(&before(), &frame()));
    assert_eq!(before().change(&before(), &frame()), "");
}

#[test]
fn name_and_mark_are_taken_from_the_frame() {
    let other = Frame { table: "other".to_owned(), mark: 0x40, leads: true };
    let text = before().replace(&other);
    assert!(!text.contains("steelyard") && !text.contains("0x2000"), "{text}");
    assert!(text.contains("inet other") && text.contains("0x40"), "{text}");
}

#[test]
fn a_thousand_vips_add_no_rule_to_the_way_of_a_packet() {
    let many: Vec<String> =
        (0..1000).map(|n| format!("tcp 10.2.{}.{}:80", n / 250, n % 250)).collect();
    let ports: Vec<(&str, &[&str])> =
        many.iter().map(|text| (text.as_str(), &["10.244.0.2:8080"][..])).collect();
    let count = |text: &str| text.lines().filter(|line| line.starts_with("    ")).count();
    let (one, all) = (ruleset(&[], &ports[..1], &[]), ruleset(&[], &ports, &[]));
    assert_eq!(count(&one.replace(&frame())), count(&all.replace(&frame())));
}

/// Few addresses and ports, so that rulesets overlap.
fn any_ruleset() -> impl Strategy<Value = Ruleset> {
    let vip = prop_oneof![
        Just("10.1.1.1"),
        Just("10.1.1.2"),
        Just("fd00::1"),
        Just("::ffff:0:1"),
        Just("2001:db8:1:2:3:4:5:6")
    ];
    let ports = (vip, any::<bool>(), 80u16..82).prop_map(|(vip, udp, port)| VipPort {
        address: vip.parse().unwrap(),
        protocol: if udp { Protocol::Udp } else { Protocol::Tcp },
        port,
    });
    let listening = prop::collection::btree_map(ports.clone(), 80u16..83, 0..4);
    let endpoints = prop::collection::btree_set(1u8..5, 1..4);
    let translated = prop::collection::btree_map(ports, endpoints, 0..5);
    let direct = prop::collection::btree_set(1u8..5, 0..3);
    (listening, translated, direct).prop_map(|(listening, translated, direct)| {
        let served: BTreeSet<IpAddr> = listening.keys().map(|key| key.address).collect();
        let translated: BTreeMap<VipPort, Vec<SocketAddr>> = translated
            .into_iter()
            .map(|(key, endpoints)| (key, endpoints.iter().map(|n| endpoint(key, *n)).collect()))
            .collect();
        let vips = served.iter().copied().chain(translated.keys().map(|key| key.address));
        let direct = direct.iter().map(|n| IpAddr::from([10, 244, 0, *n])).collect();
        let six = |n: u8| IpAddr::from([0xfd02, 0, 0, 0, 0, 0, 0, u16::from(n)]);
        let sources = served.iter().filter(|it| it.is_ipv6()).map(|it| (*it, six(7)));
        let (vips, sources) = (vips.collect(), sources.collect());
        Ruleset { vips, served, direct, sources, listening, translated }
    })
}

fn endpoint(key: VipPort, number: u8) -> SocketAddr {
    let address = match key.address {
        IpAddr::V4(_) => IpAddr::from([10, 244, 0, number]),
        IpAddr::V6(_) => IpAddr::from([0xfd44, 0, 0, 0, 0, 0, 0, u16::from(number)]),
    };
    SocketAddr::new(address, 8080)
}

/// The words nft prints, in an order that does not tell which came first.
fn words(listing: &str) -> Vec<String> {
    let mut words: Vec<String> =
        listing.split_whitespace().map(|word| word.trim_end_matches(',').to_owned()).collect();
    words.sort_unstable();
    words
}

#[test]
fn a_change_leaves_the_kernel_as_a_replacement_would() {
    if let Some(why) = netns::unavailable() {
        eprintln!("skipped: {why}");
        return;
    }
    let here = Namespace::create("fw-render").unwrap();
    here.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let nft = Nft::find().unwrap();
        let run = |batch: &str| runtime.block_on(nft.run(batch, |_| {}));
        let list = || {
            let output = std::process::Command::new("nft").args(["list", "ruleset"]).output();
            String::from_utf8(output.unwrap().stdout).unwrap()
        };
        let mut runner = TestRunner::new(Config::with_cases(40));
        let outcome = runner.run(&(any_ruleset(), any_ruleset()), |(old, new)| {
            let change = new.change(&old, &frame());
            run(&old.replace(&frame())).unwrap();
            run(&change).map_err(|error| TestCaseError::fail(format!("{error}\n{change}")))?;
            let changed = list();
            run(&new.replace(&frame())).unwrap();
            prop_assert_eq!(words(&changed), words(&list()), "{}", change);
            Ok(())
        });
        outcome.unwrap();
    })
    .unwrap();
}
