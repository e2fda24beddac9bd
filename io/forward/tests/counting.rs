//! What passes through forwarded ports is counted, whoever carries it and whatever becomes of
//! tables.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use steelyard_forward::{Carried, Desired, Forwarder};
use steelyard_metrics::Exposition;
use steelyard_model::Protocol;

#[allow(dead_code, reason = "other tests use the rest")]
mod net;
use net::*;

/// The number of the one series that has all of these in its line.
fn number(forwarder: &Forwarder, parts: &[&str]) -> Option<u64> {
    let mut out = Exposition::default();
    forwarder.meter().expose(&mut out);
    let text = out.into_text();
    let mut lines = text.lines().filter(|line| parts.iter().all(|part| line.contains(part)));
    let number = lines.next()?.rsplit_once(' ')?.1.parse().ok();
    assert_eq!(lines.next(), None, "{parts:?} is more than one");
    number
}

/// Waits until that is so: the kernel is not asked at each look.
fn counts(forwarder: &Forwarder, parts: &[&str], want: u64) {
    let is_so = || number(forwarder, parts) == Some(want);
    eventually(&format!("{want} of {parts:?}, not {:?}", number(forwarder, parts)), is_so);
}

const FLOWS: &str = "steelyard_forwarded_connections_total{service=\"default/first-service\"";
const BYTES: &str = "steelyard_forwarded_bytes_total";
const PACKETS: &str = "steelyard_forwarded_packets_total";
const KERNEL: &str = "by=\"kernel\"";
const PROCESS: &str = "by=\"process\"";
const IN: &str = "direction=\"in\"";
const OUT: &str = "direction=\"out\"";

fn at(vip: &str) -> String {
    format!("ip=\"{vip}\"")
}

#[test]
fn flows_packets_and_bytes_of_what_the_kernel_translates() {
    let Some(net) = Net::create("counts") else { return };
    net.serve_pods();
    let forwarder = start(&net, net.options());
    let observed = apply(&net, &forwarder, &net.everything());
    assert_eq!(*carried(&observed, 2), Carried::Nftables { endpoints: 3 });
    for (vip, client) in [(VIP4, "10.1.1.5"), (VIP6, "fd00::5")] {
        let (ip, headers) = (at(vip), if vip.contains(':') { 48 } else { 28 });
        counts(&forwarder, &[FLOWS, KERNEL, &ip, "UDP"], 0);
        let socket = udp_client(&net.client, vip, 53);
        let answer = ask_udp(&socket);
        assert!(answer.ends_with(client), "{answer}");
        ask_udp(&socket);
        // Three datagrams of two flows, and one from this machine: each is counted once.
        for host in [&net.client, &net.node] {
            ask_udp(&udp_client(host, vip, 53));
        }
        let udp = [KERNEL, &ip, "UDP"];
        counts(&forwarder, &[&udp[..], &[FLOWS]].concat(), 3);
        counts(&forwarder, &[&udp[..], &[PACKETS, IN]].concat(), 4);
        counts(&forwarder, &[&udp[..], &[PACKETS, OUT]].concat(), 4);
        counts(&forwarder, &[&udp[..], &[BYTES, IN]].concat(), 4 * (headers + 5));
        for _ in 0..5 {
            ask(&net.client, vip, 80);
        }
        counts(&forwarder, &[FLOWS, KERNEL, &ip, "TCP"], 5);
        let payload = 5 * (client.len() as u64 + 11);
        let out = number(&forwarder, &[BYTES, KERNEL, &ip, "TCP", OUT]).unwrap();
        assert!(out > payload + 5 * 3 * 40 && out < payload + 5 * 20 * 80, "{out}");
        // What is refused was no flow of the port's.
        ask(&net.client, vip, 81);
        counts(&forwarder, &[FLOWS, KERNEL, &ip, "TCP"], 5);
    }
    inside(&net.node, forwarder.remove()).unwrap();
}

#[test]
fn no_change_sets_a_count_back() {
    let Some(net) = Net::create("lasts") else { return };
    net.serve_pods();
    let forwarder = start(&net, net.options());
    let of = |endpoints: usize| {
        let endpoints = net.endpoints(VIP4, 8080)[..endpoints].to_vec();
        Desired::new([], vec![forward(VIP4, vec![port(Protocol::Tcp, 80, endpoints)])])
    };
    let mut flows = 0;
    let mut asks = |forwarder: &Forwarder| {
        flows += 1;
        assert!(ask(&net.client, VIP4, 80).starts_with("pod"));
        counts(forwarder, &[FLOWS, KERNEL, &at(VIP4)], flows);
    };
    apply(&net, &forwarder, &of(3));
    asks(&forwarder);
    // Another rule, an element of a map in its place, nowhere, and back.
    for endpoints in [2, 1, 0, 3] {
        change(&net, &forwarder, &of(endpoints));
        if endpoints > 0 {
            asks(&forwarder);
        }
    }
    // Others take away what is ours, and it is made anew.
    for batch in ["flush ruleset\n", "delete table inet steelyard\n"] {
        nft(&net.node, batch);
        let is_back = || ask(&net.client, VIP4, 80).starts_with("pod");
        eventually("our table is set again", is_back);
        let known = number(&forwarder, &[FLOWS, KERNEL, &at(VIP4)]).unwrap();
        eventually("its flow is counted", || {
            number(&forwarder, &[FLOWS, KERNEL, &at(VIP4)]).unwrap() > known
                || ask(&net.client, VIP4, 80).is_empty()
        });
    }
    let before = number(&forwarder, &[BYTES, KERNEL, &at(VIP4), IN]).unwrap();
    // Who restores a table of ours makes it be made anew, from a count that goes on.
    nft(&net.node, "add set inet steelyard foreign { type ipv4_addr; }\n");
    eventually("the table is made anew", || {
        let listed = net.node.output("nft", &["list", "table", "inet", "steelyard"]).unwrap();
        listed.status.success() && !String::from_utf8_lossy(&listed.stdout).contains("foreign")
    });
    assert!(number(&forwarder, &[BYTES, KERNEL, &at(VIP4), IN]).unwrap() >= before);
    // A port that is gone is told of no more.
    change(&net, &forwarder, &Desired::default());
    assert_eq!(number(&forwarder, &[FLOWS, &at(VIP4)]), None);
    inside(&net.node, forwarder.remove()).unwrap();
}

#[test]
fn what_this_process_carries_is_told_apart() {
    let Some(net) = Net::create("process") else { return };
    net.serve_pods();
    serve(&net.node, "own", "127.0.0.1", 8080, false);
    let forwarder = start(&net, net.options());
    let endpoint = "127.0.0.1:8080".parse().unwrap();
    let other = net.endpoints(VIP6, 8080);
    let of = |four: Vec<_>| {
        let four = forward(VIP4, vec![port(Protocol::Tcp, 80, four)]);
        let six = forward(VIP6, vec![port(Protocol::Tcp, 80, other.clone())]);
        Desired::new([], vec![four, six])
    };
    apply(&net, &forwarder, &of(vec![endpoint]));
    let (four, six) = (at(VIP4), at(VIP6));
    assert!(ask(&net.client, VIP4, 80).starts_with("own sees"));
    ask(&net.client, VIP6, 80);
    counts(&forwarder, &[FLOWS, PROCESS, &four], 1);
    counts(&forwarder, &[FLOWS, KERNEL, &six], 1);
    assert_eq!(number(&forwarder, &[FLOWS, KERNEL, &four]), None);
    assert_eq!(number(&forwarder, &[FLOWS, PROCESS, &six]), None);
    counts(&forwarder, &[BYTES, PROCESS, &four, IN], 6);
    counts(&forwarder, &["steelyard_forwarded_connections{", &four], 0);
    assert_eq!(number(&forwarder, &[PACKETS, &four]), None, "a stream has no packets");
    // When the kernel can carry it, both are told.
    change(&net, &forwarder, &of(net.endpoints(VIP4, 8080)));
    assert!(ask(&net.client, VIP4, 80).starts_with("pod"));
    counts(&forwarder, &[FLOWS, PROCESS, &four], 1);
    counts(&forwarder, &[FLOWS, KERNEL, &four], 1);
    inside(&net.node, forwarder.remove()).unwrap();
}
