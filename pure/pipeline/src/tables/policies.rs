//! NetworkPolicies, which nobody enforces where there is no cluster: what they would keep out must
//! not come in through us, so what leads to the pods that they isolate is closed.
//!
//! What comes from a client to a pod by the address of its Service is admitted by a rule for
//! everybody alone. What comes through the gateway is admitted also by a rule for its pods, whose
//! place we take: those that a Service of the gateway selects.
//!
//! Which labels its pods have is known from the Pods of the input, else from the template of a
//! workload, else by the Service's own selector. Endpoints of a Service without a selector are no
//! pods that we know, and no policy is about them.

use std::sync::Arc;

use steelyard_model::{
    Admits, Diagnostic, Endpoint, Item, Labels, NetworkPolicy, PolicyPods, PolicyRule,
    ResolvedService, ServedBy, Service, ServicePort, Severity, TargetPort,
};

use super::backing::Backing;
use super::cell::{Cell, Sort};
use super::gateway;
use super::row::{Backed, Row, Stand, Stands};
use crate::codes;
use crate::options::ResolveOptions;

/// Label that Kubernetes gives every namespace.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// The policies of a namespace, by name.
pub(super) struct Policies(Vec<Arc<NetworkPolicy>>);

impl Policies {
    /// Those of `namespace`.
    pub(super) fn of(backing: &mut Backing<'_, '_>, namespace: &Arc<str>) -> Self {
        if !backing.any(Sort::Policies, namespace) {
            return Self(Vec::new());
        }
        let rows = backing.reads.rows(&Cell::In(Sort::Policies, namespace.clone()));
        let policy = |item: &Item| match item {
            Item::NetworkPolicy(policy) => Some(policy.clone()),
            _ => None,
        };
        Self(rows.iter().flat_map(Row::items).filter_map(policy).collect())
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn isolating<'a, 'l>(
        &'a self,
        labels: &'l Labels,
    ) -> impl Iterator<Item = &'a Arc<NetworkPolicy>> + use<'a, 'l> {
        self.0.iter().filter(move |policy| policy.pods.matches(labels))
    }
}

/// How something gets to a pod.
#[derive(Clone, Copy)]
enum Way<'a> {
    /// From a client, by the address of the Service.
    Address,
    /// Through the gateway.
    Gateway(&'a [Stand]),
}

/// Closes what `policies`, which are those of its namespace, close of a Service and of what routes
/// find of it.
pub(super) fn close(
    backing: &mut Backing<'_, '_>,
    policies: &Policies,
    (backed, is_backend): (Backed, bool),
    stands: &Stands,
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Backed {
    let sets = labels(backing, &backed.service.service);
    let mut closed = ResolvedService::clone(&backed.service);
    let ports = 0..closed.ports.len();
    let mut routed: Vec<Vec<Endpoint>> =
        ports.map(|port| backed.endpoints(port).to_vec()).collect();
    let routes = is_backend.then_some(&mut routed[..]);
    let closing = close_one(policies, &sets, (&mut closed, routes), (stands, options));
    let Some((policy, effect)) = closing else { return backed };
    diagnostics.push(said(&closed.service, policy, &effect, stands));
    Backed { service: Arc::new(closed), routed: Some(Arc::new(routed)) }
}

/// Closes what policies close of one Service, and of what routes find of it: by which policy, and
/// what comes of it.
fn close_one<'a>(
    policies: &'a Policies,
    sets: &[Labels],
    (closed, mut routed): (&mut ResolvedService, Option<&mut [Vec<Endpoint>]>),
    (stands, options): (&Stands, &ResolveOptions),
) -> Option<(&'a NetworkPolicy, String)> {
    let service = closed.service.clone();
    let mut closing = None;
    for (index, port) in service.ports.iter().enumerate() {
        let endpoints = &mut closed.ports[index].endpoints;
        let numbers = numbers(port, endpoints.iter().map(|it| it.port));
        let shut = |way| shut(policies, sets, (port, &numbers), way);
        let by_address = shut(Way::Address).filter(|_| service.is_load_balancer());
        match (by_address, closed.served_by) {
            (Some(policy), ServedBy::Forward) => {
                closing = Some((policy, format!("port {} of its address is closed", port.port)));
                endpoints.clear();
            }
            (Some(policy), ServedBy::Gateway) if gateway::is_entry_port(port, options) => {
                closing = Some((policy, "the gateway is not reached by its address".to_owned()));
                closed.closed = true;
            }
            _ => {}
        }
        if let Some(routed) = &mut routed
            && let Some(policy) = shut(Way::Gateway(&stands.all))
        {
            closing = Some((policy, format!("routes to its port {} answer 503", port.port)));
            routed[index].clear();
        }
    }
    let leads_nowhere = closed.ports.iter().all(|port| port.endpoints.is_empty());
    closed.closed |= closing.is_some()
        && service.is_load_balancer()
        && leads_nowhere
        && closed.served_by == ServedBy::Forward;
    closing
}

/// Label sets that the pods of a Service have.
fn labels(backing: &mut Backing<'_, '_>, service: &Service) -> Vec<Labels> {
    if service.selector.is_empty() {
        return Vec::new();
    }
    let namespace = &service.id.namespace;
    let pods = backing.pods(namespace, &service.selector);
    let mut sets: Vec<Labels> = pods.iter().map(|pod| pod.labels.clone()).collect();
    if sets.is_empty() {
        let workloads = backing.workloads(namespace, &service.selector);
        sets.extend(workloads.iter().map(|workload| workload.labels.clone()));
    }
    if sets.is_empty() {
        sets.push(service.selector.clone());
    }
    sets.sort();
    sets.dedup();
    sets
}

/// The policy by which a port is closed on a way.
fn shut<'a>(
    policies: &'a Policies,
    sets: &[Labels],
    port: (&ServicePort, &[u16]),
    way: Way<'_>,
) -> Option<&'a NetworkPolicy> {
    sets.iter().find_map(|labels| {
        let isolating = || policies.isolating(labels);
        let mut rules = isolating().flat_map(|it| it.rules.iter().map(move |rule| (it, rule)));
        let admitted = rules
            .any(|(policy, rule)| is_about(rule, port) && admits(rule, way, &policy.id.namespace));
        isolating().next().filter(|_| !admitted).map(|policy| &**policy)
    })
}

/// Ports of the pods that a Service port leads to.
fn numbers(port: &ServicePort, endpoints: impl Iterator<Item = u16>) -> Vec<u16> {
    let mut numbers: Vec<u16> = endpoints.collect();
    if let (true, TargetPort::Number(number)) = (numbers.is_empty(), &port.target) {
        numbers.push(*number);
    }
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn is_about(rule: &PolicyRule, (port, numbers): (&ServicePort, &[u16])) -> bool {
    let named = |it: &steelyard_model::PolicyPort| {
        it.protocol == port.protocol && it.port.as_ref() == Some(&port.target)
    };
    let has = |number: &u16| rule.ports.iter().any(|it| it.has(port.protocol, *number));
    rule.ports.is_empty()
        || rule.ports.iter().any(named)
        || !numbers.is_empty() && numbers.iter().all(has)
}

fn admits(rule: &PolicyRule, way: Way<'_>, namespace: &str) -> bool {
    match (&rule.admits, way) {
        (Admits::Everybody, _) => true,
        (Admits::Pods(_), Way::Address) => false,
        (Admits::Pods(pods), Way::Gateway(stands)) => {
            pods.iter().any(|pods| stands.iter().any(|stand| stand.is_among(pods, namespace)))
        }
    }
}

impl Stand {
    fn is_among(&self, admitted: &PolicyPods, of_policy: &str) -> bool {
        let PolicyPods { namespaces, pods } = admitted;
        let there = match namespaces {
            Some(namespaces) => namespaces.matches(&self.namespace),
            None => *self.name == *of_policy,
        };
        there && pods.as_ref().is_none_or(|pods| pods.matches(&self.labels))
    }
}

/// Whose place the gateway takes: the pods of its Services. `labels` are those of a namespace.
pub(super) fn stands(
    gateways: &[Arc<ResolvedService>],
    mut labels: impl FnMut(&Arc<str>) -> Labels,
) -> Stands {
    let stand = |resolved: &Arc<ResolvedService>| {
        let service = &resolved.service;
        let name = service.id.namespace.clone();
        let mut namespace = labels(&name);
        if !namespace.contains_key(NAMESPACE_NAME) {
            namespace.extend([(NAMESPACE_NAME.to_owned(), name.to_string())]);
        }
        let own = if service.selector.is_empty() { &service.labels } else { &service.selector };
        Stand { namespace, name, labels: own.clone() }
    };
    let first = gateways.first().map(|resolved| resolved.service.id.clone());
    Stands { first, all: gateways.iter().map(stand).collect() }
}

fn said(service: &Service, policy: &NetworkPolicy, effect: &str, stands: &Stands) -> Diagnostic {
    let or = stands.first.as_ref().map_or(String::new(), |id| {
        format!(", or for what comes through the gateway the pods of Service {id}")
    });
    Diagnostic::new(
        Severity::Warning,
        codes::NETWORK_POLICY_CLOSES,
        &service.object,
        "spec.selector",
        format!(
            "{} isolates its pods and admits nobody who comes through us, which nobody else would \
             enforce here: {effect}",
            policy.object
        ),
        format!(
            "admit in a NetworkPolicy who may: everybody (`ingress: [{{}}]`){or}; or leave the \
             policy out of the input"
        ),
    )
}
