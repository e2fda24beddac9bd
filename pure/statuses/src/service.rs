//! ServiceL2Status and ServiceBGPStatus: which node announces a Service, and to whom.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Owner, Report, Write};
use steelyard_model::Labels;
use steelyard_model::NamespacedName;

/// Label with the node that announces.
pub const NODE_LABEL: &str = "metallb.io/node";
/// Label with the Service's name.
pub const SERVICE_NAME_LABEL: &str = "metallb.io/service-name";
/// Label with the Service's namespace.
pub const SERVICE_NAMESPACE_LABEL: &str = "metallb.io/service-namespace";

/// `status` of a ServiceL2Status: the node that answers for a Service's addresses on the LAN.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceL2Status {
    /// The node.
    pub node: String,
    /// The Service's name.
    pub service_name: String,
    /// The Service's namespace.
    pub service_namespace: String,
    /// The interfaces, sorted; empty means all that suit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<InterfaceName>,
}

/// One of `status.interfaces`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct InterfaceName {
    /// Name of a network interface.
    pub name: String,
}

/// `status` of a ServiceBGPStatus: the peers that a node is configured to tell of a Service.
/// Whether they hear it is the sessions' matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceBgpStatus {
    /// The node.
    pub node: String,
    /// The Service's name.
    pub service_name: String,
    /// The Service's namespace.
    pub service_namespace: String,
    /// BGPPeers by name, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<String>,
}

/// What the two have in common.
pub trait ServiceStatus: Clone + PartialEq {
    /// What an API server makes names of (`metadata.generateName`).
    const NAME_PREFIX: &'static str;
    /// Whether only one node may report about a Service: then its report replaces those of others.
    const SOLE: bool;

    /// Node, namespace and name: fields that never change once they are written.
    fn identity(&self) -> (&str, &str, &str);
}

impl ServiceL2Status {
    /// `node` answers for `service` on these interfaces; none named means all that suit.
    pub fn new<'a>(
        node: &str,
        service: &NamespacedName,
        interfaces: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let names: BTreeSet<_> = interfaces.into_iter().collect();
        Self {
            node: node.to_owned(),
            service_name: service.name.to_string(),
            service_namespace: service.namespace.to_string(),
            interfaces: names.into_iter().map(|it| InterfaceName { name: it.to_owned() }).collect(),
        }
    }
}

impl ServiceBgpStatus {
    /// `node` is to tell these peers of `service`.
    pub fn new<'a>(
        node: &str,
        service: &NamespacedName,
        peers: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let names: BTreeSet<_> = peers.into_iter().collect();
        Self {
            node: node.to_owned(),
            service_name: service.name.to_string(),
            service_namespace: service.namespace.to_string(),
            peers: names.into_iter().map(str::to_owned).collect(),
        }
    }
}

impl ServiceStatus for ServiceL2Status {
    const NAME_PREFIX: &'static str = "l2-";
    const SOLE: bool = true;

    fn identity(&self) -> (&str, &str, &str) {
        (&self.node, &self.service_namespace, &self.service_name)
    }
}

impl ServiceStatus for ServiceBgpStatus {
    const NAME_PREFIX: &'static str = "bgp-";
    const SOLE: bool = false;

    fn identity(&self) -> (&str, &str, &str) {
        (&self.node, &self.service_namespace, &self.service_name)
    }
}

impl<S: ServiceStatus> Report<S> {
    /// The report that says `status`, in `namespace`, for as long as the pod `owner` is there.
    pub fn about_service(namespace: &str, owner: Owner, status: S) -> Self {
        let (node, service_namespace, service_name) = status.identity();
        let labels = [
            (NODE_LABEL, node),
            (SERVICE_NAME_LABEL, service_name),
            (SERVICE_NAMESPACE_LABEL, service_namespace),
        ];
        let labels: Labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let owners = BTreeSet::from([owner]);
        Self { name: None, namespace: namespace.to_owned(), labels, owners, status: Some(status) }
    }

    fn is_about(&self, service: &NamespacedName) -> bool {
        self.label(SERVICE_NAMESPACE_LABEL) == &*service.namespace
            && self.label(SERVICE_NAME_LABEL) == &*service.name
    }

    /// Whether it can be made to say `wanted`: what is written once never changes.
    fn can_become(&self, wanted: &Self) -> bool {
        let (Some(status), Some(wanted)) = (&self.status, &wanted.status) else { return true };
        let ((a, b, c), (d, e, f)) = (status.identity(), wanted.identity());
        [(a, d), (b, e), (c, f)].iter().all(|(old, new)| old.is_empty() || old == new)
    }
}

/// What `node` has to write so that of the reports `found` about `service` those are left that are
/// true: `wanted` where it announces the Service, nothing of its own where it does not.
///
/// Where only one node may report, the one that does removes what others left behind, which may be
/// gone for good. A node that does not announce leaves the reports of others alone.
pub fn reconcile<S: ServiceStatus>(
    node: &str,
    service: &NamespacedName,
    found: &[Report<S>],
    wanted: Option<Report<S>>,
) -> Vec<Write<S>> {
    let found = found.iter().filter(|report| report.is_about(service));
    let (own, others): (Vec<_>, Vec<_>) =
        found.partition(|report| report.label(NODE_LABEL) == node);
    let kept = wanted.as_ref().and_then(|it| own.iter().position(|own| own.can_become(it)));
    let mut writes = Vec::new();
    for (index, report) in own.iter().enumerate() {
        if Some(index) != kept {
            writes.extend(delete(report));
        }
    }
    let Some(mut wanted) = wanted else { return writes };
    if S::SOLE {
        writes.extend(others.into_iter().filter_map(delete));
    }
    let Some(kept) = kept.map(|index| own[index]) else {
        writes.push(Write::Create(wanted));
        return writes;
    };
    wanted.name.clone_from(&kept.name);
    wanted.owners.extend(kept.owners.iter().cloned());
    if *kept != wanted {
        writes.push(Write::Update(wanted));
    }
    writes
}

/// An object that was never written has no name, and nothing to delete.
fn delete<S>(report: &Report<S>) -> Option<Write<S>> {
    let (namespace, name) = (report.namespace.clone(), report.name.clone()?);
    Some(Write::Delete { namespace, name })
}
