//! BGPPeer between its versions.

use serde::de::DeserializeOwned;
use steelyard_manifest::kinds::metallb::{
    BgpPeer, BgpPeerSpec, BgpPeerSpecV1Beta1, BgpPeerV1Beta1,
};
use steelyard_manifest::{Object, ReadLimits, Source, load};

use super::Case;

pub(crate) fn bgp_peer(case: &Case) -> Vec<String> {
    let (input, expected) = (object(case, "input.yaml"), object(case, "expected.yaml"));
    let to = case.content["settings"]["to"].as_str().unwrap_or_default();
    let is_old = |name: &str| name.ends_with("v1beta1");
    let version = &*expected.api_version;
    if !to.is_empty() && is_old(to) != is_old(version) {
        return vec![format!("to {to} and yet {version}")];
    }
    let (got, wanted) = if is_old(version) {
        (format!("{:?}", down(new(&input))), format!("{:?}", down(old(&expected).into())))
    } else {
        (format!("{:?}", plain(up(&input))), format!("{:?}", plain(new(&expected))))
    };
    let same_object = input.reference == expected.reference;
    if got == wanted && same_object { Vec::new() } else { vec![format!("{got}\n{wanted}")] }
}

fn object(case: &Case, name: &str) -> Object {
    let text = case.manifest(name);
    let loaded = load(&Source::new(name, text.as_bytes()), &ReadLimits::default());
    loaded.objects.into_iter().next().expect("an object")
}

fn read<T: DeserializeOwned>(object: &Object) -> T {
    let read = object.read::<T>();
    read.value.unwrap_or_else(|| panic!("{:?}", read.diagnostics))
}

fn new(object: &Object) -> BgpPeerSpec {
    read::<BgpPeer>(object).spec.unwrap_or_default()
}

fn old(object: &Object) -> BgpPeerSpecV1Beta1 {
    read::<BgpPeerV1Beta1>(object).spec.unwrap_or_default()
}

fn up(object: &Object) -> BgpPeerSpec {
    old(object).into()
}

fn down(spec: BgpPeerSpec) -> BgpPeerSpecV1Beta1 {
    plain(spec).into()
}

/// What is written as nothing is not there. That a time of zero stands for none is ours.
fn plain(spec: BgpPeerSpec) -> BgpPeerSpec {
    let text = |written: Option<String>| written.filter(|text| !text.is_empty());
    let time = |written: Option<String>| text(written).filter(|time| time != "0s");
    let secret = spec.password_secret.filter(|it| it.name.is_some() || it.namespace.is_some());
    let mut selectors = spec.node_selectors.unwrap_or_default();
    for selector in &mut selectors {
        selector.match_labels = selector.match_labels.take().filter(|it| !it.is_empty());
        selector.match_expressions = selector.match_expressions.take().filter(|it| !it.is_empty());
        for expression in selector.match_expressions.iter_mut().flatten() {
            expression.key = text(expression.key.take());
        }
    }
    BgpPeerSpec {
        dynamic_asn: text(spec.dynamic_asn),
        interface: text(spec.interface),
        peer_address: text(spec.peer_address),
        source_address: text(spec.source_address),
        router_id: text(spec.router_id),
        password: text(spec.password),
        bfd_profile: text(spec.bfd_profile),
        vrf: text(spec.vrf),
        hold_time: time(spec.hold_time),
        keepalive_time: time(spec.keepalive_time),
        node_selectors: (!selectors.is_empty()).then_some(selectors),
        password_secret: secret,
        ebgp_multi_hop: spec.ebgp_multi_hop.filter(|it| *it),
        ..spec
    }
}
