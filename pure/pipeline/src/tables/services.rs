//! Services with what backs them, and as policies leave them.

use std::sync::Arc;

use steelyard_model::{
    Diagnostic, Family, Item, Labels, NamespacedName, ResolvedPort, ResolvedService, ServedBy,
    Service,
};

use super::Reads;
use super::backing::Backing;
use super::cell::{Cell, Tag};
use super::endpoints::{self, Resolved};
use super::gateway;
use super::policies::{self, Policies};
use super::row::{Backed, Row};
use crate::options::ResolveOptions;

/// A Service with its endpoints.
pub(super) fn service(
    id: &NamespacedName,
    reads: &mut Reads<'_>,
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Row> {
    let row = reads.row(&Cell::Object(Tag::Service, id.clone()))?;
    let [Item::Service(service), ..] = row.items() else { return None };
    let is_backend = is_backend(id, reads, options);
    let primary = match reads.row(&Cell::Family) {
        Some(Row::Family(family)) => family,
        _ => Family::V4,
    };
    let backing = &mut Backing { reads };
    let keeps_zones = options.nginx.keeps_zones && service.stays_in_zone;
    let asked = (primary, keeps_zones);
    let resolved = endpoints::of_service(backing, service, asked, diagnostics);
    let is_gateway = gateway::serves(backing, service, &resolved, is_backend, options, diagnostics);
    let wanted = is_backend || service.is_load_balancer() && !is_gateway;
    if options.reads_endpoints {
        endpoints::report_silent(backing, service, &resolved, wanted, diagnostics);
    }
    Some(Row::Service(backed(service, resolved, is_gateway, is_backend)))
}

/// Whether a route leads to a Service, by its name or by that of an ExternalName.
fn is_backend(id: &NamespacedName, reads: &mut Reads<'_>, options: &ResolveOptions) -> bool {
    if !options.reads_routes {
        return false;
    }
    if reads.any(&Cell::LeadsTo(id.clone())) {
        return true;
    }
    if reads.row(&Cell::AnyAlias) != Some(Row::Flag(true)) {
        return false;
    }
    let aliases = reads.keys(&Cell::AliasesOf(id.clone())).into_iter();
    let mut leads = aliases.map(|alias| match alias {
        Cell::Object(_, alias) => reads.any(&Cell::LeadsTo(alias)),
        other => panic!("{other:?} is no object"),
    });
    leads.any(|leads| leads)
}

/// A Service that restricts who may connect, which we cannot, leads nowhere: neither to the
/// gateway nor to endpoints. Routes to it do.
fn backed(
    service: &Arc<Service>,
    resolved: Resolved,
    is_gateway: bool,
    is_backend: bool,
) -> Backed {
    let closed = service.refusal.is_some();
    let by_address = match closed {
        true => vec![Vec::new(); service.ports.len()],
        false => resolved.endpoints.clone(),
    };
    let ports = service.ports.iter().zip(by_address);
    let ports = ports.map(|(port, endpoints)| ResolvedPort { port: port.clone(), endpoints });
    let joined = ResolvedService {
        service: Arc::clone(service),
        ports: ports.collect(),
        places: resolved.places,
        served_by: if is_gateway { ServedBy::Gateway } else { ServedBy::Forward },
        closed,
    };
    let routed = (closed && is_backend).then(|| Arc::new(resolved.endpoints));
    Backed { service: Arc::new(joined), routed }
}

/// Whether the gateway serves it.
pub(super) fn is_gateway(service: &ResolvedService) -> bool {
    service.served_by == ServedBy::Gateway
}

/// Whose place the gateway takes.
pub(super) fn stands(reads: &mut Reads<'_>) -> Row {
    let gateways = reads.rows(&Cell::Gateways).into_iter();
    let gateways = gateways.filter_map(|row| match row {
        Row::Service(backed) => Some(backed.service),
        _ => None,
    });
    let gateways: Vec<Arc<ResolvedService>> = gateways.collect();
    let labels = |namespace: &Arc<str>| -> Labels {
        let row = reads.row(&super::cluster_object(Tag::Namespace, namespace));
        match row.as_ref().map(Row::items) {
            Some([Item::Namespace { labels, .. }, ..]) => labels.clone(),
            _ => Labels::new(),
        }
    };
    Row::Stands(Arc::new(policies::stands(&gateways, labels)))
}

/// A Service as the policies of its namespace leave it.
pub(super) fn closed(
    id: &NamespacedName,
    reads: &mut Reads<'_>,
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Row> {
    let Row::Service(backed) = reads.row(&Cell::Service(id.clone()))? else { return None };
    let policies = Policies::of(&mut Backing { reads }, &id.namespace);
    if policies.is_empty() {
        return Some(Row::Service(backed));
    }
    let Some(Row::Stands(stands)) = reads.row(&Cell::Stands) else { return None };
    let is_backend = is_backend(id, reads, options);
    let backed = (backed, is_backend);
    let backing = &mut Backing { reads };
    let closed = policies::close(backing, &policies, backed, &stands, options, diagnostics);
    Some(Row::Service(closed))
}
