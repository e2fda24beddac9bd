//! Where a body ends, and how it goes on to the next hop (RFC 9112 §6).
//!
//! Payload is never touched. Framing is written canonically: chunk sizes without leading zeros,
//! padding or extensions, and behind them the trailers that may go on. For HTTP/1.0 clients, and
//! where somebody has the body in hand, chunks are taken apart, and the former get no trailers.
//! What ends with the endpoint's connection is put into chunks for everybody else, since a
//! connection that breaks looks like one that ends.
//!
//! A canonical body is forwarded as the bytes that came: what is dropped moves the rest of a piece
//! to the front, in place.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use crate::chunked::{BadChunk, Chunked, LAST_CHUNK, Part};
use crate::forwarded::{ForwardedPolicy, Vouching};
use crate::trailers;
use crate::trailers::TrailerLine;

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
#[derive(Clone, Debug)]
pub struct Body {
    kind: Kind,
    /// What has come of the lines behind the last chunk; nothing is allocated without any.
    trailers: Vec<u8>,
    /// Of a request, by which they name no client.
    policy: Option<Arc<ForwardedPolicy>>,
    /// No trailers go on.
    ends_bare: bool,
}

/// What became of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fed {
    /// How many, from the first, belong to this body. The rest is the next message.
    pub consumed: usize,
    /// How many of those are the body itself, and not its framing or trailers.
    pub payload: usize,
    /// To be sent before them: the size line of a chunk that we make.
    pub opening: SizeLine,
    /// How many, from the first, are to be forwarded.
    pub forward: usize,
    /// To be sent after them.
    pub closing: Cow<'static, [u8]>,
}

/// How payload goes on that was taken out of its framing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wrapping {
    /// As it is: its length is known, or it ends with the connection.
    #[default]
    Plain,
    /// In chunks.
    Chunks,
}

/// The size line of a chunk, or nothing.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct SizeLine {
    /// Sixteen digits and the line end.
    bytes: [u8; 18],
    len: u8,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Length(u64),
    /// Chunks are forwarded as chunks.
    Chunked(Chunked),
    /// Chunks are taken apart: what is forwarded is payload only.
    Plain(Chunked),
    UntilClose,
    /// What comes until the connection closes is put into chunks.
    IntoChunks,
}

impl Body {
    /// A request's body, from who may say so much of others.
    pub fn of_request(framing: Framing, vouching: &Vouching) -> Self {
        Self { policy: vouching.naming(), ..Self::new(framing) }
    }

    /// A body as it is framed, or what follows a switch of protocols: it keeps its framing.
    pub fn new(framing: Framing) -> Self {
        Self::of(match framing {
            Framing::None => Kind::Length(0),
            Framing::Length(length) => Kind::Length(length),
            Framing::Chunked => Kind::Chunked(Chunked::strict()),
            Framing::UntilClose => Kind::UntilClose,
        })
    }

    fn of(kind: Kind) -> Self {
        Self { kind, trailers: Vec::new(), policy: None, ends_bare: false }
    }

    /// The same, but nothing that stands behind it goes on: of a request whose head says what its
    /// sender may not, since who reads it may put its trailers among its headers.
    pub fn ending_bare(self) -> Self {
        Self { ends_bare: true, ..self }
    }

    /// Whether nothing that stands behind it goes on.
    pub fn ends_bare(&self) -> bool {
        self.ends_bare
    }

    /// An answer's body, for a client of HTTP/1.0 or of HTTP/1.1.
    pub fn answer(framing: Framing, http10: bool) -> Self {
        match framing {
            Framing::Chunked if http10 => Self::of(Kind::Plain(Chunked::padded())),
            Framing::Chunked => Self::of(Kind::Chunked(Chunked::padded())),
            Framing::UntilClose if !http10 => Self::of(Kind::IntoChunks),
            framing => Self::new(framing),
        }
    }

    /// A body of which only the payload goes on. `strict`: as clients must write it.
    pub fn payload(framing: Framing, strict: bool) -> Self {
        match framing {
            Framing::Chunked if strict => Self::of(Kind::Plain(Chunked::strict())),
            framing => Self::answer(framing, true),
        }
    }

    /// Whether nothing more belongs to it.
    pub fn is_done(&self) -> bool {
        match &self.kind {
            Kind::Length(left) => *left == 0,
            Kind::Chunked(chunks) | Kind::Plain(chunks) => chunks.is_done(),
            Kind::UntilClose | Kind::IntoChunks => false,
        }
    }

    /// What stood behind a body of which only the payload goes on, once it is done: the fields that
    /// may go on, for who frames it in another way.
    pub fn trailers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        trailers::fields(if self.ends_bare { b"" } else { &self.trailers })
    }

    /// The same, but for what names its client and may not, for who has it in hand.
    pub fn trailer_lines(&self) -> Vec<TrailerLine> {
        let is_free = |name: &[u8]| !self.policy.as_ref().is_some_and(|it| it.names_client(name));
        let own =
            |(name, value): (&[u8], &[u8])| Some((str::from_utf8(name).ok()?.into(), value.into()));
        self.trailers().filter(|(name, _)| is_free(name)).filter_map(own).collect()
    }

    /// Whether something may stand behind it.
    pub fn is_chunked(&self) -> bool {
        matches!(self.kind, Kind::Chunked(_) | Kind::Plain(_))
    }

    /// The payload of a request's body alone: it names no client that this one does not.
    pub fn into_payload(self, framing: Framing) -> Self {
        let Self { policy, ends_bare, .. } = self;
        Self { policy, ends_bare, ..Self::payload(framing, true) }
    }

    /// What the next hop gets when the connection ends at this point and that is a proper end;
    /// `None` when something is missing.
    pub fn end(&self) -> Option<&'static [u8]> {
        match &self.kind {
            Kind::UntilClose => Some(b""),
            Kind::IntoChunks => Some(LAST_CHUNK),
            Kind::Length(_) | Kind::Chunked(_) | Kind::Plain(_) => self.is_done().then_some(b""),
        }
    }

    /// Takes the next bytes. What is forwarded of them is at the front of `bytes` afterwards.
    pub fn feed(&mut self, bytes: &mut [u8]) -> Result<Fed, BadChunk> {
        match &mut self.kind {
            Kind::Length(left) => {
                let run = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= run as u64;
                Ok(Fed::whole(run))
            }
            Kind::UntilClose => Ok(Fed::whole(bytes.len())),
            Kind::IntoChunks if bytes.is_empty() => Ok(Fed::whole(0)),
            Kind::IntoChunks => {
                let opening = SizeLine::of(bytes.len());
                let closing = Cow::Borrowed(&b"\r\n"[..]);
                Ok(Fed { opening, closing, ..Fed::whole(bytes.len()) })
            }
            Kind::Chunked(chunks) => {
                let policy = self.policy.as_deref();
                let ends_bare = self.ends_bare;
                feed_chunks(chunks, &mut self.trailers, bytes, |trailers| match ends_bare {
                    true => Vec::new(),
                    false => trailers::kept(trailers, policy),
                })
            }
            Kind::Plain(chunks) => {
                keep(chunks, &mut self.trailers, bytes, |part| part == Part::Payload)
            }
        }
    }
}

impl Wrapping {
    /// Appends some payload.
    pub fn push(self, payload: &[u8], out: &mut Vec<u8>) {
        if self == Self::Plain || payload.is_empty() {
            return out.extend_from_slice(payload);
        }
        for part in [&*SizeLine::of(payload.len()), payload, b"\r\n"] {
            out.extend_from_slice(part);
        }
    }

    /// Appends the end, with what stands behind it where that can be told.
    pub fn end(self, trailers: &[TrailerLine], out: &mut Vec<u8>) {
        match self {
            Self::Plain => {}
            Self::Chunks if trailers.is_empty() => out.extend_from_slice(LAST_CHUNK),
            Self::Chunks => {
                out.extend_from_slice(b"0\r\n");
                trailers::push(trailers, out);
                out.extend_from_slice(b"\r\n");
            }
        }
    }
}

impl Fed {
    fn whole(count: usize) -> Self {
        let closing = Cow::Borrowed(&b""[..]);
        let opening = SizeLine::default();
        Self { consumed: count, payload: count, opening, forward: count, closing }
    }
}

impl SizeLine {
    fn of(mut size: usize) -> Self {
        const DIGITS: [u8; 16] = *b"0123456789abcdef";
        let mut opening = Self::default();
        let digits = size.checked_ilog2().unwrap_or(0) / 4 + 1;
        for at in (0..digits as usize).rev() {
            opening.bytes[at] = DIGITS[size % 16];
            size /= 16;
        }
        opening.len = u8::try_from(digits).expect("sixteen at most") + 2;
        opening.bytes[digits as usize..][..2].copy_from_slice(b"\r\n");
        opening
    }
}

impl Deref for SizeLine {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl std::fmt::Debug for SizeLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.escape_ascii())
    }
}

/// Nothing of the last chunk goes on before all of it has come; then it is written anew, in its
/// own place where that is large enough, as it is unless it came in pieces or trailers go on.
fn feed_chunks(
    chunks: &mut Chunked,
    trailers: &mut Vec<u8>,
    bytes: &mut [u8],
    kept: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Result<Fed, BadChunk> {
    let goes_on = |part| matches!(part, Part::Payload | Part::Framing);
    let mut fed = keep(chunks, trailers, bytes, goes_on)?;
    if !chunks.is_done() {
        return Ok(fed);
    }
    let kept = kept(&std::mem::take(trailers));
    if !kept.is_empty() {
        fed.closing = Cow::Owned([b"0\r\n", &*kept, b"\r\n"].concat());
        return Ok(fed);
    }
    match bytes[fed.forward..fed.consumed].first_chunk_mut() {
        Some(place) => {
            *place = *LAST_CHUNK;
            fed.forward += LAST_CHUNK.len();
        }
        None => fed.closing = Cow::Borrowed(LAST_CHUNK),
    }
    Ok(fed)
}

/// Moves the parts that go on to the front, and trailers to where they are kept.
fn keep(
    chunks: &mut Chunked,
    trailers: &mut Vec<u8>,
    bytes: &mut [u8],
    goes_on: impl Fn(Part) -> bool,
) -> Result<Fed, BadChunk> {
    let mut fed = Fed::whole(0);
    while fed.consumed < bytes.len() && !chunks.is_done() {
        let (part, run) = chunks
            .step(&bytes[fed.consumed..])
            .map_err(|bad| BadChunk { at: fed.consumed + bad.at })?;
        if part == Part::Payload {
            fed.payload += run;
        }
        if goes_on(part) {
            if fed.forward < fed.consumed {
                bytes.copy_within(fed.consumed..fed.consumed + run, fed.forward);
            }
            fed.forward += run;
        } else if part == Part::Trailer {
            trailers.extend_from_slice(&bytes[fed.consumed..fed.consumed + run]);
        }
        fed.consumed += run;
    }
    Ok(fed)
}

#[cfg(test)]
mod tests;
