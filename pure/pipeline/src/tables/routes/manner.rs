//! Routes of Ingresses in Traefik's manner: what its annotations say of numbers and paths, and
//! where Kubernetes means something else and `--compat traefik` is said, its ladder, and prefixes
//! byte by byte.

use std::sync::Arc;

use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::{Expression, PathForm, PathPattern, PathShape};
use steelyard_model::routing::rank::{KUBERNETES_INGRESS_NGINX, Ladder, Precedence, Rank};
use steelyard_model::routing::rule::Rule;
use steelyard_model::{OpenPath, RouteDraft};

use crate::options::ResolveOptions;
use crate::tables::row::{Class, ReadSet};

/// The place of a route in the order.
pub(super) fn rank(draft: &RouteDraft, read: &ReadSet<'_>, options: &ResolveOptions) -> Rank {
    let ladder = if options.as_traefik { Ladder::Priority } else { draft.rank.ladder };
    let asked = read.reading.number.filter(|_| !draft.rank.specific.is_fallback);
    // The rule that Traefik writes is shorter by so much.
    let shorter = if open(draft, read) == Some(OpenPath::Path) { "Prefix".len() as i64 } else { 0 };
    let number = asked.unwrap_or(draft.rank.number - shorter);
    let is_of_nginx = read.class == Class::Nginx && !options.precedence.is_usual();
    let provider = if is_of_nginx { KUBERNETES_INGRESS_NGINX } else { draft.rank.provider };
    let rank = Rank { ladder, number, provider, ..draft.rank.clone() };
    placed(rank, &options.precedence)
}

/// Among routes of other providers as the order of these says.
pub(super) fn placed(rank: Rank, precedence: &Precedence) -> Rank {
    Rank { provider: precedence.place(rank.provider), ..rank }
}

/// Whether prefixes are compared byte by byte.
pub(super) fn by_bytes(options: &ResolveOptions) -> bool {
    options.as_traefik && !options.ingress.strict_prefix_matching
}

/// What must hold for a route.
pub(super) fn rule(draft: &RouteDraft, read: &ReadSet<'_>, by_bytes: bool) -> Arc<Rule> {
    let open = open(draft, read);
    let Rule::All(conditions) = &*draft.rule else { return draft.rule.clone() };
    if read.class == Class::Nginx {
        return decoded(conditions);
    }
    if !by_bytes && open.is_none() {
        return draft.rule.clone();
    }
    let conditions = conditions.iter().map(|one| match one {
        Rule::One(Matcher::Path(pattern)) => {
            let shape = shape(&pattern.shape, draft, (open, by_bytes));
            Rule::One(Matcher::Path(PathPattern { form: PathForm::Readable, shape }))
        }
        other => other.clone(),
    });
    Arc::new(Rule::All(conditions.collect()))
}

/// As nginx compares paths: decoded whole, so that `/a%2Fb` is below `/a`.
fn decoded(conditions: &[Rule]) -> Arc<Rule> {
    let conditions = conditions.iter().map(|one| match one {
        Rule::One(Matcher::Path(pattern)) => {
            Rule::One(Matcher::Path(PathPattern::decoded(pattern.shape.clone())))
        }
        other => other.clone(),
    });
    Arc::new(Rule::All(conditions.collect()))
}

/// How the path of a route is compared, where its type leaves that open and an annotation says.
fn open(draft: &RouteDraft, read: &ReadSet<'_>) -> Option<OpenPath> {
    read.reading.open_paths.filter(|_| draft.is_open)
}

/// As Traefik compares paths.
fn shape(
    usual: &PathShape,
    draft: &RouteDraft,
    (open, by_bytes): (Option<OpenPath>, bool),
) -> PathShape {
    let written = || draft.path.clone().unwrap_or_else(|| "/".into());
    match (usual, open) {
        (_, Some(OpenPath::Path)) => PathShape::Exact(written()),
        (_, Some(OpenPath::PathRegexp)) => match Expression::new(&written()) {
            Ok(expression) => PathShape::Regex(expression),
            // That has closed the route.
            Err(_) => usual.clone(),
        },
        (PathShape::Elements(text), None) if by_bytes && text.is_empty() => {
            PathShape::Bytes("/".into())
        }
        (PathShape::Elements(text), None) if by_bytes => {
            PathShape::Bytes(draft.path.clone().unwrap_or_else(|| text.clone()))
        }
        (other, None) => other.clone(),
    }
}
