//! After 101: bytes both ways, until both sides are done.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::core::Core;
use crate::core::listener::Listener;
use crate::wire::Wire;
use crate::wire::buffers::Buffer;

/// Carries bytes between `client` and `upstream`; `ahead` is what the client had sent already.
/// Returns how many bytes went to the client, and whether it had all the time it gets.
pub(crate) async fn tunnel(
    (core, listener): (&Core, &Listener),
    client: &impl Wire,
    upstream: impl Wire,
    ahead: Option<Buffer>,
) -> (u64, bool) {
    let stall = core.options().timeouts.write;
    let (up, down) = (Cell::new(0), Cell::new(0));
    let forth = async {
        if let Some(ahead) = ahead {
            upstream.write_all(&ahead, stall).await.map_err(|(error, _)| error)?;
        }
        pump(core, client, &upstream, &up, stall).await
    };
    let back = pump(core, &upstream, client, &down, stall);
    // An error on either side ends both; a proper end lets the other side finish.
    let mut both = pin!(async { drop(tokio::try_join!(forth, back)) });
    let is_cut = poll_fn(|cx| match both.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(false),
        Poll::Pending if core.is_cut(listener) => Poll::Ready(true),
        Poll::Pending => Poll::Pending,
    });
    let is_cut = is_cut.await;
    (down.get(), is_cut)
}

async fn pump(
    core: &Core,
    from: &impl Wire,
    to: &impl Wire,
    count: &Cell<u64>,
    stall: Duration,
) -> io::Result<()> {
    let mut slot = None;
    while from.read(&core.bulk, &mut slot).await? > 0 {
        let Some(buffer) = &mut slot else { continue };
        to.write_all(buffer, stall).await.map_err(|(error, _)| error)?;
        count.set(count.get() + buffer.filled as u64);
        buffer.filled = 0;
    }
    to.close()
}
