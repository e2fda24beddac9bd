//! `use-regex`, `rewrite-target` and `x-forwarded-prefix`: paths that are regular expressions, and
//! what endpoints are asked for instead.
//!
//! One Ingress that has either makes expressions of all paths of its hosts, those of others too
//! (the join does that): without regard to case, from the begin of the path, without an end.

use std::sync::Arc;

use steelyard_model::routing::backend::RefusalReason;
use steelyard_model::routing::filter::nginx::{NginxRewrite, NginxStep};
use steelyard_model::routing::pattern::Expression;
use steelyard_model::{PassPhase, RouteDraft, Severity};

use super::{Asked, value};
use crate::codes;

pub(super) fn read(asked: &mut Asked<'_, '_>) {
    let is_asked = asked.boolean("use-regex") == Some(true);
    let help = "write a path, in which `$1` to `$9` stand for groups of the path's expression";
    let to = asked.value("rewrite-target", value::target, help);
    let prefix = asked.written("x-forwarded-prefix");
    if prefix.is_some_and(|it| value::target(it).is_none()) {
        asked.close("x-forwarded-prefix", "write a path");
    }
    let routes = asked.routes;
    let changed = |route: &&RouteDraft| to.is_some_and(|to| *to != *route.written());
    asked.reading.has_expressions = is_asked || routes.iter().any(|it| changed(&it));
    if !asked.reading.has_expressions {
        return;
    }
    let by = if is_asked { "use-regex" } else { "rewrite-target" };
    for (index, route) in routes.iter().enumerate() {
        let Ok(expression) = Expression::looking(&format!("(?i){}", route.written())) else {
            return close(asked, by, route);
        };
        if let Some(to) = to.filter(|_| changed(&route)) {
            let prefix: Option<Arc<str>> = prefix.map(Into::into);
            let rewrite = NginxRewrite { expression, to: to.into(), prefix };
            let name = format!("rewrite/{index}");
            // Who is led elsewhere is so before anybody is asked who he is.
            let is_led = ["http://", "https://"].iter().any(|it| to.starts_with(it));
            let phase = if is_led { PassPhase::Return } else { PassPhase::Content };
            asked.pass(phase, &name, NginxStep::Rewrite(rewrite), Some(route.id.clone()));
        }
    }
}

/// A path that is no expression: nobody knows what was meant, so nobody is led anywhere.
fn close(asked: &mut Asked<'_, '_>, by: &str, route: &RouteDraft) {
    let message = format!(
        "path `{}` is a regular expression by `{}`, and cannot be read as one: the routes answer \
         503",
        route.written(),
        asked.key(by)
    );
    let help = "mend the expression, or remove the annotation";
    let place = route.place.field.key("path");
    asked.findings.say(Severity::Error, codes::PATH_INVALID, &place, message, help);
    if asked.reading.refusal.is_none() {
        asked.reading.refusal = Some(RefusalReason::Mistake(asked.findings.place(&place)));
    }
}
