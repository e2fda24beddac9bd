//! Locations that are found by expressions which may take too many steps.

use std::sync::Arc;

use steelyard_model::routing::filter::nginx::{NginxDecided, NginxStep};
use steelyard_model::routing::filter::{Filter, FilterNode};
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::{Expression, PathShape};
use steelyard_model::routing::route::Route;
use steelyard_model::routing::rule::Rule;

use super::of_filter;

/// Has a route answer 503 where it takes too many steps to say whether it is meant, before anything
/// else is done: no other one takes such a request.
pub(in crate::tables::routes) fn decide(route: &mut Route, filters: &mut Vec<Arc<FilterNode>>) {
    let by = NginxDecided {
        host: matchers(&route.rule).find_map(|it| match it {
            Matcher::HostRegex(expression) => stepped(expression),
            _ => None,
        }),
        path: route.rule.path().and_then(|path| match &path.shape {
            PathShape::Regex(expression) => stepped(expression),
            _ => None,
        }),
    };
    if by == NginxDecided::default() {
        return;
    }
    let id = format!("{}#decided", route.id).as_str().into();
    let node = FilterNode { id, place: None, filter: Filter::Nginx(NginxStep::Decided(by).into()) };
    route.uses.insert(0, of_filter(&node.id));
    filters.push(Arc::new(node));
}

fn stepped(expression: &Expression) -> Option<Expression> {
    expression.is_stepped().then(|| expression.clone())
}

/// Those of which all must hold.
fn matchers(rule: &Rule) -> impl Iterator<Item = &Matcher> {
    let all = match rule {
        Rule::All(all) => all.as_slice(),
        one => std::slice::from_ref(one),
    };
    all.iter().filter_map(|it| match it {
        Rule::One(matcher) => Some(matcher),
        _ => None,
    })
}
