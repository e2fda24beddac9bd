//! Answers of the gateway itself.

use steelyard_http::push_number;

/// An answer that no backend gave.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

impl Answer {
    /// A status and one line of text.
    pub(crate) fn plain(status: u16, text: &str) -> Self {
        let body = if text.is_empty() { String::new() } else { format!("{text}\n") };
        Self { status, content_type: "text/plain; charset=utf-8", body }
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
}

/// The reason phrase of the statuses we answer with.
pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        408 => "Request Timeout",
        414 => "URI Too Long",
        431 => "Request Header Fields Too Large",
        499 => "Client Closed Request",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "Error",
    }
}
