//! HTTP/2 to endpoints: few connections, which many requests share.

mod errand;
mod watch;

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::Ping;
use h2::client::{Builder, SendRequest};
use steelyard_model::routing::transport::Pings;
use tokio::sync::Mutex;
use tokio::task::spawn_local;

use crate::wire::flow::broken;
use crate::wire::link::Link;
use crate::wire::session::Unshaken;
use crate::wire::stream::Stream;
pub(crate) use errand::Errand;
use watch::Watch;

/// The connections to one address.
#[derive(Default)]
pub(crate) struct Sessions {
    pub(super) open: RefCell<Vec<Rc<Session>>>,
    /// One connection is made at a time: who waits for it may use it too.
    pub(super) making: Mutex<()>,
    /// When the last one could not be made, and why, where that is said by a handshake.
    pub(super) failed: RefCell<Option<(Instant, Option<Unshaken>)>>,
}

/// One connection.
pub(super) struct Session {
    sender: SendRequest<Bytes>,
    /// Of what is asked for over it.
    scheme: &'static str,
    /// How many requests it carries.
    load: Cell<usize>,
    /// How many were given up.
    given_up: Cell<u32>,
    pub(super) idle_since: Cell<Instant>,
    is_over: Cell<bool>,
}

/// Bytes of a response that may come before somebody takes them, of one and of all: those who take
/// nothing leave the others theirs.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = MOST_STREAMS * STREAM_WINDOW;

/// Bytes of a request that may wait for the socket.
const SEND_BUFFER: usize = 64 * 1024;

/// Requests at a time on one connection, where its endpoint would take more.
const MOST_STREAMS: u32 = 128;

/// Requests that are given up on one connection, which then takes no further ones. An endpoint ends
/// whom it sees resetting streams (CVE-2023-44487), and with it what others have under way: this is
/// fewer than any has been seen to bear (20 at a time, of those that it has not looked at yet), and
/// for each HTTP/1 would give up a connection too.
const MOST_GIVEN_UP: u32 = 16;

/// Fields may take so much in a response's head.
const FIELDS: u32 = 64 * 1024;

impl Sessions {
    /// A place on a connection that there is, and that was not idle for `most` until `now`.
    pub(crate) fn kept(&self, now: Instant, most: Option<Duration>) -> Option<Errand> {
        let mut open = self.open.borrow_mut();
        let is_fit =
            |it: &Session| most.is_none_or(|most| it.load.get() > 0 || it.idle(now) < most);
        open.retain(|session| !session.is_over.get() && is_fit(session));
        open.iter().find(|session| session.has_room()).map(|it| Errand::new(it.clone()))
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.borrow().is_empty()
    }

    /// Closes what has been idle since before `limit`, or has ended.
    pub(crate) fn prune(&self, now: Instant, limit: Duration) {
        self.open.borrow_mut().retain(|session| {
            let is_kept = session.idle(now) < limit && !session.is_worn();
            !session.is_over.get() && (session.load.get() > 0 || is_kept)
        });
    }
}

impl Session {
    pub(super) async fn make(
        stream: Stream,
        (address, scheme): (SocketAddr, &'static str),
        pings: Option<Pings>,
    ) -> io::Result<Rc<Self>> {
        let heard = pings.map(|_| Rc::new(Cell::new(Instant::now())));
        let link = Link::to_endpoint(stream, heard.clone());
        let mut builder = Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buffer_size(SEND_BUFFER)
            .max_header_list_size(FIELDS);
        let shaken = builder.handshake(link).await;
        let (sender, mut connection) = shaken.map_err(broken)?;
        let ping = connection.ping_pong();
        let session = Rc::new(Self {
            sender,
            scheme,
            load: Cell::new(0),
            given_up: Cell::new(0),
            idle_since: Cell::new(Instant::now()),
            is_over: Cell::new(false),
        });
        let weak = Rc::downgrade(&session);
        let driver = spawn_local(async move {
            let ended = connection.await;
            tracing::debug!(?ended, %address, "a connection of HTTP/2 to an endpoint has ended");
            weak.upgrade().into_iter().for_each(|it| it.is_over.set(true));
        });
        // Its settings come before it answers: how many requests it takes, and that it is one.
        if let Some(mut ping) = ping {
            ping.ping(Ping::opaque()).await.map_err(broken)?;
            if let (Some(pings), Some(heard)) = (pings, heard) {
                let watch = Watch { heard, pings, session: Rc::downgrade(&session), address };
                spawn_local(watch.keep(ping, driver.abort_handle()));
            }
        }
        Ok(session)
    }

    /// For how long it has carried nothing, where it does not.
    fn idle(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.idle_since.get())
    }

    /// Whether so many were given up on it that it takes no further ones.
    fn is_worn(&self) -> bool {
        self.given_up.get() >= MOST_GIVEN_UP
    }

    /// Whether it takes another request now: no more at a time than the endpoint says, and none
    /// after it said that it goes away.
    pub(super) fn has_room(&self) -> bool {
        let most = self.sender.current_max_send_streams().min(MOST_STREAMS as usize);
        if self.is_over.get() || self.is_worn() || self.load.get() >= most {
            return false;
        }
        let mut cx = Context::from_waker(Waker::noop());
        match self.sender.clone().poll_ready(&mut cx) {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(_)) => {
                self.is_over.set(true);
                false
            }
            Poll::Pending => false,
        }
    }
}
