use std::net::UdpSocket;

use super::*;

/// A name that no other test run uses.
fn unique(name: &str) -> String {
    format!("sy-{name}-{}", std::process::id())
}

#[test]
fn hosts_on_a_segment_reach_each_other_and_leave_nothing() {
    if let Some(reason) = unavailable() {
        return eprintln!("skipped: hosts_on_a_segment: {reason}");
    }
    let name = unique("seg");
    let segment = Segment::create(&name).unwrap();
    let a = segment.host("a", &["10.9.0.1/24", "fd09::1/64"]).unwrap();
    let b = segment.host("b", &["10.9.0.2/24", "fd09::2/64"]).unwrap();

    for (here, there) in [("10.9.0.1", "10.9.0.2"), ("fd09::1", "fd09::2")] {
        let receiver = b.run(|| UdpSocket::bind((there, 0))).unwrap().unwrap();
        receiver.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
        let sender = a.run(|| UdpSocket::bind((here, 0))).unwrap().unwrap();
        sender.send_to(b"hello", receiver.local_addr().unwrap()).unwrap();
        let (_, from) = receiver.recv_from(&mut [0; 8]).unwrap();
        assert_eq!(from, sender.local_addr().unwrap());
    }

    assert_eq!(list().iter().filter(|other| other.starts_with(&name)).count(), 3);
    drop((a, b, segment));
    assert_eq!(list().iter().filter(|other| other.starts_with(&name)).count(), 0);
}

#[test]
fn the_callers_thread_stays_where_it_is() {
    if let Some(reason) = unavailable() {
        return eprintln!("skipped: the_callers_thread_stays: {reason}");
    }
    let here = || std::fs::read_link("/proc/thread-self/ns/net").unwrap();
    let before = here();
    let namespace = Namespace::create(&unique("stay")).unwrap();
    let (inside, child) =
        namespace.run(|| (here(), std::thread::spawn(here).join().unwrap())).unwrap();
    assert_ne!(inside, before);
    assert_eq!(child, inside, "what a thread spawns stays in its namespace");
    assert_eq!(here(), before);
    let output = namespace.output("readlink", &["/proc/self/ns/net"]).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), inside.to_str().unwrap());
}

#[test]
fn failures_say_what_ran_and_what_it_said() {
    let error = ip(&["link", "show", "dev", "nosuchlink"]);
    if unavailable().is_some() {
        return;
    }
    let message = error.unwrap_err().to_string();
    assert!(message.contains("ip link show dev nosuchlink"), "{message}");
    let missing = Namespace::existing("no-such-namespace").unwrap_err().to_string();
    assert!(missing.contains("no-such-namespace"), "{missing}");
}
