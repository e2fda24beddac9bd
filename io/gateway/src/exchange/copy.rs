//! A copy of a request: sent as any other, by a client that listens to nothing.

mod filtered;

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use steelyard_filters::{Journey, Recipe};
use steelyard_http::{Asked, Body, Framing, Terms, Upgrades};
use tokio::io::{Interest, Ready};
use tokio::task::spawn_local;

use crate::core::Core;
use crate::core::listener::Listener;
use crate::core::live::{Chosen, Leaf, Picked, RequestTimes, RouteState};
use crate::core::stock::Stocked;
use crate::core::waiting::Waiting;
use crate::exchange::dispatch::{Dispatch, Done, Trace};
use crate::exchange::drive::{Exchange, Heard, Place};
use crate::tell::fault::Fault;
use crate::wire::Wire;
use crate::wire::buffers::{Buffer, BufferPool};
use crate::wire::timer::Timer;

/// A request that is sent once more.
pub(super) struct CopiedRequest {
    pub(super) route: Rc<RouteState>,
    /// Who gets it.
    pub(super) leaf: Leaf,
    /// What it passes on its way, from outside in.
    pub(super) recipes: Vec<Recipe>,
    pub(super) journey: Journey,
    /// All of it.
    pub(super) bytes: Vec<u8>,
    pub(super) listener: Rc<Listener>,
}

/// What becomes of a copy, as it is counted: it was answered, it was not, there was no place for
/// it, it was too large, or a filter on its way kept it back.
pub(super) const ANSWERED: &str = "answered";
pub(super) const FAILED: &str = "failed";
pub(super) const UNSENT: &str = "unsent";

/// What is said to an endpoint of its connection.
const CLOSE: &[u8] = b"Connection: close\r\n";

/// How long a copy may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who sent it: takes everything, and says nothing more.
struct Nobody;

/// Sends a copy beside all else.
pub(super) fn send(core: Rc<Core>, request: CopiedRequest, stocked: Stocked) {
    spawn_local(async move {
        let sent = tokio::time::timeout(PATIENCE, sent(&core, request)).await;
        core.counters.count_copy(match sent {
            Ok(Some(Ok(status))) if status < 500 => ANSWERED,
            Ok(None) => UNSENT,
            _ => FAILED,
        });
        drop(stocked);
    });
}

/// What it was answered; nothing where it was not sent.
async fn sent(core: &Rc<Core>, request: CopiedRequest) -> Option<Result<u16, Fault>> {
    let CopiedRequest { route, leaf, recipes, journey, bytes, listener } = request;
    let to = (Chosen { route, picked: Picked::Leaf(leaf) }, &listener);
    match recipes.is_empty() {
        true => Some(carried(core, to, &bytes).await),
        false => filtered::sent(core, to, (recipes, journey), &bytes).await,
    }
}

/// What it is answered by an endpoint.
async fn carried(
    core: &Rc<Core>,
    (chosen, listener): (Chosen, &Rc<Listener>),
    bytes: &[u8],
) -> Result<u16, Fault> {
    let asked = Asked { head: bytes.starts_with(b"HEAD "), http10: false, upgrade: Upgrades::NONE };
    let terms =
        Terms { asked, keep_alive: true, idempotent: false, expects: false, has_body: false };
    let limits = core.limits.clone();
    let started = Instant::now();
    let (mut timer, waiting) = (Timer::new(started + PATIENCE), Rc::<Waiting>::default());
    let place =
        Place { core, listener, timer: &mut timer, waiting: &waiting, heard: Heard::default() };
    let body = Body::new(Framing::None);
    let mut dispatch = Dispatch {
        place,
        client: &Nobody,
        exchange: Exchange::new(terms, limits, bytes, body, None, Vec::new()),
        started,
        times: RequestTimes::default(),
        attempt_due: None,
        trace: Trace::default(),
        tap: (),
        said: None,
        aside: None,
    };
    match dispatch.run(&chosen).await {
        Done::Passed(_) => Ok(dispatch.exchange.status()),
        Done::Answer(fault, _) | Done::Cut(fault, _) => Err(fault),
        Done::Withheld | Done::Tunnelled(_) | Done::TunnelCut(_) => Err(Fault::GivenUp),
    }
}

/// A request with these lines and this body, or without one. Who waits for a 100 does not any
/// more.
pub(super) fn bytes(head: &[u8], body: Option<[&[u8]; 2]>) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.len() + body.map_or(0, |it| it[0].len() + it[1].len()));
    let of_body: [&[u8]; 2] = [b"content-length", b"transfer-encoding"];
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        let frames = of_body.iter().any(|it| name.eq_ignore_ascii_case(it));
        // It is another connection, and about that nothing was said.
        let is_of_hop = name.eq_ignore_ascii_case(b"expect") || line == CLOSE;
        if !(is_of_hop || (frames && body.is_none())) {
            out.extend_from_slice(line);
        }
    }
    body.iter().flatten().for_each(|piece| out.extend_from_slice(piece));
    out
}

impl Wire for Nobody {
    fn poll_read(
        &self,
        _: &Rc<BufferPool>,
        _: &mut Option<Buffer>,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_write(
        &self,
        slices: [&[u8]; 3],
        _: bool,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    async fn ready(&self, _: Interest) -> io::Result<Ready> {
        std::future::pending().await
    }

    fn close(&self) -> io::Result<()> {
        Ok(())
    }

    fn reset(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_says_what_the_request_did() {
        let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\
                     X: content-length\r\nConnection: close\r\n\r\n";
        let with = bytes(head, Some([b"ab", b"cd"]));
        let lines = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nX: content-length\r\n\r\n";
        assert_eq!(String::from_utf8(with).unwrap(), format!("{lines}abcd"));
        let without = bytes(head, None);
        let lines = "POST / HTTP/1.1\r\nHost: a\r\nX: content-length\r\n\r\n";
        assert_eq!(String::from_utf8(without).unwrap(), lines);
    }
}
