//! Which endpoints answer, of those that the kernel sends connections to.
//!
//! An endpoint that works is asked for a connection now and then. Connection tracking knows whose
//! connections are not answered: such an endpoint is suspected, and asked at once. (Of one that is
//! refused it keeps nothing.) Where that fails it is dead, and asked again each round until it
//! answers. Of ports with one endpoint nobody asks: there is no better one.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steelyard_forwarding::Vitals;
use steelyard_host::conntrack;
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

/// The rounds, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    known: Vitals,
    /// Vips with their ports, and where they lead.
    wanted: Arc<BTreeMap<SocketAddr, Vec<SocketAddr>>>,
    running: Option<JoinHandle<Vitals>>,
}

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(1);
/// How long an endpoint may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
impl Rounds {
    /// These ports lead to these endpoints from now on.
    pub(crate) fn follow(&mut self, wanted: BTreeMap<SocketAddr, Vec<SocketAddr>>) {
        self.known.keep(&wanted.values().flatten().copied().collect());
        self.wanted = Arc::new(wanted);
    }

    /// Those that do not answer.
    pub(crate) fn dead(&self) -> &BTreeSet<SocketAddr> {
        self.known.dead()
    }

    /// Waits until others answer than before. Nothing is lost when the wait is given up.
    pub(crate) async fn changed(&mut self) {
        loop {
            let (known, wanted) = (self.known.clone(), Arc::clone(&self.wanted));
            let running = self.running.get_or_insert_with(|| tokio::spawn(round(known, wanted)));
            let came = running.await;
            self.running = None;
            let Ok(mut vitals) = came else { continue };
            vitals.keep(&self.wanted.values().flatten().copied().collect());
            let before = std::mem::replace(&mut self.known, vitals);
            for endpoint in self.known.dead().difference(before.dead()) {
                tracing::warn!(%endpoint, "does not answer: it gets no connections until it does");
            }
            for endpoint in before.dead().difference(self.known.dead()) {
                tracing::info!(%endpoint, "answers again");
            }
            if before.dead() != self.known.dead() {
                return;
            }
        }
    }
}

async fn round(mut known: Vitals, wanted: Arc<BTreeMap<SocketAddr, Vec<SocketAddr>>>) -> Vitals {
    tokio::time::sleep(ROUND).await;
    if wanted.is_empty() {
        return known;
    }
    let now = Instant::now();
    let begun = Instant::now();
    let endpoints: BTreeSet<SocketAddr> = wanted.values().flatten().copied().collect();
    let suspects = tokio::task::spawn_blocking(move || suspects(&wanted)).await;
    let took = begun.elapsed();
    let asked = known.round(&endpoints, suspects.unwrap_or_default(), now);
    let mut answers = JoinSet::new();
    for endpoint in asked {
        answers.spawn(async move { (endpoint, answers_now(endpoint).await) });
    }
    while let Some(outcome) = answers.join_next().await {
        if let Ok((endpoint, Some(answers))) = outcome {
            known.learn(endpoint, answers, now);
        }
    }
    // Where many connections are tracked, looking through them takes a while.
    tokio::time::sleep(took * 20).await;
    known
}

/// Endpoints with a connection through a vip that is not answered.
fn suspects(wanted: &BTreeMap<SocketAddr, Vec<SocketAddr>>) -> BTreeSet<SocketAddr> {
    let mut suspects = BTreeSet::new();
    let looked = conntrack::each(|flow| {
        let is_suspect = flow.protocol == conntrack::TCP && flow.is_unanswered;
        let endpoints = wanted.get(&flow.destination).filter(|_| is_suspect);
        if endpoints.is_some_and(|it| it.contains(&flow.answering)) {
            suspects.insert(flow.answering);
        }
    });
    if let Err(error) = looked {
        tracing::debug!(%error, "cannot tell which endpoints answer");
    }
    suspects
}

/// None where that cannot be told.
async fn answers_now(endpoint: SocketAddr) -> Option<bool> {
    match timeout(PATIENCE, TcpStream::connect(endpoint)).await {
        Ok(Ok(_)) => Some(true),
        Err(_) => Some(false),
        Ok(Err(error)) => match error.kind() {
            ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::TimedOut => Some(false),
            _ => None,
        },
    }
}
