//! A socket as the `h2` crate wants it, and watch kept over the frames that pass.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use steelyard_http::{
    Calm, Flood, FrameHead, Frames, HeadAllowance, OddHead, RequestHeads, TooManyHeads,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Wire;
use super::buffers::Buffer;
use super::stream::Stream;

/// What comes before the first frame of a client (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection that HTTP/2 is spoken on.
pub(crate) struct Link {
    stream: Rc<Stream>,
    /// What was read of it before.
    ahead: Option<Buffer>,
    watch: Box<Watch>,
}

/// What a client does to its connection, as it is noticed here and by whoever drives it.
#[derive(Debug, Default)]
pub(crate) struct Conduct {
    /// What it floods us with.
    pub(crate) flood: Cell<Option<Flood>>,
    /// Streams that were refused for want of a place, whose frames were not sent yet.
    declined: Cell<u32>,
    /// Requests that nobody took yet whose paths have a fragment, in order.
    fragments: RefCell<VecDeque<u32>>,
    /// What stands behind a body is malformed.
    pub(crate) is_malformed: Cell<bool>,
}

/// More than that many wait for the socket at no time.
const MOST_DECLINED: u32 = 256;

/// More requests than may wait to be taken.
const MOST_FRAGMENTS: usize = 4096;

impl Conduct {
    /// Whether the request on a stream, which is taken now, has a path with a fragment. They are
    /// taken in order, and what is passed over was given up.
    pub(crate) fn has_fragment(&self, stream: u32) -> bool {
        let mut fragments = self.fragments.borrow_mut();
        while fragments.front().is_some_and(|first| *first < stream) {
            fragments.pop_front();
        }
        fragments.pop_front_if(|first| *first == stream).is_some()
    }

    fn note_odd(&self, odd: OddHead) {
        match odd {
            OddHead::Trailers => self.is_malformed.set(true),
            OddHead::Fragment(stream) => {
                let mut fragments = self.fragments.borrow_mut();
                if fragments.len() == MOST_FRAGMENTS {
                    fragments.pop_front();
                }
                fragments.push_back(stream);
            }
        }
    }

    /// A stream is refused, which is no doing of its client's.
    pub(crate) fn decline(&self) {
        self.declined.set((self.declined.get() + 1).min(MOST_DECLINED));
    }

    /// Whether a frame says of such a stream that it is refused. A frame does not say whether it is
    /// one of them, but it is one of as many.
    fn is_declined(&self, frame: FrameHead) -> bool {
        let left = self.declined.get().checked_sub(1).filter(|_| frame.refuses_stream());
        left.is_some_and(|left| self.declined.replace(left) > left)
    }

    /// Whether nothing more of it is wanted.
    fn is_over(&self) -> bool {
        self.flood.get().is_some() || self.is_malformed.get()
    }

    /// The first flood counts.
    fn note(&self, walked: Result<(), Flood>) {
        if let (None, Err(seen)) = (self.flood.get(), walked) {
            self.flood.set(Some(seen));
        }
    }
}

/// Who looks at the frames.
struct Watch {
    came: Frames,
    sent: Frames,
    over: Over,
}

/// Over whom watch is kept.
enum Over {
    Client(Calm, Rc<Conduct>, Box<RequestHeads>),
    /// And when something was heard of it, where somebody wants to know.
    Endpoint(HeadAllowance, Option<Rc<Cell<Instant>>>),
}

impl Link {
    /// To an endpoint. More heads of it than were asked for are an error; when something is `heard`
    /// of it is noted.
    pub(crate) fn to_endpoint(stream: Stream, heard: Option<Rc<Cell<Instant>>>) -> Self {
        let (came, sent) = (Frames::default(), Frames::after(PREFACE.len()));
        let watch = Watch { came, sent, over: Over::Endpoint(HeadAllowance::default(), heard) };
        Self { stream: Rc::new(stream), ahead: None, watch: Box::new(watch) }
    }

    /// From a client, of whom `ahead` was read already, and who may compress heads by a `table` of
    /// so many bytes. Once it floods us that is noted in `conduct`, and nothing more is read.
    pub(crate) fn from_client(
        stream: Rc<Stream>,
        ahead: Option<Buffer>,
        conduct: Rc<Conduct>,
        table: Option<u32>,
    ) -> Self {
        let (came, sent) = (Frames::after(PREFACE.len()), Frames::default());
        let heads = Box::new(RequestHeads::after(PREFACE.len(), table));
        let over = Over::Client(Calm::new(Instant::now()), conduct, heads);
        let watch = Watch { came, sent, over };
        Self { stream, ahead, watch: Box::new(watch) }
    }

    /// Moves what was read before.
    fn take_ahead(&mut self, to: &mut ReadBuf<'_>) -> bool {
        let Some(ahead) = self.ahead.as_mut().filter(|ahead| !ahead.is_empty()) else {
            self.ahead = None;
            return false;
        };
        let count = ahead.len().min(to.remaining());
        to.put_slice(&ahead[..count]);
        ahead.consume(count);
        true
    }
}

impl Watch {
    fn is_flooded(&self) -> bool {
        matches!(&self.over, Over::Client(_, conduct, _) if conduct.is_over())
    }

    fn came(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.over {
            Over::Client(calm, conduct, heads) => {
                let now = Instant::now();
                conduct.note(self.came.walk(bytes, |frame| calm.came(frame, now)));
                heads.walk(bytes, |odd| conduct.note_odd(odd));
                Ok(())
            }
            Over::Endpoint(allowance, heard) => {
                if let Some(heard) = heard.as_ref().filter(|_| !bytes.is_empty()) {
                    heard.set(Instant::now());
                }
                let walked = self.came.walk(bytes, |frame| allowance.came(frame));
                walked.map_err(|TooManyHeads| io::Error::other("more heads than anybody sends"))
            }
        }
    }

    fn sent(&mut self, slices: &[&[u8]], mut count: usize) {
        for slice in slices {
            let run = count.min(slice.len());
            count -= run;
            let frames = &mut self.sent;
            match &mut self.over {
                Over::Client(calm, conduct, _) => {
                    let now = Instant::now();
                    conduct.note(frames.walk(
                        &slice[..run],
                        |frame| match conduct.is_declined(frame) {
                            true => calm.declined(now),
                            false => calm.sent(frame, now),
                        },
                    ));
                }
                Over::Endpoint(allowance, _) => {
                    let Ok(()) = frames.walk(&slice[..run], |frame| {
                        allowance.sent(frame);
                        Ok::<(), Infallible>(())
                    });
                }
            }
        }
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // Whoever drives the connection looks at it next.
        if this.watch.is_flooded() {
            return Poll::Pending;
        }
        let before = to.filled().len();
        if !this.take_ahead(to) {
            // Asked for each request, mostly in vain: room is made for what is there.
            ready!(this.stream.poll_readable(cx))?;
            let count = ready!(this.stream.poll_bytes(to.initialize_unfilled(), cx))?;
            to.advance(count);
        }
        Poll::Ready(this.watch.came(&to.filled()[before..]))
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let slices = [bytes, b"", b""];
        let count = ready!(self.stream.poll_write(slices, false, cx))?;
        self.watch.sent(&slices, count);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut filled = parts.iter().filter(|part| !part.is_empty());
        let slices = [(); 3].map(|()| filled.next().map_or(&b""[..], |part| part));
        let count = ready!(self.stream.poll_write(slices, false, cx))?;
        self.watch.sent(&slices, count);
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.stream.close())
    }
}
