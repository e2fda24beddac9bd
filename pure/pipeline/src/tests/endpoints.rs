use super::*;

fn slice(name: &str, service: &str, ports: &str, endpoints: &str) -> String {
    format!(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {name}, \
         labels: {{kubernetes.io/service-name: {service}}}}}\naddressType: IPv4\n\
         ports: [{ports}]\nendpoints: [{endpoints}]\n"
    )
}

const PORT: &str = "ports: [{port: 80, targetPort: web}]";

fn deployment(port: &str) -> String {
    format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d}}\nspec: {{template: \
         {{metadata: {{labels: {{app: a}}}}, spec: {{containers: [{{ports: [{port}]}}]}}}}}}\n"
    )
}

#[test]
fn pods_by_selector_and_port_by_name_in_each_pod() {
    let yaml = service("a", &format!("{{selector: {{app: a, tier: x}}, {PORT}}}"))
        + &pod("p1", "app: a, tier: x", "10.0.0.2", "{name: web, containerPort: 8080}")
        + &pod("p2", "app: a, tier: x", "10.0.0.1", "{name: web, containerPort: 9090}")
        + &pod("p3", "app: a, tier: x", "10.0.0.3", "{name: other, containerPort: 1}")
        + &pod("p4", "app: a", "10.0.0.4", "{name: web, containerPort: 8080}");
    let snapshot = joined(&yaml);
    assert_eq!(endpoints_of(&snapshot, "default/a"), ["10.0.0.1:9090 10.0.0.2:8080"]);
    assert_eq!(findings(&snapshot), [""; 0]);
}

#[test]
fn slices_win_over_everything_else_then_endpoints() {
    let pods = pod("p", "app: a", "10.0.0.9", "{name: web, containerPort: 8080}");
    let spec = format!("{{selector: {{app: a}}, {PORT}}}");
    let service = annotated("a", "steelyard.dev/endpoints: '10.5.0.1:80'", &spec);
    let endpoints = "---\napiVersion: v1\nkind: Endpoints\nmetadata: {name: a}\nsubsets: \
                     [{addresses: [{ip: 10.4.0.1}], ports: [{port: 80}]}]\n";
    let slices = slice("s1", "a", "{port: 8080}", "{addresses: [10.3.0.2]}")
        + &slice("s2", "a", "{port: 8081}", "{addresses: [10.3.0.1]}, {addresses: [10.3.0.2]}")
        + &slice("s3", "a", "{name: other, port: 1}", "{addresses: [10.3.0.3]}");
    let unused = "warning endpoints-annotation-unused Service/default/a \
                  metadata.annotations[\"steelyard.dev/endpoints\"]";
    let all = service.clone() + &pods + endpoints + &slices;
    for (yaml, expected, found) in [
        (all, "10.3.0.1:8081 10.3.0.2:8080 10.3.0.2:8081", vec![unused]),
        (service.clone() + &pods + endpoints, "10.4.0.1:80", vec![unused]),
        (service.clone() + &pods, "10.0.0.9:8080", vec![unused]),
        (service, "10.5.0.1:80", vec![]),
    ] {
        let snapshot = joined(&yaml);
        assert_eq!(endpoints_of(&snapshot, "default/a"), [expected]);
        assert_eq!(findings(&snapshot), found);
    }
}

#[test]
fn states_and_not_ready_addresses() {
    let endpoints = "{addresses: [10.0.0.1], conditions: {ready: false}}, \
                     {addresses: [10.0.0.2], conditions: {ready: false, serving: true, \
                     terminating: true}}, {addresses: [10.0.0.3]}";
    let yaml = service("a", "{ports: [{port: 80}]}") + &slice("s", "a", "{port: 80}", endpoints);
    let snapshot = joined(&yaml);
    let id = steelyard_model::NamespacedName::new("default", "a");
    let states: Vec<String> = snapshot.services[&id].ports[0]
        .endpoints
        .iter()
        .map(|endpoint| format!("{endpoint} {:?}", endpoint.state))
        .collect();
    assert_eq!(states, ["10.0.0.1:80 NotReady", "10.0.0.2:80 Terminating", "10.0.0.3:80 Ready"]);

    let not_ready = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {app: a}}\n\
                     status: {podIP: 10.0.0.1, conditions: [{type: Ready, status: 'False'}]}\n";
    for (flag, ready) in [("false", false), ("true", true)] {
        let spec = format!(
            "{{selector: {{app: a}}, publishNotReadyAddresses: {flag}, ports: [{{port: 80}}]}}"
        );
        let snapshot = joined(&(service("a", &spec) + not_ready));
        assert_eq!(snapshot.services[&id].ports[0].endpoints[0].is_ready(), ready);
    }
}

#[test]
fn endpoints_have_the_families_of_their_service() {
    let pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {app: a}}\n\
               status: {podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]}\n";
    let v6_pool = "---\napiVersion: metallb.io/v1beta1\nkind: IPAddressPool\n\
                   metadata: {name: p}\nspec: {addresses: ['fd01::/64']}\n";
    for (spec, more, expected) in [
        ("", "", "10.0.0.1:80"),
        ("", v6_pool, "[fd00::1]:80"),
        ("ipFamilies: [IPv6], ", "", "[fd00::1]:80"),
        ("ipFamilyPolicy: PreferDualStack, ", "", "10.0.0.1:80 [fd00::1]:80"),
        ("clusterIP: 'fd02::1', ipFamilyPolicy: PreferDualStack, ", "", "[fd00::1]:80"),
    ] {
        let spec = format!("{{selector: {{app: a}}, {spec}ports: [{{port: 80}}]}}");
        let snapshot = joined(&(service("a", &spec) + pod + more));
        assert_eq!(endpoints_of(&snapshot, "default/a"), [expected], "{spec}");
    }
}

#[test]
fn static_endpoints_go_to_the_port_whose_target_they_have() {
    let annotation = "steelyard.dev/endpoints: '10.0.0.5:8080, nas.lan:5000'";
    let one = annotated("a", annotation, "{ports: [{port: 80}]}");
    assert_eq!(endpoints_of(&joined(&one), "default/a"), ["10.0.0.5:8080 nas.lan:5000"]);
    let two = "{ports: [{name: a, port: 80, targetPort: 8080}, {name: b, port: 81}]}";
    let snapshot = joined(&annotated("a", annotation, two));
    assert_eq!(endpoints_of(&snapshot, "default/a"), ["10.0.0.5:8080", ""]);
    let words = words(&snapshot, "endpoints-annotation-unused");
    assert!(words.contains("nas.lan:5000") && words.contains("targetPort: 5000"), "{words}");
}

#[test]
fn a_port_name_that_no_pod_has() {
    let spec = format!("{{selector: {{app: a}}, {PORT}}}");
    let at = "error target-port-missing Service/default/a spec.ports[0].targetPort";
    let pods = pod("p", "app: a", "10.0.0.1", "{name: web1, containerPort: 80}");
    let snapshot = joined(&(service("a", &spec) + &pods));
    assert_eq!(findings(&snapshot), [at]);
    assert!(words(&snapshot, "target-port-missing").contains("did you mean `web1`?"));
    let templates = service("a", &spec) + &deployment("{name: metrics, containerPort: 80}");
    assert_eq!(findings(&joined(&templates)), [at]);
    let fine = service("a", &spec) + &deployment("{name: web, containerPort: 80}");
    assert_eq!(findings(&joined(&fine)), [""; 0]);
}

#[test]
fn a_service_that_leads_nowhere() {
    let spec = "{type: LoadBalancer, selector: {app: a}, ports: [{port: 8080}]}";
    let alone = joined(&service("a", spec));
    let silent = "warning service-without-endpoints Service/default/a spec.selector";
    assert_eq!(findings(&alone), [silent]);
    let with_workload = joined(&(service("a", spec) + &deployment("{containerPort: 80}")));
    let not_run = "info workload-not-run Service/default/a spec.selector";
    assert_eq!(findings(&with_workload), [not_run]);
    assert!(words(&with_workload, "workload-not-run").contains("Deployment/default/d"));
    let bare = joined(&service("a", "{type: LoadBalancer, ports: [{port: 8080}]}"));
    assert_eq!(findings(&bare), ["warning service-without-endpoints Service/default/a"]);
    // Who does not know says nothing.
    let options = ResolveOptions { reads_endpoints: false, ..ResolveOptions::default() };
    assert_eq!(findings(&resolve(&items(&service("a", spec)), &options)), [""; 0]);
    // No route leads anywhere, for who reads none.
    let options = ResolveOptions { reads_routes: false, ..ResolveOptions::default() };
    let led_to = service("a", "{selector: {x: z}, ports: [{port: 80}]}")
        + &ingress("i", "", "", "a.b", "/", "a");
    assert_eq!(findings(&resolve(&items(&led_to), &options)), [""; 0]);
    // What nothing leads to may be empty.
    assert_eq!(findings(&joined(&service("a", "{ports: [{port: 80}]}"))), [""; 0]);
    let routed = service("a", "{selector: {x: z}, ports: [{port: 80}]}")
        + &ingress("i", "", "", "a.b", "/", "a");
    assert_eq!(findings(&joined(&routed)), [silent]);
}

#[test]
fn a_restricted_service_forwards_nothing_but_is_a_backend() {
    let spec = "{type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0/8], \
                selector: {app: a}, ports: [{port: 80}]}";
    let yaml = service("a", spec)
        + &pod("p", "app: a", "10.0.0.1", "{containerPort: 80}")
        + &ingress("i", "", "", "a.b", "/", "a");
    let snapshot = joined(&yaml);
    assert_eq!(endpoints_of(&snapshot, "default/a"), [""]);
    assert_eq!(ends(&snapshot, routes(&snapshot)[0]).len(), 1);
}
