//! The data path on the real kernel, in network namespaces.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use steelyard_forward::{AtExit, Carried, Desired, ForwardOptions, Forwarder, Pass, Served, Why};
use steelyard_model::{Family, Protocol};

mod net;
mod tampering;
mod walls;
use net::*;

#[test]
fn every_way_to_a_vip() {
    let Some(net) = Net::create("ways") else { return };
    net.serve_pods();
    for (vip, own) in [(SERVED4, "10.1.1.11"), (SERVED6, "fd00::11")] {
        serve(&net.node, "gateway", vip, 80, true);
        serve(&net.node, "host", own, 80, false);
    }
    let forwarder = start(&net, net.options());
    let observed = apply(&net, &forwarder, &net.everything());
    let ways: Vec<&Carried> = observed.ports.iter().map(|port| &port.carried).collect();
    let nftables = &Carried::Nftables { endpoints: 3 };
    let delivered = &Carried::Delivered;
    assert_eq!(ways, [delivered, delivered, nftables, nftables, nftables, nftables]);

    let one_connection_each = [
        ("served v4", SERVED4, 80, "gateway sees 10.1.1.5"),
        ("served v6", SERVED6, 80, "gateway sees fd00::5"),
        ("the host's own service on the same port", "10.1.1.11", 80, "host sees 10.1.1.5"),
        ("the same, v6", "fd00::11", 80, "host sees fd00::5"),
        ("closed, served v4", SERVED4, 81, "connection refused"),
        ("closed, served v6", SERVED6, 81, "connection refused"),
        ("closed, forwarded v4", VIP4, 81, "connection refused"),
        ("closed, forwarded v6", VIP6, 81, "connection refused"),
    ];
    for (what, vip, port, want) in one_connection_each {
        assert_eq!(ask(&net.client, vip, port), want, "{what}");
    }
    for vip in [SERVED4, SERVED6] {
        let own = if vip.contains(':') { "fd00::11" } else { "10.1.1.11" };
        assert_eq!(ask(&net.node, vip, 80), format!("gateway sees {own}"), "own client of {vip}");
        assert_eq!(ask(&net.node, vip, 81), "connection refused", "own client of {vip}");
    }
    for (vip, client) in [(VIP4, "10.1.1.5"), (VIP6, "fd00::5")] {
        let want: BTreeSet<String> = (2..5).map(|n| format!("pod{n} sees {client}")).collect();
        let tcp: BTreeSet<String> = (0..3).map(|_| ask(&net.client, vip, 80)).collect();
        assert_eq!(tcp, want, "TCP, client address kept");
        let udp = || ask_udp(&udp_client(&net.client, vip, 53));
        assert_eq!((0..3).map(|_| udp()).collect::<BTreeSet<_>>(), want, "UDP");
        let own: BTreeSet<String> = (0..3).map(|_| name(&ask(&net.node, vip, 80))).collect();
        assert_eq!(own.len(), 3, "the node's own clients: {own:?}");
        let pod = &net.pods[0];
        let hairpin: BTreeSet<String> = (0..3).map(|_| name(&ask(pod, vip, 80))).collect();
        assert_eq!(hairpin.len(), 3, "a pod as client of its own Service: {hairpin:?}");
        assert_eq!(ask(&net.node, vip, 81), "connection refused", "own client, closed port");
    }
    inside(&net.node, forwarder.remove()).unwrap();
}

fn name(answer: &str) -> String {
    answer.split(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn the_kernel_answers_nobody_for_a_vip() {
    let Some(net) = Net::create("mute") else { return };
    let forwarder = start(&net, net.options());
    apply(&net, &forwarder, &net.everything());
    for vip in [SERVED4, VIP4] {
        let output = net.client.output("arping", &["-c", "2", "-w", "1", "-I", "eth0", vip]);
        let said = String::from_utf8(output.unwrap().stdout).unwrap();
        assert!(!said.contains("bytes from"), "{said}");
        let output = net.client.output("ping", &["-c", "1", "-W", "1", vip]).unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("100% packet loss"), "{said}");
    }
    for vip in [SERVED6, VIP6] {
        let output = net.client.output("ndisc6", &["-1", "-r", "1", "-w", "500", vip, "eth0"]);
        let said = String::from_utf8(output.unwrap().stdout).unwrap();
        assert!(said.contains("No response"), "{said}");
        let output = net.client.output("ping", &["-c", "1", "-W", "1", vip]).unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("100% packet loss"), "{said}");
    }
    // The tools do see what there is.
    let output = net.client.output("ping", &["-c", "1", "-W", "1", "10.1.1.11"]).unwrap();
    assert!(output.status.success());
}

#[test]
fn an_endpoint_elsewhere_sees_the_node() {
    let Some(net) = Net::create("far") else { return };
    for (vip, far, want) in
        [(VIP4, "10.2.0.2", "far sees 10.2.0.1"), (VIP6, "fd02::2", "far sees fd02::1")]
    {
        serve(&net.far, "far", far, 8080, false);
        let forwarder = start(&net, net.options());
        let endpoint =
            format!("{}:8080", if far.contains(':') { format!("[{far}]") } else { far.into() });
        let ports = vec![port(Protocol::Tcp, 80, vec![endpoint.parse().unwrap()])];
        let desired = Desired::new([], vec![forward(vip, ports)]);
        let observed = apply(&net, &forwarder, &desired);
        assert_eq!(*carried(&observed, 0), Carried::Nftables { endpoints: 1 });
        assert_eq!(ask(&net.client, vip, 80), want, "its answers come back through the node");
        inside(&net.node, forwarder.remove()).unwrap();
    }
}

/// RFC 8981 makes addresses that are gone after a while, and with them their flows.
#[test]
fn an_endpoint_elsewhere_sees_an_address_that_lasts() {
    let Some(net) = Net::create("lasting") else { return };
    serve(&net.far, "far", "fd02::2", 8080, false);
    net.node.set("net.ipv6.conf.eth1.use_tempaddr", "2").unwrap();
    net.node.ip(&["addr", "add", "fd02::aaaa/64", "dev", "eth1", "mngtmpaddr"]).unwrap();
    let addresses = || net.node.ip(&["-6", "addr", "show", "dev", "eth1"]).unwrap();
    eventually("there is a temporary address", || {
        addresses().lines().any(|line| line.contains("temporary") && !line.contains("tentative"))
    });
    let route = || net.node.ip(&["-6", "route", "get", "fd02::2"]).unwrap();
    assert!(!route().contains("src fd02::1 "), "the kernel takes another: {}", route());
    let forwarder = start(&net, net.options());
    let endpoint = "[fd02::2]:8080".parse().unwrap();
    let ports = vec![port(Protocol::Tcp, 80, vec![endpoint])];
    let desired = Desired::new([], vec![forward(VIP6, ports)]);
    apply(&net, &forwarder, &desired);
    assert_eq!(ask(&net.client, VIP6, 80), "far sees fd02::1");
    // The one it saw goes: another that lasts is taken.
    net.node.ip(&["addr", "del", "fd02::1/64", "dev", "eth1"]).unwrap();
    apply(&net, &forwarder, &desired);
    assert_eq!(ask(&net.client, VIP6, 80), "far sees fd02::aaaa");
}

#[test]
fn nothing_is_left_behind() {
    let Some(net) = Net::create("traces") else { return };
    net.forwarding();
    let before = net.footprint();
    let forwarder = start(&net, net.options());
    assert!(forwarder.changes().iter().all(|change| change.at_exit == AtExit::Undone));
    assert_eq!(forwarder.changes().len(), 3, "{:?}", forwarder.changes());
    apply(&net, &forwarder, &net.everything());
    assert_ne!(net.footprint(), before);
    assert!(!net.node.ip(&["addr", "show"]).unwrap().contains(SERVED4), "never an address");
    inside(&net.node, forwarder.remove()).unwrap();
    assert_same(&net.footprint(), &before, "after remove");

    let forwarder = start(&net, net.options());
    apply(&net, &forwarder, &net.everything());
    drop(forwarder);
    eventually("a dropped forwarder undoes what it set", || net.footprint() == before);
}

#[test]
fn forwarding_is_turned_on_when_asked_and_stays() {
    let Some(net) = Net::create("sysctl") else { return };
    net.node.set("net.ipv6.conf.eth0.accept_ra", "1").unwrap();
    net.node.set("net.ipv6.conf.eth1.accept_ra", "0").unwrap();
    let read = |name: &str| {
        let output = net.node.output("cat", &[&format!("/proc/sys/net/{name}")]).unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let settings = [
        ("ipv4/ip_forward", "0", "1"),
        ("ipv6/conf/all/forwarding", "0", "1"),
        ("ipv6/conf/eth0/accept_ra", "1", "2"),
        ("ipv6/conf/eth1/accept_ra", "0", "0"),
    ];
    let without = ForwardOptions { ip_forward: false, ..net.options() };
    inside(&net.node, start(&net, without).remove()).unwrap();
    for (name, before, _) in settings {
        assert_eq!(read(name), before, "{name}: not asked for");
    }
    let forwarder = start(&net, net.options());
    let told: Vec<String> = forwarder.changes().iter().map(ToString::to_string).collect();
    let line = "sysctl net.ipv4.ip_forward = 1, was 0 (left at exit)".to_owned();
    assert!(told.contains(&line), "{told:#?}");
    inside(&net.node, forwarder.remove()).unwrap();
    inside(&net.node, start(&net, net.options()).remove()).unwrap();
    for (name, _, after) in settings {
        assert_eq!(read(name), after, "{name}: left on");
    }
    let kept = std::fs::read_to_string(net.state.join("sysctl-before.json")).unwrap();
    for line in ["\"net.ipv4.ip_forward\": \"0\"", "\"net.ipv6.conf.eth0.accept_ra\": \"1\""] {
        assert!(kept.contains(line), "what it was before: {kept}");
    }
    assert!(!kept.contains("eth1"), "{kept}");
}

/// Not a test: a forwarder in a process of its own, for those below.
#[test]
#[ignore = "started by other tests"]
fn process() {
    let Ok(state) = std::env::var("FORWARD_STATE") else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let options = ForwardOptions { state_dir: state.into(), ..Default::default() };
    let forwarder = runtime.block_on(Forwarder::start(options)).unwrap();
    println!("degraded: {:?}", forwarder.degraded());
    let served = |vip| Served { address: ip(vip), listening: vec![LISTENING] };
    let ports = vec![port(Protocol::Tcp, 80, vec!["10.244.0.2:8080".parse().unwrap()])];
    let desired = Desired::new([SERVED4, SERVED6].map(served), [forward(VIP4, ports)]);
    println!("{:?}", runtime.block_on(forwarder.apply(&desired)));
    forwarder.intake().open(&[SERVED4, SERVED6, VIP4].map(ip));
    println!("ready");
    loop {
        std::thread::park();
    }
}

/// [`process`] on the node, until the value is dropped.
struct Process(std::process::Child);

impl Process {
    fn start(net: &Net, wrapper: &[&str]) -> Self {
        let exe = std::env::current_exe().unwrap();
        let mut line = wrapper.to_vec();
        line.push(exe.to_str().unwrap());
        let mut command = net.node.command(line[0]);
        command
            .args(&line[1..])
            .args(["--ignored", "--exact", "process", "--nocapture"])
            .env("FORWARD_STATE", &net.state)
            .stdout(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// What it says until it is ready.
    fn says(&mut self) -> String {
        let lines = BufReader::new(self.0.stdout.take().unwrap()).lines();
        let said: Vec<String> =
            lines.map_while(Result::ok).take_while(|line| !line.contains("ready")).collect();
        said.join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn root_without_net_admin_forwards_on_loopback() {
    let Some(net) = Net::create("caps") else { return };
    let before = net.footprint();
    let mut process = Process::start(&net, &["setpriv", "--bounding-set", "-net_admin"]);
    let said = process.says();
    assert!(said.contains("degraded: Some(Denied("), "{said}");
    assert!(said.contains("InProcess { listen: 127.0.0.1:30080, why: Denied("), "{said}");
    assert_same(&net.footprint(), &before, "nothing set");
}

#[test]
fn the_next_start_cleans_up_after_a_kill() {
    let Some(net) = Net::create("kill") else { return };
    net.forwarding();
    let before = net.footprint();
    let mut process = Process::start(&net, &[]);
    let said = process.says();
    let taken = inside(&net.node, Forwarder::start(net.options()));
    let dirty = net.footprint();
    drop(process);
    assert!(said.contains("degraded: None"), "{said}");
    assert!(taken.unwrap_err().to_string().contains("another steelyard"), "one at a time");
    assert_same(&net.footprint(), &dirty, "a kill undoes nothing");
    assert!(dirty.contains("local 10.1.1.100") && dirty.contains("local fd00::100"), "{dirty}");
    let translated = "10.1.1.101 . tcp . 80 : 10.244.0.2 . 8080";
    assert!(dirty.contains(translated), "{dirty}");

    let forwarder = start(&net, net.options());
    let routes = net.node.ip(&["-6", "route", "show", "table", "all"]).unwrap();
    assert!(!routes.contains(SERVED6), "{routes}");
    inside(&net.node, forwarder.remove()).unwrap();
    assert_same(&net.footprint(), &before, "after remove");
}

#[test]
fn what_others_remove_comes_back() {
    let Some(net) = Net::create("repair") else { return };
    let forwarder = start(&net, net.options());
    let desired = net.everything();
    apply(&net, &forwarder, &desired);
    let good = net.footprint();
    let everything_ours = ["flush", "ruleset"];
    for (program, arguments) in [
        ("nft", &["delete", "table", "inet", "steelyard"][..]),
        ("ip", &["rule", "del", "priority", "50"]),
        ("ip", &["-6", "route", "flush", "table", "8192"]),
        ("nft", &everything_ours),
    ] {
        net.node.output(program, arguments).unwrap();
        if arguments == everything_ours {
            nft(&net.node, RPFILTER);
        }
        apply(&net, &forwarder, &desired);
        assert_same(&net.footprint(), &good, &format!("{program} {arguments:?}"));
    }
}

/// A forwarder that shares its vips, and what it set.
fn shared(net: &Net) -> (Forwarder, String) {
    let forwarder = start(net, ForwardOptions { shared: true, ..net.options() });
    apply(net, &forwarder, &net.everything());
    (forwarder, net.footprint())
}

#[test]
fn what_others_do_to_our_tables_is_undone_without_being_asked() {
    let Some(net) = Net::create("mend") else { return };
    let (_forwarder, good) = shared(&net);
    let saved = std::env::temp_dir().join(format!("fw-mend-{}.nft", std::process::id()));
    let ruleset = net.node.output("nft", &["list", "ruleset"]).unwrap().stdout;
    // As `nft list ruleset > /etc/nftables.conf` keeps it, but from before there was a vip.
    let older = String::from_utf8(ruleset).unwrap().replace("10.1.1.101", "10.1.1.99");
    std::fs::write(&saved, format!("flush ruleset\n{older}")).unwrap();
    let restored = saved.to_str().unwrap();
    for tampering in [
        &["-f", restored][..],
        &["flush", "map", "inet", "steelyard", "ports4"],
        &["flush", "map", "inet", "steelyard", "only4"],
        &["flush", "set", "inet", "steelyard", "vips6"],
        &["flush", "chain", "inet", "steelyard", "guard_in"],
        &["flush", "table", "inet", "steelyard"],
        &["delete", "table", "ip", "steelyard"],
        &["insert", "rule", "inet", "steelyard", "translate", "drop"],
        &["delete", "element", "inet", "steelyard", "vips4", "{", "10.1.1.101", "}"],
    ] {
        let output = net.node.output("nft", tampering).unwrap();
        assert!(output.status.success(), "{output:?}");
        eventually(&format!("{tampering:?} is undone"), || {
            sorted(&net.footprint()) == sorted(&good)
        });
    }
    let _ = std::fs::remove_file(&saved);
}

/// Applied again, all is looked at and made as it should be: that must be nothing new.
#[test]
fn a_change_comes_to_what_applying_everything_does() {
    let Some(net) = Net::create("delta") else { return };
    let forwarder = start(&net, net.options());
    let Desired { served, forwarded } = net.everything();
    let (served, forwarded): (Vec<Served>, Vec<_>) =
        (served.values().cloned().collect(), forwarded.values().cloned().collect());
    let far = forward("10.1.1.103", vec![port(Protocol::Tcp, 80, vec![at("10.2.0.2:8080")])]);
    let own = forward("10.1.1.104", vec![port(Protocol::Tcp, 80, vec![at("127.0.0.1:8080")])]);
    let mut fewer = forwarded.clone();
    fewer.iter_mut().flat_map(|vip| &mut vip.ports).for_each(|port| port.endpoints.truncate(1));
    let steps = [
        (served.clone(), forwarded.clone()),
        (served.clone(), [forwarded.clone(), vec![far.clone()]].concat()),
        (served[..1].to_vec(), [fewer.clone(), vec![far.clone(), own.clone()]].concat()),
        (vec![], [vec![own], fewer].concat()),
        (served.clone(), vec![far]),
        (vec![], vec![]),
        (served, forwarded),
    ];
    for (n, (served, forwarded)) in steps.into_iter().enumerate() {
        let desired = Desired::new(served, forwarded);
        if n % 3 == 2 {
            nft(&net.node, "flush map inet steelyard only4\ndelete table inet steelyard\n");
        }
        let changed = change(&net, &forwarder, &desired);
        let by_change = net.footprint();
        // Nothing is left of what was, so all is made from scratch.
        nft(&net.node, "delete table inet steelyard\n");
        let applied = apply(&net, &forwarder, &desired);
        assert_eq!(changed, applied, "step {n}");
        assert_same(&net.footprint(), &by_change, &format!("step {n}"));
    }
    inside(&net.node, forwarder.remove()).unwrap();
}

fn at(text: &str) -> std::net::SocketAddr {
    text.parse().unwrap()
}

#[test]
fn what_others_do_to_our_rules_and_routes_is_undone_without_being_asked() {
    let Some(net) = Net::create("roads") else { return };
    net.serve_pods();
    serve(&net.node, "gateway", SERVED4, 80, true);
    let (forwarder, good) = shared(&net);
    let mut stirred = forwarder.stirred();
    for tampering in [
        &["-4 rule del priority 50"][..],
        &["-6 rule del priority 50"],
        &["-4 route flush table 8192"],
        &["-6 route del fd00::100 table 8192"],
        &["-4 route replace blackhole 10.1.1.100 table 8192"],
        &["-4 rule del priority 50", "-6 rule del priority 50", "-4 route flush table 8192"],
    ] {
        for line in tampering {
            net.node.ip(&line.split(' ').collect::<Vec<_>>()).unwrap();
        }
        eventually(&format!("{tampering:?} is undone"), || {
            sorted(&net.footprint()) == sorted(&good)
        });
        assert_eq!(ask(&net.client, SERVED4, 80), "gateway sees 10.1.1.5", "{tampering:?}");
    }
    // What they do to rules of their own may change what is found.
    stirred.mark_unchanged();
    net.node.ip(&["rule", "add", "priority", "40", "lookup", "main"]).unwrap();
    eventually("it is told", || stirred.has_changed().unwrap());
}

/// Tables that were made anew stand behind the others.
fn sorted(footprint: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = footprint.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn what_others_do_elsewhere_is_told_and_what_we_do_is_not() {
    let Some(net) = Net::create("stir") else { return };
    let (forwarder, good) = shared(&net);
    let mut stirred = forwarder.stirred();
    stirred.mark_unchanged();
    let pass = Pass { vip: ip(VIP4), to: ip("10.1.1.12"), link: 1 };
    for vips in [1, 2] {
        let Desired { served, forwarded } = net.everything();
        let fewer = forwarded.values().take(vips).cloned();
        apply(&net, &forwarder, &Desired::new(served.values().cloned(), fewer));
        forwarder.passing().pass(&[pass]);
        forwarder.passing().forget(&[pass.vip]);
    }
    assert!(!stirred.has_changed().unwrap(), "our own changes");
    nft(&net.node, "add table ip other\n");
    eventually("it is told", || stirred.has_changed().unwrap());
    nft(&net.node, "delete table ip other\n");
    assert_same(&net.footprint(), &good, "nothing of ours changed");
}

#[test]
fn a_thousand_requests_during_changes_lose_nothing() {
    let Some(net) = Net::create("load") else { return };
    net.serve_pods();
    let forwarder = start(&net, net.options());
    let desired = net.everything();
    apply(&net, &forwarder, &desired);
    let stop = AtomicBool::new(false);
    let applies = std::thread::scope(|scope| {
        let changing = scope.spawn(|| {
            let mut applies = 0u16;
            while !stop.load(Ordering::Relaxed) {
                let kept = 1 + applies % 3;
                let forwarded = desired.forwarded.values().map(|vip| {
                    let mut vip = vip.clone();
                    vip.ports[0].endpoints.truncate(kept.into());
                    let endpoints = vip.ports[0].endpoints.clone();
                    vip.ports.push(port(Protocol::Tcp, 8000 + kept, endpoints));
                    vip
                });
                let mut served: Vec<Served> = desired.served.values().cloned().collect();
                if applies % 4 == 3 {
                    // Not known to the forwarder: it must make the whole table anew.
                    nft(&net.node, "delete element inet steelyard vips4 { 10.1.1.100 }");
                    served.clear();
                }
                let other = Desired::new(served, forwarded);
                match applies % 3 {
                    0 => apply(&net, &forwarder, &other),
                    _ => change(&net, &forwarder, &other),
                };
                applies += 1;
            }
            applies
        });
        let failed: Vec<String> = (0..500)
            .flat_map(|_| [ask(&net.client, VIP4, 80), ask(&net.client, VIP6, 80)])
            .filter(|answer| !answer.starts_with("pod"))
            .collect();
        stop.store(true, Ordering::Relaxed);
        let applies = changing.join().unwrap();
        assert_eq!(failed, Vec::<String>::new());
        applies
    });
    assert!(applies > 5, "only {applies} changes meanwhile");
}

#[test]
fn a_removed_endpoint_gets_nothing_new() {
    let Some(net) = Net::create("gone") else { return };
    net.serve_pods();
    let forwarder = start(&net, net.options());
    let everything = net.everything();
    let served: Vec<Served> = everything.served.values().cloned().collect();
    let forwarded: Vec<_> = everything.forwarded.values().cloned().collect();
    apply(&net, &forwarder, &everything);
    for (vip, index) in [(VIP4, 0), (VIP6, 1)] {
        let stream = connect(&net.client, vip, 80).unwrap();
        let there = exchange(&stream).unwrap();
        let udp = udp_client(&net.client, vip, 53);
        let answer = ask_udp(&udp);
        let (tcp_pod, udp_pod) = (name(&there), name(&answer));
        assert!(udp_pod.starts_with("pod"), "{answer}");
        let pod = |name: &str| usize::from(name.as_bytes()[3] - b'2');
        let mut fewer = forwarded.clone();
        fewer[index].ports[0].endpoints.remove(pod(&tcp_pod));
        fewer[index].ports[1].endpoints.remove(pod(&udp_pod));
        change(&net, &forwarder, &Desired::new(served.clone(), fewer));
        assert_eq!(exchange(&stream).unwrap(), there, "an open connection goes on");
        for _ in 0..6 {
            assert_ne!(name(&ask(&net.client, vip, 80)), tcp_pod);
        }
        let after = ask_udp(&udp);
        assert!(after.starts_with("pod") && name(&after) != udp_pod, "{udp_pod} then {after}");
    }
    let [_, six] = &forwarded[..] else { panic!("two are forwarded") };
    change(&net, &forwarder, &Desired::new(served.clone(), [six.clone()]));
    let closed = [six.clone(), forward(VIP4, vec![])];
    change(&net, &forwarder, &Desired::new(served, closed));
    assert_eq!(ask(&net.client, VIP4, 80), "connection refused");
}

/// Without anybody telling that it ended, and until it is back.
#[test]
fn an_endpoint_that_refuses_or_is_silent_gets_nothing_while_it_does() {
    let Some(net) = Net::create("dead") else { return };
    let stop = serve_until(&net.pods[0], "pod2", "10.244.0.2", 8080);
    serve(&net.pods[1], "pod3", "10.244.0.3", 8080, false);
    let forwarder = start(&net, net.options());
    let endpoints = net.endpoints(VIP4, 8080)[..2].to_vec();
    let ports = vec![port(Protocol::Tcp, 80, endpoints)];
    let desired = Desired::new([], vec![forward(VIP4, ports)]);
    let works = || apply(&net, &forwarder, &desired).ports[0].carried.clone();
    let silent = || apply(&net, &forwarder, &desired).silent;
    assert_eq!((works(), silent().len()), (Carried::Nftables { endpoints: 2 }, 0));
    let who = || (0..4).map(|_| name(&ask(&net.client, VIP4, 80))).collect::<BTreeSet<_>>();
    assert_eq!(who().len(), 2);
    drop(stop);
    eventually("who refuses is taken out", || who() == BTreeSet::from(["pod3".to_owned()]));
    assert_eq!(works(), Carried::Nftables { endpoints: 1 });
    assert_eq!(silent(), BTreeSet::from(["10.244.0.2:8080".parse().unwrap()]));
    serve(&net.pods[0], "pod2", "10.244.0.2", 8080, false);
    eventually("who answers again is back", || who().len() == 2);
    // Not even a refusal comes.
    net.node.ip(&["link", "set", "pod2", "down"]).unwrap();
    net.node.ip(&["route", "replace", "10.244.0.2/32", "dev", "eth1"]).unwrap();
    let lost = || ask_soon(&net.client, VIP4);
    eventually("who is silent is taken out", || (0..4).all(|_| lost() == "pod3"));
    // Where nobody answers, all stay.
    net.node.ip(&["route", "replace", "10.244.0.3/32", "dev", "eth1"]).unwrap();
    eventually("all stay", || {
        lost();
        works() == Carried::Nftables { endpoints: 2 }
    });
}

#[test]
fn in_this_process_when_the_host_does_not_forward() {
    let Some(net) = Net::create("proxy") else { return };
    net.serve_pods();
    let options = ForwardOptions { ip_forward: false, ..net.options() };
    let forwarder = start(&net, options);
    let observed = apply(&net, &forwarder, &net.everything());
    for (index, family) in [(2, Family::V4), (3, Family::V4), (4, Family::V6), (5, Family::V6)] {
        let status = &observed.ports[index];
        let want =
            Carried::InProcess { listen: status.key.socket(), why: Why::ForwardingOff(family) };
        assert_eq!(status.carried, want);
    }
    for vip in [VIP4, VIP6] {
        let tcp: BTreeSet<String> = (0..3).map(|_| name(&ask(&net.client, vip, 80))).collect();
        assert_eq!(tcp.len(), 3, "{tcp:?}");
        let udp = || name(&ask_udp(&udp_client(&net.client, vip, 53)));
        let udp: BTreeSet<String> = (0..3).map(|_| udp()).collect();
        assert_eq!(udp, tcp);
        assert!(ask(&net.node, vip, 80).starts_with("pod"), "own client");
        assert_eq!(ask(&net.client, vip, 81), "connection refused");
        let mut stream = connect(&net.client, vip, 80).unwrap();
        stream.write_all(b"a\nb\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).unwrap();
        assert!(all.ends_with("end") && all.lines().count() == 3, "half-closed: {all:?}");
    }

    // Forwarding comes on: connections that pass through us go on, new ones pass the kernel.
    let open = connect(&net.client, VIP4, 80).unwrap();
    let through_us = exchange(&open).unwrap();
    net.node.set("net.ipv4.ip_forward", "1").unwrap();
    let observed = apply(&net, &forwarder, &net.everything());
    assert_eq!(*carried(&observed, 2), Carried::Nftables { endpoints: 3 });
    assert_eq!(exchange(&open).unwrap(), through_us);
    assert!(ask(&net.client, VIP4, 80).ends_with("sees 10.1.1.5"));
    inside(&net.node, forwarder.remove()).unwrap();
}

#[test]
fn other_firewalls_and_loopback_are_worked_around() {
    let Some(net) = Net::create("walls") else { return };
    net.serve_pods();
    serve(&net.node, "local", "127.0.0.1", 9000, false);
    serve(&net.node, "own", "10.1.1.11", 9001, false);
    nft(
        &net.node,
        "table ip filter {\n chain FORWARD {\n type filter hook forward priority 0; policy drop;\n \
         }\n}\n",
    );
    let forwarder = start(&net, net.options());
    let endpoint = |text: &str| vec![text.parse().unwrap()];
    let ports = vec![
        port(Protocol::Tcp, 80, net.endpoints(VIP4, 8080)),
        port(Protocol::Tcp, 90, endpoint("127.0.0.1:9000")),
        port(Protocol::Tcp, 91, endpoint("10.1.1.11:9001")),
        port(Protocol::Tcp, 92, endpoint("[fd44::2]:8080")),
        port(Protocol::Tcp, 93, vec![]),
    ];
    let desired = Desired::new([], vec![forward(VIP4, ports)]);
    let observed = apply(&net, &forwarder, &desired);
    let listen = |port| std::net::SocketAddr::new(ip(VIP4), port);
    let Carried::InProcess { why: wall @ Why::Obstacle(_), .. } = carried(&observed, 0).clone()
    else {
        panic!("{:?}", observed.ports[0])
    };
    let said = "another firewall drops what clients send to it: table ip filter chain FORWARD: \
                `policy drop`";
    assert_eq!(wall.to_string(), said);
    assert!(wall.help().contains("iptables -I FORWARD -m conntrack --ctstate DNAT"));
    let loopback = Why::LoopbackEndpoint("127.0.0.1:9000".parse().unwrap());
    let want = [
        Carried::InProcess { listen: listen(80), why: wall },
        Carried::InProcess { listen: listen(90), why: loopback },
        Carried::Nftables { endpoints: 1 },
        Carried::InProcess { listen: listen(92), why: Why::OtherFamily },
        Carried::Not { why: Why::NoEndpoints },
    ];
    let got: Vec<Carried> = observed.ports.iter().map(|port| port.carried.clone()).collect();
    assert_eq!(got, want);
    let answers = [
        (&net.client, 80, "pod"),
        (&net.client, 90, "local sees 127.0.0.1"),
        (&net.client, 91, "own sees 10.1.1.5"),
        (&net.client, 92, "pod2"),
        (&net.client, 93, "connection refused"),
        (&net.node, 90, "local"),
        (&net.node, 91, "own sees 10.1.1.11"),
        (&net.node, 93, "connection refused"),
    ];
    for (host, port, want) in answers {
        let answer = ask(host, VIP4, port);
        assert!(answer.starts_with(want), "port {port} from {}: {answer}", host.name());
    }
    inside(&net.node, forwarder.remove()).unwrap();
}

#[test]
fn without_privileges_ports_are_on_loopback() {
    let Some(net) = Net::create("plain") else { return };
    net.serve_pods();
    let before = net.footprint();
    let options = ForwardOptions { privileged: false, ..net.options() };
    let forwarder = start(&net, options);
    assert_eq!(forwarder.degraded(), Some(&Why::Unprivileged));
    assert_eq!(forwarder.changes(), []);
    let observed = apply(&net, &forwarder, &net.everything());
    assert_same(&net.footprint(), &before, "after remove");
    assert_eq!(*carried(&observed, 0), Carried::Not { why: Why::Unprivileged });
    for (index, udp) in [(2, false), (3, true), (4, false), (5, true)] {
        let Carried::InProcess { listen, .. } = carried(&observed, index) else {
            panic!("{:?}", observed.ports[index]);
        };
        let address = listen.ip().to_string();
        let answer = if udp {
            ask_udp(&udp_client(&net.node, &address, listen.port()))
        } else {
            ask(&net.node, &address, listen.port())
        };
        assert!(answer.starts_with("pod"), "{:?}: {answer}", observed.ports[index]);
    }
    let again = apply(&net, &forwarder, &net.everything());
    assert_eq!(again, observed, "the same ports again");
}

#[test]
fn a_vip_the_host_cannot_take_harms_no_other() {
    let Some(net) = Net::create("nosix") else { return };
    net.node.set("net.ipv6.conf.lo.disable_ipv6", "1").unwrap();
    serve(&net.node, "gateway", SERVED4, 80, true);
    let forwarder = start(&net, net.options());
    let observed = apply(&net, &forwarder, &net.everything());
    assert_eq!(*carried(&observed, 0), Carried::Delivered);
    let six = carried(&observed, 1);
    assert!(matches!(six, Carried::Not { why: Why::Undeliverable(_) }), "{six:?}");
    assert_eq!(ask(&net.client, SERVED4, 80), "gateway sees 10.1.1.5");
}
