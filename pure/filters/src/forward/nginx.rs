//! What ingress-nginx says to whoever it asks, and makes of the answer (`auth-url`).

use std::fmt::Write as _;

use steelyard_http::{LineEdits, RequestEdits, RequestView as _, ResponseEdits, ResponseView as _};
use steelyard_model::routing::filter::access::{AskedAuth, AskedManner, NginxAsking};

use super::copied::{copied, uri};
use crate::context::Context;
use crate::response::Response;
use crate::spellings::is_taken_for;

/// Lines that it says itself.
const OWN: [&str; 8] = [
    "X-Original-URL",
    "X-Original-Method",
    "X-Original-URI",
    "X-Sent-From",
    "X-Real-IP",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
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
    let mut lines = copied(head, |name| {
        !OWN.iter().any(|own| is_taken_for(name, own)) && !is_set(name) && !is_made_up(name)
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
        _ = lines.add(name, value.as_bytes());
    }
    lines
}

/// What clients are answered who may not pass.
pub(super) fn refusal(
    auth: &AskedAuth,
    it: &NginxAsking,
    cx: &Context<'_>,
    head: &RequestEdits<'_>,
    answer: &Response,
) -> Response {
    match (answer.status, &auth.sign_in) {
        (401, Some(to)) => {
            let mut response = Response::bare(302);
            let place = signing_in(to, &it.parameter, &url(cx, head));
            response.lines.push(("Location".into(), place.into_bytes().into()));
            response
        }
        (status @ (401 | 403), _) => {
            let mut response = Response::bare(status);
            let asks = |name: &str| name.eq_ignore_ascii_case("www-authenticate");
            let lines = answer.lines.iter().filter(|(name, _)| status == 401 && asks(name));
            response.lines.extend(lines.cloned());
            response
        }
        _ => Response::bare(500),
    }
}

/// Where to sign in, and by `parameter` for what: unless that is said there.
fn signing_in(to: &str, parameter: &str, url: &str) -> String {
    let query = to.split_once('?').map(|(_, query)| query);
    let names = query.into_iter().flat_map(|it| it.split('&'));
    let mut names = names.map(|pair| pair.split('=').next().unwrap_or_default());
    if parameter.is_empty() || names.any(|name| name == parameter) {
        return to.to_owned();
    }
    let sign = if query.is_some() { '&' } else { '?' };
    format!("{to}{sign}{parameter}={}", escaped(url))
}

/// As a value in a query: letters, digits and `-._~` as they are (RFC 3986 §2.3).
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => out.push(byte.into()),
            _ => _ = write!(out, "%{byte:02X}"),
        }
    }
    out
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

fn scheme(cx: &Context<'_>) -> &'static str {
    if cx.journey.is_tls { "https" } else { "http" }
}

/// What was asked for, whole.
fn url(cx: &Context<'_>, head: &RequestEdits<'_>) -> String {
    format!("{}://{}{}", scheme(cx), head.authority(), uri(head))
}
