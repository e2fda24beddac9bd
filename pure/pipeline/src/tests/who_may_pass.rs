//! Who may pass to the routes of an Ingress in ingress-nginx's words, and in which order that is
//! found out.

use steelyard_model::routing::backend::Backend;
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::nginx::{NginxClients, NginxStep, WantedClients};
use steelyard_model::routing::tls::{ClientAuthentication, TlsPolicy};

use steelyard_route::RoutingTable;
use steelyard_testbed::probe;

use super::*;

const NGINX: &str = "nginx.ingress.kubernetes.io";
const SPEC: &str = "ingressClassName: nginx, tls: [{hosts: [a.b]}], ";
/// A certificate, as PEM: who it is does not matter here.
const PEM: &str = include_str!("../../../filters/src/certificate/authority.pem");

fn web() -> String {
    service("a", "{clusterIP: None, ports: [{port: 80}]}")
        + &service("auth", "{clusterIP: None, ports: [{port: 4180}]}")
}

fn secret(name: &str, key: &str, text: &str) -> String {
    let lines: String = text.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData:\n  {key}: |\n{lines}"
    )
}

fn annotations(lines: &[(&str, &str)]) -> String {
    let lines = lines.iter().map(|(name, value)| format!("{NGINX}/{name}: '{value}'"));
    format!(", annotations: {{{}}}", lines.collect::<Vec<_>>().join(", "))
}

/// What requests of a route pass, by the part of its name that tells them apart.
fn passed(snapshot: &Snapshot, index: usize) -> Vec<String> {
    let uses = routes(snapshot)[index].uses.iter();
    let short = |id: &str| id.split('#').nth(1).unwrap_or(id).replace("@ingress", "");
    let all = uses.map(|it| short(it.filter.as_str()));
    // What each has.
    all.filter(|it| it != "nginx-site@internal" && it != "nginx-body@internal").collect()
}

const ALL: [(&str, &str); 6] = [
    ("denylist-source-range", "10.0.0.1"),
    ("whitelist-source-range", "10.0.0.0/8"),
    ("auth-type", "basic"),
    ("auth-secret", "users"),
    ("auth-url", "http://auth.default.svc.cluster.local:4180/verify"),
    ("permanent-redirect", "https://c.d"),
];

#[test]
fn who_may_pass_is_found_out_in_nginx_order() {
    let world = |lines: &[(&str, &str)], path: &str| {
        let users = secret("users", "auth", "ann:{SHA}x");
        joined(&(web() + &users + &ingress("i", &annotations(lines), SPEC, "a.b", path, "a")))
    };
    let to_tls = "nginx-secure@internal";
    let snapshot = world(&ALL, "/");
    assert_eq!(
        passed(&snapshot, 0),
        ["redirect", to_tls, "denied", "allowed", "basic-auth", "auth-url"]
    );
    let backends = &snapshot.routing.backends;
    let asked = backends.values().find(|it| it.id.as_str().contains("#auth-url#"));
    assert!(matches!(asked.map(|it| &it.backend), Some(Backend::Endpoints(_))), "{backends:?}");

    // One of them is enough, but not to be kept out by nobody.
    let any = [&ALL[..], &[("satisfy", "any")]].concat();
    let snapshot = world(&any, "/");
    assert_eq!(passed(&snapshot, 0), ["redirect", to_tls, "satisfy/0"]);
    let members = |snapshot: &Snapshot| {
        let either = snapshot.routing.filters.values().find_map(|it| match &it.filter {
            Filter::AnyOf(members) => Some(members.clone()),
            _ => None,
        });
        let members = either.unwrap_or_default();
        members.iter().map(|it| it.as_str().replace("default/i#", "")).collect::<Vec<_>>()
    };
    assert_eq!(members(&snapshot), ["among@ingress", "basic-auth@ingress", "auth-url@ingress"]);
    let no_list: Vec<_> = any.iter().copied().filter(|(it, _)| !it.starts_with("white")).collect();
    assert_eq!(members(&world(&no_list, "/")), ["basic-auth@ingress", "auth-url@ingress"]);
    let one = [("satisfy", "any"), ("denylist-source-range", "10.0.0.1")];
    assert_eq!(passed(&world(&one, "/"), 0), [to_tls, "denied"]);

    // Whoever signs certificates is asked for no password.
    let challenge = "/.well-known/acme-challenge/x";
    assert_eq!(passed(&world(&ALL, challenge), 0), ["redirect", "denied", "allowed"]);
}

/// Who cannot be asked lets nobody pass.
#[test]
fn who_is_asked_must_be_there() {
    for (url, is_closed) in [
        ("http://auth.default.svc:4180/", false),
        ("http://auth.default.svc:81/", true),
        ("http://nobody.default.svc/", true),
        ("https://login.test/", false),
        ("https://$host/verify", false),
    ] {
        let lines = annotations(&[("auth-url", url)]);
        let snapshot = joined(&(web() + &ingress("i", &lines, SPEC, "a.b", "/", "a")));
        assert_eq!(refusal(&snapshot, routes(&snapshot)[0]).is_some(), is_closed, "{url}");
        let asks =
            |it: &str| snapshot.routing.endpoint_sets.values().any(|set| set.id.as_str() == it);
        assert!(!url.contains("$host") || asks("a.b:443"), "{url}");
    }
    let lines = annotations(&[("auth-url", "https://$host/verify")]);
    let snapshot = joined(&(web() + &ingress("i", &lines, SPEC, "*.b", "/", "a")));
    assert!(refusal(&snapshot, routes(&snapshot)[0]).is_some(), "nobody in particular");
}

fn terms_of<'s>(snapshot: &'s Snapshot, id: &str) -> &'s TlsPolicy {
    snapshot.routing.tls_policies.values().find(|it| it.id.as_str() == id).unwrap()
}

fn judged<'s>(snapshot: &'s Snapshot, id: &str) -> &'s NginxClients {
    let found = snapshot.routing.filters.values().find(|it| it.id.as_str() == id).unwrap();
    let Filter::Nginx(step) = &found.filter else { panic!("{found:?}") };
    let NginxStep::Clients(judged) = &**step else { panic!("{step:?}") };
    judged
}

/// One of a host's Ingresses says it for all of them; the oldest, or the first by name.
#[test]
fn certificates_are_wanted_for_a_whole_host() {
    let clients = |name: &str, wanted: &str| {
        annotations(&[("auth-tls-secret", name), ("auth-tls-verify-client", wanted)])
    };
    let world = |first: &str, secret: String| {
        let others = ingress("z-other", "", SPEC, "a.b", "/other", "a")
            + &ingress("z-free", "", SPEC, "c.d", "/", "a")
            + &ingress("y1", &clients("default/none", "off"), SPEC, "a.b", "/y", "a");
        joined(&(web() + &secret + &ingress("i", first, SPEC, "a.b", "/", "a") + &others))
    };
    let terms = |snapshot: &Snapshot, object: &str| {
        let all = routes(snapshot);
        let route = all.iter().find(|it| it.id.as_str().contains(object)).unwrap();
        let named = route.tls_policy.as_ref().map(ToString::to_string);
        let uses = route.uses.iter().map(|it| it.filter.to_string());
        let is_of_each = |it: &String| it == "nginx-site@internal" || it == "nginx-body@internal";
        (named, uses.filter(|it| !is_of_each(it)).collect::<Vec<_>>())
    };
    let own = "default/i#auth-tls@ingress".to_owned();
    let snapshot = world(&clients("default/ca", "on"), secret("ca", "ca.crt", PEM));
    for object in ["default/i/", "default/z-other/", "default/y1/"] {
        let (named, uses) = terms(&snapshot, object);
        assert_eq!(named.as_ref(), Some(&own), "{object}");
        let to_tls = "nginx-secure@internal";
        assert_eq!(uses, [&own, to_tls, "default/i#only-tls@ingress"], "{object}");
    }
    assert_eq!(terms(&snapshot, "default/z-free/").0, None);
    let policy = terms_of(&snapshot, &own);
    let ClientAuthentication::VerifyIfGiven(by) = &policy.clients else { panic!("{policy:?}") };
    assert!(by.reports && by.depth == Some(1));

    // Without those who sign nobody gets in, but handshakes are held.
    for (secret, lines) in [
        (String::new(), clients("default/ca", "on")),
        (secret("ca", "ca.crt", PEM) + "  ca.crl: x\n", clients("default/ca", "on")),
        (secret("ca", "tls.crt", PEM), clients("default/ca", "on")),
        (secret("ca", "ca.crt", "junk"), clients("default/ca", "on")),
        (secret("ca", "ca.crt", PEM), clients("other/ca", "optional")),
        (secret("ca", "ca.crt", PEM), clients("ca", "optional_no_ca")),
    ] {
        let snapshot = world(&lines, secret);
        let judged = judged(&snapshot, &own);
        assert_eq!(judged.terms, None, "{lines}");
        let policy = terms_of(&snapshot, &own);
        assert_eq!(policy.clients, ClientAuthentication::Nothing);
        assert!(findings(&snapshot).iter().any(|it| it.contains("tls-authorities")), "{lines}");
    }
    let snapshot = world(&clients("default/ca", "off"), secret("ca", "ca.crt", PEM));
    let (named, uses) = terms(&snapshot, "default/z-other/");
    assert_eq!((named, uses.len()), (None, 2), "nobody is asked");
    assert_eq!(judged(&snapshot, &own).wanted, WantedClients::Unasked);

    // Lists of those taken back go with those who sign.
    let list = "-----BEGIN X509 CRL-----\nx\n-----END X509 CRL-----";
    let lines: String = list.lines().map(|line| format!("    {line}\n")).collect();
    let with = secret("ca", "ca.crt", PEM) + "  ca.crl: |\n" + &lines;
    let snapshot = world(&clients("default/ca", "on"), with);
    let ClientAuthentication::VerifyIfGiven(by) = &terms_of(&snapshot, &own).clients else {
        panic!("they are asked")
    };
    assert_eq!(by.revoked.as_deref().map(str::trim), Some(list));
}

/// Other names of a host, its default backend and where its root is led are held to the same; and
/// rules for certificate challenges are asked for in plain.
#[test]
fn no_way_leads_round_certificates() {
    let lines = annotations(&[
        ("auth-tls-secret", "default/ca"),
        ("server-alias", "alias.test"),
        ("app-root", "/start"),
    ]);
    let more =
        "ingressClassName: nginx, defaultBackend: {service: {name: a, port: {number: 80}}}, ";
    let solver = ingress("solver", "", SPEC, "a.b", "/.well-known/acme-challenge/x", "a");
    let world = web()
        + &secret("ca", "ca.crt", PEM)
        + &ingress("i", &lines, more, "a.b", "/x", "a")
        + &ingress("b", "", "ingressClassName: nginx, ", "a.b", "/b", "a")
        + &solver;
    let snapshot = joined(&world);
    let all = routes(&snapshot);
    assert!(all.len() >= 7, "{all:?}");
    for route in all {
        let uses: Vec<&str> = route.uses.iter().map(|it| it.filter.as_str()).collect();
        assert_eq!(uses[0], "default/i#auth-tls@ingress", "{}: {uses:?}", route.id);
        let terms = route.tls_policy.as_ref().map(ToString::to_string);
        assert_eq!(terms.as_deref(), Some("default/i#auth-tls@ingress"), "{}", route.id);
        let is_open = route.id.as_str().contains("solver") || route.id.as_str().contains("/root/");
        let only = uses.contains(&"default/i#only-tls@ingress");
        assert_eq!(only, !is_open, "{}: {uses:?}", route.id);
    }
}

/// The Ingress that cert-manager makes for a challenge (HTTP-01) is asked in plain, of nobody, and
/// where the other paths of its host are expressions.
#[test]
fn challenges_of_certificates_get_through() {
    let everything = annotations(&[
        ("auth-url", "http://auth.default.svc:4180/"),
        ("auth-type", "basic"),
        ("auth-secret", "users"),
        ("force-ssl-redirect", "true"),
        ("use-regex", "true"),
        ("rewrite-target", "/$1"),
    ]);
    let own = annotations(&[("whitelist-source-range", "0.0.0.0/0,::/0")]);
    let solver =
        ingress("cm-acme-http-solver-x", &own, "ingressClassName: nginx, ", "a.b", TOKEN, "a");
    let solver = solver.replace("pathType: Prefix", "pathType: ImplementationSpecific");
    let world = web()
        + &secret("users", "auth", "ann:{SHA}x")
        + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ingress-nginx-controller, \
           namespace: ingress-nginx}\ndata: {force-ssl-redirect: 'true', global-auth-url: \
           'http://auth.default.svc:4180/'}\n"
        + &ingress("app", &everything, SPEC, "a.b", "/(.*)", "a")
        + &solver;
    let snapshot = joined(&world);
    let listeners: Vec<_> = snapshot.routing.listeners.values().cloned().collect();
    let all: Vec<_> = snapshot.routing.routes.values().cloned().collect();
    let table = RoutingTable::compile(&listeners, &all);
    let taken = |path: &str| {
        let point = table.entry_point(&"web".into()).expect("it is there");
        let chosen = point.choose(false, &probe::get("a.b", path)).expect("somebody takes it");
        let route = &snapshot.routing.routes[&chosen.candidate.id];
        let passed: Vec<&str> = route.uses.iter().map(|it| it.filter.as_str()).collect();
        (route.place.object.name.to_string(), passed.join(" "))
    };
    let own = "nginx-site@internal nginx-body@internal";
    assert_eq!(taken(TOKEN), ("cm-acme-http-solver-x".to_owned(), own.to_owned()));
    let (app, passed) = taken("/.well-known/other");
    assert_eq!(app, "app");
    assert!(passed.contains("secure") && passed.contains("auth-url"), "{passed}");
}

/// A path that cannot be read as an expression, where its host has such: by its own word, and by
/// another Ingress's. What begins as it does is answered by nobody, and not by a wider route.
#[test]
fn paths_that_are_no_expressions_close_what_begins_as_they_do() {
    let regex = annotations(&[("use-regex", "true")]);
    for (wide, own, is_told) in [("", &*regex, false), (&*regex, "", true)] {
        let narrow = ingress("adm", own, SPEC, "a.b", "/adm(.*", "a");
        let narrow = narrow.replace("pathType: Prefix", "pathType: ImplementationSpecific");
        let world = web() + &ingress("wide", wide, SPEC, "a.b", "/", "a") + &narrow;
        let snapshot = joined(&world);
        let refusals: Vec<(String, String)> = routes(&snapshot)
            .into_iter()
            .filter_map(|it| Some((it.rule.to_string(), refusal(&snapshot, it)?)))
            .collect();
        let [(rule, why)] = &refusals[..] else { panic!("{refusals:?}") };
        assert_eq!(rule, "Host(`a.b`) && PathRegexp(`(?i)^/adm`)");
        let path = "Ingress/default/adm spec.rules[0].http.paths[0].path has a mistake";
        assert!(why == path || !is_told, "{why}");
        let told = snapshot.diagnostics.iter().filter(|it| it.is_error());
        assert!(told.clone().all(|it| it.code == steelyard_dialects::codes::PATH_INVALID));
        assert_eq!(told.count(), 1);
    }
}

/// That a path is compared letter by letter is said where it is, and where no other Ingress makes
/// expressions of all paths of its host.
#[test]
fn what_nobody_asks_for_is_known_of_a_host() {
    let regex = annotations(&[("use-regex", "true")]);
    for (wide, expected) in [("", 1), (&*regex, 0)] {
        let narrow = ingress("adm", "", SPEC, "a.b", "/adm(.*)", "a");
        let narrow = narrow.replace("pathType: Prefix", "pathType: ImplementationSpecific");
        let world = web() + &ingress("wide", wide, SPEC, "a.b", "/", "a") + &narrow;
        let snapshot = joined(&world);
        let of_path =
            |it: &&steelyard_model::Diagnostic| it.code == steelyard_dialects::codes::PATH_REGEX;
        assert_eq!(snapshot.diagnostics.iter().filter(of_path).count(), expected);
    }
}

const TOKEN: &str = "/.well-known/acme-challenge/LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";
