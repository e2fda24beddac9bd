//! The normalised meaning of a configuration, in the words of the cases.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use steelyard_model::bgp::{JoinedPassword, JoinedPeer, Neighbor, Password, PeerAs};
use steelyard_model::{
    BgpAdvertisement, L2Advertisement, Operator, Pool, Requirement, Selector, Snapshot,
};

/// What is not as `expected`; fields that we do not have are not compared.
pub(crate) fn differences(snapshot: &Snapshot, expected: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let peers = snapshot.bgp.peers.iter().map(|it| (it.peer.id.name.to_string(), peer(it)));
    compare("peer", peers.collect(), &expected["peers"], &mut wrong);
    let pools = snapshot.pools.iter().map(|it| (it.id.name.to_string(), pool(snapshot, it)));
    compare("pool", pools.collect(), &expected["pools"], &mut wrong);
    wrong
}

fn compare(what: &str, got: Map<String, Value>, expected: &Value, wrong: &mut Vec<String>) {
    let expected = expected.as_object().expect("objects by name");
    let names = |map: &Map<String, Value>| map.keys().cloned().collect::<BTreeSet<_>>();
    if names(&got) != names(expected) {
        wrong.push(format!("{what}s: got {:?}", names(&got)));
        return;
    }
    for (name, fields) in &got {
        for (field, value) in fields.as_object().expect("fields") {
            let wanted = sorted(field, &expected[name][field]);
            if wanted != *value {
                wrong.push(format!("{what} {name}.{field}: got {value}, expected {wanted}"));
            }
        }
    }
}

/// Lists whose order means nothing are sorted.
fn sorted(field: &str, value: &Value) -> Value {
    match (field, value) {
        ("port", Value::Null) => json!(179),
        ("bgp_advertisements" | "l2_advertisements", Value::Array(list)) => {
            let mut list = list.clone();
            list.sort_by_key(Value::to_string);
            Value::Array(list)
        }
        _ => value.clone(),
    }
}

fn peer(joined: &JoinedPeer) -> Value {
    let it = &joined.peer;
    let (address, interface) = match &it.neighbor {
        Neighbor::Address(address) => (json!(address), ""),
        Neighbor::Interface(name) => (Value::Null, &**name),
    };
    let (peer_asn, dynamic_asn) = match it.peer_as {
        PeerAs::Number(number) => (number, ""),
        PeerAs::Internal => (0, "internal"),
        PeerAs::External => (0, "external"),
    };
    let by_reference = matches!(it.password, Some(Password::Secret { .. }));
    let password = match &joined.password {
        JoinedPassword::Known(value) => String::from_utf8_lossy(&value.0).into_owned(),
        JoinedPassword::None | JoinedPassword::Elsewhere(_) => String::new(),
    };
    let all = vec![Selector::default()];
    let selectors = if it.node_selectors.is_empty() { &all } else { &it.node_selectors };
    json!({
        "address": address,
        "interface": interface,
        "bfd_profile": it.bfd_profile.as_deref().unwrap_or_default(),
        "connect_time_s": it.connect_time,
        "dual_stack_address_family": it.dual_stack,
        "dynamic_asn": dynamic_asn,
        "ebgp_multihop": it.ebgp_multi_hop,
        "graceful_restart": it.graceful_restart,
        "hold_time_s": it.timers.map(|timers| timers.hold),
        "keepalive_time_s": it.timers.map(|timers| timers.keepalive),
        "local_asn": it.local_asn.unwrap_or(0),
        "my_asn": it.my_asn,
        "node_selectors": texts(selectors),
        "password": if by_reference { "" } else { &*password },
        "secret_password": if by_reference { &*password } else { "" },
        "peer_asn": peer_asn,
        "port": it.port,
        "router_id": it.router_id,
        "source_address": it.source_address,
        "vrf": it.vrf.as_deref().unwrap_or_default(),
    })
}

fn pool(snapshot: &Snapshot, pool: &Pool) -> Value {
    let prefixes = pool.ranges.iter().flat_map(|range| range.prefixes());
    let cidrs: Vec<String> =
        prefixes.map(|(network, length)| format!("{network}/{length}")).collect();
    let routed = snapshot.bgp.pool_advertisements.get(&pool.id).into_iter().flatten();
    let routed = routed.map(|index| {
        let joined = &snapshot.bgp.advertisements[*index];
        let texts: Vec<_> = joined.communities.iter().map(ToString::to_string).collect();
        bgp(snapshot, &joined.advertisement, texts)
    });
    let announced = snapshot.pool_advertisements.get(&pool.id).into_iter().flatten();
    let announced = announced.map(|index| &snapshot.l2_advertisements[*index]);
    json!({
        "auto_assign": pool.auto_assign,
        "avoid_buggy_ips": pool.avoid_buggy_ips,
        "cidrs": cidrs,
        "bgp_advertisements": sorted("bgp_advertisements", &routed.collect()),
        "l2_advertisements": layer2(snapshot, announced),
    })
}

fn bgp(snapshot: &Snapshot, it: &BgpAdvertisement, communities: Vec<String>) -> Value {
    json!({
        "aggregation_length": it.aggregation_length,
        "aggregation_length_v6": it.aggregation_length_v6,
        "communities": communities,
        "local_pref": it.local_pref,
        "name": &*it.id.name,
        "nodes": nodes(snapshot, &it.node_selectors),
        "peers": it.peers.iter().collect::<BTreeSet<_>>(),
        "service_selectors": texts(&it.service_selectors),
    })
}

/// Equal ones count once, unless they have preferences.
fn layer2<'a>(snapshot: &Snapshot, ads: impl Iterator<Item = &'a L2Advertisement>) -> Value {
    let mut all: Vec<Value> = Vec::new();
    for it in ads {
        let nodes = nodes(snapshot, &it.node_selectors);
        let mut preferred = Map::new();
        for node in snapshot.nodes.iter().filter(|node| nodes.contains(&node.name.to_string())) {
            let matching =
                it.preferred_nodes.iter().filter(|it| it.preference.matches(&node.labels));
            let score: u32 = matching.map(|it| it.weight).sum();
            if score > 0 {
                preferred.insert(node.name.to_string(), json!(score));
            }
        }
        let plain = preferred.is_empty();
        let value = json!({
            "all_interfaces": it.interfaces.is_empty(),
            "interfaces": it.interfaces.iter().collect::<BTreeSet<_>>(),
            "nodes": nodes,
            "preferred_nodes": preferred,
            "service_selectors": texts(&it.service_selectors),
        });
        if !plain || !all.contains(&value) {
            all.push(value);
        }
    }
    sorted("l2_advertisements", &Value::Array(all))
}

fn nodes(snapshot: &Snapshot, selectors: &[Selector]) -> BTreeSet<String> {
    let selected = snapshot
        .nodes
        .iter()
        .filter(|node| selectors.is_empty() || Selector::any(selectors, &node.labels));
    selected.map(|node| node.name.to_string()).collect()
}

/// Selectors as Kubernetes prints them.
fn texts(selectors: &[Selector]) -> Vec<String> {
    let mut texts: Vec<String> = selectors.iter().map(text).collect();
    texts.sort();
    texts
}

fn text(selector: &Selector) -> String {
    let labels = selector.match_labels.iter().map(|(key, value)| (key, format!("{key}={value}")));
    let mut all: Vec<(&String, String)> = labels.collect();
    all.extend(selector.expressions.iter().map(|it| (&it.key, requirement(it))));
    all.sort();
    all.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(",")
}

fn requirement(it: &Requirement) -> String {
    let values: BTreeSet<&str> = it.values.iter().map(String::as_str).collect();
    let values = values.into_iter().collect::<Vec<_>>().join(",");
    match it.operator {
        Operator::In => format!("{} in ({values})", it.key),
        Operator::NotIn => format!("{} notin ({values})", it.key),
        Operator::Exists => it.key.clone(),
        Operator::DoesNotExist => format!("!{}", it.key),
    }
}
