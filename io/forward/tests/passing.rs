//! Vips that change their owner on purpose, on the real kernel, in network namespaces: flows go on
//! where they began, whoever has the vip now.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;

use steelyard_forward::{Carried, Desired, ForwardOptions, Forwarder, Pass, Served};
use steelyard_host::netns::{self, Namespace, Segment};
use steelyard_model::Protocol;

#[allow(dead_code, reason = "what all tests of the data path have in common")]
mod net;
use net::*;

/// Delivered to a listener, twice; translated; carried in the process.
const VIPS: [&str; 4] = [SERVED4, SERVED6, VIP4, VIP6];
/// Nodes that may own them, and the last part of their addresses.
const NODES: [(&str, u8); 4] = [("a", 11), ("b", 12), ("c", 13), ("d", 14)];

/// A client and four nodes on one segment.
struct Lan {
    client: Namespace,
    nodes: Vec<Node>,
    state: PathBuf,
    _pod: Namespace,
    _segment: Segment,
}

struct Node {
    host: Namespace,
    forwarder: Forwarder,
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
        let state = std::env::temp_dir().join(format!("fw-{name}-{}", std::process::id()));
        let pod = host("pod", 20);
        serve(&pod, "pod", "10.1.1.20", 8080, false);
        let client = host("client", 5);
        let nodes = NODES.map(|(name, last)| Node::start(host(name, last), name, &state)).into();
        Some(Self { client, nodes, state, _pod: pod, _segment: segment })
    }

    /// Has the client send to `node`, and it alone take new flows in.
    fn own(&self, node: usize) {
        for (number, it) in self.nodes.iter().enumerate() {
            let (intake, vips) = (it.forwarder.intake(), VIPS.map(ip));
            if number == node { intake.open(&vips) } else { intake.close(&vips) }
        }
        let links = self.nodes[node].host.ip(&["link", "show", "eth0"]).unwrap();
        let mac = links.split("link/ether ").nth(1).unwrap().split(' ').next().unwrap();
        for vip in VIPS {
            let neighbour = ["neigh", "replace", vip, "lladdr", mac, "dev", "eth0"];
            self.client.ip(&neighbour).unwrap();
        }
    }

    /// As at a handover.
    fn hand_over(&self, from: usize, to: usize) {
        self.pass(from, to);
        self.own(to);
    }

    fn pass(&self, from: usize, to: usize) {
        let last = NODES[from].1;
        let host = &self.nodes[to].host;
        let links = host.run(steelyard_host::links::list).unwrap().unwrap();
        let link = links.iter().find(|link| link.name == "eth0").unwrap().index;
        let all = VIPS.map(|vip| {
            let six = vip.contains(':');
            let to = if six { format!("fd00::{last}") } else { format!("10.1.1.{last}") };
            Pass { vip: ip(vip), to: ip(&to), link }
        });
        self.nodes[to].forwarder.passing().pass(&all);
    }

    /// A connection to each vip, used once, and what answers there.
    fn flows(&self) -> Vec<(&'static str, TcpStream, String)> {
        let flow = |vip| {
            let stream = connect(&self.client, vip, 80).unwrap();
            let answer = exchange(&stream).unwrap();
            (vip, stream, answer)
        };
        VIPS.map(flow).into()
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.state);
    }
}

impl Node {
    fn start(host: Namespace, name: &str, state: &std::path::Path) -> Self {
        for link in ["all", "default", "eth0", "lo"] {
            host.set(&format!("net.ipv4.conf.{link}.rp_filter"), "1").unwrap();
        }
        nft(&host, RPFILTER);
        for vip in [SERVED4, SERVED6] {
            serve(&host, name, vip, 80, true);
        }
        serve(&host, name, "::1", 8080, false);
        let options = ForwardOptions {
            ip_forward: true,
            shared: true,
            state_dir: state.join(name),
            ..Default::default()
        };
        let forwarder = inside(&host, Forwarder::start(options)).unwrap();
        let node = Self { host, forwarder };
        node.apply();
        node
    }

    fn apply(&self) {
        let served = |vip| Served { address: ip(vip), listening: vec![LISTENING] };
        let to = |vip, endpoint: &str| {
            forward(vip, vec![port(Protocol::Tcp, 80, vec![endpoint.parse().unwrap()])])
        };
        let desired = Desired::new(
            [SERVED4, SERVED6].map(served),
            [to(VIP4, "10.1.1.20:8080"), to(VIP6, "[::1]:8080")],
        );
        let observed = inside(&self.host, self.forwarder.apply(&desired));
        assert_eq!(*carried(&observed, 2), Carried::Nftables { endpoints: 1 });
        assert!(matches!(carried(&observed, 3), Carried::InProcess { .. }), "{observed:?}");
    }

    fn elements(&self) -> usize {
        let of = |family| {
            let output = self.host.output("nft", &["list", "table", family, "steelyard"]).unwrap();
            String::from_utf8(output.stdout).unwrap().matches("expires").count()
        };
        of("ip") + of("ip6")
    }
}

fn go_on(flows: &[(&'static str, TcpStream, String)], when: &str) {
    for (vip, stream, before) in flows {
        let now = exchange(stream).unwrap_or_else(|error| format!("{:?}", error.kind()));
        assert_eq!(now, *before, "{vip}, {when}");
    }
}

#[test]
fn flows_go_on_where_they_began() {
    let Some(lan) = Lan::create("pass") else { return };
    lan.own(0);
    let mut flows = lan.flows();
    for (step, (from, to)) in [(0, 1), (1, 2), (2, 0), (0, 1)].into_iter().enumerate() {
        lan.hand_over(from, to);
        go_on(&flows, &format!("after change {step}"));
        let new = lan.flows();
        assert!(new[0].2.starts_with(NODES[to].0), "new flows are the new owner's: {}", new[0].2);
        flows.extend(new);
    }
    let half: Vec<_> = flows.drain(..2).collect();
    for (vip, mut stream, _) in half {
        stream.shutdown(Shutdown::Write).unwrap();
        let mut last = String::new();
        stream.read_to_string(&mut last).unwrap();
        assert_eq!(last, "end", "{vip}: the end of what a client says arrives");
    }
    nft(&lan.nodes[1].host, "flush ruleset\n");
    lan.nodes[1].apply();
    go_on(&flows, "after the rules were removed and stated again");
    for node in &lan.nodes {
        node.forwarder.passing().forget(&VIPS.map(ip));
        assert_eq!(node.elements(), 0);
    }
}

#[test]
fn what_nobody_knows_is_reset_and_does_not_go_round() {
    let Some(lan) = Lan::create("loop") else { return };
    // The fourth node has flows, and is in no chain.
    lan.own(3);
    let flows = lan.flows();
    for (from, to) in [(0, 1), (1, 2), (2, 0)] {
        lan.hand_over(from, to);
    }
    let count = "table ip count {
  chain passed_by { type filter hook prerouting priority -300; ip daddr 10.1.1.100 counter; }
}
";
    nft(&lan.nodes[1].host, count);
    for (vip, stream, _) in &flows {
        let answer = exchange(stream);
        // A forwarded one may also be picked up, by an endpoint that knows nothing of it.
        assert!(answer.is_err(), "{vip} {answer:?}");
        let kind = answer.unwrap_err().kind();
        assert_eq!(kind, std::io::ErrorKind::ConnectionReset, "{vip}");
    }
    let listed = lan.nodes[1].host.output("nft", &["list", "table", "ip", "count"]).unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let packets = listed.split("packets ").nth(1).and_then(|rest| rest.split(' ').next());
    let packets: u32 = packets.unwrap().parse().unwrap();
    assert!((1..=4).contains(&packets), "one packet came by {packets} times");
}

/// A client that uses a port again whose last connection ended at the new owner a moment ago.
#[test]
fn a_flow_goes_on_where_an_earlier_one_of_the_same_port_ended() {
    let Some(lan) = Lan::create("again") else { return };
    lan.client.set("net.ipv4.ip_local_port_range", "40000 40000").unwrap();
    lan.client.set("net.ipv4.tcp_max_tw_buckets", "0").unwrap();
    lan.own(1);
    for (_, mut stream, _) in lan.flows() {
        stream.shutdown(Shutdown::Write).unwrap();
        stream.read_to_string(&mut String::new()).unwrap();
    }
    lan.own(0);
    let flows = lan.flows();
    lan.hand_over(0, 1);
    go_on(&flows, "handed over");
}

#[test]
fn nothing_is_passed_to_who_is_forgotten() {
    let Some(lan) = Lan::create("forget") else { return };
    lan.own(0);
    let flows = lan.flows();
    lan.hand_over(0, 1);
    go_on(&flows, "handed over");
    lan.nodes[1].forwarder.passing().forget(&VIPS.map(ip));
    for (vip, stream, _) in &flows {
        let kind = exchange(stream).unwrap_err().kind();
        assert_eq!(kind, std::io::ErrorKind::ConnectionReset, "{vip}");
    }
}
