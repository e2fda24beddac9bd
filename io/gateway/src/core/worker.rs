//! One core's thread: its runtime, its listeners, and what it does once a second.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use steelyard_host::places::TakenPlace;
use steelyard_model::Protocol;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, spawn_local};

use super::Core;
use super::arrival::Arrival;
use super::datagrams::{DatagramOrder, Datagrams, HandedSession, Told};
use super::ebb::Ebb;
use super::listener::Listener;
use crate::options::Bind;
use crate::shared::Shared;
use crate::shared::crowd::{Guest, Presence};
use crate::tell::access_log::LogBuffer;
use crate::tell::metrics::Sample;
use crate::tell::recent::FailedRequest;

/// How long who waits for a request may still make one while the core drains: a client that is busy
/// learns from the answer that it has to connect anew.
const GRACE: Duration = Duration::from_millis(500);

/// The same where another process answers meanwhile: nobody is in a hurry.
const LONG_GRACE: Duration = Duration::from_secs(5);

/// Those who are asked to make room have left after this long, mostly.
const ROOM: Duration = Duration::from_millis(200);

/// What is cut off has this long for that.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// What a worker can be told. `Sender`s are answered when it is done.
pub(crate) enum Command {
    /// Whoever is led to another core comes to one that has the listener too: nobody accepts before
    /// all have been told of it, which is when nothing can be `told` any more.
    Open {
        bind: Bind,
        address: SocketAddr,
        share: Share,
        told: Told,
    },
    Close {
        bind: Bind,
        done: Sender<()>,
    },
    /// What concerns a process that takes over.
    Pass(PassOrder),
    Sample {
        to: Sender<Sample>,
    },
    Recent {
        to: Sender<Vec<FailedRequest>>,
    },
    WindDown,
    Drain {
        timeout: Duration,
    },
}

/// The same about another process that takes over, or that this one takes over from.
pub(crate) enum PassOrder {
    /// Its sockets, for another process, and its number.
    Sockets(Sender<(usize, SharedSockets)>),
    /// Another process takes datagrams, and goes on with sessions.
    HandDatagramsOn(Sender<HandedSession>),
    /// It does not.
    TakeDatagrams,
    /// Go on with a session of another process.
    Adopt(HandedSession),
}

/// Sockets of listeners, once more.
pub(crate) type SharedSockets = Vec<(Bind, Vec<OwnedFd>)>;

/// The sockets of one worker.
pub(crate) enum Share {
    Tcp(Vec<std::net::TcpListener>),
    /// The second one is the same, for a process that takes over.
    Udp(std::net::UdpSocket, OwnedFd),
}

/// Who serves what comes in.
#[derive(Clone, Copy)]
pub(crate) struct Servants {
    /// A client's connection.
    pub(crate) connection: fn(Arrival),
    /// Datagrams, until the task is ended.
    pub(crate) datagrams: fn(Rc<Core>, Rc<Listener>, Datagrams) -> JoinHandle<()>,
}

impl Servants {
    /// Nothing comes in.
    pub(crate) const NOBODY: Self =
        Self { connection: |_| (), datagrams: |_, _, _| spawn_local(std::future::pending()) };
}

#[cfg(test)]
impl Servants {
    pub(crate) const fn of_test(connection: fn(Arrival)) -> Self {
        Self { connection, datagrams: |_, _, _| spawn_local(std::future::pending()) }
    }
}

/// A worker's thread and the way to it.
pub(crate) struct Worker {
    pub(crate) commands: UnboundedSender<Command>,
    pub(crate) thread: std::thread::JoinHandle<()>,
}

/// Listeners of one core.
type Listeners = HashMap<Bind, Accepting>;

/// A listener, and its sockets: one, unless they are others' who made more or fewer.
type Accepting = (Rc<Listener>, Vec<Accepted>);

/// A socket, and the task that takes from it.
enum Accepted {
    Tcp(Rc<TcpListener>, JoinHandle<()>, Told),
    Udp { hearing: JoinHandle<()>, socket: OwnedFd, orders: UnboundedSender<DatagramOrder> },
}

impl Worker {
    pub(crate) fn start(
        index: usize,
        shared: Arc<Shared>,
        log: Option<LogBuffer>,
        servants: Servants,
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
                        let core = Core::new(index, shared, log, servants);
                        runtime.block_on(run(core, receiver));
                        // What blocks a thread, as a name that is looked up, is not waited for.
                        runtime.shutdown_background();
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
    let Some(mut guests) = core.shared.crowd.door(core.index) else { return };
    loop {
        let command = tokio::select! {
            // A guest's listener before the guest.
            biased;
            command = commands.recv() => command,
            Some(guest) = guests.recv() => {
                welcome(&core, &listeners, guest);
                continue;
            }
        };
        let Some(command) = command else { break };
        match command {
            Command::Open { bind, address, share, told } => {
                let state = state_of(&core, &bind, address);
                let at = (bind.clone(), address);
                let opened = match share {
                    Share::Tcp(sockets) => sockets
                        .into_iter()
                        .map(|it| open(&core, &state, &at, it, told.clone()))
                        .collect(),
                    Share::Udp(socket, shared) => {
                        vec![hear(&core, &state, (socket, shared), told)]
                    }
                };
                let working = opened.into_iter().filter_map(|it: io::Result<Accepted>| {
                    it.inspect_err(|error| {
                        tracing::error!(%error, %address, "a listener is of no use");
                    })
                    .ok()
                });
                listeners.insert(bind, (state, working.collect()));
            }
            Command::Close { bind, done } => {
                if let Some(listener) = listeners.remove(&bind) {
                    let closing = listener.0.clone();
                    close(&core, listener).await;
                    closing.close(Instant::now());
                }
                core.connections.borrow().retire(false);
                let _ = done.send(());
            }
            Command::Pass(order) => pass(&core, &listeners, order),
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
                drain(&core, &mut listeners, &mut guests, timeout).await;
                break;
            }
        }
    }
    housekeeping.abort();
    core.flush_log();
}

fn open(
    core: &Rc<Core>,
    state: &Rc<Listener>,
    at: &(Bind, SocketAddr),
    socket: std::net::TcpListener,
    mut told: Told,
) -> io::Result<Accepted> {
    let socket = Rc::new(TcpListener::from_std(socket)?);
    let accept = accept_all(core.clone(), state.clone(), socket.clone(), at.clone());
    let begins = told.clone();
    let accepting = spawn_local(async move {
        while told.changed().await.is_ok() {}
        accept.await;
    });
    Ok(Accepted::Tcp(socket, accepting, begins))
}

/// Takes datagrams from now on: the kernel leads a client to the same socket always.
fn hear(
    core: &Rc<Core>,
    state: &Rc<Listener>,
    (socket, shared): (std::net::UdpSocket, OwnedFd),
    told: Told,
) -> io::Result<Accepted> {
    let (orders, obeyed) = unbounded_channel();
    let datagrams = Datagrams { socket: UdpSocket::from_std(socket)?, told, orders: obeyed };
    let hearing = (core.servants.datagrams)(core.clone(), state.clone(), datagrams);
    Ok(Accepted::Udp { hearing, socket: shared, orders })
}

fn pass(core: &Core, listeners: &Listeners, order: PassOrder) {
    match order {
        PassOrder::Sockets(to) => {
            let _ = to.send((core.index, sockets(listeners)));
        }
        PassOrder::HandDatagramsOn(to) => {
            core.has_handed_on.set(true);
            order_all(listeners, |key| DatagramOrder::HandOn(key, to.clone()));
        }
        PassOrder::TakeDatagrams => {
            core.has_handed_on.set(false);
            order_all(listeners, |_| DatagramOrder::GoOn);
        }
        PassOrder::Adopt(session) => adopt(listeners, session),
    }
}

/// All sockets, for another process. What cannot be shared for want of descriptors is left out.
fn sockets(listeners: &Listeners) -> SharedSockets {
    let share = |accepted: &Accepted| match accepted {
        Accepted::Tcp(socket, ..) => socket.as_fd().try_clone_to_owned().ok(),
        Accepted::Udp { socket, .. } => socket.try_clone().ok(),
    };
    let all = listeners.iter();
    all.map(|(bind, (_, all))| (bind.clone(), all.iter().filter_map(share).collect())).collect()
}

fn order_all(listeners: &Listeners, order: impl Fn(String) -> DatagramOrder) {
    for (bind, (_, all)) in listeners {
        for accepted in all {
            if let Accepted::Udp { orders, .. } = accepted {
                // Who has ended hears nothing.
                let _ = orders.send(order(bind.key()));
            }
        }
    }
}

/// Where its listener is gone, so is the session.
fn adopt(listeners: &Listeners, session: HandedSession) {
    let its = listeners.iter().find(|(bind, _)| bind.key() == session.listener);
    if let Some(Accepted::Udp { orders, .. }) = its.and_then(|(_, (_, all))| all.first()) {
        let _ = orders.send(DatagramOrder::Adopt(session));
    }
}

/// A listener as its connections see it.
fn state_of(core: &Core, bind: &Bind, address: SocketAddr) -> Rc<Listener> {
    let entry_point: Arc<str> = bind.entry_point.as_str().into();
    let open = core.counters.open_at(&entry_point, bind.protocol);
    Rc::new(Listener::new(entry_point, address.to_string(), core.options(), open))
}

/// Stops accepting, but not before those who are connected already are taken in: closing would
/// reset them. The sockets are closed when this is done.
async fn close(core: &Rc<Core>, (state, accepted): Accepting) {
    for accepted in accepted {
        let (socket, accepting, begins) = match accepted {
            Accepted::Tcp(socket, accepting, begins) => (socket, accepting, begins),
            Accepted::Udp { hearing, .. } => {
                hearing.abort();
                let _ = hearing.await;
                continue;
            }
        };
        accepting.abort();
        let _ = accepting.await;
        if begins.has_changed().is_ok() {
            // Who is connected is another process's, which this one has not taken over from.
            continue;
        }
        while let Some(Ok((stream, peer))) = accept_now(&socket) {
            // Without a place they are reset, as they would have been.
            if let Some(place) = core.options().places.take_now() {
                let presence = core.shared.crowd.enter(core.index);
                take_in(core, &state, stream, peer, (place, presence));
            }
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

async fn accept_all(
    core: Rc<Core>,
    listener: Rc<Listener>,
    socket: Rc<TcpListener>,
    at: (Bind, SocketAddr),
) {
    for turn in 0_usize.. {
        match socket.accept().await {
            Ok((stream, peer)) => {
                let place = place(&core).await;
                seat(&core, &listener, &at, (stream, peer, place), turn);
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
    core.options().places.take_making_room(ROOM, || core.make_room()).await
}

/// Serves who is new here, or leads it to a core that has clearly fewer.
fn seat(
    core: &Rc<Core>,
    listener: &Rc<Listener>,
    (bind, address): &(Bind, SocketAddr),
    (stream, peer, place): (TcpStream, SocketAddr, TakenPlace),
    turn: usize,
) {
    let crowd = &core.shared.crowd;
    let Some(other) = crowd.emptier(core.index, turn) else {
        let presence = crowd.enter(core.index);
        return take_in(core, listener, stream, peer, (place, presence));
    };
    // What cannot be taken out of this core's reactor is of no use to anybody.
    let Ok(stream) = stream.into_std() else { return };
    let (bind, address, presence) = (bind.clone(), *address, crowd.enter(other));
    let guest = Guest { bind, address, stream, peer, place, presence };
    if let Err(mut guest) = crowd.hand_over(other, guest) {
        guest.presence = crowd.enter(core.index);
        receive(core, listener, *guest);
    }
}

/// Serves who comes from another core. Where its listener is gone here, and was not there a moment
/// ago, it is told with its next answer.
fn welcome(core: &Rc<Core>, listeners: &Listeners, guest: Guest) {
    if let Some((listener, ..)) = listeners.get(&guest.bind) {
        return receive(core, listener, guest);
    }
    let listener = state_of(core, &guest.bind, guest.address);
    // Where all of them are gone, there is time to ask: the core closes once everybody had it.
    if !core.draining.get() {
        listener.close(Instant::now());
    }
    receive(core, &listener, guest);
}

fn receive(core: &Rc<Core>, listener: &Rc<Listener>, guest: Guest) {
    let Guest { stream, peer, place, presence, .. } = guest;
    match TcpStream::from_std(stream) {
        Ok(stream) => take_in(core, listener, stream, peer, (place, presence)),
        Err(error) => tracing::debug!(%error, "a connection cannot be served"),
    }
}

fn take_in(
    core: &Rc<Core>,
    listener: &Rc<Listener>,
    stream: TcpStream,
    peer: SocketAddr,
    counted: (TakenPlace, Presence),
) {
    let arrival = Arrival::new(core.clone(), listener.clone(), stream.into(), peer, counted);
    (core.servants.connection)(arrival);
}

async fn keep_house(core: Rc<Core>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut ebb = Ebb::default();
    loop {
        ticks.tick().await;
        let now = Instant::now();
        let freed = core.prune(now);
        core.connections.borrow().cut_late(core.options().timeouts.closed_listener, now);
        core.flush_log();
        let burst_is_over = core.connections.borrow_mut().burst_is_over();
        if ebb.turns(burst_is_over, freed) {
            // That takes milliseconds, which requests need not wait for.
            let return_memory = core.options().return_memory;
            tokio::task::spawn_blocking(return_memory);
        }
    }
}

/// Stops accepting, and lets requests finish until `timeout`. Clients learn of it by their next
/// answer; who asks nothing for a while is ended. Sessions of UDP go on until they are silent, and
/// no new ones begin.
async fn drain(
    core: &Rc<Core>,
    listeners: &mut Listeners,
    guests: &mut UnboundedReceiver<Guest>,
    timeout: Duration,
) {
    core.draining.set(true);
    let mut hearing = Vec::new();
    for (bind, listener) in listeners.drain() {
        match bind.protocol {
            // Where another process has the sessions, nobody waits for them here.
            Protocol::Udp if core.has_handed_on.get() => close(core, listener).await,
            Protocol::Udp => {
                listener.0.close(Instant::now());
                hearing.push(listener);
            }
            Protocol::Tcp | Protocol::Sctp => close(core, listener).await,
        }
    }
    end_requests(core, listeners, guests, timeout).await;
    for listener in hearing {
        close(core, listener).await;
    }
}

/// Lets what is under way finish until `timeout`.
async fn end_requests(
    core: &Rc<Core>,
    listeners: &Listeners,
    guests: &mut UnboundedReceiver<Guest>,
    timeout: Duration,
) {
    let deadline = Instant::now() + timeout;
    let grace = if core.has_handed_on.get() { LONG_GRACE } else { GRACE };
    let patient = Instant::now() + grace.min(timeout / 4);
    loop {
        let is_last = core.connections.borrow().is_empty();
        if is_last {
            // From now on others keep whom they would lead here.
            guests.close();
        }
        while let Ok(guest) = guests.try_recv() {
            welcome(core, listeners, guest);
        }
        // Those taken in a moment ago get to read what they have been sent.
        tokio::task::yield_now().await;
        let now = Instant::now();
        if now >= patient {
            core.connections.borrow().retire(true);
        }
        let late = now >= deadline || core.shared.hurry.load(Ordering::Relaxed);
        if core.connections.borrow().is_empty() && core.sessions.get() == 0 {
            return;
        }
        if late {
            return cut(core).await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What is still under way ends, and says so to its client and the log.
async fn cut(core: &Core) {
    core.cut.set(true);
    core.connections.borrow().wake();
    let until = Instant::now() + LAST_WORDS;
    while core.under_way.get() > 0 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::sync::watch;

    use super::*;
    use crate::options::{Binding, GatewayOptions};
    use crate::wire::listen::{self, Sockets};

    fn bind(address: SocketAddr) -> Bind {
        let entry_point = "web".to_owned();
        Bind { entry_point, protocol: Protocol::Tcp, address, binding: Binding::Host }
    }

    /// Holds whom it is given until the worker ends.
    fn hold(arrival: Arrival) {
        spawn_local(async move {
            std::future::pending::<()>().await;
            drop(arrival);
        });
    }

    const SERVANTS: Servants = Servants::of_test(hold);

    fn eventually(what: &str, is_so: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !is_so() {
            assert!(Instant::now() < end, "{what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn connections_that_stay_are_even_between_cores() {
        const CORES: usize = 4;
        let options = GatewayOptions { workers: CORES, ..GatewayOptions::default() };
        let shared = Shared::new(options);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let bind = bind(address);
        let (address, Sockets::Tcp(listeners)) = listen::open(&bind, CORES).unwrap() else {
            panic!("it is of TCP");
        };
        let workers: Vec<Worker> = (0..CORES)
            .map(|index| Worker::start(index, shared.clone(), None, SERVANTS).unwrap())
            .collect();
        let (all_told, _) = watch::channel(());
        for (worker, listener) in workers.iter().zip(listeners) {
            let told = all_told.subscribe();
            let share = Share::Tcp(vec![listener]);
            let command = Command::Open { bind: bind.clone(), address, share, told };
            worker.commands.send(command).unwrap();
        }
        drop(all_told);
        let mut clients = Vec::new();
        for count in 1..=64 {
            clients.push(std::net::TcpStream::connect(address).unwrap());
            eventually("it is served", || shared.crowd.counts().iter().sum::<usize>() == count);
        }
        // By hash alone the fullest has 20 or more, nine times of ten.
        let counts = shared.crowd.counts();
        assert!(counts.iter().all(|count| (12..=20).contains(count)), "{counts:?}");
        for worker in workers {
            let timeout = Duration::ZERO;
            worker.commands.send(Command::Drain { timeout }).unwrap();
            worker.thread.join().unwrap();
        }
        assert_eq!(shared.crowd.counts(), [0; CORES], "nobody is counted any more");
    }

    /// Whom a core that ends would have been led is served by the one that leads.
    #[test]
    fn who_is_led_to_a_core_that_has_ended_is_given_back() {
        let shared = Shared::new(GatewayOptions { workers: 2, ..GatewayOptions::default() });
        drop(shared.crowd.door(1));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = std::net::TcpStream::connect(address).unwrap();
        let bind = bind(address);
        let place = shared.options.places.take_now().unwrap();
        let presence = shared.crowd.enter(1);
        let guest = Guest { bind, address, stream, peer: address, place, presence };
        assert!(shared.crowd.hand_over(1, guest).is_err());
        assert_eq!(shared.crowd.counts(), [0, 0]);
    }
}
