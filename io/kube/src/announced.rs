//! ServiceL2Status objects: what is there is asked for when it matters, and followed no further, as
//! nobody decides by them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request};
use serde::Deserialize;
use serde_json::{Value, json};
use steelyard_statuses::{Owner, Report, ServiceL2Status, ServiceStatus, Write};

use crate::connection::Connection;

/// The field manager.
const MANAGER: &str = "steelyard-speaker";
/// Where they are, in a namespace.
const ROOT: &str = "/apis/metallb.io/v1beta1/namespaces";
const PLURAL: &str = "servicel2statuses";
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Those of a namespace.
#[derive(Clone, Debug)]
pub struct L2Reports {
    connection: Arc<Connection>,
    namespace: String,
}

/// Why they cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum NoReports {
    /// What the API server, or the way to it, says.
    #[error("{0}")]
    Api(#[source] Box<kube::Error>),
    /// It says nothing.
    #[error("the API server does not answer")]
    Silence,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Value>,
}

impl L2Reports {
    /// Of this namespace.
    pub fn new(connection: &Arc<Connection>, namespace: &str) -> Self {
        Self { connection: connection.clone(), namespace: namespace.to_owned() }
    }

    /// All there are; none where the cluster does not know the kind.
    ///
    /// # Errors
    /// When the API server does not say.
    pub async fn all(&self) -> Result<Option<Vec<Report<ServiceL2Status>>>, NoReports> {
        let path = format!("{ROOT}/{}/{PLURAL}", self.namespace);
        match self.ask::<List>(Method::GET, &path, None).await {
            Ok(list) => Ok(Some(list.items.iter().map(|it| self.read(it)).collect())),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes one.
    ///
    /// # Errors
    /// When the API server does not take it.
    pub async fn carry_out(&self, write: Write<ServiceL2Status>) -> Result<(), NoReports> {
        let all = format!("{ROOT}/{}/{PLURAL}", self.namespace);
        let by = format!("fieldManager={MANAGER}");
        let (report, name) = match write {
            Write::Delete { name, .. } => {
                let path = format!("{all}/{name}");
                return match self.ask::<Value>(Method::DELETE, &path, None).await {
                    Err(error) if !error.is_absent() => Err(error),
                    _ => Ok(()),
                };
            }
            Write::Create(report) => {
                let path = format!("{all}?{by}");
                let made: Value = self.ask(Method::POST, &path, Some(body(&report))).await?;
                let name = made["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                (report, name)
            }
            Write::Update(report) => {
                let name = report.name.clone().unwrap_or_default();
                let metadata = json!({"metadata": body(&report)["metadata"]});
                let path = format!("{all}/{name}?{by}");
                self.ask::<Value>(Method::PATCH, &path, Some(metadata)).await?;
                (report, name)
            }
        };
        let path = format!("{all}/{name}/status?{by}");
        let status = json!({"status": report.status});
        self.ask::<Value>(Method::PATCH, &path, Some(status)).await.map(drop)
    }

    fn read(&self, object: &Value) -> Report<ServiceL2Status> {
        let metadata = &object["metadata"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let labels = metadata["labels"].as_object().into_iter().flatten();
        let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
        let owners: BTreeSet<Owner> =
            owners.map(|it| Owner { name: text(&it["name"]), uid: text(&it["uid"]) }).collect();
        Report {
            name: metadata["name"].as_str().map(str::to_owned),
            namespace: self.namespace.clone(),
            labels: labels.map(|(key, value)| (key.clone(), text(value))).collect(),
            owners,
            status: serde_json::from_value(object["status"].clone()).ok(),
        }
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        content: Option<Value>,
    ) -> Result<T, NoReports> {
        let kind = match method {
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        let body = content.map(|it| it.to_string().into_bytes()).unwrap_or_default();
        let request = Request::builder().method(method).uri(path).header("content-type", kind);
        let request = request.body(body).expect("names of objects are good in paths");
        let asked = self.connection.client();
        match tokio::time::timeout(PATIENCE, asked.request(request)).await {
            Ok(answer) => answer.map_err(|error| NoReports::Api(Box::new(error))),
            Err(_) => Err(NoReports::Silence),
        }
    }
}

impl NoReports {
    fn is_absent(&self) -> bool {
        matches!(self, Self::Api(error) if matches!(&**error, kube::Error::Api(it) if it.code == 404))
    }
}

/// An object, but for its name and status.
fn body(report: &Report<ServiceL2Status>) -> Value {
    let owner =
        |it: &Owner| json!({"apiVersion": "v1", "kind": "Pod", "name": it.name, "uid": it.uid});
    json!({
        "apiVersion": "metallb.io/v1beta1",
        "kind": "ServiceL2Status",
        "metadata": {
            "generateName": ServiceL2Status::NAME_PREFIX,
            "namespace": report.namespace,
            "labels": report.labels,
            "ownerReferences": report.owners.iter().map(owner).collect::<Vec<_>>(),
        },
    })
}
