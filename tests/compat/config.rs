//! Whether a set of objects is accepted, and as what: `check` and admission.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use steelyard_dialects::{LowerOptions, lower};
use steelyard_manifest::{Object, ReadLimits, Source, load, merge};
use steelyard_model::community::CommunityFault;
use steelyard_model::{Code, Community, Diagnostic, Holdings, Item, Selector, Snapshot};
use steelyard_pipeline::codes::{APPEARS_LATER, BY_REFERENCE};
use steelyard_pipeline::{ResolveOptions, resolve};
use steelyard_plan::{Facts, plan};
use steelyard_statuses::{self as status, Component};

use super::Case;
use super::normal;

/// What all stages make of some files.
pub(crate) struct Checked {
    pub(crate) snapshot: Snapshot,
    /// Findings that make `check` fail.
    pub(crate) errors: Vec<Diagnostic>,
}

impl Checked {
    fn codes(&self) -> Vec<Code> {
        self.errors.iter().map(|error| error.code).collect()
    }

    /// Whether it would be accepted where references are not looked at.
    fn accepted_ignoring_references(&self) -> bool {
        let ignored = |code| APPEARS_LATER.contains(code) || BY_REFERENCE.contains(code);
        self.codes().iter().all(ignored)
    }

    fn told(&self) -> String {
        let line = |error: &Diagnostic| format!("{} {}: {}", error.code, error.path, error.message);
        self.errors.iter().map(line).collect::<Vec<_>>().join("; ")
    }
}

/// Loads, lowers, joins and plans, as `check` does.
pub(crate) fn checked(texts: &[String], config_namespace: Option<&str>) -> Checked {
    let read = |(index, text): (usize, &String)| {
        load(&Source::new(format!("{index}.yaml"), text.as_bytes()), &ReadLimits::default())
    };
    let merged = merge(texts.iter().enumerate().map(read).collect());
    checked_objects(merged.objects, merged.diagnostics, config_namespace)
}

fn checked_objects(
    objects: Vec<Object>,
    mut diagnostics: Vec<Diagnostic>,
    config_namespace: Option<&str>,
) -> Checked {
    let mut items = Vec::new();
    for object in &objects {
        let lowered = lower(object, &LowerOptions::default());
        items.extend(lowered.items.into_iter().map(Arc::new));
        diagnostics.extend(lowered.diagnostics);
    }
    let config_namespace = config_namespace.map(str::to_owned);
    let snapshot = resolve(&items, &ResolveOptions { config_namespace, ..Default::default() });
    let facts = Facts { node: "node-1".into(), ..Facts::default() };
    diagnostics.extend(plan(&snapshot, &Holdings::default(), &facts).diagnostics.iter().cloned());
    diagnostics.retain(Diagnostic::is_error);
    Checked { snapshot, errors: diagnostics }
}

pub(crate) fn texts(case: &Case) -> Vec<String> {
    let files = case.content["files"].as_array().expect("files").iter();
    files.map(|name| case.manifest(name.as_str().expect("a name"))).collect()
}

/// `config-parse` and `config-mode`: the rules of single BGP modes are not ours.
pub(crate) fn parse(case: &Case) -> Vec<String> {
    let expected = &case.content["expected"];
    let verdict =
        expected.get("accepted_without_mode_rules").unwrap_or_else(|| &expected["accepted"]);
    let checked = checked(&texts(case), None);
    let accepted = checked.errors.is_empty();
    let mut wrong = Vec::new();
    if *verdict != json!(accepted) {
        wrong.push(format!("accepted: {accepted}: {}", checked.told()));
    }
    let mode = case.kind() == "config-mode";
    if !mode && expected["transient"] == json!(true) {
        let heals = checked.codes().iter().all(|code| APPEARS_LATER.contains(code));
        if !heals {
            wrong.push(format!("not only references: {}", checked.told()));
        }
    }
    let ignoring = &expected["accepted_ignoring_references"];
    let lenient = checked.accepted_ignoring_references();
    if !mode && !ignoring.is_null() && *ignoring != json!(lenient) {
        wrong.push(format!("accepted, ignoring references: {lenient}: {}", checked.told()));
    }
    if accepted && expected.get("config").is_some() {
        wrong.extend(normal::differences(&checked.snapshot, &expected["config"]));
    }
    wrong
}

/// A request laid over what exists. A deletion is one that leaves nobody without what he names.
pub(crate) fn admission(case: &Case) -> Vec<String> {
    let settings = &case.content["settings"];
    let namespace = settings["namespace"].as_str();
    let object = |name: &str| {
        load(&Source::new(name, case.manifest(name).as_bytes()), &ReadLimits::default()).objects
    };
    let request = object("request.yaml");
    let mut objects = object("existing.yaml");
    let same = |a: &Object, b: &Object| a.reference == b.reference;
    objects.retain(|existing| !request.iter().any(|new| same(existing, new)));
    let deletion = settings["operation"] == "DELETE";
    if !deletion {
        objects.extend(request);
    }
    let checked = checked_objects(objects, Vec::new(), namespace);
    let allowed =
        if deletion { checked.errors.is_empty() } else { checked.accepted_ignoring_references() };
    if case.content["expected"]["allowed"] == json!(allowed) {
        return Vec::new();
    }
    vec![format!("allowed: {allowed}: {}", checked.told())]
}

/// What is judged at admission is the input without its references.
pub(crate) fn normalize(case: &Case) -> Vec<String> {
    let of = |name: &str| checked(&[case.manifest(name)], None);
    let judged = case.content["expected"]["evaluated_as"].as_str().expect("a file");
    let (input, judged) = (of("input.yaml"), of(judged));
    let ignored = |code: &Code| !APPEARS_LATER.contains(code) && !BY_REFERENCE.contains(code);
    let codes = |it: &Checked| it.codes().into_iter().filter(ignored).collect::<Vec<_>>();
    if codes(&input) == codes(&judged) {
        return Vec::new();
    }
    vec![format!("{} / {}", input.told(), judged.told())]
}

/// `configuration-condition`: what each component says of what it reads.
pub(crate) fn condition(case: &Case) -> Vec<String> {
    let errors = checked(&texts(case), None).errors;
    let speaker = Component::Speaker { node: "node-1" };
    let said = [Component::Controller, speaker].map(|it| status::condition(it, &errors, "now"));
    let said = said.map(|it| json!({ "type": it.kind, "status": it.status, "reason": it.reason }));
    let mut wrong = Vec::new();
    for condition in case.content["expected"]["conditions"].as_array().expect("conditions") {
        let same = |it: &&Value| {
            ["type", "status", "reason"].iter().all(|key| it[*key] == condition[*key])
        };
        if !said.iter().any(|it| same(&it)) {
            wrong.push(format!("{condition}: got {said:?}"));
        }
    }
    wrong
}

/// Whether it matters that a Node changed.
pub(crate) fn node_change(case: &Case) -> Vec<String> {
    let read = |name: &str| {
        let snapshot = checked(&[case.manifest(name)], None).snapshot;
        snapshot.nodes.first().cloned().expect("a Node")
    };
    let matters = read("old.yaml").matters(&read("new.yaml"));
    let expected = case.content["expected"]["triggers_resync"] == json!(true);
    if matters == expected { Vec::new() } else { vec![format!("matters: {matters}")] }
}

/// Which peers or advertisements concern a node.
pub(crate) fn node_scope(case: &Case) -> Vec<String> {
    let expected = &case.content["expected"];
    let checked = checked(&texts(case), None);
    let accepted = checked.errors.is_empty();
    if expected["accepted"] != json!(accepted) {
        return vec![format!("accepted: {accepted}: {}", checked.told())];
    }
    let snapshot = &checked.snapshot;
    let name = case.content["settings"]["node"].as_str().unwrap_or_default();
    let node = snapshot.nodes.iter().find(|node| &*node.name == name);
    let selects = |selectors: &[Selector]| {
        node.is_some_and(|node| selectors.is_empty() || Selector::any(selectors, &node.labels))
    };
    let peers = snapshot.bgp.peers.iter().map(|it| (&it.peer.id, &it.peer.node_selectors));
    let ads = snapshot.bgp.advertisements.iter().map(|it| &it.advertisement);
    let all = peers.chain(ads.map(|it| (&it.id, &it.node_selectors)));
    let selected: BTreeSet<String> = all
        .filter(|(_, selectors)| selects(selectors))
        .map(|(id, _)| id.name.to_string())
        .collect();
    if !accepted || expected["selected"] == json!(selected) {
        return Vec::new();
    }
    vec![format!("selected: {selected:?}, expected {}", expected["selected"])]
}

/// One community: read, ordered, printed.
pub(crate) fn community(case: &Case) -> Vec<String> {
    let (input, expected) = (&case.content["input"], &case.content["expected"]);
    let read = |key: &str| input[key].as_str().unwrap_or_default().parse::<Community>();
    let mut wrong = Vec::new();
    let mut check = |got: Value, key: &str| {
        if expected.get(key).is_some_and(|wanted| *wanted != got) {
            wrong.push(format!("{key}: got {got}"));
        }
    };
    if let (Ok(left), Ok(right)) = (read("left"), read("right")) {
        check(json!(left < right), "left_is_less");
        return wrong;
    }
    let community = read("text");
    check(json!(community.is_ok()), "accepted");
    check(json!(community == Err(CommunityFault::Shape)), "may_be_alias");
    match community {
        Ok(Community::Standard(high, low)) => {
            check(json!("standard"), "kind");
            check(json!([high, low]), "parts");
        }
        Ok(Community::Large(a, b, c)) => {
            check(json!("large"), "kind");
            check(json!([a, b, c]), "parts");
        }
        Err(_) => {}
    }
    if let Ok(community) = community {
        check(json!(community.to_string()), "text");
    }
    wrong
}

/// A sample is taken by a cluster: nothing is wrong with it but what may still appear.
pub(crate) fn sample(name: &str, text: String) -> Vec<String> {
    let checked = checked(&[text], None);
    let appears = |code: &Code| APPEARS_LATER.contains(code);
    if checked.codes().iter().all(appears) {
        return Vec::new();
    }
    vec![format!("{name}: {}", checked.told())]
}

/// Every object of a sample lowers to something.
pub(crate) fn lowers(name: &str, text: &str) -> Vec<String> {
    let loaded = load(&Source::new(name, text.as_bytes()), &ReadLimits::default());
    let nothing = |object: &&Object| {
        let items: Vec<Item> = lower(object, &LowerOptions::default()).items;
        items.is_empty() && !matches!(&*object.reference.kind, "Namespace")
    };
    loaded.objects.iter().filter(nothing).map(|it| format!("{name}: {}", it.reference)).collect()
}
