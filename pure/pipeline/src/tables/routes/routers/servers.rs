//! Leaves: endpoints of Services, and how they are spoken to.

use std::sync::Arc;

use steelyard_model::router_draft::{LinkTarget, ObjectLink, ServersDraft};
use steelyard_model::routing::backend::{Backend, BackendNode, Endpoints, RefusalReason};
use steelyard_model::routing::id::{BackendId, EndpointSetId, TransportId};
use steelyard_model::routing::route::RouteKind;
use steelyard_model::routing::transport::{OriginProtocol, OriginTls, Transport};
use steelyard_model::{Diagnostic, NamespacedName, PortRef, Protocol, Service, Severity};

use super::super::asked::Asked;
use super::super::backend::{Join, Target};
use super::super::origin::{self, OriginTerms};
use super::super::sticky::cookie;
use super::super::transports::transport_id;
use super::{Maker, PROVIDER, UNSERVED, field};
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
        let written = &draft.backend;
        self.may_name(&written.service, &written.place)?;
        let nothing = || RefusalReason::Reference(written.place.clone());
        let protocol = if self.kind == RouteKind::Udp { Protocol::Udp } else { Protocol::Tcp };
        let (origin, routed) = (&OriginTerms::Unsaid, &mut self.routed);
        let (reads, diagnostics) = (&mut *self.reads, &mut *self.diagnostics);
        let lets_names = self.options.crd.lets_external_names(self.options.as_traefik);
        let mut join = Join { protocol, reads, origin, lets_names, diagnostics };
        let service = join.service(written).ok_or_else(nothing)?;
        let target = join.target(written, &service, Class::Traefik, routed).ok_or_else(nothing)?;
        if let Some(why) = service.backend_refusal.as_deref() {
            return Err(why.clone());
        }
        let port = target.port.port;
        let set = self.asked(draft, &service, &target)?;
        let leaf = Endpoints {
            algorithm: draft.algorithm.clone(),
            sticky: draft.sticky.as_ref().map(|it| Box::new(cookie(it, &id.traefik_name()))),
            care: draft.care.clone(),
            ..Endpoints::in_turn(set, self.transport(draft, &service, &target, &id)?)
        };
        let service = Some((service.id.clone(), port));
        let (backend, place) = (Backend::Endpoints(leaf), Some(written.place.clone()));
        self.routed.own.push(Arc::new(BackendNode { id: id.clone(), place, service, backend }));
        Ok(id)
    }

    /// The endpoints that are asked: the Service's, or those that it is reached at.
    fn asked(
        &mut self,
        draft: &ServersDraft,
        service: &Service,
        target: &Target,
    ) -> Result<EndpointSetId, RefusalReason> {
        let place = &draft.backend.place;
        let asked = Asked { who: draft.asked, service, port: &target.port, set: &target.set };
        asked.set(self.reads, &mut self.routed).map_err(|(why, key)| {
            let place = field(place, key);
            self.diagnostics.push(Diagnostic::at(
                Severity::Error,
                codes::REFERENCE_MISSING,
                &place,
                format!("{why}: the route answers 503"),
                format!("remove `{key}`, so that the endpoints are asked"),
            ));
            RefusalReason::Reference(place)
        })
    }

    /// How the endpoints are spoken to; what only this route says is put beside it.
    fn transport(
        &mut self,
        draft: &ServersDraft,
        service: &Service,
        target: &Target,
        leaf: &BackendId,
    ) -> Result<TransportId, RefusalReason> {
        match draft.transport.as_ref().map(|link| (link, &link.to)) {
            Some((link, LinkTarget::Object(id))) => {
                return self.named_transport(id, draft, (service, target), link);
            }
            Some((link, LinkTarget::Provided(name))) if **name != *USUAL => {
                self.may_name_provided(name, &link.place)?;
                let help = "name a ServersTransport";
                return Err(self.unprovided(name, &link.place, UNSERVED, help));
            }
            _ => {}
        }
        let base = match self.kind {
            RouteKind::Http | RouteKind::Grpc => {
                return Ok(origin::usual(origin::scheme_of(draft.scheme, service, &target.port)).id);
            }
            RouteKind::Tcp | RouteKind::Udp => Transport::bytes(),
        };
        let tls = draft.scheme.filter(|scheme| scheme.is_secure());
        let own = Transport {
            id: format!("{leaf}").into(),
            protocol: OriginProtocol::Bytes,
            tls: tls.map(|_| OriginTls::default()),
            proxy_protocol: draft.proxy_protocol,
            half_closed: draft.half_closed.or(base.half_closed),
            ..base.clone()
        };
        if (Transport { id: base.id.clone(), ..own.clone() }) == base {
            return Ok(base.id);
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
        draft: &ServersDraft,
        (service, target): (&Service, &Target),
        link: &ObjectLink,
    ) -> Result<TransportId, RefusalReason> {
        self.may_name(id, &link.place)?;
        let (tag, kind) = match self.kind.is_of_requests() {
            true => (Tag::ServersTransport, "ServersTransport"),
            false => (Tag::ServersTransportTcp, "ServersTransportTCP"),
        };
        if self.reads.row(&Cell::Object(tag, id.clone())).is_none() {
            return Err(self.absent(kind, id, &link.place, UNSERVED));
        }
        let scheme = origin::scheme_of(draft.scheme, service, &target.port);
        Ok(transport_id(id, self.kind.is_of_requests().then_some(scheme)))
    }
}

/// The leaf for a Service port that `owner` alone leads to: `default/web:80#OWNER@kubernetescrd`.
pub(super) fn leaf_id(service: &NamespacedName, port: &PortRef, owner: &str) -> BackendId {
    let owner = owner.strip_suffix(&format!("@{PROVIDER}")).unwrap_or(owner);
    match port {
        PortRef::Number(port) => format!("{service}:{port}#{owner}@{PROVIDER}"),
        PortRef::Name(port) => format!("{service}:{port}#{owner}@{PROVIDER}"),
    }
    .into()
}
