//! Interfaces of every kind, and addresses that are not to be had.

use std::time::Duration;

use steelyard_host::netns::Segment;
use steelyard_speaker::{EventKind, NoInterface, Speaker, SpeakerOptions, Unfit, VipState};

use super::{Lan, NOBODY, Wish, eventually, next, vip};

const VIP4: &str = "10.1.1.100";
const VIP6: &str = "fd00::100";

fn state(speaker: &Speaker, address: &str) -> Option<VipState> {
    let status = speaker.status();
    status.into_iter().find(|it| it.address.to_string() == address).map(|it| it.state)
}

fn refused(speaker: &Speaker, address: &str, why: &NoInterface) {
    eventually(&format!("{address} is refused: {why}"), || {
        state(speaker, address) == Some(VipState::NoInterface(Box::new(why.clone())))
    });
}

fn interfaces(speaker: &Speaker, address: &str) -> Vec<String> {
    let status = speaker.status();
    let it = status.into_iter().find(|it| it.address.to_string() == address);
    it.filter(|it| it.state.as_str() == "announced")
        .map(|it| it.interfaces.iter().map(ToString::to_string).collect())
        .unwrap_or_default()
}

/// Whatever the interface that has it, and whenever it comes.
#[test]
fn an_own_address_is_given_up_as_soon_as_it_is_one() {
    let Some(lan) = Lan::new("own", "an_own_address_is_given_up") else { return };
    lan.node.ip(&["addr", "add", "10.1.1.101/32", "dev", "lo"]).unwrap();
    let speaker = lan.speaker(SpeakerOptions::default());
    speaker.set_vips(vec![vip(VIP4), vip(VIP6), vip("10.1.1.101")]);
    lan.announced(&speaker, &[VIP4, VIP6]);
    let on_lo = NoInterface::OwnAddress { interface: "lo".to_owned() };
    refused(&speaker, "10.1.1.101", &on_lo);

    let mut events = speaker.events();
    for address in ["10.1.1.100/32", "fd00::100/128"] {
        lan.node.ip(&["addr", "add", address, "dev", "lo"]).unwrap();
    }
    refused(&speaker, VIP4, &on_lo);
    refused(&speaker, VIP6, &on_lo);
    // Both may be seen at once: then both are withdrawn before anything is said of either.
    let mut kind = next(&mut events).kind;
    assert!(matches!(kind, EventKind::Withdrawn { .. }));
    while matches!(kind, EventKind::Withdrawn { .. }) {
        kind = next(&mut events).kind;
    }
    assert_eq!(kind, EventKind::NoInterface(on_lo));
    assert!(kind.is_warning() && kind.help().is_some());

    for address in ["10.1.1.100/32", "fd00::100/128"] {
        lan.node.ip(&["addr", "del", address, "dev", "lo"]).unwrap();
    }
    lan.announced(&speaker, &[VIP4, VIP6]);
}

#[test]
fn the_routers_address_is_never_announced() {
    let Some(lan) = Lan::new("router", "the_routers_address_is_never_announced") else { return };
    let (speaker, _) = lan.announcing(SpeakerOptions::default(), &[VIP4, VIP6]);
    for (family, address) in [("-4", VIP4), ("-6", VIP6)] {
        lan.node.ip(&[family, "route", "add", "default", "via", address, "dev", "eth0"]).unwrap();
        let why = NoInterface::Gateway { interface: Some("eth0".to_owned()), is_default: true };
        refused(&speaker, address, &why);
        lan.node.ip(&[family, "route", "del", "default"]).unwrap();
        lan.announced(&speaker, &[address]);
    }
    // From the start as well: nothing of it is ever heard.
    lan.node.ip(&["route", "add", "default", "via", "10.1.1.102"]).unwrap();
    speaker.set_vips(vec![vip(VIP4), vip(VIP6), vip("10.1.1.102")]);
    let why = NoInterface::Gateway { interface: Some("eth0".to_owned()), is_default: true };
    refused(&speaker, "10.1.1.102", &why);
    assert_eq!(lan.arping("10.1.1.102", Wish::None), NOBODY);
}

/// A route can make an address this host's, or some router's, without any interface having it.
#[test]
fn what_a_route_says_of_an_address_is_heeded() {
    let Some(lan) = Lan::new("routed", "what_a_route_says_of_an_address") else { return };
    let (speaker, _) = lan.announcing(SpeakerOptions::default(), &[VIP4, VIP6]);
    let on_lo = NoInterface::OwnAddress { interface: "lo".to_owned() };
    let halves =
        |is_default| NoInterface::Gateway { interface: Some("eth0".to_owned()), is_default };
    for (family, vip, half) in [("-4", VIP4, "128.0.0.0/1"), ("-6", VIP6, "8000::/1")] {
        for (route, why) in [
            (&["local", vip, "dev", "lo", "table", "local"][..], &on_lo),
            (&[half, "via", vip, "dev", "eth0"], &halves(false)),
            (&["default", "via", vip, "dev", "eth0", "table", "77"], &halves(true)),
        ] {
            lan.node.ip(&[&[family, "route", "add"], route].concat()).unwrap();
            refused(&speaker, vip, why);
            lan.node.ip(&[&[family, "route", "del"], route].concat()).unwrap();
            lan.announced(&speaker, &[vip]);
        }
    }
}

/// A second card in the same LAN, and a macvlan on the first: one of them answers, once. When it
/// is unplugged, another takes its place.
#[test]
fn of_several_interfaces_in_one_subnet_one_answers() {
    let Some(lan) = Lan::new("twins", "of_several_interfaces_in_one_subnet") else { return };
    lan.segment.plug(&lan.node, "eth1").unwrap();
    lan.node.ip(&["addr", "add", "10.1.1.13/24", "dev", "eth1"]).unwrap();
    let on_top = ["link", "add", "mac0", "link", "eth0", "type", "macvlan", "mode", "bridge"];
    lan.node.ip(&on_top).unwrap();
    lan.node.ip(&["addr", "add", "10.1.1.14/24", "dev", "mac0"]).unwrap();
    lan.node.ip(&["link", "set", "mac0", "up"]).unwrap();
    let (speaker, _) = lan.announcing(SpeakerOptions::default(), &[VIP4]);
    let answers = lan.arping(VIP4, Wish::Several);
    assert!((1..=3).contains(&answers.len()), "{answers:?}");
    assert!(answers.iter().all(|it| *it == lan.mac(&lan.node)), "{answers:?}");
    assert!(matches!(state(&speaker, VIP4), Some(VipState::Announced { rival: None })));

    lan.node.ip(&["link", "set", "eth0", "down"]).unwrap();
    eventually("another answers", || interfaces(&speaker, VIP4) == ["eth1"]);
    let eth1 = lan.mac_of(&lan.node, "eth1");
    assert_eq!(lan.arping(VIP4, Wish::One), [eth1]);
    lan.node.ip(&["link", "set", "eth0", "up"]).unwrap();
    assert_eq!(lan.arping(VIP4, Wish::One), [eth1], "and goes on: nothing moves without need");
    assert_eq!(interfaces(&speaker, VIP4), ["eth1"]);
}

/// Two LANs with the same addresses: which one is meant, only a name can say.
#[test]
fn the_same_subnet_on_two_bridges() {
    let Some(lan) = Lan::new("equal", "the_same_subnet_on_two_bridges") else { return };
    let other = Segment::create(&format!("sy-equal2-{}", std::process::id())).unwrap();
    let there = other.host("there", &["10.1.1.5/24"]).unwrap();
    // The node's own bridges, each with a cable of another LAN.
    other.plug(&lan.node, "eth1").unwrap();
    for (bridge, port) in [("br0", "eth0"), ("br1", "eth1")] {
        for line in [
            format!("link add {bridge} type bridge"),
            format!("addr flush dev {port}"),
            format!("link set {port} master {bridge}"),
            format!("addr add 10.1.1.11/24 dev {bridge}"),
            format!("link set {bridge} up"),
        ] {
            lan.node.ip(&line.split(' ').collect::<Vec<_>>()).unwrap();
        }
    }
    let speaker = lan.speaker(SpeakerOptions::default());
    speaker.set_vips(vec![vip(VIP4)]);
    eventually("announced once", || interfaces(&speaker, VIP4) == ["br0"]);
    assert_eq!(lan.arping(VIP4, Wish::One), [lan.mac_of(&lan.node, "br0")]);
    assert_eq!(lan.arping_from(&there, VIP4), NOBODY);

    let mut named = vip(VIP4);
    named.interfaces = vec!["br1".to_owned()];
    speaker.set_vips(vec![named]);
    eventually("announced where it is named", || interfaces(&speaker, VIP4) == ["br1"]);
    eventually("it answers there", || {
        lan.arping_from(&there, VIP4) == [lan.mac_of(&lan.node, "br1")]
    });
    assert_eq!(lan.arping(VIP4, Wish::None), NOBODY);
    let mut port = vip(VIP4);
    port.interfaces = vec!["eth1".to_owned()];
    speaker.set_vips(vec![port]);
    let named = vec![("eth1".to_owned(), Unfit::Enslaved)];
    refused(&speaker, VIP4, &NoInterface::Unfit { named });
}

/// The client forgot nothing and asks nothing; it hears where the address is now.
#[test]
fn a_cable_that_was_out_is_announced_on_again() {
    let Some(lan) = Lan::new("cable", "a_cable_that_was_out") else { return };
    let (speaker, mut events) = lan.announcing(SpeakerOptions::default(), &[VIP4]);
    for state in ["down", "up"] {
        lan.segment.switch().ip(&["link", "set", "port1", state]).unwrap();
    }
    assert!(matches!(next(&mut events).kind, EventKind::Withdrawn { .. }));
    lan.announced(&speaker, &[VIP4]);
    assert_eq!(lan.arping(VIP4, Wish::One), [lan.mac(&lan.node)]);
}

#[test]
fn an_interface_that_is_dormant_is_waited_for() {
    let Some(lan) = Lan::new("asleep", "an_interface_that_is_dormant") else { return };
    let speaker = lan.speaker(SpeakerOptions::default());
    let mut named = vip(VIP4);
    named.interfaces = vec!["eth0".to_owned()];
    speaker.set_vips(vec![named]);
    lan.announced(&speaker, &[VIP4]);
    lan.node.ip(&["link", "set", "eth0", "mode", "dormant"]).unwrap();
    lan.node.ip(&["link", "set", "eth0", "state", "DORMANT"]).unwrap();
    let named = vec![("eth0".to_owned(), Unfit::Dormant)];
    refused(&speaker, VIP4, &NoInterface::Unfit { named });
    lan.node.ip(&["link", "set", "eth0", "state", "UP"]).unwrap();
    lan.announced(&speaker, &[VIP4]);
}

/// The groups of an interface that comes later are joined, also towards a switch that asks.
#[test]
fn groups_are_joined_on_an_interface_that_comes_later() {
    let Some(lan) = Lan::new("later", "groups_are_joined_on_an_interface") else { return };
    let bridge = ["link", "set", "br0", "type", "bridge", "mcast_snooping", "1"];
    let querier = ["mcast_querier", "1", "mcast_startup_query_interval", "10"];
    lan.segment.switch().ip(&[&bridge[..], &querier].concat()).unwrap();
    lan.node.ip(&["link", "del", "eth0"]).unwrap();
    let speaker = lan.speaker(SpeakerOptions::default());
    speaker.set_vips(vec![vip(VIP6)]);
    eventually("nowhere", || matches!(state(&speaker, VIP6), Some(VipState::NoInterface(_))));
    lan.segment.plug(&lan.node, "eth0").unwrap();
    lan.add(&lan.node, "fd00::11/64");
    lan.announced(&speaker, &[VIP6]);
    eventually("the switch heard the report", || {
        let output = lan.segment.switch().output("bridge", &["mdb", "show"]).unwrap();
        String::from_utf8_lossy(&output.stdout).contains("ff02::1:ff00:100")
    });
    assert_eq!(lan.ndisc6(VIP6, Wish::One), [lan.mac(&lan.node)]);
}

/// A machine that answers after the probes are over, as one asleep on Wi-Fi: it was there first.
#[test]
fn a_late_answer_is_believed() {
    let Some(lan) = Lan::new("late", "a_late_answer_is_believed") else { return };
    let mut options = SpeakerOptions::default();
    // However slow this machine is.
    options.timing.doubt = Duration::from_secs(60);
    let (_speaker, mut events) = lan.announcing(options, &[VIP4]);
    lan.claim(VIP4);
    assert!(matches!(next(&mut events).kind, EventKind::Yielded { .. }));
}

/// One that takes an address without a word is found when ours is refreshed.
#[test]
fn a_silent_rival_is_found() {
    let Some(lan) = Lan::new("silent", "a_silent_rival_is_found") else { return };
    let mut options = SpeakerOptions::default();
    options.timing.doubt = Duration::ZERO;
    options.timing.announce_span = Duration::ZERO;
    options.timing.refresh = Duration::from_millis(300);
    let (_speaker, mut events) = lan.announcing(options, &[VIP4, VIP6]);
    lan.add(&lan.rival, "10.1.1.100/24");
    let found = next(&mut events);
    assert!(matches!(found.kind, EventKind::Defended { .. }), "{found}");
    assert_eq!(found.address, Some(VIP4.parse().unwrap()));
}

/// Two cards in one LAN, told apart by the metrics of their routes alone, as NetworkManager does.
/// The route may come long after the cable is in again.
#[test]
fn a_vip_returns_to_the_interface_that_the_route_says() {
    let Some(lan) = Lan::new("route", "a_vip_returns_to_the_interface") else { return };
    lan.segment.plug(&lan.node, "eth1").unwrap();
    let ip = |line: &str| lan.node.ip(&line.split(' ').collect::<Vec<_>>()).unwrap();
    let routes = |link: &str, metric: &str| {
        ip(&format!("route add 10.1.1.0/24 dev {link} metric {metric}"));
        ip(&format!("-6 route add fd00::/64 dev {link} metric {metric}"));
    };
    ip("addr flush dev eth0 scope global");
    for (link, host, metric) in [("eth0", 11, "100"), ("eth1", 13, "200")] {
        ip(&format!("addr add 10.1.1.{host}/24 dev {link} noprefixroute"));
        ip(&format!("addr add fd00::{host}/64 dev {link} nodad noprefixroute"));
        routes(link, metric);
    }
    let (speaker, _) = lan.announcing(SpeakerOptions::default(), &[VIP4, VIP6]);
    let on = |link: &str, why: &str| {
        eventually(why, || [VIP4, VIP6].iter().all(|vip| interfaces(&speaker, vip) == [link]));
        let mac = lan.mac_of(&lan.node, link);
        assert_eq!(lan.arping(VIP4, Wish::One), [mac], "{why}");
        assert_eq!(lan.ndisc6(VIP6, Wish::One), [mac], "{why}");
    };
    on("eth0", "the smaller metric");
    ip("link set eth0 down");
    on("eth1", "the other one");
    ip("link set eth0 up");
    // IPv6 addresses go with the link.
    ip("addr replace fd00::11/64 dev eth0 nodad noprefixroute");
    on("eth1", "there is no route by the first");
    routes("eth0", "100");
    on("eth0", "its route is back");
    routes("eth1", "50");
    on("eth1", "a better route by the second");
}

/// The interface is deleted, and one of its name is added again.
#[test]
fn a_vip_returns_to_an_interface_that_was_deleted() {
    let Some(lan) = Lan::new("again", "a_vip_returns_to_an_interface_that") else { return };
    lan.segment.plug(&lan.node, "eth1").unwrap();
    let ip = |line: &str| lan.node.ip(&line.split(' ').collect::<Vec<_>>()).unwrap();
    ip("addr add 10.1.1.13/24 dev eth1");
    let (speaker, _) = lan.announcing(SpeakerOptions::default(), &[VIP4]);
    assert_eq!(lan.arping(VIP4, Wish::One), [lan.mac(&lan.node)]);
    ip("link del eth0");
    eventually("another answers", || interfaces(&speaker, VIP4) == ["eth1"]);
    assert_eq!(lan.arping(VIP4, Wish::One), [lan.mac_of(&lan.node, "eth1")]);
    lan.segment.plug(&lan.node, "eth0").unwrap();
    ip("addr add 10.1.1.11/24 dev eth0");
    ip("addr change 10.1.1.13/24 dev eth1 metric 300");
    eventually("the first answers again", || interfaces(&speaker, VIP4) == ["eth0"]);
    assert_eq!(lan.arping(VIP4, Wish::One), [lan.mac(&lan.node)]);
}
