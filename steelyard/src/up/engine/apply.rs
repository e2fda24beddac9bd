//! Applying a plan, in order: what goes is withdrawn first; what comes is forwarded, then listened
//! for, then announced. So nothing is announced before it works.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use steelyard_forward::{
    Carried, Desired, Forwarded, ForwardedPort, Listening, Observed, Served, Why,
};
use steelyard_gateway::{Bind, Binding};
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{NamespacedName, Protocol, Snapshot, Sorted};
use steelyard_plan::{Forward, NodePlan, Plan, Serve};

use super::Engine;
use super::view::is_gateway;
use crate::up::binds;
use crate::up::standing::Idle;
use crate::up::unreached::Unreached;
use crate::up::vips::Vips;

/// How long the speaker may take to fall silent; it takes well under a millisecond.
const WITHDRAWN: Duration = Duration::from_millis(200);

/// Entry points, and where they listen or why not.
type Listeners = Vec<(Bind, Result<SocketAddr, String>)>;

/// What came of a plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::up) struct Applied {
    pub(in crate::up) listeners: Listeners,
    pub(in crate::up) forwarded: Arc<Observed>,
    /// Vips that are ours but not announced, since nothing behind them works; and why.
    pub(in crate::up) idle: Arc<BTreeMap<IpAddr, Idle>>,
}

/// What was applied last. What comes to the same is left as it is, until it is forgotten.
#[derive(Default)]
pub(in crate::up) struct Last {
    routing: Option<RoutingMap>,
    carried: Option<Carrying>,
    applied: Applied,
}

/// What the forwarder was asked for, and what came of it.
struct Carrying {
    serve: Sorted<(NamespacedName, usize), Serve>,
    forward: Sorted<(NamespacedName, usize), Forward>,
    listeners: Listeners,
    observed: Arc<Observed>,
}

impl Last {
    /// Everything is looked at again: others may have changed it.
    pub(in crate::up) fn forget(&mut self) {
        self.carried = None;
    }
}

impl Engine {
    pub(in crate::up) async fn apply(
        &mut self,
        snapshot: &Snapshot,
        plan: &Plan,
        generation: u64,
    ) -> Applied {
        let before = self.vips.clone();
        let moved = self.vips.follow(&plan.node, self.settings.sharing.is_some());
        self.withdraw(&before, moved).await;
        self.route(&snapshot.routing, generation);
        let node = without(&plan.node, self.parts.addresses());
        let wanted = self.binds(snapshot, &node).await;
        let mut listeners = binds::listen(&self.parts.gateway, &wanted);
        let mut forwarded = self.forward(&node, &listeners).await;
        if listeners.iter().any(|(_, outcome)| outcome.is_err()) {
            // The forwarder had the port until now, where a Service became the gateway's.
            listeners = binds::listen(&self.parts.gateway, &wanted);
            forwarded = self.forward(&node, &listeners).await;
        }
        self.tell_failures(&listeners);
        self.tell_unreached(&forwarded);
        let is_same = self.vips == before && Arc::ptr_eq(&forwarded, &self.last.applied.forwarded);
        let idle = match is_same {
            true => Arc::clone(&self.last.applied.idle),
            false => {
                let idle = Arc::new(self.idle(&forwarded));
                self.tell_idle(&idle);
                self.announce(|vip| !idle.contains_key(vip));
                idle
            }
        };
        let applied = Applied { listeners, forwarded, idle };
        self.last.applied = applied.clone();
        applied
    }

    fn route(&mut self, routing: &RoutingMap, generation: u64) {
        if self.last.routing.as_ref() != Some(routing) {
            self.parts.gateway.apply(routing, generation);
            self.last.routing = Some(routing.clone());
        }
    }

    async fn forward(&mut self, node: &NodePlan, listeners: &Listeners) -> Arc<Observed> {
        let is_same = |last: &Carrying| {
            last.serve == node.serve && last.forward == node.forward && last.listeners == *listeners
        };
        if let Some(last) = self.last.carried.as_ref().filter(|last| is_same(last)) {
            return Arc::clone(&last.observed);
        }
        let observed = Arc::new(self.parts.forwarder.apply(&self.desired(node, listeners)).await);
        self.last.carried = Some(Carrying {
            serve: node.serve.clone(),
            forward: node.forward.clone(),
            listeners: listeners.clone(),
            observed: Arc::clone(&observed),
        });
        observed
    }

    /// Notes listeners that fail, once each.
    fn tell_failures(&mut self, listeners: &Listeners) {
        let failed = listeners.iter().filter_map(|(bind, outcome)| {
            outcome.as_ref().err().map(|error| (bind.clone(), error.clone()))
        });
        let failed: BTreeMap<Bind, String> = failed.collect();
        for (bind, error) in failed.iter().filter(|(bind, _)| !self.failing.contains_key(bind)) {
            let object = format!("EntryPoint/{}", bind.entry_point);
            let message = format!(
                "cannot listen on {}: {error}; `ss -ltnp` shows who does: bind that to one address",
                bind.address
            );
            self.history.note(false, "ListenFailed", &object, &message);
        }
        self.failing = failed;
    }

    /// Notes what keeps clients from a port, once.
    fn tell_unreached(&mut self, forwarded: &Arc<Observed>) {
        if Arc::ptr_eq(forwarded, &self.last.applied.forwarded) {
            return;
        }
        let before = Unreached::all(&self.last.applied.forwarded);
        for found in Unreached::all(forwarded).iter().filter(|it| !before.contains(it)) {
            let found = found.diagnostic();
            let object = found.object.map_or_else(|| "Node".to_owned(), |it| it.to_string());
            let message = format!("{}; {}", found.message, found.help);
            self.history.note(false, "Unreachable", &object, &message);
        }
    }

    /// Notes which vips are not answered for since nothing behind them works, once.
    fn tell_idle(&mut self, idle: &BTreeMap<IpAddr, Idle>) {
        let before = Arc::clone(&self.last.applied.idle);
        let is_news = |it: &(&IpAddr, &Idle)| before.get(it.0) != Some(it.1);
        let told = idle.iter().filter(|_| self.parts.speaker.is_some()).filter(is_news);
        for (vip, why) in told {
            let message = format!("{vip} is not announced: {why}");
            self.history.note(false, "idle", &format!("Vip/{vip}"), &message);
        }
    }

    /// Stops answering for what is not wanted any more, and waits until that is so.
    async fn withdraw(&mut self, before: &Vips, gone: Vec<IpAddr>) {
        let Some(speaker) = self.parts.speaker.as_ref().filter(|_| !gone.is_empty()) else {
            return;
        };
        let mut status = speaker.watch();
        let gone: BTreeSet<IpAddr> = gone.into_iter().collect();
        let idle = &self.last.applied.idle;
        speaker.set_vips(before.filtered(|vip| !gone.contains(vip) && !idle.contains_key(vip)));
        let silent = status.wait_for(|vips| vips.iter().all(|vip| !gone.contains(&vip.address)));
        if tokio::time::timeout(WITHDRAWN, silent).await.is_err() {
            tracing::warn!("the speaker is slow to withdraw");
        }
    }

    fn announce(&self, is_wanted: impl Fn(&IpAddr) -> bool) {
        if let Some(speaker) = &self.parts.speaker {
            speaker.set_vips(self.vips.filtered(is_wanted));
        }
    }

    /// Vips behind which nothing works. An address of the machine is not among them: of that the
    /// speaker knows more.
    fn idle(&self, observed: &Observed) -> BTreeMap<IpAddr, Idle> {
        let own: BTreeSet<&IpAddr> = self.parts.addresses().iter().collect();
        let hindered = hindrances(observed);
        let why = |vip: IpAddr| match hindered.get(&vip) {
            Some(None) => None,
            _ if own.contains(&vip) => None,
            Some(Some(why)) => Some((vip, Idle::NotCarried((*why).clone()))),
            None => Some((vip, Idle::NothingListens)),
        };
        self.vips.addresses().filter_map(why).collect()
    }

    fn desired(&self, node: &NodePlan, listeners: &Listeners) -> Desired {
        let mut ours: BTreeMap<IpAddr, Vec<Listening>> = BTreeMap::new();
        for (bind, outcome) in listeners.iter().filter(|it| it.0.binding != Binding::Host) {
            let Ok(socket) = outcome else { continue };
            let (protocol, port, at) = (Protocol::Tcp, bind.address.port(), socket.port());
            let ports = ours.entry(bind.address.ip()).or_default();
            ports.push(Listening { protocol, port, at });
        }
        let served = node.serve.values().filter(|_| self.parts.speaker.is_some());
        let served = served.map(|vip| Served {
            address: vip.address,
            listening: ours.get(&vip.address).cloned().unwrap_or_default(),
        });
        let forwarded = node.forward.values().map(|vip| Forwarded {
            address: vip.address,
            service: vip.service.clone(),
            is_closed: vip.is_closed,
            ports: vip
                .ports
                .iter()
                .map(|port| ForwardedPort {
                    protocol: port.protocol,
                    port: port.port,
                    endpoints: self.names.addresses(&port.endpoints),
                })
                .collect(),
        });
        Desired { served: served.collect(), forwarded: forwarded.collect() }
    }

    async fn binds(&self, snapshot: &Snapshot, node: &NodePlan) -> Vec<Bind> {
        let fixed = &self.settings.world.fixed;
        if self.parts.speaker.is_none() {
            return binds::on_loopback(fixed, self.settings.ports.0);
        }
        // Where the gateway has a Service, nothing listens but its address: not while it has none,
        // nor where that turned out to be the machine's own.
        if snapshot.services.values().any(|it| is_gateway(it)) {
            let vips = node.serve.values().map(|vip| vip.address).collect();
            return binds::on_vips(node, &self.parts.forwarder.led(vips).await);
        }
        if snapshot.routing.routes.is_empty() {
            Vec::new()
        } else {
            binds::on_host(fixed, self.settings.ports.0)
        }
    }
}

/// The part of `node` that is not about this machine's `own` addresses. What reaches such an
/// address is the machine's business: a guard before it would lock its owner out.
fn without(node: &NodePlan, own: &[IpAddr]) -> NodePlan {
    let mut node = node.clone();
    node.serve.retain(|_, vip| !own.contains(&vip.address));
    node.forward.retain(|_, vip| !own.contains(&vip.address));
    node
}

/// For each vip that has ports none where one of them works, else why one does not.
fn hindrances(observed: &Observed) -> HashMap<IpAddr, Option<&Why>> {
    let mut hindered: HashMap<IpAddr, Option<&Why>> = HashMap::with_capacity(observed.ports.len());
    for port in &observed.ports {
        let address = port.key.address;
        let why = match &port.carried {
            Carried::Delivered | Carried::Nftables { .. } => None,
            Carried::InProcess { listen, .. } if listen.ip() == address => None,
            Carried::InProcess { why, .. } | Carried::Not { why } => Some(why),
        };
        let known = hindered.entry(address).or_insert(why);
        *known = known.and(why).and(*known);
    }
    hindered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_the_machine_is_left_to_the_machine() {
        let vip = |text: &str| text.parse::<IpAddr>().unwrap();
        let service = NamespacedName::new("default", "web");
        let serve = |text| Serve { address: vip(text), service: service.clone(), ports: vec![] };
        let forward = |text| Forward {
            address: vip(text),
            service: service.clone(),
            is_closed: false,
            ports: vec![],
        };
        let node = NodePlan {
            serve: [serve("10.0.0.1"), serve("10.0.0.2")]
                .into_iter()
                .enumerate()
                .map(|(at, it)| ((service.clone(), at), it))
                .collect(),
            forward: [forward("10.0.0.1"), forward("fd00::2")]
                .into_iter()
                .enumerate()
                .map(|(at, it)| ((service.clone(), at), it))
                .collect(),
            ..NodePlan::default()
        };
        let left = without(&node, &[vip("10.0.0.1"), vip("127.0.0.1")]);
        assert!(left.serve.values().eq([&serve("10.0.0.2")]));
        assert!(left.forward.values().eq([&forward("fd00::2")]));
    }
}
