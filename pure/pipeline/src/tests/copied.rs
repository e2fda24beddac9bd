//! What the words of ingress-nginx make of backends: copies of requests, and how endpoints are
//! chosen where the ConfigMap says it.

use std::sync::Arc;

use steelyard_model::routing::backend::{
    Algorithm, Backend, BackendNode, CopiedBody, EndpointOrigin,
};
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::nginx::NginxStep;

use super::*;

const NGINX: &str = "nginx.ingress.kubernetes.io";
const SPEC: &str = "ingressClassName: nginx, ";

/// A world of one Ingress with these annotations, and a ConfigMap of these lines.
fn world(annotations: &[(&str, &str)], settings: &[(&str, &str)]) -> Snapshot {
    let own = annotations.iter().map(|(name, value)| format!("{NGINX}/{name}: '{value}'"));
    let own = format!(", annotations: {{{}}}", own.collect::<Vec<_>>().join(", "));
    let all = settings.iter().map(|(key, value)| format!("  {key}: '{value}'\n"));
    let map = match settings.is_empty() {
        true => String::new(),
        false => format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: ingress-nginx-controller, \
             namespace: ingress-nginx}}\ndata:\n{}",
            all.collect::<String>()
        ),
    };
    joined(
        &(map
            + &service("a", "{clusterIP: None, ports: [{port: 80}]}")
            + &service("shadow", "{clusterIP: None, ports: [{port: 8080}]}")
            + &ingress("i", &own, SPEC, "a.b", "/", "a")),
    )
}

#[test]
fn copies_go_where_the_annotation_says() {
    for (target, has_body) in [
        ("http://shadow.default.svc.cluster.local:8080/x", "on"),
        ("http://shadow.default.svc:8080/$request_uri", "off"),
        ("https://elsewhere.test/", "on"),
    ] {
        let lines = [("mirror-target", target), ("mirror-request-body", has_body)];
        let snapshot = world(&lines, &[]);
        let mirrors = snapshot.routing.backends.values().filter_map(|node| match &node.backend {
            Backend::Mirror { main, copies, body } => Some((main, copies, body)),
            _ => None,
        });
        let [(main, copies, body)] = mirrors.collect::<Vec<_>>()[..] else { panic!("{target}") };
        let body = *body;
        let expected = if has_body == "on" { CopiedBody::UpTo(None) } else { CopiedBody::Without };
        assert_eq!((body, copies.len(), copies[0].1), (expected, 1, 100), "{target}");
        assert!(main.uses.is_empty() && main.backend != copies[0].0.backend);
        let filter = &snapshot.routing.filters[&copies[0].0.uses[0].filter].filter;
        assert!(matches!(filter, Filter::Nginx(step) if matches!(**step, NginxStep::Aim(_))));
        let Backend::Endpoints(to) = &snapshot.routing.backends[&copies[0].0.backend].backend
        else {
            panic!("{target}: no endpoints")
        };
        let origin = &snapshot.routing.endpoint_sets[&to.set].origin;
        let is_service = matches!(origin, EndpointOrigin::Service(..));
        assert_eq!(is_service, target.contains("shadow"), "{target}: {origin:?}");
    }
}

/// Who is not there gets nothing, and nobody else loses anything by that.
#[test]
fn what_cannot_be_copied_is_served_all_the_same() {
    let snapshot = world(&[("mirror-target", "http://nobody.default.svc:80/")], &[]);
    let route = &routes(&snapshot)[0];
    assert!(refusal(&snapshot, route).is_none());
    let is_mirror = |node: &Arc<BackendNode>| matches!(node.backend, Backend::Mirror { .. });
    assert!(!snapshot.routing.backends.values().any(is_mirror));
    let said = findings(&snapshot);
    assert!(said.iter().any(|it| it.contains("backend-service-missing")), "{said:?}");
}

#[test]
fn what_the_config_map_forbids_is_left_out() {
    let mirror = [("mirror-target", "http://elsewhere.test/")];
    for (settings, is_served) in [
        (&[][..], true),
        (&[("annotations-risk-level", "High")], true),
        (&[("annotations-risk-level", "Medium")], false),
        (&[("annotation-value-word-blocklist", "elsewhere")], false),
        (&[("annotation-value-word-blocklist", "nobody")], true),
    ] {
        let snapshot = world(&mirror, settings);
        assert_eq!(!routes(&snapshot).is_empty(), is_served, "{settings:?}");
        let is_said = findings(&snapshot).iter().any(|it| it.contains("annotation-forbidden"));
        assert_eq!(is_said, !is_served, "{settings:?}");
    }
}

/// Whatever makes an Ingress one in words of ingress-nginx; also what counts where the ConfigMap
/// says nothing.
#[test]
fn what_is_forbidden_is_left_out_by_whichever_way_it_is_of_the_class() {
    let class = |name: &str, controller: &str, more: &str| {
        format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {{name: {name}, \
             annotations: {{{more}}}}}\nspec: {{controller: {controller}}}\n"
        )
    };
    let is_default = "ingressclass.kubernetes.io/is-default-class: 'true'";
    let named = |name: &str| format!("ingressClassName: {name}, ");
    let usual = ResolveOptions::default();
    let mut unnamed = usual.clone();
    unnamed.nginx.takes_unnamed = Some(true);
    let mut by_name = usual.clone();
    by_name.nginx.is_by_name = true;
    let own = format!(", annotations: {{{NGINX}/mirror-target: 'http://elsewhere.test/'}}");
    for (classes, spec, options) in [
        (String::new(), named("nginx"), &usual),
        (class("web", "k8s.io/ingress-nginx", ""), named("web"), &usual),
        (class("web", "k8s.io/ingress-nginx", is_default), String::new(), &usual),
        (class("nginx", "example.com/another", is_default), String::new(), &by_name),
        (String::new(), String::new(), &unnamed),
    ] {
        let of = |settings: &str, usual: &[(&str, &str)]| {
            let map = format!(
                "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: \
                 ingress-nginx-controller, namespace: ingress-nginx}}\ndata: {{{settings}}}\n"
            );
            let own = ingress("i", &own, &spec, "a.b", "/", "a");
            let yaml = classes.clone() + &map + &service("a", "{ports: [{port: 80}]}") + &own;
            let usual = usual.iter().map(|(key, value)| (key.to_string(), value.to_string()));
            let mut options = options.clone();
            options.nginx.usual = usual.collect();
            let snapshot = resolve(&items(&yaml), &options);
            findings(&snapshot).iter().any(|it| it.contains("annotation-forbidden"))
        };
        let level = "annotations-risk-level";
        assert!(!of("", &[]), "{classes}{spec}");
        assert!(of("annotations-risk-level: Low", &[]), "{classes}{spec}");
        assert!(of("", &[(level, "Low")]), "{classes}{spec}");
        assert!(!of("annotations-risk-level: High", &[(level, "Low")]), "{classes}{spec}");
    }
}

#[test]
fn paths_are_asked_for_plain_letters_unless_the_config_map_says_no() {
    for (written, is_said) in
        [("", true), ("'false'", false), ("'0'", false), ("'true'", true), ("perhaps", true)]
    {
        let map = format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: ingress-nginx-controller, \
             namespace: ingress-nginx}}\ndata: {{strict-validate-path-type: {written}}}\n"
        );
        let snapshot = joined(
            &(map
                + &service("a", "{ports: [{port: 80}]}")
                + &ingress("i", "", SPEC, "a.b", "/a~b", "a")),
        );
        let found = findings(&snapshot);
        let has = |code: &str| found.iter().any(|it| it.contains(code));
        assert_eq!(has("path-type-strict"), is_said, "{written} {found:?}");
        assert_eq!(has("field-not-honoured"), written == "perhaps", "{written} {found:?}");
    }
}

#[test]
fn how_endpoints_are_chosen_is_said_for_all_and_by_each() {
    let ewma = [("load-balance", "ewma")];
    for (own, settings, expected) in [
        (&[][..], &[][..], Algorithm::RoundRobin),
        (&[], &ewma, Algorithm::PeakEwma),
        (&[("load-balance", "round_robin")], &ewma, Algorithm::RoundRobin),
        (&ewma, &[("load-balance", "round_robin")], Algorithm::PeakEwma),
    ] {
        let snapshot = world(own, settings);
        let chosen = snapshot.routing.backends.values().find_map(|node| match &node.backend {
            Backend::Endpoints(it) => Some(it.algorithm.clone()),
            _ => None,
        });
        assert_eq!(chosen, Some(expected), "{own:?} {settings:?}");
    }
}
