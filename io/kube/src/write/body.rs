//! Writes as JSON.

use serde_json::{Value, json};
use steelyard_plan::ServiceEventKind;
use steelyard_statuses::{EventWrite, POOL_NOTE, StatusChange, StatusKind, StatusWrite};

use crate::ask::Content;

/// What is sent, and how it is meant.
pub(super) fn of(write: &StatusWrite) -> (Content, Value) {
    let mut body = identity(write);
    match &write.change {
        StatusChange::Addresses { addresses, pool, .. } => {
            body["status"] = json!({ "loadBalancer": { "ingress": addresses } });
            if let Some(pool) = pool {
                body["metadata"]["annotations"] = json!({ POOL_NOTE: pool });
            }
        }
        StatusChange::NoAddresses => {
            // Whoever else is said to want what is taken away: a patch does not ask.
            body["status"] = json!({ "loadBalancer": { "ingress": null } });
            if write.kind == StatusKind::Service {
                body["metadata"]["annotations"] = json!({ POOL_NOTE: null });
            }
            return (Content::MergePatch, body);
        }
        StatusChange::Counts { counts, .. } => body["status"] = json!(counts),
        StatusChange::State(state) => body["status"] = json!(state),
        StatusChange::Establish { labels, owner } => {
            body["metadata"]["labels"] =
                labels.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
            // Of what is applied the pod of before is taken out.
            let owner = owner.iter().map(
                |it| json!({ "apiVersion": "v1", "kind": "Pod", "name": it.name, "uid": it.uid }),
            );
            body["metadata"]["ownerReferences"] = owner.collect();
            if let Some(version) = body["metadata"].as_object_mut() {
                version.remove("resourceVersion");
            }
        }
    }
    (Content::Apply, body)
}

fn identity(write: &StatusWrite) -> Value {
    let (group, version) = (write.kind.group(), write.kind.version());
    let version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let mut body = json!({
        "apiVersion": version,
        "kind": write.kind.name(),
        "metadata": { "namespace": &*write.id.namespace, "name": &*write.id.name },
    });
    if let Some(revision) = &write.revision {
        body["metadata"]["uid"] = json!(&*revision.uid);
        body["metadata"]["resourceVersion"] = json!(&*revision.version);
    }
    body
}

/// In which version those are that events are about.
fn version_of(kind: &str) -> &'static str {
    if kind == StatusKind::Ingress.name() { "networking.k8s.io/v1" } else { "v1" }
}

/// An event of the core group, as MetalLB's are.
pub(super) fn of_event(event: &EventWrite, component: &str) -> Value {
    let object = &event.object;
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": { "namespace": &*object.namespace, "name": event.name },
        "involvedObject": {
            "apiVersion": version_of(&object.kind),
            "kind": &*object.kind,
            "namespace": &*object.namespace,
            "name": &*object.name,
            "uid": event.uid,
        },
        "type": match event.kind {
            ServiceEventKind::Normal => "Normal",
            ServiceEventKind::Warning => "Warning",
        },
        "reason": event.reason,
        "message": event.message,
        "count": event.count,
        "firstTimestamp": event.first,
        "lastTimestamp": event.last,
        "source": { "component": component },
        "reportingComponent": component,
        "reportingInstance": "",
    })
}
