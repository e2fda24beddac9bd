//! Routes of Ingresses in Traefik's manner, where Kubernetes means something else: they stand on
//! its ladder, and prefixes are compared byte by byte, as they are written (`--compat traefik`).

use std::sync::Arc;

use steelyard_model::RouteDraft;
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::{PathForm, PathPattern, PathShape};
use steelyard_model::routing::rank::{Ladder, Rank};
use steelyard_model::routing::rule::Rule;

use crate::options::ResolveOptions;
use crate::tables::row::{Class, ReadSet};

/// The place of a route in the order.
pub(super) fn rank(draft: &RouteDraft, as_traefik: bool) -> Rank {
    let ladder = if as_traefik { Ladder::Priority } else { draft.rank.ladder };
    Rank { ladder, ..draft.rank.clone() }
}

/// Whether prefixes are compared byte by byte.
pub(super) fn by_bytes(options: &ResolveOptions) -> bool {
    options.as_traefik && !options.ingress.strict_prefix_matching
}

/// What must hold for a route.
pub(super) fn rule(draft: &RouteDraft, read: &ReadSet<'_>, by_bytes: bool) -> Arc<Rule> {
    if !by_bytes || read.class == Class::Nginx {
        return draft.rule.clone();
    }
    let Rule::All(conditions) = &*draft.rule else { return draft.rule.clone() };
    let conditions = conditions.iter().map(|one| match one {
        Rule::One(Matcher::Path(pattern)) => Rule::One(Matcher::Path(in_bytes(pattern, draft))),
        other => other.clone(),
    });
    Arc::new(Rule::All(conditions.collect()))
}

/// As Traefik compares paths.
fn in_bytes(pattern: &PathPattern, draft: &RouteDraft) -> PathPattern {
    let shape = match &pattern.shape {
        PathShape::Elements(text) if text.is_empty() => PathShape::Bytes("/".into()),
        PathShape::Elements(text) => {
            PathShape::Bytes(draft.path.clone().unwrap_or_else(|| text.clone()))
        }
        other => other.clone(),
    };
    PathPattern { form: PathForm::Readable, shape }
}
