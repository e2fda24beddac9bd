//! One stream of a client: a request and its answer, as HTTP/1 spells them.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::ext::Protocol;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use steelyard_http::{
    Asked, Framing, H2Request, Head, Reject, ResponseHead, Slots, Upgrades, Vouching, crosses,
    request_to_h1,
};

use crate::wire::copied::Copied;
use crate::wire::flow::{Inflow, Outflow, Trailers, broken};

/// One stream of a client.
pub(super) struct Strand {
    /// The request's head as HTTP/1 spells it, and how much of it was read.
    head: Vec<u8>,
    read: usize,
    inflow: Inflow,
    reply: Reply,
    /// What came to stand behind a response whose head has not gone on.
    trailers: Option<Trailers>,
    asked: Asked,
}

/// How far the response has come.
enum Reply {
    Head(SendResponse<Bytes>),
    Body(SendStream<Bytes>, Outflow),
}

impl Strand {
    /// The stream of a request; or why it is none, which is still to be said by it.
    pub(super) fn new(
        request: Request<RecvStream>,
        respond: SendResponse<Bytes>,
        vouching: &Vouching,
    ) -> (Self, Result<(), Reject>) {
        let (parts, body) = request.into_parts();
        let is_tunnel = parts.extensions.get::<Protocol>().is_some();
        let mut head = Vec::with_capacity(512);
        let spelled = spell(&parts, body.is_end_stream(), &mut head);
        let framing = spelled.unwrap_or(Framing::None);
        let upgrade = if is_tunnel { Upgrades::WEBSOCKET } else { Upgrades::NONE };
        let asked = Asked { head: parts.method == http::Method::HEAD, http10: false, upgrade };
        let mut inflow = Inflow::new(body, framing);
        inflow.keep_back(vouching.naming());
        let reply = Reply::Head(respond);
        (Self { head, read: 0, inflow, reply, trailers: None, asked }, spelled.map(drop))
    }

    /// Bytes of the request's head that were not read.
    pub(super) fn ahead(&self) -> usize {
        self.head.len()
    }

    /// It is not begun, and may be asked for again (RFC 9113 §8.7).
    pub(super) fn decline(self) {
        if let Reply::Head(mut respond) = self.reply {
            respond.send_reset(Reason::REFUSED_STREAM);
        }
    }
}

/// Spells the head of a request.
fn spell(parts: &Parts, is_end: bool, out: &mut Vec<u8>) -> Result<Framing, Reject> {
    let uri = &parts.uri;
    let protocol = parts.extensions.get::<Protocol>();
    let authority = uri.authority().map(http::uri::Authority::as_str);
    let request = H2Request {
        method: parts.method.as_str(),
        // Known to be there, but kept only beside an authority.
        scheme: uri.scheme_str().or_else(|| authority.is_none().then_some("http")),
        authority,
        path: uri.path_and_query().map(http::uri::PathAndQuery::as_str),
        protocol: protocol.map(Protocol::as_str),
        is_end,
    };
    let headers = &parts.headers;
    let lines = || headers.iter().map(|(name, value)| (name.as_ref(), value.as_bytes()));
    let key = if protocol.is_some() { key() } else { String::new() };
    request_to_h1(&request, lines, &key, out)
}

/// A `Sec-WebSocket-Key`, which the client does not send here: sixteen bytes that nobody guesses.
fn key() -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let half = || u128::from(RandomState::new().hash_one(0));
    let bits = half() << 64 | half();
    // Twenty-one digits of six bits, and one of two.
    let digit = |at: u32| {
        let six = if at < 21 { bits >> (122 - 6 * at) } else { bits << 4 };
        char::from(DIGITS[(six & 63) as usize])
    };
    (0..22).map(digit).chain(['=', '=']).collect()
}

impl Strand {
    /// Puts what has come of the request into `room`. 0 means that nothing more will.
    pub(super) fn poll_read(
        &mut self,
        room: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let head = &self.head[self.read..];
        let run = head.len().min(room.len());
        room[..run].copy_from_slice(&head[..run]);
        self.read += run;
        if self.read == self.head.len() {
            // Its body may take a minute.
            (self.head, self.read) = (Vec::new(), 0);
        }
        if self.is_over() {
            return Poll::Ready(Ok(run));
        }
        let rest = &mut room[run..];
        if !self.inflow.is_done() {
            match self.inflow.poll_fill(rest, cx) {
                Poll::Ready(Ok(count)) if run + count > 0 => return Poll::Ready(Ok(run + count)),
                Poll::Ready(Err(error)) if run == 0 => return Poll::Ready(Err(error)),
                _ => {}
            }
        }
        if run > 0 {
            return Poll::Ready(Ok(run));
        }
        // Half of a tunnel has ended.
        if self.inflow.is_done() && self.is_tunnel() {
            return Poll::Ready(Ok(0));
        }
        // A request has no half-closed client: who has asked waits for the answer, or leaves.
        ready!(self.poll_reset(cx))?;
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }

    /// Ready when the client gives it up.
    pub(super) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let reset = match &mut self.reply {
            Reply::Head(respond) => ready!(respond.poll_reset(cx)),
            Reply::Body(send, _) => ready!(send.poll_reset(cx)),
        };
        Poll::Ready(reset.map(drop).map_err(broken))
    }

    /// Whether all was answered.
    fn is_over(&self) -> bool {
        matches!(&self.reply, Reply::Body(_, outflow) if outflow.is_ended())
    }

    fn is_tunnel(&self) -> bool {
        !self.asked.upgrade.is_empty() && matches!(&self.reply, Reply::Body(..))
    }

    /// Gives some of an answer to the client.
    pub(super) fn poll_write(
        &mut self,
        slices: [&[u8]; 3],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match &mut self.reply {
            Reply::Head(_) => Poll::Ready(self.send_head(slices)),
            Reply::Body(send, outflow) => outflow.poll_write(send, slices, cx),
        }
    }

    /// What stood behind the request's body, once it has come.
    pub(super) fn trailers(&self) -> Option<Trailers> {
        self.inflow.trailers()
    }

    /// What is to stand behind the answer's body.
    pub(super) fn carry(&mut self, trailers: Trailers) {
        match &mut self.reply {
            Reply::Head(_) => self.trailers = Some(trailers),
            Reply::Body(_, outflow) => outflow.carry(trailers),
        }
    }

    /// Ends an answer that ends with its connection.
    pub(super) fn close(&mut self) -> io::Result<()> {
        match &mut self.reply {
            Reply::Body(send, outflow) => outflow.close(send),
            Reply::Head(_) => Ok(()),
        }
    }

    /// Nobody shall take what was said for all of it.
    pub(super) fn reset(&mut self) {
        match &mut self.reply {
            Reply::Head(respond) => respond.send_reset(Reason::INTERNAL_ERROR),
            Reply::Body(send, _) => send.send_reset(Reason::INTERNAL_ERROR),
        }
    }

    /// A head comes in one piece, first of all.
    fn send_head(&mut self, slices: [&[u8]; 3]) -> io::Result<usize> {
        let Reply::Head(respond) = &mut self.reply else { return Ok(0) };
        let Some(bytes) = slices.into_iter().find(|slice| !slice.is_empty()) else { return Ok(0) };
        let mut slots = Slots::default();
        let head = ResponseHead::parse(bytes, &mut slots, self.asked)
            .map_err(|bad| io::Error::other(bad.as_str()))?
            .ok_or_else(|| io::Error::other("a head in pieces"))?;
        let len = head.len;
        let mut response = Response::new(());
        *response.status_mut() = status(&head, self.asked);
        *response.headers_mut() = fields(&head, bytes)?;
        if head.is_interim() {
            respond.send_informational(response).map_err(broken)?;
            return Ok(len);
        }
        let framing = if head.is_switch() { Framing::UntilClose } else { head.framing };
        let outflow = Outflow::new(framing, self.trailers.take());
        let send = respond.send_response(response, outflow.is_ended()).map_err(broken)?;
        self.reply = Reply::Body(send, outflow);
        if framing == Framing::UntilClose {
            self.inflow.open();
        }
        Ok(len)
    }
}

/// The status as a client of HTTP/2 has it: who asks for WebSocket is answered 200 where it is
/// granted (RFC 8441 §5), and nowhere else.
fn status(head: &ResponseHead<'_, '_>, asked: Asked) -> StatusCode {
    let is_tunnel = !asked.upgrade.is_empty();
    let status = match head.status {
        101 => 200,
        200..300 if is_tunnel => 502,
        status => status,
    };
    StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY)
}

/// The fields of a response that cross. Their values are parts of one copy of its head.
fn fields(head: &ResponseHead<'_, '_>, bytes: &[u8]) -> io::Result<HeaderMap> {
    let copied = Copied::new(&bytes[..head.len]);
    let mut fields = HeaderMap::with_capacity(head.count());
    let mut outcome = Ok(());
    head.each(&mut |name, value| {
        if !crosses(name) || name.eq_ignore_ascii_case("sec-websocket-accept") {
            return;
        }
        let value = HeaderValue::from_maybe_shared(copied.part(value));
        match (HeaderName::from_bytes(name.as_bytes()), value) {
            (Ok(name), Ok(value)) => drop(fields.append(name, value)),
            _ => outcome = Err(io::Error::other("a field that HTTP/2 cannot have")),
        }
    });
    outcome.map(|()| fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_sixteen_bytes() {
        let keys = [key(), key()];
        assert_ne!(keys[0], keys[1]);
        for key in keys {
            assert_eq!((key.len(), &key[22..]), (24, "=="), "{key}");
            assert!("AQgw".contains(&key[21..22]), "{key}");
        }
    }
}
