//! What the plan wants of this node's data path.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use steelyard_model::{NamespacedName, Protocol, Sorted};

/// What is asked for, as the plan names it: a Service, and the position of the address with it.
pub type VipPlace = (NamespacedName, usize);

/// All of it: what is not in here is withdrawn. Clones share what did not change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// Vips whose packets our own listeners take.
    pub served: Sorted<VipPlace, Served>,
    /// Vips whose packets go on to endpoints.
    pub forwarded: Sorted<VipPlace, Forwarded>,
}

impl Desired {
    /// All of it, named in this order.
    pub fn new(
        served: impl IntoIterator<Item = Served>,
        forwarded: impl IntoIterator<Item = Forwarded>,
    ) -> Self {
        let place = |at| (NamespacedName::new("", ""), at);
        let served = served.into_iter().enumerate().map(|(at, it)| (place(at), it));
        let forwarded = forwarded.into_iter().enumerate().map(|(at, it)| (place(at), it));
        Self { served: served.collect(), forwarded: forwarded.collect() }
    }

    /// Ports of TCP that have a choice of endpoints.
    pub fn choices(&self) -> BTreeMap<SocketAddr, Vec<SocketAddr>> {
        let ports = self.forwarded.values().flat_map(|vip| {
            let choices = vip.ports.iter().filter(|it| it.endpoints.len() > 1);
            let tcp = choices.filter(|it| it.protocol == Protocol::Tcp);
            tcp.map(|it| (SocketAddr::new(vip.address, it.port), it.endpoints.clone()))
        });
        ports.collect()
    }

    /// Where it differs from `before`.
    pub(crate) fn since<'a>(&'a self, before: &'a Self) -> BTreeSet<Wish> {
        let served = self.served.differing(&before.served).into_iter();
        let forwarded = self.forwarded.differing(&before.forwarded).into_iter();
        let served = served.map(|place| Wish { lot: Lot::Served, place: place.clone() });
        let forwarded = forwarded.map(|place| Wish { lot: Lot::Forwarded, place: place.clone() });
        served.chain(forwarded).collect()
    }

    /// The address that is asked for there.
    pub(crate) fn address(&self, Wish { lot, place }: &Wish) -> Option<IpAddr> {
        match lot {
            Lot::Served => self.served.get(place).map(|it| it.address),
            Lot::Forwarded => self.forwarded.get(place).map(|it| it.address),
        }
    }

    /// Vips, and endpoints, that differ from `before`, or are asked for otherwise: what is to be
    /// known of them is to be looked at.
    pub fn concerned(&self, before: &Self) -> (BTreeSet<IpAddr>, BTreeSet<IpAddr>) {
        let wishes = self.since(before);
        let vips = wishes.iter().filter_map(|wish| self.address(wish)).collect();
        let forwarded = wishes.iter().filter(|it| it.lot == Lot::Forwarded);
        let forwarded = forwarded.filter_map(|wish| self.forwarded.get(&wish.place));
        (vips, forwarded.flat_map(Forwarded::endpoints).collect())
    }
}

/// Who asks for an address. Of several the first has a port that all want.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wish {
    /// What for.
    pub lot: Lot,
    /// Where it stands among those.
    pub place: VipPlace,
}

/// What an address is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lot {
    /// Listeners of ours.
    Served,
    /// Endpoints.
    Forwarded,
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

impl Forwarded {
    /// The addresses its ports lead to.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = IpAddr> {
        self.ports.iter().flat_map(|port| &port.endpoints).map(SocketAddr::ip)
    }
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
