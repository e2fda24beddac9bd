//! Drives the machine of an exchange over two sockets.
//!
//! One flat loop: what can be written is written, what is wanted is read, until neither moves; then
//! the machine says how long to wait at most. Nothing is decided here.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use steelyard_http::{Loan, Reject, Watch};
use tokio::io::Interest;

use crate::core::Core;
use crate::core::listener::Listener;
use crate::core::waiting::Waiting;
use crate::wire::Wire;
use crate::wire::buffers::{Buffer, BufferPool};
use crate::wire::timer::Timer;

/// A request and its response, over buffers of a core.
pub(crate) type Exchange<'r> = steelyard_http::Exchange<&'r [u8], Buffer>;

/// Who has bodies in hand on their way, and looks at responses.
pub(crate) trait Tap {
    /// More has come from the endpoint.
    fn endpoint_sent(&mut self, exchange: &mut Exchange<'_>) {
        exchange.endpoint_sent();
    }

    /// Takes what came, gives what goes on.
    fn go_on(&mut self, exchange: &mut Exchange<'_>);

    /// When there is something to do though nothing came.
    fn until(&self) -> Option<Instant>;

    /// Sees to a response that is held; whether it goes on.
    async fn look(&mut self, exchange: &mut Exchange<'_>, client: &impl Wire) -> bool;
}

/// Nobody.
impl Tap for () {
    fn go_on(&mut self, _: &mut Exchange<'_>) {}

    fn until(&self) -> Option<Instant> {
        None
    }

    async fn look(&mut self, exchange: &mut Exchange<'_>, _: &impl Wire) -> bool {
        let changes = exchange.take_changes();
        exchange.pass(changes, false);
        true
    }
}

/// Where an exchange takes place.
pub(crate) struct Place<'a> {
    pub(crate) core: &'a Rc<Core>,
    pub(crate) listener: &'a Rc<Listener>,
    pub(crate) timer: &'a mut Timer,
    pub(crate) waiting: &'a Waiting,
    pub(crate) heard: Heard,
}

/// When something of an answer came first, where that is told.
#[derive(Default)]
pub(crate) struct Heard {
    is_told: Cell<bool>,
    at: Cell<Option<Instant>>,
}

impl Heard {
    /// Another attempt begins; whether it is told of.
    pub(crate) fn begin(&self, is_told: bool) {
        self.is_told.set(is_told);
        self.at.set(None);
    }

    fn note(&self) {
        if self.is_told.get() && self.at.get().is_none() {
            self.at.set(Some(Instant::now()));
        }
    }

    /// When it came.
    pub(crate) fn at(&self) -> Option<Instant> {
        self.at.get()
    }
}

/// The sockets of an exchange.
struct Sockets<'s, C, E> {
    client: &'s C,
    endpoint: &'s E,
    /// What a socket said last, for the log.
    said: Option<io::Error>,
}

impl Loan for Buffer {
    fn consume(&mut self, count: usize) {
        Self::consume(self, count);
    }

    fn is_full(&self) -> bool {
        Self::is_full(self)
    }
}

impl Place<'_> {
    /// Goes on until the exchange is over, or a response is held. What a socket said on the way
    /// comes along.
    #[allow(clippy::manual_async_fn, reason = "a future has what an async fn takes twice")]
    pub(crate) fn drive(
        &mut self,
        exchange: &mut Exchange<'_>,
        client: &impl Wire,
        endpoint: &impl Wire,
        tap: &mut impl Tap,
    ) -> impl Future<Output = Option<io::Error>> {
        async move {
            let mut sockets = Sockets { client, endpoint, said: None };
            let mut watching = None;
            let mut watched = Watch::Bytes;
            std::future::poll_fn(|cx| {
                self.waiting.go_on();
                if self.core.is_cut(self.listener) {
                    exchange.cut_off();
                    return Poll::Ready(());
                }
                loop {
                    sockets.go_on(self, exchange, tap, cx);
                    if exchange.is_over() || exchange.is_held() {
                        return Poll::Ready(());
                    }
                    let watch = exchange.watch();
                    if watch != watched {
                        watched = watch;
                        watching = interest(watch).map(|interest| Box::pin(client.ready(interest)));
                    }
                    if let Some(readiness) = &mut watching
                        && let Poll::Ready(readiness) = readiness.as_mut().poll(cx)
                    {
                        watching = None;
                        // Closed and broken both ways is no half-closed connection.
                        let ended =
                            readiness.is_ok_and(|it| !it.is_error() && !it.is_write_closed());
                        if ended {
                            exchange.client_ended()
                        } else {
                            exchange.client_broke()
                        }
                        continue;
                    }
                    ready!(self.poll_late(exchange, tap.until(), cx));
                }
            })
            .await;
            sockets.said
        }
    }

    /// Nothing moves: ready when something took too long, or what was paused until `pause` may go
    /// on.
    fn poll_late(
        &mut self,
        exchange: &mut Exchange<'_>,
        pause: Option<Instant>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if !exchange.is_limited() && pause.is_none() {
            return Poll::Pending;
        }
        let deadline = exchange.wait(Instant::now());
        let until = deadline.into_iter().chain(pause).min();
        let Some(until) = until.filter(|_| !exchange.is_over()) else { return Poll::Ready(()) };
        if self.timer.poll_late(until, cx).is_pending() {
            let stalled = exchange.stalled();
            if !stalled.is_some_and(|at| self.waiting.wait_for_progress(cx, at)) {
                return Poll::Pending;
            }
            self.waiting.go_on();
            exchange.make_room();
        }
        Poll::Ready(())
    }
}

/// What to wait for where bytes are left alone. Priority alone never comes, but an end with it.
fn interest(watch: Watch) -> Option<Interest> {
    match watch {
        Watch::Bytes => None,
        Watch::End => Some(Interest::PRIORITY | Interest::ERROR),
        Watch::Break => Some(Interest::ERROR),
    }
}

impl<C: Wire, E: Wire> Sockets<'_, C, E> {
    /// Writes and reads until neither is possible.
    fn go_on(
        &mut self,
        place: &Place<'_>,
        exchange: &mut Exchange<'_>,
        tap: &mut impl Tap,
        cx: &mut Context<'_>,
    ) {
        loop {
            self.carry_trailers(exchange);
            tap.go_on(exchange);
            self.write_endpoint(exchange, cx);
            self.write_client(exchange, cx);
            let moved = self.read_endpoint(place, exchange, tap, cx)
                || self.read_client(place.core, exchange, cx);
            if !moved || exchange.is_over() {
                return;
            }
        }
    }

    /// What stands behind a body goes on with its end. What somebody has in hand goes on as he
    /// leaves it, among the bytes.
    fn carry_trailers(&self, exchange: &Exchange<'_>) {
        let (request, response) = exchange.trailers_in_hand();
        if !request {
            self.client.trailers().into_iter().for_each(|it| self.endpoint.carry(it));
        }
        if !response {
            self.endpoint.trailers().into_iter().for_each(|it| self.client.carry(it));
        }
    }

    fn write_endpoint(&mut self, exchange: &mut Exchange<'_>, cx: &mut Context<'_>) {
        while let Some(written) = written(self.endpoint, exchange.to_endpoint(), false, cx) {
            match written {
                Ok(count) => exchange.wrote_to_endpoint(count),
                Err(error) => {
                    self.said = Some(error);
                    exchange.endpoint_refuses();
                }
            }
        }
    }

    fn write_client(&mut self, exchange: &mut Exchange<'_>, cx: &mut Context<'_>) {
        let last = exchange.is_last();
        while let Some(written) = written(self.client, exchange.to_client(), last, cx) {
            match written {
                Ok(count) => exchange.wrote_to_client(count),
                Err(error) => {
                    self.said = Some(error);
                    exchange.client_broke();
                }
            }
        }
    }

    /// Whether anything came.
    fn read_endpoint(
        &mut self,
        place: &Place<'_>,
        exchange: &mut Exchange<'_>,
        tap: &mut impl Tap,
        cx: &mut Context<'_>,
    ) -> bool {
        if !exchange.reads_endpoint() {
            return false;
        }
        let pool = pool(place.core, exchange.endpoint_sends_body());
        match self.endpoint.poll_read(pool, exchange.endpoint_slot(), cx) {
            Poll::Pending => return false,
            Poll::Ready(Ok(0)) => exchange.endpoint_ended(),
            Poll::Ready(Ok(_)) => {
                place.heard.note();
                if place.core.is_closing(place.listener) {
                    exchange.close_client();
                }
                tap.endpoint_sent(exchange);
            }
            Poll::Ready(Err(error)) => {
                let unspoken = error.get_ref().and_then(|it| it.downcast_ref::<Reject>());
                match (unspoken, error.kind()) {
                    (Some(reject), _) => exchange.reject(*reject),
                    (None, io::ErrorKind::ConnectionRefused) => exchange.endpoint_declined(),
                    (None, _) => exchange.endpoint_broke(),
                }
                self.said = Some(error);
            }
        }
        true
    }

    /// Whether anything came.
    fn read_client(
        &mut self,
        core: &Core,
        exchange: &mut Exchange<'_>,
        cx: &mut Context<'_>,
    ) -> bool {
        if exchange.is_over() || exchange.watch() != Watch::Bytes {
            return false;
        }
        let pool = pool(core, exchange.client_sends_body());
        match self.client.poll_read(pool, exchange.client_slot(), cx) {
            Poll::Pending => return false,
            Poll::Ready(Ok(0)) => exchange.client_ended(),
            Poll::Ready(Ok(_)) => exchange.client_sent(),
            Poll::Ready(Err(error)) => {
                self.said = Some(error);
                exchange.client_broke();
            }
        }
        true
    }
}

fn pool(core: &Core, is_body: bool) -> &Rc<BufferPool> {
    if is_body { &core.bulk } else { &core.heads }
}

/// What writing some of `slices` comes to; `None` when there are none or there is no room.
fn written(
    to: &impl Wire,
    slices: [&[u8]; 3],
    last: bool,
    cx: &mut Context<'_>,
) -> Option<io::Result<usize>> {
    // Who has nothing to say cannot fail at it, and so for ever.
    if slices.iter().all(|slice| slice.is_empty()) {
        return None;
    }
    match to.poll_write(slices, last, cx) {
        Poll::Pending | Poll::Ready(Ok(0)) => None,
        Poll::Ready(written) => Some(written),
    }
}
