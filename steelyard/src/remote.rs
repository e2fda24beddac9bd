//! A running instance in a cluster, asked through the API server with the rights of whoever asks:
//! `pods/proxy` in its namespace, and to see more than metrics the token that its pods want.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use http::Method;
use serde::Deserialize;
use serde_json::Value;
use steelyard_admin::{AskError, BEGUN, Respondent, TOKEN_HEADER, TOLD, judge};
use steelyard_kube::{Connection, PodPlace};
use tokio::runtime::Runtime;

/// Pods of ours.
const LABELS: &str = "app.kubernetes.io/name=steelyard";
/// Where their admin API listens.
const PORT: u16 = 9180;
/// The Secret with the token that they want, and its key.
const TOKEN: (&str, &str) = ("steelyard-admin", "token");

/// Which instance of a cluster.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Of a cluster")]
pub(crate) struct RemoteArgs {
    /// Ask an instance in a cluster, through its API server
    #[arg(long)]
    pub(crate) cluster: bool,
    /// How the API server is reached [default: $KUBECONFIG or ~/.kube/config]
    #[arg(long, value_name = "FILE", requires = "cluster")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME", requires = "cluster")]
    context: Option<String>,
    /// Namespace that Steelyard is installed in
    #[arg(long, value_name = "NS", default_value = "steelyard-system")]
    namespace: String,
    /// Which part of it: controller, speaker or gateway
    /// [default: the one whose business it is]
    #[arg(long, value_name = "NAME", requires = "cluster")]
    component: Option<String>,
    /// Its pod on this node [default: the first that is ready]
    #[arg(long, value_name = "NAME", requires = "cluster")]
    on: Option<String>,
}

/// A pod, by way of the API server.
pub(crate) struct Remote {
    runtime: Runtime,
    connection: Connection,
    /// Path of its admin API.
    base: String,
    pod: String,
    token: Option<String>,
}

#[derive(Deserialize)]
struct Secret {
    data: Option<std::collections::BTreeMap<String, String>>,
}

impl Remote {
    /// Finds the pod to be asked; `business` is the part whose business it is.
    ///
    /// # Errors
    /// When there is none, or no way to the API server.
    pub(crate) fn find(
        args: &RemoteArgs,
        business: &str,
        token_file: Option<&PathBuf>,
    ) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let open = Connection::open(args.kubeconfig.as_deref(), args.context.as_deref());
        let connection = runtime.block_on(open).context("no way to the API server")?;
        let namespace = &args.namespace;
        let pods = runtime.block_on(connection.pods(namespace, LABELS));
        let pods = pods.with_context(|| format!("no pods are told by {}", connection.server()))?;
        let Some(pod) = chosen(&pods, args, business) else {
            bail!(
                "no pod of Steelyard in namespace {namespace} is ready ({} there are): another \
                 namespace is given with --namespace",
                pods.len()
            );
        };
        let pod = pod.name.clone();
        let token = match token_file {
            Some(file) => Some(
                std::fs::read_to_string(file)
                    .with_context(|| format!("the token file {} cannot be read", file.display()))?
                    .trim()
                    .to_owned(),
            ),
            None => runtime.block_on(token(&connection, namespace)),
        };
        let base = format!("/api/v1/namespaces/{namespace}/pods/{pod}:{PORT}/proxy");
        Ok(Self { runtime, connection, base, pod, token })
    }

    fn send(&self, method: Method, name: &str, taken: u16) -> Result<Value, AskError> {
        let path = format!("{}/api/v1/{name}", self.base);
        let token = self.token.as_deref().map(|token| (TOKEN_HEADER, token));
        let headers: Vec<(&str, &str)> = token.into_iter().collect();
        let answer = self.runtime.block_on(self.connection.relay(method, &path, &headers));
        let answer = answer.map_err(|trouble| AskError::Way(trouble.to_string()))?;
        match (answer.status, answer.refusal()) {
            (TOLD | BEGUN, _) | (_, None) => judge(&self.pod, taken, answer.status, &answer.body),
            (_, Some(said)) => Err(AskError::Way(format!("the API server says: {said}"))),
        }
    }
}

impl Respondent for Remote {
    fn ask(&self, name: &str) -> Result<Value, AskError> {
        self.send(Method::GET, name, TOLD)
    }

    fn order(&self, name: &str) -> Result<Value, AskError> {
        self.send(Method::POST, name, BEGUN)
    }
}

/// The first that is ready: of the part that was asked for, else of the one whose business it is,
/// else of any.
fn chosen<'a>(pods: &'a [PodPlace], args: &RemoteArgs, business: &str) -> Option<&'a PodPlace> {
    let is_here = |pod: &&PodPlace| args.on.as_ref().is_none_or(|node| *node == pod.node);
    let mut ready = pods.iter().filter(|pod| pod.is_ready).filter(is_here);
    if let Some(component) = &args.component {
        return ready.find(|pod| pod.component == *component);
    }
    let of_it = ready.clone().find(|pod| pod.component == business);
    of_it.or_else(|| ready.next())
}

/// The token that pods want, where it may be read.
async fn token(connection: &Connection, namespace: &str) -> Option<String> {
    let (name, key) = TOKEN;
    let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
    let answer = connection.relay(Method::GET, &path, &[]).await.ok()?;
    let secret: Secret = serde_json::from_slice(&answer.body).ok()?;
    let text = secret.data?.remove(key)?;
    Some(String::from_utf8(decoded(&text)?).ok()?.trim().to_owned())
}

/// Base64, as API servers write it.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        (bits, count) = (bits << 6 | u32::from(value(byte)?), count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read() {
        for (text, bytes) in [("", ""), ("YQ==", "a"), ("YWI=", "ab"), ("YWJj", "abc")] {
            assert_eq!(decoded(text).unwrap(), bytes.as_bytes(), "{text}");
        }
        assert_eq!(decoded("a-b"), None);
    }

    #[test]
    fn who_is_asked_is_ready_and_has_it_for_its_business() {
        let pod = |name: &str, component: &str, node: &str, is_ready| PodPlace {
            name: name.to_owned(),
            component: component.to_owned(),
            node: node.to_owned(),
            is_ready,
        };
        let pods = [
            pod("a", "controller", "n1", false),
            pod("b", "controller", "n2", true),
            pod("c", "speaker", "n1", true),
            pod("d", "speaker", "n2", true),
        ];
        let name = |args: &RemoteArgs, business| chosen(&pods, args, business).map(|it| &*it.name);
        let any = RemoteArgs::default();
        assert_eq!(name(&any, "controller"), Some("b"));
        assert_eq!(name(&any, "gateway"), Some("b"));
        let there = RemoteArgs { on: Some("n1".to_owned()), ..any.clone() };
        assert_eq!(name(&there, "controller"), Some("c"));
        let speaker = RemoteArgs { component: Some("speaker".to_owned()), ..any };
        assert_eq!(name(&speaker, "controller"), Some("c"));
    }
}
