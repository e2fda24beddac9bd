//! Other programs take from what is ours in the middle of edits: in the end the kernel holds what a
//! fresh start would put there.

use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use steelyard_forward::{Desired, Forwarded, Listening, Served};
use steelyard_model::Protocol;

use crate::net::*;

/// What is wanted at one time or another.
fn worlds(net: &Net) -> Vec<Desired> {
    let Desired { served, forwarded } = net.everything();
    let served: Vec<Served> = served.values().cloned().collect();
    let forwarded: Vec<Forwarded> = forwarded.values().cloned().collect();
    let mut fewer = forwarded.clone();
    fewer.iter_mut().flat_map(|vip| &mut vip.ports).for_each(|port| port.endpoints.truncate(1));
    let led = |protocol, at| Listening { protocol, port: 53, at };
    let moved = |vip: &Forwarded| Served {
        address: vip.address,
        listening: vec![LISTENING, led(Protocol::Udp, 5000), led(Protocol::Tcp, 5001)],
    };
    let many = |first: u8| {
        (0..500_u16).map(move |n| {
            let [high, low] = n.to_be_bytes();
            let vip = IpAddr::from([10, first, high, low]).to_string();
            let endpoints = vec!["10.244.0.2:8080".parse().unwrap()];
            forward(&vip, vec![port(Protocol::Tcp, 80, endpoints)])
        })
    };
    let all = |more: Vec<Forwarded>| [forwarded.clone(), more].concat();
    vec![
        Desired::new(served.clone(), forwarded.clone()),
        Desired::new(served.clone(), fewer.clone()),
        Desired::new(forwarded.iter().map(moved), vec![]),
        Desired::new(served[..1].to_vec(), all(many(20).collect())),
        Desired::new(served[1..].to_vec(), all(many(21).collect())),
        Desired::new(vec![], fewer),
        Desired::default(),
    ]
}

const STORIES: usize = 30;

/// What another program may do; it may fail where there is nothing of the kind.
const DEEDS: [&str; 16] = [
    "nft delete table inet steelyard",
    "nft flush table inet steelyard",
    "nft flush chain inet steelyard guard_in",
    "nft flush map inet steelyard only4",
    "nft flush map inet steelyard ports6",
    "nft flush set inet steelyard served4",
    "nft delete element inet steelyard only4 { 10.1.1.101 . tcp . 80 }",
    "nft delete element inet steelyard ports4 { 10.1.1.101 . udp . 53 }",
    "nft add element inet steelyard vips4 { 10.9.9.9 }",
    "nft flush chain inet steelyard tcp_10.1.1.101_80",
    "nft insert rule inet steelyard translate drop",
    "nft flush ruleset",
    "ip -4 rule del priority 50",
    "ip -6 route flush table 8192",
    "ip -4 route change blackhole 10.1.1.100 table 8192",
    "ip -4 route add local 10.9.9.9 dev lo table 8192",
];

/// A moment for a deed, at which an edit is at any of its steps.
fn do_to(net: &Net, deed: &str, moment: u64) {
    std::thread::sleep(Duration::from_millis(moment));
    let words: Vec<&str> = deed.split(' ').collect();
    net.node.output(words[0], &words[1..]).unwrap();
    if deed.ends_with("ruleset") {
        nft(&net.node, RPFILTER);
    }
}

fn words(footprint: &str) -> Vec<&str> {
    let words = footprint.split_whitespace().map(|word| word.trim_end_matches(','));
    let mut words: Vec<&str> = words.collect();
    words.sort_unstable();
    words
}

#[test]
fn whatever_others_do_in_the_middle_of_edits_is_undone() {
    let Some(net) = Net::create("tamper") else { return };
    net.forwarding();
    let worlds = worlds(&net);
    let fresh = |desired: &Desired| {
        let forwarder = start(&net, net.options());
        apply(&net, &forwarder, desired);
        let footprint = net.footprint();
        inside(&net.node, forwarder.remove()).unwrap();
        footprint
    };
    let wanted: Vec<String> = worlds.iter().map(fresh).collect();
    let forwarder = start(&net, net.options());
    // Which world is next, what others do meanwhile, and how many milliseconds after it began.
    let step = (0..worlds.len(), 0..DEEDS.len(), 0u64..30);
    let stories = prop::collection::vec(step, 1..5);
    let mut runner = TestRunner::deterministic();
    let mut open: Vec<IpAddr> = Vec::new();
    for _ in 0..STORIES {
        let story = stories.new_tree(&mut runner).unwrap().current();
        for (world, deed, moment) in &story {
            std::thread::scope(|scope| {
                scope.spawn(|| do_to(&net, DEEDS[*deed], *moment));
                inside(&net.node, forwarder.change(&worlds[*world]));
            });
        }
        let last = story.last().unwrap().0;
        let now = vips(&worlds[last]);
        net.node.run(|| forwarder.intake().close(&open)).unwrap();
        net.node.run(|| forwarder.intake().open(&now)).unwrap();
        open = now;
        let told: Vec<_> = story.iter().map(|it| (it.0, DEEDS[it.1], it.2)).collect();
        eventually(&format!("{told:?} comes to what a fresh start does"), || {
            words(&net.footprint()) == words(&wanted[last])
        });
    }
    inside(&net.node, forwarder.remove()).unwrap();
}

fn vips(desired: &Desired) -> Vec<IpAddr> {
    let served = desired.served.values().map(|it| it.address);
    served.chain(desired.forwarded.values().map(|it| it.address)).collect()
}

/// Which of all tables there ever were ours is: one that is made anew has another number.
fn handle(net: &Net) -> String {
    let list = ["-a", "-t", "list", "table", "inet", "steelyard"];
    let listed = String::from_utf8(net.node.output("nft", &list).unwrap().stdout).unwrap();
    let ours = listed.lines().find(|line| line.starts_with("table inet steelyard "));
    ours.unwrap_or_else(|| panic!("our table is not there: {listed}")).to_owned()
}

/// What the kernel tells of a table's making must not be more than is listened to: then nobody
/// would know what is in it, and each edit would make it anew.
#[test]
fn a_large_table_is_made_once_whatever_is_edited() {
    let Some(net) = Net::create("large") else { return };
    net.forwarding();
    let forwarder = start(&net, net.options());
    let world = |first: u8, last_port: u16| {
        let vips = (0..5000_u16).map(|n| {
            let [high, low] = n.to_be_bytes();
            let vip = IpAddr::from([10, first, high, low]).to_string();
            let port_number = if n == 4999 { last_port } else { 80 };
            let endpoints = vec!["10.244.0.2:8080".parse().unwrap()];
            forward(&vip, vec![port(Protocol::Tcp, port_number, endpoints)])
        });
        Desired::new([], vips)
    };
    let empty = handle(&net);
    apply(&net, &forwarder, &world(20, 80));
    for (what, desired) in [
        ("one port", world(20, 81)),
        ("another", world(20, 82)),
        ("all go, and as many come", world(21, 82)),
        ("one port again", world(21, 83)),
    ] {
        let observed = inside(&net.node, forwarder.change(&desired));
        assert_eq!(observed.ports.len(), 5000);
        assert_eq!(handle(&net), empty, "{what}");
    }
    apply(&net, &forwarder, &world(21, 83));
    assert_eq!(handle(&net), empty, "all is looked at");
    nft(&net.node, "delete element inet steelyard vips4 { 10.21.0.0 }\n");
    eventually("what others touched is made anew", || handle(&net) != empty);
    inside(&net.node, forwarder.remove()).unwrap();
}
