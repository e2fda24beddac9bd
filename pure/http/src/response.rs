//! Response heads: parsed strictly, forwarded as they came wherever possible.

use httparse::{Error, ParserConfig, Response, Status};

use crate::body::Framing;
use crate::head::{Lines, Name, Slots, has_token, parse_length};
use crate::reject::BadResponse;
use crate::request::push_number;

/// A response head that means one thing only.
pub struct ResponseHead<'h, 'b> {
    /// 100 to 999.
    pub status: u16,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the upstream connection may be used again afterwards.
    pub keep_alive: bool,
    /// How many bytes the head takes.
    pub len: usize,
    reason: &'b str,
    is_http10: bool,
    upgrade: Option<&'b [u8]>,
    lines: Lines<'h, 'b>,
}

/// What the response's meaning depends on, from its request.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The method was HEAD: there is no body, whatever the head says.
    pub head: bool,
    /// The client speaks HTTP/1.0: it knows no chunks.
    pub http10: bool,
    /// It asked to switch protocols.
    pub upgrade: bool,
}

/// What the client is told about its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// Nothing: it stays open, as HTTP/1.1 has it.
    Implied,
    /// `Connection: keep-alive`, for HTTP/1.0.
    KeepAlive,
    /// `Connection: close`.
    Close,
}

impl<'h, 'b> ResponseHead<'h, 'b> {
    /// The head at the start of `buffer`; `None` when it is not complete yet.
    pub fn parse(
        buffer: &'b [u8],
        slots: &'h mut Slots<'b>,
        asked: Asked,
    ) -> Result<Option<Self>, BadResponse> {
        let mut response = Response::new(&mut []);
        let status = ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            buffer,
            &mut slots.0,
        );
        let len = match status {
            Ok(Status::Complete(len)) => len,
            Ok(Status::Partial) => return Ok(None),
            Err(Error::TooManyHeaders) => return Err(BadResponse::HeadTooLarge),
            Err(_) => return Err(BadResponse::Syntax),
        };
        let (Some(status), Some(minor)) = (response.code, response.version) else {
            return Err(BadResponse::Syntax);
        };
        let headers: &'h [httparse::Header<'b>] = response.headers;
        let mut head = Self {
            status,
            framing: Framing::UntilClose,
            keep_alive: minor == 1,
            len,
            reason: response.reason.unwrap_or_default(),
            is_http10: minor == 0,
            upgrade: None,
            lines: Lines::new(buffer, headers, len),
        };
        let begins_here = buffer.starts_with(b"HTTP/1.");
        if status < 100 || !begins_here || !head.lines.end_in_crlf() {
            return Err(BadResponse::Syntax);
        }
        head.read_lines(asked)?;
        Ok(Some(head))
    }

    /// 1xx other than 101: another head follows.
    pub fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }

    /// Both sides switch protocols: after the head it is a tunnel.
    pub fn is_switch(&self) -> bool {
        self.status == 101
    }

    /// The first header line called `name`.
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        self.lines.get(name)
    }

    /// Whether the client may get the head's bytes as they are.
    pub fn is_verbatim(&self, persistence: Persistence) -> bool {
        self.lines.is_whole() && !self.is_http10 && persistence == Persistence::Implied
    }

    /// Appends the head for the client: without what was for us.
    pub fn forward(&self, persistence: Persistence, out: &mut Vec<u8>) {
        out.extend_from_slice(b"HTTP/1.1 ");
        push_number(out, u64::from(self.status));
        out.push(b' ');
        out.extend_from_slice(self.reason.as_bytes());
        out.extend_from_slice(b"\r\n");
        self.lines.copy_to(out);
        if let Some(protocol) = self.upgrade {
            out.extend_from_slice(b"Connection: upgrade\r\nUpgrade: ");
            out.extend_from_slice(protocol);
            out.extend_from_slice(b"\r\n");
        } else {
            out.extend_from_slice(persistence.line());
        }
        out.extend_from_slice(b"\r\n");
    }

    fn read_lines(&mut self, asked: Asked) -> Result<(), BadResponse> {
        let mut length = None;
        let mut chunked = false;
        let mut coding_line = None;
        for index in 0..self.lines.headers.len() {
            let header = self.lines.headers[index];
            match Name::of(header.name.as_bytes()) {
                Name::ContentLength => {
                    let value = parse_length(header.value).ok_or(BadResponse::ContentLength)?;
                    if length.replace(value).is_some_and(|earlier| earlier != value) {
                        return Err(BadResponse::ContentLength);
                    } else if has_earlier(&self.lines, index, Name::ContentLength) {
                        self.lines.cut(index);
                    }
                }
                Name::TransferEncoding => {
                    if chunked || !header.value.eq_ignore_ascii_case(b"chunked") {
                        return Err(BadResponse::TransferEncoding);
                    }
                    chunked = true;
                    coding_line = Some(index);
                }
                Name::Connection => self.read_connection(index, header.value)?,
                Name::Upgrade if self.is_switch() => {
                    self.lines.cut(index);
                    self.upgrade = Some(header.value);
                }
                // Proxy-Authenticate of an origin is passed on: the client may be talking to it.
                Name::HopByHop if !header.name.eq_ignore_ascii_case("proxy-authenticate") => {
                    self.lines.cut(index);
                }
                _ => {}
            }
        }
        self.read_framing(asked, length, chunked)?;
        if let Some(index) = coding_line.filter(|_| asked.http10 || self.is_bodiless()) {
            self.lines.cut(index);
        }
        Ok(())
    }

    fn read_connection(&mut self, index: usize, value: &[u8]) -> Result<(), BadResponse> {
        self.lines.cut(index);
        if has_token(value, b"close") {
            self.keep_alive = false;
        } else if self.is_http10 && has_token(value, b"keep-alive") {
            self.keep_alive = true;
        }
        self.lines.cut_named(value).map_err(|_| BadResponse::Syntax)
    }

    /// RFC 9112 §6.3, with nothing left to interpretation.
    fn read_framing(
        &mut self,
        asked: Asked,
        length: Option<u64>,
        chunked: bool,
    ) -> Result<(), BadResponse> {
        if self.is_switch() && !asked.upgrade {
            return Err(BadResponse::Upgrade);
        }
        if chunked && self.is_http10 {
            return Err(BadResponse::TransferEncoding);
        }
        self.framing = match length {
            _ if self.is_bodiless() || asked.head || self.status == 304 => Framing::None,
            Some(_) if chunked => return Err(BadResponse::ContentLength),
            None if chunked => Framing::Chunked,
            Some(0) => Framing::None,
            Some(length) => Framing::Length(length),
            None => Framing::UntilClose,
        };
        if self.framing == Framing::UntilClose {
            self.keep_alive = false;
        }
        Ok(())
    }

    /// Statuses that never have a body, nor a word about its framing.
    fn is_bodiless(&self) -> bool {
        self.status < 200 || self.status == 204
    }
}

impl Persistence {
    /// The header line that says so.
    pub fn line(self) -> &'static [u8] {
        match self {
            Self::Implied => b"",
            Self::KeepAlive => b"Connection: keep-alive\r\n",
            Self::Close => b"Connection: close\r\n",
        }
    }
}

fn has_earlier(lines: &Lines<'_, '_>, index: usize, name: Name) -> bool {
    lines.headers[..index].iter().any(|header| Name::of(header.name.as_bytes()) == name)
}

#[cfg(test)]
mod tests;
