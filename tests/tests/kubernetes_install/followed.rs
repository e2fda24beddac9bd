//! docs/install.md and docs/migrate.md, followed: their `bash` blocks are run as they are written,
//! in a shell that knows `kubectl`, `helm` and `steelyard`.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use steelyard_tests::chart::{NAMESPACE, deploy};
use steelyard_tests::cluster::{self, Cluster};
use steelyard_tests::needs_cluster;
use steelyard_tests::process::run;

use super::{define, definitions_of, start};

/// Runs what a document says below a heading, in its order; what was said.
pub(crate) fn follow(cluster: &Cluster, document: &str, heading: &str) -> Result<String> {
    let text = fs::read_to_string(deploy("../docs").join(document))?;
    let blocks = blocks(&text, heading);
    ensure!(!blocks.is_empty(), "{document} says nothing below {heading:?}");
    let mut said = String::new();
    for block in blocks {
        let mut shell = cluster.client().command("bash");
        shell.args(["-eu", "-o", "pipefail", "-c", &block]).current_dir(deploy(".."));
        let path = std::env::var("PATH").unwrap_or_default();
        shell.env("PATH", format!("{}:{path}", programs(cluster)?.display()));
        shell.env("KUBECONFIG", cluster.kubeconfig());
        shell.env("HOME", cluster.kubeconfig().with_file_name("home"));
        said += &run(shell).with_context(|| format!("{document}, {heading}"))?;
    }
    Ok(said)
}

/// The `bash` blocks below a heading, up to the next one of its level or above.
fn blocks(text: &str, heading: &str) -> Vec<String> {
    let level = |line: &str| line.bytes().take_while(|byte| *byte == b'#').count();
    let mut lines = text.lines().skip_while(|line| *line != heading).skip(1);
    let (mut found, mut is_other) = (Vec::new(), false);
    while let Some(line) = lines.next() {
        if line == "```bash" {
            let mut block = String::new();
            for line in lines.by_ref().take_while(|line| *line != "```") {
                let _ = writeln!(block, "{line}");
            }
            found.push(block);
        } else if line.starts_with("```") {
            is_other = !is_other;
        } else if !is_other && (1..=level(heading)).contains(&level(line)) {
            break;
        }
    }
    found
}

/// A folder with the programs that documents call.
fn programs(cluster: &Cluster) -> Result<PathBuf> {
    let folder = cluster.kubeconfig().with_file_name("programs");
    if folder.exists() {
        return Ok(folder);
    }
    fs::create_dir(&folder)?;
    for name in ["kubectl", "helm"] {
        let file = folder.join(name);
        let text = format!("#!/bin/sh\nexec '{}' {name} \"$@\"\n", cluster::program().display());
        fs::write(&file, text)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    }
    std::os::unix::fs::symlink(steelyard_tests::binary::steelyard(), folder.join("steelyard"))?;
    Ok(folder)
}

fn is_there(cluster: &Cluster, path: &str) -> Result<bool> {
    let answer = cluster.api().send("GET", path, "")?;
    ensure!([200, 404].contains(&answer.status), "{path}: {answer:?}");
    Ok(answer.status == 200)
}

#[test]
fn steps_of_the_installation() -> Result<()> {
    needs_cluster!();
    let cluster = start("steps")?;
    for heading in ["### 2. A namespace", "### 3. The chart"] {
        follow(&cluster, "install.md", heading)?;
    }
    let said = follow(&cluster, "install.md", "### 4. Addresses")?;
    ensure!(said.contains("ipaddresspool.metallb.io/lan created"), "{said}");
    ensure!(said.contains("steelyard-gateway"), "{said}");
    follow(&cluster, "install.md", "### Take it out of a cluster")?;
    ensure!(definitions_of(&cluster)?.len() == 19, "definitions stay");
    let pool = format!("/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}/ipaddresspools/lan");
    ensure!(is_there(&cluster, &pool)?, "what users wrote stays");
    cluster.stop()
}

/// What a cluster has in which MetalLB and a controller of Ingresses run. Programs are stand-ins.
const BEFORE: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: metallb-system}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: controller, namespace: metallb-system, labels: {app: metallb}}
spec:
  replicas: 0
  selector: {matchLabels: {app: metallb, component: controller}}
  template:
    metadata: {labels: {app: metallb, component: controller}}
    spec: {containers: [{name: controller, image: "echo:1"}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: speaker, namespace: metallb-system, labels: {app: metallb}}
spec:
  selector: {matchLabels: {app: metallb, component: speaker}}
  template:
    metadata: {labels: {app: metallb, component: speaker}}
    spec: {nodeSelector: {nowhere: here}, containers: [{name: speaker, image: "echo:1"}]}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: lan, namespace: metallb-system}
spec: {addresses: [192.168.7.10-192.168.7.20]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: lan, namespace: metallb-system}
---
apiVersion: v1
kind: Namespace
metadata: {name: traefik}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: traefik}
spec: {controller: traefik.io/ingress-controller}
---
apiVersion: v1
kind: Service
metadata: {name: traefik, namespace: traefik}
spec: {type: LoadBalancer, selector: {app: traefik}, ports: [{name: web, port: 80}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: ingress-nginx}
---
apiVersion: v1
kind: Service
metadata: {name: ingress-nginx-controller, namespace: ingress-nginx}
spec: {type: LoadBalancer, selector: {app: nginx}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: blog}
spec:
  ingressClassName: traefik
  rules:
  - host: blog.home.arpa
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: blog, port: {number: 80}}}}
---
apiVersion: v1
kind: Service
metadata: {name: blog}
spec: {selector: {app: blog}, ports: [{port: 80}]}
"#;
const TRAEFIK: &str = "/api/v1/namespaces/traefik/services/traefik";
const NGINX: &str = "/api/v1/namespaces/ingress-nginx/services/ingress-nginx-controller";

/// A cluster in which these Services have addresses, as MetalLB would have given them.
fn before(name: &str) -> Result<Cluster> {
    let cluster = start(name)?;
    define(&cluster, Path::new(&deploy("helm/steelyard/crds")))?;
    cluster.apply(BEFORE)?;
    for (service, address) in [(TRAEFIK, "192.168.7.10"), (NGINX, "192.168.7.11")] {
        let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": address}]}}});
        let path = format!("{service}/status?fieldManager=controller");
        let answer = cluster.api().send("PATCH", &path, &status.to_string())?;
        ensure!(answer.status == 200, "{answer:?}");
    }
    Ok(cluster)
}

fn gateway(cluster: &Cluster) -> Result<Value> {
    cluster.api().get(&format!("/api/v1/namespaces/{NAMESPACE}/services/steelyard-gateway"))
}

fn asked_for(service: &Value) -> &Value {
    &service["metadata"]["annotations"]["metallb.io/loadBalancerIPs"]
}

#[test]
fn steps_from_metallb_and_traefik_and_back() -> Result<()> {
    needs_cluster!();
    let cluster = before("migrate")?;
    follow(&cluster, "migrate.md", "### 1. Ask what would come of it")?;
    follow(&cluster, "migrate.md", "### 2. Stand beside them, in the shadow")?;
    let speakers = "/apis/apps/v1/namespaces/metallb-system/daemonsets/speaker";
    ensure!(is_there(&cluster, speakers)?, "they go on beside a shadow");
    let args = |cluster: &Cluster, role: &str| -> Result<String> {
        let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/{role}");
        let object = cluster.api().get(&path)?;
        Ok(object["spec"]["template"]["spec"]["containers"][0]["args"].to_string())
    };
    let roles = ["deployments/steelyard-controller", "daemonsets/steelyard-speaker"];
    for role in roles {
        ensure!(args(&cluster, role)?.contains("--shadow"), "{role}");
    }
    let said = follow(&cluster, "migrate.md", "### 3. Take the addresses over")?;
    ensure!(!is_there(&cluster, speakers)?, "{said}");
    for role in roles {
        ensure!(!args(&cluster, role)?.contains("--shadow"), "{role}");
    }
    let pool = "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools/lan";
    ensure!(is_there(&cluster, pool)?, "pools stay");
    follow(&cluster, "migrate.md", "### 4. Take the routes over")?;
    let service = gateway(&cluster)?;
    ensure!(service["spec"]["type"] == "LoadBalancer", "{service}");
    ensure!(asked_for(&service) == "192.168.7.10", "{service}");
    cluster.kubectl(&["delete", "ingressclass", "traefik"])?;
    follow(&cluster, "migrate.md", "### 5. Let Traefik go")?;
    ensure!(is_there(&cluster, "/apis/networking.k8s.io/v1/ingressclasses/traefik")?);

    follow(&cluster, "migrate.md", "## And back")?;
    let service = cluster.api().get(TRAEFIK)?;
    ensure!(service["spec"]["type"] == "LoadBalancer", "{service}");
    ensure!(asked_for(&service) == "192.168.7.10", "{service}");
    ensure!(is_there(&cluster, pool)?, "pools stay");
    cluster.stop()
}

#[test]
fn steps_from_ingress_nginx() -> Result<()> {
    needs_cluster!();
    let cluster = before("nginx")?;
    follow(&cluster, "migrate.md", "### 2. Stand beside them, in the shadow")?;
    follow(&cluster, "migrate.md", "## From ingress-nginx")?;
    let service = gateway(&cluster)?;
    ensure!(asked_for(&service) == "192.168.7.11", "{service}");
    ensure!(cluster.api().get(NGINX)?["spec"]["type"] == "ClusterIP");
    cluster.stop()
}
