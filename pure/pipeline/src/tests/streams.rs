//! Ports that lead to Services as they come, by ConfigMaps of ingress-nginx.

use steelyard_model::routing::route::RouteKind;
use steelyard_model::{NamespacedName, Protocol};

use super::*;

fn ports(name: &str, data: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: lb}}\n\
         data: {{{data}}}\n"
    )
}

fn world(tcp: &str, udp: &str) -> Snapshot {
    let service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: default, \
                   annotations: {steelyard.dev/endpoints: '192.0.2.7:5432'}}\n\
                   spec: {type: ClusterIP, ports: [{name: sql, port: 5432}, \
                   {name: dns, port: 53, protocol: UDP}]}\n";
    let mut options = ResolveOptions::default();
    options.nginx.tcp_services = Some(NamespacedName::new("lb", "tcp"));
    options.nginx.udp_services = Some(NamespacedName::new("lb", "udp"));
    let yaml = service.to_owned() + &ports("tcp", tcp) + &ports("udp", udp);
    resolve(&items(&yaml), &options)
}

/// Entry points that objects ask for, with the protocol, what begins their connections, and where
/// they lead.
fn opened(snapshot: &Snapshot) -> Vec<String> {
    let points = snapshot.routing.entry_points.values().filter(|it| it.place.is_some());
    let shown = points.map(|point| {
        let listener = point.plain_listener();
        assert!(snapshot.routing.listeners.get(&listener).is_some(), "{}", point.id);
        let route = routes(snapshot).into_iter().find(|it| it.listeners == [listener.clone()]);
        let route = route.expect("each leads somewhere");
        let wanted = if point.protocol == Protocol::Udp { RouteKind::Udp } else { RouteKind::Tcp };
        assert_eq!(route.kind, wanted);
        let ends = snapshot.routing.ends(route);
        let led = ends.iter().find_map(|it| it.endpoints).map(|set| set.id.to_string());
        let proxied = point.nginx.as_ref().is_some_and(|it| it.belief.proxied.is_some());
        let told = snapshot.routing.transports.get(&point.id.as_str().into());
        let tells = told.is_some_and(|it| it.proxy_protocol.is_some());
        format!("{} {proxied} {tells} {}", point.id, led.as_deref().unwrap_or("nowhere"))
    });
    shown.collect()
}

#[test]
fn ports_are_opened_and_lead_on() {
    let nothing = world("", "");
    assert_eq!(opened(&nothing), Vec::<String>::new());
    let both = world(
        "'9000': 'default/db:5432', '9001': 'default/db:sql:PROXY', '9002': 'default/db:5432::PROXY'",
        "'53': 'default/db:dns'",
    );
    assert_eq!(
        opened(&both),
        [
            "tcp-9000@nginx false false default/db:5432",
            "tcp-9001@nginx true false default/db:5432",
            "tcp-9002@nginx false true default/db:5432",
            "udp-53@nginx false false default/db:53/udp",
        ]
    );
    // What is not there leads nowhere, and is said.
    let missing = world("'9000': 'default/nobody:1', '9001': 'default/db:53'", "");
    assert_eq!(
        opened(&missing),
        ["tcp-9000@nginx false false nowhere", "tcp-9001@nginx false false nowhere"]
    );
    let said = findings(&missing);
    assert!(said.iter().any(|it| it.contains("backend-service-missing")), "{said:?}");
    assert!(said.iter().any(|it| it.contains("backend-port-missing")), "{said:?}");
}

#[test]
fn a_port_that_somebody_has_is_not_opened() {
    let taken = world("'80': 'default/db:5432', '443': 'default/db:5432'", "'80': 'default/db:53'");
    assert_eq!(opened(&taken), ["udp-80@nginx false false default/db:53/udp"]);
    let said = findings(&taken);
    let count = said.iter().filter(|it| it.contains("error stream-port-taken")).count();
    assert_eq!(count, 2, "{said:?}");
}
