use steelyard_host::links::{NextHop, OwnRoute};

use super::*;

/// `eth0 10.1.1.5/24 fd00::5/64`, after a ` :` words that make it odd. Numbers count from 1.
fn links(lines: &[&str]) -> Vec<Link> {
    let link = |(at, line): (usize, &&str)| {
        // Addresses hold colons themselves, but none behind a space.
        let (plain, odd) = line.split_once(" :").unwrap_or((line, ""));
        let mut words = plain.split_whitespace();
        let is = |word: &str| odd.split_whitespace().any(|it| it == word);
        Link {
            index: u32::try_from(at + 1).unwrap(),
            name: words.next().unwrap().to_owned(),
            mac: Some([2, 0, 0, 0, 0, u8::try_from(at).unwrap()]),
            mtu: 1500,
            up: !is("down"),
            carrier: !is("unplugged") && !is("down") && !is("dormant"),
            broadcast: !is("tunnel"),
            arp: !is("noarp"),
            loopback: is("loopback"),
            dormant: is("dormant"),
            carrier_changes: 0,
            enslaved: is("enslaved"),
            master: None,
            addresses: words.map(|it| it.parse().unwrap()).collect(),
        }
    };
    lines.iter().enumerate().map(link).collect()
}

/// What is chosen for `vip`, as names, or why nothing is.
fn chosen(lines: &[&str], vip: &str, ours: &[&str], theirs: &[&str], current: &[u32]) -> String {
    routed(lines, vip, [ours, theirs], current, None)
}

/// The same where packets to it leave by the interface of this number.
fn routed(
    lines: &[&str],
    vip: &str,
    [ours, theirs]: [&[&str]; 2],
    current: &[u32],
    route: Option<u32>,
) -> String {
    let names = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let vip = Vip {
        address: vip.parse().unwrap(),
        interfaces: names(theirs),
        candidates: Default::default(),
    };
    let links = links(lines);
    let gateway = |address: &str, link, is_default| NextHop {
        address: address.parse().unwrap(),
        link,
        is_default,
    };
    let gateways = vec![
        gateway("10.1.1.1", Some(2), true),
        gateway("fd00::1", None, true),
        gateway("10.1.1.2", Some(99), true),
        gateway("10.1.1.3", Some(2), false),
    ];
    let own = |net: &str, link| OwnRoute { net: net.parse().unwrap(), link };
    let own = vec![own("10.1.1.96/30", 1), own("10.1.1.104/32", 5)];
    let routes = Routes { gateways, own };
    let host = Host { links: &links, routes: &routes, route: &|_| route };
    match choose(host, &vip, &names(ours), &Exclude::default(), current) {
        Ok(links) => links.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(" "),
        Err(why) => {
            assert!(!why.help().is_empty());
            format!("none: {why}")
        }
    }
}

const HOST: [&str; 4] =
    ["lo 127.0.0.1/8 :loopback", "eth0 10.1.1.5/24 fd00::5/64", "docker0 172.17.0.1/16", "wlan0"];

#[test]
fn the_subnet_decides() {
    #[rustfmt::skip]
    let table: &[(&[&str], &str, &str)] = &[
        (&HOST, "10.1.1.100", "eth0"),
        (&HOST, "fd00::100", "eth0"),
        (&HOST, "10.1.2.1", "none: no interface has a subnet that holds it (eth0 10.1.1.5/24, eth0 fd00::5/64)"),
        (&HOST, "172.17.0.9", "none: no interface has a subnet that holds it (eth0 10.1.1.5/24, eth0 fd00::5/64)"),
        (&["eth0 10.1.1.5/24 :unplugged", "eth1 10.9.0.5/24"], "10.1.1.100", "none: eth0 has no carrier"),
        (&["eth0 10.1.1.5/24 :down", "eth1 10.9.0.5/24"], "10.9.0.100", "eth1"),
        (&HOST, "10.1.1.5", "none: it is an address of this host, on eth0"),
        (&HOST, "172.17.0.1", "none: it is an address of this host, on docker0"),
        (&HOST, "10.1.1.1", "none: it is the address of the default gateway, on eth0"),
        (&HOST, "10.1.1.2", "none: it is the address of the default gateway"),
        (&HOST, "10.1.1.3", "none: it is the address of a route's gateway, on eth0"),
        (&HOST, "10.1.1.98", "none: it is an address of this host, on lo"),
        (&HOST, "fd00::1", "none: it is the address of the default gateway"),
        (&HOST, "10.1.1.255", "none: it is the broadcast address of a subnet (eth0 10.1.1.5/24)"),
        (&HOST, "10.1.1.0", "eth0"),
        (&["eth0 10.1.1.4/31"], "10.1.1.5", "eth0"),
        (&HOST, "127.0.0.1", "none: it is an address of this host, on lo"),
        (&["eth0 10.1.1.4/24", "lo 127.0.0.1/8 10.1.1.9/32 :loopback"], "10.1.1.9", "none: it is an address of this host, on lo"),
        (&["eth0 10.1.1.4/24", "eth1 10.1.1.9/24 :down"], "10.1.1.9", "none: it is an address of this host, on eth1"),
        (&["eth0 10.0.0.1/8", "eth1 10.1.1.1/24"], "10.1.1.100", "eth1"),
        (&["eth0 10.1.1.1/24 :dormant", "eth1 10.1.1.2/24"], "10.1.1.100", "eth1"),
        (&["eth0 10.1.1.1/24", "eth1 10.1.1.2/24"], "10.1.1.100", "eth0"),
        (&["eth0 10.1.1.1/24 :down", "eth1 10.1.1.2/24"], "10.1.1.100", "eth1"),
        (&["eth0 10.1.1.1/24 :unplugged", "eth1 10.1.1.2/24"], "10.1.1.100", "eth1"),
        (&["eth0 10.1.1.1/24 :enslaved", "br0 10.1.1.2/24"], "10.1.1.100", "br0"),
        (&["tun0 10.1.1.1/24 :tunnel"], "10.1.1.100", "none: tun0 does not speak ARP"),
        (&["eth0 10.1.1.1/24 :noarp"], "10.9.1.100", "none: no suitable network interface is up"),
        // kube-proxy in IPVS mode puts every vip on an interface of its own: no address of a LAN.
        (&["eth0 10.1.1.1/24", "kube-ipvs0 10.1.1.100/32 :noarp"], "10.1.1.100", "eth0"),
    ];
    for (lines, vip, expected) in table {
        assert_eq!(chosen(lines, vip, &[], &[], &[]), *expected, "{vip} on {lines:?}");
    }
}

#[test]
fn of_two_equal_ones_the_present_one_stays() {
    let lines = ["eth0 10.1.1.1/24", "eth1 10.1.1.2/24"];
    assert_eq!(chosen(&lines, "10.1.1.100", &[], &[], &[2]), "eth1");
    let better = ["eth0 10.1.1.1/25", "eth1 10.1.1.2/24"];
    assert_eq!(chosen(&better, "10.1.1.100", &[], &[], &[2]), "eth0", "a longer prefix wins");
}

#[test]
fn names_decide_where_there_are_any() {
    let odd = ["veth0 :", "eth0 10.1.1.5/24", "eth1 :down", "br0 10.2.0.1/24", "wlan0 :dormant"];
    #[rustfmt::skip]
    let table: &[(&[&str], &[&str], &str)] = &[
        (&["eth0"], &[], "eth0"),
        (&[], &["eth0"], "eth0"),
        (&["veth0"], &[], "veth0"), // excluded from the automatic, and without the subnet
        (&["br0", "eth0"], &[], "eth0 br0"),
        (&["br0", "eth0"], &["eth0", "eth1"], "eth0"),
        (&["eth1", "eth0"], &[], "eth0"),
        (&["eth1"], &[], "none: eth1 is down"),
        (&["wlan0"], &[], "none: wlan0 is dormant"),
        (&["eth9"], &[], "none: there is no interface eth9"),
        (&["eth0"], &["br0"], "none: the interfaces named for it are not among those this node may use"),
    ];
    for (ours, theirs, expected) in table {
        assert_eq!(chosen(&odd, "10.1.1.100", ours, theirs, &[]), *expected, "{ours:?} {theirs:?}");
    }
}

#[test]
fn what_cannot_be_announced_is_not_even_by_name() {
    let reason = "none: it is an address of this host, on eth0";
    assert_eq!(chosen(&HOST, "10.1.1.5", &["wlan0"], &[], &[]), reason);
    let reason = "none: it is the broadcast address of a subnet (eth0 10.1.1.5/24)";
    assert_eq!(chosen(&HOST, "10.1.1.255", &["wlan0", "eth0"], &[], &[]), reason);
}

#[test]
fn the_default_list_is_metallbs() {
    let exclude = Exclude::default();
    for name in ["lo", "docker0", "veth12ab", "cali9", "flannel.1", "cni0", "kube-ipvs0", "lxc1"] {
        assert!(exclude.matches(name), "{name}");
    }
    for name in ["eth0", "enp3s0", "wlan0", "br0", "bond0", "lon0"] {
        assert!(!exclude.matches(name), "{name}");
    }
}

#[test]
fn of_two_on_one_lan_the_route_decides_then_who_has_it() {
    let both = ["eth0 10.1.1.5/24", "eth1 10.1.1.6/24", "eth2 10.9.0.1/24"];
    let unplugged = ["eth0 10.1.1.5/24 :unplugged", both[1], both[2]];
    let narrow = [both[0], "eth1 10.1.1.6/25", both[2]];
    for (lines, current, route, name) in [
        (&both, None, None, "eth0"),
        (&both, Some(2), None, "eth1"),
        (&both, Some(2), Some(1), "eth0"),
        (&both, Some(1), Some(2), "eth1"),
        (&both, Some(2), Some(3), "eth1"),
        (&unplugged, None, Some(1), "eth1"),
        (&narrow, Some(1), Some(1), "eth1"),
    ] {
        let current: Vec<u32> = current.into_iter().collect();
        let got = routed(lines, "10.1.1.100", [&[], &[]], &current, route);
        assert_eq!(got, name, "{lines:?} {current:?} {route:?}");
    }
}

#[test]
fn only_what_no_network_holds_is_nobodys() {
    let placed = |lines: &[&str], vip: &str| {
        let (links, vip) = (links(lines), vip.parse().unwrap());
        let why = NoInterface::NoSubnet { suitable: Vec::new() };
        !nowhere(&links, &[(vip, Err(Box::new(why)))].into()).is_empty()
    };
    for (lines, vip, is_nobodys) in [
        (&HOST[..], "10.9.9.9", true),
        (&HOST, "10.1.1.100", false),
        (&HOST, "172.17.0.9", false),
        (&["eth0 10.1.1.5/24 :unplugged"], "10.1.1.100", true),
        (&["eth0 10.1.1.5/24 :down"], "10.1.1.100", true),
        (&["lo 127.0.0.1/8 10.1.1.0/24 :loopback"], "10.1.1.100", true),
    ] {
        assert_eq!(placed(lines, vip), is_nobodys, "{lines:?} {vip}");
    }
    let vip = "10.9.9.9".parse().unwrap();
    let own = NoInterface::OwnAddress { interface: "eth0".to_owned() };
    assert!(nowhere(&links(&HOST), &[(vip, Err(Box::new(own)))].into()).is_empty());
    assert!(nowhere(&links(&HOST), &[(vip, Ok([2].into()))].into()).is_empty());
}
