//! Routes: whose they are, which Services they lead to, and which of two equal ones is served.

mod backend;
mod class;
mod entry_points;
mod parts;

use std::collections::{BTreeMap, BTreeSet};

use steelyard_model::routing::id::{BackendId, ListenerId};
use steelyard_model::routing::route::{Destination, Manner, Route, RouteKind, RouteTimeouts};
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{Diagnostic, NamespacedName, Provenance, RouteDraft, RouteSet, Severity};

use super::ResolveOptions;
use super::backing::Backing;
use super::codes;
use super::endpoints::Resolved;
use super::suggestion::Suggester;
use backend::Join;
use entry_points::EntryPoints;
use parts::Parts;

pub(super) use class::{Class, served_sets};
pub(super) use entry_points::sockets;

/// Every Service that a route names.
pub(super) fn named_backends<'a>(sets: &[(&'a RouteSet, Class)]) -> BTreeSet<&'a NamespacedName> {
    let routes = sets.iter().flat_map(|(set, _)| &set.routes);
    routes.filter_map(|route| route.backend.as_ref()).map(|backend| &backend.service).collect()
}

/// What already takes requests, and who asked for it.
type Taken<'a> = BTreeMap<(ListenerId, &'a Rule), &'a Provenance>;

/// Adds to the sockets of `routing` all routes, and what is behind them; `resolved` are the
/// Services that they name.
pub(super) fn resolve(
    backing: &Backing,
    sets: &[(&RouteSet, Class)],
    resolved: &BTreeMap<NamespacedName, Resolved>,
    options: &ResolveOptions,
    routing: &mut RoutingMap,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let entry_points = EntryPoints::new(&options.entry_points);
    let (mut taken, mut parts) = (Taken::new(), Parts::default());
    let mut join = Join { backing, resolved, suggester: Suggester::new(), diagnostics };
    for (set, class) in sets {
        entry_points.judge(set, join.diagnostics);
        for draft in &set.routes {
            let wanted = entry_points.listeners(draft);
            let listeners = claim(draft, wanted, &mut taken, join.diagnostics);
            if listeners.is_empty() {
                continue;
            }
            let backend = join.backend(draft, *class, &mut parts);
            parts.add(route(draft, *class, listeners, backend));
        }
    }
    parts.put_into(routing);
}

fn route(
    draft: &RouteDraft,
    class: Class,
    listeners: Vec<ListenerId>,
    backend: BackendId,
) -> Route {
    Route {
        id: draft.id.clone(),
        place: draft.place.clone(),
        kind: RouteKind::Http,
        listeners,
        rank: draft.rank.clone(),
        rule: draft.rule.clone(),
        uses: Vec::new(),
        to: Destination::Backend(backend),
        timeouts: RouteTimeouts::default(),
        manner: match class {
            Class::Nginx => Manner::Nginx,
            Class::Traefik | Class::Steelyard => Manner::Traefik,
        },
        tls_policy: None,
    }
}

/// The listeners where no older route has this rule already.
fn claim<'a>(
    draft: &'a RouteDraft,
    wanted: Vec<ListenerId>,
    taken: &mut Taken<'a>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<ListenerId> {
    let mut free = Vec::new();
    let mut older = None;
    for listener in wanted {
        let key = (listener.clone(), &draft.rule);
        match taken.get(&key) {
            Some(place) => older = Some(*place),
            None => {
                taken.insert(key, &draft.place);
                free.push(listener);
            }
        }
    }
    if let Some(older) = older {
        diagnostics.push(duplicate(draft, older));
    }
    free
}

fn duplicate(draft: &RouteDraft, older: &Provenance) -> Diagnostic {
    let rule = &draft.rule;
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
