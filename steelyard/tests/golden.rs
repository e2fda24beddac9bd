//! Golden cases: `tests/golden/{check,plan}/NAME.in.yaml` (or a folder `NAME.in`) against what the
//! commands print. `UPDATE=1 cargo test -p steelyard --test golden` rewrites the expectations.
//!
//! `check` cases compare `NAME.out.txt`; `plan` cases `NAME.out.txt` and `NAME.out.json`. A case
//! may bring a `NAME.lock`, and begin with a line `# options: --lb-class c` of further options.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use steelyard::pipeline::Pipeline;
use steelyard::planning;
use steelyard_exhibit::{Exhibit, Exhibited, Features};
use steelyard_manifest::{
    ClusterEvent, ClusterObject, RawObject, Role, Selection, Sight, Source, Verb, Watched, render,
    watched,
};
use steelyard_model::routing::backend::Internal;
use steelyard_model::{Diagnostic, Holdings, Snapshot};
use steelyard_pipeline::ResolveOptions;
use steelyard_plan::{Facts, Plan, Planner};

const BINARY: &str = env!("CARGO_BIN_EXE_steelyard");

#[test]
fn check() {
    run("check", &[("txt", &[])]);
}

#[test]
fn plans() {
    run("plan", &[("txt", &[]), ("json", &["-o", "json"])]);
}

/// A command line each: `NAME.cmd` against what it prints.
#[test]
fn commands() {
    let folder = root().join("tests/golden/commands");
    let mut wrong = Vec::new();
    for input in entries(&folder) {
        let name = input.to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".cmd") else { continue };
        let line = std::fs::read_to_string(&input).unwrap();
        let actual = printed(Command::new(BINARY).args(line.split_whitespace()));
        compare(&actual, &PathBuf::from(format!("{name}.out.txt")), &mut wrong);
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// An edit: `NAME.before.yaml` is in force when `NAME.in.yaml` takes its place. What is said, and
/// which addresses and routes come of it: at once, and when losses are believed.
#[test]
fn edit() {
    let folder = root().join("tests/golden/edit");
    let mut wrong = Vec::new();
    for input in entries(&folder) {
        let name = input.to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".in.yaml") else { continue };
        let source =
            |suffix| Source::new("app.yaml", std::fs::read(format!("{name}.{suffix}")).unwrap());
        let (before, after) = (source("before.yaml"), source("in.yaml"));
        let (mut pipeline, mut held) = (Pipeline::default(), Holdings::default());
        let now = Instant::now();
        let mut look = |source: &Source, seconds| {
            let sight = Sight::complete(vec![source.clone()]);
            let (world, _) = pipeline.follow(&sight, now + Duration::from_secs(seconds));
            let mut found = world.snapshot.diagnostics.clone();
            world.known.advise(&mut found);
            let found: Vec<Diagnostic> = found.iter().cloned().collect();
            let facts = Facts { node: "node-1".to_owned(), ..Facts::default() };
            let (snapshot, plan) = planning::again(&mut Planner::default(), world, &held, &facts);
            held = plan.held.clone();
            (found, in_force(&snapshot, &plan))
        };
        let (_, first) = look(&before, 0);
        let (found, at_once) = look(&after, 0);
        let (_, later) = look(&after, 60);
        let said = render::text(&found, &[after], false);
        let all = format!("{said}\n--- before\n{first}--- at once\n{at_once}--- later\n{later}");
        compare(&all, &PathBuf::from(format!("{name}.out.txt")), &mut wrong);
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What Traefik's API shows: `NAME.in.yaml` against what is answered to each path of `NAME.paths`.
#[test]
fn exhibit() {
    let mut wrong = Vec::new();
    for input in entries(&root().join("tests/golden/exhibit")) {
        let name = input.to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".in.yaml") else { continue };
        let source = Source::new("app.yaml", std::fs::read(&input).unwrap());
        let mut options = ResolveOptions::default();
        options.exposure.services = Internal::NAMED.into();
        let (world, _) =
            Pipeline::new(options).follow(&Sight::complete(vec![source]), Instant::now());
        let known = world.known.clone();
        let (snapshot, plan) = planning::again(
            &mut Planner::default(),
            world,
            &Holdings::default(),
            &Facts::default(),
        );
        let mut found = plan.diagnostics.clone();
        known.advise(&mut found);
        let findings: Vec<&Diagnostic> = found.iter().collect();
        let features = Features { access_log: true, ..Features::default() };
        let down = [("default-shop-80@kubernetescrd".to_owned(), "10.0.0.6:80".to_owned())];
        let exhibit = Exhibit::of(Exhibited {
            routing: &snapshot.routing,
            unreached: plan.routes.unreached(),
            findings: &findings,
            down: &down,
            entry_points: &[serde_json::json!({ "address": ":80", "name": "web" })],
            features: &features,
            now: 1_700_000_000,
        });
        let mut all = String::new();
        let paths = std::fs::read_to_string(format!("{name}.paths")).unwrap();
        for target in paths.lines() {
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let shown = exhibit.answer(path, query);
            let next = shown.next_page.map(|it| format!(", next page {it}")).unwrap_or_default();
            let body = String::from_utf8(shown.body.bytes().to_vec()).unwrap();
            let body = match serde_json::from_str::<Value>(&body) {
                Ok(value) => format!("{value:#}\n"),
                Err(_) => body,
            };
            let _ = writeln!(all, "GET {target}\n{}{next}\n{body}", shown.status);
        }
        compare(&all, &PathBuf::from(format!("{name}.out.txt")), &mut wrong);
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What is said of the objects of a cluster: `NAME.in.json` is what was heard of it, in order.
#[test]
fn cluster() {
    let mut wrong = Vec::new();
    for input in entries(&root().join("tests/golden/cluster")) {
        let name = input.to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".in.json") else { continue };
        let heard: Vec<Value> = serde_json::from_slice(&std::fs::read(&input).unwrap()).unwrap();
        let kinds = watched(Role::Everything);
        let options = ResolveOptions::default();
        let mut pipeline = Pipeline::of_cluster(options, kinds.iter().map(Selection::all));
        let empty = |it| ClusterEvent::Absent(Selection::all(it));
        pipeline.hear(kinds.iter().map(empty).chain(heard.iter().map(event)));
        let (world, _) = pipeline.follow(&Sight::default(), Instant::now());
        let mut found = world.snapshot.diagnostics.clone();
        world.known.advise(&mut found);
        let found: Vec<Diagnostic> = found.iter().cloned().collect();
        let said = render::text(&found, &[], false);
        compare(&said, &PathBuf::from(format!("{name}.out.txt")), &mut wrong);
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// `{refused: plural, verb: list | watch}`, or an object that is there.
fn event(heard: &Value) -> ClusterEvent {
    let kind = |is: &dyn Fn(&Watched) -> bool| {
        watched(Role::Everything).iter().find(|kind| is(kind)).unwrap()
    };
    if let Some(plural) = heard["refused"].as_str() {
        let verb = if heard["verb"] == "list" { Verb::List } else { Verb::Watch };
        let watch = Selection::all(kind(&|kind| kind.plural == plural));
        return ClusterEvent::Refused { watch, verb };
    }
    let kind = kind(&|kind| heard["kind"] == kind.kind);
    let raw: RawObject = serde_json::from_value(heard.clone()).unwrap();
    ClusterEvent::Written(Box::new(ClusterObject::new(raw, kind).unwrap()))
}

/// Services with what they have, and routes with what they do: a line each.
fn in_force(snapshot: &Snapshot, plan: &Plan) -> String {
    let mut out = String::new();
    for (id, row) in plan.services.iter() {
        let _ = writeln!(out, "Service {id}: {:?}", row.addresses);
    }
    let routing = &snapshot.routing;
    for route in routing.in_order() {
        let refused = routing.refusal(route).map(|why| format!("503, {why}"));
        let sets = routing.ends(route).into_iter().filter_map(|end| end.endpoints);
        let endpoints: usize = sets.map(|set| set.endpoints.len()).sum();
        let outcome = refused.unwrap_or_else(|| format!("to {endpoints} endpoints"));
        let _ = writeln!(out, "{}: {outcome}", route.rule);
    }
    out
}

/// The examples plan what their README says.
#[test]
fn examples() {
    let mut wrong = Vec::new();
    for folder in entries(&root().join("examples")).into_iter().filter(|path| path.is_dir()) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let place = format!("examples/{name}");
        for (suffix, options) in [("txt", &[][..]), ("json", &["-o", "json"][..])] {
            let expected = root().join(format!("tests/golden/examples/{name}.out.{suffix}"));
            compare(&command("plan", &place, None, options), &expected, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn run(command_name: &str, outputs: &[(&str, &[&str])]) {
    let folder = root().join("tests/golden").join(command_name);
    let mut wrong = Vec::new();
    for input in entries(&folder) {
        let file = input.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((name, _)) = file.split_once(".in") else { continue };
        let place = format!("tests/golden/{command_name}/{file}");
        let lock = folder.join(format!("{name}.lock"));
        let lock = lock.is_file().then(|| format!("tests/golden/{command_name}/{name}.lock"));
        for (suffix, options) in outputs {
            let expected = folder.join(format!("{name}.out.{suffix}"));
            let actual = command(command_name, &place, lock.as_deref(), options);
            compare(&actual, &expected, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What the command prints, and its exit status.
fn command(name: &str, place: &str, lock: Option<&str>, options: &[&str]) -> String {
    let mut command = Command::new(BINARY);
    command.args([name, place, "--node", "node-1"]).args(options);
    command.args(further_options(&root().join(place)));
    if let Some(lock) = lock {
        command.args(["--lock", lock]);
    }
    let text = printed(&mut command);
    match text.rsplit_once("exit status") {
        Some((json, _)) if options.contains(&"json") => json.to_owned(),
        _ => text,
    }
}

/// Output, errors and exit status of `command`, run in the root of the repository.
fn printed(command: &mut Command) -> String {
    let output = command.current_dir(root()).output().expect("the binary starts");
    let text = String::from_utf8(output.stdout).expect("it prints text");
    let errors = String::from_utf8_lossy(&output.stderr);
    format!("{text}{errors}exit status {}\n", output.status.code().unwrap_or(-1))
}

/// What the first line of a case asks for.
fn further_options(input: &Path) -> Vec<String> {
    let bytes = std::fs::read(input).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().next().and_then(|line| line.strip_prefix("# options: "));
    line.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

fn compare(actual: &str, expected: &Path, wrong: &mut Vec<String>) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(expected.parent().expect("a file is in a folder")).unwrap();
        return std::fs::write(expected, actual).unwrap();
    }
    let wanted = std::fs::read_to_string(expected).unwrap_or_default();
    if wanted != actual {
        let name = expected.strip_prefix(root()).unwrap_or(expected).display();
        wrong.push(format!("=== {name}: {}", first_difference(&wanted, actual)));
    }
}

fn first_difference(wanted: &str, actual: &str) -> String {
    let pairs = wanted.lines().zip(actual.lines()).enumerate();
    let different = pairs.into_iter().find(|(_, (wanted, actual))| wanted != actual);
    match different {
        Some((at, (wanted, actual))) => {
            format!("line {}\n  expected {wanted}\n  actual   {actual}", at + 1)
        }
        None => format!("{} lines, expected {}", actual.lines().count(), wanted.lines().count()),
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_owned()
}
