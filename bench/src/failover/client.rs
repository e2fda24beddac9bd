//! The client: a request every few milliseconds, each on a connection of its own, as long as a
//! laboratory stands. It is the ticker of `lab watch`.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use steelyard_host::netns::Namespace;
use steelyard_lab::watch::{Fate, Outcome, Pace, Target, tick};
use tokio::sync::{mpsc, oneshot};

use super::site::wait;

/// How often, and when a request is given up.
pub(super) const PACE: Pace =
    Pace { every: Duration::from_millis(5), deadline: Duration::from_millis(300) };
/// So many answers in a row are calm.
const CALM: usize = 40;
/// Outcomes are of no use after this.
const KEPT: Duration = Duration::from_secs(60);

/// A running client; ends when dropped.
pub(super) struct Client {
    log: Arc<Mutex<Vec<Outcome>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Client {
    /// Starts in a network namespace.
    pub(super) fn start(namespace: &str, target: Target) -> Result<Self> {
        let namespace = Namespace::existing(namespace)?;
        let (stop, stopped) = oneshot::channel();
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&log);
        let thread = std::thread::spawn(move || {
            // Every socket is made on the thread that is inside.
            namespace.run(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(ask(target, &kept, stopped));
                Ok(())
            })?
        });
        Ok(Self { log, stop: Some(stop), thread: Some(thread) })
    }

    /// Requests that were not over before `time`, as far as they are over now, in the order of
    /// their starts.
    pub(super) fn since(&self, time: Instant) -> Vec<Outcome> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<Outcome> = log.iter().filter(|it| it.ended > time).copied().collect();
        drop(log);
        found.sort_unstable_by_key(|outcome| outcome.number);
        found
    }

    /// Waits until many requests in a row, begun after `time`, are answered; when that is.
    pub(super) fn calm_after(&self, time: Instant) -> Result<Instant> {
        wait("answers to the client", || {
            let begun: Vec<Outcome> =
                self.since(time).into_iter().filter(|it| it.started >= time).collect();
            begun.windows(CALM).any(is_calm).then(Instant::now)
        })
        .context("the client is not answered again")
    }

    /// Waits until all requests are over that began before `time`.
    pub(super) fn all_before(&self, time: Instant) -> Result<()> {
        wait("the end of requests", || {
            (time.elapsed() > PACE.deadline + PACE.every * 10).then_some(())
        })
    }

    /// Lets go of what is long over.
    pub(super) fn forget(&self) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.retain(|outcome| outcome.ended.elapsed() < KEPT);
    }
}

/// Requests without one missing between them, all answered.
fn is_calm(row: &[Outcome]) -> bool {
    let follows = |pair: &[Outcome]| pair[0].number + 1 == pair[1].number;
    row.windows(2).all(follows) && row.iter().all(|it| it.fate == Fate::Answered)
}

async fn ask(target: Target, log: &Mutex<Vec<Outcome>>, mut stopped: oneshot::Receiver<()>) {
    let (sender, mut outcomes) = mpsc::unbounded_channel();
    let ticking = tick(target, PACE, sender);
    tokio::pin!(ticking);
    loop {
        tokio::select! {
            Some(outcome) = outcomes.recv() => {
                log.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
            }
            _ = &mut stopped => return,
            () = &mut ticking => {}
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
