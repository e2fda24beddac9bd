//! What is announced to which routers, and how we talk to them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::community::Community;
use crate::object::{NamespacedName, ObjectRef};
use crate::secret::SecretValue;
use crate::selector::Selector;
use crate::service::Family;

/// A valid BGPAdvertisement: prefixes of its pools are announced to routers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BgpAdvertisement {
    /// `namespace/name`.
    pub id: NamespacedName,
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// Length of announced IPv4 prefixes, 1 to 32.
    pub aggregation_length: u8,
    /// Length of announced IPv6 prefixes, 0 to 128.
    pub aggregation_length_v6: u8,
    /// LOCAL_PREF; 0 means none is asked for.
    pub local_pref: u32,
    /// Communities as written: numbers or aliases.
    pub communities: Vec<CommunityRef>,
    /// Pools by name; with `pool_selectors` empty too, all pools.
    pub pools: Vec<String>,
    /// Pools by label, in addition.
    pub pool_selectors: Vec<Selector>,
    /// Nodes that may be next hops; empty means all.
    pub node_selectors: Vec<Selector>,
    /// Services by label; empty means all.
    pub service_selectors: Vec<Selector>,
    /// BGPPeers by name; empty means all.
    pub peers: Vec<String>,
}

/// A community, or the alias of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommunityRef {
    /// Its value.
    Value(Community),
    /// A name that a Community object gives to one.
    Alias(String),
}

/// A valid Community object: names for communities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommunityAliases {
    /// `namespace/name`.
    pub id: NamespacedName,
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// Alias and value, as listed.
    pub aliases: Vec<(String, Community)>,
}

/// A valid BGPPeer: a session with a router, opened by every node it selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BgpPeer {
    /// `namespace/name`.
    pub id: NamespacedName,
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// Our AS number.
    pub my_asn: u32,
    /// The router's.
    pub peer_as: PeerAs,
    /// An AS number to show to this router instead of ours.
    pub local_asn: Option<u32>,
    /// Where the router is.
    pub neighbor: Neighbor,
    /// Its TCP port.
    pub port: u16,
    /// Our address of the session.
    pub source_address: Option<IpAddr>,
    /// BGP identifier of ours.
    pub router_id: Option<Ipv4Addr>,
    /// Times asked for; none means the speaker's defaults.
    pub timers: Option<Timers>,
    /// Seconds between attempts to connect.
    pub connect_time: Option<u16>,
    /// Nodes that open the session; empty means all.
    pub node_selectors: Vec<Selector>,
    /// TCP MD5 password.
    pub password: Option<Password>,
    /// BFDProfile by name.
    pub bfd_profile: Option<String>,
    /// RFC 4724.
    pub graceful_restart: bool,
    /// Whether an external router may be more than one hop away.
    pub ebgp_multi_hop: bool,
    /// Linux VRF of the session.
    pub vrf: Option<String>,
    /// Whether prefixes of the other family go over this session too.
    pub dual_stack: bool,
}

/// AS number of a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerAs {
    /// This one.
    Number(u32),
    /// Whatever it says, if it is ours.
    Internal,
    /// Whatever it says, if it is not ours.
    External,
}

/// Where a router is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Neighbor {
    /// At an address.
    Address(IpAddr),
    /// At the other end of an interface (unnumbered).
    Interface(String),
}

/// Timers of a session in seconds (RFC 4271 §10); 0 turns the hold timer off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Hold time: 0, or 3 and more.
    pub hold: u16,
    /// Keepalive time, not above `hold`.
    pub keepalive: u16,
}

/// Where a password comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// Written in the object.
    Plain(SecretValue),
    /// Key `password` of a Secret of type `kubernetes.io/basic-auth`.
    Secret {
        /// Name.
        name: String,
        /// Namespace, where one is written.
        namespace: Option<String>,
    },
}

/// A valid BFDProfile (RFC 5880).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BfdProfile {
    /// `namespace/name`.
    pub id: NamespacedName,
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// Milliseconds between control packets that we can take.
    pub receive_interval: Option<u16>,
    /// Milliseconds between control packets that we send.
    pub transmit_interval: Option<u16>,
    /// Packets that may be missing.
    pub detect_multiplier: Option<u8>,
    /// Milliseconds between echo packets.
    pub echo_interval: Option<u16>,
    /// Whether echo packets are used.
    pub echo_mode: bool,
    /// Whether we wait for the router to begin.
    pub passive_mode: bool,
    /// TTL that packets of a multi-hop session must have left.
    pub minimum_ttl: Option<u8>,
}

/// All of BGP after the join.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bgp {
    /// Advertisements that count, by name.
    pub advertisements: Vec<JoinedAdvertisement>,
    /// Peers that count, by name.
    pub peers: Vec<JoinedPeer>,
    /// Which of `advertisements` (by index) select a pool; a pool that none selects is absent.
    pub pool_advertisements: BTreeMap<NamespacedName, Vec<usize>>,
}

/// An advertisement with what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedAdvertisement {
    /// The advertisement.
    pub advertisement: BgpAdvertisement,
    /// Its communities: each once, in order of their texts.
    pub communities: Vec<Community>,
    /// The peers that are told, by index.
    pub peers: Vec<usize>,
}

/// A peer with what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedPeer {
    /// The peer.
    pub peer: BgpPeer,
    /// Its BFD profile.
    pub bfd: Option<BfdProfile>,
    /// Its password.
    pub password: JoinedPassword,
}

/// What became of the password of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JoinedPassword {
    /// It has none.
    None,
    /// This one.
    Known(SecretValue),
    /// In a Secret of another namespace that is not in the input: no session without it.
    Elsewhere(NamespacedName),
}

impl BgpAdvertisement {
    /// Length of announced prefixes of a family.
    pub fn length(&self, family: Family) -> u8 {
        match family {
            Family::V4 => self.aggregation_length,
            Family::V6 => self.aggregation_length_v6,
        }
    }

    /// Whether both may tell the same peer, by the names they list.
    pub fn shares_peers(&self, other: &Self) -> bool {
        self.peers.is_empty()
            || other.peers.is_empty()
            || self.peers.iter().any(|name| other.peers.contains(name))
    }
}

impl BgpPeer {
    /// Whether prefixes of `family` go over this session. Without an address to tell from
    /// (unnumbered) both do.
    pub fn carries(&self, family: Family) -> bool {
        match self.neighbor {
            Neighbor::Address(address) => self.dual_stack || Family::of(address) == family,
            Neighbor::Interface(_) => true,
        }
    }
}

impl fmt::Display for Neighbor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Interface(name) => name.fmt(f),
        }
    }
}
