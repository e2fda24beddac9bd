//! What else in a cluster gives Services addresses: it is told, and not fought.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::{Code, Diagnostic, NamespacedName, ObjectRef, Severity};

use crate::codes;

/// Who else gives addresses in this cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rivals {
    /// The Deployment of MetalLB's controller, where it runs.
    pub metallb: Option<NamespacedName>,
    /// DaemonSets of k3s' ServiceLB, by the Service that each is for.
    pub service_lb: BTreeMap<NamespacedName, NamespacedName>,
}

/// A Service whose status is not written, since it is somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftAlone {
    /// The Service.
    pub service: NamespacedName,
    /// Whose its status is.
    pub whose: Whose,
    /// What would have been written.
    pub addresses: Vec<IpAddr>,
}

/// Somebody else who writes a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// MetalLB, while it runs.
    MetalLb {
        /// The Deployment of its controller.
        deployment: NamespacedName,
    },
    /// k3s' ServiceLB.
    ServiceLb {
        /// What it runs for the Service.
        daemon_set: NamespacedName,
    },
    /// Who wrote it, by the name of the field manager; empty where nobody says.
    Manager(Arc<str>),
}

impl Rivals {
    /// That MetalLB runs beside.
    pub fn diagnostic(&self) -> Option<Diagnostic> {
        let metallb = self.metallb.as_ref()?;
        let object = ObjectRef::new("Deployment", metallb.namespace.clone(), metallb.name.clone());
        let message = "MetalLB's controller runs in this cluster, and gives addresses too";
        let help = "scale it to 0 once Steelyard is to give them, or keep the two apart: start \
                    Steelyard with --shadow, or with a --lb-class";
        Some(found(codes::METALLB_RUNS, &object, message.to_owned(), help))
    }
}

impl LeftAlone {
    /// As a finding about the Service.
    pub fn diagnostic(&self) -> Diagnostic {
        let object =
            ObjectRef::new("Service", self.service.namespace.clone(), self.service.name.clone());
        let (code, help) = match &self.whose {
            Whose::MetalLb { .. } => (
                codes::STATUS_OF_ANOTHER,
                "scale MetalLB's controller to 0: its addresses are taken over as they are",
            ),
            Whose::ServiceLb { .. } => (
                codes::SERVICE_LB_RUNS,
                "start k3s with --disable=servicelb, or give the Service a loadBalancerClass",
            ),
            Whose::Manager(_) => (
                codes::STATUS_OF_ANOTHER,
                "stop who wrote it, then remove it: kubectl patch --subresource=status with \
                 status.loadBalancer.ingress null",
            ),
        };
        found(code, &object, self.to_string(), help)
    }
}

fn found(code: Code, object: &ObjectRef, message: String, help: &str) -> Diagnostic {
    Diagnostic::new(Severity::Warning, code, object, "", message, help)
}

/// Whose it is, and what would be there.
impl fmt::Display for LeftAlone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.whose {
            Whose::MetalLb { deployment } => {
                write!(f, "MetalLB, which runs as {deployment}, writes its status")?;
            }
            Whose::ServiceLb { daemon_set } => {
                write!(f, "k3s' ServiceLB serves it by the DaemonSet {daemon_set}")?;
            }
            Whose::Manager(name) if name.is_empty() => {
                f.write_str(
                    "its status was written by somebody whom the API server does not name",
                )?;
            }
            Whose::Manager(name) => write!(f, "its status was written by {name:?}")?,
        }
        let addresses: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        write!(f, "; {} would be its address", addresses.join(" and "))
    }
}
