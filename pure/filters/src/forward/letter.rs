//! What is said to whoever is asked about a request.

use bytes::Bytes;
use steelyard_http::{Head as _, LineEdits, RequestEdits, RequestView as _, Scheme};
use steelyard_model::routing::filter::access::{AskedAuth, AskedManner};

use super::copied::{copied, uri};
use super::made_up::is_made_up;
use super::nginx;
use crate::ask::Letter;
use crate::context::Context;
use crate::spellings::is_taken_for;

/// Bytes of a body that is sent, at most.
pub(super) const LARGEST_BODY: usize = 4 << 20;

/// Bytes of an answer's body, at most.
const LARGEST_ANSWER: usize = 1 << 20;

/// What is told of a request in Traefik's manner, and goes by no other name.
const TOLD: [&str; 6] = [
    "X-Forwarded-For",
    "X-Forwarded-Method",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Uri",
    "X-Forwarded-Port",
];

/// The request about a request.
pub(super) fn written(
    auth: &AskedAuth,
    cx: &Context<'_>,
    head: &RequestEdits<'_>,
    body: Bytes,
) -> Letter {
    let (method, lines) = match &auth.manner {
        AskedManner::Traefik => {
            let method = if auth.keeps_method { head.method() } else { "GET" };
            (method, lines(auth, cx, head))
        }
        AskedManner::Nginx(it) => {
            let is_made_up = |name: &str| is_made_up(auth, head, name);
            (it.method.as_deref().unwrap_or("GET"), nginx::lines(it, cx, head, &is_made_up))
        }
    };
    let target = match &auth.manner {
        AskedManner::Nginx(it) => nginx::target(it, cx, head),
        AskedManner::Traefik => None,
    };
    let max = auth.max_response.and_then(|max| usize::try_from(max).ok());
    Letter {
        method: method.into(),
        scheme: if auth.address.is_secure { Scheme::Https } else { Scheme::Http },
        authority: (*auth.address.authority).into(),
        target: target.unwrap_or_else(|| auth.address.target.to_string()).into(),
        lines,
        body,
        max: max.map_or(LARGEST_ANSWER, |max| max.min(LARGEST_ANSWER)),
        patience: auth.patience,
    }
}

/// Lines in Traefik's manner.
fn lines(auth: &AskedAuth, cx: &Context<'_>, head: &RequestEdits<'_>) -> LineEdits {
    let is_wanted = |name: &str| {
        let wanted = &auth.request_headers;
        match wanted.is_empty() {
            true => !is_made_up(auth, head, name),
            false => wanted.iter().any(|it| it.eq_ignore_ascii_case(name)),
        }
    };
    let mut lines =
        copied(head, |name| is_wanted(name) && !TOLD.iter().any(|told| is_taken_for(name, told)));
    if is_wanted("X-Real-Ip") && head.first("x-real-ip").is_none() {
        _ = lines.add("X-Real-Ip", cx.journey.peer.to_canonical().to_string().as_bytes());
    }
    let mut clients = Vec::new();
    if auth.trusts_forwarded {
        head.each(&mut |name, value| {
            if name.eq_ignore_ascii_case("x-forwarded-for") {
                clients.push(String::from_utf8_lossy(value).into_owned());
            }
        });
    }
    clients.push(cx.journey.peer.to_canonical().to_string());
    let scheme = if cx.journey.is_tls { "https" } else { "http" };
    let uri = uri(head);
    // The port is that of the scheme which is believed.
    let believed = head.first("x-forwarded-proto").filter(|_| auth.trusts_forwarded);
    let is_secure = believed.filter(|it| !it.is_empty()).map_or(cx.journey.is_tls, |it| {
        [&b"https"[..], b"wss"].iter().any(|secure| it.eq_ignore_ascii_case(secure))
    });
    let own = [
        clients.join(", "),
        head.method().to_owned(),
        scheme.to_owned(),
        head.authority().to_owned(),
        uri,
        port(head.authority(), is_secure),
    ];
    for (at, (name, own)) in TOLD.into_iter().zip(own).enumerate() {
        let said = head.first(name).filter(|it| at > 0 && auth.trusts_forwarded && !it.is_empty());
        let value = said.unwrap_or(own.as_bytes());
        if !value.is_empty() {
            _ = lines.add(name, value);
        }
    }
    lines
}

fn port(authority: &str, is_secure: bool) -> String {
    let after = authority.rsplit_once(']').map_or(authority, |(_, rest)| rest);
    match after.rsplit_once(':') {
        Some((_, port)) if port.bytes().all(|it| it.is_ascii_digit()) && !port.is_empty() => {
            port.to_owned()
        }
        _ if is_secure => "443".to_owned(),
        _ => "80".to_owned(),
    }
}
