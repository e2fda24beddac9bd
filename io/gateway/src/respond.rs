//! The way back: a response from upstream to the client.

use std::cell::Cell;
use std::io;
use std::time::{Duration, Instant};

use steelyard_http::{Asked, BadResponse, Body, Framing, Persistence, ResponseHead, Slots};
use tokio::net::tcp::{ReadHalf, WriteHalf};

use crate::buffers::Buffer;
use crate::core::{Core, Listener};
use crate::fault::Failed;
use crate::stream::{read, within, write_all, write_both, write_last};

/// Heads with at most this much body behind them are put together and sent in one piece;
/// more goes out as two slices.
const COPY_LIMIT: usize = 8 * 1024;

/// What a response is handled by.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) core: &'a Core,
    pub(crate) asked: Asked,
    pub(crate) listener: &'a Listener,
    /// Whether the client wants its connection to stay open.
    pub(crate) keep_alive: bool,
    /// Nothing is lost if the request is sent again, as long as nothing has been received.
    pub(crate) replayable: bool,
    pub(crate) progress: &'a Progress,
}

/// How far a response has come: also known when it is cut off.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Of the final response, 0 before.
    pub(crate) status: Cell<u16>,
    /// Bytes of the body for the client.
    pub(crate) bytes_out: Cell<u64>,
    /// Something was sent to the client: no other answer can be given.
    pub(crate) answered: Cell<bool>,
}

/// A response that was passed on completely.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Responded {
    /// Upstream's connection may be used again.
    pub(crate) reuse: bool,
    /// The client was told, or knows, that its connection closes.
    pub(crate) closes: bool,
    /// The connection is a tunnel from now on.
    pub(crate) switched: bool,
}

/// What is kept of a response head once its bytes are on their way.
struct Facts {
    len: usize,
    status: u16,
    interim: bool,
    switched: bool,
    reuse: bool,
    persistence: Persistence,
    verbatim: bool,
    body: Body,
}

/// Passes the response on. Interim responses go on as they come.
pub(crate) async fn respond(
    terms: Terms<'_>,
    from: &mut ReadHalf<'_>,
    to: &mut WriteHalf<'_>,
) -> Result<Responded, Failed> {
    let mut slot: Option<Buffer> = None;
    let mut head = terms.core.scratch.take();
    loop {
        let facts = match slot.as_ref().map(|buffer| terms.read_head(buffer, &mut head)) {
            Some(Ok(Some(facts))) => facts,
            Some(Err(bad)) => return Err(bad.into()),
            None | Some(Ok(None)) => {
                terms.receive(from, &mut slot).await?;
                continue;
            }
        };
        let buffer = slot.as_mut().expect("a head was read from it");
        if facts.interim {
            terms.pass_interim(&facts, buffer, &head, to).await?;
            crate::request::release(&mut slot, facts.len);
            continue;
        }
        terms.progress.status.set(facts.status);
        let responded = terms.pass(facts, &mut head, slot, from, to).await?;
        head.clear();
        terms.core.scratch.set(head);
        return Ok(responded);
    }
}

impl Terms<'_> {
    /// Reads more of a head.
    async fn receive(
        &self,
        from: &mut ReadHalf<'_>,
        slot: &mut Option<Buffer>,
    ) -> Result<(), Failed> {
        let is_first = slot.is_none();
        let reading = read(from, &self.core.heads, slot);
        let outcome = match self.core.options().timeouts.response_head {
            Some(limit) => within(limit, reading).await,
            None => reading.await,
        };
        match outcome {
            Ok(0) => {
                let error = io::ErrorKind::UnexpectedEof.into();
                Err(Failed::upstream(error, is_first && self.replayable))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(Failed::upstream(error, is_first && self.replayable)),
        }
    }

    /// Parses the head; what of it cannot go as it is gets rewritten into `out`.
    fn read_head(&self, buffer: &Buffer, out: &mut Vec<u8>) -> Result<Option<Facts>, BadResponse> {
        let mut slots = Slots::default();
        let Some(head) = ResponseHead::parse(buffer, &mut slots, self.asked)? else {
            let is_full = buffer.is_full();
            return if is_full { Err(BadResponse::HeadTooLarge) } else { Ok(None) };
        };
        let persistence = self.persistence(&head);
        let verbatim = head.is_verbatim(persistence);
        out.clear();
        if !verbatim {
            head.forward(persistence, out);
        }
        let body = if self.asked.http10 { Body::without_chunks } else { Body::new }(head.framing);
        Ok(Some(Facts {
            len: head.len,
            status: head.status,
            interim: head.is_interim(),
            switched: head.is_switch(),
            reuse: head.keep_alive && !head.is_switch(),
            persistence,
            verbatim,
            body,
        }))
    }

    fn persistence(&self, head: &ResponseHead<'_, '_>) -> Persistence {
        let has_end = head.framing != Framing::UntilClose
            && !(self.asked.http10 && head.framing == Framing::Chunked);
        let keep_alive = self.keep_alive && !self.listener.is_closing(self.core);
        match (head.status < 200, keep_alive && has_end) {
            (true, _) => Persistence::Implied,
            (_, false) => Persistence::Close,
            (_, true) if self.asked.http10 => Persistence::KeepAlive,
            (_, true) => Persistence::Implied,
        }
    }

    /// 100, 102, 103: passed on, but not to HTTP/1.0 clients, which know none.
    async fn pass_interim(
        &self,
        facts: &Facts,
        buffer: &Buffer,
        rewritten: &[u8],
        to: &mut WriteHalf<'_>,
    ) -> Result<(), Failed> {
        if self.asked.http10 {
            return Ok(());
        }
        let bytes = if facts.verbatim { &buffer[..facts.len] } else { rewritten };
        self.progress.answered.set(true);
        self.send(to, bytes).await
    }

    async fn pass(
        &self,
        mut facts: Facts,
        head: &mut Vec<u8>,
        mut slot: Option<Buffer>,
        from: &mut ReadHalf<'_>,
        to: &mut WriteHalf<'_>,
    ) -> Result<Responded, Failed> {
        let buffer = slot.as_mut().expect("a head was read from it");
        if facts.switched {
            // What follows the head is the tunnel's.
            facts.body = Body::new(Framing::UntilClose);
        }
        let rest = &mut buffer[facts.len..];
        let arrived = rest.len();
        let fed = facts.body.feed(rest).map_err(|_| BadResponse::Chunk)?;
        let excess = fed.consumed < arrived;
        self.progress.answered.set(true);
        self.progress.bytes_out.set(fed.forward as u64);
        let (start, end) = (facts.len, facts.len + fed.forward);
        let is_last = facts.persistence == Persistence::Close
            && facts.body.is_done()
            && fed.forward + fed.closing.len() <= COPY_LIMIT;
        if is_last {
            head.extend_from_slice(&buffer[start..end]);
            head.extend_from_slice(fed.closing);
            write_last(to, head, self.stall()).await.map_err(client_gone)?;
        } else if facts.verbatim && fed.closing.is_empty() {
            self.send(to, &buffer[..end]).await?;
        } else {
            if facts.verbatim {
                head.extend_from_slice(&buffer[..start]);
            }
            self.send_rewritten(to, head, &buffer[start..end], fed.closing).await?;
        }
        drop(slot);
        if !facts.switched && !facts.body.is_done() {
            self.relay(&mut facts.body, from, to).await?;
        }
        Ok(Responded {
            reuse: facts.reuse && !excess,
            closes: facts.persistence == Persistence::Close,
            switched: facts.switched,
        })
    }

    async fn send_rewritten(
        &self,
        to: &mut WriteHalf<'_>,
        head: &mut Vec<u8>,
        body: &[u8],
        closing: &[u8],
    ) -> Result<(), Failed> {
        if body.len() + closing.len() <= COPY_LIMIT {
            head.extend_from_slice(body);
            head.extend_from_slice(closing);
            return self.send(to, head).await;
        }
        let stall = self.stall();
        write_both(to, head, body, stall).await.map_err(client_gone)?;
        self.send(to, closing).await
    }

    /// The rest of the body, with a large buffer.
    async fn relay(
        &self,
        body: &mut Body,
        from: &mut ReadHalf<'_>,
        to: &mut WriteHalf<'_>,
    ) -> Result<(), Failed> {
        let mut slot = None;
        while !body.is_done() {
            let count = read(from, &self.core.bulk, &mut slot)
                .await
                .map_err(|error| Failed::upstream(error, false))?;
            if count == 0 {
                return if body.ends_with_connection() {
                    Ok(())
                } else {
                    Err(Failed::upstream(io::ErrorKind::UnexpectedEof.into(), false))
                };
            }
            let Some(buffer) = &mut slot else { continue };
            let fed = body.feed(buffer).map_err(|_| BadResponse::Chunk)?;
            self.send(to, &buffer[..fed.forward]).await?;
            self.send(to, fed.closing).await?;
            let bytes_out = &self.progress.bytes_out;
            bytes_out.set(bytes_out.get() + fed.forward as u64);
            buffer.filled = 0;
        }
        Ok(())
    }

    async fn send(&self, to: &mut WriteHalf<'_>, bytes: &[u8]) -> Result<(), Failed> {
        write_all(to, bytes, self.stall()).await.map_err(client_gone)
    }

    fn stall(&self) -> Duration {
        self.core.options().timeouts.write
    }
}

fn client_gone((error, _): (io::Error, usize)) -> Failed {
    Failed::client(error)
}

/// Time since the request came in.
pub(crate) fn since(started: Instant) -> Duration {
    Instant::now().saturating_duration_since(started)
}
