//! Nodes whose packets for vips others carry, as kube-proxy does, on the real kernel: flows go on
//! where they began, whoever has the vip now, and whatever became of the process there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::net::TcpStream;

use steelyard_forward::{NoPasser, Pass, Passer};
use steelyard_host::netns::{self, Namespace, Segment};

#[allow(dead_code, reason = "what all tests of the data path have in common")]
mod net;
use net::*;

const VIPS: [&str; 2] = [VIP4, VIP6];
const NODES: [(&str, u8); 3] = [("a", 11), ("b", 12), ("c", 13)];
/// As kube-proxy translates, where it does not ask where packets come from.
const TRANSLATE: &str = "table inet proxy {
  chain translate {
    type nat hook prerouting priority dstnat; policy accept;
    ip daddr 10.1.1.101 tcp dport 80 dnat ip to 10.1.1.POD:8080
    ip6 daddr fd00::101 tcp dport 80 dnat ip6 to [fd00::POD]:8080
  }
  chain hide {
    type nat hook postrouting priority srcnat; policy accept;
    ct status dnat masquerade
  }
}
";

/// A client, nodes, and an endpoint for each, on one segment.
struct Lan {
    client: Namespace,
    nodes: Vec<Namespace>,
    _pods: Vec<Namespace>,
    _segment: Segment,
}

impl Lan {
    fn create(name: &str) -> Option<Self> {
        if let Some(why) = netns::unavailable() {
            eprintln!("skipped: {why}");
            return None;
        }
        let segment = Segment::create(&format!("fw-{name}")).unwrap();
        let host = |name: &str, last: u8| {
            let addresses = [format!("10.1.1.{last}/24"), format!("fd00::{last}/64")];
            segment.host(name, &[&addresses[0], &addresses[1]]).unwrap()
        };
        let pods = NODES.map(|(name, last)| {
            let pod = host(&format!("pod-{name}"), last + 10);
            for address in [format!("10.1.1.{}", last + 10), format!("fd00::{}", last + 10)] {
                serve(&pod, name, &address, 8080, false);
            }
            pod
        });
        let client = host("client", 5);
        let nodes = NODES.map(|(name, last)| {
            let node = host(name, last);
            node.set("net.ipv4.ip_forward", "1").unwrap();
            node.set("net.ipv6.conf.all.forwarding", "1").unwrap();
            for link in ["all", "default", "eth0", "lo"] {
                node.set(&format!("net.ipv4.conf.{link}.rp_filter"), "1").unwrap();
            }
            nft(&node, &TRANSLATE.replace("POD", &(last + 10).to_string()));
            node
        });
        Some(Self { client, nodes: nodes.into(), _pods: pods.into(), _segment: segment })
    }

    /// Has the client send to `node`.
    fn own(&self, node: usize) {
        let links = self.nodes[node].ip(&["link", "show", "eth0"]).unwrap();
        let mac = links.split("link/ether ").nth(1).unwrap().split(' ').next().unwrap();
        for vip in VIPS {
            let neighbour = ["neigh", "replace", vip, "lladdr", mac, "dev", "eth0"];
            self.client.ip(&neighbour).unwrap();
        }
    }

    /// As at a handover to the node that this one is at.
    fn hand_over(&self, from: usize, (to, passer): (usize, &Passer)) {
        let last = NODES[from].1;
        let links = self.nodes[to].run(steelyard_host::links::list).unwrap().unwrap();
        let link = links.iter().find(|link| link.name == "eth0").unwrap().index;
        let at = [format!("10.1.1.{last}"), format!("fd00::{last}")];
        let all = [0, 1].map(|n| Pass { vip: ip(VIPS[n]), to: ip(&at[n]), link });
        passer.passing().pass(&all);
        self.own(to);
    }

    /// A program that another test starts has a copy of everything that is open, for a moment.
    fn start(&self, node: usize) -> Passer {
        let mut started = None;
        eventually("the one before has let go", || {
            let outcome = inside(&self.nodes[node], async { Passer::start("steelyard") });
            let is_held = matches!(outcome, Err(NoPasser::Taken(_)));
            started = (!is_held).then(|| outcome.unwrap());
            !is_held
        });
        started.unwrap()
    }

    /// A connection to each vip, used once, and what answers there.
    fn flows(&self) -> Vec<(TcpStream, String)> {
        let flow = |vip| {
            let stream = connect(&self.client, vip, 80).unwrap();
            let answer = exchange(&stream).unwrap();
            (stream, answer)
        };
        VIPS.map(flow).into()
    }

    fn tables(&self, node: usize) -> String {
        let output = self.nodes[node].output("nft", &["list", "tables"]).unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

fn go_on(flows: &[(TcpStream, String)], when: &str) {
    for (stream, before) in flows {
        let now = exchange(stream).unwrap_or_else(|error| format!("{:?}", error.kind()));
        assert_eq!(now, *before, "{when}");
    }
}

#[test]
fn flows_outlive_the_processes_of_their_nodes() {
    let Some(lan) = Lan::create("passer") else { return };
    let (a, b) = (lan.start(0), lan.start(1));
    lan.own(0);
    let mut flows = lan.flows();
    // One is replaced: the vip goes to the other one, and flows stay where they are.
    lan.hand_over(0, (1, &b));
    assert!(b.passing().is_busy() && !a.passing().is_busy());
    drop(a);
    assert!(!lan.tables(0).contains("steelyard"), "{}", lan.tables(0));
    go_on(&flows, "handed over, and nobody left there");
    let new = lan.flows();
    assert!(new[0].1.starts_with('b'), "new flows are the new owner's: {}", new[0].1);
    flows.extend(new);
    let a = lan.start(0);
    go_on(&flows, "somebody is back there");
    // Then that one is, and the vip goes back.
    lan.hand_over(1, (0, &a));
    drop(b);
    go_on(&flows, "handed back");
    flows.extend(lan.flows());
    let b = lan.start(1);
    lan.hand_over(0, (1, &b));
    go_on(&flows, "and to and fro");
    assert!(
        matches!(
            inside(&lan.nodes[1], async { Passer::start("steelyard") }),
            Err(NoPasser::Taken(_))
        ),
        "there is one on a host"
    );
}

#[test]
fn what_others_change_is_set_again() {
    let Some(lan) = Lan::create("passer-set") else { return };
    let b = &lan.nodes[1];
    let observe = "table inet other { chain c { }\n}\n";
    inside(b, async {
        let mut passer = Passer::start("steelyard").unwrap();
        lan.own(0);
        let flows = lan.flows();
        lan.hand_over(0, (1, &passer));
        nft(b, "flush chain ip steelyard pass\ndelete table ip6 steelyard\n");
        assert!(!lan.tables(1).contains("ip6 steelyard"));
        // The kernel tells of it, and the runtime has to hear that.
        while !lan.tables(1).contains("ip6 steelyard") {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            passer.repair();
        }
        go_on(&flows, "set again");
        nft(b, observe);
        passer.repair();
        go_on(&flows, "and what is nobody's is left alone");
    });
    assert!(!lan.tables(1).contains("steelyard"), "gone with it: {}", lan.tables(1));
}

/// Nobody here knows a flow, and hosts between them forward what they know nothing of.
#[test]
fn what_nobody_knows_does_not_go_round() {
    let Some(lan) = Lan::create("passer-round") else { return };
    let passers = [lan.start(0), lan.start(1)];
    lan.own(2);
    let flows = lan.flows();
    lan.hand_over(1, (0, &passers[0]));
    lan.hand_over(0, (1, &passers[1]));
    let count = "table ip count {
  chain passed_by { type filter hook prerouting priority -300; ip daddr 10.1.1.101 counter; }
}
";
    for (node, other) in [(0, 1), (1, 0)] {
        // Without its rules a node sends on what is not its own: to whom it takes for the owner.
        nft(&lan.nodes[node], "delete table inet proxy\n");
        nft(&lan.nodes[node], count);
        let links = lan.nodes[other].ip(&["link", "show", "eth0"]).unwrap();
        let mac = links.split("link/ether ").nth(1).unwrap().split(' ').next().unwrap();
        let neighbour = ["neigh", "replace", VIP4, "lladdr", mac, "dev", "eth0"];
        lan.nodes[node].ip(&neighbour).unwrap();
    }
    let (stream, _) = &flows[0];
    stream.set_read_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
    exchange(stream).unwrap_err();
    let packets = |node: usize| -> u64 {
        let listed = lan.nodes[node].output("nft", &["list", "table", "ip", "count"]).unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let packets = listed.split("packets ").nth(1).and_then(|rest| rest.split(' ').next());
        packets.unwrap().parse().unwrap()
    };
    let all = packets(0) + packets(1);
    // Of one that the client sends again a few times.
    assert!((1..100).contains(&all), "packets came by {all} times");
}
