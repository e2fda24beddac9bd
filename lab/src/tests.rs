//! Topologies of small worlds, how they are drawn, and one that is really built.

use std::sync::Arc;

use ipnet::IpNet;
use steelyard_host::netns;
use steelyard_model::{
    AddressRange, NamespacedName, Node, ObjectRef, Pool, Protocol, ServedBy, Snapshot,
};

use super::build::{self, Built};
use super::draw::{self, Look};
use super::lab_name;
use super::nodes::Life;
use super::topology::{Topology, node_count};
use super::view::{NodeView, Owner, View, VipView};
use super::wire::Faults;
use super::world::{Vip, World};
use crate::play::Replica;

fn node(name: &str, addresses: &[&str]) -> Node {
    Node {
        name: name.into(),
        object: Arc::new(ObjectRef::new("Node", "", name)),
        labels: Default::default(),
        internal_ips: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        external_ips: Vec::new(),
        network_unavailable: false,
        excluded: false,
    }
}

fn pool(name: &str, ranges: &[(&str, &str)]) -> Pool {
    let range = |&(start, end): &(&str, &str)| {
        AddressRange::new(start.parse().unwrap(), end.parse().unwrap()).unwrap()
    };
    Pool {
        id: NamespacedName::new("metallb-system", name),
        object: Arc::new(ObjectRef::new("IPAddressPool", "metallb-system", name)),
        labels: Default::default(),
        ranges: ranges.iter().map(range).collect(),
        mapped: Vec::new(),
        auto_assign: true,
        avoid_buggy_ips: false,
        allocation: None,
    }
}

fn world(pools: Vec<Pool>, nodes: Vec<Node>) -> Snapshot {
    Snapshot { pools: pools.into(), nodes: nodes.into(), ..Snapshot::default() }
}

fn replicas(names: &[(&str, u32)]) -> Vec<Replica> {
    let replica = |&(name, index): &(&str, u32)| Replica {
        workload: NamespacedName::new("default", name),
        kind: "Deployment".into(),
        index,
        ports: vec![(Protocol::Tcp, 80)],
    };
    names.iter().map(replica).collect()
}

fn topology(snapshot: &Snapshot, names: &[(&str, u32)]) -> Topology {
    let nodes = node_count(snapshot, None).unwrap();
    Topology::new(snapshot, nodes, replicas(names), &[]).unwrap()
}

/// `name address address…` of the client and every node.
fn hosts(topology: &Topology) -> Vec<String> {
    let host = |host: &super::topology::Machine| {
        let addresses: Vec<String> = host.addresses.iter().map(IpNet::to_string).collect();
        format!("{} {}", host.name, addresses.join(" "))
    };
    std::iter::once(&topology.client).chain(&topology.nodes).map(host).collect()
}

#[test]
fn nodes_are_where_the_manifests_put_them() {
    let nodes = ["11", "12"].map(|last| node(&format!("w-{last}"), &[&format!("10.1.1.{last}")]));
    let pools = vec![pool("p", &[("10.1.1.100", "10.1.1.150")])];
    let made = topology(&world(pools, nodes.to_vec()), &[("web", 1), ("web", 2), ("api", 1)]);
    assert_eq!(hosts(&made), ["client 10.1.1.2/24", "w-11 10.1.1.11/24", "w-12 10.1.1.12/24"]);
    let pods: Vec<String> = made
        .pods
        .iter()
        .map(|pod| format!("{} {} on {}", pod.name, pod.addresses[0], made.nodes[pod.node].name))
        .collect();
    assert_eq!(
        pods,
        ["web-1 10.244.1.2 on w-11", "web-2 10.244.2.2 on w-12", "api-1 10.244.1.3 on w-11"]
    );
}

#[test]
fn without_nodes_there_are_three_on_free_addresses() {
    let pools = vec![pool("p", &[("192.168.1.2", "192.168.1.3")])];
    let made = topology(&world(pools, Vec::new()), &[]);
    assert_eq!(
        hosts(&made),
        [
            "client 192.168.1.7/24",
            "node-1 192.168.1.4/24",
            "node-2 192.168.1.5/24",
            "node-3 192.168.1.6/24"
        ]
    );
}

#[test]
fn every_pool_has_its_subnet_and_ipv6_reaches_the_pods_too() {
    let ranges = [("10.1.1.100", "10.1.1.150"), ("fd00:1::100", "fd00:1::1ff")];
    let pools = vec![pool("both", &ranges)];
    let nodes = vec![node("a", &["10.1.1.11"]), node("far", &["172.16.0.9"])];
    let made = topology(&world(pools, nodes), &[("web", 1)]);
    assert_eq!(
        hosts(&made),
        [
            "client 10.1.1.3/24 172.16.0.3/24 fd00:1::4/64",
            "a 10.1.1.11/24 172.16.0.2/24 fd00:1::2/64",
            "far 10.1.1.2/24 172.16.0.9/24 fd00:1::3/64"
        ]
    );
    let addresses: Vec<String> = made.pods[0].addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["10.244.1.2", "fd00:10:244:1::2"]);
}

#[test]
fn pods_keep_off_the_lan_and_their_names_apart() {
    let mut twins = replicas(&[("web", 1), ("web", 1), ("web", 1)]);
    twins[1].workload.namespace = "shop".into();
    twins[2].workload.namespace = "shop".into();
    twins[2].kind = "StatefulSet".into();
    let pools = vec![pool("p", &[("10.244.7.100", "10.244.7.150")])];
    let made = Topology::new(&world(pools, Vec::new()), 3, twins, &[]).unwrap();
    let names: Vec<_> = made.pods.iter().map(|pod| pod.name.as_str()).collect();
    assert_eq!(names, ["web-1", "shop.web-1", "shop.web.statefulset-1"]);
    assert_eq!(made.pods[0].addresses[0].to_string(), "10.245.1.2");
}

#[test]
fn a_subnet_full_of_pools_is_an_error_that_says_what_to_give() {
    let pools = vec![pool("p", &[("10.0.0.0", "10.0.0.255")])];
    let subnet: IpNet = "10.0.0.0/24".parse().unwrap();
    let error = Topology::new(&world(pools, Vec::new()), 3, Vec::new(), &[subnet]).unwrap_err();
    assert!(error.to_string().contains("--subnet"), "{error}");
}

#[test]
fn the_drawing_is_aligned() {
    let nodes: Vec<Node> =
        (1..=2).map(|n| node(&format!("worker-{n}"), &[&format!("10.1.1.1{n}")])).collect();
    let pools = vec![pool("p", &[("10.1.1.100", "10.1.1.150")])];
    let snapshot = world(pools, nodes);
    let made = topology(&snapshot, &[("test-app", 1)]);
    let vip = Vip {
        service: NamespacedName::new("traefik", "traefik"),
        addresses: vec!["10.1.1.100".parse().unwrap()],
        ports: vec!["80/TCP".to_owned()],
        by: ServedBy::Gateway,
        answers: true,
    };
    let seen = |name: &str, faults| NodeView {
        name: name.to_owned(),
        life: Life::Running,
        ready: true,
        faults,
    };
    let cut = Faults { unplugged: true, ..Faults::default() };
    let owner = Owner {
        node: "worker-1".to_owned(),
        epoch: Some(3),
        since: Some(36_672),
        reason: None,
        standbys: vec!["worker-2".to_owned()],
    };
    let shown = VipView {
        address: vip.addresses[0],
        service: vip.service.to_string(),
        owners: vec![owner],
    };
    let nodes = vec![seen("worker-1", Faults::default()), seen("worker-2", cut)];
    let view = View { nodes, vips: vec![shown] };
    let look = Look { color: false, program: "steelyard", named: "", columns: 80, rows: 99 };
    let drawn = draw::laboratory(&made, &World { snapshot, vips: vec![vip] }, &view, look);
    let expected = "  LAN 10.1.1.0/24
   │
   ├── client    10.1.1.2
   ├── router    10.1.1.1
   │    └── 198.51.100.0/24 ── visitor  198.51.100.2
   │
   ├── worker-1  serves    ◀ 10.1.1.100
   │             10.1.1.11
   └╴  worker-2  serves, cut
                 10.1.1.12

  ADDRESS     SERVICE          PORTS   ANSWERED BY  EPOCH  SINCE     NEXT
  10.1.1.100  traefik/traefik  80/TCP  worker-1     3      10:11:12  worker-2

  Try in another terminal
    sudo steelyard lab arp
    sudo steelyard lab exec client ping -c 1 10.1.1.100
    sudo steelyard lab exec worker-1 steelyard get services
    sudo steelyard lab watch          # then, in a third terminal:
    sudo steelyard lab kill worker-1  # or stop, cut, loss, leave
    sudo steelyard lab heal

  POD         ADDRESS     PORTS   NODE
  test-app-1  10.244.1.2  80/TCP  worker-1
";
    assert_eq!(drawn, expected);
}

#[test]
fn a_low_screen_tells_of_nodes_that_matter() {
    let nodes: Vec<Node> =
        (1..=20).map(|n| node(&format!("n{n}"), &[&format!("10.1.1.{}", n + 10)])).collect();
    let pools = vec![pool("p", &[("10.1.1.100", "10.1.1.150")])];
    let made = topology(&world(pools, nodes), &[]);
    let seen = |node: &super::topology::Machine| NodeView {
        name: node.name.clone(),
        life: if node.name == "n7" { Life::Killed } else { Life::Running },
        ready: node.name != "n7",
        faults: Faults::default(),
    };
    let view = View { nodes: made.nodes.iter().map(seen).collect(), vips: Vec::new() };
    let network = |rows| {
        let look = Look { color: false, program: "steelyard", named: "", columns: 80, rows };
        draw::network(&made, &view, look)
    };
    let low = network(20);
    let told: Vec<&str> = low.lines().skip(6).collect();
    assert_eq!(told, ["   ├── n7       killed", "   └── … 19 more nodes, ready"]);
    assert_eq!(network(26).lines().count(), 26);
}

#[test]
fn names_of_laboratories_are_plain() {
    assert!(lab_name("lab2").is_ok());
    for name in ["", "a-b", "A", "a/b", "ä"] {
        assert!(lab_name(name).is_err(), "{name}");
    }
}

#[test]
fn built_hosts_reach_each_other_and_nothing_is_left() {
    if let Some(reason) = netns::unavailable() {
        eprintln!("skipped built_hosts_reach_each_other_and_nothing_is_left: {reason}");
        return;
    }
    let lab = format!("t{}", std::process::id());
    let ranges = [("10.1.1.100", "10.1.1.150"), ("fd00:1::100", "fd00:1::1ff")];
    let snapshot = world(vec![pool("p", &ranges)], Vec::new());
    let made = topology(&snapshot, &[("web", 1), ("web", 2)]);
    let built = Built::new(&lab, &made).unwrap();
    for node in &made.nodes {
        for address in &node.addresses {
            ping(&built.client, &address.addr().to_string());
        }
    }
    for address in &made.visitor.addresses {
        ping(&built.client, &address.addr().to_string());
        ping(&built.nodes[2], &address.addr().to_string());
    }
    for node in &built.nodes {
        for address in made.pods.iter().flat_map(|pod| &pod.addresses) {
            ping(node, &address.to_string());
        }
    }
    // As after a kill: the values never run their destructors, and a process is still inside.
    let mut left = built.pods[0].command("sleep").arg("600").spawn().unwrap();
    std::mem::forget(built);
    assert!(build::sweep(&lab).unwrap() >= 8);
    left.wait().unwrap();
    let prefix = build::prefix(&lab);
    assert!(!netns::list().iter().any(|name| name.starts_with(&prefix)));
    assert_eq!(build::sweep(&lab).unwrap(), 0);
}

fn ping(from: &netns::Namespace, to: &str) {
    let output = from.output("ping", &["-c", "1", "-W", "2", to]).unwrap();
    assert!(output.status.success(), "{} cannot reach {to}: {output:?}", from.name());
}
