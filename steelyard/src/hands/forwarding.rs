//! What the forwarder carries: packets for our vips, to listeners and endpoints.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Result;
use steelyard_forward::{Desired, Forwarded, ForwardedPort, Forwarder, Observed, Served};
use steelyard_model::{NamespacedName, Sorted};
use steelyard_plan::{Forward, Serve};

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
    last: Option<Carrying>,
    told: Arc<Observed>,
}

/// What the forwarder was asked for, and what came of it.
struct Carrying {
    serve: Sorted<(NamespacedName, usize), Serve>,
    forward: Sorted<(NamespacedName, usize), Forward>,
    own: Arc<BTreeSet<IpAddr>>,
    names: Arc<Answers>,
    opened: Option<Arc<Listeners>>,
    observed: Arc<Observed>,
}

impl Forwarding {
    pub(crate) fn new(forwarder: Arc<Forwarder>, answers: bool, history: History) -> Self {
        let (last, told) = Default::default();
        Self { forwarder, answers, history, last, told }
    }

    async fn carry(&mut self, decided: &Decided, applied: &Applied) -> Arc<Observed> {
        let node = &decided.plan.node;
        let is_same = |last: &Carrying| {
            last.serve == node.serve
                && last.forward == node.forward
                && last.own == decided.own
                && last.names == applied.names
                && last.opened == applied.opened
        };
        if let Some(last) = self.last.as_ref().filter(|last| is_same(last)) {
            return Arc::clone(&last.observed);
        }
        let desired = self.desired(decided, applied);
        let observed = Arc::new(self.forwarder.apply(&desired).await);
        self.last = Some(Carrying {
            serve: node.serve.clone(),
            forward: node.forward.clone(),
            own: Arc::clone(&decided.own),
            names: Arc::clone(&applied.names),
            opened: applied.opened.clone(),
            observed: Arc::clone(&observed),
        });
        observed
    }

    /// What is wanted of the forwarder: nothing at this machine's own addresses.
    fn desired(&self, decided: &Decided, applied: &Applied) -> Desired {
        let Decided { plan, own, .. } = decided;
        let (node, ours) = (&plan.node, at_vips(applied.listeners()));
        let served = node.serve.values().filter(|vip| self.answers && !own.contains(&vip.address));
        let served = served.map(|vip| Served {
            address: vip.address,
            listening: ours.get(&vip.address).cloned().unwrap_or_default(),
        });
        let forwarded = node.forward.values().filter(|vip| !own.contains(&vip.address));
        let forwarded = forwarded.map(|vip| forwarded_vip(vip, &applied.names));
        Desired { served: served.collect(), forwarded: forwarded.collect() }
    }

    /// Notes what keeps clients from a port, once.
    fn tell_unreached(&mut self, forwarded: &Arc<Observed>) {
        if Arc::ptr_eq(forwarded, &self.told) {
            return;
        }
        let before = std::mem::replace(&mut self.told, Arc::clone(forwarded));
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
            self.tell_unreached(&applied.forwarded);
            Ok(())
        })
    }

    fn forget(&mut self) {
        self.last = None;
    }
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
