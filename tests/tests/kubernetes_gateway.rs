//! Gateways in a cluster: ready when they know their routes, gone when nobody comes any more, and
//! in between no request fails.

#[path = "kubernetes_gateway/believed.rs"]
mod believed;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use steelyard_tests::chart::deploy;
use steelyard_tests::cluster::{self, Blueprint, Cluster};
use steelyard_tests::http;
use steelyard_tests::manifests::{self, Echo};
use steelyard_tests::process::{Running, Signal};
use steelyard_tests::roles::{self, Speakers, configure, give, give_direct, owner, said};
use steelyard_tests::scratch::Scratch;
use steelyard_tests::senders::no_request_fails;
use steelyard_tests::{binary, needs_cluster};

/// Ingresses are ours, and one leads to echo servers.
const ROUTE: &str = r#"
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
/// What a gateway reads: it may do nothing else.
const READ: [&str; 4] = [
    "{apiGroups: [''], resources: [services, nodes, namespaces], verbs: [get, list, watch]}",
    "{apiGroups: [traefik.io], resources: ['*'], verbs: [get, list, watch]}",
    "{apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [get, list, watch]}",
    "{apiGroups: [networking.k8s.io], resources: [ingresses, ingressclasses], \
     verbs: [get, list, watch]}",
];
/// A gateway on each node, as a pod.
const GATEWAY: &str = r#"
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
"#;
/// Where clients find it.
const SERVICE: &str = r#"
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
/// Nobody is to be taken for dead who is merely late: here all nodes are one busy machine.
const PATIENT: [&str; 2] = ["--missed-heartbeats", "100"];
const VIP: &str = "10.2.0.202";
const HOST: &str = "echo.example";

fn start(name: &str) -> Result<Cluster> {
    let images = [("steelyard", binary::steelyard())];
    let cluster = Cluster::start(&Blueprint { name, nodes: 2, images: &images })?;
    configure(&cluster)?;
    let workload = Echo::Leaving { replicas: 2, seconds: 3 }.workload();
    let service = Echo::service("echo", 80, "");
    cluster.apply(&manifests::all(&[&workload, &service, ROUTE]))?;
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
    cluster.apply(&manifests::account("default", "gateway", &READ))?;
    cluster.apply(GATEWAY)?;
    cluster.apply(SERVICE)?;
    cluster.wait_for_pods("default", "app=gateway", 2)?;
    let mut speakers = Speakers::default();
    NODES.iter().try_for_each(|node| speakers.start(&cluster, node, &PATIENT))?;
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
    let all = std::fs::read_to_string(deploy("manifests/steelyard.yaml"))?;
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

/// Where Traefik's API answers.
const API: u16 = 9000;

/// A gateway as a process of a node, which shows what is in force as Traefik does.
fn gateway(cluster: &Cluster, node: &str) -> Result<Running> {
    let program = binary::steelyard().to_string_lossy().into_owned();
    let mut command = cluster.node(node)?.host()?.command(&program);
    command.args(["gateway", "--node-name", node, "--leave-after", "3"]);
    command.args(["--api.insecure", "--ping", &format!("--entrypoints.traefik.address=:{API}")]);
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
    let shown = |cluster: &Cluster, path: &str| -> Result<http::Answer> {
        let at = SocketAddr::new(at.ip(), API);
        cluster.client().run(|| http::get(at, "", path))?
    };
    let lists = |cluster: &Cluster, is_there: bool| {
        let listed = shown(cluster, "/api/http/routers?search=echo");
        listed.is_ok_and(|it| it.status == 200 && it.body.contains("default-echo") == is_there)
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
    cluster::until("the API to list the route", || lists(&cluster, true))?;
    ensure!(shown(&cluster, "/ping")?.status == 200);

    // What it knows stands while the API server is away.
    cluster.kill_api()?;
    ensure!(ask(&cluster)? == 200 && is_ready(&cluster) && lists(&cluster, true));
    cluster.start_api()?;
    roles::wait_until_ready(&cluster, node)?;
    cluster.kubectl(&["delete", "ingress", "echo"])?;
    cluster::until("the route to go", || ask(&cluster).is_ok_and(|status| status == 404))?;
    cluster::until("the API to list it no more", || lists(&cluster, false))?;

    // Asked to end, it says so first, and serves on.
    running.signal(Signal::TERM)?;
    cluster::until("it to be unready", || !is_ready(&cluster))?;
    ensure!(said(&cluster, node, "/readyz")?.contains("asked to end") && ask(&cluster)? == 404);
    ensure!(shown(&cluster, "/ping")?.status == 503, "pings say so too");
    running.wait_for_end()?;
    cluster.stop()
}

/// The user that gateways are.
const UNPRIVILEGED: u32 = 65532;
/// For so long a client waits that came while there was no gateway.
const LONG: std::time::Duration = std::time::Duration::from_secs(60);

/// Gateways without privileges, and speakers that lend them listeners.
struct Lent {
    cluster: Cluster,
    speakers: Speakers,
    gateways: BTreeMap<&'static str, Running>,
    scratch: Scratch,
    started: u16,
}

impl Lent {
    fn start(name: &str) -> Result<Self> {
        let cluster = start(name)?;
        cluster.apply(SERVICE)?;
        let scratch = Scratch::new()?;
        // Where any user gets at them.
        std::fs::copy(cluster.kubeconfig(), scratch.file("kubeconfig"))?;
        let (kubeconfig, program) = (scratch.file("kubeconfig"), scratch.file("steelyard"));
        let anybody = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(kubeconfig, anybody)?;
        std::fs::hard_link(binary::steelyard(), &program)
            .or_else(|_| std::fs::copy(binary::steelyard(), &program).map(drop))?;
        let (speakers, gateways) = Default::default();
        let mut lent = Self { cluster, speakers, gateways, scratch, started: 0 };
        for node in NODES {
            lent.speak(node)?;
            lent.serve(node)?;
        }
        give_direct(&lent.cluster, "gateway", &[VIP])?;
        lent.wait_until_served()?;
        Ok(lent)
    }

    fn meeting(&self, node: &str) -> PathBuf {
        self.scratch.file(node).join("listeners")
    }

    fn speak(&mut self, node: &str) -> Result<()> {
        let meeting = self.meeting(node);
        let meeting = meeting.to_string_lossy();
        let options = ["--carrier", "direct", "--lend-listeners", &meeting];
        let options = [&options[..], &PATIENT].concat();
        self.speakers.start(&self.cluster, node, &options)
    }

    /// Starts a gateway, and waits until it has listeners if there are any; the one before it, if
    /// there is one, goes on. None but its user and its group are its own.
    fn serve(&mut self, node: &'static str) -> Result<Option<Running>> {
        // Each has ports of its own, besides those that it is lent.
        self.started += 1;
        let (web, admin) = (8100 + self.started, 9200 + self.started);
        let mut command = self.cluster.node(node)?.host()?.command("setpriv");
        let user = UNPRIVILEGED.to_string();
        command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "--inh-caps=-all"]);
        command.arg("--no-new-privs").arg(self.scratch.file("steelyard"));
        command.args([
            "gateway",
            "--node-name",
            node,
            "--leave-after",
            "1",
            "--log-level",
            "debug",
        ]);
        command.arg(format!("--admin=127.0.0.1:{admin}"));
        command.arg(format!("--entrypoints.web.address=:{web}"));
        command.arg(format!("--entrypoints.websecure.address=:{}", web + 200));
        command.arg("--borrow-listeners").arg(self.meeting(node));
        command.arg("--kubeconfig").arg(self.scratch.file("kubeconfig"));
        let mut running = Running::start(command)?;
        running.wait_for("listeners are lent at")?;
        Ok(self.gateways.insert(node, running))
    }

    fn at(&self) -> SocketAddr {
        SocketAddr::new(VIP.parse().expect("a literal address"), 80)
    }

    /// What a client is answered there.
    fn ask(&self) -> Result<http::Answer> {
        let answer = self.cluster.client().run(|| http::get(self.at(), HOST, "/"))??;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(answer)
    }

    fn wait_until_served(&self) -> Result<()> {
        cluster::until("the route to be served at the vip", || self.ask().is_ok())
    }

    fn owner(&self) -> Result<&'static str> {
        let owner = owner(&self.cluster, VIP.parse()?).context("somebody has it")?;
        NODES.into_iter().find(|it| *it == owner).context(owner)
    }

    /// Whether a client is answered that came when there was no gateway on the node it came to.
    fn has_waited(&mut self) -> Result<bool> {
        let node = self.owner()?;
        self.gateways.get_mut(node).context("a gateway")?.kill()?;
        let at = self.at();
        let mut client = self.cluster.client().run(|| TcpStream::connect_timeout(&at, LONG))??;
        client.set_read_timeout(Some(LONG))?;
        let asked = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
        client.write_all(asked.as_bytes())?;
        self.serve(node)?;
        let mut answer = String::new();
        Ok(client.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200"))
    }
}

/// Ids and capabilities of a process, as the kernel says.
fn rights(running: &Running) -> Result<BTreeMap<String, String>> {
    let status = format!("/proc/{}/status", running.pid()?.as_raw_nonzero());
    let status = std::fs::read_to_string(status)?;
    let lines = status.lines().filter_map(|line| line.split_once(':'));
    Ok(lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect())
}

#[test]
fn listeners_at_a_vip_are_lent_to_a_gateway_without_privileges() -> Result<()> {
    needs_cluster!();
    let mut lent = Lent::start("lent")?;
    // It sees its clients, and there is nobody in between.
    let facts: Value = serde_json::from_str(&lent.ask()?.body)?;
    ensure!(facts["headers"]["X-Forwarded-For"][0] == "10.2.0.1", "{facts:#}");
    let node = lent.owner()?;
    let rights = rights(&lent.gateways[node])?;
    ensure!(rights["CapEff"].chars().all(|it| it == '0'), "{rights:?}");
    ensure!(rights["Uid"].starts_with("65532"), "{rights:?}");
    let rows = roles::told(&lent.cluster, node, "/api/v1/services")?;
    let rows = rows.as_array().context("a list")?;
    let row = rows.iter().find(|it| it["name"] == "gateway").context("the Service")?;
    ensure!(row["ports"][0]["reached"][0]["how"] == "gateway", "{row:#}");

    // Another one in its place, as of a DaemonSet.
    let (client, at) = (lent.cluster.client().name().to_owned(), lent.at());
    let client = steelyard_host::netns::Namespace::existing(&client)?;
    no_request_fails(&client, &[at], HOST, || {
        for node in NODES {
            let mut former = lent.serve(node)?.context("one before it")?;
            ensure!(former.stop()?.success(), "{}", former.printed());
        }
        Ok(())
    })?;

    // Whoever comes while there is none is answered by the next one: unless that takes long, when
    // the address goes to a node that has one.
    for attempt in 0.. {
        if lent.has_waited()? {
            break;
        }
        ensure!(attempt < 3, "a client is lost");
        lent.wait_until_served()?;
    }

    // Where a speaker starts again, what it lent is its own again.
    lent.wait_until_served()?;
    let node = lent.owner()?;
    lent.speakers.on(node)?.kill()?;
    lent.speak(node)?;
    roles::wait_until_ready(&lent.cluster, node)?;
    lent.wait_until_served()?;

    // A node without a gateway gives the address up to one that has one.
    let node = lent.owner()?;
    lent.gateways.get_mut(node).context("a gateway")?.kill()?;
    let vip: IpAddr = VIP.parse()?;
    cluster::until("another node to have it", || {
        lent.ask().is_ok() && owner(&lent.cluster, vip).is_some_and(|now| now != node)
    })?;
    if lent.gateways.remove(node).is_none() {
        bail!("it was there");
    }
    lent.gateways.values_mut().try_for_each(|it| it.stop().map(drop))?;
    lent.speakers.stop()?;
    lent.cluster.stop()
}
