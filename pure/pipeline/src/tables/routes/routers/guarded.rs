//! What all requests at an entry point pass (`http.middlewares`), and by which terms handshakes are
//! held there where no route says otherwise (`http.tls.options`).
//!
//! What is named and cannot be had closes the entry point: none of its routes is served without it.

use std::sync::Arc;

use steelyard_manifest::FILE_PROVIDER;
use steelyard_model::router_draft::{LinkTarget, ObjectLink};
use steelyard_model::routing::entry_point::EntryPoint;
use steelyard_model::routing::filter::{Filter, FilterNode, Use};
use steelyard_model::routing::id::{FilterId, TlsPolicyId};
use steelyard_model::routing::listener::{Listener, Security};
use steelyard_model::routing::route::RouteKind;
use steelyard_model::{
    Diagnostic, FieldPath, NamespacedName, ObjectRef, Protocol, Provenance, Severity,
};

use super::super::elsewhere;
use super::{Maker, NOBODY, UNSERVED};
use crate::codes;
use crate::options::ResolveOptions;
use crate::tables::Reads;
use crate::tables::cell::{Cell, Tag};
use crate::tables::row::{Routed, Row};
use crate::tables::tls::is_default;

/// What places in static options are places of.
pub(super) const ENTRY_POINT: &str = "EntryPoint";

/// A filter that there never is: who uses it is closed.
const CLOSED: &str = "#closed";

/// The listeners of entry points that ask for something; none where nobody does.
pub(in crate::tables) fn guarded(
    reads: &mut Reads<'_>,
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Row> {
    let asks = |it: &&EntryPoint| {
        !it.filters.is_empty() || it.tls_options.is_some() || it.characters.is_some()
    };
    let asking = options.entry_points.iter().filter(|it| it.protocol == Protocol::Tcp).filter(asks);
    let mut all = Vec::new();
    for point in asking {
        let (kind, routed, before) = (RouteKind::Http, Routed::default(), diagnostics.len());
        let mut maker = Maker { kind, options, reads, diagnostics, routed, so: UNSERVED };
        let uses = maker.uses_of(point);
        let policy = point.tls_options.as_ref().and_then(|name| maker.terms_of(point, name));
        all.extend(point.listeners().into_iter().map(|listener| {
            Arc::new(Listener {
                security: match listener.security {
                    Security::Terminate { certificates, .. } => {
                        Security::Terminate { policy: policy.clone(), certificates }
                    }
                    security => security,
                },
                uses: uses.clone(),
                yields: options.as_traefik,
                ..listener
            })
        }));
        diagnostics[before..].iter_mut().for_each(|found| place_option(found, point, options));
    }
    (!all.is_empty()).then(|| Row::Listeners(all.into()))
}

impl Maker<'_, '_> {
    fn uses_of(&mut self, point: &EntryPoint) -> Vec<Use> {
        let field = FieldPath::from("http.middlewares");
        let link = |(index, name): (usize, &Arc<str>)| ObjectLink {
            to: LinkTarget::Provided(name.clone()),
            place: place(point, field.index(index)),
        };
        let links: Vec<ObjectLink> = point.filters.iter().enumerate().map(link).collect();
        let (passed, closed) = self.passed_elsewhere(&links, point.id.as_str());
        let first = characters(point).map(|it| Use::of(point.id.as_str(), &it.id, &it.filter));
        let mut uses: Vec<Use> = first.into_iter().chain(passed).collect();
        if closed.is_some() {
            self.say_closed(point);
            uses.push(Use { filter: FilterId::from(CLOSED), state: CLOSED.into() });
        }
        uses
    }

    fn say_closed(&mut self, point: &EntryPoint) {
        let place = place(point, FieldPath::from("http.middlewares"));
        let message = format!(
            "entry point `{}` is closed: what all of its requests are to pass cannot be had, so \
             its routes answer 503",
            point.id
        );
        let help = format!(
            "mend the middleware, or take it off --entrypoints.{}.http.middlewares",
            point.id
        );
        let code = codes::ENTRY_POINT_CLOSED;
        self.diagnostics.push(Diagnostic::at(Severity::Error, code, &place, message, help));
    }

    /// The terms that a name of static options means. Those that are not there are held by nobody.
    fn terms_of(&mut self, point: &EntryPoint, name: &Arc<str>) -> Option<TlsPolicyId> {
        if is_default(name) {
            return None;
        }
        let place = place(point, FieldPath::from("http.tls.options"));
        let so = "no handshake is held at the entry point where a route names no others";
        self.provided_terms(name, &place, so)
    }

    /// The terms that another provider calls so; none where they are those of all who name none.
    pub(super) fn provided_terms(
        &mut self,
        name: &str,
        place: &Provenance,
        so: &str,
    ) -> Option<TlsPolicyId> {
        let id = match name.ends_with(FILE_PROVIDER) {
            true => Some(NamespacedName::new("tls", name)),
            false => elsewhere::object(Tag::TlsOption, name, RouteKind::Http, self.reads),
        };
        let cell = |id: &NamespacedName| Cell::Object(Tag::TlsOption, id.clone());
        if let Some(id) = id.filter(|id| self.reads.row(&cell(id)).is_some()) {
            let name = name.strip_suffix("@kubernetescrd").unwrap_or(name);
            return (!is_default(&id.name)).then(|| name.into());
        }
        let help = "name a TLSOption: NAMESPACE-NAME@kubernetescrd, or NAME@file";
        self.unprovided(name, place, so, help);
        Some(NOBODY.into())
    }
}

/// Says where the option stands that a finding of an entry point is about.
fn place_option(found: &mut Diagnostic, point: &EntryPoint, options: &ResolveOptions) {
    let field = found.path.0.split('[').next().unwrap_or_default();
    let option = format!("entrypoints.{}.{field}", point.id).to_ascii_lowercase();
    found.location = options.option_places.get(&option).cloned();
}

/// What an entry point says of encoded characters (`http.encodedCharacters`), as a filter that is
/// passed before all others.
pub(in crate::tables) fn characters(point: &EntryPoint) -> Option<FilterNode> {
    let filter = Filter::EncodedCharacters(point.characters?);
    let id = format!("encoded-characters-{}@internal", point.id).into();
    Some(FilterNode { id, place: None, filter })
}

fn place(point: &EntryPoint, field: FieldPath) -> Provenance {
    Provenance::new(&Arc::new(ObjectRef::new(ENTRY_POINT, "", point.id.as_str())), field)
}
