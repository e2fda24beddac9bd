//! Chunked bodies, strictly (RFC 9112 §7.1).
//!
//! Sizes are bounded, every line ends in CR LF, extensions and trailers have a budget. It splits
//! the bytes into payload, the framing that goes on, trailers, and what stays here: leading zeros,
//! padding, extensions, and the last chunk, which is written anew ([`LAST_CHUNK`]) once the body
//! is complete. It copies nothing and never looks back, so the pieces may come in any sizes.

use crate::name::is_token_char;

/// How a chunked body ends, as we write it.
pub const LAST_CHUNK: &[u8; 5] = b"0\r\n\r\n";

/// Where in a chunked body we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunked {
    state: State,
    /// Size of the chunk being read, then what is left of it.
    left: u64,
    /// Bytes that extensions, padding and trailers may still take.
    budget: u32,
    /// Sizes may have blanks behind them: old servers pad them, and it has one meaning only. So has
    /// a trailer that is none, where nobody believes it.
    padding: bool,
}

/// What a run of bytes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Bytes of the message.
    Payload,
    /// Sizes and line ends that are forwarded, each a piece of the one canonical spelling.
    Framing,
    /// Lines behind the last chunk, with their line ends.
    Trailer,
    /// What is not forwarded.
    Dropped,
}

/// The bytes are not a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadChunk {
    /// Index of the first byte that cannot be, in what was given last.
    pub at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size {
        digits: u8,
    },
    Padding,
    Extension,
    SizeLf,
    Payload,
    PayloadCr,
    PayloadLf,
    /// At the start of a trailer line.
    Line,
    /// In the name of one.
    Name,
    Trailer,
    TrailerLf,
    /// After the CR of the empty line.
    EndLf,
    Done,
}

/// Together for extensions, padding and trailers of one body: nobody legitimate needs more, and
/// without a bound one-byte chunks with long extensions are a cheap attack.
const BUDGET: u32 = 16 * 1024;

/// Fifteen hex digits: sizes below 2^60 cannot overflow.
const MAX_DIGITS: u8 = 15;

impl Chunked {
    /// As clients must write it.
    pub fn strict() -> Self {
        Self { state: State::Size { digits: 0 }, left: 0, budget: BUDGET, padding: false }
    }

    /// As endpoints may write it: sizes may be padded, and lines behind the last chunk are taken as
    /// they are, since those that are odd do not go on.
    pub fn padded() -> Self {
        Self { padding: true, ..Self::strict() }
    }

    /// What the first bytes of `input` are, and how many of them. `input` must not be empty, and
    /// [`Chunked::is_done`] must be false.
    pub fn step(&mut self, input: &[u8]) -> Result<(Part, usize), BadChunk> {
        if self.state == State::Payload {
            let run = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len());
            self.left -= run as u64;
            if self.left == 0 {
                self.state = State::PayloadCr;
            }
            return Ok((Part::Payload, run));
        }
        let part = self.part(input.first().copied().unwrap_or_default());
        for (index, &byte) in input.iter().enumerate() {
            if self.part(byte) != part {
                return Ok((part, index));
            }
            self.state = self.next(byte).ok_or(BadChunk { at: index })?;
            if matches!(self.state, State::Done | State::Payload) {
                return Ok((part, index + 1));
            }
        }
        Ok((part, input.len()))
    }

    /// Whether the body is complete.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// What `byte` is when it comes next. While a size is read `left` is what it is so far, so
    /// only zeros have come while it is 0.
    fn part(&self, byte: u8) -> Part {
        let is_line = match self.state {
            State::Line => byte != b'\r',
            State::Name | State::Trailer | State::TrailerLf => true,
            _ => false,
        };
        if is_line {
            return Part::Trailer;
        }
        let goes_on = match self.state {
            State::Size { .. } if byte.is_ascii_hexdigit() => self.left > 0 || byte != b'0',
            State::Size { .. } | State::Padding | State::Extension => {
                self.left > 0 && byte == b'\r'
            }
            State::SizeLf => self.left > 0,
            State::PayloadCr | State::PayloadLf => true,
            _ => false,
        };
        if goes_on { Part::Framing } else { Part::Dropped }
    }

    fn next(&mut self, byte: u8) -> Option<State> {
        match (self.state, byte) {
            (State::Size { digits }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F')
                if digits < MAX_DIGITS =>
            {
                let value = char::from(byte).to_digit(16)?;
                self.left = self.left * 16 + u64::from(value);
                Some(State::Size { digits: digits + 1 })
            }
            (State::Size { digits: 1.. } | State::Padding, b' ' | b'\t') if self.padding => {
                self.spend(byte, State::Padding)
            }
            (State::Size { digits: 1.. } | State::Padding, b';') => Some(State::Extension),
            (State::Size { digits: 1.. } | State::Padding | State::Extension, b'\r') => {
                Some(State::SizeLf)
            }
            (State::Extension, byte) => self.spend(byte, State::Extension),
            (State::SizeLf, b'\n') if self.left == 0 => Some(State::Line),
            (State::SizeLf, b'\n') => Some(State::Payload),
            (State::PayloadCr, b'\r') => Some(State::PayloadLf),
            (State::PayloadLf, b'\n') => Some(State::Size { digits: 0 }),
            (State::Line, b'\r') => Some(State::EndLf),
            (State::Line, b' ' | b'\t') => None,
            (State::Line | State::Name, byte) if !self.padding && is_token_char(byte) => {
                self.spend(byte, State::Name)
            }
            (State::Name, b':') => self.spend(byte, State::Trailer),
            // No name, or a blank before its colon, which some readers take for a part of it.
            (State::Line | State::Name, _) if !self.padding => None,
            (State::Line | State::Trailer, byte) if byte != b'\r' => {
                self.spend(byte, State::Trailer)
            }
            (State::Trailer, _) => Some(State::TrailerLf),
            (State::TrailerLf, b'\n') => Some(State::Line),
            (State::EndLf, b'\n') => Some(State::Done),
            _ => None,
        }
    }

    fn spend(&mut self, byte: u8, state: State) -> Option<State> {
        if byte.is_ascii_control() && byte != b'\t' {
            return None;
        }
        self.budget = self.budget.checked_sub(1)?;
        Some(state)
    }
}
