use std::time::Duration;

use super::*;
use crate::links;
use crate::netns::{self, Namespace, Segment};

const TIMEOUT: Duration = Duration::from_secs(10);

fn unique(name: &str) -> String {
    format!("sy-{name}-{}", std::process::id())
}

/// Runs `work` inside a namespace on a runtime of its own.
fn inside<T: Send>(namespace: &Namespace, work: impl AsyncFnOnce() -> T + Send) -> T {
    namespace
        .run(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(work())
        })
        .unwrap()
}

fn eth0() -> u32 {
    links::list().unwrap().into_iter().find(|link| link.name == "eth0").unwrap().index
}

fn frame(destination: [u8; 6], rest: &[u8]) -> Vec<u8> {
    [&destination[..], &[2, 0, 0, 0, 0, 9], rest].concat()
}

/// An IPv4 packet with that protocol and these first bytes of payload.
fn ipv4(protocol: u8, options: usize, fragment: u8, payload: &[u8]) -> Vec<u8> {
    let words = u8::try_from(5 + options).unwrap();
    let mut packet = vec![0x08, 0, 0x40 | words, 0, 0, 60, 0, 0, fragment, 0, 64, protocol];
    packet.resize(2 + 20 + options * 4, 0);
    packet.extend(payload);
    packet
}

fn ipv6(next: u8, kind: u8) -> Vec<u8> {
    let mut packet = vec![0x86, 0xdd, 0x60, 0, 0, 0, 0, 8, next, 255];
    packet.resize(2 + 40, 0);
    packet.extend([kind, 0, 0, 0, 0, 0, 0, 0]);
    packet
}

/// Frames of every kind are sent; what is heard is exactly what a speaker needs.
#[test]
fn the_kernel_lets_through_what_concerns_addresses() {
    if let Some(reason) = netns::unavailable() {
        return eprintln!("skipped: the_kernel_lets_through: {reason}");
    }
    // A cable rather than a switch: a switch has its own opinion on odd frames.
    let [a, b] = ["fa", "fb"].map(|name| Namespace::create(&unique(name)).unwrap());
    netns::cable((&a, "eth0"), (&b, "eth0")).unwrap();
    let everybody = [0xff; 6];
    let group = [0x33, 0x33, 0xff, 0, 0, 1];
    let other = [2, 0, 0, 0, 0, 0x77];
    #[rustfmt::skip]
    let table: Vec<(&str, bool, Vec<u8>)> = vec![
        ("arp", true, frame(everybody, &[0x08, 0x06, 0, 1])),
        ("arp for another station", false, frame(other, &[0x08, 0x06, 0, 1])),
        ("another protocol", false, frame(everybody, &[0x88, 0xb5, 0, 1])),
        ("echo request", true, frame(everybody, &ipv4(1, 0, 0, &[8, 0]))),
        ("echo request, options", true, frame(everybody, &ipv4(1, 2, 0, &[8, 0]))),
        ("echo request, first piece", true, frame(everybody, &ipv4(1, 0, 0x20, &[8, 0]))),
        ("echo reply, first piece", false, frame(everybody, &ipv4(1, 0, 0x20, &[0, 0]))),
        ("ICMP, a later piece", true, frame(everybody, &ipv4(1, 0, 0x01, &[0, 0]))),
        ("UDP, a later piece", false, frame(everybody, &ipv4(17, 0, 0x01, &[8, 0]))),
        ("echo reply", false, frame(everybody, &ipv4(1, 0, 0, &[0, 0]))),
        ("udp", false, frame(everybody, &ipv4(17, 0, 0, &[8, 0]))),
        ("echo request", true, frame(group, &ipv6(58, 128))),
        ("a piece of ICMPv6", true, frame(group, &ipv6(44, 58))),
        ("a piece of UDP", false, frame(group, &ipv6(44, 17))),
        ("solicitation", true, frame(group, &ipv6(58, 135))),
        ("advertisement", true, frame(group, &ipv6(58, 136))),
        ("router advertisement", false, frame(group, &ipv6(58, 134))),
        ("tcp", false, frame(group, &ipv6(6, 135))),
        ("tagged arp", false, frame(everybody, &[0x81, 0x00, 0, 7, 0x08, 0x06, 0, 1])),
        ("arp with a priority", true, frame(everybody, &[0x81, 0x00, 0xe0, 0, 0x08, 0x06, 0, 2])),
        ("truncated", false, frame(everybody, &[0x08, 0x00, 0x45])),
        ("the last", true, frame(everybody, &[0x08, 0x06, 0xff, 0xff])),
    ];
    let heard = ear(&b);
    inside(&a, async || {
        let socket = PacketSocket::open(eth0()).unwrap();
        for (_, _, frame) in &table {
            socket.send(frame).await.unwrap();
        }
    });
    // The hosts' own kernels speak too; we look for what came from our made-up station.
    let ours = |frame: &Vec<u8>| frame[6..12] == [2, 0, 0, 0, 0, 9];
    let heard: Vec<Vec<u8>> = heard.iter().filter(ours).collect();
    let wanted: Vec<Vec<u8>> =
        table.iter().filter(|row| row.1).map(|row| untagged(&row.2)).collect();
    assert_eq!(heard, wanted);
}

/// Frames that a socket in `namespace` hears, up to one that ends in `ffff`. The socket stands when
/// this returns.
fn ear(namespace: &Namespace) -> std::sync::mpsc::Receiver<Vec<u8>> {
    let (say, heard) = std::sync::mpsc::channel();
    let (stand, stands) = std::sync::mpsc::channel();
    let listen = async move || {
        let socket = PacketSocket::open(eth0()).unwrap();
        stand.send(()).unwrap();
        let mut buffer = [0; 2048];
        let mut last = false;
        while !last {
            let next = tokio::time::timeout(TIMEOUT, socket.receive(&mut buffer)).await;
            let length = next.expect("the last frame comes").unwrap();
            last = buffer[..length].ends_with(&[0xff, 0xff]);
            say.send(buffer[..length].to_vec()).unwrap();
        }
    };
    let thread = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(listen());
    };
    // What this thread spawns stays in the namespace.
    namespace.run(|| drop(std::thread::spawn(thread))).unwrap();
    stands.recv_timeout(TIMEOUT).unwrap();
    heard
}

/// The kernel takes a tag off before it shows the frame.
fn untagged(frame: &[u8]) -> Vec<u8> {
    if frame[12..14] == [0x81, 0] { [&frame[..12], &frame[16..]].concat() } else { frame.to_vec() }
}

#[test]
fn what_we_send_we_do_not_hear() {
    if let Some(reason) = netns::unavailable() {
        return eprintln!("skipped: what_we_send_we_do_not_hear: {reason}");
    }
    let segment = Segment::create(&unique("own")).unwrap();
    let host = segment.host("a", &[]).unwrap();
    inside(&host, async || {
        let here = PacketSocket::open(eth0()).unwrap();
        let twin = PacketSocket::open(eth0()).unwrap();
        for _ in 0..10 {
            here.send(&frame([0xff; 6], &[0x08, 0x06, 0, 1])).await.unwrap();
        }
        for socket in [here, twin] {
            let mut buffer = [0; 2048];
            while let Some(length) = socket.try_receive(&mut buffer) {
                assert_ne!(buffer[6..12], [2, 0, 0, 0, 0, 9], "{:?}", &buffer[..length]);
            }
        }
    });
}

#[test]
fn groups_are_joined_however_many_and_left_with_the_socket() {
    if let Some(reason) = netns::unavailable() {
        return eprintln!("skipped: groups_are_joined: {reason}");
    }
    let segment = Segment::create(&unique("groups")).unwrap();
    let host = segment.host("a", &["fd09::1/64"]).unwrap();
    let joined = || {
        let listed = host.ip(&["-6", "maddr", "show", "dev", "eth0"]).unwrap();
        listed.matches("ff02::1:ff77:").count()
    };
    let group = |n: u16| Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff77, n);
    inside(&host, async || {
        let mut socket = PacketSocket::open(eth0()).unwrap();
        for n in 1..=1500 {
            socket.join(group(n)).unwrap();
            socket.join(group(n)).unwrap();
        }
        assert_eq!(joined(), 1500);
        socket.leave(group(7)).unwrap();
        assert_eq!(joined(), 1499);
        drop(socket);
        // The kernel takes its time to tidy up behind a socket.
        let end = std::time::Instant::now() + TIMEOUT;
        while joined() > 0 {
            assert!(std::time::Instant::now() < end, "{} groups left behind", joined());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
}

#[test]
fn a_lifted_filter_is_back_with_the_socket_gone() {
    if let Some(reason) = netns::unavailable() {
        return eprintln!("skipped: a_lifted_filter: {reason}");
    }
    let segment = Segment::create(&unique("lift")).unwrap();
    let host = segment.host("a", &[]).unwrap();
    let lifted = || host.ip(&["-d", "link", "show", "eth0"]).unwrap().contains("promiscuity 1");
    inside(&host, async || {
        let socket = PacketSocket::open(eth0()).unwrap();
        assert!(!lifted());
        socket.lift_hardware_filter().unwrap();
        assert!(lifted());
        drop(socket);
        let end = std::time::Instant::now() + TIMEOUT;
        while lifted() {
            assert!(std::time::Instant::now() < end, "left behind");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
}

#[test]
fn an_interface_that_is_not_there_is_an_error() {
    if netns::unavailable().is_some() {
        return eprintln!("skipped: an_interface_that_is_not_there: not root");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(async { PacketSocket::open(999_999) }).unwrap_err();
    assert!(matches!(error, PacketError::Open { index: 999_999, .. }), "{error}");
}
