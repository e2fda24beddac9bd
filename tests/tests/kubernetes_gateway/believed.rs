//! Whom a gateway believes that speaks TLS to endpoints, by a ServersTransport whose `rootCAs` are
//! in a ConfigMap, which an API server has.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use steelyard_tests::chart::deploy;
use steelyard_tests::cluster::{self, Cluster};
use steelyard_tests::process::{Running, run};
use steelyard_tests::scratch::Scratch;
use steelyard_tests::{http, needs_cluster, roles};

use super::{NODES, gateway, start};

/// Where the endpoint listens.
const PORT: u16 = 8743;
const HOST: &str = "origin.example";

/// Two authorities, and what one of them has signed.
fn keys(address: &str) -> Result<Scratch> {
    let keys = Scratch::new()?;
    let openssl = |words: &str| -> Result<()> {
        let mut command = Command::new("openssl");
        command.args(words.split_whitespace()).current_dir(keys.path());
        run(command).map(drop)
    };
    let new = "-nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256";
    for name in ["ca", "other"] {
        openssl(&format!(
            "req -x509 {new} -days 30 -subj /CN={name} -keyout {name}.key -out {name}.pem"
        ))?;
    }
    openssl(&format!("req {new} -subj /CN=own -keyout own.key -out own.csr"))?;
    keys.write("lines", &format!("subjectAltName=IP:{address}"))?;
    openssl("x509 -req -in own.csr -CA ca.pem -CAkey ca.key -days 30 -extfile lines -out own.pem")?;
    Ok(keys)
}

/// A server on a node that shows what is signed.
fn server(cluster: &Cluster, node: &str, keys: &Scratch) -> Result<Running> {
    let mut command = cluster.node(node)?.host()?.command("openssl");
    command.args(["s_server", "-accept", &PORT.to_string(), "-www"]);
    command.arg("-cert").arg(keys.file("own.pem")).arg("-key").arg(keys.file("own.key"));
    let mut running = Running::start(command)?;
    running.wait_for("ACCEPT")?;
    Ok(running)
}

/// What leads there.
fn routes(address: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Service
metadata: {{name: origin}}
spec: {{ports: [{{name: https, port: 443, targetPort: {PORT}}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: origin-1, labels: {{kubernetes.io/service-name: origin}}}}
addressType: IPv4
ports: [{{name: https, port: {PORT}}}]
endpoints: [{{addresses: [{address}], conditions: {{ready: true}}}}]
---
apiVersion: traefik.io/v1alpha1
kind: ServersTransport
metadata: {{name: believing}}
spec: {{rootCAs: [{{configMap: authorities}}]}}
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {{name: origin}}
spec:
  entryPoints: [web]
  routes:
  - match: Host(`{HOST}`)
    services: [{{name: origin, port: 443, serversTransport: believing}}]
"#
    )
}

#[test]
fn whom_a_config_map_names_is_believed() -> Result<()> {
    needs_cluster!();
    let cluster = start("believes")?;
    let crds = deploy("helm/steelyard/crds").to_string_lossy().into_owned();
    cluster.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &crds])?;
    let waits = ["wait", "--for=condition=established", "crd", "--all", "--timeout=60s"];
    cluster.kubectl(&waits)?;
    let node = NODES[0];
    let [four, _] = cluster.node(node)?.addresses();
    let keys = keys(&four)?;
    let _server = server(&cluster, node, &keys)?;
    cluster.apply(&routes(&four))?;
    let at = SocketAddr::new(four.parse()?, 8080);
    let ask = || cluster.client().run(|| http::get(at, HOST, "/"));
    let status = || ask().ok().and_then(Result::ok).map(|answer| answer.status);
    let believe = |name: &str| -> Result<()> {
        let pem = std::fs::read_to_string(keys.file(name))?;
        let lines: String = pem.lines().map(|line| format!("    {line}\n")).collect();
        let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: authorities}\ndata:\n  \
                   ca.crt: |\n";
        cluster.apply(&format!("{map}{lines}"))
    };

    let mut running = gateway(&cluster, node)?;
    roles::wait_until_ready(&cluster, node)?;
    cluster::until("no ConfigMap to close the route", || status() == Some(503))?;
    believe("other.pem")?;
    cluster::until("nobody to be believed by the wrong authority", || status() == Some(502))?;
    believe("ca.pem")?;
    cluster::until("the endpoint to be believed", || status() == Some(200))?;
    let answer = ask()?.context("an answer")?;
    ensure!(answer.body.contains("s_server"), "it is the endpoint that answers: {answer:?}");
    cluster.kubectl(&["delete", "configmap", "authorities"])?;
    cluster::until("the route to be closed again", || status() == Some(503))?;
    running.kill()?;
    cluster.stop()
}
