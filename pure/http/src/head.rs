//! What request and response heads have in common: header lines as slices of the original bytes.
//!
//! A head is rewritten by leaving lines out and adding others at the end; what stays is copied as
//! it came, unless its lines are not spelled as everybody reads them. Which lines go is one bit
//! per line, so nothing is allocated.

use std::mem::MaybeUninit;

use httparse::Header;

use crate::body::Framing;
use crate::list::tokens;
use crate::name::Name;

/// Most header lines of a request.
pub const MAX_REQUEST_LINES: usize = 100;

/// Most header lines of a response: nobody attacks us with them, and some send many.
pub const MAX_RESPONSE_LINES: usize = 256;

/// Room for the header lines of one head; lives on the stack, uninitialised.
pub struct Slots<'b>(pub(crate) [MaybeUninit<Header<'b>>; MAX_RESPONSE_LINES]);

/// Room for the header lines of a request, for a head that is looked at for longer.
pub struct RequestSlots<'b>(pub(crate) [MaybeUninit<Header<'b>>; MAX_REQUEST_LINES]);

/// Header lines and which of them are left out.
#[derive(Clone, Copy)]
pub(crate) struct Lines<'h, 'b> {
    pub(crate) buffer: &'b [u8],
    pub(crate) headers: &'h [Header<'b>],
    /// Length of the head with its empty line.
    pub(crate) len: usize,
    cut: Marks,
    /// Of these the ones that Connection names: they are nobody's, as if they had not come.
    hidden: Marks,
    /// And the ones that it names and that are seen here all the same.
    shown: Marks,
}

/// A bit for each line.
type Marks = [u64; MAX_RESPONSE_LINES / 64];

/// What all Connection lines of a head say together (RFC 9110 §7.6.1).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Connection {
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) upgrade: bool,
    /// How many other headers are named.
    names: usize,
}

/// A Connection header that is an attack or a mistake.
pub(crate) struct TooManyNames;

impl Default for Slots<'_> {
    fn default() -> Self {
        Self([const { MaybeUninit::uninit() }; MAX_RESPONSE_LINES])
    }
}

impl Default for RequestSlots<'_> {
    fn default() -> Self {
        Self([const { MaybeUninit::uninit() }; MAX_REQUEST_LINES])
    }
}

impl<'h, 'b> Lines<'h, 'b> {
    pub(crate) fn new(buffer: &'b [u8], headers: &'h [Header<'b>], len: usize) -> Self {
        let none = Marks::default();
        Self { buffer, headers, len, cut: none, hidden: none, shown: none }
    }

    pub(crate) fn cut(&mut self, index: usize) {
        mark(&mut self.cut, index);
    }

    /// The same, but for the lines whose name `is_dropped`.
    pub(crate) fn without(mut self, is_dropped: impl Fn(&[u8]) -> bool) -> Self {
        for (index, header) in self.headers.iter().enumerate() {
            if is_dropped(header.name.as_bytes()) {
                self.cut(index);
            }
        }
        self
    }

    /// How many there are, those that do not stay too.
    pub(crate) fn count(&self) -> usize {
        self.headers.len()
    }

    /// Whether every line stays.
    pub(crate) fn is_whole(&self) -> bool {
        self.cut.iter().all(|word| *word == 0)
    }

    /// The first line called `name`, in any case.
    pub(crate) fn get(&self, name: &str) -> Option<&'b [u8]> {
        let found = self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| header.value)
    }

    /// Whether every line, the first line of the head included, ends in CR LF. httparse takes a
    /// bare LF for a line end, which others along the way may not.
    pub(crate) fn end_in_crlf(&self) -> bool {
        let ends = |at: usize| at >= 2 && &self.buffer[at - 2..at] == b"\r\n";
        self.headers.iter().all(|header| ends(self.offset(header)))
            && ends(self.len)
            && ends(self.len - 2)
    }

    /// Whether every name is followed by its colon, as RFC 9112 §5.1 has it.
    pub(crate) fn have_colons(&self) -> bool {
        let colon = |header: &Header<'b>| self.buffer[self.offset(header) + header.name.len()];
        self.headers.iter().all(|header| colon(header) == b':')
    }

    /// Whether a line is spelled as we would write it, so that it may stay where it is.
    pub(crate) fn is_canonical(&self, index: usize, value: &[u8]) -> bool {
        let header = &self.headers[index];
        let rest = &self.buffer[self.offset(header) + header.name.len()..self.len];
        let rest = rest.strip_prefix(b": ").and_then(|rest| rest.strip_prefix(value));
        rest.is_some_and(|rest| rest.starts_with(b"\r\n"))
    }

    /// Whether a Content-Length line, whose value is a length, is spelled as we would write it.
    pub(crate) fn is_canonical_length(&self, index: usize) -> bool {
        let value = self.headers[index].value;
        let is_number = value.iter().all(u8::is_ascii_digit);
        is_number && (value.len() == 1 || value[0] != b'0') && self.is_canonical(index, value)
    }

    /// Appends the lines that stay, as they came.
    pub(crate) fn copy_to(&self, out: &mut Vec<u8>) {
        let end_of_lines = self.len - 2;
        let mut index = 0;
        while index < self.headers.len() {
            let first = index;
            let is_cut = self.is_cut(first);
            while index < self.headers.len() && self.is_cut(index) == is_cut {
                index += 1;
            }
            if !is_cut {
                let end = self.headers.get(index).map_or(end_of_lines, |next| self.offset(next));
                out.extend_from_slice(&self.buffer[self.offset(&self.headers[first])..end]);
            }
        }
    }

    /// Appends the lines that stay, as they came where that `is_plain`.
    pub(crate) fn push_to(&self, is_plain: bool, out: &mut Vec<u8>) {
        if is_plain { self.copy_to(out) } else { self.respell_to(out) }
    }

    /// Appends the lines that stay, each spelled anew: they came in a spelling that is read in
    /// one way only, but not by everybody.
    fn respell_to(&self, out: &mut Vec<u8>) {
        for header in self.stay() {
            for part in [header.name.as_bytes(), b": ", header.value, b"\r\n"] {
                out.extend_from_slice(part);
            }
        }
    }

    /// Leaves out the lines that Connection names, except those that frame or route the message:
    /// nobody may remove these from the next hop's view (RFC 9110 §7.6.1). The number of names
    /// is bounded, whatever the number of lines they are spread over.
    pub(crate) fn cut_named(&mut self, connection: &Connection) {
        if connection.names == 0 {
            return;
        }
        let headers = self.headers;
        let is_connection = |name: &str| name.eq_ignore_ascii_case("connection");
        for line in headers.iter().filter(|header| is_connection(header.name)) {
            for token in tokens(line.value).filter(|token| !is_option(token)) {
                for (index, header) in headers.iter().enumerate() {
                    let name = header.name.as_bytes();
                    if name.eq_ignore_ascii_case(token) && is_removable(Name::of(name)) {
                        self.cut(index);
                        mark(&mut self.hidden, index);
                    }
                }
            }
        }
    }

    /// Of the lines that Connection names those are seen here whose name `is_shown`, but none that
    /// is about the connection itself, or that only a gateway may send. They go no further.
    pub(crate) fn show_named(&mut self, is_shown: impl Fn(&str) -> bool) {
        if self.hidden == Marks::default() {
            return;
        }
        for (index, line) in self.headers.iter().enumerate() {
            if is_marked(&self.hidden, index)
                && Name::of(line.name.as_bytes()) == Name::Other
                && is_shown(line.name)
            {
                self.hidden[index / 64] &= !(1 << (index % 64));
                mark(&mut self.shown, index);
            }
        }
    }

    /// The lines that came, but for those that are nobody's.
    pub(crate) fn came(&self) -> impl Iterator<Item = &'h Header<'b>> {
        let hidden = self.hidden;
        let lines = self.headers.iter().enumerate();
        lines.filter(move |(index, _)| !is_marked(&hidden, *index)).map(|(_, line)| line)
    }

    /// The lines that stay, and those that are seen here.
    pub(crate) fn seen(&self) -> impl Iterator<Item = &'h Header<'b>> {
        let is_seen = |index| !self.is_cut(index) || is_marked(&self.shown, index);
        let lines = self.headers.iter().enumerate();
        lines.filter(move |(index, _)| is_seen(*index)).map(|(_, line)| line)
    }

    /// The first line called `name` that stays.
    pub(crate) fn kept(&self, name: &str) -> Option<&'b [u8]> {
        let named = |line: &&Header<'b>| line.name.eq_ignore_ascii_case(name);
        self.stay().find(named).map(|line| line.value)
    }

    /// The lines that stay.
    pub(crate) fn stay(&self) -> impl Iterator<Item = &'h Header<'b>> {
        let lines = self.headers.iter().enumerate();
        lines.filter(|(index, _)| !self.is_cut(*index)).map(|(_, line)| line)
    }

    fn is_cut(&self, index: usize) -> bool {
        is_marked(&self.cut, index)
    }

    fn offset(&self, header: &Header<'b>) -> usize {
        header.name.as_ptr().addr() - self.buffer.as_ptr().addr()
    }
}

impl Connection {
    /// Whether the connection stays, where the version alone would say `otherwise`.
    pub(crate) fn stays(&self, otherwise: bool, is_http10: bool) -> bool {
        !self.close && (otherwise || is_http10 && self.keep_alive)
    }

    /// Takes in another line.
    pub(crate) fn read(&mut self, value: &[u8]) -> Result<(), TooManyNames> {
        const MAX_NAMES: usize = 32;
        for token in tokens(value) {
            let is = |option: &[u8]| token.eq_ignore_ascii_case(option);
            self.close |= is(b"close");
            self.keep_alive |= is(b"keep-alive");
            self.upgrade |= is(b"upgrade");
            if !is_option(token) {
                self.names += 1;
            }
        }
        if self.names > MAX_NAMES { Err(TooManyNames) } else { Ok(()) }
    }
}

fn mark(marks: &mut Marks, index: usize) {
    marks[index / 64] |= 1 << (index % 64);
}

fn is_marked(marks: &Marks, index: usize) -> bool {
    marks[index / 64] & (1 << (index % 64)) != 0
}

/// What Connection can say that is no header's name.
fn is_option(token: &[u8]) -> bool {
    is_any(token, &[b"close", b"keep-alive", b"upgrade"])
}

fn is_removable(name: Name) -> bool {
    !matches!(
        name,
        Name::Host
            | Name::ContentLength
            | Name::TransferEncoding
            | Name::Connection
            | Name::CdnLoop
    )
}

pub(crate) fn is_any(token: &[u8], known: &[&[u8]]) -> bool {
    known.iter().any(|known| token.eq_ignore_ascii_case(known))
}

/// Appends the line that says where the body ends; `None` says nothing.
pub(crate) fn push_framing(framing: Option<Framing>, out: &mut Vec<u8>) {
    match framing {
        Some(Framing::Length(length)) => {
            out.extend_from_slice(b"Content-Length: ");
            push_number(out, length);
            out.extend_from_slice(b"\r\n");
        }
        Some(Framing::Chunked) => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Some(Framing::None | Framing::UntilClose) | None => {}
    }
}

/// Decimal digits, without an allocation.
pub fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(number % 10).expect("a digit is below 10");
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Only digits, and few enough not to overflow (RFC 9110 §8.6).
pub(crate) fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 19 {
        return None;
    }
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    value.iter().try_fold(0, |length, byte| Some(length * 10 + digit(byte)?))
}

/// Whether a head may end in `buffer`, of which the bytes before `known` held no end. Spares
/// parsing again for every piece of a head that trickles in.
pub fn may_be_complete(buffer: &[u8], known: usize) -> bool {
    let from = known.saturating_sub(3);
    memchr::memchr_iter(b'\n', &buffer[from..]).any(|at| {
        let rest = &buffer[from + at + 1..];
        rest.starts_with(b"\n") || rest.starts_with(b"\r\n")
    })
}
