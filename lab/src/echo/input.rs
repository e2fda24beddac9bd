//! Bytes of one connection, read as far as the current message needs and no further: what follows
//! belongs to the next request of a pipeline. What a message is, `pure/http` says.

use std::io;

use steelyard_http::{Body, Framing, Reject, RequestHead, Slots, may_be_complete};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest request head.
const LONGEST_HEAD: usize = 64 * 1024;

/// A request head, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// `GET`.
    pub(super) method: String,
    /// The request target as sent.
    pub(super) target: String,
    /// HTTP/1.0 rather than 1.1.
    pub(super) old: bool,
    /// Header fields in order; bytes that are not UTF-8 are replaced.
    pub(super) headers: Vec<(String, String)>,
    /// Where the body ends.
    pub(super) framing: Framing,
    /// Whether the connection ends after the answer.
    pub(super) closes: bool,
}

/// Why a connection cannot go on.
#[derive(Debug)]
pub(super) enum Fault {
    /// The request is not HTTP/1, or ambiguous: that is answered.
    Refused(Reject),
    /// The connection failed or ended in the middle.
    Gone,
}

/// The reading side of a connection.
#[derive(Debug)]
pub(super) struct Input<S> {
    pub(super) stream: S,
    unread: Vec<u8>,
}

impl<S: AsyncRead + Unpin> Input<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, unread: Vec::with_capacity(4096) }
    }

    /// Whether the peer has already sent more.
    pub(super) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// The next request head, or none when the peer is done.
    pub(super) async fn head(&mut self) -> Result<Option<Head>, Fault> {
        let mut known = 0;
        loop {
            if (known == 0 || may_be_complete(&self.unread, known))
                && let Some((head, length)) = Head::parse(&self.unread)?
            {
                self.unread.drain(..length);
                return Ok(Some(head));
            }
            known = self.unread.len();
            if known > LONGEST_HEAD {
                return Err(Fault::Refused(Reject::HeadTooLarge));
            }
            if !self.fill().await? {
                return if self.has_unread() { Err(Fault::Gone) } else { Ok(None) };
            }
        }
    }

    /// Reads a body to its end; returns its length without framing.
    pub(super) async fn body(&mut self, framing: Framing) -> Result<u64, Fault> {
        let mut body = Body::payload(framing, true);
        let mut total = 0;
        loop {
            let fed = body.feed(&mut self.unread).map_err(|_| Fault::Refused(Reject::Chunk))?;
            total += fed.forward as u64;
            self.unread.drain(..fed.consumed);
            if body.is_done() {
                return Ok(total);
            }
            if !self.fill().await? {
                return Err(Fault::Gone);
            }
        }
    }

    /// Reads some more; false at the end.
    async fn fill(&mut self) -> Result<bool, Fault> {
        Ok(self.stream.read_buf(&mut self.unread).await? > 0)
    }
}

impl From<io::Error> for Fault {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl Head {
    /// The head at the start of `bytes`, with its length; none when it is not complete yet.
    fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Fault> {
        let mut slots = Slots::default();
        let head = RequestHead::parse(bytes, &mut slots).map_err(Fault::Refused)?;
        Ok(head.map(|head| (Self::of(&head), head.len)))
    }

    fn of(head: &RequestHead<'_, '_>) -> Self {
        let mut headers = Vec::new();
        head.each_line(&mut |name, value| {
            headers.push((name.to_owned(), String::from_utf8_lossy(value).into_owned()));
        });
        Self {
            method: head.method.to_owned(),
            target: [head.asked(), head.query].concat(),
            old: head.is_http10,
            headers,
            framing: head.framing,
            closes: !head.keep_alive,
        }
    }

    /// The first field called `name`.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether the peer waits for a word before it sends the body.
    pub(super) fn waits(&self) -> bool {
        self.get("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    }
}
