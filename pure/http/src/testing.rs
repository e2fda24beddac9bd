//! Routes for tests, in one line each.

use std::sync::Arc;

use steelyard_model::{
    FieldPath, HostMatch, Manner, ObjectRef, PathMatch, Provenance, Refusal, Route,
};

/// `host` is `*`, `*.suffix` or a name; `path` is a prefix, or exact after `=`.
pub(crate) fn route(name: &str, host: &str, path: &str) -> Route {
    Route {
        name: name.into(),
        place: Provenance {
            object: Arc::new(ObjectRef::new("Ingress", "default", name)),
            field: FieldPath::root(),
        },
        host: match host {
            "*" => HostMatch::Any,
            host => match host.strip_prefix("*.") {
                Some(suffix) => HostMatch::Wildcard(suffix.into()),
                None => HostMatch::Exact(host.into()),
            },
        },
        path: match path.strip_prefix('=') {
            Some(exact) => PathMatch::Exact(exact.into()),
            None => PathMatch::Prefix(path.trim_end_matches('/').into()),
        },
        entry_points: vec!["web".into()],
        rule: format!("Host(`{host}`) && PathPrefix(`{path}`)"),
        priority: 0,
        manner: Manner::Traefik,
        backends: Vec::new(),
        refusal: None,
    }
}

/// A reason to keep everybody out.
pub(crate) fn refusal() -> Refusal {
    let Route { place, .. } = route("restriction", "*", "/");
    Refusal { reason: "a restriction".into(), place }
}
