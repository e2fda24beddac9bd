//! Thousands of Secrets that are nobody's business.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use steelyard_tests::binary::steelyard;
use steelyard_tests::cluster::{self, Cluster};
use steelyard_tests::process::Running;
use steelyard_tests::scratch::Scratch;
use steelyard_tests::{manifests, needs_cluster};

use super::commands::account;
use super::start;

const MANY: usize = 5_000;
/// What is in each, in bytes.
const EACH: usize = 4 << 10;
/// What a gateway may take more than without them.
const MOST: f64 = (MANY * EACH / 8) as f64;

/// What a gateway may: of Secrets it may read one, and list none.
const MAY: [&str; 5] = [
    "{apiGroups: [''], resources: [services, nodes, namespaces], verbs: [list, watch]}",
    "{apiGroups: [traefik.io], resources: ['*'], verbs: [list, watch]}",
    "{apiGroups: [''], resources: [secrets], resourceNames: [cert], verbs: [list, watch]}",
    "{apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list, watch]}",
    "{apiGroups: [networking.k8s.io], resources: [ingresses, ingressclasses], verbs: [list, watch]}",
];
/// A route with a certificate.
const CONFIGURED: &str = "
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: traefik}
spec: {controller: traefik.io/ingress-controller}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  ingressClassName: traefik
  tls: [{hosts: [web.example], secretName: cert}]
  rules: [{host: web.example, http: {paths: [{path: /, pathType: Prefix,
    backend: {service: {name: web, port: {number: 80}}}}]}}]
";

/// A gateway on the client's host, while it runs.
struct Gateway<'a> {
    cluster: &'a Cluster,
    running: Running,
}

impl<'a> Gateway<'a> {
    /// Starts one; it is ready, and has its certificate, afterwards.
    fn start(cluster: &'a Cluster, kubeconfig: &std::path::Path) -> Result<Self> {
        let mut command = cluster.client().command(&steelyard().to_string_lossy());
        command.args(["gateway", "--admin", "127.0.0.1:9180", "--workers", "1", "--kubeconfig"]);
        command.arg(kubeconfig);
        let mut running = Running::start(command)?;
        running.hush();
        let this = Self { cluster, running };
        cluster::until("a gateway with a certificate", || {
            this.get("/readyz").starts_with("ok") && this.watches("followed") == Some(1.0)
        })
        .with_context(|| format!("{}\n{}", this.get("/readyz"), this.running.printed()))?;
        Ok(this)
    }

    fn get(&self, path: &str) -> String {
        let url = format!("http://127.0.0.1:9180{path}");
        let output = self.cluster.client().output("curl", &["-sS", "-m", "5", &url]);
        output.map_or_else(|_| String::new(), |it| String::from_utf8_lossy(&it.stdout).into_owned())
    }

    fn metric(&self, series: &str) -> Option<f64> {
        let metrics = self.get("/metrics");
        metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
    }

    /// How many Secrets stand so.
    fn watches(&self, standing: &str) -> Option<f64> {
        let labels = format!("{{resource=\"secrets\",standing=\"{standing}\"}}");
        self.metric(&format!("steelyard_cluster_watches{labels}"))
    }

    fn memory(&self) -> Result<f64> {
        self.metric("process_resident_memory_bytes").context("it says what it takes")
    }
}

fn certificate(cluster: &Cluster, scratch: &Scratch) -> Result<()> {
    let [key, cert] = ["tls.key", "tls.crt"].map(|it| scratch.file(it).display().to_string());
    let made = cluster.client().output(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=web.example",
            "-addext",
            "subjectAltName=DNS:web.example",
            "-days",
            "2",
            "-keyout",
            &key,
            "-out",
            &cert,
        ],
    )?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let words = ["create", "secret", "tls", "cert", "--key", &key, "--cert", &cert];
    cluster.kubectl(&words).map(drop)
}

/// They are not read, so that they cost neither memory nor rights; and what is read is served.
#[test]
fn secrets_that_nothing_refers_to_are_not_read() -> Result<()> {
    needs_cluster!();
    let cluster = start("secrets")?;
    let scratch = Scratch::new()?;
    cluster.apply(&manifests::account("default", "gateway", &MAY))?;
    cluster.apply(CONFIGURED)?;
    certificate(&cluster, &scratch)?;
    let kubeconfig = account(&cluster, &scratch, "default", "gateway")?;
    let mut without = Gateway::start(&cluster, &kubeconfig)?;
    let before = without.memory()?;
    without.running.stop()?;
    let content = "x".repeat(EACH);
    cluster.api().create_many(MANY, |at| {
        let object = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": { "name": format!("other-{at}") }, "stringData": { "content": content },
        });
        ("/api/v1/namespaces/default/secrets".to_owned(), object)
    })?;
    let with = Gateway::start(&cluster, &kubeconfig)?;
    let after = with.memory()?;
    ensure!(after < before + MOST, "{before} without them, {after} with them");
    ensure!(with.watches("refused") == Some(0.0), "{}", with.running.printed());
    // It goes on reading the one.
    cluster.kubectl(&["delete", "secret", "cert"])?;
    cluster::until("it to miss its certificate", || {
        with.get("/api/v1/diagnostics").contains("tls-secret-missing")
    })
    .with_context(|| with.get("/api/v1/diagnostics"))
}
