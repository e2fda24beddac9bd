//! Playing workloads: in `demo` and `lab` there is no Kubernetes to run a Deployment's pods, so
//! echo servers stand in for them.
//!
//! Pure, and it starts nothing: [`replicas`] says what to run on which ports, and [`slices`] says,
//! once it is known where each replica answers, what a cluster would have written into
//! EndpointSlices. A replica may answer on another port than its container port (on a laptop all
//! share one address), so each replica gets slices of its own.

mod homelab;
mod yaml;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use steelyard_model::{
    EndpointSlice, EndpointState, Family, Host, NamespacedName, ObjectRef, Protocol, Service,
    ServicePort, ServiceType, SliceEndpoint, SlicePort, Snapshot, TargetPort, Workload, selector,
};

pub use homelab::HOMELAB;
pub use yaml::print;

/// A port of a pod, before it is known where it is reached.
pub type PodPort = (Protocol, u16);

/// How much of the manifests' scale is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cast {
    /// Nodes there are: a DaemonSet has a replica on each.
    pub nodes: usize,
    /// Most replicas of one workload.
    pub most: u32,
}

/// One replica of a workload to run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Replica {
    /// Which workload.
    pub workload: NamespacedName,
    /// Kind of the workload, e.g. `Deployment`.
    pub kind: Arc<str>,
    /// Which replica of it, from 1.
    pub index: u32,
    /// Ports to answer on, sorted.
    pub ports: Vec<PodPort>,
}

/// Where a replica answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The replica.
    pub replica: Replica,
    /// The node it is on, where there are nodes.
    pub node: Option<Arc<str>>,
    /// For each of its ports: where it answers, one address per family.
    pub ports: BTreeMap<PodPort, Vec<SocketAddr>>,
}

/// The replicas of all workloads that a Service selects, by workload and index.
pub fn replicas(snapshot: &Snapshot, cast: Cast) -> Vec<Replica> {
    let mut replicas = Vec::new();
    for workload in snapshot.workloads.iter() {
        let ports = pod_ports(snapshot, workload);
        if ports.is_empty() {
            continue;
        }
        for index in 1..=count(workload, cast).min(cast.most) {
            replicas.push(Replica {
                workload: workload.id.clone(),
                kind: workload.object.kind.clone(),
                index,
                ports: ports.iter().copied().collect(),
            });
        }
    }
    replicas
}

/// The workloads of which fewer replicas are played than their manifests ask for.
pub fn curtailed(snapshot: &Snapshot, cast: Cast) -> Vec<&Workload> {
    snapshot.workloads.iter().filter(|workload| count(workload, cast) > cast.most).collect()
}

/// What a cluster would say about replicas at these places: one slice per Service, replica and
/// address family, in that order.
pub fn slices(snapshot: &Snapshot, places: &[Place]) -> Vec<EndpointSlice> {
    let mut slices = Vec::new();
    for resolved in snapshot.services.values() {
        let service = &resolved.service;
        for place in places {
            let Some(workload) = workload_of(snapshot, &place.replica) else { continue };
            if !selects(service, workload) {
                continue;
            }
            let families = [Family::V4, Family::V6];
            slices.extend(
                families
                    .iter()
                    .filter_map(|&family| slice(&Target { service, workload, place, family })),
            );
        }
    }
    slices
}

/// One replica as an endpoint of one Service, in one family.
struct Target<'a> {
    service: &'a Service,
    workload: &'a Workload,
    place: &'a Place,
    family: Family,
}

/// Workloads of two kinds may share a name: all but Deployments have theirs in it.
fn slice_name(target: &Target<'_>) -> String {
    let Replica { workload, kind, index, .. } = &target.place.replica;
    let kind = match &**kind {
        "Deployment" => String::new(),
        kind => format!("-{}", kind.to_lowercase()),
    };
    let suffix = if target.family == Family::V6 { "-v6" } else { "" };
    format!("{}-{}{kind}-{index}{suffix}", target.service.id.name, workload.name)
}

fn slice(target: &Target<'_>) -> Option<EndpointSlice> {
    let mut ports = Vec::new();
    let mut host = None;
    for port in &target.service.ports {
        let Some(at) = answers_at(target, port) else { continue };
        host = Some(Host::Ip(at.ip()));
        ports.push(SlicePort {
            name: port.name.clone().unwrap_or_default(),
            protocol: port.protocol,
            port: Some(at.port()),
        });
    }
    let id = &target.service.id;
    Some(EndpointSlice {
        object: Arc::new(ObjectRef::new("EndpointSlice", id.namespace.clone(), slice_name(target))),
        service: id.clone(),
        ports,
        endpoints: vec![SliceEndpoint {
            host: host?,
            state: EndpointState::Ready,
            node: target.place.node.clone(),
            zones: None,
        }],
    })
}

fn answers_at(target: &Target<'_>, port: &ServicePort) -> Option<SocketAddr> {
    let number = pod_port(target.workload, port)?;
    let places = target.place.ports.get(&(port.protocol, number))?;
    places.iter().copied().find(|at| Family::of(at.ip()) == target.family)
}

/// How many replicas the manifest asks for.
fn count(workload: &Workload, cast: Cast) -> u32 {
    if &*workload.object.kind == "DaemonSet" {
        u32::try_from(cast.nodes.max(1)).unwrap_or(u32::MAX)
    } else {
        workload.replicas
    }
}

/// Every port by which a Service reaches the workload, and the container's other ports with them;
/// empty when no Service selects it.
fn pod_ports(snapshot: &Snapshot, workload: &Workload) -> BTreeSet<PodPort> {
    let services = snapshot.services.values().map(|resolved| &*resolved.service);
    let selecting: Vec<&Service> = services.filter(|service| selects(service, workload)).collect();
    if selecting.is_empty() {
        return BTreeSet::new();
    }
    let wanted = selecting
        .iter()
        .flat_map(|service| &service.ports)
        .filter_map(|port| pod_port(workload, port).map(|number| (port.protocol, number)));
    let declared = workload.ports.iter().map(|&(_, protocol, number)| (protocol, number));
    wanted.chain(declared).filter(|&(protocol, _)| protocol != Protocol::Sctp).collect()
}

fn pod_port(workload: &Workload, port: &ServicePort) -> Option<u16> {
    match &port.target {
        TargetPort::Number(number) => Some(*number),
        TargetPort::Name(wanted) => workload.ports.iter().find_map(|(name, protocol, number)| {
            let same = name.as_ref() == Some(wanted) && *protocol == port.protocol;
            same.then_some(*number)
        }),
    }
}

fn selects(service: &Service, workload: &Workload) -> bool {
    service.id.namespace == workload.id.namespace
        && !service.selector.is_empty()
        && !matches!(service.kind, ServiceType::ExternalName(_))
        && selector::is_subset(&service.selector, &workload.labels)
}

fn workload_of<'a>(snapshot: &'a Snapshot, replica: &Replica) -> Option<&'a Workload> {
    snapshot
        .workloads
        .iter()
        .find(|workload| workload.id == replica.workload && workload.object.kind == replica.kind)
}
