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

/// How ports are carried when the kernel refused the new rules: as before, where some of what one
/// is to lead to is still reached, or not at all.
pub fn as_before(
    decision: &Decision,
    applied: Option<&VipTable>,
    listening: &Listeners,
    refused: &Why,
) -> Vec<PortStatus> {
    let carried = |port: &PortDecision| {
        let Some(applied) = applied else { return Carried::Not { why: refused.clone() } };
        let endpoints = applied.translated().get(&port.key);
        match (&port.way, endpoints, applied.listening().get(&port.key)) {
            (Carriage::Translate(to), Some(endpoints), _) if to == endpoints => {
                Carried::Nftables { endpoints: endpoints.len() }
            }
            (Carriage::Translate(to), Some(endpoints), _)
                if to.iter().any(|it| endpoints.contains(it)) =>
            {
                Carried::Before { why: refused.clone() }
            }
            (Carriage::Deliver(to), None, Some(at)) if to == at => Carried::Delivered,
            (Carriage::InProcess(_, why), None, Some(_)) => {
                in_process(port.key, why.clone(), listening)
            }
            (Carriage::Not(why), ..) => Carried::Not { why: why.clone() },
            _ => Carried::Not { why: refused.clone() },
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use steelyard_model::{NamespacedName, Protocol};

    use super::*;
    use crate::desired::{Lot, Wish};

    const KEY: &str = "10.0.0.1";

    fn key() -> VipPort {
        VipPort { address: KEY.parse().unwrap(), protocol: Protocol::Tcp, port: 80 }
    }

    fn to(ends: &[u8]) -> Carriage {
        Carriage::Translate(ends.iter().map(|end| ([10, 244, 0, *end], 8080).into()).collect())
    }

    fn decision(way: Carriage) -> Decision {
        let ports = Arc::new([PortDecision { key: key(), service: None, way, obstacle: None }]);
        let wish = Wish { lot: Lot::Forwarded, place: (NamespacedName::new("", ""), 0) };
        let ports = [(wish, ports as Arc<[_]>)].into_iter().collect();
        Decision { ports, ..Decision::default() }
    }

    #[test]
    fn what_the_kernel_did_not_take_is_told_as_what_it_holds() {
        let refused = || Why::Refused("no memory".to_owned());
        let not = |why| Carried::Not { why };
        let in_process = || Carriage::InProcess(Vec::new(), Why::OtherFamily);
        let listen: SocketAddr = "10.0.0.1:1000".parse().unwrap();
        let carried = || Carried::InProcess { listen, why: Why::OtherFamily };
        let closed = || Carriage::Not(Why::Closed);
        let table: [(Carriage, Option<u16>, Carriage, Carried); 10] = [
            (to(&[2, 3]), None, to(&[2, 3]), Carried::Nftables { endpoints: 2 }),
            (to(&[2, 3]), None, to(&[3, 4]), Carried::Before { why: refused() }),
            (to(&[2, 3]), None, to(&[4]), not(refused())),
            (to(&[2, 3]), None, closed(), not(Why::Closed)),
            (to(&[2, 3]), None, Carriage::Deliver(80), not(refused())),
            (closed(), None, to(&[2]), not(refused())),
            (closed(), Some(80), Carriage::Deliver(80), Carried::Delivered),
            (closed(), Some(80), Carriage::Deliver(81), not(refused())),
            (closed(), Some(1000), in_process(), carried()),
            (closed(), None, in_process(), not(refused())),
        ];
        let listeners = Listeners::from([(key(), Ok(listen))]);
        for (held, at, wanted, want) in table {
            let listening = at.map(|at| (key(), at)).into_iter().collect();
            let applied = VipTable::new(&decision(held.clone()), listening, &BTreeSet::new());
            let told = as_before(&decision(wanted.clone()), Some(&applied), &listeners, &refused());
            assert_eq!(told[0].carried, want, "{held:?}, {at:?}, {wanted:?}");
        }
        let told = as_before(&decision(to(&[2])), None, &listeners, &refused());
        assert_eq!(told[0].carried, not(refused()), "nothing is known");
    }
}
