//! Applying a plan, in order: what goes is withdrawn first; what comes is forwarded, then listened
//! for, then announced. So nothing is announced before it works.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use steelyard_forward::{Desired, Forwarded, ForwardedPort, Observed, Served};
use steelyard_gateway::Bind;
use steelyard_http::RouteTable;
use steelyard_model::{Protocol, Snapshot};
use steelyard_plan::Plan;
use steelyard_speaker::Vip;

use super::binds;
use super::engine::Engine;

/// How long the speaker may take to fall silent; it takes well under a millisecond.
const WITHDRAWN: Duration = Duration::from_millis(200);

/// What came of a plan.
pub(super) struct Applied {
    /// Entry points, and where they listen or why not.
    pub(super) listeners: Vec<(Bind, Result<SocketAddr, String>)>,
    pub(super) forwarded: Observed,
}

impl Engine {
    pub(super) async fn apply(
        &mut self,
        snapshot: &Snapshot,
        plan: &Plan,
        generation: u64,
    ) -> Applied {
        let vips = vips(plan);
        self.withdraw(&vips).await;
        let routes = RouteTable::compile(&snapshot.routes);
        self.parts.gateway.apply(routes, generation);
        let wanted = self.binds(snapshot, plan);
        let mut listeners = binds::listen(&self.parts.gateway, &wanted);
        let mut forwarded = self.forward(plan, &listeners).await;
        if listeners.iter().any(|(_, outcome)| outcome.is_err()) {
            // The forwarder had the port until now, where a Service became the gateway's.
            listeners = binds::listen(&self.parts.gateway, &wanted);
            forwarded = self.forward(plan, &listeners).await;
        }
        for (bind, outcome) in &listeners {
            if let Err(error) = outcome {
                let object = format!("EntryPoint/{}", bind.entry_point);
                let message = format!("cannot listen on {}: {error}", bind.address);
                self.history.note(false, "ListenFailed", &object, &message);
            }
        }
        self.announce(vips);
        Applied { listeners, forwarded }
    }

    async fn forward(
        &self,
        plan: &Plan,
        listeners: &[(Bind, Result<SocketAddr, String>)],
    ) -> Observed {
        self.parts.forwarder.apply(&self.desired(plan, listeners)).await
    }

    /// Stops answering for what is not wanted any more, and waits until that is so.
    async fn withdraw(&mut self, wanted: &[Vip]) {
        let (Some(current), Some(speaker)) = (&self.current, &self.parts.speaker) else { return };
        let (stay, gone): (Vec<Vip>, Vec<Vip>) =
            vips(&current.plan).into_iter().partition(|vip| wanted.contains(vip));
        if gone.is_empty() {
            return;
        }
        let mut status = speaker.watch();
        speaker.set_vips(stay);
        let silent = status.wait_for(|vips| {
            vips.iter().all(|vip| gone.iter().all(|gone| gone.address != vip.address))
        });
        if tokio::time::timeout(WITHDRAWN, silent).await.is_err() {
            tracing::warn!("the speaker is slow to withdraw");
        }
    }

    fn announce(&self, vips: Vec<Vip>) {
        if let Some(speaker) = &self.parts.speaker {
            speaker.set_vips(vips);
        }
    }

    fn desired(&self, plan: &Plan, listeners: &[(Bind, Result<SocketAddr, String>)]) -> Desired {
        let listening_on = |address: IpAddr| {
            let ours = listeners.iter().filter(|(bind, outcome)| {
                outcome.is_ok() && bind.transparent && bind.address.ip() == address
            });
            ours.map(|(bind, _)| (Protocol::Tcp, bind.address.port())).collect()
        };
        let served = plan.node.serve.iter().filter(|_| self.parts.speaker.is_some());
        let served =
            served.map(|vip| Served { address: vip.address, listening: listening_on(vip.address) });
        let forwarded = plan.node.forward.iter().map(|vip| Forwarded {
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

    fn binds(&self, snapshot: &Snapshot, plan: &Plan) -> Vec<Bind> {
        let fixed = &self.settings.world.fixed;
        if self.parts.speaker.is_none() {
            return binds::on_loopback(fixed, self.settings.ports.0);
        }
        let vips = binds::on_vips(plan);
        if vips.is_empty() && !snapshot.routes.is_empty() {
            return binds::on_host(fixed, self.settings.ports.0);
        }
        vips
    }
}

fn vips(plan: &Plan) -> Vec<Vip> {
    let announce = plan.node.announce.iter();
    announce.map(|vip| Vip { address: vip.address, interfaces: vip.interfaces.clone() }).collect()
}
