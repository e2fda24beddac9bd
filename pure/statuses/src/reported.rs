//! What objects of a cluster report now, and who wrote that.
//!
//! It is fed with what an API server sent, beside what decides: so what is to be written is
//! compared with what is there, names the version that it was decided on, and is of the object that
//! was decided on. Of a version that is older than what is known nothing is taken: an answer to a
//! write may be ahead of the watch. What is listed anew is taken as it is: the API server's store
//! may have been put back to what it was before.

mod author;
mod seen;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use steelyard_manifest::{ClusterEvent, Key, Object, is_older};
use steelyard_model::{Labels, NamespacedName, ObjectRef, Protocol};

use crate::kind::StatusKind;
use crate::{ConfigurationState, PoolStatus};
pub use author::{CONTROLLER, Reporter};
use seen::{SeenBalanced, SeenPool, SeenState};

/// All objects that report, as they are now.
#[derive(Clone, Debug, Default)]
pub struct Reported {
    pub(crate) services: BTreeMap<NamespacedName, ReportedBalance>,
    pub(crate) ingresses: BTreeMap<NamespacedName, ReportedBalance>,
    pub(crate) pools: BTreeMap<NamespacedName, ReportedPool>,
    pub(crate) states: BTreeMap<NamespacedName, ReportedState>,
}

/// Which object, and which version of it, a write was decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// `metadata.uid`.
    pub uid: Arc<str>,
    /// `metadata.resourceVersion`.
    pub version: Arc<str>,
}

/// How kube-proxy takes packets to an address that come from inside the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IpMode {
    /// As if they had come from outside: it leads them to endpoints itself.
    #[default]
    Vip,
    /// Not at all: whoever has the address serves there.
    Proxy,
}

/// One of `status.loadBalancer.ingress`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusAddress {
    /// The address; none where it is a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// `VIP` or `Proxy`, of Services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_mode: Option<String>,
    /// What is served there, where somebody says it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortReport>,
}

/// One of `ports` in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct PortReport {
    /// The port.
    pub port: u16,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// Why nothing is served there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A Service or an Ingress, as far as it reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportedBalance {
    pub(crate) revision: Revision,
    pub(crate) addresses: Vec<StatusAddress>,
    /// Of a Service: the pool that is noted.
    pub(crate) pool: Option<String>,
    pub(crate) reporter: Reporter,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportedPool {
    pub(crate) revision: Revision,
    pub(crate) status: Option<PoolStatus>,
    pub(crate) reporter: Reporter,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportedState {
    pub(crate) revision: Revision,
    pub(crate) labels: Labels,
    /// `uid`s of the pods that own it.
    pub(crate) owners: Vec<String>,
    pub(crate) status: Option<ConfigurationState>,
}

impl StatusAddress {
    /// An address.
    pub fn of_ip(ip: IpAddr) -> Self {
        Self { ip: Some(ip.to_string()), ..Self::default() }
    }

    /// A name.
    pub fn of_name(name: &str) -> Self {
        Self { hostname: Some(name.to_owned()), ..Self::default() }
    }
}

impl PortReport {
    /// Something is served there.
    pub fn of(port: u16, protocol: Protocol) -> Self {
        Self { port, protocol: protocol.to_string(), error: None }
    }
}

impl IpMode {
    /// As Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vip => "VIP",
            Self::Proxy => "Proxy",
        }
    }
}

impl Revision {
    /// `uid` at `version`.
    pub fn new(uid: impl Into<Arc<str>>, version: impl Into<Arc<str>>) -> Self {
        Self { uid: uid.into(), version: version.into() }
    }

    /// Whether it is of the same object, and older.
    fn is_before(&self, other: &Self) -> bool {
        self.uid == other.uid && is_older(&self.version, &other.version)
    }
}

impl Reported {
    /// Takes note of what was heard of a cluster. False where more is known already: what is heard
    /// is older than the answer to a write, or than a list that was asked for beside the watch.
    pub fn heed(&mut self, event: &ClusterEvent) -> bool {
        match event {
            ClusterEvent::Written(object) => {
                let origin = &object.origin;
                let revision = Revision::new(&*origin.uid(), &*origin.resource_version());
                return self.see(&object.object, revision);
            }
            ClusterEvent::Gone { key, uid } => self.gone(&key.reference, uid),
            ClusterEvent::Anew(watch) => self.forget(watch.kind.kind),
            ClusterEvent::Listed { watch, present } => {
                let (kind, group) = (watch.kind.kind, Arc::from(watch.kind.group));
                self.keep(kind, |id| {
                    let object = ObjectRef::new(kind, id.namespace.clone(), id.name.clone());
                    present
                        .contains(&Key { reference: Arc::new(object), group: Arc::clone(&group) })
                });
            }
            ClusterEvent::Absent(watch) => self.forget(watch.kind.kind),
            ClusterEvent::Unwatched(_) | ClusterEvent::Refused { .. } => {}
        }
        true
    }

    /// An object is there, as of this revision. False where more is known of it already.
    pub fn see(&mut self, object: &Object, revision: Revision) -> bool {
        let Some(kind) = StatusKind::of(object) else { return true };
        let id = object.reference.id();
        if self.revision(kind, &id).is_some_and(|known| revision.is_before(known)) {
            return false;
        }
        match kind {
            StatusKind::Service | StatusKind::Ingress => {
                let seen = object.read_lenient::<SeenBalanced>().value.unwrap_or_default();
                let all = match kind {
                    StatusKind::Service => &mut self.services,
                    _ => &mut self.ingresses,
                };
                all.insert(id, seen.reported(revision));
            }
            StatusKind::Pool => {
                let seen = object.read_lenient::<SeenPool>().value.unwrap_or_default();
                self.pools.insert(id, seen.reported(revision));
            }
            StatusKind::State => {
                let seen = object.read_lenient::<SeenState>().value.unwrap_or_default();
                self.states.insert(id, seen.reported(revision));
            }
        }
        true
    }

    /// An object is gone; another one of its name stays.
    pub fn gone(&mut self, object: &ObjectRef, uid: &str) {
        let Some(kind) = StatusKind::named(&object.kind) else { return };
        if self.revision(kind, &object.id()).is_some_and(|known| *known.uid == *uid) {
            self.remove(kind, |id| *id != object.id());
        }
    }

    /// Of this kind nothing is known: whatever is heard of it next is so.
    pub fn forget(&mut self, kind: &str) {
        self.keep(kind, |_| false);
    }

    /// Of this kind there are these, and no others.
    pub fn keep(&mut self, kind: &str, is_there: impl Fn(&NamespacedName) -> bool) {
        if let Some(kind) = StatusKind::named(kind) {
            self.remove(kind, is_there);
        }
    }

    fn remove(&mut self, kind: StatusKind, stays: impl Fn(&NamespacedName) -> bool) {
        match kind {
            StatusKind::Service => self.services.retain(|id, _| stays(id)),
            StatusKind::Ingress => self.ingresses.retain(|id, _| stays(id)),
            StatusKind::Pool => self.pools.retain(|id, _| stays(id)),
            StatusKind::State => self.states.retain(|id, _| stays(id)),
        }
    }

    /// The version of an object that is known.
    pub fn revision(&self, kind: StatusKind, id: &NamespacedName) -> Option<&Revision> {
        match kind {
            StatusKind::Service => self.services.get(id).map(|it| &it.revision),
            StatusKind::Ingress => self.ingresses.get(id).map(|it| &it.revision),
            StatusKind::Pool => self.pools.get(id).map(|it| &it.revision),
            StatusKind::State => self.states.get(id).map(|it| &it.revision),
        }
    }
}
