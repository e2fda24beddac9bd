//! One replica's part in an election.

use std::time::{Duration, Instant};

use crate::record::{LeaseRecord, SeenLease};
#[cfg(test)]
use crate::sim::Broken;

/// How long what lasts. `retry` < `deadline` < `duration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElectionTiming {
    /// So long a lease stands that nobody renews.
    pub duration: Duration,
    /// So long after it began to ask for its last renewal a leader leads.
    pub deadline: Duration,
    /// Between two attempts.
    pub retry: Duration,
}

/// Those of Kubernetes' own components.
impl Default for ElectionTiming {
    fn default() -> Self {
        let [duration, deadline, retry] = [15, 10, 2].map(Duration::from_secs);
        Self { duration, deadline, retry }
    }
}

/// What the API server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElectionInput {
    /// To [`ElectionOutput::Read`]: the lease; none where there is none.
    Read(Option<SeenLease>),
    /// To [`ElectionOutput::Write`]: it is written, and this is how it stands.
    Written(SeenLease),
    /// To [`ElectionOutput::Write`]: somebody else wrote first.
    Conflict,
    /// Nothing that tells: whether a write was carried out is not known.
    Failed,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElectionOutput {
    /// Read the lease.
    Read,
    /// Write the lease, `renewTime` being now.
    Write {
        /// `holderIdentity`: this replica's, or empty to let go.
        holder: String,
        /// `leaseDurationSeconds`.
        duration: Duration,
        /// `leaseTransitions`.
        transitions: u32,
        /// `acquireTime` as it was; none: it is now.
        acquired: Option<String>,
        /// The `resourceVersion` that is changed; none: the object is new.
        version: Option<String>,
    },
}

/// One replica's part: a machine that is told answers, and asked what to do and whether it leads.
///
/// ```text
///        due             answered           may write            answered
///  Waits ───────► Reads ──────────► Knows ───────────► Writes ──────────► Waits
///    └──────────────────────────────►└─────────────────────────────────────►
///        due, and leads                another one holds it
/// ```
///
/// A question that came to nothing leads back to `Waits`; after [`Self::leave`] it is `Gone` in
/// its place.
#[derive(Debug)]
pub struct Election {
    identity: String,
    timing: ElectionTiming,
    seen: Option<Observation>,
    /// Whether the lease may have changed since it was seen.
    is_stale: bool,
    /// Leads until then.
    until: Option<Instant>,
    state: State,
    leaves: bool,
    #[cfg(test)]
    pub(crate) broken: Option<Broken>,
}

/// The lease as it was last seen, and since when it has stood so.
#[derive(Debug)]
struct Observation {
    lease: SeenLease,
    since: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Asks when this is due.
    Waits(Instant),
    Reads,
    /// Has read the lease, and may have to write.
    Knows,
    /// Asked at this time for it to be written.
    Writes(Instant),
    Gone,
}

impl Election {
    /// Of a replica with this name, which no other has, nor had before it.
    ///
    /// # Panics
    /// When a leader would lead for as long as others wait, or longer.
    pub fn new(identity: impl Into<String>, timing: ElectionTiming, now: Instant) -> Self {
        assert!(timing.retry < timing.deadline && timing.deadline < timing.duration, "{timing:?}");
        Self {
            identity: identity.into(),
            timing,
            seen: None,
            is_stale: true,
            until: None,
            state: State::Waits(now),
            leaves: false,
            #[cfg(test)]
            broken: None,
        }
    }

    /// Whether this replica leads at `now`: asked before each write that only a leader may make.
    pub fn leads(&self, now: Instant) -> bool {
        #[cfg(test)]
        if self.broken == Some(Broken::NoDeadline) {
            return self.until.is_some();
        }
        self.until.is_some_and(|until| now < until)
    }

    /// Who holds the lease, as it was last seen; none where nobody does.
    pub fn holder(&self) -> Option<&str> {
        let record = &self.seen.as_ref()?.lease.record;
        Some(&*record.holder).filter(|holder| !holder.is_empty())
    }

    /// Leads no more from now on, and lets go of the lease. The next one may lead at once: what
    /// this replica began to write as a leader must have ended.
    pub fn leave(&mut self) {
        self.leaves = true;
        self.until = None;
        if matches!(self.state, State::Waits(_)) {
            self.state = State::Knows;
        }
    }

    /// Whether everything is done after [`Self::leave`].
    pub fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    /// Takes an answer in.
    pub fn handle(&mut self, now: Instant, input: ElectionInput) {
        match (self.state, input) {
            (State::Reads, ElectionInput::Read(lease)) => {
                self.observe(now, lease);
                self.state = State::Knows;
            }
            (State::Writes(asked), ElectionInput::Written(lease)) => {
                if lease.record.holder == self.identity && !self.leaves {
                    #[cfg(test)]
                    let asked = if self.broken == Some(Broken::FromAnswer) { now } else { asked };
                    self.until = Some(asked + self.timing.deadline);
                }
                self.observe(now, Some(lease));
                self.rest(now);
                if self.leaves {
                    self.state = State::Knows;
                }
            }
            (State::Reads | State::Writes(_), _) => {
                self.is_stale = true;
                self.rest(now);
            }
            // Nobody asked.
            (State::Waits(_) | State::Knows | State::Gone, _) => {}
        }
    }

    /// What to ask next, if anything. One question is open at a time.
    pub fn poll(&mut self, now: Instant) -> Option<ElectionOutput> {
        self.until = self.until.filter(|_| self.leads(now));
        if matches!(self.state, State::Waits(due) if due <= now) {
            if self.is_stale || !self.leads(now) {
                self.state = State::Reads;
                return Some(ElectionOutput::Read);
            }
            self.state = State::Knows;
        }
        if self.state != State::Knows {
            return None;
        }
        let output = if self.leaves { self.letting_go() } else { self.taking(now) };
        match output {
            Some(_) => self.state = State::Writes(now),
            None => self.rest(now),
        }
        output
    }

    /// When [`Self::poll`] has something to say, or this replica ceases to lead.
    pub fn deadline(&self) -> Option<Instant> {
        let due = match self.state {
            State::Waits(due) => Some(due),
            _ => None,
        };
        due.into_iter().chain(self.until).min()
    }

    fn observe(&mut self, now: Instant, lease: Option<SeenLease>) {
        self.is_stale = false;
        let before = self.seen.take();
        self.seen = lease.map(|lease| match before {
            Some(before) if before.lease.record == lease.record => {
                Observation { lease, since: before.since }
            }
            _ => Observation { lease, since: now },
        });
        if self.holder() != Some(&self.identity) {
            self.until = None;
        }
    }

    fn rest(&mut self, now: Instant) {
        self.state = if self.leaves { State::Gone } else { State::Waits(now + self.timing.retry) };
    }

    /// Writes the lease as its holder, if it may.
    fn taking(&self, now: Instant) -> Option<ElectionOutput> {
        let Some(seen) = &self.seen else {
            return Some(self.held(0, None, None));
        };
        let LeaseRecord { holder, transitions, times, .. } = &seen.lease.record;
        let version = Some(seen.lease.version.clone());
        if *holder == self.identity {
            return Some(self.held(*transitions, Some(times.0.clone()), version));
        }
        let is_free = holder.is_empty() || self.end(seen).is_some_and(|end| now >= end);
        is_free.then(|| self.held(transitions.saturating_add(1), None, version))
    }

    /// When the lease of another one has ended for us, if it stays as it was seen; none where it
    /// does not before time itself ends.
    fn end(&self, seen: &Observation) -> Option<Instant> {
        #[cfg(test)]
        if self.broken == Some(Broken::NoWait) {
            return Some(seen.since);
        }
        // Another one may have been told of another duration.
        seen.since.checked_add(self.timing.duration.max(seen.lease.record.duration))
    }

    fn held(
        &self,
        transitions: u32,
        acquired: Option<String>,
        version: Option<String>,
    ) -> ElectionOutput {
        #[cfg(test)]
        let version = version.filter(|_| self.broken != Some(Broken::NoVersion));
        let (holder, duration) = (self.identity.clone(), self.timing.duration);
        ElectionOutput::Write { holder, duration, transitions, acquired, version }
    }

    fn letting_go(&self) -> Option<ElectionOutput> {
        let lease = &self.seen.as_ref()?.lease;
        (lease.record.holder == self.identity).then(|| ElectionOutput::Write {
            holder: String::new(),
            // The least that an API server takes.
            duration: Duration::from_secs(1),
            transitions: lease.record.transitions,
            acquired: Some(lease.record.times.0.clone()),
            version: Some(lease.version.clone()),
        })
    }
}
