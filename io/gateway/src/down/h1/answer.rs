//! Answers of the gateway itself.

use std::io::Write;

use bytes::Bytes;
use steelyard_filters::{Response, words};
use steelyard_http::{
    Asked, Head, LineEdits, Page, RequestHead, ResponseChanges, ResponseEdits, ResponseView,
    push_number, wants_html,
};

use crate::tell::fault::Fault;
use crate::tell::request_id::RequestId;

/// An answer that no backend gave.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// What went wrong.
    pub(crate) why: Option<Fault>,
    /// More of it, for whoever runs this.
    pub(crate) details: Vec<String>,
    /// Its lines, without those that frame it.
    lines: Vec<(Box<str>, Box<[u8]>)>,
    body: Bytes,
}

/// Characters that a page repeats of anything it did not make.
const LONGEST_SHOWN: usize = 200;

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

impl Answer {
    /// 200 and nothing else.
    pub(crate) fn empty() -> Self {
        Self::of(Response::of(200), None, Vec::new())
    }

    /// One that is made, and why nobody else answers.
    pub(crate) fn of(response: Response, why: Option<Fault>, details: Vec<String>) -> Self {
        let Response { status, lines, body } = response;
        Self { status, why, details, lines, body }
    }

    /// What went wrong, in one line.
    pub(crate) fn fault(fault: Fault, html: bool) -> Self {
        let status = fault.status();
        let summary = fault.reason().to_owned();
        let page = Page { status, reason: reason(status), summary, details: Vec::new() };
        Self::page(page, fault, html)
    }

    /// The route must not be served because of this setting, which clients are not told; the status
    /// says so in its dialect's own word.
    pub(crate) fn refused(status: u16, setting: &str, html: bool) -> Self {
        let summary = Fault::Refused.reason().to_owned();
        let page = Page { status, reason: reason(status), summary, details: Vec::new() };
        Self { details: vec![setting.to_owned()], ..Self::page(page, Fault::Refused, html) }
    }

    /// No route matches; `near` says which were nearest, where the client may know.
    pub(crate) fn not_found(head: &RequestHead<'_, '_>, near: Option<Vec<String>>) -> Self {
        let (host, path) = (&head.authority.host, &head.path);
        let mut summary = Fault::NoRoute.reason().to_owned();
        if near.is_some() {
            let named = if host.is_empty() { "no host" } else { host };
            let [method, path, named] = [head.method, &**path, named].map(shortened);
            summary = format!("{summary} {method} {path} on {named}");
        }
        let details = near.unwrap_or_default();
        let page = Page { status: 404, reason: reason(404), summary, details };
        Self::page(page, Fault::NoRoute, wants_html(head.accept))
    }

    /// Appends the whole response. Returns how much of it is body.
    pub(crate) fn write(
        &self,
        date: &str,
        without_body: bool,
        close: bool,
        id: Option<RequestId>,
        out: &mut Vec<u8>,
    ) -> u64 {
        out.extend_from_slice(b"HTTP/1.1 ");
        push_number(out, u64::from(self.status));
        for part in [" ", reason(self.status), "\r\nDate: ", date, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        for (name, value) in &self.lines {
            for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                out.extend_from_slice(part);
            }
        }
        push_id(id, out);
        out.extend_from_slice(b"Content-Length: ");
        push_number(out, self.body.len() as u64);
        out.extend_from_slice(if close { b"\r\nConnection: close\r\n\r\n" } else { b"\r\n\r\n" });
        let body: &[u8] = if without_body { b"" } else { &self.body };
        out.extend_from_slice(body);
        body.len() as u64
    }

    /// The same for filters to look at.
    pub(crate) fn to_response(&self) -> Response {
        Response { status: self.status, lines: self.lines.clone(), body: self.body.clone() }
    }

    fn page(page: Page<'_>, fault: Fault, html: bool) -> Self {
        let (kind, body) = if html { (HTML, page.html()) } else { (TEXT, page.text()) };
        let lines = [("Content-Type", kind), ("X-Content-Type-Options", "nosniff")];
        let lines = lines.map(|(name, value)| (name.into(), value.as_bytes().into())).into();
        let (why, details) = (Some(fault), page.details);
        Self { status: page.status, why, details, lines, body: body.into() }
    }
}

/// Appends the head of a response that filters made or changed. Lines that nobody may write are
/// left out. Returns the body that follows.
pub(crate) fn write_response(
    response: &Response,
    changes: ResponseChanges,
    date: &str,
    asked: Asked,
    close: bool,
    id: Option<RequestId>,
    out: &mut Vec<u8>,
) -> Bytes {
    let seen = ResponseEdits::resume(response, changes);
    let mut lines = LineEdits::default();
    seen.each(&mut |name, value| {
        let _ = lines.add(name, value);
    });
    let status = seen.status();
    out.extend_from_slice(b"HTTP/1.1 ");
    push_number(out, u64::from(status));
    for part in [" ", reason(status), "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    if seen.first("date").is_none() {
        for part in ["Date: ", date, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    for (name, value) in lines.added() {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    // Who answered in our place may have named it, and is asked by that name.
    if seen.first("x-request-id").is_none() {
        push_id(id, out);
    }
    let is_bodiless = matches!(status, 204 | 304);
    if !is_bodiless {
        out.extend_from_slice(b"Content-Length: ");
        push_number(out, response.body.len() as u64);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(if close { b"Connection: close\r\n\r\n" } else { b"\r\n" });
    if is_bodiless || asked.head { Bytes::new() } else { response.body.clone() }
}

/// What the request is called, so that who got this answer can ask why.
fn push_id(id: Option<RequestId>, out: &mut Vec<u8>) {
    if let Some(id) = id {
        let _ = write!(out, "X-Request-Id: {id}\r\n");
    }
}

fn shortened(text: &str) -> &str {
    text.char_indices().nth(LONGEST_SHOWN).map_or(text, |(at, _)| &text[..at])
}

/// The reason phrase of the statuses we answer with.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        414 => "URI Too Long",
        418 => "I'm a teapot",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        499 => "Client Closed Request",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        508 => "Loop Detected",
        // Whatever a filter is told to answer with.
        _ => match words(status) {
            "" => "Error",
            words => words,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tell::request_id::RequestIds;

    #[test]
    fn each_status_has_its_phrase() {
        for (status, phrase) in [
            (200, "OK"),
            (204, "No Content"),
            (301, "Moved Permanently"),
            (302, "Found"),
            (303, "See Other"),
            (304, "Not Modified"),
            (307, "Temporary Redirect"),
            (308, "Permanent Redirect"),
            (400, "Bad Request"),
            (401, "Unauthorized"),
            (403, "Forbidden"),
            (404, "Not Found"),
            (405, "Method Not Allowed"),
            (408, "Request Timeout"),
            (413, "Content Too Large"),
            (414, "URI Too Long"),
            (418, "I'm a teapot"),
            (421, "Misdirected Request"),
            (429, "Too Many Requests"),
            (431, "Request Header Fields Too Large"),
            (499, "Client Closed Request"),
            (500, "Internal Server Error"),
            (501, "Not Implemented"),
            (502, "Bad Gateway"),
            (503, "Service Unavailable"),
            (504, "Gateway Timeout"),
            (505, "HTTP Version Not Supported"),
            (508, "Loop Detected"),
            (402, "Payment Required"),
            (451, "Unavailable For Legal Reasons"),
            (299, "Error"),
        ] {
            assert_eq!(reason(status), phrase, "{status}");
        }
    }

    fn written(answer: &Answer, without_body: bool, close: bool) -> String {
        let mut out = Vec::new();
        answer.write("NOW", without_body, close, None, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn answers_as_they_are_written() {
        let empty = "HTTP/1.1 200 OK\r\nDate: NOW\r\nContent-Length: 0\r\n";
        assert_eq!(written(&Answer::empty(), false, false), format!("{empty}\r\n"));
        assert_eq!(
            written(&Answer::empty(), false, true),
            format!("{empty}Connection: close\r\n\r\n")
        );
        let fault = Answer::fault(Fault::NoEndpoints, false);
        let body = "503 Service Unavailable: no endpoint is ready\n";
        let head = format!(
            "HTTP/1.1 503 Service Unavailable\r\nDate: NOW\r\n\
             Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        assert_eq!(written(&fault, true, false), head);
        assert_eq!(written(&fault, false, false), format!("{head}{body}"));
        let mut out = Vec::new();
        let sent = [true, false].map(|without| fault.write("NOW", without, true, None, &mut out));
        assert_eq!(sent, [0, body.len() as u64]);
        let page = Answer::fault(Fault::NoEndpoints, true);
        assert!(
            written(&page, false, false).contains("Content-Type: text/html; charset=utf-8\r\n")
        );
    }

    #[test]
    fn a_request_has_one_name() {
        let asked = Asked { head: false, http10: false, upgrade: steelyard_http::Upgrades::NONE };
        let id = Some(RequestIds::new(0, 7).next());
        for (lines, named) in [(vec![], 1), (vec![("x-request-ID".into(), (*b"own").into())], 1)] {
            let response = Response { lines, ..Response::of(401) };
            let mut out = Vec::new();
            write_response(&response, Default::default(), "NOW", asked, false, id, &mut out);
            let text = String::from_utf8(out).unwrap().to_ascii_lowercase();
            assert_eq!(text.matches("x-request-id").count(), named, "{text}");
        }
    }

    #[test]
    fn filters_see_the_lines_of_a_body_where_there_is_one() {
        let names = |answer: &Answer| {
            let lines = answer.to_response().lines;
            lines.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>()
        };
        assert!(names(&Answer::empty()).is_empty());
        let fault = Answer::fault(Fault::NoEndpoints, false);
        assert_eq!(names(&fault), ["Content-Type", "X-Content-Type-Options"]);
        assert_eq!(fault.to_response().status, 503);
    }
}
