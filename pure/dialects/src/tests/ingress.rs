use steelyard_model::PortRef;
use steelyard_model::routing::backend::RefusalReason;

use super::*;

const NGINX: &str = "nginx.ingress.kubernetes.io";
const TRAEFIK: &str = "traefik.ingress.kubernetes.io";

fn ingress(annotations: &str, spec: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\n\
         metadata: {{name: web, annotations: {{{annotations}}}}}\nspec: {spec}\n"
    )
}

fn one_path(host: &str, path: &str) -> String {
    format!(
        "{{rules: [{{host: '{host}', http: {{paths: [{{{path}, backend: \
         {{service: {{name: a, port: {{number: 80}}}}}}}}]}}}}]}}"
    )
}

/// Why the routes are not served.
fn refusal(set: &RouteSet) -> Option<RefusalReason> {
    reading(set).refusal.clone().or_else(|| set.refusal.clone())
}

fn routes(lowered: Lowered) -> RouteSet {
    match lowered.items.into_iter().next() {
        Some(Item::Routes(routes)) => *routes,
        other => panic!("routes, not {other:?}"),
    }
}

#[test]
fn an_ingress_with_everything() {
    let spec = "{ingressClassName: traefik, tls: [{hosts: [a.b], secretName: s}, \
                {secretName: s}, {hosts: [c.d]}], \
                defaultBackend: {service: {name: d, port: {name: http}}}, \
                rules: [{host: a.b, http: {paths: [\
                {path: /api/, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}}, \
                {path: /x, pathType: Exact, backend: {service: {name: b, port: {number: 81}}}}]}}, \
                {host: '*.c.d', http: {paths: [{pathType: ImplementationSpecific, \
                backend: {service: {name: c, port: {number: 82}}}}]}}]}";
    let routes = routes(taken(&ingress("", spec), &[]));
    assert_eq!(routes.class.unwrap().name, "traefik");
    assert_eq!(routes.tls_secrets.len(), 1);
    assert_eq!(&*routes.tls_secrets[0].place.field.0, "spec.tls[0].secretName");
    let seen: Vec<String> = routes
        .routes
        .iter()
        .map(|r| format!("{} {} {} {}", r.id, r.rule, r.rank.number, r.place.field))
        .collect();
    assert_eq!(
        seen,
        [
            "default/web/0@ingress Host(`a.b`) && PathPrefix(`/api`) 34 \
             spec.rules[0].http.paths[0]",
            "default/web/1@ingress Host(`a.b`) && Path(`/x`) 25 spec.rules[0].http.paths[1]",
            "default/web/2@ingress Host(`*.c.d`) && PathPrefix(`/`) 13 \
             spec.rules[1].http.paths[0]",
            "default/web/3@ingress PathPrefix(`/`) -2147483648 spec.defaultBackend",
        ]
    );
    assert!(routes.routes[3].rank.specific.is_fallback);
    let backend = routes.routes[3].backend.as_ref().unwrap();
    assert_eq!(backend.port, PortRef::Name("http".into()));
    assert_eq!(backend.service.to_string(), "default/d");
}

#[test]
fn the_class() {
    let spec = one_path("a.b", "path: /, pathType: Prefix");
    let class = |yaml: &str| routes(taken(yaml, &[])).class.map(|class| class.name);
    assert_eq!(class(&ingress("", &spec)), None);
    let annotation = "kubernetes.io/ingress.class: nginx";
    assert_eq!(class(&ingress(annotation, &spec)).as_deref(), Some("nginx"));
    let both = spec.replacen('{', "{ingressClassName: traefik, ", 1);
    assert_eq!(class(&ingress(annotation, &both)).as_deref(), Some("traefik"));
}

#[test]
fn an_ingress_class() {
    let class = |spec: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {{name: c, \
             annotations: {{ingressclass.kubernetes.io/is-default-class: 'true'}}}}\nspec: {spec}\n"
        )
    };
    let yaml = class("{controller: k8s.io/ingress-nginx, parameters: {kind: X}}");
    let Item::IngressClass(read) = only(lowered(&yaml)) else { panic!("a class") };
    assert!(read.is_default);
    assert_eq!(read.controller, "k8s.io/ingress-nginx");
    refused(&class("{}"), &["error missing-field spec.controller"]);
}

#[test]
fn ingresses_that_the_api_server_refuses() {
    let at = "spec.rules[0].http.paths[0]";
    for (spec, expected) in [
        ("{}".to_owned(), vec!["error missing-field spec.rules".to_owned()]),
        (
            one_path("Test.Local", "path: api"),
            vec![
                "error host-invalid spec.rules[0].host".into(),
                format!("error missing-field {at}.pathType"),
                format!("error path-invalid {at}.path"),
            ],
        ),
        (
            one_path("a.*.c", "path: api, pathType: Prefix"),
            vec![
                "error host-invalid spec.rules[0].host".into(),
                format!("error path-invalid {at}.path"),
            ],
        ),
        (
            one_path("", "path: /a, pathType: prefix"),
            vec![format!("error invalid-value {at}.pathType")],
        ),
        (
            one_path("", "path: /a//b, pathType: Prefix"),
            vec![format!("error path-invalid {at}.path")],
        ),
        (one_path("", "pathType: Exact"), vec![format!("error missing-field {at}.path")]),
        (
            "{rules: [{http: {paths: []}}]}".into(),
            vec!["error missing-field spec.rules[0].http.paths".into()],
        ),
        (
            "{rules: [{http: {paths: [{path: /, pathType: Prefix}]}}]}".into(),
            vec![format!("error missing-field {at}.backend")],
        ),
        (
            "{defaultBackend: {service: {name: a}}}".into(),
            vec!["error missing-field spec.defaultBackend.service.port".into()],
        ),
        (
            "{defaultBackend: {service: {port: {number: 80, name: http}}}}".into(),
            vec![
                "error missing-field spec.defaultBackend.service.name".into(),
                "error invalid-value spec.defaultBackend.service.port".into(),
            ],
        ),
        (
            "{defaultBackend: {}}".into(),
            vec!["error missing-field spec.defaultBackend.service".into()],
        ),
    ] {
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        refused(&ingress("", &spec), &expected);
    }
}

#[test]
fn unknown_fields_are_told() {
    let spec = one_path("a.b", "path: /, pathType: Prefix, servicePort: 80");
    taken(&ingress("", &spec), &["warning unknown-field spec.rules[0].http.paths[0].servicePort"]);
}

#[test]
fn what_routes_nothing() {
    let lowered =
        taken(&ingress("", "{rules: [{host: a.b}]}"), &["warning rule-without-http spec.rules[0]"]);
    assert!(routes(lowered).routes.is_empty());
    let default = "{rules: [{host: a.b}], \
                   defaultBackend: {resource: {apiGroup: x, kind: Bucket, name: files}}}";
    let lowered =
        taken(&ingress("", default), &["error resource-backend spec.defaultBackend.resource"]);
    let made = routes(lowered).routes;
    assert!(made.len() == 2 && made.iter().all(|it| it.backend.is_none()));
}

/// All of a host without paths goes to the default backend, whoever else has one.
#[test]
fn a_host_without_paths_is_the_default_backends() {
    let spec =
        "{rules: [{host: a.b}, {}], defaultBackend: {service: {name: d, port: {number: 1}}}}";
    let made = routes(taken(&ingress("", spec), &[])).routes;
    let seen: Vec<String> =
        made.iter().map(|it| format!("{} {} {}", it.id, it.rule, it.place.field)).collect();
    assert_eq!(
        seen,
        [
            "default/web/0@ingress Host(`a.b`) && PathPrefix(`/`) spec.rules[0]",
            "default/web/1@ingress PathPrefix(`/`) spec.defaultBackend",
        ]
    );
    assert_eq!(made[0].backend, made[1].backend);
}

/// Annotation name, value, start of the finding, whether the routes are closed.
type Case = (&'static str, &'static str, Option<&'static str>, bool);

const CLOSED: Option<&str> = Some("error access-not-honoured");
const INVALID: Option<&str> = Some("error annotation-invalid");
const PROTOCOL: Option<&str> = Some("error backend-protocol-not-honoured");
const WITHOUT: Option<&str> = Some("warning annotation-not-honoured");
const UNKNOWN: Option<&str> = Some("warning annotation-unknown");

fn check_annotations(class: &str, prefix: &str, cases: &[Case]) {
    for &(name, value, finding, closed) in cases {
        let spec = one_path("a.b", "path: /, pathType: Prefix");
        let spec = spec.replacen('{', &format!("{{{class}"), 1);
        let yaml = ingress(&format!("{prefix}/{name}: '{value}'"), &spec);
        let expected =
            finding.map(|start| format!("{start} metadata.annotations[\"{prefix}/{name}\"]"));
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        let refusal = refusal(&routes(taken(&yaml, &expected)));
        assert_eq!(refusal.is_some(), closed, "{name}: {value}");
        if let Some(refusal) = refusal {
            assert!(refusal.to_string().contains(name), "{refusal}");
        }
    }
}

const OF_NGINX: &[Case] = &[
    ("auth-url", "http://auth/", None, false),
    ("auth-url", "https://$host/verify?a=$arg_a", None, false),
    ("auth-url", "not a url", INVALID, true),
    ("auth-url", "ftp://auth/", INVALID, true),
    ("auth-url", "https://invalid..auth.url", INVALID, true),
    ("auth-url", "http://$http_x/", INVALID, true),
    ("auth-url", "http://auth/$lua_x", CLOSED, true),
    ("auth-url", "http://auth/;}", INVALID, true),
    ("auth-url", "http://auth/#;alias /etc/", INVALID, true),
    ("auth-url", "http://ann:x@auth/", INVALID, true),
    ("auth-url", "", WITHOUT, false),
    ("auth-snippet", "auth_request off;", CLOSED, true),
    ("auth-type", "digest", INVALID, true),
    ("satisfy", "any", None, false),
    // Of which nobody can be let in, so that all are answered 403.
    ("auth-tls-secret", "a/b", None, false),
    ("auth-tls-match-cn", "CN=a", WITHOUT, false),
    ("auth-tls-verify-client", "off", None, false),
    ("whitelist-source-range", "10.0.0.0/8", None, false),
    ("allowlist-source-range", "0.0.0.0/0, ::/0", None, false),
    ("denylist-source-range", "junk", INVALID, true),
    ("limit-rps", "5", None, false),
    ("limit-rps", "many", INVALID, true),
    ("limit-rps", "0", None, false),
    ("force-ssl-redirect", "true", None, false),
    ("force-ssl-redirect", "yes", None, false),
    ("ssl-redirect", "false", None, false),
    ("force-ssl-redirect", "false", None, false),
    ("enable-global-auth", "true", None, false),
    ("enable-global-auth", "false", None, false),
    ("proxy-ssl-verify", "on", WITHOUT, false),
    ("proxy-ssl-secret", "default/a", None, false),
    ("proxy-ssl-secret", "other/a", None, false),
    ("proxy-ssl-secret", "a", CLOSED, true),
    ("proxy-body-size", "8m", None, false),
    ("proxy-body-size", "10Mi", WITHOUT, false),
    ("proxy-body-size", "0", None, false),
    ("configuration-snippet", "deny all;", CLOSED, true),
    ("auth-ulr", "http://auth/", CLOSED, true),
    ("server-snippets", "deny all;", CLOSED, true),
    ("white-list-source-range", "10.0.0.0/8", CLOSED, true),
    ("backend-protocol", "HTTPS", None, false),
    ("backend-protocol", "grpcs", None, false),
    ("backend-protocol", "FCGI", PROTOCOL, true),
    ("backend-protocol", "AUTO_HTTP", None, false),
    ("backend-protocol", "GRPC", None, false),
    ("backend-protocol", "http", None, false),
    ("ssl-passthrough", "true", None, false),
    ("ssl-passthrough", "always", PROTOCOL, true),
    ("proxy-read-timeout", "3600", None, false),
    ("proxy-read-timeout", "3600s", WITHOUT, false),
    ("proxy-ssl-ciphers", "HIGH", WITHOUT, false),
    ("use-regex", "true", None, false),
    ("rewrite-target", "/$1", None, false),
    ("rewrite-target", "/", None, false),
    ("websocket-services", "a", UNKNOWN, false),
];

#[test]
fn annotations_of_nginx() {
    for class in ["ingressClassName: nginx, ", "", "ingressClassName: internal, "] {
        check_annotations(class, NGINX, OF_NGINX);
    }
    check_annotations(
        "ingressClassName: nginx, ",
        NGINX,
        &[("rewrite-targt", "/x", UNKNOWN, false)],
    );
}

#[test]
fn annotations_of_one_dialect_mean_nothing_to_the_other() {
    let cases = [("auth-url", "http://auth/", WITHOUT, false), ("app-root", "/a", None, false)];
    check_annotations("ingressClassName: traefik, ", NGINX, &cases);
    let cases = [("router.middlewares", "x", None, false)];
    check_annotations("ingressClassName: nginx, ", TRAEFIK, &cases);
}

#[test]
fn annotations_of_traefik() {
    let cases = [
        ("router.middlewares", "default-auth@kubernetescrd", None, false),
        ("router.midlewares", "default-auth@kubernetescrd", CLOSED, true),
        ("router.tls", "true", None, false),
        ("router.tls", "false", None, false),
        ("router.tls.certresolver", "le", WITHOUT, false),
        ("router.tls.options", "default-mtls@kubernetescrd", None, false),
        ("router.tls.domains.0.main", "a.b", None, false),
        ("router.priority", "42", None, false),
        ("router.priority", "high", WITHOUT, false),
        ("router.pathmatcher", "Path", None, false),
        ("router.pathmatcher", "Host(`a`) || Path", WITHOUT, false),
        ("router.entrypoints", "web", None, false),
        ("service.nativelb", "true", UNKNOWN, false),
        ("frontend.rule.type", "x", UNKNOWN, false),
    ];
    for class in ["ingressClassName: traefik, ", ""] {
        check_annotations(class, TRAEFIK, &cases);
    }
}

/// All that comes over TLS for a host goes to the backend of its root.
#[test]
fn handshakes_are_passed_on_by_hosts_with_a_root() {
    let key = format!("{NGINX}/ssl-passthrough");
    let said = format!("warning annotation-not-honoured metadata.annotations[\"{key}\"]");
    for (host, paths, is_passed_on, expected) in [
        ("a.b", &["path: /, pathType: Prefix"][..], true, None),
        ("'*.b'", &["path: /, pathType: Exact"], true, None),
        ("a.b", &["path: /x, pathType: Prefix"], false, Some("needs a host with path `/`")),
        ("", &["path: /, pathType: Prefix"], false, Some("needs a host with path `/`")),
        (
            "a.b",
            &["path: /, pathType: Prefix", "path: /x, pathType: Prefix"],
            true,
            Some("paths[1] is nobody's"),
        ),
    ] {
        let backend = "backend: {service: {name: a, port: {number: 80}}}";
        let paths: Vec<String> = paths.iter().map(|it| format!("{{{it}, {backend}}}")).collect();
        let host = if host.is_empty() { String::new() } else { format!("host: {host}, ") };
        let spec = format!("{{rules: [{{{host}http: {{paths: [{}]}}}}]}}", paths.join(", "));
        let yaml = ingress(&format!("{key}: 'true'"), &spec);
        let lowered = lowered(&yaml);
        let found: Vec<&str> = lowered.diagnostics.iter().map(|it| it.message.as_str()).collect();
        assert!(found.len() == usize::from(expected.is_some()), "{found:?}");
        assert!(expected.is_none_or(|part| found[0].contains(part)), "{found:?}");
        let all = findings(&lowered);
        assert!(all.iter().all(|it| *it == said), "{all:?}");
        let set = routes(lowered);
        assert_eq!(reading(&set).passthrough.is_some(), is_passed_on, "{paths:?}");
        assert!(set.readings.traefik.passthrough.is_none());
    }
}

#[test]
fn entry_points_by_name() {
    let spec = one_path("a.b", "path: /, pathType: Prefix");
    let yaml = ingress(&format!("{TRAEFIK}/router.entrypoints: 'web, internal'"), &spec);
    let set = routes(taken(&yaml, &[]));
    assert_eq!(reading(&set).entry_points, ["web", "internal"].map(Into::into));
}

#[test]
fn a_canary_by_itself_serves_nothing() {
    let spec = one_path("a.b", "path: /, pathType: Prefix");
    let yaml = ingress(&format!("{NGINX}/canary: 'true'"), &spec);
    let set = routes(taken(&yaml, &[]));
    assert!(reading(&set).is_unserved && !set.readings.traefik.is_unserved);
}

#[test]
fn every_restriction_is_reported_and_the_first_is_the_reason() {
    let spec = one_path("a.b", "path: /, pathType: Prefix");
    let restricting = format!("{NGINX}/auth-snippet: x, {NGINX}/server-snippet: z");
    let yaml = ingress(&restricting, &spec);
    let at =
        |name: &str| format!("error access-not-honoured metadata.annotations[\"{NGINX}/{name}\"]");
    let lowered = taken(&yaml, &[&at("auth-snippet"), &at("server-snippet")]);
    let refusal = refusal(&routes(lowered)).unwrap();
    assert!(refusal.to_string().contains("auth-snippet"));
}

#[test]
fn what_closes_a_route_is_not_said_to_be_ignored() {
    let open = one_path("a.b", "path: /, pathType: Prefix");
    let field = open.replacen('{', "{whitelistSourceRnge: [10.0.0.0/8], allowList: [x], ", 1);
    for (key, spec) in [
        ("metallb.io/allow-list", &open),
        ("steelyard.dev/basic-auth", &open),
        ("haproxy.org/source-ranges", &open),
        ("nginx.ingress.kubernetes.io/whitelist-sorce-range", &open),
        ("example.com/x", &field),
    ] {
        let lowered = crate::tests::lowered(&ingress(&format!("{key}: 10.0.0.0/8"), spec));
        let told: Vec<String> = lowered.diagnostics.iter().map(|it| it.code.to_string()).collect();
        let is_so = |it: &String| it == "access-not-honoured";
        assert!(told.iter().any(is_so), "{key}: {told:?}");
        assert!(told.iter().all(is_so) || spec == &field, "{key}: {told:?}");
        for found in lowered.diagnostics.iter().filter(|it| is_so(&it.code.to_string())) {
            let same = lowered.diagnostics.iter().filter(|it| it.path == found.path);
            assert_eq!(same.count(), 1, "{}", found.path);
        }
        assert!(refusal(&routes(lowered)).is_some(), "{key}");
    }
}

#[test]
fn what_closes_a_route_is_found_behind_any_number_of_other_fields() {
    let open = one_path("a.b", "path: /, pathType: Prefix");
    let others: String = (0..60).map(|number| format!("x{number}: 1, ")).collect();
    let field = open.replacen('{', &format!("{{{others}allowList: [10.0.0.0/8], "), 1);
    let lowered = crate::tests::lowered(&ingress("example.com/x: z", &field));
    assert!(refusal(&routes(lowered)).is_some());
}
