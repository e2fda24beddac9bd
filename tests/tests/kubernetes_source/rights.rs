//! Rights that are taken away while somebody listens, and given back; and what a role says while
//! it does not hear of its cluster.

use anyhow::{Result, ensure};
use steelyard_kube::Standing;
use steelyard_manifest::{Role, Selection, Verb, watched};
use steelyard_tests::binary::steelyard;
use steelyard_tests::process::Running;
use steelyard_tests::scratch::Scratch;
use steelyard_tests::{cluster, manifests, needs_cluster};

use super::commands::account;
use super::ear::Ear;
use super::relay::Relay;
use super::{definitions, start, until};

/// Who may read two kinds, as the test does.
fn account_of_reader() -> String {
    let rule = "{apiGroups: [''], resources: [services, namespaces], verbs: [list, watch]}";
    manifests::account("default", "reader", &[rule])
}

#[test]
fn a_right_that_is_taken_away_is_named_and_what_was_known_stands() -> Result<()> {
    needs_cluster!();
    let cluster = start("rights")?;
    cluster.apply(&account_of_reader())?;
    let scratch = Scratch::new()?;
    let reader = account(&cluster, &scratch, "default", "reader")?;
    let relay = Relay::start(&cluster, &reader)?;
    let kinds = ["Namespace", "Service"];
    let kinds = kinds.map(|kind| watched(Role::Everything).iter().find(|it| it.kind == kind));
    let all: Vec<Selection> = kinds.into_iter().flatten().map(Selection::all).collect();
    let ear = Ear::start(&cluster, relay.kubeconfig(), all)?;
    ear.until("all of it", |heard| heard.is_complete)?;
    let (changes, before) = (ear.heard().changes, ear.heard().objects);
    ensure!(before.contains_key("Service/default/kubernetes"));

    // Who is connected stays so; the next connection is refused.
    cluster.kubectl(&["delete", "clusterrolebinding", "reader"])?;
    relay.close();
    relay.open();
    let is_refused = |it: &Standing| matches!(it, Standing::Refused { verb: Verb::Watch, .. });
    ear.until("all to be refused", |heard| heard.standing.values().all(is_refused))?;
    cluster.kubectl(&["create", "service", "clusterip", "late", "--tcp=80"])?;
    ensure!(ear.heard().objects == before && ear.heard().changes == changes);

    cluster.apply(&account_of_reader())?;
    until(&ear, &["Service/default/late"], &[])?;
    ear.until("it to be followed", |heard| {
        heard.standing.values().all(|it| *it == Standing::Followed)
    })?;
    let service = |it: &&String| it.starts_with("Service/");
    let services = ear.heard().objects.keys().filter(service).count();
    ensure!(services == 2 && ear.heard().changes == changes + 1);
    Ok(())
}

/// A role goes on with what it knows, is ready, and says what it does not know.
#[test]
fn a_role_that_hears_nothing_serves_on_and_says_so() -> Result<()> {
    needs_cluster!();
    let mut cluster = start("deaf")?;
    cluster.apply(&definitions())?;
    cluster.apply(&account_of_reader())?;
    let mut gateway = cluster.client().command(&steelyard().to_string_lossy());
    gateway.args(["gateway", "--admin", "127.0.0.1:9180", "--kubeconfig"]);
    let mut gateway = Running::start({
        gateway.arg(cluster.kubeconfig());
        gateway
    })?;
    let get = |cluster: &cluster::Cluster, path: &str| {
        let url = format!("http://127.0.0.1:9180{path}");
        let asked = ["-sS", "-m", "5", "-w", "%{http_code}", &url];
        let output = cluster.client().output("curl", &asked);
        output.map_or_else(|_| String::new(), |it| String::from_utf8_lossy(&it.stdout).into_owned())
    };
    let said = |cluster: &cluster::Cluster| get(cluster, "/readyz");
    let gap = "note: the cluster has not been followed for";
    let is_ready = |text: &str| text.ends_with("200");
    cluster::until("it to be ready", || {
        let said = said(&cluster);
        is_ready(&said) && !said.contains(gap)
    })?;
    cluster.kill_api()?;
    cluster::until("it to say that it hears nothing", || {
        let said = said(&cluster);
        let metrics = get(&cluster, "/metrics");
        let counted = "watches{resource=\"ingresses.networking.k8s.io\",standing=\"cut_off\"} 1";
        is_ready(&said)
            && said.contains(gap)
            && said.contains("is not reached")
            && metrics.contains(counted)
    })?;
    cluster.start_api()?;
    cluster::until("it to hear again", || {
        let said = said(&cluster);
        is_ready(&said) && !said.contains(gap)
    })?;
    ensure!(gateway.is_running());
    gateway.stop()?;
    Ok(())
}
