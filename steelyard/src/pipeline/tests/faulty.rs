//! Thousands of objects with a mistake each: it costs none but its own, is named, and takes no
//! longer than their number warrants.

use std::collections::BTreeSet;
use std::fmt::Write;

use steelyard_exhibit::{Exhibit, Exhibited, Features};
use steelyard_manifest::Source;
use steelyard_model::{Diagnostic, Severity};

use super::*;
use crate::report::report;

/// An object as somebody gets it wrong, by a number that makes each another one.
type Mistaken = fn(usize) -> String;

const FAULTY: [Mistaken; 14] = [
    |n| ingress(n, "", &host(n), "relative", "live"),
    |n| ingress(n, "", &format!("\"bad_host..{n}\""), "/", "live"),
    |n| ingress(n, "", &host(n), "/", &format!("gone-{n}")),
    |n| ingress(n, &annotated("router.middlewares", n), &host(n), "/", "live"),
    |n| ingress(n, &annotated("router.entrypoint", n), &host(n), "/", "live"),
    |n| route(n, &format!("Host(`{}`", host(n)), "", "live"),
    |n| route(n, &format!("Hots(`{}`)", host(n)), "", "live"),
    |n| route(n, &format!("Host(`{}`) && PathRegexp(`(`)", host(n)), "", "live"),
    |n| route(n, &named(n), "", &format!("gone-{n}")),
    |n| route(n, &named(n), &format!("middlewares: [{{name: gone-{n}}}], "), "live"),
    |n| route(n, &named(n), "priority: 9223372036854775807, ", "live"),
    |n| route(n, &named(n), "", &format!("app-{n:05}, kind: TraefikService")) + &round(n),
    |n| route(n, &named(n), "", "live").replace("spec: {", "spec: {tls: {secretName: none}, "),
    |n| route(n, &named(n), "", "live").replace("spec: {", "spec: {tls: {options: {name: none}}, "),
];

/// So many of each kind.
const EACH: usize = 10;
/// So many times as many.
const TIMES: usize = 4;

const LIVE: &str = "---\napiVersion: v1\nkind: Service\nmetadata: {name: live, annotations: \
                    {steelyard.dev/endpoints: '10.0.0.1:80'}}\nspec: {ports: [{port: 80}]}\n";

fn host(n: usize) -> String {
    format!("app-{n:05}.test")
}

fn named(n: usize) -> String {
    format!("Host(`{}`)", host(n))
}

fn ingress(n: usize, more: &str, host: &str, path: &str, service: &str) -> String {
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: app-{n:05}{more}}}\n\
         spec: {{ingressClassName: traefik, rules: [{{host: {host}, http: {{paths: [{{path: {path}, \
         pathType: Prefix, backend: {{service: {{name: {service}, port: {{number: 80}}}}}}}}]}}}}]}}\n"
    )
}

fn annotated(name: &str, n: usize) -> String {
    format!(
        ", annotations: {{traefik.ingress.kubernetes.io/{name}: default-gone-{n}@kubernetescrd}}"
    )
}

fn route(n: usize, rule: &str, more: &str, service: &str) -> String {
    format!(
        "---\napiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {{name: app-{n:05}}}\n\
         spec: {{routes: [{{match: '{rule}', {more}services: [{{name: {service}, port: 80}}]}}]}}\n"
    )
}

/// Which leads to itself.
fn round(n: usize) -> String {
    format!(
        "---\napiVersion: traefik.io/v1alpha1\nkind: TraefikService\nmetadata: {{name: app-{n:05}}}\n\
         spec: {{weighted: {{services: [{{name: app-{n:05}, kind: TraefikService}}]}}}}\n"
    )
}

/// Two objects without a mistake.
fn good(n: usize) -> String {
    ingress(n, "", &host(n), "/", "live") + &route(n + 1, &named(n + 1), "", "live")
}

/// A file for each of so many rounds over all kinds, and with them those without mistakes where
/// these are wanted.
struct Files {
    sources: Vec<Source>,
    faulty: Vec<String>,
    good: BTreeSet<String>,
}

impl Files {
    fn of(each: usize, has_faulty: bool) -> Self {
        let mut files = Self { sources: Vec::new(), faulty: Vec::new(), good: BTreeSet::new() };
        files.add("live.yaml", LIVE);
        for round in 0..each {
            let first = round * (FAULTY.len() + 2);
            let mut text = good(first);
            files.good.extend([first, first + 1].map(|n| format!("app-{n:05}")));
            for (at, written) in FAULTY.iter().enumerate().filter(|_| has_faulty) {
                let n = first + 2 + at;
                let _ = write!(text, "{}", written(n));
                files.faulty.push(format!("app-{n:05}"));
            }
            files.add(&format!("{round:05}.yaml"), &text);
        }
        files
    }

    fn add(&mut self, name: &str, text: &str) {
        self.sources.push(Source::new(name, text.as_bytes()));
    }

    /// What all of it comes to.
    fn taken(&self) -> Taken {
        let world = Pipeline::default().update(&self.sources);
        let known = world.known.clone();
        let (snapshot, plan) = planning::again(
            &mut Planner::default(),
            world,
            &Holdings::default(),
            &Facts::default(),
        );
        let mut found = plan.diagnostics.clone();
        known.advise(&mut found);
        let found: Vec<Diagnostic> = found.iter().cloned().collect();
        let text = report(&found, &self.sources, Severity::Info, false);
        let exhibit = Exhibit::of(Exhibited {
            routing: &snapshot.routing,
            unreached: plan.routes.unreached(),
            findings: &found.iter().collect::<Vec<_>>(),
            down: &[],
            entry_points: &[],
            features: &Features::default(),
            now: 0,
        });
        Taken { snapshot, found, text, exhibit }
    }
}

struct Taken {
    snapshot: Snapshot,
    found: Vec<Diagnostic>,
    text: String,
    exhibit: Exhibit,
}

impl Taken {
    /// Names of the API's routers that say of a mistake: its own, or what stands under its name.
    fn with_error(&self) -> Vec<String> {
        let answer = self.exhibit.answer("/api/http/routers", "per_page=100000");
        let rows: Vec<serde_json::Value> = serde_json::from_slice(answer.body.bytes()).unwrap();
        let with_error = rows.iter().filter(|row| row["error"].is_array());
        with_error.map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn each_costs_only_itself_and_is_named() {
    let (alone, mixed) = (Files::of(EACH, false).taken(), Files::of(EACH, true));
    let taken = mixed.taken();
    for (id, route) in alone.snapshot.routing.routes.iter() {
        assert_eq!(taken.snapshot.routing.routes.get(id), Some(route), "{id:?} is as it was");
    }
    assert_eq!(alone.snapshot.routing.routes.len(), 2 * EACH);
    let named: BTreeSet<&str> =
        taken.found.iter().filter_map(|it| it.object.as_ref()).map(|it| &*it.name).collect();
    assert!(!mixed.good.iter().any(|name| named.contains(&**name)), "{}", taken.text);
    let routers = taken.with_error();
    for name in &mixed.faulty {
        assert!(named.contains(&**name) && taken.text.contains(name), "{name} is named");
        assert!(routers.iter().any(|row| row.contains(name)), "{name}");
    }
}

/// By the time that this thread has had of a processor: others may have had the machine meanwhile.
#[test]
fn many_take_as_long_as_their_number_warrants() {
    let spent = || -> u64 {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        text.split(' ').next().and_then(|it| it.parse().ok()).expect("it begins with a number")
    };
    let [few, many] = [EACH, TIMES * EACH].map(|each| {
        let files = Files::of(each, true);
        let of_one = |_| {
            let before = spent();
            let taken = files.taken();
            assert!(taken.found.len() >= files.faulty.len());
            spent() - before
        };
        (0..3).map(of_one).min().unwrap()
    });
    // What squares would take 16 times as long.
    assert!(
        many < 2 * few * TIMES as u64,
        "{few} ns for some, {many} ns for {TIMES} times as many"
    );
}
