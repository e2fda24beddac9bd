//! What is not ours is left alone, and what is ours takes no port of the host's own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::net::{Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use steelyard_forward::{Carried, Desired, ForwardOptions, Forwarder};
use steelyard_model::Protocol;

#[allow(dead_code, reason = "other tests use the rest")]
mod net;
use net::*;

const OWN: [&str; 2] = ["10.1.1.11", "fd00::11"];

/// Both vips in process, since an endpoint is on loopback: TCP 80 and UDP 53.
fn in_process(net: &Net, forwarder: &Forwarder) {
    for loopback in ["127.0.0.1", "::1"] {
        serve(&net.node, "loopback", loopback, 8080, false);
        serve_udp(&net.node, "loopback", loopback, 5353);
    }
    let forwarded = [(VIP4, "127.0.0.1"), (VIP6, "[::1]")].map(|(vip, at)| {
        let to = |number: u16| vec![format!("{at}:{number}").parse().unwrap()];
        let tcp = port(Protocol::Tcp, 80, to(8080));
        forward(vip, vec![tcp, port(Protocol::Udp, 53, to(5353))])
    });
    let desired = Desired::new([], forwarded);
    let observed = apply(net, forwarder, &desired);
    for (status, vip) in observed.ports.iter().zip([VIP4, VIP4, VIP6, VIP6]) {
        let Carried::InProcess { listen, .. } = &status.carried else { panic!("{status:?}") };
        assert_eq!(*listen, SocketAddr::new(ip(vip), status.key.port), "as clients reach it");
    }
}

/// As sshd, nginx and dnsmasq do by default.
fn everywhere(port: u16) -> SocketAddr {
    (Ipv6Addr::UNSPECIFIED, port).into()
}

#[test]
fn the_host_listens_on_the_same_ports_at_all_addresses() {
    let Some(net) = Net::create("ports") else { return };
    let forwarder = start(&net, net.options());
    assert!(
        !inside(&net.node, forwarder.led([ip(SERVED4)].into())).is_empty(),
        "this kernel has nft_tproxy"
    );
    in_process(&net, &forwarder);
    let tcp = net.node.run(|| TcpListener::bind(everywhere(80))).unwrap().unwrap();
    let udp = net.node.run(|| UdpSocket::bind(everywhere(53))).unwrap().unwrap();
    answer_as("host", tcp, udp);
    for (vip, own) in [(VIP4, OWN[0]), (VIP6, OWN[1])] {
        for (who, from) in [("client", &net.client), ("own client", &net.node)] {
            for _ in 0..3 {
                let said = ask(from, vip, 80);
                assert!(said.starts_with("loopback sees"), "{who} of {vip}: {said}");
                let said = ask_udp(&udp_client(from, vip, 53));
                assert!(said.starts_with("loopback sees"), "{who} of {vip}, UDP: {said}");
                assert_eq!(ask(from, own, 80), "host", "{who} of {own}");
                assert_eq!(ask_udp(&udp_client(from, own, 53)), "host", "{who} of {own}, UDP");
            }
            assert_eq!(ask(from, vip, 81), "connection refused", "{who} of {vip}");
        }
        let many = udp_client(&net.client, vip, 53);
        for _ in 0..20 {
            assert!(ask_udp(&many).starts_with("loopback sees"), "one socket, many questions");
        }
    }
    inside(&net.node, forwarder.remove()).unwrap();
}

fn answer_as(name: &'static str, tcp: TcpListener, udp: UdpSocket) {
    std::thread::spawn(move || {
        for mut stream in tcp.incoming().map_while(Result::ok) {
            use std::io::{Read, Write};
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(format!("{name}\n").as_bytes());
        }
    });
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while let Ok((_, peer)) = udp.recv_from(&mut buffer) {
            let _ = udp.send_to(name.as_bytes(), peer);
        }
    });
}

/// The same with the host's servers there first, and after others removed our rules.
#[test]
fn whoever_is_first_both_are_served() {
    let Some(net) = Net::create("first") else { return };
    let tcp = net.node.run(|| TcpListener::bind(everywhere(80))).unwrap().unwrap();
    let udp = net.node.run(|| UdpSocket::bind(everywhere(53))).unwrap().unwrap();
    answer_as("host", tcp, udp);
    let forwarder = start(&net, net.options());
    in_process(&net, &forwarder);
    for flush in [false, true] {
        if flush {
            nft(&net.node, "flush ruleset\n");
            in_process_again(&net, &forwarder);
        }
        for (vip, own) in [(VIP4, OWN[0]), (VIP6, OWN[1])] {
            assert!(ask(&net.client, vip, 80).starts_with("loopback sees"), "{vip} {flush}");
            let said = ask_udp(&udp_client(&net.client, vip, 53));
            assert!(said.starts_with("loopback sees"), "{vip} {flush}: {said}");
            assert_eq!(ask(&net.client, own, 80), "host");
        }
    }
}

fn in_process_again(net: &Net, forwarder: &Forwarder) {
    let to = |at: &str, number: u16| vec![format!("{at}:{number}").parse().unwrap()];
    let forwarded = [(VIP4, "127.0.0.1"), (VIP6, "[::1]")].map(|(vip, at)| {
        let tcp = port(Protocol::Tcp, 80, to(at, 8080));
        forward(vip, vec![tcp, port(Protocol::Udp, 53, to(at, 5353))])
    });
    // Nobody opens them again: what was open is stated with the rules.
    let desired = Desired::new([], forwarded);
    inside(&net.node, forwarder.apply(&desired));
}

/// Vips that another host has: the node's own clients, and those behind it, reach that host.
#[test]
fn what_another_has_is_reached_as_if_we_were_not_here() {
    let Some(net) = Net::create("other") else { return };
    net.serve_pods();
    net.forwarding();
    for (vip, own) in [(SERVED4, "10.1.1.11"), (SERVED6, "fd00::11")] {
        serve(&net.node, "gateway", vip, 80, true);
        serve(&net.node, "host", own, 80, false);
    }
    let forwarder = start(&net, net.options());
    apply(&net, &forwarder, &net.everything());
    let vips = [SERVED4, SERVED6, VIP4, VIP6];
    for (vip, bits) in [(SERVED4, 32), (SERVED6, 128), (VIP4, 32), (VIP6, 128)] {
        net.client.ip(&["addr", "add", &format!("{vip}/{bits}"), "dev", "eth0", "nodad"]).unwrap();
        serve(&net.client, "other", vip, 80, false);
        serve_udp(&net.client, "other", vip, 53);
    }
    let intake = forwarder.intake();
    for vip in vips {
        let before = connect(&net.node, vip, 80).unwrap();
        let first = exchange(&before).unwrap();
        assert!(!first.starts_with("other"), "open: it is ours: {first}");
        intake.close(&[ip(vip)]);
        assert!(ask(&net.node, vip, 80).starts_with("other sees"), "{vip} is the other's");
        let said = ask_udp(&udp_client(&net.node, vip, 53));
        assert!(said.starts_with("other sees"), "{vip}, UDP: {said}");
        assert_eq!(exchange(&before).unwrap(), first, "what began before goes on");
        intake.open(&[ip(vip)]);
        assert!(!ask(&net.node, vip, 80).starts_with("other"), "{vip} is ours again");
    }
    intake.linger(&vips.map(ip));
    for vip in vips {
        assert!(!ask(&net.node, vip, 80).starts_with("other"), "{vip}: not all have heard");
    }
    for vip in vips {
        eventually("it is the other's", || ask(&net.node, vip, 80).starts_with("other sees"));
    }
}

/// After a kill nobody takes it out; as long as somebody lives it is told again.
#[test]
fn what_is_taken_in_ends_unless_it_is_told_again() {
    let Some(net) = Net::create("lease") else { return };
    let lease = Duration::from_secs(1);
    let forwarder = start(&net, ForwardOptions { lease, ..net.options() });
    let intake = forwarder.intake();
    intake.open(&[ip(VIP4), ip(VIP6)]);
    let until = Instant::now() + 3 * lease;
    while Instant::now() < until {
        for (set, vip) in [("live4", VIP4), ("live6", VIP6)] {
            let list = ["list", "set", "inet", "steelyard", set];
            let shown = net.node.output("nft", &list).unwrap().stdout;
            let shown = String::from_utf8(shown).unwrap();
            assert!(shown.contains(&format!("{vip} timeout 1s expires ")), "{shown}");
        }
    }
    inside(&net.node, forwarder.remove()).unwrap();
}
