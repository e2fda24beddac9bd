//! Bodies between HTTP/1 and a stream of HTTP/2. Whoever sends is held back by whoever takes: no
//! more is taken of a stream than there is room for, and no more given to it than its window lets
//! through.

use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue};
use steelyard_http::{Body, ForwardedPolicy, Framing, LAST_CHUNK, MAX_REQUEST_LINES, may_trail};

/// What stands behind a body.
pub(crate) type Trailers = Rc<HeaderMap>;

/// A body that comes by a stream, as HTTP/1 frames it.
pub(crate) struct Inflow {
    body: RecvStream,
    is_chunked: bool,
    /// How much of a body of known length has not gone on. Its last byte does when the stream has
    /// ended: whoever counts bytes would ask for nothing behind it.
    left: Option<u64>,
    /// Came, and has not gone on.
    current: Bytes,
    stage: Stage,
    trailers: Option<Trailers>,
    /// By which trailers name no client.
    policy: Option<Arc<ForwardedPolicy>>,
    /// What is still to be said behind it, in its framing.
    end: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Data,
    Trailers,
    End,
    Done,
}

/// A body that HTTP/1 has framed, on its way into a stream.
pub(crate) struct Outflow {
    body: Body,
    trailers: Option<Trailers>,
    is_ended: bool,
}

/// The longest size line of a chunk, with what stands behind the chunk.
const AROUND: usize = 20;

/// Less room is not worth a chunk.
const LEAST_ROOM: usize = 64;

/// What stands behind a chunk of no bytes is at most so long: more is no chunked body to whoever
/// takes it apart.
const MOST_TRAILERS: usize = 8 * 1024;

/// So much is offered to a stream at a time.
const MOST: usize = 64 * 1024;

/// The framing of so many bytes is looked at where a stream takes none.
const PEEK: usize = 64;

impl Inflow {
    /// `framing` is how its message says that it ends. What ends with its connection comes as it
    /// is.
    pub(crate) fn new(body: RecvStream, framing: Framing) -> Self {
        let stage = if framing == Framing::None { Stage::Done } else { Stage::Data };
        let is_chunked = framing == Framing::Chunked;
        let left = if let Framing::Length(length) = framing { Some(length) } else { None };
        let (current, end, trailers, policy) = Default::default();
        Self { body, is_chunked, left, current, stage, trailers, policy, end }
    }

    /// It is a request's, from who names its client in this way.
    pub(crate) fn keep_back(&mut self, policy: Option<Arc<ForwardedPolicy>>) {
        self.policy = policy;
    }

    /// From now on it ends with its connection: what comes is passed on as it is.
    pub(crate) fn open(&mut self) {
        (self.stage, self.is_chunked, self.left) = (Stage::Data, false, None);
    }

    /// What stood behind it, once it has come.
    pub(crate) fn trailers(&self) -> Option<Trailers> {
        self.trailers.clone()
    }

    /// Whether all of it has gone on.
    pub(crate) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Whether its stream says no more, whatever of it has not gone on.
    pub(crate) fn has_ended(&self) -> bool {
        self.stage != Stage::Data || self.body.is_end_stream()
    }

    /// Puts what has come into `room`. 0 means that nothing more will.
    pub(crate) fn poll_fill(
        &mut self,
        room: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut filled = 0;
        loop {
            let rest = &mut room[filled..];
            if self.ahead() > 0 {
                match self.put(rest) {
                    0 => return Poll::Ready(Ok(filled)),
                    count => filled += count,
                }
                continue;
            }
            match self.stage {
                Stage::Data => match self.body.poll_data(cx) {
                    Poll::Ready(Some(Ok(bytes))) => self.take(bytes)?,
                    Poll::Ready(Some(Err(error))) if filled == 0 => {
                        return Poll::Ready(Err(broken(error)));
                    }
                    Poll::Ready(None) => self.stage = Stage::Trailers,
                    Poll::Pending if filled == 0 => return Poll::Pending,
                    Poll::Pending | Poll::Ready(Some(Err(_))) => return Poll::Ready(Ok(filled)),
                },
                Stage::Trailers => match self.body.poll_trailers(cx) {
                    Poll::Pending if filled == 0 => return Poll::Pending,
                    Poll::Pending => return Poll::Ready(Ok(filled)),
                    Poll::Ready(trailers) => {
                        let policy = self.policy.as_deref();
                        self.trailers = trailers.map_err(broken)?.and_then(|it| known(it, policy));
                        if self.is_chunked {
                            self.end = end(self.trailers.as_deref());
                        }
                        self.stage = Stage::End;
                    }
                },
                Stage::End => {
                    let count = self.end.len().min(rest.len());
                    rest[..count].copy_from_slice(&self.end.split_to(count));
                    filled += count;
                    if !self.end.is_empty() {
                        return Poll::Ready(Ok(filled));
                    }
                    self.stage = Stage::Done;
                }
                Stage::Done => return Poll::Ready(Ok(filled)),
            }
        }
    }

    /// Another piece has come.
    fn take(&mut self, bytes: Bytes) -> io::Result<()> {
        if self.current.is_empty() {
            self.current = bytes;
        } else if !bytes.is_empty() {
            return Err(io::Error::other("more than was to come"));
        }
        Ok(())
    }

    /// How much of the current piece may go on.
    fn ahead(&self) -> usize {
        let is_last = self.left == Some(self.current.len() as u64);
        let waits = is_last && self.stage == Stage::Data && !self.body.is_end_stream();
        self.current.len().saturating_sub(usize::from(waits))
    }

    /// Puts some of the current piece into `room`, and lets as much more come.
    fn put(&mut self, room: &mut [u8]) -> usize {
        let around = if self.is_chunked { AROUND } else { 0 };
        if room.len() < LEAST_ROOM {
            return 0;
        }
        let count = self.ahead().min(room.len() - around);
        self.left = self.left.map(|left| left.saturating_sub(count as u64));
        let mut out = &mut *room;
        if self.is_chunked {
            write!(out, "{count:x}\r\n").expect("there is room");
        }
        out.write_all(&self.current[..count]).expect("there is room");
        if self.is_chunked {
            out.write_all(b"\r\n").expect("there is room");
        }
        let left = out.len();
        self.current.advance(count);
        // Who has left needs no more of it.
        let _ = self.body.flow_control().release_capacity(count);
        room.len() - left
    }
}

impl Outflow {
    /// `framing` is how the message that HTTP/1 has says that it ends; `trailers` are what is known
    /// of what is to stand behind it.
    pub(crate) fn new(framing: Framing, trailers: Option<Trailers>) -> Self {
        let body = Body::payload(framing, false);
        Self { is_ended: body.is_done(), body, trailers }
    }

    /// What is to stand behind it.
    pub(crate) fn carry(&mut self, trailers: Trailers) {
        self.trailers = Some(trailers);
    }

    /// Whether all of it was given to the stream.
    pub(crate) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Gives some of `slices` to the stream.
    pub(crate) fn poll_write(
        &mut self,
        to: &mut SendStream<Bytes>,
        slices: [&[u8]; 3],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let total: usize = slices.iter().map(|slice| slice.len()).sum();
        if total == 0 {
            return Poll::Ready(Ok(0));
        }
        let room = match poll_room(to, total.min(MOST), cx) {
            Poll::Ready(room) => room?,
            Poll::Pending => return self.write_framing(to, slices),
        };
        let mut bytes = first(slices, room.min(total));
        let fed =
            self.body.feed(&mut bytes).map_err(|_| io::Error::other("a body that is none"))?;
        bytes.truncate(fed.forward);
        self.give(to, bytes.freeze())?;
        if fed.forward < room {
            let_go(to);
        }
        Poll::Ready(Ok(fed.consumed))
    }

    /// Ends a stream that ends with its connection.
    pub(crate) fn close(&mut self, to: &mut SendStream<Bytes>) -> io::Result<()> {
        if std::mem::replace(&mut self.is_ended, true) {
            return Ok(());
        }
        to.send_data(Bytes::new(), true).map_err(broken)
    }

    /// The stream takes no bytes now, but what ends a chunk or a body is none.
    fn write_framing(
        &mut self,
        to: &mut SendStream<Bytes>,
        slices: [&[u8]; 3],
    ) -> Poll<io::Result<usize>> {
        let mut bytes = first(slices, PEEK);
        let mut body = self.body.clone();
        let fed = body.feed(&mut bytes).map_err(|_| io::Error::other("a body that is none"))?;
        if fed.forward > 0 || fed.consumed == 0 {
            return Poll::Pending;
        }
        self.body = body;
        self.give(to, Bytes::new())?;
        let_go(to);
        Poll::Ready(Ok(fed.consumed))
    }

    fn give(&mut self, to: &mut SendStream<Bytes>, payload: Bytes) -> io::Result<()> {
        let is_end = self.body.is_done();
        // Those that came by a stream are more than HTTP/1 has between its lines.
        let trailers = self.trailers.take_if(|_| is_end).or_else(|| spoken(&self.body));
        if !payload.is_empty() || (is_end && trailers.is_none()) {
            to.send_data(payload, is_end && trailers.is_none()).map_err(broken)?;
        }
        if let Some(trailers) = trailers {
            to.send_trailers((*trailers).clone()).map_err(broken)?;
        }
        self.is_ended |= is_end;
        Ok(())
    }
}

/// How many of `wanted` bytes the stream takes.
fn poll_room(
    to: &mut SendStream<Bytes>,
    wanted: usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    to.reserve_capacity(wanted);
    loop {
        match to.capacity() {
            0 => {}
            room => return Poll::Ready(Ok(room)),
        }
        match ready!(to.poll_capacity(cx)) {
            Some(Ok(_)) => {}
            Some(Err(error)) => return Poll::Ready(Err(broken(error))),
            None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }
}

/// What the stream was lent of its connection's window, and needs for nothing, is for others:
/// framing and trailers take none.
fn let_go(to: &mut SendStream<Bytes>) {
    to.reserve_capacity(0);
}

/// A copy of the first `count` bytes, if there are so many.
fn first(slices: [&[u8]; 3], count: usize) -> BytesMut {
    let mut bytes = BytesMut::with_capacity(count);
    for slice in slices {
        let run = slice.len().min(count - bytes.len());
        bytes.extend_from_slice(&slice[..run]);
    }
    bytes
}

/// How a chunked body ends, with trailers.
fn end(trailers: Option<&HeaderMap>) -> Bytes {
    let lines = || trailers.into_iter().flatten();
    let line = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 4;
    if lines().map(line).sum::<usize>() > MOST_TRAILERS {
        return Bytes::from_static(LAST_CHUNK);
    }
    let mut out = BytesMut::from(&b"0\r\n"[..]);
    for (name, value) in lines() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    out.extend_from_slice(b"\r\n");
    out.freeze()
}

/// What stood behind a chunked body.
fn spoken(body: &Body) -> Option<Trailers> {
    let mut trailers = HeaderMap::new();
    for (name, value) in body.trailers().filter(|_| body.is_done()) {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            trailers.append(name, value);
        }
    }
    (!trailers.is_empty()).then(|| Rc::new(trailers))
}

/// What of trailers goes on: nothing where there are more than a head may have, since a few bytes
/// on the wire stand for thousands, and their request may take long.
fn known(mut trailers: HeaderMap, policy: Option<&ForwardedPolicy>) -> Option<Trailers> {
    if trailers.len() > MAX_REQUEST_LINES {
        return None;
    }
    let is_refused = |name: &HeaderName| {
        let names_client = |it: &ForwardedPolicy| it.names_client(name.as_str().as_bytes());
        !may_trail(name.as_str()) || policy.is_some_and(names_client)
    };
    let unknown: Vec<_> = trailers.keys().filter(|it| is_refused(it)).cloned().collect();
    for name in unknown {
        trailers.remove(name);
    }
    (!trailers.is_empty()).then(|| Rc::new(trailers))
}

/// What became of a stream or its connection. What was certainly not looked at (RFC 9113 §8.7) is
/// [`io::ErrorKind::ConnectionRefused`].
pub(crate) fn broken(error: h2::Error) -> io::Error {
    let is_untaken = error.is_remote()
        && (error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM)
            || error.is_go_away() && error.reason() == Some(Reason::NO_ERROR));
    if is_untaken {
        return io::Error::new(io::ErrorKind::ConnectionRefused, error);
    }
    if error.is_io() {
        return error.into_io().unwrap_or_else(|| io::ErrorKind::ConnectionReset.into());
    }
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_trailers_go_on() {
        let of = |names: &[&'static str], count: usize| {
            let fields = names.iter().flat_map(|it| std::iter::repeat_n(*it, count));
            let value = || HeaderValue::from_static("1");
            HeaderMap::from_iter(fields.map(|it| (HeaderName::from_static(it), value())))
        };
        let client_header = Some("X-Client".into());
        let policy = ForwardedPolicy { client_header, ..ForwardedPolicy::default() };
        let names = ["x-sum", "x-client", "x_client", "x.client", "user_agent", "set_cookie"];
        assert_eq!(known(of(&names, 1), Some(&policy)).map(|it| it.len()), Some(1));
        assert_eq!(known(of(&names, 1), None).map(|it| it.len()), Some(4));
        for (count, kept) in [(MAX_REQUEST_LINES, true), (MAX_REQUEST_LINES + 1, false)] {
            assert_eq!(known(of(&["x-sum"], count), None).is_some(), kept, "{count}");
        }
    }

    #[test]
    fn how_a_chunked_body_ends() {
        let value = |length| HeaderValue::from_str(&"v".repeat(length)).expect("letters");
        let with = |length| HeaderMap::from_iter([(HeaderName::from_static("a"), value(length))]);
        assert_eq!(end(None), "0\r\n\r\n");
        assert_eq!(end(Some(&with(2))), "0\r\na: vv\r\n\r\n");
        let most = end(Some(&with(MOST_TRAILERS - 5)));
        let mut bytes = most.to_vec();
        let mut body = Body::payload(Framing::Chunked, true);
        let fed = body.feed(&mut bytes).expect("a body takes as many");
        assert_eq!((fed.consumed, fed.forward, body.is_done()), (most.len(), 0, true));
        assert_eq!(body.trailers().count(), 1);
        assert_eq!(end(Some(&with(MOST_TRAILERS))), "0\r\n\r\n", "too many are left out");
    }
}
