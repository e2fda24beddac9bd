//! What routers are told.

use super::{Facts, Plan, codes, facts, file, node, planned, service, slice};
use crate::{AnnouncementRow, BgpRow};

const ROUTED: &str = "
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: routed, namespace: m}
spec: {addresses: [203.0.113.0/24, '2001:db8::/64']}
";

fn advertisement(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: metallb.io/v1beta1\nkind: BGPAdvertisement\nmetadata: {{name: {name}, \
         namespace: m}}\nspec: {{{spec}}}"
    )
}

fn peer(name: &str, address: &str, more: &str) -> String {
    format!(
        "apiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {{name: {name}, namespace: m}}\n\
         spec: {{myASN: 64512, peerASN: 64513, peerAddress: '{address}'{more}}}"
    )
}

/// Two nodes, a router, and `web` with an endpoint on node-a.
fn world(more: &[&str]) -> String {
    let own = [
        ROUTED.to_owned(),
        node("node-a", "rack: a"),
        node("node-b", "rack: b"),
        slice("web", &[("10.0.0.1", "node-a", "ready: true")]),
    ];
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    file(&[&own[..], more].concat())
}

/// `node peer: prefix pref communities services, …` of each session.
fn sessions(plan: &Plan) -> Vec<String> {
    let session = |row: &crate::PeerRow| {
        let route = |it: &crate::AdvertisedRow| {
            let services: Vec<_> = it.services.iter().map(ToString::to_string).collect();
            let communities = it.communities.join("+");
            format!("{} {} [{communities}] {}", it.prefix, it.local_pref, services.join("+"))
        };
        let routes: Vec<_> = row.routes.values().map(route).collect();
        format!("{} {}: {}", row.node, row.peer, routes.join(", ")).trim_end().to_owned()
    };
    plan.peers.iter().map(session).collect()
}

fn rows(plan: &Plan) -> Vec<&BgpRow> {
    let routed = plan.announcements.values().filter_map(|row| match row {
        AnnouncementRow::Bgp(row) => Some(row),
        AnnouncementRow::Layer2(_) => None,
    });
    routed.collect()
}

#[test]
fn every_node_tells_every_peer() {
    let plan = planned(
        &world(&[
            &advertisement(
                "all",
                "localPref: 100, communities: ['65000:2', 'large:1:2:3', '65000:1']",
            ),
            &peer("r1", "10.0.0.254", ""),
            &peer("r2", "10.0.0.253", ", nodeSelectors: [{matchLabels: {rack: b}}]"),
            &service("web", ""),
        ]),
        &facts("node-a"),
    );
    let route = "203.0.113.1/32 100 [65000:1+65000:2+large:1:2:3] default/web";
    assert_eq!(
        sessions(&plan),
        [
            format!("node-a r1: {route}"),
            format!("node-b r1: {route}"),
            format!("node-b r2: {route}")
        ]
    );
    let [row] = rows(&plan)[..] else { panic!("{:?}", plan.announcements) };
    assert_eq!((&*row.address, row.local_pref), ("203.0.113.1/32", 100));
    assert_eq!(
        (row.nodes.join(" "), row.peers.join(" ")),
        ("node-a node-b".into(), "r1 r2".into())
    );
}

#[test]
fn one_row_as_json() {
    let plan = planned(
        &world(&[
            &advertisement("all", "communities: ['1:2']"),
            &peer("r1", "10.0.0.254", ""),
            &service("web", ""),
        ]),
        &facts("node-a"),
    );
    assert_eq!(
        serde_json::to_string(&plan.announcements.values().collect::<Vec<_>>()).unwrap(),
        r#"[{"address":"203.0.113.1/32","service":"default/web","protocol":"bgp","nodes":["node-a","node-b"],"peers":["r1"],"localPref":0,"communities":["1:2"]}]"#
    );
    assert_eq!(
        serde_json::to_string(&plan.peers[0]).unwrap(),
        r#"{"node":"node-a","peer":"r1","address":"10.0.0.254","routes":[{"prefix":"203.0.113.1/32","localPref":0,"communities":["1:2"],"services":["default/web"]}]}"#
    );
}

#[test]
fn who_announces() {
    let ignoring = Facts { ignore_exclude_lb: true, ..facts("node-a") };
    let excluded = node("node-c", "node.kubernetes.io/exclude-from-external-load-balancers: ''");
    let local = service("web", ", externalTrafficPolicy: Local");
    let nobody = service("other", "");
    let usual = service("web", "");
    let elsewhere = "nodeSelectors: [{matchLabels: {rack: b}}]";
    for (case, objects, spec, facts, expected, said) in [
        ("cluster", [&*usual, ""], "", facts("node-a"), "node-a node-b", vec![]),
        ("local", [&*local, ""], "", facts("node-a"), "node-a", vec![]),
        (
            "local elsewhere",
            [&*local, ""],
            elsewhere,
            facts("node-a"),
            "",
            vec!["no-eligible-node"],
        ),
        ("no endpoint", [&*nobody, ""], "", facts("node-a"), "", vec!["service-without-endpoints"]),
        ("excluded", [&*usual, &*excluded], "", facts("node-a"), "node-a node-b", vec![]),
        ("not excluded", [&*usual, &*excluded], "", ignoring, "node-a node-b node-c", vec![]),
        (
            "only excluded",
            [&*usual, &*excluded],
            "nodeSelectors: [{matchExpressions: [{key: rack, operator: DoesNotExist}]}]",
            facts("node-a"),
            "",
            vec!["no-eligible-node"],
        ),
    ] {
        let router = peer("r1", "10.0.0.254", "");
        let ad = advertisement("ad", spec);
        let mut more = vec![&*ad, &*router];
        more.extend(objects.into_iter().filter(|object| !object.is_empty()));
        let plan = planned(&world(&more), &facts);
        let [row] = rows(&plan)[..] else { panic!("{case}: {:?}", plan.announcements) };
        assert_eq!(row.nodes.join(" "), expected, "{case}");
        let about = codes(&plan, &row.service.to_string());
        assert_eq!(about, said, "{case}");
        let telling = plan.peers.iter().filter(|it| !it.routes.is_empty()).map(|it| &*it.node);
        assert_eq!(telling.collect::<Vec<_>>().join(" "), expected, "{case}");
    }
}

#[test]
fn services_in_one_aggregate_are_one_route() {
    let plan = planned(
        &world(&[
            &advertisement("wide", "aggregationLength: 24, communities: ['1:1']"),
            &advertisement("exact", "communities: ['2:2'], peers: [r1]"),
            &peer("r1", "10.0.0.254", ", nodeSelectors: [{matchLabels: {rack: a}}]"),
            &peer("r2", "10.0.0.253", ", nodeSelectors: [{matchLabels: {rack: a}}]"),
            &service("web", ""),
            &service("www", ""),
            &slice("www", &[("10.0.0.1", "node-a", "ready: true")]),
        ]),
        &facts("node-a"),
    );
    let wide = "203.0.113.0/24 0 [1:1] default/web+default/www";
    let exact = "203.0.113.1/32 0 [2:2] default/web, 203.0.113.2/32 0 [2:2] default/www";
    assert_eq!(
        sessions(&plan),
        [format!("node-a r1: {wide}, {exact}"), format!("node-a r2: {wide}")]
    );
    assert_eq!(rows(&plan).len(), 4);
}

#[test]
fn routes_to_one_prefix_are_one() {
    let plan = planned(
        &world(&[
            &advertisement("a", "communities: ['1:1'], localPref: 7"),
            &advertisement("b", "communities: ['2:2'], localPref: 7, peers: [r1]"),
            &peer("r1", "10.0.0.254", ", nodeSelectors: [{matchLabels: {rack: a}}]"),
            &service("web", ""),
        ]),
        &facts("node-a"),
    );
    assert_eq!(sessions(&plan), ["node-a r1: 203.0.113.1/32 7 [1:1+2:2] default/web"]);
}

#[test]
fn where_advertisements_contradict_nobody_announces() {
    let only_a = "localPref: 1, nodeSelectors: [{matchLabels: {rack: a}}], serviceSelectors: [{}]";
    for (first, second, expected) in [
        (only_a, "localPref: 2", vec!["node-a r1:", "node-b r1: 203.0.113.1/32 2 [] default/web"]),
        ("localPref: 1, serviceSelectors: [{}]", "localPref: 2", vec!["node-a r1:", "node-b r1:"]),
        (
            "localPref: 1, aggregationLength: 24",
            "localPref: 2",
            vec![
                "node-a r1: 203.0.113.0/24 1 [] default/web, 203.0.113.1/32 2 [] default/web",
                "node-b r1: 203.0.113.0/24 1 [] default/web, 203.0.113.1/32 2 [] default/web",
            ],
        ),
    ] {
        let (first, second) = (advertisement("a", first), advertisement("b", second));
        let router = peer("r1", "10.0.0.254", "");
        let web = service("web", ", ipFamilies: [IPv4]");
        let yaml = world(&[&first, &second, &router, &web]).replace(", '2001:db8::/64'", "");
        let plan = planned(&yaml, &facts("node-a"));
        assert_eq!(sessions(&plan), expected);
        let contradiction = expected.iter().any(|session| session.ends_with(':'));
        let said: &[&str] = if contradiction { &["advertisements-contradict"] } else { &[] };
        assert_eq!(codes(&plan, "default/web"), said);
    }
}

#[test]
fn a_session_carries_its_family_or_both() {
    let dual = service("web", ", ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv4, IPv6]");
    let plan = planned(
        &world(&[
            &advertisement("all", "nodeSelectors: [{matchLabels: {rack: a}}]"),
            &peer(
                "both",
                "10.0.0.1",
                ", dualStackAddressFamily: true, nodeSelectors: [{matchLabels: {rack: a}}]",
            ),
            &peer("four", "10.0.0.2", ", nodeSelectors: [{matchLabels: {rack: a}}]"),
            &peer("six", "fd00::2", ", nodeSelectors: [{matchLabels: {rack: a}}]"),
            &dual,
        ]),
        &facts("node-a"),
    );
    let (four, six) = ("203.0.113.1/32 0 [] default/web", "2001:db8::/128 0 [] default/web");
    assert_eq!(
        sessions(&plan),
        [
            format!("node-a both: {four}, {six}"),
            format!("node-a four: {four}"),
            format!("node-a six: {six}")
        ]
    );
}

#[test]
fn nodes_that_announce_by_bgp_forward() {
    let layer2 = "apiVersion: metallb.io/v1beta1\nkind: L2Advertisement\n\
                  metadata: {name: lan, namespace: m}\nspec: {nodeSelectors: [{matchLabels: {rack: a}}]}";
    let yaml = world(&[
        layer2,
        &advertisement("all", ""),
        &peer("r1", "10.0.0.254", ""),
        &service("web", ""),
    ]);
    for node in ["node-a", "node-b"] {
        assert_eq!(planned(&yaml, &facts(node)).node.forward.len(), 1, "{node}");
    }
}
