//! What came of a decision, from what the system said to each part of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use crate::carry::{Carriage, Decision, PortDecision};
use crate::desired::VipPort;
use crate::observed::{Carried, PortStatus, Why};
use crate::obstacle::Obstacle;
use crate::vip_table::VipTable;

/// Ports that this process carries, with where it listens for each, or what the system said.
pub type Listeners = BTreeMap<VipPort, Result<SocketAddr, String>>;

/// Who answers for a UDP port: the flows of anyone else are stale.
pub fn answering(port: &PortDecision) -> BTreeSet<SocketAddr> {
    match &port.way {
        Carriage::Translate(endpoints) => endpoints.iter().copied().collect(),
        Carriage::Deliver(_) | Carriage::InProcess(..) => BTreeSet::from([port.key.socket()]),
        Carriage::Not(_) => BTreeSet::new(),
    }
}

/// How a port is carried, where the kernel took the rules. `lost`: vips that this host cannot be
/// made to take; `misled`: those whose packets rules of others lead elsewhere.
pub fn status(
    port: &PortDecision,
    listening: &Listeners,
    lost: &BTreeMap<IpAddr, Why>,
    misled: &BTreeMap<IpAddr, Obstacle>,
) -> PortStatus {
    let misled =
        misled.get(&port.key.address).filter(|_| !matches!(port.way, Carriage::Translate(_)));
    let obstacle = misled.or(port.obstacle.as_ref()).cloned();
    let lost = lost.get(&port.key.address).cloned();
    let carried = match (&port.way, lost) {
        (Carriage::Translate(endpoints), _) => Carried::Nftables { endpoints: endpoints.len() },
        (Carriage::Not(why), _) => Carried::Not { why: why.clone() },
        (Carriage::Deliver(_) | Carriage::InProcess(..), Some(why)) => Carried::Not { why },
        (Carriage::Deliver(_), None) => Carried::Delivered,
        (Carriage::InProcess(_, why), None) => in_process(port.key, why.clone(), listening),
    };
    PortStatus { key: port.key, service: port.service.clone(), carried, obstacle }
}

fn in_process(key: VipPort, why: Why, listening: &Listeners) -> Carried {
    match listening.get(&key) {
        Some(Ok(listen)) => Carried::InProcess { listen: *listen, why },
        Some(Err(error)) => Carried::Not { why: Why::Listen(error.clone()) },
        None => Carried::Not { why },
    }
}

/// How ports are carried when the kernel refused the new rules: as before, or not at all.
pub fn as_before(
    decision: &Decision,
    applied: Option<&VipTable>,
    listening: &Listeners,
    refused: &Why,
) -> Vec<PortStatus> {
    let carried = |port: &PortDecision| {
        let Some(applied) = applied else { return Carried::Not { why: refused.clone() } };
        if let Some(endpoints) = applied.translated().get(&port.key) {
            return Carried::Nftables { endpoints: endpoints.len() };
        }
        match &port.way {
            _ if !applied.listening().contains_key(&port.key) => {
                Carried::Not { why: refused.clone() }
            }
            Carriage::InProcess(_, why) => in_process(port.key, why.clone(), listening),
            _ => Carried::Delivered,
        }
    };
    let ports = decision.ports().map(|port| PortStatus {
        key: port.key,
        service: port.service.clone(),
        carried: carried(port),
        obstacle: port.obstacle.clone(),
    });
    ports.collect()
}
