//! Which node answers for a Service's address under `--compat-election`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Case;
use super::world::World;

pub(crate) fn steps(case: &Case) -> Vec<String> {
    let mut world = World::new(&case.content["settings"]);
    let mut wrong = Vec::new();
    for step in case.content["steps"].as_array().expect("steps") {
        world.step(case, step);
        let speakers = step["speakers"].as_array();
        world.facts.alive = speakers
            .map(|names| names.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect());
        let title = step["title"].as_str().unwrap_or_default();
        let found = owners(&mut world, &step["expect"]);
        wrong.extend(found.into_iter().map(|it| format!("{title}: {it}")));
    }
    wrong
}

fn owners(world: &mut World, expect: &Value) -> Vec<String> {
    let plan = world.plan();
    let rows = plan["announcements"].as_array().expect("announcements");
    let mut wrong = Vec::new();
    for (service, owner) in expect["announcer"].as_object().into_iter().flatten() {
        let row = rows.iter().find(|row| row["service"] == *service).unwrap_or(&Value::Null);
        if row["owner"] != *owner {
            wrong.push(format!("{service}: got {row}, expected owner {owner}"));
        }
        if let Some(interfaces) = expect["interfaces"].get(service)
            && row["interfaces"] != *interfaces
        {
            wrong.push(format!("{service}: got {row}, expected interfaces {interfaces}"));
        }
    }
    for (node, services) in expect["nodes"].as_object().into_iter().flatten() {
        world.facts.node.clone_from(node);
        let announced = world.planned().node.announce;
        for (service, expected) in services.as_object().into_iter().flatten() {
            let does = announced.values().any(|vip| vip.service.to_string() == *service);
            if expected["announce"] != json!(does) {
                wrong.push(format!("{node} announces {service}: {does}"));
            }
        }
    }
    wrong
}

pub(crate) fn order(case: &Case) -> Vec<String> {
    let (input, expected) = (&case.content["input"], &case.content["expected"]);
    let mut wrong = Vec::new();
    if let Some(address) = input["address"].as_str() {
        let got = candidates(input, address);
        if json!(got) != expected["order"] {
            wrong.push(format!("{address}: got {got:?}"));
        }
    }
    for (address, owner) in expected["announcer_by_address"].as_object().into_iter().flatten() {
        let got = candidates(input, address);
        if json!(got.first()) != *owner {
            wrong.push(format!("{address}: got {got:?}, expected {owner}"));
        }
    }
    wrong
}

/// Owner and standbys of a Service with `address` in a world of the input's candidates.
fn candidates(input: &Value, address: &str) -> Vec<String> {
    let mut world = World::new(&Value::Null);
    world.apply(&manifest(input, address));
    let plan = world.plan();
    let row = &plan["announcements"][0];
    let standbys = row["standbys"].as_array().into_iter().flatten();
    std::iter::once(&row["owner"])
        .chain(standbys)
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn manifest(input: &Value, address: &str) -> String {
    let mut nodes = String::new();
    for node in input["candidates"].as_array().expect("candidates") {
        let name = node.as_str().expect("a name");
        let score = input["scores"][name].as_u64().unwrap_or(0);
        let labels = format!("{{score: \"{score}\"}}");
        writeln!(
            nodes,
            "---\napiVersion: v1\nkind: Node\nmetadata: {{name: {name}, labels: {labels}}}"
        )
        .expect("text");
    }
    let mut scores: Vec<_> =
        input["scores"].as_object().into_iter().flatten().filter_map(|it| it.1.as_u64()).collect();
    scores.sort_unstable();
    scores.dedup();
    let preferences: Vec<_> = scores
        .into_iter()
        .map(|score| {
            let labels = json!({ "score": score.to_string() });
            json!({ "weight": score, "preference": { "matchLabels": labels } })
        })
        .collect();
    let preferences = json!(preferences);
    format!(
        "apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: pool, namespace: metallb-system}}
spec: {{addresses: [{address}-{address}]}}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {{name: advertisement, namespace: metallb-system}}
spec: {{preferredNodeSelectors: {preferences}}}
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: default, annotations: {{steelyard.dev/endpoints: \"192.0.2.1:80\"}}}}
spec: {{type: LoadBalancer, ports: [{{port: 80}}]}}
{nodes}"
    )
}

/// How many endpoints of a slice take traffic.
pub(crate) fn serving(case: &Case) -> Vec<String> {
    let mut world = World::new(&Value::Null);
    for file in case.content["files"].as_array().expect("files") {
        world.apply(&case.manifest(file.as_str().expect("a name")));
    }
    world.apply(
        "apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: pool, namespace: metallb-system}
spec: {addresses: [10.0.0.1/32]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: all, namespace: metallb-system}
---
apiVersion: v1
kind: Service
metadata: {name: test, namespace: default}
spec: {type: LoadBalancer, ports: [{name: http, port: 80}]}
",
    );
    let owner = world.plan()["announcements"][0]["owner"].is_string();
    let expected = case.content["expected"]["usable_endpoints"].as_u64();
    if owner == (expected != Some(0)) {
        return Vec::new();
    }
    vec![format!("announced: {owner}")]
}
