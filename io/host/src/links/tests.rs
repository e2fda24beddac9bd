use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::netns::{self, Namespace};

fn unique(name: &str) -> String {
    format!("sy-{name}-{}", std::process::id())
}

#[test]
fn loopback_is_always_there() {
    let links = list().unwrap();
    let lo = links.iter().find(|link| link.name == "lo").unwrap();
    assert!(lo.loopback && lo.index == 1 && !lo.broadcast);
}

/// What `ip` sets up, [`list`] tells.
#[test]
fn interfaces_are_told_as_they_are() {
    if let Some(reason) = netns::unavailable() {
        return eprintln!("skipped: interfaces_are_told: {reason}");
    }
    let host = Namespace::create(&unique("links")).unwrap();
    let set_up = [
        "link add br0 type bridge",
        "link add port address 02:00:00:00:00:01 type veth peer name far",
        "link set port master br0 up",
        "link set far up mtu 1400",
        "link add quiet type veth peer name quiet2",
        "link set quiet up arp off",
        "link set br0 up",
        "addr add 10.1.1.5/24 dev br0",
        "addr add fd00::5/64 dev br0 nodad",
        "addr add 10.2.0.1 peer 10.2.0.2/32 dev far",
    ];
    for line in set_up {
        host.ip(&line.split(' ').collect::<Vec<_>>()).unwrap();
    }
    let links = host.run(list).unwrap().unwrap();
    let link = |name: &str| links.iter().find(|link| link.name == name).unwrap();

    let br0 = link("br0");
    assert!(br0.up && br0.carrier && br0.broadcast && br0.arp && !br0.enslaved);
    for address in ["10.1.1.5/24", "fd00::5/64"] {
        assert!(br0.addresses.contains(&address.parse().unwrap()), "{br0:?}");
    }
    let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
    assert_eq!(br0.subnet_of(ip("10.1.1.100")), Some("10.1.1.5/24".parse().unwrap()));
    assert_eq!(br0.subnet_of(ip("10.1.2.100")), None);
    assert_eq!(br0.subnet_of(ip("fd00::1:0:0:1")), Some("fd00::5/64".parse().unwrap()));
    assert!(br0.has(ip("10.1.1.5")) && !br0.has(ip("10.1.1.100")));

    let port = link("port");
    assert!(port.enslaved && port.carrier && port.master == Some(br0.index));
    assert_eq!(port.mac, Some([2, 0, 0, 0, 0, 1]));
    assert_eq!(link("far").mtu, 1400);
    assert!(link("far").has(ip("10.2.0.1")), "its own end, not the peer's");
    assert!(!link("quiet").arp && !link("quiet").carrier && !link("quiet2").up);
}

#[test]
fn changes_are_noticed() {
    if let Some(reason) = netns::unavailable() {
        return eprintln!("skipped: changes_are_noticed: {reason}");
    }
    let host = Namespace::create(&unique("monitor")).unwrap();
    let changes = [
        "link add va type veth peer name vb",
        "link set vb up",
        "link set va up",
        "addr add 10.1.1.5/24 dev va",
        "addr add fd00::5/64 dev va nodad",
        "link set va address 02:00:00:00:00:07",
        "route add default via 10.1.1.1 dev va",
        "route add 10.1.1.0/24 dev va metric 7",
        "-6 route del fd00::/64 dev va",
        "addr del 10.1.1.5/24 dev va",
        "link del va",
    ];
    let watch = async || {
        let monitor = Monitor::open().unwrap();
        for change in changes {
            host.ip(&change.split(' ').collect::<Vec<_>>()).unwrap();
            let noticed = tokio::time::timeout(Duration::from_secs(10), monitor.changed());
            noticed.await.expect(change).unwrap();
        }
    };
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(watch());
    };
    host.run(run).unwrap();
}

/// Routes to some places come and go with containers; nobody needs to look then.
#[test]
fn routes_to_some_places_are_passed_over() {
    if let Some(reason) = netns::unavailable() {
        return eprintln!("skipped: routes_to_some_places: {reason}");
    }
    let host = Namespace::create(&unique("routes")).unwrap();
    let watch = async || {
        let ip = |line: &str| drop(host.ip(&line.split(' ').collect::<Vec<_>>()).unwrap());
        let monitor = Monitor::open().unwrap();
        for n in 1..=20 {
            ip(&format!("route add 10.9.0.{n} dev lo"));
            ip(&format!("route add 10.9.{n}.0/24 via 10.8.0.1 dev lo onlink"));
            ip(&format!("route add 10.7.{n}.0/24 dev lo table 77"));
        }
        let soon = Duration::from_millis(50);
        assert!(tokio::time::timeout(soon, monitor.changed()).await.is_err());
        ip("route add default dev lo");
        tokio::time::timeout(Duration::from_secs(10), monitor.changed()).await.unwrap().unwrap();
    };
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(watch());
    };
    host.run(run).unwrap();
}

#[test]
fn gateways_of_all_routes_are_told() {
    if let Some(reason) = netns::unavailable() {
        return eprintln!("skipped: gateways_of_all_routes_are_told: {reason}");
    }
    let host = Namespace::create(&unique("gateways")).unwrap();
    let ip = |line: &str| drop(host.ip(&line.split(' ').collect::<Vec<_>>()).unwrap());
    assert_eq!(host.run(routes).unwrap().unwrap().gateways, []);
    for line in [
        "link add va type veth peer name vb",
        "link set vb up",
        "link set va up",
        "addr add 10.1.1.5/24 dev va",
        "addr add fd00::5/64 dev va nodad",
        "route add 10.9.0.0/16 via 10.1.1.9",
        "route add 10.8.0.0/16 via 10.1.1.1",
        "route add 128.0.0.0/1 via 10.1.1.7",
        "route add default via 10.1.1.8 table 77",
        "route add default dev va metric 900",
        "-6 route add default via fd00::1",
        "route add default metric 5 nexthop via 10.1.1.1 dev va nexthop via 10.1.1.2 dev va",
        "route add default metric 6 via inet6 fd00::3 dev va",
    ] {
        ip(line);
    }
    let found = host.run(routes).unwrap().unwrap().gateways;
    let va = host.run(list).unwrap().unwrap().iter().find(|it| it.name == "va").unwrap().index;
    assert!(found.iter().all(|it| it.link == Some(va)), "{found:?}");
    let told = found
        .iter()
        .map(|it| format!("{}{}", it.address, [" some", ""][usize::from(it.is_default)]));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "10.1.1.1",
            "10.1.1.2",
            "10.1.1.7 some",
            "10.1.1.8",
            "10.1.1.9 some",
            "fd00::1",
            "fd00::3"
        ]
    );
}

/// What is local by a route is the host's as much as what is on an interface.
#[test]
fn what_routes_make_local_is_told() {
    if let Some(reason) = netns::unavailable() {
        return eprintln!("skipped: what_routes_make_local: {reason}");
    }
    let host = Namespace::create(&unique("local")).unwrap();
    let ip = |line: &str| drop(host.ip(&line.split(' ').collect::<Vec<_>>()).unwrap());
    let watch = async || {
        let monitor = Monitor::open().unwrap();
        for line in [
            "route add local 10.1.1.240/30 dev lo",
            "-6 route add local fd00::240 dev lo table local",
            "route add 128.0.0.0/1 dev lo",
        ] {
            ip(line);
            let noticed = tokio::time::timeout(Duration::from_secs(10), monitor.changed());
            noticed.await.expect(line).unwrap();
        }
    };
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(watch());
    };
    host.run(run).unwrap();
    // As a transparent proxy has it: for what has its mark alone.
    ip("route add local 0.0.0.0/0 dev lo table 100");
    let own = host.run(routes).unwrap().unwrap().own;
    let own: Vec<String> = own.iter().map(|it| it.net.to_string()).collect();
    for net in ["10.1.1.240/30", "fd00::240/128"] {
        assert!(own.iter().any(|it| it == net), "{own:?}");
    }
    assert!(!own.iter().any(|it| it == "0.0.0.0/0"), "{own:?}");
}

/// Networks with sign-in (IEEE 802.1X) hold an interface back like this.
#[test]
fn a_dormant_interface_is_told_from_an_unplugged_one() {
    if let Some(reason) = netns::unavailable() {
        return eprintln!("skipped: a_dormant_interface: {reason}");
    }
    let host = Namespace::create(&unique("dormant")).unwrap();
    let va = || {
        let links = host.run(list).unwrap().unwrap();
        links.into_iter().find(|it| it.name == "va").unwrap()
    };
    // The kernel works its state out a moment later, up to a second after the one before.
    let becomes = |line: &str, carrier: bool, dormant: bool| {
        host.ip(&line.split(' ').collect::<Vec<_>>()).unwrap();
        let limit = Instant::now() + Duration::from_secs(10);
        while (va().carrier, va().dormant) != (carrier, dormant) {
            assert!(Instant::now() < limit, "{line}: {:?}", va());
            thread::sleep(Duration::from_millis(5));
        }
        va().carrier_changes
    };
    host.ip(&["link", "add", "va", "type", "veth", "peer", "name", "vb"]).unwrap();
    host.ip(&["link", "set", "va", "up"]).unwrap();
    let before = becomes("link set vb up", true, false);
    becomes("link set vb down", false, false);
    let after = becomes("link set vb up", true, false);
    assert_eq!(after, before + 2, "out and in");
    host.ip(&["link", "set", "va", "mode", "dormant"]).unwrap();
    becomes("link set vb down", false, false);
    becomes("link set vb up", false, true);
    becomes("link set va state UP", true, false);
}

/// As bonds and virtual machines' cards say it; none of them is here to be asked.
#[test]
fn interfaces_that_moved_are_told() {
    let message = |kind: u16, event: u32| {
        let mut body = vec![0; 4];
        body.extend(7_u32.to_ne_bytes());
        body.resize(16, 0);
        body.extend([8_u16.to_ne_bytes(), 44_u16.to_ne_bytes()].concat());
        body.extend(event.to_ne_bytes());
        let mut bytes = u32::try_from(16 + body.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.resize(16, 0);
        [bytes, body].concat()
    };
    let all = [message(16, 1), message(16, 4), message(16, 3), message(17, 4)].concat();
    let note = |bytes: &[u8], changes: &mut Changes| {
        netlink::events(bytes).filter(|(kind, _, body)| monitor::note(*kind, body, changes)).count()
    };
    for (range, expected) in
        [(0..40, vec![]), (40..80, vec![7]), (80..120, vec![7]), (0..160, vec![7])]
    {
        let mut changes = Changes::default();
        assert!(note(&all[range], &mut changes) > 0);
        assert_eq!(changes.moved.into_iter().collect::<Vec<_>>(), expected);
    }
    for length in 0..all.len() {
        note(&all[..length], &mut Changes::default());
    }
}

#[test]
fn cut_messages_never_panic() {
    let body: Vec<u8> = (0..200).map(|n| u8::try_from(n % 7).unwrap()).collect();
    for length in 0..body.len() {
        let _ = read_link(&body[..length]);
        let _ = read_address(&body[..length]);
        Routes::default().read(&body[..length]);
    }
}
