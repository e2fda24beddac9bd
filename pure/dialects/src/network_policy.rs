//! `networking.k8s.io/v1` NetworkPolicy: whom it lets in. Nobody enforces it where there is no
//! cluster, so the join closes what it would.
//!
//! Also the policies of others, which are not read: that they keep nobody out is said.

use std::sync::Arc;

use steelyard_manifest::kinds::networking as raw;
use steelyard_manifest::kinds::{IntOrString, LabelSelector};
use steelyard_model::{
    Admits, FieldPath, Item, NetworkPolicy, PolicyPods, PolicyPort, PolicyRule, Selector, Severity,
    TargetPort,
};

use crate::codes;
use crate::findings::Findings;
use crate::selector::{self, Repeats};

/// Kinds that keep people out and are not read: group, kind.
const UNREAD: [(&str, &str); 11] = [
    ("cilium.io", "CiliumNetworkPolicy"),
    ("cilium.io", "CiliumClusterwideNetworkPolicy"),
    ("crd.projectcalico.org", "NetworkPolicy"),
    ("crd.projectcalico.org", "GlobalNetworkPolicy"),
    ("projectcalico.org", "NetworkPolicy"),
    ("projectcalico.org", "GlobalNetworkPolicy"),
    ("policy.networking.k8s.io", "AdminNetworkPolicy"),
    ("policy.networking.k8s.io", "BaselineAdminNetworkPolicy"),
    ("policy.networking.k8s.io", "ClusterNetworkPolicy"),
    ("security.istio.io", "AuthorizationPolicy"),
    ("security.istio.io", "RequestAuthentication"),
];

/// Says that a kind which keeps people out is not read; false if it is no such kind.
pub(crate) fn is_unread(group: &str, kind: &str, findings: &mut Findings<'_>) -> bool {
    let known = UNREAD.contains(&(group, kind));
    if known {
        findings.say(
            Severity::Warning,
            codes::POLICY_NOT_READ,
            &FieldPath::from("kind"),
            format!(
                "{kind} of {group} is not read and nobody enforces it here: it keeps nobody out"
            ),
            "say the same with a NetworkPolicy, which closes what it does not open, or restrict \
             access on the network",
        );
    }
    known
}

pub(crate) fn lower(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::NetworkPolicy = findings.read()?;
    let path = FieldPath::from("spec");
    let Some(spec) = raw.spec else {
        findings.missing(&path, "add a spec with a podSelector");
        return None;
    };
    let pods = spec.pod_selector.unwrap_or_default();
    let pods = one(&pods, &path.key("podSelector"), findings);
    let path = path.key("ingress");
    let written = spec.ingress.unwrap_or_default();
    let rules = written.iter().enumerate();
    let rules = rules.map(|(index, rule)| self::rule(rule, &path.index(index), findings)).collect();
    let types = spec.policy_types.unwrap_or_default();
    // Without types it is about who comes in, whatever else.
    let isolates = types.is_empty() || types.iter().any(|it| it == "Ingress");
    let (id, object) = (findings.id(), findings.object().clone());
    isolates.then(|| Item::NetworkPolicy(Arc::new(NetworkPolicy { id, object, pods, rules })))
}

fn rule(
    written: &raw::NetworkPolicyIngressRule,
    path: &FieldPath,
    findings: &mut Findings<'_>,
) -> PolicyRule {
    let ports = written.ports.iter().flatten().enumerate();
    let ports =
        ports.map(|(index, it)| port(it, &path.key("ports").index(index), findings)).collect();
    let from = written.from.as_deref().unwrap_or_default();
    let everybody = from.is_empty() || from.iter().any(is_everybody);
    let mut pods = Vec::new();
    for (index, peer) in from.iter().enumerate().filter(|(_, peer)| peer.ip_block.is_none()) {
        let path = path.key("from").index(index);
        let mut selected = |written: &Option<LabelSelector>, name| {
            written.as_ref().map(|selector| one(selector, &path.key(name), findings))
        };
        let namespaces = selected(&peer.namespace_selector, "namespaceSelector");
        let labels = selected(&peer.pod_selector, "podSelector");
        if namespaces.is_some() || labels.is_some() {
            pods.push(PolicyPods { namespaces, pods: labels });
        }
    }
    PolicyRule { ports, admits: if everybody { Admits::Everybody } else { Admits::Pods(pods) } }
}

fn port(
    written: &raw::NetworkPolicyPort,
    path: &FieldPath,
    findings: &mut Findings<'_>,
) -> PolicyPort {
    let port = written.port.as_ref().and_then(|port| match port {
        IntOrString::Int(number) => {
            findings.port(&path.key("port"), *number).map(TargetPort::Number)
        }
        IntOrString::String(name) => Some(TargetPort::Name(name.clone())),
    });
    let end = written.end_port.and_then(|end| findings.port(&path.key("endPort"), end));
    let protocol = findings.protocol(&path.key("protocol"), written.protocol.as_deref());
    PolicyPort { protocol, port, end }
}

/// A block of all addresses.
fn is_everybody(peer: &raw::NetworkPolicyPeer) -> bool {
    let block = peer.ip_block.as_ref();
    block.is_some_and(|block| {
        let all = matches!(block.cidr.as_deref(), Some("0.0.0.0/0" | "::/0"));
        all && block.except.as_ref().is_none_or(Vec::is_empty)
    })
}

fn one(written: &LabelSelector, path: &FieldPath, findings: &mut Findings<'_>) -> Selector {
    selector::one(written, path, Repeats::Taken, findings)
}
