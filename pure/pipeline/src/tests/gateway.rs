use super::*;
use crate::GatewayServices;

const PINNED: &str = "{type: LoadBalancer, ports: [{port: 80}]}";

const TRAEFIK: &str = "type: LoadBalancer, selector: {app.kubernetes.io/name: traefik}";
const PORTS: &str = "ports: [{name: web, port: 80, targetPort: web}]";

fn traefik() -> String {
    service("lb", &format!("{{{TRAEFIK}, {PORTS}}}"))
}

#[test]
fn inferred_by_selector_label_and_port() {
    for (spec, expected) in [
        (format!("{TRAEFIK}, {PORTS}"), true),
        (format!("{TRAEFIK}, ports: [{{name: websecure, port: 9443}}]"), true),
        (format!("{TRAEFIK}, ports: [{{port: 443}}]"), true),
        (format!("{TRAEFIK}, ports: [{{name: dns, port: 53}}]"), false),
        (format!("type: LoadBalancer, selector: {{app: ingress-nginx}}, {PORTS}"), true),
        (format!("type: LoadBalancer, selector: {{app: nginx-ingress}}, {PORTS}"), true),
        (format!("type: LoadBalancer, selector: {{app: nginx}}, {PORTS}"), false),
        (format!("type: LoadBalancer, selector: {{name: traefik}}, {PORTS}"), false),
        (format!("type: NodePort, selector: {{app: traefik}}, {PORTS}"), false),
        (format!("{TRAEFIK}, loadBalancerClass: x/y, {PORTS}"), false),
        // It is the gateway, and closed: nothing listens for it, nor in its place.
        (format!("{TRAEFIK}, loadBalancerSourceRanges: [10.0.0.0/8], {PORTS}"), true),
    ] {
        let snapshot = joined(&service("lb", &format!("{{{spec}}}")));
        let inferred = snapshot.diagnostics.iter().any(|d| d.code.as_str() == "gateway-inferred");
        assert_eq!(!gateways(&snapshot).is_empty(), expected, "{spec}");
        assert_eq!(inferred, expected, "{spec}");
    }
    let words = words(&joined(&traefik()), "gateway-inferred");
    assert!(words.contains("steelyard.dev/gateway: \"true\""), "{words}");
}

#[test]
fn inferred_by_labels_of_the_service() {
    let yaml = "apiVersion: v1\nkind: Service\nmetadata: {name: lb, labels: {app: traefik}}\n\
                spec: {type: LoadBalancer, selector: {x: z}, ports: [{port: 80}]}\n";
    let snapshot = joined(yaml);
    assert_eq!(gateways(&snapshot), ["default/lb"]);
    assert_eq!(
        findings(&snapshot),
        ["info gateway-inferred Service/default/lb metadata.labels.app"]
    );
}

#[test]
fn not_inferred_when_something_else_answers_or_a_route_leads_there() {
    let label = "app.kubernetes.io/name: traefik";
    let workload = format!(
        "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {{name: t}}\nspec: {{template: \
         {{metadata: {{labels: {{{label}}}}}}}}}\n"
    );
    let slice = "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s, \
                 labels: {kubernetes.io/service-name: lb}}\naddressType: IPv4\n";
    for more in [
        pod("p", label, "10.0.0.1", "{name: web, containerPort: 80}"),
        workload,
        slice.to_owned(),
        ingress("i", "", "", "a.b", "/", "lb"),
    ] {
        assert_eq!(gateways(&joined(&(traefik() + &more))), [""; 0], "{more}");
    }
    let spec = format!("{{{TRAEFIK}, {PORTS}}}");
    let annotated = annotated("lb", "steelyard.dev/endpoints: '10.0.0.1:80'", &spec);
    assert_eq!(gateways(&joined(&annotated)), [""; 0]);
}

#[test]
fn pinned_and_forbidden() {
    let spec = format!("{{{TRAEFIK}, {PORTS}}}");
    let forbidden = joined(&annotated("lb", "steelyard.dev/gateway: 'false'", &spec));
    assert_eq!(gateways(&forbidden), [""; 0]);
    let any = "{type: LoadBalancer, selector: {app: x}, ports: [{port: 8080}]}";
    let pinned = joined(
        &(annotated("lb", "steelyard.dev/gateway: 'true'", any)
            + &pod("p", "app: x", "10.0.0.1", "{containerPort: 80}")),
    );
    assert_eq!(gateways(&pinned), ["default/lb"]);
    assert_eq!(findings(&pinned), [""; 0]);
    let nowhere = annotated("lb", "steelyard.dev/gateway: 'true'", "{ports: [{port: 80}]}");
    let unused = "warning gateway-annotation-unused Service/default/lb \
                  metadata.annotations[\"steelyard.dev/gateway\"]";
    assert_eq!(findings(&joined(&nowhere)), [unused]);
}

#[test]
fn options_decide_too() {
    let options =
        ResolveOptions { gateway: GatewayServices::Annotated, ..ResolveOptions::default() };
    assert_eq!(gateways(&resolve(&items(&traefik()), &options)), [""; 0]);
    let pinned = items(&annotated("lb", "steelyard.dev/gateway: 'true'", PINNED));
    assert_eq!(gateways(&resolve(&pinned, &options)), ["default/lb"]);
    let options = ResolveOptions { gateway: GatewayServices::Nobody, ..options };
    assert_eq!(gateways(&resolve(&pinned, &options)), [""; 0]);
    let class = format!("{{{TRAEFIK}, loadBalancerClass: x/y, {PORTS}}}");
    let options =
        ResolveOptions { load_balancer_class: Some("x/y".into()), ..ResolveOptions::default() };
    assert_eq!(gateways(&resolve(&items(&service("lb", &class)), &options)), ["default/lb"]);
    let odd = format!("{{{TRAEFIK}, ports: [{{name: extra, port: 7000}}]}}");
    assert_eq!(gateways(&joined(&service("lb", &odd))), [""; 0]);
    let mut options = ResolveOptions::default();
    options.entry_points.push(EntryPoint::new("extra", 9));
    assert_eq!(gateways(&resolve(&items(&service("lb", &odd)), &options)), ["default/lb"]);
}
