//! Lines of a request that whoever is asked might take for the gateway's word, or that ask for
//! something else than who may pass.
//!
//! Traefik and nginx send all that came. One that is asked sets `Remote-User` in its answer, and
//! some believe it where it comes back to them: so a client would say who it is by itself. A
//! condition or a range (RFC 9110 §13, §14) is about what was asked for, not about who may have it.

use steelyard_http::RequestEdits;
use steelyard_model::routing::filter::access::AskedAuth;

use crate::spellings::{canonical, is_matched, is_taken_for};

/// Lines that ask for a part, or for nothing where it is known (RFC 9110 §13.1, §14.2).
pub(crate) const PARTIAL: [&str; 6] =
    ["Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"];

/// By which clients prove who they are: whoever is asked judges by them, and may set them too.
const PROOFS: [&str; 3] = ["Authorization", "Proxy-Authorization", "Cookie"];

/// What `X-Forwarded-*` says of a connection, which entry points see to; others say who somebody
/// is.
const OF_CONNECTIONS: [&str; 10] = [
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Method",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Proto",
    "X-Forwarded-Server",
    "X-Forwarded-Tls-Client-Cert",
    "X-Forwarded-Tls-Client-Cert-Info",
    "X-Forwarded-Uri",
];

/// Whether a line of this name is left out where nobody wants it by name. What a filter before this
/// one has written is no client's word.
pub(super) fn is_made_up(auth: &AskedAuth, head: &RequestEdits<'_>, name: &str) -> bool {
    let is = |all: &[&str]| all.iter().any(|it| is_taken_for(name, it));
    if is(&PARTIAL) {
        return true;
    }
    let mut written = head.changes().lines.added();
    if is(&PROOFS) || written.any(|(line, _)| line.eq_ignore_ascii_case(name)) {
        return false;
    }
    let says_who = canonical(name).starts_with("X-Forwarded-") && !is(&OF_CONNECTIONS);
    says_who && !auth.trusts_forwarded
        || auth.response_headers.iter().any(|it| is_taken_for(name, it))
        || auth.response_headers_regex.as_ref().is_some_and(|names| is_matched(name, names))
}
