use std::sync::Arc;

use steelyard_dialects::LowerOptions;
use steelyard_model::Selector;
use steelyard_model::routing::backend::{Backend, BackendNode, Internal};
use steelyard_model::routing::id::TlsPolicyId;
use steelyard_model::routing::rank::Precedence;
use steelyard_model::routing::route::{Destination, RouteKind};
use steelyard_model::routing::transport::{OriginProtocol, Roots};

use super::*;
use steelyard_testbed::manifests::items_read;

const A: &str = "{clusterIP: None, ports: [{name: http, port: 80}, {name: dns, port: 53, \
                 protocol: UDP}]}";

/// Findings about routes only, not about Services.
fn of_routes(snapshot: &Snapshot) -> Vec<String> {
    let mut found = findings(snapshot);
    found.retain(|line| !line.contains(" Service/"));
    found
}

fn names(snapshot: &Snapshot) -> Vec<String> {
    routes(snapshot).iter().map(|route| route.id.traefik_name()).collect()
}

/// Backends that lead to endpoints, and how these are spoken to.
fn transports(snapshot: &Snapshot) -> Vec<String> {
    let leaves = snapshot.routing.backends.values().filter_map(|node| match &node.backend {
        Backend::Endpoints(leaf) => Some(format!("{} {}", node.id, leaf.transport)),
        _ => None,
    });
    leaves.collect()
}

const BACKEND: &str = "Ingress/default/i spec.rules[0].http.paths[0].backend.service";

#[test]
fn a_missing_service_or_port_keeps_the_route_without_backends() {
    let services = service("grafana", A) + &service("other", A);
    for (to, code, help) in [
        ("graphana", "backend-service-missing", "did you mean `grafana`?"),
        ("zzz", "backend-service-missing", "add the Service"),
        ("grafana:81", "backend-port-missing", "use one of its ports: 80 (http)"),
        ("grafana:htp", "backend-port-missing", "did you mean `http`?"),
        ("grafana:53", "backend-port-missing", "80 (http)"),
        ("grafana:dns", "backend-port-missing", "80 (http)"),
    ] {
        let snapshot = joined(&(services.clone() + &ingress("i", "", "", "a.b", "/", to)));
        let field = if code.contains("port") { "port" } else { "name" };
        assert_eq!(of_routes(&snapshot), [format!("error {code} {BACKEND}.{field}")], "{to}");
        assert!(words(&snapshot, code).contains(help), "{}", words(&snapshot, code));
        assert_eq!(routes(&snapshot).len(), 1);
        assert!(backends(&snapshot, routes(&snapshot)[0]).is_empty());
    }
    let snapshot = joined(&(services + &ingress("i", "", "", "a.b", "/", "grafana:http")));
    assert_eq!(backends(&snapshot, routes(&snapshot)[0]), ["default/grafana:80"]);
}

/// By the port that is meant, also where a Service stands for another one.
#[test]
fn what_speaks_http2_is_spoken_to_in_it() {
    let spec = "{ports: [{name: grpc, port: 80, appProtocol: kubernetes.io/h2c}, \
                {name: http, port: 81}, {name: https-a, port: 82}, {name: b, port: 443}, \
                {name: c, port: 83, appProtocol: https}]}";
    for (to, transport) in [
        ("a:80", "h2c"),
        ("a:grpc", "h2c"),
        ("a:81", "http"),
        ("a:82", "https"),
        ("a:443", "https"),
        ("a:c", "https"),
    ] {
        let snapshot = joined(&(service("a", spec) + &ingress("i", "", "", "a.b", "/", to)));
        let leaves = snapshot.routing.backends.values().filter_map(|node| match &node.backend {
            Backend::Endpoints(leaf) => Some(leaf.transport.to_string()),
            _ => None,
        });
        assert_eq!(leaves.collect::<Vec<_>>(), [transport], "{to}");
        let known = &snapshot.routing.transports;
        assert!(known.values().any(|it| it.id.to_string() == transport), "{to}");
    }
}

/// An annotation of the route counts before one of Traefik's on the Service, and both before what
/// the port says; what several routes say of one port is told apart.
#[test]
fn annotations_say_what_is_spoken() {
    let scheme = |scheme| format!("traefik.ingress.kubernetes.io/service.serversscheme: {scheme}");
    let spoken = |protocol| {
        format!(", annotations: {{nginx.ingress.kubernetes.io/backend-protocol: {protocol}}}")
    };
    let nginx = "ingressClassName: nginx, ";
    let traefik = "ingressClassName: traefik, ";
    let by_port = "{ports: [{port: 80, appProtocol: h2c}]}";
    let tls = "{ports: [{name: https, port: 80}]}";
    let of_route = |class, metadata: &str, service: String, expected: &str| {
        let yaml = service + &ingress("i", metadata, class, "a.b", "/", "a:80");
        let snapshot = joined(&yaml);
        assert_eq!(of_routes(&snapshot), [""; 0]);
        assert_eq!(transports(&snapshot), [expected], "{class}{metadata}");
    };
    for class in ["", traefik] {
        of_route(class, "", annotated("a", &scheme("h2c"), A), "default/a:80@ingress h2c");
        of_route(class, "", annotated("a", &scheme("h2c"), tls), "default/a:80@ingress h2c");
        of_route(class, "", annotated("a", &scheme("http"), tls), "default/a:80@ingress http");
        of_route(class, "", annotated("a", &scheme("http"), by_port), "default/a:80@ingress http");
    }
    let h2c = annotated("a", &scheme("h2c"), A);
    of_route(nginx, "", h2c.clone(), "default/a:80:http@ingress http");
    of_route(nginx, &spoken("GRPC"), h2c, "default/a:80@ingress h2c");
    of_route(nginx, "", service("a", by_port), "default/a:80@ingress h2c");
    for class in ["", nginx] {
        of_route(class, &spoken("HTTP"), service("a", by_port), "default/a:80:http@ingress http");
        of_route(class, &spoken("grpc"), service("a", A), "default/a:80:h2c@ingress h2c");
        of_route(class, &spoken("GRPC"), service("a", tls), "default/a:80:h2c@ingress h2c");
    }
    // TLS is nothing that a port's number or name says in words of nginx, nor verified there.
    let at_443 = "{ports: [{port: 443}]}";
    let said = "{ports: [{port: 80, appProtocol: https}]}";
    let https = "default/a:80:https-unverified@ingress https-unverified";
    for (class, of_port, expected) in [
        (traefik, tls, "default/a:80@ingress https"),
        (nginx, tls, "default/a:80:http@ingress http"),
        (traefik, said, "default/a:80@ingress https"),
        (nginx, said, https),
    ] {
        of_route(class, "", service("a", of_port), expected);
    }
    let grpcs = "default/a:80:h2-unverified@ingress h2-unverified";
    for class in ["", nginx] {
        of_route(class, &spoken("HTTPS"), service("a", A), https);
        of_route(class, &spoken("grpcs"), service("a", A), grpcs);
    }
    of_route(traefik, "", annotated("a", &scheme("https"), A), "default/a:80@ingress https");
    let at = ingress("i", "", nginx, "a.b", "/", "a:443");
    let at = joined(&(service("a", at_443) + &at));
    assert_eq!(transports(&at), ["default/a:443:http@ingress http"]);
    let both = service("a", A)
        + &ingress("i", &spoken("GRPC"), nginx, "a.b", "/", "a:80")
        + &ingress("j", "", nginx, "a.c", "/", "a:80");
    let expected = ["default/a:80:h2c@ingress h2c", "default/a:80@ingress http"];
    assert_eq!(transports(&joined(&both)), expected);
}

/// A Secret with these values.
fn secret(values: &[(&str, &str)]) -> String {
    let lines = values.iter().map(|(key, value)| {
        let value = value.trim_end().replace('\n', "\n    ");
        format!("  {key}: |\n    {value}\n")
    });
    let lines: String = lines.collect();
    format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData:\n{lines}")
}

/// What a Secret says is what TLS is spoken by; it is in force with its next version, and without
/// it nothing is.
#[test]
fn a_secret_says_whom_to_believe_and_what_to_show() {
    use steelyard_model::routing::transport::{OriginProtocol, Roots, Transport};
    let pair = rcgen::KeyPair::generate().unwrap();
    let mut asked = rcgen::CertificateParams::new(vec!["us.test".to_owned()]).unwrap();
    asked.distinguished_name = rcgen::DistinguishedName::new();
    asked.distinguished_name.push(rcgen::DnType::CommonName, "us.test");
    let (pem, pair) = (asked.self_signed(&pair).unwrap().pem(), pair.serialize_pem());
    let (ca, certificate, key) = ("ca.crt", "tls.crt", "tls.key");
    let full = [(ca, pem.as_str()), (certificate, pem.as_str()), (key, pair.as_str())];
    let world = |annotations: &str, values: &[(&str, &str)]| {
        let prefix = "nginx.ingress.kubernetes.io/";
        let all = format!(
            ", annotations: {{{prefix}backend-protocol: HTTPS, {prefix}proxy-ssl-secret: default/s\
             {}}}",
            annotations.replace(" proxy", &format!(" {prefix}proxy"))
        );
        let secret = if values.is_empty() { String::new() } else { secret(values) };
        let ingress = ingress("i", &all, "ingressClassName: nginx, ", "a.b", "/", "a:80");
        joined(&(service("a", A) + &ingress + &secret))
    };
    let spoken = |snapshot: &Snapshot| -> Transport {
        let id = "default/i:https-unverified".into();
        (**snapshot.routing.transports.get(&id).expect("a transport")).clone()
    };
    let snapshot = world("", &full);
    assert_eq!(of_routes(&snapshot), [""; 0]);
    let backend = "default/a:80:default/i:https-unverified@ingress default/i:https-unverified";
    assert_eq!(transports(&snapshot), [backend]);
    let transport = spoken(&snapshot);
    let tls = transport.tls.unwrap();
    assert_eq!((transport.protocol, &tls.roots), (OriginProtocol::Http1, &Roots::Nobody));
    assert_eq!((tls.server_name.as_deref(), tls.sends_name), (Some("upstream_balancer"), false));
    assert_eq!(&*tls.client.unwrap().subject, "us.test");
    let verified = ", proxy-ssl-verify: 'on', proxy-ssl-name: B.Test, proxy-ssl-server-name: 'on'";
    let tls = spoken(&world(verified, &full)).tls.unwrap();
    assert_eq!((tls.server_name.as_deref(), tls.sends_name), (Some("b.test"), true));
    assert!(matches!(&tls.roots, Roots::Pem(pem) if pem.trim() == full[0].1.trim()));
    let tls = spoken(&world(verified, &full[..1])).tls.unwrap();
    assert_eq!(tls.client, None);
    let tls = spoken(&world(verified, &full[1..])).tls.unwrap();
    assert_eq!(tls.roots, Roots::System, "what is to be verified is");
    let place =
        "Ingress/default/i metadata.annotations[\"nginx.ingress.kubernetes.io/proxy-ssl-secret\"]";
    for (values, word) in [
        (&[][..], "there is no Secret"),
        (&[("other", "x")], "has no `ca.crt`"),
        (&[(ca, "junk")], "no PEM certificate"),
        (&full[1..2], "has no `tls.key`"),
    ] {
        let snapshot = world(verified, values);
        assert_eq!(of_routes(&snapshot), [format!("error backend-tls-secret {place}")], "{word}");
        assert!(words(&snapshot, "backend-tls-secret").contains(word), "{word}");
        assert!(snapshot.routing.refusal(routes(&snapshot)[0]).is_some(), "{word}");
    }
}

/// A Secret of another namespace counts where the settings of all let it, and else closes.
#[test]
fn a_secret_of_another_namespace_counts_where_that_is_allowed() {
    let pair = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["us.test".to_owned()]).unwrap();
    let pem = params.self_signed(&pair).unwrap().pem();
    let of_other = secret(&[("ca.crt", &pem)]).replace("{name: s}", "{name: s, namespace: x}");
    let annotations = ", annotations: {nginx.ingress.kubernetes.io/backend-protocol: HTTPS, \
                       nginx.ingress.kubernetes.io/proxy-ssl-secret: x/s}";
    let ingress = ingress("i", annotations, "ingressClassName: nginx, ", "a.b", "/", "a:80");
    for (allowed, is_refused) in [("true", false), ("false", true)] {
        let map = format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: ingress-nginx-controller, \
             namespace: ingress-nginx}}\ndata: {{allow-cross-namespace-resources: '{allowed}'}}\n"
        );
        let snapshot = joined(&(service("a", A) + &ingress + &of_other + &map));
        let refusal = snapshot.routing.refusal(routes(&snapshot)[0]);
        assert_eq!(refusal.is_some(), is_refused, "{allowed}");
        assert_eq!(!of_routes(&snapshot).is_empty(), is_refused, "{allowed}");
        if is_refused {
            assert!(words(&snapshot, "backend-tls-secret").contains("is in another namespace"));
        }
    }
}

#[test]
fn services_of_another_namespace_are_no_backends() {
    let elsewhere = "---\napiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: x}\n\
                     spec: {ports: [{port: 80}]}\n";
    let snapshot = joined(&(ingress("i", "", "", "a.b", "/", "a") + elsewhere));
    assert!(
        words(&snapshot, "backend-service-missing")
            .contains("namespace x has a Service of this name")
    );
}

#[test]
fn an_external_name_is_a_backend() {
    let nginx = "ingressClassName: nginx, ";
    for (class, name, ports, to, endpoint) in [
        ("", "nas.lan", "", "a:8123", "nas.lan:8123"),
        ("", "192.168.20.75", "ports: [{name: web, port: 8006}]", "a:web", "192.168.20.75:8006"),
        ("", "nas.lan", "ports: [{port: 80, targetPort: 5000}]", "a:80", "nas.lan:80"),
        (nginx, "nas.lan", "ports: [{port: 80, targetPort: 5000}]", "a:80", "nas.lan:5000"),
        (nginx, "nas.lan", "ports: [{port: 80}]", "a:8123", "nas.lan:8123"),
        ("", "b.x.svc.cluster.local", "", "a:81", "10.0.0.7:8080"),
        ("", "b.x.svc", "ports: [{name: web, port: 81}]", "a:web", "10.0.0.7:8080"),
    ] {
        let spec = format!("{{type: ExternalName, externalName: {name}, {ports}}}");
        let yaml = service("a", &spec) + OTHER + &ingress("i", "", class, "a.b", "/", to);
        let snapshot = joined(&yaml);
        assert_eq!(of_routes(&snapshot), [""; 0], "{name} {to}");
        let endpoints = ends(&snapshot, routes(&snapshot)[0]);
        let endpoints: Vec<String> = endpoints.iter().map(ToString::to_string).collect();
        assert_eq!(endpoints, [endpoint], "{name} {to}");
    }
}

/// A Service of another namespace, with an endpoint.
const OTHER: &str = "---\napiVersion: v1\nkind: Service\n\
                     metadata: {name: b, namespace: x, annotations: \
                     {steelyard.dev/endpoints: '10.0.0.7:8080'}}\nspec: {ports: [{port: 81}]}\n";

#[test]
fn an_external_name_for_nothing_answers_503() {
    for (name, to, code) in [
        ("c.x.svc.cluster.local", "a:81", "backend-external-name"),
        ("b.x.svc.cluster.local", "a:80", "backend-external-name"),
        ("a.default.svc", "a:80", "backend-external-name"),
        ("nas.lan", "a:web", "backend-port-missing"),
    ] {
        let spec = format!("{{type: ExternalName, externalName: {name}}}");
        let yaml = service("a", &spec) + OTHER + &ingress("i", "", "", "a.b", "/", to);
        let snapshot = joined(&yaml);
        let field = if code.contains("port") { "port" } else { "name" };
        assert_eq!(of_routes(&snapshot), [format!("error {code} {BACKEND}.{field}")], "{name}");
        assert!(backends(&snapshot, routes(&snapshot)[0]).is_empty());
    }
}

/// Which listeners have the route, by what its Ingress says of entry points and TLS.
#[test]
fn where_routes_are_served_is_what_their_ingress_says() {
    const TLS: &str = "tls: [{hosts: [a.b]}], ";
    let (traefik, nginx) = ("traefik.ingress.kubernetes.io", "nginx.ingress.kubernetes.io");
    let on = |names: &str| format!("{traefik}/router.entrypoints: '{names}'");
    let tls = |is_tls: &str| format!("{traefik}/router.tls: '{is_tls}'");
    let forced = format!("{nginx}/force-ssl-redirect: 'true'");
    let plainly = format!("{nginx}/ssl-redirect: 'false'");
    for (class, spec, annotations, listeners, redirects) in [
        ("", "", vec![], "web websecure/tls", false),
        ("traefik", "", vec![], "web websecure/tls", false),
        ("traefik", "", vec![on("web")], "web", false),
        ("", TLS, vec![], "web websecure/tls", false),
        ("traefik", TLS, vec![], "web websecure/tls", false),
        ("traefik", "", vec![on("websecure")], "websecure/tls", false),
        ("traefik", TLS, vec![on("websecure")], "websecure/tls", false),
        ("traefik", "", vec![on("web, websecure")], "web websecure/tls", false),
        ("traefik", "", vec![tls("true")], "web/tls websecure/tls", false),
        ("traefik", "", vec![tls("true"), on("web")], "web/tls", false),
        ("traefik", "", vec![tls("false")], "web websecure/tls", false),
        ("traefik", TLS, vec![forced.clone()], "web websecure/tls", false),
        ("nginx", "", vec![], "web websecure/tls", false),
        ("nginx", TLS, vec![], "web websecure/tls", true),
        ("nginx", TLS, vec![plainly.clone()], "web websecure/tls", false),
        ("nginx", "", vec![forced.clone()], "web websecure/tls", true),
        ("nginx", TLS, vec![forced, plainly], "web websecure/tls", true),
    ] {
        let class =
            if class.is_empty() { String::new() } else { format!("ingressClassName: {class}, ") };
        let written = format!(", annotations: {{{}}}", annotations.join(", "));
        let yaml =
            service("a", A) + &ingress("i", &written, &(class.clone() + spec), "a.b", "/", "a");
        let snapshot = joined(&yaml);
        assert_eq!(of_routes(&snapshot), [""; 0], "{class}{spec}{written}");
        let route = routes(&snapshot)[0];
        let found: Vec<&str> = route.listeners.iter().map(|it| it.as_str()).collect();
        assert_eq!(found.join(" "), listeners, "{class}{spec}{written}");
        let uses: Vec<&str> = route.uses.iter().map(|it| it.filter.as_str()).collect();
        let expected: &[&str] = match (class.contains("nginx"), redirects) {
            (true, true) => {
                &["nginx-site@internal", "nginx-body@internal", "nginx-secure@internal"]
            }
            (true, false) => &["nginx-site@internal", "nginx-body@internal"],
            (false, true) => &["redirect-to-https@internal"],
            (false, false) => &[],
        };
        assert_eq!(uses, expected, "{class}{spec}{written}");
    }
    let only = |spec: &str, names: &str| {
        let written = format!(", annotations: {{{}}}", on(names));
        joined(&(service("a", A) + &ingress("i", &written, spec, "a.b", "/", "a")))
    };
    assert_eq!(of_routes(&only(TLS, "web")), ["warning tls-not-served Ingress/default/i spec.tls"]);
    let place = "Ingress/default/i metadata.annotations\
                 [\"traefik.ingress.kubernetes.io/router.entrypoints\"]";
    assert_eq!(of_routes(&only("", "web, w")), [format!("error entry-point-missing {place}")]);
}

/// Beside the route for requests, which stays as it is, in words of ingress-nginx and of nobody.
#[test]
fn handshakes_are_passed_on_where_an_ingress_asks_for_it() {
    let (traefik, nginx) = ("traefik.ingress.kubernetes.io", "nginx.ingress.kubernetes.io");
    let passes = format!("{nginx}/ssl-passthrough: 'true'");
    let on = |names: &str| format!("{passes}, {traefik}/router.entrypoints: '{names}'");
    let closed = format!("{passes}, {nginx}/auth-url: 'ftp://a/'");
    let joined = |class: &str, annotations: &str, to: &str| {
        let written = format!(", annotations: {{{annotations}}}");
        let class =
            if class.is_empty() { String::new() } else { format!("ingressClassName: {class}, ") };
        joined(&(service("a", A) + &ingress("i", &written, &class, "a.b", "/", to)))
    };
    let through = |snapshot: &Snapshot| {
        let all = routes(snapshot);
        let found = all.iter().find(|it| it.kind == RouteKind::Tcp);
        let found = found.map(|route| {
            let listeners: Vec<&str> = route.listeners.iter().map(|it| it.as_str()).collect();
            format!("{} {} {}", route.id, route.rule, listeners.join(" "))
        });
        (all.len(), found.unwrap_or_default())
    };
    let expected = |at: &str| (2, format!("default/i/0/tls@ingress HostSNI(`a.b`) {at}"));
    for (class, annotations, at) in [
        ("nginx", &passes, "websecure/passthrough"),
        ("", &passes, "websecure/passthrough"),
        ("", &on("web"), "web/passthrough"),
        ("nginx", &on("web"), "websecure/passthrough"),
    ] {
        let snapshot = joined(class, annotations, "a");
        assert_eq!(of_routes(&snapshot), [""; 0], "{class} {annotations}");
        assert_eq!(through(&snapshot), expected(at), "{class} {annotations}");
        assert_eq!(
            transports(&snapshot),
            ["default/a:80:tcp@ingress tcp", "default/a:80@ingress http"]
        );
    }
    assert_eq!(through(&joined("traefik", &passes, "a")).0, 1);
    let mut ending = ResolveOptions::default();
    ending.nginx.ends_all_tls = true;
    let written = format!(", annotations: {{{passes}}}");
    let text =
        service("a", A) + &ingress("i", &written, "ingressClassName: nginx, ", "a.b", "/", "a");
    assert_eq!(through(&resolve(&items(&text), &ending)).0, 1, "as if nothing were asked");
    // What is missing, or closed, is so for handshakes too, and is said once.
    let missing = joined("nginx", &passes, "b");
    assert_eq!(of_routes(&missing).len(), 1);
    assert_eq!(through(&missing), expected("websecure/passthrough"));
    let closed = joined("nginx", &closed, "a");
    for route in routes(&closed) {
        assert!(
            refusal(&closed, route).is_some_and(|why| why.contains("auth-url")),
            "{}",
            route.id
        );
    }
}

/// Challenges of certificates are asked for in plain.
#[test]
fn who_asks_for_a_challenge_is_led_nowhere() {
    for path in ["/.well-known/acme-challenge", "/.well-known/acme-challenge/abc"] {
        let spec = "ingressClassName: nginx, tls: [{hosts: [a.b]}], ";
        let snapshot = joined(&(service("a", A) + &ingress("i", "", spec, "a.b", path, "a")));
        let uses = &routes(&snapshot)[0].uses;
        assert!(
            uses.iter().all(|it| it.filter.as_str() != "nginx-secure@internal"),
            "{path}: {uses:?}"
        );
    }
}

#[test]
fn what_is_not_spoken_to_answers_503() {
    let annotation = "traefik.ingress.kubernetes.io/service.serversscheme: ftp";
    let annotated = annotated("a", annotation, "{ports: [{port: 80}]}");
    for (class, refused) in [("", true), ("ingressClassName: nginx, ", false)] {
        let yaml = annotated.clone() + &ingress("i", "", class, "a.b", "/", "a");
        let snapshot = joined(&yaml);
        assert_eq!(refusal(&snapshot, routes(&snapshot)[0]).is_some(), refused);
    }

    let auth = ", annotations: {nginx.ingress.kubernetes.io/auth-url: 'ftp://x/'}";
    let snapshot = joined(&(service("a", A) + &ingress("i", auth, "", "a.b", "/", "a")));
    let why = refusal(&snapshot, routes(&snapshot)[0]).unwrap();
    assert!(why.contains("auth-url"), "{why}");
}

#[test]
fn of_two_equal_routes_the_older_object_has_it() {
    let created = |time: &str| format!(", creationTimestamp: '{time}'");
    let old = created("2024-01-01T00:00:00Z");
    let new = created("2025-01-01T00:00:00Z");
    for (first, second, winner) in [
        ("", "", "default-a-0@ingress"),
        ("", new.as_str(), "default-b-0@ingress"),
        (new.as_str(), old.as_str(), "default-b-0@ingress"),
        (old.as_str(), new.as_str(), "default-a-0@ingress"),
    ] {
        let yaml = service("a", A)
            + &ingress("b", second, "", "a.b", "/x", "a")
            + &ingress("a", first, "", "a.b", "/x/", "a");
        let snapshot = joined(&yaml);
        assert_eq!(names(&snapshot), [winner]);
        let loser = if winner.contains("-a-") { "b" } else { "a" };
        let at = format!("Ingress/default/{loser} spec.rules[0].http.paths[0]");
        assert_eq!(of_routes(&snapshot), [format!("error route-duplicate {at}")]);
    }
}

#[test]
fn equal_only_if_host_path_and_kind_of_path_are() {
    let yaml = service("a", A)
        + &ingress("i", "", "", "a.b", "/x", "a")
        + &ingress("j", "", "", "a.b", "/y", "a")
        + &ingress("k", "", "", "*.b", "/x", "a")
        + &ingress("l", "", "", "a.b", "/x", "a").replace("Prefix", "Exact");
    let snapshot = joined(&yaml);
    assert_eq!(of_routes(&snapshot), [""; 0]);
    let order = ["default-l-0", "default-i-0", "default-j-0", "default-k-0"];
    let order: Vec<String> = order.iter().map(|name| format!("{name}@ingress")).collect();
    assert_eq!(names(&snapshot), order);
    let rules = routes(&snapshot);
    let rule = |at: usize| (rules[at].rule.to_string(), rules[at].rank.number);
    assert_eq!(rule(0), ("Host(`a.b`) && Path(`/x`)".into(), 25));
    assert_eq!(rule(3), ("Host(`*.b`) && PathPrefix(`/x`)".into(), 31));
}

#[test]
fn equal_routes_on_other_entry_points_are_not_equal() {
    let on = |names: &str| {
        format!(", annotations: {{traefik.ingress.kubernetes.io/router.entrypoints: '{names}'}}")
    };
    let yaml = service("a", A)
        + &ingress("i", &on("web"), "", "a.b", "/", "a")
        + &ingress("j", &on("websecure, web"), "", "a.b", "/", "a");
    let snapshot = joined(&yaml);
    let second = routes(&snapshot)[1];
    assert_eq!(snapshot.routing.entry_points_of(second), [&"websecure".into()]);
    assert!(words(&snapshot, "route-duplicate").contains("Ingress/default/i"));
    let nowhere = joined(&(service("a", A) + &ingress("i", &on("wbe"), "", "a.b", "/", "a")));
    assert!(routes(&nowhere).is_empty());
    assert!(words(&nowhere, "entry-point-missing").contains("web, websecure"));
}

/// Flags and variables have no case, so what is called so in a file has none either.
#[test]
fn names_of_entry_points_have_no_case() {
    let on = ", annotations: {traefik.ingress.kubernetes.io/router.entrypoints: 'Web, WEBSECURE'}";
    let route = "---\napiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: r}\n\
                 spec: {entryPoints: [webSecure], routes: [{match: 'Host(`c.d`)', services: [{name: a, \
                 port: 80}]}]}\n";
    let yaml = service("a", A) + &ingress("i", on, "", "a.b", "/", "a") + route;
    let snapshot = joined(&yaml);
    let all = routes(&snapshot);
    let names: Vec<_> = all.iter().map(|it| snapshot.routing.entry_points_of(it).len()).collect();
    assert_eq!(names, [2, 1]);
    let found = findings(&snapshot);
    assert!(!found.iter().any(|it| it.contains("entry-point-missing")), "{found:?}");
}

#[test]
fn an_entry_point_of_the_other_protocol_is_no_missing_one() {
    let mut options = ResolveOptions::default();
    let dns = EntryPoint { protocol: steelyard_model::Protocol::Udp, ..EntryPoint::new("dns", 53) };
    options.entry_points.push(dns);
    let yaml = |kind: &str, point: &str, rule: &str| {
        format!(
            "apiVersion: traefik.io/v1alpha1\nkind: {kind}\nmetadata: {{name: r}}\nspec: \
             {{entryPoints: [{point}], routes: [{{{rule}services: [{{name: a, port: 80}}]}}]}}\n---\n"
        )
    };
    let rule = "match: 'Host(`a.b`)', ";
    let of_requests = yaml("IngressRoute", "DNS", rule) + &service("a", A);
    let said = words(&resolve(&items(&of_requests), &options), "entry-point-missing");
    assert!(said.contains("the entry point `DNS` is of UDP"), "{said}");
    assert!(
        said.contains("use one of web, websecure, or start with --entrypoints.NAME."),
        "{said}"
    );
    let of_datagrams = yaml("IngressRouteUDP", "web", "") + &service("a", A);
    let said = words(&resolve(&items(&of_datagrams), &options), "entry-point-missing");
    assert!(said.contains("the entry point `web` is of TCP"), "{said}");
    assert!(said.contains("use one of dns, or"), "{said}");
    let alone = ResolveOptions::default();
    let of_datagrams = yaml("IngressRouteUDP", "dns", "") + &service("a", A);
    let said = words(&resolve(&items(&of_datagrams), &alone), "entry-point-missing");
    assert!(said.contains("start with --entrypoints.dns.address=:PORT/udp"), "{said}");
    assert!(!said.contains("use one of"), "{said}");
}

#[test]
fn whose_class_it_is() {
    let class = |name: &str, controller: &str| {
        format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\n\
             metadata: {{name: {name}}}\nspec: {{controller: {controller}}}\n"
        )
    };
    for (name, object, ours) in [
        ("traefik", String::new(), true),
        ("nginx", String::new(), true),
        ("steelyard", String::new(), true),
        ("haproxy", String::new(), false),
        ("internal", class("internal", "k8s.io/ingress-nginx"), true),
        ("internal", class("internal", "traefik.io/ingress-controller"), true),
        ("internal", class("internal", "haproxy.org/ingress-controller"), false),
        // F5's controller calls its class nginx as well.
        ("nginx", class("nginx", "nginx.org/ingress-controller"), false),
    ] {
        let spec = format!("ingressClassName: {name}, ");
        let yaml = service("a", A) + &ingress("i", "", &spec, "a.b", "/", "a") + &object;
        let snapshot = joined(&yaml);
        assert_eq!(routes(&snapshot).len(), usize::from(ours), "{name} {object}");
        let info = "info class-not-ours Ingress/default/i spec.ingressClassName".to_owned();
        assert_eq!(of_routes(&snapshot), if ours { vec![] } else { vec![info] });
    }
}

#[test]
fn the_default_class() {
    let class = |controller: &str| {
        format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {{name: main, \
             annotations: {{ingressclass.kubernetes.io/is-default-class: 'true'}}}}\n\
             spec: {{controller: {controller}}}\n"
        )
    };
    let yaml = service("a", A) + &ingress("i", "", "", "a.b", "/", "a");
    let ours = joined(&(class("k8s.io/ingress-nginx") + &yaml));
    assert_eq!(routes(&ours).len(), 1);
    let foreign = joined(&(class("haproxy.org/ingress-controller") + &yaml));
    assert_eq!(of_routes(&foreign), ["info class-not-ours Ingress/default/i spec"]);
    assert!(words(&foreign, "class-not-ours").contains("haproxy.org"));
}

#[test]
fn default_backends_come_last_and_once() {
    let default = |name: &str| {
        format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}}}\n\
             spec: {{defaultBackend: {{service: {{name: a, port: {{number: 80}}}}}}}}\n"
        )
    };
    let yaml =
        default("a") + &default("b") + &service("a", A) + &ingress("i", "", "", "", "/x", "a");
    let snapshot = joined(&yaml);
    assert_eq!(names(&snapshot), ["default-i-0@ingress", "default-a-0@ingress"]);
    assert_eq!(routes(&snapshot)[1].rule.to_string(), "PathPrefix(`/`)");
    assert_eq!(
        of_routes(&snapshot),
        ["error route-duplicate Ingress/default/b spec.defaultBackend"]
    );
}

#[test]
fn certificates_are_those_of_secrets_that_are_named() {
    let good = steelyard_testbed::manifests::tls_secret("a-tls");
    let empty = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: bare}\n";
    let with = |name: &str, host: &str| {
        let tls = format!("tls: [{{hosts: [{host}], secretName: {name}}}], ");
        joined(&(service("a", A) + &good + empty + &ingress("i", "", &tls, host, "/", "a")))
    };
    let found = |snapshot: &Snapshot| {
        let all = snapshot.routing.certificates.values();
        all.map(|it| it.id.to_string()).collect::<Vec<_>>()
    };
    let place = "Ingress/default/i spec.tls[0].secretName";
    for (name, host, certificates, code) in [
        ("a-tls", "other.homelab.local", vec!["default/a-tls"], ""),
        ("a-tls", "x.apps.homelab.local", vec!["default/a-tls"], ""),
        ("a-tls", "apps.homelab.local", vec!["default/a-tls"], "tls-name-not-covered"),
        ("bare", "a.b", vec![], "tls-secret-unfit"),
        ("b-tls", "a.b", vec![], "tls-secret-missing"),
    ] {
        let snapshot = with(name, host);
        assert_eq!(found(&snapshot), certificates, "{name} {host}");
        let expected =
            if code.is_empty() { vec![] } else { vec![format!("warning {code} {place}")] };
        assert_eq!(of_routes(&snapshot), expected, "{name} {host}");
    }
    assert!(words(&with("b-tls", "a.b"), "tls-secret-missing").contains("did you mean `a-tls`?"));
    assert!(words(&with("bare", "a.b"), "tls-secret-unfit").contains("it has no `tls.crt`"));
    // Nobody names it.
    assert!(found(&joined(&(service("a", A) + &good))).is_empty());
}

/// Each class has its own controller's manner.
#[test]
fn the_class_says_how_requests_are_passed_on() {
    use steelyard_model::routing::route::Manner::{Nginx, Traefik};
    for (class, expected) in [("", Traefik), ("traefik", Traefik), ("nginx", Nginx)] {
        let spec =
            if class.is_empty() { "".into() } else { format!("ingressClassName: {class}, ") };
        let snapshot = joined(&(service("a", A) + &ingress("i", "", &spec, "a.b", "/", "a:80")));
        assert_eq!(routes(&snapshot)[0].manner, expected, "{class}");
    }
}

/// Namespaces and names may have hyphens: ids tell apart what is called alike.
#[test]
fn routes_called_alike_are_two() {
    let elsewhere =
        |text: &str| text.replace("metadata: {name: c", "metadata: {namespace: a-b, name: c");
    let yaml = service("c", A) + &ingress("c", "", "", "one.b", "/", "c");
    let other = service("b-c", A) + &ingress("b-c", "", "", "two.b", "/", "b-c");
    let other = other.replace("metadata: {name: b-c", "metadata: {namespace: a, name: b-c");
    let snapshot = joined(&(elsewhere(&yaml) + &other));
    assert_eq!(names(&snapshot), ["a-b-c-0@ingress"; 2]);
    let led: Vec<String> =
        routes(&snapshot).iter().flat_map(|route| backends(&snapshot, route)).collect();
    assert_eq!(led, ["a-b/c:80", "a/b-c:80"]);
}

/// However many routes lead to a Service port, its endpoints are there once.
#[test]
fn endpoints_are_there_once() {
    let yaml = service("a", A) + &pod("p", "x: y", "10.0.0.1", "{containerPort: 80}");
    let yaml =
        yaml + &ingress("i", "", "", "a.b", "/", "a") + &ingress("j", "", "", "c.d", "/", "a");
    let routing = joined(&yaml).routing;
    let is_led = |it: &&Arc<BackendNode>| matches!(it.backend, Backend::Endpoints(_));
    let backends = routing.backends.values().filter(is_led).count();
    assert_eq!((routing.routes.len(), backends, routing.endpoint_sets.len()), (2, 1, 1));
}

/// The controller of the class reads an Ingress, whatever the class is called, and nobody else
/// does; where no class is named, what closes in anybody's words closes.
#[test]
fn the_class_picks_the_reading() {
    let class = |controller: &str| {
        format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\n\
             metadata: {{name: inside}}\nspec: {{controller: {controller}}}\n"
        )
    };
    let nginx = "nginx.ingress.kubernetes.io/auth-url: x";
    let traefik = "traefik.ingress.kubernetes.io/router.middlewares: x";
    for (controller, annotation, is_closed, is_told) in [
        ("k8s.io/ingress-nginx", nginx, true, true),
        ("k8s.io/ingress-nginx", traefik, false, false),
        ("traefik.io/ingress-controller", nginx, false, true),
        ("traefik.io/ingress-controller", traefik, true, true),
        ("steelyard.dev/ingress-controller", nginx, true, true),
        ("steelyard.dev/ingress-controller", traefik, true, true),
        ("", nginx, true, true),
        ("", traefik, true, true),
    ] {
        let annotations = format!(", annotations: {{{annotation}}}");
        let spec = if controller.is_empty() { "" } else { "ingressClassName: inside, " };
        let yaml = service("a", A) + &ingress("i", &annotations, spec, "a.b", "/", "a");
        let yaml = if controller.is_empty() { yaml } else { yaml + &class(controller) };
        let snapshot = joined(&yaml);
        let route = routes(&snapshot)[0];
        assert_eq!(refusal(&snapshot, route).is_some(), is_closed, "{controller} {annotation}");
        assert_eq!(!of_routes(&snapshot).is_empty(), is_told, "{controller} {annotation}");
    }
}

/// As Traefik: an exact path loses to a prefix whose rule is longer, and prefixes go by bytes.
#[test]
fn ingresses_in_the_manner_of_traefik() {
    let text = service("a", A)
        + &ingress("exact", "", "", "a.b", "/x", "a:80").replace("Prefix", "Exact")
        + &ingress("prefix", "", "", "a.b", "/x/", "a:80");
    let named = |as_traefik| {
        let options = ResolveOptions { as_traefik, ..ResolveOptions::default() };
        let snapshot = resolve(&items(&text), &options);
        let rules = routes(&snapshot).into_iter().map(|it| it.rule.to_string());
        let matches = |path: &str| {
            let shapes = routes(&snapshot).into_iter().filter_map(|it| it.rule.path().cloned());
            shapes.filter(|it| it.shape.matches(path)).count()
        };
        (rules.collect::<Vec<_>>(), matches("/x"), matches("/x/y"))
    };
    let exact = "Host(`a.b`) && Path(`/x`)".to_owned();
    let (order, at, below) = named(false);
    assert_eq!((&order[0], at, below), (&exact, 2, 1));
    let (order, at, below) = named(true);
    assert_eq!((&order[1], at, below), (&exact, 1, 1));
    assert_eq!(order[0], "Host(`a.b`) && PathPrefix(`/x/`)");
}

/// A service that is not there is told by the name that its route has for it.
#[test]
fn a_missing_service_is_told_by_its_name() {
    for (to, expected) in [
        ("{name: nope, kind: TraefikService}", "default-nope@kubernetescrd"),
        ("{name: nope@file, kind: TraefikService}", "nope@file"),
    ] {
        let snapshot = joined(&format!(
            "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {{name: r}}\nspec: \
             {{routes: [{{match: Host(`a.b`), services: [{to}]}}]}}\n"
        ));
        let Destination::Backend(id) = &routes(&snapshot)[0].to else { panic!("a backend") };
        let Backend::Refused { instead_of: Some(named), .. } =
            &snapshot.routing.backends[id].backend
        else {
            panic!("{:?}", snapshot.routing.backends[id])
        };
        assert_eq!(named.traefik_name(), expected);
        assert!(snapshot.routing.backends.get(named).is_none());
    }
}

/// What Traefik's providers are told not to look at is not there, and what must not be named is
/// not led to.
#[test]
fn options_of_the_providers() {
    let route = |namespace: &str, class: &str, to: &str| {
        format!(
            "---\napiVersion: traefik.io/v1alpha1\nkind: IngressRoute\n\
             metadata: {{name: r, namespace: {namespace}}}\nspec: {{ingressClassName: {class}, \
             routes: [{{match: Host(`{namespace}.b`), services: [{to}]}}]}}\n"
        )
    };
    let text = service("a", A)
        + &service("name", "{type: ExternalName, externalName: nas.lan}")
        + &route("default", "traefik", "{name: a, port: 80}")
        + &route("other", "lb", "{name: api@internal, kind: TraefikService}")
        + &route("names", "traefik", "{name: name, namespace: default, port: 80}")
        + &ingress("i", "", "ingressClassName: traefik, ", "i.b", "/", "name:80");
    let served = |change: &dyn Fn(&mut ResolveOptions)| {
        let mut options = ResolveOptions { allow_cross_namespace: true, ..Default::default() };
        options.exposure.services.insert(Internal::Api);
        change(&mut options);
        let snapshot = resolve(&items(&text), &options);
        let served = routes(&snapshot).into_iter();
        let is_refused = |it: &&Route| match &it.to {
            Destination::Backend(id) => {
                matches!(snapshot.routing.backends[id].backend, Backend::Refused { .. })
            }
            Destination::Routes(_) => false,
        };
        let served = served.filter(|it| !is_refused(it));
        let hosts = served.map(|it| it.rule.host().to_string());
        let mut hosts: Vec<String> = hosts.collect();
        hosts.sort();
        hosts.join(" ")
    };
    assert_eq!(served(&|_| {}), "default.b i.b names.b");
    assert_eq!(served(&|it| it.crd.namespaces = ["other".into()].into()), "i.b");
    assert_eq!(served(&|it| it.crd.ingress_class = "lb".into()), "i.b other.b");
    assert_eq!(served(&|it| it.ingress.ingress_class = "lb".into()), "default.b names.b");
    assert_eq!(served(&|it| it.ingress.namespaces = ["x".into()].into()), "default.b names.b");
    let unnamed = |it: &mut ResolveOptions| it.crd.allow_external_name_services = Some(false);
    assert_eq!(served(&unnamed), "default.b i.b");
    assert_eq!(served(&|it| it.as_traefik = true), "default.b");
    let closed = |it: &mut ResolveOptions| {
        it.crd.ingress_class = "lb".into();
        it.crd.cross_provider_namespaces = Some(["x".into()].into());
    };
    assert_eq!(served(&closed), "i.b");
}

/// Who is asked for a Service that does not say so is an option; whose an Ingress is may be said by
/// names alone; of equal routes the one of the first provider counts; and what has not the labels
/// that are asked for is not there.
#[test]
fn options_that_change_what_is_not_said() {
    const T: &str = "traefik.ingress.kubernetes.io";
    let spec = "{clusterIP: 10.96.0.9, ports: [{port: 80}]}";
    let of_kind = |name: &str, more: &str, service: &str| {
        format!(
            "---\napiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {{name: {name}}}\n\
             spec: {{routes: [{{match: Host(`{name}.b`){more}, services: [{{name: {service}, \
             port: 80{}}}]}}]}}\n",
            if name == "told" { ", nativeLB: false" } else { "" }
        )
    };
    let text = service("a", spec)
        + &annotated("told", &format!("{T}/service.nativelb: 'false'"), spec)
        + &service("headless", "{clusterIP: None, ports: [{port: 80}]}")
        + &of_kind("kind", "", "a")
        + &of_kind("told", "", "a")
        + &of_kind("bare", "", "headless")
        + &ingress("i", "", "", "i.b", "/", "a:80")
        + &ingress("told", "", "", "own.b", "/", "told:80");
    let asked = |change: &dyn Fn(&mut ResolveOptions)| {
        let mut options = ResolveOptions::default();
        change(&mut options);
        let snapshot = resolve(&items(&text), &options);
        let natively = routes(&snapshot).into_iter().filter(|it| !ends(&snapshot, it).is_empty());
        let mut hosts: Vec<String> = natively.map(|it| it.rule.host().to_string()).collect();
        hosts.sort();
        hosts.join(" ")
    };
    assert_eq!(asked(&|_| {}), "");
    assert_eq!(asked(&|it| it.crd.native_lb_by_default = true), "kind.b");
    assert_eq!(asked(&|it| it.ingress.native_lb_by_default = true), "i.b");

    let class = "---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: NAME}\n\
                 spec: {controller: CONTROLLER}\n";
    let text = service("a", A)
        + &class.replace("NAME", "lb").replace("CONTROLLER", "traefik.io/ingress-controller")
        + &class.replace("NAME", "traefik").replace("CONTROLLER", "example.com/other")
        + &ingress("i", "", "ingressClassName: lb, ", "lb.b", "/", "a:80")
        + &ingress("j", "", "ingressClassName: traefik, ", "traefik.b", "/", "a:80");
    for (looks_up, expected) in [(true, "lb.b"), (false, "traefik.b")] {
        let mut options = ResolveOptions::default();
        options.ingress.disable_ingress_class_lookup = !looks_up;
        let snapshot = resolve(&items(&text), &options);
        let hosts = routes(&snapshot).into_iter().map(|it| it.rule.host().to_string());
        assert_eq!(hosts.collect::<Vec<_>>(), [expected], "{looks_up}");
    }

    let text = service("a", A)
        + &of_kind("i", " && PathPrefix(`/`)", "a")
        + &ingress("j", "", "", "i.b", "/", "a:80");
    for (list, expected) in [("", [1, 2]), ("kubernetes", [0, 2])] {
        let precedence = Precedence::read(list).unwrap();
        let options = ResolveOptions { precedence, ..ResolveOptions::default() };
        let snapshot = resolve(&items(&text), &options);
        let mut places: Vec<u8> =
            routes(&snapshot).into_iter().map(|it| it.rank.provider).collect();
        places.sort_unstable();
        assert_eq!(places, expected, "{list}");
    }

    let labelled = text.replace("metadata: {name: i}", "metadata: {name: i, labels: {app: x}}");
    let labelled = labelled.replace("metadata: {name: j}", "metadata: {name: j, labels: {app: x}}");
    assert_ne!(labelled, text);
    for (crd, ingress, count) in [("app=x", "app=x", 2), ("app=y", "", 1), ("", "app!=x", 1)] {
        let [crd_labels, ingress_labels] = [crd, ingress].map(|it| Selector::read(it).unwrap());
        let how = LowerOptions { crd_labels, ingress_labels, ..LowerOptions::default() };
        let snapshot = resolve(&items_read(&labelled, &how), &ResolveOptions::default());
        assert_eq!(routes(&snapshot).len(), count, "{crd} {ingress}");
    }
}

/// Options of Traefik's provider of class nginx count where the ConfigMap says nothing, and say
/// where all such routes are.
#[test]
fn options_of_the_provider_of_class_nginx() {
    let text = service("a", A)
        + &ingress("i", "", "ingressClassName: nginx, ", "a.b", "/", "a:80")
        + &ingress("j", "", "ingressClassName: traefik, ", "c.d", "/", "a:80");
    let map = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ingress-nginx-controller, \
               namespace: ingress-nginx}\ndata: {proxy-read-timeout: '7'}\n";
    let mut options = ResolveOptions::default();
    let pair = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    options.nginx.usual =
        [("proxy-read-timeout", "9"), ("proxy-send-timeout", "8")].map(pair).into_iter().collect();
    options.nginx.entry_points = [None, Some("websecure".into())];
    let own = |text: &str, options: &ResolveOptions| {
        let snapshot = resolve(&items(text), options);
        let route = routes(&snapshot).into_iter().find(|it| it.rule.host().to_string() == "a.b");
        let route = route.expect("it is served").clone();
        let times = route.timeouts.as_deref().copied().unwrap_or_default();
        let seconds = [times.idle_read, times.idle_send].map(|it| it.map_or(0, |it| it.as_secs()));
        let at: Vec<String> = route.listeners.iter().map(ToString::to_string).collect();
        (seconds, at.join(" "))
    };
    let usual = own(&text, &ResolveOptions::default());
    assert_eq!(usual.0, [60, 60]);
    assert_eq!(own(&text, &options).0, [9, 8]);
    assert_eq!(own(&(text.clone() + map), &options).0, [7, 8], "the ConfigMap goes before it");
    assert_eq!(own(&text, &options).1, "web websecure/tls");
    options.nginx.entry_points = [Some("websecure".into()), Some("websecure".into())];
    assert_eq!(own(&text, &options).1, "websecure websecure/tls");
}

/// Annotations of Traefik say who is asked for a Service, how paths are compared, and which number
/// routes have.
#[test]
fn what_annotations_of_traefik_say() {
    const T: &str = "traefik.ingress.kubernetes.io";
    let spec = "{clusterIP: 10.96.0.9, type: NodePort, ports: [{port: 80, nodePort: 30080}]}";
    let node = "---\napiVersion: v1\nkind: Node\nmetadata: {name: node-1}\nstatus: {addresses: \
                [{type: InternalIP, address: 10.0.0.1}]}\n";
    for (said, expected) in [
        ("service.nativelb: 'true'", "10.96.0.9:80"),
        ("service.nodeportlb: 'true'", "10.0.0.1:30080"),
    ] {
        let text = annotated("a", &format!("{T}/{said}"), spec) + node;
        for (class, expected) in [("traefik", expected), ("nginx", "")] {
            let spec = format!("ingressClassName: {class}, ");
            let snapshot = joined(&(text.clone() + &ingress("i", "", &spec, "a.b", "/", "a:80")));
            let ends = ends(&snapshot, routes(&snapshot)[0]);
            let ends: Vec<String> = ends.iter().map(ToString::to_string).collect();
            assert_eq!(ends.join(" "), expected, "{said} {class}");
        }
    }
    let cookie =
        format!("{T}/service.sticky.cookie: 'true', {T}/service.sticky.cookie.maxage: '9'");
    let text = annotated("a", &cookie, spec) + &ingress("i", "", "", "a.b", "/", "a:80");
    let snapshot = joined(&text);
    let leaves = snapshot.routing.backends.values().filter_map(|node| match &node.backend {
        Backend::Endpoints(leaf) => leaf.sticky.as_deref().map(|it| (it.cookie.len(), it.max_age)),
        _ => None,
    });
    // As Traefik calls one without a name: an underscore and ten digits.
    assert_eq!(leaves.collect::<Vec<_>>(), [(6, Some(9))]);
    for (matcher, rule, number) in [
        ("Path", "Host(`a.b`) && Path(`/x/`)", 26),
        ("PathRegexp", "Host(`a.b`) && PathRegexp(`/x/`)", 32),
    ] {
        let said = format!(", annotations: {{{T}/router.pathmatcher: {matcher}}}");
        let free = ingress("i", &said, "", "a.b", "/x/", "a:80");
        let free = free.replace("Prefix", "ImplementationSpecific");
        let snapshot = joined(&(service("a", A) + &free));
        let route = routes(&snapshot)[0];
        assert_eq!((route.rule.to_string(), route.rank.number), (rule.to_owned(), number));
    }
    let said = format!(", annotations: {{{T}/router.priority: '7'}}");
    let snapshot = joined(&(service("a", A) + &ingress("i", &said, "", "a.b", "/x", "a:80")));
    assert_eq!(routes(&snapshot)[0].rank.number, 7);
    let strong = "---\napiVersion: traefik.io/v1alpha1\nkind: TLSOption\nmetadata: \
                  {name: strong}\n";
    for (named, others, policy) in [
        ("default-strong@kubernetescrd", strong, Some("default-strong")),
        ("default-strong@kubernetescrd", "", Some("#refused")),
        ("strong", strong, Some("#refused")),
        ("default", strong, None),
    ] {
        let said = format!(", annotations: {{{T}/router.tls.options: {named}}}");
        let text = service("a", A) + &ingress("i", &said, "", "a.b", "/x", "a:80") + others;
        let with = |options: &ResolveOptions| resolve(&items(&text), options);
        let policy_of = |snapshot: &Snapshot| routes(snapshot)[0].tls_policy.clone();
        let snapshot = with(&ResolveOptions::default());
        assert_eq!(policy_of(&snapshot).as_ref().map(TlsPolicyId::as_str), policy, "{named}");
        let mut listeners = routes(&snapshot)[0].listeners.iter();
        let is_over_tls = |id| snapshot.routing.listeners[id].security.is_tls();
        assert!(listeners.all(is_over_tls), "over TLS alone");
        assert_eq!(!of_routes(&snapshot).is_empty(), policy == Some("#refused"), "{named}");
        // Ingresses that may name nothing of other providers name no terms of theirs.
        let mut alone = ResolveOptions::default();
        alone.ingress.cross_provider_namespaces = Some(Default::default());
        assert_eq!(policy_of(&with(&alone)), policy.map(|_| "#refused".into()), "{named}");
    }
}

/// An entry point's own are for who asks for nothing.
#[test]
fn who_asks_for_tls_is_held_by_the_usual_terms_at_an_entry_point_with_its_own() {
    let of_route = |tls: &str| {
        "---\napiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: r}\nspec: \
         {entryPoints: [web], routes: [{match: 'Host(`a.b`)', services: [{name: a, port: 80}]}]"
            .to_owned()
            + tls
            + "}\n"
    };
    let of_ingress = |said: &str| {
        let said = format!(", annotations: {{traefik.ingress.kubernetes.io/{said}}}");
        ingress("i", &said, "", "a.b", "/", "a:80")
    };
    for (text, own) in [
        (of_route(""), None),
        (of_route(", tls: {}"), Some("default")),
        (of_route(", tls: {options: {name: default}}"), Some("default")),
        (of_ingress("router.priority: '7'"), None),
        (of_ingress("router.tls: 'true'"), Some("default")),
        (of_ingress("router.tls.options: default"), Some("default")),
    ] {
        let held = |of_point: Option<&str>| {
            let mut options = ResolveOptions::default();
            options.entry_points[0].tls_options = of_point.map(Into::into);
            let snapshot = resolve(&items(&(service("a", A) + &text)), &options);
            let route = routes(&snapshot)[0];
            let lax = "lax".into();
            let terms = route.terms(Some(&lax)).map(|it| it.as_str().to_owned());
            (route.tls_policy.as_ref().map(|it| it.as_str().to_owned()), terms)
        };
        let (named, terms) = held(Some("default-lax@kubernetescrd"));
        assert_eq!(named.as_deref(), own, "{text}");
        assert_eq!(terms.as_deref(), own.is_none().then_some("lax"), "{text}");
        assert_eq!(held(None).0, None, "{text}");
    }
}

/// How servers of TCP routes are spoken to where no ServersTransportTCP says it is an option.
#[test]
fn how_connections_are_made_where_nobody_says_more() {
    let mut options = ResolveOptions::default();
    options.bytes.half_closed = Some(std::time::Duration::from_secs(1));
    options.bytes_tls.roots = Roots::Nobody;
    let route = |tls: &str| {
        "---\napiVersion: traefik.io/v1alpha1\nkind: IngressRouteTCP\nmetadata: {name: db}\nspec: \
         {entryPoints: [web], routes: [{match: 'HostSNI(`*`)', services: [{name: a, port: 80"
            .to_owned()
            + tls
            + "}]}]}\n"
    };
    for (tls, is_secure) in [("", false), (", tls: true", true)] {
        let snapshot = resolve(&items(&(service("a", A) + &route(tls))), &options);
        let mut all = snapshot.routing.backends.values().filter_map(|it| match &it.backend {
            Backend::Endpoints(leaf) => Some(&snapshot.routing.transports[&leaf.transport]),
            _ => None,
        });
        let transport = all.next().expect("a leaf");
        assert_eq!(transport.half_closed, options.bytes.half_closed, "{tls}");
        let terms = is_secure.then_some(&options.bytes_tls);
        assert_eq!(transport.tls.as_ref(), terms, "{tls}");
    }
}

/// How TLS is spoken to whom nobody says more of is an option; class nginx believes anybody.
#[test]
fn how_tls_is_spoken_where_nobody_says_more() {
    let mut options = ResolveOptions::default();
    options.https.tls.get_or_insert_default().roots = Roots::Nobody;
    let text = service("a", "{ports: [{port: 443}]}") + &ingress("i", "", "", "a.b", "/", "a:443");
    let snapshot = resolve(&items(&text), &options);
    let transports = &snapshot.routing.transports;
    let spoken = transports.values().filter(|it| it.protocol == OriginProtocol::Negotiated);
    assert!(spoken.map(|it| &**it).eq([&options.https]));
    assert_eq!(self::transports(&snapshot), ["default/a:443@ingress https"]);
}
