//! The plan as others read it: exactly the JSON of `plan -o json`, which people script against.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;
use steelyard_ipam::ServiceEvent;
use steelyard_model::{NamespacedName, ServedBy, Sorted};

/// A Service of type LoadBalancer that is ours.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRow<'a> {
    /// Namespace.
    pub namespace: &'a str,
    /// Name.
    pub name: &'a str,
    /// Its addresses; empty while it is pending.
    pub addresses: &'a [IpAddr],
    /// The pool they are from.
    pub pool: Option<&'a Arc<str>>,
    /// Who takes the traffic; none without an address.
    pub served_by: Option<ServedBy>,
    /// What to tell about it.
    pub events: &'a [ServiceEvent],
}

impl<'a> ServiceRow<'a> {
    /// What came of it, which is told once.
    pub fn outcome(&self) -> impl PartialEq + use<'a> {
        (self.addresses, self.pool, self.events)
    }
}

/// Who announces an address.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AnnouncementRow {
    /// On the LAN.
    Layer2(Layer2Row),
    /// To routers.
    Bgp(BgpRow),
}

/// Who answers for an address on the LAN. Of most the lists are those of others, which lie in
/// memory once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Layer2Row {
    /// The address.
    pub address: IpAddr,
    /// The Service it is for.
    pub service: NamespacedName,
    /// How.
    pub protocol: AnnouncedBy,
    /// The node that answers; none if no node may.
    pub owner: Option<Arc<str>>,
    /// The nodes that would answer if it did not, in order.
    pub standbys: Arc<[Arc<str>]>,
    /// The only interfaces on which it is announced; empty means every suitable one.
    pub interfaces: Arc<[String]>,
    /// BGP peers; none on the LAN.
    pub peers: [String; 0],
}

/// A prefix that nodes announce to routers for a Service.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BgpRow {
    /// The prefix, `203.0.113.4/32`.
    pub address: String,
    /// The Service it is for.
    pub service: NamespacedName,
    /// How.
    pub protocol: AnnouncedBy,
    /// The nodes that announce it; none if no node may.
    pub nodes: Vec<String>,
    /// The peers that hear of it, from some of the nodes at least.
    pub peers: Vec<String>,
    /// LOCAL_PREF; 0 if none is asked for.
    pub local_pref: u32,
    /// Communities, in order of their texts.
    pub communities: Vec<String>,
}

/// How an address is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AnnouncedBy {
    /// ARP and NDP.
    Layer2,
    /// Routes.
    Bgp,
}

/// A session of a node with a router, and what goes over it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeerRow {
    /// The node.
    pub node: String,
    /// Name of the BGPPeer.
    pub peer: String,
    /// The router's address, or the interface it is behind.
    pub address: String,
    /// Routes, by prefix: network and length.
    #[serde(serialize_with = "Sorted::list_values")]
    pub routes: Sorted<(IpAddr, u8), AdvertisedRow>,
}

/// A route as a router is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdvertisedRow {
    /// The prefix.
    pub prefix: String,
    /// LOCAL_PREF; 0 if none is asked for.
    pub local_pref: u32,
    /// Communities, in order of their texts.
    pub communities: Vec<String>,
    /// The Services it is for.
    pub services: Vec<NamespacedName>,
}

impl AnnouncementRow {
    /// The Service it is for.
    pub fn service(&self) -> &NamespacedName {
        match self {
            Self::Layer2(row) => &row.service,
            Self::Bgp(row) => &row.service,
        }
    }
}

/// A route.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteRow {
    /// `default-web-0@ingress`.
    pub name: String,
    /// The object that asks for it.
    pub source: String,
    /// What is routed.
    pub kind: RoutedKind,
    /// Entry points by name.
    pub entry_points: Vec<String>,
    /// The rule, in Traefik's words.
    pub rule: String,
    /// Its priority, as Traefik would set it.
    pub priority: i64,
    /// Filters, in order.
    pub filters: Vec<FilterRow>,
    /// How TLS ends here; none where it does not.
    pub tls: Option<TlsRow>,
    /// Where requests go.
    pub backends: Vec<BackendRow>,
}

/// What is routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RoutedKind {
    /// Requests.
    Http,
    /// TCP connections.
    Tcp,
    /// UDP sessions.
    Udp,
}

/// A filter on a route.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FilterRow {
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: String,
}

/// How TLS ends.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TlsRow {
    /// The policy of its handshakes; `default` where none is asked for.
    pub options: String,
}

/// A Service port that a route sends to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BackendRow {
    /// `namespace/name:port`.
    pub service: String,
    /// Share among the route's backends.
    pub weight: u32,
    /// The endpoints that are ready.
    pub endpoints: Vec<String>,
    /// And those that take no requests here, since they are meant for other zones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<String>,
}
