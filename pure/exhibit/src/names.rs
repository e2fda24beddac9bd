//! Names as Traefik's API has them.

use steelyard_model::routing::id::{BackendId, FilterId};

/// `default-auth@kubernetescrd` for `default/auth@kubernetescrd`.
pub(crate) fn filter(id: &FilterId) -> String {
    match id.as_str().rsplit_once('@') {
        // An Ingress has several of its own, each of which is shown.
        Some((name, "ingress")) => format!("{}@ingress", name.replace(['/', '#'], "-")),
        Some((name, provider)) if provider != "file" => {
            let name = name.split_once('#').map_or(name, |(name, _)| name);
            format!("{}@{provider}", name.replace('/', "-"))
        }
        Some((name, _)) => format!("{}@file", name.strip_suffix("@tcp").unwrap_or(name)),
        None => id.to_string(),
    }
}

/// The same of a backend, without what stands behind a `#`.
pub(crate) fn backend(id: &BackendId) -> String {
    let plain = id.as_str().split_once("#refused").map_or(id.as_str(), |(plain, _)| plain);
    BackendId::from(plain).traefik_name()
}

/// `kubernetescrd` of `default-auth@kubernetescrd`.
pub(crate) fn provider(name: &str) -> &str {
    name.rsplit_once('@').map_or("", |(_, provider)| provider)
}
