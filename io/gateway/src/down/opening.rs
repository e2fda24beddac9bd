//! What comes before a client's first request, where its listener asks for that: a header of the
//! PROXY protocol.
//!
//! What was read is `held` by the arrival, and whoever goes on with it begins there: no byte is
//! lost, and none is read twice.
//!
//! Invariants: an opening has a bounded time and size, and each core a bounded number of them at a
//! time; why one came to nothing is counted.

use std::future::poll_fn;
use std::task::Poll;

use steelyard_http::release;
use steelyard_model::routing::entry_point::Trust;
use steelyard_preface::{ProxyFault, ProxyHeader};

use crate::core::arrival::Arrival;
use crate::core::openings::Doorway;
use crate::tell::turned_away::TurnedAway;
use crate::wire::Wire;

/// A connection of which something comes before its first request.
struct Opening<'a> {
    arrival: &'a mut Arrival,
    doorway: Doorway,
}

/// What came next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    More,
    /// The client has closed its side.
    End,
}

/// Whether something comes before the first request.
pub(super) fn is_needed(arrival: &Arrival) -> bool {
    *arrival.listener.proxied != Trust::Nobody
}

/// Reads what comes first, and has the connection served.
pub(super) async fn open(mut arrival: Arrival) {
    let doorway = Doorway::enter(&arrival.core);
    let opened = Opening { arrival: &mut arrival, doorway }.run().await;
    arrival.waiting.go_on();
    match opened {
        Ok(()) => super::serve_http(arrival),
        // Nobody began anything: who speaks now learns that in order.
        Err(TurnedAway::Dismissed) if is_untouched(&arrival) => super::serve_http(arrival),
        Err(why) => turn_away(&arrival, why),
    }
}

/// Whether nothing came of it, and nobody needs its place.
fn is_untouched(arrival: &Arrival) -> bool {
    arrival.held.is_none() && !arrival.waiting.is_pressed()
}

fn turn_away(arrival: &Arrival, why: TurnedAway) {
    let Arrival { core, listener, peer, .. } = arrival;
    if let Some(cause) = why.cause() {
        core.counters.count_turned_away(&listener.entry_point, cause);
    }
    tracing::debug!(?why, %peer, entry_point = %listener.entry_point, "a connection ends early");
}

impl Opening<'_> {
    async fn run(&mut self) -> Result<(), TurnedAway> {
        self.read_proxy_header().await
    }

    /// Reads a PROXY header, if there is one, and believes it, if that is so settled: whoever is
    /// not believed has its header taken away all the same, as with Traefik. Where there is none
    /// the connection goes on as it is.
    async fn read_proxy_header(&mut self) -> Result<(), TurnedAway> {
        let is_believed = self.arrival.listener.proxied.covers(self.arrival.peer.ip());
        loop {
            let came = self.arrival.held.as_deref().unwrap_or_default();
            match ProxyHeader::read(came) {
                Ok(Some((header, length))) => {
                    release(&mut self.arrival.held, length);
                    if let Some((source, _)) = header.addresses.filter(|_| is_believed) {
                        self.arrival.peer = source;
                    }
                    return Ok(());
                }
                Err(ProxyFault::Missing) => return Ok(()),
                Err(fault) => return Err(fault.into()),
                Ok(None) => {}
            }
            if self.more().await? == Came::End {
                return Err(TurnedAway::ClientGone);
            }
        }
    }

    /// Reads on.
    async fn more(&mut self) -> Result<Came, TurnedAway> {
        let Arrival { core, listener, stream, held, waiting, .. } = &mut *self.arrival;
        if held.as_ref().is_some_and(|held| held.is_full()) {
            return Err(TurnedAway::TooLong);
        }
        let since = self.doorway.since;
        let limit = core.options().timeouts.head.saturating_sub(since.elapsed());
        let reading = poll_fn(|cx| match stream.poll_read(&core.heads, held, cx) {
            Poll::Pending if waiting.wait_for_opening(cx, since, core.is_closing(listener)) => {
                Poll::Ready(Err(TurnedAway::Dismissed))
            }
            polled => polled.map_err(|_| TurnedAway::ClientGone),
        });
        let read = tokio::time::timeout(limit, reading).await.map_err(|_| TurnedAway::Late)?;
        Ok(if read? == 0 { Came::End } else { Came::More })
    }
}
