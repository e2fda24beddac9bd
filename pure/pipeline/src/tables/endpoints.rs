//! Where a Service's endpoints come from.
//!
//! The first of these that there is: EndpointSlices, Endpoints, Pods that the selector matches,
//! the annotation `steelyard.dev/endpoints`. They are not mixed: a cluster's slices say exactly
//! which of its pods count.

mod report;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::{
    Diagnostic, Endpoint, EndpointSlice, EndpointState, Family, Host, Pod, Pool, Service,
    ServicePort, TargetPort,
};

use super::backing::Backing;

pub(super) use report::report_silent;

/// Endpoints of a Service.
pub(super) struct Resolved {
    /// Per port, in order of the Service; sorted, also those that are not ready.
    pub(super) endpoints: Vec<Vec<Endpoint>>,
    /// Nodes where one answers; of slices those of other ports count too.
    pub(super) places: Box<[Option<Arc<str>>]>,
    /// Where they come from.
    pub(super) source: Source,
}

impl Resolved {
    fn of(endpoints: Vec<Vec<Endpoint>>, source: Source) -> Self {
        let serving = endpoints.iter().flatten().filter(|endpoint| endpoint.state.serves());
        let places = each_once(serving.map(|endpoint| endpoint.node.clone()));
        Self { endpoints, places, source }
    }

    /// Whether any port has an endpoint.
    pub(super) fn has_endpoints(&self) -> bool {
        self.endpoints.iter().any(|endpoints| !endpoints.is_empty())
    }
}

/// What says where a Service's endpoints are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// EndpointSlices or Endpoints.
    Slices,
    /// Pods that the selector matches.
    Pods,
    /// `steelyard.dev/endpoints`.
    Annotation,
    /// Nothing.
    Nothing,
}

/// The family of a Service that says nothing: IPv4, or what the pools have.
pub(super) fn primary_family(pools: &[Pool]) -> Family {
    let mut families = pools.iter().flat_map(|pool| &pool.ranges).map(|range| range.family());
    let only_v6 = !pools.is_empty() && families.all(|family| family == Family::V6);
    if only_v6 { Family::V6 } else { Family::V4 }
}

/// The endpoints of one Service; `primary` is the family of those that say nothing, and
/// `keeps_zones` says whether it counts which zones they are meant for.
pub(super) fn of_service(
    backing: &mut Backing<'_, '_>,
    service: &Service,
    (primary, keeps_zones): (Family, bool),
    diagnostics: &mut Vec<Diagnostic>,
) -> Resolved {
    let per_port = |of_port: &dyn Fn(&ServicePort) -> Vec<Endpoint>| {
        service.ports.iter().map(|port| sorted(of_port(port))).collect()
    };
    if let Some(slices) = backing.slices(&service.id) {
        let endpoints = per_port(&|port| from_slices(&slices, port, keeps_zones));
        report::unused_annotation(service, "its EndpointSlices", diagnostics);
        let all = slices.iter().flat_map(|slice| &slice.endpoints);
        let serving = all.filter(|endpoint| endpoint.state.serves());
        let places = each_once(serving.map(|endpoint| endpoint.node.clone()));
        return Resolved { endpoints, places, source: Source::Slices };
    }
    let pods = backing.pods(&service.id.namespace, &service.selector);
    if !pods.is_empty() {
        let families = families(service, primary);
        let endpoints = per_port(&|port| from_pods(&pods, port, service, &families));
        report::missing_target_ports(service, &pods, diagnostics);
        report::unused_annotation(service, "the Pods its selector matches", diagnostics);
        return Resolved::of(endpoints, Source::Pods);
    }
    if !service.static_endpoints.is_empty() {
        let endpoints = per_port(&|port| from_annotation(service, port));
        report::unmatched_annotation(service, diagnostics);
        return Resolved::of(endpoints, Source::Annotation);
    }
    Resolved::of(vec![Vec::new(); service.ports.len()], Source::Nothing)
}

/// In order.
fn each_once(places: impl Iterator<Item = Option<Arc<str>>>) -> Box<[Option<Arc<str>>]> {
    places.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Each address and port once, by its best state.
fn sorted(mut endpoints: Vec<Endpoint>) -> Vec<Endpoint> {
    endpoints.sort();
    endpoints.dedup_by(|a, b| a.host == b.host && a.port == b.port);
    endpoints
}

fn from_slices(
    slices: &[Arc<EndpointSlice>],
    port: &ServicePort,
    keeps_zones: bool,
) -> Vec<Endpoint> {
    let name = port.name.as_deref().unwrap_or_default();
    let mut endpoints = Vec::new();
    for slice in slices {
        let same = |other: &&steelyard_model::SlicePort| {
            other.name == name && other.protocol == port.protocol
        };
        let Some(number) = slice.ports.iter().find(same).and_then(|found| found.port) else {
            continue;
        };
        endpoints.extend(slice.endpoints.iter().map(|it| Endpoint {
            host: it.host.clone(),
            port: number,
            state: it.state,
            node: it.node.clone(),
            zones: it.zones.clone().filter(|_| keeps_zones),
        }));
    }
    endpoints
}

/// Families of a Service's endpoints: clusterIPs decide, then ipFamilies and policy.
fn families(service: &Service, primary: Family) -> Vec<Family> {
    let mut families: Vec<Family> = service.cluster_ips.iter().map(|ip| Family::of(*ip)).collect();
    if families.is_empty() {
        families.extend(service.ip_families);
    }
    if families.is_empty() {
        families.push(primary);
    }
    let dual = matches!(
        service.family_policy,
        Some(steelyard_model::FamilyPolicy::PreferDualStack)
            | Some(steelyard_model::FamilyPolicy::RequireDualStack)
    );
    if dual && service.cluster_ips.is_empty() {
        families.extend([Family::V4, Family::V6]);
    }
    families
}

fn from_pods(
    pods: &[Arc<Pod>],
    port: &ServicePort,
    service: &Service,
    families: &[Family],
) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    for pod in pods {
        let number = match &port.target {
            TargetPort::Number(number) => Some(*number),
            TargetPort::Name(name) => pod.named_ports.get(name).copied(),
        };
        let Some(number) = number else { continue };
        let state = match pod.state {
            EndpointState::NotReady if service.publish_not_ready => EndpointState::Ready,
            state => state,
        };
        endpoints.extend(addresses(pod, families).into_iter().map(|address| Endpoint {
            host: Host::Ip(address),
            port: number,
            state,
            node: pod.node.clone(),
            zones: None,
        }));
    }
    endpoints
}

/// A pod's addresses of these families; its first one if it has none of them.
fn addresses(pod: &Pod, families: &[Family]) -> Vec<IpAddr> {
    let wanted = pod.addresses.iter().filter(|address| families.contains(&Family::of(**address)));
    let wanted: Vec<IpAddr> = wanted.copied().collect();
    if wanted.is_empty() { pod.addresses.first().copied().into_iter().collect() } else { wanted }
}

/// All of them for the only port; with several ports those whose number is its targetPort.
fn from_annotation(service: &Service, port: &ServicePort) -> Vec<Endpoint> {
    let fits = |number: u16| service.ports.len() == 1 || port.target == TargetPort::Number(number);
    service
        .static_endpoints
        .iter()
        .filter(|(_, number)| fits(*number))
        .map(|(host, number)| Endpoint {
            host: host.clone(),
            port: *number,
            state: EndpointState::Ready,
            node: None,
            zones: None,
        })
        .collect()
}
