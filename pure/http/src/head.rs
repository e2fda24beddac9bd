//! What request and response heads have in common: header lines as slices of the original bytes.
//!
//! A head is rewritten by leaving lines out and adding others at the end; what stays is copied as
//! it came. Which lines go is one bit per line, so nothing is allocated.

use std::mem::MaybeUninit;

use httparse::Header;

/// Most header lines of one head.
pub const MAX_HEADERS: usize = 100;

/// Room for the header lines of one head; lives on the stack, uninitialised.
pub struct Slots<'b>(pub(crate) [MaybeUninit<Header<'b>>; MAX_HEADERS]);

/// Header lines and which of them are left out.
#[derive(Clone, Copy)]
pub(crate) struct Lines<'h, 'b> {
    pub(crate) buffer: &'b [u8],
    pub(crate) headers: &'h [Header<'b>],
    /// Length of the head with its empty line.
    pub(crate) len: usize,
    cut: u128,
}

/// Names that need a look. Everything else is forwarded as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Host,
    Connection,
    ContentLength,
    TransferEncoding,
    Upgrade,
    Expect,
    Accept,
    /// Meant for this hop only (RFC 9110 §7.6.1).
    HopByHop,
    /// `X-Forwarded-*` and the like, also spelled with underscores: only we may say these.
    Forwarded,
    Other,
}

impl Default for Slots<'_> {
    fn default() -> Self {
        Self([const { MaybeUninit::uninit() }; MAX_HEADERS])
    }
}

impl<'h, 'b> Lines<'h, 'b> {
    pub(crate) fn new(buffer: &'b [u8], headers: &'h [Header<'b>], len: usize) -> Self {
        Self { buffer, headers, len, cut: 0 }
    }

    pub(crate) fn cut(&mut self, index: usize) {
        self.cut |= 1 << index;
    }

    /// Whether every line stays.
    pub(crate) fn is_whole(&self) -> bool {
        self.cut == 0
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

    /// Leaves out the lines that `Connection` names, except those that frame or route the message:
    /// nobody may remove these from the next hop's view (RFC 9110 §7.6.1).
    pub(crate) fn cut_named(&mut self, value: &[u8]) -> Result<(), TooManyNames> {
        const MAX_NAMES: usize = 32;
        for (count, token) in tokens(value).enumerate() {
            if count >= MAX_NAMES {
                return Err(TooManyNames);
            }
            if is_any(token, &[b"close", b"keep-alive", b"upgrade"]) {
                continue;
            }
            for index in 0..self.headers.len() {
                let name = self.headers[index].name.as_bytes();
                if name.eq_ignore_ascii_case(token) && is_removable(Name::of(name)) {
                    self.cut(index);
                }
            }
        }
        Ok(())
    }

    fn is_cut(&self, index: usize) -> bool {
        self.cut & (1 << index) != 0
    }

    fn offset(&self, header: &Header<'b>) -> usize {
        header.name.as_ptr().addr() - self.buffer.as_ptr().addr()
    }
}

/// A Connection header that is an attack or a mistake.
pub(crate) struct TooManyNames;

impl Name {
    /// Lengths first: most names are done after one comparison.
    pub(crate) fn of(name: &[u8]) -> Self {
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        match name.len() {
            2 if is(b"te") => Self::HopByHop,
            4 if is(b"host") => Self::Host,
            6 if is(b"expect") => Self::Expect,
            6 if is(b"accept") => Self::Accept,
            7 if is(b"upgrade") => Self::Upgrade,
            7 if is(b"trailer") => Self::HopByHop,
            10 if is(b"connection") => Self::Connection,
            10 if is(b"keep-alive") => Self::HopByHop,
            14 if is(b"content-length") => Self::ContentLength,
            14 if is(b"http2-settings") => Self::HopByHop,
            16 if is(b"proxy-connection") => Self::HopByHop,
            17 if is(b"transfer-encoding") => Self::TransferEncoding,
            18 if is(b"proxy-authenticate") => Self::HopByHop,
            19 if is(b"proxy-authorization") => Self::HopByHop,
            _ if matches!(name, [b'x' | b'X', b'-' | b'_', ..]) => Self::of_extension(name),
            _ => Self::Other,
        }
    }

    fn of_extension(name: &[u8]) -> Self {
        const FORWARDED: [&[u8]; 11] = [
            b"x-forwarded-for",
            b"x-forwarded-proto",
            b"x-forwarded-host",
            b"x-forwarded-port",
            b"x-forwarded-server",
            b"x-forwarded-uri",
            b"x-forwarded-method",
            b"x-forwarded-prefix",
            b"x-forwarded-tls-client-cert",
            b"x-forwarded-tls-client-cert-info",
            b"x-real-ip",
        ];
        let fold = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
        let same = |other: &[u8]| name.iter().map(|byte| fold(*byte)).eq(other.iter().copied());
        if FORWARDED.iter().any(|known| known.len() == name.len() && same(known)) {
            Self::Forwarded
        } else {
            Self::Other
        }
    }
}

fn is_removable(name: Name) -> bool {
    !matches!(name, Name::Host | Name::ContentLength | Name::TransferEncoding | Name::Connection)
}

/// The elements of a comma-separated list, without the empty ones.
pub(crate) fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

pub(crate) fn has_token(value: &[u8], token: &[u8]) -> bool {
    tokens(value).any(|found| found.eq_ignore_ascii_case(token))
}

pub(crate) fn is_any(token: &[u8], known: &[&[u8]]) -> bool {
    known.iter().any(|known| token.eq_ignore_ascii_case(known))
}

/// Only digits, and few enough not to overflow (RFC 9110 §8.6).
pub(crate) fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 19 || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(value).ok()?.parse().ok()
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
