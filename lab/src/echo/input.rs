//! Bytes of one connection, read as far as the current message needs and no further: what follows
//! belongs to the next request of a pipeline.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest request head, and longest chunk-size or trailer line.
const LONGEST_HEAD: usize = 64 * 1024;
/// Most header fields of a request.
const MOST_HEADERS: usize = 256;

/// A request head, owned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// `GET`.
    pub(super) method: String,
    /// The request target as sent.
    pub(super) target: String,
    /// HTTP/1.0 rather than 1.1.
    pub(super) old: bool,
    /// Header fields in order; bytes that are not UTF-8 are replaced.
    pub(super) headers: Vec<(String, String)>,
}

/// How a request's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After this many bytes.
    Length(u64),
    /// After the last chunk (RFC 9112 §7.1).
    Chunked,
}

/// Why a connection cannot go on.
#[derive(Debug)]
pub(super) enum Fault {
    /// The request is not HTTP/1, or ambiguous: answered with 400.
    Malformed(&'static str),
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
        loop {
            if let Some((head, length)) = parse_head(&self.unread)? {
                self.unread.drain(..length);
                return Ok(Some(head));
            }
            if self.unread.len() > LONGEST_HEAD {
                return Err(Fault::Malformed("the request head is too long"));
            }
            if !self.fill().await? {
                return if self.has_unread() { Err(Fault::Gone) } else { Ok(None) };
            }
        }
    }

    /// Reads a body to its end; returns its length without framing.
    pub(super) async fn body(&mut self, framing: Framing) -> Result<u64, Fault> {
        match framing {
            Framing::Length(length) => self.skip(length).await.map(|()| length),
            Framing::Chunked => self.chunks().await,
        }
    }

    async fn chunks(&mut self) -> Result<u64, Fault> {
        let mut total: u64 = 0;
        loop {
            let size = self.chunk_size().await?;
            if size == 0 {
                return self.trailers().await.map(|()| total);
            }
            total = total.saturating_add(size);
            self.skip(size).await?;
            if !self.line().await?.is_empty() {
                return Err(Fault::Malformed("a chunk is longer than its size"));
            }
        }
    }

    async fn chunk_size(&mut self) -> Result<u64, Fault> {
        let mut line = self.line().await?;
        line.extend_from_slice(b"\r\n");
        match httparse::parse_chunk_size(&line) {
            Ok(httparse::Status::Complete((_, size))) => Ok(size),
            _ => Err(Fault::Malformed("a chunk has no size")),
        }
    }

    async fn trailers(&mut self) -> Result<(), Fault> {
        while !self.line().await?.is_empty() {}
        Ok(())
    }

    /// The next line without its CRLF.
    async fn line(&mut self) -> Result<Vec<u8>, Fault> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let mut line: Vec<u8> = self.unread.drain(..end + 2).collect();
                line.truncate(end);
                return Ok(line);
            }
            if self.unread.len() > LONGEST_HEAD {
                return Err(Fault::Malformed("a line of the body is too long"));
            }
            self.need().await?;
        }
    }

    async fn skip(&mut self, mut length: u64) -> Result<(), Fault> {
        loop {
            let here = self.unread.len().min(usize::try_from(length).unwrap_or(usize::MAX));
            self.unread.drain(..here);
            length -= here as u64;
            if length == 0 {
                return Ok(());
            }
            self.need().await?;
        }
    }

    async fn need(&mut self) -> Result<(), Fault> {
        if self.fill().await? { Ok(()) } else { Err(Fault::Gone) }
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
    /// The first field called `name`.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// How the body ends (RFC 9112 §6.3); whatever could be read in two ways is refused.
    pub(super) fn framing(&self) -> Result<Framing, Fault> {
        let mut lengths = self.all("content-length");
        let (length, more) = (lengths.next(), lengths.next().is_some());
        let mut codings = self.all("transfer-encoding");
        match (codings.next(), length) {
            (None, None) => Ok(Framing::Length(0)),
            (None, Some(length)) if !more && is_number(length) => length
                .parse()
                .map(Framing::Length)
                .map_err(|_| Fault::Malformed("the Content-Length is too large")),
            (None, Some(_)) => Err(Fault::Malformed("the Content-Length is not one number")),
            (Some(_), Some(_)) => Err(Fault::Malformed("both a length and an encoding")),
            (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") && !self.old => {
                match codings.next() {
                    None => Ok(Framing::Chunked),
                    Some(_) => Err(Fault::Malformed("two transfer encodings")),
                }
            }
            (Some(_), None) => Err(Fault::Malformed("an unknown transfer encoding")),
        }
    }

    /// Whether the connection ends after the answer.
    pub(super) fn closes(&self) -> bool {
        let says = |token: &str| {
            self.all("connection")
                .flat_map(|value| value.split(','))
                .any(|word| word.trim().eq_ignore_ascii_case(token))
        };
        says("close") || (self.old && !says("keep-alive"))
    }

    /// Whether the peer waits for a word before it sends the body.
    pub(super) fn waits(&self) -> bool {
        self.get("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn parse_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, Fault> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut fields);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Fault::Malformed("this is not an HTTP/1 request")),
    };
    let owned = |field: &httparse::Header<'_>| {
        (field.name.to_owned(), String::from_utf8_lossy(field.value).into_owned())
    };
    let head = Head {
        method: request.method.unwrap_or_default().to_owned(),
        target: request.path.unwrap_or_default().to_owned(),
        old: request.version == Some(0),
        headers: request.headers.iter().map(owned).collect(),
    };
    Ok(Some((head, length)))
}
