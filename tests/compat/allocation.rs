//! Which Service gets which address, step by step.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Value, json};
use steelyard_model::{Families, Family};

use super::Case;
use super::world::World;

/// Addresses of each Service after a step.
type Ingress = BTreeMap<String, Vec<String>>;

pub(crate) fn steps(case: &Case) -> Vec<String> {
    let mut world = World::new(&case.content["settings"]);
    let mut before = Ingress::new();
    let mut wrong = Vec::new();
    for step in case.content["steps"].as_array().expect("steps") {
        world.step(case, step);
        let plan = world.plan();
        let now = ingress(&plan);
        let title = step["title"].as_str().unwrap_or_default();
        let expect = &step["expect"];
        let found = services(expect, &plan, &now, &before).into_iter().chain(pools(expect, &plan));
        wrong.extend(found.map(|it| format!("{title}: {it}")));
        before = now;
    }
    wrong
}

fn ingress(plan: &Value) -> Ingress {
    let rows = plan["services"].as_array().expect("services").iter();
    rows.map(|row| (id(row), strings(&row["addresses"]))).collect()
}

fn id(row: &Value) -> String {
    let field = |key: &str| row[key].as_str().unwrap_or_default();
    format!("{}/{}", field("namespace"), field("name"))
}

fn strings(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn services(expect: &Value, plan: &Value, now: &Ingress, before: &Ingress) -> Vec<String> {
    let mut wrong = Vec::new();
    let none = Vec::new();
    for (name, expected) in expect["services"].as_object().into_iter().flatten() {
        let row =
            plan["services"].as_array().expect("services").iter().find(|row| id(row) == *name);
        let row = row.unwrap_or(&Value::Null);
        let got = now.get(name).unwrap_or(&none);
        let mut check = |holds: bool, what: &str| {
            if !holds {
                wrong.push(format!("{name}: {what}: got {got:?} {row}, expected {expected}"));
            }
        };
        if expected.get("ingress").is_some() {
            check(*got == strings(&expected["ingress"]), "ingress");
            check(row["pool"] == expected["pool"], "pool");
        }
        if let Some(count) = expected["ingress_count"].as_u64() {
            check(got.len() as u64 == count, "ingress_count");
        }
        if expected.get("ingress_from").is_some() {
            let from = strings(&expected["ingress_from"]);
            check(got.iter().all(|address| from.contains(address)), "ingress_from");
        }
        if expected["unchanged"].as_bool() == Some(true) {
            check(before.get(name).unwrap_or(&none) == got, "unchanged");
        }
        for other in strings(&expected["shares_with"]) {
            let shared = now.get(&other).is_some_and(|it| it.iter().any(|it| got.contains(it)));
            check(shared, "shares_with");
        }
        check(has_events(row, expected), "events");
    }
    wrong
}

/// Whether the expected events are among those told, in order of first emission.
fn has_events(row: &Value, expected: &Value) -> bool {
    let pair = |event: &Value| (event["type"].clone(), event["reason"].clone());
    let told: Vec<_> = row["events"].as_array().into_iter().flatten().map(pair).collect();
    let mut rest = told.iter();
    let mut wanted = expected["events"].as_array().into_iter().flatten().map(pair);
    wanted.all(|event| rest.any(|told| *told == event))
}

fn pools(expect: &Value, plan: &Value) -> Vec<String> {
    let rows = plan["pools"].as_array().expect("pools");
    let mut wrong = Vec::new();
    for (name, expected) in expect["pools"].as_object().into_iter().flatten() {
        let row = rows.iter().find(|row| row["name"] == *name).unwrap_or(&Value::Null);
        let counters = expected.as_object().expect("counters");
        if counters.iter().any(|(key, value)| row[key] != *value) {
            wrong.push(format!("pool {name}: got {row}, expected {expected}"));
        }
    }
    wrong
}

pub(crate) fn capacity(case: &Case) -> Vec<String> {
    let plan = of_files(case);
    let rows = plan["pools"].as_array().expect("pools");
    let mut wrong = Vec::new();
    for (name, expected) in case.content["expected"]["pools"].as_object().expect("pools") {
        let row = rows.iter().find(|row| row["name"] == *name).unwrap_or(&Value::Null);
        let total = |key: &str| row[key].as_u64().unwrap_or_default();
        let got = (total("availableIPv4"), total("availableIPv6"));
        let wanted = |key: &str| expected[key].as_u64().unwrap_or_default();
        if got != (wanted("ipv4"), wanted("ipv6")) {
            wrong.push(format!("{name}: got {got:?}, expected {expected}"));
        }
    }
    wrong
}

pub(crate) fn class(case: &Case) -> Vec<String> {
    let handled = !of_files(case)["services"].as_array().expect("services").is_empty();
    let expected = case.content["expected"]["handled"] == true;
    if handled == expected { Vec::new() } else { vec![format!("handled: {handled}")] }
}

/// The families of a list of addresses, or of one prefix.
pub(crate) fn families(case: &Case) -> Vec<String> {
    let (input, expected) = (&case.content["input"], &case.content["expected"]);
    let one = ["address", "cidr"].into_iter().filter_map(|key| input[key].as_str());
    let texts = one.map(str::to_owned).chain(strings(&input["addresses"]));
    let address = |text: String| text.split('/').next().and_then(|it| it.parse::<IpAddr>().ok());
    let addresses: Option<Vec<IpAddr>> = texts.map(address).collect();
    let families = addresses.and_then(|all| Families::of(&all));
    let name = match families {
        Some(Families::One(Family::V4)) => "ipv4",
        Some(Families::One(Family::V6)) => "ipv6",
        Some(Families::Both) => "dual",
        None => "unknown",
    };
    let refused = expected.get("error").is_none_or(|it| *it == json!(families.is_none()));
    if expected["family"] == name && refused { Vec::new() } else { vec![format!("got {name}")] }
}

fn of_files(case: &Case) -> Value {
    let mut world = World::new(&case.content["settings"]);
    for file in strings(&case.content["files"]) {
        world.apply(&case.manifest(&file));
    }
    world.plan()
}
