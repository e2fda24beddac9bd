//! Applying a plan, in order: what goes is withdrawn first; what comes is forwarded, then listened
//! for, then announced. So nothing is announced before it works.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use steelyard_forward::{Carried, Desired, Forwarded, ForwardedPort, Observed, Served};
use steelyard_gateway::Bind;
use steelyard_http::RouteTable;
use steelyard_model::{Protocol, Snapshot};
use steelyard_plan::{Announce, NodePlan, Plan, Share};
use steelyard_speaker::Vip;

use super::binds;
use super::engine::Engine;

/// How long the speaker may take to fall silent; it takes well under a millisecond.
const WITHDRAWN: Duration = Duration::from_millis(200);

/// What came of a plan.
#[derive(PartialEq)]
pub(super) struct Applied {
    /// Entry points, and where they listen or why not.
    pub(super) listeners: Vec<(Bind, Result<SocketAddr, String>)>,
    pub(super) forwarded: Observed,
    /// Vips that are ours but not announced, since nothing behind them works; and why.
    pub(super) idle: Vec<(IpAddr, String)>,
}

impl Engine {
    pub(super) async fn apply(
        &mut self,
        snapshot: &Snapshot,
        plan: &Plan,
        generation: u64,
    ) -> Applied {
        let vips = self.vips(plan);
        self.withdraw(&vips).await;
        if self.parts.gateway.generation() != generation {
            self.parts.gateway.apply(RouteTable::compile(&snapshot.routes), generation);
        }
        let own = self.parts.addresses();
        let node = without(&plan.node, &own);
        let wanted = self.binds(snapshot, &node);
        let mut listeners = binds::listen(&self.parts.gateway, &wanted);
        let mut forwarded = self.forward(&node, &listeners).await;
        if listeners.iter().any(|(_, outcome)| outcome.is_err()) {
            // The forwarder had the port until now, where a Service became the gateway's.
            listeners = binds::listen(&self.parts.gateway, &wanted);
            forwarded = self.forward(&node, &listeners).await;
        }
        self.tell_failures(&listeners);
        let (working, mut idle) = partition(vips, &forwarded);
        for (_, why) in idle.iter_mut().filter(|(address, _)| own.contains(address)) {
            "it is an address of this machine; take it out of the pool".clone_into(why);
        }
        self.announce(working);
        Applied { listeners, forwarded, idle }
    }

    async fn forward(
        &self,
        node: &NodePlan,
        listeners: &[(Bind, Result<SocketAddr, String>)],
    ) -> Observed {
        self.parts.forwarder.apply(&self.desired(node, listeners)).await
    }

    /// Notes listeners that fail, once each.
    fn tell_failures(&mut self, listeners: &[(Bind, Result<SocketAddr, String>)]) {
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

    /// Stops answering for what is not wanted any more, and waits until that is so.
    async fn withdraw(&mut self, wanted: &[Vip]) {
        let (Some(current), Some(speaker)) = (&self.current, &self.parts.speaker) else { return };
        let place = |vip: &Vip| (vip.address, vip.interfaces.clone());
        let before = self.vips(&current.plan);
        let before: BTreeMap<_, _> = before.iter().map(place).collect();
        let stays = |vip: &&Vip| before.get(&vip.address) == Some(&vip.interfaces);
        let stay: Vec<Vip> = wanted.iter().filter(stays).cloned().collect();
        let mut gone = before;
        gone.retain(|address, _| stay.iter().all(|vip| vip.address != *address));
        if gone.is_empty() {
            return;
        }
        let mut status = speaker.watch();
        speaker.set_vips(stay);
        let silent =
            status.wait_for(|vips| vips.iter().all(|vip| !gone.contains_key(&vip.address)));
        if tokio::time::timeout(WITHDRAWN, silent).await.is_err() {
            tracing::warn!("the speaker is slow to withdraw");
        }
    }

    /// What this node answers for, or may, where several settle that among themselves.
    pub(super) fn vips(&self, plan: &Plan) -> Vec<Vip> {
        if self.settings.sharing.is_none() {
            let alone = |vip: &Announce| Vip {
                address: vip.address,
                interfaces: vip.interfaces.clone(),
                candidates: Vec::new(),
            };
            return plan.node.announce.values().map(alone).collect();
        }
        let shared = |vip: &Share| Vip {
            address: vip.address,
            interfaces: vip.interfaces.clone(),
            candidates: vip.candidates.clone(),
        };
        plan.node.share.values().map(shared).collect()
    }

    fn announce(&self, vips: Vec<Vip>) {
        if let Some(speaker) = &self.parts.speaker {
            speaker.set_vips(vips);
        }
    }

    fn desired(
        &self,
        node: &NodePlan,
        listeners: &[(Bind, Result<SocketAddr, String>)],
    ) -> Desired {
        let listening_on = |address: IpAddr| {
            let ours = listeners.iter().filter(|(bind, outcome)| {
                outcome.is_ok() && bind.transparent && bind.address.ip() == address
            });
            ours.map(|(bind, _)| (Protocol::Tcp, bind.address.port())).collect()
        };
        let served = node.serve.values().filter(|_| self.parts.speaker.is_some());
        let served =
            served.map(|vip| Served { address: vip.address, listening: listening_on(vip.address) });
        let forwarded = node.forward.values().map(|vip| Forwarded {
            address: vip.address,
            service: vip.service.clone(),
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

    fn binds(&self, snapshot: &Snapshot, node: &NodePlan) -> Vec<Bind> {
        let fixed = &self.settings.world.fixed;
        if self.parts.speaker.is_none() {
            return binds::on_loopback(fixed, self.settings.ports.0);
        }
        let vips = binds::on_vips(node);
        if vips.is_empty() && !snapshot.routes.is_empty() {
            return binds::on_host(fixed, self.settings.ports.0);
        }
        vips
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

/// Vips behind which something works, and the rest with the reason: a vip that leads nowhere is
/// better left to silence, so that clients fail at once.
fn partition(vips: Vec<Vip>, observed: &Observed) -> (Vec<Vip>, Vec<(IpAddr, String)>) {
    let works = |address: IpAddr| {
        observed.ports.iter().any(|port| {
            port.key.address == address
                && match &port.carried {
                    Carried::Delivered | Carried::Nftables { .. } => true,
                    Carried::InProcess { listen, .. } => listen.ip() == address,
                    Carried::Not { .. } => false,
                }
        })
    };
    let (working, idle): (Vec<Vip>, Vec<Vip>) =
        vips.into_iter().partition(|vip| works(vip.address));
    let idle = idle.into_iter().map(|vip| (vip.address, reason(vip.address, observed)));
    (working, idle.collect())
}

fn reason(address: IpAddr, observed: &Observed) -> String {
    let mut ports = observed.ports.iter().filter(|port| port.key.address == address);
    ports
        .find_map(|port| match &port.carried {
            Carried::Not { why } | Carried::InProcess { why, .. } => Some(why.to_string()),
            Carried::Delivered | Carried::Nftables { .. } => None,
        })
        .unwrap_or_else(|| "nothing listens for it".to_owned())
}

#[cfg(test)]
mod tests {
    use steelyard_model::NamespacedName;
    use steelyard_plan::{Forward, Serve};

    use super::*;

    #[test]
    fn an_address_of_the_machine_is_left_to_the_machine() {
        let vip = |text: &str| text.parse::<IpAddr>().unwrap();
        let service = NamespacedName::new("default", "web");
        let serve = |text| Serve { address: vip(text), service: service.clone(), ports: vec![] };
        let forward =
            |text| Forward { address: vip(text), service: service.clone(), ports: vec![] };
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
