//! Leaves: endpoints of Services, and how they are spoken to.

use std::sync::Arc;

use steelyard_model::router_draft::{LinkTarget, ObjectLink, ServersDraft, ServersOf};
use steelyard_model::routing::backend::{
    Backend, BackendNode, EndpointOrigin, EndpointSet, Endpoints, RefusalReason,
};
use steelyard_model::routing::id::{BackendId, EndpointSetId, TransportId};
use steelyard_model::routing::route::RouteKind;
use steelyard_model::routing::transport::{OriginProtocol, OriginScheme, Transport};
use steelyard_model::{
    Diagnostic, Endpoint, NamespacedName, PortRef, Protocol, Provenance, Service, Severity,
};

use super::super::asked::{self, Asked};
use super::super::backend::{Join, ServiceTerms, Target};
use super::super::elsewhere;
use super::super::origin::{self, OriginTerms};
use super::super::sticky::cookie;
use super::super::transports::transport_id;
use super::{Maker, PROVIDER, field};
use crate::codes;
use crate::tables::cell::{Cell, Tag};
use crate::tables::row::Class;

/// The transport that is meant where none is named.
const USUAL: &str = "default@internal";

impl Maker<'_, '_> {
    /// A leaf of its own for endpoints of a Service.
    pub(super) fn servers(
        &mut self,
        draft: &ServersDraft,
        id: BackendId,
    ) -> Result<BackendId, RefusalReason> {
        let written = match &draft.backend {
            ServersOf::Service(written) => written,
            ServersOf::Written { servers, place } => {
                return self.written(draft, (servers, place), id);
            }
        };
        self.may_name(&written.service, &written.place)?;
        let nothing = || RefusalReason::Reference(written.place.clone());
        let protocol = if self.kind == RouteKind::Udp { Protocol::Udp } else { Protocol::Tcp };
        let (origin, routed) = (&OriginTerms::Unsaid, &mut self.routed);
        let (reads, diagnostics) = (&mut *self.reads, &mut *self.diagnostics);
        let lets_names = self.options.crd.lets_external_names(self.options.as_traefik);
        let terms = ServiceTerms { lets_names, so: Some(self.so), ..ServiceTerms::default() };
        let mut join = Join { protocol, reads, origin, terms, diagnostics };
        let service = join.service(written).ok_or_else(nothing)?;
        let target = join.target(written, &service, Class::Traefik, routed).ok_or_else(nothing)?;
        if let Some(why) = service.backend_refusal.as_deref() {
            return Err(why.clone());
        }
        let port = target.port.port;
        let set = self.asked(draft, &service, &target)?;
        let scheme = origin::scheme_of(draft.scheme, &service, &target.port);
        let leaf = Endpoints {
            algorithm: draft.algorithm.clone(),
            sticky: draft.sticky.as_ref().map(|it| Box::new(cookie(it, &id.traefik_name()))),
            care: draft.care.clone(),
            host: draft.host,
            ..Endpoints::in_turn(set, self.spoken(draft, scheme, &id)?)
        };
        let service = Some((service.id.clone(), port));
        let (backend, place) = (Backend::Endpoints(leaf), Some(written.place.clone()));
        self.routed.own.push(Arc::new(BackendNode { id: id.clone(), place, service, backend }));
        Ok(id)
    }

    /// A leaf for servers that are written as they are.
    fn written(
        &mut self,
        draft: &ServersDraft,
        (servers, place): (&[(Endpoint, u32)], &Provenance),
        id: BackendId,
    ) -> Result<BackendId, RefusalReason> {
        let scheme = draft.scheme.unwrap_or(OriginScheme::Http);
        let transport = self.spoken(draft, scheme, &id)?;
        let mut endpoints = servers.to_vec();
        endpoints.sort();
        let (set, origin) = (EndpointSetId::from(id.as_str()), place.clone());
        let origin = EndpointOrigin::Literal(origin);
        self.routed.written.push(Arc::new(EndpointSet {
            id: set.clone(),
            origin,
            endpoints,
            elsewhere: Vec::new(),
        }));
        let leaf = Endpoints {
            algorithm: draft.algorithm.clone(),
            sticky: draft.sticky.as_ref().map(|it| Box::new(cookie(it, &id.traefik_name()))),
            care: draft.care.clone(),
            host: draft.host,
            below: draft.below.clone(),
            ..Endpoints::in_turn(set, transport)
        };
        let (backend, place) = (Backend::Endpoints(leaf), Some(place.clone()));
        let node = BackendNode { id: id.clone(), place, service: None, backend };
        self.routed.own.push(Arc::new(node));
        Ok(id)
    }

    /// The endpoints that are asked: the Service's, or those that it is reached at.
    fn asked(
        &mut self,
        draft: &ServersDraft,
        service: &Service,
        target: &Target,
    ) -> Result<EndpointSetId, RefusalReason> {
        let place = draft.backend.place();
        let natively = self.options.crd.native_lb_by_default;
        let who = draft.asked.unwrap_or_else(|| asked::usual(natively, service));
        let asked = Asked { who, service, port: &target.port, set: &target.set };
        asked.set(self.reads, &mut self.routed).map_err(|(why, key)| {
            let place = field(place, key);
            let so = self.so;
            self.diagnostics.push(Diagnostic::at(
                Severity::Error,
                codes::REFERENCE_MISSING,
                &place,
                format!("{why}: {so}"),
                format!("remove `{key}`, so that the endpoints are asked"),
            ));
            RefusalReason::Reference(place)
        })
    }

    /// How the endpoints are spoken to; what only this route says is put beside it.
    fn spoken(
        &mut self,
        draft: &ServersDraft,
        scheme: OriginScheme,
        leaf: &BackendId,
    ) -> Result<TransportId, RefusalReason> {
        match draft.transport.as_ref().map(|link| (link, &link.to)) {
            Some((link, LinkTarget::Object(id))) => {
                return self.named_transport(id, scheme, link);
            }
            Some((link, LinkTarget::Provided(name))) if **name != *USUAL => {
                self.may_name_provided(name, &link.place)?;
                let tag = self.transport_kind().0;
                return match elsewhere::object(tag, name, self.kind, self.reads) {
                    Some(id) => self.named_transport(&id, scheme, link),
                    None => {
                        let help = "name a ServersTransport";
                        Err(self.unprovided(name, &link.place, self.so, help))
                    }
                };
            }
            _ => {}
        }
        let base = match self.kind {
            RouteKind::Http | RouteKind::Grpc => return Ok(origin::usual(scheme).id),
            RouteKind::Tcp | RouteKind::Udp => &self.options.bytes,
        };
        let tls = draft.scheme.filter(|scheme| scheme.is_secure());
        let own = Transport {
            id: format!("{leaf}").into(),
            protocol: OriginProtocol::Bytes,
            tls: tls.map(|_| self.options.bytes_tls.clone()),
            proxy_protocol: draft.proxy_protocol,
            half_closed: draft.half_closed.or(base.half_closed),
            ..base.clone()
        };
        if (Transport { id: base.id.clone(), ..own.clone() }) == *base {
            return Ok(base.id.clone());
        }
        let id = own.id.clone();
        self.routed.transports.push(Arc::new(own));
        Ok(id)
    }
}

impl Maker<'_, '_> {
    /// One that an object describes.
    fn named_transport(
        &mut self,
        id: &NamespacedName,
        scheme: OriginScheme,
        link: &ObjectLink,
    ) -> Result<TransportId, RefusalReason> {
        self.may_name(id, &link.place)?;
        let (tag, kind) = self.transport_kind();
        if self.reads.row(&Cell::Object(tag, id.clone())).is_none() {
            return Err(self.absent(kind, id, &link.place, self.so));
        }
        Ok(transport_id(id, self.kind.is_of_requests().then_some(scheme)))
    }

    fn transport_kind(&self) -> (Tag, &'static str) {
        match self.kind.is_of_requests() {
            true => (Tag::ServersTransport, "ServersTransport"),
            false => (Tag::ServersTransportTcp, "ServersTransportTCP"),
        }
    }
}

/// The leaf for a Service port that `owner` alone leads to: `default/web:80#OWNER@kubernetescrd`.
pub(super) fn leaf_id(service: &NamespacedName, port: &PortRef, owner: &str) -> BackendId {
    let owner = owner.strip_suffix(&format!("@{PROVIDER}")).unwrap_or(owner);
    match port {
        PortRef::Number(port) => format!("{service}:{port}#{owner}@{PROVIDER}"),
        PortRef::Name(port) => format!("{service}:{port}#{owner}@{PROVIDER}"),
        PortRef::First => format!("{service}#{owner}@{PROVIDER}"),
    }
    .into()
}
