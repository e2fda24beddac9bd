//! What is behind routes: each noun has a cell of its own, made by the routes that lead to it.

use std::sync::Arc;

use steelyard_model::routing::backend::{
    Backend, BackendNode, EndpointOrigin, EndpointSet, Endpoints, RefusalReason,
};
use steelyard_model::routing::id::{BackendId, EndpointSetId, RouteId};
use steelyard_model::{Endpoint, NamespacedName, Protocol, Provenance};

use super::sticky::cookie;
use crate::tables::Reads;
use crate::tables::cell::{Cell, Leaf};
use crate::tables::row::{Routed, Row};

/// Status of a route that must not be served.
const REFUSED: u16 = 503;

impl Routed {
    /// As it is kept.
    pub(super) fn row(self) -> Row {
        Row::Routed(Arc::new(self.into()))
    }

    /// Lets a route that must not be served, or cannot, end.
    pub(super) fn refuse(
        &mut self,
        route: &RouteId,
        place: &Provenance,
        why: RefusalReason,
        instead_of: Option<BackendId>,
    ) -> BackendId {
        let id = BackendId::from(format!("{route}#refused"));
        let backend = Backend::Refused { status: REFUSED, why, instead_of };
        let (place, service) = (Some(place.clone()), None);
        let node = BackendNode { id: id.clone(), place, service, backend };
        self.own.push(Arc::new(node));
        id
    }
}

/// The name of the endpoints at a Service's port.
pub(super) fn set_of_port(id: &NamespacedName, port: u16, protocol: Protocol) -> EndpointSetId {
    match protocol {
        Protocol::Udp => format!("{id}:{port}/udp"),
        Protocol::Tcp | Protocol::Sctp => format!("{id}:{port}"),
    }
    .into()
}

/// The backend that a leaf is.
pub(in crate::tables) fn leaf(leaf: &Leaf) -> Row {
    let Leaf { id, service, port, set, transport, sticky, algorithm, host } = leaf;
    let sticky = sticky.as_ref().map(|asked| {
        let NamespacedName { namespace, name } = service;
        // As Traefik calls it, so that cookies of its own lead on.
        let called = format!("{namespace}-{name}-{port}@kubernetes");
        Box::new(cookie(asked, &called))
    });
    let plain = Endpoints::in_turn(set.clone(), transport.clone());
    let backend = Backend::Endpoints(Endpoints {
        sticky,
        algorithm: algorithm.as_deref().cloned().unwrap_or_default(),
        host: *host,
        ..plain
    });
    let (id, service) = (id.clone(), Some((service.clone(), *port)));
    Row::Backend(Arc::new(BackendNode { id, place: None, service, backend }))
}

/// The endpoints at a port of a Service.
pub(in crate::tables) fn endpoints(
    id: &NamespacedName,
    (port, protocol): (u16, Protocol),
    reads: &mut Reads<'_>,
) -> Option<Row> {
    let Row::Service(backed) = reads.row(&Cell::Closed(id.clone()))? else { return None };
    let ports = &backed.service.ports;
    let is_it =
        |it: &steelyard_model::ResolvedPort| it.port.port == port && it.port.protocol == protocol;
    let endpoints = backed.endpoints(ports.iter().position(is_it)?);
    let origin = EndpointOrigin::Service(id.clone(), port);
    Some(Row::EndpointSet(Arc::new(set(set_of_port(id, port, protocol), origin, endpoints))))
}

/// A set that routes name themselves: as the first of them has it.
pub(in crate::tables) fn named_set(id: &EndpointSetId, reads: &mut Reads<'_>) -> Option<Row> {
    let first = reads.keys(&Cell::NamedBy(id.clone())).into_iter().next()?;
    let Row::Routed(routed) = reads.row(&first)? else { return None };
    routed.more().written.iter().find(|set| set.id == *id).cloned().map(Row::EndpointSet)
}

pub(super) fn set(
    id: EndpointSetId,
    origin: EndpointOrigin,
    endpoints: &[Endpoint],
) -> EndpointSet {
    let endpoints = endpoints.iter().map(|endpoint| (endpoint.clone(), 1)).collect();
    EndpointSet { id, origin, endpoints, elsewhere: Vec::new() }
}
