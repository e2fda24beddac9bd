//! Cookies that lead back.

use steelyard_balance::sticky::{name_as_asked, name_for};
use steelyard_model::router_draft::CookieDraft;
use steelyard_model::routing::backend::{Sticky, StickySecurity};

/// The cookie that leads back; one without a name is called after the backend, as Traefik does.
pub(super) fn cookie(draft: &CookieDraft, backend: &str) -> Sticky {
    let name = match &draft.name {
        Some(name) => name_as_asked(name),
        None => name_for(backend),
    };
    let secure = match draft {
        CookieDraft { is_secure: true, .. } => StickySecurity::Secure,
        CookieDraft { is_as_asked: true, .. } => StickySecurity::AsAsked,
        CookieDraft { .. } => StickySecurity::Open,
    };
    Sticky {
        says: draft.says,
        path: Some(draft.path.clone().unwrap_or_else(|| "/".into())),
        domain: draft.domain.clone(),
        max_age: (draft.max_age != 0).then_some(draft.max_age),
        expires: draft.expires,
        spares_old: draft.spares_old,
        stays_on_failure: draft.stays_on_failure,
        http_only: draft.is_http_only,
        secure,
        same_site: draft.same_site,
        ..Sticky::named(name)
    }
}
