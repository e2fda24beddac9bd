//! Which of many routes serves, and why: `ranks.txt`, of Ingresses of all classes and Traefik's own
//! routes side by side.

use std::fmt::Write;

use steelyard_model::routing::entry_point::EntryPointRedirection;
use steelyard_model::routing::id::EntryPointId;
use steelyard_route::RoutingTable;
use steelyard_testbed::probe;

use super::*;

/// Worlds, each with its objects and requests; `ranks.txt` says how they are written.
const WORLDS: &str = include_str!("ranks.txt");

/// One route, as a line of the table has it.
fn object(line: &str) -> String {
    let (name, spec) = line.split_once(" = ").expect(line);
    let name = name.trim();
    let words: Vec<&str> = spec.split_whitespace().collect();
    match words.as_slice() {
        ["route", number, ..] => {
            let rule = spec.splitn(3, ' ').nth(2).expect(line);
            format!(
                "---\napiVersion: traefik.io/v1alpha1\nkind: IngressRoute\n\
                 metadata: {{name: '{name}'}}\nspec: {{routes: [{{match: '{rule}', priority: \
                 {number}, services: [{{name: a, port: 80}}]}}]}}\n"
            )
        }
        ["redirection", _] => String::new(),
        ["default", class] => format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: '{name}'}}\n\
             spec: {{ingressClassName: {class}, defaultBackend: {{service: {{name: a, port: \
             {{number: 80}}}}}}}}\n"
        ),
        ["ingress", class, kind, host, path, rest @ ..] => {
            let host = if *host == "*" { String::new() } else { format!("host: '{host}', ") };
            let mut annotations = String::new();
            for one in rest {
                let (key, value) = one.split_once('=').expect(line);
                let prefix = if *class == "nginx" { "nginx" } else { "traefik" };
                let _ = write!(annotations, "{prefix}.ingress.kubernetes.io/{key}: '{value}', ");
            }
            format!(
                "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\n\
                 metadata: {{name: '{name}', annotations: {{{annotations}}}}}\n\
                 spec: {{ingressClassName: {class}, rules: [{{{host}http: {{paths: [{{path: \
                 {path}, pathType: {kind}, backend: {{service: {{name: a, port: {{number: \
                 80}}}}}}}}]}}}}]}}\n"
            )
        }
        _ => panic!("{line}"),
    }
}

/// All who ask in plain are led to TLS.
fn redirection(number: &str) -> EntryPointRedirection {
    EntryPointRedirection {
        to: "websecure".into(),
        is_named: true,
        port: 443,
        scheme: "https".into(),
        is_permanent: true,
        number: if number == "usual" { i64::MAX - 1 } else { number.parse().expect(number) },
    }
}

/// What becomes of a request: the object that serves it and the word for why; `404` without.
fn served(snapshot: &Snapshot, request: &str) -> String {
    let (host, path) = request.split_at(request.find('/').expect(request));
    let listeners: Vec<_> = snapshot.routing.listeners.values().cloned().collect();
    let all: Vec<_> = snapshot.routing.routes.values().cloned().collect();
    let table = RoutingTable::compile(&listeners, &all);
    let point = EntryPointId::from("web");
    let subject = probe::get(host, path);
    let ruling = table.ruling(&point, false, &subject);
    let chosen = table.entry_point(&point).and_then(|it| it.choose(false, &subject));
    let agreed = chosen.map(|it| &it.candidate.id);
    assert_eq!(ruling.winners.first().map(|it| &it.route.id), agreed, "{request}");
    match ruling.winners.last() {
        Some(won) => format!("{} {}", won.route.place.object.name, won.by.word()),
        None => "404".to_owned(),
    }
}

#[test]
fn who_wins_and_why() {
    let (mut count, mut wrong) = (0, Vec::new());
    for world in WORLDS.split("\n\n").filter(|it| it.lines().any(|line| line.contains(" -> "))) {
        let lines = || world.lines().filter(|line| !line.starts_with('#'));
        let objects = lines().filter(|line| line.contains(" = ")).map(object);
        let text = service("a", A) + &objects.collect::<String>();
        for as_traefik in [false, true] {
            let mut options = ResolveOptions { as_traefik, ..ResolveOptions::default() };
            let led = lines().find_map(|line| line.split_once(" = redirection "));
            options.entry_points[0].redirection = led.map(|(_, number)| redirection(number));
            let snapshot = resolve(&items(&text), &options);
            let mark = if as_traefik { " => " } else { " -> " };
            for (request, expected) in lines().filter_map(|line| line.split_once(mark)) {
                count += 1;
                let got = served(&snapshot, request.trim());
                if got != expected.trim() {
                    wrong.push(format!("{request}{mark}{got}, not {expected}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 60, "{count} requests");
}

const A: &str = "{clusterIP: None, ports: [{name: http, port: 80}]}";
