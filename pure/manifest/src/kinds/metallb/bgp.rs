//! BGPAdvertisement, BGPPeer in both versions, BFDProfile and Community.

use serde::Deserialize;

use super::super::meta::{Ignored, LabelSelector, ObjectMeta};
use super::super::opaque::opaque;

/// `metallb.io/v1beta1` BGPAdvertisement.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BgpAdvertisement {
    api_version: Ignored,
    kind: Ignored,
    /// Name.
    pub metadata: ObjectMeta,
    /// What is announced to whom.
    pub spec: Option<BgpAdvertisementSpec>,
    status: Ignored,
}

/// `spec` of a BGPAdvertisement.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BgpAdvertisementSpec {
    /// Length of announced IPv4 prefixes.
    pub aggregation_length: Option<i64>,
    /// Length of announced IPv6 prefixes.
    #[serde(rename = "aggregationLengthV6")]
    pub aggregation_length_v6: Option<i64>,
    /// LOCAL_PREF.
    pub local_pref: Option<i64>,
    /// Communities, or aliases of them.
    pub communities: Option<Vec<String>>,
    /// Pools by name.
    pub ip_address_pools: Option<Vec<String>>,
    /// Pools by label.
    pub ip_address_pool_selectors: Option<Vec<LabelSelector>>,
    /// Nodes that may be next hops.
    pub node_selectors: Option<Vec<LabelSelector>>,
    /// BGPPeers by name.
    pub peers: Option<Vec<String>>,
    /// Services it is for.
    pub service_selectors: Option<Vec<LabelSelector>>,
}

/// `metallb.io/v1beta2` BGPPeer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BgpPeer {
    api_version: Ignored,
    kind: Ignored,
    /// Name.
    pub metadata: ObjectMeta,
    /// The session.
    pub spec: Option<BgpPeerSpec>,
    status: Ignored,
}

/// `spec` of a BGPPeer of `v1beta2`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BgpPeerSpec {
    /// Our AS number.
    #[serde(rename = "myASN")]
    pub my_asn: Option<i64>,
    /// The router's AS number.
    #[serde(rename = "peerASN")]
    pub peer_asn: Option<i64>,
    /// `internal` or `external`, instead of a number.
    #[serde(rename = "dynamicASN")]
    pub dynamic_asn: Option<String>,
    /// AS number to show to this router.
    #[serde(rename = "localASN")]
    pub local_asn: Option<i64>,
    /// The router's address.
    pub peer_address: Option<String>,
    /// The interface it is behind, instead of an address.
    pub interface: Option<String>,
    /// Our address.
    pub source_address: Option<String>,
    /// The router's TCP port.
    pub peer_port: Option<i64>,
    /// A duration such as `90s`.
    pub hold_time: Option<String>,
    /// A duration.
    pub keepalive_time: Option<String>,
    /// A duration.
    pub connect_time: Option<String>,
    /// BGP identifier.
    #[serde(rename = "routerID")]
    pub router_id: Option<String>,
    /// Nodes that open the session.
    pub node_selectors: Option<Vec<LabelSelector>>,
    /// TCP MD5 password.
    pub password: Option<String>,
    /// Secret with the password.
    pub password_secret: Option<SecretReference>,
    /// BFDProfile by name.
    pub bfd_profile: Option<String>,
    /// RFC 4724.
    pub enable_graceful_restart: Option<bool>,
    /// Whether an external router may be further than one hop.
    pub ebgp_multi_hop: Option<bool>,
    /// Linux VRF.
    pub vrf: Option<String>,
    /// Deprecated, does nothing.
    #[serde(rename = "disableMP")]
    pub disable_mp: Option<bool>,
    /// Whether both families go over the session.
    pub dual_stack_address_family: Option<bool>,
}

/// A Secret by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretReference {
    /// Name.
    pub name: Option<String>,
    /// Namespace.
    pub namespace: Option<String>,
}

/// `metallb.io/v1beta1` BGPPeer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BgpPeerV1Beta1 {
    api_version: Ignored,
    kind: Ignored,
    /// Name.
    pub metadata: ObjectMeta,
    /// The session.
    pub spec: Option<BgpPeerSpecV1Beta1>,
    status: Ignored,
}

/// `spec` of a BGPPeer of `v1beta1`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BgpPeerSpecV1Beta1 {
    /// Our AS number.
    #[serde(rename = "myASN")]
    pub my_asn: Option<i64>,
    /// The router's AS number.
    #[serde(rename = "peerASN")]
    pub peer_asn: Option<i64>,
    /// The router's address.
    pub peer_address: Option<String>,
    /// Our address.
    pub source_address: Option<String>,
    /// The router's TCP port; 0 means the usual one.
    pub peer_port: Option<i64>,
    /// A duration such as `90s`.
    pub hold_time: Option<String>,
    /// A duration.
    pub keepalive_time: Option<String>,
    /// BGP identifier.
    #[serde(rename = "routerID")]
    pub router_id: Option<String>,
    /// Nodes that open the session.
    pub node_selectors: Option<Vec<LabelSelector>>,
    /// TCP MD5 password.
    pub password: Option<String>,
    /// BFDProfile by name.
    pub bfd_profile: Option<String>,
    /// Whether an external router may be further than one hop.
    pub ebgp_multi_hop: Option<bool>,
}

/// What `v1beta1` says, in the words of `v1beta2`. Times that are not written stay so (MetalLB's
/// own conversion makes zeros of them, which turns the hold timer off).
impl From<BgpPeerSpecV1Beta1> for BgpPeerSpec {
    fn from(old: BgpPeerSpecV1Beta1) -> Self {
        Self {
            my_asn: old.my_asn,
            peer_asn: old.peer_asn,
            peer_address: old.peer_address,
            source_address: old.source_address,
            peer_port: old.peer_port.filter(|port| *port != 0),
            hold_time: old.hold_time,
            keepalive_time: old.keepalive_time,
            router_id: old.router_id,
            node_selectors: old.node_selectors,
            password: old.password,
            bfd_profile: old.bfd_profile,
            ebgp_multi_hop: old.ebgp_multi_hop,
            ..Self::default()
        }
    }
}

/// As much of `v1beta2` as `v1beta1` can say; the rest is lost. No Secret becomes a password.
impl From<BgpPeerSpec> for BgpPeerSpecV1Beta1 {
    fn from(new: BgpPeerSpec) -> Self {
        Self {
            my_asn: new.my_asn,
            peer_asn: new.peer_asn,
            peer_address: new.peer_address,
            source_address: new.source_address,
            peer_port: new.peer_port,
            hold_time: new.hold_time,
            keepalive_time: new.keepalive_time,
            router_id: new.router_id,
            node_selectors: new.node_selectors,
            password: new.password,
            bfd_profile: new.bfd_profile,
            ebgp_multi_hop: new.ebgp_multi_hop,
        }
    }
}

/// `metallb.io/v1beta1` BFDProfile.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BfdProfile {
    api_version: Ignored,
    kind: Ignored,
    /// Name.
    pub metadata: ObjectMeta,
    /// Times and modes.
    pub spec: Option<BfdProfileSpec>,
    status: Ignored,
}

/// `spec` of a BFDProfile.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BfdProfileSpec {
    /// Milliseconds.
    pub receive_interval: Option<i64>,
    /// Milliseconds.
    pub transmit_interval: Option<i64>,
    /// Packets that may be missing.
    pub detect_multiplier: Option<i64>,
    /// Milliseconds.
    pub echo_interval: Option<i64>,
    /// Whether echo packets are used.
    pub echo_mode: Option<bool>,
    /// Whether the router begins.
    pub passive_mode: Option<bool>,
    /// TTL that must be left.
    pub minimum_ttl: Option<i64>,
}

/// `metallb.io/v1beta1` Community.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Community {
    api_version: Ignored,
    kind: Ignored,
    /// Name.
    pub metadata: ObjectMeta,
    /// The aliases.
    pub spec: Option<CommunitySpec>,
    status: Ignored,
}

/// `spec` of a Community.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CommunitySpec {
    /// Aliases and their values.
    pub communities: Option<Vec<CommunityAlias>>,
}

/// One of `spec.communities` of a Community.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CommunityAlias {
    /// The alias.
    pub name: Option<String>,
    /// The community.
    pub value: Option<String>,
}

opaque!(BgpPeerSpec, BgpPeerSpecV1Beta1);
