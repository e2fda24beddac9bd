//! Whom filters ask.

use steelyard_model::routing::backend::{Backend, EndpointOrigin};
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::transport::Roots;

use super::*;

fn middleware(spec: &str) -> String {
    format!(
        "---\napiVersion: traefik.io/v1alpha1\nkind: Middleware\nmetadata: {{name: m}}\nspec: \
         {spec}\n"
    )
}

fn asking(url: &str) -> String {
    middleware(&format!("{{forwardAuth: {{address: '{url}'}}}}"))
}

/// Backend, set, where that is from, and how it is spoken to.
fn backend(snapshot: &Snapshot) -> String {
    let ids = snapshot.routing.filters.values().find_map(|node| match &node.filter {
        Filter::ForwardAuth(auth) => Some(&auth.backend),
        _ => None,
    });
    let Some(id) = ids else { return "none".into() };
    let Backend::Endpoints(leaf) = &snapshot.routing.backends[id].backend else { panic!("{id}") };
    let from = match &snapshot.routing.endpoint_sets[&leaf.set].origin {
        EndpointOrigin::Service(id, port) => format!("Service {id}:{port}"),
        EndpointOrigin::Literal(_) => "literal".into(),
        EndpointOrigin::Name(name, port) => format!("name {name}:{port}"),
    };
    assert!(snapshot.routing.transports.get(&leaf.transport).is_some(), "{}", leaf.transport);
    format!("{id} | {} | {from} | {}", leaf.set, leaf.transport)
}

const SERVICES: &str = "---\napiVersion: v1\nkind: Service\nmetadata: {name: auth, namespace: \
                        apps}\nspec: {clusterIP: None, ports: [{port: 9091}]}\n---\napiVersion: v1\nkind: \
                        Service\nmetadata: {name: alias, namespace: apps}\nspec: {type: ExternalName, \
                        externalName: auth.apps.svc.cluster.local}\n---\napiVersion: v1\nkind: \
                        Service\nmetadata: {name: far, namespace: apps}\nspec: {type: ExternalName, \
                        externalName: auth.example.com}\n";

#[test]
fn each_url_has_a_backend() {
    let own = "default/m#http://";
    for (url, expected) in [
        ("http://10.0.0.9/x", "10.0.0.9@kubernetescrd | 10.0.0.9:80 | literal | http"),
        ("http://[fd00::1]:81/", "[fd00::1]:81@kubernetescrd | [fd00::1]:81 | literal | http"),
        (
            "http://auth.example:9091/a?b",
            "auth.example:9091@kubernetescrd | auth.example:9091 | name auth.example:9091 | http",
        ),
        (
            "http://auth.apps.svc:9091/",
            "auth.apps.svc:9091@kubernetescrd | apps/auth:9091 | Service apps/auth:9091 | http",
        ),
        (
            "http://Auth.apps.svc.cluster.local.:9091/",
            "Auth.apps.svc.cluster.local.:9091@kubernetescrd | apps/auth:9091 | Service \
             apps/auth:9091 | http",
        ),
        (
            "http://auth.apps:9091/",
            "auth.apps:9091@kubernetescrd | apps/auth:9091 | Service apps/auth:9091 | http",
        ),
        (
            "http://alias.apps.svc:9091/",
            "alias.apps.svc:9091@kubernetescrd | apps/auth:9091 | Service apps/auth:9091 | http",
        ),
        (
            "http://far.apps.svc:9091/",
            "far.apps.svc:9091@kubernetescrd | auth.example.com:9091 | name auth.example.com:9091 \
             | http",
        ),
    ] {
        let snapshot = joined(&(SERVICES.to_owned() + &asking(url)));
        assert_eq!(backend(&snapshot), format!("{own}{expected}"), "{url}");
    }
}

#[test]
fn what_is_not_in_the_cluster_is_asked_nowhere_else() {
    for (url, code, help) in [
        ("http://gone.apps.svc:9091/", "backend-service-missing", "add the Service"),
        ("http://auth.apps.svc/", "backend-port-missing", "use one of its ports: 9091"),
        ("http://alias.apps:80/", "backend-port-missing", "use one of its ports: 9091"),
    ] {
        let snapshot = joined(&(SERVICES.to_owned() + &asking(url)));
        let mut found = findings(&snapshot);
        found.retain(|line| line.contains("Middleware"));
        let expected = format!("error {code} Middleware/default/m spec.forwardAuth.address");
        assert_eq!(found, [expected], "{url}");
        assert!(words(&snapshot, code).contains(help), "{}", words(&snapshot, code));
        assert_eq!(backend(&snapshot), "none");
    }
}

#[test]
fn tls_is_spoken_by_the_name_in_the_url() {
    let tls = |tls: &str| {
        let at = "address: 'https://auth.apps.svc:9091/'";
        joined(&(SERVICES.to_owned() + &middleware(&format!("{{forwardAuth: {{{at}{tls}}}}}"))))
    };
    for (written, roots) in
        [("", Roots::System), (", tls: {insecureSkipVerify: true}", Roots::Nobody)]
    {
        let snapshot = tls(written);
        let id = "default/m#https://auth.apps.svc:9091@kubernetescrd";
        assert!(backend(&snapshot).ends_with(id), "{}", backend(&snapshot));
        let mut all = snapshot.routing.transports.values();
        let spoken = all.find(|it| it.id.to_string() == id).unwrap();
        let terms = spoken.tls.clone().unwrap();
        assert_eq!(terms.server_name.as_deref(), Some("auth.apps.svc"));
        assert_eq!(terms.roots, roots);
    }
    let snapshot = tls(", tls: {caSecret: gone}");
    assert!(words(&snapshot, "filter-secret").contains("gone"));
    assert_eq!(backend(&snapshot), "none");
}
