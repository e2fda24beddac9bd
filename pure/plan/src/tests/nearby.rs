//! Endpoints that are meant for one zone or another.

use steelyard_model::NginxOptions;

use super::*;
use crate::Planner;

const ROUTE: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules:
  - host: a.b
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
";
const AUTO: &str = ", annotations: {service.kubernetes.io/topology-mode: Auto}";

/// Two nodes in zones of their own, and one that says of none.
const NODES: &str = "
apiVersion: v1
kind: Node
metadata: {name: a, labels: {topology.kubernetes.io/zone: zone-a}}
---
apiVersion: v1
kind: Node
metadata: {name: b, labels: {topology.kubernetes.io/zone: zone-b}}
---
apiVersion: v1
kind: Node
metadata: {name: nowhere}
";

fn web(metadata: &str, spec: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: web{metadata}}}\n\
         spec: {{ports: [{{port: 80, targetPort: 80}}]{spec}}}\n"
    )
}

/// Endpoints 10.0.0.1 and so on: `zone`, `-` without hints; `!` before it is one that is not ready.
fn hinted(endpoints: &[&str]) -> String {
    let one = |(at, written): (usize, &&str)| {
        let zone = written.trim_start_matches('!');
        let hints = match zone {
            "-" => String::new(),
            zone => format!(", hints: {{forZones: [{{name: {zone}}}]}}"),
        };
        let ready = !written.starts_with('!');
        let address = at + 1;
        format!("{{addresses: [10.0.0.{address}], conditions: {{ready: {ready}}}{hints}}}")
    };
    let endpoints: Vec<String> = endpoints.iter().enumerate().map(one).collect();
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: web, labels: \
         {{kubernetes.io/service-name: web}}}}\naddressType: IPv4\nports: [{{port: 80}}]\n\
         endpoints: [{}]\n",
        endpoints.join(", ")
    )
}

fn options(keeps_zones: bool) -> ResolveOptions {
    let nginx = NginxOptions { keeps_zones, ..NginxOptions::default() };
    ResolveOptions { nginx, ..ResolveOptions::default() }
}

/// The last numbers of the endpoints that are asked, and of those that are not, as rows say it.
fn asked(plan: &Plan) -> (String, String) {
    let row = plan.routes.rows().next().unwrap();
    let short = |all: &[String]| {
        let numbers = all.iter().map(|it| it["10.0.0.".len()..].trim_end_matches(":80"));
        numbers.collect::<Vec<_>>().join(" ")
    };
    let backend = &row.backends[0];
    (short(&backend.endpoints), short(&backend.elsewhere))
}

#[test]
fn requests_stay_in_the_zone_where_that_is_asked_and_can_be() {
    let far = ", trafficDistribution: PreferSameZone";
    for (on, node, (metadata, spec), endpoints, here, elsewhere) in [
        (true, "a", (AUTO, ""), &["zone-a", "zone-b"][..], "1", "2"),
        (true, "b", (AUTO, ""), &["zone-a", "zone-b"], "2", "1"),
        (true, "a", ("", far), &["zone-b", "zone-a"], "2", "1"),
        (true, "a", (AUTO, ""), &["zone-a", "!zone-a", "zone-b"], "1", "3"),
        // Nobody asks for it.
        (false, "a", (AUTO, ""), &["zone-a", "zone-b"], "1 2", ""),
        (true, "a", ("", ""), &["zone-a", "zone-b"], "1 2", ""),
        (
            true,
            "a",
            ("", ", trafficDistribution: PreferSameNode"),
            &["zone-a", "zone-b"],
            "1 2",
            "",
        ),
        // Where this node is is not known.
        (true, "nowhere", (AUTO, ""), &["zone-a", "zone-b"], "1 2", ""),
        (true, "nobody", (AUTO, ""), &["zone-a", "zone-b"], "1 2", ""),
        // One is meant for everybody, or none for this zone; those that are not ready do not count.
        (true, "a", (AUTO, ""), &["zone-a", "-"], "1 2", ""),
        (true, "a", (AUTO, ""), &["zone-b", "zone-c"], "1 2", ""),
        (true, "a", (AUTO, ""), &["!zone-a", "zone-b"], "2", ""),
        (true, "a", (AUTO, ""), &["zone-a", "!-", "zone-b"], "1", "3"),
    ] {
        let yaml = file(&[ROUTE, NODES, &web(metadata, spec), &hinted(endpoints)]);
        let snapshot = resolve(&items(&yaml), &options(on));
        let plan = plan(&snapshot, &Holdings::default(), &facts(node));
        let wanted = (here.to_owned(), elsewhere.to_owned());
        assert_eq!(asked(&plan), wanted, "{on} {node} {metadata}{spec} {endpoints:?}");
    }
}

/// Whatever changes, the plan is the one that would be made from nothing.
#[test]
fn a_zone_is_kept_to_from_change_to_change() {
    let both = web(AUTO, "");
    let moved = NODES.replace("zone-a", "zone-c");
    let mut planner = Planner::default();
    for (nodes, endpoints, here) in [
        (NODES, &["zone-a", "zone-b"][..], "1"),
        (NODES, &["zone-a", "zone-b", "zone-a"], "1 3"),
        (NODES, &["zone-b", "zone-b"], "1 2"),
        (NODES, &["zone-b", "zone-a"], "2"),
        (&moved, &["zone-b", "zone-a"], "1 2"),
        (&moved, &["zone-c", "zone-a"], "1"),
        (NODES, &["zone-c", "zone-a"], "2"),
        (NODES, &[], ""),
    ] {
        let yaml = file(&[ROUTE, nodes, &both, &hinted(endpoints)]);
        let snapshot = resolve(&items(&yaml), &options(true));
        let next = planner.plan(&snapshot, &Holdings::default(), &facts("a"));
        let new = plan(&snapshot, &Holdings::default(), &facts("a"));
        assert_eq!(asked(&next).0, here, "{endpoints:?}");
        assert_eq!(asked(&next), asked(&new), "{endpoints:?}");
        assert_eq!(next.routes.routing(), new.routes.routing(), "{endpoints:?}");
    }
}
