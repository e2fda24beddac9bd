//! ServiceL2Status objects: what is there is asked for when it matters, and followed no further, as
//! nobody decides by them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use steelyard_statuses::{Owner, Report, ServiceL2Status, ServiceStatus, Write};

use crate::ask::{AskFailure, Content, ask};
use crate::connection::Connection;
use crate::lease::is_absent;

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
    pub async fn all(&self) -> Result<Option<Vec<Report<ServiceL2Status>>>, AskFailure> {
        let path = format!("{ROOT}/{}/{PLURAL}", self.namespace);
        match self.ask::<List>(Method::GET, &path, None).await {
            Ok(list) => Ok(Some(list.items.iter().map(|it| self.read(it)).collect())),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes one.
    ///
    /// # Errors
    /// When the API server does not take it.
    pub async fn carry_out(&self, write: Write<ServiceL2Status>) -> Result<(), AskFailure> {
        let all = format!("{ROOT}/{}/{PLURAL}", self.namespace);
        let by = format!("fieldManager={MANAGER}");
        let (report, name) = match write {
            Write::Delete { name, .. } => {
                let path = format!("{all}/{name}");
                return match self.ask::<Value>(Method::DELETE, &path, None).await {
                    Err(error) if !is_absent(&error) => Err(error),
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

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        content: Option<Value>,
    ) -> Result<T, AskFailure> {
        let kind = match method {
            Method::PATCH => Content::MergePatch,
            _ => Content::Json,
        };
        let content = content.as_ref().map(|it| (kind, it));
        ask(&self.connection, method, path, content, PATIENCE).await
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
