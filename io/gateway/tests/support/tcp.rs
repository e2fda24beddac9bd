//! TCP routes for tests, at the entry point `web`: plain, or of handshakes that are passed on. And
//! UDP routes, at `dns`.

use std::cmp::Reverse;
use std::net::SocketAddr;
use std::sync::Arc;

use steelyard_gateway::{Gateway, GatewayOptions};
use steelyard_model::routing::backend::{
    Backend, BackendNode, EndpointOrigin, EndpointSet, Endpoints,
};
use steelyard_model::routing::entry_point::{EntryPoint, SECURE};
use steelyard_model::routing::id::{BackendId, EndpointSetId, ListenerId, RouteId};
use steelyard_model::routing::listener::{Listener, Security};
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::observability::Observability;
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::rank::{HostSpecificity, Ladder, PathSpecificity, Rank, Specificity};
use steelyard_model::routing::route::{Destination, Manner, Route, RouteKind};
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::transport::Transport;
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{
    Endpoint, EndpointState, FieldPath, Host, NamespacedName, ObjectRef, Protocol, Provenance,
};

use super::{gateway_with, routing};

/// The entry point of UDP, and its listener.
pub(crate) const DNS: &str = "dns";

/// The listener of handshakes that are passed on.
const PASSED_ON: &str = "web/passed";

/// A TCP route of a test.
pub(crate) struct TcpServed {
    name: &'static str,
    kind: RouteKind,
    listener: ListenerId,
    rule: Rule,
    host: HostSpecificity,
    endpoints: Vec<SocketAddr>,
    /// How its endpoints are spoken to.
    pub(crate) transport: Transport,
}

/// A route for plain connections.
pub(crate) fn plain(name: &'static str, endpoints: &[SocketAddr]) -> TcpServed {
    TcpServed {
        name,
        kind: RouteKind::Tcp,
        listener: "web".into(),
        rule: Rule::One(Matcher::Sni(HostPattern::Any)),
        host: HostSpecificity::Any,
        endpoints: endpoints.to_vec(),
        transport: Transport::bytes(),
    }
}

/// A route for handshakes, of one server name or (`*`) of all, which are passed on.
pub(crate) fn passed_on(
    name: &'static str,
    server_name: &str,
    endpoints: &[SocketAddr],
) -> TcpServed {
    let (pattern, host) = match server_name {
        "*" => (HostPattern::Any, HostSpecificity::Any),
        server_name => (HostPattern::Exact(server_name.into()), HostSpecificity::Exact),
    };
    let rule = Rule::One(Matcher::Sni(pattern));
    TcpServed { listener: PASSED_ON.into(), rule, host, ..plain(name, endpoints) }
}

/// A route for datagrams.
pub(crate) fn datagrams(name: &'static str, endpoints: &[SocketAddr]) -> TcpServed {
    TcpServed { kind: RouteKind::Udp, listener: DNS.into(), ..plain(name, endpoints) }
}

/// UDP routes alone.
pub(crate) fn udp_routing(routes: &[TcpServed]) -> RoutingMap {
    let mut map = routing(&[]);
    let point = EntryPoint { protocol: Protocol::Udp, ..EntryPoint::new(DNS, 53) };
    for listener in point.listeners() {
        map.listeners.insert(listener.id.clone(), Arc::new(listener));
    }
    map.entry_points.insert(point.id.clone(), Arc::new(point));
    routes.iter().for_each(|route| route.put_into(&mut map));
    map
}

/// The same where TLS ends at the gateway's `websecure`.
pub(crate) fn ended(name: &'static str, server_name: &str, endpoints: &[SocketAddr]) -> TcpServed {
    let listener = SECURE.entry_point().tls_listener();
    TcpServed { listener, ..passed_on(name, server_name, endpoints) }
}

impl TcpServed {
    /// The same for those alone whose address is in `range`.
    pub(crate) fn from(mut self, range: &str) -> Self {
        let is_from = Rule::One(Matcher::ClientIp(range.parse().unwrap()));
        self.rule = Rule::All(vec![self.rule, is_from]);
        self
    }

    /// The same, where its endpoints are spoken to so.
    pub(crate) fn by(self, transport: Transport) -> Self {
        Self { transport, ..self }
    }

    pub(crate) fn put_into(&self, map: &mut RoutingMap) {
        let endpoint = |address: &SocketAddr| Endpoint {
            host: Host::Ip(address.ip()),
            port: address.port(),
            state: EndpointState::Ready,
            node: None,
            zones: None,
        };
        let set = EndpointSetId::from(format!("default/{}:1", self.name));
        let endpoints = self.endpoints.iter().map(|it| (endpoint(it), 1)).collect();
        let origin = EndpointOrigin::Service(NamespacedName::new("default", self.name), 1);
        let made = EndpointSet { id: set.clone(), origin, endpoints, elsewhere: Vec::new() };
        map.endpoint_sets.insert(set.clone(), Arc::new(made));
        let mut transport = self.transport.clone();
        transport.id = format!("{}-transport", self.name).into();
        let leaf = Backend::Endpoints(Endpoints::in_turn(set, transport.id.clone()));
        map.transports.insert(transport.id.clone(), Arc::new(transport));
        let backend = BackendId::from(format!("default/{}:1@tcp", self.name));
        let node = BackendNode { id: backend.clone(), place: None, service: None, backend: leaf };
        map.backends.insert(backend.clone(), Arc::new(node));
        let id = RouteId::from(format!("default/{}/0@tcp", self.name));
        let object = Arc::new(ObjectRef::new("IngressRouteTCP", "default", self.name));
        let route = Route {
            id: id.clone(),
            place: Provenance { object, field: FieldPath::root() },
            kind: self.kind,
            listeners: vec![self.listener.clone()],
            rank: Rank {
                ladder: Ladder::Specific,
                number: 0,
                specific: Specificity::new(self.host, PathSpecificity::Length(Reverse(0))),
                provider: 0,
                created: None,
                object: self.name.into(),
                index: 0,
            },
            rule: Arc::new(self.rule.clone()),
            uses: Vec::new(),
            to: Destination::Backend(backend),
            timeouts: None,
            manner: Manner::Traefik,
            tls_policy: None,
            observability: Observability::default(),
        };
        map.routes.insert(id, Arc::new(route));
    }
}

/// TCP routes beside others.
pub(crate) fn with_tcp(mut map: RoutingMap, routes: &[TcpServed]) -> RoutingMap {
    let passed_on = Listener::new(PASSED_ON.into(), "web".into(), Security::Passthrough);
    map.listeners.insert(passed_on.id.clone(), Arc::new(passed_on));
    routes.iter().for_each(|route| route.put_into(&mut map));
    map
}

/// A gateway with one worker that has these TCP routes alone.
pub(crate) fn tcp_gateway(routes: &[TcpServed], options: GatewayOptions) -> (Gateway, SocketAddr) {
    let (gateway, address) = gateway_with(&[], GatewayOptions { workers: 1, ..options });
    gateway.apply(&with_tcp(routing(&[]), routes), 2);
    (gateway, address)
}
