//! Why an address cannot be given, in MetalLB's words.

use std::fmt;
use std::net::IpAddr;

use steelyard_model::{BadRequest, NamespacedName, Protocol};

use crate::reserved::Occupant;

/// Why a Service cannot have the addresses it asks for, or any.
/// [`fmt::Display`] gives the text that MetalLB puts in its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No single pool has all of these.
    OutsidePools {
        /// What was asked for.
        addresses: Vec<IpAddr>,
    },
    /// The pool is for other namespaces or Services.
    NotForService {
        /// The pool.
        pool: NamespacedName,
    },
    /// An address asked for is a machine's own.
    Reserved {
        /// The address.
        address: IpAddr,
        /// Who has it.
        occupant: Occupant,
    },
    /// Somebody else has the address.
    Taken(Box<Conflict>),
    /// The pool asked for does not exist.
    UnknownPool {
        /// The name.
        name: String,
    },
    /// Several namespaces have a pool of this name.
    AmbiguousPool {
        /// The name.
        name: String,
    },
    /// The pool asked for has no free address of the wanted families.
    PoolFull {
        /// The pool.
        pool: NamespacedName,
        /// Whether one of each family is wanted.
        dual: bool,
    },
    /// No pool has a free address for it.
    NoneAvailable,
    /// The addresses asked for are not of the Service's families.
    WrongFamilies {
        /// What was asked for.
        addresses: Vec<IpAddr>,
    },
    /// The addresses asked for are not in the pool asked for.
    OtherPool {
        /// What was asked for.
        addresses: Vec<IpAddr>,
        /// The pool asked for.
        name: String,
    },
    /// Another node decides who gets what, and has not yet.
    NotHeld,
    /// A controller decides who gets what, and its status has nothing yet.
    NotWritten,
    /// It has no cluster address by choice.
    Headless,
    /// What is written is not a request for addresses.
    InvalidRequest(BadRequest),
    /// It requires two families and the cluster gave it one.
    NotEnoughClusterIps {
        /// What the cluster gave it.
        cluster_ips: Vec<IpAddr>,
    },
    /// Its cluster addresses tell no family.
    ClusterIpFamilies {
        /// What the cluster gave it.
        cluster_ips: Vec<IpAddr>,
    },
}

/// As MetalLB names the annotation, whatever its prefix.
const LISTED: &str = "metallb.io/loadBalancerIPs";

/// What is no request, in MetalLB's words.
pub(crate) struct NoRequest<'a>(pub(crate) &'a BadRequest);

impl fmt::Display for NoRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            BadRequest::Twice => {
                write!(f, "service can not have both {LISTED} and svc.Spec.LoadBalancerIP")
            }
            BadRequest::Field(text) => write!(f, "invalid spec.loadBalancerIP {text:?}"),
            BadRequest::List(text) => write!(f, "invalid {LISTED}: {text:?}"),
            BadRequest::Families(addresses) => NoFamilies(addresses).fmt(f),
        }
    }
}

/// Who has an address, and why it cannot be shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The Service that wants it.
    pub service: NamespacedName,
    /// The address.
    pub address: IpAddr,
    /// Who has it, sorted.
    pub with: Vec<NamespacedName>,
    /// What they disagree on.
    pub on: Disagreement,
}

/// What keeps two Services from sharing an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// The one that has it does not share.
    NotShared,
    /// The one that wants it does not share; the other does under this key.
    WantsItAlone {
        /// Key of the one that has it.
        theirs: String,
    },
    /// Their sharing keys differ.
    Key {
        /// Key of the one that has it.
        theirs: String,
        /// Key of the one that wants it.
        ours: String,
    },
    /// Their traffic policies or, under Local, their selectors differ.
    Backend {
        /// Selector under Local of the one that has it, empty under Cluster.
        theirs: String,
        /// The same of the one that wants it.
        ours: String,
    },
    /// Both use this port.
    Port(Protocol, u16),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutsidePools { addresses } => {
                write!(f, "{} is not allowed in config", Quoted(addresses))
            }
            Self::NotForService { pool } => {
                write!(f, "pool {} not compatible for ip assignment", pool.name)
            }
            Self::Reserved { address, occupant } => {
                write!(f, "\"{address}\" is an address of {occupant}")
            }
            Self::Taken(conflict) => conflict.fmt(f),
            Self::UnknownPool { name } | Self::AmbiguousPool { name } => {
                write!(f, "unknown pool {name:?}")
            }
            Self::PoolFull { pool, dual } => {
                let whose = if *dual { " for dual IPFamily" } else { "" };
                write!(f, "no available IPs in pool {}{whose}", pool.name)
            }
            Self::NoneAvailable => f.write_str("no available IPs"),
            Self::WrongFamilies { addresses } => write!(
                f,
                "requested loadBalancer IP(s) {} does not match the ipFamily of the service",
                Quoted(addresses)
            ),
            Self::OtherPool { addresses, name } => write!(
                f,
                "requested loadBalancer IP(s) {} is not compatible with requested address pool {name}",
                Quoted(addresses)
            ),
            Self::NotHeld => f.write_str("steelyard.lock has no address for it yet"),
            Self::NotWritten => f.write_str("its status has no address yet"),
            Self::Headless => f.write_str("headless Services have no address"),
            Self::InvalidRequest(bad) => NoRequest(bad).fmt(f),
            Self::NotEnoughClusterIps { cluster_ips } => {
                let list: Vec<_> = cluster_ips.iter().map(ToString::to_string).collect();
                let list = list.join(" ");
                write!(f, "Service requires dual stack but not enough clusterips [{list}]")
            }
            Self::ClusterIpFamilies { cluster_ips } => NoFamilies(cluster_ips).fmt(f),
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Disagreement::Port(protocol, port) = self.on {
            return write!(f, "port {protocol}/{port} is already in use on \"{}\"", self.address);
        }
        let others: Vec<_> = self.with.iter().map(ToString::to_string).collect();
        write!(
            f,
            "can't change sharing key for \"{}\", address also in use by {}",
            self.service,
            others.join(",")
        )
    }
}

/// Why addresses tell no families.
pub(crate) struct NoFamilies<'a>(pub(crate) &'a [IpAddr]);

impl fmt::Display for NoFamilies<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = Quoted(self.0);
        match self.0.len() {
            2 => write!(f, "IPFamilyForAddresses: same address family {addresses}"),
            count => write!(f, "IPFamilyForAddresses: invalid ips length {count} {addresses}"),
        }
    }
}

/// Addresses as Go prints a list of strings with `%q`: `["10.0.0.1" "fd00::1"]`.
pub(crate) struct Quoted<'a>(pub(crate) &'a [IpAddr]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list: Vec<_> = self.0.iter().map(|address| format!("\"{address}\"")).collect();
        write!(f, "[{}]", list.join(" "))
    }
}
