//! One vip on one interface: may we answer for it?
//!
//! ```text
//!            nobody answers the probes
//!  Probing ────────────────────────────► Announced ──┐ another claims it, policy `defend`:
//!     ▲ │                                    │   ▲───┘ one announcement per DEFEND_INTERVAL
//!     │ │ another claims or probes it        │ another claims it: policy `withdraw`, or so soon
//!     │ ▼                                    ▼ after the probes that it is a late answer to them
//!     └─────────────────── Conflicted ◄──────┘
//!       retry time is over
//! ```
//!
//! Probing follows RFC 5227 §2.1.1 (and RFC 4862 §5.4 for IPv6) in shape, with shorter waits: a
//! vip that moves must answer again within a fraction of a second. Machines that are slower than
//! that (asleep on Wi-Fi) are believed afterwards. While a vip is announced, it is announced and
//! probed for now and then: tables that were set wrong are set right, and a machine that took the
//! address without a word is found. It knows no frames:
//! the responder turns its [`Step`]s into ARP or neighbor discovery.
//!
//! Invariant: only `Announced` may answer.

use std::time::Duration;
use std::time::Instant;

use crate::wire::{Mac, Mark};

/// Between two reports of a rival.
const REPORT: Duration = Duration::from_secs(1);

/// How long vips wait, and what they do about a rival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Probes before first use; 0 announces at once.
    pub probes: u32,
    /// Wait after each probe.
    pub probe_interval: Duration,
    /// Wait before probing again for a vip that another has.
    pub retry: Duration,
    /// Between two announcements.
    pub announce_interval: Duration,
    /// No such announcement later than this after the first.
    pub announce_span: Duration,
    /// After those, it is announced once and probed for about this often; zero is never.
    pub refresh: Duration,
    /// A claim that comes no later than this after the first announcement is a late answer to the
    /// probes: the other was there before, and has the vip.
    pub doubt: Duration,
    /// At most one defence in this time (RFC 5227 §1.1, DEFEND_INTERVAL).
    pub defend_interval: Duration,
    /// What to do when another claims a vip that we announce.
    pub policy: ConflictPolicy,
}

/// What to do when another machine claims a vip that we announce (RFC 5227 §2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ConflictPolicy {
    /// Announce it once more, and keep it (c).
    #[default]
    Defend,
    /// Give it up, and probe for it later (a).
    Withdraw,
    /// Only tell: somebody else decides.
    Report,
}

/// What another machine does with our vip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It says that it has it.
    Has,
    /// It asks, for itself, whether anybody has it.
    Probes,
}

/// Where a vip stands on one interface, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Asking whether another has it.
    Probing,
    /// Answered for by us; the rival is one that claimed it within the last defend interval.
    Announced {
        /// Another machine that claims it too.
        rival: Option<Mac>,
    },
    /// Another has it; it is asked again every few seconds.
    Conflicted {
        /// That machine.
        rival: Mac,
    },
}

/// What happened to a vip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VipChange {
    /// From now on we answer for it.
    Announced,
    /// Another machine has it (or wants it at the same moment): we do not announce it.
    Taken {
        /// That machine.
        rival: Mac,
    },
    /// Another machine claims it while we announce it: we keep it.
    Defended {
        /// That machine.
        rival: Mac,
    },
    /// Another machine claims it while we announce it: we gave it up.
    Yielded {
        /// That machine.
        rival: Mac,
    },
    /// Another machine claims it while we announce it: somebody else decides what to do.
    Contested {
        /// That machine.
        rival: Mac,
        /// What it says beside.
        mark: Option<Mark>,
    },
}

/// What one input led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Step {
    pub(crate) send: Option<Send>,
    pub(crate) change: Option<VipChange>,
}

/// What is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Send {
    Probe,
    /// The LAN does not know it yet, or something wrong.
    Announcement,
    /// It was said before; some may have missed it.
    Repetition,
    /// A repetition and a probe.
    Refresh,
}

/// One vip on one interface.
#[derive(Clone, Debug)]
pub(crate) struct Vip {
    state: State,
    /// Somebody else made sure that nobody has it.
    is_cleared: bool,
    /// Between 0 and 99: the higher, the more often it is refreshed, lest all are at once.
    haste: u8,
}

#[derive(Clone, Debug)]
enum State {
    /// `sent` probes are out; the next thing happens at `next`. `known` is who had it last time.
    Probing { sent: u32, next: Instant, known: Option<Mac> },
    /// The next announcement is due at `next`. Claims before `doubted` are late answers.
    Announced { first: Instant, next: Option<Instant>, rival: Option<Rival>, doubted: Instant },
    /// Another has it.
    Conflicted { rival: Mac, retry: Instant },
}

/// Who claims a vip that we announce, and when we last did something about it.
#[derive(Clone, Copy, Debug)]
struct Rival {
    mac: Mac,
    defended: Instant,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            probes: 2,
            probe_interval: Duration::from_millis(25),
            retry: Duration::from_secs(4),
            announce_interval: Duration::from_millis(1100),
            announce_span: Duration::from_secs(5),
            refresh: Duration::from_secs(120),
            doubt: Duration::from_secs(2),
            defend_interval: Duration::from_secs(10),
            policy: ConflictPolicy::default(),
        }
    }
}

impl Vip {
    /// A vip that is ours to announce, if nobody else has it. Its first step is due at `next`.
    /// `random` spreads its refreshes.
    pub(crate) fn new(next: Instant, random: u64) -> Self {
        let haste = u8::try_from(random % 100).expect("small");
        Self { state: State::Probing { sent: 0, next, known: None }, is_cleared: false, haste }
    }

    /// A vip that nobody else has, as somebody made sure. Its first step announces it.
    pub(crate) fn cleared(next: Instant, timing: &Timing, random: u64) -> Self {
        let state = State::Probing { sent: timing.probes, next, known: None };
        Self { state, is_cleared: true, ..Self::new(next, random) }
    }

    /// Whether we answer for it.
    pub(crate) fn answers(&self) -> bool {
        matches!(self.state, State::Announced { .. })
    }

    /// Where it stands. A vip that is probed again counts as conflicted until it is ours.
    pub(crate) fn phase(&self, now: Instant, timing: &Timing) -> Phase {
        match self.state {
            State::Probing { known: None, .. } => Phase::Probing,
            State::Probing { known: Some(rival), .. } | State::Conflicted { rival, .. } => {
                Phase::Conflicted { rival }
            }
            State::Announced { rival, .. } => {
                let recent = rival.filter(|it| now < it.defended + timing.defend_interval);
                Phase::Announced { rival: recent.map(|it| it.mac) }
            }
        }
    }

    /// When it wants [`Vip::on_time`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Probing { next, .. } | State::Conflicted { retry: next, .. } => Some(next),
            State::Announced { next, .. } => next,
        }
    }

    /// Time passed: does the one thing that is due.
    pub(crate) fn on_time(&mut self, now: Instant, timing: &Timing) -> Step {
        if self.deadline().is_none_or(|due| now < due) {
            return Step::default();
        }
        match self.state {
            State::Probing { sent, known, .. } if sent < timing.probes => {
                let next = now + timing.probe_interval;
                self.state = State::Probing { sent: sent + 1, next, known };
                Step { send: Some(Send::Probe), change: None }
            }
            State::Probing { .. } => {
                let is_sure = self.is_cleared || timing.probes == 0;
                let doubted = if is_sure { now } else { now + timing.doubt };
                self.announce(now, None, doubted, timing);
                Step { send: Some(Send::Announcement), change: Some(VipChange::Announced) }
            }
            State::Announced { first, rival, doubted, .. } => {
                let repeats = now <= first + timing.announce_span;
                let send = if repeats { Send::Repetition } else { Send::Refresh };
                let next = self.next(now, first, timing);
                self.state = State::Announced { first, next, rival, doubted };
                Step { send: Some(send), change: None }
            }
            State::Conflicted { rival, .. } => {
                self.is_cleared = false;
                self.state = State::Probing { sent: 0, next: now, known: Some(rival) };
                self.on_time(now, timing)
            }
        }
    }

    /// Another machine claims it. `jitter` spreads the retries of machines that probe alike.
    pub(crate) fn on_claim(
        &mut self,
        now: Instant,
        (other, mark): (Mac, Option<Mark>),
        claim: Claim,
        jitter: Duration,
        timing: &Timing,
    ) -> Step {
        let retry = now + timing.retry + jitter;
        match self.state {
            State::Probing { known, .. } => {
                self.state = State::Conflicted { rival: other, retry };
                let change = (known != Some(other)).then_some(VipChange::Taken { rival: other });
                Step { send: None, change }
            }
            State::Conflicted { retry, .. } => {
                if claim == Claim::Has {
                    self.state = State::Conflicted { rival: other, retry };
                }
                Step::default()
            }
            // Who only asks gets an answer like everybody: that keeps it off the address.
            State::Announced { .. } if claim == Claim::Probes => Step::default(),
            State::Announced { doubted, .. }
                if timing.policy == ConflictPolicy::Withdraw || now < doubted =>
            {
                self.state = State::Conflicted { rival: other, retry };
                Step { send: None, change: Some(VipChange::Yielded { rival: other }) }
            }
            State::Announced { first, next, rival, doubted } => {
                let told = timing.policy == ConflictPolicy::Report;
                let wait = if told { REPORT } else { timing.defend_interval };
                // What is marked may be one of us, with the better claim: that is settled at once.
                let is_marked = told && mark.is_some();
                if !is_marked && rival.is_some_and(|it| now < it.defended + wait) {
                    return Step::default();
                }
                let rival = Some(Rival { mac: other, defended: now });
                self.state = State::Announced { first, next, rival, doubted };
                if told {
                    return Step {
                        send: None,
                        change: Some(VipChange::Contested { rival: other, mark }),
                    };
                }
                let change = Some(VipChange::Defended { rival: other });
                Step { send: Some(Send::Announcement), change }
            }
        }
    }

    /// Our own link-layer address changed: what others remember is wrong.
    pub(crate) fn on_own_mac(&mut self, now: Instant, timing: &Timing) -> Step {
        match self.state {
            State::Announced { rival, doubted, .. } => {
                self.announce(now, rival, doubted, timing);
                Step { send: Some(Send::Announcement), change: None }
            }
            State::Probing { next, known, .. } => {
                self.state = State::Probing { sent: 0, next, known };
                Step::default()
            }
            State::Conflicted { .. } => Step::default(),
        }
    }

    /// Enters `Announced`, the first announcement being sent by the caller.
    fn announce(&mut self, now: Instant, rival: Option<Rival>, doubted: Instant, timing: &Timing) {
        let next = self.next(now, now, timing);
        self.state = State::Announced { first: now, next, rival, doubted };
    }

    /// When a vip announced now, and first at `first`, is announced next.
    fn next(&self, now: Instant, first: Instant, timing: &Timing) -> Option<Instant> {
        let repeated = now + timing.announce_interval;
        if repeated <= first + timing.announce_span {
            return Some(repeated);
        }
        let lead = timing.refresh / 4 * u32::from(self.haste) / 100;
        Some(now + timing.refresh - lead).filter(|_| timing.refresh > Duration::ZERO)
    }
}

#[cfg(test)]
mod tests;
