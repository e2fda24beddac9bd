//! Gateways in a cluster: ready when they know their routes, gone when nobody comes any more, and
//! in between no request fails.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Result, ensure};
use steelyard_tests::cluster::{self, Blueprint, Cluster};
use steelyard_tests::http;
use steelyard_tests::process::{Running, Signal};
use steelyard_tests::roles::{self, Speakers, configure, give, owner, said};
use steelyard_tests::senders::no_request_fails;
use steelyard_tests::{binary, needs_cluster};

/// Two echo servers that leave slowly, and a route to them.
const ECHO: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo}
spec:
  replicas: 2
  selector: {matchLabels: {app: echo}}
  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  template:
    metadata: {labels: {app: echo}}
    spec:
      terminationGracePeriodSeconds: 20
      containers:
      - name: echo
        image: echo:1
        args: ["--http", ":80", "--linger", "3s"]
        readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: echo}
spec:
  selector: {app: echo}
  ports: [{port: 80}]
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: steelyard, annotations: {ingressclass.kubernetes.io/is-default-class: "true"}}
spec: {controller: steelyard.dev/ingress-controller}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: echo}
spec:
  ingressClassName: steelyard
  rules:
  - host: echo.example
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: echo, port: {number: 80}}}}]}
"#;
/// A gateway on each node, as a pod that may read what it reads, and nothing else.
const GATEWAY: &str = r#"
apiVersion: v1
kind: ServiceAccount
metadata: {name: gateway}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: gateway}
rules:
- {apiGroups: [""], resources: [services, namespaces], verbs: [get, list, watch]}
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [get, list, watch]}
- apiGroups: [networking.k8s.io]
  resources: [ingresses, ingressclasses]
  verbs: [get, list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: gateway}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: gateway}
subjects: [{kind: ServiceAccount, name: gateway, namespace: default}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: gateway}
spec:
  selector: {matchLabels: {app: gateway}}
  updateStrategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: gateway}}
    spec:
      serviceAccountName: gateway
      terminationGracePeriodSeconds: 60
      securityContext: {runAsNonRoot: true, runAsUser: 65532}
      containers:
      - name: gateway
        image: steelyard:1
        args: [gateway, "--admin=0.0.0.0:9180"]
        env:
        - {name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
        readinessProbe: {httpGet: {path: /readyz, port: 9180}, periodSeconds: 1}
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: {drop: [ALL]}
---
apiVersion: v1
kind: Service
metadata: {name: gateway, annotations: {steelyard.dev/gateway: "true"}}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  selector: {app: gateway}
  ports: [{name: web, port: 80, targetPort: 8080}]
"#;
const NODES: [&str; 2] = ["node-1", "node-2"];
const VIP: &str = "10.2.0.202";
const HOST: &str = "echo.example";

fn start(name: &str) -> Result<Cluster> {
    let images = [("steelyard", binary::steelyard())];
    let cluster = Cluster::start(&Blueprint { name, nodes: 2, images: &images })?;
    configure(&cluster)?;
    cluster.apply(ECHO)?;
    cluster.wait_for_pods("default", "app=echo", 2)?;
    Ok(cluster)
}

fn roll_out(cluster: &Cluster, what: &str) -> Result<()> {
    roll_out_in(cluster, "default", what)
}

fn roll_out_in(cluster: &Cluster, namespace: &str, what: &str) -> Result<()> {
    cluster.kubectl(&["-n", namespace, "rollout", "restart", what])?;
    let waits = ["-n", namespace, "rollout", "status", what, "--timeout=180s"];
    cluster.kubectl(&waits).map(drop)
}

#[test]
fn no_request_fails_while_all_is_replaced() -> Result<()> {
    needs_cluster!();
    let cluster = start("rolls")?;
    cluster.apply(GATEWAY)?;
    cluster.wait_for_pods("default", "app=gateway", 2)?;
    let mut speakers = Speakers::default();
    NODES.iter().try_for_each(|node| speakers.start(&cluster, node, &[]))?;
    give(&cluster, "gateway", &[VIP])?;
    let at = SocketAddr::new(VIP.parse()?, 80);
    cluster::until("the route to be served at the vip", || {
        let answer = cluster.client().run(|| http::get(at, HOST, "/"));
        matches!(answer, Ok(Ok(answer)) if answer.status == 200)
    })?;
    no_request_fails(cluster.client(), &[at], HOST, || {
        roll_out(&cluster, "daemonset/gateway")?;
        roll_out(&cluster, "deployment/echo")
    })?;
    ensure!(owner(&cluster, VIP.parse()?).is_some());
    speakers.stop()?;
    cluster.stop()
}

/// What is shipped, without who gives addresses.
fn shipped() -> Result<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/manifests/steelyard.yaml");
    let all = std::fs::read_to_string(file)?;
    let is_ours = |text: &&str| {
        let of = |component: &str| text.contains(&format!("/component: {component}\n"));
        of("speaker") || of("gateway") || text.contains("kind: IngressClass")
    };
    Ok(all.split("\n---\n").filter(is_ours).collect::<Vec<_>>().join("\n---\n"))
}

#[test]
fn what_is_shipped_serves_with_the_rights_that_it_has() -> Result<()> {
    needs_cluster!();
    let cluster = start("shipped")?;
    cluster.apply(&shipped()?)?;
    for component in ["speaker", "gateway"] {
        let labels = format!("app.kubernetes.io/component={component}");
        cluster.wait_for_pods("steelyard-system", &labels, 2)?;
    }
    let path = "/api/v1/namespaces/steelyard-system/services/steelyard-gateway/status";
    let status = format!(r#"{{"status": {{"loadBalancer": {{"ingress": [{{"ip": "{VIP}"}}]}}}}}}"#);
    let answer = cluster.api().send("PATCH", path, &status)?;
    ensure!(answer.status == 200, "{answer:?}");
    let at = SocketAddr::new(VIP.parse()?, 80);
    let is_served = || {
        let answer = cluster.client().run(|| http::get(at, HOST, "/"));
        matches!(answer, Ok(Ok(answer)) if answer.status == 200)
    };
    cluster::until("the route to be served at the vip", is_served)?;
    let path = "/apis/metallb.io/v1beta1/namespaces/steelyard-system/servicel2statuses";
    cluster::until("the cluster to be told who answers", || {
        let list = cluster.api().get(path).unwrap_or_default();
        list["items"][0]["status"]["serviceName"] == "steelyard-gateway"
    })?;
    // Speakers are replaced one by one, and the address is handed from one to the other.
    roll_out_in(&cluster, "steelyard-system", "daemonset/steelyard-speaker")?;
    cluster::until("the route to be served at the vip", is_served)?;
    cluster.stop()
}

/// A gateway as a process of a node.
fn gateway(cluster: &Cluster, node: &str) -> Result<Running> {
    let program = binary::steelyard().to_string_lossy().into_owned();
    let mut command = cluster.node(node)?.host()?.command(&program);
    command.args(["gateway", "--node-name", node, "--leave-after", "3"]);
    command.arg("--kubeconfig").arg(cluster.kubeconfig());
    Running::start(command)
}

#[test]
fn a_gateway_is_ready_while_it_knows_its_routes_and_is_to_stay() -> Result<()> {
    needs_cluster!();
    let mut cluster = start("knows")?;
    let node = NODES[0];
    let [four, _] = cluster.node(node)?.addresses();
    let at = SocketAddr::new(four.parse()?, 8080);
    let ask = |cluster: &Cluster| -> Result<u16> {
        Ok(cluster.client().run(|| http::get(at, HOST, "/"))??.status)
    };
    let is_ready =
        |cluster: &Cluster| said(cluster, node, "/readyz").is_ok_and(|it| it.starts_with("ok"));

    // It lives without an API server, and is not ready.
    cluster.freeze_api()?;
    let mut running = gateway(&cluster, node)?;
    cluster::until("it to live", || said(&cluster, node, "/healthz").is_ok())?;
    ensure!(!is_ready(&cluster) && ask(&cluster).is_err());
    cluster::until("it to say what it waits for", || {
        said(&cluster, node, "/readyz").is_ok_and(|it| it.contains("has not told all of"))
    })?;
    cluster.thaw_api()?;
    roles::wait_until_ready(&cluster, node)?;
    ensure!(ask(&cluster)? == 200);

    // What it knows stands while the API server is away.
    cluster.kill_api()?;
    ensure!(ask(&cluster)? == 200 && is_ready(&cluster));
    cluster.start_api()?;
    roles::wait_until_ready(&cluster, node)?;
    cluster.kubectl(&["delete", "ingress", "echo"])?;
    cluster::until("the route to go", || ask(&cluster).is_ok_and(|status| status == 404))?;

    // Asked to end, it says so first, and serves on.
    running.signal(Signal::TERM)?;
    cluster::until("it to be unready", || !is_ready(&cluster))?;
    ensure!(said(&cluster, node, "/readyz")?.contains("asked to end") && ask(&cluster)? == 404);
    running.wait_for_end()?;
    cluster.stop()
}
