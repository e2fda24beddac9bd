use std::time::Duration;

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
    assert!(port.enslaved && port.carrier);
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
        "link set va up",
        "addr add 10.1.1.5/24 dev va",
        "addr add fd00::5/64 dev va nodad",
        "link set va address 02:00:00:00:00:07",
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

#[test]
fn cut_messages_never_panic() {
    let body: Vec<u8> = (0..200).map(|n| u8::try_from(n % 7).unwrap()).collect();
    for length in 0..body.len() {
        let _ = read_link(&body[..length]);
        let _ = read_address(&body[..length]);
    }
}
