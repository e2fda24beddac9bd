//! Tokens that expire, while their file gets another one in time, and while it does not.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use steelyard_host::netns::Namespace;
use steelyard_kube::{Connection, L2Reports};
use steelyard_tests::binary::steelyard;
use steelyard_tests::cluster::{self, Cluster};
use steelyard_tests::process::Running;
use steelyard_tests::scratch::Scratch;
use steelyard_tests::{manifests, needs_cluster};

use super::commands::with_user;
use super::mint::{Mint, wait_until_expired};
use super::relay::Relay;
use super::{definitions, start};

/// What an account may that may do everything.
const EVERYTHING: &str = "{apiGroups: ['*'], resources: ['*'], verbs: ['*']}";
/// A namespace, a class and a pool.
const CONFIGURED: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: steelyard-system}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: traefik}
spec: {controller: traefik.io/ingress-controller}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: home, namespace: steelyard-system}
spec: {addresses: [192.0.2.10-192.0.2.20]}
";
/// A Service with an endpoint on the client's host, and a route to it.
const ROUTE: &str = "
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec: {type: LoadBalancer, allocateLoadBalancerNodePorts: false, ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: NAME, labels: {kubernetes.io/service-name: NAME}}
addressType: IPv4
ports: [{port: 8000}]
endpoints: [{addresses: [10.2.0.1], conditions: {ready: true}}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: NAME}
spec:
  ingressClassName: traefik
  rules: [{host: NAME.example, http: {paths: [{path: /, pathType: Prefix,
    backend: {service: {name: NAME, port: {number: 80}}}}]}}]
";
/// An API server forgives a minute more, in which roles start.
const SHORT: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(3600);
/// Where the gateway tells what it does, and the controller.
const GATEWAY: &str = "127.0.0.1:9180";
const CONTROLLER: &str = "127.0.0.1:9181";

/// A file with a token, a kubeconfig that names it, and a way that can be cut.
struct Account {
    mint: Mint,
    file: PathBuf,
    first: String,
    relay: Relay,
}

impl Account {
    fn new(cluster: &Cluster, scratch: &Scratch, name: &str) -> Result<Self> {
        let file = scratch.file(&format!("{name}.token"));
        let user = format!("{{tokenFile: {}}}", file.display());
        let kubeconfig = with_user(cluster, scratch, name, &user)?;
        let mint = Mint::new(cluster, "default", "role")?;
        let relay = Relay::start(cluster, &kubeconfig)?;
        let first = mint.token(SHORT)?;
        let this = Self { mint, file, first, relay };
        this.put(&this.first)?;
        Ok(this)
    }

    fn put(&self, token: &str) -> Result<()> {
        let beside = self.file.with_extension("new");
        std::fs::write(&beside, token)?;
        Ok(std::fs::rename(beside, &self.file)?)
    }

    fn rotate(&self) -> Result<()> {
        self.put(&self.mint.token(LONG)?)
    }

    /// Connections that were let in go on; others have to show their token.
    fn reconnect(&self) {
        self.relay.close();
        self.relay.open();
    }
}

fn role(cluster: &Cluster, words: &[&str], kubeconfig: &Path) -> Result<Running> {
    let mut command = cluster.client().command(&steelyard().to_string_lossy());
    command.args(words).arg("--kubeconfig").arg(kubeconfig);
    let mut running = Running::start(command)?;
    running.hush();
    Ok(running)
}

/// Status and body of what the client's host gets there.
fn get(cluster: &Cluster, url: &str, host: &str) -> String {
    let host = format!("Host: {host}");
    let asked = ["-sS", "-m", "5", "-w", "%{http_code}", "-H", &host, url];
    let output = cluster.client().output("curl", &asked);
    output.map_or_else(|_| String::new(), |it| String::from_utf8_lossy(&it.stdout).into_owned())
}

fn serves(cluster: &Cluster, name: &str) -> bool {
    get(cluster, "http://127.0.0.1:8080/", &format!("{name}.example")).ends_with("200")
}

fn has_address(cluster: &Cluster, name: &str) -> bool {
    let service = cluster.api().get(&format!("/api/v1/namespaces/default/services/{name}"));
    service.is_ok_and(|it| it["status"]["loadBalancer"]["ingress"][0]["ip"].is_string())
}

#[test]
fn a_token_that_expires_is_read_again_and_who_has_none_serves_on() -> Result<()> {
    needs_cluster!();
    let cluster = start("expiry")?;
    cluster.apply(&definitions())?;
    cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"])?;
    cluster.apply(CONFIGURED)?;
    cluster.apply(&manifests::account("default", "role", &[EVERYTHING]))?;
    cluster.apply(&ROUTE.replace("NAME", "first"))?;
    let mut files = cluster.client().command("python3");
    files.args(["-m", "http.server", "8000", "--bind", "10.2.0.1", "--directory", "/run"]);
    let _files = Running::start(files)?;
    let scratch = Scratch::new()?;
    let [in_time, too_late] =
        ["controller", "gateway"].map(|name| Account::new(&cluster, &scratch, name));
    let (in_time, too_late) = (in_time?, too_late?);
    let words = ["controller", "--admin", CONTROLLER];
    let controller = role(&cluster, &words, in_time.relay.kubeconfig())?;
    let words = ["gateway", "--admin", GATEWAY];
    let gateway = role(&cluster, &words, too_late.relay.kubeconfig())?;
    let printed = || format!("{}\n{}", controller.printed(), gateway.printed());
    cluster::until("both to work", || serves(&cluster, "first") && has_address(&cluster, "first"))
        .with_context(printed)?;
    let reports = Reports::open(&cluster, in_time.relay.kubeconfig())?;
    reports.list()?;

    // The controller's file gets another one in time.
    in_time.rotate()?;
    for account in [&in_time, &too_late] {
        wait_until_expired(&cluster, &cluster.kubeconfig(), &account.first)?;
        account.reconnect();
    }
    cluster.apply(&ROUTE.replace("NAME", "second"))?;
    cluster::until("an address by the controller", || has_address(&cluster, "second"))
        .with_context(|| controller.printed())?;
    let lease =
        "/apis/coordination.k8s.io/v1/namespaces/steelyard-system/leases/steelyard-controller";
    let lease = cluster.api().get(lease)?;
    ensure!(lease["spec"]["leaseTransitions"].as_u64().unwrap_or_default() <= 1, "{lease}");
    cluster::until("reports to be listed", || reports.list().is_ok())?;

    // The gateway's does not: it says so, and serves on as it did.
    let readyz = || get(&cluster, &format!("http://{GATEWAY}/readyz"), "localhost");
    let is_told = |said: &str| said.contains("does not accept the account's token");
    cluster::until("the gateway to say what is the matter", || {
        let said = readyz();
        said.ends_with("200") && is_told(&said)
    })
    .with_context(|| format!("{}\n{}", readyz(), gateway.printed()))?;
    ensure!(serves(&cluster, "first") && !serves(&cluster, "second"), "{}", gateway.printed());

    // Late is better than never.
    too_late.rotate()?;
    cluster::until("it to hear again", || serves(&cluster, "second") && !is_told(&readyz()))
        .with_context(|| format!("{}\n{}", readyz(), gateway.printed()))?;
    ensure!(serves(&cluster, "first"));
    Ok(())
}

/// Who asks for reports of announcements now and then, as a speaker does.
struct Reports {
    host: Namespace,
    runtime: tokio::runtime::Runtime,
    reports: L2Reports,
}

impl Reports {
    fn open(cluster: &Cluster, kubeconfig: &Path) -> Result<Self> {
        let host = Namespace::existing(cluster.client().name())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let connection = runtime.block_on(Connection::open(Some(kubeconfig), None))?;
        let reports = L2Reports::new(&Arc::new(connection), "steelyard-system");
        Ok(Self { host, runtime, reports })
    }

    fn list(&self) -> Result<()> {
        let asked = self.host.run(|| self.runtime.block_on(self.reports.all()))?;
        Ok(asked.map(drop)?)
    }
}
