//! Our gateway with two routes to one backend: of datagrams, and of connections as they come.

use std::cmp::Reverse;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use steelyard_gateway::{Bind, Binding, Gateway, GatewayOptions};
use steelyard_model::routing::backend::{
    Backend, BackendNode, EndpointOrigin, EndpointSet, Endpoints,
};
use steelyard_model::routing::entry_point::EntryPoint;
use steelyard_model::routing::id::ListenerId;
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::rank::{HostSpecificity, Ladder, PathSpecificity, Rank, Specificity};
use steelyard_model::routing::route::{Destination, Manner, Route, RouteKind};
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::transport::Transport;
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{
    Endpoint, EndpointState, FieldPath, Host, NamespacedName, ObjectRef, Protocol, Provenance,
};

use super::BACKEND;

/// Carries what comes to `address` until this process is ended.
pub(crate) fn serve(address: SocketAddr) -> Result<()> {
    let gateway = Gateway::start(GatewayOptions { workers: 1, ..GatewayOptions::default() })?;
    gateway.apply(&routing(address.port()), 1);
    let bind = |entry_point: &str, protocol| {
        let entry_point = entry_point.to_owned();
        Bind { entry_point, protocol, address, binding: Binding::Host }
    };
    let binds = [bind("tcp", Protocol::Tcp), bind("udp", Protocol::Udp)];
    for (bind, outcome) in gateway.listen(&binds) {
        outcome.with_context(|| format!("cannot listen on {}", bind.address))?;
    }
    loop {
        std::thread::sleep(Duration::from_secs(3_600));
    }
}

fn routing(port: u16) -> RoutingMap {
    let mut map = RoutingMap::default();
    let tcp = EntryPoint::new("tcp", port);
    let udp = EntryPoint { protocol: Protocol::Udp, ..EntryPoint::new("udp", port) };
    let routes = [(RouteKind::Udp, udp.plain_listener()), (RouteKind::Tcp, tcp.plain_listener())];
    for point in [tcp, udp] {
        let listeners = point.listeners().into_iter();
        listeners.for_each(|it| drop(map.listeners.insert(it.id.clone(), Arc::new(it))));
        map.entry_points.insert(point.id.clone(), Arc::new(point));
    }
    put_backend(&mut map);
    for (number, (kind, listener)) in routes.into_iter().enumerate() {
        let route = route(number, kind, listener);
        map.routes.insert(route.id.clone(), Arc::new(route));
    }
    map
}

fn put_backend(map: &mut RoutingMap) {
    let (address, port) = BACKEND;
    let (host, state) = (Host::Ip(address.into()), EndpointState::Ready);
    let endpoint = Endpoint { host, port, state, node: None, zones: None };
    let origin = EndpointOrigin::Service(NamespacedName::new("default", "app"), port);
    let (endpoints, elsewhere) = (vec![(endpoint, 1)], Vec::new());
    let set = EndpointSet { id: "app".into(), origin, endpoints, elsewhere };
    let transport = Transport::bytes();
    let backend = Backend::Endpoints(Endpoints::in_turn(set.id.clone(), transport.id.clone()));
    let node = BackendNode { id: "app".into(), place: None, service: None, backend };
    map.endpoint_sets.insert(set.id.clone(), Arc::new(set));
    map.transports.insert(transport.id.clone(), Arc::new(transport));
    map.backends.insert(node.id.clone(), Arc::new(node));
}

fn route(number: usize, kind: RouteKind, listener: ListenerId) -> Route {
    let object = Arc::new(ObjectRef::new("Route", "default", "app"));
    let path = PathSpecificity::Length(Reverse(0));
    Route {
        id: format!("default/app/{number}@bench").into(),
        place: Provenance { object, field: FieldPath::root() },
        kind,
        listeners: vec![listener],
        rank: Rank {
            ladder: Ladder::Specific,
            number: 0,
            specific: Specificity::new(HostSpecificity::Any, path),
            provider: 0,
            created: None,
            object: "app".into(),
            index: 0,
        },
        rule: Arc::new(Rule::One(Matcher::Sni(HostPattern::Any))),
        uses: Vec::new(),
        to: Destination::Backend("app".into()),
        timeouts: None,
        manner: Manner::Traefik,
        tls_policy: None,
        observability: steelyard_model::routing::observability::Observability::default(),
    }
}
