//! Filters of connections: what one passes before anything of it goes on, also before a handshake.
//!
//! They know where a connection comes from, and nothing of what it says.

use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::routing::filter::access::AllowedClients;
use steelyard_model::routing::filter::{Filter, Use};

use crate::limit::counts::{Counts, Ticket};
use crate::limit::source::number_of_address;
use crate::memory::{Kept, Lifespan, Memory};

/// One use of a filter of connections.
#[derive(Clone, Debug)]
pub struct ConnectionGate(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// Connections of these addresses pass.
    Allowed(Arc<AllowedClients>),
    /// So many of one address pass at once.
    Counted { amount: u64, kept: Kept<Counts>, seed: u64 },
}

/// What stands for a connection that has passed, as long as it is there.
#[derive(Debug, Default)]
pub struct Admission(Vec<(Kept<Counts>, Ticket)>);

/// Why a connection does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAdmission {
    /// Its address is not among those that are let in.
    Address,
    /// As many of its address are there as may be.
    Full,
}

impl ConnectionGate {
    /// A use of `filter`; none where that is none for connections: what uses it must not be served
    /// without it. `memory` has what it keeps.
    pub fn of(usage: &Use, filter: Option<&Filter>, memory: &mut Memory) -> Option<Self> {
        let seed = memory.seed();
        match filter? {
            Filter::AllowAddresses(allowed) => Some(Self(Kind::Allowed(Arc::new(allowed.clone())))),
            Filter::InFlightConnections(amount) => {
                Some(Self(Kind::Counted { amount: *amount, kept: memory.of(usage), seed }))
            }
            _ => None,
        }
    }

    /// Whether what it keeps counts no more, and it is to be made again.
    pub fn has_lapsed(&self) -> bool {
        match &self.0 {
            Kind::Allowed(_) => false,
            Kind::Counted { kept, .. } => Lifespan::is_over(kept.lifespan()),
        }
    }
}

impl Admission {
    /// Lets a connection from there through all of these, or through none.
    pub fn of(gates: &[ConnectionGate], peer: IpAddr) -> Result<Self, NoAdmission> {
        let peer = peer.to_canonical();
        let mut admission = Self::default();
        for ConnectionGate(kind) in gates {
            match kind {
                Kind::Allowed(allowed) if allowed.ranges.contains(peer) => {}
                Kind::Allowed(_) => return Err(NoAdmission::Address),
                Kind::Counted { amount, kept, seed } => {
                    let source = number_of_address(peer, *seed);
                    let ticket = kept.enter(source, *amount).ok_or(NoAdmission::Full)?;
                    admission.0.push((kept.clone(), ticket));
                }
            }
        }
        Ok(admission)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        for (kept, ticket) in self.0.drain(..) {
            kept.leave(ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use steelyard_model::routing::filter::access::Networks;

    use super::*;

    fn gate(filter: &Filter, memory: &mut Memory) -> Option<ConnectionGate> {
        let usage = Use { filter: "it".into(), state: "it".into() };
        ConnectionGate::of(&usage, Some(filter), memory)
    }

    fn from(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    #[test]
    fn only_addresses_of_the_ranges_pass() {
        let ranges = Networks::parse(&["10.0.0.0/8", "2001:db8::/32"]).unwrap();
        let allowed = AllowedClients {
            ranges,
            source: Default::default(),
            status: 403,
            page: Default::default(),
        };
        let gates = [gate(&Filter::AllowAddresses(allowed), &mut Memory::default()).unwrap()];
        for (address, passes) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("2001:db8::1", true),
            ("11.1.2.3", false),
            ("2001:db9::1", false),
        ] {
            let admission = Admission::of(&gates, from(address));
            assert_eq!(admission.is_ok(), passes, "{address}");
            assert_eq!(admission.err(), (!passes).then_some(NoAdmission::Address));
        }
    }

    #[test]
    fn so_many_of_an_address_pass_at_once() {
        let mut memory = Memory::default();
        let gates = [gate(&Filter::InFlightConnections(2), &mut memory).unwrap()];
        let enter = |address: &str| Admission::of(&gates, from(address));
        let (first, second) = (enter("10.0.0.1"), enter("::ffff:10.0.0.1"));
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(enter("10.0.0.1").err(), Some(NoAdmission::Full));
        assert!(enter("10.0.0.2").is_ok(), "each address for itself");
        drop(first);
        assert!(enter("10.0.0.1").is_ok());
        for _ in 0..10_000 {
            assert!(enter("10.0.0.1").is_ok(), "who has gone leaves room");
        }
        let none = [gate(&Filter::InFlightConnections(0), &mut memory).unwrap()];
        assert_eq!(Admission::of(&none, from("10.0.0.1")).err(), Some(NoAdmission::Full));
    }

    /// Who is turned away by one has no place at another.
    #[test]
    fn it_passes_all_or_none() {
        let mut memory = Memory::default();
        let nobody = AllowedClients::from(Vec::new());
        let counted = gate(&Filter::InFlightConnections(1), &mut memory).unwrap();
        let closed = gate(&Filter::AllowAddresses(nobody), &mut memory).unwrap();
        for _ in 0..3 {
            let both = Admission::of(&[counted.clone(), closed.clone()], from("10.0.0.1"));
            assert_eq!(both.err(), Some(NoAdmission::Address));
        }
        assert!(Admission::of(&[counted], from("10.0.0.1")).is_ok());
    }

    #[test]
    fn what_is_for_requests_is_none() {
        assert!(gate(&Filter::ContentType, &mut Memory::default()).is_none());
    }
}
