//! Services of the program itself, and the routes to them that nobody has written.

use std::cmp::Reverse;
use std::sync::Arc;

use steelyard_model::routing::backend::{Backend, BackendNode, Internal};
use steelyard_model::routing::entry_point::EntryPoint;
use steelyard_model::routing::exposure::{ExposedRoute, Exposure};
use steelyard_model::routing::filter::{Filter, FilterNode, RegexRedirection, Rewrite, Use};
use steelyard_model::routing::id::{BackendId, RouteId};
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::observability::Observability;
use steelyard_model::routing::pattern::{Expression, PathForm, PathPattern, PathShape};
use steelyard_model::routing::rank::{HostSpecificity, Ladder, PathSpecificity, Rank, Specificity};
use steelyard_model::routing::route::{Destination, Manner, Route, RouteKind};
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{ObjectRef, Provenance};

/// Adds the services that there are, and their routes; and filters that entry points are set to
/// have.
pub(crate) fn exposed(exposure: &Exposure, entry_points: &[EntryPoint], routing: &mut RoutingMap) {
    for service in Internal::NAMED.into_iter().filter(|it| exposure.has(*it)) {
        let (id, backend) = (BackendId::from(service), Backend::Internal(service));
        let node = BackendNode { id: id.clone(), place: None, service: None, backend };
        routing.backends.insert(id, Arc::new(node));
    }
    for filter in entry_points.iter().filter_map(super::characters) {
        routing.filters.insert(filter.id.clone(), Arc::new(filter));
    }
    for (index, asked) in exposure.routes.iter().enumerate() {
        let Some(point) = entry_points.iter().find(|it| it.id == asked.entry_point) else {
            continue;
        };
        let mut route = route(asked, point, index);
        if asked.service == Internal::Dashboard {
            for filter in to_page(asked.prefix.trim_end_matches('/')) {
                route.uses.push(Use::of(&asked.name, &filter.id, &filter.filter));
                routing.filters.insert(filter.id.clone(), Arc::new(filter));
            }
        }
        routing.routes.insert(route.id.clone(), Arc::new(route));
    }
}

/// Who asks for nothing in particular below `base` is led to the page, which is below a path of its
/// own there: as with Traefik, by filters of these names.
fn to_page(base: &str) -> [FilterNode; 2] {
    let begin = if base.is_empty() { "/".to_owned() } else { format!("{}/?", escaped(base)) };
    let site = Expression::new(&format!(r"^(https?://(\[[\w:.]+\]|[\w\._-]+)(:\d+)?){begin}$"));
    let redirection = RegexRedirection {
        expression: site.expect("it is written above"),
        replacement: format!("${{1}}{}/dashboard/", base.replace('$', "$$")).into(),
        is_permanent: false,
    };
    let page = format!("{base}/dashboard");
    let prefixes = vec![format!("{page}/").into(), page.into()];
    let node = |name: &str, filter| FilterNode {
        id: format!("dashboard_{name}@internal").as_str().into(),
        place: None,
        filter,
    };
    [
        node("redirect", Filter::RedirectRegex(redirection)),
        node("stripprefix", Filter::Rewrite(Rewrite::StripPrefix(prefixes))),
    ]
}

/// A path as an expression for it alone.
fn escaped(path: &str) -> String {
    let mut escaped = String::new();
    for character in path.chars() {
        if !character.is_ascii_alphanumeric() && !matches!(character, '/' | '-' | '_') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// `api@internal`, as Traefik calls it.
fn route(asked: &ExposedRoute, point: &EntryPoint, index: usize) -> Route {
    let object = Arc::new(ObjectRef::new("EntryPoint", "", point.id.as_str()));
    let shape = PathShape::Bytes(asked.prefix.clone());
    let path = PathPattern { shape, form: PathForm::Readable };
    let length = u16::try_from(asked.prefix.len()).unwrap_or(u16::MAX);
    let narrow = PathSpecificity::Length(Reverse(length));
    Route {
        id: RouteId::from(format!("{}@internal", asked.name)),
        place: Provenance::new(&object, ""),
        kind: RouteKind::Http,
        listeners: vec![point.default_listener()],
        rank: Rank {
            ladder: Ladder::Priority,
            number: asked.number,
            specific: Specificity::new(HostSpecificity::Any, narrow),
            provider: 0,
            created: None,
            object: asked.name.clone(),
            index: u32::try_from(index).unwrap_or(u32::MAX),
        },
        rule: Arc::new(Rule::One(Matcher::Path(path))),
        uses: Vec::new(),
        to: Destination::Backend(asked.service.into()),
        timeouts: None,
        manner: Manner::Traefik,
        tls_policy: None,
        observability: Observability::default(),
    }
}
