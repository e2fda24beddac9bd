//! NetworkPolicies, as far as they say who may come in.

use std::sync::Arc;

use crate::object::{NamespacedName, ObjectRef};
use crate::protocol::Protocol;
use crate::selector::Selector;
use crate::service::TargetPort;

/// A `networking.k8s.io` NetworkPolicy that isolates pods: nobody may connect to them whom no
/// rule of such a policy admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkPolicy {
    /// `namespace/name`.
    pub id: NamespacedName,
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// Pods of its namespace that it isolates.
    pub pods: Selector,
    /// Whom it admits where; any of them is enough.
    pub rules: Vec<PolicyRule>,
}

/// One of `spec.ingress`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRule {
    /// Ports of the pods; none means all.
    pub ports: Vec<PolicyPort>,
    /// Who.
    pub admits: Admits,
}

/// Whom a rule admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admits {
    /// Whoever comes.
    Everybody,
    /// These pods; blocks of addresses that are not everybody's are left out, since nobody here
    /// sees which address a client has when it gets to a pod.
    Pods(Vec<PolicyPods>),
}

/// Pods that a rule admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyPods {
    /// In these namespaces; none means that of the policy.
    pub namespaces: Option<Selector>,
    /// With these labels; none means all.
    pub pods: Option<Selector>,
}

/// One of a rule's ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyPort {
    /// Transport.
    pub protocol: Protocol,
    /// The port, by number or name; none means all.
    pub port: Option<TargetPort>,
    /// The last one of a range that begins with it.
    pub end: Option<u16>,
}

impl PolicyPort {
    /// Whether it is `number` of `protocol`.
    pub fn has(&self, protocol: Protocol, number: u16) -> bool {
        let within = match self.port {
            None => true,
            Some(TargetPort::Number(first)) => {
                (first..=self.end.unwrap_or(first)).contains(&number)
            }
            Some(TargetPort::Name(_)) => false,
        };
        self.protocol == protocol && within
    }
}
