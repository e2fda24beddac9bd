//! After 101: bytes both ways, until both sides are done.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::core::Core;
use crate::core::listener::Listener;
use crate::wire::Wire;
use crate::wire::buffers::Buffer;
use crate::wire::timer::Timer;

/// Carries bytes between `client` and `upstream`; `ahead` is what the client had sent already, and
/// `idle` how long both may say nothing.
/// Returns how many bytes went to the client, and whether it had all the time it gets.
pub(crate) async fn tunnel(
    (core, listener): (&Core, &Listener),
    client: &impl Wire,
    upstream: impl Wire,
    ahead: Option<Buffer>,
    idle: Option<Duration>,
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
    let mut silence = idle.map(Silence::new);
    let is_cut = poll_fn(|cx| match both.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(false),
        Poll::Pending if core.is_cut(listener) => Poll::Ready(true),
        Poll::Pending => match &mut silence {
            Some(silence) => silence.poll((up.get(), down.get()), cx).map(|()| true),
            None => Poll::Pending,
        },
    });
    let is_cut = is_cut.await;
    (down.get(), is_cut)
}

/// How long nothing was said.
struct Silence {
    limit: Duration,
    timer: Timer,
    heard: Instant,
    /// Bytes both ways by then.
    carried: (u64, u64),
}

impl Silence {
    fn new(limit: Duration) -> Self {
        let heard = Instant::now();
        // Longer than anybody lives is for ever.
        let limit = limit.min(Duration::from_hours(24 * 365 * 30));
        Self { limit, timer: Timer::new(heard + limit), heard, carried: (0, 0) }
    }

    /// Ready when it was too long.
    fn poll(&mut self, carried: (u64, u64), cx: &mut Context<'_>) -> Poll<()> {
        if self.carried != carried {
            (self.heard, self.carried) = (Instant::now(), carried);
        }
        self.timer.poll_late(self.heard + self.limit, cx)
    }
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
