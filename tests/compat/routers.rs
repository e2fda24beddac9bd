//! What each node tells each router, step by step.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use steelyard_model::bgp::{JoinedPassword, Password};
use steelyard_plan::Plan;

use super::Case;
use super::config::{checked, texts};
use super::world::World;

pub(crate) fn steps(case: &Case) -> Vec<String> {
    let mut world = World::new(&case.content["settings"]);
    let mut wrong = Vec::new();
    for step in case.content["steps"].as_array().expect("steps") {
        world.step(case, step);
        let plan = world.plan();
        let expect = &step["expect"];
        let title = step["title"].as_str().unwrap_or_default();
        let mut found = Vec::new();
        for (node, expected) in expect["nodes"].as_object().into_iter().flatten() {
            sessions(&plan, node, &expected["sessions"], &mut found);
            decisions(&plan, node, &expected["decisions"], &mut found);
        }
        for (node, services) in expect["service_bgp_status_peers"].as_object().into_iter().flatten()
        {
            told(&world.planned(), node, services, &mut found);
        }
        wrong.extend(found.into_iter().map(|it| format!("{title}: {it}")));
    }
    wrong
}

fn of_node<'a>(plan: &'a Value, node: &str) -> impl Iterator<Item = &'a Value> {
    let rows = plan["peers"].as_array().expect("peers").iter();
    rows.filter(move |row| row["node"] == node)
}

fn sessions(plan: &Value, node: &str, expected: &Value, wrong: &mut Vec<String>) {
    let Some(expected) = expected.as_object() else { return };
    let mut got: BTreeMap<String, Value> = BTreeMap::new();
    for row in of_node(plan, node) {
        let route = |it: &Value| {
            json!({
                "prefix": it["prefix"],
                "local_pref": it["localPref"],
                "communities": it["communities"],
            })
        };
        let routes: Vec<Value> =
            row["routes"].as_array().expect("routes").iter().map(route).collect();
        got.insert(row["address"].as_str().unwrap_or_default().to_owned(), json!(routes));
    }
    let wanted: BTreeMap<String, Value> =
        expected.iter().map(|(address, routes)| (address.clone(), routes.clone())).collect();
    if got != wanted {
        wrong.push(format!("{node}: got {got:?}, expected {wanted:?}"));
    }
}

/// Whether a node announces a Service at all.
fn decisions(plan: &Value, node: &str, expected: &Value, wrong: &mut Vec<String>) {
    let rows = plan["announcements"].as_array().expect("announcements");
    for (service, expected) in expected.as_object().into_iter().flatten() {
        let announces = rows.iter().any(|row| {
            let nodes = row["nodes"].as_array();
            row["service"] == **service && nodes.is_some_and(|all| all.contains(&json!(node)))
        });
        if expected["announce"] != json!(announces) {
            wrong.push(format!("{node} announces {service}: {announces}"));
        }
    }
}

/// The peers that a node reports for a Service.
fn told(plan: &Plan, node: &str, services: &Value, wrong: &mut Vec<String>) {
    let statuses = steelyard_statuses::to_routers(plan, node);
    for (service, expected) in services.as_object().into_iter().flatten() {
        let found = statuses.iter().find(|(id, _)| id.to_string() == **service);
        let peers = found.map(|(_, status)| status.peers.clone()).unwrap_or_default();
        if json!(peers) != *expected {
            wrong.push(format!("{node} tells of {service}: {peers:?}, expected {expected}"));
        }
    }
}

/// The password of a session: known, or a reference that is handed on.
pub(crate) fn password(case: &Case) -> Vec<String> {
    let expected = &case.content["expected"];
    let checked = checked(&texts(case), None);
    let [joined] = &checked.snapshot.bgp.peers[..] else {
        return vec!["not one peer".to_owned()];
    };
    let reference = matches!(joined.peer.password, Some(Password::Secret { .. }));
    let known = match &joined.password {
        JoinedPassword::Known(value) => String::from_utf8_lossy(&value.0).into_owned(),
        JoinedPassword::None | JoinedPassword::Elsewhere(_) => String::new(),
    };
    // We open sessions ourselves: there is nobody to hand a reference to.
    let handed_on = !expected["session_secret_ref"].is_null();
    let holds = if handed_on { reference } else { expected["session_password"] == json!(known) };
    if holds { Vec::new() } else { vec![format!("got {known:?}, by reference: {reference}")] }
}
