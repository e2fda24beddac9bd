//! What a node reports about Services, from a plan: content of ServiceL2Status and
//! ServiceBGPStatus. Which of them have to be written is for [`crate::reconcile`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use steelyard_model::NamespacedName;
use steelyard_plan::{AnnouncementRow, Plan};

use crate::{ServiceBgpStatus, ServiceL2Status};

/// The Services for which `node` answers on the LAN. `answers` tells for which addresses it does:
/// nodes that settle it among themselves may have come to another owner than the plan's election.
pub fn on_the_lan(
    plan: &Plan,
    node: &str,
    answers: impl Fn(IpAddr) -> bool,
) -> BTreeMap<NamespacedName, ServiceL2Status> {
    let mut statuses = BTreeMap::new();
    for row in plan.announcements.values() {
        let AnnouncementRow::Layer2(row) = row else { continue };
        if !answers(row.address) {
            continue;
        }
        // The row has the interfaces of its owner; those of others are per address.
        let shared =
            plan.node.share.get(&row.address).filter(|_| row.owner.as_deref() != Some(node));
        let interfaces = shared.map_or(&row.interfaces[..], |share| &share.interfaces);
        statuses.entry(row.service.clone()).or_insert_with(|| {
            ServiceL2Status::new(node, &row.service, interfaces.iter().map(String::as_str))
        });
    }
    statuses
}

/// The Services that `node` is to tell routers of, and which routers.
pub fn to_routers(plan: &Plan, node: &str) -> BTreeMap<NamespacedName, ServiceBgpStatus> {
    let mut peers: BTreeMap<&NamespacedName, BTreeSet<&str>> = BTreeMap::new();
    for session in plan.peers.iter().filter(|session| session.node == node) {
        for service in session.routes.values().flat_map(|route| &route.services) {
            peers.entry(service).or_default().insert(&session.peer);
        }
    }
    let status = |(service, peers): (&NamespacedName, BTreeSet<&str>)| {
        (service.clone(), ServiceBgpStatus::new(node, service, peers))
    };
    peers.into_iter().map(status).collect()
}
