//! Copies of requests go to somebody else too (`mirror-target`), and his answers to nobody.

use std::sync::Arc;

use steelyard_model::routing::backend::{Backend, BackendNode, CopiedBody, Edge};
use steelyard_model::routing::filter::access::FilterTls;
use steelyard_model::routing::filter::nginx::NginxStep;
use steelyard_model::routing::filter::{Filter, FilterNode};
use steelyard_model::routing::id::BackendId;
use steelyard_model::{Diagnostic, MirrorDraft, RouteDraft, Severity};

use super::{id, of_filter};
use crate::codes;
use crate::options::ResolveOptions;
use crate::tables::routes::backend::Join;
use crate::tables::routes::routers;
use crate::tables::row::{ReadSet, Routed};

/// Of all requests.
const SHARE: u8 = 100;

/// The backend of a route, with who gets copies; `name` tells several backends of one route apart.
/// Where nobody can be had who gets some, requests are served without, and that is said.
pub(in crate::tables::routes) fn mirrored(
    (draft, name): (&RouteDraft, &str),
    read: &ReadSet<'_>,
    main: BackendId,
    options: &ResolveOptions,
    (join, routed): (&mut Join<'_, '_>, &mut Routed),
) -> BackendId {
    let Some(asked) = read.nginx().and_then(|it| it.mirror.as_deref()) else { return main };
    let filter = id(read, "mirror");
    let tls = FilterTls { is_unverified: true, ..FilterTls::default() };
    let (whom, owner) = ((&asked.address, Some(&tls)), (&filter, &asked.place));
    let mut said = Vec::new();
    let at = (&mut *join.reads, &mut said);
    let Some(to) = routers::backend_at(whom, owner, options, at, routed) else {
        let lost = lost(asked, said);
        join.diagnostics.extend((!join.diagnostics.contains(&lost)).then_some(lost));
        return main;
    };
    let usage = of_filter(&filter);
    if routed.filters.iter().all(|known| known.id != filter) {
        let filter_at = Filter::Nginx(NginxStep::Aim(asked.aim.clone()).into());
        let place = Some(asked.place.clone());
        routed.filters.push(Arc::new(FilterNode { id: filter, place, filter: filter_at }));
    }
    let main = Edge { backend: main, weight: 1, uses: Vec::new() };
    let copy = Edge { backend: to, weight: 1, uses: vec![usage] };
    let body = if asked.has_body { CopiedBody::UpTo(None) } else { CopiedBody::Without };
    let backend = Backend::Mirror { main, copies: vec![(copy, SHARE)], body };
    let (id, place) = (BackendId::from(format!("{}#{name}", draft.id)), Some(draft.place.clone()));
    routed.own.push(Arc::new(BackendNode { id: id.clone(), place, service: None, backend }));
    id
}

/// Says that nobody gets copies, by what is missing.
fn lost(asked: &MirrorDraft, said: Vec<Diagnostic>) -> Diagnostic {
    let message = format!("nobody is there at {}: no request is copied", asked.address.origin());
    let help =
        "name a Service by its name in the cluster, with a port that it has, or another host";
    let code = codes::BACKEND_SERVICE_MISSING;
    let found = Diagnostic::at(Severity::Warning, code, &asked.place, message, help);
    match said.into_iter().find_map(|it| it.missing) {
        Some(missing) => Diagnostic { missing: Some(missing), ..found },
        None => found,
    }
}
