//! HTTP/2 as clients speak it (RFC 9113): many requests at a time on one connection, each of which
//! is an exchange like any other, over a lane that speaks as a connection of HTTP/1.
//!
//! Invariants: no request waits for another one's client; what a client does to the connection
//! itself ends it, by its name; who is told that the connection ends loses none of its requests.

mod lane;
mod strand;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream};
use steelyard_host::places::TakenPlace;
use steelyard_http::{Flood, Reject};
use tokio::task::spawn_local;

use super::age::Age;
use super::h1::{Client, Connection};
use crate::core::arrival::{Arrival, Slot};
use crate::core::waiting::Waiting;
use crate::options::EntryTerms;
use crate::wire::Wire;
use crate::wire::link::{Conduct, Link};
use crate::wire::stream::Stream;
use crate::wire::timer::{Timer, within};
use lane::{FreeLanes, Lane};
use strand::Strand;

/// A client's connection.
struct Session {
    client: Client,
    connection: h2::server::Connection<Link, Bytes>,
    stream: Rc<Stream>,
    waiting: Rc<Waiting>,
    strands: Rc<Strands>,
    conduct: Rc<Conduct>,
    timer: Timer,
    /// Since when there is no request.
    idle_since: Instant,
    /// When it is to be looked at who stalls, and whether the gateway drains.
    look_at: Instant,
    /// The client was told that it ends, and has so long to say goodbye.
    ending: Option<Instant>,
    /// When it was told.
    told: Option<Instant>,
    age: Age,
    _slot: Slot,
}

/// The requests that are being served.
#[derive(Default)]
struct Strands {
    open: RefCell<Vec<Rc<Waiting>>>,
    /// Bytes of their heads.
    heads: Cell<usize>,
    /// Lanes that carried others.
    free: FreeLanes,
    /// Who drives the connection.
    waker: RefCell<Option<Waker>>,
}

/// A request's place among them, given up however it ends.
struct Open {
    strands: Rc<Strands>,
    waiting: Rc<Waiting>,
    /// Bytes of its head.
    head: usize,
    _place: Place,
}

/// As a connection has: an endpoint is asked for each. The first has that of its connection.
type Place = Option<TakenPlace>;

/// What is to be done next.
enum Event {
    /// The connection has ended.
    Over,
    Flood(Flood),
    /// What it sent is no message (RFC 9113 §8.1.1).
    Malformed,
    /// No further requests are wanted.
    Retire,
    /// Others need its place.
    Pressed,
    /// Nothing was asked for too long.
    Late,
    /// A second has passed.
    Look,
}

/// Requests at a time: each may hold an endpoint's connection and a buffer.
const MOST_STREAMS: u32 = 128;

/// Bytes that the heads of all of them may have: a few on the wire can stand for very many.
const MOST_HEADS: usize = 1024 * 1024;

/// Bytes of a request's body that may come before somebody takes them, of one request and of all.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Bytes of a response that may wait for the socket.
const SEND_BUFFER: usize = 64 * 1024;

/// Fields may take so much in a head. Of one that is larger than any head may be, but not than
/// this, the log says what it was.
const FIELDS: u32 = 128 * 1024;

/// How long a client that was told to leave has for its last frames.
const GOODBYE: Duration = Duration::from_secs(1);

/// Requests that come this long after a client was told to leave were not on their way: it has not
/// listened, or has not said that it did.
const LAST_CALL: Duration = Duration::from_secs(2);

/// How often it is looked at who stalls, whether the gateway drains, and which lanes nobody needs.
const LOOK: Duration = Duration::from_secs(1);

/// Serves a client until its connection ends.
pub(crate) async fn serve(arrival: Arrival) {
    if let Some(session) = Session::begin(arrival).await {
        session.serve().await;
    }
}

/// A connection as its entry point wants it.
fn builder(terms: &EntryTerms) -> Builder {
    let mut builder = Builder::new();
    if let Some(size) = terms.table {
        builder.header_table_size(size);
    }
    builder
        .max_concurrent_streams(terms.streams.unwrap_or(MOST_STREAMS).min(MOST_STREAMS))
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_header_list_size(FIELDS)
        // Those are counted here.
        .max_pending_accept_reset_streams(MOST_STREAMS as usize * 8)
        .enable_connect_protocol();
    builder
}

impl Session {
    async fn begin(arrival: Arrival) -> Option<Self> {
        let Arrival { core, listener, stream, peer, reached, held, tls, waiting, slot } = arrival;
        let (stream, conduct) = (Rc::new(stream), Rc::<Conduct>::default());
        let link =
            Link::from_client(stream.clone(), held, Rc::clone(&conduct), listener.terms.table);
        let limit = listener.head;
        let handshake = builder(&listener.terms).handshake(link);
        let began = Instant::now();
        let shaken = within(limit, async { Ok(handshake.await) });
        let connection = waiting.unless_pressed(shaken).await?.ok()?.ok()?;
        let timer = Timer::new(began + LOOK);
        let client = Client::new(core, listener, (peer, reached), tls);
        Some(Self {
            client,
            connection,
            stream,
            waiting,
            strands: Rc::default(),
            conduct,
            timer,
            idle_since: began,
            look_at: began + LOOK,
            ending: None,
            told: None,
            age: Age::new(began),
            _slot: slot,
        })
    }

    async fn serve(mut self) {
        self.waiting.attend().await;
        loop {
            match std::future::poll_fn(|cx| self.poll_next(cx)).await {
                Event::Over => return self.goodbye().await,
                Event::Flood(flood) => {
                    self.count(flood);
                    return self.end(Reason::ENHANCE_YOUR_CALM).await;
                }
                Event::Malformed => return self.end(Reason::PROTOCOL_ERROR).await,
                Event::Retire => self.retire(),
                Event::Pressed => return self.give_way(),
                Event::Late if self.ending.is_some() => return self.end(Reason::NO_ERROR).await,
                Event::Late => self.retire(),
                Event::Look => {
                    self.strands.free.trim();
                    if !self.strands.is_empty() && self.is_closing() {
                        self.retire();
                    }
                }
            }
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        while let Poll::Ready(accepted) = self.connection.poll_accept(cx) {
            match accepted {
                Some(Ok((request, respond))) => self.begin_request(request, respond),
                // What is told apart by its frames alone was noticed before.
                Some(Err(error))
                    if error.is_library() && error.reason() == Some(Reason::ENHANCE_YOUR_CALM) =>
                {
                    let seen = self.conduct.flood.get().unwrap_or(Flood::SmallData);
                    self.count(seen);
                    return Poll::Ready(Event::Over);
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, "a connection of HTTP/2 ends");
                    return Poll::Ready(Event::Over);
                }
                None => return Poll::Ready(Event::Over),
            }
        }
        if let Some(flood) = self.conduct.flood.get() {
            return Poll::Ready(Event::Flood(flood));
        }
        if self.conduct.is_malformed.get() {
            return Poll::Ready(Event::Malformed);
        }
        self.strands.listen(cx);
        if self.client.core.is_cut(&self.client.listener) {
            if self.strands.is_empty() {
                return Poll::Ready(Event::Pressed);
            }
            self.strands.wake();
        }
        if self.strands.is_empty() { self.poll_idle(cx) } else { self.poll_busy(cx) }
    }

    /// Nobody asks for anything.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let is_closing = self.is_closing();
        if self.waiting.wait(cx, self.idle_since, is_closing) {
            if self.waiting.is_pressed() {
                return Poll::Ready(Event::Pressed);
            }
            if self.ending.is_none() {
                return Poll::Ready(Event::Retire);
            }
        }
        if !self.strands.free.is_empty() {
            let look = self.poll_look(cx);
            if look.is_ready() {
                return look;
            }
        }
        let until = self.ending.unwrap_or(self.idle_since + self.client.listener.idle);
        self.timer.poll_late(until, cx).map(|()| Event::Late)
    }

    fn poll_busy(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        self.idle_since = Instant::now();
        self.ending = self.ending.map(|_| self.idle_since + GOODBYE);
        self.waiting.go_on();
        if let Some(since) = self.strands.stalled()
            && self.waiting.wait_for_progress(cx, since)
        {
            return Poll::Ready(Event::Pressed);
        }
        self.poll_look(cx)
    }

    fn poll_look(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        self.timer.poll_late(self.look_at, cx).map(|()| {
            self.look_at = Instant::now() + LOOK;
            Event::Look
        })
    }

    fn is_closing(&self) -> bool {
        self.client.core.is_closing(&self.client.listener)
    }

    fn count(&self, flood: Flood) {
        let Client { core, listener, peer, .. } = &self.client;
        core.counters.count_flood(&listener.entry_point, flood.label());
        tracing::debug!(flood = flood.label(), %peer, "a client floods its connection");
    }

    fn begin_request(&mut self, request: http::Request<RecvStream>, respond: SendResponse<Bytes>) {
        // It shall come again by another handshake, and know that when it hears why.
        if self.client.is_outdated() || self.age.is_last(&self.client.listener.terms) {
            self.retire();
        }
        let vouching = self.client.bare_vouching();
        // It was cut off its path by now.
        let has_fragment = self.conduct.has_fragment(respond.stream_id().as_u32());
        let (strand, read) = Strand::new(request, respond, &vouching);
        let read = if has_fragment { Err(Reject::Target) } else { read };
        let is_late = self.told.is_some_and(|at| at.elapsed() >= LAST_CALL);
        let place = if is_late { Err(()) } else { self.place(strand.ahead()) };
        let Ok(place) = place else {
            self.conduct.decline();
            return strand.decline();
        };
        let free = read.is_ok().then(|| self.strands.free.take()).flatten();
        let lane = free.unwrap_or_else(|| self.new_lane(read));
        lane.begin(strand, &self.strands, place);
    }

    /// A lane for one that can be read, or the one that says why it cannot.
    fn new_lane(&self, read: Result<(), Reject>) -> Rc<Lane> {
        let lane = Rc::<Lane>::default();
        let mut connection = Connection::over(lane.clone(), &self.client);
        connection.waiting = lane.waiting.clone();
        let served = lane.clone();
        spawn_local(async move {
            match read {
                Ok(()) => drop(connection.serve().await),
                Err(reject) => Box::pin(connection.refuse(reject)).await,
            }
            served.end();
        });
        lane
    }

    /// What one more request takes, with a head of so many bytes; an error where it has to wait for
    /// others to end.
    fn place(&self, head: usize) -> Result<Place, ()> {
        if self.strands.is_empty() {
            return Ok(None);
        }
        if self.strands.heads.get() + head > MOST_HEADS {
            return Err(());
        }
        let core = &self.client.core;
        let place = core.options().places.take_now();
        if place.is_none() {
            core.make_room();
        }
        place.map(Some).ok_or(())
    }

    /// Requests that are on their way here are still taken, and those that are here answered.
    fn retire(&mut self) {
        if self.ending.is_none() {
            self.connection.graceful_shutdown();
            self.told = Some(Instant::now());
        }
        self.ending = Some(Instant::now() + GOODBYE);
        self.idle_since = Instant::now();
    }

    /// Nothing goes on, and the client is told why.
    async fn end(mut self, reason: Reason) {
        self.connection.abrupt_shutdown(reason);
        self.conduct.flood.set(None);
        self.conduct.is_malformed.set(false);
        let closed = std::future::poll_fn(|cx| self.connection.poll_closed(cx));
        let _ = within(GOODBYE, async { Ok(closed.await) }).await;
        self.goodbye().await;
    }

    /// The same for who has to make room: nobody else waits while it takes its leave. It is told
    /// what its socket takes at once.
    fn give_way(mut self) {
        self.connection.abrupt_shutdown(Reason::NO_ERROR);
        let _ = self.connection.poll_closed(&mut Context::from_waker(Waker::noop()));
    }

    /// Closes our side and reads on for a moment, as after any last word: closing with unread bytes
    /// would take it away.
    async fn goodbye(self) {
        let Self { connection, stream, client, .. } = self;
        drop(connection);
        if stream.close().is_err() {
            return;
        }
        let mut slot = None;
        let _ = within(GOODBYE, async {
            while stream.read(&client.core.heads, &mut slot).await? > 0 {
                slot = None;
            }
            Ok(())
        })
        .await;
    }
}

impl Strands {
    fn is_empty(&self) -> bool {
        self.open.borrow().is_empty()
    }

    fn listen(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }

    /// Has all of them look what is so.
    fn wake(&self) {
        self.open.borrow().iter().for_each(|waiting| waiting.wake());
    }

    /// Since when the client alone is waited for, by all of them.
    fn stalled(&self) -> Option<Instant> {
        let open = self.open.borrow();
        let mut latest = None;
        for strand in open.iter() {
            latest = latest.max(Some(strand.stalled()?));
        }
        latest
    }
}

impl Open {
    fn new(strands: &Rc<Strands>, waiting: &Rc<Waiting>, head: usize, place: Place) -> Self {
        strands.open.borrow_mut().push(waiting.clone());
        strands.heads.set(strands.heads.get() + head);
        Self { strands: strands.clone(), waiting: waiting.clone(), head, _place: place }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.strands.heads.set(self.strands.heads.get() - self.head);
        let mut open = self.strands.open.borrow_mut();
        if let Some(at) = open.iter().position(|it| Rc::ptr_eq(it, &self.waiting)) {
            open.swap_remove(at);
        }
        if open.is_empty() {
            self.strands.waker.borrow().iter().for_each(Waker::wake_by_ref);
        }
    }
}
