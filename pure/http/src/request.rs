//! Request heads: parsed strictly, rewritten for the next hop.
//!
//! RFC 9112 §3, §5, §6, §11: whatever two readers could understand differently is refused. The
//! path that is routed is the normal form of the path that is forwarded.

mod changed;
mod origin;
mod renamed;

use std::borrow::Cow;
use std::mem::MaybeUninit;
use std::net::IpAddr;

use httparse::{Error, Header, ParserConfig, Request, Status};
use steelyard_model::routing::route::Manner;
use steelyard_model::routing::transport::HopSpeech;

use crate::body::Framing;
use crate::edits::{RequestChanges, UNCHANGED};
use crate::forwarded;
use crate::forwarded::{Vouched, Vouching};
use crate::head::{
    Connection, Lines, MAX_REQUEST_LINES, RequestSlots, Slots, parse_length, push_framing,
};
use crate::host::Authority;
use crate::list::tokens;
use crate::name::{Name, is_kept_by_nginx};
use crate::path::{self, Spelling};
use crate::query::Semicolons;
use crate::reject::Reject;
use crate::upgrade::Upgrades;
use crate::view::Scheme;

pub(crate) use renamed::renamed;

/// A request head that means one thing only.
pub struct RequestHead<'h, 'b> {
    /// As sent; case-sensitive.
    pub method: &'b str,
    /// How it came; plain until it is settled.
    pub scheme: Scheme,
    /// HTTP/1.0 instead of 1.1.
    pub is_http10: bool,
    /// In normal form (see [`path::normalize`]); `*` for the whole server.
    pub path: Cow<'b, str>,
    /// The same as it came.
    asked: &'b str,
    /// With its question mark, or empty; as it came.
    pub query: &'b str,
    /// How rules read the semicolons of the query.
    pub semicolons: Semicolons,
    /// Whose site is meant.
    pub authority: Authority<'b>,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the client wants to go on using the connection.
    pub keep_alive: bool,
    /// What it wants to switch to, of what may pass.
    pub upgrade: Upgrades,
    /// The client reads what stands behind a chunked answer.
    pub takes_trailers: bool,
    /// There is an Expect line, and the client may mean it.
    pub expects: bool,
    /// The first Accept line.
    pub accept: Option<&'b [u8]>,
    /// How many bytes the head takes.
    pub len: usize,
    /// The target was in absolute form: its authority replaces Host.
    absolute: bool,
    /// CDN-Loop says whom it has passed.
    has_passed: bool,
    /// Whom it speaks for, where somebody may speak for others.
    vouched: Option<Vouched>,
    /// The line about the body that is left out and written anew.
    restated: Option<Framing>,
    lines: Lines<'h, 'b>,
}

/// The line that lists whom a request has passed, where nothing else is said.
pub const USUAL_LIST: &str = "X-Forwarded-For";

/// What the next hop is told about the client.
#[derive(Clone, Copy, Debug)]
pub struct Hop<'a> {
    /// From [`client_lines`]: the same for all requests of a connection.
    pub client_lines: &'a [u8],
    /// The line that lists those whom a request has passed, and goes on under another name to
    /// backends of ingress-nginx.
    pub list: &'a str,
    /// Backends of ingress-nginx are told lines whose names have underscores.
    pub keeps_underscores: bool,
    /// What to put in Host when the client (of HTTP/1.0) named none.
    pub fallback_host: &'a str,
    /// In which spelling the path goes on.
    pub path: Spelling,
    /// What becomes of semicolons in the query.
    pub semicolons: Semicolons,
    /// Whose headers they are.
    pub manner: Manner,
    /// The port that the client has asked at, as backends of ingress-nginx are told.
    pub port: u16,
}

/// The lines about client and gateway that do not change during a connection. `pseudonym` says
/// that the request has passed here (RFC 8586); `Via` would say the same, but servers take it as a
/// reason to do less: nginx compresses nothing for who comes with it.
pub fn client_lines(client: IpAddr, server_name: &str, pseudonym: &str) -> Vec<u8> {
    format!(
        "X-Forwarded-For: {client}\r\nX-Forwarded-Server: {server_name}\r\n\
         X-Real-Ip: {client}\r\nCDN-Loop: {pseudonym}\r\n"
    )
    .into_bytes()
}

impl<'h, 'b> RequestHead<'h, 'b> {
    /// The head at the start of `buffer`; `None` when it is not complete yet.
    pub fn parse(buffer: &'b [u8], slots: &'h mut Slots<'b>) -> Result<Option<Self>, Reject> {
        Self::parse_into(buffer, &mut slots.0[..MAX_REQUEST_LINES])
    }

    /// What stands in `buffer`, which was taken for a head before, as `vouching` has it.
    pub fn again(
        buffer: &'b [u8],
        slots: &'h mut RequestSlots<'b>,
        vouching: &Vouching,
    ) -> Option<Self> {
        let mut head = Self::parse_into(buffer, &mut slots.0).ok().flatten()?;
        head.settle(vouching);
        Some(head)
    }

    fn parse_into(
        buffer: &'b [u8],
        slots: &'h mut [MaybeUninit<Header<'b>>],
    ) -> Result<Option<Self>, Reject> {
        let mut request = Request::new(&mut []);
        let status =
            ParserConfig::default().parse_request_with_uninit_headers(&mut request, buffer, slots);
        let len = match status {
            Ok(Status::Complete(len)) => len,
            Ok(Status::Partial) => return Ok(None),
            Err(error) => return Err(reject(error, buffer)),
        };
        let (Some(method), Some(target), Some(minor)) =
            (request.method, request.path, request.version)
        else {
            return Err(Reject::Syntax);
        };
        let headers: &'h [Header<'b>] = request.headers;
        let lines = Lines::new(buffer, headers, len);
        let before = method.as_ptr().addr() - buffer.as_ptr().addr();
        if !lines.end_in_crlf() || empty_lines(&buffer[..before]) < before {
            return Err(Reject::LineEnding);
        }
        // Some empty lines before a request are tolerated (RFC 9112 §2.2).
        if before > MAX_BEFORE {
            return Err(Reject::Syntax);
        }
        let mut head = Self {
            method,
            scheme: Scheme::Http,
            is_http10: minor == 0,
            path: Cow::Borrowed("*"),
            asked: "*",
            query: "",
            semicolons: Semicolons::default(),
            authority: Authority::NONE,
            framing: Framing::None,
            keep_alive: minor == 1,
            upgrade: Upgrades::NONE,
            takes_trailers: false,
            expects: false,
            accept: None,
            len,
            absolute: false,
            has_passed: false,
            vouched: None,
            restated: None,
            lines,
        };
        head.read_lines()?;
        head.read_target(target)?;
        Ok(Some(head))
    }

    /// What becomes of a head before anybody asks for its route: a line that its peer may not send
    /// rejects it, and rules read its query with `semicolons` as its entry point has them. Says who
    /// asks.
    pub fn begin(&mut self, vouching: &Vouching, semicolons: Semicolons) -> Result<IpAddr, Reject> {
        if self.is_refused(vouching) {
            return Err(Reject::Underscore);
        }
        self.semicolons = semicolons;
        Ok(self.settle(vouching))
    }

    /// Takes what the peer may say of the client, and says who asks.
    pub fn settle(&mut self, vouching: &Vouching) -> IpAddr {
        self.scheme = vouching.scheme();
        if !vouching.matters() {
            return vouching.peer();
        }
        self.lines.show_named(|name| vouching.shows(name));
        let headers = self.lines.headers;
        let vouched = vouching.settle(&|see| {
            headers.iter().for_each(|line| see(line.name, line.value));
        });
        for (index, line) in headers.iter().enumerate() {
            if vouching.keeps_back(line.name) {
                self.lines.cut(index);
            }
        }
        self.vouched = Some(vouched);
        let proto = self.claimed("x-forwarded-proto", forwarded::is_proto);
        if proto.is_some_and(|proto| proto.starts_with(b"https") || proto == b"wss") {
            self.scheme = Scheme::Https;
        }
        vouched.client
    }

    /// Whether the peer may not send a line that the request has.
    pub fn is_refused(&self, vouching: &Vouching) -> bool {
        vouching.matters() && self.lines.headers.iter().any(|line| vouching.refuses(line.name))
    }

    /// The path as it came; `*` for the whole server.
    pub fn asked(&self) -> &'b str {
        self.asked
    }

    /// Calls `see` with each header line as it came, also those that end with this connection.
    pub fn each_line(&self, see: &mut dyn FnMut(&str, &[u8])) {
        self.lines.headers.iter().for_each(|line| see(line.name, line.value));
    }

    /// The first header line called `name`.
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        self.lines.get(name)
    }

    /// The values of all header lines called `name`, but of those that Connection names, and of
    /// those that only a gateway may send: they are not passed on, so nothing may hang on them.
    pub(crate) fn headers_called(&self, name: &str) -> impl Iterator<Item = &'b [u8]> {
        let named = self.lines.came().filter(move |line| line.name.eq_ignore_ascii_case(name));
        let is_believed = self.vouched.is_some_and(|it| it.is_believed);
        let drops = self.vouched.is_some_and(|it| it.drops_underscores);
        let is_ours = move |name: &str| match Name::of(name.as_bytes()) {
            Name::Shadow => true,
            Name::Forwarded => !is_believed || name.eq_ignore_ascii_case("proxy"),
            _ => drops && name.contains('_'),
        };
        named.filter(move |line| !is_ours(line.name)).map(|line| line.value)
    }

    /// How often the request has passed a gateway called `pseudonym` (RFC 8586 §2). The lines are
    /// passed on: nobody may remove them.
    pub fn passes(&self, pseudonym: &str) -> usize {
        if !self.has_passed {
            return 0;
        }
        let is_loop = |header: &&Header<'b>| Name::of(header.name.as_bytes()) == Name::CdnLoop;
        let passed = self.lines.headers.iter().filter(is_loop).flat_map(|line| tokens(line.value));
        let name = |token: &'b [u8]| {
            token.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end()
        };
        passed.filter(|token| name(token) == pseudonym.as_bytes()).count()
    }

    /// The lines that say whom the request has passed, as a head has them.
    pub fn passed(&self) -> Vec<u8> {
        let mut lines = Vec::new();
        if self.has_passed {
            let is_loop = |line: &&Header<'b>| Name::of(line.name.as_bytes()) == Name::CdnLoop;
            let passed = self.lines.headers.iter().filter(is_loop);
            passed.for_each(|line| push_line(&mut lines, "CDN-Loop: ", line.value));
        }
        lines
    }

    /// Whether `*` is meant: the server, not a resource.
    pub fn is_asterisk(&self) -> bool {
        self.path == "*"
    }

    /// Whether doing it twice is as good as once (RFC 9110 §9.2.2).
    pub fn is_idempotent(&self) -> bool {
        matches!(self.method, "GET" | "HEAD" | "PUT" | "DELETE" | "OPTIONS" | "TRACE")
    }

    /// Whether the client asks to go on with WebSocket.
    pub fn is_websocket(&self) -> bool {
        self.upgrade.has(Upgrades::WEBSOCKET)
    }

    /// Appends the head for the next hop: without what was for us, with `X-Forwarded-*` as they
    /// are, everything else as it came, but for `changes`.
    pub fn forward(&self, hop: &Hop<'_>, changes: Option<&RequestChanges>, out: &mut Vec<u8>) {
        let changes = changes.unwrap_or(&UNCHANGED);
        self.push_target(hop, changes, out);
        let asked = changes.authority.as_deref().or_else(|| self.best_host(hop));
        let named = asked.unwrap_or(self.authority.raw);
        if self.absolute || asked.is_some() || named.is_empty() {
            let host = if named.is_empty() { hop.fallback_host } else { named };
            push_line(out, "Host: ", host.as_bytes());
        }
        self.lines_with(hop, changes, asked.is_some()).copy_to(out);
        push_framing(changes.framing.or(self.restated), out);
        let own = out.len();
        self.push_own(hop, out);
        if changes.lines.removed().any(changed::may_be_own) {
            changed::leave_out(&changes.lines, own, out);
        }
        changes.lines.push_added(out);
        // Who switches protocols has no answer that would have any.
        let wants = changes.takes_trailers && self.upgrade.is_empty();
        self.push_hop(self.takes_trailers || wants, self.speech(changes), out);
        out.extend_from_slice(b"\r\n");
    }

    /// The lines that go on.
    fn lines_for(&self, hop: &Hop<'_>) -> Lines<'h, 'b> {
        match hop.manner {
            Manner::Traefik => self.lines,
            Manner::Nginx => {
                let keeps_underscores = hop.keeps_underscores;
                self.lines.without(|name| !is_kept_by_nginx(name, keeps_underscores))
            }
        }
    }

    /// What is for the next hop alone: which protocols may follow, what is said of the connection,
    /// and that trailers go on to the client (RFC 9110 §10.1.4).
    fn push_hop(&self, takes_trailers: bool, speech: HopSpeech, out: &mut Vec<u8>) {
        self.upgrade.push_lines(out);
        if let Some(said) = speech.connection() {
            push_line(out, "Connection: ", said.as_bytes());
        } else if takes_trailers {
            out.extend_from_slice(b"Connection: TE\r\nTE: trailers\r\n");
        }
    }

    /// What the gateway says of the client.
    fn push_own(&self, hop: &Hop<'_>, out: &mut Vec<u8>) {
        if let Some(vouched) = self.vouched {
            return self.push_vouched(vouched, hop, out);
        }
        out.extend_from_slice(hop.client_lines);
        if !self.authority.raw.is_empty() {
            push_line(out, "X-Forwarded-Host: ", self.authority.raw.as_bytes());
        }
        self.push_origin(hop, out);
    }

    fn read_lines(&mut self) -> Result<(), Reject> {
        let mut host = None;
        let mut length = None;
        let mut coding = None;
        let mut offered = Upgrades::NONE;
        let mut connection = Connection::default();
        for index in 0..self.lines.headers.len() {
            let header = self.lines.headers[index];
            match Name::of(header.name.as_bytes()) {
                Name::Other => {}
                Name::CdnLoop => self.has_passed = true,
                Name::Accept => {
                    self.accept.get_or_insert(header.value);
                }
                Name::Host => {
                    once(&mut host, header.value, Reject::Host)?;
                    if header.value.is_empty() {
                        self.lines.cut(index);
                    }
                }
                Name::ContentLength => {
                    once(&mut length, (header.value, index), Reject::ContentLength)?;
                }
                Name::TransferEncoding => {
                    self.lines.cut(index);
                    once(&mut coding, header.value, Reject::TransferEncoding)?;
                }
                Name::Connection => {
                    self.lines.cut(index);
                    connection.read(header.value).map_err(|_| Reject::Connection)?;
                }
                Name::Upgrade => {
                    self.lines.cut(index);
                    offered.add_known(header.value);
                }
                Name::Expect if !self.is_http10 => self.expects = true,
                Name::HopByHop if header.name.eq_ignore_ascii_case("te") => {
                    self.lines.cut(index);
                    let is_meant = |it: &[u8]| it.eq_ignore_ascii_case(b"trailers");
                    self.takes_trailers |= !self.is_http10 && tokens(header.value).any(is_meant);
                }
                Name::Expect | Name::HopByHop | Name::Forwarded | Name::Shadow => {
                    self.lines.cut(index);
                }
            }
        }
        self.keep_alive = connection.stays(self.keep_alive, self.is_http10);
        self.lines.cut_named(&connection);
        self.framing = self.read_framing(length, coding)?;
        if self.framing == Framing::None && connection.upgrade && !self.is_http10 {
            self.upgrade = offered;
        }
        match host {
            Some(value) => self.authority = Authority::parse(value)?,
            None if self.is_http10 => {}
            None => return Err(Reject::Host),
        }
        Ok(())
    }

    fn read_framing(
        &mut self,
        length: Option<(&[u8], usize)>,
        coding: Option<&[u8]>,
    ) -> Result<Framing, Reject> {
        match (length, coding) {
            (None, None) => Ok(Framing::None),
            (Some((value, index)), None) => {
                let length = parse_length(value).ok_or(Reject::ContentLength)?;
                if !self.lines.is_canonical_length(index) {
                    self.lines.cut(index);
                    self.restated = Some(Framing::Length(length));
                }
                Ok(if length == 0 { Framing::None } else { Framing::Length(length) })
            }
            (None, Some(coding)) if self.is_http10 || coding.is_empty() => {
                Err(Reject::TransferEncoding)
            }
            (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => {
                self.restated = Some(Framing::Chunked);
                Ok(Framing::Chunked)
            }
            (None, Some(coding)) => Err(unknown_coding(coding)),
            (Some(_), Some(_)) => Err(Reject::TransferEncoding),
        }
    }

    fn read_target(&mut self, target: &'b str) -> Result<(), Reject> {
        if self.method == "CONNECT" {
            return Err(Reject::Connect);
        }
        if target.bytes().any(|byte| byte == b'#') {
            return Err(Reject::Target);
        }
        if target == "*" {
            return if self.method == "OPTIONS" { Ok(()) } else { Err(Reject::Target) };
        }
        let path_and_query = if target.starts_with('/') { target } else { self.absolute(target)? };
        let end = memchr::memchr(b'?', path_and_query.as_bytes());
        let (path, query) = path_and_query.split_at(end.unwrap_or(path_and_query.len()));
        self.query = query;
        self.asked = match (path, self.method) {
            ("", "OPTIONS") if query.is_empty() => return Ok(()),
            ("", _) => "/",
            (path, _) => path,
        };
        self.path = path::normalize(self.asked)?;
        Ok(())
    }

    /// Takes an absolute-form target apart: its authority wins over Host (RFC 9112 §3.2.2).
    fn absolute(&mut self, target: &'b str) -> Result<&'b str, Reject> {
        let (scheme, rest) = target.split_once("://").ok_or(Reject::Target)?;
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return Err(Reject::Target);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path_and_query) = rest.split_at(end);
        self.authority = Authority::parse(authority.as_bytes())?;
        if self.authority.host.is_empty() {
            return Err(Reject::Target);
        }
        self.absolute = true;
        for index in 0..self.lines.headers.len() {
            if Name::of(self.lines.headers[index].name.as_bytes()) == Name::Host {
                self.lines.cut(index);
            }
        }
        Ok(path_and_query)
    }
}

fn once<T>(slot: &mut Option<T>, value: T, again: Reject) -> Result<(), Reject> {
    if slot.replace(value).is_some() { Err(again) } else { Ok(()) }
}

/// `gzip, chunked` is well-formed but not for us; `chunked, gzip` has no known end.
fn unknown_coding(coding: &[u8]) -> Reject {
    let chunked = |token: &&[u8]| token.eq_ignore_ascii_case(b"chunked");
    let mut codings = coding.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let last_is_chunked = codings.next_back().as_ref().is_some_and(chunked);
    let known_form = |token: &[u8]| {
        !token.is_empty()
            && !chunked(&token)
            && token.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    };
    if last_is_chunked && codings.all(known_form) {
        Reject::UnknownCoding
    } else {
        Reject::TransferEncoding
    }
}

/// Most bytes of empty lines before a request.
const MAX_BEFORE: usize = 8;

/// How many bytes at the start of `buffer` are whole empty lines.
pub fn empty_lines(buffer: &[u8]) -> usize {
    2 * buffer.chunks(2).take_while(|pair| *pair == b"\r\n").count()
}

fn reject(error: Error, buffer: &[u8]) -> Reject {
    match error {
        Error::TooManyHeaders => Reject::TooManyHeaders,
        Error::Version if names_another_version(buffer) => Reject::Version,
        Error::NewLine => Reject::LineEnding,
        Error::HeaderName | Error::HeaderValue | Error::Status | Error::Token | Error::Version => {
            Reject::Syntax
        }
    }
}

/// Whether the first line is fine but for a version we do not speak.
fn names_another_version(buffer: &[u8]) -> bool {
    let line = buffer.split(|byte| *byte == b'\r' || *byte == b'\n').find(|line| !line.is_empty());
    let mut words = line.unwrap_or_default().split(|byte| *byte == b' ');
    let version = words.nth(2).filter(|_| words.next().is_none());
    version.is_some_and(|version| {
        matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit())
    })
}

fn push_line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
