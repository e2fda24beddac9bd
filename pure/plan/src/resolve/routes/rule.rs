//! A route's rule in Traefik's words.

use steelyard_model::{HostMatch, PathMatch};

/// ``Host(`a.b`) && PathPrefix(`/`)``; only the path's part where every host is meant.
pub(super) fn text(host: &HostMatch, path: &PathMatch) -> String {
    let path = match path {
        PathMatch::Exact(path) => format!("Path(`{path}`)"),
        PathMatch::Prefix(path) if path.is_empty() => "PathPrefix(`/`)".to_owned(),
        PathMatch::Prefix(path) => format!("PathPrefix(`{path}`)"),
    };
    match host {
        HostMatch::Any => path,
        host => format!("Host(`{host}`) && {path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        let exact = HostMatch::Exact("a.b".into());
        let wildcard = HostMatch::Wildcard("a.b".into());
        for (host, path, expected) in [
            (&exact, PathMatch::Prefix("".into()), "Host(`a.b`) && PathPrefix(`/`)"),
            (&wildcard, PathMatch::Prefix("/x".into()), "Host(`*.a.b`) && PathPrefix(`/x`)"),
            (&HostMatch::Any, PathMatch::Exact("/x".into()), "Path(`/x`)"),
        ] {
            assert_eq!(text(host, &path), expected);
        }
    }
}
