//! The listener and its thread.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use steelyard_host::inherited::Inherited;
use steelyard_host::places::{Places, TakenPlace};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

use crate::access::Access;
use crate::guests::{Guest, Guests};
use crate::{AdminOptions, HEALTH_LISTENER, HealthOptions, LISTENER, Published, StartError, api};

/// A connection without a complete request head for this long is closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// A reader that takes nothing for this long is dropped.
const STUCK_TIMEOUT: Duration = Duration::from_secs(30);
/// After a failed accept (no more descriptors), try again this much later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections that wait to be accepted: who is new is heard although many came before.
const BACKLOG: i32 = 1024;

/// The running admin interface. Dropping it closes the listener and all connections.
#[derive(Debug)]
pub struct Admin {
    /// By which its listener is passed on.
    name: &'static str,
    address: SocketAddr,
    /// Shared with the thread, for another process.
    listener: StdListener,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts to answer, in a thread of its own. The listener is open when this returns.
pub fn serve(options: &AdminOptions, published: Arc<Published>) -> Result<Admin, StartError> {
    let access = Access::new(options)?;
    if access.is_public_only() {
        let address = options.listen;
        tracing::warn!(%address, "without --admin-token-file only metrics and health are told");
    }
    let AdminOptions { listen, inherited, places, waits, .. } = options;
    let router = api::router(published, access, places.clone());
    start(LISTENER, *listen, inherited, (router, places.clone(), waits.clone()))
}

/// Starts to tell health and metrics at an address of their own, in a thread of its own.
pub fn serve_health(
    options: &HealthOptions,
    published: Arc<Published>,
) -> Result<Admin, StartError> {
    let HealthOptions { listen, path, inherited, places, waits } = options;
    let router = api::health_router(published, path);
    start(HEALTH_LISTENER, *listen, inherited, (router, places.clone(), waits.clone()))
}

fn start(
    name: &'static str,
    wanted: SocketAddr,
    inherited: &Inherited,
    (router, places, waits): (Router, Places, Option<watch::Receiver<()>>),
) -> Result<Admin, StartError> {
    let bind = |source| StartError::Bind { address: wanted, source };
    let (listener, address) = match inherited.take(name).pop() {
        Some(given) => adopt(given.into()),
        None => listen(wanted),
    }
    .map_err(bind)?;
    let shared = listener.try_clone().map_err(bind)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::Thread)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let work = move || {
        runtime.block_on(async {
            tokio::select! {
                () = accept_later(waits, listener, router, places) => {}
                _ = stopped => {}
            }
        });
    };
    let thread =
        std::thread::Builder::new().name(name.into()).spawn(work).map_err(StartError::Thread)?;
    Ok(Admin { name, address, listener: shared, stop: Some(stop), thread: Some(thread) })
}

impl Admin {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its listener for another process, by name.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn socket(&self) -> std::io::Result<(String, OwnedFd)> {
        Ok((self.name.to_owned(), self.listener.try_clone()?.into()))
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic there was printed there
        }
    }
}

fn listen(address: SocketAddr) -> std::io::Result<(StdListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let listener = StdListener::from(socket);
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn adopt(listener: StdListener) -> std::io::Result<(StdListener, SocketAddr)> {
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn accept_later(
    waits: Option<watch::Receiver<()>>,
    listener: StdListener,
    router: Router,
    places: Places,
) {
    if let Some(mut waits) = waits {
        while waits.changed().await.is_ok() {}
    }
    accept(listener, router, places).await;
}

async fn accept(listener: StdListener, router: Router, places: Places) {
    let listener = TcpListener::from_std(listener).expect("a non-blocking listener can be polled");
    let guests = Guests::default();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Who was busy when it was first asked may be idle at the next.
                let place = places.take_making_room(ACCEPT_PAUSE, || guests.make_room()).await;
                tokio::spawn(converse(stream, router.clone(), guests.come(), place));
            }
            Err(error) => {
                places.note_failure();
                guests.make_room();
                tracing::debug!(%error, "accepting an admin connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, router: Router, guest: Guest, _place: TakenPlace) {
    let socket = SockRef::from(&stream);
    if let Err(error) = socket.set_tcp_user_timeout(Some(STUCK_TIMEOUT)) {
        tracing::debug!(%error, "bounding how long a reader may be stuck");
    }
    let router = TowerToHyperService::new(router);
    let service = service_fn(|request| guest.serve(router.call(request)));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let served = tokio::select! {
        served = served => served,
        () = guest.asked_to_leave() => return,
    };
    if let Err(error) = served {
        tracing::debug!(%error, "an admin connection ended");
    }
}
