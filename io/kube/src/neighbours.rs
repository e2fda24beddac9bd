//! Who else in the cluster gives Services addresses: looked at, now and then.

use std::time::Duration;

use http::Method;
use serde_json::Value;
use steelyard_model::NamespacedName;
use steelyard_statuses::Rivals;

use crate::ask::{AskFailure, ask};
use crate::connection::Connection;

/// Labels of the Deployment of MetalLB's controller: those of its manifests and of its chart.
const METALLB: [&str; 2] = [
    "app%3Dmetallb,component%3Dcontroller",
    "app.kubernetes.io%2Fname%3Dmetallb,app.kubernetes.io%2Fcomponent%3Dcontroller",
];
/// Labels of what k3s' ServiceLB makes for a Service.
const SERVICE: &str = "svccontroller.k3s.cattle.io/svcname";
const NAMESPACE: &str = "svccontroller.k3s.cattle.io/svcnamespace";
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who gives addresses beside us.
///
/// # Errors
/// When the API server does not say.
pub async fn rivals(connection: &Connection) -> Result<Rivals, AskFailure> {
    let mut rivals = Rivals::default();
    for labels in METALLB {
        let path = format!("/apis/apps/v1/deployments?labelSelector={labels}");
        let found = list(connection, &path).await?;
        rivals.metallb = rivals.metallb.or_else(|| found.iter().find(|it| runs(it)).and_then(id));
    }
    let labels = SERVICE.replace('/', "%2F");
    let path = format!("/apis/apps/v1/daemonsets?labelSelector={labels}");
    for daemon_set in list(connection, &path).await? {
        let labels = &daemon_set["metadata"]["labels"];
        if let (Some(namespace), Some(name), Some(id)) =
            (labels[NAMESPACE].as_str(), labels[SERVICE].as_str(), id(&daemon_set))
        {
            rivals.service_lb.insert(NamespacedName::new(namespace, name), id);
        }
    }
    Ok(rivals)
}

async fn list(connection: &Connection, path: &str) -> Result<Vec<Value>, AskFailure> {
    let mut list: Value = ask(connection, Method::GET, path, None, PATIENCE).await?;
    match list["items"].take() {
        Value::Array(items) => Ok(items),
        _ => Ok(Vec::new()),
    }
}

/// Whether there are pods of it, or are to be: by default one.
fn runs(deployment: &Value) -> bool {
    let wanted = deployment["spec"]["replicas"].as_u64() != Some(0);
    wanted || deployment["status"]["replicas"].as_u64().is_some_and(|count| count > 0)
}

fn id(object: &Value) -> Option<NamespacedName> {
    let metadata = &object["metadata"];
    Some(NamespacedName::new(metadata["namespace"].as_str()?, metadata["name"].as_str()?))
}
