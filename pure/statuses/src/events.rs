//! Events of a cluster: what happened to a Service, in MetalLB's words.
//!
//! What happens again is counted in the event that is there, and whoever has had many gets few
//! more: an object whose mistake is found at each look does not fill the cluster with them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use steelyard_model::ObjectRef;
use steelyard_plan::ServiceEventKind;

/// Events that an object may have at once.
const BURST: u32 = 25;
/// How long it takes until it may have one more.
const REFILL: Duration = Duration::from_secs(300);
/// So many different ones are remembered; then they are counted from the start.
const MOST: usize = 10_000;
/// An API server keeps them for so long.
const KEPT: Duration = Duration::from_secs(3600);

/// An event to write, new or once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventWrite {
    /// Its name, the same whenever the same happens.
    pub name: String,
    /// About which object.
    pub object: ObjectRef,
    /// Which one of that name.
    pub uid: String,
    /// `Normal` or `Warning`.
    pub kind: ServiceEventKind,
    /// One word.
    pub reason: String,
    /// One sentence.
    pub message: String,
    /// How often it happened.
    pub count: u32,
    /// When first, RFC 3339.
    pub first: String,
    /// When last, RFC 3339.
    pub last: String,
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub struct Happened<'a> {
    /// To which object.
    pub object: &'a ObjectRef,
    /// Which one of that name.
    pub uid: &'a str,
    /// `Normal` or `Warning`.
    pub kind: ServiceEventKind,
    /// One word.
    pub reason: &'a str,
    /// One sentence.
    pub message: &'a str,
}

/// What was told.
#[derive(Clone, Debug, Default)]
pub struct Events {
    told: BTreeMap<String, Told>,
    budgets: BTreeMap<String, Budget>,
}

#[derive(Clone, Debug)]
struct Told {
    count: u32,
    first: String,
    last: Instant,
}

/// What an object has left.
#[derive(Clone, Copy, Debug)]
struct Budget {
    left: u32,
    since: Instant,
}

impl Events {
    /// The event to write, for the time `now`, which is `at` in words; none where there were too
    /// many.
    pub fn tell(&mut self, now: Instant, at: &str, it: Happened<'_>) -> Option<EventWrite> {
        self.forget(now);
        if !self.budgets.entry(it.uid.to_owned()).or_insert_with(|| Budget::full(now)).spend(now) {
            return None;
        }
        let name = name(it);
        let new = || Told { count: 0, first: at.to_owned(), last: now };
        let told = self.told.entry(name.clone()).or_insert_with(new);
        (told.count, told.last) = (told.count.saturating_add(1), now);
        Some(EventWrite {
            name,
            object: it.object.clone(),
            uid: it.uid.to_owned(),
            kind: it.kind,
            reason: it.reason.to_owned(),
            message: it.message.to_owned(),
            count: told.count,
            first: told.first.clone(),
            last: at.to_owned(),
        })
    }

    fn forget(&mut self, now: Instant) {
        if self.told.len() >= MOST {
            self.told.retain(|_, told| now.saturating_duration_since(told.last) < KEPT);
        }
        if self.told.len() >= MOST {
            self.told.clear();
        }
        if self.budgets.len() >= MOST {
            self.budgets.retain(|_, budget| budget.refilled(now).left < BURST);
        }
        if self.budgets.len() >= MOST {
            self.budgets.clear();
        }
    }
}

impl Budget {
    fn full(now: Instant) -> Self {
        Self { left: BURST, since: now }
    }

    fn refilled(self, now: Instant) -> Self {
        let more = now.saturating_duration_since(self.since).as_secs() / REFILL.as_secs();
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        match self.left.saturating_add(more) {
            left if left >= BURST => Self::full(now),
            left => Self { left, since: self.since + REFILL * more },
        }
    }

    fn spend(&mut self, now: Instant) -> bool {
        *self = self.refilled(now);
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
}

/// `web.3f2a…`, as events are named.
fn name(it: Happened<'_>) -> String {
    let mut hasher = DefaultHasher::new();
    (it.uid, it.reason, it.message).hash(&mut hasher);
    format!("{}.{:016x}", it.object.name, hasher.finish())
}
