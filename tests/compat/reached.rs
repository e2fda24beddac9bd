//! What Ingresses report that they are reached by, where a case of a provider says it: what would
//! be written to an API server that has its objects.

use std::sync::Arc;

use serde_json::{Value, json};
use steelyard_dialects::{LowerOptions, lower};
use steelyard_manifest::{ReadLimits, Source, load_unnamed};
use steelyard_model::{Holdings, NamespacedName};
use steelyard_pipeline::{ResolveOptions, resolve};
use steelyard_plan::{Facts, plan};
use steelyard_statuses::{
    Publication, PublishedIngresses, PublishedReading, Reportable, Reported, Revision, Rivals,
    Scope, StatusAddress, StatusChange, StatusKind, StatusOptions, wanted,
};

use super::{Case, dynamic};

/// What differs between the statuses that a case expects and those that would be written.
pub(crate) fn of_ingresses(case: &Case) -> Vec<String> {
    let expected = &case.content["status"]["ingresses"];
    match (expected, case.content["asserted"] == "status") {
        (Value::Null, false) => return Vec::new(),
        (Value::Null, true) => return vec!["no status is expected".to_owned()],
        _ => {}
    }
    let made = written(case);
    let ids: std::collections::BTreeSet<&String> =
        expected.as_object().into_iter().flatten().map(|(id, _)| id).chain(made.keys()).collect();
    let mut wrong = Vec::new();
    for id in ids {
        let of = |all: &Value| all.as_array().cloned().unwrap_or_default();
        let path = json!(["status", "ingresses", id, "loadBalancer"]);
        let any_order = case.content["unordered"].as_array().is_some_and(|it| it.contains(&path));
        let [mut expected, mut made] =
            [of(&expected[id]["loadBalancer"]), made.get(id).map(of).unwrap_or_default()];
        if any_order {
            expected.sort_by_key(Value::to_string);
            made.sort_by_key(Value::to_string);
        }
        if expected != made {
            wrong.push(format!("{id} reports {}, not {}", json!(made), json!(expected)));
        }
    }
    wrong
}

/// What is written, by object.
fn written(case: &Case) -> serde_json::Map<String, Value> {
    let files = case.content["files"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let objects: Vec<_> = files
        .flat_map(|name| {
            let source = Source::new(name, case.manifest(name).into_bytes());
            load_unnamed(&source, &ReadLimits::default())
        })
        .collect();
    let mut reported = Reported::default();
    objects.iter().for_each(|object| {
        reported.see(object, Revision::new("uid", "1"));
    });
    let lowered = objects.iter().flat_map(|object| lower(object, &LowerOptions::default()).items);
    let items: Vec<_> = lowered.map(Arc::new).collect();
    let reading =
        ResolveOptions { ingress: dynamic::options(case), as_traefik: true, ..Default::default() };
    let snapshot = resolve(&items, &reading);
    let plan = plan(&snapshot, &Holdings::default(), &Facts::default());
    let options = StatusOptions {
        ingresses: Some(published(&case.content["options"])),
        ..StatusOptions::default()
    };
    let rivals = Rivals::default();
    let reportable = Reportable {
        plan: &plan,
        snapshot: &snapshot,
        rivals: &rivals,
        options: &options,
        now: "",
    };
    let writes = wanted(reportable, &reported, &Scope::All).writes.into_iter();
    let of_ingresses = writes.filter(|write| write.kind == StatusKind::Ingress);
    let points = of_ingresses.map(|write| match write.change {
        StatusChange::Addresses { addresses, .. } => (write.id.to_string(), json!(addresses)),
        _ => (write.id.to_string(), Value::Null),
    });
    points.collect()
}

/// As the options of a case say.
fn published(options: &Value) -> PublishedIngresses {
    let object = |text: &Value| {
        let (namespace, name) = text.as_str()?.split_once('/')?;
        Some(NamespacedName::new(namespace, name))
    };
    let end = &options["ingressEndpoint"];
    let text = |name: &str| end[name].as_str().map(str::to_owned);
    let sees_nodes = options["disableClusterScopeResources"] != true;
    let (service, point) = (object(&end["publishedService"]), [text("ip"), text("hostname")]);
    let traefik = match (service, point) {
        (Some(service), _) => Publication {
            service: Some(service),
            reading: PublishedReading::Traefik { sees_nodes },
            ..Publication::default()
        },
        (None, [None, None]) if options["reportNodeInternalIPs"] == true => {
            Publication { reading: PublishedReading::AllNodes, ..Publication::default() }
        }
        (None, [None, None]) => Publication::default(),
        (None, [ip, hostname]) => Publication {
            said: vec![StatusAddress { ip, hostname, ..StatusAddress::default() }],
            ..Publication::default()
        },
    };
    let said = options["publishStatusAddress"].as_array().into_iter().flatten();
    let said = said.filter_map(Value::as_str).map(|text| match text.parse() {
        Ok(ip) => StatusAddress::of_ip(ip),
        Err(_) => StatusAddress::of_name(text),
    });
    let nginx = Publication {
        said: said.collect(),
        service: object(&options["publishService"]),
        reading: PublishedReading::Nginx,
    };
    PublishedIngresses { traefik, nginx }
}
