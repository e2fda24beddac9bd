//! Where a body ends, and which of its bytes go on (RFC 9112 §6).
//!
//! Bytes are forwarded as they came, with one exception: trailers are dropped. For HTTP/1.0
//! clients the chunks are taken apart.

use crate::chunked::{BadChunk, Chunked, Part};

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No body.
    None,
    /// Content-Length.
    Length(u64),
    /// Transfer-Encoding: chunked.
    Chunked,
    /// The connection closes; responses only.
    UntilClose,
}

/// Follows one body to its end.
#[derive(Clone, Copy, Debug)]
pub struct Body {
    kind: Kind,
}

/// What became of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fed {
    /// How many, from the first, belong to this body. The rest is the next message.
    pub consumed: usize,
    /// How many, from the first, are to be forwarded.
    pub forward: usize,
    /// To be sent after them: what closes a body whose trailers were dropped.
    pub closing: &'static [u8],
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Length(u64),
    Chunked {
        chunks: Chunked,
        trailers: bool,
    },
    /// Chunks are taken apart in place: what is forwarded is payload only.
    Plain(Chunked),
    UntilClose,
}

impl Body {
    /// A body framed so, forwarded with its framing.
    pub fn new(framing: Framing) -> Self {
        Self {
            kind: match framing {
                Framing::None => Kind::Length(0),
                Framing::Length(length) => Kind::Length(length),
                Framing::Chunked => Kind::Chunked { chunks: Chunked::default(), trailers: false },
                Framing::UntilClose => Kind::UntilClose,
            },
        }
    }

    /// The same, but chunks are taken apart: for clients that know none.
    pub fn without_chunks(framing: Framing) -> Self {
        match framing {
            Framing::Chunked => Self { kind: Kind::Plain(Chunked::default()) },
            framing => Self::new(framing),
        }
    }

    /// Whether nothing more belongs to it.
    pub fn is_done(&self) -> bool {
        match &self.kind {
            Kind::Length(left) => *left == 0,
            Kind::Chunked { chunks, .. } | Kind::Plain(chunks) => chunks.is_done(),
            Kind::UntilClose => false,
        }
    }

    /// Whether the end of the connection is a proper end at this point.
    pub fn ends_with_connection(&self) -> bool {
        matches!(self.kind, Kind::UntilClose)
    }

    /// Takes the next bytes. Chunks that are taken apart move to the front of `bytes`.
    pub fn feed(&mut self, bytes: &mut [u8]) -> Result<Fed, BadChunk> {
        match &mut self.kind {
            Kind::Length(left) => {
                let run = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= run as u64;
                Ok(Fed { consumed: run, forward: run, closing: b"" })
            }
            Kind::UntilClose => {
                Ok(Fed { consumed: bytes.len(), forward: bytes.len(), closing: b"" })
            }
            Kind::Chunked { chunks, trailers } => feed_chunks(chunks, trailers, bytes),
            Kind::Plain(chunks) => take_apart(chunks, bytes),
        }
    }
}

fn feed_chunks(chunks: &mut Chunked, trailers: &mut bool, bytes: &[u8]) -> Result<Fed, BadChunk> {
    let mut fed = Fed { consumed: 0, forward: 0, closing: b"" };
    while fed.consumed < bytes.len() && !chunks.is_done() {
        let (part, run) = chunks.step(&bytes[fed.consumed..])?;
        fed.consumed += run;
        *trailers |= part == Part::Trailer;
        if !*trailers {
            fed.forward = fed.consumed;
        }
    }
    if chunks.is_done() && *trailers {
        fed.closing = b"\r\n";
    }
    Ok(fed)
}

fn take_apart(chunks: &mut Chunked, bytes: &mut [u8]) -> Result<Fed, BadChunk> {
    let mut fed = Fed { consumed: 0, forward: 0, closing: b"" };
    while fed.consumed < bytes.len() && !chunks.is_done() {
        let (part, run) = chunks.step(&bytes[fed.consumed..])?;
        if part == Part::Payload {
            bytes.copy_within(fed.consumed..fed.consumed + run, fed.forward);
            fed.forward += run;
        }
        fed.consumed += run;
    }
    Ok(fed)
}

#[cfg(test)]
mod tests;
