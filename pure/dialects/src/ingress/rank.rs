//! Rules and ranks of the routes of an Ingress.
//!
//! They stand on the specific ladder: exact host, longest wildcard, any; exact path, then the
//! longest prefix; the older object. Their number is what Traefik would give them: the bytes of the
//! rule as its provider writes it.

use std::cmp::Reverse;
use std::sync::Arc;

use steelyard_model::NamespacedName;
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::{HostPattern, PathPattern, PathShape};
use steelyard_model::routing::rank::{
    HostSpecificity, KUBERNETES_INGRESS, Ladder, PathSpecificity, Rank, Specificity,
};
use steelyard_model::routing::rule::Rule;

/// What all routes of one object have in common.
pub(super) struct Ranking {
    object: Arc<str>,
    created: Option<Arc<str>>,
}

/// Traefik's number of a default backend.
const DEFAULT_BACKEND: i64 = i32::MIN as i64;

impl Ranking {
    pub(super) fn new(object: &NamespacedName, created: Option<Arc<str>>) -> Self {
        Self { object: object.to_string().into(), created }
    }

    /// The rank of the path that is `written` so.
    pub(super) fn of_path(
        &self,
        host: &HostPattern,
        path: &PathPattern,
        written: Option<&str>,
        index: usize,
    ) -> Rank {
        let specific = specificity(host, Some(&path.shape));
        self.rank(traefik_number(host, path, written.unwrap_or_default()), specific, index)
    }

    /// The rank of the default backend: after all others of every host.
    pub(super) fn of_default(&self, index: usize) -> Rank {
        let path = PathSpecificity::Length(Reverse(0));
        let specific = Specificity::new(HostSpecificity::Any, path);
        let specific = Specificity { is_fallback: true, ..specific };
        self.rank(DEFAULT_BACKEND, specific, index)
    }

    fn rank(&self, number: i64, specific: Specificity, index: usize) -> Rank {
        Rank {
            ladder: Ladder::Specific,
            number,
            specific,
            provider: KUBERNETES_INGRESS,
            created: self.created.clone(),
            object: self.object.clone(),
            index: u32::try_from(index).unwrap_or(u32::MAX),
        }
    }
}

/// What must hold for a route of `host` and `path`.
pub(super) fn rule(host: &HostPattern, path: PathPattern) -> Rule {
    let path = Rule::One(Matcher::Path(path));
    Rule::All(match host {
        HostPattern::Any => vec![path],
        host => vec![Rule::One(Matcher::Host(host.clone())), path],
    })
}

/// The bytes of the rule as Traefik's provider writes it: it keeps slashes at the end of a path,
/// and leaves an empty one out.
fn traefik_number(host: &HostPattern, path: &PathPattern, written: &str) -> i64 {
    const QUOTES: usize = "(``)".len();
    let host = match host {
        HostPattern::Any => None,
        host => Some("Host".len() + QUOTES + host.to_string().len()),
    };
    let matcher = if matches!(path.shape, PathShape::Exact(_)) { "Path" } else { "PathPrefix" };
    let path = (!written.is_empty()).then(|| matcher.len() + QUOTES + written.len());
    let number = match (host, path) {
        (Some(host), Some(path)) => host + " && ".len() + path,
        (host, path) => host.or(path).unwrap_or_default(),
    };
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// How narrow a route is that names a host and perhaps a path.
pub(crate) fn specificity(host: &HostPattern, path: Option<&PathShape>) -> Specificity {
    let path = path.map_or(PathSpecificity::Length(Reverse(0)), length);
    Specificity::new(narrowness(host), path)
}

fn narrowness(host: &HostPattern) -> HostSpecificity {
    match host {
        HostPattern::Exact(_) => HostSpecificity::Exact,
        HostPattern::Label(suffix) | HostPattern::Labels(suffix) => {
            HostSpecificity::Wildcard(Reverse(bytes(suffix)))
        }
        HostPattern::Any => HostSpecificity::Any,
    }
}

fn length(path: &PathShape) -> PathSpecificity {
    match path {
        PathShape::Exact(_) => PathSpecificity::Exact,
        PathShape::Elements(text) | PathShape::Bytes(text) => {
            PathSpecificity::Length(Reverse(bytes(text)))
        }
        PathShape::Regex(expression) => {
            PathSpecificity::Length(Reverse(bytes(expression.source())))
        }
    }
}

fn bytes(text: &str) -> u16 {
    u16::try_from(text.len()).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_the_length_of_traefiks_rule() {
        let exact = HostPattern::Exact("a.b".into());
        for (host, path, written, rule) in [
            (&exact, PathShape::elements("/"), "/", "Host(`a.b`) && PathPrefix(`/`)"),
            (&exact, PathShape::elements("/x/"), "/x/", "Host(`a.b`) && PathPrefix(`/x/`)"),
            (&exact, PathShape::elements(""), "", "Host(`a.b`)"),
            (&exact, PathShape::Exact("/x".into()), "/x", "Host(`a.b`) && Path(`/x`)"),
            (
                &HostPattern::Label("b".into()),
                PathShape::elements("/"),
                "/",
                "Host(`*.b`) && PathPrefix(`/`)",
            ),
            (&HostPattern::Any, PathShape::elements("/x"), "/x", "PathPrefix(`/x`)"),
        ] {
            let number = traefik_number(host, &PathPattern::normal(path), written);
            assert_eq!(usize::try_from(number), Ok(rule.len()), "{rule}");
        }
    }
}
