//! Lets clients in by their certificates, as nginx does (`ssl_verify_client`): the handshake goes
//! on whatever they show, and their requests are answered 400.
//!
//! A certificate counts by what was found out about it when the connection began, by the terms of
//! this very filter: one that was judged by others is asked for anew (421), so nobody comes in to
//! one host by whom another one believes. What endpoints are told is told by nobody else.

use steelyard_http::{RequestEdits, RequestView};
use steelyard_model::routing::filter::nginx::{NginxClients, WantedClients};
use steelyard_tls::{CertificateText, ClientChain};

use crate::context::{Context, Note};
use crate::frame::Enter;
use crate::response::Response;
use crate::spellings;
use crate::variables::escaped;

const VERIFY: &str = "ssl-client-verify";
const SUBJECT: &str = "ssl-client-subject-dn";
const ISSUER: &str = "ssl-client-issuer-dn";
const WHOLE: &str = "ssl-client-cert";

/// Whoever speaks TLS.
pub(super) fn only_tls(cx: &mut Context<'_>) -> Enter {
    match cx.journey.is_tls {
        true => Enter::Next,
        false => refused(cx, Response::of_nginx(403), "no certificate is shown without TLS"),
    }
}

pub(super) fn enter(
    clients: &NginxClients,
    cx: &mut Context<'_>,
    head: &mut RequestEdits<'_>,
) -> Enter {
    [VERIFY, SUBJECT, ISSUER, WHOLE].into_iter().for_each(|name| spellings::remove(head, name));
    let Some(terms) = &clients.terms else {
        let why = "there is nobody by whom certificates could be judged";
        return refused(cx, Response::of_nginx(403), why);
    };
    if !cx.journey.is_tls {
        return Enter::Next;
    }
    let is_asked = clients.wanted != WantedClients::Unasked;
    let shown = cx.journey.certificates.clone().filter(|_| is_asked);
    let shown = shown.as_deref();
    let verdict = shown.and_then(ClientChain::verdict);
    let is_of_others = shown.is_some() && verdict.is_none_or(|it| it.terms != *terms);
    if is_of_others || (is_asked && is_elsewhere(cx, head)) {
        let why = "the connection is one to another site";
        return refused(cx, Response::of_nginx(421), why);
    }
    let fault = verdict.and_then(|it| it.fault);
    let wants = |wanted: &[WantedClients]| wanted.contains(&clients.wanted);
    if shown.is_none() && wants(&[WantedClients::Signed]) {
        return turned_away(clients, cx, "No required SSL certificate was sent");
    }
    if fault.is_some() && wants(&[WantedClients::Signed, WantedClients::SignedOrNone]) {
        return turned_away(clients, cx, "The SSL certificate error");
    }
    let text = shown.and_then(|it| it.texts().first());
    if let Some(name) = &clients.name
        && !text.is_some_and(|text| is_called(text, |it| name.is_found_in(it)))
    {
        let mut response = Response::of(403);
        response.lines.push(("Content-Type".into(), (*b"text/plain").into()));
        response.body = "client certificate unauthorized".into();
        return refused(cx, response, "the certificate is that of somebody else");
    }
    tell(clients, head, (shown, text), fault);
    Enter::Next
}

/// Whether the handshake named another host than the request, and so was held by its terms.
fn is_elsewhere(cx: &Context<'_>, head: &RequestEdits<'_>) -> bool {
    let authority = head.authority();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let named = cx.journey.server_name.as_deref().filter(|it| !it.is_empty());
    named.is_some_and(|it| {
        !it.trim_end_matches('.').eq_ignore_ascii_case(host.trim_end_matches('.'))
    })
}

/// Whether this holds of a subject's name, from one of its common names on.
fn is_called(text: &CertificateText, is_it: impl Fn(&str) -> bool) -> bool {
    let parts = &text.subject.parts;
    let begins = |at: &usize| parts[*at].starts_with("CN=");
    (0..parts.len()).filter(begins).any(|at| is_it(&parts[at..].join(",")))
}

/// Who has no certificate that counts.
fn turned_away(clients: &NginxClients, cx: &mut Context<'_>, why: &'static str) -> Enter {
    let response = match &clients.error_page {
        Some(page) => {
            let mut response = Response::of_nginx(302);
            response.lines.push(("Location".into(), page.as_bytes().into()));
            response
        }
        None => Response::of_nginx_because(400, why),
    };
    refused(cx, response, why)
}

fn refused(cx: &mut Context<'_>, response: Response, why: &'static str) -> Enter {
    cx.notes.push(Note::Reason(why));
    Enter::Answer(Box::new(response))
}

/// Endpoints hear of it.
fn tell(
    clients: &NginxClients,
    head: &mut RequestEdits<'_>,
    (shown, text): (Option<&ClientChain>, Option<&CertificateText>),
    fault: Option<&str>,
) {
    let verdict = match (shown, fault) {
        (None, _) => "NONE".to_owned(),
        (Some(_), None) => "SUCCESS".to_owned(),
        (Some(_), Some(why)) => format!("FAILED:{why}"),
    };
    let mut say = |name: &str, value: &str| {
        if !value.is_empty() {
            // Names are in ASCII, without an end of a line.
            _ = head.lines().set(name, value.as_bytes());
        }
    };
    say(VERIFY, &verdict);
    if let Some(text) = text {
        say(SUBJECT, &text.subject.written());
        say(ISSUER, &text.issuer.written());
    }
    if let Some(chain) = shown.filter(|_| clients.is_passed_on) {
        say(WHOLE, &escaped(&pem(chain)));
    }
}

/// Its own certificate (RFC 7468 §5).
fn pem(chain: &ClientChain) -> String {
    use base64::Engine as _;
    let der = chain.written().next().unwrap_or_default();
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(|it| format!("{}\n", String::from_utf8_lossy(it)));
    let lines: String = lines.collect();
    format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
}

#[cfg(test)]
mod tests;
