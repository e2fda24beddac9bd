//! Who answers where a location cannot, or may not: `default-backend` and `custom-http-errors`.

use std::sync::Arc;

use steelyard_model::routing::filter::content::ErrorPages;
use steelyard_model::routing::filter::nginx::NginxStep;
use steelyard_model::routing::filter::{Filter, FilterNode, Use};
use steelyard_model::routing::id::BackendId;
use steelyard_model::{
    BackendRef, Diagnostic, Missing, NamespacedName, NginxOptions, PortRef, Provenance, RouteDraft,
    Severity,
};

use super::{Location, of_filter};
use crate::codes;
use crate::tables::cell::{Leaf, Spoken};
use crate::tables::routes::backend::Join;
use crate::tables::row::{ReadSet, Routed};

/// Lines of a client that who has pages is told. They are looked at before those that let him in
/// are, so nothing goes that says who he is, or that others set.
const ABOUT: [&str; 6] =
    ["Accept", "Accept-Language", "Cookie", "Referer", "User-Agent", "X-Request-ID"];

/// What asks for pages for the requests of a route, put into `routed`.
pub(in crate::tables::routes) fn pages(
    location: &Location,
    draft: &RouteDraft,
    read: &ReadSet<'_>,
    options: &NginxOptions,
    (join, routed): (&mut Join<'_, '_>, &mut Routed),
) -> Option<Use> {
    let (settings, own) = (location.settings(), read.nginx());
    if settings.is_none() && own.is_none() {
        return None;
    }
    let of_all = || settings.map(|it| &it.errors);
    let errors = own.and_then(|it| it.errors.as_ref()).or_else(of_all);
    let errors = errors.map(Vec::as_slice).unwrap_or_default();
    let keeps = own.and_then(|it| it.keeps_errors);
    let keeps = keeps.unwrap_or_else(|| settings.is_some_and(|it| it.keeps_errors));
    let asked = own.and_then(|it| it.default_backend.as_ref());
    let of_all = || {
        let service = options.default_backend.clone().filter(|_| !errors.is_empty())?;
        Some((service, draft.place.clone()))
    };
    let who = asked.cloned().or_else(of_all).and_then(|who| leaf(who, read, join, routed));
    let filter = match who {
        Some(backend) => Filter::ErrorPages(Box::new(ErrorPages {
            statuses: errors.iter().map(|it| (*it, *it)).collect(),
            rewrites: Vec::new(),
            backend,
            query: "".into(),
            request_headers: Some(ABOUT.map(Into::into).into()),
            told: Some(told(draft, read)),
            spares_backends: keeps,
            stands_in: asked.is_some(),
        })),
        None if errors.is_empty() || keeps => return None,
        None => Filter::Nginx(NginxStep::NoPage(errors.to_vec()).into()),
    };
    let id = format!("{}#pages", draft.id).as_str().into();
    let node = FilterNode { id, place: None, filter };
    let usage = of_filter(&node.id);
    routed.filters.push(Arc::new(node));
    Some(usage)
}

/// What it is told of the location.
fn told(draft: &RouteDraft, read: &ReadSet<'_>) -> Vec<(Arc<str>, Arc<str>)> {
    let NamespacedName { namespace, name } = read.set.object.id();
    let mut told: Vec<(Arc<str>, Arc<str>)> =
        vec![("X-Namespace".into(), namespace), ("X-Ingress-Name".into(), name)];
    if let Some(BackendRef { service, port, .. }) = &draft.backend {
        let port = match port {
            PortRef::Number(number) => number.to_string(),
            PortRef::Name(name) => name.clone(),
            PortRef::First => String::new(),
        };
        told.push(("X-Service-Name".into(), service.name.clone()));
        told.push(("X-Service-Port".into(), port.into()));
    }
    told
}

/// Says of a Service that was to have pages that it is not there: the route is served without.
fn nobody(written: &BackendRef) -> Diagnostic {
    let NamespacedName { namespace, name } = &written.service;
    let message = format!(
        "there is no Service `{name}` in namespace {namespace}: nobody answers in the place of \
         what the route leads to"
    );
    let help = format!("add the Service to namespace {namespace}, or name another");
    let (severity, code) = (Severity::Warning, codes::BACKEND_SERVICE_MISSING);
    let found = Diagnostic::at(severity, code, &written.place, message, help);
    found.missing(Missing::named("Service", name).within(namespace).sought())
}

/// The first port of a Service, spoken to in plain.
fn leaf(
    (service, place): (NamespacedName, Provenance),
    read: &ReadSet<'_>,
    join: &mut Join<'_, '_>,
    routed: &mut Routed,
) -> Option<BackendId> {
    let written = BackendRef { service, port: PortRef::First, place };
    let Some(service) = join.look_up(&written.service) else {
        join.diagnostics.push(nobody(&written));
        return None;
    };
    let target = join.target(&written, &service, read.class, routed)?;
    let leaf =
        Leaf::new(service.id.clone(), target.port.port, target.asked, target.set, Spoken::plain());
    let id = leaf.id.clone();
    routed.leaves.push(Arc::new(leaf));
    Some(id)
}
