//! What the forwarder carries: packets for our vips, to listeners and endpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Result;
use steelyard_forward::{
    Desired, Forwarded, ForwardedPort, Forwarder, Listening, Observed, Served, VipPlace, Why,
};
use steelyard_model::Sorted;
use steelyard_plan::{Forward, NodePlan, Serve};

use super::history::History;
use super::listeners::at_vips;
use super::names::Answers;
use super::unreached::Unreached;
use super::{Applied, Doing, Hand, Listeners};
use crate::mind::Decided;

/// The forwarder, and what it was asked for last.
pub(crate) struct Forwarding {
    forwarder: Arc<Forwarder>,
    /// Nothing is delivered where nothing is answered for.
    answers: bool,
    history: History,
    asked: Wanted,
    /// None where everything is to be looked at again.
    observed: Option<Arc<Observed>>,
    told: Arc<Observed>,
}

/// What is wanted of the forwarder, and what that follows from.
#[derive(Clone, Debug, Default, PartialEq)]
struct Wanted {
    serve: Sorted<VipPlace, Serve>,
    forward: Sorted<VipPlace, Forward>,
    own: Arc<BTreeSet<IpAddr>>,
    names: Arc<Answers>,
    opened: Option<Arc<Listeners>>,
    desired: Desired,
}

/// Packets are carried as before the last edit, and why. [`fmt::Display`] says what to do, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) Why);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(why) = self;
        write!(f, "packets are carried as before the last edit: {why}; {}", why.help())
    }
}

impl Wanted {
    /// What is wanted next, at the cost of what differs: nothing at this machine's own addresses.
    fn after(&self, node: &NodePlan, own: &Arc<BTreeSet<IpAddr>>, applied: &Applied) -> Self {
        let mut next = Self {
            serve: node.serve.clone(),
            forward: node.forward.clone(),
            own: Arc::clone(own),
            names: Arc::clone(&applied.names),
            opened: applied.opened.clone(),
            desired: self.desired.clone(),
        };
        let nothing = Self::default();
        let is_own = |address| own.contains(address);
        let known = if self.own == *own && self.opened == next.opened { self } else { &nothing };
        if known.serve.is_empty() {
            next.desired.served = Sorted::default();
        }
        let ours = at_vips(applied.listeners());
        let served = next.serve.differing(&known.serve).into_iter().map(|place| {
            let vip = next.serve.get(place).filter(|vip| !is_own(&vip.address));
            (place.clone(), vip.map(|vip| served_vip(vip, &ours)))
        });
        next.desired.served.change(served);
        let known = if self.own == *own && self.names == next.names { self } else { &nothing };
        if known.forward.is_empty() {
            next.desired.forwarded = Sorted::default();
        }
        let forwarded = next.forward.differing(&known.forward).into_iter().map(|place| {
            let vip = next.forward.get(place).filter(|vip| !is_own(&vip.address));
            (place.clone(), vip.map(|vip| forwarded_vip(vip, &next.names)))
        });
        next.desired.forwarded.change(forwarded);
        next
    }
}

impl Forwarding {
    pub(crate) fn new(forwarder: Arc<Forwarder>, answers: bool, history: History) -> Self {
        let (asked, observed, told) = Default::default();
        Self { forwarder, answers, history, asked, observed, told }
    }

    async fn carry(&mut self, decided: &Decided, applied: &Applied) -> Arc<Observed> {
        let mut node = decided.plan.node.clone();
        if !self.answers {
            node.serve = Sorted::default();
        }
        let wanted = self.asked.after(&node, &decided.own, applied);
        let is_same = wanted.desired == self.asked.desired;
        self.asked = wanted;
        let desired = &self.asked.desired;
        let observed = match self.observed.take() {
            Some(observed) if is_same => observed,
            Some(_) => Arc::new(self.forwarder.change(desired).await),
            None => Arc::new(self.forwarder.apply(desired).await),
        };
        self.observed = Some(Arc::clone(&observed));
        observed
    }

    /// Notes what is not as it was meant, once.
    fn tell(&mut self, forwarded: &Arc<Observed>) {
        if Arc::ptr_eq(forwarded, &self.told) {
            return;
        }
        let before = std::mem::replace(&mut self.told, Arc::clone(forwarded));
        match &forwarded.refused {
            Some(why) if before.refused.as_ref() != Some(why) => {
                let message = Refusal(why.clone()).to_string();
                self.history.note(false, "RulesRefused", "Node/nftables", &message);
            }
            None if before.refused.is_some() => {
                let message = "packets are carried as the last edit says";
                self.history.note(true, "RulesTaken", "Node/nftables", message);
            }
            _ => {}
        }
        let before = Unreached::all(&before);
        for found in Unreached::all(forwarded).iter().filter(|it| !before.contains(it)) {
            let found = found.diagnostic();
            let object = found.object.map_or_else(|| "Node".to_owned(), |it| it.to_string());
            let message = format!("{}; {}", found.message, found.help);
            self.history.note(false, "Unreachable", &object, &message);
        }
    }
}

impl Hand for Forwarding {
    fn apply<'a>(
        &'a mut self,
        decided: &'a Arc<Decided>,
        applied: &'a mut Applied,
    ) -> Doing<'a, Result<()>> {
        Box::pin(async {
            applied.forwarded = self.carry(decided, applied).await;
            self.tell(&applied.forwarded);
            Ok(())
        })
    }

    fn forget(&mut self) {
        self.observed = None;
    }
}

fn served_vip(vip: &Serve, ours: &BTreeMap<IpAddr, Vec<Listening>>) -> Served {
    let listening = ours.get(&vip.address).cloned().unwrap_or_default();
    Served { address: vip.address, listening }
}

fn forwarded_vip(vip: &Forward, names: &Answers) -> Forwarded {
    let ports = vip.ports.iter().map(|port| ForwardedPort {
        protocol: port.protocol,
        port: port.port,
        endpoints: names.addresses(&port.endpoints),
    });
    Forwarded {
        address: vip.address,
        service: vip.service.clone(),
        is_closed: vip.is_closed,
        ports: ports.collect(),
    }
}

#[cfg(test)]
mod tests;
