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

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_model::{
    Admits, Diagnostic, Labels, NamespacedName, NetworkPolicy, PolicyPods, PolicyRule,
    ResolvedService, ServedBy, Service, ServicePort, Severity, Snapshot, TargetPort,
};

use super::backing::Backing;
use super::codes;
use super::endpoints::Resolved;
use super::{ResolveOptions, gateway};

/// Label that Kubernetes gives every namespace.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// Policies by namespace.
#[derive(Debug, Default)]
pub(super) struct Policies(BTreeMap<Arc<str>, Vec<Arc<NetworkPolicy>>>);

impl Policies {
    pub(super) fn add(&mut self, policy: &Arc<NetworkPolicy>) {
        let of_namespace = self.0.entry(policy.id.namespace.clone()).or_default();
        of_namespace.push(policy.clone());
        of_namespace.sort_by(|a, b| a.id.cmp(&b.id));
    }

    pub(super) fn remove(&mut self, policy: &NetworkPolicy) {
        if let Some(of_namespace) = self.0.get_mut(&policy.id.namespace) {
            of_namespace.retain(|known| known.id != policy.id);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.values().all(Vec::is_empty)
    }

    fn isolating<'a, 'l>(
        &'a self,
        namespace: &str,
        labels: &'l Labels,
    ) -> impl Iterator<Item = &'a Arc<NetworkPolicy>> + use<'a, 'l> {
        let of_namespace = self.0.get(namespace).into_iter().flatten();
        of_namespace.filter(move |policy| policy.pods.matches(labels))
    }
}

/// Pods whose place the gateway takes.
struct Stand {
    namespace: Labels,
    name: Arc<str>,
    labels: Labels,
}

/// How something gets to a pod.
#[derive(Clone, Copy)]
enum Way<'a> {
    /// From a client, by the address of the Service.
    Address,
    /// Through the gateway.
    Gateway(&'a [Stand]),
}

/// Closes Services and what routes find of them, and says so.
pub(super) fn close(
    backing: &Backing,
    snapshot: &mut Snapshot,
    routed: &mut BTreeMap<NamespacedName, Resolved>,
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if backing.policies.is_empty() {
        return;
    }
    let stands: Vec<Stand> = gateways(snapshot).collect();
    let mut changes = Vec::new();
    for (id, resolved) in snapshot.services.iter() {
        let mut closed = resolved.clone();
        let closing = close_one(backing, &mut closed, routed.get_mut(id), (&stands, options));
        if let Some((policy, effect)) = closing {
            diagnostics.push(said(&resolved.service, policy, &effect, snapshot));
            changes.push((id.clone(), Some(closed)));
        }
    }
    snapshot.services.change(changes);
}

/// Closes what policies close of one Service, and of what routes find of it: by which policy, and
/// what comes of it.
fn close_one<'a>(
    backing: &'a Backing,
    closed: &mut ResolvedService,
    mut routed: Option<&mut Resolved>,
    (stands, options): (&[Stand], &ResolveOptions),
) -> Option<(&'a NetworkPolicy, String)> {
    let service = closed.service.clone();
    let sets = labels(backing, &service);
    let mut closing = None;
    for (index, port) in service.ports.iter().enumerate() {
        let endpoints = &mut closed.ports[index].endpoints;
        let numbers = numbers(port, endpoints.iter().map(|it| it.port));
        let shut = |way| shut(backing, &service, &sets, (port, &numbers), way);
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
            && let Some(policy) = shut(Way::Gateway(stands))
        {
            closing = Some((policy, format!("routes to its port {} answer 503", port.port)));
            routed.endpoints[index].clear();
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
fn labels<'a>(backing: &'a Backing, service: &'a Service) -> Vec<&'a Labels> {
    if service.selector.is_empty() {
        return Vec::new();
    }
    let namespace = &service.id.namespace;
    let pods = backing.pods.matching(namespace, &service.selector).map(|pod| &pod.labels);
    let mut sets: Vec<&Labels> = pods.collect();
    if sets.is_empty() {
        let workloads = backing.workloads.matching(namespace, &service.selector);
        sets.extend(workloads.map(|workload| &workload.labels));
    }
    if sets.is_empty() {
        sets.push(&service.selector);
    }
    sets.sort();
    sets.dedup();
    sets
}

/// The policy by which a port is closed on a way.
fn shut<'a>(
    backing: &'a Backing,
    service: &Service,
    sets: &[&Labels],
    port: (&ServicePort, &[u16]),
    way: Way<'_>,
) -> Option<&'a NetworkPolicy> {
    sets.iter().find_map(|labels| {
        let isolating = || backing.policies.isolating(&service.id.namespace, labels);
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

fn gateways(snapshot: &Snapshot) -> impl Iterator<Item = Stand> {
    let services = snapshot.services.iter().map(|(_, resolved)| resolved);
    let ours = services.filter(|resolved| resolved.served_by == ServedBy::Gateway);
    ours.map(|ResolvedService { service, .. }| {
        let name = service.id.namespace.clone();
        let mut namespace = snapshot.namespaces.get(&*name).cloned().unwrap_or_default();
        namespace.entry(NAMESPACE_NAME.to_owned()).or_insert_with(|| name.to_string());
        let own = if service.selector.is_empty() { &service.labels } else { &service.selector };
        Stand { namespace, name, labels: own.clone() }
    })
}

fn said(
    service: &Service,
    policy: &NetworkPolicy,
    effect: &str,
    snapshot: &Snapshot,
) -> Diagnostic {
    let gateway = snapshot.services.iter().find(|(_, it)| it.served_by == ServedBy::Gateway);
    let or = gateway.map_or(String::new(), |(id, _)| {
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
