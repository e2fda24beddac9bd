//! Answers of the gateway itself.

use steelyard_http::{Page, RequestHead, push_number, wants_html};

use crate::fault::Fault;

/// An answer that no backend gave.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    content_type: &'static str,
    body: String,
}

/// Characters that a page repeats of anything it did not make.
const LONGEST_SHOWN: usize = 200;

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

impl Answer {
    /// 200 and nothing else.
    pub(crate) fn empty() -> Self {
        Self { status: 200, content_type: TEXT, body: String::new() }
    }

    /// What went wrong, in one line.
    pub(crate) fn fault(fault: Fault, html: bool) -> Self {
        let status = fault.status();
        let summary = fault.reason().to_owned();
        let page = Page { status, reason: reason(status), summary, details: Vec::new() };
        Self::page(&page, html)
    }

    /// The route must not be served; the status says so in its dialect's own word.
    pub(crate) fn refused(status: u16, html: bool) -> Self {
        let summary = Fault::Refused.reason().to_owned();
        Self::page(&Page { status, reason: reason(status), summary, details: Vec::new() }, html)
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
        Self::page(&page, wants_html(head.accept))
    }

    /// Bytes of the body.
    pub(crate) fn len(&self) -> usize {
        self.body.len()
    }

    /// Appends the whole response.
    pub(crate) fn write(&self, date: &str, without_body: bool, close: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(b"HTTP/1.1 ");
        push_number(out, u64::from(self.status));
        for part in [" ", reason(self.status), "\r\nDate: ", date, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        if !self.body.is_empty() {
            for part in ["Content-Type: ", self.content_type, "\r\n"] {
                out.extend_from_slice(part.as_bytes());
            }
            out.extend_from_slice(b"X-Content-Type-Options: nosniff\r\n");
        }
        out.extend_from_slice(b"Content-Length: ");
        push_number(out, self.body.len() as u64);
        out.extend_from_slice(if close { b"\r\nConnection: close\r\n\r\n" } else { b"\r\n\r\n" });
        if !without_body {
            out.extend_from_slice(self.body.as_bytes());
        }
    }

    fn page(page: &Page<'_>, html: bool) -> Self {
        let (content_type, body) = if html { (HTML, page.html()) } else { (TEXT, page.text()) };
        Self { status: page.status, content_type, body }
    }
}

fn shortened(text: &str) -> &str {
    text.char_indices().nth(LONGEST_SHOWN).map_or(text, |(at, _)| &text[..at])
}

/// The reason phrase of the statuses we answer with.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        408 => "Request Timeout",
        414 => "URI Too Long",
        431 => "Request Header Fields Too Large",
        499 => "Client Closed Request",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        508 => "Loop Detected",
        _ => "Error",
    }
}
