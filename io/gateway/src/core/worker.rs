//! One core's thread: its runtime, its listeners, and what it does once a second.

use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use steelyard_host::places::TakenPlace;
use steelyard_http::Spelling;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::spawn_local;

use super::Core;
use super::arrival::Arrival;
use super::listener::Listener;
use crate::options::Bind;
use crate::shared::Shared;
use crate::tell::access_log::LogBuffer;
use crate::tell::metrics::Sample;
use crate::tell::recent::FailedRequest;

/// How long who waits for a request may still make one while the core drains: a client that is busy
/// learns from the answer that it has to connect anew.
const GRACE: Duration = Duration::from_millis(500);

/// Bytes of buffers given up at once that are worth telling the system.
const WORTH_RETURNING: usize = 1024 * 1024;

/// Those who are asked to make room have left after this long, mostly.
const ROOM: Duration = Duration::from_millis(200);

/// What a worker can be told. `Sender`s are answered when it is done.
pub(crate) enum Command {
    Open { bind: Bind, address: SocketAddr, listener: std::net::TcpListener },
    Close { bind: Bind, done: Sender<()> },
    Sample { to: Sender<Sample> },
    Recent { to: Sender<Vec<FailedRequest>> },
    WindDown,
    Drain { timeout: Duration },
}

/// A worker's thread and the way to it.
pub(crate) struct Worker {
    pub(crate) commands: UnboundedSender<Command>,
    pub(crate) thread: JoinHandle<()>,
}

/// Listeners of one core.
type Listeners = HashMap<Bind, Accepting>;

/// A listener, its socket, and the task that accepts from it.
type Accepting = (Rc<Listener>, Rc<TcpListener>, tokio::task::JoinHandle<()>);

impl Worker {
    pub(crate) fn start(
        index: usize,
        shared: Arc<Shared>,
        log: Option<LogBuffer>,
        serve: fn(Arrival),
    ) -> io::Result<Self> {
        let (commands, receiver) = unbounded_channel();
        let runtime = move || {
            Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(4)
                .build_local(LocalOptions::default())
        };
        let thread =
            std::thread::Builder::new().name(format!("gateway-{index}")).spawn(move || {
                match runtime() {
                    Ok(runtime) => {
                        runtime.block_on(run(Core::new(index, shared, log, serve), receiver))
                    }
                    Err(error) => tracing::error!(%error, "a gateway worker has no runtime"),
                }
            })?;
        Ok(Self { commands, thread })
    }
}

async fn run(core: Rc<Core>, mut commands: UnboundedReceiver<Command>) {
    let mut listeners = Listeners::new();
    let housekeeping = spawn_local(keep_house(core.clone()));
    while let Some(command) = commands.recv().await {
        match command {
            Command::Open { bind, address, listener } => {
                if let Err(error) = open(&core, &mut listeners, bind, address, listener) {
                    tracing::error!(%error, %address, "a listener is of no use");
                }
            }
            Command::Close { bind, done } => {
                if let Some(listener) = listeners.remove(&bind) {
                    let closing = listener.0.clone();
                    close(&core, listener).await;
                    closing.closing.set(true);
                }
                core.connections.borrow().retire(false);
                let _ = done.send(());
            }
            Command::Sample { to } => {
                // Routes that are gone are counted no more.
                core.live();
                let _ = to.send(core.sample());
            }
            Command::Recent { to } => {
                let _ = to.send(core.recent.all());
            }
            Command::WindDown => core.draining.set(true),
            Command::Drain { timeout } => {
                drain(&core, &mut listeners, timeout).await;
                break;
            }
        }
    }
    housekeeping.abort();
    core.flush_log();
}

fn open(
    core: &Rc<Core>,
    listeners: &mut Listeners,
    bind: Bind,
    address: SocketAddr,
    listener: std::net::TcpListener,
) -> io::Result<()> {
    let entry_point: Arc<str> = bind.entry_point.as_str().into();
    let keeps_segments = core.options().unresolved_paths.contains(&bind.entry_point);
    let state = Rc::new(Listener {
        path: if keeps_segments { Spelling::Unresolved } else { Spelling::Normal },
        forwarded: core.options().forwarded.get(&bind.entry_point).cloned().unwrap_or_default(),
        open: core.counters.open_at(&entry_point),
        point: bind.entry_point.as_str().into(),
        entry_point,
        address: address.to_string(),
        closing: Cell::new(false),
    });
    let socket = Rc::new(TcpListener::from_std(listener)?);
    let accepting = spawn_local(accept_all(core.clone(), state.clone(), socket.clone()));
    listeners.insert(bind, (state, socket, accepting));
    Ok(())
}

/// Stops accepting, but not before those who are connected already are taken in: closing would
/// reset them. The socket is closed when this is done.
async fn close(core: &Rc<Core>, (state, socket, accepting): Accepting) {
    accepting.abort();
    let _ = accepting.await;
    while let Some(Ok((stream, peer))) = accept_now(&socket) {
        // Without a place they are reset, as they would have been.
        if let Some(place) = core.options().places.take_now() {
            take_in(core, &state, stream, peer, place);
        }
    }
}

fn accept_now(socket: &TcpListener) -> Option<io::Result<(TcpStream, SocketAddr)>> {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match socket.poll_accept(&mut cx) {
        std::task::Poll::Ready(accepted) => Some(accepted),
        std::task::Poll::Pending => None,
    }
}

async fn accept_all(core: Rc<Core>, listener: Rc<Listener>, socket: Rc<TcpListener>) {
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => {
                let place = place(&core).await;
                take_in(&core, &listener, stream, peer, place);
            }
            // The client was faster to leave; anything else (no file descriptors) needs a pause.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                core.options().places.note_failure();
                tracing::debug!(%error, address = listener.address, "cannot accept connections");
                core.make_room();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// A place for one more client. Those who have waited longest for their next request make room;
/// where all are busy, who is new waits.
async fn place(core: &Core) -> TakenPlace {
    let places = &core.options().places;
    if let Some(place) = places.take_now() {
        return place;
    }
    loop {
        core.make_room();
        if let Ok(place) = tokio::time::timeout(ROOM, places.take()).await {
            return place;
        }
    }
}

fn take_in(
    core: &Rc<Core>,
    listener: &Rc<Listener>,
    stream: TcpStream,
    peer: SocketAddr,
    place: TakenPlace,
) {
    let arrival = Arrival::new(core.clone(), listener.clone(), stream.into(), peer, place);
    (core.serve)(arrival);
}

async fn keep_house(core: Rc<Core>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let freed = core.prune(Instant::now());
        core.flush_log();
        let burst_is_over = core.connections.borrow_mut().burst_is_over();
        if burst_is_over || freed >= WORTH_RETURNING {
            // That takes milliseconds, which requests need not wait for.
            let return_memory = core.options().return_memory;
            tokio::task::spawn_blocking(return_memory);
        }
    }
}

/// Stops accepting, and lets requests finish until `timeout`. Clients learn of it by their next
/// answer; who asks nothing for a while is ended.
async fn drain(core: &Rc<Core>, listeners: &mut Listeners, timeout: Duration) {
    let deadline = Instant::now() + timeout;
    core.draining.set(true);
    for (_, listener) in listeners.drain() {
        close(core, listener).await;
    }
    let patient = Instant::now() + GRACE.min(timeout / 4);
    loop {
        // Those taken in a moment ago get to read what they have been sent.
        tokio::task::yield_now().await;
        let now = Instant::now();
        if now >= patient {
            core.connections.borrow().retire(true);
        }
        let late = now >= deadline || core.shared.hurry.load(Ordering::Relaxed);
        if late || core.connections.borrow().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
