//! Other people's cases: what the tests of MetalLB and Traefik expect, read in place from beside
//! the repository, run through the real stages. No case is copied or known by name here; where we
//! differ on purpose, `differences.yaml` names the case and the reason.
//!
//! Where the cases are absent the test says so and passes.

mod allocation;
mod config;
mod conversion;
mod differences;
mod dynamic;
mod election;
mod functions;
mod heads;
mod middlewares;
mod nginx;
mod normal;
mod reached;
mod routers;
mod rules;
mod statuses;
mod world;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use differences::Listed;
use serde_json::Value;

/// A case: a folder with `case.json` and manifests.
struct Case {
    /// `allocator/assignment`.
    name: String,
    folder: PathBuf,
    content: Value,
}

impl Case {
    fn kind(&self) -> &str {
        self.content["kind"].as_str().unwrap_or_default()
    }

    fn manifest(&self, name: &str) -> String {
        let path = self.folder.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

/// Where all cases are.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/compat")
}

/// All cases of the suites of one project, by name; none where the folder is absent.
fn cases(project: &str, suites: &[&str]) -> Vec<Case> {
    let root = root().join(project);
    if !root.is_dir() {
        println!("skipped: {} is not there", root.display());
        return Vec::new();
    }
    let mut cases = Vec::new();
    for suite in suites {
        let folders = std::fs::read_dir(root.join(suite)).expect("a suite is a folder");
        for folder in folders {
            let folder = folder.expect("a readable folder").path();
            let text = std::fs::read_to_string(folder.join("case.json")).expect("case.json");
            let slug = folder.file_name().expect("a name").to_string_lossy();
            let content = serde_json::from_str(&text).expect("case.json is JSON");
            cases.push(Case { name: format!("{suite}/{slug}"), folder: folder.clone(), content });
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

/// Runs `check` on each case of one of `kinds`; what it returns is what did not hold.
fn run(suites: &[&str], kinds: &[&str], check: impl Fn(&Case) -> Vec<String>) {
    run_of("metallb", suites, kinds, check);
}

/// The same of another project.
fn run_of(project: &str, suites: &[&str], kinds: &[&str], check: impl Fn(&Case) -> Vec<String>) {
    run_part("", project, suites, kinds, check);
}

/// The same of a part of what cases expect, which their names begin with where they are listed.
fn run_part(
    part: &str,
    project: &str,
    suites: &[&str],
    kinds: &[&str],
    check: impl Fn(&Case) -> Vec<String>,
) {
    let known = differences::read();
    let (mut ran, mut wrong) = (0, Vec::new());
    for case in cases(project, suites).into_iter().filter(|case| kinds.contains(&case.kind())) {
        ran += 1;
        let failures = check(&case);
        let name = format!("{part}{}", case.name);
        match differences::of_case(&known, &name) {
            None => wrong.extend(failures.into_iter().map(|it| format!("{name}: {it}"))),
            Some(Listed::Itself) if failures.is_empty() => {
                wrong.push(format!("{name}: listed in differences.yaml, but holds"));
            }
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {ran} cases:\n{}", wrong.len(), wrong.join("\n"));
    println!("{ran} cases hold");
}

#[test]
fn allocation() {
    run(&["allocator", "controller"], &["allocation-steps", "controller-steps"], allocation::steps);
}

#[test]
fn capacity() {
    run(&["allocator"], &["pool-capacity"], allocation::capacity);
}

#[test]
fn families_of_addresses() {
    run(&["allocator"], &["address-family"], allocation::families);
}

#[test]
fn changes_of_nodes() {
    run(&["controller"], &["node-change"], config::node_change);
}

#[test]
fn reports() {
    run(&["config"], &["configuration-state"], statuses::configuration);
    run(&["speaker-l2"], &["l2-status-steps"], statuses::on_the_lan);
    run(&["speaker-bgp"], &["bgp-status-steps"], statuses::to_routers);
    run(&["allocator", "controller"], &["pool-status-steps"], statuses::of_pool);
}

#[test]
fn versions_of_peers() {
    run(&["config"], &["bgppeer-conversion"], conversion::bgp_peer);
}

#[test]
fn load_balancer_class() {
    run(&["controller"], &["lb-class"], allocation::class);
}

#[test]
fn owners() {
    run(&["speaker-l2"], &["l2-steps"], election::steps);
}

#[test]
fn order_of_candidates() {
    run(&["speaker-l2"], &["l2-order", "l2-election-table"], election::order);
}

#[test]
fn endpoints_that_serve() {
    run(&["speaker-l2"], &["endpoint-serving"], election::serving);
}

#[test]
fn what_is_accepted() {
    run(&["config"], &["config-parse", "config-mode"], config::parse);
    run(&["config"], &["admission"], config::admission);
    run(&["config"], &["admission-normalize"], config::normalize);
    run(&["config"], &["configuration-condition"], config::condition);
    run(&["config"], &["node-scope"], config::node_scope);
}

#[test]
fn communities() {
    run(&["config"], &["community-parse", "community-order", "community-print"], config::community);
}

#[test]
fn what_routers_are_told() {
    run(&["speaker-bgp"], &["bgp-steps"], routers::steps);
    run(&["speaker-bgp"], &["session-password"], routers::password);
}

/// Suites that tests here read, and the kinds of cases they run; others are listed as differences.
#[test]
fn every_kind_is_run_or_listed() {
    let ran = [
        "address-family",
        "admission",
        "admission-normalize",
        "allocation-steps",
        "bgp-status-steps",
        "bgp-steps",
        "bgppeer-conversion",
        "community-order",
        "community-parse",
        "community-print",
        "config-mode",
        "config-parse",
        "configuration-condition",
        "configuration-state",
        "controller-steps",
        "endpoint-serving",
        "l2-election-table",
        "l2-order",
        "l2-status-steps",
        "l2-steps",
        "lb-class",
        "node-change",
        "node-scope",
        "pool-capacity",
        "pool-status-steps",
        "session-password",
    ];
    let known = differences::read();
    let suites = ["allocator", "config", "controller", "speaker-bgp", "speaker-l2"];
    for case in cases("metallb", &suites) {
        let kind = case.kind();
        let listed = known.contains_key(&format!("kind/{kind}"));
        assert!(ran.contains(&kind) != listed, "{}: kind {kind}", case.name);
    }
}

/// MetalLB's sample manifests: each loads, and a cluster takes it.
#[test]
fn samples() {
    let folder = root().join("samples");
    if !folder.is_dir() {
        return println!("skipped: {} is not there", folder.display());
    }
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("text");
        wrong.extend(config::lowers(&name, &text));
        wrong.extend(config::sample(&name, text));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_of_traefik() {
    run_of("traefik", &["rules"], &["http-rule"], rules::of_requests);
    run_of("traefik", &["rules"], &["tcp-rule"], rules::of_connections);
    run_of("traefik", &["rules"], &["rule-priority"], rules::number);
    run_of("traefik", &["rules"], &["rule-domains"], rules::domains);
    run_of("traefik", &["rules"], &["rule-tree"], rules::tree);
    run_of("traefik", &["rules"], &["rule-precedence"], rules::precedence);
    run_of("traefik", &["rules"], &["routing-path"], rules::routing_path);
    run_of("traefik", &["rules"], &["strict-prefix"], rules::strict_prefix);
}

#[test]
fn configuration_of_traefik() {
    run_of("traefik", &["crd"], &["provider"], dynamic::of_kinds);
    run_of("traefik", &["ingress"], &["provider"], dynamic::of_ingresses);
    run_of("traefik", &["ingress-nginx"], &["provider"], dynamic::of_nginx);
    run_of("traefik", &["crd", "ingress"], &["function"], functions::of);
    run_of("traefik", &["ingress-nginx"], &["function"], nginx::of_functions);
}

#[test]
fn what_ingresses_report() {
    let suites = ["ingress", "ingress-nginx"];
    run_part("status/", "traefik", &suites, &["provider"], reached::of_ingresses);
}

/// No kind of case of these suites is passed over.
#[test]
fn every_kind_of_traefik_is_run() {
    let ran = [
        "function",
        "http-rule",
        "provider",
        "routing-path",
        "rule-domains",
        "rule-precedence",
        "rule-priority",
        "rule-tree",
        "strict-prefix",
        "tcp-rule",
    ];
    for case in cases("traefik", &["crd", "ingress", "ingress-nginx", "rules"]) {
        assert!(ran.contains(&case.kind()), "{}: kind {}", case.name, case.kind());
    }
}

/// What is not carried out yet is read, and nothing more is held of it.
#[test]
fn middlewares_of_traefik() {
    let mut over: BTreeMap<&str, usize> = BTreeMap::new();
    let all = cases("traefik", &["middlewares"]);
    for why in
        all.iter().filter(|it| it.kind() == "middleware").filter_map(middlewares::passed_over)
    {
        *over.entry(why).or_default() += 1;
    }
    over.iter().for_each(|(why, count)| println!("{count} cases are passed over: {why}"));
    run_of("traefik", &["middlewares"], &["middleware"], middlewares::of_requests);
    run_of("traefik", &["middlewares"], &["function"], heads::of_functions);
    run_of("traefik", &["middlewares"], &["forwarded-headers"], heads::of_forwarding);
    run_of("traefik", &["middlewares"], &["tcp-middleware"], heads::of_connections);
}

#[test]
fn what_is_said_to_be_built_has_a_frame() {
    let wrong = middlewares::frames_of_what_is_built();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
