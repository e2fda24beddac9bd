//! What listens in a pod, asked through the API server: whoever may do that needs no way to the pod
//! itself.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use kube::client::Body;
use serde::Deserialize;
use serde_json::Value;

use crate::connection::Connection;
use crate::lines::Lines;
use crate::trouble::{Trouble, chain};

/// Until an answer begins, and between two pieces of it.
const PATIENCE: Duration = Duration::from_secs(20);
/// Until all of it is there.
const LONGEST: Duration = Duration::from_secs(120);
/// Bytes of an answer, at most.
const MOST: usize = 256 << 20;

/// An answer, from wherever on the way it comes.
#[derive(Clone, Debug)]
pub struct Relayed {
    /// Its status.
    pub status: u16,
    /// What it says.
    pub body: Bytes,
}

/// A pod that can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodPlace {
    /// Name.
    pub name: String,
    /// `app.kubernetes.io/component`.
    pub component: String,
    /// The node it runs on.
    pub node: String,
    /// Whether it is ready.
    pub is_ready: bool,
}

#[derive(Deserialize)]
struct Pods {
    items: Vec<Value>,
}

/// What an API server says itself.
#[derive(Deserialize)]
struct Status {
    kind: String,
    message: Option<String>,
}

impl Connection {
    /// Asks for a path of the API server; `headers` are sent with it.
    ///
    /// # Errors
    /// When no answer comes. An answer that says no is one.
    pub async fn relay(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Relayed, Trouble> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty());
        let request = request.map_err(|error| Trouble::Unreachable(chain(&error)))?;
        let answer = tokio::time::timeout(PATIENCE, self.client().send(request)).await;
        let answer = answer.map_err(|_| Trouble::Silent(PATIENCE))?;
        let answer = answer.map_err(|error| Trouble::Unreachable(chain(&error)))?;
        let status = answer.status().as_u16();
        let body = Lines::new(answer.into_body()).whole(PATIENCE, MOST);
        let body = tokio::time::timeout(LONGEST, body).await;
        Ok(Relayed { status, body: body.map_err(|_| Trouble::Slow(LONGEST))?? })
    }

    /// The pods of a namespace with these labels (`a=b`), by name.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn pods(&self, namespace: &str, labels: &str) -> Result<Vec<PodPlace>, Trouble> {
        let labels = labels.replace('=', "%3D");
        let path = format!("/api/v1/namespaces/{namespace}/pods?labelSelector={labels}");
        let answer = self.relay(Method::GET, &path, &[]).await?;
        if answer.status != 200 {
            return Err(Trouble::Garbled(answer.said()));
        }
        let pods: Pods = serde_json::from_slice(&answer.body)
            .map_err(|error| Trouble::Garbled(error.to_string()))?;
        let mut places: Vec<PodPlace> = pods.items.iter().map(PodPlace::of).collect();
        places.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(places)
    }
}

impl Relayed {
    /// What an API server says itself, in the place of whoever was to be asked.
    pub fn refusal(&self) -> Option<String> {
        let said: Status = serde_json::from_slice(&self.body).ok()?;
        (said.kind == "Status").then(|| said.message.unwrap_or_else(|| self.said()))
    }

    fn said(&self) -> String {
        let message = serde_json::from_slice::<Status>(&self.body).ok().and_then(|it| it.message);
        message.unwrap_or_else(|| format!("status {}", self.status))
    }
}

impl PodPlace {
    fn of(pod: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let conditions = pod["status"]["conditions"].as_array();
        let is_ready = conditions.is_some_and(|conditions| {
            conditions.iter().any(|it| it["type"] == "Ready" && it["status"] == "True")
        });
        Self {
            name: text(&pod["metadata"]["name"]),
            component: text(&pod["metadata"]["labels"]["app.kubernetes.io/component"]),
            node: text(&pod["spec"]["nodeName"]),
            is_ready,
        }
    }
}
