//! A controller against a real API server: Services get their addresses, once each, whatever
//! becomes of leaders, of the API server, and of who else writes.

mod occupied;
mod of_nginx;
mod published;
mod replica;
mod restored;
mod skewed;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use steelyard_tests::chart::{self, NAMESPACE};
use steelyard_tests::cluster::{self, Blueprint, Cluster};
use steelyard_tests::needs_cluster;
use steelyard_tests::process::Signal;

use self::replica::{Replica, Told, create, patch, path, service, start, told, until_told};

/// Versions of all that a controller writes about, by path.
fn versions(cluster: &Cluster) -> BTreeMap<String, String> {
    let lists = [
        "/api/v1/services".to_owned(),
        "/apis/networking.k8s.io/v1/ingresses".to_owned(),
        format!("/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}/ipaddresspools"),
        format!("/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}/configurationstates"),
        format!("/api/v1/namespaces/{NAMESPACE}/secrets"),
        "/api/v1/namespaces/default/events".to_owned(),
    ];
    let mut versions = BTreeMap::new();
    for list in lists {
        let found = cluster.api().get(&list).unwrap_or_default();
        for it in found["items"].as_array().into_iter().flatten() {
            let text = |key: &str| it["metadata"][key].as_str().unwrap_or_default().to_owned();
            versions.insert(format!("{list}/{}", text("name")), text("resourceVersion"));
        }
    }
    versions
}

fn counts(cluster: &Cluster) -> Value {
    let pool = format!("/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}/ipaddresspools/home");
    cluster.api().get(&pool).unwrap_or_default()["status"].clone()
}

const GATEWAY: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: steelyard-gateway, namespace: steelyard-system}
spec: {type: LoadBalancer, externalTrafficPolicy: Local, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: traefik}
spec: {controller: traefik.io/ingress-controller}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: default}
spec:
  ingressClassName: traefik
  rules: [{host: web.lan, http: {paths: [{path: /, pathType: Prefix,
    backend: {service: {name: web, port: {number: 80}}}}]}}]
"#;

#[test]
fn what_ingress_nginx_tells_an_api_server() -> Result<()> {
    needs_cluster!();
    of_nginx::play()
}

#[test]
fn what_is_decided_is_reported_and_not_once_more() -> Result<()> {
    needs_cluster!();
    let cluster = start("reports", "192.0.2.10-192.0.2.29")?;
    let mut first = Replica::start(&cluster, "c-1", 9181, &[])?;
    first.wait_leads()?;
    create(&cluster, &service("web"))?;
    let web = until_told(&cluster, &first, "web", &["192.0.2.10"])?;
    ensure!(web.pool.as_deref() == Some("home"), "{web:?}");
    let object = cluster.api().get(&path("web"))?;
    ensure!(object["status"]["loadBalancer"]["ingress"][0]["ipMode"] == "VIP", "{object}");
    cluster.apply(GATEWAY)?;
    let ingress = "/apis/networking.k8s.io/v1/namespaces/default/ingresses/web";
    cluster::until("the Ingress to have the gateway's address", || {
        let found = cluster.api().get(ingress).unwrap_or_default();
        found["status"]["loadBalancer"]["ingress"][0]["ip"] == "192.0.2.11"
    })
    .with_context(|| first.running.printed())?;
    let right = json!({ "assignedIPv4": 2, "assignedIPv6": 0, "availableIPv4": 18,
        "availableIPv6": 0 });
    cluster::until("the pool to be counted", || counts(&cluster) == right)
        .with_context(|| format!("{}", counts(&cluster)))?;
    let state =
        format!("/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}/configurationstates/controller");
    cluster::until("the controller to report of itself", || {
        cluster.api().get(&state).is_ok_and(|it| it["status"]["result"] == "Valid")
    })
    .with_context(|| first.running.printed())?;
    cluster::until("an event that tells of it", || {
        let events = cluster.api().get("/api/v1/namespaces/default/events").unwrap_or_default();
        let events = events["items"].as_array().cloned().unwrap_or_default();
        events
            .iter()
            .any(|it| it["reason"] == "IPAllocated" && it["involvedObject"]["name"] == "web")
    })?;
    let key = cluster.kubectl(&[
        "get",
        "secret",
        "-n",
        NAMESPACE,
        "steelyard-membership",
        "-o",
        "go-template={{.data.key | base64decode}}",
    ])?;
    ensure!(key.lines().any(|line| line.len() == 64), "{key}");
    let metrics = first.ask("/metrics")?;
    for line in [
        "metallb_allocator_addresses_total{pool=\"home\"} 20",
        "metallb_allocator_addresses_in_use_total{pool=\"home\"} 2",
        "metallb_k8s_client_config_loaded_bool 1",
        "metallb_k8s_client_config_stale_bool 0",
    ] {
        ensure!(metrics.lines().any(|it| it == line), "no {line} in\n{metrics}");
    }

    // Nobody is deciding while the next one starts; it moves nothing, and writes nothing.
    for index in 0..17 {
        create(&cluster, &service(&format!("many-{index}")))?;
    }
    cluster::until("all to have addresses", || {
        let told = told(&cluster);
        told.len() == 18 && told.values().all(|it| it.addresses.len() == 1)
    })
    .with_context(|| first.running.printed())?;
    cluster::until("the pool to be counted", || counts(&cluster)["assignedIPv4"] == 19)?;
    ensure!(first.running.stop()?.success(), "{}", first.running.printed());
    let before = versions(&cluster);
    let second = Replica::start(&cluster, "c-2", 9182, &["--shadow"])?;
    let third = Replica::start(&cluster, "c-3", 9183, &[])?;
    third.wait_leads()?;
    third.wait_ready()?;
    second.wait_ready()?;
    create(&cluster, &service("last"))?;
    until_told(&cluster, &third, "last", &["192.0.2.29"])?;
    let mut after = versions(&cluster);
    after.retain(|path, _| before.contains_key(path) && !path.contains("ipaddresspools"));
    let mut before = before;
    before.retain(|path, _| !path.contains("ipaddresspools"));
    ensure!(before == after, "written again:\n{before:#?}\n{after:#?}");
    // A Service that goes gives its address back, and one that waits gets it.
    create(&cluster, &service("waits"))?;
    create(&cluster, &service("goes"))?;
    cluster::until("the last ones to be refused", || {
        third.get("events").is_ok_and(|it| it.to_string().contains("Service/default/goes"))
    })?;
    let gone = cluster.api().send("DELETE", &path("goes"), "")?;
    ensure!(gone.status == 200, "{}", gone.body);
    cluster.api().send("DELETE", &path("web"), "")?;
    until_told(&cluster, &third, "waits", &["192.0.2.10"])?;
    cluster.stop()
}

/// Whether each Service has one address, and no two the same.
fn each_has_its_own(told: &BTreeMap<String, Told>, count: usize) -> bool {
    let addresses: BTreeSet<&String> = told.values().flat_map(|it| &it.addresses).collect();
    told.len() == count && addresses.len() == count
}

#[test]
fn leaders_come_and_go_and_no_address_is_given_twice() -> Result<()> {
    needs_cluster!();
    const MANY: usize = 1000;
    let cluster = start("leaders", "198.18.0.0/21")?;
    let mut replicas = vec![
        Replica::start(&cluster, "c-1", 9181, &[])?,
        Replica::start(&cluster, "c-2", 9182, &[])?,
    ];
    cluster::until("one of them to lead", || replicas.iter().any(Replica::leads))
        .with_context(|| replicas[0].running.printed())?;
    for it in &replicas {
        it.wait_ready()?;
    }
    let fails = AtomicBool::new(false);
    let twice = AtomicBool::new(false);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<()> {
        scope.spawn(|| {
            for index in 0..MANY {
                // The API server has much to do, and may put us off.
                let name = format!("s{index}");
                let made = cluster::until("a Service to be made", || {
                    create(&cluster, &service(&name)).is_ok() || told(&cluster).contains_key(&name)
                });
                if made.is_err() {
                    fails.store(true, Ordering::Relaxed);
                }
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let told = told(&cluster);
                let all: Vec<&String> = told.values().flat_map(|it| &it.addresses).collect();
                if all.iter().collect::<BTreeSet<_>>().len() != all.len() {
                    twice.store(true, Ordering::Relaxed);
                }
            }
        });
        let outcome = hurt(&cluster, &mut replicas, MANY);
        done.store(true, Ordering::Relaxed);
        outcome
    })?;
    ensure!(!fails.load(Ordering::Relaxed), "a Service could not be made");
    ensure!(!twice.load(Ordering::Relaxed), "an address was there twice");
    cluster.stop()
}

fn hurt(cluster: &Cluster, replicas: &mut Vec<Replica>, many: usize) -> Result<()> {
    let addressed = |count: usize| {
        let what = format!("{count} Services to have an address");
        cluster::until(&what, || {
            told(cluster).values().filter(|it| !it.addresses.is_empty()).count() >= count
        })
    };
    addressed(many / 10)?;
    // Asleep past its lease; another one leads; it wakes among what it had begun.
    let leader = replicas.iter().position(Replica::leads).context("one leads")?;
    replicas[leader].running.signal(Signal::STOP)?;
    let other = 1 - leader;
    replicas[other].wait_leads()?;
    addressed(many / 3)?;
    replicas[leader].running.signal(Signal::CONT)?;
    cluster::until("the sleeper to learn of it", || !replicas[leader].leads())?;
    addressed(many / 2)?;
    // Killed, without a word.
    replicas[other].running.kill()?;
    replicas[leader].wait_leads()?;
    cluster::until("all to have an address of their own", || {
        each_has_its_own(&told(cluster), many)
    })
    .with_context(|| {
        let told = told(cluster);
        let lacking: Vec<_> = told.iter().filter(|(_, it)| it.addresses.len() != 1).collect();
        format!("{} are there, {lacking:?}\n{}", told.len(), replicas[leader].running.printed())
    })?;
    let before: BTreeMap<_, _> =
        told(cluster).into_iter().map(|(name, it)| (name, it.addresses)).collect();
    // Another one moves nothing.
    replicas.push(Replica::start(cluster, "c-3", 9183, &[])?);
    replicas[2].wait_ready()?;
    ensure!(replicas[leader].running.stop()?.success());
    replicas[2].wait_leads()?;
    let after: BTreeMap<_, _> =
        told(cluster).into_iter().map(|(name, it)| (name, it.addresses)).collect();
    ensure!(before == after, "moved");
    Ok(())
}

/// Between two renewals of another leader; it does so for longer than a lease stands.
const RENEWAL: Duration = Duration::from_millis(500);
const RENEWALS: usize = 20;

/// Whose clock is wrong leads as long as it renews, and no longer: what counts is when a change of
/// the lease is seen, not what is written in it.
#[test]
fn a_leader_whose_clock_is_wrong_is_judged_by_what_is_seen_of_it() -> Result<()> {
    needs_cluster!();
    let cluster = start("skew", "192.0.2.10-192.0.2.29")?;
    let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases");
    let lease = |renewed: &str| {
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": { "name": "steelyard-controller" },
            "spec": { "holderIdentity": "other", "leaseDurationSeconds": 6, "leaseTransitions": 1,
                "acquireTime": renewed, "renewTime": renewed },
        })
    };
    let made = cluster.api().send("POST", &leases, &lease(&past(0)).to_string())?;
    ensure!(made.status == 201, "{made:?}");
    create(&cluster, &service("web"))?;
    let replica = Replica::start(&cluster, "c-1", 9181, &[])?;
    let one = format!("{leases}/steelyard-controller");
    let renew = |at: &str| -> Result<()> {
        let answer = cluster.api().send("PATCH", &one, &lease(at).to_string())?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(())
    };
    // Long ago by the other's clock.
    for at in 1..=RENEWALS {
        renew(&past(at))?;
        std::thread::sleep(RENEWAL);
        ensure!(!replica.leads(), "{}", replica.running.printed());
    }
    // In the far future.
    renew("2099-01-01T00:00:00.000000Z")?;
    replica.wait_leads()?;
    until_told(&cluster, &replica, "web", &["192.0.2.10"])?;
    cluster.stop()
}

fn past(second: usize) -> String {
    format!("2001-01-01T00:00:{second:02}.000000Z")
}

/// Between two changes of an object in a storm.
const GUST: Duration = Duration::from_millis(20);

#[test]
fn a_storm_of_conflicts_and_what_goes_meanwhile_keep_no_other_waiting() -> Result<()> {
    needs_cluster!();
    let cluster = start("storm", "192.0.2.10-192.0.2.60")?;
    let replica = Replica::start(&cluster, "c-1", 9181, &[])?;
    replica.wait_leads()?;
    let calm = AtomicBool::new(false);
    create(&cluster, &service("other"))?;
    until_told(&cluster, &replica, "other", &["192.0.2.10"])?;
    std::thread::scope(|scope| -> Result<()> {
        scope.spawn(|| {
            let mut count = 0;
            while !calm.load(Ordering::Relaxed) {
                count += 1;
                let with = json!({ "metadata": { "annotations": { "storm": count.to_string() } } });
                let _ = patch(&cluster, &path("torn"), "storm", &with);
                std::thread::sleep(GUST);
            }
        });
        let outcome = (|| {
            create(&cluster, &service("torn"))?;
            for index in 0..20 {
                let name = format!("short-{index}");
                create(&cluster, &service(&name))?;
                cluster.api().send("DELETE", &path(&name), "")?;
            }
            create(&cluster, &service("calm"))?;
            cluster::until("others to have addresses", || {
                told(&cluster).get("calm").is_some_and(|it| it.addresses.len() == 1)
            })?;
            cluster::until("the one in the storm to have one", || {
                told(&cluster).get("torn").is_some_and(|it| it.addresses.len() == 1)
            })
            .with_context(|| replica.running.printed())
        })();
        calm.store(true, Ordering::Relaxed);
        outcome
    })?;
    cluster::until("what went to be counted no more", || counts(&cluster)["assignedIPv4"] == 3)
        .with_context(|| format!("{} {:?}", counts(&cluster), told(&cluster)))?;
    cluster.stop()
}

const METALLB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: controller, namespace: metallb-system, labels: {app: metallb, component: controller}}
spec:
  replicas: 1
  selector: {matchLabels: {app: metallb}}
  template:
    metadata: {labels: {app: metallb}}
    spec: {serviceAccountName: controller, containers: [{name: controller, image: none}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: controller, namespace: metallb-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: metallb-system:controller}
rules: [{apiGroups: [''], resources: [services/status], verbs: [update]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: metallb-system:controller}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: 'metallb-system:controller'}
subjects: [{kind: ServiceAccount, name: controller, namespace: metallb-system}]
";
/// What anybody may make who may make Deployments and DaemonSets in a namespace.
const LOOKALIKES: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: a-tenant, labels: {app: metallb, component: controller}}
spec:
  selector: {matchLabels: {app: metallb}}
  template:
    metadata: {labels: {app: metallb}}
    spec: {containers: [{name: controller, image: none}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: svclb-plain
  namespace: a-tenant
  labels: {svccontroller.k3s.cattle.io/svcname: plain, svccontroller.k3s.cattle.io/svcnamespace: default}
spec:
  selector: {matchLabels: {app: svclb}}
  template:
    metadata: {labels: {app: svclb}}
    spec: {containers: [{name: lb, image: none}]}
";
const SERVICE_LB: &str = "
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: svclb-klipper
  namespace: kube-system
  labels: {svccontroller.k3s.cattle.io/svcname: klipper, svccontroller.k3s.cattle.io/svcnamespace: default}
spec:
  selector: {matchLabels: {app: svclb}}
  template:
    metadata: {labels: {app: svclb}}
    spec: {containers: [{name: lb, image: none}]}
";

/// Writes a status as another load balancer does.
fn write_status(cluster: &Cluster, name: &str, manager: &str, ip: &str) -> Result<()> {
    let with = json!({ "status": { "loadBalancer": { "ingress": [{ "ip": ip }] } } });
    patch(cluster, &format!("{}/status", path(name)), manager, &with)
}

#[test]
fn who_only_looks_like_another_load_balancer_stops_nothing() -> Result<()> {
    needs_cluster!();
    let cluster = start("lookalikes", "192.0.2.10-192.0.2.60")?;
    cluster.kubectl(&["create", "namespace", "a-tenant"])?;
    cluster.apply(LOOKALIKES)?;
    create(&cluster, &service("plain"))?;
    let replica = Replica::start(&cluster, "c-1", 9181, &[])?;
    until_told(&cluster, &replica, "plain", &["192.0.2.10"])?;
    let found = replica.found();
    ensure!(!found.iter().any(|(code, _)| code == "metallb-runs"), "{found:?}");
    cluster.stop()
}

#[test]
fn what_another_load_balancer_wrote_is_left_alone_and_told() -> Result<()> {
    needs_cluster!();
    let cluster = start("others", "192.0.2.10-192.0.2.60")?;
    cluster.kubectl(&["create", "namespace", "metallb-system"])?;
    cluster.kubectl(&["create", "namespace", "a-tenant"])?;
    cluster.apply(LOOKALIKES)?;
    cluster.apply(METALLB)?;
    cluster.apply(SERVICE_LB)?;
    for name in ["klipper", "vip", "metal", "fresh"] {
        create(&cluster, &service(name))?;
    }
    write_status(&cluster, "klipper", "k3s", "10.9.9.9")?;
    write_status(&cluster, "vip", "kube-vip", "10.9.9.8")?;
    write_status(&cluster, "metal", "controller", "192.0.2.44")?;
    let note = json!({ "metadata": { "annotations": {
        "metallb.io/ip-allocated-from-pool": "home" } } });
    patch(&cluster, &path("metal"), "controller", &note)?;
    let before = told(&cluster);
    let replica = Replica::start(&cluster, "c-1", 9181, &[])?;
    let mut expected = [
        ("metallb-runs", "Deployment/metallb-system/controller"),
        ("service-lb-runs", "Service/default/klipper"),
        ("status-of-another", "Service/default/vip"),
        ("status-of-another", "Service/default/fresh"),
    ]
    .map(|(code, object)| (code.to_owned(), object.to_owned()));
    expected.sort();
    cluster::until("it to say what it leaves alone", || {
        let found = replica.found();
        expected.iter().all(|it| found.contains(it))
    })
    .with_context(|| format!("{:?}\n{}", replica.found(), replica.running.printed()))?;
    ensure!(told(&cluster) == before, "{:?}", told(&cluster));

    // Once MetalLB runs no more its addresses are taken over as they are.
    cluster.kubectl(&["scale", "-n", "metallb-system", "deployment/controller", "--replicas=0"])?;
    until_told(&cluster, &replica, "fresh", &["192.0.2.10"])?;
    let after = told(&cluster);
    for name in ["klipper", "vip", "metal"] {
        ensure!(after[name] == before[name], "{:?}", after[name]);
    }
    // It is ours to change from then on.
    let asks = json!({ "spec": { "loadBalancerIP": "192.0.2.50" } });
    patch(&cluster, &path("metal"), "kubectl", &asks)?;
    until_told(&cluster, &replica, "metal", &["192.0.2.50"])?;
    let away = json!({ "spec": { "type": "ClusterIP" } });
    patch(&cluster, &path("metal"), "kubectl", &away)?;
    cluster::until("what it had to be taken back", || {
        let object = cluster.api().get(&path("metal")).unwrap_or_default();
        object["status"]["loadBalancer"] == json!({})
            && object["metadata"]["annotations"]["metallb.io/ip-allocated-from-pool"].is_null()
    })
    .with_context(|| {
        format!("{:?}\n{}", cluster.api().get(&path("metal")), replica.running.printed())
    })?;
    cluster.stop()
}

/// What a container of a pod printed.
fn log(cluster: &Cluster, pod: &Value) -> Result<String> {
    let name = pod["metadata"]["name"].as_str().context("a pod has a name")?;
    cluster.log("node-1", NAMESPACE, name, "controller")
}

#[test]
fn as_installed_it_may_what_it_needs() -> Result<()> {
    needs_cluster!();
    let images = [("steelyard", steelyard_tests::binary::steelyard())];
    let cluster = Cluster::start(&Blueprint { name: "installed", nodes: 1, images: &images })?;
    chart::make_namespace(&cluster)?;
    chart::install(&cluster, &[])?;
    let labels = "app.kubernetes.io/component=controller";
    let pods = cluster.wait_for_pods(NAMESPACE, labels, 2)?;
    let pool = "192.0.2.10-192.0.2.20";
    cluster.apply(&replica::pool(pool))?;
    create(&cluster, &service("web"))?;
    let logs = || pods.iter().map(|pod| log(&cluster, pod)).collect::<Result<String>>();
    cluster::until("an address", || {
        told(&cluster).get("web").is_some_and(|it| it.addresses.len() == 1)
    })
    .with_context(|| format!("{:?}", logs()))?;
    cluster::until("pool, state and event to be written", || {
        let written = versions(&cluster);
        let is_there = |part: &str| written.keys().any(|path| path.contains(part));
        counts(&cluster)["assignedIPv4"].as_u64().is_some_and(|count| count > 0)
            && ["configurationstates/controller", "secrets/steelyard-membership", "events/web."]
                .iter()
                .all(|part| is_there(part))
    })
    .with_context(|| format!("{:?}\n{}", versions(&cluster), logs().unwrap_or_default()))?;
    let logs = logs()?;
    for word in ["forbidden", "does not let", "cannot be"] {
        let lines: Vec<&str> = logs.lines().filter(|line| line.contains(word)).collect();
        ensure!(lines.is_empty(), "{lines:#?}");
    }
    cluster.stop()
}

/// What `/readyz` notes while the API server is not heard.
const GAP: &str = "note: the cluster has not been followed for";

/// The series of Services.
fn followed(standing: &str, count: u32) -> String {
    format!("steelyard_cluster_watches{{resource=\"services\",standing=\"{standing}\"}} {count}")
}

/// It stays ready, and says in notes and metrics what it does not know.
fn says_that_it_is_cut_off(replica: &Replica) -> Result<()> {
    let mut last = (String::new(), String::new());
    cluster::until("it to say that it is cut off", || {
        last.0 = replica.ask("/readyz").unwrap_or_default();
        last.1 = replica.ask("/metrics").unwrap_or_default();
        let is_counted = [("cut_off", 1), ("followed", 0), ("refused", 0)]
            .iter()
            .all(|(standing, count)| last.1.lines().any(|it| it == followed(standing, *count)));
        is_counted && last.0.starts_with("ok") && last.0.contains(GAP)
    })
    .with_context(|| format!("{last:?}"))
}

#[test]
fn an_api_server_that_freezes_dies_and_forgets_moves_nothing() -> Result<()> {
    needs_cluster!();
    let mut cluster = start("frozen", "192.0.2.10-192.0.2.60")?;
    let mut replica = Replica::start(&cluster, "c-1", 9181, &[])?;
    replica.wait_leads()?;
    create(&cluster, &service("a"))?;
    let a = until_told(&cluster, &replica, "a", &["192.0.2.10"])?;
    cluster.freeze_api()?;
    cluster::until("nobody to lead without the API server", || !replica.leads())
        .with_context(|| replica.running.printed())?;
    cluster.thaw_api()?;
    create(&cluster, &service("b"))?;
    until_told(&cluster, &replica, "b", &["192.0.2.11"])?;
    cluster.kill_api()?;
    cluster::until("nobody to lead without the API server", || !replica.leads())?;
    says_that_it_is_cut_off(&replica)?;
    cluster.start_api()?;
    create(&cluster, &service("c"))?;
    cluster.compact()?;
    until_told(&cluster, &replica, "c", &["192.0.2.12"])?;
    ensure!(told(&cluster)["a"] == a, "{:?}", told(&cluster));
    cluster::until("all to be followed again", || {
        let metrics = replica.ask("/metrics").unwrap_or_default();
        let is_followed = metrics.lines().any(|it| it == followed("followed", 1));
        is_followed && !replica.ask("/readyz").is_ok_and(|it| it.contains(GAP))
    })
    .with_context(|| format!("{:?}", replica.ask("/readyz")))?;
    ensure!(replica.running.stop()?.success(), "{}", replica.running.printed());
    cluster.stop()
}
