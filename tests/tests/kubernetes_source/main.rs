//! What is read of a cluster is what is there, whatever becomes of the API server and the way to
//! it: nothing is lost, nothing is taken for gone that is not, and what is told again wakes nobody.

mod ear;
mod relay;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use steelyard_kube::Standing;
use steelyard_manifest::{Breadth, Role, Selection, Watched, watched};
use steelyard_tests::binary::steelyard;
use steelyard_tests::cluster::{Blueprint, Cluster};
use steelyard_tests::needs_cluster;
use steelyard_tests::scratch::Scratch;

use self::ear::Ear;
use self::relay::Relay;

/// The kinds of MetalLB, without a schema.
fn definitions() -> String {
    let ours = watched(Role::Everything).iter().filter(|kind| kind.group == "metallb.io");
    ours.map(definition).collect::<Vec<_>>().join("---\n")
}

fn definition(kind: &Watched) -> String {
    let Watched { group, kind, version, plural, .. } = kind;
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
         metadata: {{name: {plural}.{group}}}\nspec:\n  group: {group}\n  scope: Namespaced\n  \
         names: {{kind: {kind}, plural: {plural}}}\n  versions:\n  - name: {version}\n    \
         served: true\n    storage: true\n    subresources: {{status: {{}}}}\n    schema: \
         {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}\n"
    )
}

const OBJECTS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: home, namespace: shop}
spec: {addresses: [192.0.2.10-192.0.2.20]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: LoadBalancer, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec: {rules: [{host: web.example, http: {paths: [{path: /, pathType: Prefix, backend: {service:
  {name: web, port: {number: 80}}}}]}}]}
---
apiVersion: v1
kind: Secret
metadata: {name: cert, namespace: shop}
stringData: {a: b}
---
apiVersion: v1
kind: Secret
metadata: {name: other, namespace: shop}
stringData: {a: b}
";
const WEB: &str = "Service/shop/web";
const POOL: &str = "IPAddressPool/shop/home";
const SERVICE: &str = "/api/v1/namespaces/shop/services/web";

fn start(name: &str) -> Result<Cluster> {
    Cluster::start(&Blueprint { name, nodes: 0, images: &[] })
}

/// All that is looked at as a whole.
fn everything() -> impl Iterator<Item = Selection> {
    let kinds = watched(Role::Everything).iter();
    kinds.filter(|kind| kind.breadth == Breadth::All).map(Selection::all)
}

/// Waits until these are known to be there, or not.
fn until(ear: &Ear, there: &[&str], gone: &[&str]) -> Result<()> {
    steelyard_tests::cluster::until(&format!("{there:?} without {gone:?}"), || {
        let heard = ear.heard();
        there.iter().all(|it| heard.objects.contains_key(*it))
            && gone.iter().all(|it| !heard.objects.contains_key(*it))
    })
}

#[test]
fn what_a_cluster_has_is_heard() -> Result<()> {
    needs_cluster!();
    let cluster = start("heard")?;
    let ear = Ear::start(&cluster, &cluster.kubeconfig(), everything().collect())?;
    // Kinds that are not there are no reason to wait, and may come later.
    ear.until("all of it", |heard| heard.is_complete)?;
    let pools = watched(Role::Everything).iter().find(|it| it.kind == "IPAddressPool");
    let pools = pools.map(Selection::all).expect("it is read");
    ensure!(ear.heard().standing[&pools] == Standing::Absent);
    cluster.apply(&definitions())?;
    let defined = "crd/ipaddresspools.metallb.io";
    cluster.kubectl(&["wait", "--for=condition=Established", defined, "--timeout=60s"])?;
    cluster.apply(OBJECTS)?;
    until(&ear, &["Namespace/shop", WEB, POOL, "Ingress/shop/web"], &["Secret/shop/cert"])?;

    // A Secret is looked at when something refers to it, and as long as that is so.
    let secrets = watched(Role::Gateway).iter().find(|it| it.kind == "Secret").expect("read");
    ear.need(&[Selection::one(secrets, "shop", "cert")]);
    until(&ear, &["Secret/shop/cert"], &["Secret/shop/other"])?;
    cluster.kubectl(&["delete", "secret", "-n", "shop", "cert"])?;
    until(&ear, &[], &["Secret/shop/cert"])?;
    ear.need(&[Selection::one(secrets, "shop", "other")]);
    until(&ear, &["Secret/shop/other"], &[])?;
    ear.need(&[]);
    until(&ear, &[], &["Secret/shop/other"])?;

    // What is written into a status that nobody reads is no news; what comes after it is.
    let changes = ear.heard().changes;
    let api = cluster.api();
    let told = json!({"status": {"conditions": [{"type": "Told", "status": "True", "reason": "A",
        "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
    let answer = api.send("PATCH", &format!("{SERVICE}/status"), &told.to_string())?;
    ensure!(answer.status == 200, "{answer:?}");
    let last = json!({"metadata": {"labels": {"last": "yes"}}}).to_string();
    ensure!(api.send("PATCH", SERVICE, &last)?.status == 200);
    ear.until("the label", |heard| heard.objects[WEB]["metadata"]["labels"]["last"] == "yes")?;
    ensure!(ear.heard().changes == changes + 1, "{} after {changes}", ear.heard().changes);

    // A large object is one among others, and a namespace goes with all that is in it.
    let long = json!({"metadata": {"annotations": {"long": "x".repeat(200 << 10)}}}).to_string();
    ensure!(api.send("PATCH", SERVICE, &long)?.status == 200);
    let is_long = |object: &Value| object["metadata"]["annotations"]["long"].is_string();
    ear.until("the annotation", |heard| is_long(&heard.objects[WEB]))?;
    cluster.kubectl(&["delete", "namespace", "shop", "--wait=false"])?;
    until(&ear, &["Namespace/default"], &["Namespace/shop", WEB, POOL, "Ingress/shop/web"])
}

/// The way to the API server breaks, and all that follows from it.
#[test]
fn what_happened_meanwhile_is_all_that_is_heard() -> Result<()> {
    needs_cluster!();
    let mut cluster = start("meanwhile")?;
    cluster.apply(&definitions())?;
    cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"])?;
    cluster.apply(OBJECTS)?;
    let relay = Relay::start(&cluster)?;
    let ear = Ear::start(&cluster, relay.kubeconfig(), everything().collect())?;
    ear.until("all of it", |heard| heard.is_complete)?;
    until(&ear, &[WEB, POOL], &[])?;
    let calm = |ear: &Ear| ear.heard().standing.values().all(|it| *it == Standing::Followed);
    let is_cut = |ear: &Ear| {
        let heard = ear.heard();
        heard.standing.values().all(|it| matches!(it, Standing::CutOff { .. }))
    };
    let services = |ear: &Ear| {
        let heard = ear.heard();
        heard.objects.keys().filter(|it| it.starts_with("Service/")).cloned().collect::<Vec<_>>()
    };

    // A way that breaks and comes back: nothing is heard.
    let changes = ear.heard().changes;
    relay.close();
    ear.until("the cut to be noticed", |_| is_cut(&ear))?;
    relay.open();
    ear.until("it to be followed again", |_| calm(&ear))?;
    ensure!(ear.heard().changes == changes, "a way that comes back is no change");

    // Versions are forgotten meanwhile, and the API server is another process.
    relay.close();
    ear.until("the cut to be noticed", |_| is_cut(&ear))?;
    cluster.kubectl(&["delete", "-n", "shop", "ipaddresspool", "home"])?;
    cluster.kubectl(&["create", "service", "clusterip", "-n", "shop", "new", "--tcp=80"])?;
    cluster.kubectl(&["delete", "service", "-n", "shop", "web"])?;
    cluster.compact()?;
    cluster.kill_api()?;
    cluster.start_api()?;
    ensure!(ear.heard().changes == changes && ear.heard().objects.contains_key(WEB));
    relay.open();
    until(&ear, &["Service/shop/new"], &[WEB, POOL])?;
    ear.until("it to be followed again", |_| calm(&ear))?;
    ensure!(services(&ear) == ["Service/default/kubernetes", "Service/shop/new"]);

    // Frozen: nothing is known to be otherwise, and nothing is.
    let changes = ear.heard().changes;
    cluster.freeze_api()?;
    std::thread::sleep(Duration::from_millis(500));
    ensure!(services(&ear).len() == 2);
    cluster.thaw_api()?;
    // Of a Service it would be one of its slices too.
    cluster.kubectl(&["label", "namespace", "shop", "a=b"])?;
    ear.until("what came after", |heard| heard.changes > changes)?;
    // Killed and started again: the same.
    let changes = ear.heard().changes;
    cluster.kill_api()?;
    ear.until("the cut to be noticed", |_| is_cut(&ear))?;
    cluster.start_api()?;
    ear.until("it to be followed again", |_| calm(&ear))?;
    ensure!(ear.heard().changes == changes, "another process is no change");
    Ok(())
}

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
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
- {apiGroups: [networking.k8s.io], resources: [ingresses, ingressclasses], verbs: [list, watch]}
- {apiGroups: [metallb.io], resources: ['*'], verbs: [list, watch]}
- apiGroups: ['']
  resources: [services, nodes, namespaces, pods]
  verbs: [list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: shop}]
";

/// What is wrong in a cluster is said as it is of files, and what may not be seen is named.
#[test]
fn a_cluster_is_judged_as_files_are() -> Result<()> {
    needs_cluster!();
    let mut cluster = start("judged")?;
    cluster.apply(&definitions())?;
    cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"])?;
    cluster.apply(MISTAKES)?;
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
        "cluster: tls-not-served Ingress/shop/web spec.tls",
    ];
    let missing = "cluster: tls-secret-missing Ingress/shop/web spec.tls[0].secretName";
    let (code, said) = check(&cluster.kubeconfig())?;
    ensure!(code == Some(1) && said == found(&[&mistakes[..], &[missing]].concat()), "{said:#?}");

    // Who may not see some of it is told what, and of Secrets nothing that may be wrong.
    let token = cluster.kubectl(&["create", "token", "reader", "-n", "shop"])?;
    let scratch = Scratch::new()?;
    let limited = scratch.file("kubeconfig");
    let text = std::fs::read_to_string(cluster.kubeconfig())?;
    let own = text.split("users:").next().context("users")?;
    let user = text.split("user:").nth(1).and_then(|it| it.split(['\n', ',', '}']).next());
    let user = user.context("a user")?.trim();
    let users = format!("users:\n- name: {user}\n  user: {{token: {}}}\n", token.trim());
    std::fs::write(&limited, own.to_owned() + &users)?;
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

    // Nobody answers.
    cluster.kill_api()?;
    let mut command = cluster.client().command(&steelyard().to_string_lossy());
    command.args(["check", "--cluster", "--kubeconfig"]).arg(cluster.kubeconfig());
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(2) && said.contains("is not reached"), "{said}");
    Ok(())
}
