//! Where routes are tried: the entry points that there are, and those that an object asks for.

use steelyard_model::routing::entry_point::{EntryPoint, PLAIN, SECURE};
use steelyard_model::routing::id::{EntryPointId, ListenerId};
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{Diagnostic, FieldPath, Provenance, Severity};

use crate::codes;
use crate::tables::row::ReadSet;

/// The annotation that names entry points.
const ENTRY_POINTS: &str = "traefik.ingress.kubernetes.io/router.entrypoints";

/// Sockets with their listeners.
pub(crate) fn sockets(entry_points: &[EntryPoint]) -> RoutingMap {
    let listeners = entry_points.iter().flat_map(EntryPoint::listeners);
    RoutingMap {
        entry_points: entry_points.iter().map(|it| (it.id.clone(), it.clone().into())).collect(),
        listeners: listeners.map(|it| (it.id.clone(), it.into())).collect(),
        ..RoutingMap::default()
    }
}

/// Entry points to choose from.
pub(super) struct EntryPoints<'a> {
    all: &'a [EntryPoint],
    /// Where a route goes that names none.
    default: Vec<&'a EntryPoint>,
}

impl<'a> EntryPoints<'a> {
    /// By default routes go to every entry point but those for TLS, by what they say or by port.
    pub(super) fn new(all: &'a [EntryPoint]) -> Self {
        let is_plain = |it: &&EntryPoint| !it.is_secure && it.port != SECURE.port;
        let mut default: Vec<&EntryPoint> = all.iter().filter(is_plain).collect();
        if default.is_empty() {
            default.extend(all);
        }
        Self { all, default }
    }

    /// The listeners where the routes of an object are tried.
    pub(super) fn listeners(&self, read: &ReadSet<'_>) -> Vec<ListenerId> {
        self.of(read).into_iter().map(EntryPoint::default_listener).collect()
    }

    /// Those that exist of what an object asks for.
    fn of(&self, read: &ReadSet<'_>) -> Vec<&'a EntryPoint> {
        if read.reading.entry_points.is_empty() {
            return self.default.clone();
        }
        let mut found: Vec<&EntryPoint> = Vec::new();
        for known in read.reading.entry_points.iter().filter_map(|name| self.find(name)) {
            if !found.iter().any(|it| it.id == known.id) {
                found.push(known);
            }
        }
        found
    }

    fn find(&self, id: &EntryPointId) -> Option<&'a EntryPoint> {
        self.all.iter().find(|known| known.id == *id)
    }

    /// Says of an object whose routes are not served where it asks for.
    pub(super) fn judge(&self, read: &ReadSet<'_>, diagnostics: &mut Vec<Diagnostic>) {
        if read.routes().is_empty() {
            return;
        }
        let place = Provenance::new(&read.set.object, FieldPath::annotation(ENTRY_POINTS));
        let missing = read.reading.entry_points.iter().filter(|name| self.find(name).is_none());
        diagnostics.extend(missing.map(|name| self.missing(&place, name)));
        let found = self.of(read);
        if !found.is_empty() && found.iter().all(|it| it.is_secure) {
            diagnostics.push(self.silent(&place, &found));
        }
    }

    fn missing(&self, place: &Provenance, name: &EntryPointId) -> Diagnostic {
        let known: Vec<&str> = self.all.iter().map(|known| known.id.as_str()).collect();
        Diagnostic::at(
            Severity::Error,
            codes::ENTRY_POINT_MISSING,
            place,
            format!("there is no entry point `{name}`, so the routes are not served there"),
            format!("use one of {}, or start with --entrypoints.{name}.address", known.join(", ")),
        )
    }

    fn silent(&self, place: &Provenance, found: &[&EntryPoint]) -> Diagnostic {
        let plain = self.all.iter().find(|it| !it.is_secure);
        let plain = plain.map_or(PLAIN.name, |it| it.id.as_str());
        let found: Vec<&str> = found.iter().map(|it| it.id.as_str()).collect();
        let found = found.join(", ");
        Diagnostic::at(
            Severity::Warning,
            codes::ENTRY_POINT_SILENT,
            place,
            format!(
                "{found} is for TLS, which is not served yet: nothing listens there, so nobody \
                 reaches these routes"
            ),
            format!("write `{plain},{found}` to serve them in plain HTTP until then"),
        )
    }
}
