//! BGPPeer of `v1beta1` and `v1beta2`, valid when MetalLB takes it in one of its modes.
//!
//! Whether the profile and the Secret it names exist is the join's.

mod timers;

use std::net::{IpAddr, Ipv4Addr};

use steelyard_manifest::kinds::metallb as raw;
use steelyard_model::bgp::{Neighbor, Password, PeerAs};
use steelyard_model::{BgpPeer, FieldPath, Item, SecretValue, Severity};

use crate::findings::Findings;
use crate::{codes, selector};

/// The port of BGP (RFC 4271 §8).
const BGP_PORT: u16 = 179;
const LARGEST_ASN: i64 = u32::MAX as i64;
/// What MetalLB's schema stops at.
const LARGEST_PORT: i64 = 16_384;

pub(crate) fn lower(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::BgpPeer = findings.read()?;
    Some(peer(raw.spec.unwrap_or_default(), findings))
}

pub(crate) fn lower_v1beta1(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::BgpPeerV1Beta1 = findings.read()?;
    Some(peer(raw.spec.unwrap_or_default().into(), findings))
}

fn peer(mut spec: raw::BgpPeerSpec, findings: &mut Findings<'_>) -> Item {
    let path = FieldPath::from("spec");
    let my_asn = my_asn(spec.my_asn, findings);
    let peer_as = peer_as(&spec, findings);
    let ebgp_multi_hop = spec.ebgp_multi_hop.unwrap_or(false);
    if ebgp_multi_hop && my_asn.is_some() && peer_as == my_asn.map(PeerAs::Number) {
        findings.invalid(
            codes::FIELDS_EXCLUSIVE,
            &path.key("ebgpMultiHop"),
            "ebgpMultiHop is for routers of another AS, but peerASN is myASN",
            "remove ebgpMultiHop, or correct peerASN",
        );
    }
    let mut address =
        |written: &Option<String>, name| exact_address(text(written)?, &path.key(name), findings);
    let source_address = address(&spec.source_address, "sourceAddress");
    let router_id = address(&spec.router_id, "routerID");
    let port = findings.within(&path.key("peerPort"), spec.peer_port, 1..=LARGEST_PORT);
    let local_asn = findings.within(&path.key("localASN"), spec.local_asn, 1..=LARGEST_ASN);
    let selectors = spec.node_selectors.take();
    Item::BgpPeer(Box::new(BgpPeer {
        neighbor: neighbor(&spec, findings),
        timers: timers::of_session(&spec, findings),
        connect_time: timers::to_connect(&spec, findings),
        password: password(&spec, findings),
        router_id: router_id.and_then(|address| router_id_v4(address, findings)),
        node_selectors: selector::list(selectors.as_deref(), &path.key("nodeSelectors"), findings),
        id: findings.id(),
        object: findings.object().clone(),
        my_asn: my_asn.unwrap_or_default(),
        peer_as: peer_as.unwrap_or(PeerAs::Number(0)),
        local_asn,
        port: port.unwrap_or(BGP_PORT),
        source_address,
        bfd_profile: spec.bfd_profile.filter(|name| !name.is_empty()),
        graceful_restart: spec.enable_graceful_restart.unwrap_or(false),
        ebgp_multi_hop,
        vrf: spec.vrf.filter(|name| !name.is_empty()),
        dual_stack: spec.dual_stack_address_family.unwrap_or(false),
    }))
}

/// What is written; an empty text is as good as none.
fn text(written: &Option<String>) -> Option<&str> {
    written.as_deref().filter(|text| !text.is_empty())
}

/// An address without blanks around it, which MetalLB does not trim.
fn exact_address(text: &str, path: &FieldPath, findings: &mut Findings<'_>) -> Option<IpAddr> {
    let trimmed = text.trim();
    if trimmed != text {
        let message = format!("`{text}` has blanks around it");
        findings.invalid(codes::INVALID_VALUE, path, message, format!("write {trimmed}"));
        return None;
    }
    findings.address(path, text)
}

fn my_asn(written: Option<i64>, findings: &mut Findings<'_>) -> Option<u32> {
    let path = FieldPath::from("spec.myASN");
    if written.is_none() {
        findings.missing(&path, "add the number of your own autonomous system, such as 64512");
    }
    findings.within(&path, written, 1..=LARGEST_ASN)
}

fn peer_as(spec: &raw::BgpPeerSpec, findings: &mut Findings<'_>) -> Option<PeerAs> {
    let path = FieldPath::from("spec");
    let (number, dynamic) = (path.key("peerASN"), path.key("dynamicASN"));
    let known = [("internal", PeerAs::Internal), ("external", PeerAs::External)];
    let written = text(&spec.dynamic_asn);
    let by_rule = findings.choice(&dynamic, written, &known);
    let by_number = spec.peer_asn.filter(|asn| *asn != 0);
    let by_number = findings.within(&number, by_number, 1..=LARGEST_ASN).map(PeerAs::Number);
    match (by_number, written) {
        (Some(_), Some(_)) => findings.exclusive(&dynamic, &number),
        (None, None) if spec.peer_asn.is_none_or(|asn| asn == 0) => {
            findings.missing(&number, "add the router's AS number, or `dynamicASN: external`");
        }
        _ => {}
    }
    by_number.or(by_rule)
}

fn neighbor(spec: &raw::BgpPeerSpec, findings: &mut Findings<'_>) -> Neighbor {
    let path = FieldPath::from("spec");
    let (at, behind) = (path.key("peerAddress"), path.key("interface"));
    match (text(&spec.peer_address), text(&spec.interface)) {
        (Some(_), Some(_)) => findings.exclusive(&behind, &at),
        (Some(address), None) => {
            if let Some(address) = exact_address(address, &at, findings) {
                return Neighbor::Address(address);
            }
        }
        (None, Some(name)) => return Neighbor::Interface(name.to_owned()),
        (None, None) => {
            findings.missing(&at, "add the router's address, or the `interface` it is behind");
        }
    }
    // The object is invalid: this is never looked at.
    Neighbor::Address(Ipv4Addr::UNSPECIFIED.into())
}

fn router_id_v4(address: IpAddr, findings: &mut Findings<'_>) -> Option<Ipv4Addr> {
    if let IpAddr::V4(address) = address {
        return Some(address);
    }
    findings.say(
        Severity::Warning,
        codes::INVALID_VALUE,
        &FieldPath::from("spec.routerID"),
        format!("`{address}` cannot be a BGP identifier: it has 32 bits; it is left out"),
        "write it like an IPv4 address, such as 10.0.0.1",
    );
    None
}

fn password(spec: &raw::BgpPeerSpec, findings: &mut Findings<'_>) -> Option<Password> {
    let path = FieldPath::from("spec");
    let reference = spec.password_secret.as_ref();
    let secret = reference.and_then(|secret| text(&secret.name)).map(|name| Password::Secret {
        name: name.to_owned(),
        namespace: reference.and_then(|secret| text(&secret.namespace)).map(str::to_owned),
    });
    let plain = text(&spec.password).map(|plain| Password::Plain(SecretValue::from(plain)));
    if secret.is_some() && plain.is_some() {
        findings.exclusive(&path.key("password"), &path.key("passwordSecret"));
    }
    secret.or(plain)
}
