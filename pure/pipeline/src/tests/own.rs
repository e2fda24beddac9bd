//! Entry points' own filters and terms, and services of the program itself.

use std::sync::Arc;

use steelyard_model::Diagnostic;
use steelyard_model::routing::backend::Internal;
use steelyard_model::routing::entry_point::EntryPoint;
use steelyard_model::routing::exposure::{ExposedRoute, Exposure};
use steelyard_model::routing::id::ListenerId;
use steelyard_model::routing::listener::Security;
use steelyard_model::routing::route::Route;
use steelyard_model::routing::tls::ClientAuthentication;

use super::*;
use crate::codes;

/// What all requests at an entry point pass is had, or closes it; and its routes alone.
#[test]
fn what_all_pass_at_an_entry_point() {
    let text = "apiVersion: traefik.io/v1alpha1\nkind: Middleware\nmetadata: {name: m, namespace: x}\n\
                spec: {addPrefix: {prefix: /a}}\n---\napiVersion: traefik.io/v1alpha1\n\
                kind: Middleware\nmetadata: {name: closing, namespace: x}\n\
                spec: {plugin: {geoblock: {}}}\n---\napiVersion: traefik.io/v1alpha1\n\
                kind: TLSOption\nmetadata: {name: strong, namespace: x}\n\
                spec: {minVersion: VersionTLS13}\n";
    for (names, options, uses, policy, closed) in [
        (&["x-m@kubernetescrd"][..], None, "x/m@kubernetescrd", None, false),
        (&[], Some("x-strong@kubernetescrd"), "", Some("x-strong"), false),
        (&[], Some("x-none@kubernetescrd"), "", Some("#refused"), false),
        (&[], Some("default"), "", None, false),
        (&["x-none@kubernetescrd"], None, "#closed", None, true),
        (&["x-m@kubernetescrd", "y@file"], None, "x/m@kubernetescrd #closed", None, true),
        (&["x-closing@kubernetescrd"], None, "x/closing@kubernetescrd #closed", None, true),
    ] {
        let mut resolving = ResolveOptions::default();
        resolving.entry_points[0].filters = names.iter().map(|it| (*it).into()).collect();
        resolving.entry_points[0].tls_options = options.map(Into::into);
        let snapshot = resolve(&items(text), &resolving);
        let listeners = &snapshot.routing.listeners;
        let of = |id: &str| listeners.get(&ListenerId::from(id)).cloned().expect("it is there");
        let used: Vec<String> = of("web").uses.iter().map(|it| it.filter.to_string()).collect();
        assert_eq!(used.join(" "), uses, "{names:?}");
        assert!(of("websecure/tls").uses.is_empty(), "another entry point");
        let Security::Terminate { policy: held, .. } = of("web/tls").security.clone() else {
            panic!("it is for TLS")
        };
        assert_eq!(held.map(|it| it.to_string()).as_deref(), policy, "{options:?}");
        let says = |it: &Diagnostic| it.code == codes::ENTRY_POINT_CLOSED;
        assert_eq!(snapshot.diagnostics.iter().any(says), closed, "{names:?}");
    }
}

/// What is for all who name nothing and cannot be had is for nobody: they are not let in by less.
#[test]
fn default_terms_that_cannot_be_had_are_for_nobody() {
    let asks = "clientAuthType: RequireAndVerifyClientCert";
    for (name, spec, held) in [
        ("default", format!("{{clientAuth: {{secretNames: [nope], {asks}}}}}"), Some("")),
        ("other", format!("{{clientAuth: {{secretNames: [nope], {asks}}}}}"), None),
    ] {
        let text = format!(
            "apiVersion: traefik.io/v1alpha1\nkind: TLSOption\nmetadata: {{name: {name}}}\nspec: {spec}\n"
        );
        let routing = resolve(&items(&text), &ResolveOptions::default()).routing;
        let policy = routing.tls_policies.values().find(|it| it.id.as_str().ends_with(name));
        let found = policy.map(|it| match &it.clients {
            ClientAuthentication::RequireAndVerify(by) => by.pem.to_string(),
            other => panic!("{other:?}"),
        });
        assert_eq!(found.as_deref(), held, "{name}");
        assert_eq!(routing.default_policy().is_some(), held.is_some(), "{name}");
    }
}

/// Terms of all who name none are the same by their full names.
#[test]
fn default_terms_by_their_names() {
    let terms =
        "---\napiVersion: traefik.io/v1alpha1\nkind: TLSOption\nmetadata: {name: default}\n";
    for (named, terms, policy) in [
        ("{name: default}", terms, None),
        ("{name: default, namespace: default}", terms, None),
        ("{name: default-default@kubernetescrd}", terms, None),
        ("{name: default, namespace: default}", "", Some("default-default")),
        ("{name: default-default@kubernetescrd}", "", Some("#refused")),
    ] {
        let text = format!(
            "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {{name: r}}\nspec: \
             {{entryPoints: [websecure], tls: {{options: {named}}}, routes: [{{match: Host(`a.b`), \
             services: [{{name: a, port: 80}}]}}]}}\n{terms}"
        );
        let snapshot = resolve(&items(&text), &ResolveOptions::default());
        let mut routes = snapshot.routing.routes.values();
        let route = routes.find(|it| it.id.as_str().starts_with("default/r")).expect("it is there");
        assert_eq!(route.tls_policy.as_ref().map(|it| it.as_str()), policy, "{named}");
        let is_of_terms = |it: &&Diagnostic| it.path.0.contains("options");
        let said = snapshot.diagnostics.iter().filter(is_of_terms).count();
        assert_eq!(said, usize::from(policy.is_some()), "{named}");
    }
}

/// Services of the program itself are there where they are asked for, and not on entry points of
/// users.
#[test]
fn services_of_the_program_itself() {
    let text = "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: r}\n\
                spec: {entryPoints: [web], routes: [{match: Host(`a.b`), services: [{name: \
                api@internal, kind: TraefikService}]}]}\n";
    let is_off = |it: &Diagnostic| it.code == codes::OWN_SERVICE_OFF;
    let shut = resolve(&items(text), &ResolveOptions::default());
    assert!(shut.diagnostics.iter().any(is_off));
    let route = ExposedRoute {
        name: "api".into(),
        entry_point: "traefik".into(),
        prefix: "/api".into(),
        service: Internal::Api,
        number: i64::MAX - 1,
    };
    let exposure = Exposure { services: [Internal::Api].into(), routes: vec![route] };
    let mut options = ResolveOptions { exposure, ..ResolveOptions::default() };
    options.entry_points.push(EntryPoint::new("traefik", 8080));
    let open = resolve(&items(&(text.to_owned() + "---\n" + A_ANYWHERE)), &options);
    assert!(!open.diagnostics.iter().any(is_off));
    let at = |id: &str| -> Vec<String> {
        let routes = open.routing.routes.values();
        let is_it = |it: &&Arc<Route>| it.id.as_str().starts_with(id);
        let found = routes.filter(is_it).flat_map(|it| &it.listeners);
        found.map(ToString::to_string).collect()
    };
    assert_eq!(at("api@internal"), ["traefik"]);
    assert_eq!(at("default/anywhere"), ["web", "websecure/tls"], "nobody asked for `traefik`");
}

/// A route that names no entry point.
const A_ANYWHERE: &str = "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\n\
    metadata: {name: anywhere}\nspec: {routes: [{match: Host(`c.d`), services: [{name: a, port: \
    80}]}]}\n";

/// What is to be told of requests stands at their route, in whichever language it is said.
#[test]
fn what_is_told_of_requests_is_said_by_routes() {
    use steelyard_model::routing::observability::Observability;

    let text = "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: r}\n\
                spec: {routes: [{match: Host(`a.b`), observability: {accessLogs: false, tracing: \
                true, traceVerbosity: detailed}, services: [{name: s, port: 80}]}]}\n---\napiVersion: networking.k8s.io/v1\n\
                kind: Ingress\nmetadata: {name: i, annotations: \
                {traefik.ingress.kubernetes.io/router.observability.metrics: 'false', \
                traefik.ingress.kubernetes.io/router.observability.accesslogs: 'true'}}\n\
                spec: {ingressClassName: traefik, rules: [{host: c.d, http: {paths: [{path: /, \
                pathType: Prefix, backend: {service: {name: s, port: {number: 80}}}}]}}]}\n";
    let snapshot = resolve(&items(text), &ResolveOptions::default());
    let said = |host: &str| {
        let mut routes = snapshot.routing.routes.values();
        let found = routes.find(|it| it.rule.host().as_exact().is_some_and(|it| **it == *host));
        found.map(|it| it.observability)
    };
    let (access_logs, tracing, detailed) = (Some(false), Some(true), Some(true));
    let of_object = Observability { access_logs, metrics: None, tracing, detailed };
    // What is usual is said too: entry points may say otherwise.
    let (access_logs, metrics) = (Some(true), Some(false));
    let of_annotation = Observability { access_logs, metrics, ..Observability::default() };
    assert_eq!((said("a.b"), said("c.d")), (Some(of_object), Some(of_annotation)));
}

/// `allowACMEByPass`: challenges of certificates are not led elsewhere.
#[test]
fn challenges_are_led_elsewhere_unless_they_are_let_by() {
    use steelyard_model::routing::entry_point::EntryPointRedirection;

    for lets in [false, true] {
        let mut resolving = ResolveOptions::default();
        let point = &mut resolving.entry_points[0];
        point.lets_challenges = lets;
        point.redirection = Some(EntryPointRedirection {
            to: "websecure".into(),
            is_named: true,
            port: 443,
            scheme: "https".into(),
            is_permanent: true,
            number: i64::MAX - 1,
        });
        let snapshot = resolve(&items(""), &resolving);
        let rules = snapshot.routing.routes.values().map(|it| it.rule.to_string());
        let rules: Vec<String> = rules.filter(|it| it.contains("acme-challenge")).collect();
        assert_eq!(rules.len(), if lets { 2 } else { 0 }, "{rules:?}");
        assert!(
            rules.iter().all(|it| it.contains("!PathPrefix(`/.well-known/acme-challenge/`)")),
            "{rules:?}"
        );
    }
}
