//! BGPAdvertisement, BGPPeer, BFDProfile, Community and Secret.

use steelyard_model::bgp::{CommunityRef, Neighbor, Password, PeerAs, Timers};

use super::*;

fn object(kind: &str, version: &str, spec: &str) -> String {
    let metadata = "metadata: {name: a, namespace: metallb-system}";
    format!("apiVersion: metallb.io/{version}\nkind: {kind}\n{metadata}\nspec: {spec}\n")
}

fn advertisement(spec: &str) -> String {
    object("BGPAdvertisement", "v1beta1", spec)
}

/// A peer with what it must have and `more`.
fn peer(more: &str) -> String {
    let spec = format!("{{myASN: 64512, peerASN: 64513, peerAddress: 10.0.0.1{more}}}");
    object("BGPPeer", "v1beta2", &spec)
}

fn bare_peer(spec: &str) -> String {
    object("BGPPeer", "v1beta2", spec)
}

fn read_peer(yaml: &str) -> steelyard_model::BgpPeer {
    let Item::BgpPeer(peer) = only(lowered(yaml)) else { panic!("a peer") };
    *peer
}

#[test]
fn an_advertisement_with_everything() {
    let spec = "{aggregationLength: 24, aggregationLengthV6: 64, localPref: 150, \
                communities: ['65000:1', 'large:1:2:3', no-export], ipAddressPools: [p], \
                ipAddressPoolSelectors: [{matchLabels: {a: b}}], peers: [r1, r2], \
                nodeSelectors: [{}], serviceSelectors: []}";
    let Item::BgpAdvertisement(ad) = only(lowered(&advertisement(spec))) else { panic!("an ad") };
    assert_eq!((ad.aggregation_length, ad.aggregation_length_v6, ad.local_pref), (24, 64, 150));
    assert_eq!(ad.communities.len(), 3);
    assert_eq!(ad.communities[2], CommunityRef::Alias("no-export".to_owned()));
    assert_eq!((ad.pools, ad.peers), (vec!["p".to_owned()], vec!["r1".to_owned(), "r2".into()]));
}

#[test]
fn an_advertisement_of_nothing_else_announces_addresses() {
    let yaml = "apiVersion: metallb.io/v1beta1\nkind: BGPAdvertisement\nmetadata: {name: a}\n";
    let Item::BgpAdvertisement(ad) = only(lowered(yaml)) else { panic!("an ad") };
    assert_eq!((ad.aggregation_length, ad.aggregation_length_v6, ad.local_pref), (32, 128, 0));
}

#[test]
fn advertisements_that_metallb_refuses() {
    for (spec, expected) in [
        ("{aggregationLength: 0}", vec!["error invalid-value spec.aggregationLength"]),
        ("{aggregationLength: 33}", vec!["error invalid-value spec.aggregationLength"]),
        ("{aggregationLengthV6: 129}", vec!["error invalid-value spec.aggregationLengthV6"]),
        ("{localPref: -1}", vec!["error invalid-value spec.localPref"]),
        ("{localPref: 4294967296}", vec!["error invalid-value spec.localPref"]),
        ("{communities: ['70000:1']}", vec!["error community-invalid spec.communities[0]"]),
        ("{communities: ['lrg:1:2:3']}", vec!["error community-invalid spec.communities[0]"]),
        ("{communities: ['1:1', '1:1']}", vec!["error entry-duplicate spec.communities[1]"]),
        ("{peers: [a, a]}", vec!["error entry-duplicate spec.peers[1]"]),
        ("{ipAddressPools: [a, a]}", vec!["error entry-duplicate spec.ipAddressPools[1]"]),
        (
            "{aggregationLength: 24, aggregationLengthV6: 64, serviceSelectors: [{}]}",
            vec![
                "error fields-exclusive spec.aggregationLength",
                "error fields-exclusive spec.aggregationLengthV6",
            ],
        ),
        (
            "{nodeSelectors: [{matchLabels: {a: b}}, {matchLabels: {a: b}}]}",
            vec!["error entry-duplicate spec.nodeSelectors[1]"],
        ),
        (
            "{nodeSelectors: [{matchExpressions: [{key: a, operator: In, values: [b, c]}, \
             {key: a, operator: In, values: [c, b]}]}]}",
            vec!["error entry-duplicate spec.nodeSelectors[0].matchExpressions[1]"],
        ),
        (
            "{nodeSelectors: [{matchExpressions: [{key: a, operator: In, values: [b, c]}]}, \
             {matchExpressions: [{key: a, operator: In, values: [c, b]}]}]}",
            vec!["error entry-duplicate spec.nodeSelectors[1]"],
        ),
    ] {
        refused(&advertisement(spec), &expected);
    }
    taken(&advertisement("{localPref: 4294967295}"), &["warning invalid-value spec.localPref"]);
    taken(&advertisement("{aggregationLengthV6: 0}"), &[]);
    taken(&advertisement("{communities: ['1:2:3', '1234']}"), &[]);
}

#[test]
fn a_peer_with_everything() {
    let peer = read_peer(&peer(
        ", localASN: 64999, sourceAddress: 10.0.0.2, peerPort: 1179, holdTime: 3m0s, \
         keepaliveTime: 60s, connectTime: 10s, routerID: 10.0.0.9, nodeSelectors: [{}], \
         passwordSecret: {name: s, namespace: ns}, bfdProfile: fast, enableGracefulRestart: true, \
         ebgpMultiHop: true, vrf: red, disableMP: true, dualStackAddressFamily: true",
    ));
    assert_eq!(
        (peer.my_asn, peer.peer_as, peer.local_asn),
        (64512, PeerAs::Number(64513), Some(64999))
    );
    assert_eq!(peer.neighbor, Neighbor::Address([10, 0, 0, 1].into()));
    assert_eq!((peer.port, peer.connect_time), (1179, Some(10)));
    assert_eq!(peer.timers, Some(Timers { hold: 180, keepalive: 60 }));
    assert_eq!(peer.router_id, Some([10, 0, 0, 9].into()));
    let secret = Password::Secret { name: "s".to_owned(), namespace: Some("ns".to_owned()) };
    assert_eq!(peer.password, Some(secret));
    assert_eq!((peer.bfd_profile.as_deref(), peer.vrf.as_deref()), (Some("fast"), Some("red")));
    assert!(peer.graceful_restart && peer.ebgp_multi_hop && peer.dual_stack);
}

#[test]
fn a_peer_of_the_old_version() {
    let spec = "{myASN: 64512, peerASN: 64512, peerAddress: 'fd00::1', peerPort: 0}";
    let peer = read_peer(&object("BGPPeer", "v1beta1", spec));
    assert_eq!((peer.port, peer.timers), (179, None));
    let spec = "{myASN: 1, peerASN: 2, peerAddress: 10.0.0.1, vrf: red}";
    taken(&object("BGPPeer", "v1beta1", spec), &["warning unknown-field spec.vrf"]);
    refused(
        &object("BGPPeer", "v1beta1", "{myASN: 1}"),
        &["error missing-field spec.peerASN", "error missing-field spec.peerAddress"],
    );
}

#[test]
fn peers_behind_interfaces_and_by_rule() {
    let peer = read_peer(&bare_peer("{myASN: 1, dynamicASN: external, interface: eth0}"));
    assert_eq!(peer.neighbor, Neighbor::Interface("eth0".to_owned()));
    assert_eq!(peer.peer_as, PeerAs::External);
}

#[test]
fn times_follow_from_each_other() {
    for (times, hold, keepalive) in [
        (", holdTime: 90s", 90, 30),
        (", keepaliveTime: 10s", 30, 10),
        (", holdTime: 0s", 0, 0),
        (", holdTime: 9m, keepaliveTime: 0s", 540, 0),
        (", holdTime: 3900ms, keepaliveTime: 3s", 3, 3),
    ] {
        let timers = read_peer(&peer(times)).timers;
        assert_eq!(timers, Some(Timers { hold, keepalive }), "{times}");
    }
    assert_eq!(read_peer(&peer("")).timers, None);
    taken(&peer(", holdTime: 24h"), &["warning invalid-value spec.holdTime"]);
}

#[test]
fn peers_that_metallb_refuses() {
    for (spec, expected) in [
        (
            "{}",
            vec![
                "missing-field spec.myASN",
                "missing-field spec.peerASN",
                "missing-field spec.peerAddress",
            ],
        ),
        ("{myASN: 0, peerASN: 1, peerAddress: 10.0.0.1}", vec!["invalid-value spec.myASN"]),
        (
            "{myASN: 1, peerASN: 4294967296, peerAddress: 10.0.0.1}",
            vec!["invalid-value spec.peerASN"],
        ),
        ("{myASN: 1, peerASN: 0, peerAddress: 10.0.0.1}", vec!["missing-field spec.peerASN"]),
        (
            "{myASN: 1, dynamicASN: any, peerAddress: 10.0.0.1}",
            vec!["invalid-value spec.dynamicASN"],
        ),
        (
            "{myASN: 1, peerASN: 2, dynamicASN: internal, peerAddress: 10.0.0.1}",
            vec!["fields-exclusive spec.dynamicASN"],
        ),
        ("{myASN: 1, peerASN: 2, peerAddress: router1}", vec!["invalid-value spec.peerAddress"]),
        (
            "{myASN: 1, peerASN: 2, peerAddress: ' 10.0.0.1'}",
            vec!["invalid-value spec.peerAddress"],
        ),
        (
            "{myASN: 1, peerASN: 2, peerAddress: 10.0.0.1, interface: eth0}",
            vec!["fields-exclusive spec.interface"],
        ),
        (
            "{myASN: 1, peerASN: 1, peerAddress: 10.0.0.1, ebgpMultiHop: true}",
            vec!["fields-exclusive spec.ebgpMultiHop"],
        ),
    ] {
        let expected: Vec<String> = expected.iter().map(|it| format!("error {it}")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        refused(&bare_peer(spec), &expected);
    }
    for (more, expected) in [
        (", localASN: 0", "invalid-value spec.localASN"),
        (", peerPort: 0", "invalid-value spec.peerPort"),
        (", peerPort: 16385", "invalid-value spec.peerPort"),
        (", sourceAddress: eth0", "invalid-value spec.sourceAddress"),
        (", routerID: '1'", "invalid-value spec.routerID"),
        (", holdTime: 2s", "invalid-value spec.holdTime"),
        (", holdTime: -3s", "invalid-value spec.holdTime"),
        (", holdTime: ninety", "invalid-value spec.holdTime"),
        (", holdTime: 90", "wrong-type spec.holdTime"),
        (", holdTime: 9s, keepaliveTime: 10s", "invalid-value spec.keepaliveTime"),
        (", connectTime: 0s", "invalid-value spec.connectTime"),
        (", connectTime: 1500ms", "invalid-value spec.connectTime"),
        (", connectTime: 65536s", "invalid-value spec.connectTime"),
        (", password: x, passwordSecret: {name: s}", "fields-exclusive spec.password"),
        (", nodeSelectors: [{}, {}]", "entry-duplicate spec.nodeSelectors[1]"),
        (
            ", nodeSelectors: [{matchLabels: {'a b': c}}]",
            "selector-invalid spec.nodeSelectors[0].matchLabels[\"a b\"]",
        ),
    ] {
        let refusal = format!("error {expected}");
        match expected.strip_prefix("invalid-value spec.holdTime") {
            // A hold time that is none leaves the keepalive time above it.
            Some(_) if more.contains("-3s") => {
                refused(&peer(more), &[&refusal, "error invalid-value spec.keepaliveTime"]);
            }
            _ => refused(&peer(more), &[&refusal]),
        }
    }
    taken(&peer(", routerID: 'fd00::1'"), &["warning invalid-value spec.routerID"]);
    taken(&peer(", passwordSecret: {namespace: ns}"), &[]);
}

#[test]
fn profiles() {
    let spec = "{receiveInterval: 10, transmitInterval: 60000, detectMultiplier: 2, \
                echoInterval: 50, echoMode: true, passiveMode: true, minimumTtl: 254}";
    let yaml = object("BFDProfile", "v1beta1", spec);
    let Item::BfdProfile(profile) = only(lowered(&yaml)) else { panic!("a profile") };
    assert_eq!((profile.receive_interval, profile.transmit_interval), (Some(10), Some(60000)));
    assert_eq!((profile.detect_multiplier, profile.minimum_ttl), (Some(2), Some(254)));
    assert!(profile.echo_mode && profile.passive_mode);
    for (field, value) in [
        ("receiveInterval", 9),
        ("transmitInterval", 60001),
        ("echoInterval", 0),
        ("detectMultiplier", 1),
        ("detectMultiplier", 256),
        ("minimumTtl", 255),
    ] {
        let yaml = object("BFDProfile", "v1beta1", &format!("{{{field}: {value}}}"));
        refused(&yaml, &[&format!("error invalid-value spec.{field}")]);
    }
}

#[test]
fn aliases() {
    let community =
        |entries: &str| object("Community", "v1beta1", &format!("{{communities: {entries}}}"));
    let yaml = community("[{name: vpn, value: '64512:1'}, {name: big, value: 'large:1:2:3'}]");
    let Item::Communities(aliases) = only(lowered(&yaml)) else { panic!("aliases") };
    let texts: Vec<_> = aliases.aliases.iter().map(|(name, it)| format!("{name}={it}")).collect();
    assert_eq!(texts, ["vpn=64512:1", "big=large:1:2:3"]);
    for (entries, expected) in [
        ("[{name: a, value: '1234'}]", "error community-invalid spec.communities[0].value"),
        ("[{name: a}]", "error community-invalid spec.communities[0].value"),
        (
            "[{name: a, value: '1:1'}, {name: a, value: '1:1'}]",
            "error entry-duplicate spec.communities[1].name",
        ),
    ] {
        refused(&community(entries), &[expected]);
    }
}

#[test]
fn secrets_are_read_and_never_shown() {
    let yaml = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ntype: kubernetes.io/basic-auth\n\
                data: {password: aHVudGVyMg==, sealed: 'ENC[x]', both: '!'}\nstringData: {both: plain}\n";
    let Item::Secret(secret) = only(lowered(yaml)) else { panic!("a secret") };
    assert_eq!(&*secret.data["password"].0, b"hunter2");
    assert_eq!(&*secret.data["both"].0, b"plain");
    assert_eq!(secret.unreadable.iter().collect::<Vec<_>>(), ["sealed"]);
    assert!(!format!("{secret:?}").contains("hunter2") && !format!("{secret:?}").contains("plain"));
    assert!(!format!("{:?}", read_peer(&peer(", password: hunter2"))).contains("hunter2"));
}
