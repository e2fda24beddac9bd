use steelyard_model::routing::transport::OriginScheme;
use steelyard_model::{EndpointState, Service, ServiceType, TargetPort};

use super::*;

fn service(metadata: &str, spec: &str) -> String {
    format!("apiVersion: v1\nkind: Service\nmetadata: {{name: a{metadata}}}\nspec: {spec}\n")
}

fn lowered_service(lowered: Lowered) -> Arc<Service> {
    match lowered.items.into_iter().next() {
        Some(Item::Service(service)) => service,
        other => panic!("a Service, not {other:?}"),
    }
}

#[test]
fn a_service_with_everything() {
    let metadata = ", namespace: x, labels: {l: v}, creationTimestamp: '2024-01-01T00:00:00Z', \
                    annotations: {steelyard.dev/gateway: 'true', \
                    steelyard.dev/endpoints: '10.0.0.5:8080, nas.lan:5000'}";
    let spec = "{type: LoadBalancer, selector: {app: a}, clusterIP: 10.43.0.1, \
                clusterIPs: [10.43.0.1, 'fd00::1'], ipFamilies: [IPv4, IPv6], \
                ipFamilyPolicy: PreferDualStack, loadBalancerClass: x/y, \
                loadBalancerIP: 10.0.0.1, externalTrafficPolicy: Local, \
                healthCheckNodePort: 30001, publishNotReadyAddresses: true, \
                allocateLoadBalancerNodePorts: false, internalTrafficPolicy: Cluster, \
                sessionAffinity: None, trafficDistribution: PreferClose, externalIPs: [], \
                ports: [{name: http, port: 80, targetPort: web, nodePort: 30080, appProtocol: h}, \
                {name: dns, protocol: UDP, port: 53}]}";
    let status = "status: {loadBalancer: {ingress: [{ip: 10.0.0.1, ipMode: VIP}, {hostname: h}]}}";
    let yaml = format!("{}{status}\n", service(metadata, spec));
    let Item::Service(service) = only(lowered(&yaml)) else { panic!("a Service") };
    assert_eq!(service.id.to_string(), "x/a");
    assert_eq!(service.kind, ServiceType::LoadBalancer);
    assert_eq!(service.ports[0].target, TargetPort::Name("web".into()));
    assert_eq!(service.ports[1].target, TargetPort::Number(53));
    assert_eq!(service.cluster_ips.len(), 2);
    assert_eq!(service.status_addresses, ["10.0.0.1".parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!(service.gateway, Some(true));
    assert_eq!(service.static_endpoints.len(), 2);
    assert_eq!(service.created.as_deref(), Some("2024-01-01T00:00:00Z"));
    assert!(service.publish_not_ready && !service.headless && service.refusal.is_none());
}

#[test]
fn what_is_spoken_behind_a_port() {
    for (app_protocol, scheme) in [
        ("kubernetes.io/h2c", Some(OriginScheme::H2c)),
        ("h2c", Some(OriginScheme::H2c)),
        ("http", None),
        ("kubernetes.io/ws", None),
        ("kubernetes.io/wss", Some(OriginScheme::Https)),
        ("https", Some(OriginScheme::Https)),
        ("''", None),
    ] {
        let spec = format!("{{ports: [{{port: 80, appProtocol: {app_protocol}}}]}}");
        let service = lowered_service(lowered(&service("", &spec)));
        assert_eq!(service.ports[0].scheme, scheme, "{app_protocol}");
    }
}

#[test]
fn a_service_of_another_load_balancer() {
    let foreign = "warning annotation-foreign metadata.annotations";
    for (annotation, help) in [
        ("io.cilium/lb-ipam-ips: '10.0.0.1'", "metallb.io/loadBalancerIPs: \"10.0.0.1\""),
        ("lbipam.cilium.io/sharing-key: a", "metallb.io/allow-shared-ip: \"a\""),
        ("kube-vip.io/loadbalancerIPs: '10.0.0.1'", "metallb.io/loadBalancerIPs: \"10.0.0.1\""),
        ("kube-vip.io/loadbalancerIPs: '0.0.0.0'", "not by DHCP"),
        ("purelb.io/service-group: lan", "metallb.io/address-pool: \"lan\""),
    ] {
        let key = annotation.split_once(": ").unwrap().0;
        let metadata = format!(", annotations: {{{annotation}}}");
        let yaml = service(&metadata, "{type: LoadBalancer, ports: [{port: 80}]}");
        let lowered = taken(&yaml, &[&format!("{foreign}[\"{key}\"]")]);
        assert!(lowered.diagnostics[0].help.contains(help), "{}", lowered.diagnostics[0].help);
    }
    // Who has moved already keeps the old words beside ours.
    let metadata = ", annotations: {io.cilium/lb-ipam-ips: '10.0.0.1', \
                    metallb.io/loadBalancerIPs: '10.0.0.1'}";
    taken(&service(metadata, "{ports: [{port: 80}]}"), &[]);
    let external = service("", "{ports: [{port: 80}], externalIPs: [10.0.0.1]}");
    taken(&external, &["warning field-not-honoured spec.externalIPs"]);
}

#[test]
fn services_that_the_api_server_refuses() {
    for (spec, expected) in [
        ("{selector: {a: b}}", vec!["error missing-field spec.ports"]),
        ("{type: Loadbalancer, ports: [{port: 80}]}", vec!["error invalid-value spec.type"]),
        (
            "{ports: [{port: 0}, {port: 80, name: a, targetPort: 70000}, {name: b}]}",
            vec![
                "error missing-field spec.ports[0].name",
                "error invalid-value spec.ports[0].port",
                "error invalid-value spec.ports[1].targetPort",
                "error missing-field spec.ports[2].port",
            ],
        ),
        (
            "{ports: [{port: 80, name: a}, {port: 80, name: a, targetPort: '8080'}, \
              {port: 81, name: c, protocol: tcp, targetPort: a_b}]}",
            vec![
                "error invalid-value spec.ports[1].targetPort",
                "error invalid-value spec.ports[2].protocol",
                "error invalid-value spec.ports[2].targetPort",
            ],
        ),
        (
            "{ports: [{port: 80, name: a}, {port: 80, name: a}]}",
            vec![
                "error entry-duplicate spec.ports[1].name",
                "error entry-duplicate spec.ports[1].port",
            ],
        ),
        (
            "{type: LoadBalancer, loadBalancerIP: a.lan, clusterIPs: [x], \
              ipFamilies: [ipv4], ipFamilyPolicy: Dual, externalTrafficPolicy: local, \
              ports: [{port: 80}]}",
            vec![
                "error invalid-value spec.clusterIPs[0]",
                "error invalid-value spec.ipFamilies[0]",
                "error invalid-value spec.ipFamilyPolicy",
                "error invalid-value spec.externalTrafficPolicy",
            ],
        ),
        ("{type: ExternalName}", vec!["error missing-field spec.externalName"]),
        (
            "{type: ExternalName, externalName: 'http://x'}",
            vec!["error invalid-value spec.externalName"],
        ),
    ] {
        refused(&service("", spec), &expected);
    }
}

#[test]
fn what_needs_no_ports() {
    taken(&service("", "{clusterIP: None, selector: {a: b}}"), &[]);
    let external = taken(&service("", "{type: ExternalName, externalName: NAS.lan.}"), &[]);
    let external = lowered_service(external);
    assert_eq!(
        external.kind,
        ServiceType::ExternalName(steelyard_model::Host::Name("nas.lan".into()))
    );
}

#[test]
fn annotations_of_metallb_and_ours() {
    for (annotation, expected) in [
        ("metallb.io/address-pool: p", vec![]),
        ("metallb.io/adress-pool: p", vec!["warning annotation-unknown"]),
        ("metallb.io/loadbalancerips: 1.2.3.4", vec!["warning annotation-unknown"]),
        ("metallb.universe.tf/healthCheckNodePort: '1'", vec!["warning annotation-unknown"]),
        ("metallb.universe.tf/allow-shared-ip: k", vec![]),
        ("steelyard.dev/gatway: 'true'", vec!["warning annotation-unknown"]),
        ("other.io/thing: x", vec![]),
    ] {
        let key = annotation.split_once(": ").unwrap().0;
        let expected: Vec<String> = expected
            .iter()
            .map(|start| format!("{start} metadata.annotations[\"{key}\"]"))
            .collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        let metadata = format!(", annotations: {{{annotation}}}");
        taken(&service(&metadata, "{ports: [{port: 80}]}"), &expected);
    }
}

#[test]
fn values_of_our_annotations() {
    for (annotation, key) in [
        ("steelyard.dev/gateway: 'yes'", "steelyard.dev/gateway"),
        ("steelyard.dev/endpoints: '10.0.0.5'", "steelyard.dev/endpoints"),
        ("steelyard.dev/endpoints: ' , '", "steelyard.dev/endpoints"),
    ] {
        let metadata = format!(", annotations: {{{annotation}}}");
        let expected = format!("error invalid-value metadata.annotations[\"{key}\"]");
        refused(&service(&metadata, "{ports: [{port: 80}]}"), &[&expected]);
    }
}

#[test]
fn restrictions_of_a_service_close_it() {
    let ranges = |kind: &str, ranges: &str| {
        let spec = format!(
            "{{type: {kind}, ports: [{{port: 80}}], \
                            loadBalancerSourceRanges: [{ranges}]}}"
        );
        service("", &spec)
    };
    let closed = "error access-not-honoured spec.loadBalancerSourceRanges";
    assert!(
        lowered_service(taken(&ranges("LoadBalancer", "10.0.0.0/8"), &[closed])).refusal.is_some()
    );
    // An entry that is wrong closes as well.
    assert!(lowered_service(taken(&ranges("LoadBalancer", "nobody"), &[closed])).refusal.is_some());
    let open = taken(&ranges("LoadBalancer", "0.0.0.0/0, '::/0'"), &[]);
    assert!(lowered_service(open).refusal.is_none());
    assert!(lowered_service(taken(&ranges("ClusterIP", "10.0.0.0/8"), &[])).refusal.is_none());
}

#[test]
fn what_closes_is_not_said_to_be_ignored() {
    for name in [
        "loadbalancerSourceRanges",
        "loadBalancerSourceRange",
        "loadBalancerSourcesRanges",
        "loadBalancerSorceRanges",
        "LoadBalancerSourceRanges",
        "load-balancer-source-ranges",
        "sourceRanges",
        "sorceRange",
    ] {
        let spec = format!("{{type: LoadBalancer, ports: [{{port: 80}}], {name}: [10.0.0.0/8]}}");
        let closed = format!("error access-not-honoured spec.{name}");
        assert!(
            lowered_service(taken(&service("", &spec), &[&closed])).refusal.is_some(),
            "{name}"
        );
    }
    for key in [
        "service.beta.kubernetes.io/load-balancer-source-ranges",
        "service.beta.kubernetes.io/load-balancer-sorce-ranges",
        "metallb.io/loadBalancerSourceRanges",
        "metallb.universe.tf/source-ranges",
        "metallb.io/allow-list",
        "steelyard.dev/source-ranges",
        "steelyard.dev/allowed-ips",
        "loadBalancerSourceRanges",
    ] {
        let metadata = format!(", annotations: {{{key}: 10.0.0.0/8}}");
        let service = service(&metadata, "{type: LoadBalancer, ports: [{port: 80}]}");
        let lowered = crate::tests::lowered(&service);
        let told: Vec<String> = lowered.diagnostics.iter().map(|it| it.code.to_string()).collect();
        assert!(
            !told.is_empty() && told.iter().all(|it| it == "access-not-honoured"),
            "{key}: {told:?}"
        );
        assert!(lowered_service(lowered).refusal.is_some(), "{key}");
    }
}

#[test]
fn annotations_of_traefik_on_a_service() {
    let prefix = "traefik.ingress.kubernetes.io";
    for (name, value, code) in [
        ("service.serversscheme", "http", None),
        ("service.serversscheme", "h2c", None),
        ("service.serversscheme", "https", None),
        ("service.serversscheme", "ftp", Some("error backend-protocol-not-honoured")),
        ("service.middlewares", "a-b@kubernetescrd", None),
        ("service.serverstransport", "a-b@kubernetescrd", None),
        ("service.midlewares", "a-b@kubernetescrd", Some("error access-not-honoured")),
        ("service.nativelb", "true", None),
        ("service.nativelb", "perhaps", Some("warning annotation-not-honoured")),
        ("service.sticky.cookie.maxage", "long", Some("warning annotation-not-honoured")),
        ("service.sticky.cookie.samesite", "Strict", None),
        ("service.passhostheader", "false", None),
        ("service.passhostheader", "no", Some("warning annotation-not-honoured")),
        ("router.middlewares", "x", Some("warning annotation-unknown")),
    ] {
        let metadata = format!(", annotations: {{{prefix}/{name}: '{value}'}}");
        let expected = code.map(|code| format!("{code} metadata.annotations[\"{prefix}/{name}\"]"));
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        let lowered = taken(&service(&metadata, "{ports: [{port: 80}]}"), &expected);
        let closed = code.is_some_and(|code| code.starts_with("error"));
        assert_eq!(lowered_service(lowered).backend_refusal.is_some(), closed, "{name}");
    }
}

#[test]
fn what_does_nothing_is_said() {
    let spec = "{type: LoadBalancer, ports: [{port: 80}], healthCheckNodePort: 8080, \
                sessionAffinity: ClientIP}";
    taken(
        &service("", spec),
        &[
            "warning health-check-node-port-unused spec.healthCheckNodePort",
            "warning field-not-honoured spec.sessionAffinity",
        ],
    );
}

#[test]
fn pods() {
    let pod = |metadata: &str, status: &str| {
        let yaml = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: p, labels: {{a: b}}{metadata}}}\n\
             spec: {{nodeName: n1, unknown: 1, containers: [{{ports: [{{name: web, \
             containerPort: 8080}}]}}], initContainers: [{{restartPolicy: Always, ports: \
             [{{name: side, containerPort: 9}}]}}, {{ports: [{{name: gone, containerPort: 1}}]}}]}}\n\
             status: {status}\n"
        );
        let Item::Pod(pod) = only(lowered(&yaml)) else { panic!("a Pod") };
        pod
    };
    let ready = "conditions: [{type: Ready, status: 'True'}]";
    let running = pod("", &format!("{{podIP: 10.0.0.1, {ready}}}"));
    assert_eq!((running.state, running.addresses.len()), (EndpointState::Ready, 1));
    let ports: Vec<&str> = running.named_ports.keys().map(String::as_str).collect();
    assert_eq!(ports, ["side", "web"]);
    assert_eq!(pod("", "{podIP: 10.0.0.1}").state, EndpointState::Ready);
    let both = pod("", &format!("{{podIPs: [{{ip: 10.0.0.1}}, {{ip: 'fd00::1'}}], {ready}}}"));
    assert_eq!(both.addresses.len(), 2);
    let pending = pod("", "{podIP: 10.0.0.1, conditions: [{type: Ready, status: 'False'}]}");
    assert_eq!(pending.state, EndpointState::NotReady);
    let leaving = pod(", deletionTimestamp: '2024'", &format!("{{podIP: 10.0.0.1, {ready}}}"));
    assert_eq!(leaving.state, EndpointState::Terminating);
    assert!(
        pod("", &format!("{{phase: Succeeded, podIP: 10.0.0.1, {ready}}}")).addresses.is_empty()
    );
}

#[test]
fn nodes() {
    let yaml = "apiVersion: v1\nkind: Node\nmetadata: {name: n1, labels: \
                {node.kubernetes.io/exclude-from-external-load-balancers: ''}}\n\
                status: {addresses: [{type: InternalIP, address: 10.0.0.1}, \
                {type: Hostname, address: n1}], conditions: [{type: NetworkUnavailable, \
                status: 'True'}]}\n";
    let Item::Node(node) = only(lowered(yaml)) else { panic!("a Node") };
    assert!(node.excluded && node.network_unavailable);
    assert_eq!((node.internal_ips.len(), &*node.object.namespace), (1, ""));
}

#[test]
fn slices_and_endpoints() {
    let slice = |labels: &str| {
        format!(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: s{labels}}}\n\
             addressType: IPv4\nports: [{{name: web, port: 8080}}, {{}}]\n\
             endpoints: [{{addresses: [10.0.0.1]}}, {{addresses: [10.0.0.2], conditions: \
             {{ready: false, serving: true, terminating: true}}}}, {{addresses: [10.0.0.3], \
             conditions: {{ready: false}}, nodeName: n1}}, {{addresses: [10.0.0.4], conditions: {{ready: false, \
             serving: true}}}}, {{addresses: [10.0.0.5], conditions: {{serving: false}}}}]\n"
        )
    };
    let labelled = slice(", labels: {kubernetes.io/service-name: a}");
    let Item::EndpointSlice(read) = only(lowered(&labelled)) else { panic!("a slice") };
    let states: Vec<EndpointState> = read.endpoints.iter().map(|it| it.state).collect();
    use EndpointState::{NotReady, Ready, Serving, Terminating};
    let expected = [Ready, Terminating, NotReady, Serving, Ready];
    assert_eq!(states, expected);
    assert_eq!(read.service.to_string(), "default/a");
    assert_eq!((read.ports[0].port, read.ports[1].port), (Some(8080), None));
    refused(&slice(""), &["warning slice-without-service metadata.labels"]);

    let yaml = "apiVersion: v1\nkind: Endpoints\nmetadata: {name: a}\nsubsets: \
                [{addresses: [{ip: 10.0.0.1}], notReadyAddresses: [{ip: 10.0.0.2}], \
                ports: [{port: 80}]}, {addresses: [{ip: 10.0.0.3}], ports: [{port: 81}]}]\n";
    assert_eq!(taken(yaml, &[]).items.len(), 2);
    let wrong = "apiVersion: v1\nkind: Endpoints\nmetadata: {name: a}\nsubsets: \
                 [{addresses: [{ip: nas}]}]\n";
    refused(wrong, &["error invalid-value subsets[0].addresses[0].ip"]);
}

#[test]
fn workloads() {
    let workload = |kind: &str, spec: &str| {
        format!("apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: w}}\nspec: {spec}\n")
    };
    let template = "template: {metadata: {labels: {app: a}}, spec: {containers: [{ports: \
                    [{containerPort: 80}, {name: dns, containerPort: 53, protocol: UDP}]}]}}";
    let yaml = workload("Deployment", &format!("{{replicas: 3, {template}}}"));
    let Item::Workload(deployment) = only(lowered(&yaml)) else { panic!("a workload") };
    assert_eq!((deployment.replicas, deployment.ports.len()), (3, 2));
    assert_eq!(deployment.labels["app"], "a");
    let yaml = workload("DaemonSet", &format!("{{{template}}}"));
    let Item::Workload(daemon) = only(lowered(&yaml)) else { panic!("a workload") };
    assert_eq!(daemon.replicas, 1);
    refused(&workload("StatefulSet", "{replicas: -1}"), &["error invalid-value spec.replicas"]);
}

#[test]
fn the_rest_of_the_core() {
    for (kind, expected) in [("Secret", "Secret"), ("Namespace", "Namespace")] {
        let yaml =
            format!("apiVersion: v1\nkind: {kind}\nmetadata: {{name: a}}\ndata: {{k: dg==}}\n");
        let item = only(lowered(&yaml));
        assert!(format!("{item:?}").starts_with(expected), "{item:?}");
    }
}
