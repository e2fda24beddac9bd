//! What ingress-nginx was tested for that takes an API server, read in place from beside the
//! repository: events about Ingresses, and what they report. `tests/nginx` plays all others.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use steelyard_manifest::{ReadLimits, Source, load_unnamed};
use steelyard_tests::cluster::{self, Cluster};
use steelyard_tests::wait;

use super::replica::{Replica, create, service, start};

const CLASS: &str = r"
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
";
const INGRESSES: &str = "/apis/networking.k8s.io/v1/namespaces/default/ingresses";
const EVENTS: &str = "/api/v1/namespaces/default/events";
/// A Service that is there once all else was decided.
const MARK: &str = "zz-mark";
const PAUSE: Duration = Duration::from_millis(100);

/// Cases that need an API server and nothing else that is not here, by name.
fn cases() -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/compat/nginx");
    let within = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.filter_map(|it| Some(it.ok()?.path())).collect::<Vec<_>>()
    };
    let files = within(&root).into_iter().flat_map(|it| within(&it));
    let mut cases: Vec<_> = files.filter_map(|file| case(&file)).collect();
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    cases
}

fn case(file: &Path) -> Option<(String, Value)> {
    let text = std::fs::read_to_string(file).ok()?;
    let text = format!("apiVersion: compat/v1\nkind: Case\n{text}");
    let source = Source::new("case.yaml".to_owned(), text.into_bytes());
    let read = load_unnamed(&source, &ReadLimits::default());
    let content: Value = read.first()?.read_lenient().value?;
    let is_it = content["needs"] == json!(["api"]);
    is_it.then(|| (content["name"].as_str().unwrap_or_default().to_owned(), content))
}

/// Plays them one after the other, each with a controller of its own.
pub(super) fn play() -> Result<()> {
    let cases = cases();
    if cases.is_empty() {
        println!("skipped: cases of others are not there");
        return Ok(());
    }
    let cluster = start("ofnginx", "192.0.2.10-192.0.2.29")?;
    cluster.apply(CLASS)?;
    for (port, (name, case)) in (9200..).zip(&cases) {
        played(&cluster, port, case).with_context(|| name.clone())?;
    }
    println!("{} cases hold", cases.len());
    Ok(())
}

fn played(cluster: &Cluster, port: u16, case: &Value) -> Result<()> {
    let flags = case["settings"]["flags"].as_array().into_iter().flatten();
    let flags = flags.filter_map(|it| it.as_str()?.strip_prefix("--"));
    let flags: Vec<String> = flags.map(|flag| format!("--nginx.{flag}")).collect();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let replica = Replica::start(cluster, &format!("of-nginx-{port}"), port, &flags)?;
    replica.wait_leads()?;
    let objects = case["objects"].as_array().context("objects")?;
    for object in objects {
        cluster.apply(&object.to_string())?;
    }
    for (index, step) in case["steps"].as_array().into_iter().flatten().enumerate() {
        self::step(cluster, &replica, step)
            .with_context(|| format!("step {}: {}", index + 1, replica.running.printed()))?;
    }
    for object in objects {
        cluster.kubectl(&["delete", "ingress", name(&object["metadata"])])?;
    }
    cluster.kubectl(&["delete", "service", MARK, "--ignore-not-found"])?;
    // The next one may be about objects of the same names.
    cluster.kubectl(&["delete", "events", "--all"])?;
    Ok(())
}

fn step(cluster: &Cluster, replica: &Replica, step: &Value) -> Result<()> {
    for named in step["clear_status"].as_array().into_iter().flatten() {
        let status = json!({ "status": { "loadBalancer": null } }).to_string();
        let patch = ["--subresource=status", "--type=merge", "-p", &status];
        let mut command = vec!["patch", "ingress", name(named)];
        command.extend(patch);
        cluster.kubectl(&command)?;
    }
    let expected = &step["expect"];
    if expected.is_null() {
        return Ok(());
    }
    let known = ["events", "status_of"];
    let other = expected.as_object().into_iter().flatten().find(|(it, _)| !known.contains(&&***it));
    ensure!(other.is_none(), "nothing here looks at {other:?}");
    let Some(patience) = step["retry"]["for"].as_f64() else {
        // What must not be there is looked for once what was decided later is told.
        create(cluster, &service(MARK))?;
        cluster::until("an event of what came later", || is_told(cluster, MARK, "IPAllocated"))
            .with_context(|| replica.running.printed())?;
        return judge(cluster, expected);
    };
    let patience = Duration::from_secs_f64(patience);
    let mut last = Ok(());
    let held = wait::until_some_within(patience, PAUSE, "what is expected", || {
        last = judge(cluster, expected);
        last.is_ok().then_some(())
    });
    last.and(held)
}

fn judge(cluster: &Cluster, expected: &Value) -> Result<()> {
    for wanted in expected["events"].as_array().into_iter().flatten() {
        ensure!(wanted["kind"] == "Ingress", "of Ingresses alone");
        let is_there =
            is_told(cluster, name(wanted), wanted["reason"].as_str().unwrap_or_default());
        ensure!(Some(is_there) == wanted["present"].as_bool(), "an event is there: {is_there}");
    }
    for wanted in expected["status_of"].as_array().into_iter().flatten() {
        ensure!(wanted["kind"] == "Ingress", "of Ingresses alone");
        let found = cluster.api().get(&format!("{INGRESSES}/{}", name(wanted)))?;
        let found = &found["status"]["loadBalancer"]["ingress"];
        if *found != wanted["loadBalancer"] {
            bail!("it reports {found}");
        }
    }
    Ok(())
}

/// Whether there is an event about an object of this name.
fn is_told(cluster: &Cluster, name: &str, reason: &str) -> bool {
    let found = cluster.api().get(EVENTS).unwrap_or_default();
    let mut found = found["items"].as_array().into_iter().flatten();
    found.any(|it| it["involvedObject"]["name"] == name && it["reason"] == reason)
}

fn name(of: &Value) -> &str {
    of["name"].as_str().unwrap_or_default()
}
