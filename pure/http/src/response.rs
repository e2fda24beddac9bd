//! Response heads: what has one meaning is taken, and written canonically.
//!
//! Endpoints are ours, and some are old: blanks before a colon and bare LF are read by every
//! client in the same way (RFC 9112 §2.2, §5.1). Framing is not: there what could be read in two
//! ways is refused. A head in canonical spelling is forwarded as the bytes that came.

mod changed;

use httparse::{Error, ParserConfig, Response, Status};

use crate::body::Framing;
use crate::edits::ResponseChanges;
use crate::head::{Connection, Lines, Slots, parse_length, push_framing, push_number};
use crate::list::tokens;
use crate::name::Name;
use crate::reject::BadResponse;
use crate::upgrade::Upgrades;

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
    /// What the connection switches to.
    upgrade: Upgrades,
    /// The line about the body that has to be written anew.
    restated: Option<Framing>,
    /// Every line is spelled as everybody reads it.
    is_plain: bool,
    lines: Lines<'h, 'b>,
}

/// What the response's meaning depends on, from its request.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The method was HEAD: there is no body, whatever the head says.
    pub head: bool,
    /// The client speaks HTTP/1.0: it knows no chunks.
    pub http10: bool,
    /// The protocols it asked to switch to.
    pub upgrade: Upgrades,
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
        let status =
            lenient().parse_response_with_uninit_headers(&mut response, buffer, &mut slots.0);
        let len = match status {
            Ok(Status::Complete(len)) => len,
            Ok(Status::Partial) => return Ok(None),
            Err(Error::TooManyHeaders) => return Err(BadResponse::TooManyLines),
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
            upgrade: Upgrades::NONE,
            restated: None,
            is_plain: false,
            lines: Lines::new(buffer, headers, len),
        };
        let begins_here = buffer.starts_with(b"HTTP/1.");
        if status < 100 || !begins_here {
            return Err(BadResponse::Syntax);
        }
        // A blank follows the status, also when no reason does (RFC 9112 §4).
        head.is_plain = buffer.get("HTTP/1.1 200".len()) == Some(&b' ')
            && head.lines.end_in_crlf()
            && head.lines.have_colons();
        head.read_lines(asked)?;
        Ok(Some(head))
    }

    /// How many lines it has.
    pub fn count(&self) -> usize {
        self.lines.count()
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

    /// Whether the client may get the head's bytes as they are. What a connection switches to is
    /// always said, also where the endpoint did not repeat it.
    pub fn is_verbatim(&self, persistence: Persistence) -> bool {
        self.lines.is_whole()
            && self.is_plain
            && self.restated.is_none()
            && !self.is_http10
            && !self.is_switch()
            && persistence == Persistence::Implied
    }

    /// Appends the head for the client: without what was for us, and but for `changes`.
    pub fn forward(
        &self,
        persistence: Persistence,
        changes: Option<&ResponseChanges>,
        out: &mut Vec<u8>,
    ) {
        if let Some(changes) = changes {
            return self.forward_changed(persistence, changes, out);
        }
        self.push_status(self.status, self.reason, out);
        self.lines.push_to(self.is_plain, out);
        push_framing(self.restated, out);
        self.push_end(persistence, out);
    }

    fn push_status(&self, status: u16, reason: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"HTTP/1.1 ");
        push_number(out, u64::from(status));
        out.push(b' ');
        out.extend_from_slice(reason.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// What the client is told of its connection, and the end.
    fn push_end(&self, persistence: Persistence, out: &mut Vec<u8>) {
        if self.is_switch() {
            self.upgrade.push_lines(out);
        } else {
            out.extend_from_slice(persistence.line());
        }
        out.extend_from_slice(b"\r\n");
    }

    fn read_lines(&mut self, asked: Asked) -> Result<(), BadResponse> {
        let mut length = None;
        let mut coding = None;
        let mut connection = Connection::default();
        for index in 0..self.lines.headers.len() {
            let header = self.lines.headers[index];
            match Name::of(header.name.as_bytes()) {
                Name::ContentLength => {
                    let value = parse_same(header.value).ok_or(BadResponse::ContentLength)?;
                    match length {
                        None => length = Some((value, index)),
                        Some((earlier, _)) if earlier == value => self.lines.cut(index),
                        Some(_) => return Err(BadResponse::ContentLength),
                    }
                }
                Name::TransferEncoding => {
                    if coding.is_some() || !header.value.eq_ignore_ascii_case(b"chunked") {
                        return Err(BadResponse::TransferEncoding);
                    }
                    coding = Some(index);
                }
                Name::Connection => {
                    self.lines.cut(index);
                    connection.read(header.value).map_err(|_| BadResponse::Connection)?;
                }
                Name::Upgrade => {
                    self.lines.cut(index);
                    if self.is_switch() {
                        let again = !self.upgrade.is_empty();
                        self.upgrade = Upgrades::one(header.value)
                            .filter(|_| !again)
                            .ok_or(BadResponse::Upgrade)?;
                    }
                }
                // Proxy-Authenticate of an origin is passed on: the client may be talking to it.
                Name::HopByHop if !header.name.eq_ignore_ascii_case("proxy-authenticate") => {
                    self.lines.cut(index);
                }
                _ => {}
            }
        }
        self.keep_alive = connection.stays(self.keep_alive, self.is_http10);
        self.lines.cut_named(&connection);
        self.read_switch(asked)?;
        self.read_framing(asked, length.map(|(length, _)| length), coding.is_some())?;
        self.restate(asked, length, coding);
        Ok(())
    }

    /// A switch is to what was asked for; where that was one protocol, it need not be repeated.
    fn read_switch(&mut self, asked: Asked) -> Result<(), BadResponse> {
        if !self.is_switch() {
            return Ok(());
        }
        if self.upgrade.is_empty() && asked.upgrade.is_one() {
            self.upgrade = asked.upgrade;
        }
        let agreed = !self.upgrade.is_empty() && asked.upgrade.has(self.upgrade);
        if agreed { Ok(()) } else { Err(BadResponse::Upgrade) }
    }

    /// RFC 9112 §6.3, with nothing left to interpretation.
    fn read_framing(
        &mut self,
        asked: Asked,
        length: Option<u64>,
        chunked: bool,
    ) -> Result<(), BadResponse> {
        if chunked && self.is_http10 {
            return Err(BadResponse::TransferEncoding);
        }
        // Also where there is no body now: whoever writes both is read in two ways by the next.
        if chunked && length.is_some() {
            return Err(BadResponse::ContentLength);
        }
        self.framing = match length {
            _ if self.is_bodiless() || asked.head || self.status == 304 => Framing::None,
            _ if chunked => Framing::Chunked,
            Some(0) => Framing::None,
            Some(length) => Framing::Length(length),
            None => Framing::UntilClose,
        };
        let announces_body = chunked || length.is_some_and(|length| length > 0);
        if self.framing == Framing::UntilClose || (self.is_bodiless() && announces_body) {
            // Who announces a body that cannot be may send it.
            self.keep_alive = false;
        }
        Ok(())
    }

    /// What the client is told of the body: one line at most, none where there never is a body
    /// (RFC 9110 §8.6, RFC 9112 §6.1). A line that says just that in canonical spelling stays.
    fn restate(&mut self, asked: Asked, length: Option<(u64, usize)>, coding: Option<usize>) {
        let stated = match (length, coding) {
            _ if self.is_bodiless() => None,
            (_, Some(_)) => Some(Framing::Chunked),
            (Some((length, _)), None) => Some(Framing::Length(length)),
            (None, None) if self.framing == Framing::UntilClose => Some(Framing::Chunked),
            (None, None) => None,
        };
        let stated = stated.filter(|stated| !(asked.http10 && *stated == Framing::Chunked));
        let mut stays = false;
        if let Some((_, index)) = length {
            stays =
                matches!(stated, Some(Framing::Length(_))) && self.lines.is_canonical_length(index);
            if !stays {
                self.lines.cut(index);
            }
        }
        if let Some(index) = coding {
            stays = stated == Some(Framing::Chunked) && self.lines.is_canonical(index, b"chunked");
            if !stays {
                self.lines.cut(index);
            }
        }
        self.restated = stated.filter(|_| !stays);
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

/// How response heads are read.
pub(crate) fn lenient() -> ParserConfig {
    let mut config = ParserConfig::default();
    config.allow_spaces_after_header_name_in_responses(true);
    config
}

/// A length, also when the same one is given several times (RFC 9110 §8.6).
fn parse_same(value: &[u8]) -> Option<u64> {
    if let Some(length) = parse_length(value) {
        return Some(length);
    }
    let mut lengths = tokens(value).map(parse_length);
    let first = lengths.next()??;
    lengths.all(|length| length == Some(first)).then_some(first)
}

#[cfg(test)]
mod tests;
