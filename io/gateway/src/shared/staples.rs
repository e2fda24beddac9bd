//! What signers say of certificates that ask to be shown with it (`must-staple`, RFC 7633), or are
//! to be: asked for by a thread of its own, that is there once there is such a certificate.
//!
//! No handshake waits for it, and none fails for want of it here: where there is no answer, the
//! certificate is shown without, and that is told.

mod post;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use steelyard_host::own_sockets::OwnSockets;
use steelyard_model::routing::id::CertificateId;
use steelyard_tls::{Offer, Staple, StatusAnswer, Unstapled, question};

use super::keyed::Keyed;

/// The way to the thread, which ends with it.
pub(crate) struct Staples {
    to: Mutex<Option<Sender<Wishes>>>,
    told: Arc<Told>,
}

/// All certificates that it is asked for.
type Wishes = Vec<Arc<Keyed>>;

/// What came of asking.
#[derive(Default)]
pub(crate) struct Told {
    answers: AtomicU64,
    failures: AtomicU64,
    lacking: Mutex<BTreeMap<CertificateId, Lacking>>,
    /// None of these is asked.
    own: OwnSockets,
}

/// Why a certificate is not shown as it asks to be, or should not be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacking {
    /// There is no answer.
    Answer(Unstapled),
    /// It is revoked.
    Revoked,
}

/// One certificate, and what is known of it.
struct Wish {
    keyed: Arc<Keyed>,
    staple: Staple,
    /// Why the last attempt came to nothing.
    why: Option<Unstapled>,
}

/// Nobody waits longer than that for something to change.
const LONGEST: Duration = Duration::from_hours(1);

impl Staples {
    /// Nobody is asked yet, and never any of these.
    pub(crate) fn new(own: OwnSockets) -> Self {
        Self { to: Mutex::default(), told: Arc::new(Told { own, ..Told::default() }) }
    }

    /// Has these looked after from now on, and no others.
    pub(crate) fn follow<'k>(&self, all: impl Iterator<Item = &'k Arc<Keyed>>) {
        let wishes: Wishes = all.filter(|it| it.is_stapled()).cloned().collect();
        let mut to = locked(&self.to);
        if to.is_none() && !wishes.is_empty() {
            *to = start(self.told.clone());
        }
        if let Some(to) = &*to {
            // It outlives all who send.
            let _ = to.send(wishes);
        }
    }

    /// How many answers were taken, how often there was none, and who lacks one.
    pub(crate) fn told(&self) -> (u64, u64, BTreeMap<CertificateId, Lacking>) {
        let Told { answers, failures, lacking, .. } = &*self.told;
        let counts = [answers, failures].map(|it| it.load(Ordering::Relaxed));
        (counts[0], counts[1], locked(lacking).clone())
    }
}

fn locked<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(told: Arc<Told>) -> Option<Sender<Wishes>> {
    let (to, from) = channel();
    let thread = std::thread::Builder::new().name("gateway-staples".to_owned());
    let started = thread.spawn(move || look_after(&from, &told));
    started.inspect_err(|error| tracing::error!(%error, "no thread for OCSP")).ok()?;
    Some(to)
}

fn look_after(from: &Receiver<Wishes>, told: &Told) {
    let mut all: Vec<Wish> = Vec::new();
    loop {
        let next = all.iter().map(|wish| wish.staple.due(now())).min();
        let wait = next.map_or(LONGEST, |due| seconds(due - now()).min(LONGEST));
        match from.recv_timeout(wait) {
            Ok(wishes) => follow(&mut all, from.try_iter().last().unwrap_or(wishes)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        locked(&told.lacking).retain(|id, _| all.iter().any(|it| it.keyed.certificate().id == *id));
        // One at a time, so that what changes meanwhile is heard of.
        let due = all.iter_mut().filter(|wish| wish.staple.due(now()) <= now());
        if let Some(wish) = due.min_by_key(|wish| wish.staple.due(now())) {
            wish.go_on(told);
        }
    }
}

/// Keeps what is known of those who stay.
fn follow(all: &mut Vec<Wish>, wishes: Wishes) {
    let mut known = std::mem::take(all);
    for keyed in wishes {
        let at = known.iter().position(|wish| Arc::ptr_eq(&wish.keyed, &keyed));
        let wish = at.map(|at| known.swap_remove(at));
        all.push(wish.unwrap_or_else(|| Wish { keyed, staple: Staple::default(), why: None }));
    }
}

impl Wish {
    /// Asks, if it is time to, and shows what holds now.
    fn go_on(&mut self, told: &Told) {
        let certificate = self.keyed.certificate();
        let id = certificate.id.clone();
        if self.staple.is_due(now()) {
            let outcome = question(certificate).and_then(|question| {
                let said = post::post(&question.url, &question.request, &told.own);
                question.answered(&said.ok_or(Unstapled::Unreached)?, now())
            });
            let why = self.staple.learn(outcome, now()).err();
            let count = if why.is_none() { &told.answers } else { &told.failures };
            count.fetch_add(1, Ordering::Relaxed);
            if let Some(why) = why.filter(|why| self.why != Some(*why)) {
                // Who holds the gateway says so to people.
                tracing::debug!(certificate = %id, %why, "a certificate gets no OCSP response");
            }
            self.why = why;
        }
        let shown = self.staple.shown(now());
        let lacking = match shown {
            Some(StatusAnswer { is_revoked: true, .. }) => Some(Lacking::Revoked),
            Some(_) => None,
            None => self.why.filter(|_| self.keyed.must_staple()).map(Lacking::Answer),
        };
        self.keyed.staple(shown.map(|answer| answer.der.clone()));
        let mut all = locked(&told.lacking);
        match lacking {
            Some(lacking) => drop(all.insert(id, lacking)),
            None => drop(all.remove(&id)),
        }
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn seconds(count: i64) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or_default())
}
