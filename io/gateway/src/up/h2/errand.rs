//! One request to an endpoint, over a stream that speaks as a connection of HTTP/1.

use std::cell::RefCell;
use std::future::pending;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, SendStream};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use steelyard_http::{Framing, Reject, RequestHead, Slots, crosses, response_to_h1};
use tokio::io::{Interest, Ready};

use super::Session;
use crate::wire::Wire;
use crate::wire::buffers::{Buffer, BufferPool};
use crate::wire::copied::Copied;
use crate::wire::flow::{Inflow, Outflow, Trailers, broken};

/// Bytes of the longest target that the `http` crate keeps.
const LONGEST_TARGET: usize = 65_534;

/// One request to an endpoint.
pub(crate) struct Errand {
    session: Rc<Session>,
    state: RefCell<State>,
}

struct State {
    stage: Stage,
    /// The response's head as HTTP/1 spells it, and how much of it was read.
    head: Vec<u8>,
    read: usize,
    /// What came to stand behind a request whose head has not gone on.
    trailers: Option<Trailers>,
}

enum Stage {
    /// Nothing was written.
    New,
    Asked(Box<Asked>),
    /// The request could not be sent; whether another connection may take it.
    Broken(io::ErrorKind),
    /// No connection may: HTTP/2 has no spelling for it.
    Unspoken(Reject),
}

/// A request that was sent, at least its head.
struct Asked {
    is_head: bool,
    send: SendStream<Bytes>,
    outflow: Outflow,
    reply: Reply,
}

enum Reply {
    Awaited(ResponseFuture),
    Came(Inflow),
}

impl Errand {
    pub(in crate::up) fn new(session: Rc<Session>) -> Self {
        session.load.set(session.load.get() + 1);
        let state = State { stage: Stage::New, head: Vec::new(), read: 0, trailers: None };
        Self { session, state: RefCell::new(state) }
    }

    /// A head comes in one piece, first of all.
    fn send_head(&self, state: &mut State, slices: [&[u8]; 3]) -> io::Result<usize> {
        let Some(bytes) = slices.into_iter().find(|slice| !slice.is_empty()) else { return Ok(0) };
        let mut slots = Slots::default();
        let head = RequestHead::parse(bytes, &mut slots)
            .map_err(|reject| io::Error::other(reject.as_str()))?
            .ok_or_else(|| io::Error::other("a head in pieces"))?;
        let request = request(&head, &bytes[..head.len], self.session.scheme).map_err(unspoken)?;
        let (is_head, outflow) =
            (head.method == "HEAD", Outflow::new(head.framing, state.trailers.take()));
        let mut sender = self.session.sender.clone();
        // What was not sent may be sent elsewhere.
        let untaken = |error| io::Error::new(io::ErrorKind::ConnectionRefused, error);
        let (response, send) = sender.send_request(request, outflow.is_ended()).map_err(untaken)?;
        let reply = Reply::Awaited(response);
        state.stage = Stage::Asked(Box::new(Asked { is_head, send, outflow, reply }));
        Ok(head.len)
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        let session = &self.session;
        session.load.set(session.load.get() - 1);
        if self.state.get_mut().is_under_way() {
            session.given_up.set(session.given_up.get() + 1);
        }
        session.idle_since.set(Instant::now());
    }
}

/// What is wrong is the client's, and no endpoint's: who drives the exchange finds it within.
fn unspoken(reject: Reject) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reject)
}

/// The request that a head is, which `bytes` have, as HTTP/2 has it; or which part of it that has
/// no spelling for, as the library that writes it sees it.
fn request(
    head: &RequestHead<'_, '_>,
    bytes: &[u8],
    scheme: &'static str,
) -> Result<Request<()>, Reject> {
    let copied = Copied::new(bytes);
    let mut request = Request::new(());
    *request.method_mut() =
        Method::from_bytes(head.method.as_bytes()).map_err(|_| Reject::Syntax)?;
    *request.uri_mut() = uri(head, &copied, scheme)?;
    *request.version_mut() = http::Version::HTTP_2;
    let fields = request.headers_mut();
    fields.reserve(16);
    let mut outcome = Ok(());
    head.each_line(&mut |line, value| {
        if crosses(line) && outcome.is_ok() {
            let value = HeaderValue::from_maybe_shared(copied.part(value));
            outcome = name(line).and_then(|name| {
                fields.append(name, value?);
                Ok(())
            });
        }
    });
    // It speaks for the client too (RFC 9110 §10.1.4).
    if head.takes_trailers {
        fields.insert(http::header::TE, HeaderValue::from_static("trailers"));
    }
    outcome.map(|()| request).map_err(|_| Reject::Field)
}

fn uri(
    head: &RequestHead<'_, '_>,
    copied: &Copied<'_>,
    scheme: &'static str,
) -> Result<Uri, Reject> {
    let target = match written(head.asked(), head.query) {
        Some(target) => Bytes::from(target),
        None if head.query.is_empty() => copied.part(head.asked().as_bytes()),
        None => Bytes::from([head.asked(), head.query].concat()),
    };
    if target.len() > LONGEST_TARGET {
        return Err(Reject::TargetTooLong);
    }
    let authority = copied.part(head.authority.raw.as_bytes());
    let mut parts = http::uri::Parts::default();
    parts.scheme = http::uri::Scheme::try_from(scheme).ok();
    parts.authority = Some(Authority::from_maybe_shared(authority).map_err(|_| Reject::Host)?);
    let target = PathAndQuery::from_maybe_shared(target).map_err(|_| Reject::Target)?;
    parts.path_and_query = Some(target);
    Uri::from_parts(parts).map_err(|_| Reject::Target)
}

/// A field's name. Those that we add ourselves, which the library does not know, take no memory.
fn name(line: &str) -> http::Result<HeaderName> {
    static OURS: LazyLock<[(&str, HeaderName); 7]> = LazyLock::new(|| {
        [
            ("X-Forwarded-For", HeaderName::from_static("x-forwarded-for")),
            ("X-Forwarded-Server", HeaderName::from_static("x-forwarded-server")),
            ("X-Real-Ip", HeaderName::from_static("x-real-ip")),
            ("CDN-Loop", HeaderName::from_static("cdn-loop")),
            ("X-Forwarded-Host", HeaderName::from_static("x-forwarded-host")),
            ("X-Forwarded-Proto", HeaderName::from_static("x-forwarded-proto")),
            ("X-Forwarded-Port", HeaderName::from_static("x-forwarded-port")),
        ]
    });
    match OURS.iter().find(|(ours, _)| *ours == line) {
        Some((_, name)) => Ok(name.clone()),
        None => Ok(HeaderName::from_bytes(line.as_bytes())?),
    }
}

/// A target in characters that one may have: others, which HTTP/1 lets through, are encoded. None
/// where there are no others.
fn written(path: &str, query: &str) -> Option<String> {
    let is_odd = |byte: u8| matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{'..=b'}');
    let bytes = || path.bytes().chain(query.bytes());
    bytes().any(is_odd).then(|| {
        let spelled = bytes().map(|byte| match is_odd(byte) {
            true => format!("%{byte:02X}"),
            false => char::from(byte).to_string(),
        });
        spelled.collect()
    })
}

impl State {
    /// Whether it was sent and has not come to its end: without it, its stream is reset.
    fn is_under_way(&self) -> bool {
        let Stage::Asked(asked) = &self.stage else { return false };
        let has_come = matches!(&asked.reply, Reply::Came(inflow) if inflow.has_ended());
        !(has_come && asked.outflow.is_ended())
    }

    fn poll_read(&mut self, room: &mut [u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let asked = match &mut self.stage {
            Stage::New => return Poll::Pending,
            Stage::Broken(kind) => return Poll::Ready(Err((*kind).into())),
            Stage::Unspoken(reject) => return Poll::Ready(Err(unspoken(*reject))),
            Stage::Asked(asked) => asked,
        };
        if self.read == self.head.len()
            && let Reply::Awaited(response) = &mut asked.reply
        {
            self.head.clear();
            self.read = 0;
            if let Poll::Ready(Some(hint)) = response.poll_informational(cx) {
                let hint = hint.map_err(broken)?;
                spell(&hint, true, asked.is_head, &mut self.head)?;
            } else {
                let response = ready!(Pin::new(response).poll(cx)).map_err(broken)?;
                let is_end = response.body().is_end_stream();
                let framing = spell(&response, is_end, asked.is_head, &mut self.head)?;
                asked.reply = Reply::Came(Inflow::new(response.into_body(), framing));
            }
        }
        let head = &self.head[self.read..];
        let run = head.len().min(room.len());
        room[..run].copy_from_slice(&head[..run]);
        self.read += run;
        let Reply::Came(inflow) = &mut asked.reply else { return Poll::Ready(Ok(run)) };
        if self.read == self.head.len() {
            (self.head, self.read) = (Vec::new(), 0);
        }
        match inflow.poll_fill(&mut room[run..], cx) {
            Poll::Ready(Ok(count)) => Poll::Ready(Ok(run + count)),
            _ if run > 0 => Poll::Ready(Ok(run)),
            polled => polled,
        }
    }
}

/// Spells the head of a response.
fn spell<B>(
    response: &Response<B>,
    is_end: bool,
    is_head: bool,
    out: &mut Vec<u8>,
) -> io::Result<Framing> {
    let fields = response.headers();
    let lines = fields.iter().map(|(name, value)| (name.as_ref(), value.as_bytes()));
    let status = response.status().as_u16();
    response_to_h1(status, lines, is_end, is_head, out)
        .map_err(|bad| io::Error::other(bad.as_str()))
}

impl Wire for Errand {
    fn poll_read(
        &self,
        pool: &Rc<BufferPool>,
        slot: &mut Option<Buffer>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        pool.fill(slot, |room| self.state.borrow_mut().poll_read(room, cx))
    }

    fn poll_write(
        &self,
        slices: [&[u8]; 3],
        _: bool,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if slices.iter().all(|slice| slice.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        let mut state = self.state.borrow_mut();
        match &mut state.stage {
            Stage::New => {
                let sent = self.send_head(&mut state, slices);
                if let Err(error) = &sent {
                    let reject = error.get_ref().and_then(|it| it.downcast_ref::<Reject>());
                    state.stage = match reject {
                        Some(reject) => Stage::Unspoken(*reject),
                        None => Stage::Broken(error.kind()),
                    };
                }
                Poll::Ready(sent)
            }
            Stage::Asked(asked) => asked.outflow.poll_write(&mut asked.send, slices, cx),
            Stage::Broken(kind) => Poll::Ready(Err((*kind).into())),
            Stage::Unspoken(reject) => Poll::Ready(Err(unspoken(*reject))),
        }
    }

    /// Nobody waits for an endpoint without reading it.
    async fn ready(&self, _: Interest) -> io::Result<Ready> {
        pending().await
    }

    fn trailers(&self) -> Option<Trailers> {
        match &self.state.borrow().stage {
            Stage::Asked(asked) => match &asked.reply {
                Reply::Came(inflow) => inflow.trailers(),
                Reply::Awaited(_) => None,
            },
            Stage::New | Stage::Broken(_) | Stage::Unspoken(_) => None,
        }
    }

    fn carry(&self, trailers: Trailers) {
        let state = &mut *self.state.borrow_mut();
        match &mut state.stage {
            Stage::Asked(asked) => asked.outflow.carry(trailers),
            Stage::New => state.trailers = Some(trailers),
            Stage::Broken(_) | Stage::Unspoken(_) => {}
        }
    }

    fn close(&self) -> io::Result<()> {
        match &mut self.state.borrow_mut().stage {
            Stage::Asked(asked) => asked.outflow.close(&mut asked.send),
            Stage::New | Stage::Broken(_) | Stage::Unspoken(_) => Ok(()),
        }
    }

    fn reset(&self) {
        if let Stage::Asked(asked) = &mut self.state.borrow_mut().stage {
            asked.send.send_reset(Reason::CANCEL);
        }
    }
}
