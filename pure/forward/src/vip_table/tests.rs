//! The rules as text, in golden files. On the real kernel: io/forward/tests/changes.rs.

use std::path::Path;

use super::*;

fn frame() -> TableFrame {
    TableFrame { table: "steelyard".to_owned(), mark: 0x2000, leads: true, counts: true }
}

fn key(text: &str) -> VipPort {
    let (protocol, at) = text.split_once(' ').unwrap();
    let at: SocketAddr = at.parse().unwrap();
    let protocol = if protocol == "udp" { Protocol::Udp } else { Protocol::Tcp };
    VipPort { address: at.ip(), protocol, port: at.port() }
}

fn ruleset(listening: &[&str], translated: &[(&str, &[&str])], direct: &[&str]) -> VipTable {
    // At a port that follows from the one asked for, so that some are led and some are not.
    let at = |key: VipPort| if key.port == 443 { 443 } else { key.port + 40_000 };
    let listening: Vec<VipPort> = listening.iter().map(|text| key(text)).collect();
    let listening: Sorted<VipPort, u16> = listening.iter().map(|it| (*it, at(*it))).collect();
    let translated: Sorted<VipPort, Vec<SocketAddr>> = translated
        .iter()
        .map(|(text, endpoints)| {
            (key(text), endpoints.iter().map(|at| at.parse().unwrap()).collect())
        })
        .collect();
    let served: Sorted<IpAddr, ()> = listening.keys().map(|key| (key.address, ())).collect();
    let vips = translated.keys().map(|key| key.address).chain(served.keys().copied());
    let vips = vips.map(|vip| (vip, ())).collect();
    let direct = direct.iter().map(|text| (text.parse().unwrap(), ())).collect();
    let sources = [("fd02::2".parse().unwrap(), "fd02::1".parse().unwrap())];
    let sources = sources.into_iter().collect();
    let counted = translated.keys().map(|key| (*key, ())).collect();
    VipTable { served, vips, direct, sources, listening, translated, counted }
}

/// Compares with a file beside this one; `UPDATE=1` writes it.
fn golden(name: &str, text: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/vip_table/golden");
    let file = folder.join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&file, text).unwrap();
    }
    let want = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(text, want, "{} differs; UPDATE=1 rewrites it", file.display());
}

fn before() -> VipTable {
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

fn after() -> VipTable {
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
    let other = TableFrame { table: "other".to_owned(), mark: 0x40, leads: true, counts: true };
    let text = before().replace(&other);
    assert!(!text.contains("steelyard") && !text.contains("0x2000"), "{text}");
    assert!(text.contains("inet other") && text.contains("0x40"), "{text}");
}

#[test]
fn a_kernel_whose_sets_do_not_count_is_asked_for_no_count() {
    let text = before().replace(&TableFrame { counts: false, ..frame() });
    for word in ["count", "begun", "came", "went"] {
        assert!(!text.to_lowercase().contains(word), "{word}: {text}");
    }
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
