//! Events of a cluster: what happened to a Service, in MetalLB's words.
//!
//! What happens again is counted in the event that is there, and whoever has had many gets few
//! more: an object whose mistake is found at each look does not fill the cluster with them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use steelyard_model::ObjectRef;
use steelyard_plan::ServiceEventKind;

use crate::timetable::Timetable;

/// Events that an object may have at once.
const BURST: u32 = 25;
/// How long it takes until it may have one more.
const REFILL: Duration = Duration::from_secs(300);
/// So many different ones are remembered; of more, the oldest are counted from the start.
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
    /// By name, until the API server forgets it.
    told: Timetable<Arc<str>, Told>,
    /// By `uid`, until the object may have all of its events again.
    spent: Timetable<Arc<str>, ()>,
}

#[derive(Clone, Debug)]
struct Told {
    count: u32,
    first: Arc<str>,
}

impl Events {
    /// The event to write, for the time `now`, which is `at` in words; none where there were too
    /// many.
    pub fn tell(&mut self, now: Instant, at: &str, it: Happened<'_>) -> Option<EventWrite> {
        if !self.spend(now, it.uid) {
            return None;
        }
        let name = name(it);
        self.told.forget(now, MOST);
        let key = Arc::from(&*name);
        let new = || Told { count: 0, first: Arc::from(at) };
        let mut told = self.told.take(&key).map_or_else(new, |(_, told)| told);
        told.count = told.count.saturating_add(1);
        self.told.put(key, now + KEPT, told.clone());
        Some(EventWrite {
            name,
            object: it.object.clone(),
            uid: it.uid.to_owned(),
            kind: it.kind,
            reason: it.reason.to_owned(),
            message: it.message.to_owned(),
            count: told.count,
            first: told.first.to_string(),
            last: at.to_owned(),
        })
    }

    /// Whether the object may have one more, which is taken from what it has.
    fn spend(&mut self, now: Instant, uid: &str) -> bool {
        self.spent.forget(now, MOST);
        let key = Arc::from(uid);
        let full = self.spent.get(&key).map_or(now, |(full, ())| *full);
        let may = full.saturating_duration_since(now) <= REFILL * (BURST - 1);
        if may {
            self.spent.put(key, full + REFILL, ());
        }
        may
    }
}

/// `web.3f2a…`, as events are named.
fn name(it: Happened<'_>) -> String {
    let mut hasher = DefaultHasher::new();
    (it.uid, it.reason, it.message).hash(&mut hasher);
    format!("{}.{:016x}", it.object.name, hasher.finish())
}
