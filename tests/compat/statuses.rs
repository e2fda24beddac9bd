//! Objects that report: what a cluster has after each change, written as [`reconcile`] says.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::{Value, json};
use steelyard_manifest::{ReadLimits, Source, load};
use steelyard_model::NamespacedName;
use steelyard_statuses::{
    ConfigurationState, Owner, PoolStatus, Report, ServiceBgpStatus, ServiceL2Status,
    ServiceStatus, Write, reconcile,
};

use super::Case;

/// An API server's objects of one kind, by name.
type There<S> = BTreeMap<String, Report<S>>;

pub(crate) fn on_the_lan(case: &Case) -> Vec<String> {
    steps(case, "announced_here", |node, service, announced| {
        let first = announced.as_array().and_then(|all| all.first())?;
        let all = first["all_interfaces"] == true;
        let names = first["interfaces"].as_array().filter(|_| !all).into_iter().flatten();
        Some(ServiceL2Status::new(node, service, names.filter_map(Value::as_str)))
    })
}

pub(crate) fn to_routers(case: &Case) -> Vec<String> {
    steps(case, "advertised_to_peers", |node, service, peers| {
        let peers: Vec<&str> = peers.as_array()?.iter().filter_map(Value::as_str).collect();
        (!peers.is_empty()).then(|| ServiceBgpStatus::new(node, service, peers))
    })
}

/// Steps that change what is announced, as their field `input` says; it stays where a step has
/// none.
fn steps<S: ServiceStatus + serde::Serialize + Default>(
    case: &Case,
    input: &str,
    wanted: impl Fn(&str, &NamespacedName, &Value) -> Option<S>,
) -> Vec<String> {
    let settings = &case.content["settings"];
    let text = |key: &str| settings[key].as_str().unwrap_or_default();
    let (namespace, name) = text("service").split_once('/').expect("namespace/name");
    let service = NamespacedName::new(namespace, name);
    let mut there = existing::<S>(&case.content["existing_statuses"]);
    let mut announced = Value::Null;
    let mut wrong = Vec::new();
    for step in case.content["steps"].as_array().expect("steps") {
        if let Some(now) = step.get(input) {
            announced = now.clone();
        }
        let owner = Owner { name: text("speaker_pod").to_owned(), uid: String::new() };
        let report = wanted(text("node"), &service, &announced)
            .map(|status| Report::about_service(text("namespace"), owner, status));
        settle(text("node"), &service, &mut there, report.as_ref());
        let mut got: Vec<String> = there.values().map(|it| shown(it).to_string()).collect();
        let mut expected = expected(&step["expect"]);
        got.sort();
        expected.sort();
        if got != expected {
            wrong.push(format!("{}: got {got:?}, expected {expected:?}", step["title"]));
        }
    }
    wrong
}

fn existing<S>(list: &Value) -> There<S> {
    let objects = list.as_array().into_iter().flatten().enumerate().map(|(index, object)| {
        let labels = object["labels"].as_object().into_iter().flatten();
        let label = |(key, value): (&String, &Value)| {
            (key.clone(), value.as_str().unwrap_or_default().to_owned())
        };
        let name = format!("existing-{index}");
        let report = Report {
            name: Some(name.clone()),
            namespace: object["namespace"].as_str().unwrap_or_default().to_owned(),
            labels: labels.map(label).collect(),
            owners: BTreeSet::new(),
            status: None,
        };
        (name, report)
    });
    objects.collect()
}

/// Writes until there is nothing to write.
fn settle<S: ServiceStatus>(
    node: &str,
    service: &NamespacedName,
    there: &mut There<S>,
    wanted: Option<&Report<S>>,
) {
    for round in 0.. {
        let found: Vec<_> = there.values().cloned().collect();
        let writes = reconcile(node, service, &found, wanted.cloned());
        if writes.is_empty() {
            return;
        }
        assert!(round < 3, "it settles");
        for write in writes {
            match write {
                Write::Create(report) => {
                    let name = format!("{}{round}", S::NAME_PREFIX);
                    // As an API server does, the status is left out.
                    let report = Report { name: Some(name.clone()), status: None, ..report };
                    there.insert(name, report);
                }
                Write::Update(report) => {
                    there.insert(report.name.clone().expect("a name"), report);
                }
                Write::Delete { name, .. } => {
                    there.remove(&name);
                }
            }
        }
    }
}

fn shown<S: serde::Serialize + Default + Clone>(report: &Report<S>) -> Value {
    let owners: Vec<String> = report.owners.iter().map(|it| format!("Pod/{}", it.name)).collect();
    json!({
        "labels": report.labels,
        "namespace": report.namespace,
        "owner": owners.join(","),
        "status": filled(json!(report.status.clone().unwrap_or_default())),
    })
}

/// A status with the lists that are left out where they are empty.
fn filled(mut status: Value) -> Value {
    let fields = status.as_object_mut().expect("a status is an object");
    fields.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
    status
}

/// The objects that a step expects, whatever the field is called.
fn expected(expect: &Value) -> Vec<String> {
    let lists = expect.as_object().into_iter().flatten();
    let objects = lists.filter_map(|(_, list)| list.as_array()).flatten();
    let objects = objects.map(|object| {
        let mut object = object.clone();
        object["status"] = filled(object["status"].take());
        object.to_string()
    });
    objects.collect()
}

/// What becomes of a ConfigurationState: `files` are what is there, if anything is.
pub(crate) fn configuration(case: &Case) -> Vec<String> {
    let mut state = ConfigurationState::default();
    let mut exists = false;
    for file in case.content["files"].as_array().into_iter().flatten() {
        let text = case.manifest(file.as_str().expect("a name"));
        for object in
            load(&Source::new("before.yaml", text.as_bytes()), &ReadLimits::default()).objects
        {
            let read = object.read_lenient::<Object>();
            let Some(object) = read.value else { return vec![format!("{:?}", read.diagnostics)] };
            (state, exists) = (object.status.unwrap_or_default(), true);
        }
    }
    // A new object has no status: that comes with the second look.
    let created = json!({ "result": "", "summary": "" });
    state.sum_up();
    let got = json!({
        "result": state.result.expect("it is summed up"),
        "summary": state.error_summary,
    });
    let expected = &case.content["expected"];
    let wanted = json!({
        "result": expected["result"].as_str().unwrap_or_default(),
        "summary": expected["error_summary"].as_str().unwrap_or_default(),
    });
    let is_created = !exists && wanted == created;
    if wanted == got || is_created { Vec::new() } else { vec![format!("got {got}")] }
}

/// A ConfigurationState, as far as it matters here.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Object {
    status: Option<ConfigurationState>,
}

/// The status of a pool is what is counted, whatever anybody wrote there.
pub(crate) fn of_pool(case: &Case) -> Vec<String> {
    let mut there: Option<PoolStatus> = None;
    let mut counted = PoolStatus::default();
    let mut wrong = Vec::new();
    for step in case.content["steps"].as_array().expect("steps") {
        let (mut inputs, mut expected) = (Vec::new(), Vec::new());
        for (key, value) in step.as_object().expect("a step") {
            counters(key, value, if key == "expect" { &mut expected } else { &mut inputs });
        }
        for (key, status) in inputs {
            if key.contains("counter") {
                counted = status;
            } else {
                there = Some(status);
            }
        }
        there = counted.over(there).or(there);
        wrong.extend(
            expected.into_iter().filter(|(_, status)| Some(*status) != there).map(|(_, status)| {
                format!("{}: got {there:?}, expected {status:?}", step["title"])
            }),
        );
    }
    wrong
}

/// All counters within `value`, each with the outermost key it is below.
fn counters(key: &str, value: &Value, found: &mut Vec<(String, PoolStatus)>) {
    match value {
        Value::Object(fields) if fields.keys().any(|it| plain(it).starts_with("assignedipv")) => {
            let of = |name: &str| {
                let field = fields.iter().find(|(key, _)| plain(key) == name);
                field.and_then(|(_, value)| value.as_u64()).unwrap_or_default()
            };
            let status = PoolStatus {
                assigned_ipv4: of("assignedipv4"),
                assigned_ipv6: of("assignedipv6"),
                available_ipv4: of("availableipv4"),
                available_ipv6: of("availableipv6"),
            };
            found.push((key.to_owned(), status));
        }
        Value::Object(fields) => fields.values().for_each(|it| counters(key, it, found)),
        Value::Array(items) => items.iter().for_each(|it| counters(key, it, found)),
        _ => {}
    }
}

fn plain(key: &str) -> String {
    key.replace('_', "").to_lowercase()
}
