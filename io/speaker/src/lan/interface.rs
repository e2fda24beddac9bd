//! On which interface is a vip answered for? A function of the interfaces there are.
//!
//! By default on the one whose subnet holds the vip; on the named ones where there are names.
//! Where two have that subnet they are nearly always on the same LAN, and two answers would be a
//! conflict: it is the one by which this host itself would send there. Where that is none of them,
//! the one that has it already goes on, else the first by number.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use steelyard_host::links::{Link, Routes};

use crate::lan::vip::Vip;

/// What there is to choose from.
#[derive(Clone, Copy)]
pub(crate) struct Host<'a> {
    pub(crate) links: &'a [Link],
    pub(crate) routes: &'a Routes,
    /// By which interface, by number, packets to an address leave this host.
    pub(crate) route: &'a dyn Fn(IpAddr) -> Option<u32>,
}

/// Interfaces that are left alone unless they are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclude {
    /// Names that begin so.
    pub prefixes: Vec<String>,
    /// Whole names.
    pub names: Vec<String>,
}

/// Why an interface cannot be answered on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is the loopback interface.
    Loopback,
    /// It is switched off.
    Down,
    /// Nothing is plugged in.
    NoCarrier,
    /// It is plugged in and waits for something, as signing in to the network.
    Dormant,
    /// It is part of a bridge or bond, which is the one to answer on.
    Enslaved,
    /// It does not speak ARP over Ethernet: a tunnel, for example.
    NotEthernet,
}

/// Why a vip is answered for nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoInterface {
    /// It is an address of this host itself.
    OwnAddress {
        /// The interface that has it.
        interface: String,
    },
    /// It is the address of a router that this host sends to.
    Gateway {
        /// The interface that leads to it, where the route says.
        interface: Option<String>,
        /// It is the default gateway; else one to some places.
        is_default: bool,
    },
    /// It is the broadcast address of the interface's subnet: nobody on it asks who has it.
    Broadcast {
        /// The interface and its subnet, as `eth0 10.1.1.5/24`.
        subnet: String,
    },
    /// No suitable interface has a subnet that holds it.
    NoSubnet {
        /// Suitable interfaces with their subnets, as `eth0 10.1.1.5/24`.
        suitable: Vec<String>,
    },
    /// None of the interfaces named for it exists (or is named in both places).
    Missing {
        /// The names.
        named: Vec<String>,
    },
    /// None of the interfaces named for it, or whose subnet holds it, can be used.
    Unfit {
        /// Each with its reason.
        named: Vec<(String, Unfit)>,
    },
    /// Its interface cannot be opened.
    Refused {
        /// The interface.
        interface: String,
        /// What the system said.
        error: String,
    },
}

/// The interfaces to answer on, never none. `current` are those it is answered on now.
pub(crate) fn choose<'a>(
    host: Host<'a>,
    vip: &Vip,
    named: &[String],
    exclude: &Exclude,
    current: &[u32],
) -> Result<Vec<&'a Link>, NoInterface> {
    let links = host.links;
    if let Some(own) = own(host, vip.address) {
        return Err(NoInterface::OwnAddress { interface: own.name.clone() });
    }
    if let Some(gateway) = host.routes.gateways.iter().find(|it| it.address == vip.address) {
        let link = links.iter().find(|link| Some(link.index) == gateway.link);
        let interface = link.map(|link| link.name.clone());
        return Err(NoInterface::Gateway { interface, is_default: gateway.is_default });
    }
    let chosen = match both(named, &vip.interfaces) {
        Some(names) => choose_named(links, &names)?,
        None => vec![choose_by_subnet(host, vip.address, exclude, current)?],
    };
    let broadcast = |link: &&Link| {
        let net = link.subnet_of(vip.address).filter(|net| is_broadcast(net, vip.address))?;
        Some(format!("{} {net}", link.name))
    };
    match chosen.iter().find_map(broadcast) {
        Some(subnet) => Err(NoInterface::Broadcast { subnet }),
        None => Ok(chosen),
    }
}

/// Of vips that are announced nowhere those that no other host can have: no network that this one
/// is connected to holds them. So what comes for them was sent here on purpose, by a router or by
/// this host itself.
pub(crate) fn nowhere(
    links: &[Link],
    placed: &BTreeMap<IpAddr, Result<Arc<[u32]>, Box<NoInterface>>>,
) -> BTreeSet<IpAddr> {
    let is_connected = |vip: IpAddr| {
        let live = links.iter().filter(|link| !link.loopback && link.up && link.carrier);
        live.into_iter().any(|link| link.subnet_of(vip).is_some())
    };
    let is_free = |why: &NoInterface| {
        !matches!(why, NoInterface::OwnAddress { .. } | NoInterface::Gateway { .. })
    };
    let unplaced = placed.iter().filter_map(|(vip, it)| Some((*vip, &**it.as_ref().err()?)));
    unplaced.filter(|(vip, why)| is_free(why) && !is_connected(*vip)).map(|(vip, _)| vip).collect()
}

/// Who has an address of this host. Whatever the interface: the kernel answers on all of them for
/// an address of any, and for what a route makes local. But what kube-proxy gathers on an interface
/// of its own are the vips themselves.
fn own(host: Host<'_>, address: IpAddr) -> Option<&Link> {
    let links = host.links.iter().filter(|link| !link.name.starts_with(IPVS));
    let by_route = |link: &Link| {
        let mut own = host.routes.own.iter();
        own.any(|it| it.link == link.index && it.net.contains(&address))
    };
    links.clone().find(|link| link.has(address)).or_else(|| links.clone().find(|it| by_route(it)))
}

fn choose_by_subnet<'a>(
    host: Host<'a>,
    vip: IpAddr,
    exclude: &Exclude,
    current: &[u32],
) -> Result<&'a Link, NoInterface> {
    let links = host.links;
    let is_suitable = |link: &&Link| unfit(link).is_none() && !exclude.matches(&link.name);
    let suitable: Vec<&Link> = links.iter().filter(is_suitable).collect();
    let holding = suitable.iter().filter_map(|it| Some((it.subnet_of(vip)?.prefix_len(), *it)));
    let narrowest = holding.clone().map(|(prefix, _)| prefix).max();
    let best: Vec<&Link> =
        holding.filter(|(prefix, _)| Some(*prefix) == narrowest).map(|(_, link)| link).collect();
    // Only asked where it matters.
    let route = if best.len() > 1 { (host.route)(vip) } else { None };
    let best = best.into_iter().max_by_key(|link| {
        let goes_on = current.contains(&link.index);
        (Some(link.index) == route, goes_on, std::cmp::Reverse(link.index))
    });
    best.ok_or_else(|| {
        let would = links.iter().filter(|link| !exclude.matches(&link.name));
        let would = would.filter(|link| link.subnet_of(vip).is_some());
        let named: Vec<_> = would.filter_map(|it| Some((it.name.clone(), unfit(it)?))).collect();
        match named.is_empty() {
            true => NoInterface::NoSubnet { suitable: subnets(&suitable) },
            false => NoInterface::Unfit { named },
        }
    })
}

fn choose_named<'a>(links: &'a [Link], names: &[String]) -> Result<Vec<&'a Link>, NoInterface> {
    let present: Vec<&Link> = links.iter().filter(|link| names.contains(&link.name)).collect();
    if present.is_empty() {
        return Err(NoInterface::Missing { named: names.to_vec() });
    }
    let (fit, rest): (Vec<&Link>, Vec<&Link>) =
        present.into_iter().partition(|link| unfit(link).is_none());
    if fit.is_empty() {
        let why = |link: &&Link| Some((link.name.clone(), unfit(link)?));
        return Err(NoInterface::Unfit { named: rest.iter().filter_map(why).collect() });
    }
    Ok(fit)
}

/// The names that both lists allow, an empty list allowing all; none when both do.
fn both(ours: &[String], theirs: &[String]) -> Option<Vec<String>> {
    match (ours, theirs) {
        ([], []) => None,
        ([], names) | (names, []) => Some(names.to_vec()),
        (ours, theirs) => Some(ours.iter().filter(|name| theirs.contains(name)).cloned().collect()),
    }
}

fn unfit(link: &Link) -> Option<Unfit> {
    if link.loopback {
        Some(Unfit::Loopback)
    } else if !(link.arp && link.broadcast && link.mac.is_some()) {
        Some(Unfit::NotEthernet)
    } else if link.enslaved {
        Some(Unfit::Enslaved)
    } else if !link.up {
        Some(Unfit::Down)
    } else if link.dormant {
        Some(Unfit::Dormant)
    } else if !link.carrier {
        Some(Unfit::NoCarrier)
    } else {
        None
    }
}

/// Whether hosts of `net` take `address` for all of them. Point-to-point nets have no such.
fn is_broadcast(net: &IpNet, address: IpAddr) -> bool {
    matches!(net, IpNet::V4(four) if four.prefix_len() < 31) && net.broadcast() == address
}

/// `eth0 10.1.1.5/24`, one for each subnet; link-local ones are on every interface and say nothing.
fn subnets(links: &[&Link]) -> Vec<String> {
    let is_local = |address: IpAddr| match address {
        IpAddr::V4(it) => it.is_link_local(),
        IpAddr::V6(it) => it.is_unicast_link_local(),
    };
    let shown = |link: &&Link| -> Vec<String> {
        let nets = link.addresses.iter().filter(|net| !is_local(net.addr()));
        nets.map(|net| format!("{} {net}", link.name)).collect()
    };
    links.iter().flat_map(shown).collect()
}

/// How the interface begins on which kube-proxy in IPVS mode gathers the vips of all nodes.
const IPVS: &str = "kube-ipvs";

/// MetalLB's defaults: what container runtimes, networks and hypervisors make for themselves.
impl Default for Exclude {
    fn default() -> Self {
        let prefixes = [
            "docker",
            "cbr",
            "dummy",
            "virbr",
            "lxcbr",
            "veth",
            "cali",
            "tunl",
            "flannel",
            "kube-ipvs",
            "cni",
            "nodelocaldns",
            "lxc",
        ];
        Self { prefixes: prefixes.map(str::to_owned).to_vec(), names: vec!["lo".to_owned()] }
    }
}

impl Exclude {
    fn matches(&self, name: &str) -> bool {
        self.names.iter().any(|it| it == name)
            || self.prefixes.iter().any(|prefix| name.starts_with(prefix))
    }
}

impl NoInterface {
    pub(crate) fn is_no_subnet(&self) -> bool {
        matches!(self, Self::NoSubnet { .. })
    }

    /// What to do about it, one sentence.
    pub fn help(&self) -> &'static str {
        match self {
            Self::OwnAddress { .. } => {
                "take the address out of the pool, or off the interface (`ip addr`, `ip route show \
                 table local`): the kernel answers for it"
            }
            Self::Gateway { .. } => "take the address out of the pool: the router answers for it",
            Self::Broadcast { .. } => "take the last address of the subnet out of the pool",
            Self::NoSubnet { .. } => {
                "use a pool inside the subnet of an interface, or name the interface to answer on"
            }
            Self::Missing { .. } => {
                "correct the names in the L2Advertisement's interfaces or --interface"
            }
            Self::Unfit { named } if named.iter().any(|(_, why)| *why == Unfit::Dormant) => {
                "sign the interface in to its network (802.1X, Wi-Fi), or name another"
            }
            Self::Unfit { named } if named.iter().any(|(_, why)| *why == Unfit::NoCarrier) => {
                "plug the cable in, see what is at its other end, or name another interface"
            }
            Self::Unfit { .. } => {
                "bring the interface up, or name the bridge or bond that it is part of"
            }
            Self::Refused { .. } => "run as root or with the capability CAP_NET_RAW",
        }
    }
}

impl fmt::Display for NoInterface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnAddress { interface } => {
                write!(f, "it is an address of this host, on {interface}")
            }
            Self::Gateway { interface, is_default } => {
                let kind = if *is_default { "the default" } else { "a route's" };
                write!(f, "it is the address of {kind} gateway")?;
                interface.iter().try_for_each(|interface| write!(f, ", on {interface}"))
            }
            Self::Broadcast { subnet } => {
                write!(f, "it is the broadcast address of a subnet ({subnet})")
            }
            Self::NoSubnet { suitable } if suitable.is_empty() => {
                f.write_str("no suitable network interface is up")
            }
            Self::NoSubnet { suitable } => {
                write!(f, "no interface has a subnet that holds it ({})", suitable.join(", "))
            }
            Self::Missing { named } if named.is_empty() => {
                f.write_str("the interfaces named for it are not among those this node may use")
            }
            Self::Missing { named } => write!(f, "there is no interface {}", named.join(" or ")),
            Self::Unfit { named } => {
                let each: Vec<String> =
                    named.iter().map(|(name, why)| format!("{name} {why}")).collect();
                f.write_str(&each.join(", "))
            }
            Self::Refused { interface, error } => write!(f, "{interface} does not open: {error}"),
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "is the loopback interface",
            Self::Down => "is down",
            Self::NoCarrier => "has no carrier",
            Self::Dormant => "is dormant",
            Self::Enslaved => "is part of a bridge or bond",
            Self::NotEthernet => "does not speak ARP",
        })
    }
}
