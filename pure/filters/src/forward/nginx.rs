//! What ingress-nginx says to whoever it asks, and makes of the answer (`auth-url`).
//!
//! Who is asked hears no line of a client that routes of this class drop: it would judge by what an
//! endpoint never gets.

use steelyard_http::{
    LineEdits, RequestEdits, RequestView as _, ResponseEdits, ResponseView as _, is_kept_by_nginx,
};
use steelyard_model::routing::filter::access::{AskedManner, NginxAsking};

use super::copied::copied;
use crate::context::Context;
use crate::response::Response;
use crate::spellings::is_taken_for;
use crate::variables::{filled, in_url, scheme, uri};

/// Lines that it says itself, and that others may take for such: it tells nobody what a client says
/// in them.
const OWN: [&str; 11] = [
    "X-Original-URL",
    "X-Original-Method",
    "X-Original-URI",
    "X-Sent-From",
    "X-Real-IP",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Method",
    "X-Forwarded-Uri",
    "X-Auth-Request-Redirect",
];

/// Statuses whose answers have cookies of who was asked (`add_header` without `always`).
const WITH_COOKIES: [u16; 10] = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308];

/// What it says of a request, and of what a client has said all but what it has made up.
pub(super) fn lines(
    it: &NginxAsking,
    cx: &Context<'_>,
    head: &RequestEdits<'_>,
    is_made_up: &dyn Fn(&str) -> bool,
) -> LineEdits {
    let is_set = |name: &str| it.lines.iter().any(|(own, _)| is_taken_for(name, own));
    let is_written =
        |name: &str| head.changes().lines.added().any(|(line, _)| line.eq_ignore_ascii_case(name));
    let mut lines = copied(head, |name| {
        (is_kept_by_nginx(name.as_bytes(), false) || is_written(name))
            && !OWN.iter().any(|own| is_taken_for(name, own))
            && !is_set(name)
            && !is_made_up(name)
    });
    let peer = cx.journey.peer.to_canonical().to_string();
    let url = url(cx, head);
    let redirect = it.redirect.as_deref().map_or_else(|| uri(head), str::to_owned);
    let mut own = vec![
        ("X-Original-URL", url),
        ("X-Original-Method", head.method().to_owned()),
        ("X-Sent-From", "nginx-ingress-controller".to_owned()),
        ("X-Real-IP", peer.clone()),
        ("X-Forwarded-For", peer),
        ("X-Auth-Request-Redirect", redirect),
    ];
    if it.method.is_some() {
        own.push(("X-Original-URI", uri(head)));
        own.push(("X-Scheme", scheme(cx).to_owned()));
    }
    for (name, value) in &own {
        if !is_set(name) {
            _ = lines.add(name, value.as_bytes());
        }
    }
    for (name, value) in &it.lines {
        // One that is empty is not said; one that would end its line is refused there.
        let value = filled(value, cx, head);
        if !value.is_empty() {
            _ = lines.add(name, value.as_bytes());
        }
    }
    lines
}

/// Path and query that are asked for; none where they are as they are written.
pub(super) fn target(
    it: &NginxAsking,
    cx: &Context<'_>,
    head: &RequestEdits<'_>,
) -> Option<String> {
    it.target.as_ref().map(|target| in_url(&filled(target, cx, head)))
}

/// What clients are answered who may not pass.
pub(super) fn refusal(
    it: &NginxAsking,
    cx: &Context<'_>,
    head: &RequestEdits<'_>,
    answer: &Response,
) -> Response {
    match (answer.status, &it.sign_in) {
        (401, Some(to)) => {
            let mut response = Response::of_nginx(302);
            let place = in_url(&filled(to, cx, head));
            response.lines.push(("Location".into(), place.into_bytes().into()));
            response
        }
        (status @ (401 | 403), _) => {
            let mut response = Response::of_nginx(status);
            let asks = |name: &str| name.eq_ignore_ascii_case("www-authenticate");
            let lines = answer.lines.iter().filter(|(name, _)| status == 401 && asks(name));
            response.lines.extend(lines.cloned());
            response
        }
        _ => Response::of_nginx(500),
    }
}

/// The values of its `Set-Cookie` lines.
pub(super) fn cookies(answer: &Response) -> Vec<Box<[u8]>> {
    let lines = answer.lines.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    lines.map(|(_, value)| value.clone()).collect()
}

/// Whether a client gets the cookies of who was asked with this answer.
pub(super) fn gets_cookies(manner: &AskedManner, head: &ResponseEdits<'_>) -> bool {
    match manner {
        AskedManner::Traefik => true,
        AskedManner::Nginx(it) => it.always_cookies || WITH_COOKIES.contains(&head.status()),
    }
}

/// What was asked for, whole.
fn url(cx: &Context<'_>, head: &RequestEdits<'_>) -> String {
    format!("{}://{}{}", scheme(cx), head.authority(), uri(head))
}
