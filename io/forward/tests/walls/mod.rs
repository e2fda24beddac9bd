//! Other firewalls on the real kernel: what is found is what is so.

mod bridge;
mod pages;

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use steelyard_forward::{Carried, Desired, Forwarder, Listening, Obstacle, Served};
use steelyard_host::netns::Namespace;
use steelyard_model::Protocol;

use crate::net::*;

/// The gateway's port of the served vips, and one port that goes on to the pods.
fn desired(net: &Net) -> Desired {
    let served = |vip| Served { address: ip(vip), listening: vec![LISTENING] };
    let on = |vip| forward(vip, vec![port(Protocol::Tcp, 80, net.endpoints(vip, 8080))]);
    Desired::new([SERVED4, SERVED6].map(served), [VIP4, VIP6].map(on))
}

/// Everything that may be reached, and a forwarder that leads there.
fn reachable(name: &str) -> Option<(Net, Forwarder)> {
    let net = Net::create(name)?;
    net.serve_pods();
    for vip in [SERVED4, SERVED6] {
        serve(&net.node, "gateway", vip, 80, true);
    }
    let forwarder = start(&net, net.options());
    Some((net, forwarder))
}

/// Whether the client reaches a vip. Where it is not expected to, it does not wait for long.
fn reaches(client: &Namespace, vip: &str, is_expected: bool) -> bool {
    let patience = Duration::from_millis(if is_expected { 5000 } else { 300 });
    let at = SocketAddr::new(ip(vip), 80);
    client.run(|| TcpStream::connect_timeout(&at, patience)).unwrap().is_ok()
}

/// What is found of each vip, asserted to be what the client meets.
fn found(net: &Net, forwarder: &Forwarder, what: &str) -> Vec<(Option<Obstacle>, bool)> {
    let observed = apply(net, forwarder, &desired(net));
    let each = observed.ports.into_iter().map(|port| {
        let vip = port.key.address.to_string();
        let is_hindered = port.obstacle.as_ref().is_some_and(Obstacle::is_certain);
        let reached = reaches(&net.client, &vip, !is_hindered);
        let (obstacle, carried) = (&port.obstacle, &port.carried);
        assert_eq!(reached, !is_hindered, "{what}: {vip}: {obstacle:?} {carried:?}");
        (port.obstacle, matches!(port.carried, Carried::InProcess { .. }))
    });
    each.collect()
}

/// A table with one chain. Each row: where it hangs, its rule; then for a served vip and for one
/// that goes on, v4 and v6: `.` nothing, `x` hindered, `p` in process, which helps, `?` doubtful.
#[rustfmt::skip]
const ROWS: [(&str, &str, &str); 38] = [
    ("inet input priority filter; policy accept", "accept", "...."),
    ("inet input priority filter; policy drop", "", "xx.."),
    ("inet input priority filter; policy drop", "tcp dport 80 accept", "...."),
    ("inet input priority filter; policy drop", "fib daddr type local tcp dport 80 accept", "xx.."),
    ("inet input priority 10; policy accept", "fib daddr type != local drop", "xx.."),
    ("inet input priority -200; policy accept", "ct state new log prefix \"x\" drop", "xx.."),
    ("ip input priority security; policy accept", "ct state new counter reject", "x..."),
    ("inet input priority 0; policy accept", "ip saddr 192.0.2.0/24 drop", "...."),
    ("inet input priority 0; policy accept", "meta mark & 0x2000 == 0x2000 drop", "xx.."),
    ("inet input priority 0; policy accept", "iifname \"eth0\" tcp dport { 79-81 } drop", "xx.."),
    ("inet input priority 0; policy accept", "iifname \"eth1\" drop", "...."),
    ("inet input priority 0; policy drop", "ct state vmap { established : accept, new : accept }", "...."),
    ("inet forward priority filter; policy drop", "", "..pp"),
    ("inet forward priority filter; policy drop", "ct status dnat accept", "...."),
    ("inet forward priority filter; policy drop", "ct state established,related accept", "..pp"),
    ("ip6 forward priority 300; policy accept", "oifname \"pod*\" drop", "...p"),
    ("inet forward priority 0; policy accept", "log flags all drop", "..pp"),
    ("inet postrouting priority 0; policy accept", "tcp dport 8080 drop", "..pp"),
    ("inet prerouting priority raw; policy accept", "fib daddr . iif type != local tcp dport 80 drop", "xxxx"),
    ("inet prerouting priority filter; policy accept", "tcp dport 8080 drop", "..pp"),
    ("inet prerouting priority raw; policy accept", "tcp dport 80 notrack", "..pp"),
    ("inet prerouting priority mangle; policy accept", "meta mark set 0x1", "...."),
    ("inet prerouting priority 20; policy accept", "meta mark set ct mark", "...."),
    ("inet prerouting priority 20000; policy accept", "meta mark set meta mark & 0xff", "xx.."),
    ("inet prerouting priority 20000; policy accept", "meta mark set meta mark | 0x1", "...."),
    ("netdev ingress device eth0 priority 0; policy accept", "tcp dport 80 drop", "xxxx"),
    ("netdev ingress device eth1 priority 0; policy accept", "drop", "...."),
    ("inet output priority filter; policy drop", "", "xx.."),
    ("inet output priority filter; policy drop", "tcp dport { 22, 53, 443 } accept", "xx.."),
    ("inet output priority filter; policy drop", "ct state established,related accept", "...."),
    ("inet output priority filter; policy drop", "tcp sport { 22, 80 } accept", "...."),
    ("inet output priority filter; policy accept", "fib saddr type != local tcp sport 80 drop", "xx.."),
    ("inet output priority filter; policy accept", "ct state new tcp dport 80 drop", "...."),
    ("inet forward priority filter; policy accept", "ct direction reply drop", "..pp"),
    ("ip forward priority filter; policy accept", "iifname \"pod*\" tcp sport 8080 counter drop", "..p."),
    ("inet postrouting priority 0; policy accept", "tcp sport 8080 drop", "..pp"),
    ("inet postrouting priority 300; policy accept", "tcp sport 80 drop", "xxxx"),
    ("netdev egress device eth0 priority 0; policy accept", "tcp sport 80 drop", "xxxx"),
];

#[test]
fn what_is_found_is_what_clients_meet() {
    let Some((net, forwarder)) = reachable("found") else { return };
    for (base, rule, want) in ROWS {
        let (family, base) = base.split_once(' ').unwrap();
        // Without neighbor discovery nothing of IPv6 works on a host.
        let discovery = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept";
        let chain = format!("type filter hook {base};\n {discovery}\n {rule}\n");
        nft(&net.node, &format!("table {family} wall {{\n chain c {{\n {chain} }}\n}}\n"));
        let got = found(&net, &forwarder, rule).into_iter().map(|it| match it {
            (Some(obstacle), _) if !obstacle.is_certain() => '?',
            (Some(_), _) => 'x',
            (None, true) => 'p',
            (None, false) => '.',
        });
        assert_eq!(got.collect::<String>(), want, "{base}: {rule}");
        nft(&net.node, &format!("delete table {family} wall\n"));
    }
    assert!(found(&net, &forwarder, "nothing").iter().all(|it| *it == (None, false)));
}

/// Runs what a user would, and must succeed.
fn run(net: &Net, line: &str) -> String {
    let output = net.node.output("sh", &["-ec", line]).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn is_there(program: &str) -> bool {
    let there = std::process::Command::new("sh")
        .args(["-c", &format!("PATH=$PATH:/usr/sbin command -v {program}")])
        .output();
    let there = there.is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("skipped: no `{program}`");
    }
    there
}

/// The line between backticks that begins so.
fn line(help: &str, start: &str) -> String {
    let lines = help.split('`').skip(1).step_by(2);
    let line = lines.clone().find(|line| line.starts_with(start));
    line.unwrap_or_else(|| panic!("no {start}: {help}")).to_owned()
}

#[test]
fn legacy_tables_count_as_others_do() {
    if !is_there("iptables-legacy") {
        return;
    }
    let Some((net, forwarder)) = reachable("legacy") else { return };
    assert!(found(&net, &forwarder, "nothing").iter().all(|it| it.0.is_none()));
    run(
        &net,
        "iptables-legacy -P INPUT DROP; iptables-legacy -P FORWARD DROP; ip6tables-legacy -L",
    );
    let all = found(&net, &forwarder, "policies");
    let obstacle = all[0].0.clone().unwrap();
    assert!(
        obstacle.to_string().contains("iptables-legacy table filter chain INPUT"),
        "{obstacle}"
    );
    assert!(all[2].1, "in process, which the chain INPUT drops as well");
    run(&net, &line(&obstacle.help(), "iptables-legacy -I INPUT"));
    let all = found(&net, &forwarder, "mended");
    assert!(all.iter().all(|it| it.0.is_none()), "{all:?}");
    assert!(all[2].1 && !all[3].1, "the line helps what is carried in process, too");
}

#[test]
fn the_mark_and_tracking_of_iptables_rules() {
    if !is_there("iptables-nft") {
        return;
    }
    let Some((net, forwarder)) = reachable("xt") else { return };
    run(
        &net,
        "iptables-nft -t mangle -A PREROUTING -j MARK --set-mark 1
         iptables-nft -t mangle -A PREROUTING -j CONNMARK --restore-mark
         iptables-nft -t raw -A PREROUTING -p tcp --dport 80 -j NOTRACK",
    );
    let all = found(&net, &forwarder, "iptables");
    assert!(all.iter().all(|it| it.0.is_none()), "{all:?}");
    assert!(all[2].1, "without tracking nothing is translated");
    run(&net, "iptables-nft -A INPUT -m addrtype ! --dst-type LOCAL -m limit -j LOG");
    run(&net, "iptables-nft -A INPUT -m addrtype ! --dst-type LOCAL -j DROP");
    let all = found(&net, &forwarder, "not local");
    run(
        &net,
        &line(&all[0].0.clone().unwrap().help(), "iptables -I INPUT")
            .replace("iptables", "iptables-nft"),
    );
    assert!(found(&net, &forwarder, "mended").iter().all(|it| it.0.is_none()));
}

#[test]
fn rules_before_ours_are_told_where_they_lead_elsewhere() {
    let Some((net, forwarder)) = reachable("rules") else { return };
    net.node
        .ip(&["rule", "add", "priority", "10", "from", "192.0.2.0/24", "lookup", "main"])
        .unwrap();
    net.node.ip(&["rule", "add", "priority", "11", "lookup", "4242"]).unwrap();
    let all = found(&net, &forwarder, "rules that lead nowhere");
    assert!(all.iter().all(|it| it.0.is_none()), "{all:?}");
    net.node.ip(&["rule", "add", "priority", "12", "iif", "eth0", "lookup", "main"]).unwrap();
    let all = found(&net, &forwarder, "a rule before ours");
    let obstacle = all[0].0.clone().unwrap();
    assert!(obstacle.to_string().contains("priority 12 lookup 254"), "{obstacle}");
    assert!(all[1..].iter().all(|it| it.0.is_none()), "{all:?}");
}

/// What refuses packets for a vip refuses this host's own as well: it is told all the same. And
/// what refuses answers is, with a line that mends it.
#[test]
fn rules_that_refuse_are_told() {
    let Some((net, forwarder)) = reachable("refusing") else { return };
    for (family, vip) in [("-4", SERVED4), ("-6", SERVED6)] {
        let rule = |verb, of: &[&str]| net.node.ip(&[&[family, "rule", verb], of].concat());
        let blackhole = ["to", vip, "priority", "10", "blackhole"];
        rule("add", &blackhole).unwrap();
        let all = found(&net, &forwarder, "to the vip");
        let at = usize::from(vip == SERVED6);
        let obstacle = all[at].0.clone().unwrap();
        assert!(obstacle.to_string().ends_with("priority 10 blackhole"), "{obstacle}");
        assert!(all[1 - at].0.is_none() && all[2..].iter().all(|it| it.0.is_none()), "{all:?}");
        rule("del", &blackhole).unwrap();

        let prohibit = ["from", vip, "priority", "100", "prohibit"];
        rule("add", &prohibit).unwrap();
        let all = found(&net, &forwarder, "from the vip");
        let obstacle = all[at].0.clone().unwrap();
        assert!(obstacle.to_string().ends_with("priority 100 prohibit"), "{obstacle}");
        run(&net, &line(&obstacle.help(), "ip"));
        assert!(found(&net, &forwarder, "mended").iter().all(|it| it.0.is_none()));
        rule("del", &prohibit).unwrap();
        rule("del", &["from", vip, "priority", "99"]).unwrap();
    }
}

/// A packet that was led to a listener stays with it, whatever port another rule writes on it.
#[test]
fn what_is_redirected_on_this_host_arrives() {
    let Some((net, forwarder)) = reachable("redirect") else { return };
    let chain = "type nat hook prerouting priority dstnat + 1;\n tcp dport 80 redirect to :9\n";
    nft(&net.node, &format!("table inet wall {{\n chain c {{\n {chain} }}\n}}\n"));
    for (at, arrives) in [(80, false), (8081, true)] {
        let served = [SERVED4, SERVED6].map(|vip| {
            if at != 80 {
                serve(&net.node, "gateway", vip, at, true);
            }
            Served { address: ip(vip), listening: vec![Listening { at, ..LISTENING }] }
        });
        let desired = Desired::new(served, desired(&net).forwarded.values().cloned());
        let observed = apply(&net, &forwarder, &desired);
        for (port, vip) in observed.ports.iter().zip([SERVED4, SERVED6]) {
            assert_eq!(port.obstacle.is_none(), arrives, "{:?}", port.obstacle);
            assert_eq!(reaches(&net.client, vip, arrives), arrives, "{vip} at {at}");
        }
    }
}

#[test]
fn what_an_interface_does_not_forward_is_carried_in_process() {
    let Some((net, forwarder)) = reachable("closed") else { return };
    for link in ["eth0", "pod2"] {
        net.node.set(&format!("net.ipv4.conf.{link}.forwarding"), "0").unwrap();
        let all = found(&net, &forwarder, link);
        assert!(all.iter().all(|it| it.0.is_none()), "{all:?}");
        assert_eq!(all.iter().map(|it| it.1).collect::<Vec<_>>(), [false, false, true, false]);
        net.node.set(&format!("net.ipv4.conf.{link}.forwarding"), "1").unwrap();
    }
    assert!(found(&net, &forwarder, "open").iter().all(|it| !it.1));
}
