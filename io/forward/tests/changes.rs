//! Changes of the table of vips against making it anew, on the real kernel.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use steelyard_forwarding::{
    Carriage, Decision, Lot, PortDecision, TableFrame, VipPort, VipTable, Wish,
};
use steelyard_host::netns::{self, Namespace};
use steelyard_host::nft::Nft;
use steelyard_model::{NamespacedName, Protocol, Sorted};

fn frame() -> TableFrame {
    TableFrame { table: "steelyard".to_owned(), mark: 0x2000, leads: true, counts: true }
}

/// Few addresses and ports, so that rulesets overlap.
fn any_table() -> impl Strategy<Value = VipTable> {
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
    // At its own port or led elsewhere; no two ports of a vip have one listener.
    let listening = prop::collection::btree_map(ports.clone(), 0u16..3, 0..4).prop_map(|tens| {
        let at = |(key, tens): (VipPort, u16)| (key, key.port + 10 * tens);
        tens.into_iter().map(at).collect::<BTreeMap<VipPort, u16>>()
    });
    let endpoints = prop::collection::btree_set(1u8..5, 1..4);
    let translated = prop::collection::btree_map(ports, endpoints, 0..5);
    let direct = prop::collection::btree_set(1u8..5, 0..3);
    (listening, translated, direct).prop_map(|(listening, translated, direct)| {
        let served: Sorted<IpAddr, ()> = listening.keys().map(|key| (key.address, ())).collect();
        let translated: Vec<(VipPort, Vec<SocketAddr>)> = translated
            .into_iter()
            .map(|(key, endpoints)| (key, endpoints.iter().map(|n| endpoint(key, *n)).collect()))
            .collect();
        let vips = served.keys().copied().chain(translated.iter().map(|(key, _)| key.address));
        let direct = direct.iter().map(|n| (IpAddr::from([10, 244, 0, *n]), ())).collect();
        let six = |n: u8| IpAddr::from([0xfd02, 0, 0, 0, 0, 0, 0, u16::from(n)]);
        let sources = served.keys().filter(|it| it.is_ipv6()).map(|it| (*it, six(7)));
        let (vips, sources) = (vips.map(|vip| (vip, ())).collect(), sources.collect());
        let ports: Arc<[PortDecision]> = translated
            .into_iter()
            .map(|(key, endpoints)| PortDecision {
                key,
                service: None,
                way: Carriage::Translate(endpoints),
                obstacle: None,
            })
            .collect();
        let wish = Wish { lot: Lot::Forwarded, place: (NamespacedName::new("", ""), 0) };
        let ports = [(wish, ports)].into_iter().collect();
        let decision = Decision { ports, vips, served, direct, sources };
        VipTable::new(&decision, listening, &BTreeSet::new())
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
        let outcome = runner.run(&(any_table(), any_table()), |(old, new)| {
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
