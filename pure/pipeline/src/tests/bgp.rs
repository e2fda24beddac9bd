use super::*;
use steelyard_model::bgp::JoinedPassword;

fn object(version: &str, kind: &str, id: &str, spec: &str) -> String {
    let (namespace, name) = id.split_once('/').unwrap();
    format!(
        "---\napiVersion: metallb.io/{version}\nkind: {kind}\nmetadata: {{name: {name}, \
         namespace: {namespace}}}\nspec: {spec}\n"
    )
}

fn pool(id: &str, addresses: &str) -> String {
    object("v1beta1", "IPAddressPool", id, &format!("{{addresses: [{addresses}]}}"))
}

fn advertisement(id: &str, spec: &str) -> String {
    object("v1beta1", "BGPAdvertisement", id, spec)
}

fn peer(id: &str, more: &str) -> String {
    let spec = format!("{{myASN: 1, peerASN: 2, peerAddress: 10.0.0.1{more}}}");
    object("v1beta2", "BGPPeer", id, &spec)
}

fn node(name: &str) -> String {
    let labels = format!("kubernetes.io/hostname: {name}");
    format!("---\napiVersion: v1\nkind: Node\nmetadata: {{name: {name}, labels: {{{labels}}}}}\n")
}

fn secret(id: &str, kind: &str, data: &str) -> String {
    let (namespace, name) = id.split_once('/').unwrap();
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         type: {kind}\nstringData: {{{data}}}\n"
    )
}

/// `advertisement: peer peer` of each that counts.
fn told(snapshot: &Snapshot) -> Vec<String> {
    let line = |joined: &steelyard_model::bgp::JoinedAdvertisement| {
        let peers = joined.peers.iter().map(|peer| snapshot.bgp.peers[*peer].peer.id.to_string());
        let line = format!("{}: {}", joined.advertisement.id, peers.collect::<Vec<_>>().join(" "));
        line.trim_end().to_owned()
    };
    snapshot.bgp.advertisements.iter().map(line).collect()
}

/// Findings but the one that says that BGP is not spoken.
fn said(snapshot: &Snapshot) -> Vec<String> {
    findings(snapshot).into_iter().filter(|line| !line.contains("bgp-not-spoken")).collect()
}

#[test]
fn peers_by_name_or_all() {
    let yaml = pool("m/p", "10.1.0.0/24")
        + &peer("m/a", "")
        + &peer("m/b", "")
        + &peer("o/b", "")
        + &advertisement("m/all", "{}")
        + &advertisement("m/own", "{peers: [b]}")
        + &advertisement("o/only", "{peers: [a, gone]}");
    let snapshot = joined(&yaml);
    assert_eq!(told(&snapshot), ["m/all: m/a m/b o/b", "m/own: m/b", "o/only: m/a"]);
    assert_eq!(said(&snapshot), ["warning peer-missing BGPAdvertisement/o/only spec.peers[1]"]);
    assert_eq!(findings(&snapshot).len(), 2, "that BGP is not spoken is said once");
}

#[test]
fn an_advertisement_with_an_unknown_community_is_left_out() {
    let aliases = "{communities: [{name: vpn, value: '1:2'}, {name: dup, value: 'large:1:2:3'}]}";
    let yaml = pool("m/p", "10.1.0.0/24")
        + &peer("m/r", "")
        + &object("v1beta1", "Community", "m/c", aliases)
        + &object("v1beta1", "Community", "o/c", "{communities: [{name: dup, value: '9:9'}]}")
        + &advertisement("m/good", "{communities: [vpn, dup, '1:1', '1:2']}")
        + &advertisement("m/bad", "{communities: [no-export]}")
        + &advertisement("x/unclear", "{communities: [dup]}")
        + &advertisement("x/only", "{communities: [vpn]}");
    let snapshot = joined(&yaml);
    assert_eq!(told(&snapshot), ["m/good: m/r", "x/only: m/r"]);
    let texts = snapshot.bgp.advertisements[0].communities.iter().map(ToString::to_string);
    assert_eq!(texts.collect::<Vec<_>>(), ["1:1", "1:2", "large:1:2:3"]);
    assert_eq!(
        said(&snapshot),
        [
            "error community-unknown BGPAdvertisement/m/bad spec.communities[0]",
            "error community-unknown BGPAdvertisement/x/unclear spec.communities[0]",
        ]
    );
    assert!(first(&snapshot).help.contains("65535:65281"));
}

#[test]
fn aggregates_fit_into_the_largest_block_of_each_entry() {
    for (addresses, spec, fits) in [
        ("10.1.0.0/24", "aggregationLength: 24", true),
        ("10.1.0.0/24", "aggregationLength: 23", false),
        ("10.1.0.0/24, 10.2.0.0/28", "aggregationLength: 26", false),
        // /30, /29, … /25: the largest block counts.
        ("10.1.0.4-10.1.0.255", "aggregationLength: 25", true),
        ("10.1.0.4-10.1.0.255", "aggregationLength: 24", false),
        ("10.1.0.0/24", "aggregationLengthV6: 0", true),
        ("'fd00::/64'", "aggregationLengthV6: 64", true),
        ("'fd00::/64'", "aggregationLengthV6: 63", false),
    ] {
        let yaml = pool("m/p", addresses)
            + &peer("m/r", "")
            + &advertisement("m/ad", &format!("{{{spec}}}"));
        let snapshot = joined(&yaml);
        assert_eq!(snapshot.bgp.advertisements.len(), usize::from(fits), "{addresses} {spec}");
        let refused = said(&snapshot).iter().any(|line| line.contains("aggregation-beyond-pool"));
        assert_eq!(refused, !fits, "{addresses} {spec}: {:?}", said(&snapshot));
    }
}

#[test]
fn the_later_of_two_that_contradict_is_left_out() {
    let both = |first: &str, second: &str, nodes: bool| {
        let nodes = if nodes { node("a") + &node("b") } else { String::new() };
        let yaml = pool("m/p", "10.1.0.0/24")
            + &peer("m/r", "")
            + &peer("m/s", "")
            + &nodes
            + &advertisement("m/first", &format!("{{localPref: 100, {first}}}"))
            + &advertisement("m/second", &format!("{{localPref: 200, {second}}}"));
        joined(&yaml)
    };
    let on = |name: &str| {
        format!("nodeSelectors: [{{matchLabels: {{kubernetes.io/hostname: {name}}}}}]")
    };
    for (first, second, nodes, conflict) in [
        ("", "", true, true),
        ("", "", false, false),
        ("peers: [r]", "", true, true),
        ("peers: [r]", "peers: [s]", true, false),
        ("aggregationLength: 24", "", true, false),
        ("aggregationLengthV6: 64", "", true, true),
        ("serviceSelectors: [{}]", "", true, false),
        (&*on("a"), &*on("b"), true, false),
        (&*on("a"), "", true, true),
    ] {
        let snapshot = both(first, second, nodes);
        let count = snapshot.bgp.advertisements.len();
        assert_eq!(count, if conflict { 1 } else { 2 }, "{first} / {second} / {nodes}");
        if conflict {
            assert_eq!(
                said(&snapshot)[0],
                "error local-pref-conflict BGPAdvertisement/m/second spec.localPref"
            );
        }
    }
}

#[test]
fn a_peer_without_its_profile_or_password_is_left_out() {
    let basic = "kubernetes.io/basic-auth";
    let pools = pool("m/p", "10.1.0.0/24") + &advertisement("m/ad", "{}");
    let echo = object("v1beta1", "BFDProfile", "m/echo", "{echoMode: true}");
    let good = secret("m/good", basic, "password: x");
    let opaque = secret("m/opaque", "Opaque", "password: x");
    let empty = secret("m/empty", basic, "username: x");
    let there = secret("o/there", basic, "password: other");
    let own = pools + &echo + &good + &opaque + &empty + &there;
    for (more, expected) in [
        (", bfdProfile: echo", None),
        (", bfdProfile: gone", Some("error bfd-profile-missing BGPPeer/m/r spec.bfdProfile")),
        (", password: x", None),
        (", passwordSecret: {name: good}", None),
        (", passwordSecret: {name: good, namespace: other}", None),
        (", passwordSecret: {name: there, namespace: o}", None),
        (
            ", passwordSecret: {name: gone}",
            Some("error password-secret-missing BGPPeer/m/r spec.passwordSecret.name"),
        ),
        (
            ", passwordSecret: {name: gone, namespace: o}",
            Some("warning password-secret-missing BGPPeer/m/r spec.passwordSecret.name"),
        ),
        (
            ", passwordSecret: {name: opaque}",
            Some("error password-secret-invalid BGPPeer/m/r spec.passwordSecret.name"),
        ),
        (
            ", passwordSecret: {name: empty}",
            Some("error password-secret-invalid BGPPeer/m/r spec.passwordSecret.name"),
        ),
    ] {
        let snapshot = joined(&(own.clone() + &peer("m/r", more)));
        let kept = snapshot.bgp.peers.len() == 1;
        assert_eq!(kept, !expected.is_some_and(|it| it.starts_with("error")), "{more}");
        assert_eq!(said(&snapshot), Vec::from_iter(expected), "{more}");
        if let [joined] = &snapshot.bgp.peers[..] {
            let known = matches!(joined.password, JoinedPassword::Known(_));
            assert_eq!(known, more.contains("pass") && expected.is_none(), "{more}");
        }
    }
    // Echo is for IPv4: refused where a pool with IPv6 is announced to this very peer.
    for (spec, refused) in [("{}", true), ("{peers: [other]}", false)] {
        let yaml = pool("m/p", "'fd00::/64'")
            + &advertisement("m/ad", spec)
            + &echo
            + &peer("m/other", "")
            + &peer("m/r", ", bfdProfile: echo");
        let snapshot = joined(&yaml);
        assert_eq!(snapshot.bgp.peers.len(), if refused { 1 } else { 2 }, "{spec}");
        let told =
            said(&snapshot).contains(&"error bfd-echo-ipv6 BGPPeer/m/r spec.bfdProfile".into());
        assert_eq!(told, refused, "{spec}");
    }
}

#[test]
fn what_has_no_effect_is_said() {
    let nowhere = "nodeSelectors: [{matchLabels: {kubernetes.io/hostname: z}}]";
    let yaml = pool("m/p", "10.1.0.0/24")
        + &node("a")
        + &peer("m/told", &format!(", {nowhere}"))
        + &peer("m/untold", "")
        + &advertisement("m/ad", &format!("{{peers: [told], {nowhere}}}"))
        + &advertisement("m/none", "{ipAddressPoolSelectors: [{matchLabels: {a: b}}]}");
    assert_eq!(
        said(&joined(&yaml)),
        [
            "warning selects-no-node BGPAdvertisement/m/ad spec.nodeSelectors",
            "warning selects-no-pool BGPAdvertisement/m/none spec.ipAddressPoolSelectors",
            "warning selects-no-node BGPPeer/m/told spec.nodeSelectors",
            "warning peer-unused BGPPeer/m/untold",
        ]
    );
}
