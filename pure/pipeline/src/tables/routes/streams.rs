//! Ports that lead to Services as they come, by ConfigMaps of ingress-nginx
//! (`tcp-services-configmap`, `udp-services-configmap`).

use std::cmp::Reverse;
use std::sync::Arc;

use steelyard_dialects::nginx::streams;
use steelyard_model::routing::backend::{Backend, BackendNode, Endpoints, RefusalReason};
use steelyard_model::routing::belief::{NginxBelief, NginxProxied};
use steelyard_model::routing::entry_point::{EntryPoint, NginxSocket};
use steelyard_model::routing::id::{BackendId, RouteId};
use steelyard_model::routing::observability::Observability;
use steelyard_model::routing::rank::{
    HostSpecificity, KUBERNETES_INGRESS, Ladder, PathSpecificity, Rank, Specificity,
};
use steelyard_model::routing::route::{Destination, Manner, Route, RouteKind};
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::transport::{ProxyVersion, Transport};
use steelyard_model::{Diagnostic, Item, NginxSettings, Protocol, Severity, StreamDraft};

use super::backend::{Join, ServiceTerms};
use super::origin::OriginTerms;
use super::routers;
use crate::codes;
use crate::options::ResolveOptions;
use crate::tables::Reads;
use crate::tables::cell::{Cell, Tag};
use crate::tables::row::{Class, Routed, Row};

/// All that the ConfigMaps ask for.
pub(in crate::tables) fn drafts(
    reads: &mut Reads<'_>,
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Row> {
    let named = [
        (&options.nginx.tcp_services, Protocol::Tcp),
        (&options.nginx.udp_services, Protocol::Udp),
    ];
    let mut all = Vec::new();
    for (id, protocol) in named {
        let Some(id) = id else { continue };
        let row = reads.row(&Cell::Object(Tag::ConfigMap, id.clone()));
        if let Some([Item::ConfigMap { object, data }, ..]) = row.as_ref().map(Row::items) {
            all.extend(streams(object, data, protocol, diagnostics));
        }
    }
    (!all.is_empty()).then(|| Row::Streams(all.into()))
}

/// Those whose ports nobody else has.
pub(super) fn free(
    all: &[StreamDraft],
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<StreamDraft> {
    let is_free = |draft: &&StreamDraft| {
        let (port, protocol) = (draft.port, draft.protocol);
        let is_it = |it: &&EntryPoint| (it.port, it.protocol) == (port, protocol);
        let Some(other) = options.entry_points.iter().find(is_it) else { return true };
        diagnostics.push(Diagnostic::at(
            Severity::Error,
            codes::STREAM_PORT_TAKEN,
            &draft.place,
            format!(
                "the {protocol} port {port} is that of the entry point `{}`: it does not lead to \
                 Service {}",
                other.id, draft.backend.service
            ),
            "choose another port",
        ));
        false
    };
    all.iter().filter(is_free).cloned().collect()
}

/// The entry point of one.
pub(super) fn entry_point(draft: &StreamDraft, settings: &NginxSettings) -> EntryPoint {
    let place = draft.place.clone();
    let proxied = draft.is_proxied.then(|| NginxProxied {
        trust: settings.streams.trust.clone(),
        wait: settings.streams.wait,
        place: place.clone(),
    });
    let belief = NginxBelief { proxied, ..NginxBelief::default() };
    let log = settings.logs.1.clone().map(Arc::new);
    let answers = settings.streams.answers.filter(|_| draft.protocol == Protocol::Udp);
    EntryPoint {
        protocol: draft.protocol,
        nginx: Some(Arc::new(NginxSocket { belief, log, answers, strays: None })),
        place: Some(place),
        ..EntryPoint::new(&name(draft), draft.port)
    }
}

fn name(draft: &StreamDraft) -> String {
    let protocol = if draft.protocol == Protocol::Udp { "udp" } else { "tcp" };
    format!("{protocol}-{}@nginx", draft.port)
}

/// The routes of all of them.
pub(in crate::tables) fn routes(
    reads: &mut Reads<'_>,
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Row> {
    let Row::Sockets(sockets) = reads.row(&Cell::Sockets)? else { return None };
    let mut routed = Routed::default();
    for draft in &sockets.streams {
        let id = RouteId::from(name(draft));
        let to = backend(draft, &id, options, (reads, diagnostics), &mut routed);
        let is_udp = draft.protocol == Protocol::Udp;
        let (host, path) = (HostSpecificity::Any, PathSpecificity::Length(Reverse(0)));
        let rank = Rank {
            ladder: Ladder::Specific,
            number: 0,
            specific: Specificity::new(host, path),
            provider: KUBERNETES_INGRESS,
            created: None,
            object: draft.place.object.id().to_string().into(),
            index: u32::from(draft.port),
        };
        let route = Route {
            id: id.clone(),
            place: draft.place.clone(),
            kind: if is_udp { RouteKind::Udp } else { RouteKind::Tcp },
            listeners: vec![name(draft).into()],
            rank,
            rule: Arc::new(Rule::always()),
            uses: Vec::new(),
            to: Destination::Backend(to),
            timeouts: None,
            manner: Manner::Nginx,
            tls_policy: None,
            observability: Observability::default(),
        };
        routed.routes.push(Arc::new(route));
    }
    (!routed.routes.is_empty()).then(|| routed.row())
}

fn backend(
    draft: &StreamDraft,
    route: &RouteId,
    options: &ResolveOptions,
    (reads, diagnostics): (&mut Reads<'_>, &mut Vec<Diagnostic>),
    routed: &mut Routed,
) -> BackendId {
    let silence = match reads.row(&Cell::NginxSettings) {
        Some(Row::NginxSettings(terms)) => Some(terms.settings.streams.silence),
        _ => None,
    };
    let (protocol, origin) = (draft.protocol, &OriginTerms::Unsaid);
    let lets_names = !options.nginx.disables_names;
    let kind = if protocol == Protocol::Udp { RouteKind::Udp } else { RouteKind::Tcp };
    let so = Some(routers::unserved(kind));
    let terms = ServiceTerms { lets_names, so, ..ServiceTerms::default() };
    let mut join = Join { protocol, reads, origin, terms, diagnostics };
    let written = &draft.backend;
    let found = join.service(written).and_then(|service| {
        let target = join.target(written, &service, Class::Nginx, routed)?;
        Some((service, target))
    });
    let Some((service, target)) = found else {
        let why = RefusalReason::Reference(draft.place.clone());
        return routed.refuse(route, &draft.place, why, None);
    };
    let transport = Transport {
        id: route.as_str().into(),
        proxy_protocol: draft.tells_clients.then_some(ProxyVersion::V1),
        idle: silence,
        ..Transport::bytes()
    };
    let leaf = Endpoints::in_turn(target.set, transport.id.clone());
    routed.transports.push(Arc::new(transport));
    let (id, service) =
        (BackendId::from(route.as_str()), Some((service.id.clone(), target.port.port)));
    let (backend, place) = (Backend::Endpoints(leaf), Some(draft.place.clone()));
    routed.own.push(Arc::new(BackendNode { id: id.clone(), place, service, backend }));
    id
}
