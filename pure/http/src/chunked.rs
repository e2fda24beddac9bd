//! Chunked bodies, strictly (RFC 9112 §7.1).
//!
//! Sizes are bounded, every line ends in CR LF, extensions and trailers have a budget. It splits
//! the bytes into payload, framing and trailers; it copies nothing and never looks back, so the
//! pieces may come in any sizes.

/// Where in a chunked body we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunked {
    state: State,
    /// Size of the chunk being read, then what is left of it.
    left: u64,
    /// Bytes that extensions and trailers may still take.
    budget: u32,
}

/// What a run of bytes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Bytes of the message.
    Payload,
    /// Sizes and line ends.
    Framing,
    /// Trailer lines, which are not forwarded.
    Trailer,
    /// The last line end; nothing of this body follows.
    End,
}

/// The bytes are not a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadChunk;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size {
        digits: u8,
    },
    Extension,
    SizeLf,
    Payload,
    PayloadCr,
    PayloadLf,
    /// At the start of a trailer line.
    Line,
    Trailer,
    TrailerLf,
    /// After the CR of the empty line; `trailers` tells whether some came before.
    EndLf,
    Done,
}

/// Together for extensions and trailers of one body: nobody legitimate needs more, and without
/// a bound one-byte chunks with long extensions are a cheap attack.
const BUDGET: u32 = 16 * 1024;

/// Fifteen hex digits: sizes below 2^60 cannot overflow.
const MAX_DIGITS: u8 = 15;

impl Default for Chunked {
    fn default() -> Self {
        Self { state: State::Size { digits: 0 }, left: 0, budget: BUDGET }
    }
}

impl Chunked {
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
            self.state = self.next(byte)?;
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

    /// What `byte` is when it comes next.
    fn part(&self, byte: u8) -> Part {
        match self.state {
            State::Trailer | State::TrailerLf => Part::Trailer,
            State::Line if byte != b'\r' => Part::Trailer,
            State::Line | State::EndLf | State::Done => Part::End,
            _ => Part::Framing,
        }
    }

    fn next(&mut self, byte: u8) -> Result<State, BadChunk> {
        match (self.state, byte) {
            (State::Size { digits }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F')
                if digits < MAX_DIGITS =>
            {
                let value = char::from(byte).to_digit(16).ok_or(BadChunk)?;
                self.left = self.left * 16 + u64::from(value);
                Ok(State::Size { digits: digits + 1 })
            }
            (State::Size { digits: 1.. }, b';') => Ok(State::Extension),
            (State::Size { digits: 1.. } | State::Extension, b'\r') => Ok(State::SizeLf),
            (State::Extension, byte) => self.spend(byte, State::Extension),
            (State::SizeLf, b'\n') if self.left == 0 => Ok(State::Line),
            (State::SizeLf, b'\n') => Ok(State::Payload),
            (State::PayloadCr, b'\r') => Ok(State::PayloadLf),
            (State::PayloadLf, b'\n') => Ok(State::Size { digits: 0 }),
            (State::Line, b'\r') => Ok(State::EndLf),
            (State::Line, b' ' | b'\t') => Err(BadChunk),
            (State::Line | State::Trailer, byte) if byte != b'\r' => {
                self.spend(byte, State::Trailer)
            }
            (State::Trailer, _) => Ok(State::TrailerLf),
            (State::TrailerLf, b'\n') => Ok(State::Line),
            (State::EndLf, b'\n') => Ok(State::Done),
            _ => Err(BadChunk),
        }
    }

    fn spend(&mut self, byte: u8, state: State) -> Result<State, BadChunk> {
        if byte.is_ascii_control() && byte != b'\t' {
            return Err(BadChunk);
        }
        self.budget = self.budget.checked_sub(1).ok_or(BadChunk)?;
        Ok(state)
    }
}
