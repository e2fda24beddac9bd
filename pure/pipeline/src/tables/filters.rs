//! Names of filters.

use std::sync::Arc;

use steelyard_model::FilterDraft;
use steelyard_model::routing::asked::AskedUrl;
use steelyard_model::routing::id::FilterId;

use super::cell::Cell;
use crate::engine::Links;

/// What hangs on a filter that is written.
pub(super) fn link(draft: &FilterDraft, links: &mut Links<Cell>) {
    links.entry(Cell::Called(draft.is_for_bytes, called(&draft.id)));
    draft.pages.iter().for_each(|way| super::leads_to(way, links));
    for (service, _) in draft.filter.asked().filter_map(AskedUrl::service) {
        links.entry(Cell::LeadsTo(service));
    }
}

/// By what name others call a filter: `default-auth@kubernetescrd`, of what is called
/// `default/auth` there; what files have is called as it is.
fn called(id: &FilterId) -> Arc<str> {
    let text = id.as_str();
    let Some((name, provider)) = text.rsplit_once('@') else { return text.into() };
    if let (Some(own), "file") = (name.strip_suffix("@tcp"), provider) {
        return format!("{own}@file").into();
    }
    match name.contains('/') {
        true => format!("{}@{provider}", normal(name.trim_end_matches("#tcp"))).into(),
        false => text.into(),
    }
}

/// As Traefik writes names: letters and digits, with hyphens between them.
fn normal(name: &str) -> String {
    let parts = name.split(|letter: char| !letter.is_alphanumeric());
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}
