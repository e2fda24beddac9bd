//! A bridge whose frames pass through the host's firewall (`br_netfilter`), as beside Docker or
//! Kubernetes.

use steelyard_forward::{Carried, Desired, Listening, Served};
use steelyard_model::Protocol;

use crate::net::*;

/// On the bridge beside the client.
const BESIDE: [&str; 2] = ["10.1.1.12", "fd00::12"];
const SETTINGS: [&str; 2] =
    ["net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables"];

/// The client and another host are behind one bridge of the node.
fn bridged(name: &str) -> Option<Net> {
    let net = Net::create(name)?;
    if net.node.output("sysctl", &["-n", SETTINGS[0]]).is_ok_and(|it| !it.status.success()) {
        eprintln!("skipped: this kernel has no br_netfilter");
        return None;
    }
    let links = net.node.ip(&["link", "show", "eth0"]).unwrap();
    let mac = links.split("link/ether ").nth(1).unwrap().split(' ').next().unwrap();
    for line in [
        &format!("link add br0 address {mac} type bridge"),
        "addr flush dev eth0",
        "addr flush dev eth1",
        "link set eth0 master br0",
        "link set eth1 master br0",
        "addr add 10.1.1.11/24 dev br0",
        "addr add fd00::11/64 dev br0 nodad",
        "link set br0 up",
    ] {
        net.node.ip(&line.split(' ').collect::<Vec<_>>()).unwrap();
    }
    net.node.set("net.ipv4.conf.br0.rp_filter", "1").unwrap();
    net.node.set("net.ipv4.conf.br0.src_valid_mark", "1").unwrap();
    for (address, bits) in BESIDE.into_iter().zip([24, 64]) {
        let mut line = vec!["addr", "add"];
        let address = format!("{address}/{bits}");
        line.extend([address.as_str(), "dev", "eth0"]);
        line.extend(address.contains(':').then_some("nodad"));
        net.far.ip(&line).unwrap();
    }
    eventually("the bridge forwards", || {
        net.client.output("ping", &["-c1", "-W1", "10.1.1.11"]).unwrap().status.success()
    });
    Some(net)
}

#[test]
fn behind_a_bridge_whose_frames_pass_the_firewall() {
    let Some(net) = bridged("bridge") else { return };
    net.serve_pods();
    for (vip, beside) in [SERVED4, SERVED6].into_iter().zip(BESIDE) {
        for at in [80, 8181] {
            serve(&net.node, &format!("{at}"), vip, at, true);
        }
        serve(&net.far, "far", beside, 8080, false);
        serve(&net.far, "own", beside, 80, false);
    }
    let forwarder = start(&net, net.options());
    let served = |vip, is_led| {
        let listening = |at| vec![Listening { protocol: Protocol::Tcp, port: 80, at }];
        Served { address: ip(vip), listening: listening(if is_led { 8181 } else { 80 }) }
    };
    let on = |vip: &str, beside: &str| {
        let endpoint = std::net::SocketAddr::new(ip(beside), 8080);
        let ports = [vec![endpoint], net.endpoints(vip, 8080)].into_iter().zip([80, 81]);
        forward(vip, ports.map(|(to, at)| port(Protocol::Tcp, at, to)).collect())
    };
    for filtered in ["0", "1", "0"] {
        SETTINGS.iter().for_each(|setting| net.node.set(setting, filtered).unwrap());
        let both = [ip(SERVED4), ip(SERVED6)];
        let led = inside(&net.node, forwarder.led(both.into()));
        assert_eq!(led.len(), if filtered == "1" { 0 } else { 2 }, "{filtered}");
        let desired = Desired::new(
            [SERVED4, SERVED6].map(|vip| served(vip, led.contains(&ip(vip)))),
            [on(VIP4, BESIDE[0]), on(VIP6, BESIDE[1])],
        );
        let observed = apply(&net, &forwarder, &desired);
        let is_in_process = |n| matches!(carried(&observed, n), Carried::InProcess { .. });
        let in_process: Vec<bool> = (0..6).map(is_in_process).collect();
        let beside = filtered == "1";
        assert_eq!(in_process, [false, false, beside, false, beside, false], "{filtered}");
        for (n, (served, vip)) in [(SERVED4, VIP4), (SERVED6, VIP6)].into_iter().enumerate() {
            let what = format!("{vip}, filtered {filtered}");
            let client = ["10.1.1.5", "fd00::5"][n];
            let at = if led.is_empty() { 80 } else { 8181 };
            assert_eq!(ask(&net.client, served, 80), format!("{at} sees {client}"), "{what}");
            assert!(ask(&net.client, vip, 80).starts_with("far sees "), "{what}");
            assert!(ask(&net.client, vip, 81).starts_with("pod"), "{what}");
            assert_eq!(ask(&net.client, vip, 82), "connection refused", "{what}");
            // What passes by is nobody's business.
            assert_eq!(ask(&net.client, BESIDE[n], 80), format!("own sees {client}"), "{what}");
        }
    }
}
