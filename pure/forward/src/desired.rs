//! What the plan wants of this node's data path.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use steelyard_model::{NamespacedName, Protocol};

/// All of it: what is not in here is withdrawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// Vips whose packets our own listeners take.
    pub served: Vec<Served>,
    /// Vips whose packets go on to endpoints.
    pub forwarded: Vec<Forwarded>,
}

impl Desired {
    /// Ports of TCP that have a choice of endpoints.
    pub fn choices(&self) -> BTreeMap<SocketAddr, Vec<SocketAddr>> {
        let ports = self.forwarded.iter().flat_map(|vip| {
            let tcp = vip.ports.iter().filter(|it| it.protocol == Protocol::Tcp);
            tcp.map(|it| (SocketAddr::new(vip.address, it.port), it.endpoints.clone()))
        });
        ports.filter(|(_, endpoints)| endpoints.len() > 1).collect()
    }
}

/// A vip of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The vip.
    pub address: IpAddr,
    /// Ports somebody (the gateway) listens for with `IP_TRANSPARENT`.
    pub listening: Vec<Listening>,
}

/// A port of a vip that somebody listens for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Transport.
    pub protocol: Protocol,
    /// The port clients use.
    pub port: u16,
    /// The port at the vip that the listener is bound to: packets are led there.
    pub at: u16,
}

/// A vip of another Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// The vip.
    pub address: IpAddr,
    /// Whose it is, for explanations.
    pub service: NamespacedName,
    /// It restricts who may connect, which is not honoured: nobody is let in.
    pub is_closed: bool,
    /// Its ports. A port that is not in here is closed: a reset for TCP.
    pub ports: Vec<ForwardedPort>,
}

/// One port of a forwarded vip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardedPort {
    /// Transport.
    pub protocol: Protocol,
    /// The port clients use.
    pub port: u16,
    /// Where it goes, the usable ones only. None: closed.
    pub endpoints: Vec<SocketAddr>,
}

/// A port of a vip: what everything here is keyed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VipPort {
    /// The vip.
    pub address: IpAddr,
    /// Transport.
    pub protocol: Protocol,
    /// The port clients use.
    pub port: u16,
}

impl VipPort {
    /// Address and port, without the transport.
    pub fn socket(self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }
}

/// `10.0.0.1:80/TCP`
impl std::fmt::Display for VipPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.socket(), self.protocol)
    }
}
