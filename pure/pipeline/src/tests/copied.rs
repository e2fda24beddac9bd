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
