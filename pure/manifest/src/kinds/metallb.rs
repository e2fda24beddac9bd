//! `metallb.io`: every kind that users write, with every field it has.

mod bgp;

use serde::Deserialize;

pub use bgp::{
    BfdProfile, BfdProfileSpec, BgpAdvertisement, BgpAdvertisementSpec, BgpPeer, BgpPeerSpec,
    BgpPeerSpecV1Beta1, BgpPeerV1Beta1, Community, CommunityAlias, CommunitySpec, SecretReference,
};

use super::meta::{Ignored, LabelSelector, ObjectMeta};

/// `metallb.io/v1beta1` IPAddressPool.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IpAddressPool {
    api_version: Ignored,
    kind: Ignored,
    /// Name and labels.
    pub metadata: ObjectMeta,
    /// Its addresses and whom they are for.
    pub spec: Option<IpAddressPoolSpec>,
    status: Ignored,
}

/// `spec` of an IPAddressPool.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IpAddressPoolSpec {
    /// CIDRs and ranges.
    pub addresses: Option<Vec<String>>,
    /// False: only on explicit request.
    pub auto_assign: Option<bool>,
    /// Leave out IPv4 addresses that end in .0 or .255.
    #[serde(rename = "avoidBuggyIPs")]
    pub avoid_buggy_ips: Option<bool>,
    /// Which Services it is for.
    pub service_allocation: Option<ServiceAllocation>,
}

/// `spec.serviceAllocation`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceAllocation {
    /// Lower comes first; 0 comes last.
    pub priority: Option<i64>,
    /// Namespaces by name.
    pub namespaces: Option<Vec<String>>,
    /// Namespaces by label.
    pub namespace_selectors: Option<Vec<LabelSelector>>,
    /// Services by label.
    pub service_selectors: Option<Vec<LabelSelector>>,
}

/// `metallb.io/v1beta1` L2Advertisement.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct L2Advertisement {
    api_version: Ignored,
    kind: Ignored,
    /// Name.
    pub metadata: ObjectMeta,
    /// What is announced where.
    pub spec: Option<L2AdvertisementSpec>,
    status: Ignored,
}

/// `spec` of an L2Advertisement.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct L2AdvertisementSpec {
    /// Pools by name.
    pub ip_address_pools: Option<Vec<String>>,
    /// Pools by label.
    pub ip_address_pool_selectors: Option<Vec<LabelSelector>>,
    /// Nodes that may announce.
    pub node_selectors: Option<Vec<LabelSelector>>,
    /// Services it is for.
    pub service_selectors: Option<Vec<LabelSelector>>,
    /// Interfaces to announce on.
    pub interfaces: Option<Vec<String>>,
    /// Nodes to prefer.
    pub preferred_node_selectors: Option<Vec<PreferredNodeSelector>>,
}

/// One of `spec.preferredNodeSelectors`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PreferredNodeSelector {
    /// 1 to 100.
    pub weight: Option<i64>,
    /// Which nodes.
    pub preference: Option<LabelSelector>,
}
