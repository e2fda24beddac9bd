//! Entry points that lead all who ask there elsewhere (Traefik's `http.redirections.entryPoint`):
//! routes of the program's own, above those of users unless their number says otherwise.
//!
//! As with Traefik who asks with GET is answered 301 or 302, others 308 or 307, which keep method
//! and body.

use std::sync::Arc;

use steelyard_model::routing::backend::Internal;
use steelyard_model::routing::entry_point::{EntryPoint, EntryPointRedirection};
use steelyard_model::routing::filter::{Filter, FilterNode, Redirection, Use};
use steelyard_model::routing::id::{FilterId, RouteId};
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::observability::Observability;
use steelyard_model::routing::pattern::{Expression, PathForm, PathPattern, PathShape};
use steelyard_model::routing::rank::{HostSpecificity, Ladder, PathSpecificity, Rank, Specificity};
use steelyard_model::routing::route::{Destination, Manner, Route, RouteKind};
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{ObjectRef, Provenance};

use super::entry_points::CHALLENGES;

/// Adds the routes of entry points that redirect.
pub(crate) fn redirections(entry_points: &[EntryPoint], routing: &mut RoutingMap) {
    for point in entry_points {
        let Some(to) = &point.redirection else { continue };
        for (index, is_get) in [true, false].into_iter().enumerate() {
            let filter = filter(point, to, is_get);
            let route = route(point, to, &filter.id, (index, is_get));
            routing.filters.insert(filter.id.clone(), Arc::new(filter));
            routing.routes.insert(route.id.clone(), Arc::new(route));
        }
    }
}

/// `redirect-web-to-websecure@internal`, as Traefik calls it.
fn filter(point: &EntryPoint, to: &EntryPointRedirection, is_get: bool) -> FilterNode {
    let of = if is_get { "#get" } else { "" };
    let id = FilterId::from(format!("redirect-{}-to-{}{of}@internal", point.id, to.to));
    let (usual, is_secure) = if &*to.scheme == "https" { (443, true) } else { (80, false) };
    // Who stays with a scheme is told the port in any case: it would be led to where it is.
    let is_said = !to.is_named || is_secure == point.is_secure;
    let redirection = Redirection {
        scheme: Some(to.scheme.clone()),
        host: None,
        port: (is_said && (to.is_named || to.port != usual)).then_some(to.port),
        beside: if to.is_named { vec![(point.port, to.port)] } else { Vec::new() },
        path: None,
        status: match (is_get, to.is_permanent) {
            (true, true) => 301,
            (true, false) => 302,
            (false, true) => 308,
            (false, false) => 307,
        },
    };
    FilterNode { id, place: None, filter: Filter::Redirect(redirection) }
}

/// `web-to-websecure@internal`, as Traefik calls it.
fn route(
    point: &EntryPoint,
    to: &EntryPointRedirection,
    filter: &FilterId,
    (index, is_get): (usize, bool),
) -> Route {
    let name = format!("{}-to-{}", point.id, to.to);
    let of = if is_get { "#get" } else { "" };
    let object = Arc::new(ObjectRef::new("EntryPoint", "", point.id.as_str()));
    // Who names no host cannot be led to one.
    let any_host = Expression::new("^.+$").expect("it is written here");
    let mut rules = vec![Rule::One(Matcher::HostRegex(any_host))];
    if is_get {
        rules.push(Rule::One(Matcher::Method("GET".into())));
    }
    if point.lets_challenges {
        let shape = PathShape::Bytes(format!("{CHALLENGES}/").into());
        let path = PathPattern { shape, form: PathForm::Readable };
        rules.push(Rule::One(Matcher::Path(path)).negated());
    }
    let anything = PathSpecificity::Length(std::cmp::Reverse(0));
    Route {
        id: RouteId::from(format!("{name}{of}@internal")),
        place: Provenance::new(&object, "http.redirections.entryPoint"),
        kind: RouteKind::Http,
        listeners: vec![point.default_listener()],
        rank: Rank {
            ladder: Ladder::Priority,
            number: to.number,
            specific: Specificity::new(HostSpecificity::Any, anything),
            provider: 0,
            created: None,
            object: name.into(),
            index: u32::try_from(index).unwrap_or(u32::MAX),
        },
        rule: Arc::new(Rule::All(rules)),
        uses: vec![Use { filter: filter.clone(), state: filter.as_str().into() }],
        // It lets nobody through.
        to: Destination::Backend(Internal::Noop.into()),
        timeouts: None,
        manner: Manner::Traefik,
        tls_policy: None,
        observability: Observability::default(),
    }
}
