//! Routes: whose they are, which Services they lead to, and which of two equal ones is served.

mod backend;
mod rule;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steelyard_model::routing::entry_point::{EntryPoint, PLAIN, SECURE};
use steelyard_model::routing::world::Routing;
use steelyard_model::suggest::closeness;
use steelyard_model::{
    ClassName, Diagnostic, FieldPath, HostMatch, Manner, NamespacedName, PathMatch, Provenance,
    Route, RouteDraft, RouteSet, Severity,
};

use super::ResolveOptions;
use super::backing::Backing;
use super::codes;
use super::endpoints::Resolved;
use super::suggestion::Suggester;
use super::world::World;
use backend::Join;

/// Whose words an Ingress is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Traefik's, or nobody's in particular: Traefik takes those too.
    Traefik,
    /// ingress-nginx's.
    Nginx,
    /// Our own.
    Steelyard,
}

/// The annotation that names entry points.
const ENTRY_POINTS: &str = "traefik.ingress.kubernetes.io/router.entrypoints";

const CONTROLLERS: [(&str, &str, Class); 3] = [
    ("traefik", "traefik.io/ingress-controller", Class::Traefik),
    ("nginx", "k8s.io/ingress-nginx", Class::Nginx),
    ("steelyard", "steelyard.dev/ingress-controller", Class::Steelyard),
];

/// The sets that are ours, the oldest first, and whose words they are in.
pub(super) fn served_sets<'a>(
    world: &World<'a>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<(&'a RouteSet, Class)> {
    let default = world.classes.iter().find(|(_, class)| class.is_default);
    let mut sets = Vec::new();
    for set in &world.routes {
        // The API server writes the default class into an Ingress without one.
        let by_default = || {
            let place = Provenance::new(&set.object, "spec");
            default.map(|(name, _)| ClassName { name: (*name).to_owned(), place })
        };
        let Some(class) = set.class.clone().or_else(by_default) else {
            sets.push((*set, Class::Traefik));
            continue;
        };
        match class_of(world, &class) {
            Some(found) => sets.push((*set, found)),
            None => diagnostics.push(not_ours(world, &class)),
        }
    }
    sets
}

/// By the controller of the IngressClass of this name, else by the name.
fn class_of(world: &World<'_>, class: &ClassName) -> Option<Class> {
    let object = world.classes.get(class.name.as_str());
    let found = CONTROLLERS.iter().find(|(name, controller, _)| match object {
        Some(object) => object.controller == *controller,
        None => class.name == *name,
    });
    found.map(|(_, _, class)| *class)
}

fn not_ours(world: &World<'_>, class: &ClassName) -> Diagnostic {
    let message = match world.classes.get(class.name.as_str()) {
        Some(object) => format!(
            "class `{}` belongs to {}, so this Ingress is not served here",
            class.name, object.controller
        ),
        None => format!("class `{}` is not ours, so this Ingress is not served here", class.name),
    };
    let is_known = world.classes.contains_key(class.name.as_str());
    let meant = ["traefik", "nginx"].into_iter().find(|ours| is_typo(&class.name, ours));
    let (severity, help) = match meant.filter(|_| !is_known) {
        Some(meant) => (Severity::Warning, format!("did you mean `{meant}`?")),
        None => (
            Severity::Info,
            "to have it served use class traefik or nginx, or add an IngressClass of this name \
             whose controller is traefik.io/ingress-controller or k8s.io/ingress-nginx"
                .to_owned(),
        ),
    };
    Diagnostic::at(severity, codes::CLASS_NOT_OURS, &class.place, message, help)
}

/// Whether `written` is but a letter or two away from `name`; a class may well be named after
/// another.
fn is_typo(written: &str, name: &str) -> bool {
    closeness(written, name).is_some_and(|edits| edits <= 2)
}

/// Every Service that a route names.
pub(super) fn named_backends<'a>(sets: &[(&'a RouteSet, Class)]) -> BTreeSet<&'a NamespacedName> {
    let routes = sets.iter().flat_map(|(set, _)| &set.routes);
    routes.flat_map(|route| &route.backends).map(|backend| &backend.service).collect()
}

/// What already takes requests: entry point, host and path, and who asked for it.
type Taken<'a> = BTreeMap<(Arc<str>, &'a HostMatch, &'a PathMatch), &'a Provenance>;

/// All routes, in the order they are tried; `resolved` are the Services that they name.
pub(super) fn resolve(
    backing: &Backing,
    sets: &[(&RouteSet, Class)],
    resolved: &BTreeMap<NamespacedName, Resolved>,
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Route> {
    let entry_points = EntryPoints::new(options);
    let mut taken = Taken::new();
    let mut join = Join { backing, resolved, suggester: Suggester::new(), diagnostics };
    let mut routes = Vec::new();
    for (set, class) in sets {
        entry_points.judge(set, join.diagnostics);
        for draft in &set.routes {
            let wanted = entry_points.of(draft);
            let free = claim(draft, wanted, &mut taken, join.diagnostics);
            if free.is_empty() {
                continue;
            }
            let (backends, refusal) = join.backends(draft, *class);
            let rule = rule::text(&draft.host, &draft.path);
            routes.push(Route {
                name: Arc::from(draft.name.as_str()),
                place: draft.place.clone(),
                host: draft.host.clone(),
                path: draft.path.clone(),
                entry_points: free,
                priority: i64::try_from(rule.len()).expect("rules are short"),
                rule,
                manner: match class {
                    Class::Nginx => Manner::Nginx,
                    Class::Traefik | Class::Steelyard => Manner::Traefik,
                },
                backends,
                refusal,
            });
        }
    }
    routes.sort_by(|a, b| a.precedence().cmp(&b.precedence()));
    routes
}

/// The entry points where no older route has this host and path already.
fn claim<'a>(
    draft: &'a RouteDraft,
    wanted: Vec<Arc<str>>,
    taken: &mut Taken<'a>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<String> {
    let mut free = Vec::new();
    let mut older = None;
    for entry_point in wanted {
        let key = (Arc::clone(&entry_point), &draft.host, &draft.path);
        match taken.get(&key) {
            Some(place) => older = Some(*place),
            None => {
                taken.insert(key, &draft.place);
                free.push(entry_point.as_ref().to_owned());
            }
        }
    }
    if let Some(older) = older {
        diagnostics.push(duplicate(draft, older));
    }
    free
}

fn duplicate(draft: &RouteDraft, older: &Provenance) -> Diagnostic {
    let rule = rule::text(&draft.host, &draft.path);
    let owner = if older.object == draft.place.object {
        format!("{} of this object", older.field)
    } else {
        format!("{} ({})", older.object, older.field)
    };
    Diagnostic::at(
        Severity::Error,
        codes::ROUTE_DUPLICATE,
        &draft.place,
        format!(
            "{rule} is routed by {owner} already; that is older, or first by name, and keeps it"
        ),
        "change host or path of one of the two, or remove it",
    )
}

/// Sockets with their listeners.
pub(super) fn sockets(entry_points: &[EntryPoint]) -> Routing {
    let listeners = entry_points.iter().flat_map(EntryPoint::listeners);
    Routing {
        entry_points: entry_points.iter().map(|it| (it.id.clone(), it.clone().into())).collect(),
        listeners: listeners.map(|it| (it.id.clone(), it.into())).collect(),
        ..Routing::default()
    }
}

/// Names of entry points.
struct EntryPoints {
    all: Vec<Arc<str>>,
    /// Where a route goes that names none.
    default: Vec<Arc<str>>,
    /// Those for TLS, where nothing listens yet.
    secure: Vec<Arc<str>>,
}

impl EntryPoints {
    /// By default routes go to every entry point but those for TLS, by what they say or by port.
    fn new(options: &ResolveOptions) -> Self {
        let named = |entry: &EntryPoint| Arc::from(entry.id.as_str());
        let secure = |entry: &&EntryPoint| entry.is_secure;
        let plain = |entry: &&EntryPoint| !entry.is_secure && entry.port != SECURE.port;
        let all: Vec<Arc<str>> = options.entry_points.iter().map(named).collect();
        let default: Vec<Arc<str>> = options.entry_points.iter().filter(plain).map(named).collect();
        let default = if default.is_empty() { all.clone() } else { default };
        let secure = options.entry_points.iter().filter(secure).map(named).collect();
        Self { all, default, secure }
    }

    /// Those that exist of what a route asks for.
    fn of(&self, draft: &RouteDraft) -> Vec<Arc<str>> {
        if draft.entry_points.is_empty() {
            return self.default.clone();
        }
        let mut found: Vec<Arc<str>> = Vec::new();
        for name in &draft.entry_points {
            let known = self.all.iter().find(|known| ***known == **name);
            if let Some(known) = known.filter(|known| !found.contains(known)) {
                found.push(Arc::clone(known));
            }
        }
        found
    }

    /// Says of an object whose routes are not served where it asks for; all of them ask alike.
    fn judge(&self, set: &RouteSet, diagnostics: &mut Vec<Diagnostic>) {
        let Some(draft) = set.routes.first() else { return };
        let place = Provenance::new(&set.object, FieldPath::annotation(ENTRY_POINTS));
        let missing =
            draft.entry_points.iter().filter(|name| !self.all.iter().any(|it| **it == ***name));
        diagnostics.extend(missing.map(|name| self.missing(&place, name)));
        let found = self.of(draft);
        if !found.is_empty() && found.iter().all(|name| self.secure.contains(name)) {
            diagnostics.push(self.silent(&place, &found));
        }
    }

    fn missing(&self, place: &Provenance, name: &str) -> Diagnostic {
        let known: Vec<&str> = self.all.iter().map(|known| &**known).collect();
        Diagnostic::at(
            Severity::Error,
            codes::ENTRY_POINT_MISSING,
            place,
            format!("there is no entry point `{name}`, so the routes are not served there"),
            format!("use one of {}, or start with --entrypoints.{name}.address", known.join(", ")),
        )
    }

    fn silent(&self, place: &Provenance, found: &[Arc<str>]) -> Diagnostic {
        let plain = self.all.iter().find(|name| !self.secure.contains(name));
        let plain = plain.map_or(PLAIN.name, |name| &**name);
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
