//! The election, held address by address so that Services that share one have one owner.
//!
//! Owners are counted in order of addresses, so a vip that comes or goes may turn the election of
//! every later one: it is held again as a whole, unless nothing is contested. What is costly, the
//! hashes, is kept.

use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::NamespacedName;

use super::{Layer2, Moved};
use crate::election::{Candidate, Election};
use crate::scene::Scene;

/// An address, and who contends for it.
#[derive(Debug, Default)]
pub(crate) struct Vip {
    /// Services on it, by name.
    pub(crate) sharers: Vec<Contender>,
    /// By node, once they are needed.
    lots: Vec<u64>,
}

/// A Service's part in a vip.
#[derive(Debug)]
pub(crate) struct Contender {
    pub(crate) id: NamespacedName,
    /// Its first address.
    pub(super) key: IpAddr,
    /// Advertisements that select it, by index.
    pub(crate) advertisements: Arc<[usize]>,
    pub(super) eligible: Arc<[Candidate]>,
    /// Nodes that may own the vip for this Service, best first.
    pub(crate) order: Arc<[Candidate]>,
}

impl Layer2 {
    /// Elects where `moved` says that something changed, and whatever else follows from it.
    pub(crate) fn elect(&mut self, scene: &Scene<'_>, moved: &mut Moved) {
        if moved.addresses.is_empty() {
            return;
        }
        if scene.facts.compat_election {
            // There each vip is an election of its own.
            for address in &moved.addresses {
                if let Some(vip) = self.vips.get_mut(address) {
                    vip.elect_compatibly(scene);
                }
            }
            return;
        }
        let nodes = scene.nodes.count();
        if self.contested.is_empty() {
            for &address in &moved.addresses {
                if let Some(vip) = self.vips.get_mut(&address) {
                    vip.elect(scene, &mut Election::new(nodes), address);
                }
            }
            return;
        }
        let mut election = Election::new(nodes);
        for (&address, vip) in &mut self.vips {
            if vip.elect(scene, &mut election, address) {
                moved.addresses.insert(address);
            }
        }
    }
}

impl Vip {
    pub(super) fn join(&mut self, contender: Contender) {
        let at = self.sharers.partition_point(|known| known.id < contender.id);
        // Most have one.
        self.sharers.reserve_exact(1);
        self.sharers.insert(at, contender);
    }

    pub(super) fn leave(&mut self, id: &NamespacedName) {
        self.sharers.retain(|known| known.id != *id);
    }

    /// Nodes that may own it for a Service, best first.
    pub(super) fn order_of(&self, id: &NamespacedName) -> &[Candidate] {
        let own = self.sharers.iter().find(|known| known.id == *id);
        &own.expect("what is at stake are vips").order
    }

    /// Whether somebody on it may have one of several nodes.
    pub(super) fn is_contested(&self) -> bool {
        self.sharers.iter().any(|sharer| sharer.eligible.len() > 1)
    }

    /// Whether any order changed.
    fn elect(&mut self, scene: &Scene<'_>, election: &mut Election, address: IpAddr) -> bool {
        let contested = self.sharers.iter().any(|sharer| sharer.eligible.len() > 1);
        if contested && self.lots.is_empty() {
            let names = (0..scene.nodes.count()).map(|node| scene.nodes.name(node));
            self.lots = names.map(|name| Election::lot(name, address)).collect();
        }
        let mut changed = false;
        for index in 0..self.sharers.len() {
            let mut order = self.common(index);
            if order.len() > 1 {
                order = election.order(&order, &self.lots).into();
            }
            changed |= *self.sharers[index].order != *order;
            self.sharers[index].order = order;
        }
        for (index, sharer) in self.sharers.iter().enumerate() {
            let Some(owner) = sharer.order.first().map(|it| it.node) else { continue };
            let owns = |it: &Contender| it.order.first().is_some_and(|it| it.node == owner);
            if !self.sharers[..index].iter().any(owns) {
                election.count(owner);
            }
        }
        changed
    }

    fn elect_compatibly(&mut self, scene: &Scene<'_>) {
        for sharer in &mut self.sharers {
            let name = |node| &**scene.nodes.name(node);
            sharer.order = Election::compatible_order(&sharer.eligible, name, sharer.key).into();
        }
    }

    /// Nodes for a sharer that are also eligible for the others, if there are any.
    fn common(&self, index: usize) -> Arc<[Candidate]> {
        let own = &self.sharers[index].eligible;
        if self.sharers.len() == 1 {
            return own.clone();
        }
        let others = || self.sharers.iter().map(|it| &it.eligible).filter(|it| !it.is_empty());
        let everywhere = |it: &&Candidate| {
            others().all(|eligible| eligible.iter().any(|other| other.node == it.node))
        };
        let common: Arc<[Candidate]> = own.iter().filter(everywhere).copied().collect();
        if common.is_empty() { own.clone() } else { common }
    }
}
