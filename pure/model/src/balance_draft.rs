//! How endpoints are to be chosen, as dialects say it.

use std::sync::Arc;

use crate::routing::backend::{Algorithm, SameSite, StickyValue};

/// How endpoints are chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceDraft {
    /// Otherwise than in turn.
    pub algorithm: Option<Algorithm>,
    /// Who was here before goes the same way.
    pub cookie: Option<CookieDraft>,
}

/// A cookie that leads back, as Traefik's kinds have it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CookieDraft {
    /// Its name; none is one of the backend's own.
    pub name: Option<Arc<str>>,
    /// `Secure`.
    pub is_secure: bool,
    /// `HttpOnly`.
    pub is_http_only: bool,
    /// `SameSite`.
    pub same_site: Option<SameSite>,
    /// `Max-Age` in seconds; 0 says nothing, less ends it.
    pub max_age: i64,
    /// Seconds until `Expires`; none does not say it.
    pub expires: Option<i64>,
    /// `Path`; none is `/`.
    pub path: Option<Arc<str>>,
    /// `Domain`.
    pub domain: Option<Arc<str>>,
    /// What it says of an endpoint.
    pub says: StickyValue,
    /// `Secure` where it is set over TLS, whatever else is said.
    pub is_as_asked: bool,
    /// `SameSite=None` is not said to who takes it for something else.
    pub spares_old: bool,
    /// Who is served by another endpoint, since his own fails, comes back to that one later.
    pub stays_on_failure: bool,
}
