//! Where traffic ends up.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::labels::Labels;
use crate::object::{NamespacedName, ObjectRef};
use crate::protocol::Protocol;

/// One address and port that answers for a Service port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Address, or a name to look up.
    pub host: Host,
    /// Port.
    pub port: u16,
    /// Whether it takes traffic.
    pub state: EndpointState,
    /// The node it runs on, where known.
    pub node: Option<Arc<str>>,
    /// The zones whose requests it is meant for, where its Service asks that they stay there.
    pub zones: Option<Zones>,
}

/// Names of zones.
pub type Zones = Arc<[Arc<str>]>;

/// Whether an endpoint takes traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointState {
    /// Takes new connections.
    Ready,
    /// Not ready but answering: used when nothing is ready.
    Serving,
    /// On its way out but still answering: used when nothing is ready.
    Terminating,
    /// Takes none.
    NotReady,
}

/// An IP address, or a DNS name for things outside the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// A name, resolved when connecting.
    Name(Arc<str>),
}

/// A `discovery.k8s.io` EndpointSlice (or a `v1` Endpoints subset).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSlice {
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// The Service it belongs to.
    pub service: NamespacedName,
    /// Its ports, by Service port name (empty name for an unnamed port).
    pub ports: Vec<SlicePort>,
    /// Its endpoints.
    pub endpoints: Vec<SliceEndpoint>,
}

/// One endpoint of an [`EndpointSlice`], on whatever port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceEndpoint {
    /// Its address.
    pub host: Host,
    /// Whether it takes traffic.
    pub state: EndpointState,
    /// The node it runs on.
    pub node: Option<Arc<str>>,
    /// `hints.forZones`; none where there are no hints.
    pub zones: Option<Zones>,
}

/// A port of an [`EndpointSlice`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlicePort {
    /// Name of the Service port; empty for the unnamed one.
    pub name: String,
    /// Transport.
    pub protocol: Protocol,
    /// The pods' port; none means every port (nothing can be sent to it).
    pub port: Option<u16>,
}

/// A `v1` Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// `namespace/name`.
    pub id: NamespacedName,
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `status.podIPs`.
    pub addresses: Vec<IpAddr>,
    /// Whether it takes traffic.
    pub state: EndpointState,
    /// `spec.nodeName`.
    pub node: Option<Arc<str>>,
    /// Named container ports.
    pub named_ports: BTreeMap<String, u16>,
}

/// A Deployment, StatefulSet or DaemonSet: what would run the pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// `namespace/name`.
    pub id: NamespacedName,
    /// The object itself; its kind tells which of the three.
    pub object: Arc<ObjectRef>,
    /// Labels of the pod template.
    pub labels: Labels,
    /// How many pods; for a DaemonSet 1 (one per node).
    pub replicas: u32,
    /// Container ports of the template: name (where given), protocol, number.
    pub ports: Vec<(Option<String>, Protocol, u16)>,
}

impl EndpointState {
    /// Whether it answers.
    pub fn serves(self) -> bool {
        self != Self::NotReady
    }

    /// Whether it is used only when nothing is ready.
    pub fn is_last_resort(self) -> bool {
        matches!(self, Self::Serving | Self::Terminating)
    }
}

impl Endpoint {
    /// Whether new traffic may go there.
    pub fn is_ready(&self) -> bool {
        self.state == EndpointState::Ready
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// `10.0.0.1:80`, `[fd00::1]:80`, `nas.lan:80`.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}
