//! What people ask of a cluster from their own machine, with the rights that they have there.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use steelyard_tests::binary::steelyard;
use steelyard_tests::cluster::{Blueprint, Cluster};
use steelyard_tests::scratch::Scratch;
use steelyard_tests::{manifests, needs_cluster};

use super::{definitions, start};

/// Mistakes that no schema of ours is there to refuse.
const MISTAKES: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: home, namespace: shop}
spec: {addresses: [192.0.2.9-192.0.2.1]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec:
  tls: [{hosts: [web.example], secretName: cert}]
  rules: [{host: web.example, http: {paths: [{path: /, pathType: Prefix, backend: {service:
    {name: nobody, port: {number: 80}}}}]}}]
";

/// What their judge may read.
const MAY: [&str; 4] = [
    "{apiGroups: [networking.k8s.io], resources: [ingresses, ingressclasses], verbs: [list, watch]}",
    "{apiGroups: [metallb.io], resources: ['*'], verbs: [list, watch]}",
    "{apiGroups: [traefik.io], resources: ['*'], verbs: [list, watch]}",
    "{apiGroups: [''], resources: [services, nodes, namespaces, pods], verbs: [list, watch]}",
];
/// A pool, and Services that have an address of it, or are to get one.
const SERVED: &str = "
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: good, namespace: shop}
spec: {addresses: [198.51.100.1-198.51.100.9]}
---
apiVersion: v1
kind: Service
metadata: {name: held, namespace: shop}
spec: {type: LoadBalancer, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: new, namespace: shop}
spec: {type: LoadBalancer, ports: [{port: 80}]}
";

/// A plugin of a kubeconfig that prints a token.
fn gives(token: &str) -> String {
    let credential = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": { "token": token },
    });
    format!("echo '{credential}'")
}

/// A kubeconfig of whoever this script says.
fn plugin(cluster: &Cluster, scratch: &Scratch, name: &str, script: &str) -> Result<PathBuf> {
    let program = scratch.file(&format!("{name}.sh"));
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n"))?;
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755))?;
    let how = format!(
        "{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: {}, \
         interactiveMode: Never}}}}",
        program.display()
    );
    with_user(cluster, scratch, name, &how)
}

/// What is wrong in a cluster is said as it is of files, and what may not be seen is named.
#[test]
fn a_cluster_is_judged_as_files_are() -> Result<()> {
    needs_cluster!();
    let mut cluster = start("judged")?;
    cluster.apply(&definitions())?;
    cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"])?;
    cluster.apply(MISTAKES)?;
    cluster.apply(&manifests::account("shop", "reader", &MAY))?;
    let check = |kubeconfig: &Path| -> Result<(Option<i32>, BTreeSet<String>)> {
        let mut command = cluster.client().command(&steelyard().to_string_lossy());
        command.args(["check", "--cluster", "-o", "json", "--kubeconfig"]).arg(kubeconfig);
        let output = command.output()?;
        let said: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let found = said["diagnostics"].as_array().context("a list")?.iter();
        let text = |it: &Value, key: &str| it[key].as_str().unwrap_or_default().to_owned();
        let line = |it: &Value| {
            let place = if it["line"].is_null() { text(it, "file") } else { "a line".to_owned() };
            let said = match it["object"].as_str() {
                Some(object) => object.to_owned(),
                None => text(it, "message").split(';').next().unwrap_or_default().to_owned(),
            };
            format!("{place}: {} {said} {}", text(it, "code"), text(it, "path")).trim().to_owned()
        };
        Ok((output.status.code(), found.filter(|it| it["severity"] != "info").map(line).collect()))
    };
    let found = |lines: &[&str]| lines.iter().map(|it| (*it).to_owned()).collect::<BTreeSet<_>>();
    let mistakes = [
        "cluster: pool-range-reversed IPAddressPool/shop/home spec.addresses[0]",
        "cluster: backend-service-missing Ingress/shop/web \
         spec.rules[0].http.paths[0].backend.service.name",
    ];
    let missing = "cluster: tls-secret-missing Ingress/shop/web spec.tls[0].secretName";
    let (code, said) = check(&cluster.kubeconfig())?;
    ensure!(code == Some(1) && said == found(&[&mistakes[..], &[missing]].concat()), "{said:#?}");

    // Who may not see some of it is told what, and of Secrets nothing that may be wrong.
    let scratch = Scratch::new()?;
    let limited = account(&cluster, &scratch, "shop", "reader")?;
    let (code, said) = check(&limited)?;
    let unseen = [
        "daemonsets.apps",
        "deployments.apps",
        "endpointslices.discovery.k8s.io",
        "networkpolicies.networking.k8s.io",
        "statefulsets.apps",
    ];
    let unseen = unseen.map(|kind| {
        format!("cluster: access-refused the API server does not let this account watch {kind}")
    });
    let unseen: Vec<&str> = unseen.iter().map(String::as_str).collect();
    ensure!(code == Some(1) && said == found(&[&mistakes[..], &unseen].concat()), "{said:#?}");

    // Whoever is let in by a plugin has the same rights; a plugin that fails is told.
    let token = cluster.kubectl(&["create", "token", "reader", "-n", "shop"])?;
    let by_plugin = plugin(&cluster, &scratch, "plugin", &gives(token.trim()))?;
    let (code, said_by_it) = check(&by_plugin)?;
    ensure!(code == Some(1) && said_by_it == said, "{said_by_it:#?}");
    let fails = plugin(&cluster, &scratch, "fails", "echo 'no card in the reader' >&2; exit 3")?;
    let mut command = cluster.client().command(&steelyard().to_string_lossy());
    let output = command.args(["check", "--cluster", "--kubeconfig"]).arg(fails).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(2) && said.contains("no card in the reader"), "{said}");

    // What would come of it: what has an address by its status keeps it.
    cluster.apply(SERVED)?;
    let told = json!({"status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.7"}]}}});
    let path = "/api/v1/namespaces/shop/services/held/status";
    ensure!(cluster.api().send("PATCH", path, &told.to_string())?.status == 200);
    let mut command = cluster.client().command(&steelyard().to_string_lossy());
    command.args(["plan", "--cluster", "-o", "json", "--kubeconfig"]).arg(cluster.kubeconfig());
    let output = command.output()?;
    let plan: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let addresses = |name: &str| {
        let rows = plan["services"].as_array().into_iter().flatten();
        let mut row = rows.filter(|it| it["name"] == name);
        row.next().map(|it| it["addresses"].clone()).unwrap_or_default()
    };
    ensure!(output.status.code() == Some(1), "{plan:#}");
    ensure!(addresses("held") == json!(["198.51.100.7"]), "{plan:#}");
    ensure!(addresses("new") == json!(["198.51.100.1"]), "{plan:#}");

    hangs_with_nobody(&mut cluster)?;

    // Nobody answers.
    cluster.kill_api()?;
    let mut command = cluster.client().command(&steelyard().to_string_lossy());
    command.args(["check", "--cluster", "--kubeconfig"]).arg(cluster.kubeconfig());
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(2) && said.contains("is not reached"), "{said}");
    Ok(())
}

/// An API server that takes connections and says nothing: who asks is told so, and soon.
fn hangs_with_nobody(cluster: &mut Cluster) -> Result<()> {
    cluster.freeze_api()?;
    let ask = |words: &[&str]| -> Result<Child> {
        // One that waits for ever is ended, and its status says so.
        let mut command = cluster.client().command("timeout");
        command.args(["120", &steelyard().to_string_lossy()]).args(words);
        command.arg("--cluster").arg("--kubeconfig").arg(cluster.kubeconfig());
        Ok(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
    };
    // Side by side: each waits for a while.
    let check = ask(&["check"])?;
    let rebalance = ask(&["rebalance"])?;
    let ended = [(check, 2, "nothing comes from https://"), (rebalance, 1, "no pods are told by")];
    for (asked, status, words) in ended {
        let output = asked.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        let is_told = output.status.code() == Some(status) && said.contains(words);
        ensure!(is_told, "{:?}: {said}", output.status);
    }
    cluster.thaw_api()
}

/// An instance in a pod, as a role is one, and two accounts of people.
const INSTANCE: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: steelyard-system}
---
apiVersion: v1
kind: Secret
metadata: {name: steelyard-admin, namespace: steelyard-system}
stringData: {token: a-token-that-nobody-guesses-0123456789}
---
apiVersion: v1
kind: Secret
metadata: {name: manifests, namespace: steelyard-system}
stringData:
  all.yaml: |
    {apiVersion: metallb.io/v1beta1, kind: IPAddressPool, metadata: {name: home},
     spec: {addresses: [192.0.2.10-192.0.2.20]}}
    ---
    {apiVersion: v1, kind: Service, metadata: {name: web}, spec: {type: LoadBalancer,
     ports: [{port: 80}]}}
---
apiVersion: v1
kind: Pod
metadata:
  name: controller
  namespace: steelyard-system
  labels: {app.kubernetes.io/name: steelyard, app.kubernetes.io/component: controller}
spec:
  volumes:
  - {name: token, secret: {secretName: steelyard-admin}}
  - {name: manifests, secret: {secretName: manifests}}
  containers:
  - name: steelyard
    image: steelyard
    args: [up, /manifests, --unprivileged, --lock, /tmp/lock, --state-dir, /tmp/state,
           --admin, "0.0.0.0:9180", --admin-token-file, /token/token]
    volumeMounts:
    - {name: token, mountPath: /token, readOnly: true}
    - {name: manifests, mountPath: /manifests, readOnly: true}
    readinessProbe: {httpGet: {path: /healthz, port: 9180}, periodSeconds: 1}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: nobody, namespace: steelyard-system}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: operator, namespace: steelyard-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: operator, namespace: steelyard-system}
rules:
- {apiGroups: [''], resources: [pods], verbs: [list]}
- {apiGroups: [''], resources: [pods/proxy], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: operator, namespace: steelyard-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: operator}
subjects: [{kind: ServiceAccount, name: operator, namespace: steelyard-system}]
"#;

/// A kubeconfig of a service account.
pub(crate) fn account(
    cluster: &Cluster,
    scratch: &Scratch,
    namespace: &str,
    name: &str,
) -> Result<PathBuf> {
    let token = cluster.kubectl(&["create", "token", name, "-n", namespace])?;
    with_user(cluster, scratch, name, &format!("{{token: {}}}", token.trim()))
}

/// The administrator's kubeconfig, under this name, with another way to say who one is.
pub(crate) fn with_user(
    cluster: &Cluster,
    scratch: &Scratch,
    name: &str,
    how: &str,
) -> Result<PathBuf> {
    let text = std::fs::read_to_string(cluster.kubeconfig())?;
    let own = text.split("users:").next().context("users")?;
    let user = text.split("user:").nth(1).and_then(|it| it.split(['\n', ',', '}']).next());
    let user = user.context("a user")?.trim();
    let users = format!("users:\n- name: {user}\n  user: {how}\n");
    let file = scratch.file(name);
    std::fs::write(&file, own.to_owned() + &users)?;
    Ok(file)
}

/// From a laptop, through the API server, with the rights that one has there.
#[test]
fn an_instance_in_a_cluster_is_asked_through_the_api_server() -> Result<()> {
    needs_cluster!();
    let images = [("steelyard", steelyard())];
    let cluster = Cluster::start(&Blueprint { name: "asked", nodes: 1, images: &images })?;
    cluster.apply(INSTANCE)?;
    cluster.wait_for_pods("steelyard-system", "app.kubernetes.io/name=steelyard", 1)?;
    let ask = |program: &Path, kubeconfig: &Path, words: &[&str]| -> Result<(bool, String)> {
        let mut command = cluster.client().command(&program.to_string_lossy());
        let output = command.args(words).env("KUBECONFIG", kubeconfig).output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
    };
    let (is_well, said) = ask(steelyard(), &cluster.kubeconfig(), &["get", "svc", "--cluster"])?;
    ensure!(is_well && said.contains("web") && said.contains("192.0.2.10"), "{said}");
    // As kubectl's own word.
    let scratch = Scratch::new()?;
    let plugin = scratch.file("kubectl-steelyard");
    std::os::unix::fs::symlink(steelyard(), &plugin)?;
    let (is_well, said) = ask(&plugin, &cluster.kubeconfig(), &["explain", "svc/web"])?;
    ensure!(is_well && said.contains("192.0.2.10"), "{said}");

    // Who may ask, and not read the token; who has it from elsewhere; and who may not ask.
    let operator = account(&cluster, &scratch, "steelyard-system", "operator")?;
    let (is_well, said) = ask(&plugin, &operator, &["get", "services"])?;
    ensure!(!is_well && said.contains("it wants its token"), "{said}");
    let token = scratch.file("token");
    std::fs::write(&token, "a-token-that-nobody-guesses-0123456789\n")?;
    let words = ["get", "services", "--admin-token-file", &token.to_string_lossy()];
    let (is_well, said) = ask(&plugin, &operator, &words)?;
    ensure!(is_well && said.contains("192.0.2.10"), "{said}");
    let nobody = account(&cluster, &scratch, "steelyard-system", "nobody")?;
    let (is_well, said) = ask(&plugin, &nobody, &["get", "services"])?;
    ensure!(!is_well && said.contains("cannot list resource \"pods\""), "{said}");
    cluster.stop()
}
