//! HTTP/2 to endpoints: few connections, which many requests share.

mod errand;

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::Ping;
use h2::client::{Builder, SendRequest};
use tokio::sync::Mutex;
use tokio::task::spawn_local;

use crate::wire::flow::broken;
use crate::wire::link::Link;
use crate::wire::stream::Stream;
use crate::wire::timer::within;
pub(crate) use errand::Errand;

/// The connections to one address.
#[derive(Default)]
pub(crate) struct Sessions {
    open: RefCell<Vec<Rc<Session>>>,
    /// One connection is made at a time: who waits for it may use it too.
    making: Mutex<()>,
    /// When the last one could not be made.
    failed: Cell<Option<Instant>>,
}

/// One connection.
pub(super) struct Session {
    sender: SendRequest<Bytes>,
    /// How many requests it carries.
    load: Cell<usize>,
    idle_since: Cell<Instant>,
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

/// Fields may take so much in a response's head.
const FIELDS: u32 = 64 * 1024;

impl Sessions {
    /// A place on a connection that there is.
    pub(crate) fn kept(&self) -> Option<Errand> {
        let mut open = self.open.borrow_mut();
        open.retain(|session| !session.is_over.get());
        open.iter().find(|session| session.has_room()).map(|it| Errand::new(it.clone()))
    }

    /// A place on a connection that is made for it, or for somebody who waited for one meanwhile.
    pub(crate) async fn made(&self, address: SocketAddr, limit: Duration) -> io::Result<Errand> {
        let began = Instant::now();
        let _alone = self.making.lock().await;
        if self.failed.get().is_some_and(|failed| failed >= began) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let is_news = |session: &&Rc<Session>| session.idle_since.get() >= began;
        let made = self.open.borrow().iter().find(is_news).cloned();
        if let Some(session) = made.filter(|session| session.has_room()) {
            return Ok(Errand::new(session));
        }
        let making = async {
            let session = Session::make(address).await?;
            // One that takes nothing would be one more for each who asks.
            let is_of_use = session.has_room();
            is_of_use.then_some(session).ok_or_else(|| io::ErrorKind::ConnectionRefused.into())
        };
        let made = within(limit, making).await;
        self.failed.set(made.is_err().then(Instant::now));
        let session = made?;
        self.open.borrow_mut().push(session.clone());
        Ok(Errand::new(session))
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.borrow().is_empty()
    }

    /// Closes what has been idle since before `limit`, or has ended.
    pub(crate) fn prune(&self, now: Instant, limit: Duration) {
        self.open.borrow_mut().retain(|session| {
            let idle = now.saturating_duration_since(session.idle_since.get());
            !session.is_over.get() && (session.load.get() > 0 || idle < limit)
        });
    }
}

impl Session {
    async fn make(address: SocketAddr) -> io::Result<Rc<Self>> {
        let link = Link::to_endpoint(Stream::connect(address).await?);
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
            load: Cell::new(0),
            idle_since: Cell::new(Instant::now()),
            is_over: Cell::new(false),
        });
        let weak = Rc::downgrade(&session);
        spawn_local(async move {
            let ended = connection.await;
            tracing::debug!(?ended, %address, "a connection of HTTP/2 to an endpoint has ended");
            weak.upgrade().into_iter().for_each(|it| it.is_over.set(true));
        });
        // Its settings come before it answers: how many requests it takes, and that it is one.
        if let Some(mut ping) = ping {
            ping.ping(Ping::opaque()).await.map_err(broken)?;
        }
        Ok(session)
    }

    /// Whether it takes another request now: no more at a time than the endpoint says, and none
    /// after it said that it goes away.
    fn has_room(&self) -> bool {
        let most = self.sender.current_max_send_streams().min(MOST_STREAMS as usize);
        if self.is_over.get() || self.load.get() >= most {
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
