//! Who else in the cluster gives Services addresses: looked at, now and then.
//!
//! Labels can be put on anything by anybody who may make it. So what looks like somebody else
//! counts only where it could not have been made by whoever likes: what may write the status of
//! every Service, and what lies where k3s puts it.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use steelyard_model::NamespacedName;
use steelyard_statuses::Rivals;

use crate::ask::{AskFailure, Content, ask};
use crate::connection::Connection;
use crate::pages::{self, Pages};
use crate::trouble::Trouble;

/// Labels of the Deployment of MetalLB's controller: those of its manifests and of its chart.
const METALLB: [&str; 2] = [
    "app%3Dmetallb,component%3Dcontroller",
    "app.kubernetes.io%2Fname%3Dmetallb,app.kubernetes.io%2Fcomponent%3Dcontroller",
];
/// Labels of what k3s' ServiceLB makes for a Service.
const SERVICE: &str = "svccontroller.k3s.cattle.io/svcname";
const NAMESPACE: &str = "svccontroller.k3s.cattle.io/svcnamespace";
/// Where it makes that; before k3s 1.24 beside the Service.
const SERVICE_LB: &str = "kube-system";
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

/// Why it is not known who gives addresses beside us.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RivalsUnknown {
    /// A list has not come to its end.
    #[error(transparent)]
    Unlisted(#[from] Trouble),
    /// It is not said who may do what.
    #[error(transparent)]
    Unanswered(#[from] AskFailure),
}

#[derive(Deserialize)]
struct Workload {
    metadata: Metadata,
    #[serde(default)]
    spec: WorkloadSpec,
    #[serde(default)]
    status: WorkloadStatus,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    namespace: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WorkloadSpec {
    replicas: Option<i64>,
    template: PodTemplate,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodTemplate {
    spec: PodSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodSpec {
    service_account_name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WorkloadStatus {
    replicas: Option<i64>,
}

/// Who gives addresses beside us.
///
/// # Errors
/// When the API server does not say.
pub async fn rivals(connection: &Connection) -> Result<Rivals, RivalsUnknown> {
    let mut rivals = Rivals::default();
    for labels in METALLB {
        let path = format!("/apis/apps/v1/deployments?labelSelector={labels}&");
        if rivals.metallb.is_none() {
            rivals.metallb = metallb(connection, path).await?;
        }
    }
    let labels = SERVICE.replace('/', "%2F");
    let path = format!("/apis/apps/v1/daemonsets?labelSelector={labels}&");
    let mut pages = Pages::new(path, pages::MOST, (PATIENCE, PATIENCE));
    while let Some(page) = next::<Workload>(&mut pages, connection).await? {
        rivals.service_lb.extend(page.iter().filter_map(served));
    }
    Ok(rivals)
}

async fn next<T: DeserializeOwned>(
    pages: &mut Pages,
    connection: &Connection,
) -> Result<Option<Vec<T>>, Trouble> {
    Ok(pages.next::<T>(connection).await?.map(|page| page.items))
}

/// The first of these that runs, and may do what MetalLB does.
async fn metallb(
    connection: &Connection,
    path: String,
) -> Result<Option<NamespacedName>, RivalsUnknown> {
    let mut asked = BTreeMap::new();
    let mut pages = Pages::new(path, pages::MOST, (PATIENCE, PATIENCE));
    while let Some(page) = next::<Workload>(&mut pages, connection).await? {
        for found in page.iter().filter(|it| it.runs()) {
            let account = found.account();
            let may = match asked.get(&account) {
                Some(may) => *may,
                None => may_write(connection, &account).await?,
            };
            asked.insert(account, may);
            if may {
                return Ok(Some(found.id()));
            }
        }
    }
    Ok(None)
}

/// Whether pods with this account may write the status of every Service. Where we may not ask, it
/// is believed: nobody is fought by mistake.
async fn may_write(connection: &Connection, account: &NamespacedName) -> Result<bool, AskFailure> {
    let NamespacedName { namespace, name } = account;
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": format!("system:serviceaccount:{namespace}:{name}"),
            "groups": [
                "system:serviceaccounts",
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated",
            ],
            "resourceAttributes": {
                "verb": "update", "version": "v1", "resource": "services", "subresource": "status",
            },
        },
    });
    let content = Some((Content::Json, &review));
    match ask::<Value>(connection, Method::POST, REVIEWS, content, PATIENCE).await {
        Ok(review) => Ok(review["status"]["allowed"] == true),
        Err(error) if error.code() == Some(403) => Ok(true),
        Err(error) => Err(error),
    }
}

/// The Service that a DaemonSet of k3s' ServiceLB is for.
fn served(daemon_set: &Workload) -> Option<(NamespacedName, NamespacedName)> {
    let Metadata { labels, namespace, .. } = &daemon_set.metadata;
    let service = NamespacedName::new(&**labels.get(NAMESPACE)?, &**labels.get(SERVICE)?);
    let is_its = namespace == SERVICE_LB || **namespace == *service.namespace;
    is_its.then(|| (service, daemon_set.id()))
}

impl Workload {
    /// Whether there are pods of it, or are to be: by default one.
    fn runs(&self) -> bool {
        self.spec.replicas != Some(0) || self.status.replicas.is_some_and(|count| count > 0)
    }

    fn id(&self) -> NamespacedName {
        NamespacedName::new(&*self.metadata.namespace, &*self.metadata.name)
    }

    /// The ServiceAccount of its pods.
    fn account(&self) -> NamespacedName {
        let name = match &*self.spec.template.spec.service_account_name {
            "" => "default",
            name => name,
        };
        NamespacedName::new(&*self.metadata.namespace, name)
    }
}
