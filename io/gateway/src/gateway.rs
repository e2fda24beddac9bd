//! The gateway as others hold it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use steelyard_metrics::Exposition;
use steelyard_model::routing::id::{CertificateId, EntryPointId};
use steelyard_model::routing::world::RoutingMap;
use tokio::sync::watch;

use crate::check::Checker;
use crate::core::datagrams::HandedSession;
use crate::core::worker::{Command, PassOrder, Share, Worker};
use crate::down;
use crate::options::{Bind, Binding, GatewayOptions};
use crate::shared::staples::Lacking;
use crate::shared::{Config, Shared};
use crate::tell::access_log::{LogBuffer, LogPlaces, kept};
use crate::tell::date::unix_now;
use crate::tell::endpoints::{self, EndpointReport};
pub use crate::tell::exposition::nginx::NginxConnections;
use crate::tell::exposition::{self, Reloads};
use crate::tell::metrics::Sample;
use crate::tell::recent::{self, FailedRequest};
use crate::wire::listen::{self, Sockets};
use crate::wire::writer::LogWays;

/// A running gateway. Dropping it stops it at once; see [`Gateway::drain`] for the polite way.
pub struct Gateway {
    shared: Arc<Shared>,
    workers: Mutex<Vec<Worker>>,
    listening: Mutex<BTreeMap<Bind, SocketAddr>>,
    /// Entry points that show the program's own services.
    own_points: Mutex<BTreeSet<EntryPointId>>,
    reloads: Mutex<Reloads>,
    logs: Mutex<LogPlaces>,
    /// Asks endpoints whether they are well.
    checker: Mutex<Option<Checker>>,
    /// Nothing is taken from listeners while it is there.
    waiting: Mutex<Option<watch::Sender<()>>>,
}

/// The gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No thread for a worker.
    #[error("cannot start a gateway worker")]
    Worker(#[source] io::Error),
    /// The access log cannot be written.
    #[error("cannot open the access log{}", at(.path.as_deref()))]
    AccessLog {
        /// Its file; none is standard output.
        path: Option<PathBuf>,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// How long a worker may take to answer; it is busy for milliseconds at most.
const ANSWER: Duration = Duration::from_secs(2);

impl Gateway {
    /// Starts the workers. Nothing listens and nothing is routed yet.
    pub fn start(mut options: GatewayOptions) -> Result<Self, StartError> {
        let count = match options.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let logs = LogPlaces::start(options.access_log.as_ref()).map_err(|source| {
            let path = options.access_log.as_ref().and_then(|log| log.path.clone());
            StartError::AccessLog { path, source }
        })?;
        let chosen = Arc::new(options.access_log.clone().unwrap_or_default());
        options.workers = count;
        let waits = options.waits;
        let shared = Shared::new(options);
        let requests = Arc::<AtomicU64>::default();
        let log = || Some(LogBuffer::new(chosen.clone(), logs.own()?, requests.clone()));
        let workers = (0..count)
            .map(|index| Worker::start(index, shared.clone(), log(), down::SERVANTS))
            .collect::<io::Result<_>>()
            .map_err(StartError::Worker)?;
        let checker = Checker::start(shared.clone()).map_err(StartError::Worker)?;
        Ok(Self {
            shared,
            workers: Mutex::new(workers),
            listening: Mutex::default(),
            own_points: Mutex::default(),
            reloads: Mutex::default(),
            logs: Mutex::new(logs),
            checker: Mutex::new(Some(checker)),
            waiting: Mutex::new(waits.then(|| watch::channel(()).0)),
        })
    }

    /// Routes by `routing` from now on, at the cost of what differs from before. Requests under way
    /// finish as they began.
    pub fn apply(&self, routing: &RoutingMap, generation: u64) {
        let mut reloads = self.reloads.lock().unwrap_or_else(PoisonError::into_inner);
        let former = self.shared.config();
        let mut table = former.table.clone();
        let delta = routing.since(&former.routing);
        table.change(&delta);
        let terms = former.terms.follow(routing, &delta).map(Arc::new);
        if let Some(terms) = &terms {
            self.shared.staples.follow(terms.certificates());
        }
        let terms = terms.unwrap_or_else(|| former.terms.clone());
        let config = Config { generation, routing: routing.clone(), table, terms };
        self.lead_logs(routing);
        let own: BTreeSet<EntryPointId> =
            routing.points_of_own_services().into_iter().cloned().collect();
        // Until it is in force both count, and then this one.
        self.own_points().extend(own.iter().cloned());
        self.show_own(&[]);
        self.shared.swap(config, &delta);
        *self.own_points() = own;
        self.show_own(&[]);
        if let Some(checker) = &*self.checker() {
            checker.tell();
        }
        reloads.total += 1;
        reloads.last_success = unix_now();
    }

    /// Lets nobody be led to listeners that show the program's own services, nor to those of `soon`
    /// that will.
    fn show_own(&self, soon: &[Bind]) {
        let points = self.own_points();
        let is_own = |bind: &&Bind| points.iter().any(|point| point.as_str() == bind.entry_point);
        let listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        let there = listening.iter().filter(|(bind, _)| is_own(bind)).map(|(_, at)| *at);
        let soon = soon.iter().filter(is_own).map(|bind| bind.address);
        self.shared.options.own_sockets.show(there.chain(soon));
    }

    fn own_points(&self) -> MutexGuard<'_, BTreeSet<EntryPointId>> {
        self.own_points.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the logs that ingress-nginx's ConfigMap wants.
    fn lead_logs(&self, routing: &RoutingMap) {
        let own = self.shared.options.access_log.as_ref();
        let points = routing.entry_points.values();
        let wanted = points.filter_map(|point| kept(point, own)).map(|log| &**log);
        let ways = self.logs().follow(wanted);
        self.shared.lead_logs(ways);
    }

    fn logs(&self) -> MutexGuard<'_, LogPlaces> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Endpoints that took no connection when a request last asked for one.
    pub fn silent(&self) -> BTreeSet<SocketAddr> {
        self.shared.standings.silent()
    }

    /// Certificates that ask to be shown with what their signers say of them and are not, or that
    /// are revoked; and why.
    pub fn lacking(&self) -> BTreeMap<CertificateId, Lacking> {
        self.shared.staples.told().2
    }

    /// The generation that was applied last.
    pub fn generation(&self) -> u64 {
        self.shared.config().generation
    }

    /// Listens exactly on `binds`: closes what is not among them (requests under way finish),
    /// opens what is new, tries again what failed before. Returns what became of each, in order,
    /// with what its socket is bound to.
    pub fn listen(&self, binds: &[Bind]) -> Vec<(Bind, io::Result<SocketAddr>)> {
        self.listen_by(binds, listen::open)
    }

    /// The same with sockets that come from elsewhere: `open` gives those of a new bind, which are
    /// in the best case as many as asked for, one for each worker.
    pub fn listen_by(
        &self,
        binds: &[Bind],
        open: impl Fn(&Bind, usize) -> io::Result<(SocketAddr, Sockets)>,
    ) -> Vec<(Bind, io::Result<SocketAddr>)> {
        self.show_own(binds);
        let outcomes = self.listen_at(binds, open);
        self.show_own(&[]);
        outcomes
    }

    fn listen_at(
        &self,
        binds: &[Bind],
        open: impl Fn(&Bind, usize) -> io::Result<(SocketAddr, Sockets)>,
    ) -> Vec<(Bind, io::Result<SocketAddr>)> {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted: BTreeSet<&Bind> = binds.iter().collect();
        let gone: Vec<Bind> =
            listening.keys().filter(|bind| !wanted.contains(bind)).cloned().collect();
        for bind in gone {
            listening.remove(&bind);
            close(&workers, &bind);
        }
        let mut outcomes = Vec::with_capacity(binds.len());
        for bind in binds {
            let outcome = match listening.get(bind) {
                Some(address) => Ok(*address),
                None => open(bind, workers.len())
                    .and_then(|(address, all)| self.hand_out(&workers, bind, address, all)),
            };
            if let Ok(address) = outcome {
                listening.insert(bind.clone(), address);
            }
            outcomes.push((bind.clone(), outcome));
        }
        outcomes
    }

    /// Takes what comes to listeners, where that was not to be done at once.
    pub fn begin(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// All that is listened by, for another process: by [`Bind::key`], the sockets of one in the
    /// order of cores.
    pub fn sockets(&self) -> Vec<(String, OwnedFd)> {
        let mut all = self.ask(|to| Command::Pass(PassOrder::Sockets(to)));
        all.sort_by_key(|(core, _)| *core);
        let all = all.into_iter().flat_map(|(_, all)| all);
        let named = |(bind, all): (Bind, Vec<OwnedFd>)| {
            let key = bind.key();
            all.into_iter().map(move |socket| (key.clone(), socket))
        };
        all.flat_map(named).collect()
    }

    /// Another process takes datagrams from now on: the sessions that it goes on with. Connections
    /// are accepted as before. To be followed by [`Gateway::drain`], or by [`Gateway::go_on`].
    pub fn hand_on(&self) -> Vec<HandedSession> {
        let (to, sessions) = mpsc::channel();
        for worker in self.workers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = worker.commands.send(Command::Pass(PassOrder::HandDatagramsOn(to.clone())));
        }
        drop(to);
        std::iter::from_fn(|| sessions.recv_timeout(ANSWER).ok()).collect()
    }

    /// Takes datagrams as before.
    pub fn go_on(&self) {
        for worker in self.workers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = worker.commands.send(Command::Pass(PassOrder::TakeDatagrams));
        }
    }

    /// Goes on with sessions of another process, before [`Gateway::begin`]. Those of cores or
    /// listeners that are not here end.
    pub fn adopt(&self, sessions: Vec<HandedSession>) {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        for session in sessions {
            if let Some(worker) = workers.get(session.core) {
                let _ = worker.commands.send(Command::Pass(PassOrder::Adopt(session)));
            }
        }
    }

    /// Whether class nginx serves anywhere.
    pub fn serves_nginx(&self) -> bool {
        let config = self.shared.config();
        config.routing.entry_points.values().any(|point| point.nginx.is_some())
    }

    /// Writes counters, under Traefik's names. A worker that does not answer in time is left out.
    pub fn expose(&self, out: &mut Exposition) {
        let samples: Vec<Sample> = self.ask(|to| Command::Sample { to });
        let reloads = *self.reloads.lock().unwrap_or_else(PoisonError::into_inner);
        let GatewayOptions { views, header_labels, buckets, nginx, .. } = &self.shared.options;
        exposition::expose(&samples, reloads, (*views, header_labels), buckets, out);
        endpoints::expose(&self.shared.config().routing, &self.shared.standings, out);
        let routing = &self.shared.config().routing;
        exposition::nginx::expose(&samples, reloads, routing, nginx, out);
        exposition::expose_certificates(&self.shared.config().routing, out);
        let (taken, none, lacking) = self.shared.staples.told();
        exposition::expose_staples((taken, none), lacking.len(), out);
        if let Some(lost) = self.logs().lost() {
            exposition::expose_log(lost, out);
        }
        if let Some(tracing) = &self.shared.options.tracing {
            exposition::expose_spans(tracing.sink.counts(), out);
        }
    }

    /// Connections of clients, as nginx tells of them; none where its class serves nowhere.
    pub fn nginx_connections(&self) -> Option<NginxConnections> {
        let samples: Option<Vec<Sample>> =
            self.serves_nginx().then(|| self.ask(|to| Command::Sample { to }));
        samples.map(|samples| exposition::nginx::connections(&samples))
    }

    /// The last requests that were not answered with success, the newest first.
    pub fn failed_requests(&self) -> Vec<FailedRequest> {
        recent::newest(self.ask(|to| Command::Recent { to }))
    }

    /// What the workers say; one that does not answer in time is left out.
    fn ask<T>(&self, question: impl Fn(mpsc::Sender<T>) -> Command) -> Vec<T> {
        let (to, answers) = mpsc::channel();
        let mut expected = 0;
        {
            let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
            for worker in workers.iter() {
                let asked = worker.commands.send(question(to.clone()));
                expected += usize::from(asked.is_ok());
            }
        }
        drop(to);
        (0..expected).map_while(|_| answers.recv_timeout(ANSWER).ok()).collect()
    }

    /// What is known of each endpoint of each backend, in the order of these.
    pub fn endpoints(&self) -> Vec<EndpointReport> {
        let samples: Vec<Sample> = self.ask(|to| Command::Sample { to });
        endpoints::report(&self.shared.config().routing, &self.shared.standings, &samples)
    }

    /// Hands each worker its sockets.
    fn hand_out(
        &self,
        workers: &[Worker],
        bind: &Bind,
        address: SocketAddr,
        sockets: Sockets,
    ) -> io::Result<SocketAddr> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Gone at the end, when all workers are told, unless all of it waits.
        let (all_told, told) = watch::channel(());
        let told = waiting.as_ref().map_or(told, watch::Sender::subscribe);
        for (worker, share) in workers.iter().zip(shares(sockets, workers.len())?) {
            let leads = matches!(bind.binding, Binding::Led | Binding::Lent);
            let reached = if leads { bind.address } else { address };
            let told = told.clone();
            let command = Command::Open { bind: bind.clone(), address: reached, share, told };
            worker.commands.send(command).map_err(|_| io::Error::other("a worker is gone"))?;
        }
        drop(all_told);
        Ok(address)
    }

    fn checker(&self) -> MutexGuard<'_, Option<Checker>> {
        self.checker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the access log's file again, after log rotation has moved it away.
    pub fn reopen_log(&self) {
        self.logs().reopen();
    }

    /// From now on each answer ends its connection; new ones are still accepted. For when another
    /// gateway takes over.
    pub fn wind_down(&self) {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        for worker in workers.iter() {
            let _ = worker.commands.send(Command::WindDown);
        }
    }

    /// Ends a [`Gateway::drain`] that goes on, or comes later.
    pub fn hurry(&self) {
        self.shared.hurry.store(true, Ordering::Relaxed);
    }

    /// Stops accepting, lets requests under way finish until `timeout`, and ends the workers.
    /// Blocks until then.
    pub fn drain(&self, timeout: Duration) {
        let workers: Vec<Worker> = {
            let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
            workers.drain(..).collect()
        };
        self.listening.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let checker = self.checker().take();
        for worker in &workers {
            let _ = worker.commands.send(Command::Drain { timeout });
        }
        for worker in workers {
            drop(worker.commands);
            let _ = worker.thread.join();
        }
        checker.into_iter().for_each(Checker::end);
        self.shared.lead_logs(LogWays::default());
        self.logs().finish();
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.drain(Duration::ZERO);
    }
}

fn at(path: Option<&Path>) -> String {
    path.map_or_else(String::new, |path| format!(" {}", path.display()))
}

/// So many shares of `sockets`, none of them empty: nobody else accepts from a socket that is left
/// out, and workers without any would share one.
fn shares(sockets: Sockets, count: usize) -> io::Result<Vec<Share>> {
    let sockets = match sockets {
        Sockets::Tcp(sockets) => sockets,
        Sockets::Udp(sockets) => {
            // Here, since a worker without a descriptor for it could tell nobody.
            let share = |it: UdpSocket| it.try_clone().map(|shared| Share::Udp(it, shared.into()));
            return sockets.into_iter().map(share).collect();
        }
    };
    let mut shares: Vec<Vec<TcpListener>> = (0..count).map(|_| Vec::new()).collect();
    let given = sockets.len();
    for (number, socket) in sockets.into_iter().enumerate() {
        if let Some(share) = shares.get_mut(number % count.max(1)) {
            share.push(socket);
        }
    }
    for number in given..count {
        let shared = number.checked_rem(given).and_then(|at| shares.get(at)?.first());
        let shared = shared.ok_or_else(|| io::Error::other("there are no sockets"))?.try_clone()?;
        shares[number].push(shared);
    }
    Ok(shares.into_iter().map(Share::Tcp).collect())
}

/// Returns when the port is free again.
fn close(workers: &[Worker], bind: &Bind) {
    let (done, all_done) = mpsc::channel();
    for worker in workers {
        let _ = worker.commands.send(Command::Close { bind: bind.clone(), done: done.clone() });
    }
    drop(done);
    for _ in workers {
        if all_done.recv_timeout(ANSWER).is_err() {
            return;
        }
    }
}
