//! Leaves: endpoints of Services, and how they are spoken to.

use std::net::IpAddr;
use std::sync::Arc;

use steelyard_balance::sticky::{name_as_asked, name_for};
use steelyard_model::router_draft::{
    AskedServers, CookieDraft, LinkTarget, ObjectLink, ServersDraft,
};
use steelyard_model::routing::backend::{
    Backend, BackendNode, EndpointOrigin, Endpoints, RefusalReason, Sticky, StickySecurity,
};
use steelyard_model::routing::id::{BackendId, EndpointSetId, TransportId};
use steelyard_model::routing::route::RouteKind;
use steelyard_model::routing::transport::{OriginProtocol, OriginTls, Transport};
use steelyard_model::{
    Diagnostic, Endpoint, EndpointState, Host, NamespacedName, PortRef, Protocol, Provenance,
    Service, Severity,
};

use super::super::backend::{Join, Target};
use super::super::origin::{self, OriginTerms};
use super::super::parts::set;
use super::super::transports::transport_id;
use super::{Maker, PROVIDER, UNSERVED, field};
use crate::codes;
use crate::tables::cell::{Cell, Tag};
use crate::tables::row::{Class, Row};

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
            sticky: draft.sticky.as_ref().map(|it| Box::new(cookie(it, &id))),
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
        let (hosts, port, key) = match draft.asked {
            AskedServers::Endpoints => return Ok(target.set.clone()),
            AskedServers::ClusterAddress => (
                service.cluster_ips.first().copied().into_iter().collect(),
                target.port.port,
                "nativeLB",
            ),
            AskedServers::Nodes => {
                let hosts = self.nodes();
                (hosts, target.port.node_port.unwrap_or_default(), "nodePortLB")
            }
        };
        if hosts.is_empty() || port == 0 {
            let place = field(place, key);
            let why = match draft.asked {
                AskedServers::Nodes => "the Service has no node port, or no node is known",
                _ => "the Service has no address of its own",
            };
            self.diagnostics.push(Diagnostic::at(
                Severity::Error,
                codes::REFERENCE_MISSING,
                &place,
                format!("{why}: the route answers 503"),
                format!("remove `{key}`, so that the endpoints are asked"),
            ));
            return Err(RefusalReason::Reference(place));
        }
        let endpoint = |host| {
            let state = EndpointState::Ready;
            Endpoint { host: Host::Ip(host), port, state, node: None }
        };
        let endpoints: Vec<Endpoint> = hosts.into_iter().map(endpoint).collect();
        let id = EndpointSetId::from(format!("{}:{}#{key}", service.id, target.port.port));
        let origin = EndpointOrigin::Literal(Provenance::new(&service.object, "spec"));
        self.routed.written.push(Arc::new(set(id.clone(), origin, &endpoints)));
        Ok(id)
    }

    fn nodes(&mut self) -> Vec<IpAddr> {
        match self.reads.row(&Cell::Nodes) {
            Some(Row::Nodes(nodes)) => {
                nodes.iter().filter_map(|node| node.internal_ips.first().copied()).collect()
            }
            _ => Vec::new(),
        }
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

/// The cookie that leads back; one without a name is called after the backend, as Traefik does.
pub(super) fn cookie(draft: &CookieDraft, backend: &BackendId) -> Sticky {
    let name = match &draft.name {
        Some(name) => name_as_asked(name),
        None => name_for(&backend.traefik_name()),
    };
    Sticky {
        path: Some(draft.path.clone().unwrap_or_else(|| "/".into())),
        domain: draft.domain.clone(),
        max_age: (draft.max_age != 0).then_some(draft.max_age),
        http_only: draft.is_http_only,
        secure: if draft.is_secure { StickySecurity::Secure } else { StickySecurity::Open },
        same_site: draft.same_site,
        ..Sticky::named(name)
    }
}
